"""Serve the pages' JavaScript as ES modules that import each other."""

from __future__ import annotations

from functools import cache
from hashlib import sha256
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

COMPONENTS = Path(__file__).parents[1] / "components"
MEDIA_TYPES = {".js": "text/javascript", ".css": "text/css"}


@cache
def read_components() -> dict[str, bytes]:
    """Read every script and style sheet: {name: bytes}."""
    return {
        path.relative_to(COMPONENTS).as_posix(): path.read_bytes()
        for path in sorted(COMPONENTS.rglob("*"))
        if path.suffix in MEDIA_TYPES
    }


@cache
def components_address() -> str:
    """Give the address under which they are served.

    It names what they say: a browser keeps them for ever, and asks for others after an upgrade.
    """
    digest = sha256()
    for name, content in read_components().items():
        digest.update(f"{name}\n{len(content)}\n".encode() + content)
    return f"/assay/components/{digest.hexdigest()[:16]}"


def import_component(name: str) -> str:
    """Write the script that hands Streamlit what the module `name`.js exports.

    Streamlit runs a component's script from a blob, which can import by whole addresses alone.
    """
    address = f"{components_address()}/{name}.js"
    # two lines: one alone would be taken for the name of a file
    return f'const module = await import(location.origin + "{address}");\nexport default module.default;'


async def serve_component(request: Request) -> Response:
    """Answer with one script or style sheet."""
    name = request.path_params["name"]
    content = read_components().get(name)
    if content is None or request.url.path != f"{components_address()}/{name}":
        return Response("no such script: reload the page", 404)
    headers = {"cache-control": "private, max-age=31536000, immutable"}
    return Response(content, media_type=MEDIA_TYPES[Path(name).suffix], headers=headers)


COMPONENT_ROUTE = Route("/assay/components/{version}/{name:path}", serve_component)
