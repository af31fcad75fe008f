#!/usr/bin/env bash
# bash recipes/sentences/run.sh [FOLDER] [--quick] [--stage STAGE,...] ...; --help lists stages and options.
set -euo pipefail
cd "$(dirname "$0")/../.."
export OMP_WAIT_POLICY=${OMP_WAIT_POLICY:-PASSIVE} # threads that sleep while they wait lose less where others use the cores
exec python -m recipes.sentences.run "$@"
