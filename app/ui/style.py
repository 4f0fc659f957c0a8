"""How pages look: the icon and style sheet."""

from __future__ import annotations

from PIL import Image, ImageDraw

ICON = Image.new("RGB", (64, 64), "#2a78d6")  # our own: a named one would be fetched from elsewhere
ImageDraw.Draw(ICON).polygon([(12, 52), (32, 10), (52, 52), (42, 52), (32, 30), (22, 52)], "white")

STYLE = """<style>
[data-testid="stMainBlockContainer"] { padding: 4rem 2.5rem 3rem; max-width: 96rem; }
h1 { font-size: 1.7rem !important; font-weight: 650 !important; letter-spacing: -.01em; }
h2, h3 { font-size: 1.1rem !important; font-weight: 600 !important; }
.assay-cards { display: grid; grid-template-columns: repeat(auto-fit, minmax(13rem, 1fr)); gap: 1rem;
  margin: .5rem 0 1.5rem; }
.assay-cards div { border: 1px solid color-mix(in srgb, currentColor 15%, transparent); border-radius: 12px;
  padding: 1rem 1.2rem; }
.assay-cards b { display: block; font-size: 1.5rem; font-weight: 600; font-variant-numeric: tabular-nums; }
.assay-cards small { opacity: .8; }
[data-testid^="stBaseButton-primary"]:enabled { color: light-dark(#fff, #10151c); }
[data-testid="stMultiSelect"] [data-tag] :is(span, button) { color: light-dark(#fff, #10151c) !important; }
[data-testid="stCaptionContainer"], [data-testid="stCaptionContainer"] p { color: inherit; opacity: .85; }
[data-testid="stCaptionContainer"] code { color: inherit; overflow-wrap: anywhere; }
.assay-next { border-left: 4px solid var(--st-primary-color, #2a78d6); padding: .8rem 1.2rem;
  border-radius: 0 12px 12px 0;
  background: color-mix(in srgb, currentColor 5%, transparent); margin-bottom: 1.5rem; }
.assay-legend { display: flex; flex-wrap: wrap; gap: .3rem 1rem; font-size: .85rem; }
.assay-legend span::before { content: ""; display: inline-block; width: .65rem; height: .65rem; border-radius: 50%;
  background: var(--c);
  margin-right: .4rem; }
.assay-sheet { display: grid; grid-template-columns: repeat(auto-fill, minmax(7rem, 1fr)); gap: .7rem; }
.assay-sheet a { color: inherit; text-decoration: none;
  } .assay-sheet a:focus-visible { outline: 2px solid currentColor; }
.assay-sheet figure { margin: 0; font-size: .8rem; overflow-wrap: anywhere; }
.assay-sheet img { width: 100%; aspect-ratio: 1; object-fit: contain; border-radius: 8px;
  background: color-mix(in srgb, currentColor 5%, transparent); }
.assay-lines { display: grid; grid-template-columns: max-content 1fr; gap: .3rem 1rem; margin: .5rem 0;
  line-height: 1.5; }
.assay-lines dt { opacity: .8; } .assay-lines dd { margin: 0; overflow-wrap: anywhere; }
.assay-told { max-width: 34rem; font-size: .92rem; line-height: 1.5; }
.assay-told p { margin: 0 0 .5rem; }
.assay-told a { color: inherit; }
.assay-told code { font-size: .8rem; opacity: .8; overflow-wrap: anywhere; }
.assay-evidence { max-width: 52rem; line-height: 1.55; overflow-wrap: anywhere; }
[data-testid="stCode"] .token { color: inherit !important; }
[data-testid="stCode"] .token.keyword { font-weight: 600; }
[data-testid="stCode"] .token.comment { font-style: italic; }
[data-testid="stHeaderActionElements"], [data-testid="stHeader"] { display: none; }
[data-testid="stPageLink"] a { width: fit-content; padding: .45rem .9rem; border-radius: 8px;
  border: 1px solid var(--st-primary-color, #2a78d6); }
@media (pointer: coarse) { [data-testid="stMainBlockContainer"] :is(button, summary, [role="tab"], [role="combobox"]),
  [data-testid="stTextInputRootElement"] { min-height: 2.75rem; } }
[data-testid="stMainBlockContainer"] :is(button, input, [role="tab"], [role="tabpanel"], summary):focus-visible {
  outline: 2px solid var(--st-primary-color, #2a78d6); outline-offset: 2px; }
[data-testid="stMain"]:focus-visible { outline: 2px solid var(--st-primary-color, #2a78d6); outline-offset: -2px; }
@media (max-width: 40rem) { [data-testid="stMainBlockContainer"] { padding: 3.5rem 1rem 2rem; }
  .assay-sheet { grid-template-columns: repeat(auto-fill, minmax(5.5rem, 1fr)); }
  .assay-cards { grid-template-columns: 1fr 1fr; gap: .6rem; } .assay-cards div { padding: .7rem .8rem; }
  .assay-cards b { font-size: 1.25rem; } }
</style>"""
