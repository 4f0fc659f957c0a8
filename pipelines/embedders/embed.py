"""Samples to vectors: which network describes an image, and the fastest engine that runs it on this machine."""

import importlib
from hashlib import sha256
from pathlib import Path

import numpy as np

from assay.curation.errors import UserError
from assay.curation.media.pixels import Pixels
from assay.curation.storage.arrays import Shards
from assay.curation.system import processes
from assay.pipelines.embedders.efficientnet_lite0 import SIDE, engine, lite0
from assay.pipelines.jobs import isolated

BATCH = 32
SHARD = 4096  # rows a killed scan can lose


def embedder(name):
    """(folder name, side in pixels, loader) of `lite0`, `pixels` or `package.module:function`. loader() returns the function
    uint8 (b, side, side, 3) -> float32 (b, d)."""
    if name == "lite0":
        return f"lite0-{SIDE}-{engine()}", SIDE, lite0
    if name == "pixels":
        return "pixels-16", 16, lambda: lambda x: x.reshape(len(x), -1).astype("f4")
    if ":" not in name:
        raise UserError(
            f"expected an embedder, found {name!r}",
            "there are lite0, pixels and package.module:function",
        )
    try:
        module, function = name.split(":")
        loaded = importlib.import_module(module)
        embed = getattr(loaded, function)
    except (ValueError, ImportError, AttributeError) as e:
        hint = "is the module on PYTHONPATH?"
        raise UserError(
            f"expected lite0, pixels or package.module:function, found {name!r} ({e})", hint
        ) from None
    code = Path(loaded.__file__).read_bytes() if getattr(loaded, "__file__", None) else b""
    return (
        f"{module}-{function}-{sha256(code).hexdigest()[:8]}",
        getattr(embed, "side", SIDE),
        lambda: embed,
    )


def embed(bench, hashes, name="lite0", progress=None, patience=processes.PATIENCE):
    """Vectors of the bench's images `hashes` as lazy rows (n, d); returns (Rows, how many were new, the name of their folder). A network runs in a
    process of its own: UserError where that crashes, or makes no step for `patience` seconds."""
    if name == "pixels":
        return embedded(bench, hashes, name, progress)
    env = {}
    if name == "lite0":
        env, shards = (
            dict(ASSAY_ENGINE=engine()),
            Shards(bench.arrays / "embeddings" / embedder(name)[0]),
        )
        if (shards.find(np.asarray(hashes, "S32")) >= 0).all():  # no other process for nothing
            return shards.rows(hashes), 0, shards.folder.name
    try:
        new, folder = isolated.do(
            embed_apart, bench, dict(embedder=name, shard=SHARD), patience, progress=progress, **env
        )
    except processes.Lost as e:
        raise UserError(
            f"expected {name} to embed the images, found that its process {e}",
            "what is embedded is kept: run it again",
        ) from None
    return Shards(bench.arrays / "embeddings" / folder).rows(hashes), new, folder


def embed_apart(bench, tell, embedder, shard):
    """The part of `embed` that has a process of its own: how many images were new, and the name of the folder of their vectors."""
    _, new, folder = embedded(
        bench, bench.state().content_hash, embedder, lambda *step: tell(step=step), shard
    )
    return new, folder


def embedded(bench, hashes, name, progress=None, shard=SHARD):
    """As `embed`, in this process: only what was never embedded is, in shards, so that a killed run resumes."""
    folder, side, load = embedder(name)
    shards = Shards(bench.arrays / "embeddings" / folder)
    unique = np.unique(np.asarray(hashes, "S32"))
    todo = unique[shards.find(unique) < 0]
    if len(todo):
        pixels = Pixels(Shards(bench.arrays / "pixels"), todo, side)
        order = np.lexsort((pixels.index["row"], pixels.shard))  # as they lie on disk
        run = load()
        for start in range(0, len(todo), shard):
            rows = order[start : start + shard]
            out = []
            for at in range(0, len(rows), BATCH):
                out.append(np.asarray(run(pixels[rows[at : at + BATCH]]), "f4"))
                if progress:
                    progress(min(start + at + BATCH, len(todo)), len(todo))
            vectors = np.concatenate(out)
            if vectors.ndim != 2 or len(vectors) != len(rows) or not np.isfinite(vectors).all():
                raise UserError(
                    f"expected finite vectors ({len(rows)}, d) from {name}, found {vectors.shape}",
                    "mend the embedder",
                )
            shards.append(todo[rows], vectors)
        shards = Shards(shards.folder)
    return shards.rows(hashes), len(todo), folder
