"""Recipes as they are called."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

from recipes.stages import RECIPES


def run_recipe(name: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    """A recipe's ``run.sh`` in a process of its own, by this Python."""
    environment = os.environ | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    command = ["bash", str(RECIPES / name / "run.sh"), *map(str, arguments)]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=900)


def script(path: str) -> ModuleType:
    """A recipe's script as a module."""
    spec = spec_from_file_location(Path(path).stem, RECIPES / path)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
