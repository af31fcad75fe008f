"""Puts a trained model into the package, under a name.

    python -m recipes.ship MODEL NAME [--prior PRIOR]

MODEL is ``model.safetensors`` of a run, PRIOR the ``model.int8.safetensors`` of a prior over its codes; its network in
floating point comes along. A NAME that is shipped already stands for codes that stay: MODEL must make the same, and
another decoder than before counts as the next version. Write ``vqaudio/models/NAME.md`` then, the model card, and its
figures beside it (``recipes/figures.py``).
"""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path

from vqaudio import registry
from vqaudio.cli import command
from vqaudio.errors import ModelError
from vqaudio.intnet import INT8_SUFFIX
from vqaudio.model import checkpoint
from vqaudio.prior import entropy


@command
def main(argv: list[str] | None = None) -> int:
    """Run the command; returns the exit status."""
    parser = argparse.ArgumentParser(prog="ship.py", description="Put a trained model into the package.")
    parser.add_argument("model", type=Path)
    parser.add_argument("name")
    parser.add_argument("--prior", type=Path, help="an integer prior over its codes (default: what is there)")
    options = parser.parse_args(argv)
    source = checkpoint.load(options.model)
    if source.model.decode_only:
        raise ModelError(f"{options.model}: decodes only, and what is shipped must encode too; give the whole model")
    if options.prior is not None:
        check_prior(options.prior, options.model)
    target = registry.MODELS / f"{options.name}.safetensors"
    version = next_version(options.model, target) if target.exists() else 1
    checkpoint.save(source.model, target, training=source.training, codes_of=source, decoder_version=version)
    print(f"{target}: codes {source.fingerprint}, decoder {version} {registry.decoder_of(target).fingerprint}")
    if options.prior is not None:
        copy = Path(shutil.copy(options.prior, entropy.PRIORS / f"{options.name}{INT8_SUFFIX}"))
        shutil.copy(network_of(options.prior), entropy.PRIORS / f"{options.name}.safetensors")
        print(f"{copy}: prior {registry.fingerprint(copy)}")
    return 0


def check_prior(prior: Path, model: Path) -> None:
    """Do nothing where an integer prior knows a model's codes, and its network stands beside it.

    Raises:
        ModelError: one of these is not so.
    """
    codes, known = registry.fingerprint(model), entropy.codec_of(prior)
    if known != codes:
        raise ModelError(f"{prior}: knows the codes of {known}, expected those of {model} ({codes})")
    if not network_of(prior).is_file():
        raise ModelError(f"{network_of(prior)}: the network of {prior.name} in floating point is not there")


def network_of(prior: Path) -> Path:
    """The network in floating point that an integer prior was made from."""
    return prior.with_name(prior.name.removesuffix(INT8_SUFFIX) + ".safetensors")


def next_version(model: Path, shipped: Path) -> int:
    """The version of a model's decoder that takes the place of the shipped one.

    Raises:
        ModelError: it is for other codes.
    """
    codes, old = registry.fingerprint(shipped), registry.decoder_of(shipped)
    if registry.fingerprint(model) != codes:
        raise ModelError(
            f"{model}: makes the codes {registry.fingerprint(model)}, and {shipped.stem} stands for {codes}: ship it "
            "under a new name"
        )
    version = old.version or 1
    return version if registry.decoder_of(model).fingerprint == old.fingerprint else version + 1


if __name__ == "__main__":
    raise SystemExit(main())
