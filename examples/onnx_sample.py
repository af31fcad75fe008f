"""Sound that nobody said, by what ``vqaudio.export`` wrote: ``onnx_sample.py FOLDER OUT.wav [SECONDS] [LABEL] [SEED]``.

FOLDER has ``prior.onnx`` where its model has a prior; LABEL is one of those in its ``config.json``, such as ``p226``,
or "" for none; the same SEED, a whole number, draws the same sound again.
"""

import json
import sys
from pathlib import Path

import numpy as np
import onnxruntime
import soundfile

folder, target, seconds, label, seed = (*sys.argv[1:], *("3", "", "")[len(sys.argv) - 3 :])
config = json.loads(Path(folder, "config.json").read_text("utf-8"))
fields = list(config["prior"]["fields"].values()) if config["prior"] else []
if not config["prior"] or not any(label in ("", *known) for known in fields or [()]):
    sys.exit(f"error: {folder} has no prior that knows {label or 'its codes'}: take another model or label")
prior, decoder = (onnxruntime.InferenceSession(Path(folder, f"{name}.onnx")) for name in ("prior", "decoder"))
marks = [session.get_modelmeta().custom_metadata_map["fingerprint"] for session in (prior, decoder)]
if marks[0] != marks[1]:
    sys.exit(f"error: prior.onnx is of model {marks[0]}, and decoder.onnx of {marks[1]}: take files of one model")
chosen = np.array([1 + known.index(label) if label in known else 0 for known in fields])
told = {"condition": chosen} if fields else {}

random, sizes = np.random.default_rng(int(seed) if seed else None), config["codebook_sizes"]
state, codes = np.full((1, *config["prior"]["state"]), 128, np.uint8), [np.full((1, len(sizes)), -1)]  # -1: none before
for _ in range(round(float(seconds) * config["sample_rate"] / config["hop_length"])):
    noise = random.gumbel(size=(1, len(sizes), sizes[0])).astype(np.float32)  # times the temperature, which is 1
    found, state, _ = prior.run(None, {"before": codes[-1], "state": state, "noise": noise, **told})
    codes.append(found)
silence = [np.array([config["silence"]])] * config["decoder_context"]  # before and after
(waveform,) = decoder.run(None, {"codes": np.stack([*silence, *codes[1:], *silence], axis=2)})
cut = len(silence) * config["hop_length"]
soundfile.write(target, waveform[0, 0, cut:-cut], config["sample_rate"])
