#!/usr/bin/env bash
# Makes the clips of the README anew, and the page to hear them on. Codes that are drawn are the same on every machine.
set -euo pipefail
cd "$(dirname "$0")"
vqaudio() { python -m vqaudio "$@" --force --quiet; }
vqaudio sample seven-jackson.wav --model digits --text seven --speaker jackson --seed 1
vqaudio sample three-one-four-theo.wav --model digits --text "three one four" --speaker theo --seed 1
vqaudio sample speech-p226.wav --seconds 4 --speaker p226 --seed 2
vqaudio convert speech-p226.wav speech-p226-as-LJ.wav --speaker LJ
packed=$(mktemp --suffix .vq)
trap 'rm -f "$packed"' EXIT
vqaudio compress ../../examples/vowels.wav "$packed" --codebooks 3
vqaudio decompress "$packed" vowels-3-codebooks.wav
python -m vqaudio listen . ../listen.html --codebooks 1,3,9 --peers opus --min-seconds 0 --quiet
