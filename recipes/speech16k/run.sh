#!/usr/bin/env bash
# Trains speech-16k in two runs and scores it on speakers it never heard.
#
#   bash recipes/speech16k/run.sh [FOLDER]
#
# FOLDER: any folder of audio; without it $VQAUDIO_DATA/speech, or ../shared/data/speech.
# MINUTES (default 97) and FINETUNE_MINUTES (default 11.5): lengths of the runs; their schedules are fitted to them. What was
# stopped is resumed. CONFIG: one run by another config instead, recipes/speech16k/strided.yaml for example.
set -euo pipefail
cd "$(dirname "$0")/../.."
here=recipes/speech16k
folder=${1:-${VQAUDIO_DATA:-../shared/data}/speech}
settings=(--set "data.folder=$folder")
[ $# -eq 0 ] || settings+=(--set "data.weights={}") # a folder of one's own: corpora share crops by their length

# Threads that sleep while they wait lose far less where other programs use the same cores.
export OMP_WAIT_POLICY=${OMP_WAIT_POLICY:-PASSIVE}
last=${CONFIG:-$here/finetune.yaml}
python -m vqaudio.train "${CONFIG:-$here/base.yaml}" "${settings[@]}" --minutes "${MINUTES:-97}" --resume
[ -n "${CONFIG:-}" ] || python -m vqaudio.train "$last" "${settings[@]}" --minutes "${FINETUNE_MINUTES:-11.5}" --resume

out=$(awk '$1 == "out:" { print $2 }' "$last")
python -m vqaudio.evaluate "$folder" --model "$out/model.safetensors" --codebooks 1,2,3,8 --min-seconds 2 \
    --json "$out/report.json" --plot "$out/report.png"
