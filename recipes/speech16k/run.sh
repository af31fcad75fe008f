#!/usr/bin/env bash
# Trains speech-16k-v3 in seven runs and scores it on speakers it never heard.
#
#   bash recipes/speech16k/run.sh [FOLDER]
#
# FOLDER: any folder of audio; without it $VQAUDIO_DATA/speech, or ../shared/data/speech.
# MINUTES (default 97), FINETUNE_MINUTES (11.5), V2_MINUTES (76), LONGER_MINUTES (62), V3_MINUTES (54), ENCODER_MINUTES (45)
# and ALL_MINUTES (15): lengths of the runs by base.yaml, finetune.yaml, v2.yaml, longer.yaml, v3.yaml, encoder.yaml and
# encoder-all.yaml; their schedules are fitted to them. What was stopped is resumed. The model is
# runs/speech-16k-v3-lighter-all/model.safetensors then.
# CONFIG: one run of MINUTES by another config instead, recipes/speech16k/strided.yaml for example.
set -euo pipefail
cd "$(dirname "$0")/../.."
here=recipes/speech16k
folder=${1:-${VQAUDIO_DATA:-../shared/data}/speech}
settings=(--set "data.folder=$folder")
[ $# -eq 0 ] || settings+=(--set "data.weights={}") # a folder of one's own: corpora share crops by their length

# Threads that sleep while they wait lose far less where other programs use the same cores.
export OMP_WAIT_POLICY=${OMP_WAIT_POLICY:-PASSIVE}
train() { python -m vqaudio.train "$1" "${settings[@]}" --minutes "$2" --resume; }
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
    out=runs/speech-16k-v3-lighter-all
else
    out=$(awk '$1 == "out:" { print $2 }' "$CONFIG")
fi
model=$out/model.safetensors
python -m vqaudio.evaluate "$folder" --model "$model" --min-seconds 2 --json "$out/report.json" --plot "$out/report.png"
