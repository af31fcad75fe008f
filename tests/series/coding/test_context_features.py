"""Context features against figures worked by hand."""

from __future__ import annotations

import numpy as np
from learned_reference import ContextFeatures


def test_features_are_as_worked_by_hand():
    context = ContextFeatures(4, [])
    context.fill(np.array([10, 12, 12, 20]), np.array([10, 2, 0, 8]))
    fractions, means, shifts = np.array([[0, -64], [256, 768], [0, 0]])
    found = context.of_rows(np.array([0, 2]), np.array([0, 13]), fractions=fractions, means=means, shifts=shifts)
    assert (found[0] == 0).all()
    assert found[1, 0] == round(24 * np.arcsinh(2))  # last but one: 12 - 10
    assert found[1, 37] == found[1, 0]  # the last step
    assert found[1, 48] == round(24 * np.arcsinh(1))  # predicted 13, after 12
    assert list(found[1, 49:51]) == [round(24 * np.arcsinh(2)), round(24 * np.arcsinh(10))]
    assert list(found[1, -16:-12]) == [-64, 64, -64, round(16 * np.log2((768 + 8) / 256))]
