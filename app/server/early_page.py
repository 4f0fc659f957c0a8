"""Serve Browse's page: its grid is painted before Streamlit is up.

Streamlit takes a second of CPU until it draws anything. So its own first page is changed: our
modules come first, and its scripts wait in a template until the grid is painted (browse/boot.js).
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

from assay.app.server.component_files import components_address, read_components

SCRIPTS = re.compile(
    r'<script type="module"[^>]*></script>\s*(?:<link rel="modulepreload"[^>]*>\s*)*'
)


@cache
def write_early_page() -> str:
    """Write Browse's page, in which our scripts run before Streamlit's.

    It is Streamlit's own page where that has no scripts of the expected form.
    """
    import streamlit

    page = Path(streamlit.__file__).with_name("static") / "index.html"
    text, at = page.read_text(), components_address()
    ours = [
        n
        for n in read_components()
        if re.fullmatch(r"(browse/.*|frame/(events|undo)|browse|viewer|sample)\.js", n)
    ]
    head = [
        f'<link rel="stylesheet" href="{at}/browse.css">',
        f'<script type="module" src="{at}/browse/boot.js"></script>',
        *(f'<link rel="modulepreload" href="{at}/{name}">' for name in ours),
    ]
    later = '\n<template id="assay-later">{}</template>\n'
    return SCRIPTS.sub(lambda found: "\n".join(head) + later.format(found[0]), text, count=1)
