"""A reviewer who errs as often as he is told to, and versions that are expressions: each against a count or a loop written out by hand."""

import json
from collections import Counter
from hashlib import blake2b

import numpy as np
import pandas as pd
import pytest

from assay.curation.errors import UserError
from assay.curation.maintenance.garbage import collect_garbage
from assay.curation.maintenance.integrity import check_bench
from assay.curation.maintenance.repair import repair_bench
from assay.curation.review import progress
from assay.curation.statistics import sampling
from assay.curation.versioning import expressions
from assay.pipelines.indexing.own_model import OwnModel
from assay.pipelines.indexing.scan import ScanOptions, scan
from assay.pipelines.simulation.reviewer import (
    apply_decisions,
    fallible_decisions,
    review_queue,
    true_decisions,
)
from tests.helpers import truth_of

# ---- the reviewer


def asked_of(n=5_000, seed=0):
    """n questions of five classes, 30 % with a wrong suggestion, and the truth."""
    rng = np.random.default_rng(seed)
    classes = np.array(list("abcde"))
    right = rng.integers(0, 5, n)
    off = (rng.random(n) < 0.3) * rng.integers(1, 5, n)
    ids = [f"s{i:05d}" for i in range(n)]
    rows = pd.DataFrame(
        dict(
            sample=ids,
            given_label=classes[rng.integers(0, 5, n)],
            suggested_label=classes[(right + off) % 5],
        )
    )
    return rows, pd.Series(classes[right], ids)


def near(count, n, p):
    """Is a count of n within four standard deviations of p? By chance one in 16,000 is not."""
    return abs(count - n * p) <= 4 * np.sqrt(n * p * (1 - p))


@pytest.mark.slow
@pytest.mark.parametrize(
    "error, accept", [(0.0, 0.0), (0.05, 0.1), (0.15, 0.1), (0.15, 0.0), (0.0, 0.4)]
)
def test_a_reviewer_errs_as_often_as_he_is_told_to(error, accept):
    rows, truth = asked_of()
    said = fallible_decisions(rows, truth, error, accept)
    right, hint = truth[rows["sample"]].to_numpy(), rows.suggested_label.to_numpy()
    wrong, misled = said.label.to_numpy() != right, hint != right
    assert near(wrong[~misled].sum(), (~misled).sum(), error)
    assert near(wrong[misled].sum(), misled.sum(), accept + (1 - accept) * error)
    assert near(
        (said.label == hint)[misled].sum(), misled.sum(), accept + (1 - accept) * error / 4
    ), "one wrong class in four is the hint"
    step = Counter((ord(x) - ord(r)) % 5 for x, r, m in zip(said.label, right, misled) if not m)
    assert all(near(step[d], (~misled).sum(), error / 4) for d in range(1, 5)), (
        "every wrong class alike"
    )
    looked = said.seconds[(said.label == rows.given_label)]
    assert (
        1.8 < looked.median() < 2.2
        and said.seconds.min() > 0
        and 3.6 < said.seconds.drop(looked.index).median() < 4.4
    )


@pytest.mark.slow
def test_the_same_question_gets_the_same_answer_in_any_order():
    rows, truth = asked_of(2000)
    said = fallible_decisions(rows, truth, 0.15, 0.1).set_index("sample")
    part = rows.sample(700, random_state=1)
    assert (
        fallible_decisions(part, truth, 0.15, 0.1)
        .set_index("sample")
        .equals(said.loc[part["sample"]])
    )
    assert not fallible_decisions(rows, truth, 0.15, 0.1, seed=1).label.equals(
        said.label.reset_index(drop=True)
    )
    unhinted = fallible_decisions(rows.assign(suggested_label=None), truth, 0.15, 0.1)
    assert near((unhinted.label != truth[rows["sample"]].to_numpy()).sum(), 2000, 0.15), (
        "no suggestion, nothing to accept"
    )


def test_an_erring_review_is_in_the_log_as_it_was_said(scanned):
    truth, rows = truth_of(scanned), scanned.queue(60, 0.2)
    asked = fallible_decisions(rows, truth, 0.2, 0.5)
    assert 0 < (asked.label != truth[rows["sample"]].to_numpy()).sum() < len(rows)
    apply_decisions(scanned, rows, asked, "hasty", "a review")
    state = scanned.state()
    assert (
        list(state.label[rows["sample"]]) == list(asked.label)
        and state.reviewed[rows["sample"]].all()
    )
    log = scanned.query(
        "select sample, suggested ->> 'suggested_label' as hint, suggested ->> 'random' as random, seconds from edits where who = 'hasty'"
    )
    log = log.set_index("sample").loc[rows["sample"]]
    assert list(log.hint) == list(rows.suggested_label) and list(log.seconds) == list(asked.seconds)
    assert list(log.random == "true") == list(rows.random) and rows.random.sum() == 12


@pytest.mark.slow
@pytest.mark.daily
def test_a_reviewer_may_be_unsure_more_often_of_wrong_labels(scanned):
    rows, truth = asked_of(8000)
    said = fallible_decisions(rows, truth, 0.1, 0.1, unsure=(0.3, 0.03))
    wrong, unsure = (
        rows.given_label.to_numpy() != truth[rows["sample"]].to_numpy(),
        (said.verdict == "unsure").to_numpy(),
    )
    assert near(unsure[wrong].sum(), wrong.sum(), 0.3) and near(
        unsure[~wrong].sum(), (~wrong).sum(), 0.03
    )
    assert said.label[unsure].isna().all() and said.label[~unsure].equals(
        fallible_decisions(rows, truth, 0.1, 0.1).label[~unsure]
    ), "else as ever"
    rows = scanned.queue(60, 0.2)
    said = fallible_decisions(rows, truth_of(scanned), 0, 0, unsure=(0.5, 0.5))
    apply_decisions(scanned, rows, said, "doubtful", "a review")
    assert scanned.status()["review"]["unsure"] == (said.verdict == "unsure").sum() > 10


# ---- the grammar of versions


@pytest.mark.parametrize(
    "text, filled, base",
    [
        ("v1", "v1", "v1"),
        ("queue-0-5000", "queue-0-5000", "queue-0-5000"),
        ("half", "half", "half"),
        ("v1  -  flagged", "v1  -  flagged", "v1"),
        ("v1 - random(312)", "v1 - random(312, seed=3)", "v1"),
        ("v1 ~ random( 312 , seed = 0 )", "v1 ~ random( 312 , seed = 0 )", "v1"),
        ("half(v1)", "half(v1, seed=3)", "v1"),
        ("part(v1-b - flagged, 20)", "part(v1-b - flagged, 20, seed=3)", "v1-b"),
        (
            "part(half(v1, seed=1) ~ random(5) - flagged, 20)",
            "part(half(v1, seed=1) ~ random(5, seed=3) - flagged, 20, seed=3)",
            "v1",
        ),
        ("drawn(v1, v2)", "drawn(v1, v2)", "v1"),
        (
            "half(drawn(v1, v2)) - random(7, seed=9)",
            "half(drawn(v1, v2), seed=3) - random(7, seed=9)",
            "v1",
        ),
    ],
)
def test_a_seed_is_filled_in_where_none_is_named(text, filled, base):
    assert expressions.fill_seed(text, 3) == filled and expressions.root_version(text) == base
    assert expressions.is_random(text) == (filled != text) and not expressions.is_random(filled)
    assert expressions.is_expression(text) == (" " in text or "(" in text)
    assert expressions.fill_seed(filled, 4) == filled, "a seed that is named stays"


@pytest.mark.slow
@pytest.mark.parametrize(
    "text, expected, found",
    [
        ("v1 - randm(3)", "flagged or random", "randm"),
        ("v1 -", "flagged or random", "its end"),
        ("v1 + flagged", "- or ~", "found +"),
        ("v1 -flagged", "- or ~", "found -flagged"),
        ("v1 - random(x)", "a number", "found x"),
        ("v1 - random(3, sed=1)", "expected seed", "found sed"),
        ("v1 - random(3", "expected )", "its end"),
        ("part(v1)", "expected ,", "found )"),
        ("part(v1, 3) 4", "the end", "found 4"),
        ("third(v1)", "half, part or drawn", "found third"),
        ("drawn(v1, v2 - flagged)", "expected )", "found -"),
        ("", "a version", "its end"),
        ("half(v9)", "a version", "v9"),
        ("part(v1, 361)", "the 360 train samples of v1", "361"),
        ("part(v1, 0)", "the 360 train samples of v1", "found 0"),
        ("v1 ~ random(300)", "as many random samples as are flagged", "300"),
        ("drawn(v2, v1)", "a later version than v2", "v1"),
    ],
)
def test_what_is_no_version_says_what_was_expected(scanned_twice, text, expected, found):
    with pytest.raises(UserError) as e:
        scanned_twice.state(text)
    assert expected in e.value.problem and found in e.value.problem and e.value.hint


@pytest.fixture(scope="module")
def scanned_twice(scanned_once, tmp_path_factory):
    """The scanned digits and a second version, reviewed by somebody who errs; shared, so only read."""
    import shutil

    import assay

    folder = tmp_path_factory.mktemp("twice") / "bench"
    shutil.copytree(scanned_once.path, folder)
    bench = assay.open(folder)
    rows = bench.queue(50)
    apply_decisions(
        bench, rows, fallible_decisions(rows, truth_of(bench), 0.1, 0.1), "bob", "a review"
    )
    bench.commit("reviewed", "bob")
    return bench


# ---- what they hold


def train_of(state):
    return set(state.index[state.keep & (state["split"] == "train")])


def lots(samples, key):
    return sorted(
        samples, key=lambda s: blake2b(s.encode(), digest_size=8, key=key.encode()).digest()
    )


@pytest.mark.slow
@pytest.mark.parametrize("base", ["v1", "v1 - flagged", "part(v1, 200, seed=5)", "v2"])
def test_a_part_is_a_draw_by_sample_id(scanned_twice, base):
    whole, part = scanned_twice.state(base), scanned_twice.state(f"part({base}, 90, seed=7)")
    assert train_of(part) == set(lots(train_of(whole), "part 7")[:90])
    assert part.drop(columns="keep").equals(whole.drop(columns="keep")), "labels stay"
    others = whole["split"] != "train"
    assert part.keep[others].equals(whole.keep[others]), "and so do val and test"
    assert train_of(scanned_twice.state(f"part({base}, 89, seed=7)")) < train_of(part)
    assert train_of(scanned_twice.state(f"part({base}, 90)")) == train_of(
        scanned_twice.state(f"part({base}, 90, seed=0)")
    )
    assert train_of(scanned_twice.state(f"half({base}, seed=7)")) == set(
        lots(train_of(whole), "part 7")[: len(train_of(whole)) // 2]
    )


@pytest.mark.slow
def test_a_part_holds_its_share_of_the_random_stratum(scanned_twice):
    """Drawn with the same seed as the bench's random order, a part would begin with the stratum and hold all of it."""
    state = scanned_twice.state("v1")
    first = [s for s in sampling.random_order(state) if state["split"][s] == "train"][:120]
    held = len(train_of(scanned_twice.state("part(v1, 180)")) & set(first))
    assert 40 < held < 80


@pytest.mark.slow
def test_a_relabelled_version_has_the_same_part(scanned_twice):
    assert train_of(scanned_twice.state("part(v1, 90)")) == train_of(
        scanned_twice.state("part(v2, 90)")
    )
    assert not scanned_twice.state("part(v1, 90)").label.equals(
        scanned_twice.state("part(v2, 90)").label
    )


@pytest.mark.slow
def test_the_random_control_does_the_same_to_as_many_of_the_same_class_mix(scanned_twice):
    v1, flagged = scanned_twice.state("v1"), scanned_twice.flagged("v1")
    flagged = flagged[flagged.index.isin(train_of(v1))]
    n = len(flagged)
    dropped, relabelled = (
        scanned_twice.state(f"v1 - random({n}, seed=2)"),
        scanned_twice.state(f"v1 ~ random({n}, seed=2)"),
    )
    lost = sorted(train_of(v1) - train_of(dropped))
    assert Counter(v1.label[lost]) == Counter(flagged.label) and set(lost) != set(flagged.index)
    changed = v1.index[v1.label != relabelled.label]
    assert sorted(changed) == lost, "one draw for both actions"
    pairs = Counter(zip(flagged.label, flagged.suggestion))
    assert Counter(zip(v1.label[changed], relabelled.label[changed])) == pairs, (
        "every suggestion is dealt out within its class"
    )
    again = scanned_twice.state(expressions.fill_seed(f"v1 ~ random({n})", 2))
    assert again.label.equals(relabelled.label) and not scanned_twice.state(
        f"v1 ~ random({n}, seed=3)"
    ).label.equals(relabelled.label)


@pytest.mark.slow
def test_drawn_is_the_random_stratum_of_a_review_and_nothing_else(scanned):
    truth = truth_of(scanned)
    order = list(sampling.random_order(scanned.state()))
    other = {s: "1" if truth[s] != "1" else "2" for s in order}
    scanned.edit(
        pd.DataFrame(dict(sample=order[1:2], label=[other[order[1]]])), "early", "before v2"
    )
    scanned.commit("before the review", "early", "v2")
    rows, _ = review_queue(scanned, truth, 40, 0.5)
    drawn = list(rows["sample"][rows.random])
    assert sorted(drawn) == sorted([order[0], *order[2:21]]), (
        "the first 20 of the random order that nobody had looked at"
    )
    scanned.edit(
        pd.DataFrame(
            [
                dict(sample=order[2], verdict="unsure"),
                dict(sample=order[4], keep="false"),
                dict(sample=order[5], split="val"),
            ]
        ),
        "bob",
    )
    undone = scanned.edit(pd.DataFrame(dict(sample=[order[6]], label=[other[order[6]]])), "eve")[
        "batch"
    ]
    scanned.undo(undone, "eve")  # the review's own decision stands again
    gap = next(i for i, s in enumerate(order) if i > 20 and s not in set(rows["sample"]))
    beyond = order[gap + 1 : gap + 19]
    scanned.edit(true_decisions(beyond, truth), "ann", "beyond a gap")
    scanned.commit("after", "ann", "v3")

    before, after, found = (scanned.state(v) for v in ("v2", "v3", "drawn(v2, v3)"))
    looked = order[:gap]
    assert after.reviewed[[*looked, *beyond]].all() and not after.reviewed[order[gap]]
    taken = set(looked) - {order[1], order[2]}  # decided before v2; unsure
    for s in before.index:
        assert found.label[s] == (after.label[s] if s in taken else before.label[s])
        assert found.keep[s] == (after.keep[s] if s in looked else before.keep[s])
        assert found["split"][s] == (after["split"][s] if s in looked else before["split"][s])
    assert (
        found.label[order[1]] == other[order[1]]
        and not found.keep[order[4]]
        and (found.label[list(taken)] == truth[list(taken)]).all()
    )
    assert (found.label != before.label).sum() < (after.label != before.label).sum(), (
        "what the queue found is left out"
    )
    said, all_said = (
        progress.summarize_reviews(scanned, found),
        progress.summarize_reviews(scanned, after),
    )
    assert (said["sure_at_random"], said["hits"]) == (
        all_said["sure_at_random"],
        all_said["hits"],
    ) and said["sure_at_random"] == len(looked) - 1
    assert list(sampling.random_stratum(after)) == looked
    assert train_of(scanned.state("part(drawn(v2, v3), 50)")) <= train_of(found)
    assert scanned.state("drawn(v2, v2)").label.equals(before.label)


def test_decisions_of_somebody_who_knows_are_the_truth():
    rows, truth = asked_of(50)
    assert (
        list(true_decisions(rows["sample"], truth).label)
        == list(truth)
        == list(fallible_decisions(rows, truth, 0, 0).label)
    )


# ---- flagged labels are found once a version


def kept_files(bench):
    return sorted(f.name for f in (bench.arrays / "flagged").glob("*"))


@pytest.mark.daily
def test_flagged_labels_are_kept_until_what_judges_them_changes(scanned):
    fresh = scanned.flagged("v1")
    assert set(fresh.index) == set(scanned.issues("label")["sample"]) and not kept_files(scanned), (
        "the newest has what the scan wrote"
    )
    review_queue(scanned, truth_of(scanned), 30)
    assert len(scanned.flagged("HEAD")) < len(fresh) and not kept_files(scanned), (
        "other labels, another answer"
    )
    pd.testing.assert_frame_equal(scanned.flagged("v1"), fresh)
    (file,) = kept_files(scanned)
    assert file.startswith(scanned.commits().tree[0])
    pd.testing.assert_frame_equal(scanned.flagged("v1"), fresh)
    assert not scanned.state("v1 - flagged").equals(scanned.state("v1")) and kept_files(
        scanned
    ) == [file]
    vectors = pd.DataFrame(
        np.random.default_rng(0).normal(size=(600, 8)), index=scanned.state().index
    )
    scan(scanned, ScanOptions(own=OwnModel(None, vectors, True)), say=lambda line: None)
    other = scanned.flagged("v1")
    assert not other.equals(fresh) and len(kept_files(scanned)) == 2, (
        "noise for embeddings flags other labels"
    )
    assert [f for f in check_bench(scanned) if f["kind"] not in ("unscanned",)] == []
    freed = collect_garbage(scanned)["freed"]
    assert (
        freed["label issues of no commit as it is judged now"] > 0 and len(kept_files(scanned)) == 1
    )
    pd.testing.assert_frame_equal(scanned.flagged("v1"), other)


@pytest.mark.slow
def test_a_damaged_file_of_flagged_labels_is_set_aside(scanned):
    review_queue(scanned, truth_of(scanned), 5)
    fresh = scanned.flagged("v1")
    path = scanned.arrays / "flagged" / kept_files(scanned)[0]
    raw = bytearray(path.read_bytes())
    raw[len(raw) // 2] ^= 0xFF
    path.write_bytes(raw)
    with pytest.raises(UserError, match="sound arrays"):
        scanned.flagged("v1")
    found = check_bench(scanned)
    assert [f["kind"] for f in found] == ["damaged"] and json.dumps(found)
    assert repair_bench(scanned, found) == [] and kept_files(scanned) == []
    pd.testing.assert_frame_equal(scanned.flagged("v1"), fresh)
