"""Models that are not shipped any more: what a checkout keeps of them plays their files, and makes no new ones."""

from __future__ import annotations

import io
import json
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from recipe_scripts import script
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from tiny_models import HOP, RATE, sound, tiny_model
from tools import GOLDEN, MODEL, heard, one_line, reader, tiny_codec

import vqaudio
from vqaudio import compress, decompress, info, registry
from vqaudio.cli import facts
from vqaudio.codec.opened import open_vq
from vqaudio.errors import ModelError
from vqaudio.model import checkpoint
from vqaudio.models import main as list_models
from vqaudio.prior import entropy
from vqaudio.registry import Retired, decoder_of, fingerprint

sys.path.insert(0, str(GOLDEN))
from make_release import EVERY, RELEASES

KEPT, PRIORS = registry.LEGACY, entropy.PRIORS
OLD = "speech-16k-v3"
SHIPPED = RELEASES / "0.6.0" / "prior.vq"
SPEECH = sorted(set(RELEASES.glob("*/prior.vq")) - {SHIPPED})


@pytest.fixture
def shipped(tmp_path, monkeypatch) -> Path:
    """The package's folder of models, with none but ``new``, which is the default; no folder ``legacy`` beside it."""
    folder = tmp_path / "models"
    (folder / "priors").mkdir(parents=True)
    checkpoint.save(tiny_model(), folder / "new.safetensors")
    monkeypatch.setattr(registry, "MODELS", folder)
    monkeypatch.setattr(registry, "LEGACY", tmp_path / "nowhere")
    monkeypatch.setattr(registry, "DEFAULT_MODEL", "new")
    monkeypatch.setattr(facts, "MODELS", folder)
    monkeypatch.setattr(entropy, "LEGACY", tmp_path / "nowhere")
    monkeypatch.setattr(entropy, "PRIORS", folder / "priors")
    monkeypatch.chdir(tmp_path)
    return folder


def in_a_checkout(monkeypatch, folder: Path = KEPT) -> Path:
    monkeypatch.setattr(registry, "LEGACY", folder)
    monkeypatch.setattr(entropy, "LEGACY", folder)
    return folder


@pytest.fixture
def kept() -> Path:
    """The checkout's folder ``legacy``, which a source distribution has not."""
    if not (KEPT / f"{OLD}.safetensors").is_file():
        pytest.skip(f"no {KEPT}: it is part of checkouts alone")
    return KEPT


def prior_for(codes: str, folder: Path, name: str) -> Path:
    """A file that passes for an integer prior as long as nobody decodes by it, and one that passes for its network."""
    save_file({"weights": torch.ones(2)}, folder / f"{name}.safetensors")
    path = folder / f"{name}.int8.safetensors"
    save_file({"weights": torch.zeros(2)}, path, metadata={"config": json.dumps({"codec": codes})})
    return path


@pytest.fixture
def old(shipped, monkeypatch) -> Path:
    """The golden model, retired: all of it stands in ``legacy`` but its encoder."""
    mark = tiny_codec().fingerprint
    monkeypatch.setitem(registry.RETIRED, mark, Retired("old", "0123abc", "new", is_kept=True))
    folder = in_a_checkout(monkeypatch, shipped.parent / "legacy")
    folder.mkdir()
    source = checkpoint.load(MODEL)
    path = folder / "old.safetensors"
    checkpoint.save(
        checkpoint.without_encoder(source), path, training=source.training, codes_of=source, decoder_version=1
    )
    return path


# -------------------------------------------------------------------------------------------- files of earlier releases


def plays_as_it_did(file: Path) -> None:
    assert decompress.main([str(file), "out.wav", "--subtype", "FLOAT"]) == 0
    with np.load(file.with_suffix(".npz"), allow_pickle=False) as arrays:
        expected = arrays["samples"]
    wav, rate = heard(Path("out.wav"))
    assert (wav.shape, rate) == ((1, 47200), 16000)
    np.testing.assert_allclose(wav[:, ::EVERY], expected, atol=1e-3)
    assert expected.std() > 0.03


@pytest.mark.parametrize("file", SPEECH, ids=lambda path: path.parent.name)
def test_files_of_earlier_releases_play_in_a_checkout(file, shipped, kept, monkeypatch):
    in_a_checkout(monkeypatch)
    plays_as_it_did(file)


def test_a_file_of_the_shipped_model_plays(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    codes = registry.fingerprint(registry.find(registry.DEFAULT_MODEL))
    assert reader(SHIPPED.read_bytes()).header.codec == codes
    plays_as_it_did(SHIPPED)


@pytest.mark.parametrize("file", SPEECH, ids=lambda path: path.parent.name)
def test_an_installed_package_says_what_such_a_file_needs_and_takes_it(file, shipped, kept, capsys):
    given = ["--model", f"legacy/{OLD}.safetensors", "--prior", f"legacy/priors/{OLD}.int8.safetensors"]
    assert decompress.main([str(file), "out.wav"]) == 1
    assert one_line(
        capsys,
        f"error: {file}: was written by the model {OLD} (22df6220d6a5), not shipped any more; a checkout of vqaudio's "
        "repository ",
        " ".join(given),
    )
    assert info.main([str(file), "--json"]) == 1
    facts = json.loads(capsys.readouterr().out)
    assert (facts["model"], facts["decoder_fingerprint"]) == (OLD, None)
    assert facts["unchecked"].endswith(f"and so does {' '.join(given[2:])} from there")
    Path("legacy").symlink_to(kept)
    assert decompress.main([str(file), "out.wav", *given]) == 0


def test_what_is_kept_of_a_model_has_its_codes_its_prior_and_its_decoder(kept):
    mark, model = next((mark, model) for mark, model in registry.RETIRED.items() if model.name == OLD)
    path = kept / f"{OLD}.safetensors"
    assert (fingerprint(path), model.is_kept) == (mark, True)
    assert decoder_of(path) == registry.Decoder(1, "c6a7da3bc23a")
    for mark, file in registry.KEPT_PRIORS.items():
        assert fingerprint(kept / file) == mark
    if OLD in registry.shipped_models():
        assert decoder_of(registry.find(OLD)).fingerprint == decoder_of(path).fingerprint
        assert registry.find(OLD).parent == registry.MODELS
        assert registry.legacy_models() == []


# -------------------------------------------------------------------------------------------------------- what is kept


def test_it_decodes_as_the_whole_model_does(old):
    data = tiny_codec().compress(sound(2 * RATE, 2), RATE)
    codec = vqaudio.load("old")
    assert codec.fingerprint == tiny_codec().fingerprint
    assert np.array_equal(codec.decompress(data)[0], tiny_codec().decompress(data)[0])
    assert not [name for name in load_file(old) if name.startswith("encoder.")]
    Path("x.vq").write_bytes(data)
    assert decompress.main(["x.vq", "x.wav"]) == 0


def test_the_whole_model_comes_before_what_is_kept_of_it(old, shipped):
    assert registry.find("old") == old
    assert registry.legacy_models() == ["old"]
    shutil.copy(MODEL, shipped / "old.safetensors")
    assert registry.find("old") == registry.find_fingerprint(tiny_codec().fingerprint) == shipped / "old.safetensors"
    assert registry.legacy_models() == []
    assert vqaudio.load("old").encode(sound(4000), RATE).streams


def test_files_that_nobody_kept_are_no_models(old):
    """Where the package is installed, a folder of that name beside it may be somebody else's."""
    shutil.copy(MODEL, old.with_name("stranger.safetensors"))
    assert registry.legacy_models() == ["old"]
    with pytest.raises(ModelError, match="stranger: no such model"):
        registry.find("stranger")


def test_a_name_that_is_not_shipped_any_more_says_what_to_do(old):
    old.unlink()
    message = (
        r"^old: is not shipped any more, new replaced it; a checkout .* --model legacy/old.safetensors from there$"
    )
    with pytest.raises(ModelError, match=message):
        registry.find("old")


def test_lists_say_that_it_decodes_only(old, shipped, capsys):
    (shipped / "new.md").write_text("# new\n\nSomething to test with: nothing else.\n")
    old.with_suffix(".md").write_text("# old\n\nSomething that was: nothing else.\n")
    assert list_models([]) == 0
    line = next(line for line in capsys.readouterr().out.splitlines() if line.startswith("old "))
    assert f"  1 {decoder_of(old).fingerprint}  " in line
    assert line.endswith("decodes only, its files are still about")
    assert list_models(["--json"]) == 0
    assert {one["name"]: one["decode_only"] for one in json.loads(capsys.readouterr().out)} == {
        "new": False,
        "old": True,
    }
    assert info.main(["old"]) == 0
    assert "decode only          yes" in capsys.readouterr().out.splitlines()


# --------------------------------------------------------------------------------------------------------- no new files


REFUSAL = "old decodes only, its encoder is not here: use new; or, in a clone of vqaudio's repository, git show "


@pytest.mark.parametrize(
    "ask",
    [
        lambda codec: codec.encode(sound(4000), RATE),
        lambda codec: codec.compress(sound(4000), RATE),
        lambda codec: codec.score(vqaudio.codec.codec.ArraySource(sound(4000), RATE)),
        lambda codec: codec.model.encoder(sound(HOP)),
    ],
)
def test_it_does_not_encode(old, ask):
    with pytest.raises(ModelError, match=r"decodes only, its encoder is not here: use "):
        ask(vqaudio.load("old"))


def test_commands_that_encode_refuse_it_at_once(old, capfdbinary):
    from vqaudio import convert, evaluate, tokenize

    Path("in").mkdir()
    for name in ("a", "b"):
        soundfile.write(f"in/{name}.wav", sound(RATE)[0], RATE)
    chosen = ["--model", "old"]
    for command, arguments in (
        (compress.main, ["in", "--out-dir", "out"]),
        (compress.main, ["in/a.wav", "-"]),
        (convert.main, ["in/a.wav", "x.wav", "--speaker", "ann"]),
        (tokenize.main, ["in", "tokens"]),
        (evaluate.main, ["in", "--peers", "none"]),
    ):
        assert command([*arguments, *chosen]) == 1
        said = capfdbinary.readouterr()
        *_, line = said.err.decode().splitlines()
        assert line.startswith(f"error: {REFUSAL}"), line
        assert said.err.count(b"decodes only") == 1
        assert not said.out
    assert {path.name for path in Path().iterdir()} <= {"in", "models", "legacy", "out"}
    assert not list(Path().glob("out/*"))


def test_training_does_not_begin_at_it(old, tmp_path):
    from tiny_runs import toy_config

    from vqaudio.training.codec import CodecTask

    message = r"^init_from: old decodes only, and there is no encoder to start from: use new; or, .* init_from=old\.s"
    with pytest.raises(ModelError, match=message):
        CodecTask(toy_config(tmp_path, init_from="old"), progress=False)


def test_a_file_that_lost_its_encoder_is_damaged(old, tmp_path):
    with safe_open(old, framework="pt") as file:
        metadata = dict(file.metadata())
    del metadata["decode_only"]
    for tensors, told in ((load_file(old), metadata), (load_file(MODEL), metadata | {"decode_only": "true"})):
        save_file(tensors, tmp_path / "x.safetensors", metadata=told)
        with pytest.raises(ModelError, match=r"tensors do not fit the embedded config .*encoder"):
            checkpoint.load(tmp_path / "x.safetensors")


# ----------------------------------------------------------------------------------------------- shipping and retiring


def test_a_model_is_shipped_and_a_better_decoder_counts_as_its_next_version(shipped, tmp_path, capsys):
    ship = script("ship.py")
    run = tmp_path / "run.safetensors"
    checkpoint.save(tiny_model(seed=1), run)
    assert ship.main([str(run), "mine"]) == 0
    assert "decoder 1 " in capsys.readouterr().out
    mine, codes = shipped / "mine.safetensors", checkpoint.load(run)
    for version, seed in ((2, 5), (2, 5), (3, 6)):  # the same decoder once more is no new version
        model = tiny_model(seed=1)
        model.decoder = tiny_model(seed=seed).decoder
        checkpoint.save(model, run, training={"steps": seed}, codes_of=codes)
        assert ship.main([str(run), "mine"]) == 0
        assert (decoder_of(mine).version, fingerprint(mine)) == (version, codes.fingerprint)
        assert checkpoint.load(mine).training == {"steps": seed}
    assert not list(entropy.PRIORS.iterdir())
    prior = prior_for(codes.fingerprint, tmp_path, "model")
    assert ship.main([str(run), "mine", "--prior", str(prior)]) == 0
    for kind in ("", ".int8"):
        copied = entropy.PRIORS / f"mine{kind}.safetensors"
        assert copied.read_bytes() == prior.with_name(f"model{kind}.safetensors").read_bytes()
    capsys.readouterr()
    checkpoint.save(tiny_model(seed=2), run)
    before = mine.read_bytes()
    assert ship.main([str(run), "mine"]) == 1
    assert one_line(capsys, f"error: {run}: makes the codes ", "ship it under a new name")
    assert mine.read_bytes() == before


def test_what_cannot_be_shipped(old, shipped, tmp_path, capsys):
    ship = script("ship.py")
    assert ship.main([str(old), "mine"]) == 1
    assert one_line(capsys, f"error: {old}: decodes only")
    prior = next(PRIORS.glob("*.int8.safetensors"))
    assert ship.main([str(MODEL), "mine", "--prior", str(prior)]) == 1
    assert one_line(capsys, f"error: {prior}: knows the codes of ")
    lone = prior_for(tiny_codec().fingerprint, tmp_path, "lone")
    lone.with_name("lone.safetensors").unlink()
    assert ship.main([str(MODEL), "mine", "--prior", str(lone)]) == 1
    assert one_line(capsys, f"error: {tmp_path / 'lone.safetensors'}: the network of lone.int8.safetensors ")
    assert not (shipped / "mine.safetensors").exists()


def test_a_model_is_retired_once_the_registry_knows_it(shipped, monkeypatch, capsys):
    retire = script("retire.py")
    shutil.copy(MODEL, shipped / "old.safetensors")
    (shipped / "old.md").write_text("# old\n")
    folder = in_a_checkout(monkeypatch, shipped.parent / "legacy")
    mark = tiny_codec().fingerprint
    prior = fingerprint(prior_for(mark, shipped / "priors", "old"))
    monkeypatch.setattr(retire, "last_commit", lambda path: "0123abc")
    assert retire.main(["old"]) == 1
    lines = (
        f'in RETIRED: "{mark}": Retired("old", "0123abc", DEFAULT_MODEL, is_kept=True), '
        f'and in KEPT_PRIORS: "{prior}": "priors/old.int8.safetensors"'
    )
    assert one_line(capsys, "error: old: add to vqaudio/registry.py, ", lines)
    assert retire.main(["new"]) == 1
    assert one_line(capsys, "error: new: is the default")
    assert not folder.exists()
    monkeypatch.setitem(registry.RETIRED, mark, Retired("old", "0123abc", "new", is_kept=True))
    monkeypatch.setitem(registry.KEPT_PRIORS, prior, "priors/old.int8.safetensors")
    data = tiny_codec().compress(sound(4000), RATE, entropy="none")  # it is shared, and must not find this prior
    expected = vqaudio.load("old").decompress(data)[0]
    assert retire.main(["old"]) == 0
    assert {path.name for path in shipped.iterdir()} == {"new.safetensors", "priors"}
    assert not list((shipped / "priors").iterdir())
    again = (folder / "old.safetensors").read_bytes()
    shutil.copy(MODEL, shipped / "old.safetensors")
    shutil.copy(folder / "old.md", shipped)
    assert retire.main(["old"]) == 0
    assert (folder / "old.safetensors").read_bytes() == again  # what is there and right is left alone
    assert {path.name for path in folder.iterdir()} == {"old.safetensors", "old.md", "priors"}
    assert vqaudio.load("old").prior_file == folder / "priors" / "old.int8.safetensors"
    assert np.array_equal(vqaudio.load("old").decompress(data)[0], expected)


def test_a_model_may_leave_its_name_to_its_successor(shipped, monkeypatch, capsys):
    retire = script("retire.py")
    shutil.copy(MODEL, shipped / "mine.safetensors")
    folder = in_a_checkout(monkeypatch, shipped.parent / "legacy")
    mark = tiny_codec().fingerprint
    monkeypatch.setattr(retire, "last_commit", lambda path: "0123abc")
    wanted = Retired("mine-v1", "0123abc", "mine", is_kept=True, shipped_as="mine")
    assert retire.main(["mine", "--as", "mine-v1"]) == 1
    line = f'in RETIRED: "{mark}": Retired("mine-v1", "0123abc", "mine", is_kept=True, shipped_as="mine")'
    assert one_line(capsys, "error: mine: add to vqaudio/registry.py, ", line)
    monkeypatch.setitem(registry.RETIRED, mark, wanted)
    assert retire.main(["mine", "--as", "mine-v1"]) == 0
    data = tiny_codec().compress(sound(4000), RATE)
    shutil.copy(shipped / "new.safetensors", shipped / "mine.safetensors")
    assert registry.find("mine").parent == shipped
    assert registry.find_fingerprint(mark) == folder / "mine-v1.safetensors"
    Path("x.vq").write_bytes(data)
    assert decompress.main(["x.vq", "x.wav"]) == 0
    assert "git show 0123abc:vqaudio/models/mine.safetensors > mine.safetensors" in registry.encoder_remedy(mark)
    (folder / "mine-v1.safetensors").unlink()
    with pytest.raises(ModelError, match=r"^mine-v1: is not shipped any more, mine replaced it; a checkout "):
        registry.find("mine-v1")


def test_the_demo_plays_files_of_models_that_are_kept(old):
    pytest.importorskip("gradio", reason="the demo needs gradio: pip install '.[demo]'", exc_type=ImportError)
    from demo import models as offered

    data = tiny_codec().compress(sound(4000), RATE)
    assert "old" not in offered.names()
    with open_vq(io.BytesIO(data), name="x.vq") as stored:
        assert offered.codec_of(stored).fingerprint == tiny_codec().fingerprint
    with pytest.raises(ModelError, match="old: no such model here"):
        offered.codec("old")
