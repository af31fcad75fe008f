"""The demo without a browser: what it takes and refuses, its API, and that nothing stays behind."""

from __future__ import annotations

import ast
import io
import os
import re
import subprocess
import sys
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import soundfile
from demo_server import ROOT, Served, save_voices, serving
from tools import MODEL, heard, synthetic, tiny_codec

from vqaudio.audio.decoding.ffmpeg import FFmpegReader
from vqaudio.audio.decoding.reader import Block
from vqaudio.errors import AudioError, ModelError, SeriesError, VqaudioError
from vqaudio.registry import DEFAULT_MODEL
from vqaudio.series import MaxError, compress, read_table

pytest.importorskip("gradio", reason="the demo needs gradio: pip install '.[demo]'", exc_type=ImportError)
gradio_client = pytest.importorskip("gradio_client")
httpx = pytest.importorskip("httpx")

pytestmark = pytest.mark.filterwarnings("default")  # other people's packages warn as they like

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import gradio as gr

    from demo import guard, models, outputs, recordings, tables, work

VOWELS = ROOT / "examples" / "vowels.wav"
ENDPOINTS = {"reconstruct", "measure", "decompress", "sample", "convert", "look", "series", "table"}
STOPS = {f"stop_{name}" for name in ENDPOINTS - {"measure"}}


# --------------------------------------------------------------------------------------------------------- the package


def test_the_demo_is_a_thin_layer_over_public_names():
    """It imports no private name, nothing from training, and torch only through ``vqaudio.load``."""
    for path in (ROOT / "demo").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom):
                names = [*str(node.module).split("."), *(alias.name for alias in node.names)]
            elif isinstance(node, ast.Import):
                names = [part for alias in node.names for part in alias.name.split(".")]
            else:
                continue
            assert not {"torch", "training", "matplotlib"} & set(names), path
            assert not [name for name in names if name.startswith("_") and name != "__future__"], path


def test_the_page_is_built_quickly_and_without_torch():
    """In seconds of this process's own, so that other processes do not count."""
    script = (
        "import sys, time\nfrom demo import app\napp.build()\n"
        "assert not {'torch', 'matplotlib', 'scipy'} & set(sys.modules)\nprint(time.process_time())\n"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    assert float(done.stdout) < 8


# ----------------------------------------------------------------------------------------------------------- the parts


def written(path: Path, seconds: float, rate: int = 8000, channels: int = 1, **how: str) -> str:
    soundfile.write(path, np.zeros((round(seconds * rate), channels), np.float32), rate, **how)
    return str(path)


def test_recordings_are_read_whole(tmp_path):
    wav = synthetic(0.5, 22050, channels=2)
    soundfile.write(tmp_path / "a.wav", wav.T, 22050, "FLOAT")
    sound = recordings.read(str(tmp_path / "a.wav"))
    assert np.array_equal(sound.wav, wav)
    assert (sound.name, sound.sample_rate, sound.seconds, sound.wav_bytes) == ("a.wav", 22050, 0.5, 44 + 4 * 11025)
    assert sound.mono(16000).shape == (8000,)


@pytest.mark.parametrize(
    ("name", "seconds", "channels", "sentence"),
    [
        ("long.wav", recordings.MAX_SECONDS + 1, 1, "long.wav: lasts more than the 60 s"),
        ("long.mp3", recordings.MAX_SECONDS + 5, 1, "long.mp3: lasts more than the 60 s"),
        ("wide.wav", 0.1, 3, "wide.wav: has 3 channels"),
    ],
)
def test_what_is_too_large_is_refused_by_name(tmp_path, name, seconds, channels, sentence):
    with pytest.raises(AudioError, match=sentence) as caught:
        recordings.read(written(tmp_path / name, seconds, channels=channels))
    assert str(tmp_path) not in str(caught.value)


@pytest.mark.parametrize("kind", ["wav", "mp3", "flac"])
def test_what_is_too_long_is_not_decoded_to_its_end(tmp_path, monkeypatch, kind):
    """Hours of silence fit into an upload; a FLAC may also leave its length out."""
    path = Path(written(tmp_path / f"a.{kind}", 3 * recordings.MAX_SECONDS))
    if kind == "flac":
        data = bytearray(path.read_bytes())
        data[21] &= 0xF0  # STREAMINFO: 36 bits of length, 0 where it is not known
        data[22:26] = bytes(4)
        path.write_bytes(data)
    decoded = 0
    blocks = FFmpegReader.blocks

    def counting(self: FFmpegReader) -> Iterator[Block]:
        nonlocal decoded
        for rate, block in blocks(self):
            decoded += len(block)
            yield rate, block

    monkeypatch.setattr(FFmpegReader, "blocks", counting)
    with pytest.raises(AudioError, match="lasts more than"):
        recordings.read(str(path))
    assert decoded <= recordings.MAX_SECONDS * 8000 + 2 * 65536


@pytest.mark.parametrize("data", [b"", b"RIFF nonsense", b"\x1a\x45\xdf\xa3 webm", b"text"])
def test_a_broken_recording_is_one_sentence(tmp_path, data):
    (tmp_path / "a.wav").write_bytes(data)
    with pytest.raises(VqaudioError, match=r"^a\.wav: "):
        recordings.read(str(tmp_path / "a.wav"))


def test_no_recording_is_one_sentence():
    with pytest.raises(VqaudioError, match="no recording yet"):
        recordings.read(None)


@pytest.mark.parametrize("name", ["/etc/passwd", "../x", str(MODEL), ""])
def test_models_are_found_by_name_alone(name):
    """Whoever calls must not make the server open files of its own."""
    with pytest.raises(ModelError, match="no such model here; choose one of"):
        models.codec(name)


def test_the_made_up_table_is_always_the_same_and_has_what_tables_have():
    assert tables.made_up() == tables.made_up()
    table = read_table(io.BytesIO(tables.made_up().encode()), "a.csv", suffix=".csv")
    assert [column.dtype for column in table.columns] == ["timestamp[s]", "float64", "float64", "float64", "int64"]
    assert [int((~column.known).sum()) for column in table.columns] == [0, 0, 0, 100, 0]


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("long.csv", "long.csv: has 500,000 rows of 1 columns, and this page takes at most 400,000 cells"),
        ("long.parquet", "long.parquet: has 500,000 rows of 1 columns"),
        ("large.npz", "large.npz: holds 114 MiB once unpacked"),
        ("broken.parquet", "broken.parquet: cannot be read as Parquet"),
        ("broken.npz", "broken.npz: cannot be read as .npz"),
        ("a.wav", "a.wav: is no table by its name"),
    ],
)
def test_tables_that_are_too_large_or_none_are_refused_by_name(tmp_path, name, sentence):
    path = tmp_path / name
    if name == "long.csv":
        path.write_text("1\n" * 500_000)
    elif name == "long.parquet":
        pq.write_table(pa.table({"x": np.zeros(500_000)}), path)
    elif name == "large.npz":
        np.savez_compressed(path, x=np.zeros(15_000_000))
    else:
        path.write_bytes(b"nonsense")
    with pytest.raises(SeriesError, match=re.escape(sentence)) as caught:
        tables.read(str(path))
    assert str(tmp_path) not in str(caught.value)


def test_a_stored_table_that_is_too_large_is_not_decoded(tmp_path):
    """Zeros take next to no bytes, so that a small file can hold very many."""
    path = tmp_path / "zeros.vq"
    np.save(tmp_path / "zeros.npy", np.zeros(500_000, np.int8))
    with (tmp_path / "zeros.npy").open("rb") as file:
        path.write_bytes(compress(read_table(file, "zeros.npy", suffix=".npy")))
    assert path.stat().st_size < 1000
    with pytest.raises(SeriesError, match=r"zeros\.vq: has 500,000 rows"):
        tables.read_stored(str(path))
    with pytest.raises(VqaudioError, match=r"tiny\.vq: holds no table"):
        tables.read_stored(str(ROOT / "tests" / "golden" / "tiny.vq"))


def test_a_stop_reaches_the_visitor_and_the_kind_of_work_that_it_is_for():
    ann, bob = SimpleNamespace(session_hash="ann"), SimpleNamespace(session_hash="bob")
    jobs = [work.Job(kind, who, lambda *_, **__: None) for kind, who in (("a", ann), ("b", ann), ("a", bob))]
    with jobs[0], jobs[1], jobs[2]:
        work.stop("a")(ann)
        assert [job.stopped.is_set() for job in jobs] == [True, False, False]
        with pytest.raises(work.StoppedError):
            jobs[0].step(0.5, "anything")
        jobs[1].step(0.5, "anything")
        work.stop()(ann)
        assert [job.stopped.is_set() for job in jobs] == [True, True, False]
    assert not work._running


def test_failures_are_spoken():
    @work.spoken
    def handler(error: Exception) -> None:
        raise error

    with pytest.raises(gr.Error) as caught:
        handler(VqaudioError("What was found."))
    assert caught.value.message == "What was found."
    with pytest.raises(gr.Error) as caught:
        handler(RuntimeError("secret"))
    assert "secret" not in caught.value.message
    assert handler(work.StoppedError()) == gr.skip()


def test_old_results_go(tmp_path, monkeypatch):
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))
    old, young = outputs.new_folder(), outputs.new_folder()
    (old / "a.wav").write_bytes(b"x")
    past = time.time() - outputs.KEEP_SECONDS - 1
    os.utime(old, (past, past))
    new = outputs.new_folder()
    assert [folder.exists() for folder in (old, young, new)] == [False, True, True]


@pytest.mark.parametrize(
    ("value", "refused"),
    [
        ({"path": "https://example.com/a.wav"}, True),
        ({"data": [1, {"path": " HTTP://example.com/a.wav", "meta": {}}]}, True),
        ({"data": [[{"a": {"path": "ftp://example.com"}}]]}, True),
        ({"data": [{"path": "/tmp/a.wav", "url": "http://127.0.0.1/file=/tmp/a.wav"}]}, False),
        ({"path": 3}, False),
        ("https://example.com", False),
        (None, False),
    ],
)
def test_addresses_in_place_of_files_are_found(value, refused):
    assert guard.names_address(value) == refused


# ------------------------------------------------------------------------------------------------------------- the API


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("demo")
    voices = save_voices(folder / "voices.safetensors")
    with serving(folder / "temporary", "--model", str(MODEL), "--model", str(voices)) as running:
        yield running
    assert not list(running.temporary.glob("vqaudio-demo-*")), "temporary files stayed behind"


@pytest.fixture(scope="module")
def client(served: Served, tmp_path_factory: pytest.TempPathFactory) -> Any:
    return gradio_client.Client(served.url, verbose=False, download_files=tmp_path_factory.mktemp("client"))


def upload(path: Path | str) -> Any:
    return gradio_client.handle_file(str(path))


def refusal(client: Any, *arguments: Any, api_name: str) -> str:
    with pytest.raises(Exception) as caught:  # noqa: PT011 - the client has several
        client.predict(*arguments, api_name=api_name)
    return str(caught.value)


def wait_for(job: Any, state: str) -> None:
    """Until a job is in that state; one that ended before never gets there."""
    end = time.monotonic() + 60
    while job.status().code.name != state:
        assert not job.done()
        assert time.monotonic() < end
        time.sleep(0.02)


def figures(found: list[dict[str, str]]) -> dict[str, str]:
    return {fact["name"]: fact["figure"] for fact in found}


def test_all_actions_are_named_endpoints(client):
    named = client.view_api(return_format="dict", print_info=False)["named_endpoints"]
    assert {name.strip("/") for name in named} == ENDPOINTS | STOPS


def test_a_recording_goes_through_the_api(client):
    """The file that is offered holds the sound that is played, and sizes are those of real files."""
    original, decoded, _, _, facts, _, packed = client.predict(upload(VOWELS), "tiny", 2, api_name="/reconstruct")
    data = Path(packed).read_bytes()
    wav, rate = tiny_codec().decompress(data)
    played, played_rate = heard(Path(decoded))
    assert rate == played_rate
    assert np.max(np.abs(np.clip(wav, -1, 1) - played)) <= 0.5 / 2**15 + 1e-7
    assert np.array_equal(heard(Path(original))[0], heard(VOWELS)[0])
    shown = figures(facts)
    assert shown["this file"] == f"{len(data):,} bytes"
    assert shown["16-bit WAV"] == f"{VOWELS.stat().st_size:,} bytes"

    again, facts = client.predict(upload(packed), api_name="/decompress")
    assert Path(again).read_bytes() == Path(decoded).read_bytes()
    assert figures(facts)["file"] == f"{len(data):,} bytes"

    scores = figures(client.predict(upload(original), upload(original), api_name="/measure"))
    assert float(scores["STOI"]) > 0.999
    assert float(scores["PESQ-WB"]) > 4.6


def test_a_table_goes_through_the_api(client, tmp_path):
    """The file that is offered is that of the command line, and gives back what is within the bound."""
    path = tmp_path / "greenhouse.csv"
    path.write_text(tables.made_up(), encoding="utf-8")
    original = read_table(io.BytesIO(path.read_bytes()), path.name, suffix=".csv")
    facts, picture, packed, decoded = client.predict(upload(path), 2.0, False, api_name="/series")
    data = Path(packed).read_bytes()
    assert data == compress(original, MaxError(0.02, relative=True))
    assert figures(facts)["this .vq file"] == f"{len(data):,} bytes"
    assert figures(facts)["the table"] == f"{path.stat().st_size:,} bytes"
    assert Path(picture).read_bytes().startswith(b"\x89PNG")
    found = read_table(io.BytesIO(Path(decoded).read_bytes()), "decoded", suffix=".csv")
    light, read = original.columns[1].values, found.columns[1].values
    assert 0 < np.abs(light - read).max() <= 0.02 * np.ptp(light)

    again, facts = client.predict(upload(packed), api_name="/table")
    assert Path(again).name == "greenhouse.csv"
    assert Path(again).read_bytes() == Path(decoded).read_bytes()
    assert figures(facts)["table"] == "2,016 rows"

    facts, _, packed, decoded = client.predict(upload(path), 2.0, True, api_name="/series")
    assert Path(decoded).read_bytes() == path.read_bytes()
    assert figures(facts)["largest error"] == "none"


def test_bad_input_is_one_sentence(client, tmp_path):
    (tmp_path / "broken.wav").write_bytes(b"RIFF nonsense")
    (tmp_path / "broken.vq").write_bytes(b"nonsense")
    (tmp_path / "infinite.csv").write_text("x\n1.5\ninf\n")
    (tmp_path / "words.csv").write_text("word\nyes\nno\n")
    long = written(tmp_path / "long.mp3", recordings.MAX_SECONDS + 5)
    for arguments, api_name, sentence in (
        ((upload(tmp_path / "broken.wav"), "tiny", 2), "/reconstruct", "broken.wav: is not a sound file"),
        ((upload(long), "tiny", 2), "/reconstruct", "long.mp3: lasts more than the 60 s"),
        ((None, "tiny", 2), "/reconstruct", "no recording yet"),
        ((upload(VOWELS), "tiny", 5), "/reconstruct", "has 1 to 4"),
        ((upload(VOWELS), "/etc/passwd", 2), "/reconstruct", "not in the list of choices"),
        ((upload(tmp_path / "broken.vq"),), "/decompress", "broken.vq: "),
        ((upload(VOWELS), "voices", "carl"), "/convert", "carl"),
        ((None, 1, False), "/series", "no table yet"),
        ((upload(tmp_path / "infinite.csv"), 1, False), "/series", "row 2 of column 'x' holds inf"),
        ((upload(tmp_path / "words.csv"), 1, False), "/series", "has no column of numbers"),
        ((upload(tmp_path / "words.csv"), 99, False), "/series", "99"),
        ((upload(VOWELS), 1, False), "/series", ".csv"),
        ((upload(ROOT / "tests" / "golden" / "tiny.vq"),), "/table", "tiny.vq: holds no table"),
        (("digits", "nobody", "", 1, 1, 1, 1, 1, 0, None), "/sample", "nobody"),
    ):
        said = refusal(client, *arguments, api_name=api_name)
        assert sentence in said
        assert "Traceback" not in said


def post(served: Served, route: str, *data: Any) -> Any:
    """The server's answer to a bare request: the client would upload local files on its own."""
    body = {"data": data, "fn_index": 0, "session_hash": "x"}
    return httpx.post(f"{served.url}gradio_api/{route}", json=body, timeout=60)


def get(served: Served, route: str) -> Any:
    return httpx.get(f"{served.url}gradio_api/{route}", timeout=60)


def reconstructed(served: Served, path: str) -> str:
    """The events of a call with a path of the server's."""
    given = {"path": path, "meta": {"_type": "gradio.FileData"}}
    event = post(served, "call/reconstruct", given, "tiny", 2).json()["event_id"]
    return str(get(served, f"call/reconstruct/{event}").text)


@pytest.mark.parametrize("path", ["/etc/passwd", "../../../../etc/passwd", str(VOWELS), "LOG"])
def test_no_other_file_of_the_server_is_read(served, path):
    """Not as an input, and not as a download, even where it lies beside the temporary folder."""
    path = path.replace("LOG", str(served.log))
    answer = reconstructed(served, path)
    assert "event: error" in answer
    assert "event: complete" not in answer
    assert get(served, f"file={path}").status_code in (403, 404)  # 404: httpx itself shortens the dots


def test_an_upload_is_read_by_its_path(served, client):
    """Which shows that the requests above are refused for their paths alone."""
    client.predict(upload(VOWELS), "tiny", 2, api_name="/reconstruct")
    (folder,) = served.temporary.glob("vqaudio-demo-*")
    path = next(folder.glob("*/vowels.wav"))
    assert "event: complete" in reconstructed(served, str(path))


@pytest.mark.parametrize("route", ["queue/join", "call/reconstruct", "run/reconstruct"])
def test_an_address_is_refused_before_anything_is_fetched(served, route):
    given = {"path": "https://example.com/a.wav", "meta": {"_type": "gradio.FileData"}}
    answer = post(served, route, given, "tiny", 2)
    assert (answer.status_code, answer.json()["detail"]) == (403, guard.REFUSAL)
    assert get(served, "file=https://example.com/a.wav").status_code == 403


def test_the_queue_cannot_be_passed_by(served):
    assert post(served, "run/reconstruct", None, "tiny", 2).status_code == 404


def test_a_file_that_is_too_large_is_not_taken(served):
    files = {"files": ("large.wav", bytes(recordings.MAX_BYTES + 1))}
    answer = httpx.post(f"{served.url}gradio_api/upload", files=files, timeout=60)
    assert answer.status_code == 413
    assert not list(served.temporary.glob("vqaudio-demo-*/*/large.wav"))


def test_a_voice_is_converted(client):
    original, converted, *pictures = client.predict(upload(VOWELS), "voices", "bob", api_name="/convert")
    assert heard(Path(converted))[0].shape == heard(Path(original))[0].shape
    assert all(Path(picture).read_bytes().startswith(b"\x89PNG") for picture in pictures)


@pytest.mark.slow
def test_a_look_inside(client):
    facts, costs, places, usage = client.predict(upload(VOWELS), "tiny", 1, api_name="/look")
    assert costs is None  # this model has no prior
    assert figures(facts)["codes used"].endswith(" of 64")
    assert all(Path(picture).read_bytes().startswith(b"\x89PNG") for picture in (places, usage))
    facts, costs, _, _ = client.predict(upload(VOWELS), DEFAULT_MODEL, 8, api_name="/look")
    assert 0 < float(figures(facts)["bits per token"]) < 10
    assert Path(costs).read_bytes().startswith(b"\x89PNG")


@pytest.mark.slow
def test_new_sound_is_sampled_and_continues_a_recording(client):
    sampled = client.predict(DEFAULT_MODEL, "p225", "", 1, 1, 2, 0.9, 0.95, 7, None, api_name="/sample")
    again = client.predict(DEFAULT_MODEL, "p225", "", 1, 1, 2, 0.9, 0.95, 7, None, api_name="/sample")
    assert [path is None for path in sampled] == [False, False, True, True]
    assert [heard(Path(path))[0].shape for path in sampled[:2]] == [(1, 16000)] * 2
    assert all(Path(a).read_bytes() == Path(b).read_bytes() for a, b in zip(sampled[:2], again[:2], strict=True))
    digit = client.predict("digits", "jackson", "7", 1, 1, 1, 0.9, 1, 7, None, api_name="/sample")
    assert heard(Path(digit[0]))[0].size
    longer = client.predict(DEFAULT_MODEL, "", "", 1, 1, 1, 0.9, 1, 7, upload(VOWELS), api_name="/sample")
    seconds = heard(Path(longer[0]))[0].shape[1] / 16000
    assert seconds == pytest.approx(1 + soundfile.info(VOWELS).duration, abs=0.05)


@pytest.mark.slow
def test_work_waits_its_turn_and_can_be_stopped(client):
    """The second action starts once the first has been stopped, long before that one would have ended."""
    client.predict(DEFAULT_MODEL, "", "", 1, 1, 1, 1, 1, 0, None, api_name="/sample")  # the model is loaded
    long = client.submit(DEFAULT_MODEL, "", "", 10, 8, 4, 1, 1, 0, None, api_name="/sample")
    wait_for(long, "PROGRESS")
    waiting = client.submit(upload(VOWELS), "tiny", 2, api_name="/reconstruct")
    wait_for(waiting, "IN_QUEUE")
    assert not long.done()
    client.predict(api_name="/stop_sample")
    assert waiting.result(timeout=60)[0].endswith(".wav")
    assert long.done()


@pytest.mark.slow
def test_the_page_can_be_run_as_a_file(tmp_path):
    """As ``gradio demo/app.py`` does, from elsewhere than its folder."""
    with serving(tmp_path, str(ROOT / "demo" / "app.py")) as running:
        client = gradio_client.Client(running.url, verbose=False, download_files=tmp_path / "client")
        named = client.view_api(return_format="dict", print_info=False)["named_endpoints"]
        assert {name.strip("/") for name in named} == ENDPOINTS | STOPS
    assert not list(running.temporary.glob("vqaudio-demo-*"))


def test_models_of_one_name_are_told_apart_by_their_folders(tmp_path, monkeypatch):
    """As ``--model runs/*/model.safetensors`` gives them; and a model that is trained anew is read anew."""
    monkeypatch.setattr(models, "_offered", {})
    monkeypatch.setattr(models, "_loaded", {})
    data = MODEL.read_bytes()
    for name in ("a/model", "b/model", "b/other"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / f"{name}.safetensors").write_bytes(data)
    every = [tmp_path / f"{name}.safetensors" for name in ("a/model", "b/model")]
    models.offer([*every, every[0]])
    assert models.names()[:2] == ["a/model", "b/model"]
    assert [models.path_of(name) for name in ("a/model", "b/model")] == every
    first = models.codec("a/model")
    assert models.codec("a/model") is first
    every[0].write_bytes(data)
    assert models.codec("a/model") is not first

    monkeypatch.setattr(models, "_offered", {})
    models.offer([every[0], tmp_path / "b" / "other.safetensors"])
    assert models.names()[:2] == ["model", "other"]
