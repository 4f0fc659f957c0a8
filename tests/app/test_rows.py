"""Rows of a table in the browser: each value beside its class, neighbours by what differs, decided by one key."""

import numpy as np
import pandas as pd
import pytest

import assay
from assay.app.server.review_session import ReviewSession
from assay.pipelines.indexing.scan import ScanOptions, scan
from tests.browser import find_barriers, stored, until
from tests.helpers import silent

READY = '.assay-review[data-seen="yes"] .picture article.row'
HOSTILE = "<img src=x onerror=\"document.title='run'\"> مدينة 🐈"


def write_rows(n=160, wrong=6):
    """Loans: who earns much and is never late gets one; the first few of train have the other's label."""
    rng = np.random.default_rng(0)
    good = np.arange(n) % 2 == 0
    table = pd.DataFrame(
        dict(
            id=[f"r{i}" for i in range(n)],
            income=np.where(good, 5_000, 2_000) + rng.integers(0, 900, n),
            late=np.where(good, 0, 4) + rng.integers(0, 2, n),
            city=np.where(rng.random(n) < 0.5, "Bonn", "Köln"),
            home=np.where(good, "own", "rent"),
            since=[f"20{10 + i % 12}-03-0{1 + i % 9}" for i in range(n)],
            loan=np.where(good, "yes", "no"),
            split=[("train", "train", "train", "val", "test")[i // 2 % 5] for i in range(n)],
        )
    )
    table["truth"] = table.loan
    swapped = table.index[table["split"] == "train"][:wrong]
    table.loc[swapped, "loan"] = table.loan[swapped].map(dict(yes="no", no="yes"))
    table.loc[:11, "city"] = HOSTILE
    table.loc[1, "income"] = None
    return table


@pytest.fixture(scope="module")
def bench(tmp_path_factory):
    place = tmp_path_factory.mktemp("rows")
    write_rows().drop(columns="truth").to_csv(place / "loans.csv", index=False)
    columns = dict(label="loan")
    found = assay.create(place / "bench").add(place / "loans.csv", columns=columns, progress=False)
    scan(found, ScanOptions(), say=silent)
    return found


def test_each_value_stands_beside_its_class_and_the_suggested_one(bench):
    session = ReviewSession(bench)
    session.rescore()
    table = write_rows().set_index("id")
    open_rows = table[table["split"].isin(["train", "val"])]
    rows = {row["name"]: row for row in session.next_rows("0" * 16)}
    assert {"r0", "r2", "r4"} <= rows.keys(), "the wrong ones come first"
    name, value, mine, theirs, odd = rows["r2"]["cells"][3]
    share = (open_rows.home[open_rows.loan == "no"] == "own").mean()
    assert (name, value, mine) == ("home", "own", f"{share:.1%} have it")
    assert theirs == f"{(open_rows.home[open_rows.loan == 'yes'] == 'own').mean():.1%} have it"
    assert not odd
    near = rows["r2"]["near"][0]
    differing = [column for column, _, differs in near["cells"] if differs]
    other = table.loc[bench.state().key[near["sample"]]]
    columns = ["income", "late", "city", "home", "since"]
    assert sorted(differing) == sorted(c for c in columns if other[c] != table.loc["r2", c])
    session.close()


def test_a_row_is_a_card_where_pages_show_pictures(bench):
    session = ReviewSession(bench)
    session.rescore()
    assert session.thumbnail(bench.state().index[0], 128).startswith(b"\xff\xd8"), "a JPEG"
    session.close()


@pytest.mark.browser
@pytest.mark.slow
def test_a_row_is_read_and_decided_by_one_key_and_never_run(bench, server, chrome):
    page = server.page(chrome, "/review?who=ann")
    page.wait_for_selector(READY, timeout=120_000)
    until(page, "document.querySelectorAll('.near span.row').length > 1")
    cells = page.locator(".picture article.row tbody tr td:nth-child(2)").all_inner_texts()
    name = page.locator(".picture article.row caption").inner_text()
    shown = write_rows().set_index("id").loc[name]
    assert cells == [f"{shown.income:,.0f}", str(shown.late), HOSTILE, shown.home, shown.since]
    assert "run" not in page.title() and not page.locator(".picture img").count()
    assert find_barriers(page) == []
    page.keyboard.press("Enter")
    stored(page)
    assert list(bench.state().key[bench.state().reviewed]) == [name]
    assert not page.failed and not page.foreign
    page.context.close()
