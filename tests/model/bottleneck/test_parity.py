"""The quantizers beside those of the package ``vector-quantize-pytorch``, with the same weights."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from vqaudio.config.bottleneck import FSQConfig, GroupedConfig, ResidualConfig, VQConfig
from vqaudio.model.bottleneck import FSQ, VQ, GroupedVQ, ResidualVQ
from vqaudio.model.bottleneck.codebook import Codebook

theirs = pytest.importorskip(
    "vector_quantize_pytorch", reason="vector-quantize-pytorch is not installed: pip install 'vqaudio[test]'"
)

DIM, SIZE = 12, 32


def features() -> Tensor:
    return torch.randn(3, DIM, 50)


def embeddings(book: Codebook) -> Tensor:
    return book.embedding.detach()


@pytest.mark.parametrize("gradient", ["straight_through", "rotation"])
def test_vq(gradient: str) -> None:
    own = VQ(VQConfig(codebook_size=SIZE, gradient=gradient, commitment=0.25), DIM).eval()
    other = theirs.VectorQuantize(DIM, SIZE, rotation_trick=gradient == "rotation", freeze_codebook=True).train()
    other.codebook = embeddings(own.codebook)
    one, two = features().requires_grad_(), features().requires_grad_()
    two.data.copy_(one.data)
    passed = own(one)
    quantized, codes, _ = other(two.transpose(1, 2))
    assert torch.equal(passed.tokens[0], codes)
    assert torch.allclose(passed.latents, quantized.transpose(1, 2), atol=1e-5)
    assert torch.allclose(own.decode([codes]), quantized.transpose(1, 2), atol=1e-5)
    weight = torch.randn(3, DIM, 50)
    (passed.latents * weight).sum().backward()
    (quantized.transpose(1, 2) * weight).sum().backward()
    assert torch.allclose(one.grad, two.grad, atol=1e-4)


def test_the_commitment_loss_of_training() -> None:
    own = VQ(VQConfig(codebook_size=SIZE, commitment=0.25), DIM)
    other = theirs.VectorQuantize(DIM, SIZE, commitment_weight=0.25, rotation_trick=False)
    other.codebook = embeddings(own.codebook)
    vectors = features()
    _, _, loss = other(vectors.transpose(1, 2))
    assert float(own(vectors).loss) == pytest.approx(float(loss.detach()), rel=1e-5)


def test_residual_vq() -> None:
    own = ResidualVQ(ResidualConfig(codebook_size=SIZE, n_codebooks=4), DIM).eval()
    other = theirs.ResidualVQ(dim=DIM, num_quantizers=4, codebook_size=SIZE, rotation_trick=False).eval()
    for book, layer in zip(own.codebooks, other.layers, strict=True):
        layer.codebook = embeddings(book)
    vectors = features()
    quantized, codes, _ = other(vectors.transpose(1, 2))
    passed = own(vectors)
    assert torch.equal(torch.stack(passed.tokens, -1), codes)
    assert torch.equal(torch.stack(own.encode(vectors), -1), codes)
    assert torch.allclose(passed.latents, quantized.transpose(1, 2), atol=1e-5)


def test_grouped_vq() -> None:
    own = GroupedVQ(GroupedConfig(codebook_size=SIZE, groups=3, n_codebooks=2), DIM).eval()
    other = theirs.GroupedResidualVQ(
        dim=DIM, groups=3, num_quantizers=2, codebook_size=SIZE, rotation_trick=False
    ).eval()
    for group, part in zip(own.groups, other.rvqs, strict=True):
        for book, layer in zip(group.codebooks, part.layers, strict=True):
            layer.codebook = embeddings(book)
    vectors = features()
    quantized, codes, _ = other(vectors.transpose(1, 2))
    passed = own(vectors)
    level_by_level = [codes[index % 3, ..., index // 3] for index in range(6)]
    assert all(map(torch.equal, passed.tokens, level_by_level))
    assert torch.allclose(passed.latents, quantized.transpose(1, 2), atol=1e-5)


@pytest.mark.parametrize("levels", [(8, 5, 5, 5), (7, 6), (3, 4, 3, 3, 4, 3, 3, 3)])
def test_fsq(levels: tuple[int, ...]) -> None:
    own = FSQ(FSQConfig(levels=levels), DIM).eval()
    other = theirs.FSQ(list(levels), dim=DIM).eval()
    other.project_in.load_state_dict(own.inward.state_dict())
    other.project_out.load_state_dict(own.outward.state_dict())
    one = (3.0 * features()).requires_grad_()
    two = one.detach().clone().requires_grad_()
    passed = own(one)
    quantized, codes = other(two.transpose(1, 2))
    assert torch.equal(passed.tokens[0], codes.long())
    assert torch.allclose(passed.latents, quantized.transpose(1, 2), atol=1e-5)
    assert torch.allclose(own.decode([codes.long()]), quantized.transpose(1, 2), atol=1e-5)
    (passed.latents.square().sum() + quantized.square().sum()).backward()
    assert torch.allclose(one.grad, two.grad, atol=1e-4)
