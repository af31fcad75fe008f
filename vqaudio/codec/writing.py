"""A sound of any length into a ``.vq`` file, chunk by chunk: as it is asked for, or at a rate."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from tempfile import SpooledTemporaryFile
from typing import IO, Any, cast

from vqaudio.audio.source import Source
from vqaudio.codec.blocks import encode_blocks
from vqaudio.codec.decoded import refuse_large
from vqaudio.codec.loaded import LoadedModel
from vqaudio.codec.options import CodingOptions
from vqaudio.codec.rate_control import Bounds, fit, fit_codebooks, framing
from vqaudio.codec.rate_distortion import MAX_BATCH, RateDistortionSearch, supports_rdo
from vqaudio.codec.rate_estimate import RateEstimate
from vqaudio.container import SoundHeader, Writer
from vqaudio.errors import ModelError
from vqaudio.files.pipe import ENDLESS
from vqaudio.inference.base import CodeSearch
from vqaudio.prior.context import ContextPrior
from vqaudio.prior.entropy import PriorCoder
from vqaudio.prior.integer import IntegerPrior

MOST_IN_MEMORY = 2**24
"""Bytes of a file that may have to be coded again; more are kept on disk."""

Done = Callable[[float], object]


def write(model: LoadedModel, sound: Source, *, file: IO[bytes], options: CodingOptions, done: Done | None) -> int:
    """See :meth:`vqaudio.Codec.write`."""
    model.check_encodes()
    if options.kbps is not None:
        if sound.n_samples < ENDLESS:
            return _write_at_rate(model, sound, file, options, options.kbps, done)
        fitting = model.codebooks_for(options.kbps / sound.channels)
        options = replace(options, kbps=None, n_codebooks=fitting)
    n_streams = model.check_codebooks(options.n_codebooks)
    header, coder = _described(model, sound, n_streams, options)
    search = None
    if options.rdo:
        if coder is None or not isinstance(coder.prior, IntegerPrior):
            raise ModelError(
                f"rdo weighs codes by what the prior says, and the entropy mode is {header.entropy}: use prior"
            )
        quantizer, condition = model.networks.quantizer, options.condition
        search = RateDistortionSearch(
            quantizer, coder.prior, n_streams=n_streams, weight=options.rdo, condition=condition
        )
    return _write_blocks(model, sound, file, (header, coder), search, done)


def _write_blocks(
    model: LoadedModel,
    sound: Source,
    file: IO[bytes],
    described: tuple[SoundHeader, PriorCoder | None],
    search: CodeSearch | None,
    done: Done | None,
) -> int:
    """Code a sound into a file that its header describes; returns the number of bytes."""
    header, coder = described
    writer = Writer(cast(Any, file), header, coder=coder)
    file.flush()  # whoever reads this from a pipe knows now which model to load
    size = len(header.to_bytes())
    at_once = 1 if sound.n_samples >= ENDLESS else max(1, MAX_BATCH // sound.channels)
    for block in encode_blocks(
        model.networks,
        sound,
        block_frames=header.chunk_frames,
        n_streams=len(header.streams),
        done=done,
        search=search,
        margin=model.margin,
        at_once=at_once,
    ):
        size += writer.write(block.codes, block.levels)
        file.flush()  # whoever listens to what is still being recorded need not wait for more
    return size + writer.close(sound.n_samples)


def _write_at_rate(
    model: LoadedModel, sound: Source, file: IO[bytes], options: CodingOptions, kbps: float, done: Done | None
) -> int:
    """The best file of at most ``kbps``: the sound is coded into temporary ones until one fits."""
    most = model.check_codebooks(None)
    bounds = Bounds(model.least_codebooks, most, kbps, sound.n_samples / sound.sample_rate)
    header, coder = _described(model, sound, most, options)
    coded = 0.0

    def count(seconds: float) -> None:
        nonlocal coded
        coded += seconds
        if done is not None:
            done(seconds)

    with ExitStack() as stack:

        def attempt(n_codebooks: int, search: CodeSearch | None) -> IO[bytes]:
            if coded:
                count(-coded)
            made = stack.enter_context(SpooledTemporaryFile(MOST_IN_MEMORY))
            _write_blocks(model, sound, made, _described(model, sound, n_codebooks, options), search, count)
            return made

        prior = None if coder is None else coder.prior
        if isinstance(prior, IntegerPrior) and supports_rdo(model.networks.quantizer, most):
            n_frames = header.n_frames(sound.n_samples)
            estimate = RateEstimate(
                model.networks,
                sound,
                prior=prior,
                block_frames=header.chunk_frames,
                n_frames=n_frames,
                margin=model.margin,
                condition=options.condition,
            )
            made = fit(estimate, framing=framing(header, sound.n_samples), bounds=bounds, attempt=attempt)
        else:
            fitting = sum(model.kbps(n) * sound.channels <= kbps for n in range(model.least_codebooks, most + 1))
            made = fit_codebooks(model.least_codebooks - 1 + fitting, bounds=bounds, attempt=attempt)
        size = made.tell()
        made.seek(0)
        shutil.copyfileobj(made, file)
    return size


def _described(
    model: LoadedModel, sound: Source, n_streams: int, options: CodingOptions
) -> tuple[SoundHeader, PriorCoder | None]:
    """The header of a file, and what codes its chunks."""
    entropy = options.entropy or ("none" if model.prior_file is None else "prior")
    coder = entropy_coder(model, entropy, n_streams=n_streams, condition=options.condition)
    header = SoundHeader(
        codec=model.fingerprint,
        source_rate=sound.sample_rate,
        coded_rate=model.sample_rate,
        hop_length=model.hop_length,
        chunk_frames=model.chunk_frames(options.chunk_seconds),
        channels=sound.channels,
        streams=model.streams[:n_streams],
        entropy=entropy,
        prior=coder.prior.fingerprint if coder is not None and isinstance(coder.prior, IntegerPrior) else None,
        condition=options.condition,
        margin=model.margin,
    )
    refuse_large(header)
    return header, coder


def entropy_coder(model: LoadedModel, entropy: str, *, n_streams: int, condition: str) -> PriorCoder | None:
    """What codes chunks in an entropy mode; None for the mode ``none``.

    Raises:
        ModelError: the model has no prior, or its prior does not know the condition.
    """
    if entropy == "none":
        return None
    prior = model.prior_for(n_streams)[0] if entropy == "prior" else ContextPrior(model.streams)
    prior.labels(condition)
    return PriorCoder(prior, n_streams, condition=condition)
