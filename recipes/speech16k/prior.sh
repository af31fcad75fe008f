#!/usr/bin/env bash
# Trains a prior over a codec's codes, and its integer twin, on the recordings that the codec was trained on.
#
#   bash recipes/speech16k/prior.sh [FOLDER]
#
# FOLDER: as for run.sh. CODEC (default speech-16k-v3): a shipped model's name, or a file. MINUTES (45): length of the run.
# VERSIONS (10): varied copies of the read speech. What was stopped is resumed.
set -euo pipefail
cd "$(dirname "$0")/../.."
folder=${1:-${VQAUDIO_DATA:-../shared/data}/speech}
codec=${CODEC:-speech-16k-v3}
tokens=runs/speech-16k-v3-tokens
if [ $# -eq 0 ]; then
    varied=(--corpora librispeech,vctk,ljspeech)
    settings=()
else # a folder of one's own: corpora share crops by their length, and all speakers count that are named
    varied=()
    settings=(--set "data.weights={}" --set "field_corpora=[]")
fi

# Slower and faster, at other levels and cut into frames elsewhere, the same words are other codes. Half of those copies end
# frames early where the next codebook saves little: the prior is to know how likely that is.
tokenize() { python -m vqaudio.tokenize "$folder" $tokens --model "$codec" --codebooks 9,3 --entry-costs 2,10 "$@"; }
tokenize
tokenize --versions "${VERSIONS:-10}" "${varied[@]}"

export OMP_WAIT_POLICY=${OMP_WAIT_POLICY:-PASSIVE}
python -m vqaudio.train recipes/speech16k/prior.yaml --set "codec=$codec" --set "data.folder=$tokens" "${settings[@]}" \
    --minutes "${MINUTES:-45}" --resume
