#!/usr/bin/env bash
# Trains a codec and a prior on VCTK, measures them, and makes a page to listen to, in seven stages.
#
#   VCTK_ROOT=/data/VCTK bash recipes/vctk/run.sh [--config conf/paper.yaml] [--stage N] [--stop-stage M] ...
#   bash recipes/vctk/run.sh --smoke
#
# --help lists the stages and all options. Paths are relative to the project's folder. What was stopped is resumed.
set -euo pipefail
cd "$(dirname "$0")/../.."
export OMP_WAIT_POLICY=${OMP_WAIT_POLICY:-PASSIVE}
exec python recipes/vctk/run.py "$@"
