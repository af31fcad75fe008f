"""``python -m vqaudio.train CONFIG.yaml``: train a model."""

from __future__ import annotations

import logging

import click

from vqaudio.cli import Command
from vqaudio.config import load_yaml, parse_run
from vqaudio.errors import ConfigError
from vqaudio.extras import need


@click.command("train", cls=Command, example="config.yaml --set data.batch_size=4 --minutes 30")
@click.argument("config", metavar="CONFIG.yaml")
@click.option("--set", "overrides", metavar="KEY=VALUE", multiple=True, help="change a value: data.batch_size=4")
@click.option("--minutes", type=float, help="length of the run and its schedule by time, instead of `steps`")
@click.option("--resume", is_flag=True, help="go on from the state in the run's folder, if there is one")
def main(config: str, overrides: tuple[str, ...], minutes: float | None, resume: bool) -> int:
    """Train a codec on a folder of recordings, or a prior on a codec's tokens.

    CONFIG.yaml is the run: model, data, losses, schedule.
    """
    run = parse_run(load_yaml(config, list(overrides)), config)
    if minutes is not None and not 0.0 < minutes < float("inf"):
        raise ConfigError(f"--minutes {minutes}: expected a number above 0")
    need("train", "train")
    from vqaudio.training.loop import Trainer  # after all that can be checked without it: this import takes seconds
    from vqaudio.training.processes import part

    for name in ("lightning.fabric", "lightning.pytorch"):
        logging.getLogger(name).setLevel(logging.WARNING)
    trainer = Trainer(run, minutes, resume)
    path = trainer.run()
    part()
    if trainer.fabric.is_global_zero:
        print(path)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
