"""Embed the samples of a bench.

Vectors are stored in shards, so that a killed run resumes.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from assay.curation.errors import UserError
from assay.curation.media.base import MediaType, load_stored, media_of, media_type
from assay.curation.storage.interface import Bench, Progress
from assay.curation.storage.shards import Shards
from assay.curation.storage.stored_shards import fill_shards, missing_parts, store_part
from assay.curation.system import processes
from assay.pipelines.embedders.base import find_embedder, known_embedder
from assay.pipelines.jobs import isolated

BATCH = 32
SHARD = 4096  # rows a killed scan can lose


class Embedded(NamedTuple):
    """Vectors of some samples, and how they came."""

    shards: Shards  # they are among these
    new: int  # how many had to be embedded

    @property
    def folder(self) -> str:
        """Its name under arrays/embeddings."""
        return self.shards.folder.name

    @property
    def dimensions(self) -> int:
        return self.shards.arrays[0].shape[1] if self.shards.arrays else 0


def embed_images(
    bench: Bench,
    hashes: Sequence[str],
    name: str = "lite0",
    progress: Progress | None = None,
    patience: float = processes.PATIENCE,
) -> Embedded:
    """Embed the bench's samples `hashes`, those that are new.

    A network runs in a process of its own: UserError where that crashes, or makes no step for `patience` seconds.
    """
    known, env = known_embedder(name), {}
    if bench.stages and not hasattr(known, "fit"):
        return embed_shards(bench, hashes, name)
    if known and not known.own_process:
        return embed_here(bench, hashes, name, progress)
    if known:
        shards = Shards(bench.arrays / "embeddings" / known.version())
        if (shards.find(np.asarray(hashes, "S32")) >= 0).all():  # no other process for nothing
            return Embedded(shards, 0)
        env = dict(ASSAY_ENGINE=known.engine()) if known.engine() else {}
    try:
        new, folder = isolated.run_isolated(
            embed_in_child,
            bench,
            dict(embedder=name, shard=SHARD),
            patience,
            progress=progress,
            **env,
        )
    except processes.ChildLost as e:
        raise UserError(
            f"expected {name} to embed the samples, found that its process {e}",
            "what is embedded is kept: run it again",
        ) from None
    return Embedded(Shards(bench.arrays / "embeddings" / folder), new)


def embed_in_child(bench: Bench, tell: Callable, embedder: str, shard: int) -> tuple[int, str]:
    """Embed in the child process of `embed_images`.

    Returns how many samples were new, and their folder.
    """
    embedded = embed_here(
        bench, bench.state().content_hash, embedder, lambda *step: tell(step=step), shard
    )
    return embedded.new, embedded.folder


def embed_here(
    bench: Bench,
    hashes: Sequence[str],
    name: str,
    progress: Progress | None = None,
    shard: int = SHARD,
) -> Embedded:
    """Embed as `embed_images` does, in this process."""
    embedder, media = find_embedder(name), media_of(bench)
    refuse_other_medium(embedder, media)
    if hasattr(embedder, "fit"):
        embedder = embedder.fit(bench)
    folder = embedder.version()
    shards = Shards(bench.arrays / "embeddings" / folder)
    unique = np.unique(np.asarray(hashes, "S32"))
    todo = unique[shards.find(unique) < 0]
    if len(todo):
        stored = media.read(load_stored(bench), todo, embedder.side)
        order = np.lexsort((stored.index["row"], stored.shard))  # as they lie on disk
        run = embedder.load()
        for start in range(0, len(todo), shard):
            rows = order[start : start + shard]
            told = progress and partial(tell_more, progress, start, len(todo))
            shards.append(todo[rows], run_embedder(embedder, run, stored.take(rows), told))
        shards = Shards(shards.folder)
    return Embedded(shards, len(todo))


def tell_more(progress: Progress, before: int, total: int, done: int) -> None:
    """Tell of `done` more than there were before."""
    progress(before + done, total)


def run_embedder(
    embedder: Any, run: Callable, stored: Any, progress: Callable[[int], object] | None = None
) -> np.ndarray:
    """Embed stored samples (n), a batch at a time: float32 (n, d).

    run: what the embedder loaded. UserError where it makes anything but finite vectors.
    """
    out, batch = [], getattr(embedder, "batch", BATCH)
    for at in range(0, len(stored), batch):
        rows = np.arange(at, min(at + batch, len(stored)))
        out.append(np.asarray(run(stored[rows]), "f4"))
        if progress:
            progress(at + len(rows))
    vectors = np.concatenate(out)
    if vectors.ndim != 2 or len(vectors) != len(stored) or not np.isfinite(vectors).all():
        raise UserError(
            f"expected finite vectors ({len(stored)}, d) from {embedder.name}, found {vectors.shape}",
            "mend the embedder",
        )
    return vectors


# ---- by shards


def embed_shards(bench: Bench, hashes: Sequence[str], name: str) -> Embedded:
    """Embed as `embed_images` does, on the workers of a scan by shards."""
    embedder, media = find_embedder(name), media_of(bench)
    refuse_other_medium(embedder, media)
    folder = embedder.version()
    given = dict(embedder=name, engine=embedder.engine(), media=media.name, folder=folder)
    kept = bench.arrays / "embeddings" / folder
    new = fill_shards(
        bench, f"embed by {name}", kept, load_stored(bench), hashes, embed_shard, given
    )
    return Embedded(Shards(kept), new)


def embed_shard(
    arrays: Path,
    tell: Callable,
    shard: int,
    digest: str,
    embedder: str,
    engine: str | None,
    media: str,
    folder: str,
) -> None:
    """Embed the samples of a shard on a worker: see stored_shards.fill_shards."""
    if engine:
        os.environ["ASSAY_ENGINE"] = engine
    chosen, medium = find_embedder(embedder), media_type(media)
    if (found := chosen.version()) != folder:
        raise UserError(
            f"expected {embedder} to make vectors of {folder}, found {found}",
            "install the same version of Assay, and of its models, on all machines",
        )
    run = load_once(embedder, engine)
    for hashes, stored in missing_parts(arrays, digest, medium.folder):
        read = medium.read(stored, hashes, chosen.side)
        vectors = run_embedder(chosen, run, read, lambda done: tell(step=done))
        store_part(arrays / "embeddings" / folder, hashes, vectors)


@lru_cache(1)
def load_once(embedder: str, engine: str | None) -> Callable:
    """Load an embedder, once a worker."""
    return find_embedder(embedder).load()


def refuse_other_medium(embedder: Any, media: MediaType) -> None:
    """Refuse an embedder of texts for images, and the other way round."""
    if embedder.media not in (media.name, None):
        raise UserError(
            f"expected an embedder of {media.name}s, found {embedder.name}, which is for {embedder.media}s",
            f"leave it out, which takes {media.embedders[0]}",
        )
