"""What is in the wheel and in the source distribution, by the rules that build them."""

from __future__ import annotations

from pathlib import Path

import pytest

from vqaudio import registry
from vqaudio.prior import entropy
from vqaudio.prior.entropy import codec_of
from vqaudio.registry import fingerprint, shipped_models

pytest.importorskip("hatchling", reason="hatchling builds the package: pip install '.[test]'")
from hatchling.builders.sdist import SdistBuilder
from hatchling.builders.wheel import WheelBuilder

ROOT = Path(__file__).parents[1]


def files(builder: type[SdistBuilder] | type[WheelBuilder]) -> dict[str, int]:
    """The size in bytes of each file that a distribution holds."""
    found = builder(str(ROOT)).recurse_included_files()
    return {Path(file.distribution_path).as_posix(): Path(file.path).stat().st_size for file in found}


def test_the_wheel_holds_the_package_and_what_its_users_need_of_models():
    wheel = files(WheelBuilder)
    assert {name.partition("/")[0] for name in wheel} == {"vqaudio"}
    assert {"vqaudio/__init__.py", "vqaudio/registry.py", "vqaudio/series/coding/model.py"} < set(wheel)
    weights = {name.removeprefix("vqaudio/models/") for name in wheel if name.endswith(".safetensors")}
    priors = {f"priors/{path.name}" for path in entropy.shipped_priors().values()}
    assert weights == {*(f"{name}.safetensors" for name in shipped_models()), *priors, "series/series-base.safetensors"}
    assert all(f"vqaudio/models/{name}.md" in wheel for name in shipped_models())


def test_every_prior_in_the_wheel_is_for_a_model_in_the_wheel():
    codes = {fingerprint(registry.find(name)) for name in shipped_models()}
    assert {codec_of(path) for path in entropy.shipped_priors().values()} <= codes


def test_the_source_distribution_builds_and_tests_without_weights_of_training_or_of_before():
    source = files(SdistBuilder)
    assert {"README.md", "LICENSE", "tests/conftest.py", "recipes/ship.py"} <= set(source)
    assert not [name for name in source if name.startswith("legacy/")]
    weights = {name for name in files(WheelBuilder) if name.endswith(".safetensors")}
    assert {name for name in source if name.endswith(".safetensors")} == weights | {"tests/golden/tiny.safetensors"}
    assert set(files(WheelBuilder)) <= set(source)
