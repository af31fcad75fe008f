"""Crops of tokens: which a step sees, how labels and lengths count, and what cannot be learned from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tiny_priors import row

from vqaudio import tokens
from vqaudio.config.prior import TokenDataConfig
from vqaudio.container import Stream
from vqaudio.errors import ModelError
from vqaudio.tokens import Origin, Row
from vqaudio.training.crops import TokenCrops

LEVELS = (Stream(4000, 2), Stream(8000, 1))


def counting(frames: int, first: int = 0, **known: object) -> Row:
    """A row of a coarse and a fine stream whose codes tell where they stand: coarse ``i``, fine ``2 i`` and after."""
    coarse, fine = range(first // 2, (first + frames + 1) // 2), range(first, first + frames)
    return row([list(coarse), list(fine)], **known)


def crops_of(folder: Path, rows: list[Row], streams: tuple[Stream, ...] = LEVELS, **changes: Any) -> TokenCrops:
    """Crops of rows, at 100 frames a second and 10 frames a crop; two frames of silence are there to validate with."""
    folder.mkdir(exist_ok=True)
    origin = Origin("0123456789ab", streams, 100.0)
    spare = row([[0] * stream.codes_in(2) for stream in streams], split="valid", corpus=rows[0].corpus)
    tokens.write(folder / "a.parquet", origin, [*rows, spare])
    fields, corpora, seed = (
        changes.pop(name, default) for name, default in (("fields", ()), ("corpora", ()), ("seed", 0))
    )
    config = TokenDataConfig.model_validate({"folder": str(folder), "crop_seconds": 0.1, "batch_size": 8} | changes)
    return TokenCrops(config, origin, fields, corpora, seed=seed)


def test_a_batch_depends_on_seed_step_and_rank_alone(tmp_path):
    rows = [counting(500), counting(300, first=1000)]

    def batch(step: int, rank: int, seed: int = 0) -> list[torch.Tensor]:
        return crops_of(tmp_path, rows, seed=seed).batch(step, rank).codes

    first, again = batch(5, 1), batch(5, 1)
    assert all(torch.equal(one, other) for one, other in zip(first, again, strict=True))
    for other in (batch(6, 1), batch(5, 0), batch(5, 1, seed=1)):
        assert [part.tolist() for part in other] != [part.tolist() for part in first]


def test_crops_start_with_a_recording_or_anywhere_that_all_streams_do(tmp_path):
    crops = crops_of(tmp_path, [counting(500)])
    starts = []
    for step in range(50):
        coarse, fine = crops.batch(step).codes
        assert (coarse.shape, fine.shape) == ((8, 5), (8, 10))
        assert torch.equal(fine[:, ::2], 2 * coarse)
        assert torch.equal(fine, fine[:, :1] + torch.arange(10))
        starts += fine[:, 0].tolist()
    assert 0.15 < starts.count(0) / len(starts) < 0.35
    assert max(starts) > 450
    assert {start % 2 for start in starts} == {0}


def test_what_lies_after_the_end_of_a_recording_does_not_count(tmp_path):
    made = crops_of(tmp_path, [counting(7, first=100)]).batch(0)
    coarse, fine = made.codes
    assert fine[0].tolist() == [100, 101, 102, 103, 104, 105, 106, 0, 0, 0]
    assert coarse[0].tolist() == [50, 51, 52, 53, 0]
    assert made.inside[0].tolist() == [1] * 7 + [0] * 3


def test_fewer_codebooks_are_learned_from_recordings_coded_with_as_many(tmp_path):
    """Rows coded with 1 and with 3 of 4 codebooks: 2 and 3 are cut from the latter, 4 nobody has."""
    streams = (Stream(16),) * 4
    crops = crops_of(tmp_path, [row([[1] * 30]), row([[3] * 30] * 3)], streams)
    assert crops.counts == [1, 3]
    found: dict[int, set[int]] = {}
    for step in range(60):
        codes = crops.batch(step).codes
        found.setdefault(len(codes), set()).update(torch.stack(codes).unique().tolist())
    assert found == {1: {1}, 2: {3}, 3: {3}}


def test_a_coarse_stream_is_never_learned_alone(tmp_path):
    """Frames are those of the finest stream: without it there is nothing to count them by."""
    crops = crops_of(tmp_path, [counting(50)])
    assert {len(crops.batch(step).codes) for step in range(20)} == {2}


def test_labels_are_left_out_of_a_share_of_crops(tmp_path):
    rows = [counting(50, speaker="bob", label="7"), counting(50, first=100, speaker="ann")]
    for share in (0.0, 0.5, 1.0):
        crops = crops_of(tmp_path, rows, fields=("speaker", "label"), label_dropout=share)
        assert crops.fields == {"speaker": ("ann", "bob"), "label": ("7",)}
        assert [crops.labels(number) for number in (0, 1)] == [[2, 1], [1, 0]]
        batches = [crops.batch(step) for step in range(60)]
        labels = torch.cat([batch.labels for batch in batches])
        is_bob = torch.cat([batch.codes[1][:, 0] for batch in batches]) < 100
        told = labels > 0
        assert told[:, 0].float().mean() == pytest.approx(1 - share, abs=0.1)
        assert told[is_bob, 1].float().mean() == pytest.approx(1 - share, abs=0.1)
        assert not told[~is_bob, 1].any()
        assert torch.equal(labels[told[:, 0], 0], 1 + is_bob[told[:, 0]].long())
        both = told[is_bob].all(1).float().mean()
        assert both == pytest.approx((1 - share) ** 2, abs=0.1)  # each is left out by itself


def test_labels_count_where_they_are_said_to(tmp_path):
    rows = [counting(50, speaker="ann"), counting(50, speaker="bob", corpus="songs")]
    crops = crops_of(tmp_path, rows, fields=("speaker",), corpora=("songs",))
    assert crops.fields == {"speaker": ("bob",)}
    assert [crops.labels(number) for number in (0, 1)] == [[0], [1]]


def test_corpora_share_crops_by_length_or_by_weight(tmp_path):
    rows = [counting(750), counting(250, first=1000, corpus="songs")]
    for weights, share in (({}, 0.25), ({"songs": 0.8, "words": 0.2}, 0.8), ({"songs": 0.0}, 0.0)):
        crops = crops_of(tmp_path, rows, weights=weights)
        starts = torch.cat([crops.batch(step).codes[1][:, 0] for step in range(60)])
        assert (starts >= 1000).float().mean() == pytest.approx(share, abs=0.08)


def test_hours_count_each_recording_once(tmp_path):
    """However often it was coded and varied."""
    rows = [row([[1] * 200]), row([[1] * 200] * 2), row([[1] * 190], version=1), row([[1] * 190] * 2, version=1)]
    assert crops_of(tmp_path, rows, (Stream(16),) * 2).seconds == pytest.approx(2.0)


def test_validation_hears_all_of_a_recording_and_no_copies(tmp_path):
    kept = counting(25, split="valid", path="b.wav")
    crops = crops_of(tmp_path, [counting(20), kept, counting(25, split="valid", version=1)])
    assert crops.valid.tolist() == [1, 3]
    assert crops.shortest_first(crops.valid) == [(3, 0), (1, 20), (1, 0), (1, 10)]
    found = [crops.crop(*place, 2) for place in zip(*crops.validation(np.array([1])), strict=True)]
    assert [np.concatenate(parts).tolist() for parts in zip(*found, strict=True)] == [
        list(range(13)),
        list(range(25)),
    ]


@pytest.mark.parametrize(
    ("rows", "changes", "message"),
    [
        ([counting(20, split="valid")], {}, "holds no tokens to train on; give the manifest both splits"),
        ([counting(20)], {"weights": {"songs": 1.0}}, "data.weights names songs, but .* holds no such corpus"),
        ([counting(20)], {"weights": {"words": 0.0}}, "data.weights gives every corpus the share 0; raise one"),
    ],
    ids=["nothing to train on", "no such corpus", "no share"],
)
def test_data_that_cannot_be_learned_from_is_refused(tmp_path, rows, changes, message):
    with pytest.raises(ModelError, match=message):
        crops_of(tmp_path, rows, **changes)


def test_nothing_to_validate_with_is_refused(tmp_path):
    origin = Origin("0123456789ab", LEVELS, 100.0)
    tokens.write(tmp_path / "a.parquet", origin, [counting(20)])
    with pytest.raises(ModelError, match="holds no tokens to validate with"):
        TokenCrops(TokenDataConfig(folder=str(tmp_path)), origin, (), ())
