"""Cards: a header that the Hub reads, and what a reader needs."""

from __future__ import annotations

import pytest
import yaml
from tools import tiny_codec

import vqaudio
from vqaudio.codec.card import card
from vqaudio.errors import ModelError


def header(text: str) -> dict[str, object]:
    start, metadata, _ = text.split("---\n", 2)
    assert not start
    found = yaml.safe_load(metadata)
    assert isinstance(found, dict)
    return found


def test_the_header_says_what_the_hub_asks_for():
    found = header(card(vqaudio.load("digits")))
    assert found["library_name"] == "vqaudio"
    assert found["pipeline_tag"] == "audio-to-audio"
    assert found["license"] == "mit"
    assert {"audio-codec", "vqaudio"} <= set(found["tags"])


def test_a_shipped_model_has_its_own_card_without_links_that_lead_nowhere():
    text = card(vqaudio.load())
    assert "\n# speech-16k-v4\n" in text
    assert "recipes/speech16k/README.md" in text
    assert "](../" not in text


def test_any_other_model_is_told_by_its_figures_and_has_no_license_of_ours():
    text = card(tiny_codec())
    assert "license" not in header(text)
    assert "# tiny\n\nA codec of vqaudio: 16000 Hz inside, 50 frames a second, 4 codebooks of at most 64 codes" in text
    assert tiny_codec().fingerprint in text
    assert "Codec.from_pretrained(" in text


def test_a_license_is_a_name():
    assert header(card(tiny_codec(), "cc-by-4.0"))["license"] == "cc-by-4.0"
    with pytest.raises(ModelError, match="'MIT: free' is no name of one on the Hub"):
        card(tiny_codec(), "MIT: free")
