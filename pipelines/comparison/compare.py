"""Compare models by their prediction files, on test labels of a bench or a file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import numpy as np

from assay.curation.errors import UserError
from assay.curation.predictions import runs
from assay.curation.review import label_noise
from assay.curation.statistics import contrasts
from assay.curation.statistics.wording import format_share
from assay.curation.storage.interface import Bench
from assay.pipelines.comparison import difference, differing_audit, label_stakes, scores
from assay.pipelines.comparison.difference import judge_pair
from assay.pipelines.comparison.evaluator import (
    Alignment,
    FileEvaluator,
    align_models,
    encode_audited,
)
from assay.pipelines.comparison.predictions import read_models
from assay.pipelines.comparison.ranking import accept_also, rank_models
from assay.pipelines.comparison.truth import Truth, read_bench_truth, read_truth
from assay.pipelines.comparison.wording import write_caveat, write_verdict
from assay.pipelines.evaluation.test_set import AuditedLabels, estimate_to_dict

if TYPE_CHECKING:
    import pandas as pd

PERFECT = 30  # samples, from which on a model without an error is doubted
SPLITS = ("test", "val", "train")


@dataclass(frozen=True)
class CompareOptions:
    """How predictions are read and judged."""

    split: str = "test"  # of the bench
    by: Sequence[str] = ()  # columns of the labels' file to slice by; none: those called group
    classes: Sequence[str] | None = None  # what whole numbers and unnamed columns stand for
    missing_wrong: bool = False  # count samples without a prediction as wrong
    effect: float = 1.0  # points; what it would take to see such a difference
    audit_most: int = 200  # labels to audit, at most
    label_column: str | None = None  # of the labels' file
    audited: Any = None  # the list of these, filled in: a file or frame


def compare_files(
    models: Sequence[Any], labels: Any, bench: Bench | None, options: CompareOptions
) -> dict:
    """Compare models' predictions: the second against the first, and the order of all.

    models: for each a path, pattern, comma list, frame or array, or a list of such (one a training). labels: a file,
    frame or array; None: the bench's. Raises UserError before anything is recorded.
    """
    check_options(models, labels, bench, options)
    truth = read_labels(labels, bench, options)
    found = read_models(models, truth, options.classes)
    aligned = align_models(found, truth, options.missing_wrong)
    audited = encode_audited(truth, aligned, bench)
    settled = None
    if options.audited is not None:
        settled = settle(options.audited, truth, aligned, audited)
        audited = settled.labels
    judge = FileEvaluator(aligned, audited)
    pair = (aligned.names[0], aligned.names[1])
    access = (
        record_access(bench, aligned) if bench is not None and options.split == "test" else None
    )
    caveat = (
        differing_audit.describe_audit(settled)
        if settled
        else write_caveat(bench, judge.labels, options.split)
    )
    e = judge.contrast({(pair[1], ""): 1, (pair[0], ""): -1})
    slices, notes = difference.compare_groups(judge, aligned, truth, bench, pair)
    out = estimate_to_dict(e) | judge.measure_as_given({(pair[1], ""): 1, (pair[0], ""): -1})
    out |= dict(
        first=pair[0],
        second=pair[1],
        word=judge_pair(e),
        seeds_known=e.seeds_known,
        p=e.p,
        judged_by=truth.name,
        models=describe_models(judge, aligned),
        flips=difference.count_flips(*(judge.audited[name, ""] for name in pair)),
        scores=scores.compare_scores(aligned.probs, aligned.labels, pair)
        if aligned.probs
        else None,
        slices=slices,
        tested=sum(g["p"] is not None for g in slices),
        needs=difference.estimate_needs(judge, pair, e, options.effect / 100),
        label_noise=measure_stakes(judge, bench, pair, options),
        audit=list_audit(judge, truth, aligned, pair, options),
        ranking=rank_all(judge, aligned, truth),
        caveat=caveat,
        access=access,
        notes=aligned.notes
        + notes
        + doubt_perfection(judge, aligned)
        + (settled.notes if settled else []),
    )
    return out | dict(verdict=write_verdict(out))


def check_options(models: Sequence[Any], labels: Any, bench: Any, options: CompareOptions) -> None:
    """Refuse what does not go together."""
    if len(models) < 2:
        raise UserError(f"expected two models or more, found {len(models)}", "give a file for each")
    if labels is None and bench is None:
        raise UserError(
            "expected labels or a bench to judge by, found neither", "--labels FILE, or -b BENCH"
        )
    if labels is not None and bench is not None:
        raise UserError("expected labels or a bench to judge by, found both", "leave one out")
    if options.split not in SPLITS:
        raise UserError(
            f"expected a split of {', '.join(SPLITS)}, found {options.split}", "choose one"
        )
    if not 0 < options.effect < 100 or options.audit_most < 1:
        raise UserError(
            "expected an effect above 0 points and a label to audit or more, found others",
            "such as --effect 1 --audit-most 200",
        )


def settle(
    source: Any, truth: Truth, aligned: Alignment, labels: AuditedLabels
) -> differing_audit.DifferingAudit:
    """Judge by audited labels of samples on which two models differ; refuse what does not go together."""
    if len(aligned.names) > 2:
        raise UserError(
            f"expected two models with an audit of where they differ, found {len(aligned.names)}",
            "compare two of them",
        )
    if labels.n:
        raise UserError(
            "expected a test split without an audit of its own, found one that is audited",
            "leave out --audited: the bench's own audit corrects the comparison",
        )
    return differing_audit.apply_audit(source, truth, aligned)


def read_labels(labels: Any, bench: Bench | None, options: CompareOptions) -> Truth:
    if bench is None:
        return read_truth(labels, options.by, options.label_column)
    if options.by or options.label_column:
        raise UserError(
            "expected --by and --label-column with labels from a file, found one with a bench",
            "a bench is judged by its classes, clusters and metadata",
        )
    return read_bench_truth(bench, options.split)


def record_access(bench: Bench, aligned: Alignment) -> dict:
    """Record that these predictions were judged on the test set."""
    keys = [
        f"file:{sha256(np.ascontiguousarray(answers)).hexdigest()[:32]}"
        for codes in aligned.predicted.values()
        for answers in codes
    ]
    return runs.record_test_access(bench, keys)


def describe_models(judge: FileEvaluator, aligned: Alignment) -> list[dict]:
    """Describe each model: accuracy, balanced accuracy, files, what was left out."""
    out = []
    for name in aligned.names:
        accuracy, balanced = judge.measure_accuracy(name, "")
        about = aligned.about[name] | dict(diverged=judge.diverged.get((name, ""), []))
        out.append(
            dict(
                name=name, accuracy=estimate_to_dict(accuracy), balanced=estimate_to_dict(balanced)
            )
            | about
        )
    return out


def doubt_perfection(judge: FileEvaluator, aligned: Alignment) -> list[str]:
    """Name models that are never wrong: their file may hold the labels."""
    n = len(aligned.rows)
    perfect = [name for name in aligned.names if n >= PERFECT and judge.as_given[name, ""].all()]
    return [
        f"{name} says what the labels say in all {n:,}: is its column the model's, not the given label?"
        for name in perfect
    ]


def measure_stakes(
    judge: FileEvaluator, bench: Bench | None, pair: tuple[str, str], options: CompareOptions
) -> dict:
    """Measure how much wrong test labels matter to this difference.

    Returns {differing, of, turning (labels that must be wrong, the worst way, to turn the verdict), turning_share,
    noise (share of wrong test labels by the audit, with its interval), expected (wrong ones among the differing)}.
    """
    first, second = (judge.predicted[name, ""] for name in pair)
    labels = judge.labels.clean.to_numpy()
    differing = len(label_stakes.find_differing(first, second))
    turning = label_stakes.count_turning_labels(first, second, labels, judge_pair)
    noise = None
    if bench is not None:
        noise = label_noise.estimate_noise(bench, options.split)["share"]
    return dict(
        differing=differing,
        of=len(labels),
        turning=turning,
        turning_share=turning / differing if turning and differing else None,
        noise=noise,
        expected=[share * differing for share in noise] if noise else None,
    )


def list_audit(
    judge: FileEvaluator,
    truth: Truth,
    aligned: Alignment,
    pair: tuple[str, str],
    options: CompareOptions,
) -> dict:
    """List the samples whose labels settle the verdict: {samples, of, drawn}."""
    first, second = (judge.predicted[name, ""] for name in pair)
    rows = label_stakes.find_differing(first, second)
    chosen = label_stakes.draw_audit(truth.ids[aligned.rows], rows, options.audit_most)
    return dict(
        samples=[str(s) for s in truth.ids[aligned.rows[chosen]]],
        of=len(rows),
        drawn=len(chosen) < len(rows),
    )


def rank_all(judge: FileEvaluator, aligned: Alignment, truth: Truth) -> dict | None:
    """Rank three models or more, by the labels and by what is acceptable too."""
    if len(aligned.names) < 3 and not truth.also:
        return None
    plain = {name: judge.Y[name, ""] for name in aligned.names}
    out = dict(labels=rank_models(plain, judge.weight), also=None)
    if truth.also:
        lists = {name: i for i, name in enumerate(aligned.classes)}
        place = np.full(len(truth.labels), -1)
        place[aligned.rows] = np.arange(len(aligned.rows))
        known = [(place[row], lists[label]) for row, label in truth.also if place[row] >= 0]
        rows, codes = np.array(known, int).reshape(-1, 2).T
        wider = {
            name: accept_also(judge.predicted[name, ""], Y, rows, codes)
            for name, Y in plain.items()
        }
        out["also"] = rank_models(wider) | dict(samples=len(set(rows.tolist())))
        e = contrasts.contrast([wider[aligned.names[1]], wider[aligned.names[0]]], contrasts.PAIR)
        out["also"] |= dict(difference=estimate_to_dict(e), word=judge_pair(e))
    return out


def make_audit_frame(out: dict, truth_column: str = "sample") -> pd.DataFrame:
    """Make the sheet of labels to audit: a row each, its label to be filled in blind."""
    import pandas as pd

    samples = out["audit"]["samples"]
    return pd.DataFrame({truth_column: samples, "label": "", "verdict": ""})


MODEL_COLUMNS = ["model", "seeds", "accuracy", "balanced", "missing"]


def make_model_frame(out: dict) -> pd.DataFrame:
    """Make a table of the models, as a screen shows it."""
    import pandas as pd

    rows = [
        dict(
            model=m["name"],
            seeds=m["seeds"],
            accuracy=format_share(*(m["accuracy"][k] for k in ("estimate", "low", "high"))),
            balanced=format_share(*(m["balanced"][k] for k in ("estimate", "low", "high"))),
            missing=m["missing"],
        )
        for m in out["models"]
    ]
    return pd.DataFrame(rows, columns=MODEL_COLUMNS)
