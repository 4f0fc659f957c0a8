"""Draw open issues as things to do, each with one button."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from html import escape

from assay.app.ui.widgets import browse_address, page_address, picture_html, quote_sql
from assay.curation.issues.finders import list_kinds

COPIES = ("exact_duplicates", "near_duplicate", "conflicting_duplicates")
# kind: what its button says, and the page that it leads to; all others are looked at in Browse
WAYS = dict.fromkeys(
    ("label", "merge_conflict", "reviewer_disagreement"), ("Review them", "review")
)
WAYS |= dict.fromkeys(COPIES, ("Compare the copies", "duplicates"))
WAYS |= dict.fromkeys(("class_imbalance", "similar_class_names"), ("Open the classes", "classes"))
WAYS |= dict.fromkeys(("spurious_correlations", "drift"), ("Open the gaps", "gaps"))
STYLE = """<style>
.assay-todo { list-style: none; margin: 0; padding: 0 !important; }
.assay-todo li { display: grid; gap: .3rem 1rem; align-items: center;
  grid-template-columns: 4.5rem minmax(9rem, 1fr) minmax(8rem, 15rem) 11.5rem;
  padding: .45rem 0; margin: 0 !important; border-top: 1px solid color-mix(in srgb, currentColor 15%, transparent); }
.assay-todo > li > b { font-size: 1.15rem; font-variant-numeric: tabular-nums; text-align: end; }
.assay-todo p { margin: 0; overflow-wrap: anywhere; } .assay-todo small { opacity: .85; }
.assay-todo div { display: grid; grid-template-columns: repeat(4, minmax(0, 1fr)); gap: 4px; }
.assay-todo img { width: 100%; aspect-ratio: 1; object-fit: contain; background: #16181c; border-radius: 5px;
  display: block; }
.assay-todo a { color: inherit; }
.assay-todo .do { text-decoration: none; text-align: center; border-radius: 8px; padding: .4rem .8rem;
  border: 1px solid var(--st-primary-color, #2a78d6); }
.assay-todo a:hover { text-decoration: underline; }
.assay-todo a:focus-visible { outline: 2px solid currentColor; outline-offset: 2px; }
@media (max-width: 48rem) { .assay-todo li { grid-template-columns: 3.5rem minmax(0, 1fr); }
  .assay-todo li > :is(div, .do) { grid-column: 2; } .assay-todo li > div:empty { display: none; } }
@media (pointer: coarse) { .assay-todo .do { padding: .7rem .8rem; } }
</style>"""


def todo_html(
    counts: Mapping[str, int], worst: Mapping[str, Sequence[str]], pages: Collection[str]
) -> str:
    """Draw the open issues {kind: n} as a list.

    worst: {kind: samples to show}; pages: those that there are.
    """
    lines = [todo_line(kind, n, worst.get(kind, ()), pages) for kind, n in counts.items()]
    return f'{STYLE}<ul class="assay-todo">{"".join(lines)}</ul>'


def todo_line(kind: str, n: int, some: Sequence[str], pages: Collection[str]) -> str:
    """Draw one thing to do: count, words, four pictures, a button."""
    words, page = WAYS.get(kind, ("Look at them", "browse"))
    they = browse_address(f"has({quote_sql(kind)})")
    address = page_address(page)
    if page not in pages or page == "browse":
        words, address = "Look at them", they
    if n == 1:
        words = words.replace("them", "it")
    number = f'<a href="{they}" target="_self">{n:,}</a>' if some else f"{n:,}"
    known = list_kinds().get(kind)
    about = f"<br><small>{escape(known.words)}</small>" if known else ""
    name = kind.replace("_", " ")
    pictures = "".join(picture_html(s, "", 96) for s in some)
    return (
        f"<li><b>{number}</b><p>{escape(name)}{about}</p><div>{pictures}</div>"
        f'<a class="do" href="{address}" target="_self" aria-label="{escape(f"{words}: {name}")}">{words}</a></li>'
    )
