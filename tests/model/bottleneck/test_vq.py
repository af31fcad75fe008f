"""One codebook: the losses of the VQ-VAE against values worked out by hand."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from vqaudio.config.bottleneck import VQConfig
from vqaudio.model.bottleneck import VQ, BottleneckOutput

# Two embeddings, two frames: (0.2, 0) is nearest to (0, 0), and (0.9, 0.5) to (1, 1).
ENTRIES = [[0.0, 0.0], [1.0, 1.0]]


FRAMES = [[0.2, 0.0], [0.9, 0.5]]


MEAN_SQUARE = (0.2**2 + 0.0 + 0.1**2 + 0.5**2) / 4


def by_hand(update: str, commitment: float) -> tuple[VQ, Tensor, BottleneckOutput]:
    bottleneck = VQ(VQConfig(codebook_size=2, update=update, commitment=commitment), 2).eval()
    bottleneck.codebook.embedding.data.copy_(torch.tensor(ENTRIES))
    features = torch.tensor(FRAMES).T[None].clone().requires_grad_()
    return bottleneck, features, bottleneck(features)


def test_the_codebook_loss_moves_only_the_codebook() -> None:
    bottleneck, features, passed = by_hand("loss", commitment=0.0)
    assert passed.tokens[0].tolist() == [[0, 1]]
    assert float(passed.loss.detach()) == pytest.approx(MEAN_SQUARE)
    passed.loss.backward()
    assert bottleneck.codebook.embedding.grad.flatten().tolist() == pytest.approx([-0.1, 0.0, 0.05, 0.25])
    assert features.grad.abs().max() == 0


def test_the_commitment_moves_only_the_encoder() -> None:
    bottleneck, features, passed = by_hand("ema", commitment=0.25)
    assert list(bottleneck.parameters()) == []
    assert float(passed.loss.detach()) == pytest.approx(0.25 * MEAN_SQUARE)
    passed.loss.backward()
    assert features.grad[0].T.flatten().tolist() == pytest.approx([0.025, 0.0, -0.0125, -0.0625])


def test_both_terms_add_up_and_the_latents_move_neither_codebook() -> None:
    bottleneck, features, passed = by_hand("loss", commitment=0.25)
    assert float(passed.loss.detach()) == pytest.approx(1.25 * MEAN_SQUARE)
    (passed.loss + passed.latents.sum()).backward()
    assert bottleneck.codebook.embedding.grad.flatten().tolist() == pytest.approx([-0.1, 0.0, 0.05, 0.25])
    assert features.grad[0].T.flatten().tolist() == pytest.approx([1.025, 1.0, 0.9875, 0.9375])
