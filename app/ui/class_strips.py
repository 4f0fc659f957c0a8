"""Draw classes as strips of pictures that link to their samples."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

from assay.app.ui.widgets import browse_address, escape_attribute, picture_html, quote_sql
from assay.curation.text import format_count

MOST = 24  # classes that are drawn
STYLE = """<style>
.assay-strips { display: grid; gap: .5rem 1.2rem;
  grid-template-columns: repeat(auto-fill, minmax(min(22rem, 100%), 1fr)); }
.assay-strips a { display: grid; grid-template-columns: minmax(0, 1fr) auto; gap: .1rem .6rem; color: inherit;
  text-decoration: none; padding: .35rem; border-radius: 8px; }
.assay-strips a:hover b { text-decoration: underline; }
.assay-strips a:focus-visible { outline: 2px solid currentColor; }
.assay-strips b { overflow: hidden; text-overflow: ellipsis; white-space: nowrap; font-weight: 600;
  unicode-bidi: plaintext; }
.assay-strips span { font-variant-numeric: tabular-nums; }
.assay-strips div { grid-column: 1 / -1; display: grid; grid-template-columns: repeat(6, minmax(0, 1fr)); gap: 3px; }
.assay-strips img { width: 100%; aspect-ratio: 1; object-fit: contain; background: #16181c; border-radius: 5px;
  display: block; }
</style>"""


def strips_html(
    counts: Mapping[str, int], exemplars: Mapping[str, Sequence[str]], total: int
) -> str:
    """Draw {class: n} in the order given, with the pictures of each.

    total: classes that there are, those too of which no sample is counted.
    """
    strips = []
    for name, n in list(counts.items())[:MOST]:
        pictures = "".join(picture_html(s, "", 96) for s in exemplars.get(name, ()))
        address = browse_address(f"label = {quote_sql(name)} and keep")
        strips.append(
            f'<a href="{address}" target="_self" title="{escape_attribute(name)}"><b>{escape(name)}</b>'
            f"<span>{n:,}</span><div>{pictures}</div></a>"
        )
    left = total - len(strips)
    more = f"<p>And {format_count(left, 'class', 'more', 'more')} in Classes.</p>" * (left > 0)
    return f'{STYLE}<div class="assay-strips">{"".join(strips)}</div>{more}'
