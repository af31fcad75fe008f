#!/usr/bin/env bash
# Trains a prior over a codec's codes, and its quantized export, on the recordings that the codec was trained on.
#
#   bash recipes/speech16k/prior.sh [FOLDER]
#
# FOLDER: as for run.sh. CODEC (default speech-16k-v4): a shipped model's name, or a file. RUN (runs/speech-16k-v4): where tokens
# (RUN-tokens) and the prior (RUN-prior) go. INIT: a prior to begin at; that of a codec whose codebooks this one's began at saves
# hundreds of steps. MINUTES (60): length of the run. VERSIONS (1): varied copies of all recordings. READ_VERSIONS (4): of read
# English that is drawn more often than it lasts. JOBS: processes that make tokens. What was stopped is resumed.
set -euo pipefail
cd "$(dirname "$0")/../.."
folder=${1:-${VQAUDIO_DATA:-../shared/data}/speech}
codec=${CODEC:-speech-16k-v4}
run=${RUN:-runs/speech-16k-v4}
settings=(--set "codec=$codec" --set "data.folder=$run-tokens" --set "out=$run-prior")
[ -z "${INIT:-}" ] || settings+=(--set "init_from=$INIT")

# Slower and faster, at other levels and cut into frames elsewhere, the same words are other codes. Half of those copies end
# frames early where the next codebook saves little: the prior is to know how likely that is.
tokenize() {
    python -m vqaudio.tokenize "$folder" "$run-tokens" --model "$codec" --codebooks 9,3 --code-costs 1,10 \
        ${JOBS:+--jobs "$JOBS"} "$@"
}
tokenize
tokenize --versions "${VERSIONS:-1}"
if [ $# -eq 0 ]; then
    tokenize --versions "${READ_VERSIONS:-4}" --corpora librispeech,vctk,ljspeech
else # a folder of one's own: corpora share crops by their length, and all speakers count that are named
    settings+=(--set "data.weights={}" --set "field_corpora=[]")
fi

export OMP_WAIT_POLICY=${OMP_WAIT_POLICY:-PASSIVE}
python -m vqaudio.train recipes/speech16k/prior.yaml "${settings[@]}" --minutes "${MINUTES:-60}" --resume
