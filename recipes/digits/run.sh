#!/usr/bin/env bash
# Trains a small codec and a prior on the Free Spoken Digit Dataset, draws digits in six voices, and has them judged.
#
#   bash recipes/digits/run.sh [FOLDER]
#
# FOLDER: the dataset; without it $VQAUDIO_DATA/speech/digits, or ../shared/data/speech/digits. CODEC_MINUTES (default 14)
# and PRIOR_MINUTES (10): lengths of the runs. CLIPS (10): drawn of each digit by each speaker. OUT (runs/digits): where
# everything goes. What was stopped is resumed.
set -euo pipefail
cd "$(dirname "$0")/../.."
here=recipes/digits
folder=${1:-${VQAUDIO_DATA:-../shared/data}/speech/digits}
out=${OUT:-runs/digits}

export OMP_WAIT_POLICY=${OMP_WAIT_POLICY:-PASSIVE}
python $here/prepare.py "$folder" "$out/data"
python -m vqaudio.train $here/codec.yaml --set "out=$out/codec" --set "data.folder=$out/data" \
    --minutes "${CODEC_MINUTES:-14}" --resume
python -m vqaudio.tokenize "$out/data" "$out/tokens" --model "$out/codec/model.safetensors" --pad-to 1 \
    --versions "${VERSIONS:-4}"
python -m vqaudio.train $here/prior.yaml --set "out=$out/prior" --set "data.folder=$out/tokens" \
    --set "codec=$out/codec/model.safetensors" --minutes "${PRIOR_MINUTES:-10}" --resume
python $here/report.py "$out" --clips "${CLIPS:-10}"
