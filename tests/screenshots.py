"""Pictures of every page of the workbench, light and dark, on a desk, a tablet and a telephone: `python -m tests.screenshots OUT [BENCH]`."""

import argparse
import csv
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

import assay
from assay.app.server import audit_sheet
from assay.curation.formats.base import ImportOptions
from assay.pipelines.indexing import draw_map
from assay.pipelines.indexing.ingest import ingest
from assay.pipelines.indexing.scan import scan
from assay.pipelines.simulation.example_data import make_solar_cells
from assay.pipelines.simulation.reviewer import review_queue, true_decisions
from tests.browser import READY, browser, until, workbench

SIZES = dict(wide=(1440, 900), tablet=(820, 1180), narrow=(390, 844))
SCHEMES = "light", "dark"
PLAN = 'question = "Did the review help?"\nversions = ["v1", "v2"]\narchitectures = ["probe", "mlp"]\nseeds = 5\nmargin = 0.5\n'
DOCS = "overview doubted review alike map gaps experiments audit history".split()


def build(folder):
    """The demo's solar cells with more of a history: a kind of cell that train lacks and the pool has, three people, a version reviewed, an
    experiment, a map, an audit begun."""
    manifest, truth = make_solar_cells(folder)
    bench = assay.create(folder / "solar-cells")
    ingest(bench, pooled(manifest, truth), "hurried annotator", ImportOptions(audited_test=True))
    scan(bench, say=lambda line: print("   ", line))
    draw_map.draw_map(bench, print, wait=True)
    truth = bench.state().key.map(truth)
    for who, n in (("ann", 50), ("ben", 25), ("ann", 15)):
        review_queue(bench, truth, n, random=0.15, who=who)
    bench.commit("what two people looked at", "ann")
    some = bench.queue(9, 0)["sample"]
    bench.edit(
        true_decisions(some, truth).assign(label="defective"), "carl", "all that the line rejected"
    )
    bench.undo(who="carl")
    (folder / "plan.toml").write_text(PLAN)
    command = [
        sys.executable,
        "-m",
        "assay",
        "experiment",
        str(folder / "plan.toml"),
        "-b",
        str(bench.path),
    ]
    subprocess.run([*command, "-o", str(bench.path / "report.html")], check=True)
    review_queue(bench, truth, 12, who="ben")
    audit_sheet.begin_sheet(bench, "ann", 60)
    return bench


def pooled(manifest, truth, seed=0):
    """The manifest anew: most defective cells of one kind of module, and a fifth of all others, wait in the pool without a label."""
    rows, rng = list(csv.DictReader(manifest.open())), np.random.default_rng(seed)
    for row in rows:
        lacking = row["module"] == "poly" and truth[row["id"]] == "defective"
        if row["split"] == "train" and rng.random() < (0.9 if lacking else 0.2):
            row.update(split="pool", label="")
    with open(manifest, "w", newline="") as f:
        out = csv.DictWriter(f, rows[0])
        out.writeheader()
        out.writerows(rows)
    return manifest


# ---- what is on each picture: how a page is brought there, and what is there when it is


def alike(page):
    page.get_by_text("grid review").click()
    page.locator(".assay-grid .many img").first.wait_for()


BROWSED = ".assay-browse[data-painted]"


def inspected(page):
    page.locator(".assay-browse .grid").focus()
    page.keyboard.press("Space")
    page.keyboard.press("Enter")
    page.locator(".inspector h3").first.wait_for()


def doubted(page):
    page.get_by_label("search names and metadata").press("Escape")
    page.get_by_label("group by").select_option("pair")
    page.locator(".assay-browse .heading").first.wait_for()


def explained(page):
    page.keyboard.press("e")
    page.locator(".told .bars").wait_for()


def offline(page):
    page.context.set_offline(True)
    page.keyboard.press("Enter")
    page.wait_for_timeout(700)


def circled(page):
    box = page.locator(".assay-map .chart").bounding_box()
    page.keyboard.down("Shift")
    for i, (x, y) in enumerate([(0.62, 0.75), (0.6, 0.35), (0.75, 0.3), (0.85, 0.5), (0.8, 0.75)]):
        page.mouse.move(box["x"] + x * box["width"], box["y"] + y * box["height"], steps=6)
        page.mouse.down() if i == 0 else None
    page.mouse.up()
    page.keyboard.up("Shift")
    page.locator(".assay-map .panel .tile img").first.wait_for(timeout=30_000)
    page.wait_for_timeout(1500)  # for the pictures


def confused(page):
    page.locator(".assay-models .matrix td.bad").first.click()
    page.locator(".assay-models .shots .tile img").first.wait_for()


def tab(name, there="[role=tabpanel]:visible"):
    def go(page):
        page.get_by_role("tab", name=name).click()
        page.locator(there).first.wait_for()

    return go


def splitting(page):
    page.locator("[data-part=pictures]").first.click()
    page.locator(".picker .strip img").first.wait_for()
    page.locator(".picker section input").first.check()
    page.get_by_label("the class that they go to").fill("a new class")
    page.locator(".plan", has_text="new class").wait_for()


def session(page):
    page.locator("details summary").first.click()
    page.locator("details .assay-sheet img").first.wait_for()


def life(page):
    page.get_by_role("tab", name="Difference").click()
    page.locator("[role=tabpanel]:visible .assay-sheet a").first.click()
    page.get_by_role("tabpanel").locator("[data-testid=stDataFrame]").last.wait_for()


VIEWS = {  # picture: (page, what is there when it is drawn, what is done before it is taken)
    "overview": ("", ".assay-cards", None),
    "browse": ("browse", BROWSED, None),
    "inspected": ("browse", BROWSED, inspected),
    "doubted": ("browse", BROWSED, doubted),
    "review": ("review", READY, None),
    "explained": ("review", READY, explained),
    "offline": ("review", READY, offline),
    "alike": ("review", READY, alike),
    "map": ("map", ".assay-map[data-painted]", None),
    "circled": ("map", ".assay-map[data-painted]", circled),
    "models": ("models?a=v1/mlp&b=v2/mlp", ".assay-models[data-ready]", None),
    "confused": ("models?a=v1/mlp&b=v2/mlp", ".assay-models[data-ready]", confused),
    "duplicates": ("duplicates", ".assay-duplicates .copy img", None),
    "gaps": ("gaps", ".assay-gap-bar", None),
    "next": ("gaps", ".assay-gap-bar", tab("Label these next", ".assay-grid:visible .many img")),
    "classes": ("classes", ".assay-classes[data-fresh=true] li[data-name]", None),
    "splitting": ("classes", ".assay-classes[data-fresh=true] li[data-name]", splitting),
    "experiments": ("experiments", "nav[aria-label=Contents]", None),
    "audit": ("audit", ".assay-blind img", None),
    "history": ("history", ".assay-timeline", None),
    "session": ("history", ".assay-timeline", session),
    "difference": ("history", ".assay-timeline", tab("Difference")),
    "blame": ("history", ".assay-timeline", life),
}
STILL = """() => document.querySelector('[data-testid=stApp]')?.dataset.testScriptState === 'notRunning'
  && !document.querySelector('[data-testid=stSkeleton]')
  && [...document.images].every(i => i.complete || !i.offsetParent || i.getBoundingClientRect().top > innerHeight)"""


def take(server, chrome, name, size, scheme, file, whole):
    path, ready, act = VIEWS[name]
    page = server.page(
        chrome,
        f"/{path}{'&' if '?' in path else '?'}who=ann",
        viewport=dict(zip(("width", "height"), SIZES[size])),
        color_scheme=scheme,
    )
    try:
        page.wait_for_selector(ready, timeout=60_000)
        if act:
            act(page)
        until(page, STILL)
        page.wait_for_timeout(400)  # a fade
        page.screenshot(path=file, full_page=False)
        if whole:
            tall = page.evaluate(
                "Math.max(...[...document.querySelectorAll('[data-testid=stMain]')].map(e => e.scrollHeight))"
            )
            page.set_viewport_size(dict(width=SIZES[size][0], height=min(4000, tall + 20)))
            page.wait_for_timeout(500)
            page.screenshot(path=file)
        wide = page.evaluate(
            "document.querySelector('[data-testid=stMain]').scrollWidth - innerWidth"
        )
        if wide > 0 or page.failed or page.foreign:
            print(
                f"{name} {size} {scheme}: {wide} px too wide, errors {page.failed}, asked elsewhere {page.foreign}"
            )
    finally:
        page.context.close()


def composed(folder, name, out):
    """One picture for the README: light on a desk, and beside it dark on a telephone."""
    one, two = (
        Image.open(folder / f"{name}-{s}.png").convert("RGB") for s in ("wide-light", "narrow-dark")
    )
    one = one.resize((1200, 750), Image.LANCZOS)
    two = two.resize((round(two.width * 750 / two.height), 750), Image.LANCZOS)
    sheet = Image.new("RGB", (one.width + two.width + 42, 770), "#d9dce1")
    sheet.paste(one, (10, 10))
    sheet.paste(two, (one.width + 32, 10))
    for quality in range(88, 30, -6):
        sheet.save(out, quality=quality, optimize=True)
        if out.stat().st_size < 150_000:
            return


def main():
    p = argparse.ArgumentParser(prog="tests.screenshots", description=__doc__)
    p.add_argument("out", type=Path)
    p.add_argument(
        "bench",
        type=Path,
        nargs="?",
        help="a bench to show; else one is made of the demo's cells (two minutes)",
    )
    p.add_argument("--only", nargs="+", choices=VIEWS, default=list(VIEWS))
    p.add_argument("--sizes", nargs="+", choices=SIZES, default=list(SIZES))
    p.add_argument("--schemes", nargs="+", choices=SCHEMES, default=list(SCHEMES))
    p.add_argument("--whole", action="store_true", help="all of a page, however long")
    p.add_argument("--docs", type=Path, help="where the README's pictures go")
    a = p.parse_args()
    a.out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        if a.bench:
            shutil.copytree(a.bench, Path(folder) / a.bench.name, symlinks=True)
            bench = assay.open(Path(folder) / a.bench.name)
        else:
            bench = build(Path(folder))
        with workbench(bench.path) as server, browser() as chrome:
            for name in a.only:
                for size in a.sizes:
                    for scheme in a.schemes:
                        file = a.out / f"{name}-{size}-{scheme}.png"
                        if (
                            VIEWS[name][0] == "review"
                        ):  # an item is kept ten minutes for the browser that it went to
                            server.kill()
                            server.start()
                        take(server, chrome, name, size, scheme, file, a.whole)
                        print(file, flush=True)
    for name in set(DOCS) & set(a.only) if a.docs else ():
        a.docs.mkdir(exist_ok=True)
        composed(a.out, name, a.docs / f"{name}.jpg")


if __name__ == "__main__":
    main()
