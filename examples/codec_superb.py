"""vqaudio in Codec-SUPERB (github.com/voidful/Codec-SUPERB).

Copy this file to ``SoundCodec/codec/vqaudio_16k.py`` there; its ``load_codec("vqaudio_16k")`` gives it, and
``dataset_creator.py --specific_codecs vqaudio_16k`` takes it. Needs ``pip install 'vqaudio[torch]'``.
"""

import numpy as np
import torch
from SoundCodec.base_codec.general import BaseCodec, ExtractedUnit

from vqaudio.adapter import CodecModel


class Codec(BaseCodec):
    """All codebooks of the default model; the base class resamples to :attr:`sampling_rate` and back."""

    name = "speech-16k-v4"
    num_quantizers = None  # or fewer of its codebooks

    def config(self):
        """Load the model; the base class calls this as it begins, and knows the device."""
        self.model = CodecModel.from_pretrained(self.name).to(self.device)
        self.sampling_rate = self.model.sampling_rate
        self.setting = f"vqaudio_{self.name}"

    def extract_unit(self, data):
        """Codes ``(codebooks, frames)`` of ``data["audio"]["array"]``, ``(samples,)``."""
        wav = torch.as_tensor(np.asarray(data["audio"]["array"], np.float32), device=self.device)
        encoded = self.model.encode(wav[None, None], num_quantizers=self.num_quantizers)
        return ExtractedUnit(unit=encoded.audio_codes[0], stuff_for_synth=(encoded, len(wav)))

    def decode_unit(self, stuff_for_synth):
        """The sound ``(1, samples)`` of what :meth:`extract_unit` kept."""
        encoded, n_samples = stuff_for_synth
        mask = torch.ones(1, n_samples, device=self.device)
        return self.model.decode(encoded.audio_codes, mask, audio_scales=encoded.audio_scales)[0][0].cpu().numpy()
