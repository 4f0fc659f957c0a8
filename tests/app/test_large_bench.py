"""The pages of a large bench, which lie in parts, answer as those of a small one."""

import json
from contextlib import closing, contextmanager

import pytest

from assay.app.server import review_session
from assay.app.server.called_wrong import list_called_wrong
from assay.app.server.class_view import ClassView
from assay.app.server.explanations import serve_sample
from assay.app.server.review_session import ReviewSession
from assay.app.server.sample_details import describe_sample
from assay.curation.review import live_excerpt
from assay.curation.review.exemplars import list_exemplars
from assay.curation.review.partitioned_status import read_reviewed
from assay.curation.review.progress_curve import trace_errors_left
from assay.curation.versioning import state_building, state_parts
from assay.curation.versioning.class_list import list_classes
from assay.pipelines.indexing.scan import ScanOptions, scan
from tests.app.test_browse_routes import Page
from tests.app.test_review import press
from tests.browser import Workbench, until
from tests.decisions import decide
from tests.helpers import bench_of, copied, digits, truth_of


@pytest.fixture(scope="module")
def once(tmp_path_factory):
    bench = bench_of(digits(600), tmp_path_factory.mktemp("once"))
    scan(bench, ScanOptions(embedder="pixels"), say=lambda line: None)
    state = bench.state()
    free = state.index[state["split"].isin(("train", "val"))]
    decide(bench, "ann", *(dict(sample=s, label=truth_of(bench)[s]) for s in free[:30]))
    decide(bench, "bob", *(dict(sample=s, tag="called wrong") for s in free[30:33]))
    decide(bench, "bob", *(dict(sample=s, keep="false") for s in free[33:36]))
    return bench


@contextmanager
def in_parts(large):
    """Work on benches as on large ones, or as ever."""
    with pytest.MonkeyPatch.context() as patch:
        if large:
            patch.setattr(state_parts, "ROWS", 90)
            patch.setattr(state_building, "LARGE", 1)
            patch.setattr(live_excerpt, "MOST", 400)
            patch.setattr(review_session, "AHEAD", 40)
        yield


def ask_both(once, folder, ask):
    """What is answered of the bench as ever, and in parts."""
    out = []
    for large in (False, True):
        with in_parts(large):
            out.append(ask(copied(once, folder / f"{large}")))
    return out


def walk(bench):
    """What Browse shows, before and after an act."""
    page = Page(bench)
    with closing(page.session):
        out = []
        for asked in (
            dict(), dict(q=["label = '3'", "split = 'train'"]), dict(sort="score desc"), dict(group="label"),
            dict(group="pair"), dict(q="flagged"), dict(s="d01"), dict(q="reviewed", sort="key"),
        ):  # fmt: skip
            header, found = page.order(**asked)
            tiles = page.get(f"tiles/{header['of']}/0").json()
            shown = {c: [v["values"][k] for k in v["codes"]] for c, v in tiles["rows"].items()}
            out.append(
                (
                    header["total"],
                    header["groups"],
                    header["notes"],
                    found.tolist(),
                    tiles["ids"],
                    shown,
                )
            )
        facets = page.get(
            "facets", q="split <> 'test'", name=["label", "split", "decision", "score", "issues"]
        ).json()
        about = page.get("browse").json()
        done = page.act(range(5, 45), batch="edit-0123456789ab", decision=dict(tag="seen"))
        after = page.order(q="has(tags, 'seen')")[1].tolist()
        return (
            out,
            facets,
            {k: about[k] for k in ("columns", "classes", "all")},
            done["samples"],
            after,
        )


def test_browse_shows_and_does_the_same(once, tmp_path):
    small, large = ask_both(once, tmp_path, walk)
    for found, expected in zip(large, small, strict=True):
        assert found == expected


def test_what_is_said_of_a_sample_is_the_same(once, tmp_path):
    def describe(bench):
        state = bench.state()
        some = [*state.index[[3, 40, 80, 81]], *state.index[(state["split"] == "test")][:1]]
        out = [describe_sample(bench, s, "ann", {}) for s in some]
        out += [serve_sample(bench, s) for s in some[:2]]
        return (
            json.dumps(out),
            list_called_wrong(bench),
            list_classes(bench),
            bench.classes().to_csv(),
        )

    small, large = ask_both(once, tmp_path, describe)
    assert large == small


@pytest.mark.daily
def test_classes_assignments_and_the_queue_of_a_filter_are_the_same(once, tmp_path):
    def ask(bench):
        session = ReviewSession(bench)
        with closing(session):
            classes = ClassView(session).describe()
        classes.pop("fresh")  # whether the session was quick
        for row in classes["classes"]:
            row.pop("accuracy")
        state, population = read_reviewed(bench)
        queues = [
            bench.queue(30, where=w)
            for w in ("label = '3'", "flagged", "reviewed", "has(tags, 'called wrong')")
        ]
        assigned = bench.assign("zoe", where="label = '7' and split = 'train'", who="ann")
        return (
            json.dumps(classes), trace_errors_left(bench, state, population=population),
            [(queue.to_csv(), queue.attrs) for queue in queues], {k: v for k, v in assigned.items() if k != "batch"},
            bench.assignments().drop(columns="saved").to_csv(), list_exemplars(bench),
        )  # fmt: skip

    small, large = ask_both(once, tmp_path, ask)
    for found, expected in zip(large, small, strict=True):
        assert found == expected


class LargeWorkbench(Workbench):
    MODULE = "tests.large_app"


@pytest.mark.browser
@pytest.mark.slow
def test_a_large_bench_is_browsed_and_reviewed_in_a_browser(once, tmp_path, chrome):
    bench = copied(once, tmp_path / "large")
    running = LargeWorkbench(bench.path).start()
    try:
        page = running.page(chrome, "/browse?who=ann")
        until(page, "document.querySelector('.assay-browse')?.dataset.painted", seconds=120)
        page = running.page(chrome, "/review?who=ann")
        shown = page.locator('[data-is="rests-on"]')
        rests = """document.querySelector('[data-is="rests-on"]')?.textContent"""
        until(page, f"{rests}?.includes('of 600 samples')", seconds=120)
        assert "judged anew" in shown.inner_text()
        before = page.locator('[data-is="name"]').inner_text()
        press(page, ["Enter"])
        name = """document.querySelector('[data-is="name"]').textContent"""
        until(page, f"{name} !== {json.dumps(before)}")
    finally:
        running.kill()
