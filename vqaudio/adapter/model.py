"""A codec as a torch module with the shapes of the transformers library's codecs."""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from vqaudio.adapter.batch import SoundBatch, by_frame, frames_of, lengths_of, mask_of
from vqaudio.adapter.levels import from_scales, to_scales
from vqaudio.adapter.outputs import CodecDecoderOutput, CodecEncoderOutput, CodecOutput
from vqaudio.adapter.reconstruction import features_of, reconstruct
from vqaudio.codec.codec import Codec
from vqaudio.codec.codes import Codes
from vqaudio.errors import ModelError
from vqaudio.model.torch_networks import TorchNetworks
from vqaudio.registry import DEFAULT_MODEL


@dataclass(frozen=True)
class AdapterConfig:
    """What users of such codecs look up, under the names that it has there.

    Attributes:
        sampling_rate: of sounds, Hz. Resample others before.
        frame_rate: frames in a second; ``hop_length`` samples each.
        num_quantizers: the most codes that a frame can have, that is ``n_q``; ``codebook_size`` is that of the largest.
        hidden_size: channels of features and latents.
        target_bandwidths: what the fewest codebooks take, and so on up to all of them, kb/s.
        audio_channels: always 1.
    """

    sampling_rate: int
    frame_rate: float
    hop_length: int
    num_quantizers: int
    codebook_size: int
    hidden_size: int
    target_bandwidths: tuple[float, ...]
    audio_channels: int = 1


class CodecModel(nn.Module):
    """A :class:`vqaudio.Codec` over batches of tensors.

    A batch is ``input_values`` ``(batch, 1, samples)`` at ``config.sampling_rate``, full scale ±1, with a
    ``padding_mask`` ``(batch, samples)`` that is 1 where a shorter sound has samples and 0 behind its end. Each sound
    has the very codes that it has alone, and that :meth:`vqaudio.Codec.encode` gives with torch and without a margin.
    Move the module to a device, and give it tensors there: results are on the same. What was learned of it
    :func:`vqaudio.model.checkpoint.save` keeps.

    Attributes:
        codec: what runs :meth:`encode` and :meth:`decode`, by these networks.
        config: rates and sizes.
        autoencoder: the networks; without gradients of their own until ``requires_grad_(True)``.
    """

    def __init__(self, codec: Codec):
        super().__init__()
        codec.check_encodes()
        codec.check_codebooks(None)
        self.autoencoder, self.codec = codec.model, copy(codec)
        self.codec.networks = TorchNetworks(self.autoencoder)  # whatever ran them before
        numbers = range(codec.least_codebooks, codec.n_codebooks + 1)
        self.config = AdapterConfig(
            sampling_rate=codec.sample_rate,
            frame_rate=codec.frame_rate,
            hop_length=codec.hop_length,
            num_quantizers=codec.n_codebooks,
            codebook_size=max(stream.alphabet for stream in codec.streams),
            hidden_size=codec.model.config.latent_dim,
            target_bandwidths=tuple(codec.kbps(number) for number in numbers),
        )

    @classmethod
    def from_pretrained(
        cls,
        name_or_path: str | Path = DEFAULT_MODEL,
        *,
        revision: str | None = None,
        token: str | bool | None = None,
        cache_dir: str | Path | None = None,
    ) -> CodecModel:
        """On the CPU, the model that :meth:`vqaudio.Codec.from_pretrained` gives; arguments and errors as there."""
        found = Codec.from_pretrained(
            name_or_path, backend="torch", revision=revision, token=token, cache_dir=cache_dir
        )
        return cls(found)

    @property
    def sampling_rate(self) -> int:
        """Of sounds, Hz."""
        return self.config.sampling_rate

    @property
    def device(self) -> torch.device:
        """Where the networks are."""
        device: torch.device = next(self.autoencoder.parameters()).device
        return device

    # --------------------------------------------------------------------------------------------- sounds and codes

    def encode(
        self,
        input_values: Tensor,
        padding_mask: Tensor | None = None,
        *,
        num_quantizers: int | None = None,
        bandwidth: float | None = None,
    ) -> CodecEncoderOutput:
        """Sounds to codes, without gradients: as :meth:`vqaudio.Codec.encode_batch` gives them.

        Args:
            input_values: floats ``(batch, 1, samples)``.
            padding_mask: ``(batch, samples)``, ones and then zeros; without it all samples count.
            num_quantizers: how many codebooks; all by default.
            bandwidth: kb/s, in place of it: as many codebooks as it has room for.

        Raises:
            AudioError: sounds of another shape or type, or a mask that does not fit.
            ModelError: more or fewer codebooks than there are, or sounds that are on another device.
        """
        batch, count = self._batch(input_values, padding_mask), self._count(num_quantizers, bandwidth)
        (size,) = frames_of(self.codec, [batch.waveform.shape[1]])
        frames = frames_of(self.codec, batch.lengths)
        audio_codes = self._silence(len(frames), count, size)
        levels = []
        every = self.codec.encode_batch(
            batch.waveform[:, None], self.sampling_rate, n_codebooks=count, lengths=batch.lengths, with_margin=False
        )
        for row, found in enumerate(every):
            tokens = [torch.from_numpy(codes.astype(np.int64)) for codes in found.streams]
            audio_codes[row, :, : frames[row]] = by_frame(tokens, self.codec.streams, frames[row])[0]
            levels.append([level for (level,) in found.levels])
        scales, device = to_scales(levels), input_values.device
        return CodecEncoderOutput(
            audio_codes.to(device), mask_of(frames, size, device), None if scales is None else scales.to(device)
        )

    def decode(
        self, audio_codes: Tensor, padding_mask: Tensor | None = None, *, audio_scales: Tensor | None = None
    ) -> CodecDecoderOutput:
        """Codes to sounds, one after the other, without gradients.

        Args:
            audio_codes: integers ``(batch, n_q, frames)``, of all codebooks or the first few.
            padding_mask: of the sounds, as for :meth:`encode`; without it each frame is whole and counts.
            audio_scales: as :meth:`encode` gave them, where it did.

        Raises:
            AudioError: a mask that does not fit. ModelError: codes that do not fit, or that are on another device.
        """
        self._check_place(audio_codes, "audio_codes")
        if audio_codes.ndim != 3 or audio_codes.is_floating_point():
            what = f"{audio_codes.dtype} of the shape {tuple(audio_codes.shape)}"
            raise ModelError(f"audio_codes hold {what}, expected integers (batch, n_q, frames)")
        batch, count, n_frames = audio_codes.shape
        streams = self.codec.streams[: self.codec.check_codebooks(count)]
        n_samples = n_frames * self.codec.hop_length if padding_mask is None else padding_mask.shape[-1]
        lengths = [n_samples] * batch if padding_mask is None else lengths_of(padding_mask, batch)
        frames = frames_of(self.codec, lengths)
        if max(frames) > n_frames:
            raise ModelError(f"audio_codes have {n_frames} frames, expected {max(frames)} for {max(lengths)} samples")
        codes = audio_codes.cpu().numpy().astype(np.int32)
        values = torch.zeros(batch, 1, n_samples)
        for row, (length, own) in enumerate(zip(lengths, frames, strict=True)):
            tokens = [codes[row, None, number, : own : stream.stride] for number, stream in enumerate(streams)]
            chunks = -(-own // self.codec.chunk_frames())
            levels = () if audio_scales is None else tuple((one,) for one in from_scales(audio_scales[row, :chunks]))
            sound = self.codec.decode(Codes(tokens, self.sampling_rate, length, levels=levels))
            values[row, 0, :length] = torch.from_numpy(sound[0])
        return CodecDecoderOutput(values.to(audio_codes.device))

    def forward(
        self,
        input_values: Tensor,
        padding_mask: Tensor | None = None,
        *,
        num_quantizers: int | None = None,
        bandwidth: float | None = None,
    ) -> CodecOutput:
        """Sounds through the whole model, side by side and with gradients: to the sounds, and to the networks.

        Those pass the bottleneck straight through. Where rounding decides between two codes, one may be another than
        :meth:`encode` gives. Arguments and errors as there.
        """
        batch, count = self._batch(input_values, padding_mask), self._count(num_quantizers, bandwidth)
        tokens, sound = reconstruct(self.codec, self.autoencoder, batch=batch, n_streams=count)
        (size,) = frames_of(self.codec, [batch.waveform.shape[1]])
        mask = mask_of(frames_of(self.codec, batch.lengths), size, input_values.device)
        audio_codes = torch.where(
            mask[:, None], by_frame(tokens, self.codec.streams, size), self._silence(1, count, 1).to(mask.device)
        )
        return CodecOutput(audio_codes, sound[:, None], mask)

    def features(self, input_values: Tensor, padding_mask: Tensor | None = None) -> Tensor:
        """What codes are chosen for, with gradients: ``(batch, hidden_size, frames)``, zeros behind a sound's end.

        Arguments and errors as for :meth:`encode`.
        """
        return features_of(self.codec, self.autoencoder, self._batch(input_values, padding_mask))

    # -------------------------------------------------------------------------------------------- what is asked for

    def _batch(self, input_values: Tensor, padding_mask: Tensor | None) -> SoundBatch:
        self._check_place(input_values, "input_values")
        return SoundBatch.of(input_values, padding_mask)

    def _check_place(self, values: Tensor, name: str) -> None:
        if values.device != self.device:
            raise ModelError(f"{name} are on {values.device}, but the model is on {self.device}: move one with .to()")

    def _count(self, num_quantizers: int | None, bandwidth: float | None) -> int:
        if bandwidth is None:
            return self.codec.check_codebooks(num_quantizers)
        if num_quantizers is not None:
            raise ModelError("num_quantizers and bandwidth both say how many codebooks to use: give one of them")
        return self.codec.codebooks_for(bandwidth)

    def _silence(self, batch: int, count: int, size: int) -> Tensor:
        """Codes of digital silence, int64 ``(batch, count, size)``."""
        return torch.tensor(self.codec.silence[:count])[None, :, None].repeat(batch, 1, size)
