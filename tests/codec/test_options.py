"""What a sound is coded with: wishes that exclude each other, and modes that there are not."""

from __future__ import annotations

import pytest

from vqaudio.codec.options import DEFAULTS, CodingOptions
from vqaudio.errors import ContainerError, ModelError


def test_nothing_asked_for_is_the_default():
    assert CodingOptions() == DEFAULTS
    assert DEFAULTS.chunk_seconds == 5.0


@pytest.mark.parametrize(("wish", "said"), [({"n_codebooks": 2}, "2 codebooks"), ({"rdo": 0.3}, "rdo 0.3")])
def test_a_rate_finds_these_by_itself(wish, said):
    with pytest.raises(ModelError, match=f"{said} and 0.7 kb/s asked for: expected one of them"):
        CodingOptions(kbps=0.7, **wish)


def test_modes_that_there_are_not():
    with pytest.raises(ContainerError, match="the entropy mode is 'zip', expected one of none, context, prior"):
        CodingOptions(entropy="zip")
