"""Examples in docstrings, in the README and in their folder do what they say."""

from __future__ import annotations

import doctest
import re
import shutil
from importlib import import_module
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import codec_interfaces
import numpy as np
import pytest
import torch
from tools import MODEL, synthetic

from vqaudio import tokens
from vqaudio.container import Stream
from vqaudio.tokenize import main as tokenize

ROOT = Path(__file__).parents[1]
MODULES = [
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
    for path in sorted((ROOT / "vqaudio").rglob("*.py"))
    if ">>> " in path.read_text(encoding="utf-8")
]
OF_EXTRAS = {"vqaudio.series.numcodec": "numcodecs"}
"""What a module imports that an extra brings."""


@pytest.mark.parametrize("module", MODULES)
def test_examples_in_docstrings(module):
    if module in OF_EXTRAS:
        pytest.importorskip(OF_EXTRAS[module])
    failed, attempted = doctest.testmod(import_module(module), optionflags=doctest.NORMALIZE_WHITESPACE)
    assert attempted > 0
    assert failed == 0, "see above"


def test_there_are_examples_where_users_begin():
    assert {"vqaudio", "vqaudio.container.writer", "vqaudio.series.writer"} <= set(MODULES)


@pytest.mark.slow
def test_the_python_of_the_readme_runs(tmp_path, monkeypatch):
    """As it stands there, one line after another, where ``speech.wav`` and ``speech.vq`` are."""
    code, rows = re.findall(r"^```python\n(.*?)^```$", (ROOT / "README.md").read_text(encoding="utf-8"), re.M | re.S)
    monkeypatch.chdir(tmp_path)
    shutil.copy(ROOT / "examples" / "vowels.wav", "speech.wav")
    shutil.copy(ROOT / "tests" / "golden" / "releases" / "0.6.0" / "prior.vq", "speech.vq")
    found: dict[str, object] = {}
    exec(compile(code, "README.md", "exec"), found)
    assert found["new"].shape == (80000,)
    assert found["part"].shape == (1, found["rate"])
    assert found["other"].shape == found["wav"].T.shape
    (tmp_path / "recordings").mkdir()
    for name in ("one", "two"):
        shutil.copy("speech.wav", f"recordings/{name}.wav")
    assert tokenize(["recordings", "tokens", "--jobs", "1", "--quiet"]) == 0
    exec(compile(rows.replace("polars.read", "rows = polars.read"), "README.md", "exec"), found)
    assert found["rows"]["id"].to_list() == ["one.wav", "two.wav"]


@pytest.mark.slow
def test_the_torch_module_of_the_pages_runs():
    text = (ROOT / "docs" / "elsewhere.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"^```python\n(import torch\n.*?)^```$", text, re.M | re.S)
    found: dict[str, Any] = {"clips": [torch.from_numpy(synthetic(seconds, 16000)[0]) for seconds in (1, 0.5)]}
    exec(compile(code, "elsewhere.md", "exec"), found)
    assert found["encoded"].audio_codes.shape == (2, 3, 50)
    assert found["wav"].shape == (2, 1, 16000)


# -------------------------------------------------------------------------------------------- others' interfaces


def example(name: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A file of the folder, imported where both interfaces are."""
    codec_interfaces.install(monkeypatch)
    spec = spec_from_file_location(name, ROOT / "examples" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("rate", [16000, 8000])
def test_codec_superb_gets_codes_and_a_sound_as_long_as_its_own(rate, monkeypatch):
    module = example("codec_superb", monkeypatch)
    monkeypatch.setattr(module.Codec, "name", MODEL)
    codec, wav = module.Codec(), synthetic(1, rate)[0]
    assert codec.sampling_rate == 16000
    found = codec.synth({"audio": {"array": wav.astype(np.float64), "sampling_rate": rate}}, local_save=False)
    assert found["unit"].shape == (4, 50)
    assert found["audio"]["array"].shape == (1, rate)
    assert found["audio"]["sampling_rate"] == rate
    if rate == 16000:
        codes = codec.model.codec.encode(wav, rate, with_margin=False)
        assert np.array_equal(found["unit"], np.concatenate(codes.streams))
        assert np.array_equal(found["audio"]["array"], codec.model.codec.decode(codes))


def test_audiocodecs_gets_tokens_features_and_sounds_of_different_lengths(monkeypatch):
    module = example("audiocodecs_adapter", monkeypatch)
    codec = module.VQAudio(16000, num_codebooks=3, name=MODEL)
    wav = torch.from_numpy(synthetic(1, 16000, channels=2))
    length = torch.tensor([1.0, 0.5])
    toks = codec.sig_to_toks(wav, length)
    assert toks.shape == (2, 50, 3)
    (alone,) = codec.sig_to_toks(wav[1:, :8000])
    assert torch.equal(toks[1, :25], alone)
    reference = codec.model.codec
    codes = reference.encode(wav[0], 16000, n_codebooks=3, with_margin=False)
    assert np.array_equal(toks[0].T, np.concatenate(codes.streams))
    sound = codec.toks_to_sig(toks, length)
    assert sound.shape == codec(wav, length).shape == (2, 16000)
    assert np.array_equal(sound[0], reference.decode(codes)[0])
    assert torch.equal(sound[1, :8000], codec.toks_to_sig(alone[None])[0])
    assert not sound[1, 8000:].any()
    assert codec.embs().shape == (3, 64, codec.model.config.hidden_size)
    assert codec.sig_to_feats(wav, length).shape == (2, 50, codec.model.config.hidden_size)
    assert module.VQAudio(8000, mode="encode", num_codebooks=2, name=MODEL)(wav).shape == (2, 100, 2)


# ------------------------------------------------------------------------------------------------- language models


@pytest.mark.slow
def test_a_language_model_gets_blocks_of_all_tokens(tmp_path, monkeypatch):
    """In whatever order utterances come, each is whole, and what is not for training is left out."""
    pytest.importorskip("datasets")
    monkeypatch.setenv("HF_DATASETS_CACHE", str(tmp_path / "cache"))
    module = example("language_model", monkeypatch)
    random = np.random.default_rng(0)
    streams = (Stream(16, 1), Stream(16, 1), Stream(32, 1))
    coded = [[random.integers(0, stream.alphabet, 5, np.int32) for stream in streams] for _ in range(6)]
    rows = [
        tokens.Row(
            id=str(at),
            path=f"{at}.wav",
            corpus="made",
            speaker="",
            label="",
            split="valid" if at == 3 else "train",
            version=0,
            codes=codes,
        )
        for at, codes in enumerate(coded)
    ]
    for at in range(2):
        tokens.write(tmp_path / f"{at}.parquet", tokens.Origin("0" * 16, streams, 50.0), rows[3 * at : 3 * at + 3])
    assert module.vocabulary(tmp_path).tolist() == [1, 17, 33, 65]
    assert module.flattened([[3, 4], [5, 6], [7, 8]], np.array([1, 17, 33, 65])).tolist() == [0, 4, 22, 40, 5, 23, 41]
    blocks = list(module.blocks(tmp_path, 20))
    assert [len(block) for block in blocks] == [20] * 4
    found = np.concatenate(blocks).reshape(5, 16)
    assert sorted(found.tolist()) == sorted(
        module.flattened(row.codes, np.array([1, 17, 33, 65])).tolist() for row in rows if row.split == "train"
    )
