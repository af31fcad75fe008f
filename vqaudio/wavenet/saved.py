"""Trained WaveNets on disk: float16 safetensors with everything that describes them inside."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors.torch import save as to_bytes

from vqaudio.config.prior import WaveNetConfig
from vqaudio.config.reading import parse
from vqaudio.container import Stream
from vqaudio.errors import ConfigError, ModelError
from vqaudio.files import atomic_write
from vqaudio.prior.text import Alphabet
from vqaudio.qat.saved import UNREADABLE, read_tensors
from vqaudio.wavenet.network import WaveNet

KIND = "wavenet"
"""What the files say they hold."""
ON_DISK = {
    "active_streams": "used",
    "embeddings": "entries",
    "embedding_quantizer": "see_entries",
    "condition_quantizer": "see_condition",
    "context_quantizer": "see_context",
    "input_quantizer": "see",
    "hidden_quantizer": "see_hidden",
    "query_quantizer": "see_query",
    "output_projection": "entries",
}
"""What parts of the network are called in files, where that is not what they are called in the code."""


@dataclass
class SavedPrior:
    """A prior ready for use.

    Attributes:
        net: in evaluation mode, float32, on the CPU.
        codec: fingerprint of the codec whose tokens it knows.
        training: how it was trained, where known.
    """

    net: WaveNet
    codec: str
    training: dict[str, Any]


def save(net: WaveNet, path: Path, *, codec: str, training: dict[str, Any] | None = None) -> None:
    """Write a network's weights as float16, atomically."""
    tensors = {
        name_on_disk(name): (tensor.half() if tensor.is_floating_point() else tensor).cpu().contiguous()
        for name, tensor in net.state_dict().items()
    }
    described = {
        "codec": codec,
        "config": net.config.model_dump(mode="json"),
        "streams": [[stream.alphabet, stream.stride] for stream in net.streams[: net.n_codebooks]],
        "fields": {name: list(labels) for name, labels in net.fields.items()},
    }
    if net.alphabet is not None:
        described["text"] = net.alphabet.to_config()
    metadata = {
        "kind": KIND,
        "config": json.dumps(described, separators=(",", ":")),  # unsorted: the order of fields is that of their tables
        "training": json.dumps(training or {}, sort_keys=True),
    }
    with atomic_write(path) as file:
        file.write(to_bytes(tensors, metadata=metadata))


def name_on_disk(name: str) -> str:
    """What files call a tensor of a network's ``state_dict``."""
    return ".".join(ON_DISK.get(part, part) for part in name.split("."))


def load(path: Path) -> SavedPrior:
    """Read what :func:`save` wrote.

    Raises:
        ModelError: not such a file.
    """
    try:
        tensors, metadata = read_tensors(path, KIND)
        described = json.loads(metadata["config"])
        streams = [Stream(alphabet, stride) for alphabet, stride in described["streams"]]
        config = parse(WaveNetConfig, described["config"], source=str(path))
        alphabet = Alphabet.from_config(described.get("text"))
        net = WaveNet(config, streams, described["fields"], alphabet=alphabet)
        names = {name_on_disk(name): name for name in net.state_dict()}
        net.load_state_dict({names.get(name, name): tensor.float() for name, tensor in tensors.items()})
        training = json.loads(metadata.get("training", "{}"))
    except (*UNREADABLE, ConfigError) as error:
        reason = str(error).splitlines()[-1].strip()
        raise ModelError(f"{path}: is not a readable prior ({reason})") from None
    return SavedPrior(net.eval().requires_grad_(False), described["codec"], training)
