"""The command that writes ONNX files, and the two examples that decode with them."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import soundfile
from tiny_models import sound
from tiny_networks import spectral, stored

import vqaudio
from vqaudio.audio.source import Window
from vqaudio.config.bottleneck import HierarchicalConfig
from vqaudio.export import main
from vqaudio.inference.base import Floats
from vqaudio.model import checkpoint
from vqaudio.registry import DEFAULT_MODEL

EXAMPLES = Path(__file__).parents[1] / "examples"
FILES = {"config.json", "decoder.onnx", "encoder.onnx"}


def test_files_are_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model, out = stored(spectral(), tmp_path), tmp_path / "new" / "onnx"
    assert main([str(model), str(out)]) == 0
    assert {path.name for path in out.iterdir()} == FILES
    assert [line.split(":")[0] for line in capsys.readouterr().out.splitlines()] == [
        str(out / name) for name in ("decoder.onnx", "encoder.onnx", "config.json")
    ]
    facts = json.loads((out / "config.json").read_text("utf-8"))
    codec = vqaudio.load(model)
    assert (facts["fingerprint"], facts["sample_rate"]) == (codec.fingerprint, codec.sample_rate)
    for name in ("decoder.onnx", "encoder.onnx"):
        session = onnxruntime.InferenceSession(out / name, providers=["CPUExecutionProvider"])
        assert session.get_modelmeta().custom_metadata_map["fingerprint"] == codec.fingerprint


def test_what_is_there_stays_unless_forced(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model, out = stored(spectral(), tmp_path), tmp_path / "onnx"
    out.mkdir()
    (out / "config.json").write_text("mine", "utf-8")
    assert main([str(model), str(out)]) == 1
    assert "config.json: exists already; add --force" in capsys.readouterr().err
    assert [path.name for path in out.iterdir()] == ["config.json"]
    assert main([str(model), str(out), "--force", "--quiet"]) == 0
    assert capsys.readouterr().out == ""
    assert {path.name for path in out.iterdir()} == FILES


def test_a_model_that_decodes_only_has_no_encoder(tmp_path: Path) -> None:
    whole = checkpoint.load(stored(spectral(), tmp_path))
    checkpoint.save(checkpoint.without_encoder(whole), tmp_path / "decoder.safetensors", codes_of=whole)
    assert main([str(tmp_path / "decoder.safetensors"), str(tmp_path / "onnx"), "--quiet"]) == 0
    assert {path.name for path in (tmp_path / "onnx").iterdir()} == FILES - {"encoder.onnx"}


def test_refusals_are_one_sentence_and_leave_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    hierarchy = stored(spectral(bottleneck=HierarchicalConfig(codebook_size=8)), tmp_path)
    for model, reason in ((hierarchy, "codes that stand for several frames"), ("speech-99k", "no such model")):
        assert main([str(model), str(tmp_path / "onnx")]) == 1
        said = capsys.readouterr().err
        assert said.startswith("error: ")
        assert reason in said
        assert said.count("\n") == 1
    assert not (tmp_path / "onnx").exists()


def test_the_prior_of_a_shipped_model(tmp_path: Path) -> None:
    assert main(["digits", str(tmp_path), "--quiet"]) == 0
    assert {path.name for path in tmp_path.iterdir()} == FILES | {"prior.onnx"}
    facts = json.loads((tmp_path / "config.json").read_text("utf-8"))
    session = onnxruntime.InferenceSession(tmp_path / "prior.onnx", providers=["CPUExecutionProvider"])
    assert session.get_modelmeta().custom_metadata_map["prior"] == facts["prior"]["fingerprint"]
    assert session.get_inputs()[1].shape[1:] == facts["prior"]["state"]


# ------------------------------------------------------------------------------------------------------- examples


def written(folder: Path, model: str | Path, n_samples: int) -> tuple[Window, Path, Path]:
    """What the codec decodes, and for the examples its ONNX files, and its codes as docs/onnx.md says."""
    codec = vqaudio.load(model)
    found = codec.encode(sound(n_samples, rate=codec.sample_rate), codec.sample_rate, with_margin=False)
    assert not found.levels
    codes = {"fingerprint": codec.fingerprint, "codes": [stream[0].tolist() for stream in found.streams]}
    (folder / "codes.json").write_text(json.dumps(codes), "utf-8")
    assert main([str(model), str(folder / "onnx"), "--quiet"]) == 0
    return codec.decode(found), folder / "onnx", folder / "codes.json"


def runs(*command: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=120, check=False)


def check(path: Path, expected: Floats) -> None:
    """Within two steps of 16 bits of what the codec decodes."""
    found, _ = soundfile.read(path, dtype="float32")
    assert len(found) - expected.shape[1] >= 0
    np.testing.assert_allclose(found[: expected.shape[1]], np.clip(expected[0], -1, 1), atol=2 / 32768)


@pytest.mark.parametrize("speakers", [(), ("ann",)])
def test_the_python_example(tmp_path: Path, speakers: tuple[str, ...]) -> None:
    expected, folder, codes = written(tmp_path, stored(spectral(speakers=speakers), tmp_path), 5000)
    done = runs(sys.executable, EXAMPLES / "onnx_decode.py", folder, codes, tmp_path / "out.wav")
    assert (done.returncode, done.stderr) == (0, "")
    check(tmp_path / "out.wav", expected)


def test_the_python_example_needs_no_more_than_it_says() -> None:
    lines = (EXAMPLES / "onnx_decode.py").read_text("utf-8").splitlines()
    imported = {line.split()[1] for line in lines if line.startswith(("import ", "from "))}
    assert imported == {"json", "sys", "pathlib", "numpy", "onnxruntime", "soundfile"}


def test_the_python_example_refuses_files_of_two_models(tmp_path: Path) -> None:
    _, folder, codes = written(tmp_path, stored(spectral(), tmp_path), 1000)
    codes.write_text(json.dumps(json.loads(codes.read_text("utf-8")) | {"fingerprint": "0" * 12}), "utf-8")
    done = runs(sys.executable, EXAMPLES / "onnx_decode.py", folder, codes, tmp_path / "out.wav")
    assert done.returncode == 1
    assert done.stderr.startswith("error: codes.json is of model 000000000000, and decoder.onnx of ")
    assert done.stderr.count("\n") == 1
    assert not (tmp_path / "out.wav").exists()


@pytest.fixture
def script(tmp_path: Path) -> Path:
    """The example for Node, beside the packages that it imports."""
    folders = map(Path, os.environ.get("NODE_PATH", "node_modules").split(os.pathsep))
    packages = next((folder for folder in folders if (folder / "onnxruntime-node").is_dir()), None)
    if shutil.which("node") is None or packages is None:
        pytest.skip("needs node, and NODE_PATH at a folder of packages with onnxruntime-node (npm install it)")
    (tmp_path / "node_modules").symlink_to(packages.resolve(), target_is_directory=True)
    return Path(shutil.copy(EXAMPLES / "onnx_decode.mjs", tmp_path))


@pytest.mark.slow
@pytest.mark.parametrize("speakers", [(), ("ann",)])
def test_the_javascript_example(tmp_path: Path, speakers: tuple[str, ...], script: Path) -> None:
    expected, folder, codes = written(tmp_path, stored(spectral(speakers=speakers), tmp_path), 5000)
    done = runs("node", script, folder, codes, tmp_path / "out.wav")
    assert (done.returncode, done.stderr) == (0, "")
    check(tmp_path / "out.wav", expected)


@pytest.mark.slow
def test_both_examples_with_the_default_model(tmp_path: Path, script: Path) -> None:
    expected, folder, codes = written(tmp_path, DEFAULT_MODEL, 100_000)
    for command in ((sys.executable, EXAMPLES / "onnx_decode.py"), ("node", script)):
        done = runs(*command, folder, codes, tmp_path / "out.wav")
        assert (done.returncode, done.stderr) == (0, "")
        check(tmp_path / "out.wav", expected)


@pytest.mark.slow
def test_the_javascript_example_refuses_files_of_two_models(tmp_path: Path, script: Path) -> None:
    _, folder, codes = written(tmp_path, stored(spectral(), tmp_path), 1000)
    codes.write_text(json.dumps(json.loads(codes.read_text("utf-8")) | {"fingerprint": "0" * 12}), "utf-8")
    done = runs("node", script, folder, codes, tmp_path / "out.wav")
    assert done.returncode == 1
    assert "is of model 000000000000" in done.stderr
    assert done.stderr.count("\n") == 1
    assert not (tmp_path / "out.wav").exists()


@pytest.mark.slow
def test_the_example_that_samples(tmp_path: Path) -> None:
    assert main(["digits", str(tmp_path), "--quiet"]) == 0
    found = {}
    for name, seed in (("one", 1), ("again", 1), ("other", 2)):  # a seed: now and then what is drawn is silence
        done = runs(
            sys.executable, EXAMPLES / "onnx_sample.py", tmp_path, tmp_path / f"{name}.wav", 1.5, "jackson", seed
        )
        assert (done.returncode, done.stderr) == (0, "")
        found[name], rate = soundfile.read(tmp_path / f"{name}.wav")
        assert (len(found[name]), rate) == (12000, 8000)
        assert 0.001 < np.abs(found[name]).max() <= 1
    assert (found["one"] == found["again"]).all()
    assert (found["one"] != found["other"]).any()


@pytest.mark.slow
def test_the_example_that_samples_needs_a_prior_and_its_labels(tmp_path: Path) -> None:
    assert main([str(stored(spectral(), tmp_path)), str(tmp_path / "none"), "--quiet"]) == 0
    assert main(["digits", str(tmp_path / "digits"), "--quiet"]) == 0
    for folder, label, what in (("none", (), "its codes"), ("digits", (1, "nobody"), "nobody")):
        done = runs(sys.executable, EXAMPLES / "onnx_sample.py", tmp_path / folder, tmp_path / "out.wav", *label)
        assert done.returncode == 1
        assert done.stderr.startswith(f"error: {tmp_path / folder} has no prior that knows {what}: ")
        assert not (tmp_path / "out.wav").exists()


@pytest.mark.slow
def test_the_example_that_samples_refuses_files_of_two_models(tmp_path: Path) -> None:
    assert main([str(stored(spectral(), tmp_path)), str(tmp_path / "other"), "--quiet"]) == 0
    assert main(["digits", str(tmp_path / "digits"), "--quiet"]) == 0
    shutil.copy(tmp_path / "other" / "decoder.onnx", tmp_path / "digits")
    done = runs(sys.executable, EXAMPLES / "onnx_sample.py", tmp_path / "digits", tmp_path / "out.wav")
    assert done.returncode == 1
    assert re.fullmatch(r"error: prior.onnx is of model \w{12}, and decoder.onnx of \w{12}: [^\n]+\n", done.stderr)
