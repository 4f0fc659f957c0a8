"""Settle a comparison by the audited labels of samples on which two models differ.

Where they say the same, a label moves both alike: so the audit of all that differ is the audit of all for their
difference, and a random draw of those enters by the difference estimator. [Särndal et al. 1992, 6.3]
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from assay.curation.errors import UserError
from assay.curation.review.label_noise import ENOUGH
from assay.curation.text import format_count, plain_name
from assay.pipelines.comparison import cells, columns, label_stakes
from assay.pipelines.comparison.evaluator import Alignment
from assay.pipelines.comparison.truth import Truth
from assay.pipelines.evaluation.test_set import AuditedLabels

UNSURE = "unsure"


@dataclass(frozen=True)
class DifferingAudit:
    """Labels that judge, some of them audited where two models differ."""

    labels: AuditedLabels  # codes; its n is scaled, so that one audited sample speaks for of / n
    n: int  # audited, the first of the random order
    of: int  # samples on which the models differ
    wrong: int  # labels that the audit changed
    unsure: int
    notes: list[str]


def read_answers(source: Any, truth: Truth) -> dict[str, str]:
    """Read a filled list: {sample: its label, or unsure}; what is not filled in is left out.

    UserError for a sample that comes twice, or a label that is no class.
    """
    table = cells.read_source(source, "audited labels")
    if "sample" not in table.cells or "label" not in table.cells:
        raise UserError(
            f"expected the columns sample and label in {table.name}, found {', '.join(table.cells)[:200]}",
            "fill in what --audit-list wrote",
        )
    samples = columns.read_ids(table.cells["sample"], "sample")
    labels = columns.read_labels(table, "label")
    doubts = table.cells.get("verdict", [None] * table.n)
    known = {plain_name(c): c for c in truth.classes} | {c: c for c in truth.classes}
    out: dict[str, str] = {}
    for sample, label, doubt in zip(samples, labels, doubts):
        unsure = str(doubt or "").strip().casefold() == UNSURE
        if label is None and not unsure:
            continue
        if sample in out:
            raise UserError(
                f"expected each sample once in {table.name}, found {sample!r} again", "keep one row"
            )
        if not unsure and label not in known and plain_name(label) not in known:
            raise UserError(
                f"expected a class in {table.name}, found {label!r}",
                f"one of {', '.join(truth.classes)[:300]}; or unsure as its verdict",
            )
        out[sample] = UNSURE if unsure else known.get(label) or known[plain_name(label)]
    return out


def apply_audit(source: Any, truth: Truth, aligned: Alignment) -> DifferingAudit:
    """Put audited labels in the place of those on which the first two models differ.

    Counted are the first of the random order that are all audited. UserError under 30 of them, unless these are all.
    """
    import pandas as pd

    answers = read_answers(source, truth)
    ids = np.array([str(s) for s in truth.ids[aligned.rows]], object)
    first, second = (aligned.predicted[name] for name in aligned.names[:2])
    rows = label_stakes.find_differing(first, second)
    order = label_stakes.draw_audit(ids, rows, len(rows))
    filled = np.array([ids[row] in answers for row in order], bool)
    n = len(order) if filled.all() else int(filled.argmin())
    if not n or n < min(ENOUGH, len(order)):
        raise UserError(
            f"expected {min(ENOUGH, len(order))} audited labels or more, from the first of the list on, found {n}",
            "fill in the list from its beginning, in its order: --audit-list FILE",
        )
    codes = {name: i for i, name in enumerate(aligned.classes)}
    clean, doubted = aligned.labels.copy(), []
    for row in order[:n]:
        if answers[ids[row]] == UNSURE:
            doubted.append(int(row))
        else:
            clean[row] = codes[answers[ids[row]]]
    beside = len(answers) - n
    notes = [f"{format_count(beside, 'audited label')} beside the first {n:,} of the list not used"]
    scaled = len(clean) * n / len(order)
    audited = AuditedLabels(
        pd.Series(aligned.labels), pd.Series(clean), scaled, doubted, n, len(order), len(doubted)
    )
    wrong = int((clean != aligned.labels).sum())
    return DifferingAudit(audited, n, len(order), wrong, len(doubted), notes if beside else [])


def describe_audit(audit: DifferingAudit) -> str:
    """Say what was audited, as a condition of the verdict."""
    part = "all" if audit.n == audit.of else f"{audit.n:,} at random of the"
    doubt = f", {audit.unsure:,} unsure and taken both ways" if audit.unsure else ""
    return (
        f"labels audited on {part} {format_count(audit.of, 'sample')} on which they differ, {audit.wrong:,} changed"
        f"{doubt}; others as given"
    )
