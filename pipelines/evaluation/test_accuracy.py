"""Measure the test accuracy of every recipe, and record the access.

Numbers alone are given.
"""

from __future__ import annotations

import numpy as np

from assay.curation.predictions.model_predictions import list_models
from assay.curation.predictions.run_predictions import has_predicted
from assay.curation.predictions.runs import record_test_access
from assay.curation.review import progress
from assay.curation.storage.interface import Bench
from assay.curation.text import format_count
from assay.pipelines.evaluation.test_set import (
    TestSetEvaluator,
    audited_labels,
    interval_to_dict,
    label_caveat,
)
from assay.pipelines.experiments.cells import test_labels


def measure_test_accuracy(bench: Bench) -> dict:
    """Measure every recipe on the locked test labels.

    Labels are corrected by an audit where there is one. Returns dict rows (dicts name, accuracy,
    balanced or exact, seeds, diverged), n, caveat, accesses, notes. UserError where there are no labelled
    test samples.
    """
    test = test_labels(bench, {})
    ids, chosen, left = np.asarray(test.index, "S32"), [], 0
    for model in list_models(bench):
        for run in model.runs:
            if has_predicted(bench, run["key"], ids):
                chosen.append(run | dict(version=model.version, arch=model.arch, failed=None))
            else:
                left += 1
    labels = audited_labels(bench, test)
    rule, review = bench.rules().get("test") or {}, progress.summarize_reviews(bench, bench.state())
    out = dict(
        n=len(test), caveat=label_caveat(rule, review, labels), rows=[], accesses=0, notes=[]
    )
    if left:
        out["notes"] = [f"{format_count(left, 'run')} left out: they never saw this test set."]
    if not chosen:
        return out
    evaluator = TestSetEvaluator(bench, chosen, labels)
    for version, arch in evaluator.Y:
        accuracy, second = evaluator.measure_accuracy(version, arch)
        out["rows"].append(
            dict(
                name=f"{version}/{arch}",
                accuracy=interval_to_dict(accuracy),
                **dict(balanced=None, exact=None) | {evaluator.second: interval_to_dict(second)},
                seeds=len(evaluator.seeds[version, arch]),
                diverged=len(evaluator.diverged.get((version, arch), ())),
            )
        )
    return out | record_test_access(bench, {run["key"] for run in chosen})
