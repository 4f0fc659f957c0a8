"""The first of ten ordinary tasks: from an empty bench and a zip of photographs to a verdict, by the browser alone."""

import re
import zipfile

import numpy as np
import pytest

import assay
from tests.browser import browser, look, stored, until, workbench
from tests.helpers import png
from tests.person import BAR, Person
from tests.screenshots import STILL

REVIEWED, UNDONE = 30, 3
PATIENCE = 900_000  # ms: import, scan and experiment give way to whatever else runs


def zip_solar_cells(file, n=160):
    """A zip of class folders with photographs of solar cells; a seventh is in the wrong one: {name of the file: its class}."""
    from elpv_dataset.utils import load_dataset

    cells, doubt, _ = load_dataset()
    sure = np.flatnonzero(np.isin(doubt, (0, 1)))
    some = np.random.default_rng(0).permutation(sure)[:n]
    names, truth = ("functional", "defective"), {}
    with zipfile.ZipFile(file, "w") as out:
        for i, k in enumerate(some):
            right = int(doubt[k])
            folder = names[1 - right if i % 7 == 0 else right]
            out.writestr(f"cells/{folder}/cell{k:04d}.png", png(cells[k]))
            truth[f"cell{k:04d}.png"] = names[right]
    return truth


def decide(page, person, truth):
    """Look at one photograph, and press the key of what it shows."""
    look(page)
    shown = page.locator('[data-is="name"]').inner_text()
    right = next(label for name, label in truth.items() if name in shown)
    key = {"suggested": "Enter", "given": " "}
    said = {what: page.locator(f'[data-is="{what}"]').inner_text() for what in key}
    person.press(next(key[what] for what in ("given", "suggested") if said[what] == right))
    until(page, f"document.querySelector('[data-is=name]').innerText !== {shown!r}")


@pytest.mark.browser
@pytest.mark.daily
def test_1_a_zip_becomes_a_reviewed_version_and_a_verdict(tmp_path):
    """3 name; 1 tab, 2 file, 1 look, 1 import, 1 scan; 1 page and 30 decisions and 3 undone; 3 commit; 1 page, 1 start."""
    truth = zip_solar_cells(tmp_path / "cells.zip")
    bench = assay.create(tmp_path / "bench")
    with browser() as chrome, workbench(bench.path) as server:
        page = server.page(chrome, "/")
        page.set_default_timeout(60_000)
        person = Person(page)
        fill_the_bench(page, person, tmp_path / "cells.zip")
        assert len(bench.state()) == len(truth) and list(bench.commits().name) == ["v1"]
        person.click(page.locator(f"{BAR} nav a", has_text="Review"))
        for _ in range(REVIEWED):
            decide(page, person, truth)
        person.press(*["Control+z"] * UNDONE)
        stored(page)
        assert reviewed(bench, truth) == REVIEWED - UNDONE
        commit_and_ask(page, person)
        assert list(bench.commits().name) == ["v1", "v2"] and len(bench.runs()) == 20
        assert page.failed == [] and page.foreign == []
        person.took(1, 48)


def fill_the_bench(page, person, file):
    """Say one's name, hand in a zip, look at it, import it, scan it."""
    person.fill(page.get_by_label("Your name"), "ann")
    person.press("Enter")
    page.wait_for_url("**who=ann*")
    until(page, STILL)  # or the file goes to a field that is drawn anew
    person.click(page.get_by_role("tab", name="Upload"))
    until(page, STILL)
    person.choose_file(page.get_by_test_id("stFileUploader").locator("button").first, file)
    person.click(page.get_by_role("button", name="Look at it").locator("visible=true"))
    page.get_by_text("Nothing is imported yet").wait_for(timeout=120_000)
    person.click(page.get_by_role("button", name="Import", exact=True))
    person.click(page.get_by_role("button", name="Scan", exact=True), timeout=PATIENCE)
    page.locator(".assay-todo").wait_for(timeout=PATIENCE)


def reviewed(bench, truth):
    """How many ann has reviewed, each as it really is."""
    state = bench.state()
    hers = state[state.reviewed]
    wrong = [k for k, label in zip(hers.key, hers.label) if truth[k.rpartition("/")[2]] != label]
    assert not wrong
    return len(hers)


def commit_and_ask(page, person):
    """Commit the open work from the bar, start the experiment that is proposed, wait for its verdict."""
    person.click(page.locator(f"{BAR} .work summary"))
    page.get_by_label("what changed").wait_for()
    person.write("reviewed 27")
    person.press("Enter")
    page.locator(f"{BAR} .said", has_text="v2 is committed").wait_for()
    person.click(page.locator(f"{BAR} nav a", has_text="Experiments"))
    start = page.get_by_role("button", name="Start", exact=True)
    start.wait_for()
    until(page, STILL)
    person.click(start)
    page.locator(".assay-answer", has_text=re.compile(r"\w")).first.wait_for(timeout=PATIENCE)
