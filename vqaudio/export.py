"""``python -m vqaudio.export MODEL OUT``: a model as ONNX files, for programs that know nothing of vqaudio."""

from __future__ import annotations

import json
from pathlib import Path

import click

from vqaudio.cli import options
from vqaudio.cli.program import Command
from vqaudio.files import atomic_write, refuse_existing

CONFIG = "config.json"


@click.command("export", cls=Command, example="speech-16k-v4 speech-onnx")
@click.argument("model", metavar="MODEL")
@click.argument("out", type=options.PATH)
@options.force
@options.quiet
def main(model: str, out: Path, force: bool, quiet: bool) -> int:
    """Write a model as ONNX files that stand alone.

    The folder OUT gets decoder.onnx (codes to waveform), encoder.onnx (waveform to features, and to codes) and
    config.json (rates, codebooks, fingerprint). Any batch, any length, opset 20. MODEL is a shipped model's name, or a
    file; of one that decodes only there is no encoder.
    """
    from vqaudio.inference.exported import decoder_model, description, encoder_model  # late: --help does without
    from vqaudio.inference.onnx_networks import OnnxNetworks
    from vqaudio.inference.stored import read_model

    stored = read_model(model)
    builders = {"decoder.onnx": decoder_model} | ({} if stored.decode_only else {"encoder.onnx": encoder_model})
    for name in (*builders, CONFIG):
        refuse_existing(out / name, force)
    networks = OnnxNetworks(stored)
    contents = {out / name: build(stored, networks).SerializeToString() for name, build in builders.items()}
    contents[out / CONFIG] = (json.dumps(description(stored, networks), indent=2) + "\n").encode()
    out.mkdir(parents=True, exist_ok=True)
    for target, content in contents.items():
        with atomic_write(target) as file:
            file.write(content)
        if not quiet:
            print(f"{target}: {len(content) / 1e6:.2g} MB" if target.suffix == ".onnx" else target)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
