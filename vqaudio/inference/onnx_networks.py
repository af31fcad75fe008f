"""A model's networks on ONNX Runtime, on the CPU: the graphs of its settings, fed with the tensors of its file.

A session is made when it is first needed, so that who encodes does not wait for the decoder. Where all the context that
a network sees is handed over, a graph is run whose windows shrink, see :mod:`vqaudio.inference.layers`; else one that
is padded.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cached_property
from itertools import chain, islice
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from onnxruntime.capi.onnxruntime_pybind11_state import Fail, InvalidArgument, InvalidGraph, NotImplemented
from threadpoolctl import threadpool_limits

from vqaudio.config.model import (
    FramesDecoderConfig,
    FramesEncoderConfig,
    SpectralDecoderConfig,
    SpectralEncoderConfig,
)
from vqaudio.errors import ModelError
from vqaudio.inference.base import MOST_AHEAD, NO_CONTEXT, Floats, Found, Heard, Networks, inner
from vqaudio.inference.decoders import decoder_graph
from vqaudio.inference.encoders import encoder_graph
from vqaudio.inference.graphs import OPSET, Arrays, Graph
from vqaudio.inference.quantizers import build_quantizer
from vqaudio.inference.spans import Span, decoder_span, encoder_span, overlap_span, same_span
from vqaudio.inference.spectra import compressed_spectrum, inverse_stft, lapped, overlap_added
from vqaudio.inference.stored import StoredModel, stored_name


class OnnxNetworks(Networks):
    """Encoder and decoder on ONNX Runtime, float32, on as many threads as ``OMP_NUM_THREADS`` says, or cores are there.

    Raises:
        ModelError: the file's tensors do not fit its config.
    """

    def __init__(self, stored: StoredModel):
        self._encoder = None if stored.decode_only else _Network(encoder_graph, stored)
        self._encoder_beside_others = None if stored.decode_only else _Network(encoder_graph, stored, n_threads=1)
        self._decoder = _Network(decoder_graph, stored)
        asked = _Asked(stored.tensors)
        try:
            quantizer = build_quantizer(stored.config, asked)
        except ValueError as error:
            raise stored.misfit(str(error)) from None
        graphs = [network.padded for network in (self._encoder, self._decoder) if network is not None]
        others = asked.names
        if not quantizer.streams:  # then nothing of the bottleneck is in use
            others = {name for name in stored.tensors if name.startswith("bottleneck.")}
        _check_fit(stored, graphs, others=others)
        super().__init__(stored.config, quantizer, decode_only=stored.decode_only)

    def features(self, waveform: Floats, *, context: Span = NO_CONTEXT) -> Floats:
        """See :meth:`Networks.features`.

        Raises:
            ModelError: the model has no encoder.
            ValueError: samples are not a multiple of ``hop_length``.
        """
        return self._features(self._encoder, waveform, context)

    @property
    def side_by_side(self) -> bool:
        """See :attr:`Networks.side_by_side`: with several threads."""
        return threads() > 1

    def encode_windows(
        self, windows: Iterable[Heard], *, context: Span = NO_CONTEXT, ahead: float = MOST_AHEAD
    ) -> Iterator[Found]:
        """See :meth:`Networks.encode_windows`: as many at once as there are threads, one thread each.

        That is quicker than all threads for one window, as long as there are windows for all. Products in numpy take
        one thread too: those of its BLAS that wait do so at full load, and more than double the processor time.
        """
        coming, count = iter(windows), threads()
        first = list(islice(coming, count))
        if len(first) < count or not self.side_by_side:
            for window in chain(first, coming):
                yield window.key, self.encode_window(window, context=context)
            return

        def work(window: Heard) -> Found:
            features = self._features(self._encoder_beside_others, window.waveform[None, None], context)
            return window.key, [self.encode(features, n_streams, code_cost=cost) for n_streams, cost in window.choices]

        most = round(ahead * self.config.sample_rate)
        yield work(first[0])  # which builds the session
        with threadpool_limits(1, user_api="blas"), ThreadPoolExecutor(count) as pool:
            yield from _in_order(pool, work, chain(first[1:], coming), at_once=2 * count, most=most)

    def _features(self, network: _Network | None, waveform: Floats, context: Span) -> Floats:
        if network is None:
            raise ModelError("this model decodes only, its encoder is not here: use another model")
        hop, sound = self.config.hop_length, waveform[:, 0]
        if sound.shape[1] % hop:
            raise ValueError(f"{sound.shape[1]} samples are no multiple of the hop_length {hop}: pad them")
        encoder, span = self.config.encoder, encoder_span(self.config.encoder)
        if isinstance(encoder, FramesEncoderConfig):
            waves = lapped(sound, 2 * encoder.hop, encoder.hop, padding=span)
            return inner(network.run(True, waves=waves), context)
        if not isinstance(encoder, SpectralEncoderConfig):
            return inner(network.run(True, waveform=sound[..., None]), context)
        padded = span.left > context.left * hop or span.right > context.right * hop
        if padded:
            frames = lapped(sound, encoder.window, encoder.hop, padding=same_span(encoder.window, encoder.hop))
            return inner(network.run(True, spectrum=compressed_spectrum(frames)), context)
        seen = sound[:, context.left * hop - span.left : sound.shape[1] - context.right * hop + span.right]
        frames = lapped(seen, encoder.window, encoder.hop, padding=Span())
        return network.run(False, spectrum=compressed_spectrum(frames))

    def decode(self, tokens: Sequence[NDArray[Any]], speaker: int = 0, *, context: Span = NO_CONTEXT) -> Floats:
        """See :meth:`Networks.decode`."""
        latents = self.quantizer.decode([codes.astype(np.int64, copy=False) for codes in tokens])
        return self.synthesize(latents, speaker, context=context)

    def synthesize(self, latents: Floats, speaker: int = 0, *, context: Span = NO_CONTEXT) -> Floats:
        """Latents ``(batch, D, frames)`` to sound, as :meth:`decode` makes it of codes."""
        decoder, hop = self.config.decoder, self.config.hop_length
        told = {"speaker": np.full(len(latents), speaker, np.int64)} if self.config.speakers else {}
        span, frames = decoder_span(decoder, hop), latents.shape[2] - context.left - context.right
        if isinstance(decoder, FramesDecoderConfig):
            start, waves = context.left * hop + hop // 2, self._decoder.run(True, latents=latents)
            return overlap_added(waves, hop)[:, None, start : start + frames * hop]
        if not isinstance(decoder, SpectralDecoderConfig):
            waveform = self._decoder.run(True, latents=latents, **told)[..., 0]
            return inner(waveform[:, None], context, per_frame=hop)
        padded = span.left > context.left or span.right > context.right
        before = context.left
        if not padded:
            latents = inner(latents, Span(context.left - span.left, context.right - span.right))
            before = overlap_span(decoder.window, hop).left
        spectrum = self._decoder.run(padded, latents=latents, **told)
        start = before * hop + (decoder.window - hop) // 2
        return inverse_stft(spectrum, decoder.window, hop)[:, None, start : start + frames * hop]


class _Network:
    """One network: its graphs, and the sessions that run them."""

    def __init__(self, build: Callable[..., Graph], stored: StoredModel, n_threads: int | None = None):
        self._build, self._stored, self._n_threads = build, stored, n_threads
        self.padded = build(stored.config, padded=True)

    def run(self, padded: bool, **inputs: NDArray[Any]) -> Floats:
        """The only output, by the graph that is padded or by that whose windows shrink."""
        session = self._padded_session if padded else self._shrinking_session
        output: Floats = session.run(None, {name: np.ascontiguousarray(array) for name, array in inputs.items()})[0]
        return output

    @cached_property
    def _padded_session(self) -> onnxruntime.InferenceSession:
        return new_session(self.padded, self._stored.tensors, self._n_threads)

    @cached_property
    def _shrinking_session(self) -> onnxruntime.InferenceSession:
        return new_session(self._build(self._stored.config, padded=False), self._stored.tensors, self._n_threads)


def new_session(graph: Graph, tensors: Arrays, n_threads: int | None = None) -> onnxruntime.InferenceSession:
    """A session that runs a graph with a model's tensors, beside other processes: its threads do not spin.

    It uses ``n_threads``, or as many as :func:`threads` says.
    """
    weights = graph.made(tensors)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = n_threads or threads()
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 3  # errors
    values = [onnxruntime.OrtValue.ortvalue_from_numpy(array) for array in weights.values()]
    options.add_external_initializers(list(weights), values)
    model = graph.proto(weights, embedded=False).SerializeToString()
    try:
        return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    except (Fail, InvalidArgument, InvalidGraph, NotImplemented) as error:
        if "opset" not in str(error).lower():
            raise
        raise ModelError(
            f"onnxruntime {onnxruntime.__version__} does not know ONNX's opset {OPSET}, in which networks are run: "
            "pip install -U onnxruntime"
        ) from None


def threads() -> int:
    """How many threads a network may use: as ``OMP_NUM_THREADS`` says, as with torch, or one a core of this process."""
    asked = os.environ.get("OMP_NUM_THREADS", "")
    if asked.isdigit() and int(asked):
        return int(asked)
    if hasattr(os, "sched_getaffinity"):  # ONNX Runtime itself would count the cores of the whole machine
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _in_order(
    pool: ThreadPoolExecutor, work: Callable[[Heard], Found], windows: Iterable[Heard], *, at_once: int, most: int
) -> Iterator[Found]:
    """``work`` on each window in a pool, ``at_once`` of them, and ``most`` samples, if that is more than one."""
    running, held = deque[tuple[int, Future[Found]]](), 0
    for window in windows:
        size = len(window.waveform)
        while running and (len(running) >= at_once or held + size > most):
            before, future = running.popleft()
            held -= before
            yield future.result()
        running.append((size, pool.submit(work, window)))
        held += size
    for _, future in running:
        yield future.result()


class _Asked(Mapping[str, NDArray[Any]]):
    """Tensors, and the names of those that were taken."""

    def __init__(self, tensors: Arrays):
        self._tensors = tensors
        self.names: set[str] = set()

    def __getitem__(self, name: str) -> NDArray[Any]:
        self.names.add(name)
        return self._tensors[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._tensors)

    def __len__(self) -> int:
        return len(self._tensors)


def _check_fit(stored: StoredModel, graphs: Sequence[Graph], *, others: set[str]) -> None:
    """Whether the tensors that graphs need are there, and none but those and ``others``."""
    needed: dict[str, tuple[int, ...]] = {}
    for graph in graphs:
        for weight in graph.weights.values():
            needed |= weight.sources
    for name, shape in needed.items():
        if name not in stored.tensors:
            raise stored.misfit(f"tensor {stored_name(name)} is missing")
        found = stored.tensors[name].shape
        if found != shape:
            raise stored.misfit(f"tensor {stored_name(name)} has shape {found}, expected {shape}")
    for name in stored.tensors:
        if name not in needed and name not in others:
            raise stored.misfit(f"tensor {stored_name(name)} is not expected")
