"""The codec as a torch module, called as the codecs of the transformers library are.

::

    model = CodecModel.from_pretrained("speech-16k-v4")  # or a file, a folder, an id on the Hub
    codes = model.encode(input_values, padding_mask).audio_codes    # (B, 1, samples), (B, samples) -> (B, n_q, frames)
    wav = model.decode(codes, padding_mask).audio_values            # -> (B, 1, samples)
    model(input_values).audio_values.sub(target).abs().mean().backward()

Needs torch (``pip install 'vqaudio[torch]'``), and nothing of transformers.
"""

from vqaudio.errors import install

try:
    from vqaudio.adapter.model import AdapterConfig, CodecModel
    from vqaudio.adapter.outputs import AdapterOutput, CodecDecoderOutput, CodecEncoderOutput, CodecOutput
except ModuleNotFoundError as error:
    if error.name != "torch":
        raise
    raise ModuleNotFoundError(f"vqaudio.adapter needs torch: {install('torch')}", name="torch") from None

__all__ = [
    "AdapterConfig",
    "AdapterOutput",
    "CodecDecoderOutput",
    "CodecEncoderOutput",
    "CodecModel",
    "CodecOutput",
]
