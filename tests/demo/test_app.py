"""The demo without a browser: what it takes and refuses, its API, and that nothing stays behind."""

from __future__ import annotations

import ast
import io
import subprocess
import sys
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from demo_server import ROOT, Served, save_voices, serving
from tools import MODEL, heard, tiny_codec

from vqaudio.registry import DEFAULT_MODEL
from vqaudio.series import MaxError, compress, read_table

pytest.importorskip("gradio", reason="the demo needs gradio: pip install '.[demo]'", exc_type=ImportError)

pytestmark = pytest.mark.filterwarnings("default")  # other people's packages warn as they like

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from demo import guard, recordings, tables


gradio_client = pytest.importorskip("gradio_client")
httpx = pytest.importorskip("httpx")
VOWELS = ROOT / "examples" / "vowels.wav"
ENDPOINTS = {"reconstruct", "measure", "decompress", "sample", "convert", "look", "series", "table"}
STOPS = {f"stop_{name}" for name in ENDPOINTS}


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


def written(path: Path, seconds: float, rate: int = 8000, channels: int = 1, **how: str) -> str:
    soundfile.write(path, np.zeros((round(seconds * rate), channels), np.float32), rate, **how)
    return str(path)


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
    decoded, packed, facts = client.predict(upload(VOWELS), "tiny", 2, api_name="/reconstruct")
    data = Path(packed).read_bytes()
    wav, rate = tiny_codec().decompress(data)
    played, played_rate = heard(Path(decoded))
    assert rate == played_rate
    assert np.max(np.abs(np.clip(wav, -1, 1) - played)) <= 0.5 / 2**15 + 1e-7
    shown = figures(facts)
    assert shown["this file"] == f"{len(data):,} bytes"
    assert shown["16-bit WAV"] == f"{VOWELS.stat().st_size:,} bytes"

    again, facts = client.predict(upload(packed), api_name="/decompress")
    assert Path(again).read_bytes() == Path(decoded).read_bytes()
    assert figures(facts)["file"] == f"{len(data):,} bytes"

    scores = figures(client.predict(upload(VOWELS), upload(VOWELS), api_name="/measure"))
    assert float(scores["STOI"]) > 0.999
    assert float(scores["PESQ-WB"]) > 4.6


def test_a_table_goes_through_the_api(client, tmp_path):
    """The file that is offered is that of the command line, and gives back what is within the bound."""
    path = tmp_path / "greenhouse.csv"
    path.write_text(tables.made_up(), encoding="utf-8")
    original = read_table(io.BytesIO(path.read_bytes()), path.name, suffix=".csv")
    packed, decoded, facts = client.predict(upload(path), 2.0, False, api_name="/series")
    data = Path(packed).read_bytes()
    assert data == compress(original, MaxError(0.02, relative=True))
    assert figures(facts)["this .vq file"] == f"{len(data):,} bytes"
    assert figures(facts)["the table"] == f"{path.stat().st_size:,} bytes"
    found = read_table(io.BytesIO(Path(decoded).read_bytes()), "decoded", suffix=".csv")
    light, read = original.columns[1].values, found.columns[1].values
    assert 0 < np.abs(light - read).max() <= 0.02 * np.ptp(light)

    again, facts = client.predict(upload(packed), api_name="/table")
    assert Path(again).name == "greenhouse.csv"
    assert Path(again).read_bytes() == Path(decoded).read_bytes()
    assert figures(facts)["table"] == "2,016 rows"

    packed, decoded, facts = client.predict(upload(path), 2.0, True, api_name="/series")
    assert Path(decoded).read_bytes() == path.read_bytes()
    assert figures(facts)["largest error"] == "none"


def test_bad_input_is_one_sentence(client, tmp_path):
    (tmp_path / "broken.wav").write_bytes(b"RIFF nonsense")
    (tmp_path / "broken.vq").write_bytes(b"nonsense")
    (tmp_path / "empty.csv").write_text("x\n")
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
        ((upload(tmp_path / "empty.csv"), 1, False), "/series", "empty.csv: "),
        ((upload(tmp_path / "words.csv"), 1, False), "/series", "has no column of numbers"),
        ((upload(tmp_path / "words.csv"), 99, False), "/series", "99"),
        ((upload(VOWELS), 1, False), "/series", ".csv"),
        ((upload(ROOT / "tests" / "golden" / "tiny.vq"),), "/table", "tiny.vq: holds no table"),
        (("digits", "nobody", "", "", 1, 1, 1, 1, 1, 0, None), "/sample", "nobody"),
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
    converted = client.predict(upload(VOWELS), "voices", "bob", api_name="/convert")
    assert heard(Path(converted))[0].shape == heard(VOWELS)[0].shape


def test_a_stereo_recording_is_told_the_rate_of_its_file(client, tmp_path):
    path = written(tmp_path / "wide.wav", 2.0, channels=2)
    _, packed, facts = client.predict(upload(path), "tiny", 4, api_name="/reconstruct")
    size = Path(packed).stat().st_size
    assert {fact["name"]: fact["note"] for fact in facts}["this file"] == f"{8 * size / 2.0 / 1000:.2f} kb/s"


def test_all_codebooks_of_the_largest_model_can_be_asked_for(client):
    most = tiny_codec().n_codebooks
    assert client.predict(upload(VOWELS), "tiny", most, api_name="/reconstruct")
    facts = client.predict(upload(VOWELS), DEFAULT_MODEL, 9, api_name="/look")
    assert 0 < float(figures(facts)["bits per token"]) < 10
    facts = client.predict(upload(VOWELS), "tiny", 1, api_name="/look")
    assert figures(facts)["codes used"].endswith(" of 64")
    assert figures(facts)["bits per token"] == "unknown"  # this model has no prior


@pytest.mark.slow
def test_fifty_callers_at_once_are_all_served(client):
    jobs = [client.submit(upload(VOWELS), "tiny", 1 + number % 4, api_name="/reconstruct") for number in range(50)]
    sizes = [figures(job.result(timeout=240)[2])["this file"] for job in jobs]
    assert sizes == (sizes[:4] * 13)[:50]
    assert len(set(sizes)) == 4


@pytest.mark.slow
def test_new_sound_is_sampled_and_continues_a_recording(client):
    sampled = client.predict(DEFAULT_MODEL, "p225", "", "", 1, 1, 2, 0.9, 0.95, 7, None, api_name="/sample")
    again = client.predict(DEFAULT_MODEL, "p225", "", "", 1, 1, 2, 0.9, 0.95, 7, None, api_name="/sample")
    assert [heard(Path(path))[0].shape for path in sampled] == [(1, 16000)] * 2
    assert all(Path(a).read_bytes() == Path(b).read_bytes() for a, b in zip(sampled, again, strict=True))
    said = [
        client.predict("digits", "jackson", "", text, 1, 4, 1, 0.9, 1, 7, None, api_name="/sample")[0]
        for text in ("seven", "Seven, three four one two!")
    ]
    short, long = (heard(Path(path))[0].shape[1] for path in said)
    assert long > 2 * short > 0
    longer = client.predict(DEFAULT_MODEL, "", "", "", 1, 1, 1, 0.9, 1, 7, upload(VOWELS), api_name="/sample")
    seconds = heard(Path(longer[0]))[0].shape[1] / 16000
    assert seconds == pytest.approx(1 + soundfile.info(VOWELS).duration, abs=0.05)


@pytest.mark.slow
def test_work_waits_its_turn_and_can_be_stopped(client):
    """The second action starts once the first has been stopped, long before that one would have ended."""
    client.predict(DEFAULT_MODEL, "", "", "", 1, 1, 1, 1, 1, 0, None, api_name="/sample")  # the model is loaded
    long = client.submit(DEFAULT_MODEL, "", "", "", 10, 8, 4, 1, 1, 0, None, api_name="/sample")
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
