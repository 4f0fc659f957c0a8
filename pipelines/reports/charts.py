"""Draw intervals and curves as SVG, without a script."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from markupsafe import Markup

from assay.pipelines.reports.phrases import interval, true_minus
from assay.pipelines.reports.templates import render


@dataclass(frozen=True)
class Row:
    """One line of a plot. An estimate of None stands for the range that cannot be seen."""

    name: str | Markup
    estimate: dict | None  # estimate, low, high; perhaps `given`, the same by the labels as given
    about: str = ""
    weight: str = ""  # CSS classes: main, and the tone of its verdict (helps, hurts)
    cells: list = field(default_factory=list)


@dataclass(frozen=True)
class Axis:
    """An axis in points, and where on it a value lies in percent."""

    low: float
    high: float
    ticks: list[float]

    def at(self, x: float) -> str:
        """The place of x, from the left."""
        return f"{100 * (x - self.low) / (self.high - self.low):.2f}%"

    def down(self, x: float) -> str:
        """The place of x, from the top."""
        return f"{100 * (self.high - x) / (self.high - self.low):.2f}"

    def width(self, low: float, high: float) -> str:
        """How wide an interval is."""
        return f"{100 * (high - low) / (self.high - self.low):.2f}%"


def make_axis(ends: Iterable[float], zero: bool = True) -> Axis:
    """Choose an axis that holds all of `ends` (fractions).

    It has a margin, and at most seven ticks at round places. zero: it holds 0, too.
    """
    ends = [*ends, *[0.0] * zero]
    least, most = min(ends), max(ends)
    low, high = 1.07 * least - 0.07 * most - 1e-4, 1.07 * most - 0.07 * least + 1e-4
    power = 10 ** math.floor(math.log10(100 * (high - low) / 7))
    step = next(k * power for k in (1, 2, 5, 10) if 7 * k * power >= 100 * (high - low))
    first, last = math.ceil(100 * low / step), math.floor(100 * high / step)
    return Axis(low, high, [k * step / 100 for k in range(first, last + 1)])


def tick_label(x: float) -> str:
    """Write a tick in points."""
    return true_minus(f"{100 * x:+.4g}") if x else "0"


def interval_ends(rows: Iterable[Row]) -> list[float]:
    """List the ends of all intervals, as make_axis takes them."""
    estimates = [r.estimate for r in rows if r.estimate]
    estimates += [e["given"] for e in estimates if e.get("given")]
    return [e[end] for e in estimates for end in ("low", "high")]


def band_ends(*halves: float | None) -> list[float]:
    """List the ends of bands around 0, as make_axis takes them."""
    return [x for half in halves if half for x in (-half, half)]


def plot(
    kind: str,
    rows: Sequence[Row],
    margin: float | None = None,
    unseen: float | None = None,
    axis: Axis | None = None,
) -> Markup:
    """Draw intervals on one axis, a table row each.

    margin, unseen: half widths of bands around 0. axis: the one that all plots of a kind share;
    None: its own. The hollow mark under an estimate is `given`: by the labels as given.
    """
    axis = axis or make_axis([*interval_ends(rows), *band_ends(margin, unseen)])
    about = dict(kind=kind, rows=rows, margin=margin, unseen=unseen)
    return render("plot.html", about | dict(axis=axis, tick_label=tick_label))


def curve(rows: Sequence[dict], unit: str) -> Markup:
    """Draw a gain against the work done, in its 95 % band.

    rows: dicts x, about (text before the readout), estimate, low, high; x from 0 on, increasing.
    A pointer or a finger at a point reads it.
    """
    axis = make_axis([x for e in rows for x in (e["low"], e["high"])])
    most = rows[-1]["x"] or 1
    across = [100 * e["x"] / most for e in rows]

    def path(key: str) -> list[str]:
        return [f"{x:.2f},{axis.down(e[key])}" for x, e in zip(across, rows)]

    quarters = {min(rows, key=lambda e, q=q: abs(e["x"] - q * most / 4))["x"] for q in range(5)}
    edges = [0, *((a + b) / 2 for a, b in zip(across, across[1:])), 100]
    # wherever the pointer is, one point answers
    marks = [
        dict(
            left=f"{a:.2f}%",
            width=f"{b - a:.2f}%",
            x=f"{x:.2f}%",
            y=f"{axis.down(e['estimate'])}%",
            says=f"{e['about']}: {interval(e)} points",
        )
        for e, x, a, b in zip(rows, across, edges, edges[1:])
    ]
    values = dict(
        line=" ".join(path("estimate")),
        band=" ".join(path("low") + path("high")[::-1]),
        numbers=[
            (f"{100 * x / most:.2f}%", f"{x:,}" if x else f"0 {unit}") for x in sorted(quarters)
        ],
    )
    return render(
        "curve.html", values | dict(unit=unit, axis=axis, tick_label=tick_label, marks=marks)
    )
