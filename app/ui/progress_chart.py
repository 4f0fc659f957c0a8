"""Draw estimates with their intervals against the number of reviews."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from assay.curation.review.progress_curve import Point

WIDE, HIGH, LEFT, RIGHT, TOP, BOTTOM = 480, 190, 58, 14, 12, 28  # in units of the drawing
STYLE = """<style>
.assay-progress { display: grid; gap: 1rem 2rem;
  grid-template-columns: repeat(auto-fit, minmax(min(24rem, 100%), 1fr)); }
.assay-progress figure { margin: 0; }
.assay-progress figcaption { font-size: .9rem; margin-bottom: .3rem; }
.assay-progress svg { width: 100%; height: auto; display: block; font-size: 11px; max-width: 44rem; }
.assay-progress text { fill: currentColor; }
.assay-progress .axis { stroke: color-mix(in srgb, currentColor 25%, transparent); stroke-width: 1; }
.assay-progress .band { fill: color-mix(in srgb, #2a78d6 26%, transparent); }
.assay-progress .line { fill: none; stroke: #2a78d6; stroke-width: 2; }
.assay-progress circle { fill: #2a78d6; }
</style>"""


def progress_html(charts: Sequence[tuple[str, Sequence[Point], Callable[[float], str]]]) -> str:
    """Draw charts side by side: (title, points, how a value is written)."""
    figures = "".join(figure_html(*chart) for chart in charts if chart[1])
    return f'{STYLE}<div class="assay-progress">{figures}</div>'


def figure_html(title: str, points: Sequence[Point], write: Callable[[float], str]) -> str:
    """Draw one chart: a band and a line, or a whisker for each point that has a name."""
    low, high = min(p.low for p in points), max(p.high for p in points)
    most = max(p.reviewed for p in points) or 1

    def at(p: Point, value: float) -> tuple[float, float]:
        share = (value - low) / max(high - low, 1e-9)
        x = LEFT + (WIDE - LEFT - RIGHT) * p.reviewed / most
        return x, HIGH - BOTTOM - (HIGH - TOP - BOTTOM) * share

    named = any(p.name for p in points)
    marks = draw_whiskers(points, at) if named else draw_band(points, at)
    last = points[-1]
    says = f"{title}: {write(last.estimate)} [{write(last.low)}, {write(last.high)}] after {last.reviewed:,} reviews"
    floor = HIGH - BOTTOM
    return (
        f"<figure><figcaption>{escape(title)}: <b>{write(last.estimate)}</b> "
        f"[{write(last.low)}, {write(last.high)}]</figcaption>"
        f'<svg viewBox="0 0 {WIDE} {HIGH}" role="img" aria-label="{escape(says)}">'
        f'<line class="axis" x1="{LEFT}" y1="{floor}" x2="{WIDE - RIGHT}" y2="{floor}"></line>'
        f'<text x="{LEFT - 8}" y="{TOP + 4}" text-anchor="end">{write(high)}</text>'
        f'<text x="{LEFT - 8}" y="{floor}" text-anchor="end">{write(low)}</text>'
        f'<text x="{LEFT}" y="{HIGH - 8}">0</text>'
        f'<text x="{WIDE - RIGHT}" y="{HIGH - 8}" text-anchor="end">{most:,} reviewed</text>'
        f"{marks}</svg></figure>"
    )


def draw_band(points: Sequence[Point], at: Callable) -> str:
    """Draw a line within its band."""

    def path(ends: list[tuple[float, float]]) -> str:
        return " ".join(f"{x:.1f},{y:.1f}" for x, y in ends)

    band = [at(p, p.low) for p in points] + [at(p, p.high) for p in points][::-1]
    line = [at(p, p.estimate) for p in points]
    dots = "".join(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="2.5"></circle>' for x, y in line)
    return (
        f'<polygon class="band" points="{path(band)}"></polygon>'
        f'<polyline class="line" points="{path(line)}"></polyline>{dots}'
    )


def draw_whiskers(points: Sequence[Point], at: Callable) -> str:
    """Draw each point with its interval and name."""
    out = []
    for p in points:
        (x, y), (_, top), (_, foot) = at(p, p.estimate), at(p, p.high), at(p, p.low)
        end = x > WIDE / 2
        out.append(
            f'<line class="line" x1="{x:.1f}" y1="{top:.1f}" x2="{x:.1f}" y2="{foot:.1f}"></line>'
            f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4"></circle>'
            f'<text x="{x + (-8 if end else 8):.1f}" y="{y + 4:.1f}" '
            f'text-anchor="{"end" if end else "start"}">{escape(p.name[:24])}</text>'
        )
    return "".join(out)
