"""Models of a bench, and the classes that each predicts.

A model is the live probe, the probe of a version, or finished runs: one of them, or all seeds of
a recipe. None has fitted what it predicts here.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from assay.curation.errors import UserError
from assay.curation.features import scan_settings
from assay.curation.label_quality import judges, live
from assay.curation.label_quality.score_files import LabelScores
from assay.curation.predictions import runs
from assay.curation.predictions.run_predictions import Predictions
from assay.curation.storage.interface import Bench
from assay.curation.tasks.base import task_of
from assay.curation.tasks.classification import class_indices
from assay.curation.tasks.multilabel import read_set
from assay.curation.versioning.class_names import name_probabilities
from assay.curation.versioning.pointers import find_position
from assay.curation.versioning.version_names import names_at

if TYPE_CHECKING:
    import pandas as pd

PROBE, OF_VERSION = "probe", "probe of "
# ids of n samples, the classes as they are called now, and of each sample the index of the likeliest one (n,); of
# several labels a sample which are likelier than not (n, k), as booleans
Likeliest = tuple[list[str], list[str], np.ndarray]
MOST = 200  # models whose predictions are remembered: a probe is not fitted, nor a file read, twice
MADE: dict[tuple, Likeliest] = {}
LOCK = threading.Lock()


@dataclass(frozen=True)
class Model:
    """A model that can be judged on validation."""

    name: str  # as `predicted(...)` and an address call it
    kind: str  # probe or runs
    version: str  # what it was trained on
    arch: str
    runs: list[dict] = field(default_factory=list)  # key, seed: the newest of each seed
    failed: list[str] = field(default_factory=list)  # why runs of it predict nothing


@dataclass(frozen=True)
class PredictedClasses:
    """The classes that a model predicts of n samples."""

    classes: list[str]  # (k,) as they are called now
    codes: np.ndarray  # (S, n) class indices, a row for each seed; -1: not predicted
    # of several labels a sample: (S, n, k) bool, whether each class is predicted; codes are 0 then where any may be
    members: np.ndarray | None = None

    def mark_right(self, labels: pd.Series) -> np.ndarray:
        """Mark how right each seed is (S, n), from 0 to 1; of samples that it predicted."""
        if self.members is None:
            return 1.0 * (self.codes == class_indices(labels, self.classes))
        return share_members(self.members, *place_members(labels, self.classes))


def list_models(bench: Bench) -> list[Model]:
    """List the probe, its versions newest first, then recipes newest first."""
    out = []
    if scan_settings.is_scanned(bench):
        versions = [v for (v,) in bench.rows("select name from commits order by upto desc, ts")]
        out = [Model(PROBE, "probe", "HEAD", "probe")]
        out += [Model(f"{OF_VERSION}{v}", "probe", v, "probe") for v in versions]
    rows = bench.rows(
        "select version, arch, key, seed, failed from runs where version is not null "
        "order by ts desc, key"
    )
    recipes: dict[tuple, Model] = {}
    for version, arch, key, seed, failed in rows:
        name = f"{version}/{arch}"
        model = recipes.setdefault((version, arch), Model(name, "runs", version, arch))
        if failed is not None:
            model.failed.append(failed)
        elif all(run["seed"] != seed for run in model.runs):
            model.runs.append(dict(key=key, seed=seed))
    for model in recipes.values():
        model.runs.sort(key=lambda run: run["seed"])
    return [*out, *recipes.values()]


def read_predicted(bench: Bench, name: str, ids: Iterable[str]) -> PredictedClasses:
    """Read what a model predicts of samples of train and val.

    Of train, and of the pool, the probe alone. UserError where there is no model of the name, or only a scan can tell.
    """
    ids = list(ids)
    if name == PROBE or name.startswith(OF_VERSION):
        version = "HEAD" if name == PROBE else name.removeprefix(OF_VERSION)
        known, classes, best = predict_by_probe(bench, version)
        if best.ndim > 1:
            return gather_members(classes, [(known, classes, best)], ids)
        return PredictedClasses(classes, place_codes(known, best, ids)[None])
    found = [read_run(bench, run["key"]) for run in runs.find_runs(bench, name)]
    classes = sorted({c for _, own, _ in found for c in own})
    if task_of(bench).several:
        return gather_members(classes, found, ids)
    codes = [
        place_codes(known, class_indices(own, classes)[best], ids) for known, own, best in found
    ]
    return PredictedClasses(classes, np.array(codes))


def read_run(bench: Bench, key: str) -> Likeliest:
    """Read the likeliest class of each sample that a run predicted.

    UserError where its predictions are lost.
    """

    def read() -> Likeliest:
        kept = Predictions.load_named(bench, key)
        return list(kept.ids.astype(str)), list(kept.classes), decide(bench, kept.probs)

    return remember((str(bench.path), key, str(names_at(bench).renames)), read)


def decide(bench: Bench, probs: np.ndarray) -> np.ndarray:
    """Say which class is likeliest (n,), or, of several labels, which are likelier than not (n, k)."""
    return probs >= 0.5 if task_of(bench).several else probs.argmax(1)


def gather_members(classes: list[str], found: list[Likeliest], ids: list[str]) -> PredictedClasses:
    """Gather what each seed predicts of samples with several labels."""
    members = np.zeros((len(found), len(ids), len(classes)), bool)
    codes = np.full((len(found), len(ids)), -1)
    for seed, (known, own, has) in enumerate(found):
        rows = place_codes(known, np.arange(len(known)), ids)
        there = rows >= 0
        codes[seed, there] = 0
        members[seed][np.ix_(there, class_indices(own, classes))] = has[rows[there]]
    return PredictedClasses(classes, codes, members)


def place_members(labels: pd.Series, classes: list[str]) -> tuple[np.ndarray, np.ndarray]:
    """Say which of some classes label sets name (n, k), and how many others (n,)."""
    place = {name: column for column, name in enumerate(classes)}
    has, others = np.zeros((len(labels), len(classes)), bool), np.zeros(len(labels), int)
    for row, label in enumerate(labels):
        for name in read_set(label):
            if name in place:
                has[row, place[name]] = True
            else:
                others[row] += 1
    return has, others


def share_members(said: np.ndarray, has: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Give the share of labels right (S, n): as multilabel.share_right, of arrays.

    said (S, n, k) and has (n, k): predicted and given classes; others (n,): given classes that no model knows.
    """
    both = (said & has).sum(-1)
    either = said.sum(-1) + has.sum(-1) + others - both
    return np.where(either > 0, both / np.maximum(either, 1), 1.0)


def place_codes(known: Iterable[str], codes: np.ndarray, ids: list[str]) -> np.ndarray:
    """Look up the codes (n,) of samples among known ones.

    -1 for those that are not known.
    """
    import pandas as pd

    at = pd.Index(np.asarray(known, object)).get_indexer(np.asarray(ids, object))
    return np.where(at >= 0, codes[at], -1).astype("i4") if len(codes) else np.full(len(ids), -1)


def predict_by_probe(bench: Bench, version: str) -> Likeliest:
    """Predict by the probe of a version, out of sample."""
    if version == "HEAD":
        live.refresh_scores(bench)
        kept = LabelScores.load(bench)
        return list(kept.ids.astype(str)), kept.classes, decide(bench, kept.pred_probs)

    def predict() -> Likeliest:
        made = judges.predict_version(bench, version)
        classes, probs = name_classes(bench, version, made.classes, made.probs)
        return list(made.part.index), classes, decide(bench, probs)

    judge = judges.judge_key(bench, version)
    position, names = find_position(bench, version), str(names_at(bench).renames)
    return remember((str(bench.path), position, judge, names), predict)


def remember(key: tuple, make: Callable[[], Likeliest]) -> Likeliest:
    """Make predictions once, whoever asks for them."""
    with LOCK:
        if key not in MADE:
            while len(MADE) >= MOST:
                del MADE[next(iter(MADE))]
            MADE[key] = make()
        return MADE[key]


def name_classes(
    bench: Bench, version: str, classes: list[str], probs: np.ndarray
) -> tuple[list[str], np.ndarray]:
    """Name the columns of a version's probabilities as classes are called now."""
    names = names_at(bench, version)
    return name_probabilities(names_at(bench), [names.find_class(c) for c in classes], probs)


def check_model(bench: Bench, name: str) -> Model:
    """Find a model by name; a run's key is one, too.

    UserError where there is none.
    """
    models = list_models(bench)
    if found := next((m for m in models if m.name == name), None):
        if found.kind == "runs" and not found.runs:
            raise UserError(
                f"expected a finished run of {name}, found that all failed: {found.failed[0]}",
                "change the plan, or choose another model",
            )
        return found
    if name.startswith(OF_VERSION):
        version = name.removeprefix(OF_VERSION)
        find_position(bench, version)
        return Model(name, "probe", version, "probe")
    chosen = runs.find_runs(bench, name)
    row = bench.rows("select version, arch from runs where key = ?", [chosen[0]["key"]])[0]
    return Model(name, "runs", *row, runs=chosen)
