"""What is in the wheel and in the source distribution, by the rules that build them; and what is said of versions."""

from __future__ import annotations

import re
import subprocess
import tomllib
from pathlib import Path

import pytest

import vqaudio
from vqaudio import registry
from vqaudio.prior import entropy
from vqaudio.prior.entropy import codec_of
from vqaudio.registry import fingerprint, shipped_models

pytest.importorskip("hatchling", reason="hatchling builds the package: pip install '.[test]'")
from hatchling.builders.sdist import SdistBuilder
from hatchling.builders.wheel import WheelBuilder

ROOT = Path(__file__).parents[1]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
RELEASES = re.findall(
    r"^## (\d+\.\d+\.\d+), (\d{4}-\d\d-\d\d)(?:, commit (\w{7}))?$",
    (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"),
    re.MULTILINE,
)
"""Version, date and commit, the newest first; its own commit cannot name itself, so the next one does."""


def files(builder: type[SdistBuilder] | type[WheelBuilder]) -> dict[str, int]:
    """The size in bytes of each file that a distribution holds."""
    found = builder(str(ROOT)).recurse_included_files()
    return {Path(file.distribution_path).as_posix(): Path(file.path).stat().st_size for file in found}


def test_the_wheel_holds_the_package_and_what_its_users_need_of_models():
    wheel = files(WheelBuilder)
    assert {name.partition("/")[0] for name in wheel} == {"vqaudio"}
    modules = {"vqaudio/__init__.py", "vqaudio/registry.py", "vqaudio/series/coding/model.py"}
    kernels = {f"vqaudio/series/kernels/{name}" for name in ("kernel.h", "linear.c", "series.wasm")}
    assert {*modules, *kernels, "vqaudio/py.typed"} < set(wheel)
    weights = {name.removeprefix("vqaudio/models/") for name in wheel if name.endswith(".safetensors")}
    priors = {f"priors/{path.name}" for path in entropy.shipped_priors().values()}
    assert weights == {*(f"{name}.safetensors" for name in shipped_models()), *priors, "series/series-base.safetensors"}
    assert all(f"vqaudio/models/{name}.md" in wheel for name in shipped_models())


def test_what_only_training_needs_of_priors_is_in_the_checkout_alone():
    """Their networks in floating point, which another run may start from."""
    training = {path.name for path in entropy.PRIORS.glob("*.safetensors")} - {
        path.name for path in entropy.PRIORS.glob("*.int8.safetensors")
    }
    assert training
    for builder in (WheelBuilder, SdistBuilder):
        assert not training & {Path(name).name for name in files(builder) if "/priors/" in name}


def test_every_prior_in_the_wheel_is_for_a_model_in_the_wheel():
    codes = {fingerprint(registry.find(name)) for name in shipped_models()}
    assert {codec_of(path) for path in entropy.shipped_priors().values()} <= codes


def test_the_source_distribution_builds_and_tests_without_weights_of_training_or_of_before():
    source = files(SdistBuilder)
    assert {"README.md", "LICENSE", "tests/conftest.py", "recipes/ship.py", "CHANGELOG.md", "mkdocs.yml"} <= set(source)
    assert not [name for name in source if name.startswith("legacy/")]
    weights = {name for name in files(WheelBuilder) if name.endswith(".safetensors")}
    assert {name for name in source if name.endswith(".safetensors")} == weights | {"tests/golden/tiny.safetensors"}
    assert set(files(WheelBuilder)) <= set(source)


# -------------------------------------------------------------------------------------------------------- versions


def test_the_version_stands_in_one_place():
    assert PYPROJECT["project"]["dynamic"] == ["version"]
    assert PYPROJECT["tool"]["hatch"]["version"] == {"path": "vqaudio/__init__.py"}
    assert WheelBuilder(str(ROOT)).metadata.version == vqaudio.__version__
    hard = [path for path in ROOT.joinpath("vqaudio").rglob("*.py") if vqaudio.__version__ in path.read_text("utf-8")]
    assert hard == [ROOT / "vqaudio" / "__init__.py"]


def test_the_changelog_tells_of_this_version_and_of_those_before():
    versions = [tuple(map(int, version.split("."))) for version, _, _ in RELEASES]
    assert versions == sorted(set(versions), reverse=True)
    assert RELEASES[0][0] == vqaudio.__version__
    assert all(commit for _, _, commit in RELEASES[1:])
    assert [date for _, date, _ in RELEASES] == sorted((date for _, date, _ in RELEASES), reverse=True)


@pytest.mark.parametrize(("version", "date", "commit"), [release for release in RELEASES if release[2]])
def test_a_release_is_the_commit_that_its_heading_names(version, date, commit):
    def shown(*what: str) -> str:
        done = subprocess.run(["git", *what], cwd=ROOT, capture_output=True, text=True, check=False)
        if done.returncode:
            pytest.skip("no history here: it is part of a whole clone alone")
        return done.stdout

    assert shown("show", "--no-patch", "--format=%cs", commit).strip() == date
    texts = [shown("show", f"{commit}:{file}") for file in ("pyproject.toml", "vqaudio/__init__.py")]
    assert any(f'version = "{version}"' in text or f'version__ = "{version}"' in text for text in texts)


def test_the_declared_pythons_are_those_of_the_classifiers():
    assert PYPROJECT["project"]["requires-python"] == ">=3.11,<3.14"
    minors = {f"Programming Language :: Python :: 3.{minor}" for minor in (11, 12, 13)}
    found = {one for one in PYPROJECT["project"]["classifiers"] if re.search(r":: 3\.\d+$", one)}
    assert found == minors
