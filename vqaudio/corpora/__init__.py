"""What SOURCE is: recordings in folders, manifests and tars, here or by URL, as utterances in parts. No torch."""

from __future__ import annotations

from vqaudio.corpora.corpus import Corpus, Extent
from vqaudio.corpora.opening import open_corpus
from vqaudio.corpora.utterance import Part, Utterance

__all__ = ["Corpus", "Extent", "Part", "Utterance", "open_corpus"]
