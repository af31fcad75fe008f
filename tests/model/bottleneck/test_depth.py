"""From how many codebooks a frame is decoded in training, and codes at which a frame may end."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from vqaudio.config.bottleneck import ResidualConfig, VQConfig
from vqaudio.model.bottleneck.codebook import Codebook
from vqaudio.model.bottleneck.residual import DEPTH_FRAMES, ResidualVQ

EVERY, DIM, FRAMES, BATCH = 4, 5, 20, 400  # FRAMES: three times DEPTH_FRAMES and two


def residual(**settings: float) -> ResidualVQ:
    config = ResidualConfig(**{"codebook_size": 8, "n_codebooks": EVERY} | settings)
    return ResidualVQ(config, DIM)


def depths(bottleneck: ResidualVQ) -> Tensor:
    """How many codebooks each frame was decoded from, ``(BATCH, FRAMES)``: the number whose sum the latents are."""
    for codebook in bottleneck.codebooks:
        codebook.frozen = True  # so that the sums are still there
    made = bottleneck(torch.randn(BATCH, DIM, FRAMES))
    sums = torch.stack([bottleneck.decode(made.tokens[:count]) for count in range(1, EVERY + 1)])
    nearest = (sums - made.latents).norm(dim=2).min(dim=0)
    assert nearest.values.max() < 1e-4
    return nearest.indices + 1


def changing(depth: Tensor) -> Tensor:
    """Which items hold more than one number."""
    return (depth != depth[:, :1]).any(1)


def test_one_number_holds_for_a_whole_item_by_default() -> None:
    depth = depths(residual(dropout=1.0))
    assert not changing(depth).any()
    assert sorted(set(depth.flatten().tolist())) == [1, 2, 3, 4]


def test_the_number_can_change_every_few_frames() -> None:
    depth = depths(residual(dropout=1.0, frame_dropout=1.0))
    parts = depth.split(DEPTH_FRAMES, dim=1)
    assert [part.shape[1] for part in parts] == [6, 6, 6, 2]
    assert not any(changing(part).any() for part in parts)
    firsts = torch.stack([part[:, 0] for part in parts])
    for count in range(1, EVERY + 1):
        assert (firsts == count).float().mean() == pytest.approx(1 / EVERY, abs=0.04)
    assert (firsts[1:] != firsts[:-1]).float().mean() == pytest.approx(1 - 1 / EVERY, abs=0.04)


def test_it_changes_in_a_share_of_the_items_that_are_not_whole() -> None:
    depth = depths(residual(dropout=0.5, frame_dropout=0.4))
    assert changing(depth).float().mean() == pytest.approx(0.5 * 0.4 * (1 - EVERY**-3), abs=0.06)
    whole = 0.5 + 0.5 * (0.6 / EVERY + 0.4 * EVERY**-4)
    assert (depth == EVERY).all(1).float().mean() == pytest.approx(whole, abs=0.075)


@pytest.mark.parametrize("settings", [{"dropout": 1.0, "frame_dropout": 1.0}, {"dropout": 1.0}])
def test_all_codebooks_are_heard_in_evaluation(settings: dict[str, float]) -> None:
    assert (depths(residual(**settings).eval()) == EVERY).all()


def test_without_dropout_no_frame_is_shortened() -> None:
    assert (depths(residual(dropout=0.0, frame_dropout=1.0)) == EVERY).all()


# --------------------------------------------------------------------------------------------------------- stop codes


def book(stop: bool = True, update: str = "ema", **settings: float) -> Codebook:
    made = Codebook(VQConfig(codebook_size=6, update=update, decay=0.5, **settings), 3)
    made.has_stop_code = stop
    return made


def zeros(codebook: Codebook) -> list[int]:
    return (codebook.embedding == 0).all(1).nonzero()[:, 0].tolist()


def test_all_codebooks_but_the_first_get_a_stop_code_from_data() -> None:
    bottleneck = residual(stop_codes=True)
    bottleneck.initialise(torch.randn(8, DIM, 40))
    assert [codebook.stop_code for codebook in bottleneck.codebooks] == [None, 0, 0, 0]
    assert [zeros(codebook) for codebook in bottleneck.codebooks] == [[], [0], [0], [0]]


def test_without_the_flag_there_is_none() -> None:
    bottleneck = residual()
    bottleneck.initialise(torch.randn(8, DIM, 40))
    assert [codebook.stop_code for codebook in bottleneck.codebooks] == [None] * EVERY
    assert not any(zeros(codebook) for codebook in bottleneck.codebooks)
    plain = book(stop=False)
    plain.embedding[2] = 0.0
    plain.learn(torch.ones(4, 3), torch.tensor([2, 2, 2, 2]))
    assert plain.stop_code is None
    assert (plain.embedding[2] != 0).all()


def test_what_is_assigned_to_a_stop_code_does_not_move_it() -> None:
    stopping, plain = book(), book(stop=False)
    plain.load_state_dict(stopping.state_dict())
    for codebook in (stopping, plain):
        codebook.embedding[4] = 0.0
        codebook.learn(torch.full((6, 3), 0.3), torch.tensor([4, 4, 4, 4, 1, 1]))
    assert (zeros(stopping), zeros(plain)) == ([4], [])
    assert stopping.sums[4].tolist() == [0.0, 0.0, 0.0]
    assert stopping.counts[4] == plain.counts[4] == 2.5  # (1 + 4) / 2: it is counted as any other
    others = [0, 1, 2, 3, 5]
    assert torch.equal(stopping.embedding[others], plain.embedding[others])


def test_a_stop_code_that_nobody_chooses_is_not_revived() -> None:
    codebook = book(revive_below=0.5)
    codebook.embedding[4] = 0.0
    before = codebook.embedding.clone()
    for _ in range(6):
        codebook.learn(torch.randn(12, 3) + 5.0, torch.arange(12) % 3)
    assert zeros(codebook) == [4]
    assert all((codebook.embedding[code] != before[code]).any() for code in (3, 5))  # as others are
    assert codebook.counts[4] < 0.1


def test_starting_from_data_anew_leaves_one_stop_code() -> None:
    codebook = book()
    codebook.embedding[4] = 0.0
    assert codebook.stop_code == 4
    codebook.initialise(torch.randn(50, 3))
    codebook.learn(torch.randn(50, 3), torch.arange(50) % 6)
    assert zeros(codebook) == [codebook.stop_code] == [0]


def test_a_saved_stop_code_is_found_again_wherever_it_is() -> None:
    first, second = residual(stop_codes=True), residual(stop_codes=True)
    first.initialise(torch.randn(8, DIM, 40))
    for codebook, place in zip(first.codebooks[1:], (5, 0, 7), strict=True):
        codebook.embedding[[0, place]] = codebook.embedding[[place, 0]]
        codebook.sums[[0, place]] = codebook.sums[[place, 0]]
        codebook._stop_code = None
    second.load_state_dict(first.state_dict())
    for bottleneck in (first, second):
        torch.manual_seed(0)
        for _ in range(5):
            bottleneck(torch.randn(8, DIM, 40))
        assert [zeros(codebook) for codebook in bottleneck.codebooks] == [[], [5], [0], [7]]
    assert all(
        torch.equal(ours, theirs)
        for ours, theirs in zip(first.additive_codebooks(), second.additive_codebooks(), strict=True)
    )


def test_a_model_without_stop_codes_gets_none_by_the_flag() -> None:
    codebook = book()
    before = codebook.embedding.clone()
    codebook.learn(torch.randn(12, 3), torch.arange(12) % 6)
    assert codebook.stop_code is None
    assert (codebook.embedding != before).all()
