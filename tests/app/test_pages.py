"""Every page on benches as they come: empty, tiny, of one class or a thousand, hostile, broken, moved; and what the pages let one do."""

import time

import numpy as np
import pandas as pd
import pytest

import assay
from assay.app.ui.page import WITHOUT_SAMPLES
from assay.pipelines.indexing import draw_map
from assay.pipelines.indexing.scan import ScanOptions, scan
from tests.app_test import AppTest
from tests.helpers import PAGES, bench_of, digits, png


def quiet(line):
    pass


def opened(bench, page, **query):
    """A page as Streamlit runs it, without a browser."""

    def script(path, page):
        import assay
        from assay.app.ui.page import draw_page

        draw_page(page, assay.open(path))

    at = AppTest.from_function(
        script, kwargs=dict(path=str(bench.path), page=page), default_timeout=60
    )
    for key, value in query.items():
        at.query_params[key] = value
    return at.run()


def sound(at):
    assert not at.exception, [e.value for e in at.exception]
    return at


def noise(n, classes, **more):
    rng = np.random.default_rng(0)
    image = [png(rng.integers(0, 255, (8, 8, 3))) for _ in range(n)]
    return pd.DataFrame(
        dict(
            id=[f"s{i}" for i in range(n)],
            image=image,
            label=[classes[i % len(classes)] for i in range(n)],
            **more,
        )
    )


@pytest.fixture(scope="module")
def odd(tmp_path_factory):
    """{what is odd about it: bench}"""
    folder, out = tmp_path_factory.mktemp("odd"), {}
    out["empty"] = assay.create(folder / "empty")
    out["not scanned"] = bench_of(digits(60), folder / "unscanned")
    tables = {
        "3 samples": noise(3, ["a", "b", "a"], split=["train", "train", "train"]),
        "1 class": noise(
            40, ["only", "only", "only", "gone"], split=["train", "val", "test", "train"] * 10
        ),
        "hostile": noise(
            60,
            ["<script>window.ran=1</script>", "=1+1", "a\u202eb", "`x` $y$ :red[z]"],
            split=["train", "val", "train", "test"] * 15,
        ),
    }
    for name, table in tables.items():
        out[name] = bench_of(table, folder / name)
        if name == "1 class":
            state = out[name].state()
            out[name].edit(
                pd.DataFrame(dict(sample=state.index[state.label == "gone"], label="only")),
                "tester",
            )
        try:
            scan(out[name], ScanOptions(embedder="pixels"), say=quiet)
            draw_map.draw_map(out[name], quiet)
        except (
            assay.UserError
        ):  # one class or three samples: nothing to judge, and the pages say so
            pass
    return out


@pytest.fixture(scope="module")
def many(tmp_path_factory):
    """A bench of 500 classes; fewer images than those of which UMAP draws a map beside us."""
    names, splits = [f"class {i}" for i in range(500)], ["train", "train", "val", "test"] * 249
    bench = bench_of(noise(996, names, split=splits), tmp_path_factory.mktemp("many"))
    scan(bench, ScanOptions(embedder="pixels"), say=quiet)
    draw_map.draw_map(bench, quiet)
    return bench


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES)
def test_every_page_opens_on_every_bench(odd, page):
    for name, bench in odd.items():
        at = opened(bench, page, who="ann")
        assert not at.exception, (name, [e.value for e in at.exception])
        if name == "empty" and page not in WITHOUT_SAMPLES:
            assert [i.value for i in at.info] == ["This bench has no samples yet."]


@pytest.mark.daily
@pytest.mark.parametrize("page", PAGES)
def test_every_page_opens_on_500_classes(many, page):
    sound(opened(many, page, who="ann"))


@pytest.mark.slow
def test_images_that_have_moved_are_named_and_pixels_still_show(tmp_path):
    bench = bench_of(digits(60), tmp_path)
    (tmp_path / "digits.parquet").rename(tmp_path / "elsewhere.parquet")
    from assay.app.server.review_session import ReviewSession

    assert ReviewSession(bench).thumbnail(bench.state().index[0], 512)[:2] == b"\xff\xd8", (
        "a small original is in the shards, whole"
    )
    sound(opened(bench, "overview"))


@pytest.mark.slow
def test_overview_says_one_thing_to_do(scanned):
    at = sound(opened(scanned, "overview"))
    assert (
        "Review" in at.get("html")[0].proto.body
        and f"{len(scanned.frame()):,}" in at.get("html")[1].proto.body
    )


@pytest.mark.slow
def test_overview_counts_samples_and_classes_as_browse_and_classes_do(scanned):
    from assay.app.server.browse_view import Asked, open_view
    from assay.app.server.class_view import ClassView
    from assay.app.server.review_session import ReviewSession

    state = scanned.state()
    train = state.index[state.split == "train"]
    scanned.edit(pd.DataFrame(dict(sample=train[:3], keep=False)), "ann")
    scanned.add_class("a class without a sample", who="ann")
    session = ReviewSession(scanned)
    samples = len(open_view(session).choose(Asked()).positions)
    classes = len(ClassView(session).describe()["classes"])
    body = sound(opened(scanned, "overview")).get("html")[1].proto.body
    assert f"<b>{samples:,}</b><small>samples: " in body and "; 3 dropped<" in body
    assert f"<b>{classes:,}</b><small>classes<" in body
    assert (samples, classes) == (len(state), state.label.nunique() + 1)


@pytest.mark.slow
def test_overview_shows_pictures_of_what_is_to_do_and_of_every_class_and_none_of_test(scanned):
    state, status = scanned.state(), scanned.status()
    at = sound(opened(scanned, "overview"))
    pages = [h.proto.body for h in at.get("html")]
    todo = next(h for h in pages if "assay-todo" in h)
    strips = next(h for h in pages if "assay-strips" in h)
    for kind, n in status["issues"].items():
        assert kind.replace("_", " ") in todo and f"{n:,}" in todo
    shown = {s for s in state.index if f"/assay/image/{s}?" in todo + strips}
    assert set(status["worst"]["label"]) <= shown and len(status["worst"]["label"]) == 4
    assert len(shown) >= 6 * len(status["classes"])
    assert set(state["split"][sorted(shown)]) <= {"train", "val"}


@pytest.mark.slow
def test_history_lists_batches_and_versions(scanned):
    state = scanned.state()
    some = state.index[state.split == "train"][:3]
    out = scanned.edit(
        pd.DataFrame(dict(sample=some, label=["7", "8", "9"])), "bob", "to be regretted"
    )
    scanned.commit("before the regret", who="ann")
    at = sound(opened(scanned, "history", who="ann"))
    version = scanned.commits().name.iloc[-1]
    assert at.dataframe[0].value.name.tolist()[:2] == [version, out["batch"]]
    assert version in at.selectbox[1].options


@pytest.mark.daily
def test_an_experiment_is_planned_and_started_from_its_page_and_outlives_it(scanned):
    from assay.pipelines.jobs import job_files

    at = sound(opened(scanned, "experiments"))
    assert "10 runs, 10 to train." in [c.value for c in at.caption]
    from assay.app.ui.experiment_progress import start_experiment

    process = start_experiment(
        scanned,
        dict(
            question="Is it so?", versions=["v1"], architectures=["probe"], seeds=[0, 1], margin=0.5
        ),
    )
    until = time.monotonic() + 300
    while not (scanned.path / "report.html").exists() and time.monotonic() < until:
        time.sleep(0.1)
    assert process.wait(60) == 0
    assert len(scanned.runs()) == 2 and "Is it so?" in (scanned.path / "report.html").read_text()
    assert not [j for j in job_files.list_jobs(scanned) if j["state"] == "failed"]
    sound(opened(scanned, "experiments"))


@pytest.mark.slow
def test_an_experiment_that_failed_is_no_full_bar_and_can_be_put_aside(scanned):
    from assay.pipelines.jobs import job_files

    for name, state in (("Will it?", "failed"), ("Half?", "stopped")):
        with job_files.claim_job(
            scanned, f"experiment-{state}", runs=4, of=4, trained=2, question=name, share=1.0
        ) as job:
            job.tell(often=False, state=state, error="KeyError: 'a layer'")
    at = sound(opened(scanned, "experiments"))
    said = " ".join(e.value for e in at.error).replace("\\", "")
    assert len(at.error) == 2 and not at.get("progress"), said
    assert (
        "Will it?: failed: KeyError: 'a layer'" in said
        and "Half?: was stopped" in said
        and "after 2 of 4 runs" in said
    )
    at.button(key="forget experiment-stopped").click().run()
    assert [j.get("question") for j in job_files.list_jobs(scanned)] == ["Will it?"]
