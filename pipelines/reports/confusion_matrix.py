"""Report section: the confusion matrix before, after, and the difference."""

from __future__ import annotations

import math

from markupsafe import Markup

from assay.curation.text import format_count
from assay.pipelines.reports.phrases import amount, cut
from assay.pipelines.reports.set_marks import is_label, mark_attributes
from assay.pipelines.reports.templates import PARTS, render

TITLE, ORDER = "What is confused with what", 60
DRAWN = 20  # rows and columns that a page can hold
LISTED = 12  # pairs of classes whose mistakes changed most
SEEN = 0.05  # a mean count of samples below this is drawn as none
Matrix = list[list[float]]  # k lists of k mean counts: rows are test labels, columns predictions


def section(data: dict) -> Markup:
    """Draw the confusions of each architecture, and list what changed most."""
    found = (data.get("where") or {}).get("confusion")
    if not found:
        return Markup()
    means = found.get("mean") or next(iter(found["by_arch"].values()), None)
    listed, k = list_changes(found["changed"][:LISTED]), len(found["classes"])
    if not means:
        about = (
            f"{format_count(k, 'class', 'is', 'are')} too many for a matrix; "
            "the mistakes whose counts changed most, mean over runs."
        )
        return PARTS.about(about) + listed
    chosen = most_changed(means["before"], means["after"])
    panels = dict(found["by_arch"])
    if len(panels) > 1 and found.get("mean"):
        panels = {"mean of all": found["mean"]} | panels
    few = (
        f" The {format_count(len(chosen), 'class')} of {k:,} whose mistakes changed most."
        if k > len(chosen)
        else ""
    )
    about = (
        f"Test samples by label (rows) and prediction (columns), mean over runs.{few} "
        "In colour what is right, or became better."
    )
    matrices = [
        (name, matrix_rows(found["classes"], m["before"], m["after"], chosen))
        for name, m in panels.items()
    ]
    names = [cut(found["classes"][i], 20) for i in chosen]
    return render(
        "confusion_matrix.html", dict(about=about, matrices=matrices, names=names, listed=listed)
    )


def list_changes(changed: list[dict]) -> Markup:
    """List the pairs of classes whose mistakes changed most."""
    rows = [
        (
            Markup("<span{}>{} → {}</span>").format(
                mark_confusion(m["from"], m["to"]), cut(m["from"], 40), cut(m["to"], 40)
            ),
            amount(m["before"]),
            amount(m["after"]),
            amount(m["difference"], "+"),
        )
        for m in changed
    ]
    return PARTS.table(("Changed most", "Before", "After", "Change"), rows) if rows else Markup()


def mark_confusion(label: str, prediction: str) -> Markup:
    """Mark a cell with the validation samples like it.

    Those of the test stay locked.
    """
    where = is_label(label, suggestion=prediction, split="val")
    shows = (
        f"validation samples labelled {cut(label, 60)} that the model calls {cut(prediction, 60)}"
    )
    return mark_attributes(where, shows)


def most_changed(before: Matrix, after: Matrix, most: int = DRAWN) -> list[int]:
    """Choose the classes whose mistakes changed most, in their order."""
    k = range(len(before))
    moved = [
        sum(abs(after[i][j] - before[i][j]) + abs(after[j][i] - before[j][i]) for j in k if j != i)
        for i in k
    ]
    return sorted(sorted(k, key=lambda i: -moved[i])[:most])


def matrix_rows(
    classes: list[str], before: Matrix, after: Matrix, chosen: list[int]
) -> list[tuple[str, list[dict]]]:
    """Make the rows of a matrix: (name, cells).

    A cell is {} where nothing is confused. Each other cell has what it was, what it is and the
    difference; the page shows one of the three.
    Accent is for the good: samples that are right, and mistakes that became fewer.
    """
    total = [sum(row) or 1 for row in before]
    changes = [abs(after[i][j] - before[i][j]) for i in chosen for j in chosen]
    largest = max(0.05 * max(total), *changes)  # or noise would look like much
    names = {i: cut(classes[i], 20) for i in chosen}

    def cell(i: int, j: int) -> dict:
        b, a = before[i][j], after[i][j]
        if max(b, a) < SEEN:
            return {}
        shades = math.sqrt(b / total[i]), math.sqrt(min(1, a / total[i])), abs(a - b) / largest
        good = (a > b) == (i == j)
        counts = f"{amount(b)} before, {amount(a)} after"
        return dict(
            kind=f"{'right' if i == j else 'wrong'} {'better' if good else 'worse'}",
            style="--b:{:.2f};--a:{:.2f};--d:{:.2f}".format(*shades),
            title=f"{names[i]}, confused with {names[j]}: {counts}",
            mark=mark_confusion(classes[i], classes[j]),
            numbers=[amount(b), amount(a), amount(a - b, "+") if abs(a - b) >= SEEN else "·"],
        )

    return [(names[i], [cell(i, j) for j in chosen]) for i in chosen]
