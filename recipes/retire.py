"""Takes a model out of the package, and keeps what decodes its files in ``legacy/``.

    python -m recipes.retire NAME

``legacy/`` gets the model without its encoder, its integer prior, its card and its figures. The registry must know it
before that (``RETIRED``, and ``KEPT_PRIORS`` where it has a prior): otherwise this says what to add there, and does
nothing.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
from pathlib import Path

from vqaudio import registry
from vqaudio.cli import command
from vqaudio.errors import ModelError
from vqaudio.model import checkpoint
from vqaudio.prior import entropy


@command
def main(argv: list[str] | None = None) -> int:
    """Run the command; returns the exit status."""
    parser = argparse.ArgumentParser(prog="retire.py", description="Take a model out of the package.")
    parser.add_argument("name")
    name = parser.parse_args(argv).name
    model, prior = shipped(name)
    for path in keep(model, prior):
        print(f"{path}: {path.stat().st_size} bytes")
    for page in (f"{name}.md", f"{name}.figures.json"):
        if model.with_name(page).exists():
            model.with_name(page).rename(registry.LEGACY / page)
    model.unlink()
    if prior is not None:
        prior.unlink()
        prior.with_name(f"{name}.safetensors").unlink(missing_ok=True)  # for training, and in the history
    return 0


def shipped(name: str) -> tuple[Path, Path | None]:
    """A shipped model and its prior, if it has one.

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
    if codes not in registry.RETIRED or not registry.RETIRED[codes].is_kept:
        lines.append(f'RETIRED: "{codes}": Retired("{name}", "{last_commit(model)}", DEFAULT_MODEL, is_kept=True)')
    if prior is not None and registry.fingerprint(prior) not in registry.KEPT_PRIORS:
        lines.append(f'KEPT_PRIORS: "{registry.fingerprint(prior)}": "priors/{prior.name}"')
    if lines:
        raise ModelError(f"{name}: add to vqaudio/registry.py, in {', and in '.join(lines)}")
    return model, prior


def keep(model: Path, prior: Path | None) -> list[Path]:
    """Let ``legacy/`` have what decodes a model's files; returns which files these are."""
    source, decoder = checkpoint.load(model), registry.decoder_of(model)
    kept = [registry.LEGACY / model.name]
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
        kept.append(registry.LEGACY / "priors" / prior.name)
        kept[1].parent.mkdir(exist_ok=True)
        shutil.copy(prior, kept[1])
    return kept


def last_commit(path: Path) -> str:
    """The last one that changed a file."""
    command = ["git", "log", "-1", "--format=%h", "--", path.name]
    return subprocess.run(command, cwd=path.parent, capture_output=True, text=True, check=True).stdout.strip()


if __name__ == "__main__":
    raise SystemExit(main())
