"""``python benchmarks/training.py``: how many seconds of sound a training step hears in a second, by part.

Each part runs forwards and backwards on the crops of a config, in each precision asked for; medians of
rounds in which the parts take turns.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from pathlib import Path

import click
import torch
from lightning.fabric import Fabric
from torch import Tensor

from vqaudio.config.reading import parse
from vqaudio.config.runs import load_yaml, override
from vqaudio.config.training import AdversarialConfig, TrainConfig
from vqaudio.model.autoencoder import Autoencoder
from vqaudio.training.adversarial import Adversary
from vqaudio.training.losses import ReconstructionLoss
from vqaudio.training.optimization import make_optimizer

Work = Callable[[], object]


def parts(config: TrainConfig, fabric: Fabric) -> dict[str, Work]:
    """What is timed, by name; each call is one step's share of the work."""
    device, size = fabric.device, config.data.batch_size
    model = Autoencoder(config.model).to(device)
    frames = round(config.data.crop_seconds * config.model.frame_rate)
    target = 0.1 * torch.randn(size, 1, frames * config.model.hop_length, device=device)
    latents = torch.randn(size, config.model.latent_dim, frames, device=device)
    losses = {
        name: ReconstructionLoss(config.loss.model_copy(update={"sampled_scales": drawn}), config.model.sample_rate)
        for name, drawn in (("losses, all scales", False), ("losses, two scales drawn", True))
    }
    adversary = Adversary(config, config.adversarial or AdversarialConfig(discriminators_per_step=2), fabric=fabric)
    optimizer = make_optimizer(model, config)

    def backward(made: Tensor) -> None:
        made.float().square().mean().backward()  # type: ignore[no-untyped-call]

    def encode() -> None:
        with fabric.autocast():
            backward(model.encoder(target))

    def quantize() -> None:
        passed = model.bottleneck(latents.clone().requires_grad_(True))
        backward(passed.latents)

    def decode() -> None:
        with fabric.autocast():
            backward(model.decoder(latents))

    def compare(loss: ReconstructionLoss) -> None:
        place = (target + 0.01).requires_grad_(True)
        loss.to(device)(place, target)[0].backward()

    def criticise() -> None:
        loss = next(iter(losses.values()))
        place = (target + 0.01).requires_grad_(True)
        estimate, real = loss.trim(place), loss.trim(target)
        adversary.gradient(place.square().mean(), place, estimate=estimate, target=real)
        adversary.step(estimate.detach(), real, fraction=0.0)

    def update() -> None:
        for parameter in model.parameters():
            parameter.grad = torch.full_like(parameter, 1e-3)
        optimizer.step()

    return {
        "encoder": encode,
        "bottleneck": quantize,
        "decoder": decode,
        **{name: lambda loss=loss: compare(loss) for name, loss in losses.items()},
        "discriminators": criticise,
        f"optimizer ({config.optimizer})": update,
    }


def timed(work: Work, device: torch.device) -> float:
    """Seconds that a call takes, after one that does not count."""
    work()
    _wait(device)
    start = time.perf_counter()
    work()
    _wait(device)
    return time.perf_counter() - start


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


@click.command(help=__doc__)
@click.option("--config", default="recipes/speech16k/v4-decoder.yaml", show_default=True, type=Path)
@click.option("--precision", default="32-true,bf16-mixed", show_default=True, help="each in turn")
@click.option("--batch", default="8", show_default=True, help="crops, each number in turn")
@click.option("--accelerator", default="cpu", show_default=True, type=click.Choice(["cpu", "cuda"]))
@click.option("--threads", default=torch.get_num_threads(), show_default=True)
@click.option("--rounds", default=5, show_default=True)
def main(config: Path, precision: str, batch: str, accelerator: str, threads: int, rounds: int) -> None:
    """Print a table."""
    torch.set_num_threads(threads)
    print("| precision | crops | part | ms a step | seconds of sound a second |\n|---|---:|---|---:|---:|")
    for kind in precision.split(","):
        for size in map(int, batch.split(",")):
            settings = override(load_yaml(config), [f"data.batch_size={size}", f"precision={kind}"])
            run = parse(TrainConfig, {**settings, "frozen": [], "init_from": None}, source=str(config))
            fabric = Fabric(accelerator=accelerator, devices=1, precision=run.precision)
            work = parts(run, fabric)
            times: dict[str, list[float]] = {name: [] for name in work}
            for _ in range(rounds):
                for name, action in work.items():
                    times[name].append(timed(action, fabric.device))
            for name, found in times.items():
                middle = statistics.median(found)
                heard = size * run.data.crop_seconds / middle
                print(f"| {kind} | {size} | {name} | {1000 * middle:.0f} | {heard:.0f} |", flush=True)


if __name__ == "__main__":
    main()
