"""Answer triggers' questions: which samples does each catch?"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from assay.curation.errors import UserError
from assay.curation.features import neighbor_graph
from assay.curation.features.knn import K
from assay.curation.label_quality import live
from assay.curation.label_quality.score_files import LabelScores
from assay.curation.predictions import model_disagreement
from assay.curation.selection import similarity
from assay.curation.slicing import slices
from assay.curation.storage.interface import Bench
from assay.curation.tasks.base import task_of

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Question:
    """What a trigger asks, and of which samples."""

    bench: Bench
    trigger: dict  # as triggers.active_triggers
    state: pd.DataFrame  # the n samples that it may ask about
    new: np.ndarray  # (n,) bool: came since it last ran
    predict: Callable | None  # (run, ids): what runs predict, see model_disagreement


@dataclass(frozen=True)
class Answer:
    """What a trigger catches."""

    caught: np.ndarray  # (n,) bool
    judged: np.ndarray  # (n,) bool
    reasons: dict[str, str] = field(default_factory=dict)  # by sample


def ask_similar(asked: Question) -> Answer:
    """Catch what looks enough like the seeds.

    As much as half of them are like the others. Judged by what was there before; see
    similarity.similarity_threshold.
    """
    state, whole = asked.state, asked.bench.state()
    graph, at = neighbor_graph.load_nodes(asked.bench, whole)
    vectors = neighbor_graph.load_vectors(asked.bench, graph).astype("f4")
    there = [sample for sample in asked.trigger["samples"] if sample in whole.index]
    seeds = vectors[at[whole.index.get_indexer(there)]]
    rows = at[whole.index.get_indexer(state.index)]
    older = vectors[np.setdiff1d(rows, rows[asked.new])]
    if not len(seeds) or not len(older):
        raise UserError(
            "expected older samples to compare with and the samples of the trigger, found none",
            "set the trigger anew",
        )
    score = similarity.score_similarity(older, seeds, vectors[rows])
    least = similarity.similarity_threshold(older, seeds, K)
    new = zip(state.index[asked.new], score[asked.new])
    reasons = {sample: f"{x:.2f} like its samples, {least:.2f} is enough" for sample, x in new}
    return Answer(score >= least, np.ones(len(state), bool), reasons)


def ask_confidence(asked: Question) -> Answer:
    """Catch what the probe gives no class enough probability."""
    state = asked.state
    live.refresh_scores(asked.bench)  # of the labels and samples as they are now
    kept = LabelScores.load(asked.bench)
    several, probs = task_of(asked.bench).several, kept.pred_probs
    # of several labels a sample that of the class it is least sure of: there or not
    surest = np.maximum(probs, 1 - probs).min(1) if several else probs.max(1)
    sure = dict(zip(kept.ids.astype(str), surest))
    top = np.array([sure[sample] for sample in state.index])
    new = zip(state.index[asked.new], top[asked.new])
    words = "is sure of one class by {:.0%} alone" if several else "no class has over {:.0%}"
    reasons = {sample: words.format(p) for sample, p in new}
    return Answer(top < asked.trigger["below"], np.ones(len(state), bool), reasons)


def ask_disagreement(asked: Question) -> Answer:
    """Catch what two models predict differently."""
    new, ids = asked.new, asked.state.index[asked.new]
    first, second = (asked.predict(name, ids) for name in asked.trigger["runs"])
    caught, judged = np.zeros(len(new), bool), ~new
    if any(np.isnan(probs).all() for _, probs in (*first, *second)):
        return Answer(caught, judged)
    several = task_of(asked.bench).several
    found, about = model_disagreement.compare_recipes(first, second, several)
    rows = np.flatnonzero(new)
    caught[rows[found.row]] = True
    judged[rows] = about["seen"]
    if several:
        said = zip(found.row, found.question, found.p_current, found.p_candidate)
        reasons = {ids[i]: f"{name}: {p:.0%} or {q:.0%}" for i, name, p, q in said}
        return Answer(caught, judged, reasons)
    pairs = zip(found.row, found.current, found.p_current, found.candidate, found.p_candidate)
    return Answer(
        caught, judged, {ids[i]: f"{a} {p:.0%} or {b} {q:.0%}" for i, a, p, b, q in pairs}
    )


def ask_query(asked: Question) -> Answer:
    """Catch what a person's query finds."""
    found = slices.run_slice_query(asked.bench, asked.trigger["query"])
    return Answer(asked.state.index.isin(found), np.ones(len(asked.state), bool))


ASK = dict(
    similar=ask_similar, confidence=ask_confidence, disagreement=ask_disagreement, query=ask_query
)
