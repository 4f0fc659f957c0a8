"""Draw accuracy by version as whiskers, a line each."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

STYLE = """<style>
.assay-whiskers { display: grid; grid-template-columns: max-content minmax(8rem, 1fr) max-content; gap: .5rem 1rem;
  align-items: center; font-size: .9rem; }
.assay-whiskers .track { position: relative; height: 1.1rem;
  border-inline: 1px solid color-mix(in srgb, currentColor 15%, transparent); }
.assay-whiskers .track i { position: absolute; top: 50%; height: 2px; background: #2a78d6; }
.assay-whiskers .track b { position: absolute; top: calc(50% - .22rem); width: .5rem; height: .5rem;
  margin-left: -.25rem; border-radius: 50%; background: #2a78d6; }
.assay-whiskers span { font-variant-numeric: tabular-nums; }
.assay-whiskers small { opacity: .68; }
</style>"""


def whiskers_html(table: pd.DataFrame) -> str:
    """Draw the frame of runs.tabulate_versions; text from outside is escaped."""
    low, high = table.low.min(), table.high.max()
    lines = "".join(whisker_html(row, low, high) for row in table.itertuples())
    ends = f"<span>{100 * low:.1f} %</span><span>{100 * high:.1f} %</span>"
    ends = f'<small style="display:flex;justify-content:space-between">{ends}</small>'
    return f'{STYLE}<div class="assay-whiskers">{lines}<span></span>{ends}<span></span></div>'


def whisker_html(row: tuple, low: float, high: float) -> str:
    """Draw one version, its accuracy on an axis from low to high."""
    left, right, middle = (
        100 * (x - low) / max(high - low, 1e-9) for x in (row.low, row.high, row.accuracy)
    )
    seeds = f"{row.seeds} seeds" if row.seeds > 1 else "1 seed: this model alone"
    return (
        f"<span><b>{escape(str(row.version)[:60])}</b> {escape(row.arch[:60])}"
        f"<br><small>{row.n_train:,} train, {seeds}</small></span>"
        f'<div class="track"><i style="left:{left:.2f}%;width:{right - left:.2f}%"></i>'
        f'<b style="left:{middle:.2f}%"></b></div>'
        f"<span><b>{100 * row.accuracy:.1f}</b> "
        f"<small>[{100 * row.low:.1f}, {100 * row.high:.1f}]</small></span>"
    )
