"""A model in use: what its codes are, which prior they have, and what can be asked of it."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Any

from vqaudio.codec.blocks import aligned, margin_of
from vqaudio.config.coding import CHUNK_SECONDS
from vqaudio.errors import ModelError, choice
from vqaudio.inference.backends import torch_module
from vqaudio.inference.base import Networks
from vqaudio.inference.stored import StoredModel
from vqaudio.prior.entropy import load_prior, prior_of
from vqaudio.prior.integer import IntegerPrior
from vqaudio.registry import encoder_remedy


class LoadedModel:
    """A model with its codes, rates, speakers and prior; its weights are on one device and do not change.

    Attributes:
        networks: what runs it, over arrays: see :class:`vqaudio.inference.base.Networks`.
        name, fingerprint: what the model is called, and what files call it.
        path: its file.
        config: its settings.
        sample_rate: of the sound inside the codec, Hz. Other rates are resampled on the way in and out.
        hop_length, frame_rate: samples at that rate in a frame, and frames in a second.
        streams: alphabet and stride of each codebook's codes.
        margin: samples at the model's rate that files code beyond both ends of a sound.
        least_codebooks, n_codebooks: the fewest and the most that can be used.
        speakers: whom the decoder can be told to speak as; none for most models.
        given_prior: the file of a prior, in place of the one that is shipped for the model's codes.
    """

    def __init__(self, stored: StoredModel, networks: Networks, prior: Path | None = None):
        self.networks, self.name, self.fingerprint = networks, stored.name, stored.fingerprint
        self.silence, self.training = stored.silence, stored.training
        self.path, self.config = stored.path, networks.config
        self.streams = networks.quantizer.streams
        self.sample_rate = networks.config.sample_rate
        self.hop_length = networks.config.hop_length
        self.frame_rate = networks.config.frame_rate
        self.margin = margin_of(self.sample_rate)
        self.least_codebooks = networks.quantizer.min_streams
        self.n_codebooks = len(self.streams)
        self.speakers = networks.config.speakers
        self.given_prior = prior
        self._stored = stored

    @property
    def precision(self) -> str:
        """Of the encoder's products, ``float32`` or ``bf16``: whoever keeps codes says which it was."""
        return self.networks.precision

    @cached_property
    def model(self) -> Any:
        """The model in torch, for ``(batch, 1, samples)`` tensors: a :class:`vqaudio.model.autoencoder.Autoencoder`.

        It is loaded when it is first asked for, unless torch runs the networks anyway.

        Raises:
            ModelError: torch is not installed.
        """
        return torch_module(self.networks, self._stored)

    @cached_property
    def prior_file(self) -> Path | None:
        """The integer prior for the model's codes, where there is one."""
        return self.given_prior or prior_of(self.fingerprint)

    @property
    def prior(self) -> IntegerPrior:
        """The integer prior for the model's codes.

        Raises:
            ModelError: there is none, or it is for other codes.
        """
        if self.prior_file is None:
            raise ModelError(f"{self.name} has no prior here: train one (recipes/), and give its file with --prior")
        prior = load_prior(self.prior_file)
        if prior.codec != self.fingerprint or prior.codebooks != self.streams[: prior.n_codebooks]:
            raise ModelError(
                f"{self.prior_file}: is a prior for the codes of the model {prior.codec}, not of {self.name} "
                f"({self.fingerprint})"
            )
        return prior

    def prior_for(self, n_codebooks: int | None) -> tuple[IntegerPrior, int]:
        """The prior, and how many codebooks to use: what is asked for, or all that the prior knows.

        Raises:
            ModelError: as :attr:`prior` and :meth:`check_codebooks`, or it does not know as many.
        """
        prior = self.prior
        if n_codebooks is None:
            return prior, prior.n_codebooks
        count = self.check_codebooks(n_codebooks)
        if count > prior.n_codebooks:
            raise ModelError(f"{count} codebooks asked for, but the prior knows the first {prior.n_codebooks} alone")
        return prior, count

    def chunk_frames(self, seconds: float = CHUNK_SECONDS) -> int:
        """Frames of a chunk: a multiple of every stream's stride."""
        return aligned(max(1, round(seconds * self.frame_rate)), self.streams)

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

    # ----------------------------------------------------------------------------------------- what can be asked for

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

    def check_code_cost(self, code_cost: float) -> None:
        """Do nothing where codes can be given such a cost.

        Raises:
            ModelError: there is one, and the codebooks are not residual ones.
        """
        if code_cost and not self.networks.quantizer.has_code_costs:
            raise ModelError("codes have a cost in residual codebooks alone")

    def check_encodes(self) -> None:
        """Do nothing where the model can encode.

        Raises:
            ModelError: its encoder was left out.
        """
        if self.networks.decode_only:
            raise ModelError(f"{self.name} decodes only, its encoder is not here: {encoder_remedy(self.fingerprint)}")

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
