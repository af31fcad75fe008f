"""Compares the family: one table, a reading of it, pictures and sounds.

    python -m recipes.family.report OUT [--quick]

OUT holds what fit.py has made, and gets report.md, figures.json, pictures and sounds/. What was measured stays.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from tqdm import tqdm

from recipes.digits.strings import WORDS
from recipes.family import plots
from recipes.family.findings import findings
from recipes.family.measure import (
    Figures,
    Member,
    bits_per_sample,
    denoising,
    estimators,
    levels_in_use,
    measure,
    measure_text,
)
from recipes.family.systems import HERE, SYSTEMS, counted_up, of_split
from vqaudio.audio.resampling import read_mono
from vqaudio.cli import command
from vqaudio.evaluation.writing import is_missing, number, render, share, write_json, write_text
from vqaudio.training.losses import ReconstructionLoss

TAKES, LEARNED_TAKES = 2, 8  # of each speaker: clips to measure on, and to count codes of
DENOISERS = ("ae", "dae-25", "dae-50", "dae-75")
SCATTERED = ("ae", "vae", "vq")
INTERPOLATED = ("pca", "ae", "vae", "vq")
PRIORS = ("vq", "vqvae2")
TEXT = "vq"  # whose prior knows text
CROPS, DRAWS = 8, 64  # of a second, and of latents for each, to see how much gradients vary
EMPTY = dict.fromkeys(("kbps", "counted_kbps", "used", "perplexity", "bound", "counted_bound"))  # what some have not
WEIGHTS = (0.0, 0.125, 0.25, 0.5, 0.75, 1.0)  # of noise


@command
def main(argv: list[str] | None = None) -> int:
    """Run the command; returns the exit status."""
    parser = argparse.ArgumentParser(prog="report.py", description="Compare the family.")
    parser.add_argument("out", type=Path)
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args(argv)
    out = options.out
    members = {one.name: Member(one, out, prior_of(out, one.name)) for one in SYSTEMS}
    rate = members["vq"].codec.sample_rate
    unseen = of_split(out, "valid")
    clips = counted_up(unseen, rate, 1 if options.quick else TAKES)
    learned = counted_up(of_split(out, "train"), rate, 1 if options.quick else LEARNED_TAKES)
    cache = out / "figures.json"
    known = json.loads(cache.read_text(encoding="utf-8")) if cache.is_file() else {}
    figures: dict[str, Figures] = {}
    for name, member in tqdm(members.items(), "measuring", unit="system", leave=False, disable=None):
        if known.get(name, {}).get("made_by") != member.made_by:
            found = measure(member, clips, learned) | {"made_by": member.made_by}
            known[name] = EMPTY | {key: None if is_missing(value) else value for key, value in found.items()}
            write_json(cache, known)
        figures[name] = known[name]
    levels = levels_in_use(members["vqvae2"], clips)
    spoken = measure_text(
        members[TEXT],
        [read_mono(item.path, rate) for item in unseen],
        [WORDS[int(item.label)] for item in unseen],
    )
    loss = ReconstructionLoss(members["vae"].system.run(out, options.quick).loss, rate)
    varied = estimators(members["vae"], [clip[:rate] for clip in learned[:CROPS]], loss, 8 if options.quick else DRAWS)
    noise = denoising([members[name] for name in DENOISERS], clips, WEIGHTS)
    write_json(cache, known | {"levels": levels, "denoising": noise, "estimators": varied, "text": spoken})
    plots.rate_distortion(out, figures)
    plots.denoised(out, noise, {name: figures[name]["title"] for name in DENOISERS})
    sounds = [read_mono(item.path, rate) for item in unseen]
    plots.latents(out, [members[name] for name in SCATTERED], sounds, [item.label for item in unseen])
    plots.interpolation(out, [members[name] for name in INTERPOLATED], sounds[0], sounds[-1])
    making = [one for name, one in members.items() if figures[name].get("kl") and not name.startswith("pca")]
    codes = {one.system.name: [one.codes(clip) for clip in learned] for one in making if one.codec.streams}
    plots.samples(out, making, codes)
    plots.decoded(out, list(members.values()), clips[0])
    mixture = members["gmm"].codec.training
    text = written(
        figures,
        quick=options.quick,
        clips=len(clips),
        learned=len(learned),
        seconds=sum(map(len, clips)) / rate,
        frame_rate=round(members["vq"].codec.frame_rate),
        hop=members["vq"].hop,
        latent_dim=members["vq"].system.latent_dim,
        priors=[figures[name] for name in PRIORS],
        spoken=spoken | {"takes": len(unseen), "title": figures[TEXT]["title"]},
        findings=list(findings(figures, levels, noise, varied)),
        em_steps=len(mixture["log_likelihood"]) - 1,
        em_first=mixture["log_likelihood"][0],
        em_last=mixture["log_likelihood"][-1],
        responsibility=mixture["responsibility"],
        hardware=f"{os.cpu_count()} cores of {processor()}",
    )
    write_text(out / "report.md", text)
    print(out / "report.md")
    return 0


def prior_of(out: Path, name: str) -> Path | None:
    """The trained prior of a system's codes, where there is one."""
    return out / f"{name}-prior" / "model.int8.safetensors" if name in PRIORS else None


def processor() -> str:
    """The processor's name."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text(encoding="utf-8").splitlines() if info.is_file() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


# ------------------------------------------------------------------------------------------------------------ writing


def written(figures: Mapping[str, Figures], hop: int, **facts: Any) -> str:
    """The report."""
    filters = {
        "nats": likelihood,
        "bits": partial(likelihood, hop=hop),
        "in_bits": lambda nats: number(in_bits(nats, hop), 2),
        "used": used,
    }
    return render(HERE / "report.md.jinja", filters=filters, figures=figures, hop=hop, **facts)


def in_bits(nats: float | None, hop: int) -> float | None:
    """See :func:`measure.bits_per_sample`."""
    return None if nats is None else bits_per_sample(nats, hop)


def likelihood(one: Figures, hop: int | None = None) -> str:
    """The bound, and the exact negative log-likelihood with a star: nats a frame, or bits a sample with ``hop``."""
    bound, exact = one["bound"], one["nll"]
    if hop is not None:
        bound, exact = in_bits(bound, hop), in_bits(exact, hop)
    digits = 1 if hop is None else 2
    cells = [number(bound, digits), "" if is_missing(exact) else f"{number(exact, digits)}\\*"]
    return ", ".join(filter(None, cells))


def used(one: Figures) -> str:
    """Codes in use, or active units."""
    if one["active_units"] is not None:
        return f"{one['active_units']} of {one['latent_dim']}"
    return share(one["used"])


if __name__ == "__main__":
    raise SystemExit(main())
