#!/usr/bin/env bash
# A stage of speech-16k-v4 within minutes of one GPU, on a machine that has torch and lightning but no network.
#
#   gpu.sh pack [FOLDER]             here: recordings in shards (.gpu/0, .gpu/1, ...), and packages (.gpu/wheels)
#   gpu.sh store                     there: take in the shards and packages that came along
#   gpu.sh train STAGE MINUTES OUT   there: the same, then train; weights in pieces of 15 MB in the folder OUT, every minute
#   gpu.sh join OUT MODEL            here: put the pieces together
#
# STAGE: codes (v4-codes.yaml) or decoder (v4-decoder.yaml). INIT: weights to start from, in place of the config's.
# BATCH, RATE, OPTIMIZER, CROP, SET ("--set a=b ..."): for tuning. STORE: where recordings are kept there. ACCELERATOR=cpu: to
# rehearse. A run that is called again goes on from its last minute.
set -euo pipefail
cd "$(dirname "$0")/../.."
here=recipes/speech16k
store=${STORE:-/tmp/vqaudio-gpu}
python=${PYTHON:-python3}

pack() {
    local folder=${1:-${VQAUDIO_DATA:-../shared/data}/speech}
    rm -rf .gpu && mkdir -p .gpu
    "$python" -m recipes.speech16k.pack "$folder" .gpu
    # What an installation of torch, torchaudio and lightning lacks. Python there: $THERE (3.12).
    local get=("$python" -m pip download --quiet --only-binary=:all: --dest .gpu/wheels --python-version "${THERE:-3.12}"
        --platform manylinux2014_x86_64 --platform manylinux_2_28_x86_64)
    "${get[@]}" pydantic
    "${get[@]}" --no-deps soundfile cffi pycparser soxr pytorch-optimizer click
    du -sm .gpu/*
}

store() {
    mkdir -p "$store/speech" "$store/site"
    if compgen -G ".gpu/wheels/*.whl" >/dev/null; then
        "$python" -m pip install --quiet --no-index --no-deps --upgrade --target "$store/site" .gpu/wheels/*.whl
    fi
    for shard in .gpu/*/shard.tgz; do
        [ -e "$shard" ] && tar -xzf "$shard" -C "$store/speech"
    done
    cat "$store"/speech/part-*.csv >"$store/speech/manifest.csv" # part-0, which has the header, sorts first
    wc -l "$store/speech/manifest.csv"
}

# Pieces of a file, whole or not there at all. The disk's copy may be replaced while it is read: so it is linked first.
pieces() {
    [ -e "$1" ] || return 0
    ln -f "$1" "$store/sent" && mkdir -p "$store/pieces" && rm -f "$store"/pieces/*
    split -b 15M -d "$store/sent" "$store/pieces/$3."
    mkdir -p "$2" && mv -f "$store"/pieces/"$3".* "$2"
}

train() {
    local stage=$1 minutes=$2 out=$3
    export PYTHONPATH="$store/site:$PWD${PYTHONPATH:+:$PYTHONPATH}" OMP_WAIT_POLICY=PASSIVE
    local run="$store/run-$stage"
    local sets=(--set "out=$run" --set "data.folder=$store/speech" --set "data.cache=$store/cache"
        --set "accelerator=${ACCELERATOR:-cuda}" --set save_every_minutes=1 --set log_every=50 --set valid_every=100000)
    [ -z "${INIT:-}" ] || sets+=(--set "init_from=$INIT")
    case $stage in
    codes) sets+=(--set "data.batch_size=${BATCH:-192}" --set "optimizer=${OPTIMIZER:-muon}"
        --set "learning_rate=${RATE:-0.002}" --set "data.crop_seconds=${CROP:-2.56}" --set weight_ema=0.999) ;;
    decoder) sets+=(--set "data.batch_size=${BATCH:-64}" --set "optimizer=${OPTIMIZER:-adamw}"
        --set "learning_rate=${RATE:-0.0003}" --set "data.crop_seconds=${CROP:-1.92}") ;;
    *) echo "gpu.sh: no stage $stage: codes or decoder" >&2 && exit 2 ;;
    esac
    mkdir -p "$out"
    while sleep 20; do pieces "$run/latest.safetensors" "$out" latest.safetensors; done &
    local copying=$!
    trap "kill $copying" EXIT
    # shellcheck disable=SC2086  # SET is several words
    "$python" -m vqaudio.train $here/v4-$stage.yaml --minutes "$minutes" --resume "${sets[@]}" ${SET:-} 2>&1 | tr '\r' '\n' |
        tee "$out/train.log" | awk '!/step\/s|s\/step/ || NR % 50 == 1'
    pieces "$run/model.safetensors" "$out" model.safetensors
    pieces "$run/discriminators.safetensors" "$out" discriminators.safetensors
    rm -f "$out"/latest.safetensors.*
    du -sh "$out"/*
}

join() {
    cat "$1"/model.safetensors.* >"$2"
}

case "${1:-}" in
pack | join) "$@" ;;
store) store ;;
train) store && "$@" ;;
*) sed -n '2,13s/^# \{0,1\}//p' "$0" >&2 && exit 2 ;;
esac
