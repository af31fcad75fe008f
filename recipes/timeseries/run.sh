#!/usr/bin/env bash
# Fits a small model to the first 80 % of a table's rows, and compresses the last fifth with it and without.
#
#   bash recipes/timeseries/run.sh DATA.csv
#   bash recipes/timeseries/run.sh --base
#
# MAX_ERROR (1%): the bound of the report. MINUTES (3): of training. OUT (runs/timeseries): where the run, report.md and report.png go;
# then: python -m vqaudio.compress DATA.csv OUT.vq --max-error 1% --model OUT/model.int8.safetensors. With --base instead of a table,
# makes series-base: from ETTh1.csv and ecg208.csv in $VQAUDIO_DATA/timeseries, or ../shared/data/timeseries, and made-up series.
# RESUME=1 goes on with a run in OUT that was stopped.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
out=${OUT:-runs/timeseries}
data=${VQAUDIO_DATA:-$here/../../../shared/data}/timeseries
export PYTHONPATH="$here/../..${PYTHONPATH:+:$PYTHONPATH}" OMP_WAIT_POLICY=${OMP_WAIT_POLICY:-PASSIVE}
mkdir -p "$out"

train() { # CONFIG MINUTES OPTION...
    python -m vqaudio.train "$here/$1" --set out="$out" --minutes "$2" ${RESUME:+--resume} "${@:3}"
}
report() { # TABLE BOUND NAME
    python -m vqaudio.evaluate "$1" --max-error "$2" --last 0.2 --model "$out/model.int8.safetensors" --plot "$out/$3.png" | tee "$out/$3.md"
}

if [ "${1:-}" = --base ]; then
    python "$here/processes.py" "$out/made-up"
    train base.yaml "${MINUTES:-3.5}" --set data.tables="[$data/ETTh1.csv, $data/ecg208.csv, $out/made-up]"
    report "$data/ETTh1.csv" 1% ETTh1
    report "$data/ecg208.csv" 0.0699 ecg208
else
    train table.yaml "${MINUTES:-3}" --data "${1:?name a table}"
    report "$1" "${MAX_ERROR:-1%}" report
fi
