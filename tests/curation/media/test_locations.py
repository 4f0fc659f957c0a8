"""Benches as they are found after a while: images that lie elsewhere now are found again by their bytes; a file of another schema is named."""

import json
import shutil
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import assay
from assay import UserError
from assay.app.server.review_session import ReviewSession
from assay.curation.formats.base import ImportOptions
from assay.curation.media import relocation
from assay.curation.storage.schema import SCHEMA
from assay.curation.versioning import states
from assay.pipelines.indexing.ingest import ingest
from assay.pipelines.jobs import tasks
from tests.app_test import AppTest
from tests.helpers import PAGES, digits, png, run_assay


def paintings(folder, n=12, side=150):
    """n images too large for the pixel shards to hold whole, half a class each."""
    rng = np.random.default_rng(0)
    for i in range(n):
        place = folder / "ab"[i % 2]
        place.mkdir(parents=True, exist_ok=True)
        (place / f"{i}.png").write_bytes(png(rng.integers(0, 255, (side, side, 3))))
    return folder


@pytest.fixture
def moved(tmp_path):
    """(bench, the folder where its images are now): under other names, one of them gone and one changed."""
    bench = assay.create(tmp_path / "bench")
    ingest(bench, paintings(tmp_path / "here"), "tester")
    now = tmp_path / "there" / "by hand"
    now.mkdir(parents=True)
    for i, file in enumerate(sorted((tmp_path / "here").rglob("*.png"))):
        if i > 1:
            file.rename(now / f"renamed {i}.png")
    (now / "renamed 99.png").write_bytes(png(np.zeros((150, 150, 3))))
    shutil.rmtree(tmp_path / "here")
    return assay.open(bench.path), now.parent


def read(bench):
    """{key: bytes} of the images as the bench finds them."""
    state = bench.state()
    return {k: Path(u).read_bytes() for k, u in zip(state.key, state.uri) if Path(u).exists()}


@pytest.mark.slow
def test_images_are_found_again_by_their_bytes_alone(moved, tmp_path):
    bench, now = moved
    want = {f"{'ab'[i % 2]}/{i}.png": None for i in range(12)}
    paintings(tmp_path / "again")  # the same bytes: what the truth is
    want = {key: (tmp_path / "again" / key).read_bytes() for key in want}
    session, first = ReviewSession(assay.open(bench.path)), bench.state().index[2]
    assert session.thumbnail(first, 200) is None
    log, tree = bench.rows("select count(*) from edits"), states.hash_tree(bench.state())
    assert relocation.count_moved_images(bench)[:2] == (12, 12) and read(bench) == {}
    for folder, word in (
        (tmp_path / "nowhere", "found nothing at"),
        (bench.path, "none by their bytes"),
    ):
        status, _, err = run_assay("relocate", folder, "-b", bench.path)
        assert status == 2 and word in err and relocation.count_moved_images(bench)[0] == 12
    status, out, err = run_assay("relocate", now, "-b", bench.path, "--json")
    out = json.loads(out)
    assert status == 0 and (out["gone"], out["found"], out["left"]) == (12, 10, 2), err
    assert session.thumbnail(first, 200)[:2] == b"\xff\xd8", "who has the bench open sees it too"
    bench = assay.open(bench.path)
    found = read(bench)
    assert (
        len(found) == 10
        and all(blob == want[key] for key, blob in found.items())
        and out["first"] not in found
    )
    assert (
        bench.rows("select count(*) from edits") == log and states.hash_tree(bench.state()) == tree
    )
    assert (
        relocation.relocate_images(bench, tmp_path / "again")
        == dict(gone=2, found=2, left=0, first=None)
        and read(bench) == want
    )
    with pytest.raises(UserError, match="all 12 where they were"):
        relocation.relocate_images(bench, now)


@pytest.mark.slow
def test_a_table_that_holds_the_images_can_have_moved_too(tmp_path):
    digits(20).to_parquet(tmp_path / "old.parquet")
    bench = assay.create(tmp_path / "bench")
    ingest(bench, tmp_path / "old.parquet", "tester", ImportOptions(columns=dict(label="label")))
    assert relocation.count_moved_images(bench) == (0, 20, "")
    table = pd.read_parquet(tmp_path / "old.parquet")
    table.iloc[::-1].to_parquet(tmp_path / "new.parquet")  # its rows in another order
    (tmp_path / "old.parquet").unlink()
    assert relocation.count_moved_images(bench)[:2] == (20, 20)
    relocation.relocate_images(bench, tmp_path / "new.parquet")
    assert relocation.count_moved_images(bench)[0] == 0
    from assay.curation.media.files import content_hash
    from assay.curation.media.originals import read_bytes

    assert all(
        content_hash(read_bytes(r.uri)) == r.content_hash for r in bench.state().itertuples()
    )


def page_of(bench, page):
    def script(path, page):
        import assay
        from assay.app.ui import banners
        from assay.app.ui.page import draw_page

        bench = assay.Bench(path)
        if banners.draw_banners(page, bench):
            draw_page(page, bench)

    return AppTest.from_function(
        script, kwargs=dict(path=str(bench.path), page=page), default_timeout=60
    ).run()


@pytest.mark.daily
@pytest.mark.slow
def test_every_page_with_pictures_says_that_they_have_moved_once(moved):
    for page in PAGES:
        at = page_of(moved[0], page)
        assert not at.exception, [e.value for e in at.exception]
        said = [w.value for w in at.warning if "Images have moved: 12 of 12" in w.value]
        assert len(said) == (page != "experiments"), page


@pytest.mark.slow
def test_the_new_place_is_said_on_overview_and_looked_through_in_the_background(moved):
    bench, now = moved
    at = page_of(bench, "overview")
    next(t for t in at.text_input if t.label == "Where they are now").input(str(now)).run()
    next(b for b in at.button if b.label == "Find them").click().run()
    assert not at.exception
    until = time.monotonic() + 60
    while tasks.list_tasks(bench) and time.monotonic() < until:
        time.sleep(0.05)
    (said,) = [
        w.value for w in page_of(bench, "overview").warning if "Images have moved" in w.value
    ]
    assert said.startswith("Images have moved: 2 of 12")


@pytest.mark.daily
@pytest.mark.slow
def test_every_page_of_another_schema_says_so_and_no_more(bench):
    with bench.transaction() as con:
        con.execute("update meta set value = '99' where key = 'schema'")
    for page in PAGES:
        at = page_of(bench, page)
        assert not at.exception and [e.value.replace("\\", "") for e in at.error][0].startswith(
            f"expected a bench of schema {SCHEMA}"
        ), page
        assert not at.markdown and not at.button
    status, _, err = run_assay("app", "-b", bench.path)
    assert status == 2 and "found schema 99" in err and "hint: " in err
