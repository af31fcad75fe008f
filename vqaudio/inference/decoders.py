"""Decoders as ONNX graphs, from a model's settings alone: :mod:`vqaudio.model.decoder`, number for number."""

from __future__ import annotations

from vqaudio.config.model import FramesDecoderConfig, ModelConfig, SpectralDecoderConfig, StridedDecoderConfig
from vqaudio.inference.graphs import Graph
from vqaudio.inference.layers import Layers
from vqaudio.inference.spectra import Floats, mdct_basis


def decoder_graph(config: ModelConfig, *, padded: bool) -> Graph:
    """From ``latents`` ``(batch, D, frames)`` to the last layer's output, ``(batch, columns, channels)``.

    What that is depends on the kind: ``spectrum``, log-magnitudes and phases; ``waves``, frames to be added up; or the
    ``waveform``, with one channel. See :mod:`vqaudio.inference.spectra`. Where the model has speakers there is a second
    input ``speaker``, int64 ``(batch,)``.
    """
    graph = Graph("decoder")
    layers, decoder = Layers(graph, padded, config.activation), config.decoder
    latents = graph.input("latents", ("batch", config.latent_dim, "frames"))
    speaker = graph.input("speaker", ("batch",), items="int64") if config.speakers else ""
    x = add_decoder(layers, latents, config, speaker=speaker)
    if isinstance(decoder, FramesDecoderConfig):
        graph.output("waves", x, ("batch", "columns", 2 * config.hop_length))
    elif isinstance(decoder, SpectralDecoderConfig):
        graph.output("spectrum", x, ("batch", "columns", 2 * (decoder.window // 2 + 1)))
    else:
        graph.output("waveform", x, ("batch", "samples", 1))
    return graph


def add_decoder(layers: Layers, latents: str, config: ModelConfig, *, speaker: str) -> str:
    """Add the layers behind ``latents``, see :func:`decoder_graph`; the name of what the last one makes."""
    graph, decoder = layers.graph, config.decoder
    x = graph.add("Transpose", latents, perm=[0, 2, 1])
    if isinstance(decoder, FramesDecoderConfig):
        return _frames(layers, x, config.hop_length, config.latent_dim)
    condition = ""
    if config.speakers:
        table = graph.weight({"decoder.speaker_embedding.weight": (1 + len(config.speakers), config.speaker_dim)})
        condition = graph.add("Gather", table, speaker, axis=0)
    if isinstance(decoder, SpectralDecoderConfig):
        return _spectral(layers, x, config, decoder, condition=condition)
    return _strided(layers, x, config, decoder, condition=condition)


def _spectral(layers: Layers, x: str, model: ModelConfig, config: SpectralDecoderConfig, *, condition: str) -> str:
    channels, kernel_size = config.channels, config.kernel_size
    x = layers.convolution(x, "decoder.layers.0", inputs=model.latent_dim, outputs=channels, kernel_size=kernel_size)
    x = layers.norm(x, "decoder.layers.1", channels)
    for place, hidden in enumerate(config.hidden_channels, 2):
        x = layers.unit(
            x,
            f"decoder.layers.{place}",
            channels=channels,
            kernel_size=kernel_size,
            hidden=hidden,
            condition=condition,
            condition_dim=model.speaker_dim,
        )
    x = layers.norm(x, f"decoder.layers.{2 + config.units}", channels)
    return layers.dense(x, "decoder.head", inputs=channels, outputs=2 * (config.window // 2 + 1))


def _strided(layers: Layers, x: str, model: ModelConfig, config: StridedDecoderConfig, *, condition: str) -> str:
    doublings = range(len(config.strides), -1, -1)
    widths = [min(config.base_channels * 2**power, config.max_channels) for power in doublings]
    x = layers.convolution(
        x, "decoder.layers.0", inputs=model.latent_dim, outputs=widths[0], kernel_size=config.kernel_size
    )
    place = 1
    for stride, width, narrower in zip(config.strides, widths, widths[1:], strict=False):
        x = layers.upsampled(x, f"decoder.layers.{place}", inputs=width, outputs=narrower, stride=stride)
        place += 1
        for _ in range(config.units):
            x = layers.unit(
                x,
                f"decoder.layers.{place}",
                channels=narrower,
                kernel_size=config.kernel_size,
                hidden=config.expansion * narrower,
                condition=condition,
                condition_dim=model.speaker_dim,
            )
            place += 1
    return layers.convolution(
        layers.activated(x), "decoder.last", inputs=widths[-1], outputs=1, kernel_size=config.kernel_size
    )


def _frames(layers: Layers, x: str, hop: int, latent_dim: int) -> str:
    """The map to coordinates, and the lapped transform's inverse, are one matrix."""
    name, basis = "decoder.layers.0", mdct_basis(hop).T

    def product(kernel: Floats) -> Floats:
        made: Floats = kernel[..., 0].T @ basis
        return made

    def shift(bias: Floats) -> Floats:
        made: Floats = bias @ basis
        return made

    x = layers.graph.add("MatMul", x, layers.graph.weight({f"{name}.weight": (hop, latent_dim, 1)}, product))
    return layers.graph.add("Add", x, layers.graph.weight({f"{name}.bias": (hop,)}, shift))
