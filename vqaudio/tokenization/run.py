"""A run: which shards are missing, who makes them, and what is said of it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from functools import partial

from vqaudio.cluster import Pool
from vqaudio.codec.codec import Codec
from vqaudio.corpora import Corpus, storage
from vqaudio.errors import FileError, VqaudioError
from vqaudio.tokenization.compatibility import check_header
from vqaudio.tokenization.manifest import Manifest
from vqaudio.tokenization.progress import Progress
from vqaudio.tokenization.settings import Tokenizing
from vqaudio.tokenization.work import Task, Unread, origin_of, tokenize_part
from vqaudio.tokens.formats import FORMATS

IN_A_ROW = 3
"""Shards that fail one after the other, at least, before a run gives up: the next ones would too."""
LOOKS = 5
"""For a shard that a worker has written, a second apart: network file systems may show it late."""


def tokenize(corpus: Corpus, codec: Codec, how: Tokenizing, *, versions: int, pool: Pool, quiet: bool) -> Manifest:
    """Write the tokens of a corpus, and of ``versions`` augmented copies of its recordings for training.

    Shards that are there are left as they are, but those with recordings that could not be reached are made anew, as
    wholes. Recordings that cannot be coded are listed in the manifest that is returned and written; so are shards that
    cannot.

    Raises:
        ModelError: OUT holds tokens of another model or source, or made with other settings; the model does not fit.
        FileError: OUT cannot be written, is not visible here where it is elsewhere.
        VqaudioError: shard after shard fails.
    """
    form = FORMATS[how.format]
    form.check(origin_of(codec))
    folder = form.place(how.out)
    manifest = Manifest(how, origin_of(codec), corpus.source, codec.sample_rate)
    manifest.load()
    storage.make_folder(folder)
    there = set(storage.list(folder))
    _count(corpus, versions, manifest, there)
    manifest.save()
    missing = (task for task in _tasks(corpus, versions, how.shard) if not manifest.counts(task))
    try:
        with Progress(manifest.shards, manifest.planned, quiet=quiet) as progress:
            _run(missing, how, manifest, pool, progress)
    except BaseException:
        manifest.save_if_possible()
        raise
    manifest.save()
    return manifest


def _tasks(corpus: Corpus, versions: int, shard: int) -> Iterator[Task]:
    return (Task(part, version) for part in corpus.parts(shard) for version in range(versions + 1))


def _count(corpus: Corpus, versions: int, manifest: Manifest, there: set[str]) -> None:
    """Count how many shards there will be, and what those hold that are there but not counted yet.

    Those that may be complete by now count as missing; they stay where they are until others replace them.

    Raises:
        ModelError: one is of others. FileError: one cannot be read.
    """
    form, planned, removed = FORMATS[manifest.how.format], 0, False
    for task in _tasks(corpus, versions, manifest.how.shard):
        planned += 1
        removed = removed or (manifest.counts(task) and form.file(str(task)) not in there)
    if removed:  # what was in it is not known: all are counted again
        manifest.forget()
    if len(there) > manifest.shards or manifest.unreached:
        for task in _tasks(corpus, versions, manifest.how.shard):
            if form.file(str(task)) not in there or (manifest.counts(task) and not manifest.may_be_complete(task)):
                continue
            header = form.header(form.place(manifest.how.out), str(task))
            if manifest.counts(task):
                manifest.take_back(task, header.part)
                continue
            check_header(manifest.how, header)
            if not header.part.unreached:
                manifest.add(task, header.part)
    manifest.planned = planned + sum(len(parts) for version, parts in manifest.parts.items() if version > versions)


def _run(missing: Iterator[Task], how: Tokenizing, manifest: Manifest, pool: Pool, progress: Progress) -> None:
    in_a_row = 0
    for finished in pool.run(partial(tokenize_part, how=how), missing):
        if finished.made is None:
            reason = finished.failure or "nothing came of it"
            manifest.failed_shards[str(finished.item)] = reason
            in_a_row += 1
            if in_a_row >= max(IN_A_ROW, pool.workers):
                raise VqaudioError(f"{reason} ({in_a_row} shards in a row failed; the same command goes on from there)")
        elif isinstance(finished.made, Unread):
            manifest.failed_shards[str(finished.item)] = finished.made.reason
        else:
            in_a_row = 0
            _see(finished.item, how)
            manifest.add(finished.item, finished.made)
            manifest.worker_seconds += finished.seconds
            progress.add(finished.made.seconds)
        manifest.save_now_and_then()


def _see(task: Task, how: Tokenizing) -> None:
    """Do nothing if a shard that was written is there.

    Raises:
        FileError: it is not: where it was written is a folder of that name on another machine.
    """
    form = FORMATS[how.format]
    path = storage.join(form.place(how.out), form.file(str(task)))
    for look in range(LOOKS):
        if look:
            time.sleep(1.0)
        if storage.exists(path):
            return
    raise FileError(
        f"{path}: was written by a worker, but is not there for the one that started it; choose an OUT that all "
        "machines share, as a network file system or an object store"
    )
