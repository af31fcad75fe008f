"""``python -m vqaudio.train CONFIG.yaml``: train a model."""

from __future__ import annotations

import json
import logging
import os

import click

from vqaudio.cli import options
from vqaudio.cli.extras import need
from vqaudio.cli.program import Command
from vqaudio.errors import ConfigError

MAX_FAILURES = 3


@click.command("train", cls=Command, example="recipes/speech16k/base.yaml --data recordings --minutes 30")
@click.argument("config", metavar="CONFIG.yaml")
@click.option(
    "--data",
    metavar="SOURCE",
    help="recordings of your own (a folder, a manifest or tars, by path or URL; for a prior a folder of tokens), in "
    "place of data.folder; folders in it share crops by their "
    "length, in place of data.corpora and data.weights. For a model of series a table or a folder of them, in place of "
    "data.tables",
)
@click.option("--set", "overrides", metavar="KEY=VALUE", multiple=True, help="change a value: data.batch_size=4")
@click.option("--minutes", type=float, help="length of the run and its schedule by time, instead of `steps`")
@click.option("--resume", is_flag=True, help="go on from the state in the run's folder, if there is one")
@click.option("--device", type=click.Choice(("auto", "cpu", "cuda")), help="in place of accelerator in the config")
@click.option("--cluster", metavar="auto|ADDRESS", help="train on a Ray cluster: the one at an address, or one here")
@click.option(
    "--workers",
    type=click.IntRange(min=1),
    metavar="N",
    help="processes on the cluster, each with a GPU where there are any [default: devices times nodes of the config]",
)
@click.option(
    "--max-failures",
    type=click.IntRange(min=0),
    metavar="N",
    help="go on by itself so often after a worker or a node of the cluster was lost [default: 3]",
)
@options.quiet
def main(
    config: str,
    data: str | None,
    overrides: tuple[str, ...],
    minutes: float | None,
    resume: bool,
    device: str | None,
    cluster: str | None,
    workers: int | None,
    max_failures: int | None,
    quiet: bool,
) -> int:
    """Train a codec on a folder of recordings, a prior on a codec's tokens, or a model of series on tables.

    CONFIG.yaml is the run: model, data, losses, schedule. With `based_on: OTHER.yaml` it
    holds what differs from that one. Several processes are started by `devices` in it, by
    torchrun, or on a Ray cluster with --cluster.
    """
    if cluster is None and (workers is not None or max_failures is not None):
        raise click.UsageError(f"{'--workers' if workers is not None else '--max-failures'} needs --cluster")
    need("train", "train", later=["librosa"])  # for perturbed voices
    from vqaudio.config.runs import load_yaml, override, parse_run  # late: --help does without
    from vqaudio.config.training import TrainConfig
    from vqaudio.training.heard import check_source

    settings = load_yaml(config)
    given = [] if data is None else data_changes(data, settings.get("kind"))
    given += [] if device is None else [f"accelerator={device}"]
    run = parse_run(override(settings, [*given, *overrides]), source=config)
    if minutes is not None and not 0.0 < minutes < float("inf"):
        raise ConfigError(f"--minutes {minutes}: expected a number above 0")
    if isinstance(run, TrainConfig):
        check_source(run.data)  # says so at once where there are none
    if cluster is not None:
        from vqaudio.training.on_ray import train_on_ray  # late: Ray is an extra

        path = train_on_ray(
            run,
            cluster,
            workers=workers,
            max_failures=MAX_FAILURES if max_failures is None else max_failures,
            minutes=minutes,
            resume=resume,
            progress=not quiet,
        )
        if not quiet:
            print(path)
        return 0
    os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "ERROR")  # a process that is gone is told in a sentence of our own
    from vqaudio.training.loop import Trainer  # after all that can be checked without it: this import takes seconds
    from vqaudio.training.processes import leave

    for name in ("lightning.fabric", "lightning.pytorch"):
        logging.getLogger(name).setLevel(logging.WARNING)
    trainer = Trainer(run, minutes=minutes, resume=resume, progress=not quiet)
    path = trainer.run()
    leave()
    if trainer.fabric.is_global_zero and not quiet:
        print(path)
    return 0


def data_changes(data: str, kind: str | None) -> list[str]:
    """What ``--data`` changes in a config of a kind."""
    path = json.dumps(data)
    found = f"data.tables=[{path}]" if kind == "series" else f"data.folder={path}"
    corpora = [] if kind in ("prior", "series") else ["data.corpora=[]"]
    return [found, "data.weights={}", *corpora]


if __name__ == "__main__":
    raise SystemExit(main())
