#!/usr/bin/env bash
# Trains speech-16k-v4 in nine runs and scores it on speakers it never heard.
#
#   bash recipes/speech16k/run.sh [FOLDER]
#
# FOLDER: any folder of audio; without it $VQAUDIO_DATA/speech, or ../shared/data/speech.
# MINUTES (default 97), FINETUNE_MINUTES (11.5), V2_MINUTES (76), LONGER_MINUTES (62), V3_MINUTES (54), ENCODER_MINUTES (45),
# ALL_MINUTES (15), CODES_MINUTES (142) and DECODER_MINUTES (76): lengths of the runs by base.yaml, finetune.yaml, v2.yaml,
# longer.yaml, v3.yaml, encoder.yaml, encoder-all.yaml, v4-codes.yaml and v4-decoder.yaml; their schedules are fitted to them.
# What was stopped is resumed. The model is runs/speech-16k-v4/model.safetensors then. The shipped one's codes were trained
# for 4.3 minutes of a GPU as well (gpu.sh), which a CPU takes days for.
# CONFIG: one run of MINUTES by another config instead, recipes/speech16k/strided.yaml for example.
set -euo pipefail
cd "$(dirname "$0")/../.."
here=recipes/speech16k
folder=${1:-${VQAUDIO_DATA:-../shared/data}/speech}
settings=(--set "data.folder=$folder")
[ $# -eq 0 ] || settings+=(--set "data.corpora=[]" --set "data.weights={}") # one's own: corpora share by length

# Threads that sleep while they wait lose far less where other programs use the same cores.
export OMP_WAIT_POLICY=${OMP_WAIT_POLICY:-PASSIVE}
train() { python -m vqaudio.train "$1" "${settings[@]}" --minutes "$2" --resume "${@:3}"; }
train "${CONFIG:-$here/base.yaml}" "${MINUTES:-97}"
if [ -z "${CONFIG:-}" ]; then
    train $here/finetune.yaml "${FINETUNE_MINUTES:-11.5}"
    train $here/v2.yaml "${V2_MINUTES:-76}"
    train $here/longer.yaml "${LONGER_MINUTES:-62}"
    train $here/v3.yaml "${V3_MINUTES:-54}"
    v3=runs/speech-16k-v3
    python $here/ends.py "$folder" $v3/model.safetensors $v3/ended.safetensors
    python $here/lighter.py "$folder" $v3/ended.safetensors $v3/lighter.safetensors
    train $here/encoder.yaml "${ENCODER_MINUTES:-45}"
    train $here/encoder-all.yaml "${ALL_MINUTES:-15}"
    train $here/v4-codes.yaml "${CODES_MINUTES:-142}" --set init_from=runs/speech-16k-v3-lighter-all/model.safetensors
    codes=runs/speech-16k-v4-codes/model.safetensors
    train $here/v4-decoder.yaml "${DECODER_MINUTES:-76}" --set "init_from=$codes"
    out=runs/speech-16k-v4 && mkdir -p $out
    python $here/mix.py $codes runs/speech-16k-v4-decoder/model.safetensors 0.7 $out/model.safetensors
else
    out=$(awk '$1 == "out:" { print $2 }' "$CONFIG")
fi
model=$out/model.safetensors
python -m vqaudio.evaluate "$folder" --model "$model" --min-seconds 2 --json "$out/report.json" --plot "$out/report.png"
