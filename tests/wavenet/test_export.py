"""The quantized export of a WaveNet: it computes the very same, exactly whatever comes."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from priors import (
    BOB,
    CODEC,
    FIELDS,
    STREAMS,
    logits_of,
    random_codes,
    smooth,
    tiny_integer_prior,
    tiny_wavenet,
    walked,
)
from safetensors.numpy import save_file as save_arrays

from vqaudio.config.prior import WaveNetConfig
from vqaudio.container import Stream
from vqaudio.errors import ConfigError, ModelError
from vqaudio.intnet.grids import EXACT, INT8, LARGEST_BIAS, LARGEST_PRODUCTS, LOGIT
from vqaudio.intnet.intervals import bits_of
from vqaudio.intnet.linear import Int8Linear
from vqaudio.prior import integer
from vqaudio.qat.export import export_linear
from vqaudio.qat.fake_quantize import QuantizedLinear
from vqaudio.wavenet import WaveNet, export

LABELS = torch.tensor([[2, 3]])  # BOB


@pytest.mark.parametrize(("condition", "labels"), [("none", None), (BOB, LABELS)])
@pytest.mark.parametrize("n_streams", [2, 3])
def test_on_its_grids_the_network_computes_the_very_same_as_its_export(n_streams, condition, labels):
    """24 bits hold every sum, in float32 as in integers."""
    codes = random_codes(STREAMS[:n_streams], 3, 30)
    expected = logits_of(tiny_wavenet(), codes, labels)
    for found, logits in zip(walked(tiny_integer_prior(), codes, condition, ask="logits"), expected, strict=True):
        assert np.array_equal(found, logits * 2 ** LOGIT[0])
        assert np.ptp(found) > 100


def test_the_export_is_nearly_as_good_as_the_network_before_it_was_rounded():
    codes, net = random_codes(STREAMS, 3, 60), smooth()
    costs = [bits_of(frequencies) for frequencies in walked(tiny_integer_prior(), codes)]
    for frequencies, logits, bits in zip(
        walked(tiny_integer_prior(), codes), logits_of(net, codes), costs, strict=True
    ):
        log2 = torch.from_numpy(logits).double().log_softmax(-1).numpy() / np.log(2)
        share = np.exp2(log2)
        loss = (share * (log2 + bits)).sum(-1)  # Kullback-Leibler divergence: bits lost where codes follow the network
        assert (frequencies > 0).all()
        assert 0 <= loss.mean() < 0.02 * -(share * log2).sum(-1).mean()


def worst_sums(tensors: dict[str, np.ndarray]) -> dict[str, int]:
    """The largest sum that each product can come to, whatever it is given: products of int8, and biases."""
    found = {}
    for name in [name.removesuffix(".weight") for name in tensors if name.endswith(".weight")]:
        weight, bias = (tensors[f"{name}.{part}"].astype(np.int64) for part in ("weight", "bias"))
        assert weight.shape[1] <= LARGEST_PRODUCTS
        assert abs(weight).max() <= INT8
        if name.endswith("gates"):
            condition = tensors[name.replace("gates", "condition")].astype(np.int64)
            bias = np.minimum(abs(bias) + INT8 * abs(condition).sum(1), LARGEST_BIAS)  # where it is cut off
        found[name] = int((INT8 * abs(weight).sum(1) + abs(bias)).max())
    return found


def test_sums_are_exact_whatever_comes():
    tensors, _ = export.quantized_export(tiny_wavenet(), CODEC)
    worst = worst_sums(tensors)
    assert len(worst) == 1 + 2 * 3 + 4 * len(STREAMS)
    assert max(worst.values()) < EXACT


@pytest.mark.parametrize("bias", [1e9, -1e9])
def test_sums_are_exact_in_the_largest_network_with_the_largest_weights(bias):
    config = WaveNetConfig(
        channels=256,
        skip_channels=512,
        dilations=(1,),
        head_channels=512,
        code_dim=512,
        condition_channels=512,
    )
    net = WaveNet(config, [Stream(8)], FIELDS)
    with torch.no_grad():
        for name, values in net.named_parameters():
            values.fill_(bias if name.endswith("bias") else 127 / 128)
    tensors, exported_config = export.quantized_export(net, CODEC)
    worst = worst_sums(tensors)
    assert max(worst.values()) > EXACT // 2  # no test of the limit otherwise
    assert max(worst.values()) < EXACT
    prior = integer.IntegerPrior(tensors, exported_config)
    assert all(np.array_equal(one, one.astype(np.int64)) for one in prior.biases(1, BOB))


def test_sums_that_float32_may_not_hold_are_refused_wherever_a_network_is_made_or_loaded(tmp_path):
    """Of 1,024 products some are wrong by one, as 20710020 for 20710019. Weights decide it, not their number."""
    inputs, weights = np.full(1024, 127, np.float32), np.full(1024, 127, np.int8)
    assert int(inputs @ weights.astype(np.float32)) >= EXACT - 2**22
    product = {"wide.weight": weights[None], "wide.bias": np.array([0], np.int32), "wide.shift": np.array([9], np.int8)}
    with pytest.raises(ValueError, match="sums of 1024 products in wide reach 20710400"):
        Int8Linear(product, "wide", 127)
    small = np.where(np.arange(1024) % 2, 10, -10).astype(np.int8)
    Int8Linear(product | {"wide.weight": small[None]}, "wide", 127)
    with pytest.raises(ValueError, match="reach 16909320"):
        Int8Linear(product | {"wide.weight": small[None], "wide.bias": np.array([2**24 - 1168376])}, "wide", 127)
    with pytest.raises(ValueError, match="float32 weights"):
        Int8Linear(product | {"wide.weight": small[None].astype(np.float32)}, "wide", 127)
    QuantizedLinear(LARGEST_PRODUCTS, 3)
    with pytest.raises(ConfigError, match=f"a layer of {LARGEST_PRODUCTS + 1} inputs"):
        QuantizedLinear(LARGEST_PRODUCTS + 1, 3)

    wide = QuantizedLinear(LARGEST_PRODUCTS, 1).requires_grad_(False)
    wide.weight = torch.nn.Parameter(torch.full((1, 1024), 127 / 128), requires_grad=False)
    with pytest.raises(ModelError, match=r"^wide: its sums reach \d+, and only those below 16777216"):
        export_linear({}, "wide", wide, input_exponent=5, output_exponent=5)

    tensors, config = export.quantized_export(tiny_wavenet(), CODEC)
    tensors["embed.weight"] = np.full((len(tensors["embed.weight"]), 1024), 127, np.int8)
    path = tmp_path / "wide.int8.safetensors"
    save_arrays(tensors, path, {"kind": integer.KIND, "config": json.dumps(config)})
    with pytest.raises(ModelError, match=r"is not a readable prior \(sums of 1024 products in embed reach"):
        integer.load(path)

    tensors, config = export.quantized_export(tiny_wavenet(), CODEC)
    layer = {name.removeprefix("layers.0."): tensor for name, tensor in tensors.items() if name.startswith("layers.0.")}
    deep = {f"layers.{index}.{name}": tensor for index in range(512) for name, tensor in layer.items()}
    config |= {"dilations": [1] * 512, "see": config["see"] | {"layers": [3] * 512}}
    with pytest.raises(ValueError, match="sums over its 512 layers"):
        integer.IntegerPrior(tensors | deep, config)


def test_a_layer_that_is_too_wide_for_exact_sums_is_refused_by_its_config():
    for name in ("channels", "skip_channels", "head_channels", "code_dim"):
        most = {"channels": LARGEST_PRODUCTS // 2}.get(name, LARGEST_PRODUCTS)
        WaveNetConfig(**{name: most})
        with pytest.raises(ValueError, match=name):
            WaveNetConfig(**{name: most + 1})


def test_a_saved_export_comes_back(tmp_path: Path):
    net, codes = tiny_wavenet(), random_codes(STREAMS, 2, 9)
    export.save(net, tmp_path / "prior.int8.safetensors", codec=CODEC)
    found = integer.load(tmp_path / "prior.int8.safetensors")
    assert (found.codec, found.streams, found.fields) == (CODEC, net.streams, net.fields)
    for a, b in zip(found.intervals(codes, BOB), tiny_integer_prior().intervals(codes, BOB), strict=True):
        assert np.array_equal(a, b)
