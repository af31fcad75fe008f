"""How the decoder's gradient passes the choice of a code: straight through, by a rotation, or as a soft choice."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from vqaudio.model.bottleneck.codebook import squared_distances
from vqaudio.model.layers import full_precision


def straight_through(features: Tensor, quantized: Tensor) -> Tensor:
    """The quantized values, with the gradient of the features: ``z_e + sg(z_q - z_e)`` (section 3.2)."""
    return features + (quantized - features).detach()


def rotation_trick(features: Tensor, quantized: Tensor) -> Tensor:
    """The quantized values, as a rotation and scaling of the features that the gradient takes for constant.

    With unit vectors ``e`` along a feature, ``q`` along what it is quantized to, and ``r`` along ``e + q``, the
    gradient comes back through ``|z_q| / |z_e| (I - 2 r rᵀ + 2 q eᵀ)``: it keeps its angle to the quantized vector,
    where the straight-through one keeps its direction. Source: Fifty et al., "Restructuring Vector Quantization with
    the Rotation Trick", 2024, section 4.2. Shapes: ``(batch, D, frames)`` in and out.
    """
    with torch.no_grad():
        size = features.norm(dim=1, keepdim=True).clamp(min=1e-6)
        wanted = quantized.norm(dim=1, keepdim=True)
        e, q = features / size, quantized / wanted.clamp(min=1e-6)
        r = functional.normalize(e + q, dim=1)
    along_r, along_e = ((features * axis).sum(1, keepdim=True) for axis in (r, e))
    turned = (features - 2.0 * along_r * r + 2.0 * along_e * q) * (wanted / size)
    exact: Tensor = turned + (quantized - turned).detach()  # to the last bit, whatever rounding did to the rotation
    return exact


PASS_GRADIENT = {
    "straight_through": straight_through,
    "rotation": rotation_trick,
    "gumbel": straight_through,  # outside training, where nothing is sampled
}


def gumbel_sample(vectors: Tensor, codebook: Tensor, *, temperature: float) -> tuple[Tensor, Tensor]:
    """Codes sampled at random, the nearer the likelier, and their embeddings with the gradient of a soft choice.

    A code comes with the probability ``softmax_k(-||z_e - e_k||²)``: the largest of these logits after Gumbel noise.
    The gradient is that of the same noisy logits under a softmax of temperature τ, to the vectors and, where they learn
    by gradient, to all embeddings. Source: Jang et al., "Categorical reparameterization with Gumbel-softmax", 2017,
    eq. 1 and 2, and section 2.2 for the straight-through form; Maddison et al., "The concrete distribution", 2017; the
    logits as in Sønderby et al., "Continuous relaxation training of discrete latent variable image models", 2017.

    Args:
        vectors: ``(n, D)``.
        codebook: ``(K, D)``.
        temperature: τ.

    Returns:
        Codes ``(n,)``, and their embeddings ``(n, D)``.
    """
    with full_precision(vectors):
        choice = functional.gumbel_softmax(-squared_distances(vectors, codebook), temperature, hard=True)
        return choice.argmax(1), choice.to(codebook.dtype) @ codebook
