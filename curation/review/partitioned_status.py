"""The status of a large bench: counts of parts, and whole rows of what was decided alone."""

from __future__ import annotations

import sys
from collections import Counter
from typing import TYPE_CHECKING

import numpy as np

from assay.curation.errors import UserError
from assay.curation.features.scan_settings import is_scanned
from assay.curation.issues import listing
from assay.curation.issues.base import ScanView
from assay.curation.issues.disagreements import list_contested
from assay.curation.issues.not_copies import was_told_apart
from assay.curation.issues.opinions import list_opinions, load_opinion, opinion_kinds
from assay.curation.label_quality import judges
from assay.curation.label_quality.model_trust import judge_model
from assay.curation.label_quality.partitioned_scores import PartitionedScores
from assay.curation.label_quality.score_files import LabelScores
from assay.curation.review import progress, status
from assay.curation.splits import LOCKED
from assay.curation.storage.arrays import load_arrays, map_array
from assay.curation.storage.interface import Bench
from assay.curation.tasks.base import task_of
from assay.curation.text import format_count
from assay.curation.versioning.class_list import order_classes
from assay.curation.versioning.partitioned_states import PartitionedState
from assay.curation.versioning.sample_draws import find_random_rows
from assay.curation.versioning.state_building import is_large, open_state
from assay.curation.versioning.version_names import names_at

if TYPE_CHECKING:
    import pandas as pd


class ExcerptView(ScanView):
    """What a finder may ask of a large bench at each look: some samples, and all counts."""

    def __init__(self, bench: Bench, excerpt: pd.DataFrame, counts: dict[str, int]) -> None:
        super().__init__(bench, excerpt)
        self.counts = counts

    def count_labels(self) -> dict[str, int]:
        return self.counts


def can_summarize(bench: Bench, version: str) -> bool:
    """Whether the status is told by parts: of a large bench as it stands.

    Not where opinions, pairs told apart, renames or a network's age ask for every sample.
    """
    if version != "HEAD" or not is_large(bench) or task_of(bench).several:
        return False
    if opinion_kinds(bench) or was_told_apart(bench) or names_at(bench).renames:
        return False
    if not is_scanned(bench):
        return True
    kept = load_arrays(bench.arrays / "opinion.npz", ["pred_probs_at", "upto", "flagged"])
    judge = judges.load_judge(bench)
    plain = kept is not None and "flagged" in kept and "pred_probs_at" not in kept
    return plain and (judge is None or judge.second is None)


def summarize_by_parts(bench: Bench) -> dict:
    """Summarise a large bench as it stands: see status.summarize_bench.

    What the next labels hold and gain is not foreseen: that asks for the scores of all.
    """
    state = open_state(bench)
    random = find_random_rows(state, 1)
    excerpt = read_excerpt(bench, state, random.waiting)
    sizes, classes, test_only = count_samples(state)
    dropped = sum(n for (_, _, keep, _), n in state.counts.items() if not keep)
    out = status.begin_summary(bench, "HEAD", sizes, dropped)
    out["classes"] = {name: classes[name] for name in order_classes(bench, classes)}
    out["classes_only_in_test"] = order_classes(bench, test_only)
    out["review"] = progress.summarize_reviews(bench, excerpt, random.population)
    out["waiting_at_random"] = progress.count_waiting(bench, excerpt)
    found = waits = None
    try:
        view = make_view(bench, excerpt, test_only, classes)
        columns = ("kind", "sample", "score")
        every = listing.load_issues(bench, columns=columns, rescore=False, scan=view)
        found = status.count_issues(bench, out, excerpt, every)
        if is_scanned(bench):
            scores = PartitionedScores.load(bench)
            if scores.upto < state.upto:
                since = format_count(state.upto - scores.upto, "edit")
                print(f"note: flags and scores are as of {since} ago", file=sys.stderr)
            out["weak_model"] = judge_model(bench, *scores.count_contradicted(state))
            kept = load_judged(bench, state, scores, random.stratum)
            status.count_looks(bench, out, progress.judge_stratum(bench, excerpt, kept))
            print(
                "note: of a bench so large it is not foreseen what the next reviews gain",
                file=sys.stderr,
            )
    except UserError as e:
        waits = e
    status.advise(bench, out, excerpt, found, waits)
    return out


def make_view(
    bench: Bench, excerpt: pd.DataFrame, test_only: set[str], classes: Counter[str]
) -> ExcerptView:
    return ExcerptView(bench, excerpt, dict.fromkeys(test_only, 0) | classes)


def view_excerpt(bench: Bench, state: PartitionedState) -> ExcerptView:
    """Give what finders may ask of a large bench at each look."""
    _, classes, test_only = count_samples(state)
    said = (load_opinion(bench, name) for name in list_opinions(bench))
    doubted = state.locate([s for one in said for s in one.ids[one.flags.any(1)]])
    excerpt = read_excerpt(bench, state, doubted[doubted >= 0])
    return make_view(bench, excerpt, test_only, classes)


def read_reviewed(bench: Bench) -> tuple[pd.DataFrame, int | None]:
    """Read what progress is told from: (a state, samples in the random order where it has not all)."""
    if not is_large(bench):
        return bench.state(), None
    state = open_state(bench)
    random = find_random_rows(state, 1)
    return read_excerpt(bench, state, random.waiting), random.population


def read_excerpt(bench: Bench, state: PartitionedState, waiting: np.ndarray) -> pd.DataFrame:
    """Read the samples that were reviewed, have an issue or are contested, and some rows more.

    The next at random, where it is among them, ends the random stratum as it does among all.
    """
    reviewed = state.find(lambda part: part.flags["reviewed"], ["reviewed"])
    asked = "select distinct sample from issues where sample is not null"
    named = state.locate([*list_contested(bench), *(s for (s,) in bench.rows(asked))])
    rows = np.unique(np.concatenate([reviewed, waiting, named[named >= 0]]))
    return state.frame(rows)


def count_samples(state: PartitionedState) -> tuple[dict[str, int], Counter[str], set[str]]:
    """Count kept samples: (by split, by class without test and guard, classes of test alone)."""
    sizes: Counter[str] = Counter()
    classes: Counter[str] = Counter()
    there: set[str] = set()
    here: set[str] = set()
    for (split, label, keep, _), n in state.counts.items():
        if keep:
            sizes[split] += n
            if label is not None:
                (there if split == "test" else here).add(label)
                if split not in LOCKED:
                    classes[label] += n
    return dict(sizes), classes, there - here


def load_judged(
    bench: Bench, state: PartitionedState, scores: PartitionedScores, rows: np.ndarray
) -> LabelScores:
    """Load the written probabilities of some rows alone: see score_files.LabelScores."""
    file = bench.arrays / "opinion.npz"
    few = load_arrays(file, ["few"])["few"]
    at = scores.ranks(rows)
    there = at >= 0
    ids = state.frame(rows[there], ["key"]).index.to_numpy("S32")
    probs = map_array(file, "pred_probs")[at[there]]
    return LabelScores(scores.upto, ids, scores.classes, probs, few, None)
