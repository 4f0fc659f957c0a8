"""Judge models by one set of test labels, on the samples that all of them predict."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from assay.curation.errors import UserError
from assay.curation.review import audit
from assay.curation.statistics import contrasts
from assay.curation.statistics.estimates import Estimate
from assay.curation.storage.interface import Bench
from assay.curation.tasks import classification
from assay.curation.text import format_count
from assay.pipelines.comparison.matching import match_answers
from assay.pipelines.comparison.predictions import Model
from assay.pipelines.comparison.truth import Truth
from assay.pipelines.evaluation.test_set import AuditedLabels, TestSetEvaluator


@dataclass(frozen=True)
class Alignment:
    """Models' answers in the order of the samples that all of them predict."""

    names: list[str]
    rows: np.ndarray  # (m,) of the truth's samples
    classes: list[str]  # what codes stand for: the truth's, then what else was predicted
    labels: np.ndarray  # (m,) codes
    predicted: dict[str, np.ndarray]  # name -> (S, m) codes, -1: no answer
    probs: dict[str, np.ndarray]  # name -> (S, m, k) by the truth's classes; lacks those without
    about: dict[str, dict]  # name -> seeds, matched, missing, unknown
    notes: list[str]


def align_models(models: list[Model], truth: Truth, missing_wrong: bool = False) -> Alignment:
    """Match every model's answers, and keep the samples that all predict.

    missing_wrong: keep all samples; what is not predicted is then wrong. UserError where nothing is in common.
    """
    lists = {name: i for i, name in enumerate(truth.classes)}
    codes, probs, about, notes = {}, {}, {}, list(truth.notes)
    for model in models:
        rows, unknown, how = [], 0, []
        for answers in model.seeds:
            found = match_answers(answers, truth)
            rows.append(encode_labels(answers.labels, found.rows, lists))
            unknown += found.unknown
            how.append(found.how)
            notes += [note for note in answers.notes if note not in notes]
            if answers.probs is not None:
                probs.setdefault(model.name, []).append((answers, found.rows))
        codes[model.name] = np.array(rows, np.int32)
        missing = (codes[model.name] < 0).any(0)
        about[model.name] = dict(
            files=sorted({a.name.split(", seed ")[0] for a in model.seeds}),
            seeds=len(rows),
            matched=", ".join(dict.fromkeys(how)),
            missing=int(missing.sum()),
            unknown=unknown,
        )
    absent = np.any([(c < 0).any(0) for c in codes.values()], axis=0)
    kept = np.arange(len(truth.labels)) if missing_wrong else np.flatnonzero(~absent)
    if not len(kept):
        raise UserError(
            "expected samples that all models predict, found none in common",
            "compare predictions of the same samples",
        )
    # models of which one training has no probabilities have none
    whole = {name: p for name, p in probs.items() if len(p) == len(codes[name])}
    labels = np.array([lists[v] for v in truth.labels], np.int32)
    return Alignment(
        list(codes),
        kept,
        list(lists),
        labels[kept],
        {name: c[:, kept] for name, c in codes.items()},
        {name: align_probabilities(p, kept, truth.classes) for name, p in whole.items()}
        if not (missing_wrong and absent.any())
        else {},
        about,
        merge_notes(notes) + describe_missing(about, len(truth.labels), len(kept), missing_wrong),
    )


def merge_notes(notes: list[str]) -> list[str]:
    """Say once what holds of several files: 'a.csv, b.csv: ...'."""
    files: dict[str, list[str]] = {}
    for note in dict.fromkeys(notes):
        file, _, rest = note.partition(": ")
        files.setdefault(rest or note, []).append(file if rest else "")
    return [
        f"{', '.join(named[:3])}{' ...' * (len(named) > 3)}: {rest}" if named[0] else rest
        for rest, named in files.items()
    ]


def encode_labels(labels: np.ndarray, rows: np.ndarray, lists: dict[str, int]) -> np.ndarray:
    """Write the answers of samples as codes (m,); new labels are added to the list."""
    import pandas as pd

    codes, said = pd.factorize(labels)
    own = np.array([lists.setdefault(text, len(lists)) for text in said] + [-1], np.int32)
    return np.where(rows >= 0, own[codes[rows]], -1)


def align_probabilities(found: list, kept: np.ndarray, classes: list[str]) -> np.ndarray:
    """Put probabilities into the order of samples and classes: (S, m, k)."""
    out = []
    for answers, rows in found:
        place = {name: j for j, name in enumerate(answers.classes)}
        part = np.zeros((len(kept), len(classes)))
        for j, name in enumerate(classes):
            if name in place:
                part[:, j] = answers.probs[rows[kept], place[name]]
        out.append(part)
    return np.array(out)


def describe_missing(about: dict, m: int, kept: int, missing_wrong: bool) -> list[str]:
    """Say how many samples lack a prediction, and how many rows are of no sample."""
    notes = []
    for name, a in about.items():
        notes.append(f"{name}: rows matched by {a['matched']}")
        if a["missing"]:
            rule = "counted as wrong" if missing_wrong else "left out for all models"
            has = format_count(a["missing"], "sample", "has", "have")
            notes.append(f"{name}: {has} no prediction: {rule}")
        if a["unknown"]:
            notes.append(f"{name}: {format_count(a['unknown'], 'row')} of other samples left out")
    if missing_wrong and any(a["missing"] for a in about.values()):
        notes.append("no scores of probabilities, as some samples have none")
    if kept < m:
        notes.append(
            f"judged on {kept:,} of {format_count(m, 'labelled sample')}, which all models predict"
        )
    return notes


class FileEvaluator(TestSetEvaluator):
    """Judges models by codes of labels, as TestSetEvaluator judges the runs of a bench."""

    def __init__(self, aligned: Alignment, labels: AuditedLabels):
        self.labels, self.task = labels, classification.TASK
        self.seeds = {(n, ""): list(range(1, len(c) + 1)) for n, c in aligned.predicted.items()}
        self.diverged = {}
        self.predicted = {(name, ""): codes for name, codes in aligned.predicted.items()}
        self.judge_answers()

    def mark(self, answers: np.ndarray, labels: np.ndarray) -> np.ndarray:
        """Mark which codes (S, m) are the label: 0 or 1."""
        return (answers == labels).astype(float)

    def measure_accuracy(self, version: str, arch: str = "") -> tuple[Estimate, Estimate]:
        """Estimate accuracy and balanced accuracy of a model, its own seed spread alone."""
        if self.labels.in_part:
            return super().measure_accuracy(version, arch)
        Y = self.Y[version, arch]
        clean = self.labels.clean.to_numpy()
        return contrasts.cell_accuracy(Y), contrasts.balanced_accuracy(Y, clean)


def encode_audited(truth: Truth, aligned: Alignment, bench: Bench | None) -> AuditedLabels:
    """Write the labels that judge as codes; a bench's with what its audit says."""
    import pandas as pd

    plain = pd.Series(aligned.labels)
    if truth.audited is None or bench is None:
        return AuditedLabels(plain, plain, 0)
    lists = {name: i for i, name in enumerate(aligned.classes)}
    given, clean = (
        part.iloc[aligned.rows].map(lists).astype(np.int32)
        for part in (truth.audited.given, truth.audited.clean)
    )
    n = truth.audited.n
    if n and len(aligned.rows) < len(truth.labels):  # the audited ones among those that are judged
        drawn, _ = audit.find_random_sample(bench, "test", "HEAD")
        n = int(drawn.index.isin(given.index).sum())
    return replace(truth.audited, given=given, clean=clean, n=n)
