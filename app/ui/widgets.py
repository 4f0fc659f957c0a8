"""How every page looks, and the few pieces that several of them draw."""

import re
from html import escape
from urllib.parse import quote

import streamlit as st
from PIL import Image, ImageDraw

from assay.curation.errors import UserError


def picture(sample, name, side=128):
    return f'<img src="/assay/image/{quote(sample)}?side={side}" loading="lazy" alt="{escape(str(name))}">'


def told(work):
    """Do it, and say what came of it."""
    try:
        st.toast(work())
    except UserError as e:
        return st.error(words(e))
    st.rerun()


ICON = Image.new(
    "RGB", (64, 64), "#2a78d6"
)  # a picture of our own: a named one would be fetched from elsewhere
ImageDraw.Draw(ICON).polygon([(12, 52), (32, 10), (52, 52), (42, 52), (32, 30), (22, 52)], "white")

STYLE = """<style>
[data-testid="stMainBlockContainer"] { padding: 4.5rem 2.5rem 3rem; max-width: 96rem; }
h1 { font-size: 1.7rem !important; font-weight: 650 !important; letter-spacing: -.01em; }
h2, h3 { font-size: 1.1rem !important; font-weight: 600 !important; }
.assay-cards { display: grid; grid-template-columns: repeat(auto-fit, minmax(13rem, 1fr)); gap: 1rem; margin: .5rem 0 1.5rem; }
.assay-cards div { border: 1px solid color-mix(in srgb, currentColor 15%, transparent); border-radius: 12px; padding: 1rem 1.2rem; }
.assay-cards b { display: block; font-size: 1.5rem; font-weight: 600; font-variant-numeric: tabular-nums; }
.assay-cards small { opacity: .68; }
.assay-next { border-left: 4px solid var(--st-primary-color, #2a78d6); padding: .8rem 1.2rem; border-radius: 0 12px 12px 0;
  background: color-mix(in srgb, currentColor 5%, transparent); margin-bottom: 1.5rem; }
.assay-bars { display: grid; grid-template-columns: minmax(5rem, max-content) 1fr max-content; gap: .35rem .8rem; align-items: center; font-size: .9rem; }
.assay-bars i { display: block; height: .8rem; border-radius: 4px; background: color-mix(in srgb, #2a78d6 75%, transparent); min-width: 2px; }
.assay-bars span { font-variant-numeric: tabular-nums; opacity: .75; }
.assay-legend { display: flex; flex-wrap: wrap; gap: .3rem 1rem; font-size: .85rem; }
.assay-legend span::before { content: ""; display: inline-block; width: .65rem; height: .65rem; border-radius: 50%; background: var(--c);
  margin-right: .4rem; }
.assay-sheet { display: grid; grid-template-columns: repeat(auto-fill, minmax(7rem, 1fr)); gap: .7rem; }
.assay-sheet a { color: inherit; text-decoration: none; } .assay-sheet a:focus-visible { outline: 2px solid currentColor; }
.assay-sheet figure { margin: 0; font-size: .8rem; overflow-wrap: anywhere; }
.assay-sheet img { width: 100%; aspect-ratio: 1; object-fit: contain; border-radius: 8px;
  background: color-mix(in srgb, currentColor 5%, transparent); }
.assay-told { max-width: 34rem; font-size: .92rem; line-height: 1.5; }
.assay-told code { font-size: .8rem; opacity: .8; overflow-wrap: anywhere; }
.assay-evidence { max-width: 52rem; line-height: 1.55; overflow-wrap: anywhere; }
[data-testid="stHeaderActionElements"] { display: none; }
@media (pointer: coarse) { [data-testid="stMainBlockContainer"] :is(button, summary, [role="tab"], [role="combobox"]),
  [data-testid="stTopNavLink"], [data-testid="stTextInputRootElement"] { min-height: 2.75rem; } }
[data-testid="stMainBlockContainer"] :is(button, input, [role="tab"], summary):focus-visible { outline: 2px solid var(--st-primary-color, #2a78d6);
  outline-offset: 2px; }
@media (max-width: 40rem) { [data-testid="stMainBlockContainer"] { padding: 3.5rem 1rem 2rem; }
  .assay-sheet { grid-template-columns: repeat(auto-fill, minmax(5.5rem, 1fr)); }
  .assay-cards { grid-template-columns: 1fr 1fr; gap: .6rem; } .assay-cards div { padding: .7rem .8rem; } .assay-cards b { font-size: 1.25rem; } }
</style>"""


def drawn(name, bench):
    """Draw a page; what a person can mend, such as a bench that waits for a scan, is said in its place."""
    from importlib import import_module

    import streamlit as st

    from assay.curation.errors import UserError

    try:
        import_module(f"assay.app.pages.{name}").draw(bench)
    except UserError as e:
        st.warning(words(e))


def cards(pairs):
    """(value, what it is) as cards; text from outside is escaped."""
    return (
        '<div class="assay-cards">'
        + "".join(
            f"<div><b>{escape(str(v))}</b><small>{escape(str(k))}</small></div>" for v, k in pairs
        )
        + "</div>"
    )


def bars(counts, most=30):
    """{name: n} as bars, in the order given."""
    top = max(counts.values(), default=1) or 1
    rows = [
        f"<span>{escape(str(k))[:60]}</span><i style='width:{100 * n / top:.1f}%'></i><span>{n:,}</span>"
        for k, n in list(counts.items())[:most]
    ]
    more = f"<p>and {len(counts) - most:,} more classes</p>" if len(counts) > most else ""
    return f'<div class="assay-bars">{"".join(rows)}</div>{more}'


def component(name):
    """A component of ours: its three files in components/."""
    from pathlib import Path

    import streamlit as st

    folder = Path(__file__).parents[1] / "components"
    files = {k: (folder / f"{name}.{k}").read_text() for k in ("html", "css", "js")}
    shared = [
        (folder / f"{own}.js").read_text() for own in ("why", "seen")
    ]  # explained, and looked at, in the same way everywhere
    files["js"] = "".join([*shared, files["js"]])
    return st.components.v2.component(f"assay_{name}", isolate_styles=False, **files)


def explained(told, label="How is this known?"):
    """One click says how a number came about: dict sentences, formula, as explain.py has it."""
    import streamlit as st

    with st.popover(label, type="tertiary", icon=":material/help:"):
        words = "".join(f"<p>{escape(s)}</p>" for s in told["sentences"])
        st.html(f'<div class="assay-told">{words}<code>{escape(told["formula"])}</code></div>')


def reviewer(bench=None):
    """Who decides, kept in the page's address, so that a reload remembers it; "" before anybody has said, or while it is open whether they are
    somebody whom the bench knows by another spelling."""
    import streamlit as st

    from assay.curation.review.reviewers import namesake
    from assay.curation.text import check

    who = st.text_input(
        "Your name",
        st.query_params.get("who", ""),
        placeholder="your name",
        label_visibility="collapsed",
        max_chars=300,
        icon=":material/person:",
    ).strip()
    who = who or st.session_state.get("who", "")
    apart = st.session_state.setdefault("apart", set())
    if bench and who and who not in apart and (other := namesake(bench, who)):
        st.warning(
            f"{plain(other)} has decided here. Are you {plain(other)}, or is {plain(who)} somebody else?"
        )
        if st.button(f"I am {plain(other)}", type="primary"):
            st.session_state["who"] = st.query_params["who"] = other
            st.rerun()
        if st.button(f"{plain(who)} is somebody else"):
            apart.add(who)
            st.rerun()
        return ""
    if who and st.query_params.get("who") != who:
        st.query_params["who"] = who
    st.session_state["who"] = check(who, "a name")
    return who


def plain(text):
    """Text from outside as Markdown that shows it as it is: no picture of somebody else's is fetched, nothing is coloured."""
    return re.sub(r"([!-/:-@\[-`{-~])", r"\\\1", text)


def words(e):
    """A UserError as Markdown."""
    return plain(f"{e.problem}. {e.hint}")
