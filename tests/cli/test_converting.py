"""Files converted by other processes, here or on a cluster: the same outputs, reports and statuses as one by one."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from compressing import compress, listing, spoken
from shouting import Shouting
from tiny_models import tiny_model
from tools import MODEL, one_line

from vqaudio.cli import converting
from vqaudio.cli.converting import Job, Report, Where, convert_all
from vqaudio.cluster import Finished
from vqaudio.cluster.progress import Progress
from vqaudio.compress import main
from vqaudio.convert import main as convert
from vqaudio.decompress import main as decompress
from vqaudio.model import checkpoint
from vqaudio.model.autoencoder import Autoencoder
from vqaudio.score import main as score


@pytest.fixture(autouse=True)
def _here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def jobs_named(*names: str) -> list[Job]:
    Path("in").mkdir()
    for name in names:
        Path("in", name).write_text(name)
    return [Job(Path("in", name), Path("out", name), makes_folders=True) for name in names]


def test_reports_come_in_the_order_of_the_inputs(capsys):
    jobs = [*jobs_named("slow", "a", "bad", "b", "c"), Job(Path("in/none"), Path("out/none"), makes_folders=True)]
    told = list(convert_all(jobs, Shouting("!"), where=Where(), quiet=False))
    said = capsys.readouterr().err
    before = {path: path.read_text() for path in Path("out").iterdir()}
    shutil.rmtree("out")
    found = list(convert_all(jobs, Shouting("!"), where=Where(jobs=2), quiet=False))
    assert capsys.readouterr() == ("", "")
    assert "".join(report.said for report in found) == said
    assert [(report.job, report.failure) for report in found] == [(report.job, report.failure) for report in told]
    assert [report.failure for report in found if report.failure] == ["in/bad: is bad", "in/none: no such file"]
    assert {path: path.read_text() for path in Path("out").iterdir()} == before
    assert max(int(report.made.split()[1]) for report in found if report.made) > 1  # what is loaded stays


def test_what_kills_workers_fails_alone(monkeypatch):
    monkeypatch.setattr("vqaudio.cluster.pool.TRIES", 1)
    report, other = convert_all(jobs_named("deadly", "a"), Shouting("!"), where=Where(jobs=2), quiet=True)
    assert report.failure is not None
    assert report.failure.startswith("in/deadly: workers died at it again and again, the last one with exit status 9")
    assert other.made


def test_what_runs_as_a_program_is_known_elsewhere_by_its_own_name(monkeypatch):
    """As in ``python -m vqaudio.compress``; what is loaded stays behind."""
    monkeypatch.setattr(sys.modules["__main__"], "__spec__", SimpleNamespace(name="shouting"))
    monkeypatch.setattr(Shouting, "__module__", "__main__")
    here = Shouting("!")
    here.loaded.append(1)
    restore, (module, name, state) = here.__reduce__()
    assert (module, name, state) == ("shouting", "Shouting", {"mark": "!"})
    assert restore(module, name, state) == here
    assert restore(module, name, state).loaded == []


def answered(job: Job, **answer: Any) -> Report[Job, str]:
    known = {"made": None, "failure": None, "said": "", "node": "far", "saw_input": True, "written": None}
    numbered = converting._Numbered(0, job)
    return converting._report(Finished(numbered, converting._Answer(**{**known, **answer}), None, 0.1))


def test_files_that_nodes_do_not_share_are_told(monkeypatch):
    monkeypatch.setattr(converting, "SEEN_SECONDS", 0.0)
    (job,) = jobs_named("a")
    shared = "--cluster needs files that all nodes share"
    lost = answered(job, failure="in/a: no such file; check the name", saw_input=False)
    assert lost.failure == f"in/a: is not seen from node far: {shared}"
    assert answered(job, failure="in/a: is bad").failure == "in/a: is bad"
    there = answered(job, made="a", written=(1, 2))
    assert there.failure == f"out/a: was written on node far, and is not seen from here: {shared}"
    assert there.made is None
    Path("out").mkdir()
    job.target.write_text("a")
    assert answered(job, made="a", written=converting._written(job.target)).made == "a"


def test_a_folder_that_a_node_does_not_see(tmp_path):
    (job,) = jobs_named("a")
    apart = converting._Apart(Shouting("!"), tmp_path / "gone")
    answer = apart(converting._Numbered(0, job))
    assert answer.failure is not None
    assert answer.failure.startswith(f"{tmp_path / 'gone'}: is not seen from node ")
    whole = Job(job.source.absolute(), Path("b").absolute())
    assert apart(converting._Numbered(0, whole)).failure is None


@pytest.mark.parametrize("option", [("--cluster", "auto"), ("--jobs", 2)])
def test_pipes_are_of_one_process(option, capsys):
    spoken("in.wav")
    os.mkfifo("pipe")
    name = option[0]
    if name == "--cluster":
        assert compress("in.wav", "-", *option) == 1
        assert one_line(
            capsys, f"error: standard input and output are of this process alone; leave out {name}, or name"
        )
        assert compress("-", "out.vq", *option) == 1
        assert one_line(capsys, "error: standard input and output are")
        assert score(["-", *map(str, option)]) == 1
        assert one_line(capsys, "error: standard input and output are")
    assert compress("pipe", "in.wav", "--out-dir", "out", *option) == 1
    assert one_line(
        capsys, f"error: pipe: pipes and devices are of this process alone; leave out {name}, or name files"
    )


def test_a_cluster_and_processes_here_are_two_things(capsys):
    spoken("in.wav")
    assert compress("in.wav", "--jobs", 2, "--cluster", "auto") == 2
    assert one_line(capsys, "error: --cluster and --jobs: expected one of them")
    assert score(["in.wav", "--jobs", "2", "--cluster", "auto"]) == 2
    assert one_line(capsys, "error: --cluster and --jobs: expected one of them")
    assert compress("in.wav", "--cluster", "127.0.0.1:1") == 1
    assert one_line(capsys, "error: --cluster 127.0.0.1:1")
    assert listing() == {"in.wav"}


def test_progress_tells_amount_and_speed(monkeypatch, capsys):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    with Progress("converting", 3) as progress:
        progress.add(7200.0)
        progress.add(items=1)
        with progress.hidden():
            print("a line", file=sys.stderr)
    said = capsys.readouterr().err
    assert re.search(r"converting:  67%\|.*\| 2/3 files, 2\.0 h of sound, [\d.e+]+ x real time \[", said)
    assert "\ra line\n" in re.sub(" +", "", said.replace("a line", "a-line")).replace("a-line", "a line")
    with Progress("converting", 3, quiet=True) as progress:
        progress.add(1.0)
    assert capsys.readouterr().err == ""


# ---------------------------------------------------------------------------------------------------------- commands


def reported(text: str) -> str:
    """What a command said, without how fast it was, and without progress."""
    return re.sub(r"[\d.]+ (x real time|values/s)", r"N \1", text)


def outputs(folder: str) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in Path(folder).rglob("*") if path.is_file()}


def alike(run: Callable[..., int], capsys: pytest.CaptureFixture[str], *where: object) -> None:
    """Whether a command does and says the same here and elsewhere; outputs are in ``out``, where there are any."""
    found = []
    for more in ((), where):
        shutil.rmtree("out", ignore_errors=True)
        status = run(*more)
        said = capsys.readouterr()
        found.append((status, reported(said.out), reported(said.err), outputs("out") if Path("out").exists() else {}))
    assert found[0] == found[1]
    assert found[0][1] or found[0][3]


def sounds() -> None:
    """A folder of them, of which one is cut off and one is none."""
    for name in ("all/a.wav", "all/deep/b.wav"):
        spoken(name)
    data = spoken("all/c.wav").read_bytes()
    Path("all/c.wav").write_bytes(data[: -len(data) // 3])
    Path("all/d.wav").write_text("no sound")


def tables(*more: object) -> int:
    """Compress some, of which one is none."""
    for name in ("t.csv", "u.csv"):
        Path(name).write_text("a,b\n" + "".join(f"{row},{row * row % 7}.5\n" for row in range(50)))
    Path("bad.parquet").write_text("none")
    return main(["t.csv", "bad.parquet", "u.csv", "--out-dir", "out", "--max-error", "b=0.5", *map(str, more)])


def test_sounds_are_the_same_by_several_processes(capsys):
    sounds()
    alike(lambda *more: compress("all", "--out-dir", "out", *more), capsys, "--jobs", 2)
    assert set(outputs("out")) == {"a.vq", "c.vq", "deep/b.vq"}


def test_tables_are_the_same_by_several_processes(capsys):
    alike(tables, capsys, "--jobs", 2)
    assert set(outputs("out")) == {"t.vq", "u.vq"}


@pytest.mark.slow
def test_all_commands_do_and_say_the_same_on_a_cluster(ray_cluster, toys, capsys):
    """And with files that were there before, which are not made again."""
    ray = pytest.importorskip("ray")
    on = ("--cluster", ray_cluster.address)
    sounds()
    ray.init(ray_cluster.address, log_to_driver=False, logging_level="error")  # once for all: each contact takes long
    try:
        alike(lambda *more: compress("all", "--out-dir", "out", *more), capsys, *on)
        line = ["vqaudio.compress", "all", "--out-dir", "again", "--model", str(MODEL), "--quiet", *on]
        done = subprocess.run([sys.executable, "-m", *line], capture_output=True, text=True, check=False)
        said = [line.split()[:2] for line in done.stderr.splitlines()]
        assert (done.returncode, said) == (1, [["warning:", "all/c.wav:"], ["error:", "all/d.wav:"], ["error:", "1"]])
        assert outputs("again") == outputs("out")

        shutil.copytree("out", "coded")
        Path("coded/deep/b.vq").write_bytes(Path("coded/deep/b.vq").read_bytes()[:-30])
        Path("coded/none.vq").write_bytes(b"none")

        def back(*more: object) -> int:
            return decompress(["coded", "--out-dir", "out", "--model", str(MODEL), *map(str, more)])

        alike(back, capsys, *on)
        kept = next(Path("out").rglob("a.*"))
        before = kept.stat().st_mtime_ns
        assert back("--skip-existing", *on) == 1
        assert "skipped: their outputs exist" in capsys.readouterr().err
        assert kept.stat().st_mtime_ns == before

        alike(tables, capsys, *on)
        prior = ("--model", str(MODEL), "--prior", str(toys.prior))
        alike(lambda *more: score(["all", *prior, *map(str, more)]), capsys, *on)
        voices = Autoencoder(tiny_model().config.model_copy(update={"speakers": ("ann", "bob")}))
        checkpoint.save(voices, Path("voices.safetensors"))
        told = ("--speaker", "bob", "--model", "voices.safetensors", "--out-dir", "out")
        alike(lambda *more: convert(["all", *told, *map(str, more)]), capsys, *on)
    finally:
        ray.shutdown()
