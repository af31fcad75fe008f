"""A model in use that comes from folders and the Hub, and goes there: see :mod:`vqaudio.codec.hub` for their layout."""

from __future__ import annotations

from pathlib import Path
from typing import Self

from vqaudio.codec import hub
from vqaudio.codec.loaded import LoadedModel
from vqaudio.errors import ModelError
from vqaudio.inference.backends import load_networks
from vqaudio.inference.stored import read_model
from vqaudio.registry import DEFAULT_MODEL


class PretrainedModel(LoadedModel):
    """A :class:`LoadedModel` with the methods by which the libraries of the Hub read, write and share models."""

    @classmethod
    def from_pretrained(
        cls,
        name_or_path: str | Path = DEFAULT_MODEL,
        device: str = "cpu",
        *,
        prior: str | Path | None = None,
        backend: str | None = None,
        precision: str = "float32",
        revision: str | None = None,
        token: str | bool | None = None,
        cache_dir: str | Path | None = None,
    ) -> Self:
        """A codec: what :func:`vqaudio.load` takes, a folder that :meth:`save_pretrained` wrote, or a model on the Hub.

        Args:
            name_or_path: a shipped model's name, a file, a folder, or ``owner/name`` on the Hub, which needs the extra
                ``hub``.
            device, prior, backend, precision: as for :func:`vqaudio.load`; a folder's own prior by default.
            revision, token, cache_dir: of a model on the Hub, see :class:`vqaudio.codec.hub.HubOptions`.

        Raises:
            ModelError: none of these, a file that is no model of ours, or the Hub cannot be reached.
        """
        found = hub.pretrained(name_or_path, hub.HubOptions(revision, token, cache_dir))
        stored = read_model(name_or_path if found is None else found.model)
        if found is not None and stored.fingerprint != found.fingerprint:
            raise ModelError(
                f"{name_or_path}: its {hub.CONFIG} is of the model {found.fingerprint}, but {hub.MODEL} is "
                f"{stored.fingerprint}: it is damaged"
            )
        chosen = prior or (None if found is None else found.prior)
        networks = load_networks(stored, device=device, backend=backend, precision=precision)
        model = cls(stored, networks, None if chosen is None else Path(chosen))
        if found is not None:
            model.name = found.name
        return model

    def save_pretrained(self, folder: str | Path, *, license: str | None = None) -> None:
        """Write the model into a folder as the Hub lays them out: see :mod:`vqaudio.codec.hub`.

        ``license`` is the Hub's name of one, as in ``mit``, for the card. A card that is there already stays.

        Raises:
            ModelError: the model's file is gone, or holds another by now. FileError: nothing can be
                written there.
        """
        hub.save(self, folder, license=license)

    def push_to_hub(
        self,
        repo_id: str,
        *,
        token: str | bool | None = None,
        private: bool | None = None,
        revision: str | None = None,
        commit_message: str = "A codec of vqaudio",
        license: str | None = None,
    ) -> str:
        """Upload what :meth:`save_pretrained` writes; returns the commit's URL.

        Args:
            repo_id: ``owner/name``; it is made where there is none.
            token: of someone who may write there; by default what ``hf auth login`` has stored.
            private: whether a new one is.
            revision: the branch, the main one by default.
            commit_message: what its history says.
            license: as for :meth:`save_pretrained`.

        Raises:
            ModelError: as for :meth:`save_pretrained`, the extra ``hub`` is missing, or the Hub refuses.
        """
        options = hub.HubOptions(revision, token)
        return hub.push(self, repo_id, options=options, private=private, commit_message=commit_message, license=license)
