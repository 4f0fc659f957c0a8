"""The import page: what a source would be is seen first, asked where it is not clear, then imported."""

import json
import zipfile

import pytest

import assay
from tests.app_test import AppTest
from tests.browser import browser, workbench
from tests.layouts.base import make_pictures


def batches(root):
    for i, p in enumerate(make_pictures(24)):
        place = root / f"2024-0{1 + i % 2}" / p.label / f"{p.name}.png"
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(p.png)
    (root / "scan.dcm").write_bytes(bytes(128) + b"DICM")
    return root


def draw(path):
    import assay
    from assay.app.ui.import_form import draw_import_form

    draw_import_form(assay.open(path))


def test_a_source_is_seen_before_it_is_imported(tmp_path):
    bench = assay.create(tmp_path / "bench")
    page = AppTest.from_function(draw, args=(str(bench.path),), default_timeout=60).run()
    page.text_input[1].set_value(str(batches(tmp_path / "<b>zoo"))).run()
    (look,) = [b for b in page.button if b.label == "Look at it" and not b.disabled]
    look.click().run()
    assert "2 levels deep" in page.warning[0].value and len(bench.state()) == 0
    words = [m.value for m in page.markdown]
    assert any("2024" in w and "level 1" in w for w in words)
    [b for b in page.button if b.label == "Read it so"][1].click().run()
    told = " ".join(m.value for m in page.markdown)
    assert "24 samples" in told and "3 classes" in told and "Nothing is imported yet" in told
    assert "DICOM is not read" in told.replace("\\", "") and "<b>" not in told
    assert set(page.dataframe[0].value["class"]) == {"ape", "bee", "cow"}
    assert not page.exception and len(bench.state()) == 0


def test_what_cannot_be_read_is_said(tmp_path):
    bench = assay.create(tmp_path / "bench")
    page = AppTest.from_function(draw, args=(str(bench.path),), default_timeout=60).run()
    page.text_input[1].set_value(str(tmp_path / "nowhere")).run()
    [b for b in page.button if b.label == "Look at it" and not b.disabled][0].click().run()
    assert "found nothing" in page.error[0].value and not page.exception


@pytest.mark.browser
@pytest.mark.daily
def test_a_person_chooses_a_reading_and_imports(tmp_path):
    bench = assay.create(tmp_path / "bench")
    root = batches(tmp_path / "zoo")
    with browser() as chrome, workbench(bench.path) as server:
        page = server.page(chrome, "/?who=ann")
        page.get_by_label("Path").fill(str(root))
        page.get_by_label("Path").press("Enter")
        page.get_by_role("button", name="Look at it").first.click()
        page.get_by_text("2 levels deep").wait_for(timeout=60_000)
        page.get_by_role("button", name="Read it so").nth(1).click()
        page.get_by_text("Nothing is imported yet").wait_for(timeout=60_000)
        assert "second folder (3 classes)" in page.locator("body").inner_text()
        page.get_by_role("button", name="Import", exact=True).click()
        page.locator(".assay-cards").wait_for(timeout=120_000)
        assert page.foreign == [] and page.failed == []
    state = bench.state()
    assert {k.split("/")[1] for k in state.key} == set(state.label) == {"ape", "bee", "cow"}
    assert json.loads(state.meta.iloc[0])["folder_1"].startswith("2024")


@pytest.mark.browser
@pytest.mark.daily
def test_a_file_chosen_right_after_the_name_is_kept(tmp_path):
    bench, root = assay.create(tmp_path / "bench"), batches(tmp_path / "zoo")
    with zipfile.ZipFile(tmp_path / "zoo.zip", "w") as out:
        for file in root.rglob("*.png"):
            out.write(file, file.relative_to(root))
    with browser() as chrome, workbench(bench.path) as server:
        page = server.page(chrome, "/")
        page.get_by_role("tab", name="Upload").click()
        page.get_by_label("Your name").fill("ann")
        with page.expect_file_chooser() as chosen:  # the click takes the name along
            page.locator("[data-testid=stFileUploaderDropzone] button").click()
        chosen.value.set_files(tmp_path / "zoo.zip")
        page.wait_for_url("**who=ann**")
        page.get_by_text("zoo.zip").wait_for(timeout=30_000)
        page.get_by_role("button", name="Look at it").locator("visible=true").click()
        page.get_by_text("2 levels deep").wait_for(timeout=60_000)
        assert page.failed == []
