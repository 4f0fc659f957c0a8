"""Draw HTML from the templates beside this file, and write pages.

Jinja escapes every value that is not Markup, so nothing from outside can break out of its place.
"""

from __future__ import annotations

import os
from base64 import b64encode
from contextlib import suppress
from pathlib import Path

from jinja2 import Environment, FunctionLoader, StrictUndefined
from markupsafe import Markup

from assay.curation.errors import UserError
from assay.curation.system import permissions
from assay.pipelines.reports import phrases, set_marks

FOLDER = Path(__file__).parent


def read_template(name: str) -> str:
    """Read a template; its line breaks draw nothing, not even a space."""
    lines = (FOLDER / name).read_text("utf-8").splitlines()
    # joined by comments, so that an error still names its line
    return "{#\n#}".join(line.strip() for line in lines)


def slug(title: str) -> str:
    """Turn a title into the id of its part of the page."""
    return "".join(c if c.isalnum() else "-" for c in title.lower())


ENVIRONMENT = Environment(
    loader=FunctionLoader(read_template), autoescape=True, undefined=StrictUndefined
)
ENVIRONMENT.filters |= dict(
    base64=lambda raw: Markup(b64encode(raw).decode()),  # has no letter to escape
    cut=phrases.cut,
    slug=slug,
    marked=set_marks.mark_picture,
)
PARTS = ENVIRONMENT.get_template("parts.html").module  # its macros: about, part, table, figures ...


def render(template: str, values: dict) -> Markup:
    """Draw a template; the macros of parts.html are `parts` in it."""
    return Markup(ENVIRONMENT.get_template(template).render(values, parts=PARTS))


def render_page(title: str, body: Markup) -> Markup:
    """Draw a whole page that loads nothing and runs no script."""
    css = Markup((FOLDER / "report.css").read_text("utf-8"))
    return render("page.html", dict(title=title, css=css, body=body))


def interval_markup(e: dict, sign: bool = True, unit: str = "") -> Markup:
    """Draw an estimate in points with its interval, the value in bold."""
    value, span = phrases.interval(e, sign).split(" ", 1)
    return Markup('<b>{}{}</b> <span class="range">{}</span>').format(value, unit, span)


def write_page(page: bytes, path: str | Path) -> Path:
    """Write the bytes of a page.

    Nobody ever meets half a page. Returns the absolute path. Raises UserError where it cannot be written.
    """
    path = Path(path).absolute()
    half = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        permissions.touch_file(half).write_bytes(page)
        os.replace(half, path)
    except OSError as e:
        with suppress(OSError):
            half.unlink()
        raise UserError(
            f"expected to write {path}, found: {e.strerror}",
            "make the folder, or choose another file",
        ) from None
    return path
