"""The shape of the package: who imports whom, what stays out of which process, and what no file may do.

Read together with ``docs/architecture.md``, whose table of rooms is held to the ranks here.
"""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

import pytest
from tiny_models import tiny_model
from tools import MODEL, synthetic, wav_bytes

from vqaudio.cli.program import COMMANDS
from vqaudio.model import checkpoint
from vqaudio.model.autoencoder import Autoencoder

ROOT = Path(__file__).parents[1]

# A room is a module or a package right below vqaudio. It imports rooms of a lower rank only, wherever in its files the
# import stands; within a package, modules import each other without a cycle. `__init__` is vqaudio itself: it offers
# `load`, so it ranks above `codec`, and what says `import vqaudio` ranks above it.
ROOMS_BY_RANK = (
    {"errors"},
    {"config", "files", "intnet", "registry"},
    {"audio", "cluster", "container"},
    {"corpora", "inference", "prior", "qat", "series"},
    {"model", "tokens"},
    {"cli", "codec", "wavenet"},
    {"__init__", "adapter", "evaluation", "tokenization", "training"},
    {
        "__main__",
        "compress",
        "convert",
        "decode",
        "append",
        "decompress",
        "evaluate",
        "export",
        "info",
        "listen",
        "models",
        "sample",
        "score",
        "tokenize",
        "train",
        "transcribe",
    },
)
RANKS = {room: rank for rank, rooms in enumerate(ROOMS_BY_RANK) for room in rooms}

TORCH_FREE = {
    "audio",
    "cli",
    "cluster",
    "codec",
    "config",
    "container",
    "corpora",
    "errors",
    "files",
    "inference",
    "intnet",
    "prior",
    "registry",
    "series",
    "tokenization",
    "tokens",
}
"""Neither these rooms nor what they import may import torch, not even late, but by the name of a backend."""

QUICK_COMMANDS = ("append", "compress", "convert", "decompress", "info", "models", "sample", "score")
"""Their modules import what runs networks, if anything, once the arguments are known to be good."""

EXTRAS = {
    "gradio",
    "lightning",
    "librosa",
    "matplotlib",
    "pesq",
    "pystoi",
    "scipy",
    "tensorboard",
    "torchaudio",
}
"""Not installed with the package alone; only these rooms may use them:"""
ROOMS_WITH_EXTRAS = {"evaluation", "training"}

LATE = {"av", "edfio", "fsspec", "huggingface_hub", "numcodecs", "pyarrow", "ray", "wasmtime", "wfdb", "zarr"}
"""Extras that any room may use: imported only by those who read or write a file of its kind, or ask the Hub."""


SLOW_PACKAGES = (
    EXTRAS | LATE | {"numpy", "onnx", "onnxruntime", "pydantic", "soundfile", "soxr", "torch", "tqdm", "yaml"}
)
"""Each takes as long to import as ``--help`` may take in all."""


@cache
def sources() -> dict[str, ast.Module]:
    """Every module of the package by its dotted name."""
    found = {}
    for path in sorted((ROOT / "vqaudio").rglob("*.py")):
        name = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        found[name] = ast.parse(path.read_text(encoding="utf-8"), str(path))
    return found


def room_of(module: str) -> str:
    return [*module.split("."), "__init__"][1]


def imports(tree: ast.Module) -> Iterator[str]:
    """Dotted names of all that is imported anywhere in a file: late imports and those for type checkers too."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"line {node.lineno}: write imports in full, not relative"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def inner_imports(module: str) -> set[str]:
    """The modules of the package that one of them imports; a name from a module stands for the module."""
    found = set()
    for name in imports(sources()[module]):
        if name.split(".")[0] == "vqaudio":
            found.add(name if name in sources() else name.rpartition(".")[0])
    return found


def outer_imports(module: str) -> set[str]:
    """The other packages, and those of the standard library, that a module imports."""
    return {name.split(".")[0] for name in imports(sources()[module])} - {"vqaudio"}


def python(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-W", "error", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)


# ------------------------------------------------------------------------------------------------------------- ranks


def test_imports_are_found_wherever_they_stand():
    text = "import a.b\nif TYPE_CHECKING:\n    from c import d\ndef f():\n    from e.f import g, h\n"
    assert set(imports(ast.parse(text))) == {"a.b", "c.d", "e.f.g", "e.f.h"}
    assert inner_imports("vqaudio.codec.codec") >= {
        "vqaudio.inference.stored",
        "vqaudio.container",
        "vqaudio.codec.blocks",
    }
    assert "vqaudio.codec.codec" in inner_imports("vqaudio.compress")  # late
    assert set(imports(ast.parse("import vqaudio"))) == {"vqaudio"}


def test_every_room_has_a_rank_and_every_rank_a_room():
    assert {room_of(module) for module in sources()} == set(RANKS), "a new module needs a rank in ROOMS_BY_RANK"


def test_modules_import_only_lower_ranks():
    wrong = [
        f"{module} imports {imported}"
        for module in sources()
        for imported in inner_imports(module)
        if room_of(imported) != room_of(module) and RANKS[room_of(imported)] >= RANKS[room_of(module)]
    ]
    assert not wrong


def test_modules_of_one_package_import_each_other_without_a_cycle():
    within = {
        module: {other for other in inner_imports(module) - {module} if room_of(other) == room_of(module)}
        for module in sources()
    }
    assert within["vqaudio.container.writer"] >= {"vqaudio.container.header"}
    TopologicalSorter(within).prepare()  # CycleError names the modules


def test_the_page_on_the_architecture_shows_these_ranks():
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    shown = {
        room.rstrip("/"): int(rank)
        for rank, rooms in re.findall(r"^\| (\d+) \| ([^|]+) \|", text, re.MULTILINE)
        for room in re.findall(r"`([^`]+)`", rooms)
    }
    assert shown == RANKS


def test_the_glossary_names_what_is_in_the_code():
    text = (ROOT / "docs" / "glossary.md").read_text(encoding="utf-8")
    code = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "vqaudio").rglob("*.py"))
    names = {name for shown in re.findall(r"`(\w[\w.]+)`", text) for name in shown.split(".")}
    assert len(names) > 20
    assert not {name for name in names if not re.search(rf"\b{name}\b", code)}


# -------------------------------------------------------------------------------------------- what stays out of where


def test_torch_is_out_of_reach_of_what_must_start_quickly():
    reached = {module for module in sources() if room_of(module) in TORCH_FREE}
    rooms = {room_of(module) for module in reached | {other for module in reached for other in inner_imports(module)}}
    assert rooms <= TORCH_FREE
    users = {room_of(module) for module in sources() if "torch" in outer_imports(module)}
    assert "model" in users
    assert not users & TORCH_FREE


def test_extras_are_imported_where_they_belong():
    users = {room_of(module) for module in sources() if outer_imports(module) & EXTRAS}
    assert "training" in users
    assert users <= ROOMS_WITH_EXTRAS


def test_what_must_start_quickly_needs_no_more_than_what_everybody_installs():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    installed = {re.split("[^a-z0-9_]", text)[0] for text in project["dependencies"]}
    assert not installed & (EXTRAS | LATE | {"torch"})
    known = installed | LATE | set(sys.stdlib_module_names)
    found = {module: outer_imports(module) - known for module in sources() if room_of(module) in TORCH_FREE}
    assert {module: names for module, names in found.items() if names} == {
        "vqaudio.config.runs": {"yaml"}
    }  # for training


def test_importing_a_quick_command_loads_nothing_slow():
    """In one process, module after module, so that the one at fault is named."""
    names = ["vqaudio", *(f"vqaudio.{room}" for room in sorted(TORCH_FREE)), *(f"vqaudio.{c}" for c in QUICK_COMMANDS)]
    rooms = {"vqaudio.codec.codec", *(f"vqaudio.{room}" for room in ROOMS_WITH_EXTRAS)}
    slow = sorted(EXTRAS | LATE | rooms | {"torch"})
    script = (
        "import importlib, json, sys\n"
        "names, slow = json.loads(sys.argv[1])\n"
        "for name in names:\n"
        "    importlib.import_module(name)\n"
        "    loaded = [other for other in slow if other in sys.modules]\n"
        "    assert not loaded, f'{name} loads {loaded}'\n"
        "    assert name != 'vqaudio' or not [n for n in sys.modules if n.startswith('vqaudio.')]\n"
    )
    done = python("-c", script, json.dumps([names, slow]))
    assert (done.returncode, done.stderr) == (0, "")


def test_sound_is_coded_and_sampled_without_torch(toys, tmp_path):
    """All commands of a process that has nothing but the package's own requirements; random numbers are for samples."""
    speakers = tiny_model().config.model_copy(update={"speakers": ("ann", "bob")})
    checkpoint.save(Autoencoder(speakers), tmp_path / "voices.safetensors")
    (tmp_path / "in.wav").write_bytes(wav_bytes(synthetic(0.5, 16000), 16000))
    model = ["--model", str(MODEL), "--prior", str(toys.prior)]
    commands = [
        ["compress", "in.wav", "a.vq", "--codebooks", "2", *model],
        ["compress", "in.wav", "b.vq", "--kbps", "1.5", *model],
        ["info", "a.vq", "--prior", str(toys.prior)],
        ["decompress", "a.vq", "a.wav", *model],
        ["score", "in.wav", *model],
        ["sample", "s.wav", "--seconds", "0.1", "--prompt", "in.wav", *model],
        ["convert", "in.wav", "c.wav", "--speaker", "bob", "--model", "voices.safetensors"],
    ]
    script = (
        "import json, sys\n"
        "import vqaudio\n"
        "from vqaudio.cli.program import main\n"
        "for arguments in json.loads(sys.argv[1]):\n"
        "    assert main(arguments) == 0, arguments\n"
        "    assert 'torch' not in sys.modules, arguments\n"
        "    assert 'numpy.random' not in sys.modules or arguments[0] not in ('compress', 'info', 'decompress')\n"
        "codec = vqaudio.load(sys.argv[2], prior=sys.argv[3])\n"
        "assert codec.decompress(open('a.vq', 'rb').read())[0].shape == (1, 8000)\n"
        "assert 'torch' not in sys.modules\n"
    )
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])}
    given = [sys.executable, "-c", script, json.dumps(commands), str(MODEL), str(toys.prior)]
    done = subprocess.run(
        given, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_runs_as_a_module_without_a_warning(command):
    """It would warn if importing ``vqaudio`` had imported the command before it runs."""
    done = python("-m", f"vqaudio.{command}", "--help")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(f"Usage: vqaudio {command} ")


@pytest.mark.parametrize("command", ["", *COMMANDS])
def test_help_is_there_at_once(command):
    """``--help`` imports click and what is small; the clock would say the same, but not in every run."""
    done = python("-X", "importtime", "-m", "vqaudio", *filter(None, [command]), "--help")
    assert done.returncode == 0
    loaded = {name.split(".")[0] for name in re.findall(r"^import time:.*\| +(\S+)$", done.stderr, re.MULTILINE)}
    assert loaded & SLOW_PACKAGES == set()
    assert {"click", "vqaudio"} <= loaded


# ------------------------------------------------------------------------------------------------ what no file may do

CODE_FROM_DATA = {"pickle", "cPickle", "cloudpickle", "dill", "joblib", "marshal", "shelve"}
BUILTINS = {"eval", "exec", "compile", "__import__"}
LOADERS = {
    ("torch", "load"),
    ("torch", "save"),
    ("numpy", "load"),
    ("np", "load"),
    ("yaml", "load"),
    ("yaml", "unsafe_load"),
}


def runs_data_as_code(tree: ast.Module) -> list[str]:
    """Whatever could run code that a file brings along."""
    found = [name for name in imports(tree) if name.split(".")[0] in CODE_FROM_DATA]
    found += [name for name in imports(tree) if tuple(name.rsplit(".", 1)) in LOADERS]
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and node.id in BUILTINS and isinstance(node.ctx, ast.Load):
            found.append(f"{node.id} in line {node.lineno}")
        if (
            isinstance(node, ast.Attribute)
            and isinstance(node.value, ast.Name)
            and (node.value.id, node.attr) in LOADERS
        ):
            found.append(f"{node.value.id}.{node.attr} in line {node.lineno}")
    return found


@pytest.mark.parametrize(
    ("text", "refused"),
    [
        ("import pickle", True),
        ("def f():\n    from pickle import loads", True),
        ("from torch import load", True),
        ("torch.load(path, weights_only=True)", True),
        ("eval(text)", True),
        ("run = exec", True),
        ("yaml.load(text)", True),
        ("compile: bool = False", False),
        ("model.eval(); model.compile(); yaml.safe_load(text); checkpoint.load(path)", False),
    ],
)
def test_code_from_data_is_recognised(text, refused):
    assert bool(runs_data_as_code(ast.parse(text))) == refused


def test_no_file_runs_data_as_code():
    found = {module: runs_data_as_code(tree) for module, tree in sources().items()}
    assert not {module: what for module, what in found.items() if what}
