"""Scripts of the pages are modules that a browser keeps until they change."""

import re

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from assay.app.server.component_files import (
    COMPONENT_ROUTE,
    COMPONENTS,
    components_address,
    read_components,
)

IMPORTS = re.compile(r'^import .* from "(.+)";$', re.M)


@pytest.fixture
def client():
    return TestClient(Starlette(routes=[COMPONENT_ROUTE]))


def test_every_script_is_served_with_all_that_it_imports(client):
    served = [p for p in COMPONENTS.rglob("*") if p.suffix in (".js", ".css")]
    assert len(served) == len(read_components()) > 8
    for path in served:
        name = path.relative_to(COMPONENTS).as_posix()
        answer = client.get(f"{components_address()}/{name}")
        assert (
            answer.content == path.read_bytes() and "immutable" in answer.headers["cache-control"]
        )
        for other in IMPORTS.findall(path.read_text()):
            if other == "/assay/medium.js":  # what the bench holds: the server writes it
                continue
            assert other.startswith("."), "a blob or a page cannot resolve a bare name"
            assert (path.parent / other).is_file(), (name, other)


def test_nothing_else_is_served_nor_an_older_script(client):
    for path in (
        f"{components_address()}/review.html",
        f"{components_address()}/..%2fserver%2fauth.py",
        f"{components_address()}/../main.py",
        "/assay/components/0123456789abcdef/review.js",
    ):
        assert client.get(path).status_code == 404, path
