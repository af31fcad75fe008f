"""What the report of a speech prior is measured on."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

from recipes.speech16k import prior_report
from vqaudio.audio.recordings import Recording


def test_speakers_of_other_corpora_with_the_same_numbers_take_no_part(monkeypatch: pytest.MonkeyPatch):
    rate, seconds = 100, 70
    codec: Any = SimpleNamespace(sample_rate=rate, prior=SimpleNamespace(fields={"speaker": ("1334", "p225")}))
    monkeypatch.setattr(
        prior_report, "read_mono", lambda path, rate: np.full(seconds * rate, int(path.stem), np.float32)
    )
    recordings = [
        Recording(Path(f"{number}.wav"), corpus=corpus, speaker=speaker, split="train")
        for number, (corpus, speaker) in enumerate(
            [("librispeech", "1334"), ("speechocean762", "1334"), ("vctk", "p225"), ("vctk", "p999")]
        )
    ]
    learned, kept = prior_report.speaker_clips(cast(Any, codec), recordings)
    assert set(learned.speakers) == set(kept.speakers) == {"1334", "p225"}
    assert {float(sound[0]) for sound in (*learned.sounds, *kept.sounds)} == {0.0, 2.0}
    assert len(learned.sounds) > len(kept.sounds) > 0
