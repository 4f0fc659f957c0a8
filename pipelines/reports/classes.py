"""Report section: every class before and after."""

from __future__ import annotations

from typing import TYPE_CHECKING

from markupsafe import Markup

from assay.curation.errors import UserError
from assay.curation.text import format_count
from assay.curation.versioning.expressions import fill_seed
from assay.curation.versioning.version_names import rename_labels
from assay.pipelines.reports.phrases import cut, p_value
from assay.pipelines.reports.set_marks import is_label, mark_set
from assay.pipelines.reports.templates import PARTS, interval_markup

if TYPE_CHECKING:
    from assay.curation.storage.interface import Bench

TITLE, ORDER = "Every class before and after", 55
ROWS = 400  # classes of the table at most; the rest is in `assay report --json`
HEAD = (
    "Class",
    "Train labels",
    "Test n",
    "Before, %",
    "After, %",
    "Change, points",
    "Holm p",
    "Verdict",
)


def collect(bench: Bench, data: dict) -> dict:
    """Count the training labels of each class, before and after."""
    where = data.get("where") or {}
    if not where.get("slices"):
        return {}
    try:
        seed = data["plan"]["seeds"][0]
        ends = [fill_seed(where[end], seed) for end in ("against", "version")]
        counts = [count_labels(bench, version) for version in ends]
    except UserError:  # the experiment stands without these counts
        return {}
    return dict(class_counts=counts)


def count_labels(bench: Bench, version: str) -> dict[str, int]:
    """Count the training labels of a version, by the names of now."""
    frame = bench.frame(version, "train")
    labels = rename_labels(bench, frame.label[frame.label.notna()], version)
    return {str(name): int(n) for name, n in labels.value_counts().items()}


def section(data: dict) -> Markup:
    """Show a row for each class of the test set."""
    where = data.get("where") or {}
    found = {s["name"]: s for s in where.get("slices") or () if s["kind"] == "class"}
    if not found:
        return Markup()
    order = [c for c in (where.get("confusion") or {}).get("classes", ()) if c in found]
    names = list(dict.fromkeys([*order, *found]))
    counts = data["pictures"].get("class_counts")
    body = PARTS.about(about_words(where, len(names)))
    return body + PARTS.table(HEAD, [class_row(found[name], counts) for name in names[:ROWS]])


def about_words(where: dict, n: int) -> str:
    """Say what is compared, what judged it, and what is not shown."""
    about = (
        f"{cut(where['version'])} against {cut(where['against'])}: accuracy on the test samples of each class, "
        "the mean over architectures, with 95 % intervals. p and verdict, by Holm, allow for all "
        "classes and other slices together."
    )
    if n > ROWS:
        about += f" The first {ROWS} of {format_count(n, 'class')}; all are in assay report --json."
    return about


def class_row(s: dict, counts: list[dict] | None) -> tuple:
    """Make the row of one class."""
    name, n = cut(s["name"], 60), f"{s['n']:,}"
    start = (name, training_words(s["name"], counts), n)
    if s["estimate"] is None:
        return *start, "", "", "", "", cut(s["verdict"])
    sides = [interval_markup(s[side], sign=False) for side in ("before", "after")]
    return *start, *sides, interval_markup(s), p_value(s), cut(s["verdict"])


def training_words(name: str, counts: list[dict] | None) -> str | Markup:
    """Write how many training labels a class had, and has."""
    if counts is None:
        return "unknown"
    before, after = (count.get(name, 0) for count in counts)
    now = mark_set(
        f"{after:,}", is_label(name, split="train"), f"training samples labelled {cut(name, 60)}"
    )
    return now if before == after else Markup("{:,} → {}").format(before, now)
