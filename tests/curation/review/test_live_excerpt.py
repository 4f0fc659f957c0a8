"""What is judged anew of a large bench is judged as if all of it were."""

import numpy as np
import pytest

from assay.curation.errors import NotScanned
from assay.curation.formats.base import ImportOptions
from assay.curation.label_quality.live import LiveScores
from assay.curation.review import live_excerpt
from assay.curation.review.live_excerpt import LiveExcerpt, draw_val, score_excerpt, weigh_val
from assay.curation.versioning import state_building, state_parts, states
from assay.curation.versioning.state_building import open_state
from assay.pipelines.indexing.ingest import ingest
from assay.pipelines.indexing.scan import ScanOptions, scan
from tests.decisions import decide, other
from tests.helpers import bench_of, copied, digits


@pytest.fixture(autouse=True)
def small(monkeypatch):
    monkeypatch.setattr(state_parts, "ROWS", 50)
    monkeypatch.setattr(state_building, "AT_ONCE", 100)
    monkeypatch.setattr(live_excerpt, "MOST", 100)
    monkeypatch.setattr(live_excerpt, "AHEAD", 10)


@pytest.fixture(scope="module")
def scanned(tmp_path_factory):
    """900 digits, 60 of them twice."""
    table = digits(900)
    again = table.iloc[:60].assign(id=[f"again{i}" for i in range(60)])
    import pandas as pd

    bench = bench_of(pd.concat([table, again]), tmp_path_factory.mktemp("scanned"))
    scan(bench, ScanOptions(embedder="pixels"), say=lambda line: None)
    return bench


@pytest.fixture
def bench(scanned, tmp_path, monkeypatch):
    monkeypatch.setattr(state_building, "LARGE", 1)
    return copied(scanned, tmp_path / "own")


def judge_all(bench, live):
    upto, state = states.read_newest_state(bench)
    live.load_probe(state)
    return live.score(upto, state)


def assert_same(excerpt, whole):
    """Scores, suggestions, flags and probabilities of the rows at hand are those of all."""
    found = score_excerpt(excerpt)
    assert found.upto == whole.upto and 50 < len(found.found) < len(whole.found)
    expected = whole.found.loc[found.found.index]
    assert (found.found.suggestion == expected.suggestion).all()
    assert (found.found.flagged == expected.flagged).all()
    np.testing.assert_allclose(
        found.found.score.astype(float), expected.score.astype(float), atol=2e-5
    )
    assert (found.few == whole.few).all()


@pytest.mark.daily
def test_rows_at_hand_are_scored_as_all_are(bench):
    held, live = LiveExcerpt(bench), LiveScores(bench)
    assert_same(held.refresh(), judge_all(bench, live))
    state = bench.state()
    train = state.index[(state.split == "train") & state.keep]
    worst = list(judge_all(bench, live).found.sort_values("score").index[:6])
    copy = [s for s in train if state.content_hash.duplicated(keep=False)[s]][:3]
    steps = [
        [dict(sample=s, label=other(state.label[s])) for s in worst[:4]],
        [dict(sample=s, keep="false") for s in worst[4:]],
        [dict(sample=s, label=other(state.label[s])) for s in copy],
        [dict(sample=s, keep="false") for s in copy[:1]],
        [dict(sample=s, label=other(state.label[s])) for s in train[100:130]],
    ]
    for rows in steps:
        decide(bench, "ann", *rows)
        assert_same(held.refresh(), judge_all(bench, live))
    assert_same(LiveExcerpt(bench).refresh(), judge_all(bench, live))


def test_a_new_class_and_new_samples_ask_for_a_scan(bench, tmp_path):
    held, state = LiveExcerpt(bench), bench.state()
    held.refresh()
    sample = state.index[state.split == "train"][0]
    decide(bench, "ann", dict(sample=sample, label="new"), new_classes=["new"])
    with pytest.raises(NotScanned, match="a class came"):
        score_excerpt(held.refresh())
    bench.undo(who="ann")
    score_excerpt(held.refresh())
    digits(40, seed=5).to_parquet(tmp_path / "more.parquet")
    ingest(
        bench,
        tmp_path / "more.parquet",
        "ann",
        ImportOptions(columns=dict(label="label"), refreeze_test=True),
    )
    with pytest.raises(NotScanned, match="samples came"):
        held.refresh()


def test_growth_and_edits_change_few_of_the_drawn_val_labels(bench, tmp_path):
    val, rows = draw_val(open_state(bench), 60)
    assert sum(val.values()) == 192 and 60 <= len(rows) <= 60 + len(val)
    drawn = bench.state().iloc[rows]
    assert (drawn.split == "val").all() and dict(drawn.label.value_counts()).keys() == val.keys()
    share = drawn.label.value_counts() / np.array(
        [val[c] for c in drawn.label.value_counts().index]
    )
    assert share.between(60 / 192, 0.4).all(), "the same share of each class, rounded up"
    digits(400, seed=5).iloc[:60].to_parquet(tmp_path / "more.parquet")
    ingest(
        bench,
        tmp_path / "more.parquet",
        "ann",
        ImportOptions(columns=dict(label="label"), refreeze_test=True),
    )
    grown, later = draw_val(open_state(bench), 66)
    assert sum(grown.values()) > 195 and len(np.intersect1d(rows, later)) > 0.8 * len(rows)
    assert len(draw_val(open_state(bench), 10**6)[1]) == sum(grown.values())


def test_an_effect_on_the_sample_is_that_on_all_on_average():
    """A thousand draws of three classes: what flips is oftener what the queue shows."""
    rng = np.random.default_rng(0)
    label = np.repeat(["a", "b", "c"], [600, 150, 3]).astype(object)
    turned = rng.choice([1, 0, -1], len(label), p=[0.2, 0.75, 0.05]) * (label == "a")
    turned[-3:] = 1
    named = (rng.random(len(label)) < 0.05) | ((turned == 1) & (rng.random(len(label)) < 0.3))
    named[-3:] = [True, False, False]
    ids, val = np.arange(len(label)).astype(str).astype(object), dict(a=600, b=150, c=3)
    then = dict(
        label=label, split=np.full(len(label), "val", object), keep=np.ones(len(label), bool)
    )
    found = []
    for _ in range(1000):
        drawn = np.zeros(len(label), bool)
        for name, n in val.items():
            here = np.flatnonzero(label == name)
            drawn[rng.choice(here, -(-n // 5), replace=False)] = True
        at_hand = named | drawn
        weighed = weigh_val(
            {k: v[at_hand] for k, v in then.items()},
            ids[at_hand],
            named[at_hand],
            drawn[at_hand],
            val,
        )
        assert weighed.weights.sum() == pytest.approx(753) and weighed.total == 753
        found.append(weighed.weights @ turned[at_hand] / 753)
    error = np.std(found) / np.sqrt(len(found))
    assert abs(np.mean(found) - turned.mean()) < 3 * error < 0.003
