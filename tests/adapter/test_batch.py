"""Masks, and frames of sounds of different lengths."""

from __future__ import annotations

import pytest
import torch

from vqaudio.adapter.batch import SoundBatch, by_frame, lengths_of, mask_of
from vqaudio.container import Stream
from vqaudio.errors import AudioError


@pytest.mark.parametrize("dtype", [torch.bool, torch.int32, torch.float32])
def test_a_mask_says_how_long_sounds_are(dtype):
    mask = torch.tensor([[1, 1, 1], [1, 0, 0]]).to(dtype)
    assert lengths_of(mask, 2) == lengths_of(mask[:, None], 2) == [3, 1]
    assert torch.equal(mask_of([3, 1], 3, torch.device("cpu")), mask.bool())


@pytest.mark.parametrize(
    ("mask", "said"),
    [
        ([[0, 1, 1]], "pad on the right"),
        ([[1, 0, 1]], "pad on the right"),
        ([[1, 1, 1], [1, 1, 1]], r"shape \(2, 3\), expected \(batch, samples\) for 1 sounds"),
        ([1, 1, 1], r"shape \(3,\), expected"),
        ([[[1, 1], [1, 1]]], r"shape \(1, 2, 2\), expected"),
        ([[0, 0]], "leaves no samples of sound 0"),
    ],
)
def test_a_mask_that_fits_no_batch_is_refused(mask, said):
    with pytest.raises(AudioError, match=said):
        lengths_of(torch.tensor(mask), 1)


def test_a_mask_is_as_long_as_the_sounds():
    assert SoundBatch.of(torch.zeros(2, 1, 5), None).lengths == [5, 5]
    with pytest.raises(AudioError, match="is for 4 samples, but input_values have 5"):
        SoundBatch.of(torch.zeros(2, 1, 5), torch.ones(2, 4))


def test_codes_of_several_frames_stand_once_for_each():
    streams = (Stream(8, 4), Stream(8, 2), Stream(8, 1))
    tokens = [torch.tensor([[1, 2]]), torch.tensor([[3, 4, 5]]), torch.tensor([[0, 1, 2, 3, 4]])]
    found = by_frame(tokens, streams, 5)
    assert found.tolist() == [[[1, 1, 1, 1, 2], [3, 3, 4, 4, 5], [0, 1, 2, 3, 4]]]
    assert by_frame(tokens[:2], streams, 5).shape == (1, 2, 5)
