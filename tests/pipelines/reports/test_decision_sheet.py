"""The page to decide from: opened as a file in a real browser, decided by keys and clicks, read back by `assay edit`."""

import json
import re

import pytest

from tests.browser import browser
from tests.helpers import bench_of, digits, run_assay

ODD = '=3, "<b>three</b>"'  # a class that a spreadsheet would run, a CSV must quote, and a page must escape


@pytest.fixture
def odd(tmp_path):
    """300 digits whose threes have an odd name, scanned."""
    from assay.pipelines.indexing.scan import ScanOptions, scan

    table = digits(300)
    table["label"] = table.label.replace("3", ODD)
    bench = bench_of(table, tmp_path, audited_test=True)
    scan(bench, ScanOptions(embedder="pixels"), say=lambda line: None)
    return bench


def write_sheet(bench, folder, n=12):
    sheet = folder / "sheet.html"
    status, out, err = run_assay(
        "queue", "-n", n, "--html", sheet, "-b", bench.path, "--who", "ann"
    )
    assert status == 0 and "assay edit decisions.csv --who ann" in out, err
    return sheet


@pytest.mark.slow
def test_the_page_asks_nobody_for_anything_and_shows_no_test_sample(odd, tmp_path):
    text = write_sheet(odd, tmp_path, n=300).read_text()
    assert not re.findall(r"""(?:src|href)=["'](?!data:image/jpeg;base64,)""", text)
    assert "<b>three" not in text and "&lt;b&gt;three" in text
    shown = set(re.findall(r'data-sample="(\w+)"', text))
    assert shown and not shown & set(odd.frame(split="test").index)
    assert text.count("data:image/jpeg;base64,") == len(shown), "a picture each"


@pytest.mark.slow
def test_the_json_of_a_sheet_is_the_queue(odd, tmp_path):
    sheet = tmp_path / "sheet.html"
    _, out, _ = run_assay("queue", "-n", 5, "--html", sheet, "--json", "-b", odd.path)
    assert len(json.loads(out)["rows"]) == len(odd.queue(n=5)) and sheet.exists()
    status, _, err = run_assay("queue", "--html", tmp_path / "no" / "s.html", "-b", odd.path)
    assert status == 2 and "make the folder" in err


@pytest.mark.browser
def test_decisions_go_from_the_sheet_to_the_log(odd, tmp_path):
    sheet, before = write_sheet(odd, tmp_path), odd.state()
    with browser() as running:
        page = running.new_page()
        asked, failed = [], []
        page.on("request", lambda r: r.url.startswith(("file:", "data:", "blob:")) or asked.append(r.url))  # fmt: skip
        page.on("pageerror", lambda e: failed.append(str(e)))
        page.on("console", lambda m: m.type == "error" and failed.append(m.text))
        page.goto(sheet.as_uri())
        cards = page.locator(".card")
        ids = [cards.nth(i).get_attribute("data-sample") for i in range(cards.count())]
        assert page.locator("#save").is_disabled()
        page.keyboard.press(" ")  # the first card has the keys; each answer goes to the next
        page.keyboard.press("Enter")
        page.keyboard.press("n")
        page.keyboard.press("d")
        page.keyboard.press("1")  # the first class of the list
        page.keyboard.press(" ")
        page.keyboard.press("ArrowLeft")
        page.keyboard.press("u")  # taken back
        cards.nth(6).locator("select").select_option(ODD)
        cards.nth(7).get_by_role("button", name="not sure").click()
        cards.nth(8).get_by_role("button", name="right").click()
        cards.nth(8).get_by_role("button", name="right").click()  # and taken back
        assert "7 of" in page.locator("#count").inner_text()
        with page.expect_download() as download:
            page.get_by_role("button", name="Save decisions").click()
        file = tmp_path / "decisions.csv"
        download.value.save_as(file)
        assert "saved" in page.locator("#count").inner_text() and asked == failed == []
    status, out, err = run_assay("edit", file, "--who", "ann", "--json", "-b", odd.path)
    told, state = json.loads(out), odd.state()
    assert status == 0 and told["samples"] == 7 and told["unsure"] == 2, err
    assert state.verdict[ids[0]] == "confirm" and state.label[ids[0]] == before.label[ids[0]]
    suggested = odd.rows("select suggested ->> 'suggested_label' from edits where sample = ? and who = 'ann'", [ids[1]])  # fmt: skip
    assert state.label[ids[1]] == suggested[0][0] != before.label[ids[1]]
    assert state.verdict[ids[2]] == state.verdict[ids[7]] == "unsure" and not state.keep[ids[3]]
    assert (state.label[ids[4]], state.label[ids[6]]) == ("0", ODD)
    assert not state.reviewed[ids[5]] and not state.reviewed[ids[8]], "taken back on the page"
    seconds, hint = odd.rows("select seconds, suggested from edits where sample = ? and who = 'ann'", [ids[2]])[0]  # fmt: skip
    assert 0 <= seconds < 60 and json.loads(hint)["reason"] and "random" in json.loads(hint)


@pytest.mark.daily
@pytest.mark.browser
def test_a_class_that_is_a_digit_has_its_own_key(tmp_path):
    """As in the workbench: 7 is the seven, and not the seventh class."""
    from assay.pipelines.indexing.scan import ScanOptions, scan

    bench = bench_of(digits(300), tmp_path, audited_test=True)
    scan(bench, ScanOptions(embedder="pixels"), say=lambda line: None)
    with browser() as running:
        page = running.new_page()
        page.goto(write_sheet(bench, tmp_path).as_uri())
        given = page.locator(".card").first.get_attribute("data-given_label")
        wanted = "7" if given != "7" else "0"
        page.keyboard.press(wanted)
        assert page.locator(".card").first.locator(".said").inner_text() == f"→ {wanted}"


@pytest.mark.browser
@pytest.mark.daily
def test_decisions_outlive_a_reload_and_another_sheet_has_none_of_them(odd, tmp_path):
    sheet = write_sheet(odd, tmp_path)
    with browser() as running:
        page = running.new_page()
        page.goto(sheet.as_uri())
        n = page.locator(".card").count()
        page.keyboard.press(" ")
        page.keyboard.press("n")
        page.reload()
        count, cards = page.locator("#count"), page.locator(".card")
        assert count.inner_text() == f"2 of {n} decided, not saved yet"
        assert cards.nth(1).locator(".said").inner_text() == "not sure"
        with page.expect_download() as download:
            page.get_by_role("button", name="Save decisions").click()
        download.value.save_as(tmp_path / "decisions.csv")
        page.reload()
        assert count.inner_text() == f"2 of {n} decided, saved before"
        assert run_assay("edit", tmp_path / "decisions.csv", "--who", "ann", "-b", odd.path)[0] == 0
        page.goto(write_sheet(odd, tmp_path).as_uri())
        assert count.inner_text().startswith("0 of")
