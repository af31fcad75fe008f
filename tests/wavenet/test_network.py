"""The learned prior in floating point: what its logits hang on."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from priors import (
    STREAMS,
    logits_of,
    places,
    random_codes,
    smooth,
    tiny_wavenet,
)

from vqaudio.container import Stream
from vqaudio.intnet.intervals import Integers

LABELS = torch.tensor([[2, 3]])  # BOB


def moved(a: np.ndarray, b: np.ndarray) -> list[bool]:
    """At which codes logits ``(batch, codes, alphabet)`` differ by more than rounding."""
    return (np.abs(a - b).max((0, 2)) > 1e-4).tolist()


@pytest.mark.parametrize("n_streams", [2, 3])
@pytest.mark.parametrize("rounded", [False, True])
def test_a_code_changes_only_logits_after_it(rounded, n_streams):
    net, streams = tiny_wavenet() if rounded else smooth(), STREAMS[:n_streams]
    order, codes = places(streams, 7), random_codes(streams, 4, 7)
    before = logits_of(net, codes)
    for number, (stream, at) in enumerate(order):
        changed = [part.copy() for part in codes]
        changed[stream][:, at] = (changed[stream][:, at] + 1) % streams[stream].alphabet
        after = logits_of(net, changed)
        differs = [moved(a, b) for a, b in zip(before, after, strict=True)]
        felt = [differs[i][j] for i, j in order]
        assert not any(felt[: number + 1])
        if number + 1 < len(order):
            assert felt[number + 1]


@pytest.mark.parametrize("n_streams", [1, 2])
def test_receptive_field_is_measured(n_streams):
    net = smooth((Stream(16),) * n_streams)
    field, at = net.receptive_field, 2
    assert field == 8
    codes = random_codes(net.streams, 16, at + field + 4)
    changed = [part.copy() for part in codes]
    changed[0][:, at] = (changed[0][:, at] + 1) % 16
    differs = moved(logits_of(net, codes)[0], logits_of(net, changed)[0])
    assert [frame - at for frame, differ in enumerate(differs) if differ] == list(range(1, field + 1))


def test_a_coarse_code_stays_in_view_until_the_next():
    net, codes = smooth(), random_codes(STREAMS, 4, 5)
    changed = [part.copy() for part in codes]
    changed[0][:, 2] = (changed[0][:, 2] + 1) % 11  # that of frames 4 and 5, but the codes end with frame 4
    a, b = logits_of(net, codes), logits_of(net, changed)
    assert [moved(x, y) for x, y in zip(a, b, strict=True)] == [[False] * 3, [False] * 4 + [True], [False] * 4 + [True]]


def test_the_first_few_streams_have_as_many_logits():
    net, codes = smooth(), random_codes(STREAMS, 2, 6)
    assert [part.shape for part in logits_of(net, codes)] == [(2, 3, 11), (2, 6, 16), (2, 6, 16)]
    assert [part.shape for part in logits_of(net, codes[:2])] == [(2, 3, 11), (2, 6, 16)]
    assert all(moved(logits_of(net, codes)[0], logits_of(net, codes[:2])[0]))  # how many there are is known


def test_labels_change_logits():
    net, codes = smooth(), random_codes(STREAMS, 2, 6)
    ways = [logits_of(net, codes, torch.tensor([way])) for way in ([0, 0], [1, 0], [2, 0], [0, 1], [2, 3])]
    for index, one in enumerate(ways):
        assert all(all(moved(one[0], other[0])) for other in ways[:index])
    assert all(np.array_equal(a, b) for a, b in zip(ways[0], logits_of(net, codes), strict=True))


def test_hidden_frames_are_hidden_from_those_after_them():
    net, codes = smooth(), random_codes(STREAMS, 4, 10)
    hidden = {2, 3, 6}
    heard = torch.tensor([[float(frame not in hidden) for frame in range(10)]] * 4)

    @torch.no_grad()
    def with_hidden(codes: list[Integers]) -> list[np.ndarray]:
        return [part.numpy() for part in net([torch.from_numpy(part) for part in codes], heard=heard)]

    before = with_hidden(codes)
    for frame in range(9):
        changed = [part.copy() for part in codes]
        changed[2][:, frame] = (changed[2][:, frame] + 1) % 16  # the last stream: nothing else of its frame follows
        after = with_hidden(changed)
        assert moved(before[1], after[1])[frame + 1] == (frame not in hidden)
        if frame in hidden:
            assert not any(any(moved(a, b)) for a, b in zip(before, after, strict=True))
    assert moved(before[1], logits_of(net, codes)[1])[:4] == [False, False, False, True]


def test_a_start_from_codebooks():
    books = [3 * torch.randn(stream.alphabet, 6) for stream in STREAMS]
    net = smooth()
    net.start_from(books)
    scale = books[0][0, 0] / net.embeddings[0][0, 0]
    for book, embeddings, head in zip(books, net.embeddings, net.heads, strict=True):
        torch.testing.assert_close(embeddings.data * scale, book)
        torch.testing.assert_close(head.output_projection.weight.std(), torch.tensor(6**-0.5))
        assert torch.corrcoef(torch.stack([head.output_projection.weight.flatten(), book.flatten()]))[0, 1] > 0.999
    # Entries of independent streams add up to a variance of 1.
    assert float(sum(embeddings.data.square().mean() for embeddings in net.embeddings)) == pytest.approx(1, rel=1e-5)


def test_values_on_grids_stay_there_under_autocast():
    codes = random_codes(STREAMS, 2, 9)
    for net, exact in ((tiny_wavenet(), True), (smooth(), False)):
        expected = logits_of(net, codes, LABELS)
        with torch.autocast("cpu", torch.bfloat16):
            found = logits_of(net, codes, LABELS)
        assert all(np.array_equal(a, b) for a, b in zip(found, expected, strict=True)) == exact
