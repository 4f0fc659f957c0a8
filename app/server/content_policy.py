"""The content security policy: what a page may load and run."""

from __future__ import annotations

import re
from base64 import b64encode
from hashlib import sha256
from pathlib import Path

# each directive, and for what it allows more than this server gives under its own address
POLICY = (
    ("default-src", "'self'", ""),
    # Streamlit runs components as modules of blobs; its first page has one script, known by its
    # digest. Nothing inline, no eval.
    ("script-src", "'self' blob: {scripts}", "components of Streamlit, its first script"),
    ("style-src", "'self' 'unsafe-inline'", "Streamlit writes styles into its pages"),
    # a picture that is dropped into Browse is shown from the page itself; so are Streamlit's icons
    ("img-src", "'self' data: blob:", "pictures that are dropped in, icons of Streamlit"),
    ("font-src", "'self' data:", "fonts within style sheets of Streamlit"),
    ("connect-src", "'self'", ""),
    ("worker-src", "'self' blob:", "workers of Streamlit, for its charts and tables"),
    ("object-src", "'none'", ""),
    ("base-uri", "'none'", ""),
    ("form-action", "'self'", ""),
    ("frame-ancestors", "'self'", ""),
)


def content_policy() -> str:
    """Write the content security policy as its header.

    Nothing that was written into a page runs.
    """
    import streamlit

    page = Path(streamlit.__file__).with_name("static") / "index.html"
    scripts = re.findall(r"<script>(.*?)</script>", page.read_text(), re.S)
    digests = [b64encode(sha256(script.encode()).digest()).decode() for script in scripts]
    allowed = " ".join(f"'sha256-{digest}'" for digest in digests)
    return "; ".join(f"{name} {sources.format(scripts=allowed)}" for name, sources, _ in POLICY)
