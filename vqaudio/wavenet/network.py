"""The learned prior in floating point: a WaveNet over frames of codes, with heads that go through a frame's streams.

::

    codes of frames < t ── sum of its embeddings ─────▶ gated residual dilated causal convolutions ─▶ context of frame t
    context of frame t, embeddings of streams < k at frame t, summed ── head k ─▶ logits of stream k at frame t

A frame is what the finest stream calls so; a coarser stream's code stays in view until its next one. So streams of any
strides are one sequence, in which finer streams are conditioned on coarser ones without a path of their own. What is
global (speaker, class, the number of streams in use) enters every gate.

Sources: van den Oord et al., "WaveNet: a generative model for raw audio", 2016: gates (eq. 2), residual and skip
connections (figure 4), global conditioning (eq. 5). Embeddings of residual codebooks summed at the input, and one
codebook predicted after the other: Kreuk et al., "AudioGen", 2022, and Défossez et al., "Moshi", 2024, section 3.4.

Everything that one layer passes to another goes through :mod:`vqaudio.qat.fake_quantize`: rounded there, the network
computes what its quantized export does, and can get used to it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from contextlib import nullcontext

import torch
from torch import Tensor, nn
from torch.nn import functional

from vqaudio.config.prior import WaveNetConfig
from vqaudio.container import Stream
from vqaudio.intnet.grids import CONDITION, GATE, LOGIT, SUM, UNIT
from vqaudio.model.layers import full_precision
from vqaudio.prior.text import AGES, HOLD, Alphabet
from vqaudio.qat.fake_quantize import FakeQuantize, QuantizedLinear, fake_quantize


class Layer(nn.Module):
    """One dilated convolution of two columns, its gates, and what it adds to the stream and to the output."""

    def __init__(self, config: WaveNetConfig, dilation: int):
        super().__init__()
        self.dilation, self.quantized = dilation, False
        self.input_quantizer = FakeQuantize()
        self.gates = QuantizedLinear(2 * config.channels, 2 * config.channels)
        self.condition = nn.Linear(config.condition_channels, 2 * config.channels, bias=False)
        self.out = QuantizedLinear(config.channels, config.channels + config.skip_channels)
        self.channels = config.channels

    def forward(self, x: Tensor, condition: Tensor, exponent: Tensor) -> tuple[Tensor, Tensor]:
        """``x`` and a condition to the next ``x`` and a share of the output.

        The condition is ``(batch, 1 or frames, condition_channels)``, and ``exponent`` that of its steps.
        """
        seen = self.input_quantizer(x)
        past = functional.pad(seen, (0, 0, self.dilation, 0))[:, : seen.shape[1]]
        gates = self.gates(torch.cat([past, seen], dim=-1), self.input_quantizer.exponent)
        gates = gates + functional.linear(condition, self.condition_weight(exponent))
        filtered, gate = self._grid(gates, GATE).chunk(2, dim=-1)
        passed = self._grid(self._grid(filtered.tanh(), UNIT) * self._grid(gate.sigmoid(), UNIT), UNIT)
        made = self._grid(self.out(passed, UNIT[0]), SUM)
        added, skipped = made[..., : self.channels], made[..., self.channels :]
        return x + added, skipped

    def condition_weight(self, exponent: Tensor) -> Tensor:
        """The condition's weights, with steps that make its products as fine as those of the gates."""
        weight = self.condition.weight
        if not self.gates.quantized:
            return weight
        return fake_quantize(
            weight, (self.gates.exponents + self.input_quantizer.exponent - exponent)[:, None], CONDITION[1]
        )

    def _grid(self, x: Tensor, grid: tuple[int, int]) -> Tensor:
        return fake_quantize(x, *grid) if self.gates.quantized else x


class Head(nn.Module):
    """Logits of one stream's codes from the context and from the codes before it in the frame."""

    def __init__(self, config: WaveNetConfig, alphabet: int):
        super().__init__()
        self.context = QuantizedLinear(config.skip_channels, config.head_channels)
        self.before = QuantizedLinear(config.code_dim, config.head_channels, bias=False)
        self.hidden_quantizer, self.query_quantizer = FakeQuantize(), FakeQuantize()
        self.query = QuantizedLinear(config.head_channels, config.code_dim)
        self.output_projection = QuantizedLinear(config.code_dim, alphabet)
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, context: Tensor, before: Tensor, exponent: Tensor) -> Tensor:
        """``(batch, codes, skip_channels)`` and ``(batch, codes, code_dim)`` to ``(batch, codes, alphabet)``.

        ``exponent`` is that of the context's steps.
        """
        quantized = self.query.quantized
        parts = [self.context(context, exponent), self.before(before)]
        if quantized:
            parts = [fake_quantize(part, *SUM) for part in parts]
        hidden = self.hidden_quantizer((parts[0] + parts[1]).relu())
        query = self.query_quantizer(self.query(self.dropout(hidden), self.hidden_quantizer.exponent))
        logits: Tensor = self.output_projection(query, self.query_quantizer.exponent)
        return fake_quantize(logits, *LOGIT) if quantized else logits


class WaveNet(nn.Module):
    """Logits of every code, given those before it.

    Args:
        config: sizes.
        streams: of the codes.
        fields: what codes may be conditioned on: names of labels by field. Label 0 of each field is "none".
        alphabet: of a text in step with the codes, which is one more stream then: see :mod:`vqaudio.prior.text`.
    """

    def __init__(
        self,
        config: WaveNetConfig,
        streams: Sequence[Stream],
        fields: Mapping[str, Sequence[str]],
        *,
        alphabet: Alphabet | None = None,
    ):
        super().__init__()
        self.config, self.alphabet = config, alphabet
        self.streams = tuple(streams) if alphabet is None else (*streams, alphabet.stream)
        self.fields = {name: tuple(labels) for name, labels in fields.items()}
        self.embeddings = nn.ParameterList(
            nn.Parameter(torch.randn(stream.alphabet, config.code_dim) / math.sqrt(len(streams))) for stream in streams
        )
        if alphabet is not None:
            self.symbols_in_view = nn.Embedding(alphabet.stream.alphabet, config.condition_channels)
            self.ages_in_view = nn.Embedding(AGES, config.condition_channels)
        self.active_streams = nn.Embedding(len(self.streams), config.condition_channels)
        self.labels = nn.ModuleList(
            nn.Embedding(len(labels) + 1, config.condition_channels) for labels in self.fields.values()
        )
        self.embedding_quantizer, self.condition_quantizer, self.context_quantizer = (
            FakeQuantize(),
            FakeQuantize(),
            FakeQuantize(),
        )
        self.embed = QuantizedLinear(config.code_dim, config.channels)
        self.layers = nn.ModuleList(Layer(config, dilation) for dilation in config.dilations)
        self.heads = nn.ModuleList(Head(config, stream.alphabet) for stream in self.streams)
        for part in self.modules():
            if isinstance(part, nn.Embedding):
                nn.init.normal_(part.weight, std=0.3)
            elif isinstance(part, Layer):
                nn.init.normal_(part.out.weight, std=0.5 / math.sqrt(config.channels * len(config.dilations)))

    def start_from(self, codebooks: Sequence[Tensor]) -> None:
        """Take a codec's codebooks ``(alphabet, code_dim)``, one per stream, for the embeddings to start from."""
        scale = torch.stack([book.square().mean() for book in codebooks]).sum().sqrt()
        with torch.no_grad():
            for embeddings, head, book in zip(self.embeddings, self.heads, codebooks, strict=False):
                assert isinstance(head, Head)
                embeddings.copy_(book / scale)
                head.output_projection.weight.copy_(book / book.std() / math.sqrt(book.shape[1]))

    @property
    def n_codebooks(self) -> int:
        """Streams of codes: all but that of text."""
        return len(self.embeddings)

    @property
    def receptive_field(self) -> int:
        """Frames before a code that it depends on."""
        return 1 + sum(self.config.dilations)

    def forward(
        self, codes: Sequence[Tensor], labels: Tensor | None = None, heard: Tensor | None = None
    ) -> list[Tensor]:
        """Logits ``(batch, codes, alphabet)`` for each of the first few streams, or all.

        Args:
            codes: for each stream a LongTensor ``(batch, codes)``.
            labels: LongTensor ``(batch, fields)``; none by default.
            heard: ``(batch, frames)``, 0 for frames that are hidden from those after them, else 1.

        On grids it computes in float32 in an autocast region too: bfloat16 has not as many bits as sums on theirs.
        """
        with full_precision(self.embeddings[0]) if self.embed.quantized else nullcontext():
            sums = self._sums(codes)
            past = sums[-1] if heard is None else sums[-1] * heard[..., None]
            condition = self._condition(labels, codes, past)
            context = self._context(functional.pad(past, (0, 0, 1, 0))[:, :-1], condition)
            return [
                head(context[:, :: stream.stride], before[:, :: stream.stride], self.context_quantizer.exponent)
                for head, before, stream in zip(self.heads[: len(codes)], sums, self.streams, strict=False)
            ]

    def _sums(self, codes: Sequence[Tensor]) -> list[Tensor]:
        """The sum of the embeddings in view at each frame, of no stream, the first, the first two, ... up to all.

        Each ``(batch, frames, code_dim)``.
        """
        frames = min(known.shape[1] * stream.stride for known, stream in zip(codes, self.streams, strict=False))
        total = self.embeddings[0].new_zeros(codes[0].shape[0], frames, self.config.code_dim)
        sums = [total]
        for known, embeddings, stream in zip(codes[: self.n_codebooks], self.embeddings, self.streams, strict=False):
            found = functional.embedding(known, self.embedding_quantizer(embeddings))
            total = total + found.repeat_interleave(stream.stride, 1)[:, :frames]
            sums.append(total)
        return [self.embedding_quantizer(one) for one in sums]

    def _condition(self, labels: Tensor | None, codes: Sequence[Tensor], like: Tensor) -> Tensor:
        """What is the same for all frames, and the symbol in view at each: ``(batch, 1 or frames, channels)``."""
        batch = like.shape[0]
        chosen = (
            torch.zeros(batch, len(self.labels), dtype=torch.long, device=like.device) if labels is None else labels
        )
        parts = [self.active_streams.weight[len(codes) - 1].expand(batch, -1)]
        parts += [table(chosen[:, index]) for index, table in enumerate(self.labels)]
        parts = [part[:, None] for part in parts]
        if len(codes) > self.n_codebooks:
            came = functional.pad(codes[-1], (1, 0))[:, : like.shape[1]]
            symbol, age = in_view(came)
            parts += [self.symbols_in_view(symbol), self.ages_in_view(age)]
        if self.embed.quantized:
            parts = [fake_quantize(part, *CONDITION) for part in parts]
        condition: Tensor = self.condition_quantizer(sum(parts[1:], parts[0]))
        return condition

    def _context(self, past: Tensor, condition: Tensor) -> Tensor:
        x = self.embed(past, self.embedding_quantizer.exponent)
        if self.embed.quantized:
            x = fake_quantize(x, *SUM)
        skipped = []
        for layer in self.layers:
            x, part = layer(x, condition, self.condition_quantizer.exponent)
            skipped.append(part)
        context: Tensor = self.context_quantizer(torch.stack(skipped).sum(0).relu())
        return context


def in_view(text: Tensor) -> tuple[Tensor, Tensor]:
    """As :func:`vqaudio.prior.text.in_view`."""
    frame = torch.arange(text.shape[1], device=text.device).expand_as(text)
    last = frame.where(text != HOLD, 0).cummax(1).values
    return text.gather(1, last), (frame - last).clamp(max=AGES - 1)
