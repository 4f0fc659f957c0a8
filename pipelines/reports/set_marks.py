"""Mark the figures of a page with the samples behind them.

A page leads nowhere by itself. The workbench that shows it makes links of the marks: each is a
condition over the columns by which samples are found.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from markupsafe import Markup

MOST = 400  # letters of a condition: a label as long as a book gets no link


def quote_text(text: Any) -> str:
    """Write a text as a condition writes it."""
    return "'" + str(text).replace("'", "''") + "'"


def is_label(label: Any, **others: Any) -> str:
    """Write the condition that the label is this, and other columns those."""
    return " and ".join(
        f"{column} = {quote_text(value)}" for column, value in (dict(label=label) | others).items()
    )


def mark_attributes(where: str, shows: str) -> Markup:
    """Write the attributes that name the set behind an element.

    where: the condition. shows: what the link opens, in words.
    """
    if len(where) > MOST:
        return Markup()
    return Markup(' data-where="{}" data-shows="{}"').format(where, shows)


def mark_set(text: Any, where: str, shows: str) -> Markup:
    """Mark a figure with the set of samples behind it."""
    return Markup("<span{}>{}</span>").format(mark_attributes(where, shows), text)


def mark_picture(picture: Mapping[str, Any]) -> Markup:
    """Mark a picture with its sample, where it is known."""
    sample = picture.get("sample")
    if not sample:
        return Markup()
    return mark_attributes(f"sample = {quote_text(sample)}", "this sample")
