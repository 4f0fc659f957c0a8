"""The door of the workbench: how long a key is kept, and what a page without one says."""

import asyncio
import re

from assay.app.server.auth import AccessCheck
from assay.app.server.content_policy import POLICY, content_policy
from assay.app.server.links import KEY_SECONDS, AccessKeys
from tests.app_test import AppTest


def ask(check, query=""):
    """(status, headers, body) of a GET that the check answers itself."""
    sent = []

    async def send(message):
        sent.append(message)

    scope = dict(type="http", method="GET", path="/", query_string=query.encode())
    scope["headers"] = [(b"host", b"localhost:1")]
    asyncio.run(check(scope, None, send))
    return sent[0]["status"], dict(sent[0]["headers"]), sent[1]["body"].decode()


def test_a_browser_keeps_its_key_as_long_as_it_is_good(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    keys = AccessKeys(tmp_path / "cells")
    check = AccessCheck(None, keys, 1)
    status, headers, _ = ask(check, f"token={keys.make_token('link')}")
    assert status == 200 and f"Max-Age={KEY_SECONDS}" in headers[b"set-cookie"].decode()
    for query in ("", "token=used"):
        status, _, said = ask(check, query)
        assert status == 403 and "assay app --link -b cells" in said
        assert str(tmp_path) not in said, "whoever has no key need not know where it lies"


def test_a_page_without_a_query_shows_the_name_that_was_typed():
    def draw():
        from assay.app.ui.widgets import ask_reviewer

        ask_reviewer()

    page = AppTest.from_function(draw)
    page.session_state["who"] = "ann"
    assert page.run().text_input[0].value == "ann"
    page.text_input[0].input("bob").run()
    assert page.run().text_input[0].value == page.session_state["who"] == "bob"
    assert page.query_params["who"] in ("bob", ["bob"])


def test_the_policy_allows_nothing_more_than_it_gives_a_reason_for():
    said = dict(part.split(" ", 1) for part in content_policy().split("; "))
    assert list(said) == [name for name, _, _ in POLICY]
    for name, sources, why in POLICY:
        assert bool(why) == (sources not in ("'self'", "'none'")), name
    assert not re.search("unsafe|eval|http|data:|[*]", said["script-src"])
    assert "unsafe-eval" not in content_policy() and "*" not in content_policy()
    assert said["connect-src"] == "'self'", "nothing leaves the machine"
