"""Embed the samples of a bench.

Vectors are stored in shards, so that a killed run resumes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from assay.curation.errors import UserError
from assay.curation.media.base import load_stored, media_of
from assay.curation.storage.interface import Bench, Progress
from assay.curation.storage.shards import Rows, Shards
from assay.curation.system import processes
from assay.pipelines.embedders.base import find_embedder, known_embedder
from assay.pipelines.jobs import isolated

BATCH = 32
SHARD = 4096  # rows a killed scan can lose


class Embedded(NamedTuple):
    """Vectors of some samples, and how they came."""

    rows: Rows  # (n, d), lazy
    new: int  # how many had to be embedded
    folder: str  # its name under arrays/embeddings


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
    if known and not known.own_process:
        return embed_here(bench, hashes, name, progress)
    if known:
        shards = Shards(bench.arrays / "embeddings" / known.version())
        if (shards.find(np.asarray(hashes, "S32")) >= 0).all():  # no other process for nothing
            return Embedded(shards.rows(hashes), 0, shards.folder.name)
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
    return Embedded(Shards(bench.arrays / "embeddings" / folder).rows(hashes), new, folder)


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
    if embedder.media not in (media.name, None):
        raise UserError(
            f"expected an embedder of {media.name}s, found {name}, which is for {embedder.media}s",
            f"leave it out, which takes {media.embedders[0]}",
        )
    if hasattr(embedder, "fit"):
        embedder = embedder.fit(bench)
    folder = embedder.version()
    shards = Shards(bench.arrays / "embeddings" / folder)
    unique = np.unique(np.asarray(hashes, "S32"))
    todo = unique[shards.find(unique) < 0]
    if len(todo):
        stored = media.read(load_stored(bench), todo, embedder.side)
        order = np.lexsort((stored.index["row"], stored.shard))  # as they lie on disk
        run, batch = embedder.load(), getattr(embedder, "batch", BATCH)
        for start in range(0, len(todo), shard):
            rows = order[start : start + shard]
            out = []
            for at in range(0, len(rows), batch):
                out.append(np.asarray(run(stored[rows[at : at + batch]]), "f4"))
                if progress:
                    progress(min(start + at + batch, len(todo)), len(todo))
            vectors = np.concatenate(out)
            if vectors.ndim != 2 or len(vectors) != len(rows) or not np.isfinite(vectors).all():
                raise UserError(
                    f"expected finite vectors ({len(rows)}, d) from {name}, found {vectors.shape}",
                    "mend the embedder",
                )
            shards.append(todo[rows], vectors)
        shards = Shards(shards.folder)
    return Embedded(shards.rows(hashes), len(todo), folder)
