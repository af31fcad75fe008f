"""ONNX files that stand alone give what the networks give that vqaudio runs."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from tiny_models import HOP, sound
from tiny_networks import CONFIGS, decibels, spectral, stored

from vqaudio.config.bottleneck import HierarchicalConfig, IdentityConfig
from vqaudio.errors import ModelError
from vqaudio.inference.base import Floats, Tokens
from vqaudio.inference.exported import decoder_model, description, encoder_model
from vqaudio.inference.graphs import IR_VERSION, OPSET
from vqaudio.inference.onnx_networks import OnnxNetworks
from vqaudio.inference.stored import StoredModel, read_model
from vqaudio.model import checkpoint
from vqaudio.registry import shipped_models

DECODABLE = [name for name, config in CONFIGS.items() if {stride for _, stride in config.bottleneck.streams} == {1}]


def opened(path: str | Path) -> tuple[StoredModel, OnnxNetworks]:
    model = read_model(path)
    return model, OnnxNetworks(model)


def session(model: onnx.ModelProto) -> onnxruntime.InferenceSession:
    onnx.checker.check_model(model, full_check=True)
    assert [(one.domain, one.version) for one in model.opset_import] == [("", OPSET)]
    return onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])


def nearest(features: Floats, codebooks: list[Floats]) -> list[Tokens]:
    """What each codebook in turn takes of ``(batch, D, frames)``."""
    left, found = features.transpose(0, 2, 1).astype(np.float64), []
    for codebook in codebooks:
        found.append(np.square(left[:, :, None] - codebook).sum(-1).argmin(-1))
        left = left - codebook[found[-1]]
    return found


@pytest.mark.parametrize("name", CONFIGS)
def test_the_encoder(name: str, tmp_path: Path) -> None:
    model, networks = opened(stored(CONFIGS[name], tmp_path))
    encoder = session(encoder_model(model, networks))
    for batch, frames in ((2, 30), (1, 7)):
        waveform = sound(frames * HOP, batch)[:, None]
        features, *codes = encoder.run(None, {"waveform": waveform})
        np.testing.assert_allclose(features, networks.features(waveform), atol=1e-4)
        codebooks = networks.quantizer.additive_codebooks()
        assert len(codes) == bool(codebooks)
        if codebooks:
            np.testing.assert_array_equal(codes[0], np.stack(nearest(features, codebooks), axis=1))


@pytest.mark.parametrize("name", DECODABLE)
def test_the_decoder(name: str, tmp_path: Path) -> None:
    model, networks = opened(stored(CONFIGS[name], tmp_path))
    decoder = session(decoder_model(model, networks))
    random = np.random.default_rng(0)
    for batch, frames in ((2, 30), (1, 7)):
        codes = [random.integers(stream.alphabet, size=(batch, frames)) for stream in networks.quantizer.streams]
        for count in {networks.quantizer.min_streams, len(codes)}:
            for speaker in {0, len(model.config.speakers)}:
                told = {"speaker": np.full(batch, speaker)} if model.config.speakers else {}
                (waveform,) = decoder.run(None, {"codes": np.stack(codes[:count], axis=1), **told})
                expected = networks.decode(codes[:count], speaker)
                assert waveform.shape == expected.shape
                assert decibels(waveform - expected, expected) < -80


@pytest.mark.slow
@pytest.mark.parametrize("name", shipped_models())
def test_shipped_models(name: str) -> None:
    model, networks = opened(name)
    waveform = sound(60 * networks.config.hop_length)[:, None]
    features, codes = session(encoder_model(model, networks)).run(None, {"waveform": waveform})
    np.testing.assert_allclose(features, networks.features(waveform), atol=1e-4)
    told = {"speaker": np.ones(1, np.int64)} if model.config.speakers else {}
    (decoded,) = session(decoder_model(model, networks)).run(None, {"codes": codes, **told})
    expected = networks.decode(list(codes.transpose(1, 0, 2)), len(told))
    assert decibels(decoded - expected, expected) < -80


def test_the_page_lists_the_opset_and_every_operator(tmp_path: Path) -> None:
    page = (Path(__file__).parents[2] / "docs" / "onnx.md").read_text(encoding="utf-8")
    assert f"Opset {OPSET} of `ai.onnx`" in page
    assert f"IR version {IR_VERSION}" in page
    rows = re.findall(r"^\| ((?:`\w+`(?:, )?)+) \|", page.partition("## Operators")[2], re.MULTILINE)
    listed = {name for row in rows for name in re.findall(r"\w+", row)} - set(shipped_models()) - {"digits"}
    used = set()
    for name in DECODABLE:
        model, networks = opened(stored(CONFIGS[name], tmp_path))
        for made in (encoder_model(model, networks), decoder_model(model, networks)):
            used |= {node.op_type for node in made.graph.node}
    assert used == listed


def test_what_programs_are_told_of_a_model(tmp_path: Path) -> None:
    model, networks = opened(stored(spectral(speakers=("ann", "bob")), tmp_path))
    facts = description(model, networks)
    assert facts["codebook_sizes"] == [16, 16, 16]
    assert (facts["sample_rate"], facts["hop_length"], facts["speakers"]) == (16000, HOP, ["ann", "bob"])
    assert (facts["encoder_context"], facts["decoder_context"]) == (networks.encoder_context, networks.decoder_context)
    for made in (encoder_model(model, networks), decoder_model(model, networks)):
        inside = session(made).get_modelmeta().custom_metadata_map
        assert inside == {"model": "model", "fingerprint": facts["fingerprint"]} == inside | {"model": model.name}


def test_a_model_that_decodes_only(tmp_path: Path) -> None:
    whole = checkpoint.load(stored(spectral(), tmp_path))
    checkpoint.save(checkpoint.without_encoder(whole), tmp_path / "decoder.safetensors", codes_of=whole)
    model, networks = opened(tmp_path / "decoder.safetensors")
    assert description(model, networks)["encoder_context"] is None
    assert session(decoder_model(model, networks)).get_inputs()[0].name == "codes"


@pytest.mark.parametrize(
    ("bottleneck", "reason"),
    [
        (HierarchicalConfig(codebook_size=8), "model has codes that stand for several frames"),
        (IdentityConfig(), "model has no codes, so there is nothing to decode"),
    ],
)
def test_codes_that_are_not_decoded(
    bottleneck: HierarchicalConfig | IdentityConfig, reason: str, tmp_path: Path
) -> None:
    model, networks = opened(stored(spectral(bottleneck=bottleneck), tmp_path))
    with pytest.raises(ModelError, match=reason):
        decoder_model(model, networks)
