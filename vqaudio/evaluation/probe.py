"""What codes know: how well a linear classifier tells labels from them, for voices or takes that it did not learn from.

Source: van den Oord et al., "Neural discrete representation learning", 2017, section 4.3, where codes are mapped to
phonemes. Here whole recordings of one word stand for phonemes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from vqaudio.codec.codec import Codec
from vqaudio.evaluation import require
from vqaudio.evaluation.metrics import Wave, log_mel

SEGMENTS = 8
FOLDS = 5

Features = NDArray[np.float64]


def code_features(codec: Codec, sounds: Sequence[Wave]) -> Features:
    """Mean codebook vectors of eight stretches of each sound ``(samples,)`` at the codec's rate: ``(sounds, 8 D)``."""
    found = []
    for sound in sounds:
        codes = codec.encode(sound, codec.sample_rate, with_margin=False)
        found.append(pooled(codec.networks.quantizer.decode(codes.streams)[0]))
    return np.stack(found)


def mel_features(sounds: Sequence[Wave]) -> Features:
    """Mean log-mel spectra of eight stretches of each sound ``(samples,)`` of 64 ms or more at 16 kHz."""
    return np.stack([pooled(log_mel(sound).T) for sound in sounds])


def pooled(values: NDArray[np.floating]) -> NDArray[np.float64]:
    """``(D, frames)`` to means over eight stretches, one after the other: ``(8 D,)``; with few frames they overlap."""
    means = torch.nn.functional.adaptive_avg_pool1d(
        torch.from_numpy(np.ascontiguousarray(values, np.float64))[None], SEGMENTS
    )
    flat: NDArray[np.float64] = means.flatten().numpy()
    return flat


def predicted_right(features: Features, labels: Sequence[str], *, groups: Sequence[str]) -> list[bool]:
    """Whether each label is predicted right by a logistic regression that learned from recordings of other groups.

    Groups, such as speakers, are left out one by one, or in five folds where there are more than ten.
    """
    require("sklearn")
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import GroupKFold, LeaveOneGroupOut, cross_val_predict
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    machine: Any = make_pipeline(StandardScaler(), LogisticRegression(C=0.01, max_iter=1000))
    folds = LeaveOneGroupOut() if len(set(groups)) <= 2 * FOLDS else GroupKFold(FOLDS)
    found = cross_val_predict(machine, features, np.array(labels), groups=list(groups), cv=folds)
    return [bool(a == b) for a, b in zip(found, labels, strict=True)]
