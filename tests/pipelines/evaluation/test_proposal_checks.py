"""A proposal is measured, and judged by the policy, before it is merged."""

import numpy as np
import pandas as pd
import pytest

from assay.curation.label_quality.probe import one_hot
from assay.curation.slicing.regression_sets import freeze_sets
from assay.curation.versioning.proposal_policy import set_policy
from assay.curation.versioning.proposal_votes import (
    approve_proposal,
    draw_first_looks,
    reject_proposal,
)
from assay.curation.versioning.proposals import read_changes
from assay.pipelines.evaluation.proposal_checks import check_proposal, merge_proposal
from assay.pipelines.evaluation.proposal_gain import find_new_leaks, fit_trial
from tests.helpers import digits, digits_bench, nearly, scanned_bench, truth_of


def propose_truth(bench, split="train", n=None, wrong=0.0, seed=0, who="ann"):
    """A proposal that mends planted errors of a split, but gives a share of them another wrong label."""
    state, truth = bench.state(), truth_of(bench)
    rows = state[state.keep & (state.split == split) & (state.label != truth)].head(n or 10_000)
    label = truth[rows.index].to_numpy(object)
    rng = np.random.default_rng(seed)
    bad = rng.permutation(len(rows))[: round(wrong * len(rows))]
    for i in bad:
        others = {str(c) for c in range(10)} - {label[i], rows.label.iloc[i]}
        label[i] = rng.choice(sorted(others))
    frame = pd.DataFrame(dict(sample=rows.index, label=label))
    proposal = bench.propose(f"{split} {wrong:.0%} wrong", frame, who)
    return proposal, set(rows.index[bad])


def test_what_mends_validation_labels_alone_gains_nothing(scanned):
    proposal, _ = propose_truth(scanned, "val")
    measured = check_proposal(scanned, proposal.name, "bob")["measured"]
    assert measured["gain"] == dict(estimate=0, low=0, high=0)
    assert measured["validation_changed"] == proposal.n_changes > 0 and measured["train"] == 0
    assert measured["control"] is None


@pytest.mark.slow
def test_every_measurement_is_counted_and_widens_the_next(scanned):
    widths = []
    for seed in range(3):
        proposal, _ = propose_truth(scanned, wrong=0.2, seed=seed)
        measured = check_proposal(scanned, proposal.name, "bob")["measured"]
        assert measured["look"] == seed + 1
        assert 1 - measured["level"] == pytest.approx(0.05 / ((seed + 1) * (seed + 2)))
        widths.append(measured["gain"]["high"] - measured["gain"]["low"])
        # asked again, it is read from the log
        assert check_proposal(scanned, proposal.name, "cleo")["measured"] == measured
        assert len(scanned.proposals()[-1].checks) == 1
    assert widths == sorted(widths)


def test_the_gain_is_that_of_the_merge_and_stands_beside_random_changes(scanned):
    before = scanned.state()
    proposal, _ = propose_truth(scanned)
    found = check_proposal(scanned, proposal.name, "bob")
    measured = found["measured"]
    assert scanned.state().equals(before)
    assert measured["train"] == proposal.n_changes == measured["control"]["changes"]
    assert measured["gain"]["estimate"] > measured["control"]["estimate"]
    assert measured["agreement"]["share"] > 2 * measured["agreement"]["by_chance"]
    # brute force: the ridge of the merged labels, solved as it stands
    merged = scanned.state()
    merged.loc[read_changes(scanned, "p1")["sample"], "label"] = truth_of(scanned)
    trial, y_then = fit_trial(scanned, before, merged)
    probe, fitted = trial.probe, np.flatnonzero(trial.y >= 0)
    Z, V = (probe.standardize(trial.X[rows]) for rows in (fitted, trial.judges))
    gains = []
    for y in (trial.y, y_then):
        Y = one_hot(y[fitted], len(trial.classes))
        W = np.linalg.solve(Z.T @ Z + probe.lam * np.eye(Z.shape[1]), Z.T @ Y)
        gains.append(
            (
                probe.probabilities(probe.project(trial.X[trial.judges], W)).argmax(1)
                == trial.truth
            ).mean()
        )
    assert measured["gain"]["estimate"] == pytest.approx(gains[1] - gains[0])


def test_a_policy_stops_what_people_find_wrong_in_a_random_sample(scanned):
    set_policy(scanned, dict(look_at=15, wrong=0.25), "ann")
    for wrong, passes in ((0.5, False), (0.0, True)):
        proposal, bad = propose_truth(scanned, wrong=wrong)
        changed = read_changes(scanned, proposal.name)["sample"]
        approve_proposal(scanned, proposal.name, "bob")
        judgement, merged = merge_proposal(scanned, proposal.name, "bob")
        assert merged is None and "0 of 15" in judgement["checks"][1]["reason"]
        drawn = draw_first_looks(proposal, changed, 15)
        assert len(drawn) == 15 and drawn != list(changed[:15])
        for vote, samples in (
            (reject_proposal, bad & set(drawn)),
            (approve_proposal, set(drawn) - bad),
        ):
            if samples:
                vote(scanned, proposal.name, "bob", samples)
        judgement, merged = merge_proposal(scanned, proposal.name, "bob")
        assert judgement["passed"] == passes == (merged is not None)


@pytest.mark.daily
def test_what_would_leak_is_refused(tmp_path):
    table = digits(150, wrong=0)
    first = table[table["split"] == "train"].head(1)
    copy = first.assign(id="copy", image=[nearly(first.image.iloc[0])])
    bench = scanned_bench(pd.concat([table, copy], ignore_index=True), tmp_path)
    state = bench.state()
    mine, other = (state.index[state.key == key][0] for key in (first.id.iloc[0], "copy"))
    assert find_new_leaks(bench, state, changes_of(mine, "split", '"val"')) == [other]
    assert find_new_leaks(bench, state, changes_of(mine, "label", '"3"')) == []
    bench.propose("move it", pd.DataFrame(dict(sample=[mine], split="val")), "ann")
    approve_proposal(bench, "p1", "bob")
    judgement, merged = merge_proposal(bench, "p1", "bob")
    failed = [c for c in judgement["checks"] if not c["passed"]]
    assert merged is None and [c["check"] for c in failed] == ["leakage"]


def changes_of(sample, field, value):
    """A frame of one change."""
    return pd.DataFrame(dict(sample=[sample], field=[field], value=[value]))


def test_a_regression_set_that_falls_stops_it(scanned):
    state, truth = scanned.state(), truth_of(scanned)
    ones = state[(state.split == "val") & (truth == "1") & (state.label == "1")].index
    freeze_sets(scanned, {"ones": dict(asked=list(ones), score=0.5)}, "ann")
    train = scanned.state()
    rows = train[(train.split == "train") & train.keep & (train.label == "1")]
    scanned.propose("sevens", pd.DataFrame(dict(sample=rows.index, label="7")), "ann")
    approve_proposal(scanned, "p1", "bob")
    judgement, merged = merge_proposal(scanned, "p1", "bob")
    failed = [c for c in judgement["checks"] if not c["passed"]]
    assert merged is None and [c["check"] for c in failed] == ["regression"]


def test_what_was_measured_to_lose_is_not_merged_unless_a_margin_allows_it(scanned):
    state = scanned.state()
    rows = state[state.keep & (state.split == "train")]
    wrong = [str((int(label) + 1) % 10) for label in rows.label]
    scanned.propose("all by one", pd.DataFrame(dict(sample=rows.index, label=wrong)), "ann")
    found = check_proposal(scanned, "p1", "bob")
    assert found["measured"]["gain"]["high"] < 0
    assert [c["passed"] for c in found["checks"] if c["check"] == "gain"] == [False]
    approve_proposal(scanned, "p1", "bob")
    judgement, merged = merge_proposal(scanned, "p1", "bob")
    assert merged is None and scanned.state().label.equals(state.label)
    assert len(scanned.proposals()[0].checks) == 1, "read from the log, no new look"
    set_policy(scanned, dict(margin=1.0), "ann")
    assert merge_proposal(scanned, "p1", "bob")[1] is not None


def test_a_loss_that_nobody_measured_is_measured_before_it_is_merged(scanned):
    state = scanned.state()
    rows = state[state.keep & (state.split == "train")]
    wrong = [str((int(label) + 1) % 10) for label in rows.label]
    scanned.propose("all by one", pd.DataFrame(dict(sample=rows.index, label=wrong)), "ann")
    approve_proposal(scanned, "p1", "bob")
    judgement, merged = merge_proposal(scanned, "p1", "bob")
    assert merged is None and scanned.state().label.equals(state.label)
    assert judgement["measured"]["look"] == 1 and judgement["measured"]["gain"]["high"] < 0


def test_what_nobody_can_measure_is_merged_only_where_the_policy_says_so(tmp_path):
    bench = digits_bench(60, tmp_path)  # nothing is scanned
    rows = bench.frame(split="train").query("label != '8'").index[:3]
    for name, cells in (("p1", dict(label="8")), ("p2", dict(tag="odd"))):
        bench.propose(name, pd.DataFrame(dict(sample=rows, **cells)), "ann")
        approve_proposal(bench, name, "bob")
    judgement, merged = merge_proposal(bench, "p1", "bob")
    (gain,) = [c for c in judgement["checks"] if not c["passed"]]
    assert merged is None and "not measured" in gain["reason"] and "--no-measured" in gain["reason"]
    judgement, merged = merge_proposal(bench, "p2", "bob")
    assert merged.edits == 3 and "tags and confirmations" in judgement["checks"][-1]["reason"]
    set_policy(bench, dict(measured=False), "ann")
    judgement, merged = merge_proposal(bench, "p1", "bob")
    assert merged.edits == 3, "a tag since is no edit of the label"
    (gain,) = [c for c in judgement["checks"] if c["check"] == "gain"]
    assert gain["passed"] and "nothing was measured" in gain["reason"]


def test_tags_beside_labels_are_in_no_measurement_and_in_no_control(scanned):
    state, truth = scanned.state(), truth_of(scanned)
    rows = state[state.keep & (state.split == "train") & (state.label != truth)].index[:4]
    labels = pd.DataFrame(dict(sample=rows[:3], label=truth[rows[:3]].to_numpy(object)))
    tags = pd.DataFrame(dict(sample=rows, tag="odd"))
    for name, parts in (("p1", [labels]), ("p2", [labels, tags])):
        scanned.propose(name, pd.concat(parts, ignore_index=True).astype(object), "ann")
    one, two = (check_proposal(scanned, name, "bob")["measured"] for name in ("p1", "p2"))
    assert one["train"] == two["train"] == two["control"]["changes"] == 3
    assert one["gain"]["estimate"] == two["gain"]["estimate"]
