"""Who gets into the workbench, and how: by a link that opens once and stands in no list of processes; and who only holds a connection loses it."""

import os
import re
import socket
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path

import psutil
import pytest

from assay.app.server import timeouts
from assay.app.server.links import AccessKeys
from tests.browser import browser, free_port, workbench
from tests.helpers import ROOT

PAGES = ("", "review", "map", "duplicates", "gaps", "experiments", "audit", "history", "classes")


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("ASSAY_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_a_link_opens_once_and_turns_into_a_key_that_outlives_it(tmp_path, cache):
    keys = AccessKeys(tmp_path / "bench")
    link = keys.make_token("link")
    key = keys.exchange_link(link)
    assert key and key != link and keys.is_known(key) and not keys.is_known(link)
    assert (
        keys.exchange_link(link) is None
        and keys.exchange_link(key) is None
        and keys.exchange_link("") is None
        and not keys.is_known("")
    )
    assert AccessKeys(tmp_path / "bench").is_known(key), (
        "a server that is started again knows its browsers"
    )
    assert not AccessKeys(tmp_path / "other").is_known(key), "another bench's key opens nothing"
    kept = [p for p in cache.rglob("*") if p.is_file()]
    assert kept and not any(t in p.name + p.read_text() for p in kept for t in (link, key)), (
        "digests alone"
    )
    assert {stat.S_IMODE(p.stat().st_mode) for p in kept} == {0o600} and stat.S_IMODE(
        keys.folder.stat().st_mode
    ) == 0o700
    old = keys.make_token("link")
    os.utime(keys.token_file("link", old), (0, 0))
    os.utime(keys.token_file("key", key), (0, 0))
    assert keys.exchange_link(old) is None and not keys.is_known(key), "neither is good for ever"
    many, got = keys.make_token("link"), []
    threads = [
        threading.Thread(target=lambda: got.append(keys.exchange_link(many))) for _ in range(8)
    ]
    [t.start() for t in threads]
    [t.join() for t in threads]
    assert len([k for k in got if k]) == 1, "of those who come at once one gets in"


def test_a_taken_port_is_said_before_a_link_is_printed(scanned, cache):
    """Else the link would lead to whatever workbench is open there."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        command = [sys.executable, "-m", "assay", "app", "--no-browser", "-b", scanned.path]
        done = subprocess.run(
            [*command, "--port", port], cwd=ROOT, capture_output=True, text=True, timeout=60
        )
    assert done.returncode == 2 and "http" not in done.stdout
    assert f"expected to listen on port {port}" in done.stderr and "--port N" in done.stderr


@pytest.mark.daily
def test_a_second_browser_gets_a_link_of_its_own_by_a_command_and_no_process_list_has_one(
    scanned, cache
):
    """The browser is a script that keeps the command line that it is given, and the page that this names."""
    fake, port = cache.parent / "browser.sh", free_port()
    fake.write_text(
        f'#!/bin/sh\necho "$1" > {cache.parent}/argv\ncp "${{1#file://}}" {cache.parent}/page\n'
    )
    fake.chmod(0o755)
    command = [sys.executable, "-m", "assay", "app", "-b", str(scanned.path), "--port", str(port)]
    server = subprocess.Popen(
        command,
        cwd=ROOT,
        env=os.environ | dict(BROWSER=str(fake)),
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        printed = re.search(r"http://\S+", server.stdout.readline())[0]
        until = time.monotonic() + 60
        while not (cache.parent / "page").exists() and time.monotonic() < until:
            time.sleep(0.05)
        shown = (cache.parent / "argv").read_text().strip()
        page = Path(shown.removeprefix("file://"))
        opened = re.search(r"http://[^\"]+", (cache.parent / "page").read_text())[0]
        assert (
            shown.startswith("file://")
            and stat.S_IMODE(page.stat().st_mode) == 0o600
            and "token" not in shown
        )
        other = subprocess.run(
            [*command[:4], "--link", "-b", scanned.path], cwd=ROOT, capture_output=True, text=True
        ).stdout.strip()
        links = [printed, opened, other]
        tokens = [link.split("token=")[1] for link in links]
        assert len(set(tokens)) == 3
        for p in psutil.process_iter():
            try:
                mine = [p.cmdline(), list(p.environ().values()) if p.pid == server.pid else []]
            except psutil.Error:
                continue
            assert not any(t in str(mine) for t in tokens)
        for link in links:
            first = answer(link, port)
            assert (
                first.startswith("HTTP/1.1 200")
                and f"assay-{port}=" in first
                and "HttpOnly; SameSite=Strict" in first
            )
            again = answer(link, port)
            assert again.startswith("HTTP/1.1 403") and "assay app --link" in again, "once"
    finally:
        server.terminate()
        server.wait(30)
        server.stdout.close()
    assert not page.exists() and not list(AccessKeys(scanned.path).folder.glob("at-*")), (
        "what led there is gone"
    )
    none = subprocess.run(
        [*command[:4], "--link", "-b", scanned.path], cwd=ROOT, capture_output=True, text=True
    )
    assert none.returncode == 2 and "found none" in none.stderr


def answer(link, port, more=""):
    """What a server says to one GET, head and all."""
    with socket.create_connection(("127.0.0.1", port), timeout=30) as s:
        path = link.split(f":{port}")[1]
        s.sendall(
            f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n{more}Connection: close\r\n\r\n".encode()
        )
        out = b""
        while part := s.recv(65536):
            out += part
    return out.decode(errors="replace")


@pytest.mark.browser
def test_whoever_is_in_leaves_a_link_to_whom_it_was_meant_for(scanned, cache):
    with workbench(scanned.path) as server:
        link = f":{server.port}/?token={server.keys.make_token('link')}"
        assert "set-cookie" not in answer(link, server.port, f"Cookie: {server.cookie}\r\n").lower()
        assert (
            server.ask(f"/?token={link.split('=')[1]}", Cookie=f"assay-{server.port}=other")[0]
            == 200
        )
        assert server.ask(f"/?token={link.split('=')[1]}", Cookie=None)[0] == 403
        assert server.ask("/", Cookie=f"assay-1={server.cookie.split('=')[1]}")[0] == 403, (
            "a cookie of another port is another's"
        )
        evil = server.ask(f"/%5Cevil.example/?token={server.keys.make_token('link')}", Cookie=None)[
            1
        ]
        assert 'url=/%5Cevil.example/"' in evil, "a link leads nowhere else"


@pytest.mark.daily
def test_no_page_breaks_the_policy_and_nothing_that_is_written_into_one_runs(scanned, cache):
    from assay.curation.features import image_map

    image_map.sketch_map(scanned)
    with workbench(scanned.path) as server, browser() as chrome:
        page = server.page(chrome, "/?who=ann")
        broken = []
        page.on(
            "console",
            lambda m: broken.append(m.text) if "Content Security Policy" in m.text else None,
        )
        for name, seen in zip(PAGES, (".assay-cards", ".picture img", "canvas", *["h1"] * 5)):
            page.goto(f"{server.url}/{name}?who=ann")
            page.locator(f"{seen} >> visible=true").first.wait_for(timeout=60_000)
            assert not page.get_by_text("BidiComponent Error").count()
        assert broken == [] and page.failed == []
        page.evaluate(
            "document.body.insertAdjacentHTML('beforeend', '<img src=x onerror=\"window.ran = 1\"><script>window.ran = 1</script>')"
        )
        page.wait_for_timeout(300)
        assert page.evaluate("window.ran") is None and broken


@pytest.fixture
def slow_server(monkeypatch):
    """A real server that waits for half a second; what it serves reads the whole body, or writes much."""
    import uvicorn
    from starlette.applications import Starlette
    from starlette.responses import PlainTextResponse
    from starlette.routing import Route

    monkeypatch.setattr(timeouts, "ASK", 0.5)
    monkeypatch.setattr(timeouts, "TAKE", 0.5)

    async def read(request):
        return PlainTextResponse(str(len(await request.body())))

    async def much(request):
        return PlainTextResponse("x" * 50_000_000)

    inner = Starlette(
        routes=[
            Route("/assay/read", read, methods=["POST"]),
            Route("/read", read, methods=["POST"]),
            Route("/much", much),
        ]
    )

    async def app(scope, receive, send):
        whole = scope.get("path", "").startswith("/assay/")
        await inner(
            scope,
            timeouts.limit_body_time(receive, whole) if scope["type"] == "http" else receive,
            send,
        )

    port = free_port()
    server = uvicorn.Server(
        uvicorn.Config(app, port=port, log_level="error", http=timeouts.TimedProtocol)
    )
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    yield server, port
    server.should_exit = True
    thread.join()


@pytest.mark.daily
def test_half_open_and_slow_connections_end(slow_server):
    server, port = slow_server

    def trickle(begin, piece, seconds=6):
        """What is answered to who sends `begin`, and then a little for ever; how long it took until the connection ended."""
        with socket.create_connection(("127.0.0.1", port), timeout=0.1) as s:
            s.sendall(begin)
            start, out = time.monotonic(), b""
            while time.monotonic() - start < seconds:
                try:
                    s.sendall(piece)
                    part = s.recv(65536)
                    if not part:
                        return out, time.monotonic() - start
                    out += part
                except TimeoutError:
                    continue
                except OSError:
                    return out, time.monotonic() - start
        return out, seconds

    post = b"POST %s HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n"
    for begin, piece, word in (
        (b"", b"", b""),
        (b"GET / HTTP/1.1\r\n", b"A: b\r\n", b""),
        (post % b"/assay/read", b"x", b"408"),
        (post % b"/read", b"", b"408"),
    ):
        out, took = trickle(begin, piece)
        assert took < 5.9 and word in out[:20], (begin, out[:100], took)
    out, _ = trickle(post % b"/read", b"x" * 100, 4)
    assert b"200 OK" in out and out.rstrip().endswith(b"1000"), (
        "an upload that goes on may take its time"
    )
    with socket.create_connection(("127.0.0.1", port)) as s:
        s.sendall(b"GET /much HTTP/1.1\r\nHost: x\r\n\r\n")
        until = time.monotonic() + 10
        while server.server_state.connections and time.monotonic() < until:
            time.sleep(0.05)
        assert not server.server_state.connections, "who takes nothing is let go"
