"""Report section: the accuracy of each version and architecture."""

from __future__ import annotations

from markupsafe import Markup

from assay.curation.text import format_count
from assay.pipelines.reports.phrases import cut, points
from assay.pipelines.reports.templates import interval_markup, render

TITLE, ORDER = "Every version and architecture", 20
NO_SPREAD = "not distinguishable from 0"  # the estimate of a variance came out below nothing


def section(data: dict) -> Markup:
    """Draw accuracy, balanced accuracy and gain, a row a version.

    Each has its interval and n.
    """
    gains = {(e["version"], e["arch"]): e for e in data["per_architecture"]}
    low = min(c["accuracy"]["low"] for c in data["matrix"])
    high = max(c["accuracy"]["high"] for c in data["matrix"])
    rows: dict[str, dict] = {}
    for c in data["matrix"]:
        head = dict(version=c["version"], about=version_words(c), cells=[])
        gain = gains.get((c["version"], c["arch"]))
        rows.setdefault(c["version"], head)["cells"].append(draw_cell(c, gain, low, high))
    about = about_words(data, points(low, sign=False), points(high, sign=False))
    failed = [
        f"{f['arch']} on {f['version']}, seed {f['seed']}: {f['error']}" for f in data["failed"]
    ]
    values = dict(about=about, rows=rows.values(), failed=failed)
    return render("accuracy_matrix.html", values)


def version_words(cell: dict) -> str:
    """Say what a row trains on."""
    kind = {"control": "random control, ", "ceiling": "ceiling, "}.get(cell["kind"], "")
    return kind + format_count(cell["n_train"], "training label")


def about_words(data: dict, low: str, high: str) -> str:
    """Say what judged the runs, and which runs are left out."""
    lost = sum(len(d["seeds"]) for d in data["diverged"])
    tested, first = format_count(data["n_test"], "locked test sample"), data["plan"]["versions"][0]
    about = (
        f"Accuracy on {tested} with 95 % intervals, all drawn from {low} to {high} %; "
        f"gain in points over {cut(first)}."
    )
    about += f" {format_count(lost, 'run')} that diverged left out." if lost else ""
    failed = f" {format_count(len(data['failed']), 'run')} that failed left out."
    return about + (failed if data["failed"] else "")


def draw_cell(cell: dict, gain: dict | None, low: float, high: float) -> Markup:
    """Draw one cell, its accuracy on the axis from low to high."""
    e = cell["accuracy"]
    left, right, middle = (
        100 * (e[k] - low) / (high - low or 1) for k in ("low", "high", "estimate")
    )
    numbers = dict(gain=interval_markup(gain)) if gain else {}
    numbers["balanced"] = accuracy_markup(cell["balanced"])
    if "given" in e:
        numbers["as given"] = accuracy_markup(e["given"])
    size = f"{format_count(e['n'], 'test sample')}, {format_count(e['seeds'][0], 'seed')}"
    return render(
        "accuracy_cell.html",
        dict(
            arch=cell["arch"],
            accuracy=accuracy_markup(e),
            numbers=numbers,
            bar=(f"{left:.1f}%", f"{right - left:.1f}%", f"{middle:.1f}%"),
            size=f"{size}, seed spread {spread_words(cell['seed_spread'])}",
            diverged=cell["diverged"],
        ),
    )


def accuracy_markup(e: dict) -> Markup:
    """Draw an accuracy in percent with its interval."""
    return interval_markup(e, sign=False, unit=Markup("&nbsp;%"))


def spread_words(spread: float | None) -> str:
    """Write how far seeds of one version and architecture differ."""
    if spread is None:
        return "unknown"
    return points(spread, sign=False) if spread else NO_SPREAD
