"""Pages in a real browser, each from what it shows to what the log says: gaps, the map, experiments; what they explain counted by hand."""

import os
import re
import signal
import time
from urllib.parse import parse_qs, urlsplit

import numpy as np
import pytest

import assay
from assay.curation.slicing import gaps
from assay.pipelines.indexing.scan import ScanOptions, scan
from assay.pipelines.jobs import job_files
from tests.browser import look_through, workbench
from tests.helpers import bench_of, digits


def poor(folder):
    """600 digits without an error, of whose threes train has but every tenth; the others are in the pool, without a label, among others."""
    table = digits(600, wrong=0)
    three, train = table.truth == "3", table.split == "train"
    away = train & np.where(three, np.arange(600) % 10 > 0, np.arange(600) % 8 == 0)
    table.loc[away, ["label", "split"]] = [None, "pool"]
    bench = bench_of(table, folder, audited_test=True)
    scan(bench, ScanOptions(embedder="pixels"), say=lambda line: None)
    return bench


@pytest.mark.daily
def test_more_like_a_gap_is_labelled_as_one_batch_and_the_gap_is_guarded(tmp_path, chrome):
    bench = poor(tmp_path)
    found = gaps.find_gaps(bench)
    name = found.gap.iloc[0]
    assert name.startswith(("under-represented", "rare")) and "class 3" in name, (
        "what was taken away stands first, and the page opens on it"
    )
    before, version = bench.state(), bench.rows("select max(seq) from edits")[0][0]
    with workbench(bench.path) as server:
        page = server.page(chrome, "/gaps?who=ann")
        card = page.locator(".st-key-gap-card-1")
        card.get_by_text(name.partition(": ")[2]).first.wait_for()
        assert card.locator("figure img").count() == 4
        label = card.locator(".assay-gap-bar").get_attribute("aria-label")
        row = found.set_index("gap").loc[name]
        assert f"{row.rate:.0%} [{row.low:.0%}, {row.high:.0%}]" in label
        link = card.get_by_role("link").get_attribute("href")
        where = parse_qs(urlsplit(link).query)["q"][0]
        assert set(assay.open(bench.path).samples(where=where)["sample"]) == set(gaps.gap_members(bench, name))  # fmt: skip
        card.get_by_role("button", name=re.compile("more in the pool")).click()
        page.locator(".assay-grid:visible .many img").first.wait_for()
        page.get_by_text("How is this known?").click()
        page.locator(
            ".assay-told", has_text=f"wrong about {row.errors} of its {row.val} validation images"
        ).wait_for()
        page.get_by_text("How is this known?").click()
        page.locator(".assay-told").first.wait_for(state="hidden")  # it gives back the keyboard
        box = page.get_by_role("combobox", name="Their class").first
        box.evaluate(
            "e => e.scrollIntoView({ block: 'center' })"
        )  # a page that scrolls closes its lists
        page.wait_for_timeout(500)
        box.click()
        page.get_by_role("option", name="3", exact=True).wait_for()
        page.keyboard.type("3")
        page.keyboard.press("Enter")
        page.get_by_text("label 3 and train on them").wait_for()
        page.locator(".assay-grid:visible").get_by_text("select all").click()
        look_through(page)
        pictures = page.locator(".assay-grid:visible .many button")
        n, out = pictures.count(), pictures.nth(0).get_attribute("title").split("\n")[0]
        page.locator(".assay-grid:visible .ask").nth(1).click()
        page.locator(".assay-grid:visible .told p", has_text="It has no label").wait_for()
        pictures.nth(0).click()
        page.get_by_text(f"label 3 and train on them ({n - 1})").click()
        until = time.monotonic() + 60
        while (
            not bench.rows("select count(*) from edits where who = 'ann'")[0][0]
            and time.monotonic() < until
        ):
            time.sleep(0.1)
        state = bench.state()
        came = state.index[(state.split == "train") & (before.split == "pool")]
        assert (
            len(came) == n - 1 > 20
            and set(state.label[came]) == {"3"}
            and out not in set(state.key[came])
        )
        assert bench.rows(
            "select count(distinct batch) from edits where who = 'ann' and seq > ?", [version]
        ) == [(1,)]

        page.get_by_role("tab", name="Label these next").click()
        page.get_by_text("the suggestions are right: train on them").wait_for()
        pool = set(bench.state().query("split == 'pool' and keep").key)
        named = {
            b.get_attribute("title").split("\n")[0]
            for b in page.locator(".assay-grid:visible .many button").all()
        }
        assert len(named) > 10 and named <= pool, "the pool alone is asked"

        page.reload()
        page.get_by_role("button", name="All about it").first.click()
        page.get_by_text("Guard this").click()
        page.get_by_label("Name of the set").fill("threes")
        page.get_by_label("Name of the set").press("Enter")
        page.get_by_role("button", name="Freeze").click()
        until = time.monotonic() + 60
        while not (bench.state().split == "guard").any() and time.monotonic() < until:
            time.sleep(0.2)
        frozen = bench.state()
        assert (frozen.split == "guard").sum() >= 5 and set(
            before.split[frozen.index[frozen.split == "guard"]]
        ) <= {"val", "pool", "train"}
        assert page.foreign == [] and page.failed == []


@pytest.mark.daily
def test_an_experiment_goes_on_when_its_browser_and_server_are_gone_and_stop_stops_it(
    scanned, chrome
):
    def job():
        return next((j for j in job_files.list_jobs(scanned) if "runs" in j), {})

    def until(state):
        end = time.monotonic() + 90
        while job().get("state") != state and time.monotonic() < end:
            time.sleep(0.1)
        assert job().get("state") == state, job()

    with workbench(scanned.path) as server:
        page = server.page(chrome, "/experiments?who=ann")
        page.get_by_label("Seeds").fill("50")
        page.get_by_label("Seeds").press("Enter")
        page.get_by_text("100 runs, 100 to train.").wait_for()
        page.get_by_role("button", name="Start").click()
        until("running")
        try:
            page.context.close()
            server.kill()
            done = job().get("trained", 0)
            end = time.monotonic() + 90
            while job().get("trained", 0) <= done and time.monotonic() < end:
                time.sleep(0.1)
            assert job()["state"] == "running" and job()["trained"] > done, (
                "nobody looks, and it goes on"
            )
            server.start()
            page = server.page(chrome, "/experiments?who=ann")
            page.get_by_role("button", name="Stop").click()
            until("stopped")
            trained = len(scanned.runs())
            time.sleep(1)
            assert len(scanned.runs()) == trained, "its workers are gone with it"
        finally:
            if job().get("state") == "running":
                os.kill(job()["pid"], signal.SIGKILL)
    assert 0 < len(scanned.runs()) < 100, "what was trained stays"
