"""Which models the page offers: by name alone, and told apart."""

from __future__ import annotations

import warnings

import pytest
from tools import MODEL

from vqaudio.errors import ModelError

pytest.importorskip("gradio", reason="the demo needs gradio: pip install '.[demo]'", exc_type=ImportError)

pytestmark = pytest.mark.filterwarnings("default")  # other people's packages warn as they like

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from demo import models


@pytest.mark.parametrize("name", ["/etc/passwd", "../x", str(MODEL), ""])
def test_models_are_found_by_name_alone(name):
    """Whoever calls must not make the server open files of its own."""
    with pytest.raises(ModelError, match="no such model here; choose one of"):
        models.codec(name)


def test_models_of_one_name_are_told_apart_by_their_folders(tmp_path, monkeypatch):
    """As ``--model runs/*/model.safetensors`` gives them; and a model that is trained anew is read anew."""
    monkeypatch.setattr(models, "_offered", {})
    monkeypatch.setattr(models, "_loaded", {})
    data = MODEL.read_bytes()
    for name in ("a/model", "b/model", "b/other"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / f"{name}.safetensors").write_bytes(data)
    every = [tmp_path / f"{name}.safetensors" for name in ("a/model", "b/model")]
    models.offer([*every, every[0]])
    assert models.names()[:2] == ["a/model", "b/model"]
    assert [models.path_of(name) for name in ("a/model", "b/model")] == every
    first = models.codec("a/model")
    assert models.codec("a/model") is first
    every[0].write_bytes(data)
    assert models.codec("a/model") is not first

    monkeypatch.setattr(models, "_offered", {})
    models.offer([every[0], tmp_path / "b" / "other.safetensors"])
    assert models.names()[:2] == ["model", "other"]
