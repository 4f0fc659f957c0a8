"""Explain every number that is shown of one sample."""

from __future__ import annotations

import numpy as np

from assay.curation.errors import NotScanned, UserError
from assay.curation.features.scan_settings import is_scanned
from assay.curation.splits import LOCKED
from assay.curation.storage.interface import Bench
from assay.curation.tasks.base import task_of
from assay.curation.versioning.history import blame_sample
from assay.pipelines.explaining.explained import Explained
from assay.pipelines.explaining.label_score import FEW_CLASSES, explain_label
from assay.pipelines.explaining.member_score import explain_label_set
from assay.pipelines.explaining.queue_place import explain_neighbours, explain_place
from assay.pipelines.explaining.sample_issues import explain_cluster, explain_issues
from assay.pipelines.explaining.score_parts import read_score_parts


class LockedSample(UserError):
    """A sample of test or a regression set, of which no score is ever shown."""

    code = "locked_sample"


def explain_sample(bench: Bench, sample: str) -> Explained:
    """Explain the numbers of a sample: its score, the steps to it, issues, place in the queue, cluster.

    sample: its id, the beginning of it, or its key. UserError for one that is not there, or locked; NotScanned for one
    without a score.
    """
    columns = ["split", "label", "key"]
    state = bench.state(columns=columns, samples=[sample])
    if sample not in state.index:
        sample = blame_sample(bench, sample).sample
        state = bench.state(columns=columns, samples=[sample])
    if sample not in state.index:
        raise UserError(
            f"expected a sample that is in the bench now, found {sample!r}, which is not",
            f"it may have gone with an import that was taken back: assay blame {sample} -b {bench.given}",
        )
    now = state.loc[sample]
    if now["split"] in LOCKED:
        raise LockedSample(
            f"expected a train or val sample, found one of {now['split']}, which is locked",
            "no score, prediction or issue of test and regression sets is shown: experiments alone judge by them",
        )
    if not is_scanned(bench):
        raise NotScanned(
            "expected a train or val sample that was scanned, found no scan",
            f"run: assay scan -b {bench.given}",
        )
    parts, task = read_score_parts(bench, sample), task_of(bench)
    explain = explain_label_set if task.several else explain_label
    numbers = [
        *explain(bench, parts),
        *explain_neighbours(bench, parts),
        *explain_place(bench, parts),
        *explain_issues(bench, sample),
        *explain_cluster(bench, sample),
    ]
    order = np.argsort(-parts.probs, kind="stable")[:FEW_CLASSES]
    label = now.label if isinstance(now.label, str) else None
    return Explained(
        numbers=numbers,
        sample=sample,
        source_id=str(now.key),
        label=None if label is None else task.show(label),
        probs=[(parts.classes[c], float(parts.probs[c])) for c in order],
    )
