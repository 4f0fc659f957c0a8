"""Draw estimates with their intervals against the number of reviews."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from assay.curation.review.progress_curve import Point

# no SVG: Streamlit leaves it out of the HTML of a page
STYLE = """<style>
.assay-progress { display: grid; gap: 1rem 2rem;
  grid-template-columns: repeat(auto-fit, minmax(min(24rem, 100%), 1fr)); }
.assay-progress figure { margin: 0; max-width: 44rem; display: grid; grid-template-columns: max-content minmax(0, 1fr);
  gap: .2rem .6rem; }
.assay-progress figcaption { grid-column: 1 / -1; }
.assay-progress :is(.ends, .foot) { display: flex; justify-content: space-between; font-size: .8rem;
  font-variant-numeric: tabular-nums; }
.assay-progress .ends { flex-direction: column; text-align: end; }
.assay-progress .foot { grid-column: 2; }
.assay-progress .plot { position: relative; height: 10rem;
  border: solid color-mix(in srgb, currentColor 25%, transparent); border-width: 0 0 1px 1px; }
.assay-progress .plot > * { position: absolute; }
.assay-progress .band { inset: 0; background: color-mix(in srgb, #2a78d6 26%, transparent); }
.assay-progress i { width: 2px; margin-left: -1px; background: #2a78d6; }
.assay-progress b { width: .55rem; height: .55rem; margin: -.275rem; border-radius: 50%; background: #2a78d6; }
.assay-progress span.name { font-size: .78rem; white-space: nowrap; transform: translate(.5rem, -50%); }
.assay-progress span.left { transform: translate(calc(-100% - .5rem), -50%); }
</style>"""


def progress_html(charts: Sequence[tuple[str, Sequence[Point], Callable[[float], str]]]) -> str:
    """Draw charts side by side: (title, points, how a value is written)."""
    figures = "".join(figure_html(*chart) for chart in charts if chart[1])
    return f'{STYLE}<div class="assay-progress">{figures}</div>'


def figure_html(title: str, points: Sequence[Point], write: Callable[[float], str]) -> str:
    """Draw one chart: whiskers of named points, else points in a band."""
    low, high = min(p.low for p in points), max(p.high for p in points)
    most = max(p.reviewed for p in points) or 1

    def across(p: Point) -> float:
        return 100 * p.reviewed / most

    def down(value: float) -> float:
        return 100 * (high - value) / max(high - low, 1e-9)

    last, marks = points[-1], ""
    now = f"{write(last.estimate)} [{write(last.low)}, {write(last.high)}]"
    if not any(p.name for p in points):
        corners = [(across(p), down(p.low)) for p in points]
        corners += [(across(p), down(p.high)) for p in points][::-1]
        shape = ", ".join(f"{x:.2f}% {y:.2f}%" for x, y in corners)
        marks = f'<div class="band" style="clip-path: polygon({shape})"></div>'
    marks += "".join(point_html(p, across(p), down) for p in points)
    return (
        f"<figure><figcaption>{escape(title)}: <strong>{now}</strong></figcaption>"
        f'<div class="ends"><span>{write(high)}</span><span>{write(low)}</span></div>'
        f'<div class="plot" role="img" aria-label="{escape(f"{title}, {now}")}">{marks}</div>'
        f'<div class="foot"><span>0</span><span>{most:,} reviewed</span></div></figure>'
    )


def point_html(p: Point, x: float, down: Callable[[float], float]) -> str:
    """Draw a point; a named one with its name and interval."""
    dot = f'<b style="left:{x:.2f}%;top:{down(p.estimate):.2f}%"></b>'
    if not p.name:
        return dot
    top, foot = down(p.high), down(p.low)
    side = " left" if x > 50 else ""
    return (
        f'<i style="left:{x:.2f}%;top:{top:.2f}%;height:{foot - top:.2f}%"></i>{dot}'
        f'<span class="name{side}" style="left:{x:.2f}%;top:{down(p.estimate):.2f}%">'
        f"{escape(p.name[:24])}</span>"
    )
