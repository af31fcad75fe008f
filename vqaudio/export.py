"""``python -m vqaudio.export MODEL OUT``: a model as ONNX files, for programs that know nothing of vqaudio."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from vqaudio.cli import options
from vqaudio.cli.program import Command
from vqaudio.files import atomic_write, refuse_existing

if TYPE_CHECKING:
    from onnx import ModelProto

CONFIG = "config.json"


@click.command("export", cls=Command, example="speech-16k-v4 speech-onnx")
@click.argument("model", metavar="MODEL")
@click.argument("out", type=options.PATH)
@options.force
@options.quiet
def main(model: str, out: Path, force: bool, quiet: bool) -> int:
    """Write a model as ONNX files that stand alone.

    The folder OUT gets decoder.onnx (codes to waveform), encoder.onnx (waveform to features, and to codes), where the
    model has a prior prior.onnx (new codes, frame by frame), and config.json (rates, codebooks, fingerprint). Any
    batch, any length. MODEL is a shipped model's name, or a file; of one that decodes only there is no encoder.
    """
    from vqaudio.inference.exported import decoder_model, description, encoder_model  # late: --help does without
    from vqaudio.inference.onnx_networks import OnnxNetworks
    from vqaudio.inference.stored import read_model
    from vqaudio.prior import exported as exported_prior
    from vqaudio.prior.entropy import load_prior, prior_of

    stored = read_model(model)
    networks, prior_file = OnnxNetworks(stored), prior_of(stored.fingerprint)
    prior = None if prior_file is None else load_prior(prior_file)
    builders: dict[str, Callable[[], ModelProto]] = {"decoder.onnx": lambda: decoder_model(stored, networks)}
    if not stored.decode_only:
        builders["encoder.onnx"] = lambda: encoder_model(stored, networks)
    if prior is not None:
        builders["prior.onnx"] = lambda: exported_prior.step_model(prior, name=stored.name)
    for name in (*builders, CONFIG):
        refuse_existing(out / name, force)
    contents = {out / name: build().SerializeToString() for name, build in builders.items()}
    facts = description(stored, networks) | {"prior": None if prior is None else exported_prior.description(prior)}
    contents[out / CONFIG] = (json.dumps(facts, indent=2) + "\n").encode()
    out.mkdir(parents=True, exist_ok=True)
    for target, content in contents.items():
        with atomic_write(target) as file:
            file.write(content)
        if not quiet:
            print(f"{target}: {len(content) / 1e6:.2g} MB" if target.suffix == ".onnx" else target)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
