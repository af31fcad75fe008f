#!/usr/bin/env bash
# Trains voices-16k, whose decoder is told who speaks, and has its conversions judged.
#
#   bash recipes/voices16k/run.sh [FOLDER]
#
# FOLDER: recordings whose manifest.csv names corpora and speakers as codec.yaml does; without it $VQAUDIO_DATA/speech, or
# ../shared/data/speech. MINUTES (default 72): length of the run; its schedule is fitted to it. OUT (runs/voices-16k): where
# everything goes. What was stopped is resumed.
set -euo pipefail
cd "$(dirname "$0")/../.."
here=recipes/voices16k
folder=${1:-${VQAUDIO_DATA:-../shared/data}/speech}
out=${OUT:-runs/voices-16k}

# Threads that sleep while they wait lose far less where other programs use the same cores.
export OMP_WAIT_POLICY=${OMP_WAIT_POLICY:-PASSIVE}
start=runs/speech-16k-v3.safetensors # which is not shipped any more
[ -e $start ] || { mkdir -p runs && git show 01c7f2f:vqaudio/models/speech-16k-v3.safetensors >$start.part && mv $start.part $start; }
python -m vqaudio.train $here/codec.yaml --set "data.folder=$folder" --set "out=$out" --minutes "${MINUTES:-72}" --resume
python $here/report.py "$out/model.safetensors" "$out/report" --folder "$folder"
