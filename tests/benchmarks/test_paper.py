"""What is reckoned from figures that were measured."""

from __future__ import annotations

import json

from benchmarks.paper import FIGURES, Assumed, coding, measured, reckoned, training


def sets() -> dict[str, dict]:
    return json.loads(FIGURES.read_text(encoding="utf-8"))["sets"]


def test_the_published_reckoning_is_that_of_the_published_figures():
    found = sets()
    assert {name: found[name] for name in ("paper", "training")} == reckoned(found), (
        "run python -m benchmarks.paper --write"
    )


def test_more_hours_cost_more_and_faster_workers_cost_less():
    was = measured(sets())
    result = {name: text for name, text, _ in coding(was, Assumed(hours=1000, cores=10))}
    assert float(result["core-hours"].replace(",", "")) == round(1000 / was.rate)
    assert float(result["hours on 10 cores"]) == round(1000 / was.rate / 10, 2)


def test_tokens_and_samples_are_counted():
    result = {name: text for name, text, _ in training(Assumed(hours=1))}
    assert result["cache of tokens, int16"] == "0 GB"
    result = {name: text for name, text, _ in training(Assumed(hours=100_000))}
    assert result["tokens, all 9 codebooks"] == "162 billion"  # 3.6e8 s x 50 x 9
    assert result["cache of sound, int16"] == "11.5 TB"
