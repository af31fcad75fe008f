"""Models as ONNX files that stand alone: a whole encoder and a whole decoder, with their weights, for other runtimes.

::

    waveform (batch, 1, samples) ──encoder.onnx──▶ features (batch, D, frames), codes (batch, n_codebooks, frames)
    codes (batch, n_codebooks, frames) ──decoder.onnx──▶ waveform (batch, 1, frames * hop_length)

What :class:`vqaudio.inference.onnx_networks.OnnxNetworks` does in numpy is operators here: Fourier transforms are
convolutions with their basis. Outside of what they are given are zeros.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from vqaudio.config.model import (
    FramesDecoderConfig,
    FramesEncoderConfig,
    SpectralDecoderConfig,
    SpectralEncoderConfig,
)
from vqaudio.errors import ModelError
from vqaudio.inference.base import Floats, Networks
from vqaudio.inference.decoders import add_decoder
from vqaudio.inference.encoders import add_encoder
from vqaudio.inference.graphs import OPSET, Graph
from vqaudio.inference.layers import Layers
from vqaudio.inference.spans import same_span
from vqaudio.inference.spectra import (
    FLOOR,
    LARGEST_LOG_MAGNITUDE,
    LOG_SCALE,
    POWER,
    analysis_window,
    synthesis_window,
)
from vqaudio.inference.stored import StoredModel


def encoder_model(stored: StoredModel, networks: Networks) -> onnx.ModelProto:
    """``waveform`` to ``features``, and to ``codes`` where latents are sums of embeddings.

    Codes are chosen greedily: each codebook takes the embedding that is nearest to what those before it left.
    """
    config, graph = stored.config, Graph("encoder")
    layers, encoder = Layers(graph, True, config.activation), config.encoder
    waveform = graph.input("waveform", ("batch", 1, "samples"))
    if isinstance(encoder, FramesEncoderConfig):
        kernel = np.eye(2 * encoder.hop, dtype=np.float32)[:, None]
        x = _rows(graph, _strided(graph, waveform, kernel, encoder.hop))
    elif isinstance(encoder, SpectralEncoderConfig):
        x = _compressed_spectrum(graph, waveform, encoder)
    else:
        x = _rows(graph, waveform)
    features = add_encoder(layers, x, config)
    graph.output("features", features, ("batch", config.latent_dim, "frames"))
    codebooks = networks.quantizer.additive_codebooks()
    if codebooks:
        codes = _greedy_codes(graph, _rows(graph, features), codebooks)
        graph.output("codes", codes, ("batch", len(codebooks), "frames"), items="int64")
    return _finished(graph, stored)


def decoder_model(stored: StoredModel, networks: Networks) -> onnx.ModelProto:
    """``codes``, of all codebooks or of the first few, to ``waveform``; where the model has speakers, of a ``speaker``.

    Raises:
        ModelError: the model has no codes, or codes that stand for more than one frame.
    """
    tables = _tables(stored, networks)
    config, graph = stored.config, Graph("decoder")
    codes = graph.input("codes", ("batch", "n_codebooks", "frames"), items="int64")
    speaker = graph.input("speaker", ("batch",), items="int64") if config.speakers else ""
    latents = _embedded(graph, codes, tables)
    x = add_decoder(Layers(graph, True, config.activation), latents, config, speaker=speaker)
    hop, decoder = config.hop_length, config.decoder
    if isinstance(decoder, FramesDecoderConfig):
        kernel = np.eye(2 * hop, dtype=np.float32)[:, None]
        waveform = _overlap_added(graph, _rows(graph, x), kernel, hop)
    elif isinstance(decoder, SpectralDecoderConfig):
        waveform = _inverse_stft(graph, x, decoder.window, hop)
    else:
        waveform = _rows(graph, x)
    graph.output("waveform", waveform, ("batch", 1, "samples"))
    return _finished(graph, stored)


def description(stored: StoredModel, networks: Networks) -> dict[str, Any]:
    """What stands in ``config.json``: what a program needs to know of a model beside its graphs."""
    config, quantizer = stored.config, networks.quantizer
    return {
        "model": stored.name,
        "fingerprint": stored.fingerprint,
        "opset": OPSET,
        "sample_rate": config.sample_rate,
        "hop_length": config.hop_length,
        "latent_dim": config.latent_dim,
        "codebook_sizes": [stream.alphabet for stream in quantizer.streams],
        "least_codebooks": quantizer.min_streams,
        "silence": stored.silence,
        "speakers": list(config.speakers),
        "encoder_context": None if stored.decode_only else networks.encoder_context,
        "decoder_context": networks.decoder_context,
    }


def _finished(graph: Graph, stored: StoredModel) -> onnx.ModelProto:
    facts = {"model": stored.name, "fingerprint": stored.fingerprint}
    return graph.proto(graph.made(stored.tensors), embedded=True, metadata=facts)


def _tables(stored: StoredModel, networks: Networks) -> list[Floats]:
    """For each codebook the latents ``(alphabet, D)`` that its codes add."""
    quantizer = networks.quantizer
    if not quantizer.streams:
        raise ModelError(f"{stored.name} has no codes, so there is nothing to decode: use a model that has codebooks")
    tables = quantizer.additive_codebooks()
    if tables:
        return tables
    if len(quantizer.streams) > 1:
        raise ModelError(
            f"{stored.name} has codes that stand for several frames, which ONNX files do not decode: use a model whose "
            "codes stand for one frame each"
        )
    every = np.arange(quantizer.streams[0].alphabet)[None]
    return [quantizer.decode([every])[0].T]


# ------------------------------------------------------------------------------------------------------------- codes


def _embedded(graph: Graph, codes: str, tables: list[Floats]) -> str:
    """Codes ``(batch, n_codebooks, frames)`` to latents ``(batch, D, frames)``: one table holds all codebooks."""
    starts = np.cumsum([0, *(len(table) for table in tables[:-1])]).astype(np.int64)
    count = graph.add("Shape", codes, start=1, end=2)
    offsets = graph.add(
        "Slice", graph.constant("first_rows", starts[:, None]), graph.integers(0), count, graph.integers(0)
    )
    table = graph.constant("codebooks", np.concatenate(tables).astype(np.float32))
    rows = graph.add("Gather", table, graph.add("Add", codes, offsets), axis=0)
    latents = graph.add("ReduceSum", rows, graph.integers(1), keepdims=0)
    return _rows(graph, latents)


def _greedy_codes(graph: Graph, features: str, codebooks: list[Floats]) -> str:
    """Features ``(batch, frames, D)`` to codes ``(batch, n_codebooks, frames)``."""
    found = []
    for number, codebook in enumerate(codebooks):
        twice = graph.constant(f"codebook_{number}.twice", np.ascontiguousarray(2.0 * codebook.T, np.float32))
        norms = graph.constant(f"codebook_{number}.norms", np.square(codebook).sum(1, dtype=np.float32))
        nearness = graph.add("Sub", graph.add("MatMul", features, twice), norms)
        code = graph.add("ArgMax", nearness, axis=2, keepdims=0)
        found.append(graph.add("Unsqueeze", code, graph.integers(1)))
        table = graph.constant(f"codebook_{number}", np.ascontiguousarray(codebook, np.float32))
        features = graph.add("Sub", features, graph.add("Gather", table, code, axis=0))
    return graph.add("Concat", *found, axis=1)


# -------------------------------------------------------------------------------------------------------- transforms


def _rows(graph: Graph, x: str) -> str:
    """``(batch, channels, columns)`` to ``(batch, columns, channels)``, or back."""
    return graph.add("Transpose", x, perm=[0, 2, 1])


def _strided(graph: Graph, waveform: str, kernel: NDArray[np.float32], hop: int) -> str:
    """``(batch, 1, samples)`` to ``(batch, rows of the kernel, samples / hop)``."""
    span = same_span(kernel.shape[2], hop)
    return graph.add(
        "Conv", waveform, graph.constant("analysis_basis", kernel), strides=[hop], pads=[span.left, span.right]
    )


def _overlap_added(graph: Graph, columns: str, kernel: NDArray[np.float32], hop: int) -> str:
    """``(batch, rows of the kernel, frames)`` to ``(batch, 1, frames * hop)``."""
    extra = kernel.shape[2] - hop
    return graph.add(
        "ConvTranspose",
        columns,
        graph.constant("synthesis_basis", kernel),
        strides=[hop],
        pads=[extra // 2, extra - extra // 2],
    )


def _waves(window: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """``cos`` and ``sin`` of ``2π k n / window``: two arrays ``(bins, window)``, bins ``window // 2 + 1``."""
    turns = np.outer(np.arange(window // 2 + 1), np.arange(window)) % window
    angles = 2.0 * np.pi / window * turns
    return np.cos(angles), np.sin(angles)


def _compressed_spectrum(graph: Graph, waveform: str, config: SpectralEncoderConfig) -> str:
    """See :func:`vqaudio.inference.spectra.compressed_spectrum`."""
    cosines, sines = _waves(config.window)
    kernel = (np.concatenate([cosines, -sines]) * analysis_window(config.window)).astype(np.float32)[:, None]
    spectrum = _rows(graph, _strided(graph, waveform, kernel, config.hop))
    real, imaginary = _halves(graph, spectrum, len(cosines))
    power = graph.add("Add", graph.add("Mul", real, real), graph.add("Mul", imaginary, imaginary))
    log_power = graph.add("Log", graph.add("Add", power, graph.number(FLOOR**2)))
    gain = graph.add("Exp", graph.add("Mul", log_power, graph.number(0.5 * (POWER - 1.0))))
    parts = [graph.add("Mul", part, gain) for part in (real, imaginary)]
    return graph.add("Concat", *parts, graph.add("Mul", log_power, graph.number(0.5 * LOG_SCALE)), axis=2)


def _inverse_stft(graph: Graph, spectrum: str, window: int, hop: int) -> str:
    """See :func:`vqaudio.inference.spectra.inverse_stft`; samples beyond the frames' own are cut."""
    cosines, sines = _waves(window)
    twice = np.full(len(cosines), 2.0)  # every wave but these has a twin of negative frequency
    twice[0] = 1.0
    if window % 2 == 0:
        twice[-1] = 1.0
    scale = np.outer(twice / window, synthesis_window(window, hop))
    kernel = np.concatenate([scale * cosines, -scale * sines]).astype(np.float32)[:, None]
    log_magnitude, phase = _halves(graph, spectrum, len(cosines))
    magnitude = graph.add("Exp", graph.add("Min", log_magnitude, graph.number(LARGEST_LOG_MAGNITUDE)))
    parts = [graph.add("Mul", magnitude, graph.add(part, phase)) for part in ("Cos", "Sin")]
    return _overlap_added(graph, _rows(graph, graph.add("Concat", *parts, axis=2)), kernel, hop)


def _halves(graph: Graph, x: str, size: int) -> tuple[str, str]:
    """The first and the last ``size`` channels."""
    first, second = (
        graph.add("Slice", x, graph.integers(at), graph.integers(at + size), graph.integers(2)) for at in (0, size)
    )
    return first, second
