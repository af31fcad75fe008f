"""Texts in step with tokens: which rows, in which streams, in which batches."""

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

ORIGIN = Origin("0123456789ab", (Stream(16), Stream(16)), 50.0)


def said(text: str, starts: list[float], n_frames: int, **known: Any) -> Row:
    return row([[n_frames % 16] * n_frames] * 2, text=text, starts=tuple(starts), **known)


def crops_of(folder: Path, rows: list[Row], unit: str = "word", **changes: Any) -> TokenCrops:
    """Crops of at most 20 frames; a text of two words is there to validate with."""
    folder.mkdir(exist_ok=True)
    valid = said("one two", [0.1, 0.2], 15, split="valid")
    tokens.write(folder / "a.parquet", ORIGIN, [*rows, valid])
    values = {"folder": str(folder), "crop_seconds": 0.4, "batch_size": 4, "label_dropout": 0.0} | changes
    return TokenCrops(TokenDataConfig.model_validate(values), ORIGIN, ("speaker",), (), text=unit)  # type: ignore[arg-type]


def stream(folder: Path, text: str, starts: list[float], n_frames: int, **changes: Any) -> list[int]:
    """The text's stream, of the words one and two as 1 and 2, and the end as 3."""
    crops = crops_of(folder, [said(text, starts, n_frames), said("one two", [0, 1], 9)], **changes)
    assert crops.texts is not None
    assert crops.texts.alphabet.symbols == ("one", "two")
    return crops.texts.stream(0, n_frames=n_frames, frame_rate=50.0).tolist()


def test_symbols_come_before_their_sound_and_the_end_with_the_last_frame(tmp_path):
    """A word of the sixth frame, told two frames before, comes after the third, and is in view from the fourth on."""
    assert stream(tmp_path, "one two", [0.101, 0.301], 18) == [0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 3]
    assert stream(tmp_path, "two", [0.101], 8, lead_seconds=0.0) == [0, 0, 0, 0, 2, 0, 0, 3]


def test_symbols_without_room_come_one_after_the_other(tmp_path):
    assert stream(tmp_path, "one one two two", [0, 0, 0, 0], 6) == [1, 1, 2, 2, 0, 3]
    assert stream(tmp_path, "one one two two", [0, 0, 0, 0], 4) == [1, 1, 2, 3]


def test_characters_are_symbols_where_they_are_asked_for(tmp_path):
    crops = crops_of(tmp_path, [said("a b", [0, 0.1, 0.2], 12)], unit="character")
    assert crops.texts is not None
    assert crops.texts.alphabet.symbols == (" ", "a", "b")


def test_batches_have_whole_texts_from_their_start_on_as_long_as_the_longest(tmp_path):
    rows = [said("one two", [0.1, 0.2], 10, speaker="ann"), said("two", [0.1], 12, speaker="bob")]
    crops = crops_of(tmp_path, [*rows, row([[1] * 30] * 2)], text_dropout=0.0)
    assert crops.texts is not None
    for step in range(10):
        batch = crops.batch(step)
        first, second, text = batch.codes
        assert torch.equal(first, second)
        assert text.shape == batch.inside.shape == first.shape
        assert batch.inside.sum(1).max() == text.shape[1] <= 12
        assert 5 <= len(text) <= 9  # of 80 frames together
        for codes, symbols, inside, label in zip(first, text, batch.inside, batch.labels[:, 0], strict=True):
            n_frames = int(inside.sum())
            expected = crops.texts.stream(int(n_frames == 12), n_frames=n_frames, frame_rate=50.0)
            assert symbols[:n_frames].tolist() == expected.tolist()
            assert (codes[:n_frames] == n_frames).all()
            assert (symbols[n_frames:] == 0).all()
            assert label == (1 if n_frames == 10 else 2)


def test_some_batches_are_without_text_and_of_all_rows(tmp_path):
    crops = crops_of(tmp_path, [said("one two", [0.1, 0.2], 10), row([[1] * 30] * 2)], text_dropout=0.5)
    lengths = [len(crops.batch(step).codes) for step in range(60)]
    assert 15 < sum(length == 3 for length in lengths) < 45
    again = [len(crops.batch(step).codes) for step in range(60)]
    assert lengths == again


def test_long_recordings_are_cut_after_their_beginning(tmp_path):
    crops = crops_of(tmp_path, [said("one two", [0.1, 0.2], 50)], text_dropout=0.0)
    batch = crops.batch(0)
    assert batch.codes[-1].shape == (4, 20)
    assert (batch.codes[-1][:, -1] == 0).all()  # the end is further on


def test_rows_with_words_that_were_not_learned_are_not_validated_with(tmp_path):
    crops = crops_of(tmp_path, [said("two", [0.1], 10), said("ninety", [0.1], 10, split="valid")])
    assert crops.texts is not None
    known = [crops.texts.knows(at) for at in range(3)]
    assert known == [True, False, False]


@pytest.mark.parametrize(
    ("rows", "said_of_it"),
    [
        ([row([[1] * 9] * 2, text="one two")], "no row of the tokens has a text and when each of its symbols begins"),
        ([said("one two", [0.1], 10)], "'one two' has 2 words, but 1 times in starts"),
    ],
)
def test_what_cannot_be_learned_is_one_sentence(tmp_path, rows, said_of_it):
    with pytest.raises(ModelError, match=said_of_it):
        crops_of(tmp_path, rows)


def test_the_first_codebooks_alone_may_be_learned(tmp_path):
    tokens.write(tmp_path / "a.parquet", ORIGIN, [said("two", [0.1], 9), said("two", [0.1], 9, split="valid")])
    config = TokenDataConfig(folder=str(tmp_path), crop_seconds=0.4, batch_size=4, text_dropout=0.0)
    crops = TokenCrops(config, ORIGIN, (), (), text="word", codebooks=1)
    assert crops.streams == ORIGIN.streams[:1]
    assert len(crops.batch(0).codes) == 2
    assert np.unique(crops.n_streams).tolist() == [1]
