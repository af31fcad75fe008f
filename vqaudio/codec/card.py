"""The page of a model in a folder for the Hub: metadata that are searched there, then what a reader needs to know."""

from __future__ import annotations

import re

from vqaudio.codec.loaded import LoadedModel
from vqaudio.errors import ModelError
from vqaudio.registry import MODELS, shipped_models

TAGS = ("vqaudio", "audio-codec", "audio-tokenizer", "vq-vae")


def card(model: LoadedModel, license: str | None = None) -> str:
    """Markdown with a YAML header: the model's own card where it is shipped, else what can be told of any.

    ``license`` is the Hub's name of one, as in ``mit``: by default that of the package for shipped models, and none
    for others.

    Raises:
        ModelError: no such name.
    """
    shipped = model.name in shipped_models()
    known = license or ("mit" if shipped else None)
    if known is not None and not re.fullmatch(r"[a-z0-9][a-z0-9.+-]*", known):
        raise ModelError(f"the license {known!r} is no name of one on the Hub: expected one such as mit or cc-by-4.0")
    header = ["library_name: vqaudio", "pipeline_tag: audio-to-audio"]
    header += [f"license: {known}"] if known else []
    header += ["tags:", *(f"- {tag}" for tag in TAGS)]
    own = MODELS / f"{model.name}.md"
    body = _without_own_links(own.read_text(encoding="utf-8")) if shipped and own.is_file() else _told(model)
    return "\n".join(["---", *header, "---", "", body.rstrip(), "", *_use(model)])


def _told(model: LoadedModel) -> str:
    """What is known of a model without a card."""
    streams = f"{model.n_codebooks} codebooks of at most {max(stream.alphabet for stream in model.streams)} codes"
    rates = f"{model.sample_rate} Hz inside, {model.frame_rate:g} frames a second"
    return "\n".join(
        [
            f"# {model.name}",
            "",
            f"A codec of vqaudio: {rates}, {streams}, {model.kbps(model.n_codebooks):g} kb/s as they are.",
            f"Files call its codes `{model.fingerprint}`.",
        ]
    )


def _use(model: LoadedModel) -> list[str]:
    return [
        "## In Python",
        "",
        "```python",
        "# pip install 'vqaudio[hub]'",
        "import vqaudio",
        "",
        'codec = vqaudio.Codec.from_pretrained("OWNER/NAME")  # where this page stands, or a folder with these files',
        f"data = codec.compress(wav, {model.sample_rate})  # float32 (channels, samples) to the bytes of a .vq file",
        "wav, sample_rate = codec.decompress(data)",
        "```",
        "",
    ]


def _without_own_links(text: str) -> str:
    """Markdown without links to files that do not come along: their text stays."""
    return re.sub(r"\[([^\]]+)\]\((?!https?://|#)[^)]*\)", r"\1", text)
