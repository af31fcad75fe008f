"""Encoders as ONNX graphs, from a model's settings alone: :mod:`vqaudio.model.encoder`, number for number."""

from __future__ import annotations

from vqaudio.config.model import FramesEncoderConfig, ModelConfig, SpectralEncoderConfig, StridedEncoderConfig
from vqaudio.inference.graphs import Graph
from vqaudio.inference.layers import Layers
from vqaudio.inference.spectra import Floats, mdct_basis


def encoder_graph(config: ModelConfig, *, padded: bool) -> Graph:
    """From the first layer's input, ``(batch, columns, channels)``, to ``features`` ``(batch, D, frames)``.

    What the first layer is given depends on the kind: ``spectrum``, the compressed one; ``waves``, lapped frames
    of the waveform; or ``waveform`` as it is, with one channel. See :mod:`vqaudio.inference.spectra`.
    """
    graph = Graph("encoder")
    layers, encoder = Layers(graph, padded, config.activation), config.encoder
    if isinstance(encoder, FramesEncoderConfig):
        x = graph.input("waves", ("batch", "frames", 2 * encoder.hop))
    elif isinstance(encoder, SpectralEncoderConfig):
        x = graph.input("spectrum", ("batch", "columns", 3 * (encoder.window // 2 + 1)))
    else:
        x = graph.input("waveform", ("batch", "samples", 1))
    features = add_encoder(layers, x, config)
    graph.output("features", features, ("batch", config.latent_dim, "frames"))
    return graph


def add_encoder(layers: Layers, x: str, config: ModelConfig) -> str:
    """Add the layers behind ``x``, see :func:`encoder_graph`; the name of the features."""
    if isinstance(config.encoder, FramesEncoderConfig):
        x = _frames(layers, x, config.encoder, config.latent_dim)
    else:
        if isinstance(config.encoder, SpectralEncoderConfig):
            x = _spectral(layers, x, config.encoder, config.latent_dim)
        else:
            x = _strided(layers, x, config.encoder, config.latent_dim)
        x = layers.plain_norm(x, config.latent_dim)
    return layers.graph.add("Transpose", x, perm=[0, 2, 1])


def _spectral(layers: Layers, x: str, config: SpectralEncoderConfig, latent_dim: int) -> str:
    stem, channels, depth = config.stem_channels, config.channels, config.stem_units + config.units
    ahead = config.look_ahead or (None,) * depth
    x = layers.pointwise(x, "encoder.layers.1", inputs=3 * (config.window // 2 + 1), outputs=stem)
    x = layers.norm(x, "encoder.layers.2", stem)
    place = 3
    for look_ahead in ahead[: config.stem_units]:
        x = layers.unit(
            x,
            f"encoder.layers.{place}",
            channels=stem,
            kernel_size=config.kernel_size,
            hidden=(config.stem_expansion or config.expansion) * stem,
            look_ahead=look_ahead,
        )
        place += 1
    x = layers.convolution(
        x,
        f"encoder.layers.{place}",
        inputs=stem,
        outputs=channels,
        kernel_size=2 * config.stride,
        stride=config.stride,
    )
    x = layers.norm(x, f"encoder.layers.{place + 1}", channels)
    place += 2
    for look_ahead in ahead[config.stem_units :]:
        x = layers.unit(
            x,
            f"encoder.layers.{place}",
            channels=channels,
            kernel_size=config.kernel_size,
            hidden=config.expansion * channels,
            look_ahead=look_ahead,
        )
        place += 1
    x = layers.norm(x, f"encoder.layers.{place}", channels)
    return layers.pointwise(x, f"encoder.layers.{place + 1}", inputs=channels, outputs=latent_dim)


def _strided(layers: Layers, x: str, config: StridedEncoderConfig, latent_dim: int) -> str:
    width, place = config.base_channels, 1
    x = layers.convolution(x, "encoder.layers.0", inputs=1, outputs=width, kernel_size=config.kernel_size)
    for stride in config.strides:
        wider = min(2 * width, config.max_channels)
        x = layers.convolution(
            layers.activated(x),
            f"encoder.layers.{place + 1}",
            inputs=width,
            outputs=wider,
            kernel_size=2 * stride,
            stride=stride,
        )
        place, width = place + 2, wider
        for _ in range(config.units):
            x = layers.unit(
                x,
                f"encoder.layers.{place}",
                channels=width,
                kernel_size=config.kernel_size,
                hidden=config.expansion * width,
            )
            place += 1
    x = layers.norm(x, f"encoder.layers.{place}", width)
    return layers.pointwise(x, f"encoder.layers.{place + 1}", inputs=width, outputs=latent_dim)


def _frames(layers: Layers, x: str, config: FramesEncoderConfig, latent_dim: int) -> str:
    """The lapped transform and the map of its coordinates are one matrix."""
    hop, name = config.hop, "encoder.layers.1"

    def product(kernel: Floats) -> Floats:
        made: Floats = mdct_basis(hop) @ kernel[..., 0].T
        return made

    x = layers.graph.add("MatMul", x, layers.graph.weight({f"{name}.weight": (latent_dim, hop, 1)}, product))
    return layers.graph.add("Add", x, layers.graph.weight({f"{name}.bias": (latent_dim,)}))
