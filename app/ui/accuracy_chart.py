"""Accuracy by version as whiskers: a line each, with what it rests on."""

from html import escape

STYLE = """<style>
.assay-whiskers { display: grid; grid-template-columns: max-content minmax(8rem, 1fr) max-content; gap: .5rem 1rem; align-items: center;
  font-size: .9rem; }
.assay-whiskers .track { position: relative; height: 1.1rem; border-inline: 1px solid color-mix(in srgb, currentColor 15%, transparent); }
.assay-whiskers .track i { position: absolute; top: 50%; height: 2px; background: #2a78d6; }
.assay-whiskers .track b { position: absolute; top: calc(50% - .22rem); width: .5rem; height: .5rem; margin-left: -.25rem;
  border-radius: 50%; background: #2a78d6; }
.assay-whiskers span { font-variant-numeric: tabular-nums; }
.assay-whiskers small { opacity: .68; }
</style>"""


def whiskers(table):
    """HTML of a frame as runs.by_version gives it; text from outside is escaped."""
    low, high = table.low.min(), table.high.max()

    def at(x):
        return 100 * (x - low) / max(high - low, 1e-9)

    lines = []
    for r in table.itertuples():
        seeds = f"{r.seeds} seeds" if r.seeds > 1 else "1 seed: this model alone"
        name = f"<span><b>{escape(str(r.version)[:60])}</b> {escape(r.arch[:60])}<br><small>{r.n_train:,} train, {seeds}</small></span>"
        bar = f'<i style="left:{at(r.low):.2f}%;width:{at(r.high) - at(r.low):.2f}%"></i><b style="left:{at(r.accuracy):.2f}%"></b>'
        value = f"<span><b>{100 * r.accuracy:.1f}</b> <small>[{100 * r.low:.1f}, {100 * r.high:.1f}]</small></span>"
        lines.append(f'{name}<div class="track">{bar}</div>{value}')
    ends = f'<span></span><small style="display:flex;justify-content:space-between"><span>{100 * low:.1f} %</span><span>{100 * high:.1f} %</span></small>'
    return f'{STYLE}<div class="assay-whiskers">{"".join(lines)}{ends}<span></span></div>'
