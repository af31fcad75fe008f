"""The kernels that are shipped are those of the C files beside them."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from recipes.kernels import build

pytest.importorskip("ziglang", reason="the compiler, PyPI's ziglang, is not installed")


def test_the_module_is_that_of_these_sources(tmp_path):
    done = CliRunner().invoke(build.main, ["--output", str(tmp_path / "series.wasm")])
    assert done.exit_code == 0, done.output
    assert (tmp_path / "series.wasm").read_bytes() == build.MODULE.read_bytes(), "run python -m recipes.kernels.build"
