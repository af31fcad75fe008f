"""Codes to a WAV, with a decoder that ``python -m vqaudio.export`` wrote: ``onnx_decode.py FOLDER CODES.json OUT.wav``.

CODES.json holds the model's ``fingerprint`` and ``codes``, a list for each codebook (docs/onnx.md says how it is made).
"""

import json
import sys
from pathlib import Path

import numpy as np
import onnxruntime
import soundfile

folder, source, target = map(Path, sys.argv[1:])
config, found = (json.loads(path.read_text("utf-8")) for path in (folder / "config.json", source))
session = onnxruntime.InferenceSession(folder / "decoder.onnx", providers=["CPUExecutionProvider"])
decodes = session.get_modelmeta().custom_metadata_map["fingerprint"]
for name, fingerprint in (("config.json", config["fingerprint"]), (source.name, found["fingerprint"])):
    if fingerprint != decodes:
        sys.exit(f"error: {name} is of model {fingerprint}, and decoder.onnx of {decodes}: take files of one model")

codes = np.array(found["codes"], np.int64)[None]  # (batch, n_codebooks, frames)
beyond = config["decoder_context"]  # frames that the decoder sees beyond both ends: the codes mirrored, as in the codec
feeds = {"codes": np.pad(codes, ((0, 0), (0, 0), (beyond, beyond)), "symmetric")}
if config["speakers"]:
    feeds["speaker"] = np.zeros(1, np.int64)  # nobody; 1 and up are config["speakers"]
(waveform,) = session.run(["waveform"], feeds)
cut = beyond * config["hop_length"]
soundfile.write(target, waveform[0, 0, cut:-cut], config["sample_rate"])
