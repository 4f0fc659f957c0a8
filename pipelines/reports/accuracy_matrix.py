"""Report section: the accuracy of each version and architecture."""

from __future__ import annotations

from markupsafe import Markup

from assay.curation.text import format_count
from assay.pipelines.reports.charts import make_axis
from assay.pipelines.reports.phrases import cut, name_second, points
from assay.pipelines.reports.templates import interval_markup, render

TITLE, ORDER = "Every version and architecture", 20
NO_SPREAD = "not distinguishable from 0"  # the estimate of a variance came out below nothing


def section(data: dict) -> Markup:
    """Draw a row for each version and architecture, all on one axis.

    Each has accuracy, balanced accuracy and gain, with intervals and n.
    """
    gains = {(e["version"], e["arch"]): e for e in data["per_architecture"]}
    ends = [c["accuracy"][end] for c in data["matrix"] for end in ("low", "high")]
    axis = make_axis(ends, zero=False)
    low, high = (points(x, sign=False) for x in (min(ends), max(ends)))
    rows = [matrix_row(c, gains.get((c["version"], c["arch"]))) for c in data["matrix"]]
    for before, row in zip([None, *rows], rows):
        row["first"] = not before or before["version"] != row["version"]
    failed = [
        f"{f['arch']} on {f['version']}, seed {f['seed']}: {f['error']}" for f in data["failed"]
    ]
    values = dict(about=about_words(data), rows=rows, failed=failed, axis=axis, low=low, high=high)
    return render("accuracy_matrix.html", values | dict(tick_label=share_label))


def share_label(x: float) -> str:
    """Write a tick in percent."""
    return f"{100 * x:.4g}"


def version_words(cell: dict) -> str:
    """Say what a row trains on."""
    kind = {"control": "random control, ", "ceiling": "ceiling, "}.get(cell["kind"], "")
    return kind + format_count(cell["n_train"], "training label")


def about_words(data: dict) -> str:
    """Say what judged the runs, and which runs are left out."""
    lost = sum(len(d["seeds"]) for d in data["diverged"])
    tested, first = format_count(data["n_test"], "locked test sample"), data["plan"]["versions"][0]
    about = f"Accuracy on {tested} with 95 % intervals; gain in points over {cut(first)}."
    about += f" {format_count(lost, 'run')} that diverged left out." if lost else ""
    failed = f" {format_count(len(data['failed']), 'run')} that failed left out."
    return about + (failed if data["failed"] else "")


def matrix_row(cell: dict, gain: dict | None) -> dict:
    """Make the row of one version and architecture."""
    e, (second, beside) = cell["accuracy"], name_second(cell)
    accuracy = accuracy_markup(e)
    if "given" in e:
        accuracy += Markup("<small>as given {}</small>").format(accuracy_markup(e["given"]))
    size = f"{format_count(e['n'], 'test sample')}, {format_count(e['seeds'][0], 'seed')}"
    judged = Markup("{}, seed spread {}").format(size, spread_words(cell["seed_spread"]))
    if cell["diverged"]:
        lost = cut([str(seed) for seed in cell["diverged"]])
        judged += Markup(" <b>diverged and left out: seed {}</b>").format(lost)
    numbers = [
        ("Accuracy", accuracy),
        (second.capitalize(), accuracy_markup(beside)),
        ("Gain, points", interval_markup(gain) if gain else "–"),
        ("Judged by", judged),
    ]
    head = dict(version=cell["version"], about=version_words(cell), arch=cell["arch"])
    return head | dict(accuracy=e, numbers=numbers)


def accuracy_markup(e: dict) -> Markup:
    """Draw an accuracy in percent with its interval."""
    return interval_markup(e, sign=False, unit=Markup("&nbsp;%"))


def spread_words(spread: float | None) -> str:
    """Write how far seeds of one version and architecture differ."""
    if spread is None:
        return "unknown"
    return points(spread, sign=False) if spread else NO_SPREAD
