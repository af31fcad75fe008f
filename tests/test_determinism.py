"""Bytes and codes that are the same everywhere: golden ones, and processes that take this machine for others.

As a script, this prints the digests of what priors code and sample, by ONNX Runtime and in numpy, or, told ``coded``,
of what networks make of a sound; the slow tests compare them between processes.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from priors import BOB, STREAMS, Dice, dice_prior, in_numpy
from tools import synthetic

import vqaudio
from vqaudio.intnet.intervals import Integers
from vqaudio.prior import integer
from vqaudio.prior.base import NONE, Prior
from vqaudio.prior.coding import decode, encode
from vqaudio.prior.entropy import legacy_priors, load_prior, shipped_priors
from vqaudio.prior.integer import IntegerPrior
from vqaudio.prior.onnx_stepper import OnnxStepper
from vqaudio.prior.sampling import Sampling, sample

PAYLOAD = "1c37338755352a1d54663117036095d67f"
DIGESTS = {"payloads": "a97bf3953b8b5d2921af2462cc5b41ee", "sampled": "c4a7a48350737a4edf6d096bf00d82e2"}
SHIPPED = {  # by fingerprint, those that a checkout keeps as well: whoever replaces a prior adds its digests here
    "634577a963c7": {"payloads": "f99644b87ec917bc17eacc0d6ff817ca", "sampled": "60b6702ae74d7c81eaab88924d2518cf"},
    "5a058acb6e21": {"payloads": "628b28240a920fa6b6937b6c00605c0d", "sampled": "49dfc8d331f03c7309909e2ed5ff0b0d"},
    "5c2c5905bf04": {"payloads": "17c1e87d5ee6209b509318bce1c691d4", "sampled": "5b253909af773b6a6c0ef7fa0f55b004"},
    "b35da7d04d97": {"payloads": "963400312864d643c3d156c53b61a396", "sampled": "3389bbf38b75df553bf398206a2076e8"},
    "91c8d176cae6": {"payloads": "c02d8eae8279235ebf9b3568c85640ff", "sampled": "10a234eed2d5570ddeaf333052202a19"},
}
SHAPES = [(1, 60), (3, 40), (2, 7)]  # sequences and frames of each payload


def digest(parts: Sequence[bytes]) -> str:
    found = hashlib.sha256()
    for part in parts:
        found.update(len(part).to_bytes(8, "little") + part)
    return found.hexdigest()[:32]


def same(found: list[Integers], expected: list[Integers]) -> bool:
    return all(np.array_equal(a, b) for a, b in zip(found, expected, strict=True))


def thrown(prior: IntegerPrior) -> list[list[Integers]]:
    """Codes for some payloads."""
    return [Dice(index).codes(prior.streams, batch_size, frames) for index, (batch_size, frames) in enumerate(SHAPES)]


def digests(prior: IntegerPrior, condition: str) -> dict[str, str]:
    """Of all that a prior decides: bytes of codes, which must decode to those codes, and codes that are drawn."""
    codes = thrown(prior)
    payloads = [encode(prior, one, condition=condition) for one in codes]
    batch_sizes, frames = zip(*SHAPES, strict=True)
    found = decode(
        prior,
        payloads,
        batch_sizes=batch_sizes,
        n_frames=frames,
        n_streams=len(prior.streams),
        condition=condition,
    )
    assert all(same(one, two) for one, two in zip(found, codes, strict=True))
    how = Sampling(temperature=0.9, top_k=12, top_p=0.95, guidance=1.5, seed=11)
    sampled = [
        sample(prior, 25, n_streams=len(prior.streams), batch_size=3, condition=condition, how=way)
        for way in (how, Sampling(seed=12))
    ]
    return {
        "payloads": digest(payloads),
        "sampled": digest([part.astype("<i8").tobytes() for one in sampled for part in one]),
    }


def all_digests() -> dict[str, dict[str, str]]:
    """Of the thrown prior, and of those that are shipped or kept, by fingerprint."""
    found = {"thrown": digests(dice_prior(), BOB)} | {
        name: digests(load_prior(path), NONE) for name, path in here().items()
    }
    assert digests(in_numpy(dice_prior()), BOB) == found["thrown"]
    for name, path in here().items():
        assert digests(in_numpy(load_prior(path)), NONE) == found[name]
    return found


def coded_digests() -> dict[str, str]:
    """Of what the default model makes of a sound, and of these codes."""
    codec = vqaudio.load()
    codes = codec.encode(synthetic(7.0, codec.sample_rate), codec.sample_rate)
    samples = codec.decode(codes).astype("<f4").tobytes()
    return {"codes": digest([part.astype("<i4").tobytes() for part in codes.streams]), "samples": digest([samples])}


def here() -> dict[str, Path]:
    return legacy_priors() | shipped_priors()


# ------------------------------------------------------------------------------------------------------------- golden


def test_golden_payload():
    codes = Dice(7).codes(STREAMS, 1, 12)
    assert encode(dice_prior(), codes, condition=BOB).hex() == PAYLOAD
    payloads = [bytes.fromhex(PAYLOAD)]
    found = decode(dice_prior(), payloads, batch_sizes=[1], n_frames=[12], n_streams=3, condition=BOB)[0]
    assert same(found, codes)


def test_golden_digests():
    assert isinstance(dice_prior().begin(1, 1), OnnxStepper)
    assert digests(dice_prior(), BOB) == digests(in_numpy(dice_prior()), BOB) == DIGESTS


@pytest.mark.parametrize("way", [None, pytest.param(in_numpy, marks=pytest.mark.slow)])
def test_golden_digests_of_the_shipped_priors(way):
    priors = {name: load_prior(path) for name, path in here().items()}
    assert all(isinstance(prior.begin(1, 1), OnnxStepper) for prior in priors.values())
    found = {name: digests(way(prior) if way else prior, NONE) for name, prior in priors.items()}
    assert found == {name: SHIPPED[name] for name in found}
    assert len(found) > 1


@pytest.mark.parametrize("frames", [1, 7, 256])
def test_bytes_do_not_depend_on_how_many_frames_are_held_at_once(frames, monkeypatch):
    prior = dice_prior()
    expected = [encode(prior, one, condition=BOB) for one in thrown(prior)]
    monkeypatch.setattr(integer, "FRAMES_AT_ONCE", frames)
    assert [encode(prior, one, condition=BOB) for one in thrown(prior)] == expected


@pytest.mark.parametrize("others", [0, 1, 63])
def test_intervals_do_not_depend_on_how_many_sequences_are_beside(others):
    """Matrix products take other paths for other sizes: one column, a few, many."""
    prior = dice_prior()
    codes, beside = Dice(1).codes(STREAMS, 1, 40), Dice(2).codes(STREAMS, others, 40)
    found = prior.intervals([np.concatenate(pair) for pair in zip(codes, beside, strict=True)], BOB)
    again, stepped = prior.intervals(codes, BOB), Prior.intervals(prior, codes, BOB)
    for (_, frequencies), (_, alone), (_, slow) in zip(found, again, stepped, strict=True):
        assert np.array_equal(frequencies[:1], alone)
        assert np.array_equal(frequencies[:1], slow)


# ----------------------------------------------------------------------------------------------------- other machines


def digests_under(*arguments: str, **environment: str) -> tuple[dict[str, dict[str, str]], str]:
    """What a process of its own finds in that environment, and what OpenBLAS says of itself there."""
    inherited = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path), "OPENBLAS_VERBOSE": "2"}
    command = [sys.executable, str(Path(__file__).resolve()), *arguments]
    done = subprocess.run(command, env=inherited | environment, capture_output=True, text=True, timeout=600, check=True)
    return json.loads(done.stdout.splitlines()[-1]), done.stdout + done.stderr


@pytest.fixture(scope="module")
def expected() -> dict[str, dict[str, str]]:
    return all_digests()


on_x86 = pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="these are kinds of x86 processors")


@pytest.mark.slow
@pytest.mark.parametrize("threads", ["1", "2"])
def test_same_with_any_number_of_threads(threads, expected):
    found, _ = digests_under(OMP_NUM_THREADS=threads, OPENBLAS_NUM_THREADS=threads, MKL_NUM_THREADS=threads)
    assert found == expected


@pytest.mark.slow
def test_networks_give_the_same_with_any_number_of_threads():
    """Codes and samples to the bit, of the default model on ONNX Runtime."""
    found = [digests_under("coded", OMP_NUM_THREADS=threads, OPENBLAS_NUM_THREADS=threads)[0] for threads in "124"]
    assert found[0] == found[1] == found[2]
    assert set(found[0]) == {"codes", "samples"}


@pytest.mark.slow
@on_x86
@pytest.mark.parametrize(("core", "said"), [("Haswell", "Haswell"), ("Nehalem", "Nehalem"), ("Prescott", "Katmai")])
def test_same_with_kernels_for_other_processors(core, said, expected):
    if "openblas" not in np.show_config(mode="dicts")["Build Dependencies"]["blas"]["name"]:
        pytest.skip("this numpy multiplies without OpenBLAS")
    found, output = digests_under(OPENBLAS_CORETYPE=core)
    assert f"Core: {said}" in output
    assert found == expected


@pytest.mark.slow
def test_same_without_the_processor_features_that_numpy_found(expected):
    features = np.show_config(mode="dicts")["SIMD Extensions"].get("found", [])
    if not features:
        pytest.skip("numpy found no features beyond those that it needs")
    for count in range(1, len(features) + 1):  # the newest alone, the two newest, ...
        found, _ = digests_under(NPY_DISABLE_CPU_FEATURES=" ".join(features[-count:]))
        assert found == expected


@pytest.mark.slow
@on_x86
@pytest.mark.parametrize(
    ("capability", "isa"), [("default", "SSE41"), ("avx2", "AVX2"), ("avx512", "AVX512_CORE"), ("default", "DEFAULT")]
)
def test_same_beside_a_torch_for_other_processors(capability, isa, expected):
    """Torch computes nothing here, but stands in the same process, with its threads and libraries."""
    found, _ = digests_under(ATEN_CPU_CAPABILITY=capability, ONEDNN_MAX_CPU_ISA=isa)
    assert found == expected


@pytest.mark.slow
def test_same_on_the_oldest_machine_that_can_be_had_here(expected):
    """All at once: one thread, the oldest kernels, no features, no oneDNN."""
    features = np.show_config(mode="dicts")["SIMD Extensions"].get("found", [])
    found, _ = digests_under(
        OMP_NUM_THREADS="1",
        OPENBLAS_NUM_THREADS="1",
        OPENBLAS_CORETYPE="Prescott",
        NPY_DISABLE_CPU_FEATURES=" ".join(features),
        ATEN_CPU_CAPABILITY="default",
        ONEDNN_MAX_CPU_ISA="SSE41",
    )
    assert found == expected


@pytest.mark.slow
def test_shipped_priors_are_among_those_compared(expected):
    assert set(expected) == {"thrown", *here()}


if __name__ == "__main__":
    if sys.argv[1:] == ["coded"]:
        print(json.dumps(coded_digests()))
        raise SystemExit
    torch.ones(8, 8).mm(torch.ones(8, 8))  # awake, with its threads
    print(json.dumps(all_digests()))
