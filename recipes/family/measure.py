"""What each system does with sounds that it never heard: rate, error, likelihood, use of its codes."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import soxr
import torch
from numpy.typing import NDArray

import vqaudio
from recipes.family.systems import System
from vqaudio.codec.codec import Codec
from vqaudio.config.bottleneck import GaussianConfig
from vqaudio.evaluation import require
from vqaudio.evaluation.metrics import SAMPLE_RATE, Wave, log_mel_distance, stoi
from vqaudio.evaluation.scoring import CodeUsage
from vqaudio.intnet.intervals import bits_of
from vqaudio.model.autoencoder import Reconstruction
from vqaudio.model.bottleneck import Gaussian
from vqaudio.model.bottleneck.base import score_function
from vqaudio.prior.base import due, n_frames_of
from vqaudio.prior.context import ContextPrior
from vqaudio.registry import fingerprint
from vqaudio.training.losses import ReconstructionLoss
from vqaudio.training.prior import counted_bits

BITS_OF_FULL_SCALE = 15  # a sample of 16 bits is 2**15 times as large as its number

Streams = list[NDArray[np.int32]]  # of one sound: for each stream its codes (codes,)
Figures = dict[str, Any]


class Member:
    """A system with its trained model, and what it makes of clips ``(samples,)`` at the model's rate."""

    def __init__(self, system: System, out: Path, prior: Path | None = None):
        self.system = system
        self.codec: Codec = vqaudio.load(out / system.name / "model.safetensors", prior=prior)
        self.model, self.hop = self.codec.model, self.codec.hop_length

    @property
    def made_by(self) -> str:
        """Fingerprints of the model, and of its prior if there is one."""
        prior = self.codec.prior_file
        return self.codec.fingerprint + (f" and {fingerprint(prior)}" if prior else "")

    def reconstruct(self, clip: Wave) -> Wave:
        """The clip as it comes back: by its codes where there are any, as from a file."""
        if self.codec.streams:
            return self.codec.decode(self.codec.encode(clip, self.codec.sample_rate))[0]
        return self.forward(clip).waveform[0, 0, : len(clip)].numpy()

    @torch.inference_mode()
    def forward(self, clip: Wave, sample: bool = False) -> Reconstruction:
        """The clip, and zeros up to whole codes, through the model; with ``sample`` a VAE's latents are drawn."""
        torch.manual_seed(0)
        self.model.bottleneck.train(sample and not self.codec.streams)
        made: Reconstruction = self.model(torch.from_numpy(self.whole(clip))[None, None])
        self.model.bottleneck.eval()
        return made

    def whole(self, clip: Wave) -> Wave:
        """The clip, and zeros up to whole codes of every stream."""
        step = math.lcm(*(stream.stride for stream in self.codec.streams)) * self.hop
        return np.pad(clip, (0, -len(clip) % step))

    @torch.inference_mode()
    def latents(self, clip: Wave, quantized: bool = True) -> torch.Tensor:
        """``(1, D, frames)``, what the decoder hears of a clip; or what the bottleneck does."""
        features = self.model.encoder(torch.from_numpy(self.whole(clip))[None, None])
        return self.model.bottleneck(features).latents if quantized else features

    @torch.inference_mode()
    def sound(self, latents: torch.Tensor) -> Wave:
        """What the decoder makes of ``(1, D, frames)``."""
        made: Wave = self.model.decoder(latents)[0, 0].numpy()
        return made

    def codes(self, clip: Wave) -> Streams:
        """The codes of a clip."""
        return [stream[0] for stream in self.codec.encode(clip, self.codec.sample_rate, with_margin=False).streams]

    def counts(self, learned: Sequence[Streams]) -> ContextPrior:
        """How often each code came in training, and after which."""
        prior = ContextPrior(self.codec.streams, 1)
        prior.learn([[codes[index].astype(np.int64) for codes in learned] for index in range(len(prior.streams))])
        return prior


def by_length(codes: Sequence[Streams]) -> list[Streams]:
    """Clips of one length follow one another, so that they are looked at side by side."""
    return sorted(codes, key=lambda streams: len(streams[0]))


def measure(member: Member, clips: Sequence[Wave], learned: Sequence[Wave]) -> Figures:
    """All figures of a system on ``clips``; ``learned`` are clips of what it was trained on."""
    codec, rate = member.codec, member.codec.sample_rate
    made = [member.reconstruct(clip) for clip in clips]
    figures: Figures = {"title": member.system.title, "latent_dim": member.system.latent_dim}
    figures["seconds"] = codec.training.get("seconds", 60.0 * codec.training.get("minutes", math.nan))
    figures["snr_db"] = snr_db(np.concatenate(clips), np.concatenate(made))
    figures |= quality(clips, made, rate)
    figures |= likelihood(member, np.concatenate(clips), np.concatenate(learned))
    costs = {}  # of codes, nats a frame, by the prior
    if codec.streams:
        codes, known = ([member.codes(clip) for clip in part] for part in (clips, learned))
        costs["counted"] = nats(codec, counted_bits(member.counts(known), by_length(codes)))
        figures |= {"kbps": codec.kbps(codec.n_codebooks)} | usage(codec, codes)
    if codec.prior_file is not None:
        whole = [member.codes(member.whole(clip)) for clip in clips]
        costs["trained"] = nats(codec, counted_bits(codec.prior, by_length(whole)))
    for name, cost in costs.items():
        figures |= {f"{name}_kbps": kbps(codec, cost), f"{name}_bound": figures["bound"] - figures["kl"] + cost}
    return figures


def measure_text(member: Member, takes: Sequence[Wave], words: Sequence[str]) -> Figures:
    """What codes of takes cost by a prior that knows text, without it, with the word that is said, and with another.

    Rates in kb/s. The word comes in the first frame.
    """
    codec, alphabet = member.codec, member.codec.prior.known_text()
    codes = [member.codes(member.whole(take)) for take in takes]
    others = [*words[1:], words[0]]
    figures = {"untold_kbps": kbps(codec, nats(codec, counted_bits(codec.prior, by_length(codes))))}
    for name, texts in (("told", words), ("misled", others)):
        told = []
        for streams, word in zip(codes, texts, strict=True):
            text = np.zeros(n_frames_of(streams, codec.streams), np.int32)
            text[:1] = alphabet.read(word)
            told.append([*streams, text])
        bits = counted_bits(codec.prior, by_length(told))[: len(codec.streams)]
        figures[f"{name}_kbps"] = kbps(codec, nats(codec, bits))
    return figures


def kbps(codec: Codec, nats_per_frame: float) -> float:
    """The rate of codes that cost so much."""
    return nats_per_frame * codec.frame_rate / math.log(2.0) / 1000.0


def snr_db(clip: Wave, made: Wave) -> float:
    """The clip's energy over that of the difference, dB."""
    left = np.square(made - clip, dtype=np.float64).sum()
    return float(10.0 * np.log10(np.square(clip, dtype=np.float64).sum() / max(left, 1e-12)))


def quality(clips: Sequence[Wave], made: Sequence[Wave], rate: int) -> Figures:
    """Means over clips: narrow-band PESQ (P.862) at 8 kHz; STOI and log-mel distance at 16 kHz, after resampling."""
    found: dict[str, list[float]] = {"pesq_nb": [], "stoi": [], "log_mel": []}
    for clip, other in zip(clips, made, strict=True):
        other = np.clip(other, -1.0, 1.0)
        found["pesq_nb"].append(pesq_nb(clip, other, rate))
        wide = [soxr.resample(wave, rate, SAMPLE_RATE) for wave in (clip, other)]
        found["stoi"].append(stoi(*wide))
        found["log_mel"].append(log_mel_distance(*wide))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # a mean of nothing but NaN
        return {name: float(np.nanmean(values)) for name, values in found.items()}


def pesq_nb(clip: Wave, made: Wave, rate: int) -> float:
    """NaN where no speech is found."""
    pesq = require("pesq")
    try:
        return float(pesq.pesq(rate, clip, made, "nb"))
    except (pesq.NoUtterancesError, pesq.BufferTooShortError):
        return math.nan


def usage(codec: Codec, codes: Sequence[Streams]) -> Figures:
    """The share of codes in use, and the perplexity over the alphabet's size; means over streams."""
    found = []
    for index, stream in enumerate(codec.streams):
        counter = CodeUsage(stream.alphabet)
        counter.add(np.concatenate([one[index] for one in codes]))
        found.append((counter.used, counter.perplexity / stream.alphabet))
    used, perplexity = np.mean(found, axis=0)
    return {"used": float(used), "perplexity": float(perplexity)}


# --------------------------------------------------------------------------------------------------------- likelihood


def likelihood(member: Member, clip: Wave, learned: Wave) -> Figures:
    """An upper bound on the negative log-likelihood, in nats per frame; the exact one where the record has it.

    The bound is the negative ELBO, ``KL(q(z|x) || p(z)) - E_q[log p(x|z)]``, per frame (Kingma & Welling, 2014, eq. 3).
    What is taken for ``p(x|z)``: samples independent and Gaussian around the decoded ones, with one variance, which is
    the mean squared error on ``learned``. Of codes, ``q`` is certain: with a uniform prior KL is the logarithm of the
    alphabet; what another prior makes of the codes takes its place. A plain autoencoder has no such bound: nothing
    says what a latent costs.
    """
    record = member.codec.training
    figures: Figures = {"nll": record.get("nll")}
    made = member.forward(clip, sample=True)
    active = made.stats.get("active_units")
    figures["active_units"] = None if active is None else int(active)
    if member.codec.streams:
        cost = nats(member.codec, np.array([math.log2(stream.alphabet) for stream in member.codec.streams]))
    elif "kl" in made.stats:
        cost = float(made.stats["kl"])
    else:
        return figures
    variance = squared_error(member.forward(learned, sample=True), learned)
    unsaid = gaussian_nats(squared_error(made, clip), variance, member.hop)
    return figures | {"kl": cost, "bound": cost + unsaid}


def squared_error(made: Reconstruction, clip: Wave) -> float:
    """Mean over samples."""
    return float(np.square(made.waveform[0, 0, : len(clip)].numpy() - clip, dtype=np.float64).mean())


def gaussian_nats(squared: float, variance: float, samples: int) -> float:
    """``-log N(x; x̂, σ²)`` of so many samples whose squared error is ``squared`` on average, nats."""
    return 0.5 * samples * (math.log(2.0 * math.pi * variance) + squared / variance)


def nats(codec: Codec, bits: NDArray[np.float64]) -> float:
    """Bits a code of each stream to nats a frame of all."""
    strides = np.array([stream.stride for stream in codec.streams])
    return float(math.log(2.0) * (bits / strides).sum())


def bits_per_sample(nats_per_frame: float, hop: int) -> float:
    """Of samples with 16 bits: nats of a density at full scale 1 to bits of such steps."""
    return nats_per_frame / hop / math.log(2.0) + BITS_OF_FULL_SCALE


# ------------------------------------------------------------------------------------------------------------- checks


def levels_in_use(member: Member, clips: Sequence[Wave], seed: int = 0) -> Figures:
    """Whether both levels of a VQ-VAE-2 say something: what is lost where one level's codes change places.

    The error of clips, and the bits of a bottom code by the trained prior, with the codes as they are and in random
    order.
    """
    random = np.random.default_rng(seed)
    made: dict[str, list[Wave]] = {"own": [], "top shuffled": [], "bottom shuffled": []}
    bits: dict[str, list[NDArray[np.float64]]] = {"own": [], "top shuffled": []}
    for clip in clips:
        top, bottom = (codes.astype(np.int64) for codes in member.codes(member.whole(clip)))
        shuffled = random.permutation(top)
        pairs = {
            "own": (top, bottom),
            "top shuffled": (shuffled, bottom),
            "bottom shuffled": (top, random.permutation(bottom)),
        }
        for name, pair in pairs.items():
            latents = member.model.bottleneck.decode([torch.from_numpy(codes)[None] for codes in pair])
            made[name].append(member.sound(latents)[: len(clip)])
            if name in bits:
                _, (_, frequencies) = member.codec.prior.intervals([codes[None] for codes in pair])
                bits[name].append(bits_of(frequencies)[0])
    rate = member.codec.sample_rate
    return {
        name: {
            "snr_db": snr_db(np.concatenate(clips), np.concatenate(sounds)),
            "log_mel": quality(clips, sounds, rate)["log_mel"],
            "bottom_bits": float(np.concatenate(bits[name]).mean()) if name in bits else None,
        }
        for name, sounds in made.items()
    }


def denoising(members: Sequence[Member], clips: Sequence[Wave], weights: Sequence[float]) -> Figures:
    """Signal-to-noise ratios (dB) of clips under white noise of some weights, and of what each member makes of them."""
    random = np.random.default_rng(0)
    clip = np.concatenate(clips)
    noise = random.standard_normal(len(clip), np.float32) * np.sqrt(np.square(clip).mean())
    found: Figures = {"weights": list(weights), "in": [], **{member.system.name: [] for member in members}}
    for weight in weights:
        heard = clip + np.float32(weight) * noise
        found["in"].append(snr_db(clip, heard) if weight else None)
        for member in members:
            made = member.reconstruct(heard)
            wide = [soxr.resample(wave, member.codec.sample_rate, SAMPLE_RATE) for wave in (clip, made)]
            found[member.system.name].append({"snr_db": snr_db(clip, made), "log_mel": log_mel_distance(*wide)})
    return found


def estimators(member: Member, crops: Sequence[Wave], loss: ReconstructionLoss, n_samples: int) -> Figures:
    """How much the gradients of a VAE's two estimators vary from draw to draw, of one model on the same crops.

    It is the gradient of the mean reconstruction loss of the crops by what the encoder hands on. The variance is the
    trace of its covariance matrix. The divergence is left out: its gradient is the same in every draw.
    """
    target = torch.from_numpy(np.stack(crops))[:, None]
    with torch.no_grad():
        features = member.model.encoder(target)
    bottleneck = member.model.bottleneck
    assert isinstance(bottleneck, Gaussian)
    found: Figures = {}
    torch.manual_seed(0)
    for estimator in ("pathwise", "score"):
        both = Gaussian(GaussianConfig(estimator=estimator), features.shape[1])
        both.load_state_dict(bottleneck.state_dict())
        gradients = []
        for _ in range(n_samples):
            heard = features.clone().requires_grad_()
            made = both(heard)
            sound = member.model.decoder(made.latents)
            if made.log_prob is None:
                cost = loss(sound, target)[0]
            else:
                cost = score_function(loss.each(sound, target), made.log_prob)
            gradients.append(torch.autograd.grad(cost, heard)[0].flatten())
        found[estimator] = float(torch.stack(gradients).var(0).sum())
    return found


def sample_codes(prior: ContextPrior, frames: int, seed: int) -> list[torch.Tensor]:
    """New codes ``(1, codes)`` of each stream, one after the other as often as they did so in training."""
    random = np.random.default_rng(seed)
    stepper = prior.begin(1, len(prior.streams))
    found: list[list[int]] = [[] for _ in prior.streams]
    for frame in range(frames):
        for stream, _ in due(prior.streams, frame):
            frequencies = stepper.frequencies(stream)[0]
            found[stream].append(int(random.choice(len(frequencies), p=frequencies / frequencies.sum())))
            stepper.accept(stream, np.array(found[stream][-1:]))
        stepper.advance()
    return [torch.tensor([codes]) for codes in found]
