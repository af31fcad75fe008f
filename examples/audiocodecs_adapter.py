"""vqaudio in audiocodecs (github.com/lucadellalib/audiocodecs): its ``Codec``, for its benchmarks and for SpeechBrain.

``VQAudio(sample_rate=...)(sig)`` codes and decodes ``sig`` ``(batch, samples)``; the base class resamples. Lengths are
parts of the longest sound, as there. Needs ``pip install 'vqaudio[torch]'``.
"""

import torch
from audiocodecs.codec import Codec

from vqaudio.adapter import CodecModel


class VQAudio(Codec):
    """A model of vqaudio, with as many of its codebooks as wanted."""

    def __init__(self, sample_rate, orig_sample_rate=16000, mode="reconstruct", num_codebooks=9, name="speech-16k-v4"):
        super().__init__(sample_rate, orig_sample_rate, mode)
        self.model = CodecModel.from_pretrained(name)
        assert orig_sample_rate == self.model.sampling_rate, f"{name} is for {self.model.sampling_rate} Hz"
        self.num_codebooks, self.vocab_size = num_codebooks, self.model.config.codebook_size

    def embs(self):
        """Embeddings of each codebook, ``(num_codebooks, vocab_size, hidden_size)``."""
        return torch.stack(self.model.autoencoder.bottleneck.additive_codebooks()[: self.num_codebooks]).detach()

    def _sig_to_toks(self, sig, length):
        found = self.model.encode(sig[:, None], _mask(sig.shape[1], length), num_quantizers=self.num_codebooks)
        return found.audio_codes.movedim(1, 2)  # (batch, frames, num_codebooks)

    def _sig_to_feats(self, sig, length):
        return self.model.features(sig[:, None], _mask(sig.shape[1], length)).movedim(1, 2)

    def _toks_to_sig(self, toks, length):
        frames = _mask(toks.shape[1], length)
        mask = frames.repeat_interleave(self.model.config.hop_length, 1)
        return self.model.decode(toks.movedim(1, 2), mask).audio_values[:, 0]


def _mask(size, length):
    """``(batch, size)``: which samples, or frames, are a sound's own; ``length`` is relative to the longest."""
    return torch.arange(size, device=length.device) < (size * length).ceil().clamp(1, size)[:, None]
