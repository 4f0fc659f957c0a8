"""A real workbench in a process of its own, and a real browser to sit before it."""

import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from contextlib import contextmanager

import pytest

from assay.app.server.links import AccessKeys

FLAGS = "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking --disable-component-update --disable-sync"
TOKEN = "a-key-of-these-tests"
READY = '.assay-review[data-seen="yes"] .picture img'


def chromium():
    """The installed Chrome or Chromium, else Playwright's own, else Debian's package; where none can be had the story is skipped."""
    for name in ("chromium", "google-chrome", "chromium-browser", "chrome"):
        if found := shutil.which(name):
            return found
    patient = "-o DPkg::Lock::Timeout=300 -o Acquire::Retries=2"  # another process of these tests may be at it
    debian = f"apt-get {patient} update -qq && apt-get {patient} install -y -qq chromium"
    for way in ([sys.executable, "-m", "playwright", "install", "chromium"], ["sh", "-c", debian]):
        try:
            subprocess.run(way, capture_output=True, timeout=600, check=True)
        except (OSError, subprocess.SubprocessError):
            continue
        return shutil.which("chromium")  # None: Playwright knows where its own is
    pytest.skip(
        "no Chrome or Chromium is installed, and neither Playwright nor Debian could be reached for one"
    )


@contextmanager
def browser():
    from playwright.sync_api import sync_playwright

    with sync_playwright() as p:
        running = p.chromium.launch(executable_path=chromium(), args=FLAGS.split())
        yield running
        running.close()


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Workbench:
    """`assay app` on a bench; `kill` is a real kill, `start` starts it again on the same port."""

    MODULE = "assay"

    def __init__(self, bench, port=None, *options):
        self.bench, self.port, self.options = bench, port or free_port(), options
        self.url, self.cookie = f"http://127.0.0.1:{self.port}", f"assay-{self.port}={TOKEN}"

    def start(self):
        command = [
            sys.executable,
            "-m",
            self.MODULE,
            "app",
            "-b",
            str(self.bench),
            "--port",
            str(self.port),
            "--no-browser",
            *self.options,
        ]
        quiet = dict(stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        self.keys = AccessKeys(self.bench)
        self.keys.make_token("key", TOKEN)
        self.process = subprocess.Popen(command, **quiet)
        until = time.monotonic() + 120
        while self.process.poll() is None and time.monotonic() < until:
            try:
                return self.ask("/_stcore/health") and self
            except OSError:
                time.sleep(0.1)
        raise AssertionError(
            f"the workbench did not start: {self.process.communicate(timeout=5)[0] if self.process.poll() is not None else 'no answer'}"
        )

    def ask(self, path, body=None, **headers):
        """(status, text) of one request with the cookie, or with other headers (None: without)."""
        given = {
            "Cookie": self.cookie,
            **(
                {"Content-Type": "application/json", "Origin": self.url} if body is not None else {}
            ),
        } | headers
        given = {k.replace("_", "-"): v for k, v in given.items() if v is not None}
        request = urllib.request.Request(self.url + path, body, given)
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return answer.status, answer.read().decode(errors="replace")
        except urllib.error.HTTPError as e:
            return e.code, e.read().decode(errors="replace")

    def kill(self):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()

    def page(self, browser, path="/", **options):
        """A page of a new browser context that went in by the link; it records what it asks of other hosts, and its errors."""
        context = browser.new_context(**dict(viewport=dict(width=1300, height=850)) | options)
        page = context.new_page()
        page.foreign, page.failed = [], []
        page.on(
            "request",
            lambda r: r.url.startswith((self.url, "data:", "blob:")) or page.foreign.append(r.url),
        )
        page.on("pageerror", lambda e: page.failed.append(str(e)))
        page.goto(
            f"{self.url}{path}{'&' if '?' in path else '?'}token={self.keys.make_token('link')}",
            wait_until="commit",
        )
        page.wait_for_url(lambda url: "token" not in url, wait_until="commit")
        return page


def until(page, expression, seconds=60):
    """Wait until an expression is true in the page. (wait_for_function evaluates text there, which the page's own policy forbids.)"""
    end = time.monotonic() + seconds
    while not page.evaluate(expression):
        assert time.monotonic() < end, f"not within {seconds} s: {expression}"
        page.wait_for_timeout(50)


def look(page, where=".assay-review"):
    """Wait until the picture of Review, or of the audit (`.assay-blind`), has been seen; ten quick answers, as a machine's are, shall stand."""
    ready = f'{where}[data-seen="yes"] .picture img'
    page.wait_for_selector(f"{ready}, {where}.paused", timeout=120_000)
    if page.locator(f"{where}.paused").count():
        page.keyboard.press("y")
        page.wait_for_selector(ready)


def look_through(page):
    """Scroll until every picture of the grid that is open has been on the screen."""
    page.locator(".assay-grid:visible .many img").first.wait_for()
    until(
        page,
        """() => { const next = [...document.querySelectorAll('.assay-grid .many button:not([data-seen]):not([data-state=broken])')]
        .find(b => b.offsetParent); next?.scrollIntoView({ block: 'center' }); return !next; }""",
    )


OPAQUE = """() => !document.querySelector('[data-stale=true]') && document.getAnimations().every(
  a => a.playState !== 'running' || a.effect.getComputedTiming().endTime === Infinity)"""


def find_barriers(page):
    """What axe-core says against the page once nothing fades any more: WCAG 2.2, A and AA; [] where nothing."""
    from axe_playwright_python.sync_playwright import Axe

    page.evaluate("() => new Promise(f => requestAnimationFrame(() => requestAnimationFrame(f)))")
    until(page, OPAQUE)
    levels = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
    found = Axe().run(page, options=dict(runOnly=levels, resultTypes=["violations"])).response
    return [
        (v["id"], n["target"], n["failureSummary"]) for v in found["violations"] for n in v["nodes"]
    ]


def stored(page):
    until(page, "document.querySelector('.assay-review').dataset.waiting === '0'", seconds=180)


@contextmanager
def workbench(bench, *options):
    running = Workbench(bench, None, *options).start()
    try:
        yield running
    finally:
        running.kill()
        shutil.rmtree(running.keys.folder, ignore_errors=True)
