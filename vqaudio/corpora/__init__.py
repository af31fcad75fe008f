"""What SOURCE is: recordings in folders, manifests and tars, here or by URL, as utterances in parts. No torch.

===================================== ==================================================================================
SOURCE                                what is read of it
===================================== ==================================================================================
a folder with ``manifest.csv``        what that lists (:mod:`vqaudio.audio.recordings` has its columns)
a folder with ``wav.scp``             what Kaldi's files in it list
a folder of sound files               all of them, in the order of their paths
a folder of tars                      each tar, as below
``.csv``, ``.tsv``                    a row for each recording, below names of columns
``.parquet``, ``.pq``                 likewise
``.jsonl``, ``.json``, ``.ndjson``    an object on each line: NeMo's, or Lhotse's cuts, recordings or supervisions; also
                                      with ``.gz``
``.scp``                              Kaldi's names and paths, with ``segments``, ``text``, ``utt2spk`` beside it
``.tar``, ``.tar.gz``, ``.tgz``       WebDataset: files of one name but for the suffix are an utterance
``x-{000..123}.tar``, ``{a,b}.tar``   several of these
===================================== ==================================================================================

Each may be a plain path, or a URL that fsspec knows (:mod:`vqaudio.corpora.storage`), and so may be the paths of
recordings in it; relative ones are looked for beside the list, or else from the working directory.
:data:`vqaudio.corpora.columns.NAMES` tells what columns and keys may be called. A kind is a module in ``sources/``, a
:class:`vqaudio.corpora.listing.Listing`; :mod:`vqaudio.corpora.opening` tells which one a source is.

What is wrong with a row, or with a recording, costs that row alone: its part gives the utterance with a sentence in
place of sound. What is wrong with a source as a whole is a :class:`vqaudio.errors.CorpusError` when it is opened.
"""

from __future__ import annotations

from vqaudio.corpora.corpus import Corpus
from vqaudio.corpora.opening import open_corpus
from vqaudio.corpora.utterance import Part, Unreached, Utterance

__all__ = ["Corpus", "Part", "Unreached", "Utterance", "open_corpus"]
