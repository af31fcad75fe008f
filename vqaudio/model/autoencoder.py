"""Encoder, bottleneck and decoder in a row: the model, and nothing else."""

from __future__ import annotations

import math
from dataclasses import dataclass

from torch import Tensor, nn

from vqaudio.config.model import ModelConfig
from vqaudio.model.bottleneck import build_bottleneck
from vqaudio.model.decoder import build_decoder
from vqaudio.model.encoder import AbsentEncoder, Encoder, build_encoder


@dataclass
class Reconstruction:
    """What :meth:`Autoencoder.forward` returns.

    Attributes:
        waveform: ``(batch, 1, samples)``.
        tokens: one LongTensor ``(batch, frames / stride)`` per stream.
        loss: the bottleneck's own loss, a scalar.
        stats: named scalars for logs.
        log_prob: the bottleneck's, where it has one: see :class:`vqaudio.model.bottleneck.BottleneckOutput`.
    """

    waveform: Tensor
    tokens: list[Tensor]
    loss: Tensor
    stats: dict[str, Tensor]
    log_prob: Tensor | None = None


class Autoencoder(nn.Module):
    """Waveform to tokens to waveform: ``(batch, 1, samples)``, samples a multiple of ``hop_length``, full scale 1.0.

    Differentiable from end to end; works on the device and in the dtype that its weights have. One that is
    ``decode_only`` has no encoder, and raises ModelError where that would be asked.
    """

    def __init__(self, config: ModelConfig, *, decode_only: bool = False):
        super().__init__()
        self.config, self.decode_only = config, decode_only
        self.encoder: Encoder = AbsentEncoder()
        if not decode_only:
            self.encoder = build_encoder(config.encoder, config.latent_dim, activation=config.activation)
        self.bottleneck = build_bottleneck(config.bottleneck, config.latent_dim)
        self.decoder = build_decoder(
            config.decoder,
            config.latent_dim,
            hop_length=config.hop_length,
            activation=config.activation,
            n_speakers=len(config.speakers),
            speaker_dim=config.speaker_dim,
        )

    def forward(
        self,
        waveform: Tensor,
        quantize: bool = True,
        *,
        speaker: Tensor | None = None,
        latents: Tensor | None = None,
    ) -> Reconstruction:
        """Reconstruct a batch; without ``quantize`` the features reach the decoder as they are.

        ``speaker`` is a LongTensor ``(batch,)``: 1 and up in the order of the config's speakers, 0 for none of them.
        ``latents`` ``(batch, D, frames)`` are decoded in place of what encoder and bottleneck make of the waveform.
        """
        if latents is not None:
            return Reconstruction(self.decoder(latents, speaker), [], latents.new_zeros(()), {})
        features = self.encoder(waveform)
        if not quantize:
            return Reconstruction(self.decoder(features, speaker), [], features.new_zeros(()), {})
        passed = self.bottleneck(features)
        waveform = self.decoder(passed.latents, speaker)
        return Reconstruction(waveform, passed.tokens, passed.loss, passed.stats, passed.log_prob)

    def encode(self, waveform: Tensor, n_streams: int | None = None, *, context: int = 0) -> list[Tensor]:
        """``(batch, 1, samples)`` to one LongTensor ``(batch, frames / stride)`` per stream, or for the first few.

        So many frames of ``context`` at either end, whole codes of every stream, are heard but not coded.
        """
        return self.encode_features(self.encoder(waveform), n_streams=n_streams, context=context)

    def encode_features(self, features: Tensor, *, n_streams: int | None = None, context: int = 0) -> list[Tensor]:
        """The same from what the encoder made of a waveform."""
        span = self.bottleneck.encode_span
        own = min(context, max(span.left, span.right))  # what the bottleneck needs, beside what was for the encoder
        kept = features[..., context - own : features.shape[-1] - context + own]
        found = zip(self.bottleneck.encode(kept, n_streams), self.bottleneck.streams, strict=False)
        return [codes[:, own // stream.stride : codes.shape[1] - own // stream.stride] for codes, stream in found]

    def decode(self, tokens: list[Tensor], speaker: Tensor | None = None) -> Tensor:
        """Tokens to ``(batch, 1, frames * hop_length)``; ``speaker`` as in :meth:`forward`."""
        waveform: Tensor = self.decoder(self.bottleneck.decode(tokens), speaker)
        return waveform

    @property
    def encoder_context(self) -> int:
        """Frames of sound that a frame's tokens depend on, to either side of its own."""
        span = self.encoder.span.then(self.bottleneck.encode_span, self.config.hop_length)
        return -(-max(span.left, span.right) // self.config.hop_length)

    @property
    def decoder_context(self) -> int:
        """Frames of tokens that a frame's sound depends on, to either side of its own."""
        span = self.decoder.span.then(self.bottleneck.decode_span)
        return max(span.left, span.right)

    @property
    def receptive_field(self) -> int:
        """Samples of input that one frame of output depends on: encoder, bottleneck and decoder together.

        At most so many, where a code stands for several frames: it depends on where among them the frame is.
        """
        frame = self.decoder.span.then(self.bottleneck.decode_span).then(self.bottleneck.encode_span)
        shared = math.lcm(*(stream.stride for stream in self.bottleneck.streams)) - 1
        encoder = self.encoder.span
        return encoder.left + encoder.right + (1 + frame.left + frame.right + 2 * shared) * self.config.hop_length
