#!/usr/bin/env bash
# Trains speech-16k and scores it on speakers it never heard.
#
#   bash recipes/speech16k/run.sh [FOLDER]
#
# FOLDER: any folder of audio; without it $VQAUDIO_DATA/speech, or ../shared/data/speech.
# MINUTES (default 100): length of the run; its schedule is fitted to it. A run that was stopped is resumed.
# CONFIG (default recipes/speech16k/base.yaml): another config, strided.yaml for example.
set -euo pipefail
cd "$(dirname "$0")/../.."
config=${CONFIG:-recipes/speech16k/base.yaml}
folder=${1:-${VQAUDIO_DATA:-../shared/data}/speech}
settings=(--set "data.folder=$folder")
[ $# -eq 0 ] || settings+=(--set "data.weights={}") # a folder of one's own: corpora share crops by their length
out=$(awk '$1 == "out:" { print $2 }' "$config")

# Threads that sleep while they wait lose far less where other programs use the same cores.
export OMP_WAIT_POLICY=${OMP_WAIT_POLICY:-PASSIVE}
python -m vqaudio.train "$config" "${settings[@]}" --minutes "${MINUTES:-100}" --resume
python -m vqaudio.evaluate "$folder" --model "$out/model.safetensors" --codebooks 1,2,3,8 --min-seconds 2 \
    --json "$out/report.json" --plot "$out/report.png"
