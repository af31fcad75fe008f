"""What runs a recipe: which stages, in which order, what is skipped and what is refused."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest

from recipes.stages import RECIPES, Command, Recipe, arguments, main, stage
from vqaudio.config.runs import load_yaml, override, parse_run

WITH_STAGES = ("digits", "family", "sentences", "speech16k", "vctk", "voices16k")


def python(code: str, *arguments: object, keep: Path | None = None) -> Command:
    return Command((sys.executable, "-c", f"import sys; from pathlib import Path; {code}", *map(str, arguments)), keep)


class Toy(Recipe):
    """Count letters."""

    name, data, lengths = "toy", "letters", {"write-it": 5.0}

    @stage(makes="made/text")
    def write_it(self) -> Iterator[Command]:
        """Write some."""
        length = 1 if self.quick else self.minutes["write-it"]
        yield python("Path(sys.argv[1]).write_text('a' * round(float(sys.argv[2])))", self.place("made/text"), length)

    @stage(makes="count", needs=["write-it"])
    def count(self) -> Iterator[Command]:
        """Count them."""
        yield python("print(len(Path(sys.argv[1]).read_text()))", self.place("made/text"), keep=self.place("count"))

    @stage(makes="end", needs=["count"])
    def last(self) -> Iterator[Command]:
        """Add up, of what is counted already."""
        code = "p, q = map(Path, sys.argv[1:]); n = int(p.read_text()); q.write_text(str(100 // (n - 7)))"
        yield python(code, self.place("count"), self.place("end"))

    @stage(makes=None)
    def tell(self) -> Iterator[Command]:
        """Say so."""
        yield python("print('so')")


def run(out: Path, *arguments: object) -> int:
    return main(Toy, ["--out", str(out), *map(str, arguments)])


def headings(capfd: pytest.CaptureFixture[str]) -> list[str]:
    return [line.removeprefix("== stage ") for line in capfd.readouterr().out.splitlines() if line.startswith("== ")]


def test_stages_run_in_order_and_what_is_done_is_skipped(tmp_path, capfd):
    assert run(tmp_path) == 0
    printed = capfd.readouterr().out
    assert printed.count("\n+ ") == 4
    assert [line for line in printed.splitlines() if line.startswith("== ")] == [
        "== stage 0: write-it",
        "== stage 1: count",
        "== stage 2: last",
        "== stage 3: tell",
    ]
    assert printed.splitlines()[-1] == "so"
    assert (tmp_path / "count").read_text() == "5\n"
    assert (tmp_path / "end").read_text() == "-50"
    assert run(tmp_path) == 0
    done = [
        f"{n}: {name} is done, {tmp_path / made} is there"
        for n, name, made in ((0, "write-it", "made/text"), (1, "count", "count"), (2, "last", "end"))
    ]
    assert headings(capfd) == [*done, "3: tell"]


def test_what_is_gone_is_made_again_and_what_rests_on_it(tmp_path, capfd):
    assert run(tmp_path) == 0
    (tmp_path / "count").unlink()
    headings(capfd)
    assert run(tmp_path, "--to", "last") == 0
    assert headings(capfd)[1:] == ["1: count", "2: last"]
    assert run(tmp_path, "--to", "last", "--minutes", "3") == 0  # other commands
    assert headings(capfd) == ["0: write-it", "1: count", "2: last"]
    assert (tmp_path / "count").read_text() == "3\n"


def test_stages_are_chosen_by_name_or_number(tmp_path, capfd):
    assert run(tmp_path, "--to", 0) == 0
    assert headings(capfd) == ["0: write-it"]
    assert run(tmp_path, "--stage", "1,write-it") == 0  # in this order, done or not
    assert headings(capfd) == ["1: count", "0: write-it"]
    assert run(tmp_path, "--from", "count", "--to", 2) == 0
    assert headings(capfd) == ["1: count", "2: last"]


def test_a_stage_that_lacks_something_or_fails_says_how_to_go_on(tmp_path, capfd):
    assert run(tmp_path, "--stage", "last") == 1
    needed = f"stage 2 (last) needs {tmp_path / 'count'}: run stage 1 (count) first, with --stage count"
    assert capfd.readouterr().err == f"error: {needed}\n"
    assert run(tmp_path, "--minutes", "write-it=7") == 1
    assert "error: stage 2 (last) failed: once that is put right, go on with --from last\n" in capfd.readouterr().err
    assert json.loads((tmp_path / "stages.json").read_text()).keys() == {"write-it", "count"}
    assert run(tmp_path, "--minutes", "write-it=8", "--from", "0") == 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--stage", "7"], "no stage 7; choose among write-it, count, last, tell, or 0 to 3"),
        (["--stage", "write_it"], "no stage write_it"),
        (["--from", "2", "--to", "1"], "which does not come before it"),
        (["--from", "0,1"], "expected one stage for --from"),
        (["--stage", "1", "--to", "2"], "leave --from and --to out"),
        (["--minutes", "soon"], "soon: expected minutes, or STAGE=MINUTES,..."),
        (["--minutes", "count=3"], "count=3: expected more than 0 minutes of one of write-it"),
        (["--minutes", "0"], "write-it=0: expected more than 0 minutes"),
    ],
)
def test_options_that_mean_nothing_are_refused(tmp_path, capsys, options, message):
    with pytest.raises(SystemExit) as end:
        run(tmp_path, *options)
    assert end.value.code == 2
    assert message in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_quick_runs_are_short_and_have_a_folder_of_their_own(tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    assert main(Toy, ["--quick", "--to", "1"]) == 0
    assert (tmp_path / "runs" / "toy-quick" / "count").read_text() == "1\n"
    assert main(Toy, ["--to", "1"]) == 0
    assert (tmp_path / "runs" / "toy" / "count").read_text() == "5\n"


@pytest.mark.parametrize("name", WITH_STAGES)
def test_every_recipe_has_the_same_options_and_says_what_its_stages_do(name, capsys):
    module = import_module(f"recipes.{name}.run")
    (recipe,) = [one for one in vars(module).values() if isinstance(one, type) and issubclass(one, Recipe)][1:]
    assert recipe.name == name
    assert f"python -m recipes.{name}.run" in (RECIPES / name / "run.sh").read_text()
    names = [one.name for one in recipe.stages()]
    for at, one in enumerate(recipe.stages()):
        assert one.about.endswith(".")
        assert set(one.needs) <= set(names[:at])
    assert set(recipe.lengths) <= set(names)
    with pytest.raises(SystemExit):
        main(recipe, ["--help"])
    said = capsys.readouterr().out
    assert all(f"{number:2}  {one.name}" in said for number, one in enumerate(recipe.stages()))
    assert all(option in said for option in ("--stage", "--from", "--to", "--out", "--quick", "--minutes", "--jobs"))


@pytest.mark.parametrize("name", WITH_STAGES)
@pytest.mark.parametrize("quick", [False, True])
def test_every_stage_has_commands_whose_options_and_settings_hold(name, quick, tmp_path):
    module = import_module(f"recipes.{name}.run")
    recipe = next(one for one in vars(module).values() if isinstance(one, type) and getattr(one, "name", "") == name)
    options = arguments(recipe).parse_args(["--out", str(tmp_path), *(["--quick"] if quick else [])])
    chosen = recipe(options)
    for one in recipe.stages():
        for line in one.commands(chosen):
            assert line.arguments[:2] == (sys.executable, "-m")
            name, words = line.arguments[2], list(line.arguments[3:])
            command = import_module(name).main
            if name.startswith("vqaudio."):
                parsed = command.make_context(name, words).params  # raises what the command line would
                if name == "vqaudio.train":
                    parse_run(override(load_yaml(parsed["config"]), list(parsed["overrides"])))
