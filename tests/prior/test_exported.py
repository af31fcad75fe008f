"""The step of a prior in ONNX gives the integers of the network, frame after frame."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from numpy.typing import NDArray
from priors import BOB, CODEC, tiny_integer_prior, tiny_wavenet
from text_priors import text_prior

from vqaudio.container import Stream
from vqaudio.errors import ModelError
from vqaudio.intnet.grids import LOGIT
from vqaudio.prior.base import NONE
from vqaudio.prior.entropy import load_prior, shipped_priors
from vqaudio.prior.exported import description, step_model
from vqaudio.prior.integer import IntegerPrior
from vqaudio.prior.stepping import NumpyStepper
from vqaudio.wavenet.export import quantized_export

PATHS = shipped_priors()
FORCED = 1e6
STREAMS = (Stream(16),) * 3
Frame = tuple[NDArray[np.int64], NDArray[np.float32]]


@cache
def even_prior() -> IntegerPrior:
    """The tiny one, for streams that are all alike."""
    return IntegerPrior(*quantized_export(tiny_wavenet(STREAMS), CODEC))


def frames(prior: IntegerPrior, condition: str, known: NDArray[np.int64], batch: int) -> Iterator[Frame]:
    """Codes and logits of each frame: those of ``known`` ``(frames, batch, streams)``, or the likeliest where -1."""
    model = step_model(prior, name="tiny")
    onnx.checker.check_model(model)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    alphabet, n_streams = prior.streams[0].alphabet, prior.n_codebooks
    told = {"condition": prior.labels(condition)} if prior.fields else {}
    codes = np.full((batch, n_streams), -1)
    state = np.full((batch, *description(prior)["state"]), 128, np.uint8)
    for forced in known:
        noise = np.where(np.arange(alphabet) == forced[..., None], np.float32(FORCED), np.float32(0))
        given = {"before": codes, "state": state, "noise": noise, **told}
        codes, state, logits = session.run(["codes", "next_state", "logits"], given)
        yield codes, logits


def assert_same(prior: IntegerPrior, condition: str, n_frames: int, batch: int = 2) -> None:
    random, n_streams = np.random.default_rng(0), prior.n_codebooks
    known = random.integers(prior.streams[0].alphabet, size=(n_frames, batch, n_streams))
    known[::2] = -1
    stepper = NumpyStepper(prior, batch, n_streams, condition=condition)
    for forced, (codes, logits) in zip(known, frames(prior, condition, known, batch), strict=True):
        for stream in range(n_streams):
            expected = stepper.logits(stream)
            assert np.array_equal(logits[:, stream] * 2 ** LOGIT[0], expected)
            chosen = np.take_along_axis(expected, codes[:, stream, None], axis=1)[:, 0]
            free = forced[:, stream] < 0
            assert np.where(free, chosen == expected.max(1), codes[:, stream] == forced[:, stream]).all()
            stepper.accept(stream, codes[:, stream])
        stepper.advance()


@pytest.mark.parametrize("condition", [NONE, BOB])
def test_a_tiny_prior(condition: str) -> None:
    assert_same(even_prior(), condition, 12)


def test_the_text_of_a_tiny_prior_is_left_out() -> None:
    assert_same(text_prior(), NONE, 12)


@pytest.mark.slow
@pytest.mark.parametrize("path", PATHS.values(), ids=lambda path: path.stem)
def test_shipped_priors(path: Path) -> None:
    prior = load_prior(path)
    for condition in (NONE, ",".join(f"{field}={labels[-1]}" for field, labels in prior.fields.items())):
        assert_same(prior, condition, 40)


def test_what_programs_are_told_of_a_prior() -> None:
    prior = even_prior()
    facts = description(prior)
    assert facts["state"] == [1 + 2 + 4, 8]
    assert facts["fields"] == {field: list(labels) for field, labels in prior.fields.items()}
    metadata = {entry.key: entry.value for entry in step_model(prior, name="tiny").metadata_props}
    assert metadata == {"model": "tiny", "fingerprint": prior.codec, "prior": prior.fingerprint}


def test_streams_that_differ_are_refused() -> None:
    with pytest.raises(ModelError, match="the prior of tiny is for streams of several rates or alphabets"):
        step_model(tiny_integer_prior(), name="tiny")


def test_the_page_lists_the_operators_and_the_opset() -> None:
    page = (Path(__file__).parents[2] / "docs" / "onnx.md").read_text(encoding="utf-8")
    (opset, version, listed) = re.findall(
        r"`prior.onnx` is in opset (\d+), IR version (\d+). Its operators are (.*?) of ONNX", page, re.DOTALL
    )[0]
    model = step_model(even_prior(), name="tiny")
    assert [(one.domain, one.version) for one in model.opset_import] == [("", int(opset)), ("com.microsoft", 1)]
    assert model.ir_version == int(version)
    assert set(re.findall(r"`(\w+)`", listed)) == {node.op_type for node in model.graph.node}
