"""Takes a model out of the package, and keeps what decodes its files in ``legacy/``.

    python -m recipes.retire NAME [--as OTHER]

``legacy/`` gets the model without its encoder, its integer prior, its card and its figures. The registry must know it
before that (``RETIRED``, and ``KEPT_PRIORS`` where it has a prior): otherwise this says what to add there, and does
nothing. With ``--as`` it is kept under another name, so that its successor can have its own.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
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
    parser = argparse.ArgumentParser(prog="retire.py", description="Take a model out of the package.")
    parser.add_argument("name")
    parser.add_argument("--as", dest="other", metavar="OTHER", help="what it is called from now on (default: NAME)")
    options = parser.parse_args(argv)
    name: str = options.name
    other: str = options.other or name
    model, prior = shipped(name, other)
    for path in keep(model, prior, other):
        print(f"{path}: {path.stat().st_size} bytes")
    for suffix in (".md", ".figures.json"):
        if model.with_suffix(suffix).exists():
            model.with_suffix(suffix).rename(registry.LEGACY / f"{other}{suffix}")
    model.unlink()
    if prior is not None:
        prior.unlink()
        prior.with_name(f"{name}.safetensors").unlink(missing_ok=True)  # for training, and in the history
    return 0


def shipped(name: str, other: str) -> tuple[Path, Path | None]:
    """A shipped model and its prior, if it has one, where the registry knows it by its ``other`` name.

    Raises:
        ModelError: no such model, it is the default, or the registry does not know that it is kept.
    """
    if name not in registry.shipped_models():
        raise ModelError(f"{name}: is not shipped; there are {', '.join(registry.shipped_models())}")
    if name == registry.DEFAULT_MODEL:
        raise ModelError(f"{name}: is the default; ship its successor first, and name that as DEFAULT_MODEL")
    model = registry.find(name)
    codes = registry.fingerprint(model)
    prior = next((path for path in entropy.shipped_priors().values() if entropy.codec_of(path) == codes), None)
    lines = []
    retired = registry.RETIRED.get(codes)
    if retired is None or (retired.name, retired.is_kept) != (other, True):
        successor, then = ("DEFAULT_MODEL", "") if other == name else (f'"{name}"', f', shipped_as="{name}"')
        commit = last_commit(model)
        lines.append(f'RETIRED: "{codes}": Retired("{other}", "{commit}", {successor}, is_kept=True{then})')
    if prior is not None and registry.fingerprint(prior) not in registry.KEPT_PRIORS:
        lines.append(f'KEPT_PRIORS: "{registry.fingerprint(prior)}": "priors/{other}{INT8_SUFFIX}"')
    if lines:
        raise ModelError(f"{name}: add to vqaudio/registry.py, in {', and in '.join(lines)}")
    return model, prior


def keep(model: Path, prior: Path | None, name: str) -> list[Path]:
    """Let ``legacy/`` have what decodes a model's files, by a name; returns which files these are."""
    source, decoder = checkpoint.load(model), registry.decoder_of(model)
    kept = [registry.LEGACY / f"{name}.safetensors"]
    registry.LEGACY.mkdir(exist_ok=True)
    version = source.decoder_version or 1  # what does not say it was shipped before versions were counted
    wanted = source.fingerprint, registry.Decoder(version, decoder.fingerprint)
    if not kept[0].exists() or (registry.fingerprint(kept[0]), registry.decoder_of(kept[0])) != wanted:
        checkpoint.save(
            checkpoint.without_encoder(source),
            kept[0],
            training=source.training,
            codes_of=source,
            decoder_version=version,
        )
    if prior is not None:
        kept.append(registry.LEGACY / "priors" / f"{name}{INT8_SUFFIX}")
        kept[1].parent.mkdir(exist_ok=True)
        shutil.copy(prior, kept[1])
    return kept


def last_commit(path: Path) -> str:
    """The last one that changed a file."""
    command = ["git", "log", "-1", "--format=%h", "--", path.name]
    return subprocess.run(command, cwd=path.parent, capture_output=True, text=True, check=True).stdout.strip()


if __name__ == "__main__":
    raise SystemExit(main())
