"""Files of models: which are read, and which are refused."""

from __future__ import annotations

import json

import numpy as np
import pytest
from safetensors.numpy import save_file
from series_models import saved, tensors

from vqaudio.errors import ModelError
from vqaudio.series import model_named
from vqaudio.series.coding import model
from vqaudio.series.coding.model import KIND


@pytest.mark.parametrize("what", ["kind", "width", "tensor", "text"])
def test_files_that_hold_no_model_are_refused(tmp_path, what):
    path, found = tmp_path / "x.safetensors", tensors()
    if what == "width":
        found["first.weight"] = found["first.weight"][:, 1:]
    if what == "tensor":
        del found["exp"]
    save_file(found, path, {"config": json.dumps({"kind": "codec" if what == "kind" else KIND})})
    if what == "text":
        path.write_text("no model")
    with pytest.raises(ModelError, match=r"x\.safetensors: is not a readable"):
        model_named(str(path))


def test_a_network_too_wide_for_exact_sums_is_not_loaded(tmp_path):
    wide = tensors(hidden=1024) | {"second.weight": np.full((1024, 1024), 127, np.int8)}
    save_file(wide, tmp_path / "wide.safetensors", {"config": json.dumps({"kind": KIND})})
    with pytest.raises(ModelError, match="sums of 1024 products in second reach 20710400"):
        model_named(str(tmp_path / "wide.safetensors"))


def test_a_shipped_model_that_is_replaced_is_read_again(tmp_path, monkeypatch):
    monkeypatch.setattr(model, "SHIPPED", tmp_path)
    path = saved(tmp_path / "mine.safetensors", seed=1)
    first = model_named("mine")
    saved(tmp_path / "other", seed=2).replace(path)
    second = model_named("mine")
    assert first is not None
    assert second is not None
    assert second is model_named("mine")
    assert first.fingerprint != second.fingerprint == model.fingerprint(path)
