"""Train one cell of an experiment."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from hashlib import blake2b, sha256
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from assay.curation.features import neighbor_graph
from assay.curation.label_quality import linear_algebra, probe
from assay.curation.media.texts import Texts
from assay.curation.predictions import run_predictions
from assay.curation.predictions.run_predictions import Predictions, store_run
from assay.curation.storage.interface import Bench
from assay.curation.storage.shards import Shards
from assay.curation.tasks.base import list_members, task_of
from assay.curation.versioning.class_list import list_classes
from assay.curation.versioning.version_names import names_at
from assay.pipelines.embedders.columns import load_cells
from assay.pipelines.experiments.cells import RECIPE, training_set
from assay.pipelines.jobs.job_files import retry_while_held
from assay.pipelines.training.architectures.recipes import find_recipe
from assay.pipelines.training.architectures.rules import apply_rules, load_rules
from assay.pipelines.training.data import LazyRows, TrainingData
from assay.pipelines.training.train import Diverged, estimate_seconds, fit_predict
from assay.pipelines.training.word_rows import WordRows

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Draw:
    """The training samples that a seed draws from a version."""

    samples: np.ndarray  # (n,) ids
    labels: np.ndarray  # (n,) numbers of classes, or (n, k) members
    classes: list[str]
    groups: np.ndarray  # (n,) copies share one


def code_hash() -> str:
    """Hash the code that trains.

    A report whose cells differ in it says so.
    """
    pipelines = Path(__file__).parents[1]
    files = [
        Path(__file__),
        *(pipelines / "training").rglob("*.py"),
        *(pipelines / "embedders").rglob("*.py"),
        Path(probe.__file__),
        Path(linear_algebra.__file__),
        Path(linear_algebra.__file__),
    ]
    return sha256(b"".join(f.read_bytes() for f in sorted(files))).hexdigest()[:12]


def bootstrap_rows(frame: pd.DataFrame, names: Sequence[str], seed: int) -> np.ndarray:
    """Draw row numbers by a grouped bootstrap.

    Each group of copies is drawn Poisson(1) times, by its name and the seed alone, so that every architecture and every
    version draws the same. `names` (n,) are the groups of the rows.
    """
    lots = {
        name: int.from_bytes(blake2b(f"{seed}:{name}".encode(), digest_size=7).digest()) / 2**56
        for name in set(names)
    }
    # chance of at most k
    poisson = np.cumsum([math.exp(-1) / math.factorial(k) for k in range(25)])
    times = dict(zip(lots, np.searchsorted(poisson, list(lots.values()))))
    rows = np.repeat(np.arange(len(frame)), [times[name] for name in names])
    return rows if len(rows) else np.arange(len(frame))


class Trainer:
    """Trains cells of one bench; what they share, it reads once."""

    def __init__(self, bench: Bench):
        self.bench, self.state, self.code = bench, bench.state(), code_hash()
        graph, at = neighbor_graph.load_nodes(bench, self.state)
        # the group of copies of each sample
        self.names = dict(zip(self.state.index, graph.hashes[graph.groups[at]].astype(str)))
        self.ids = run_predictions.predicted_ids(self.state)
        self.shards = lru_cache(Shards)

    def load_inputs(self, arch: str, samples: Sequence[str], config: dict) -> LazyRows:
        """Load what the architecture sees of some samples.

        Lazy vectors, pixels, hashes of words, or a row's columns.
        """
        hashes, seen = self.state.content_hash[list(samples)], find_recipe(arch).input
        if seen == "words":
            return WordRows(Texts(self.shards(self.bench.arrays / "texts"), hashes))
        if seen == "row":
            return load_cells(self.bench, hashes)
        if seen == "embedding":
            return self.shards(self.bench.arrays / "embeddings" / config["embedding"]).rows(hashes)
        from assay.curation.media.pixels import Pixels, training_side

        return Pixels(
            self.shards(self.bench.arrays / "pixels"), hashes, training_side(self.bench, self.state)
        )

    @lru_cache(maxsize=1)  # noqa: B019 - as long as its bench
    def draw_samples(self, at: str, seed: int) -> Draw:
        """Draw the training samples of a version by a seed."""
        frame = training_set(self.bench, at)
        rows = bootstrap_rows(frame, [self.names[s] for s in frame.index], seed)
        task = task_of(self.bench)
        classes = list_members(task, frame.label)
        samples = frame.index.to_numpy()[rows]
        labels = task.targets(frame.label.to_numpy(object)[rows], classes)
        groups = np.unique([self.names[s] for s in samples], return_inverse=True)[1]
        return Draw(samples, labels, classes, groups)

    @lru_cache  # noqa: B019 - as long as its bench
    def pool_ids(self, n: int) -> list[str]:
        """List samples of the pool that a training on n predicts besides.

        It costs a few seconds, or a third of an epoch.
        """
        return run_predictions.choose_pool_ids(self.state, max(n, run_predictions.POOL))

    def predict(
        self, cell: dict, ids: Sequence[str], progress: Callable[[float, str], None] | None = None
    ) -> tuple[list[str], np.ndarray]:
        """Train a cell and predict the samples `ids`.

        Returns (classes, probs (m, k)).
        The same each time, on one machine. Raises Diverged.
        """
        arch, config = cell["arch"], cell["config"]
        if find_recipe(arch).is_rules:
            return self.ask_rules(cell, ids, progress)
        draw = self.draw_samples(cell["at"], cell["seed"])
        inputs = self.load_inputs(arch, draw.samples, config)
        data = TrainingData(inputs, draw.labels, len(draw.classes), draw.groups)
        new = self.load_inputs(arch, ids, config)
        probs = fit_predict(arch, data, new, cell["seed"], config["epochs"], progress)
        return draw.classes, probs

    def ask_rules(
        self, cell: dict, ids: Sequence[str], progress: Callable[[float, str], None] | None = None
    ) -> tuple[list[str], np.ndarray]:
        """Ask the rules of a cell about samples: see apply_rules; classes go by their identities."""
        rules = load_rules(find_recipe(cell["arch"]).function, cell["config"]["code"])
        called, ids = names_at(self.bench), list(ids)
        hashes, known = self.state.content_hash[ids], list_classes(self.bench)
        names, probs = apply_rules(rules, self.bench, hashes, ids, known, progress)
        return [name and called.find_class(name) for name in names], probs

    def train(self, cell: dict, progress: Callable[[float, str], None] | None = None) -> dict:
        """Train one cell and store it; returns dict(seconds, failed).

        A diverged run is stored as one: named, never averaged away, and not trained again.
        """
        start, m = time.perf_counter(), len(self.ids)
        pool = self.pool_ids(cell["n_train"])
        predictions, failed = None, None
        try:
            classes, probs = self.predict(cell, [*self.ids, *pool], progress)
            predictions = Predictions(self.ids, probs[:m], classes, pool, probs[m:])
        except Diverged as e:
            failed = str(e)
        seconds = time.perf_counter() - start
        keep = partial(store_run, self.bench, cell, RECIPE, self.code, seconds, predictions, failed)
        # hours of training are not lost to somebody's query
        retry_while_held(keep, progress or (lambda share, text: None))
        return dict(seconds=seconds, failed=failed)

    def measure_cost(self, cell: dict) -> float:
        """Measure the seconds that a cell will take here.

        By a few real steps of it.
        """
        if find_recipe(cell["arch"]).is_rules:
            return self.measure_rules(cell)
        some = self.load_inputs(cell["arch"], self.state.index[:1], cell["config"])
        n, k, epochs = cell["n_train"], cell["classes"], cell["config"]["epochs"]
        m = len(self.ids) + len(self.pool_ids(n))
        seconds = estimate_seconds(cell["arch"], n, some.shape[1:], k, epochs)
        return seconds * (1 + 0.4 * m / max(n, 1)) + 0.3

    def measure_rules(self, cell: dict) -> float:
        """Measure the seconds that rules will take, by the first samples that they are asked about."""
        some, start = self.ids[:32], time.perf_counter()
        self.ask_rules(cell, some)
        n = len(self.ids) + len(self.pool_ids(cell["n_train"]))
        return 0.3 + (time.perf_counter() - start) * n / max(len(some), 1)
