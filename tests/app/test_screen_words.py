"""What pages say, counted by hand: reviews of a version, names on a time line, commands, one of a thing."""

import re
import shlex
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pandas as pd
import pytest

import assay
from assay.app.pages.overview import status_cards
from assay.app.server import gap_cards
from assay.app.server.browse_view import open_view
from assay.app.server.review_session import open_session
from assay.app.ui.gap_list import bar_html, pool_options
from assay.app.ui.session_list import timeline_html
from assay.app.ui.todo_list import todo_line
from assay.curation.review.label_noise import describe_noise
from assay.curation.review.progress_curve import trace_accuracy
from assay.curation.slicing.gap_text import say_errors
from assay.curation.slicing.gaps import find_gaps
from assay.pipelines.indexing.scan import ScanOptions, scan
from tests.app_test import AppTest
from tests.helpers import PAGES, run_assay, silent


def test_a_version_counts_the_reviews_that_it_holds_and_none_that_was_undone(bench):
    train = bench.frame().query("split == 'train'").index
    bench.commit("first", "ann")
    bench.edit(pd.DataFrame(dict(sample=train[:9], verdict="confirm")), "ann")
    bench.commit("nine", "ann", name="nine")
    bench.undo(who="ann")
    bench.edit(pd.DataFrame(dict(sample=train[5:7], verdict="confirm")), "ann")
    bench.commit("two", "ann", name="two")
    rows = [(v, "mlp", 0.5, 0.4, 0.6) for v in ("v1", "nine", "two")]
    judged = pd.DataFrame(rows, columns=["version", "arch", "accuracy", "low", "high"])
    points = trace_accuracy(bench, judged)
    assert [(p.name, p.reviewed) for p in points] == [
        ("v1 mlp", 0),
        ("nine mlp", 9),
        ("two mlp", 2),
    ]


def test_versions_named_within_a_minute_share_a_line_and_a_late_one_has_its_own():
    start = datetime(2026, 12, 1, 12, tzinfo=UTC).replace(tzinfo=None)
    hour = [start, start + timedelta(hours=1)]
    session = SimpleNamespace(
        who="ann", first=hour[0], last=hour[1], counts=dict.fromkeys("reviewed relabelled unsure dropped tagged moved classes taken_back".split(), 1)
    )  # fmt: skip
    close = [start + timedelta(seconds=s) for s in (1, 2, 3)]
    commits = pd.DataFrame(dict(name=["v1", "random", "v2", "late"], ts=[*close, hour[1]]))
    names = re.findall(r"<u [^>]*><span>(.*?)</span>", timeline_html([session], commits))
    assert names == ["v1, random, v2", "late"]


@pytest.mark.slow
def test_no_page_shows_a_command_with_marks_that_only_markdown_needs(scanned):
    def script(path, page):
        import assay
        from assay.app.ui.page import draw_page

        draw_page(page, assay.open(path))

    shown = []
    for page in PAGES:
        kwargs = dict(path=str(scanned.path), page=page)
        at = AppTest.from_function(script, kwargs=kwargs, default_timeout=60)
        at.query_params["who"] = "ann"
        shown += [code for c in at.run().caption for code in re.findall(r"`([^`]+)`", c.value)]
    assert any(str(scanned.path) in code for code in shown)
    assert [code for code in shown if re.search(r"\\[/.-]", code)] == []


def test_a_pool_of_rows_comes_in_by_the_command_of_its_gap_which_draws_no_rate_of_nothing(tmp_path):
    n = 240
    table = pd.DataFrame(dict(pay=range(n), home=["own", "rent"] * (n // 2)))
    table["loan"] = ["yes" if i > n // 2 else "no" for i in range(n)]
    table.loc[(table.loan == "yes") & (table.index % 40 != 0), "home"] = "own"
    table.to_csv(tmp_path / "loans.csv", index=False)
    bench = assay.create(tmp_path / "bench").add(
        tmp_path / "loans.csv", columns=dict(label="loan"), progress=False
    )
    scan(bench, ScanOptions(), say=silent)
    rows = find_gaps(bench).query("val == 0")
    assert len(rows), "a combination that val lacks"
    seen = open_view(open_session(bench.path)).refresh()
    card = gap_cards.make_card(bench, seen, rows.iloc[0].to_dict())
    assert card.act == "pool" and "No val label" in bar_html(card)
    table.drop(columns="loan").head(20).assign(pay=-1).to_csv(tmp_path / "more.csv", index=False)
    out = run_assay("import", tmp_path / "more.csv", *pool_options(bench), "-b", bench.path)
    assert out[0] == 0 and "20 samples added" in out[1], out
    assert shlex.join(pool_options(bench)) == "--label-column none"


def test_one_of_a_thing_is_said_as_one():
    review = dict(reviewed=1, wrong=1, errors_left=None)
    status = dict(review=review, issues=dict(label=1), splits=dict(train=1), samples=1, dropped=0, runs=1)  # fmt: skip
    cards = [f"{value} {words}" for value, words in status_cards(status, 1)]
    assert {"1 class", "1 run", "1 reviewed, of which 1 was wrong"} <= set(cards)
    assert "1 label that the model doubts and nobody has reviewed" in cards
    assert ">Review it<" in todo_line("label", 1, (), ["review", "browse"])
    row = dict(unit="sample", errors=0, val=1)
    assert say_errors(row) == "0 of 1 val label is predicted otherwise"
    nobody = dict(wrong=0, n=0, unsure=0, share=None)
    assert describe_noise(nobody, "test") == "no test label has been audited yet"
