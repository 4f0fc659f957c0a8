"""Find where a version helped: by slice, by confusion, by flipped sample."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from assay.curation.errors import UserError
from assay.curation.media.base import media_of
from assay.curation.slicing import cluster_names, metadata, slices
from assay.curation.statistics import contrasts, estimates, multiple_testing
from assay.curation.storage.interface import Bench
from assay.curation.tasks.base import task_of
from assay.curation.tasks.classification import class_indices
from assay.curation.text import format_count
from assay.pipelines.evaluation.comparison import Comparison, list_learners
from assay.pipelines.evaluation.confusions import compare_confusions, load_predictions
from assay.pipelines.evaluation.pairwise import find_flips
from assay.pipelines.evaluation.test_set import interval_to_dict

if TYPE_CHECKING:
    import pandas as pd

# test samples: if all ten flip one way, a sign test gives p 0.002, just what Holm asks of the
# first of 25 slices
FEW = 10
# slices by metadata at most: a table of 200 columns would ask so many questions that none is
# answered
METADATA = 100
NOTHING = dict(
    slices=[], confusion=None, flips=None, tested=0, notes=["no other version to compare"]
)


def find_slice_effects(c: Comparison) -> dict:
    """Find where the last version helped.

    The last one whose training labels differ from the first's. One JSON-able dict: version, against
    (version None where there is no such version), slices (see compare_slices), confusion (classes,
    by_arch and mean: before, after, difference; changed), flips (see find_flips), tested (slices
    that Holm corrects for), notes.
    """
    first, trees = c.plan["versions"][0], {cell["version"]: cell["train_tree"] for cell in c.wanted}
    later = [v for v in c.plan["versions"][1:] if trees[v] != trees[first]]
    if not later:
        return dict(version=None, against=first) | NOTHING
    last, archs, judge = later[-1], list_learners(c.plan["architectures"]), c.evaluator
    labels = judge.labels.given if judge.labels.in_part else judge.labels.clean
    test = c.test.assign(label=labels)
    groups, notes = collect_slices(c.bench, c.plan, test)
    before, after = ([judge.Y[v, a] for a in archs] for v in (first, last))
    found = compare_slices(before, after, groups, judge.weight, c.margin)
    cells = [
        cell
        for cell in c.wanted
        if cell["version"] in (first, last)
        and cell["seed"] in judge.seeds[cell["version"], cell["arch"]]
    ]
    tested = sum(g["p"] is not None for g in found)
    few_seeds = min(len(judge.seeds[v, a]) for v in (first, last) for a in archs) < 3
    notes += list_notes(tested, few_seeds, judge.labels.in_part)
    if judge.task.several:
        notes.append("no confusions and no flips: samples have several labels")
        return (
            dict(version=last, against=first)
            | NOTHING
            | dict(slices=found, tested=tested, notes=notes)
        )
    classes, codes = load_predictions(c.bench, cells, test)
    truth = class_indices(test.label, classes)
    pairs = {a: (codes[first, a], codes[last, a]) for a in archs}
    was, now = (np.concatenate(runs) for runs in zip(*pairs.values()))
    confusion, more = compare_confusions(truth, pairs, classes)
    return dict(
        version=last,
        against=first,
        slices=found,
        confusion=confusion,
        flips=find_flips(truth, was, now, classes, list(test.index)),
        tested=tested,
        notes=notes + more,
    )


def list_notes(tested: int, few_seeds: bool, in_part: bool) -> list[str]:
    """Say how slices, flips and confusions are to be read."""
    notes = [
        f"{format_count(tested, 'slice', 'was', 'were')} tested, and Holm allows for all that were, together; "
        f"under {FEW} test samples a slice is not tested",
        "a sample flipped if the share of runs that get it right, over all architectures and "
        "seeds, moved by more than a half",
        "confusions and flips are counts of these runs, without an interval: "
        "read them beside the slices",
    ]
    if few_seeds:
        notes.append(
            "with two seeds, where they differ much, many slices find one too many in up to 7 % "
            "of experiments: take three or more"
        )
    if in_part:
        notes.append(
            "classes, confusions and flips go by the test labels as given; differences of slices "
            "are corrected by the audit of some"
        )
    return notes


def collect_slices(bench: Bench, plan: dict, test: pd.DataFrame) -> tuple[list[dict], list[str]]:
    """Collect groups of test samples: classes, the plan's own slices, clusters, metadata.

    Returns the groups as compare_slices takes them, and notes of what is left out, such as
    metadata that repeat the label: to ask a question twice would make Holm stricter for nothing.
    """
    notes = []
    named = [
        ("class", slices.slice_by_class(test, task_of(bench))),
        ("slice", slices.resolve_slices(bench, plan.get("slices") or {})),
    ]
    try:
        named.append(("cluster", cluster_names.samples_by_cluster(bench, bench.state(), "coarse")))
    except UserError as e:  # imported since the scan; the experiment stands without clusters
        notes.append(f"no clusters: {e.problem}")
    room, skipped = METADATA, []
    for key, values in metadata.slice_by_metadata(test, media_of(bench).name).items():
        if len(values) > room:
            skipped.append(key)
        else:
            room -= len(values)
            named.append(("metadata", values))
    if skipped:
        notes.append(
            f"metadata left out beyond {METADATA} slices: {', '.join(skipped)}; "
            "name what matters as slices in the plan"
        )
    groups, seen, again = [], set(), 0
    for kind, members in named:
        for name, ids in members.items():
            rows = test.index.get_indexer(ids)
            rows = np.sort(rows[rows >= 0])
            if kind == "metadata" and rows.tobytes() in seen:
                again += 1
                continue
            seen.add(rows.tobytes())
            groups.append(dict(kind=kind, name=name, rows=rows))
    if again:
        what = f"{format_count(again, 'slice')} by metadata hold the same samples as another slice"
        notes.append(f"{what}, and are left out")
    return groups, notes


def compare_slices(
    before: list[np.ndarray],
    after: list[np.ndarray],
    groups: list[dict],
    weight: float | None = None,
    margin: float | None = None,
) -> list[dict]:
    """Compare two versions within each group of test samples.

    before, after: lists over architectures of (S, m) as contrasts.contrast takes them, 0/1 or an
    audit's pseudo-values with their `weight`; groups: dicts kind, name, rows (columns of those);
    margin: a fraction too small to matter, None: never say so.

    Returns dicts kind, name, n, before and after (accuracy: estimate, low, high), estimate, low,
    high (95 %), p, p_holm, verdict by Holm over all groups together; None and "too few" under FEW
    samples. Averaged over architectures. Kinds in the order given; within one the largest gain
    first, those with too few last.
    """
    cells = [np.atleast_2d(Y) for Y in (*before, *after)]
    w = [-1 / len(before)] * len(before) + [1 / len(after)] * len(after)
    blank = dict.fromkeys(("before", "after", "estimate", "low", "high", "p", "p_holm"))
    out, found = [], []
    for g in groups:
        rows = g["rows"]
        row = dict(kind=g["kind"], name=g["name"], n=len(rows)) | blank | dict(verdict="too few")
        out.append(row)
        if len(rows) >= FEW:
            part = [Y[:, rows] for Y in cells]
            e = contrasts.contrast(part, w, group_size=weight)
            row["before"] = mean_accuracy(part[: len(before)], weight)
            row["after"] = mean_accuracy(part[len(before) :], weight)
            row |= interval_to_dict(e) | dict(p=e.p)
            found.append(e)
    judged = [g for g in out if g["p"] is not None]
    adjusted = multiple_testing.adjust_holm([g["p"] for g in judged])
    for g, wide, p in zip(judged, multiple_testing.holm_intervals(found), adjusted):
        g |= dict(p_holm=float(p), verdict=estimates.judge_effect(wide, margin))
    kinds = list(dict.fromkeys(g["kind"] for g in out))
    return sorted(
        out, key=lambda g: (kinds.index(g["kind"]), g["p"] is None, -(g["estimate"] or 0))
    )


def mean_accuracy(cells: list[np.ndarray], weight: float | None) -> dict[str, float]:
    """Mean accuracy over architectures with its interval, as plain numbers.

    Wilson's interval at the effective n, or the symmetric one for pseudo-values, where most of
    the variance is the audit's (see audit_correction.audited_accuracy).
    """
    e = contrasts.contrast(cells, [1 / len(cells)] * len(cells), group_size=weight)
    if not weight:
        return interval_to_dict(replace(e, cap=float(e.n)))
    return interval_to_dict(replace(e, estimate=min(1.0, max(0.0, e.estimate))))
