"""Screenshots of every page in every state: `python -m tests.screenshots OUT`.

A page is opened once a state, and drawn at four widths in both themes. OUT gets a file for each,
`page-state-width-theme.png`, and a sheet for each page and state, `sheet-page-state.jpg`.
"""

import argparse
import shutil
import tempfile
from pathlib import Path

from PIL import Image

import assay
from tests.browser import browser, until, workbench
from tests.screenshot_benches import BENCHES
from tests.screenshot_views import PAGES, VIEWS

SIZES = {390: 844, 820: 1180, 1440: 900, 2560: 1440}
SCHEMES = "light", "dark"
STATES = "normal", "loading", "error", "empty", "one", "thousand"
DOCS = "overview doubted review alike map gaps experiments audit history".split()
STILL = """() => document.querySelector('[data-testid=stApp]')?.dataset.testScriptState === 'notRunning'
  && !document.querySelector('[data-testid=stSkeleton]')
  && [...document.images].every(i => i.complete || !i.offsetParent || i.getBoundingClientRect().top > innerHeight)"""
WIDE = """() => Math.max(document.documentElement.scrollWidth,
  document.querySelector('[data-testid=stMain]')?.scrollWidth ?? 0) - innerWidth"""
DATA = "**/assay/**"
CODE = "/assay/components/", "/assay/medium.js"


def hold(route):
    """Let what a page is made of through, and nothing that it shows."""
    if any(code in route.request.url for code in CODE):
        route.continue_()


def fail(route):
    """Answer as a server does that has met a mistake of its own."""
    if any(code in route.request.url for code in CODE):
        route.continue_()
    else:
        route.fulfill(status=500, body="Internal Server Error")


def open_view(server, chrome, name, state, size=1440, plain=False):
    """A page as it is in a state; plain: of any bench, with nothing done on it."""
    path, ready, act = VIEWS[name]
    plain = plain or state != "normal"
    if plain:
        path = path.partition("?")[0]
    page = server.page(chrome, "/assay/nothing", viewport=dict(width=size, height=SIZES[size]))
    if state in ("loading", "error"):
        page.route(DATA, hold if state == "loading" else fail)
    page.goto(f"{server.url}/{path}{'&' if '?' in path else '?'}who=ann", wait_until="commit")
    if not plain:
        page.wait_for_selector(ready, timeout=90_000)
        if act:
            act(page)
        until(page, STILL)
    else:
        page.wait_for_selector("[data-testid=stMain] :is(h1, [class^=assay])", timeout=60_000)
        until(page, STILL if state not in ("loading", "error") else "true")
        page.wait_for_timeout(1500)  # what comes after Streamlit is still
    return page


def take(page, file, size, scheme):
    """Draw the page at a width in a theme; what is wrong with it is said."""
    page.emulate_media(color_scheme=scheme)
    page.set_viewport_size(dict(width=size, height=SIZES[size]))
    page.wait_for_timeout(600)  # a canvas and pictures that come into view
    page.screenshot(path=file)
    wide = page.evaluate(WIDE)
    if wide > 0 or page.failed or page.foreign:
        print(f"{file.stem}: {wide} px too wide, {page.failed}, asked elsewhere {page.foreign}")


def draw_sheet(folder, name, state, out):
    """All pictures of a page in a state on one sheet: light above dark, at one height."""
    files = [[folder / f"{name}-{state}-{w}-{s}.png" for w in SIZES] for s in SCHEMES]
    rows = [[Image.open(f).convert("RGB") for f in row if f.exists()] for row in files]
    rows = [[i.resize((i.width * 900 // i.height, 900)) for i in row] for row in rows if row]
    if not rows:  # what was not drawn was said
        return
    width = max(sum(i.width + 12 for i in row) for row in rows)
    sheet = Image.new("RGB", (width, 912 * len(rows)), "#888")
    for y, row in enumerate(rows):
        x = 0
        for one in row:
            sheet.paste(one, (x, 912 * y))
            x += one.width + 12
    sheet.save(out, quality=88)


def compose(folder, name, out):
    """One picture for the docs: light on a desk, and beside it dark on a telephone."""
    names = (f"{name}-normal-{w}.png" for w in ("1440-light", "390-dark"))
    one, two = (Image.open(folder / n).convert("RGB") for n in names)
    one = one.resize((1200, 750), Image.LANCZOS)
    two = two.resize((round(two.width * 750 / two.height), 750), Image.LANCZOS)
    sheet = Image.new("RGB", (one.width + two.width + 42, 770), "#d9dce1")
    sheet.paste(one, (10, 10))
    sheet.paste(two, (one.width + 32, 10))
    for quality in range(88, 30, -6):
        sheet.save(out, quality=quality, optimize=True)
        if out.stat().st_size < 150_000:
            return


def draw_state(server, chrome, state, a):
    """Draw the pages that were asked for in one state."""
    for name in a.only:
        if state != "normal" and name not in PAGES:
            continue  # what is done on a page needs an ordinary bench
        # a telephone's page is opened as one: what is folded there is not on a desk
        for sizes in ([s for s in a.sizes if s < 800], [s for s in a.sizes if s > 800]):
            if not sizes:
                continue
            try:
                page = open_view(server, chrome, name, state, sizes[-1])
            except Exception as e:  # one page is not worth the others
                print(f"{name}-{state}-{sizes[-1]}: not drawn: {str(e)[:300]}", flush=True)
                continue
            for scheme in a.schemes:
                for size in sizes:
                    take(page, a.out / f"{name}-{state}-{size}-{scheme}.png", size, scheme)
            page.context.close()
        draw_sheet(a.out, name, state, a.out / f"sheet-{name}-{state}.jpg")
        print(f"{name}-{state}", flush=True)


def read_options():
    p = argparse.ArgumentParser(prog="tests.screenshots", description=__doc__)
    p.add_argument("out", type=Path)
    p.add_argument("--benches", type=Path, help="where benches are kept for the next time")
    p.add_argument("--only", nargs="+", choices=VIEWS, default=list(VIEWS))
    p.add_argument("--states", nargs="+", choices=STATES, default=list(STATES))
    p.add_argument("--sizes", nargs="+", type=int, choices=SIZES, default=list(SIZES))
    p.add_argument("--schemes", nargs="+", choices=SCHEMES, default=list(SCHEMES))
    p.add_argument("--docs", type=Path, help="where the pictures of the docs go")
    return p.parse_args()


def open_bench(kept, name):
    """A copy of a bench, which is made where none is kept."""
    folder = kept / name
    made = folder / "made.txt"
    if not made.exists():
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        made.write_text(BENCHES[name](folder).path.name)
    shutil.copytree(folder, kept / "open", dirs_exist_ok=True)
    return assay.open(kept / "open" / made.read_text())


def main():
    a = read_options()
    a.out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, browser() as chrome:
        kept = a.benches or Path(folder)
        for name in BENCHES:
            shown = ("normal", "loading", "error") if name == "normal" else (name,)
            if states := [s for s in shown if s in a.states]:
                shutil.rmtree(kept / "open", ignore_errors=True)
                with workbench(open_bench(kept, name).path) as server:
                    for state in states:
                        draw_state(server, chrome, state, a)
    for name in set(DOCS) & set(a.only) if a.docs else ():
        compose(a.out, name, a.docs / f"{name}.jpg")


if __name__ == "__main__":
    main()
