"""Train one cell of an experiment."""

import math
import time
from functools import lru_cache, partial
from hashlib import blake2b, sha256
from pathlib import Path

import numpy as np

from assay.curation.features import neighbor_graph
from assay.curation.label_quality import probe
from assay.curation.predictions import runs
from assay.curation.storage.arrays import Shards
from assay.pipelines.experiments.plan import RECIPE, training_set
from assay.pipelines.jobs.job_files import when_free
from assay.pipelines.training.architectures.recipes import input_of


def code_hash():
    """Hash of the code that trains: a report whose cells differ in it says so."""
    pipelines = Path(__file__).parents[1]
    files = [
        Path(__file__),
        *(pipelines / "training").rglob("*.py"),
        *(pipelines / "embedders").rglob("*.py"),
        Path(probe.__file__),
    ]
    return sha256(b"".join(f.read_bytes() for f in sorted(files))).hexdigest()[:12]


def bootstrap(frame, names, seed):
    """Row numbers of a grouped bootstrap: each group of copies is drawn Poisson(1) times, by its name and the seed alone, so that every
    architecture and every version draws the same."""
    lots = {
        g: int.from_bytes(blake2b(f"{seed}:{g}".encode(), digest_size=7).digest()) / 2**56
        for g in set(names)
    }
    poisson = np.cumsum(
        [math.exp(-1) / math.factorial(k) for k in range(25)]
    )  # chance of at most k
    times = dict(zip(lots, np.searchsorted(poisson, list(lots.values()))))
    rows = np.repeat(np.arange(len(frame)), [times[g] for g in names])
    return rows if len(rows) else np.arange(len(frame))


class Trainer:
    """Trains cells of one bench; what they share, it reads once."""

    def __init__(self, bench):
        self.bench, self.state, self.code = bench, bench.state(), code_hash()
        graph, at = neighbor_graph.nodes(bench, self.state)
        self.names = dict(zip(self.state.index, graph["hashes"][graph["groups"][at]].astype(str)))
        self.ids = runs.judged_ids(self.state)
        self.shards = lru_cache(Shards)

    def inputs(self, arch, samples, config):
        """What the architecture sees of some samples: lazy vectors, or lazy pixels."""
        hashes = self.state.content_hash[list(samples)]
        if input_of(arch) == "embedding":
            return self.shards(self.bench.arrays / "embeddings" / config["embedding"]).rows(hashes)
        from assay.curation.media.pixels import Pixels, side_of

        return Pixels(
            self.shards(self.bench.arrays / "pixels"), hashes, side_of(self.bench, self.state)
        )

    def data(self, cell):
        """(samples, y, classes, groups) that the seed of a cell draws from its version."""
        frame = training_set(self.bench, cell["at"])
        rows = bootstrap(frame, [self.names[s] for s in frame.index], cell["seed"])
        classes = sorted(set(frame.label))
        samples = frame.index.to_numpy()[rows]
        groups = np.unique([self.names[s] for s in samples], return_inverse=True)[1]
        return (
            samples,
            np.searchsorted(classes, frame.label.to_numpy(dtype=str)[rows]),
            classes,
            groups,
        )

    @lru_cache(maxsize=1)  # noqa: B019 - as long as its bench
    def drawn(self, at, seed):
        return self.data(dict(at=at, seed=seed))

    @lru_cache  # noqa: B019 - as long as its bench
    def pool(self, n):
        """Samples of the pool that a training on n predicts besides: it costs a few seconds, or a third of an epoch."""
        return runs.pool_ids(self.state, max(n, runs.POOL))

    def predict(self, cell, ids, progress=None):
        """(classes, probs (m, k) of the samples `ids`) of a training of the cell: the same each time, on one machine."""
        from assay.pipelines.training import train

        samples, y, classes, groups = self.drawn(cell["at"], cell["seed"])
        x, x_new = (self.inputs(cell["arch"], s, cell["config"]) for s in (samples, ids))
        return classes, train.fit_predict(
            cell["arch"],
            x,
            y,
            x_new,
            len(classes),
            cell["seed"],
            groups,
            cell["config"]["epochs"],
            progress,
        )

    def train(self, cell, progress=None):
        """Train one cell and store it. A diverged run is stored as one: named, never averaged away, and not trained again."""
        start, m = time.perf_counter(), len(self.ids)
        pool = self.pool(cell["n_train"])
        said, failed = {}, None
        try:
            classes, probs = self.predict(cell, [*self.ids, *pool], progress)
            said = dict(
                ids=self.ids, probs=probs[:m], classes=classes, pool=pool, pool_probs=probs[m:]
            )
        except RuntimeError as e:
            if "diverged" not in str(e):
                raise
            failed = str(e)
        seconds = time.perf_counter() - start
        keep = partial(
            runs.keep, self.bench, cell, RECIPE, self.code, seconds, failed=failed, **said
        )
        when_free(
            keep, progress or (lambda share, text: None)
        )  # hours of training are not lost to somebody's query
        return dict(seconds=seconds, failed=failed)

    def cost(self, cell):
        """Seconds that a cell will take here, by a few real steps of it."""
        from assay.pipelines.training import train

        some = self.inputs(cell["arch"], self.state.index[:1], cell["config"])
        n, k = cell["n_train"], cell["classes"]
        m = len(self.ids) + len(self.pool(n))
        return (
            train.cost(cell["arch"], n, some.shape[1:], k, cell["config"]["epochs"])
            * (1 + 0.4 * m / max(n, 1))
            + 0.3
        )
