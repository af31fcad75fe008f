"""The codec: sound to codes to bytes and back. What ``vqaudio.load()`` returns.

::

    codec = vqaudio.load()                           # the default model, another by name, or one of your own by path
    data = codec.compress(wav, sample_rate)          # float32 (channels, samples) to the bytes of a .vq file
    wav, sample_rate = codec.decompress(data)
"""

from __future__ import annotations

import io
import math
import shutil
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from tempfile import SpooledTemporaryFile
from typing import IO, Any, cast

import numpy as np
import torch
from numpy.typing import NDArray

from vqaudio.audio.array_source import ArraySource
from vqaudio.audio.source import Source, Window
from vqaudio.codec.blocks import Block, aligned, coded_samples, decoded, encode_blocks, margin_of
from vqaudio.codec.decoded import DecodedSound, refuse_large
from vqaudio.codec.opened import StoredSound, called, open_vq
from vqaudio.codec.rate_control import Bounds, Sample, fit, fit_codebooks, framing
from vqaudio.codec.rate_distortion import AT_ONCE, RateDistortionSearch, code_cost_search, supports_rdo
from vqaudio.container import ENTROPY_MODES, PLAIN, Level, SoundHeader, StoredFile, Writer
from vqaudio.errors import ContainerError, ModelError, choice
from vqaudio.files.pipe import ENDLESS
from vqaudio.intnet.intervals import bits_of
from vqaudio.model import checkpoint
from vqaudio.model.bottleneck import CodeSearch
from vqaudio.prior.base import NONE
from vqaudio.prior.context import ContextPrior
from vqaudio.prior.entropy import PriorCoder, coders, load_prior, prior_of
from vqaudio.prior.integer import IntegerPrior
from vqaudio.prior.sampling import Sampling, sample
from vqaudio.registry import DEFAULT_MODEL, encoder_remedy

CHUNK_SECONDS = 5.0
MOST_IN_MEMORY = 2**24
"""Bytes of a file that may have to be coded again; more are kept on disk."""


@dataclass(frozen=True)
class Codes:
    """A sound as integers.

    Attributes:
        streams: for each codebook an int32 array ``(channels, frames)``.
        sample_rate: of the sound that was coded, Hz.
        n_samples: of the sound that was coded, in each channel.
        margin: samples at the model's rate that the frames begin before the sound, and go on after it at least.
        levels: of each chunk of ``CHUNK_SECONDS`` a level per channel, which was taken out before coding; none where
            all are plain.
    """

    streams: list[NDArray[np.int32]]
    sample_rate: int
    n_samples: int
    margin: int = 0
    levels: tuple[tuple[Level, ...], ...] = ()


def load(name_or_path: str | Path = DEFAULT_MODEL, device: str = "cpu", prior: str | Path | None = None) -> Codec:
    """A codec with a shipped model, by name, or with any trained model, by path.

    ``prior`` is the file of an integer prior for the model's codes, in place of the one that is shipped with it.

    Raises:
        ModelError: no such model, a file that is none, or a device that cannot be used.
    """
    try:
        torch.zeros(1, device=device).cpu()
    except (RuntimeError, AssertionError) as error:  # the latter: a device that this torch was not built for
        reason = str(error).splitlines()[0].rstrip(".")
        raise ModelError(
            f"device {device!r} cannot be used here ({reason}): use cpu, or cuda where there is a GPU"
        ) from None
    return Codec(checkpoint.load(name_or_path, device), None if prior is None else Path(prior))


class Codec:
    """One model in use; its weights are on one device and do not change.

    Attributes:
        model: the :class:`vqaudio.model.autoencoder.Autoencoder`, for ``(batch, 1, samples)`` tensors.
        name, fingerprint: what the model is called, and what files call it.
        sample_rate: of the sound inside the codec, Hz. Other rates are resampled on the way in and out.
        margin: samples at that rate that files code beyond both ends of a sound.
        least_codebooks, n_codebooks: the fewest and the most that can be used.
        speakers: voices that the decoder can be told to speak in; none for most models.
    """

    def __init__(self, source: checkpoint.Checkpoint, prior: Path | None = None):
        self.model, self.name, self.fingerprint = source.model, source.name, source.fingerprint
        self.silence, self.training = source.silence, source.training
        self.streams = self.model.bottleneck.streams
        self.sample_rate = self.model.config.sample_rate
        self.hop_length = self.model.config.hop_length
        self.frame_rate = self.model.config.frame_rate
        self.margin = margin_of(self.sample_rate)
        self.least_codebooks, self.n_codebooks = self.model.bottleneck.min_streams, len(self.streams)
        self.speakers = self.model.config.speakers
        self._own_prior = prior

    @cached_property
    def prior_file(self) -> Path | None:
        """The integer prior for the model's codes, where there is one."""
        return self._own_prior or prior_of(self.fingerprint)

    @property
    def prior(self) -> IntegerPrior:
        """The integer prior for the model's codes.

        Raises:
            ModelError: there is none, or it is for other codes.
        """
        if self.prior_file is None:
            raise ModelError(f"{self.name} has no prior here: train one (recipes/), and give its file with --prior")
        prior = load_prior(self.prior_file)
        if prior.codec != self.fingerprint or prior.streams != self.streams:
            raise ModelError(
                f"{self.prior_file}: is a prior for the codes of the model {prior.codec}, not of {self.name} "
                f"({self.fingerprint})"
            )
        return prior

    # ------------------------------------------------------------------------------------------------------ rates

    def kbps(self, n_codebooks: int) -> float:
        """The rate of one channel's codes with the first ``n_codebooks`` codebooks, kb/s.

        Raises:
            ModelError: the model does not have as many.
        """
        self.check_codebooks(n_codebooks)
        return sum(self.frame_rate * stream.bits / stream.stride for stream in self.streams[:n_codebooks]) / 1000.0

    def codebooks_for(self, kbps: float) -> int:
        """The most codebooks whose rate does not pass ``kbps``.

        Raises:
            ModelError: even the fewest need more.
        """
        fitting = [n for n in range(self.least_codebooks, self.n_codebooks + 1) if self.kbps(n) <= kbps + 1e-9]
        if not fitting:
            raise ModelError(
                f"{kbps:g} kb/s is below the lowest rate of {self.name}, {self.kbps(self.least_codebooks):g} kb/s: ask "
                "for that"
            )
        return fitting[-1]

    def check_codebooks(self, n_codebooks: int | None) -> int:
        """The number of codebooks to use: what is asked for, or all.

        Raises:
            ModelError: the model does not have as many, cannot do with so few, or has none.
        """
        if not self.streams:
            raise ModelError(
                f"{self.name} has no tokens (its latents are numbers), so nothing can be stored: use another model"
            )
        if n_codebooks is None:
            return self.n_codebooks
        if not self.least_codebooks <= n_codebooks <= self.n_codebooks:
            can = f"{self.least_codebooks} to {self.n_codebooks}"
            raise ModelError(f"{n_codebooks} codebooks asked for, but {self.name} has {can}")
        return n_codebooks

    def check_encodes(self) -> None:
        """Do nothing where the model can encode.

        Raises:
            ModelError: its encoder was left out.
        """
        if self.model.decode_only:
            raise ModelError(f"{self.name} decodes only, its encoder is not here: {encoder_remedy(self.fingerprint)}")

    # ------------------------------------------------------------------------------------------------ sound and codes

    def encode(
        self,
        wav: Any,
        sample_rate: int,
        n_codebooks: int | None = None,
        code_cost: float = 0.0,
        with_margin: bool = True,
    ) -> Codes:
        """Sound to codes.

        Args:
            wav: float32 array or tensor ``(channels, samples)`` (or ``(samples,)``), full scale 1.0.
            sample_rate: Hz.
            n_codebooks: how many to use; all by default.
            code_cost: squared distance that a code must save, see :meth:`Bottleneck.encode_with_cost`.
            with_margin: code 20 ms beyond both ends, as in files, without which these are less exact. Codes that others
                are to follow have none.

        Raises:
            AudioError: samples that are no sound: integers, NaN, a transposed array.
            ModelError: as :meth:`check_codebooks` and :meth:`check_encodes`, or a cost for other codebooks than
                residual ones.
        """
        self.check_encodes()
        sound = ArraySource(wav, sample_rate)
        n_streams = self.check_codebooks(n_codebooks)
        search = code_cost_search(self.model.bottleneck, n_streams, code_cost=code_cost) if code_cost else None
        margin = self.margin if with_margin else 0
        blocks = list(encode_blocks(self.model, sound, self._chunk_frames(), n_streams, search=search, margin=margin))
        streams = [np.concatenate(parts, axis=1) for parts in zip(*(block.codes for block in blocks), strict=True)]
        levels = tuple(block.levels for block in blocks)
        plain = all(level == PLAIN for chunk in levels for level in chunk)
        return Codes(streams, sample_rate, sound.n_samples, margin, () if plain else levels)

    def decode(self, codes: Codes, speaker: str = "") -> Window:
        """Codes to sound: float32 ``(channels, samples)`` with the rate and length of what was encoded.

        ``speaker`` is one of :attr:`speakers`, whose voice it shall have.

        Raises:
            ModelError: more streams than the model has, codes beyond its codebooks, not as many as the sound needs, or
                a speaker whom the model does not know.
        """
        voice = self.check_speaker(speaker)
        n_streams = self.check_codebooks(len(codes.streams))
        streams, frames = self.streams[:n_streams], self._chunk_frames()
        channels = codes.streams[0].shape[0]
        inside = coded_samples(codes.n_samples, codes.sample_rate, self.sample_rate)
        n_frames = -(-(inside + 2 * codes.margin) // self.hop_length)
        for stream, values in zip(streams, codes.streams, strict=True):
            if values.shape != (channels, stream.codes_in(n_frames)):
                raise ModelError(
                    f"codes of shape {values.shape} found, expected {(channels, stream.codes_in(n_frames))} for "
                    f"{codes.n_samples} samples at {codes.sample_rate} Hz in {channels} channels"
                )
            if values.size and not 0 <= int(values.min()) <= int(values.max()) < stream.alphabet:
                raise ModelError(
                    f"codes from {values.min()} to {values.max()} do not fit a codebook of {stream.alphabet}"
                )

        chunks = -(-n_frames // frames)
        if codes.levels and [len(chunk) for chunk in codes.levels] != [channels] * chunks:
            raise ModelError(
                f"levels of {len(codes.levels)} chunks found, expected {chunks} with {channels} levels each"
            )

        def block(index: int) -> Block:
            cuts = [(index * frames // stream.stride, frames // stream.stride) for stream in streams]
            cut = [part[:, at : at + size] for part, (at, size) in zip(codes.streams, cuts, strict=True)]
            return Block(cut, codes.levels[index] if codes.levels else (PLAIN,) * channels)

        shape = (channels, lambda: codes.n_samples, codes.sample_rate, frames, n_streams)
        sound = decoded(self.model, self.silence, block, *shape, speaker=voice, margin=codes.margin)
        return sound.read(0, codes.n_samples)

    def convert(self, wav: Any, sample_rate: int, speaker: str, n_codebooks: int | None = None) -> Window:
        """What is said in one sound, in the voice of ``speaker``: float32 ``(channels, samples)`` at the same rate.

        Source: van den Oord et al., "Neural discrete representation learning", 2017, section 4.3. Arguments and errors
        as for :meth:`encode` and :meth:`decode`.
        """
        self.check_speaker(speaker)
        return self.decode(self.encode(wav, sample_rate, n_codebooks), speaker)

    def check_speaker(self, name: str) -> int:
        """The number of a speaker, 0 for the empty name.

        Raises:
            ModelError: the model does not know the name; the message says which are like it.
        """
        if not name:
            return 0
        if not self.speakers:
            raise ModelError(f"{self.name} does not change voices, so no speaker can be chosen: use another model")
        if name not in self.speakers:
            raise ModelError(f"speaker {name!r} is not known to {self.name}; {choice(name, self.speakers)}")
        return 1 + self.speakers.index(name)

    # ------------------------------------------------------------------------------------------------- with a prior

    def sample(
        self,
        n_frames: int,
        n_codebooks: int | None = None,
        count: int = 1,
        condition: str = NONE,
        how: Sampling | None = None,
        prompt: Window | None = None,
        done: Callable[[int], object] | None = None,
    ) -> list[Window]:
        """New sounds: what :meth:`sample_codes` draws, decoded to float32 ``(samples,)`` at the codec's rate."""
        sampled = self.sample_codes(n_frames, n_codebooks, count, condition, how, prompt, done)
        return [self.decode(codes)[0] for codes in sampled]

    def sample_codes(
        self,
        n_frames: int,
        n_codebooks: int | None = None,
        count: int = 1,
        condition: str = NONE,
        how: Sampling | None = None,
        prompt: Window | None = None,
        done: Callable[[int], object] | None = None,
    ) -> list[Codes]:
        """Draw codes from the prior, ``count`` times side by side.

        Stop codes, at which a frame ends early to save bits, are not sampled: new sound is whole.

        Args:
            n_frames: to draw, each of ``hop_length`` samples.
            n_codebooks: how many to use; all by default.
            count: of sounds.
            condition: as in :meth:`write`.
            how: temperature, seed and the like.
            prompt: a sound ``(samples,)`` at the codec's rate to go on from; its codes begin what is sampled.
            done: is called with 1 after each frame.

        Raises:
            ModelError: no prior, not as many codebooks, or a condition that the prior does not know.
        """
        n_streams, prior = self.check_codebooks(n_codebooks), self.prior
        given: list[NDArray[np.int64]] = [np.zeros(0, np.int64) for _ in range(n_streams)]
        levels: tuple[tuple[Level, ...], ...] = ()
        if prompt is not None:
            step = math.lcm(*(stream.stride for stream in self.streams)) * self.hop_length
            whole = prompt[: len(prompt) // step * step]  # a last code that is half silence would be gone on from
            before = self.encode(whole, self.sample_rate, n_streams, with_margin=False)
            given, levels = [part[0].astype(np.int64) for part in before.streams], before.levels
        stops = [codes.cpu().numpy() for codes in self.model.bottleneck.stop_codes()[:n_streams]]
        stop_codes = stops if len(stops) == n_streams else None
        sampled = sample(prior, n_frames, n_streams, count, condition, how, given, done, stop_codes)
        frames = n_frames + max(len(part) * stream.stride for part, stream in zip(given, self.streams, strict=False))
        if levels:  # what follows is as loud as what is gone on from
            levels += levels[-1:] * (-(-frames // self._chunk_frames()) - len(levels))
        found = []
        for row in range(count):
            streams = [np.concatenate([a, b[row]])[None].astype(np.int32) for a, b in zip(given, sampled, strict=True)]
            found.append(Codes(streams, self.sample_rate, frames * self.hop_length, levels=levels))
        return found

    def score(self, sound: Source, n_codebooks: int | None = None, condition: str = NONE) -> list[NDArray[np.float64]]:
        """What each code costs by the prior, in bits: for each codebook an array ``(channels, codes)``.

        Chunks count by themselves, as in files. Errors as for :meth:`write`.
        """
        self.check_encodes()
        n_streams, prior = self.check_codebooks(n_codebooks), self.prior
        bits: list[list[NDArray[np.float64]]] = [[] for _ in range(n_streams)]
        for block in encode_blocks(self.model, sound, self._chunk_frames(), n_streams, margin=self.margin):
            found = prior.intervals([part.astype(np.int64) for part in block.codes], condition)
            for parts, (_, frequencies) in zip(bits, found, strict=True):
                parts.append(bits_of(frequencies))
        return [np.concatenate(parts, axis=1) if parts else np.zeros((sound.channels, 0)) for parts in bits]

    # --------------------------------------------------------------------------------------------------------- bytes

    def compress(
        self,
        wav: Any,
        sample_rate: int,
        n_codebooks: int | None = None,
        entropy: str | None = None,
        condition: str = NONE,
        rdo: float = 0.0,
        *,
        kbps: float | None = None,
    ) -> bytes:
        """Sound to the bytes of a ``.vq`` file; arguments and errors as for :meth:`encode` and :meth:`write`.

        With ``kbps`` in place of ``n_codebooks`` and ``rdo``, these are found as in :meth:`write_at_rate`.

        Raises:
            RateError: the sound cannot be coded at so low a rate.
        """
        sound, file = ArraySource(wav, sample_rate), io.BytesIO()
        if kbps is None:
            self.write(sound, file, n_codebooks, entropy=entropy, condition=condition, rdo=rdo)
        elif n_codebooks is not None or rdo:
            given = f"{n_codebooks} codebooks" if n_codebooks is not None else f"rdo {rdo:g}"
            raise ModelError(f"{given} and {kbps:g} kb/s asked for: expected one of them")
        else:
            self.write_at_rate(sound, file, kbps, entropy=entropy, condition=condition)
        return file.getvalue()

    def decompress(self, data: bytes) -> tuple[Window, int]:
        """The bytes of a ``.vq`` file to sound: float32 ``(channels, samples)``, and its rate in Hz.

        Raises:
            ContainerError: not a ``.vq`` file, or a damaged one. (:meth:`open` decodes what is left of it.)
            ModelError: written by another model.
        """
        sound = self.open(open_vq(io.BytesIO(data)))
        sound.stored.check()  # before room is made for a sound that a damaged file only claims to hold
        if sound.damage:
            what = "; ".join(map(str, sound.damage))
            raise ContainerError(f"the data is damaged: {what}; vqaudio.open_vq() and Codec.open() decode the rest")
        return sound.read(0, sound.n_samples), sound.sample_rate

    # --------------------------------------------------------------------------------------------------------- files

    def write(
        self,
        sound: Source,
        file: IO[bytes],
        n_codebooks: int | None = None,
        chunk_seconds: float = CHUNK_SECONDS,
        done: Callable[[float], object] | None = None,
        entropy: str | None = None,
        condition: str = NONE,
        rdo: float = 0.0,
    ) -> int:
        """Code a sound of any length into a file that need not seek; returns the number of bytes.

        Args:
            sound, file: from where, to where.
            n_codebooks: how many to use; all by default.
            chunk_seconds: of sound in a chunk, which is coded and can be decoded by itself.
            done: is called with the seconds coded after each chunk. Memory does not grow with the sound.
            entropy: ``none`` writes codes as they are, ``context`` and ``prior`` make them shorter where they can: by
                what came before in a chunk, or by the trained prior, which is the default where there is one.
            condition: what the prior is told of the sound, as in ``speaker=p225``.
            rdo: choose codes that are cheaper by the prior, though not the nearest: λ of
                :class:`vqaudio.codec.rate_distortion.RateDistortionSearch`, squared distance per bit.

        Raises:
            ModelError: no encoder, not as many codebooks, no prior, a condition that it does not know, or ``rdo``
                without it.
            AudioError: the sound cannot be read. ContainerError: chunks too long for so many channels, or a mode that
                there is not.
        """
        self.check_encodes()
        n_streams, frames = self.check_codebooks(n_codebooks), self._chunk_frames(chunk_seconds)
        header, coder = self._described(sound, n_streams, frames, self._mode(entropy), condition)
        search = None
        if rdo:
            if coder is None or not isinstance(coder.prior, IntegerPrior):
                raise ModelError(
                    f"rdo weighs codes by what the prior says, and the entropy mode is {header.entropy}: use prior"
                )
            search = RateDistortionSearch(
                self.model.bottleneck, coder.prior, n_streams=n_streams, weight=rdo, condition=condition
            )
        return self._write(sound, file, header, coder, search, done)

    def _write(
        self,
        sound: Source,
        file: IO[bytes],
        header: SoundHeader,
        coder: PriorCoder | None,
        search: CodeSearch | None,
        done: Callable[[float], object] | None,
    ) -> int:
        """Code a sound into a file that its header describes; returns the number of bytes."""
        writer = Writer(cast(Any, file), header, coder)
        file.flush()  # whoever reads this from a pipe knows now which model to load
        size = len(header.to_bytes())
        live = sound.n_samples >= ENDLESS
        at_once = 1 if live else max(1, AT_ONCE // sound.channels)
        how = (header.chunk_frames, len(header.streams), done, search, self.margin, at_once)
        for block in encode_blocks(self.model, sound, *how):
            size += writer.write(block.codes, block.levels)
            file.flush()  # whoever listens to what is still being recorded need not wait for more
        return size + writer.close(sound.n_samples)

    def write_at_rate(
        self,
        sound: Source,
        file: IO[bytes],
        kbps: float,
        chunk_seconds: float = CHUNK_SECONDS,
        done: Callable[[float], object] | None = None,
        entropy: str | None = None,
        condition: str = NONE,
    ) -> int:
        """Code a sound into the best file of at most ``kbps`` thousand bits a second, all bytes and channels counted.

        With a prior and residual codebooks, codebooks and λ are chosen so that the file has 95 % of that or more,
        unless all codebooks need less. Otherwise, codebooks alone are. A sound that is still arriving can be coded only
        once: it gets the most codebooks whose codes fit the rate before entropy coding.

        Args:
            sound, file, chunk_seconds, entropy, condition: as for :meth:`write`. The sound is read several times.
            kbps: kb/s.
            done: is called with the seconds coded after each chunk, and with less than 0 where coding begins anew.

        Returns:
            The number of bytes.

        Raises:
            RateError: the sound cannot be coded at so low a rate; the message says at which it can. Others as for
                :meth:`write`.
        """
        self.check_encodes()
        if sound.n_samples >= ENDLESS:
            fitting = self.codebooks_for(kbps / sound.channels)
            return self.write(sound, file, fitting, chunk_seconds, done, entropy, condition)
        frames, mode, most = self._chunk_frames(chunk_seconds), self._mode(entropy), self.check_codebooks(None)
        bounds = Bounds(self.least_codebooks, most, kbps, sound.n_samples / sound.sample_rate)
        header, coder = self._described(sound, most, frames, mode, condition)
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
                self._write(sound, made, *self._described(sound, n_codebooks, frames, mode, condition), search, count)
                return made

            prior = None if coder is None else coder.prior
            if isinstance(prior, IntegerPrior) and supports_rdo(self.model.bottleneck, most):
                n_frames = header.n_frames(sound.n_samples)
                sample = Sample(self.model, prior, sound, frames, n_frames, self.margin, condition)
                made = fit(sample, framing(header, sound.n_samples), bounds, attempt)
            else:
                fitting = sum(self.kbps(n) * sound.channels <= kbps for n in range(self.least_codebooks, most + 1))
                made = fit_codebooks(self.least_codebooks - 1 + fitting, bounds, attempt)
            size = made.tell()
            made.seek(0)
            shutil.copyfileobj(made, file)
        return size

    def _mode(self, entropy: str | None) -> str:
        """The entropy mode to use; ContainerError where there is none of that name."""
        if entropy is None:
            entropy = "none" if self.prior_file is None else "prior"
        if entropy not in ENTROPY_MODES:
            raise ContainerError(f"the entropy mode is {entropy!r}, expected one of {', '.join(ENTROPY_MODES)}")
        return entropy

    def _described(
        self, sound: Source, n_streams: int, frames: int, entropy: str, condition: str
    ) -> tuple[SoundHeader, PriorCoder | None]:
        """The header of a file, and what codes its chunks; errors as for :meth:`write`."""
        coder = self._coder(entropy, n_streams, condition)
        header = SoundHeader(
            codec=self.fingerprint,
            source_rate=sound.sample_rate,
            coded_rate=self.sample_rate,
            hop_length=self.hop_length,
            chunk_frames=frames,
            channels=sound.channels,
            streams=self.streams[:n_streams],
            entropy=entropy,
            prior=coder.prior.fingerprint if coder is not None and isinstance(coder.prior, IntegerPrior) else None,
            condition=condition,
            margin=self.margin,
        )
        refuse_large(header)
        return header, coder

    def _coder(self, entropy: str, n_streams: int, condition: str) -> PriorCoder | None:
        if entropy == "none":
            return None
        prior = self.prior if entropy == "prior" else ContextPrior(self.streams)
        prior.labels(condition)
        return PriorCoder(prior, n_streams, condition)

    def open(self, stored: StoredFile, speaker: str = "") -> DecodedSound:
        """The sound in a ``.vq`` file that :func:`vqaudio.open_vq` has opened, to be read whole or in part.

        ``speaker`` is one of :attr:`speakers`, whose voice it shall have.

        Raises:
            ContainerError: it holds a table, or is no file that this codec can have written.
            ModelError: written by another model, or a speaker whom it does not know.
        """
        number, name = self.check_speaker(speaker), stored.name
        if not isinstance(stored, StoredSound):
            raise ContainerError(f"{name}: holds a table, not sound: decompress it to .csv, .parquet, .npy or .npz")
        header = stored.header
        if header.codec != self.fingerprint:
            raise ModelError(
                f"{name}: was written by the model {called(header.codec)}, not by {self.name} ({self.fingerprint}): "
                "give that model with --model"
            )
        ours = (self.sample_rate, self.hop_length, self.streams[: len(header.streams)])
        described = (header.coded_rate, header.hop_length, header.streams) == ours
        described = described and len(header.streams) >= self.least_codebooks
        if not described or header.chunk_frames != aligned(header.chunk_frames, self.streams):
            raise ContainerError(f"{name}: its header does not describe the model that it names: it is damaged")
        if self._own_prior is not None:
            stored.reader.coder_for = coders(self._own_prior)
        return DecodedSound(self.model, self.silence, stored, number)

    def _chunk_frames(self, seconds: float = CHUNK_SECONDS) -> int:
        """Frames of a chunk: a multiple of every stream's stride."""
        return aligned(max(1, round(seconds * self.frame_rate)), self.streams)
