"""The learned prior in floating point: what it sees, its grids, its quantized export, and the files of both."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from priors import BOB, CODEC, FIELDS, STREAMS, places, random_codes, tiny_integer_prior, tiny_wavenet, walked
from safetensors import safe_open
from safetensors.numpy import save_file as save_arrays
from safetensors.torch import save_file
from torch import Tensor

from vqaudio.config.prior import WaveNetConfig
from vqaudio.container import Stream
from vqaudio.errors import ConfigError, ModelError
from vqaudio.intnet.grids import EXACT, INT8, LARGEST_BIAS, LARGEST_PRODUCTS, LOGIT
from vqaudio.intnet.intervals import Integers, bits_of
from vqaudio.prior import integer
from vqaudio.qat.export import export_linear
from vqaudio.qat.fake_quantize import FakeQuantize, QuantizedLinear, fake_quantize, finest_exponent, set_quantized
from vqaudio.wavenet import WaveNet, export, saved

LABELS = torch.tensor([[2, 3]])  # BOB


def smooth(streams: tuple[Stream, ...] = STREAMS) -> WaveNet:
    """The tiny network with no value rounded."""
    net = tiny_wavenet(streams)
    set_quantized(net, quantized=False)
    return net


@torch.no_grad()
def logits_of(net: WaveNet, codes: list[Integers], labels: Tensor | None = None) -> list[np.ndarray]:
    batch_size = len(codes[0])
    found = net([torch.from_numpy(part) for part in codes], None if labels is None else labels.expand(batch_size, -1))
    return [part.float().numpy() for part in found]


def moved(a: np.ndarray, b: np.ndarray) -> list[bool]:
    """At which codes logits ``(batch, codes, alphabet)`` differ by more than rounding."""
    return (np.abs(a - b).max((0, 2)) > 1e-4).tolist()


# -------------------------------------------------------------------------------------------------------- what it sees


@pytest.mark.parametrize("n_streams", [2, 3])
@pytest.mark.parametrize("rounded", [False, True])
def test_a_code_changes_only_logits_after_it(rounded, n_streams):
    net, streams = tiny_wavenet() if rounded else smooth(), STREAMS[:n_streams]
    order, codes = places(streams, 7), random_codes(streams, 4, 7)
    before = logits_of(net, codes)
    for number, (stream, at) in enumerate(order):
        changed = [part.copy() for part in codes]
        changed[stream][:, at] = (changed[stream][:, at] + 1) % streams[stream].alphabet
        after = logits_of(net, changed)
        differs = [moved(a, b) for a, b in zip(before, after, strict=True)]
        felt = [differs[i][j] for i, j in order]
        assert not any(felt[: number + 1])
        if number + 1 < len(order):
            assert felt[number + 1]


@pytest.mark.parametrize("n_streams", [1, 2])
def test_receptive_field_is_measured(n_streams):
    net = smooth((Stream(16),) * n_streams)
    field, at = net.receptive_field, 2
    assert field == 8
    codes = random_codes(net.streams, 16, at + field + 4)
    changed = [part.copy() for part in codes]
    changed[0][:, at] = (changed[0][:, at] + 1) % 16
    differs = moved(logits_of(net, codes)[0], logits_of(net, changed)[0])
    assert [frame - at for frame, differ in enumerate(differs) if differ] == list(range(1, field + 1))


def test_a_coarse_code_stays_in_view_until_the_next():
    net, codes = smooth(), random_codes(STREAMS, 4, 5)
    changed = [part.copy() for part in codes]
    changed[0][:, 2] = (changed[0][:, 2] + 1) % 11  # that of frames 4 and 5, but the codes end with frame 4
    a, b = logits_of(net, codes), logits_of(net, changed)
    assert [moved(x, y) for x, y in zip(a, b, strict=True)] == [[False] * 3, [False] * 4 + [True], [False] * 4 + [True]]


def test_the_first_few_streams_have_as_many_logits():
    net, codes = smooth(), random_codes(STREAMS, 2, 6)
    assert [part.shape for part in logits_of(net, codes)] == [(2, 3, 11), (2, 6, 16), (2, 6, 16)]
    assert [part.shape for part in logits_of(net, codes[:2])] == [(2, 3, 11), (2, 6, 16)]
    assert all(moved(logits_of(net, codes)[0], logits_of(net, codes[:2])[0]))  # how many there are is known


def test_labels_change_logits():
    net, codes = smooth(), random_codes(STREAMS, 2, 6)
    ways = [logits_of(net, codes, torch.tensor([way])) for way in ([0, 0], [1, 0], [2, 0], [0, 1], [2, 3])]
    for index, one in enumerate(ways):
        assert all(all(moved(one[0], other[0])) for other in ways[:index])
    assert all(np.array_equal(a, b) for a, b in zip(ways[0], logits_of(net, codes), strict=True))


def test_hidden_frames_are_hidden_from_those_after_them():
    net, codes = smooth(), random_codes(STREAMS, 4, 10)
    hidden = {2, 3, 6}
    heard = torch.tensor([[float(frame not in hidden) for frame in range(10)]] * 4)

    @torch.no_grad()
    def with_hidden(codes: list[Integers]) -> list[np.ndarray]:
        return [part.numpy() for part in net([torch.from_numpy(part) for part in codes], heard=heard)]

    before = with_hidden(codes)
    for frame in range(9):
        changed = [part.copy() for part in codes]
        changed[2][:, frame] = (changed[2][:, frame] + 1) % 16  # the last stream: nothing else of its frame follows
        after = with_hidden(changed)
        assert moved(before[1], after[1])[frame + 1] == (frame not in hidden)
        if frame in hidden:
            assert not any(any(moved(a, b)) for a, b in zip(before, after, strict=True))
    assert moved(before[1], logits_of(net, codes)[1])[:4] == [False, False, False, True]


def test_a_start_from_codebooks():
    books = [3 * torch.randn(stream.alphabet, 6) for stream in STREAMS]
    net = smooth()
    net.start_from(books)
    scale = books[0][0, 0] / net.embeddings[0][0, 0]
    for book, embeddings, head in zip(books, net.embeddings, net.heads, strict=True):
        torch.testing.assert_close(embeddings.data * scale, book)
        torch.testing.assert_close(head.output_projection.weight.std(), torch.tensor(6**-0.5))
        assert torch.corrcoef(torch.stack([head.output_projection.weight.flatten(), book.flatten()]))[0, 1] > 0.999
    # Entries of independent streams add up to a variance of 1.
    assert float(sum(embeddings.data.square().mean() for embeddings in net.embeddings)) == pytest.approx(1, rel=1e-5)


# --------------------------------------------------------------------------------------------------------------- grids


def test_fake_quantize_worked_by_hand():
    x = torch.tensor([0.24, 0.25, 0.75, -0.24, -0.25, -0.26, 1.6, -9.0, 0.0])
    assert fake_quantize(x, 1, 3).tolist() == [0.0, 0.5, 1.0, 0.0, 0.0, -0.5, 1.5, -1.5, 0.0]  # steps of 1/2, at most 3
    assert fake_quantize(torch.tensor([5.0, 6.0, 1000.0]), -2, 3).tolist() == [4.0, 8.0, 12.0]
    exponents = torch.tensor([[0.0], [2.0]])
    assert fake_quantize(torch.tensor([[0.6], [0.6]]), exponents, 127).tolist() == [[1.0], [0.5]]


def test_gradients_pass_as_if_nothing_had_been_rounded():
    x = torch.tensor([0.3, -0.7, 1.49, 1.6, -9.0], requires_grad=True)
    (fake_quantize(x, 1, 3) * torch.tensor([1.0, 2.0, 3.0, 4.0, 5.0])).sum().backward()
    assert x.grad is not None
    assert x.grad.tolist() == [1.0, 2.0, 3.0, 0.0, 0.0]  # but not where a value was cut off


def test_finest_worked_by_hand():
    peaks = torch.tensor([127.0, 128.0, 1.0, 0.99, 127 / 128, 0.0])
    assert finest_exponent(peaks).tolist() == [0, -1, 6, 7, 7, 26]
    peaks = torch.rand(1000) * 300
    assert bool((peaks * 2.0 ** finest_exponent(peaks) <= INT8).all())
    assert bool((peaks * 2.0 ** (finest_exponent(peaks) + 1) > INT8).all())


def test_a_grid_follows_from_what_was_observed():
    steps, x = FakeQuantize(), torch.linspace(-3, 3, 11)
    assert torch.equal(steps(x), x)
    steps.observing = True
    assert torch.equal(steps(x), x)
    assert int(steps.exponent) == 5  # 3 * 2**5 = 96
    steps(x / 10)
    assert int(steps.exponent) == 5  # peaks last
    steps.observing, steps.quantized = False, True
    assert torch.equal(steps(10 * x), (320 * x + 0.5).floor().clamp(-127, 127) / 32)


def test_weights_have_one_step_for_each_output():
    layer = QuantizedLinear(2, 2)
    with torch.no_grad():
        layer.weight.copy_(torch.tensor([[1.0, 0.3], [10.0, -3.0]]))
        layer.bias.copy_(torch.tensor([0.123, 0.0]))
    x = torch.tensor([1.0, 10.0])
    torch.testing.assert_close(layer(x), torch.tensor([4.123, -20.0]))
    set_quantized(layer)
    assert layer.exponents.tolist() == [6, 3]
    torch.testing.assert_close(layer(x, 4), torch.tensor([1 + 190 / 64 + 126 / 1024, 10 - 30.0]))


# ------------------------------------------------------------------------------------------------- the quantized export


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
        integer.Int8Linear(product, "wide", 127)
    small = np.where(np.arange(1024) % 2, 10, -10).astype(np.int8)
    integer.Int8Linear(product | {"wide.weight": small[None]}, "wide", 127)
    with pytest.raises(ValueError, match="reach 16909320"):
        integer.Int8Linear(
            product | {"wide.weight": small[None], "wide.bias": np.array([2**24 - 1168376])}, "wide", 127
        )
    with pytest.raises(ValueError, match="float32 weights"):
        integer.Int8Linear(product | {"wide.weight": small[None].astype(np.float32)}, "wide", 127)
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


def test_values_on_grids_stay_there_under_autocast():
    codes = random_codes(STREAMS, 2, 9)
    for net, exact in ((tiny_wavenet(), True), (smooth(), False)):
        expected = logits_of(net, codes, LABELS)
        with torch.autocast("cpu", torch.bfloat16):
            found = logits_of(net, codes, LABELS)
        assert all(np.array_equal(a, b) for a, b in zip(found, expected, strict=True)) == exact


# --------------------------------------------------------------------------------------------------------------- files


def test_a_saved_network_comes_back(tmp_path: Path):
    net, codes = tiny_wavenet(), random_codes(STREAMS, 2, 9)
    saved.save(net, CODEC, tmp_path / "prior.safetensors", {"steps": 7})
    found = saved.load(tmp_path / "prior.safetensors")
    assert (found.codec, found.training) == (CODEC, {"steps": 7})
    assert (found.net.streams, found.net.config) == (net.streams, net.config)
    assert list(found.net.fields.items()) == list(net.fields.items())
    assert not found.net.training
    for name, values in net.state_dict().items():
        assert torch.equal(found.net.state_dict()[name], values.half().to(values.dtype))
    set_quantized(net, quantized=False)
    for a, b in zip(logits_of(net, codes, LABELS), logits_of(found.net, codes, LABELS), strict=True):
        np.testing.assert_allclose(a, b, atol=0.05)  # weights are float16 on disk


def test_a_saved_export_comes_back(tmp_path: Path):
    net, codes = tiny_wavenet(), random_codes(STREAMS, 2, 9)
    export.save(net, CODEC, tmp_path / "prior.int8.safetensors")
    found = integer.load(tmp_path / "prior.int8.safetensors")
    assert (found.codec, found.streams, found.fields) == (CODEC, net.streams, net.fields)
    for a, b in zip(found.intervals(codes, BOB), tiny_integer_prior().intervals(codes, BOB), strict=True):
        assert np.array_equal(a, b)


def rewritten(path: Path, change: Callable[[dict[str, Any]], object] = lambda _: None, **changes: Any) -> None:
    """Change what a file's config says, then entries of its metadata; or leave out its first tensor (``drop``)."""
    with safe_open(path, framework="pt") as file:
        metadata, tensors = file.metadata(), {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    if changes.pop("drop", False):
        del tensors[min(tensors)]
    described = json.loads(metadata["config"])
    change(described)
    save_file(tensors, path, metadata | {"config": json.dumps(described)} | changes)


DAMAGES: dict[str, Callable[[Path], object]] = {
    "empty": lambda path: path.write_bytes(b""),
    "noise": lambda path: path.write_bytes(bytes(range(256)) * 8),
    "cut": lambda path: path.write_bytes(path.read_bytes()[:-100]),
    "missing": Path.unlink,
    "of another kind": lambda path: rewritten(path, kind="autoencoder"),
    "a tensor short": lambda path: rewritten(path, drop=True),
    "without a config": lambda path: save_file({"used": torch.zeros(3, 5)}, path),
    "with a config that is no JSON": lambda path: rewritten(path, config="{"),
    "with a config that is a list": lambda path: rewritten(path, config="[]"),
    "without streams": lambda path: rewritten(path, lambda config: config.pop("streams")),
    "with streams that are none": lambda path: rewritten(path, lambda config: config.update(streams=[3])),
    "with fields that are a list": lambda path: rewritten(path, lambda config: config.update(fields=[1])),
    "with more streams than it has tensors": lambda path: rewritten(
        path, lambda config: config["streams"].append([16, 1])
    ),
}


@pytest.mark.parametrize("kind", ["network", "export"])
@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_file_is_one_sentence(tmp_path: Path, damage: str, kind: str):
    path = tmp_path / "prior.safetensors"
    (saved if kind == "network" else export).save(tiny_wavenet(), CODEC, path)
    DAMAGES[damage](path)
    with pytest.raises(ModelError) as caught:
        (saved if kind == "network" else integer).load(path)
    assert str(caught.value).startswith(f"{path}: is not a readable prior (")
    assert "\n" not in str(caught.value)


def test_a_config_that_is_out_of_range_is_refused_with_its_key(tmp_path: Path):
    path = tmp_path / "prior.safetensors"
    saved.save(tiny_wavenet(), CODEC, path)
    rewritten(path, lambda config: config["config"].update(channels=0))
    with pytest.raises(ModelError, match="channels"):
        saved.load(path)


def test_training_notes_that_are_no_json_are_refused(tmp_path: Path):
    path = tmp_path / "prior.safetensors"
    saved.save(tiny_wavenet(), CODEC, path)
    rewritten(path, training="{")
    with pytest.raises(ModelError, match="is not a readable prior"):
        saved.load(path)
