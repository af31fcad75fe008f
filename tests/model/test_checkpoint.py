"""Models on disk: what comes back, what names them, and what is refused."""

from __future__ import annotations

import json
import pickle
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from tiny_models import HOP, tiny_model, waveforms
from torch import Tensor

from vqaudio import registry
from vqaudio.config.bottleneck import IdentityConfig
from vqaudio.config.reading import dump_json
from vqaudio.errors import ModelError
from vqaudio.inference.stored import stored_name
from vqaudio.model import checkpoint
from vqaudio.model.autoencoder import Autoencoder
from vqaudio.model.bottleneck.codebook import Codebook
from vqaudio.prior import integer
from vqaudio.registry import DEFAULT_MODEL, fingerprint


@pytest.fixture
def saved(tmp_path: Path, model: Autoencoder) -> Path:
    path = tmp_path / "tiny.safetensors"
    checkpoint.save(model, path, training={"hours": 2.5})
    return path


def parts(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """A file's tensors and metadata."""
    with safe_open(path, framework="pt") as file:
        return load_file(path), dict(file.metadata())


def rewrite(path: Path, tensors: dict[str, Tensor] | None = None, **metadata: str | None) -> Path:
    """The file again, beside it, with some tensors or metadata replaced (``None``: left out)."""
    old_tensors, old_metadata = parts(path)
    kept = {name: value for name, value in (old_metadata | metadata).items() if value is not None}
    other = path.with_name("other.safetensors")
    save_file(old_tensors | (tensors or {}), other, metadata=kept)
    return other


def refusal(path: Path) -> str:
    with pytest.raises(ModelError) as caught:
        checkpoint.load(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    assert "\n" not in message
    return message.removeprefix(f"{path}: ")


# -------------------------------------------------------------------------------------------------------- round trip


def test_what_is_saved_comes_back(saved: Path, model: Autoencoder) -> None:
    loaded = checkpoint.load(saved)
    assert loaded.name == "tiny"
    assert loaded.training == {"hours": 2.5}
    assert loaded.model.config == model.config
    assert not loaded.model.training
    assert not any(parameter.requires_grad for parameter in loaded.model.parameters())
    stored = {name for name in model.state_dict() if not name.endswith((".sums", ".counts"))}
    assert {stored_name(name) for name in stored} == set(load_file(saved))
    for name in stored:
        tensor = loaded.model.state_dict()[name]
        assert tensor.dtype == torch.float32
        assert torch.equal(tensor, model.state_dict()[name].half().float()), name


@pytest.mark.parametrize(
    ("name", "stored"),
    [
        ("bottleneck.codebooks.3.embedding", "bottleneck.codebooks.3.entries"),
        ("bottleneck.levels.0.book.codebook.embedding", "bottleneck.levels.0.book.codebook.entries"),
        ("decoder.speaker_embedding.weight", "decoder.voices.weight"),
        ("decoder.layers.0.weight", "decoder.layers.0.weight"),
    ],
)
def test_names_in_files_are_those_of_the_first_version(name: str, stored: str) -> None:
    assert stored_name(name) == stored


def test_speakers_come_back_by_their_old_name(tmp_path: Path) -> None:
    model = Autoencoder(tiny_model().config.model_copy(update={"speakers": ("ann", "bob")})).eval()
    checkpoint.save(model, tmp_path / "two.safetensors")
    assert load_file(tmp_path / "two.safetensors")["decoder.voices.weight"].shape == (3, 64)
    embedding = checkpoint.load(tmp_path / "two.safetensors").model.decoder.speaker_embedding
    assert embedding is not None
    assert torch.equal(embedding.weight, model.decoder.speaker_embedding.weight.half().float())


def test_a_second_save_holds_the_same(saved: Path) -> None:
    again = saved.with_name("again.safetensors")
    checkpoint.save(checkpoint.load(saved).model, again, training={"hours": 2.5})
    tensors, metadata = parts(saved)
    tensors_again, metadata_again = parts(again)
    assert metadata_again == metadata
    assert tensors_again.keys() == tensors.keys()
    assert all(torch.equal(tensor, tensors_again[name]) for name, tensor in tensors.items())


def test_the_same_sound_after_a_round_trip(saved: Path) -> None:
    one, other = (checkpoint.load(saved).model for _ in range(2))
    sound = waveforms(1, 10 * HOP)
    assert torch.equal(one(sound).waveform, other(sound).waveform)


def test_weights_are_float16(saved: Path) -> None:
    assert {tensor.dtype for tensor in load_file(saved).values()} == {torch.float16}


def test_silence_is_coded_by_the_stored_weights(saved: Path) -> None:
    loaded = checkpoint.load(saved)
    tokens = loaded.model.encode(torch.zeros(1, 1, 200 * HOP))
    assert loaded.silence == [int(codes[0, 100]) for codes in tokens]


def test_a_model_without_streams_has_no_silence(tmp_path: Path) -> None:
    config = tiny_model().config.model_copy(update={"bottleneck": IdentityConfig()})
    checkpoint.save(Autoencoder(config), tmp_path / "plain.safetensors")
    assert checkpoint.load(tmp_path / "plain.safetensors").silence == []


def test_codebooks_can_learn_on_from_a_file(saved: Path) -> None:
    """Moving averages are not stored: they must start from the embeddings, or the first step would scramble them."""
    model = checkpoint.load(saved).model.train()
    embeddings = [book.embedding.clone() for book in model.modules() if isinstance(book, Codebook)]
    model(waveforms(1, HOP))
    after = [book.embedding for book in model.modules() if isinstance(book, Codebook)]
    for old, new in zip(embeddings, after, strict=True):
        assert float((old - new).norm(dim=1).max()) < 0.2 * float(old.norm(dim=1).mean())


def test_embeddings_that_learn_by_gradient_are_stored_too(tmp_path: Path) -> None:
    config = tiny_model().config
    bottleneck = config.bottleneck.model_copy(update={"update": "loss"})
    model = Autoencoder(config.model_copy(update={"bottleneck": bottleneck})).eval()
    checkpoint.save(model, tmp_path / "loss.safetensors")
    loaded = checkpoint.load(tmp_path / "loss.safetensors").model
    name = "bottleneck.codebooks.1.embedding"
    assert torch.equal(loaded.state_dict()[name], model.state_dict()[name].half().float())


def test_a_failed_save_leaves_the_old_file(saved: Path, model: Autoencoder, monkeypatch: pytest.MonkeyPatch) -> None:
    before = saved.read_bytes()

    def broken(*_: Any, **__: Any) -> bytes:
        raise RuntimeError("out of luck")

    monkeypatch.setattr(checkpoint, "to_bytes", broken)
    with pytest.raises(RuntimeError, match="out of luck"):
        checkpoint.save(model, saved)
    assert saved.read_bytes() == before
    assert [path.name for path in saved.parent.iterdir()] == ["tiny.safetensors"]


# ------------------------------------------------------------------------------------------------------- fingerprint


def test_fingerprint_is_stable(saved: Path, model: Autoencoder) -> None:
    mark = fingerprint(saved)
    assert len(mark) == 12
    assert int(mark, 16) >= 0
    assert checkpoint.load(saved).fingerprint == mark
    again = saved.with_name("again.safetensors")
    checkpoint.save(model, again)
    assert fingerprint(again) == mark


def test_fingerprint_ignores_training_notes(saved: Path) -> None:
    other = rewrite(saved, training=json.dumps({"hours": 99}))
    assert other.read_bytes() != saved.read_bytes()
    assert fingerprint(other) == fingerprint(saved)


def test_fingerprint_sees_what_codes_mean_and_not_who_makes_or_decodes_them(saved: Path) -> None:
    tensors, _ = parts(saved)
    for name, tensor in tensors.items():
        changed = tensor.clone()
        changed.view(-1)[-1] += 1.0
        same = fingerprint(rewrite(saved, {name: changed})) == fingerprint(saved)
        assert same == (not name.startswith("bottleneck.")), name


def test_fingerprint_sees_shape_type_and_frame_rate(saved: Path, model: Autoencoder) -> None:
    name, tensor = next(item for item in parts(saved)[0].items() if item[0].startswith("bottleneck."))
    reshaped = fingerprint(rewrite(saved, {name: tensor.reshape(-1)}))
    retyped = fingerprint(rewrite(saved, {name: tensor.view(torch.int16)}))
    config = model.config.model_copy(update={"sample_rate": 8000})
    slower = saved.with_name("slower.safetensors")
    checkpoint.save(Autoencoder(config), slower)
    assert len({fingerprint(saved), reshaped, retyped, fingerprint(slower)}) == 4


def test_settings_of_training_do_not_change_what_codes_mean(saved: Path, model: Autoencoder) -> None:
    bottleneck = model.config.bottleneck.model_copy(update={"commitment": 1.0, "decay": 0.5})
    other = Autoencoder(model.config.model_copy(update={"bottleneck": bottleneck}))
    other.load_state_dict(model.state_dict())
    again = saved.with_name("again.safetensors")
    checkpoint.save(other, again)
    assert fingerprint(again) == fingerprint(saved)


def test_a_model_with_another_models_codes_has_its_fingerprint(saved: Path, tmp_path: Path) -> None:
    source = checkpoint.load(saved)
    other = tmp_path / "other_encoder.safetensors"
    checkpoint.save(tiny_model(seed=8), other, codes_of=source)
    again = checkpoint.load(other)
    assert (again.fingerprint, again.silence) == (fingerprint(saved), source.silence)
    assert "is no fingerprint" in refusal(rewrite(saved, codes="../../etc"))


def test_fingerprint_follows_a_replaced_file(tmp_path: Path) -> None:
    """Training writes newer models under one name; none may pass for an older one."""
    path = tmp_path / "latest.safetensors"
    marks = set()
    for seed in (1, 2):
        checkpoint.save(tiny_model(seed=seed), path)
        marks.add(checkpoint.load(path).fingerprint)
    assert len(marks) == 2


# ---------------------------------------------------------------------------------------------------------- refusals


def test_a_name_that_is_no_model(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=rf"speech-99k: no such model, and no file; did you mean {DEFAULT_MODEL}\?"):
        checkpoint.load("speech-99k")
    assert refusal(tmp_path).startswith("no such model")


@pytest.mark.parametrize("size", [0, 4, 8, 200, -1])
def test_a_truncated_file(saved: Path, size: int) -> None:
    saved.write_bytes(saved.read_bytes()[:size])
    assert refusal(saved).startswith("is not a readable safetensors file")
    with pytest.raises(ModelError, match="is not a readable safetensors file"):
        fingerprint(saved)


@pytest.mark.parametrize("content", [b"RIFF" + bytes(500), b"\xff" * 500, b'{"a": 1}'])
def test_another_kind_of_file(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "sound.safetensors"
    path.write_bytes(content)
    assert refusal(path).startswith("is not a readable safetensors file")


class Trap:
    """Leaves a file behind when it is unpickled."""

    def __init__(self, mark: Path):
        self.mark = mark

    def __reduce__(self) -> Any:
        return Path.touch, (self.mark,)


def test_pickles_are_never_opened(tmp_path: Path) -> None:
    mark = tmp_path / "opened"
    pickled, zipped = tmp_path / "pickled.safetensors", tmp_path / "zipped.safetensors"
    pickled.write_bytes(pickle.dumps(Trap(mark)))
    torch.save({"trap": Trap(mark)}, zipped)
    for path in (pickled, zipped):
        assert refusal(path).startswith("is not a readable safetensors file")
    assert not mark.exists()


@pytest.mark.parametrize("missing", ["config", "silence"])
def test_missing_metadata(saved: Path, missing: str) -> None:
    assert f"holds no vqaudio config ('{missing}')" in refusal(rewrite(saved, **{missing: None}))


@pytest.mark.parametrize("config", ["", "{", "[]", "[" * 100_000, '{"sample_rate": "high"}', '{"model": 1}'])
def test_broken_config(saved: Path, config: str) -> None:
    assert "holds no vqaudio config" in refusal(rewrite(saved, config=config))


@pytest.mark.parametrize("silence", ["7", "[]", "[1, 2]", "[0, 0, 16]", "[0, 0, -1]", '[0, 0, "1"]', "[0, 0, true]"])
def test_broken_silence(saved: Path, silence: str) -> None:
    assert "silence codes do not fit the bottleneck's 3 streams" in refusal(rewrite(saved, silence=silence))


def test_tensors_that_do_not_fit(saved: Path) -> None:
    tensors, metadata = parts(saved)
    name = next(name for name in tensors if name.startswith("encoder"))
    wrong = refusal(rewrite(saved, {name: torch.zeros(3, 3, 3, 3).half()}))
    assert "tensors do not fit the embedded config" in wrong
    assert name in wrong
    extra = refusal(rewrite(saved, {"surplus": torch.zeros(1)}))
    assert "surplus" in extra
    for absent in (name, next(name for name in tensors if name.endswith(".entries"))):
        fewer = saved.with_name("fewer.safetensors")
        save_file({key: value for key, value in tensors.items() if key != absent}, fewer, metadata=metadata)
        assert absent in refusal(fewer)


def test_another_models_config(saved: Path, model: Autoencoder) -> None:
    config = model.config.model_copy(update={"latent_dim": 9})
    assert "tensors do not fit the embedded config" in refusal(rewrite(saved, config=dump_json(config)))


def test_tensor_types_without_a_fingerprint(saved: Path) -> None:
    tensors, _ = parts(saved)
    assert "bfloat16" in refusal(rewrite(saved, {name: tensor.bfloat16() for name, tensor in tensors.items()}))


# ---------------------------------------------------------------------------------------------------- shipped models


def test_shipped_models_go_by_name(saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "MODELS", saved.parent)
    assert registry.shipped_models() == ["tiny"]
    assert registry.find("tiny") == saved
    loaded = checkpoint.load("tiny")
    assert (loaded.name, registry.name_of(loaded.fingerprint)) == ("tiny", "tiny")
    assert registry.name_of("0" * 12) is None
    with pytest.raises(ModelError, match=r"tinny: no such model, and no file; did you mean tiny\?"):
        registry.find("tinny")


@pytest.mark.parametrize(
    ("fingerprint", "name", "commit"),
    [("9ee3f87fea09", "speech-16k", "3a1624f"), ("6ef04329b3e0", "speech-16k-v2", "c84c8f5")],
)
def test_a_model_that_is_shipped_no_more_is_known_by_name_and_by_fingerprint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fingerprint: str, name: str, commit: str
) -> None:
    monkeypatch.setattr(registry, "MODELS", tmp_path)
    assert registry.name_of(fingerprint) == name
    file = f"{name}.safetensors"
    remedy = re.escape(
        f"in a clone of vqaudio's repository, git show {commit}:vqaudio/models/{file} > {file} brings it back; "
        f"then add --model {file}"
    )
    with pytest.raises(ModelError, match=rf"^{name}: is not shipped any more, {DEFAULT_MODEL} replaced it; {remedy}"):
        registry.find(name)
    with pytest.raises(ModelError, match=rf"the model {name} \({fingerprint}\), not shipped any more; {remedy}"):
        registry.find_fingerprint(fingerprint)


def test_the_advice_on_retired_models_is_true(tmp_path: Path) -> None:
    """In a clone that has the project's history; it is decoded by today's code."""
    known = {mark: (retired.commit, retired.file) for mark, retired in registry.RETIRED.items()}
    for mark, (commit, file) in (known | registry.RETIRED_PRIORS).items():
        name = f"{commit}:vqaudio/models/{file}"
        found = subprocess.run(["git", "show", name], cwd=Path(__file__).parents[2], capture_output=True, check=False)
        if found.returncode:
            pytest.skip(f"no history that holds {name}")
        path = tmp_path / Path(file).name
        path.write_bytes(found.stdout)
        assert fingerprint(path) == mark
        assert (checkpoint.load(path) if mark in known else integer.load(path)).fingerprint == mark
