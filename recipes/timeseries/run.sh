#!/usr/bin/env bash
# Fits a small model to the first 80 % of a table's rows, and compresses the last fifth with it and without.
#
#   bash recipes/timeseries/run.sh DATA.csv
#   bash recipes/timeseries/run.sh --base
#
# MAX_ERROR (1%): the bound of the report. MINUTES (3): of training. OUT (runs/timeseries): where model.safetensors and report.md
# go; then: python -m vqaudio.compress DATA.csv OUT.vq --max-error 1% --model OUT/model.safetensors. With --base instead of a table,
# makes series-base: from ETTh1.csv and ecg208.csv in $VQAUDIO_DATA/timeseries, or ../shared/data/timeseries, and made-up series.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
out=${OUT:-runs/timeseries}
data=${VQAUDIO_DATA:-$here/../../../shared/data}/timeseries
export PYTHONPATH="$here/../..${PYTHONPATH:+:$PYTHONPATH}" OMP_WAIT_POLICY=${OMP_WAIT_POLICY:-PASSIVE}
mkdir -p "$out"
if [ "$1" = --base ]; then
    python "$here/fit.py" "$out/model.safetensors" "$data/ETTh1.csv" "$data/ecg208.csv" --values 700000 --synthetic 400000 \
        --minutes "${MINUTES:-3.5}"
    python "$here/report.py" "$out/ETTh1.md" "$data/ETTh1.csv" --model "$out/model.safetensors"
    python "$here/report.py" "$out/ecg208.md" "$data/ecg208.csv" --model "$out/model.safetensors" --max-error 0.0699
else
    python "$here/fit.py" "$out/model.safetensors" "$1" --minutes "${MINUTES:-3}"
    python "$here/report.py" "$out/report.md" "$1" --model "$out/model.safetensors" --max-error "${MAX_ERROR:-1%}"
fi
