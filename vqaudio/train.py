"""``python -m vqaudio.train CONFIG.yaml``: train a model."""

from __future__ import annotations

import argparse
import importlib.util
import logging

from vqaudio.cli import command
from vqaudio.config import load_yaml, parse_run
from vqaudio.errors import ConfigError, VqaudioError

NEEDED = ("lightning", "tensorboard", "torchaudio")  # the extra `train`


def arguments() -> argparse.ArgumentParser:
    """The command's options."""
    parser = argparse.ArgumentParser(
        prog="vqaudio train", description="Train a codec on a folder of recordings, or a prior on a codec's tokens."
    )
    parser.add_argument("config", metavar="CONFIG.yaml", help="the run: model, data, losses, schedule")
    parser.add_argument(
        "--set",
        dest="overrides",
        metavar="KEY=VALUE",
        action="append",
        default=[],
        help="change a value: data.batch_size=4",
    )
    parser.add_argument("--minutes", type=float, help="length of the run and its schedule by time, instead of `steps`")
    parser.add_argument(
        "--resume", action="store_true", help="go on from the state in the run's folder, if there is one"
    )
    return parser


@command
def main(argv: list[str] | None = None) -> int:
    """Run the command; returns the exit status."""
    options = arguments().parse_args(argv)
    config = parse_run(load_yaml(options.config, options.overrides), options.config)
    if options.minutes is not None and not 0.0 < options.minutes < float("inf"):
        raise ConfigError(f"--minutes {options.minutes}: expected a number above 0")
    missing = [name for name in NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        raise VqaudioError(f"training needs {', '.join(missing)}: pip install 'vqaudio[train]'")
    from vqaudio.training.loop import Trainer  # after all that can be checked without it: this import takes seconds
    from vqaudio.training.processes import part

    for name in ("lightning.fabric", "lightning.pytorch"):
        logging.getLogger(name).setLevel(logging.WARNING)
    trainer = Trainer(config, options.minutes, options.resume)
    path = trainer.run()
    part()
    if trainer.fabric.is_global_zero:
        print(path)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
