#!/usr/bin/env bash
# Trains the whole family, from PCA to VQ-VAE-2, on the Free Spoken Digit Dataset, and compares them in one report.
#
#   bash recipes/family/run.sh [--quick] [FOLDER]
#
# FOLDER: the dataset; without it $VQAUDIO_DATA/speech/digits, or ../shared/data/speech/digits. --quick: the same way with
# tiny networks and three takes, within minutes. MINUTES (default 2.4): for each of the 14 networks; PRIOR_MINUTES (1.5): for
# each of two priors. OUT (runs/family): where everything goes. What was stopped is resumed.
set -euo pipefail
cd "$(dirname "$0")/../.."
here=recipes/family
quick=()
if [ "${1:-}" = --quick ]; then
    quick=(--quick)
    shift
fi
folder=${1:-${VQAUDIO_DATA:-../shared/data}/speech/digits}
out=${OUT:-runs/family}

export OMP_WAIT_POLICY=${OMP_WAIT_POLICY:-PASSIVE}
python recipes/digits/prepare.py "$folder" "$out/data"
prior=(--minutes "${PRIOR_MINUTES:-1.5}")
if [ ${#quick[@]} -gt 0 ]; then
    prior=(--set steps=6 --set warmup_steps=1 --set model.channels=16 --set model.skip_channels=16 --set data.batch_size=4)
    grep -E '^path,|_[056]\.' "$out/data/manifest.csv" > "$out/data/few.csv"
    mv "$out/data/few.csv" "$out/data/manifest.csv"
fi
python $here/fit.py "$out" --minutes "${MINUTES:-2.4}" "${quick[@]}"
for system in vq vqvae2; do
    python -m vqaudio.tokenize "$out/data" "$out/tokens/$system" --model "$out/$system/model.safetensors" --pad-to 1 --quiet
    python -m vqaudio.train $here/prior.yaml --set "out=$out/$system-prior" --set "data.folder=$out/tokens/$system" \
        --set "codec=$out/$system/model.safetensors" "${prior[@]}" --resume
done
python $here/report.py "$out" "${quick[@]}"
