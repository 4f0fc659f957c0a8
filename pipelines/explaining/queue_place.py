"""Explain a sample's place in the queue, and what its neighbours say."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from assay.curation.features import neighbor_graph
from assay.curation.issues.disagreements import disagreement_issues, list_contested
from assay.curation.label_quality import live
from assay.curation.label_quality.partitioned_scores import PartitionedScores, find_edited_rows
from assay.curation.storage.interface import Bench
from assay.curation.tasks.base import task_of
from assay.curation.text import format_count
from assay.curation.versioning.state_building import is_large, open_state
from assay.pipelines.explaining.explanation import Explanation, Filled, explain_as
from assay.pipelines.explaining.score_parts import ScoreParts

NOT_TOLD = (
    "Samples that are drawn at random stand between these; which they are is not told, "
    "so that people look at all alike."
)


def explain_place(bench: Bench, parts: ScoreParts) -> Iterator[Explanation]:
    """Explain the place of a doubted label in the queue; nothing of one that was decided about."""
    if parts.row is None or bool(parts.row.reviewed) or np.isnan(parts.row.score):
        return
    score = float(parts.row.score)
    contested, lower = (count_large if is_large(bench) else count_small)(bench, parts.sample, score)
    place = contested + lower + 1
    filled = f"{contested:,} + {lower:,} + 1 = {place:,}"
    numbers = dict(contested=contested, lower=lower, score=score)
    yield explain_as("queue-place", Filled(f"{place:,}", place, filled, numbers, [NOT_TOLD]))


def count_small(bench: Bench, sample: str, score: float) -> tuple[int, int]:
    """Count what comes before a sample: (labels that people contradict each other about, lower scores)."""
    found = live.label_scores(bench)
    left = found.score[~found.reviewed.to_numpy(bool)]
    before = left.to_numpy("f8")[: left.index.get_loc(sample)]
    lower = int(
        (left < score).sum() + (before == score).sum()
    )  # of equal ones the first comes first
    return disagreement_issues(bench)["sample"].nunique(), lower


def count_large(bench: Bench, sample: str, score: float) -> tuple[int, int]:
    """Count the same of a large bench, a part at a time."""
    now, scores = open_state(bench), PartitionedScores.load(bench)
    own = int(now.locate([sample])[0])
    contested = now.locate(list_contested(bench))
    contested = np.sort(contested[contested >= 0])
    issues = disagreement_issues(bench, state=now.frame(contested))
    since, lower = find_edited_rows(scores.state, now), 0
    for number, (here, at) in enumerate(scores.scan()):
        part = now.load(number, ("reviewed",))
        free = ~part.flags["reviewed"][here - number * now.each] & ~np.isin(here, since)
        theirs = np.asarray(scores.arrays["score"][at])
        lower += int((free & ((theirs < score) | (theirs == score) & (here < own))).sum())
    return issues["sample"].nunique(), lower


def explain_neighbours(bench: Bench, parts: ScoreParts) -> Iterator[Explanation]:
    """Explain how the nearest labelled samples are labelled; nothing where there are none."""
    state, show = parts.state, task_of(bench).show
    graph, node = neighbor_graph.load_nodes(bench, state)
    usable = neighbor_graph.labelled_rows(state)
    evidence = neighbor_graph.rows_on_nodes(graph, node, usable)
    near = neighbor_graph.neighbour_rows(
        graph, node[[state.index.get_loc(parts.sample)]], evidence
    )[0]
    seen = state.label.to_numpy(object)[near[near >= 0]]
    if not len(seen):
        return
    names, counts = np.unique(np.array([show(label) for label in seen], str), return_counts=True)
    ranked = sorted(zip(names.tolist(), counts.tolist()), key=lambda pair: -pair[1])
    listed = ", ".join(f"{n} {name}" for name, n in ranked)
    note = f"Of its {len(seen)} nearest labelled samples: {listed}. Copies that are test samples are not looked at."
    filled = ", ".join(f"{name}: {n} / {len(seen)}" for name, n in ranked)
    numbers = dict(votes=dict(ranked), neighbours=len(seen))
    shown = f"{ranked[0][1]} of {format_count(len(seen), 'neighbour')} {ranked[0][0]}"
    yield explain_as(
        "neighbour-votes", Filled(shown, ranked[0][1] / len(seen), filled, numbers, [note])
    )
