"""The codec: sound to codes to bytes and back. What ``vqaudio.load()`` returns.

::

    codec = vqaudio.load()                           # the default model, another by name, or one of your own by path
    data = codec.compress(wav, sample_rate)          # float32 (channels, samples) to the bytes of a .vq file
    wav, sample_rate = codec.decompress(data)
"""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from vqaudio.audio.array_source import ArraySource
from vqaudio.audio.source import Source, Window
from vqaudio.codec import codes as coding
from vqaudio.codec.batch import encode, encode_batch, sounds_of
from vqaudio.codec.blocks import aligned
from vqaudio.codec.codes import Codes
from vqaudio.codec.decoded import DecodedSound
from vqaudio.codec.opened import StoredSound, called, open_vq
from vqaudio.codec.options import DEFAULTS, CodingOptions, Variant
from vqaudio.codec.pretrained import PretrainedModel
from vqaudio.codec.writing import write
from vqaudio.container import StoredFile
from vqaudio.errors import ContainerError, ModelError
from vqaudio.inference.backends import load_networks
from vqaudio.inference.base import MOST_AHEAD
from vqaudio.inference.stored import read_model
from vqaudio.prior import BEAM
from vqaudio.prior.base import NONE
from vqaudio.prior.entropy import coders
from vqaudio.registry import DEFAULT_MODEL

if TYPE_CHECKING:
    from vqaudio.codec.text import TextScore
    from vqaudio.prior.sampling import Sampling
    from vqaudio.prior.text_search import Hypothesis


def load(
    name_or_path: str | Path = DEFAULT_MODEL,
    device: str = "cpu",
    *,
    prior: str | Path | None = None,
    backend: str | None = None,
    precision: str = "float32",
) -> Codec:
    """A codec with a shipped model, by name, or with any trained model, by path.

    Args:
        name_or_path: the model.
        device: where its networks run: ``cpu``, or ``cuda`` and the like.
        prior: the file of an integer prior for the model's codes, in place of the one that is shipped with it.
        backend: what runs the networks, see :mod:`vqaudio.inference.backends`.
        precision: of the encoder's products: ``float32``, or ``bf16`` for devices that are quicker by it. Some codes
            are others then, which come as near: with speech-16k-v4 4 % of the first codebook's, and 14 % of all.

    Raises:
        ModelError: no such model, a file that is none, a device that cannot be used, or no such backend or precision.
    """
    stored = read_model(name_or_path)
    networks = load_networks(stored, device=device, backend=backend, precision=precision)
    return Codec(stored, networks, None if prior is None else Path(prior))


class Codec(PretrainedModel):
    """One model in use, over arrays and bytes.

    See :class:`vqaudio.codec.loaded.LoadedModel` for what can be asked of it, and :class:`PretrainedModel` for folders
    and the Hub.
    """

    def __repr__(self) -> str:
        codes = f"{self.n_codebooks} codebooks, {self.frame_rate:g} frames a second" if self.streams else "no codes"
        prior = "a prior" if self.streams and self.prior_file else "no prior"
        known = [f"{self.sample_rate} Hz", codes, prior]
        known += [] if self.precision == "float32" else [self.precision]
        return f"<Codec {self.name} ({self.fingerprint}): {', '.join(known)}>"

    # ------------------------------------------------------------------------------------------------ sound and codes

    def encode(
        self,
        wav: Any,
        sample_rate: int,
        *,
        n_codebooks: int | None = None,
        code_cost: float = 0.0,
        with_margin: bool = True,
    ) -> Codes:
        """Sound to codes.

        Args:
            wav: float32 array or tensor ``(channels, samples)`` (or ``(samples,)``), full scale 1.0.
            sample_rate: Hz.
            n_codebooks: how many to use; all by default.
            code_cost: squared distance that a code must save, see :meth:`vqaudio.inference.base.Quantizer.encode`.
            with_margin: code 20 ms beyond both ends, as in files, without which these are less exact. Codes that others
                are to follow have none.

        Raises:
            AudioError: samples that are no sound: integers, NaN, a transposed array.
            ModelError: as :meth:`check_codebooks` and :meth:`check_encodes`, or a cost for other codebooks than
                residual ones.
        """
        return encode(
            self, wav, sample_rate=sample_rate, n_codebooks=n_codebooks, code_cost=code_cost, with_margin=with_margin
        )

    def encode_batch(
        self,
        sounds: Any,
        sample_rate: int,
        *,
        n_codebooks: int | None = None,
        lengths: Sequence[int] | None = None,
        code_cost: float = 0.0,
        with_margin: bool = True,
        ahead: float = MOST_AHEAD,
    ) -> list[Codes]:
        """Many sounds to codes, in less time than one after the other: the very codes that :meth:`encode` gives each.

        Args:
            sounds: a sequence of arrays or tensors as for :meth:`encode`, of any lengths, or one array or tensor
                ``(batch, 1, samples)``.
            sample_rate: of all of them, Hz.
            lengths: of sounds in one array, how many samples of each are its own; all by default.
            n_codebooks, code_cost, with_margin: as for :meth:`encode`.
            ahead: at most so many seconds are held in memory beside the sounds themselves, or one block of
                ``CHUNK_SECONDS``; codes do not depend on it.

        Raises:
            AudioError, ModelError: as for :meth:`encode`; the message tells which sound it is, counted from 0.
        """
        every = sounds_of(sounds, sample_rate, lengths=lengths)
        variants = [[Variant(n_codebooks, code_cost)]] * len(every)
        found = encode_batch(self, every, variants=variants, with_margin=with_margin, ahead=ahead)
        return [codes for (codes,) in found]

    def encode_variants(
        self,
        sounds: Any,
        sample_rate: int,
        *,
        variants: Sequence[Sequence[Variant]],
        lengths: Sequence[int] | None = None,
        with_margin: bool = True,
        ahead: float = MOST_AHEAD,
    ) -> list[list[Codes]]:
        """:meth:`encode_batch` in several variants of each sound, whose features are computed once.

        ``variants`` are those of each sound, which may be others than another's; for each sound the codes in each of
        them are returned. Arguments and errors as there.
        """
        every = sounds_of(sounds, sample_rate, lengths=lengths)
        if len(variants) != len(every):
            raise ModelError(f"variants for {len(variants)} sounds given, expected them for each of {len(every)}")
        return encode_batch(self, every, variants=variants, with_margin=with_margin, ahead=ahead)

    def decode(self, codes: Codes, speaker: str = "") -> Window:
        """Codes to sound: float32 ``(channels, samples)`` with the rate and length of what was encoded.

        ``speaker`` is one of :attr:`speakers`, whose voice it shall have.

        Raises:
            ModelError: more streams than the model has, codes beyond its codebooks, not as many as the sound needs, or
                a speaker whom the model does not know.
        """
        return coding.decode(self, codes, speaker=speaker)

    def convert(self, wav: Any, sample_rate: int, *, speaker: str, n_codebooks: int | None = None) -> Window:
        """What is said in one sound, in the voice of ``speaker``: float32 ``(channels, samples)`` at the same rate.

        Source: van den Oord et al., "Neural discrete representation learning", 2017, section 4.3. Arguments and errors
        as for :meth:`encode` and :meth:`decode`.
        """
        self.check_speaker(speaker)
        return self.decode(self.encode(wav, sample_rate, n_codebooks=n_codebooks), speaker)

    # ------------------------------------------------------------------------------------------------- with a prior

    def sample(
        self,
        n_frames: int,
        *,
        n_codebooks: int | None = None,
        count: int = 1,
        condition: str = NONE,
        sampling: Sampling | None = None,
        prompt: Window | None = None,
        done: Callable[[int], object] | None = None,
    ) -> list[Window]:
        """New sounds: what :meth:`sample_codes` gives, decoded to float32 ``(samples,)`` at the codec's rate."""
        found = self.sample_codes(
            n_frames,
            n_codebooks=n_codebooks,
            count=count,
            condition=condition,
            sampling=sampling,
            prompt=prompt,
            done=done,
        )
        return [self.decode(codes)[0] for codes in found]

    def sample_codes(
        self,
        n_frames: int,
        *,
        n_codebooks: int | None = None,
        count: int = 1,
        condition: str = NONE,
        sampling: Sampling | None = None,
        prompt: Window | None = None,
        done: Callable[[int], object] | None = None,
    ) -> list[Codes]:
        """Sample codes from the prior, ``count`` sequences in a batch.

        Stop codes, at which a frame ends early to save bits, are not sampled: new sound is whole.

        Args:
            n_frames: to sample, each of ``hop_length`` samples.
            n_codebooks: how many to use; all by default.
            count: of sounds.
            condition: what the prior is told, as in ``speaker=p225``.
            sampling: temperature, seed and the like.
            prompt: a sound ``(samples,)`` at the codec's rate to continue; its codes begin what is sampled.
            done: is called with 1 after each frame.

        Raises:
            ModelError: no prior, not as many codebooks, or a condition that the prior does not know.
        """
        from vqaudio.codec import sampling as prior_sampling  # late: few sample, and it brings random numbers

        return prior_sampling.sample_codes(
            self,
            n_frames,
            n_codebooks=n_codebooks,
            count=count,
            condition=condition,
            sampling=sampling,
            prompt=prompt,
            done=done,
        )

    def score(
        self, sound: Source, *, n_codebooks: int | None = None, condition: str = NONE
    ) -> list[NDArray[np.float64]]:
        """What each code costs by the prior, in bits: for each codebook an array ``(channels, codes)``.

        Chunks count by themselves, as in files. Errors as for :meth:`write`.
        """
        from vqaudio.codec import sampling as prior_sampling  # late, likewise

        return prior_sampling.score(self, sound, n_codebooks=n_codebooks, condition=condition)

    # --------------------------------------------------------------------------- with a prior that knows text as well

    def say(
        self,
        texts: Sequence[str],
        *,
        condition: str = NONE,
        sampling: Sampling | None = None,
        done: Callable[[int], object] | None = None,
    ) -> list[Window]:
        """New sounds that say each text: what :meth:`say_codes` gives, decoded to float32 ``(samples,)``."""
        return [
            self.decode(codes)[0] for codes in self.say_codes(texts, condition=condition, sampling=sampling, done=done)
        ]

    def say_codes(
        self,
        texts: Sequence[str],
        *,
        condition: str = NONE,
        sampling: Sampling | None = None,
        done: Callable[[int], object] | None = None,
    ) -> list[Codes]:
        """Sample codes from the prior that say each text, side by side; each is as long as the prior makes it.

        Args:
            texts: in words or characters that the prior knows, as ``three one four``.
            condition: what else it is told, as in ``speaker=theo``.
            sampling: temperature, seed and the like.
            done: is called with 1 after each frame.

        Raises:
            ModelError: no prior, or one that does not know text, the words or the condition.
        """
        from vqaudio.codec import text  # late, as sampling is

        return text.say_codes(self, texts, condition=condition, sampling=sampling, done=done)

    def transcribe(self, wav: Any, sample_rate: int, *, condition: str = NONE, beam: int = BEAM) -> list[Hypothesis]:
        """The texts that make a sound likeliest, the first most of all, each with its bits.

        Args:
            wav: as for :meth:`encode`; of several channels their mean is heard.
            sample_rate: Hz.
            condition: what else the prior is told, as in ``speaker=theo``.
            beam: how many ways to say texts are followed at a time.

        Raises:
            AudioError, ModelError: as for :meth:`encode`, and as for :meth:`say_codes`.
        """
        from vqaudio.codec import text  # late, likewise

        return text.transcribe(self, wav, sample_rate, condition=condition, beam=beam)

    def score_text(self, wav: Any, sample_rate: int, text: str, *, condition: str = NONE) -> TextScore:
        """What a sound costs by the prior in bits, with its text known and without.

        Both are of the sound as a whole, from its start; with the text, all moments at which its words may begin are
        added up. Arguments and errors as for :meth:`transcribe` and :meth:`say_codes`.
        """
        from vqaudio.codec import text as texts  # late, likewise

        return texts.score_text(self, wav, sample_rate, text=text, condition=condition)

    # ------------------------------------------------------------------------------------------------ bytes and files

    def compress(
        self,
        wav: Any,
        sample_rate: int,
        *,
        n_codebooks: int | None = None,
        kbps: float | None = None,
        entropy: str | None = None,
        condition: str = NONE,
        rdo: float = 0.0,
    ) -> bytes:
        """Sound to the bytes of a ``.vq`` file.

        ``wav`` and ``sample_rate`` as for :meth:`encode`, options and errors as for :class:`CodingOptions` and
        :meth:`write`.
        """
        options = CodingOptions(n_codebooks=n_codebooks, kbps=kbps, entropy=entropy, condition=condition, rdo=rdo)
        file = io.BytesIO()
        self.write(ArraySource(wav, sample_rate), file, options=options)
        return file.getvalue()

    def write(
        self,
        sound: Source,
        file: IO[bytes],
        *,
        options: CodingOptions = DEFAULTS,
        done: Callable[[float], object] | None = None,
    ) -> int:
        """Code a sound of any length into a file that need not seek; returns the number of bytes.

        Args:
            sound, file: from where, to where. At a rate, the sound is read several times.
            options: how.
            done: is called with the seconds coded after each chunk, and with less than 0 where coding begins anew.
                Memory does not grow with the sound.

        Raises:
            ModelError: no encoder, not as many codebooks, no prior, a condition that it does not know, or ``rdo``
                without it.
            AudioError: the sound cannot be read. ContainerError: chunks too long for so many channels.
            RateError: the sound cannot be coded at so low a rate; the message says at which it can.
        """
        return write(self, sound, file=file, options=options, done=done)

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
        if self.given_prior is not None:
            stored.reader.coder_for = coders(self.given_prior)
        return DecodedSound(self.networks, stored, silence=self.silence, speaker=number)
