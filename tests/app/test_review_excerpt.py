"""A review session of a large bench: what it shows is what one that judges every label shows."""

from contextlib import closing

import numpy as np
import pytest

from assay.app.server import review_session
from assay.app.server.review_session import ReviewSession
from assay.curation.review import live_excerpt
from assay.curation.statistics import sampling
from assay.curation.versioning import state_building, state_parts
from assay.pipelines.indexing.scan import ScanOptions, scan
from tests.decisions import decide
from tests.helpers import bench_of, copied, digits, truth_of

NAME = "0123456789abcdef"


@pytest.fixture(scope="module")
def scanned(tmp_path_factory):
    bench = bench_of(digits(1500, wrong=0.15), tmp_path_factory.mktemp("scanned"))
    scan(bench, ScanOptions(embedder="pixels"), say=lambda line: None)
    return bench


SMALL = (
    (state_parts, "ROWS", 200),
    (state_building, "LARGE", 1),
    (live_excerpt, "AHEAD", 60),
)


def sit_down(bench, most=None):
    """Two looks of a session, before decisions and after them; most: samples that are judged anew, None: all."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(review_session, "AHEAD", 40)
        for module, name, value in SMALL if most else ():
            patch.setattr(module, name, value)
        patch.setattr(live_excerpt, "MOST", most or 10**9)
        with closing(ReviewSession(bench)) as session:
            session.rescore()
            session.live_effect(NAME, patience=0)
            first = session.next_rows(NAME)
            state, truth = bench.state(), truth_of(bench)
            wrong = state.index[(state.label != truth) & state.split.isin(("train", "val"))]
            random = list(sampling.random_order(state)[:33])
            decide(
                bench, "ann", *(dict(sample=s, verdict="confirm") for s in random if s not in wrong)
            )
            decide(bench, "ann", *(dict(sample=s, label=truth[s]) for s in wrong[::2]))
            session.rescore()
            assert (session.judged.excerpt is not None) == bool(most)
            return (
                first,
                session.live_effect(NAME, patience=0),
                session.next_rows(NAME),
                session.predicted,
            )


@pytest.fixture(scope="module")
def of_all(scanned, tmp_path_factory):
    return sit_down(copied(scanned, tmp_path_factory.mktemp("all")))


@pytest.mark.daily
def test_where_all_val_labels_are_at_hand_a_session_says_what_it_says_of_all(
    scanned, of_all, tmp_path
):
    first, live, then, predicted = sit_down(copied(scanned, tmp_path), 1200)
    for row, expected in zip(first, of_all[0], strict=True):
        assert row.pop("score") == pytest.approx(expected.pop("score"), abs=1e-6)
        assert row.pop("likely") == [
            [name, pytest.approx(p, abs=2e-4)] for name, p in expected.pop("likely")
        ]
        assert row == expected
    assert predicted == of_all[3]
    for name, value in of_all[1].items():
        if name not in ("rests_on", "doubted", "seq"):
            assert live[name] == (pytest.approx(value) if name == "gain" else value), name
    assert live["gain"][0] > 0.005 and live["n"] == live["n_of"] == 300
    assert "1,500 samples, with all of 300 val labels" in live["rests_on"]
    # labels that came to doubt far down are known to whoever judges all
    assert len({r["sample"] for r in then} & {r["sample"] for r in of_all[2]}) >= 38


@pytest.mark.slow
def test_a_sample_of_val_says_so_and_its_interval_holds_what_all_say(scanned, of_all, tmp_path):
    _, live, _, predicted = sit_down(copied(scanned, tmp_path), 200)
    assert live["n"] < 300 == live["n_of"] and len(predicted) < 250
    assert all(of_all[3][s] == said for s, said in predicted.items())
    low, high = live["gain"][1:]
    assert low < of_all[1]["gain"][0] < high and high - low > np.ptp(of_all[1]["gain"])
    assert live["validation_changed"] == of_all[1]["validation_changed"] > 10
    assert live["reviewed"] == of_all[1]["reviewed"] and live["share"] == of_all[1]["share"]
    assert "a fixed sample of" in live["rests_on"]
