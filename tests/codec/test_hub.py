"""Models in folders and on a Hub: what is written there is the same model when it is read."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hub_server import HubServer
from tiny_models import tiny_model
from tools import MODEL, codec_of, synthetic, tiny_codec

import vqaudio
from vqaudio.codec.codec import Codec
from vqaudio.errors import ModelError

RATE = 16000
OURS = "someone/tiny"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    tiny_codec().save_pretrained(tmp_path / "tiny-folder")
    return tmp_path / "tiny-folder"


def answers_at(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """As ``HF_ENDPOINT`` does, which huggingface_hub reads once."""
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", url)
    monkeypatch.setattr(
        "huggingface_hub.constants.HUGGINGFACE_CO_URL_TEMPLATE", url + "/{repo_id}/resolve/{revision}/{filename}"
    )


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[HubServer]:
    """What huggingface_hub takes for the Hub."""
    pytest.importorskip("huggingface_hub", reason="pip install 'vqaudio[hub]'")
    server = HubServer()
    answers_at(server.url, monkeypatch)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.delenv("HF_TOKEN", raising=False)
    yield server
    server.close()


def hold(server: HubServer, folder: Path, repository: str = OURS, branch: str = "main") -> str:
    return server.commit(repository, {path.name: path.read_bytes() for path in folder.iterdir()}, branch)


def same(found: Codec, codec: Codec) -> bool:
    sound = synthetic(0.5, found.sample_rate)
    marks = [(one.name, one.fingerprint, one.silence, one.training) for one in (found, codec)]
    return marks[0] == marks[1] and found.compress(sound, RATE) == codec.compress(sound, RATE)


# ----------------------------------------------------------------------------------------------------------- folders


def test_a_folder_holds_the_model_its_settings_and_a_card(folder):
    assert {path.name for path in folder.iterdir()} == {"config.json", "model.safetensors", "README.md"}
    config = json.loads((folder / "config.json").read_text())
    assert config["model_type"] == "vqaudio"
    assert (config["name"], config["fingerprint"], config["prior"]) == ("tiny", tiny_codec().fingerprint, None)
    assert (config["sampling_rate"], config["frame_rate"], config["hop_length"]) == (RATE, 50.0, 320)
    assert config["codebook_sizes"] == [64] * config["num_quantizers"] == [64] * 4
    assert config["networks"]["sample_rate"] == RATE
    assert (folder / "model.safetensors").read_bytes() == MODEL.read_bytes()


def test_a_folder_is_the_model_that_it_was_written_from(folder):
    found = Codec.from_pretrained(folder)
    assert same(found, tiny_codec())
    found.save_pretrained(folder)
    assert same(Codec.from_pretrained(str(folder)), tiny_codec())


def test_a_card_that_is_there_stays(folder):
    (folder / "README.md").write_text("what I wrote")
    (folder / "model.safetensors").unlink()
    tiny_codec().save_pretrained(folder)
    assert (folder / "README.md").read_text() == "what I wrote"
    assert same(Codec.from_pretrained(folder), tiny_codec())


def test_a_prior_goes_with_the_model(tmp_path):
    codec = vqaudio.load("digits")
    codec.save_pretrained(tmp_path)
    found = Codec.from_pretrained(tmp_path)
    assert found.prior_file == tmp_path / "prior.int8.safetensors"
    assert found.prior.fingerprint == codec.prior.fingerprint
    sound = synthetic(0.5, 8000)
    data = found.compress(sound, 8000, entropy="prior")
    assert data == codec.compress(sound, 8000, entropy="prior")
    assert np.array_equal(found.decompress(data)[0], codec.decompress(data)[0])
    assert Codec.from_pretrained(tmp_path, prior=codec.prior_file).prior_file == codec.prior_file


def test_names_and_files_load_as_ever():
    assert same(Codec.from_pretrained(MODEL), tiny_codec())
    assert Codec.from_pretrained("digits").name == "digits"
    with pytest.raises(ModelError, match="digit: no such model, and no file; did you mean digits"):
        Codec.from_pretrained("digit")


def test_a_folder_needs_nothing_of_the_hub(folder):
    script = (
        "import sys\n"
        "sys.modules['huggingface_hub'] = None\n"
        "import vqaudio\n"
        "codec = vqaudio.Codec.from_pretrained(sys.argv[1])\n"
        "codec.save_pretrained(sys.argv[1])\n"
        "print(codec.name)\n"
        "try:\n"
        "    vqaudio.Codec.from_pretrained('someone/tiny')\n"
        "except vqaudio.VqaudioError as error:\n"
        "    print(error)\n"
        "try:\n"
        "    codec.push_to_hub('someone/tiny')\n"
        "except vqaudio.VqaudioError as error:\n"
        "    print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", script, str(folder)], capture_output=True, text=True, check=True)
    extra = "huggingface_hub is needed: pip install 'vqaudio[hub]'"
    assert done.stdout.splitlines() == [
        "tiny",
        f"someone/tiny: is neither a file nor a folder; to look on the Hub, {extra}",
        f"someone/tiny: to push there, {extra}",
    ]


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ("{", "config.json cannot be read"),
        ("[]", "has the model_type None: it is no model of vqaudio"),
        ('{"model_type": "bert"}', "has the model_type 'bert': it is no model of vqaudio"),
        ('{"model_type": "vqaudio"}', "has None for a name"),
        ('{"model_type": "vqaudio", "name": "a\\nb"}', "for a name, which is none"),
        ('{"model_type": "vqaudio", "name": "tiny", "fingerprint": "12"}', "has '12' for a fingerprint"),
        (
            '{"model_type": "vqaudio", "name": "tiny", "fingerprint": "0123456789ab"}',
            "is of the model 0123456789ab, but",
        ),
    ],
)
def test_a_folder_with_another_config_is_refused(folder, config, said):
    (folder / "config.json").write_text(config)
    with pytest.raises(ModelError, match=said):
        Codec.from_pretrained(folder)


def test_a_folder_without_our_files_is_refused(tmp_path, folder):
    with pytest.raises(ModelError, match=r"holds no config\.json and no model.safetensors, so it is no model"):
        Codec.from_pretrained(tmp_path)
    (folder / "model.safetensors").write_bytes(b"nothing")
    with pytest.raises(ModelError, match="is not a readable safetensors file"):
        Codec.from_pretrained(folder)


def test_what_cannot_be_written_is_one_sentence(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ModelError, match="no folder can be made there"):
        tiny_codec().save_pretrained(tmp_path / "file")
    with pytest.raises(ModelError, match=r"made-here\.safetensors: cannot be read"):
        codec_of(tiny_model()).save_pretrained(tmp_path)
    shutil.copy(MODEL, tmp_path / "mine.safetensors")
    codec = vqaudio.load(tmp_path / "mine.safetensors")
    shutil.copy(vqaudio.registry.find("digits"), tmp_path / "mine.safetensors")
    with pytest.raises(ModelError, match="was replaced by another model since mine was loaded"):
        codec.save_pretrained(tmp_path / "mine")
    assert not (tmp_path / "mine").exists()


# ----------------------------------------------------------------------------------------------------------- the Hub


def test_what_is_pushed_is_what_is_fetched(server, tmp_path):
    codec = vqaudio.load("digits")
    url = codec.push_to_hub(OURS, token="hf_writer", private=True, license="cc-by-4.0")
    (name,) = server.commits[OURS]
    assert url == f"{server.url}/{OURS}/commit/{name}"
    assert set(server.commits[OURS][name]) == {
        "config.json",
        "model.safetensors",
        "prior.int8.safetensors",
        "README.md",
    }
    assert b"license: cc-by-4.0" in server.commits[OURS][name]["README.md"]
    found = Codec.from_pretrained(OURS, cache_dir=tmp_path)
    assert same(found, codec)
    assert found.prior.fingerprint == codec.prior.fingerprint
    assert found.prior_file.is_relative_to(tmp_path)


def test_a_card_on_the_hub_stays_when_the_model_is_pushed_again(server):
    server.commit(OURS, {"README.md": b"what I wrote", "model.safetensors": b"before"})
    tiny_codec().push_to_hub(OURS, token="hf_writer")
    held = server.commits[OURS][server.names[OURS]["main"]]
    assert held["README.md"] == b"what I wrote"
    assert held["model.safetensors"] == MODEL.read_bytes()


def test_a_revision_and_a_token_are_passed_on(server, folder, tmp_path):
    commit = hold(server, folder, branch="old")
    server.commit(OURS, {"config.json": b"{}"})
    assert same(Codec.from_pretrained(OURS, revision="old", token="hf_reader", cache_dir=tmp_path), tiny_codec())
    assert {token for _, token in server.asked} == {"Bearer hf_reader"}
    assert [what for what, _ in server.asked if what.startswith("GET")] == [
        f"GET /{OURS}/resolve/old/config.json",
        f"GET /{OURS}/resolve/{commit}/model.safetensors",
    ]
    with pytest.raises(ModelError, match="and on the Hub it has no revision 'new': name a branch"):
        Codec.from_pretrained(OURS, revision="new", cache_dir=tmp_path)


def test_what_was_fetched_is_there_without_a_network(server, folder, tmp_path, monkeypatch):
    hold(server, folder)
    Codec.from_pretrained(OURS, cache_dir=tmp_path)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    asked = len(server.asked)
    assert same(Codec.from_pretrained(OURS, cache_dir=tmp_path), tiny_codec())
    assert len(server.asked) == asked
    with pytest.raises(
        ModelError,
        match=r"someone/else: .*on the Hub nothing can be reached now",
    ):
        Codec.from_pretrained("someone/else", cache_dir=tmp_path)


def test_what_the_hub_does_not_have_is_one_sentence(server, folder, tmp_path):
    server.gated.add("someone/shy")
    server.commit("someone/bert", {"config.json": b'{"model_type": "bert"}', "model.safetensors": b"far too much"})
    server.commit("someone/empty", {"README.md": b""})
    server.commit("someone/half", {"config.json": (folder / "config.json").read_bytes()})
    for name, said in (
        ("none", "on the Hub there is no such repository, or it is private"),
        ("shy", "on the Hub it asks for consent"),
        ("bert", "has the model_type 'bert': it is no model of vqaudio"),
        ("empty", "on the Hub it lacks config.json or model.safetensors, so it is no model of vqaudio"),
        ("half", "on the Hub it lacks config.json or model.safetensors, so it is no model of vqaudio"),
    ):
        with pytest.raises(ModelError, match=said) as caught:
            Codec.from_pretrained(f"someone/{name}", cache_dir=tmp_path)
        assert "\n" not in str(caught.value)
    assert not [what for what, _ in server.asked if what.startswith("GET /someone/bert/resolve/main/model")]


def test_without_a_network_one_sentence_says_so(server, tmp_path, monkeypatch):
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        answers_at(f"http://127.0.0.1:{closed.getsockname()[1]}", monkeypatch)
        monkeypatch.setattr("time.sleep", lambda seconds: None)  # between tries
        with pytest.raises(ModelError, match="on the Hub nothing can be reached now, nor was it fetched before"):
            Codec.from_pretrained(OURS, cache_dir=tmp_path)
        with pytest.raises(ModelError, match="on the Hub this failed: "):
            tiny_codec().push_to_hub(OURS, token="hf_writer")


def test_one_may_not_write_everywhere(server):
    with pytest.raises(ModelError, match="someone/tiny: on the Hub this is not allowed: log in") as caught:
        tiny_codec().push_to_hub(OURS, token="hf_reader")
    assert "\n" not in str(caught.value)
    with pytest.raises(ModelError, match="on the Hub this failed: "):
        tiny_codec().push_to_hub("no/name/at all", token="hf_writer")
