"""The figures of the package's shape, on a package that is small enough to count by hand."""

from __future__ import annotations

from benchmarks.structure import Shape, shape_of


def test_modules_rooms_and_arrows_are_counted(tmp_path):
    files = {
        "__init__.py": '"""Late."""\n\n\ndef load():\n    from vqaudio.codec.codec import load\n',
        "errors.py": "",
        "codec/__init__.py": "",
        "codec/codec.py": "import numpy\nimport vqaudio.errors\nfrom vqaudio.codec import blocks\n",
        "codec/blocks.py": "from vqaudio.errors import choice\nfrom vqaudio import errors\n",
        "info.py": "from vqaudio import codec, errors\nimport vqaudio\n",
    }
    for name, text in files.items():
        path = tmp_path / "vqaudio" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    arrows = 1 + 1 + 3  # of the package itself, of codec, of info
    assert shape_of(tmp_path) == Shape(6, 4, 3, arrows, 2, 5, "vqaudio")
