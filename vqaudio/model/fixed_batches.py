"""Windows side by side on a GPU, with the very codes that each has alone.

A GPU chooses its kernels by the shapes that they are given, and with them the order in which sums are added up: in a
batch of sixteen a sound gets other last bits than alone, and where two codes are nearly as near, another code. To look
for such ties afterwards and code them alone is no way out: a beam search over nine codebooks compares so much that most
windows hold one. So shapes are fixed. A window goes into a batch whose shape its own length alone decides, and which
silence fills where there are not as many windows: so it does alone, too. What is left is that a row's sums may depend
on its place in the batch. That is tried on the device itself, once for each shape, and where it is so rows are computed
one by one.

Windows are cut on the host, which has the sounds: samples go to the device once, those of context twice, and nothing
but codes comes back.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from vqaudio.inference.base import Found, Heard, Tokens
from vqaudio.inference.spans import Span

FRAMES = 2560
"""Of a batch, context included: eight blocks of speech-16k-v4 side by side."""
SIZES = (40, 56)
"""Windows are as long as one of these times a power of two, in frames."""
SUMS = {"mm", "matmul", "linear", "conv1d", "layer_norm", "fft_rfft"}
"""Functions of torch in which sums are made, whose order may depend on the place."""


@dataclass(frozen=True)
class Shape:
    """Of a batch: so many windows of so many frames."""

    rows: int
    frames: int


def shape_for(n_frames: int, *, multiple: int = 1) -> Shape:
    """Of the batch for a window of ``n_frames`` frames; its frames are a whole number of ``multiple``.

    >>> shape_for(310)  # a block of 5 s, and 0.6 s at either end
    Shape(rows=8, frames=320)
    """
    power = 0
    while SIZES[-1] << power < n_frames:
        power += 1
    frames = min(size << power for size in SIZES if size << power >= n_frames)
    frames = -(-frames // multiple) * multiple
    return Shape(max(1, FRAMES // frames), frames)


class FixedBatches:
    """What was found of shapes holds for as long as the networks stay where they are.

    Args:
        encoder: ``(batch, 1, samples)`` to features ``(batch, D, frames)``.
        search: features, a number of streams, and float32 ``(batch,)``, what codes cost in each row, or None where they
            cost nothing, to codes ``(batch, codes)`` per stream.
        hop_length: samples of a frame.
        multiple: frames of the longest code.
        device: where these compute.
    """

    def __init__(
        self,
        encoder: Callable[[Tensor], Tensor],
        search: Callable[[Tensor, int | None, Tensor | None], list[Tensor]],
        *,
        hop_length: int,
        multiple: int,
        device: torch.device,
    ):
        self.encoder, self.search = encoder, search
        self.hop_length, self.multiple, self.device = hop_length, multiple, device
        self._even: dict[object, bool] = {}

    def encode_windows(self, windows: Iterable[Heard], *, context: Span, most: int) -> Iterator[Found]:
        """See :meth:`vqaudio.inference.base.Networks.encode_windows`; ``most`` samples are held at once.

        While the device works on a batch, the next one is read.
        """
        before: Callable[[], list[Found]] = list
        for shape, batch in self._batches(windows, most):
            started = self._start(shape, batch, context)
            yield from before()
            before = started
        yield from before()

    def _batches(self, windows: Iterable[Heard], most: int) -> Iterator[tuple[Shape, list[Heard]]]:
        """Windows of one shape: as many as it has rows, or fewer where ``most`` samples are held, and at the end."""
        waiting: dict[Shape, list[Heard]] = {}
        for window in windows:
            shape = shape_for(len(window.waveform) // self.hop_length, multiple=self.multiple)
            waiting.setdefault(shape, []).append(window)
            held = {shape: sum(len(one.waveform) for one in several) for shape, several in waiting.items()}
            if len(waiting[shape]) < shape.rows:
                if sum(held.values()) < most:
                    continue
                shape = max(held, key=held.__getitem__)
            yield shape, waiting.pop(shape)
        yield from waiting.items()

    @torch.inference_mode()
    def _start(self, shape: Shape, batch: Sequence[Heard], context: Span) -> Callable[[], list[Found]]:
        """Set the device to work on a batch; what is returned waits for its codes."""
        samples = np.zeros((shape.rows, 1, shape.frames * self.hop_length), np.float32)
        for row, window in enumerate(batch):
            samples[row, 0, : len(window.waveform)] = window.waveform
        features = self._features(shape, torch.from_numpy(samples).to(self.device), context)
        made = [(rows, self._tokens(shape, features, *asked)) for rows, asked in _searches(batch, shape.rows)]

        def codes() -> list[Found]:
            found: list[dict[int, list[Tokens]]] = [{} for _ in batch]
            for rows, (sizes, joined) in made:
                arrays = np.split(joined.cpu().numpy(), np.cumsum(sizes)[:-1], axis=1)
                for row, place in rows.items():
                    found[row][place] = [codes[row : row + 1] for codes in arrays]
            return [
                (window.key, [own[place] for place in range(len(window.choices))])
                for window, own in zip(batch, found, strict=True)
            ]

        return codes

    def _features(self, shape: Shape, waveform: Tensor, context: Span) -> Tensor:
        def work(part: Tensor) -> Tensor:
            return self.encoder(part)[..., context.left : shape.frames - context.right].contiguous()

        if self._is_even(shape, context, lambda: work(self._equal_rows(shape, waveform))):
            return work(waveform)
        return torch.cat([work(row) for row in waveform.chunk(shape.rows)])

    def _tokens(
        self, shape: Shape, features: Tensor, n_streams: int | None, costs: Sequence[float]
    ) -> tuple[list[int], Tensor]:
        """How many codes each stream has, and those of all streams side by side, ``(rows, codes)``."""
        each = torch.tensor(costs, device=self.device) if any(costs) else None

        def work(part: Tensor, costs: Tensor | None) -> list[Tensor]:
            return self.search(part, n_streams, costs)

        if self._is_even(shape, n_streams, lambda: work(self._equal_rows(shape, features), None)):
            tokens = work(features, each)
        else:
            rows = zip_longest(features.chunk(shape.rows), () if each is None else each.chunk(shape.rows))
            tokens = [torch.cat(parts) for parts in zip(*(work(*row) for row in rows), strict=True)]
        return [codes.shape[1] for codes in tokens], torch.cat(tokens, 1)

    def _equal_rows(self, shape: Shape, like: Tensor) -> Tensor:
        """The same noise in every row of a batch."""
        noise = np.random.default_rng(0).standard_normal((1, *like.shape[1:])).astype(np.float32)
        return torch.from_numpy(noise).to(like).repeat(shape.rows, 1, 1)

    def _is_even(self, shape: Shape, what: object, work: Callable[[], object]) -> bool:
        """Whether ``work`` on a batch of equal rows keeps them equal; it is tried once."""
        if (shape, what) not in self._even:
            with _Watched(shape.rows) as watched:
                work()
            self._even[shape, what] = watched.even
        return self._even[shape, what]


class _Watched(TorchFunctionMode):
    """Looks whether all sums, and so all that is made of them, have equal rows.

    Attributes:
        even: whether they had so far.
    """

    def __init__(self, rows: int):
        super().__init__()
        self.rows, self.even = rows, True

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Do what is asked for, and look at it."""
        made = func(*args, **(kwargs or {}))
        if getattr(func, "__name__", "") in SUMS:
            first, *others = made.chunk(self.rows)
            self.even = self.even and all(torch.equal(first, other) for other in others)
        return made


def _searches(batch: Sequence[Heard], size: int) -> Iterator[tuple[dict[int, int], tuple[int | None, list[float]]]]:
    """The searches that all choices of a batch take: for each row which of its choices it is, streams, and costs.

    One search is for as many streams in all rows, and for one choice of each at most.
    """
    left = [list(enumerate(window.choices)) for window in batch]
    while any(left):
        (_, (n_streams, _)) = next(choices[0] for choices in left if choices)
        rows, costs = {}, [0.0] * size
        for row, choices in enumerate(left):
            at = next((at for at, (_, (count, _)) in enumerate(choices) if count == n_streams), None)
            if at is not None:
                rows[row], (_, costs[row]) = choices.pop(at)
        yield rows, (n_streams, costs)
