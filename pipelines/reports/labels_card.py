"""Draw the card of a version's labels: a page, Markdown, or JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from markupsafe import Markup

from assay.curation.errors import UserError
from assay.curation.text import format_count
from assay.pipelines.reports.markdown import escape_markdown
from assay.pipelines.reports.phrases import cut, sentence
from assay.pipelines.reports.templates import PARTS, render, render_page, write_page

SPLITS = "train val test pool guard".split()
SUFFIXES = (".html", ".md", ".json")


@dataclass(frozen=True)
class CardPart:
    """A part of a card: sentences, then a table."""

    title: str
    sentences: Sequence[str] = ()
    head: Sequence[str] = ()
    rows: Sequence[Sequence[str]] = ()


def outline_card(card: dict) -> Iterator[CardPart]:
    """Outline the parts of a card: see describe_labels."""
    used = [s for s in SPLITS if s in card["splits"]]
    n = format_count(card["samples"], card["medium"])
    counts = ", ".join(f"{card['splits'][s]:,} {s}" for s in used)
    review, wrong = card["review"], card["errors_left"]
    yield CardPart(
        "What it holds",
        [f"{n} in: {counts}", f"{card['dropped']:,} are dropped", f"Labels: {card['task']}"],
    )
    head = ["Class", "Labels", *used, "Guideline", "Parent"]
    rows = [
        [
            c["name"],
            f"{c['n']:,}",
            *(f"{c[s]:,}" for s in used),
            c["guideline"] or "none",
            c["parent"] or "",
        ]
        for c in card["classes"]
    ]
    yield CardPart("Classes", [], head, rows)
    said = [f"{format_count(card['left_out'], 'row', 'was', 'were')} left out by imports"]
    rows = [[s["name"], s["format"], s["kind"]] for s in card["sources"]]
    yield CardPart("Sources", said, ["Source", "Format", "Read as"] if rows else [], rows)
    population = format_count(review["population"], "label")
    labels = [
        f"{review['reviewed']:,} of {population} of train and val were reviewed by people: "
        f"{review['wrong']:,} wrong, {review['unsure']:,} unsure",
        f"Wrong labels left in train and val: {wrong or 'not known'}",
        f"Reviewed at random: {card['random_rate'] or 'none'}",
        f"Test labels: {card['audit'] or 'not known how many are wrong'}",
    ]
    yield CardPart("How right the labels are", labels)
    keys = "who samples relabelled confirmed unsure dropped".split()
    said = [*card["errors"], *card["agreement"]] or ["Their error is not known"]
    said = said if card["reviewers"] else ["Nobody reviewed"]
    rows = [[str(p["who"]), *(f"{p[k]:,}" for k in keys[1:])] for p in card["reviewers"]]
    yield CardPart("Reviewers", said, [k.capitalize() for k in keys] if rows else [], rows)
    issues = card["issues"]
    rows = [[kind, f"{count:,}"] for kind, count in (issues or {}).items()]
    said = (
        ["None is open"]
        if issues == {}
        else []
        if rows
        else ["Not known: the bench was not scanned"]
    )
    yield CardPart("Open issues", said, ["Kind", "Samples"] if rows else [], rows)
    yield CardPart(
        "Known gaps", card["gaps"] or ["None was found" if card["gaps"] == [] else "Not known"]
    )
    yield CardPart("What is not known", card["unknown"])
    head = ["Version", "Tree", "By", "When", "Why"]
    rows = [[v["name"], v["tree"], v["who"], v["ts"][:10], v["message"]] for v in card["versions"]]
    yield CardPart("Versions", [] if rows else ["None was committed"], head if rows else [], rows)
    verify = [
        f"These labels are version {card['called'] or card['version']}, with the tree {card['tree']}",
        f"In a bench that holds them: {card['verify']}",
        "An exported manifest keeps ids, labels and splits, so a bench made of it has the same tree",
    ]
    yield CardPart("How to verify", verify)


def title_card(card: dict) -> str:
    """Title a card."""
    return f"Labels of {card['bench']}, {card['called'] or card['version']}"


def draw_card(card: dict) -> bytes:
    """Draw the page of a card."""
    parts = [
        (
            part.title,
            Markup("").join(PARTS.about(sentence(s)) for s in part.sentences)
            + (
                PARTS.table(part.head, [[cut(x) for x in row] for row in part.rows])
                if part.rows
                else ""
            ),
        )
        for part in outline_card(card)
    ]
    values = dict(title=title_card(card), made=card["made"], sections=parts)
    page = render_page(title_card(card), render("labels_card.html", values))
    return page.encode("utf-8", "replace")


def write_markdown(card: dict) -> str:
    """Write a card as Markdown; nothing in it becomes markup."""
    lines = [f"# {escape_markdown(title_card(card))}", "", f"Made {card['made']} by Assay."]
    for part in outline_card(card):
        lines += ["", f"## {part.title}", ""]
        lines += [f"- {escape_markdown(sentence(s), 400)}" for s in part.sentences]
        if part.rows:
            rows = [
                part.head,
                ["---"] * len(part.head),
                *(map(escape_markdown, r) for r in part.rows),
            ]
            lines += ["", *("| " + " | ".join(row) + " |" for row in rows)]
    return "\n".join([*lines, ""])


def write_card(card: dict, path: str | Path) -> Path:
    """Write a card to a file whose name ends with .html, .md or .json.

    Returns its absolute path; UserError for another ending, or where it cannot be written.
    """
    suffix = Path(path).suffix.lower()
    if suffix not in SUFFIXES:
        raise UserError(
            f"expected a card's file to end with {', '.join(SUFFIXES)}, found {str(path)!r}",
            "for example --out labels.html",
        )
    if suffix == ".html":
        return write_page(draw_card(card), path)
    text = write_markdown(card) if suffix == ".md" else json.dumps(card, indent=1)
    return write_page(text.encode("utf-8", "replace"), path)
