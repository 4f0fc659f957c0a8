"""The class list on the pages: counts, exemplars and accuracy.

Nothing of test and guard is counted, judged or shown.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import numpy as np

from assay.app.server.class_effect import tally_classes
from assay.curation.errors import UserError
from assay.curation.features.scan_settings import is_scanned
from assay.curation.label_quality.score_files import LabelScores
from assay.curation.review.exemplars import choose_exemplars, read_candidates
from assay.curation.slicing.clusters import assign_clusters
from assay.curation.splits import LOCKED
from assay.curation.statistics.estimates import wilson_interval
from assay.curation.tasks.base import Task, explode_labels, has_class, task_of
from assay.curation.versioning.class_list import FIELDS, count_kept, list_entries, sort_classes
from assay.curation.versioning.class_names import read_names
from assay.curation.versioning.pointers import find_position
from assay.curation.versioning.similar_names import (
    SimilarNames,
    find_similar_names,
    group_similar_names,
)
from assay.curation.versioning.state_building import is_large

if TYPE_CHECKING:
    import pandas as pd

    from assay.app.server.review_session import ReviewSession

OPEN = ("train", "val", "pool")  # splits whose labels are counted
MOST_SIMILAR = 20  # pairs of similar names that are shown at once
MOST_SAMPLES = 20_000  # of one class, that a split shows


class ClassView:
    """The classes of one bench, as open pages see them."""

    def __init__(self, session: ReviewSession) -> None:
        self.session, self.bench, self.lock = session, session.bench, threading.Lock()
        self.kept: tuple[Any, dict] = (None, {})  # what was asked last, and as of what
        self.kept_exemplars: tuple[Any, dict] = (None, {})

    def position(self) -> int:
        """Give the end of the log."""
        return find_position(self.bench, "HEAD")

    def is_fresh(self) -> bool:
        """Say whether the session's predictions are of the labels as they are."""
        return self.session.seq == self.position()

    def describe(self) -> dict[str, Any]:
        """Describe all classes, in order; see list_rows."""
        scanned = is_scanned(self.bench)
        if scanned and not self.is_fresh():
            self.session.request_rescore(self.position())
        with self.lock:
            at = self.position(), self.session.seq
            if self.kept[0] != at:
                self.kept = at, self.read()
            return self.kept[1] | dict(scanned=scanned, fresh=self.is_fresh())

    def read(self) -> dict[str, Any]:
        """Read the classes anew."""
        with self.bench.connect() as con:
            names = read_names(con)
            last = names.edits[-1] if names.edits else None
            why = last and con.execute("select why from edits where seq = ?", [last.seq]).fetchall()
        entries = list_entries(names)
        return dict(
            classes=self.list_rows(entries),
            similar=self.list_similar(),
            undo=last and dict(batch=last.batch, words=why[0][0] or "the last change"),
            seq=self.position(),
        )

    def list_similar(self) -> dict[str, Any]:
        """List names that a person would mistake for one another: see list_similar."""
        if not is_large(self.bench):
            return list_similar(self.bench.state(), task_of(self.bench))
        counts = count_kept(self.bench).reindex(columns=OPEN, fill_value=0).sum(axis=1)
        return list_pairs(group_similar_names({name: int(n) for name, n in counts.items() if n}))

    def list_rows(self, entries: dict[str, dict]) -> list[dict]:
        """List the classes with their entries, counts, exemplars and accuracy.

        Dicts of name, what is said of the class, n by split, exemplars and accuracy. accuracy:
        (right, n, low, high) of the validation labels that say the class, by a model that did not
        see them; None without any.
        """
        task = task_of(self.bench)
        counts = count_kept(self.bench).reindex(columns=OPEN, fill_value=0)
        with self.session.lock:
            scored, predicted = self.session.whole, getattr(self.session, "predicted", None)
            told = self.session.state
        shown = self.choose(entries, scored and scored.found)
        judged = tally_classes(told, predicted, task) if predicted else {}
        rows = []
        for name in sort_classes({*entries, *counts.index}, entries):
            entry = entries.get(name, dict.fromkeys(FIELDS))
            by_split = {s: int(counts[s].get(name, 0)) for s in OPEN}
            row = dict(name=name, n=sum(by_split.values())) | by_split | entry
            row |= dict(chosen=bool(entry["exemplars"]), exemplars=shown.get(name, []))
            rows.append(row | dict(accuracy=describe_accuracy(judged.get(name))))
        return rows

    def exemplars(self) -> dict[str, list[str]]:
        """Give the exemplars of every class, without waiting for scores."""
        with self.lock:
            if self.kept_exemplars[0] != (at := self.position()):
                with self.bench.connect() as con:
                    entries = list_entries(read_names(con))
                found = self.choose(entries)
                self.kept_exemplars = at, found
            return self.kept_exemplars[1]

    def choose(
        self, entries: dict[str, dict], scores: pd.DataFrame | None = None
    ) -> dict[str, list[str]]:
        """Choose the exemplars of every class; scores: of all, else those that were written last."""
        if is_large(self.bench):
            state, scores = read_candidates(self.bench, entries)
        else:
            state = self.bench.state()
            scores = read_scores(self.bench, state) if scores is None else scores
        return choose_exemplars(state, scores, entries, task_of(self.bench))

    def notes(self) -> dict[str, dict]:
        """Tell what Review shows beside its classes: {name: key, guideline, exemplars}."""
        fields = ("key", "guideline", "colour", "exemplars")
        return {row["name"]: {f: row[f] for f in fields} for row in self.describe()["classes"]}

    def list_samples(self, name: str) -> dict[str, Any]:
        """List the samples of a class by cluster, the largest first.

        They are shown to whoever splits the class. Dict groups (lists of (id, key), the least
        likely of the class first), listed, n, and clustered (whether there are clusters).
        """
        state = self.bench.state()
        has = has_class(task_of(self.bench), state.label, name)
        mine = state[state.keep & has & ~state["split"].isin(LOCKED)]
        scores = read_scores(self.bench, state)
        if scores is not None:
            order = scores.score.reindex(mine.index).to_numpy(float)
            mine = mine.iloc[np.argsort(order, kind="stable")]
        part, clustered = mine.head(MOST_SAMPLES), True
        try:
            group = assign_clusters(self.bench, part) if len(part) else np.zeros(0, int)
        except UserError:  # not scanned: all in one
            group, clustered = np.zeros(len(part), int), False
        sizes = np.bincount(group) if len(group) else []
        groups = [
            [list(pair) for pair in zip(part.index[group == g], part.key[group == g])]
            for g in np.argsort(-np.asarray(sizes), kind="stable")
            if sizes[g]
        ]
        return dict(groups=groups, listed=len(part), n=len(mine), clustered=clustered)


def read_scores(bench: Any, state: pd.DataFrame) -> pd.DataFrame | None:
    """Read the scores that were written last.

    None where samples came or left since.
    """
    kept = LabelScores.load(bench) if is_scanned(bench) else None
    if kept is None:
        return None
    ids = np.asarray(state.index[~state["split"].isin(LOCKED)], "S32")
    return kept.scores.to_frame(state) if np.array_equal(kept.ids, ids) else None


def list_similar(state: pd.DataFrame, task: Task) -> dict[str, Any]:
    """List names that a person would mistake for one another.

    Each comes with the one to keep.
    """
    open_labels = state.label[state.keep & ~state["split"].isin(LOCKED)]
    return list_pairs(find_similar_names(explode_labels(task, open_labels)))


def list_pairs(groups: list[SimilarNames]) -> dict[str, Any]:
    """List each name of some groups, with the one to keep."""
    pairs = [
        dict(old=old, n=n, new=group.name, of=group.n)
        for group in groups
        for old, n in group.others.items()
    ]
    return dict(pairs=pairs[:MOST_SIMILAR], more=max(0, len(pairs) - MOST_SIMILAR))


def describe_accuracy(found: tuple[int, int] | None) -> list[float] | None:
    """Give (right, n, low, high) of a class's accuracy.

    None where nothing is judged.
    """
    if not found or not found[1]:
        return None
    return [*found, *wilson_interval(*found)]


def open_classes(session: ReviewSession) -> ClassView:
    """Give the view of a session's classes: one a session."""
    with OPENING:
        key = str(session.bench.path)
        if key not in VIEWS or VIEWS[key].session is not session:
            VIEWS[key] = ClassView(session)
        return VIEWS[key]


VIEWS: dict[str, ClassView] = {}
OPENING = threading.Lock()
