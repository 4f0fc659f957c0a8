"""How often labellers err: planted error rates, compared and joined, on real small benches."""

import numpy as np
import pandas as pd
import pytest

from assay.curation.errors import UserError
from assay.curation.review.labeller_votes import GIVEN
from assay.curation.statistics.sampling import random_order
from tests.helpers import audit_of, digits_bench, run_assay, truth_of


def decide_at_random(bench, n, who, unsure=0):
    """A person decides the first n samples of the random order, as the truth has them; the last `unsure` not."""
    ids = random_order(bench.state())[:n]
    rows = pd.DataFrame(dict(sample=ids, label=truth_of(bench)[ids].to_numpy(), verdict=""))
    if unsure:
        rows.loc[rows.index[-unsure:], ["label", "verdict"]] = "", "unsure"
    bench.edit(rows, who)
    return ids


def vote(bench, name, wrong, seed=0, share=1.0):
    """A labeller votes on the open samples, `wrong` of them by the next digit."""
    rng, truth = np.random.default_rng(seed), truth_of(bench)
    ids = bench.state().query("split != 'test'").index
    ids = ids[rng.random(len(ids)) < share]
    said = truth[ids].astype(int).to_numpy()
    said = np.where(rng.random(len(ids)) < wrong, (said + 1) % 10, said)
    bench.label(predictions=pd.DataFrame(dict(sample=ids, label=said.astype(str))), name=name, progress=False)  # fmt: skip
    return pd.Series(said.astype(str), ids)


def row_of(bench, name):
    return bench.labellers().labellers.set_index("labeller").loc[name]


def test_a_planted_error_rate_is_measured_by_what_others_decided_at_random(tmp_path):
    bench = digits_bench(600, tmp_path)
    said, truth = vote(bench, "rule", 0.2, share=0.8), truth_of(bench)
    ids = decide_at_random(bench, 120, "ann")
    seen = ids.intersection(said.index)
    row = row_of(bench, "rule")
    assert row.measured == len(seen) and row.wrong == (said[seen] != truth[seen]).sum()
    assert row.low <= 0.2 <= row.high and row.error == pytest.approx(row.wrong / row.measured)
    assert row.votes == len(said) and row.coverage == pytest.approx(len(said) / 480)
    assert row.earlier == 0 and row.by_random == len(seen)
    given = bench.state().given_label
    assert row_of(bench, GIVEN).wrong == (given[ids] != truth[ids]).sum()
    confusion = bench.labellers().confusion.query("labeller == 'rule' and truth != said")
    assert confusion.n.sum() == row.wrong
    assert (confusion.said.astype(int) == (confusion.truth.astype(int) + 1) % 10).all()


def test_nobody_is_the_truth_of_their_own_labels(tmp_path):
    """Ann reviewed at random: that measures the model, and not Ann, until an auditor comes."""
    bench = digits_bench(600, tmp_path)
    decide_at_random(bench, 60, "ann")
    vote(bench, "model", 0.1)
    assert row_of(bench, "ann").measured == 0 and row_of(bench, "model").measured == 60
    assert row_of(bench, "model").earlier == 60  # it may have learnt from them
    # Bob looks again at some that he chose: no sample of Ann's was drawn by that
    wrong = bench.state().query("reviewed").index[:10]
    bench.edit(pd.DataFrame(dict(sample=wrong, label="7")), "bob")
    assert row_of(bench, "ann").measured == 0
    assert bench.compare_labellers("ann", "model")["n"] == 0


def test_a_blind_audit_measures_people_too(tmp_path):
    bench = digits_bench(600, tmp_path)
    val = bench.frame(split="val")
    rows = pd.DataFrame(dict(sample=val.index, label=truth_of(bench)[val.index].to_numpy()))
    rows.loc[::4, "label"] = [str((int(x) + 1) % 10) for x in rows.label[::4]]
    bench.edit(rows, "zoe")
    audit_of(bench, tmp_path / "audit", 60, split="val")
    row = row_of(bench, "zoe")
    assert (row.measured, row.by_audit) == (60, 60)
    wrong = rows.set_index("sample").label != truth_of(bench)[val.index]
    assert row.wrong == wrong[[s for s in wrong.index if bench.state().who[s] == "ann"]].sum()
    assert row.low <= 0.25 <= row.high
    vote(bench, "good", 0.0)
    found = bench.compare_labellers("good", "zoe")
    assert found["n"] == 60 and found["a_alone"] == row.wrong and found["b_alone"] == 0
    assert found["estimate"] == pytest.approx(row.wrong / 60)


def test_unsure_looks_widen_the_interval_to_both_ends(tmp_path):
    bench = digits_bench(600, tmp_path)
    decide_at_random(bench, 100, "ann", unsure=10)
    vote(bench, "model", 0.1)
    row = row_of(bench, "model")
    assert (row.measured, row.unsure) == (90, 10)
    assert row.least == pytest.approx(row.wrong / 100)
    assert row.most == pytest.approx((row.wrong + 10) / 100)
    assert row.low <= row.least < row.most <= row.high


def test_which_of_two_errs_less_is_told_only_when_it_shows(tmp_path):
    bench = digits_bench(1200, tmp_path)
    vote(bench, "bad", 0.4, seed=1), vote(bench, "good", 0.02, seed=2), vote(bench, "same", 0.02, seed=3)  # fmt: skip
    assert "too few" in bench.compare_labellers("good", "bad")["verdict"]
    decide_at_random(bench, 200, "ann")
    found = bench.compare_labellers("good", "bad")
    assert found["low"] > 0 and "good is the better annotator" in found["verdict"]
    assert found["a_alone"] + found["b_alone"] + found["both_right"] + found["both_wrong"] == 200
    turned = bench.compare_labellers("bad", "good")
    assert (turned["high"], turned["estimate"]) == (-found["low"], -found["estimate"])
    assert "no evidence" in bench.compare_labellers("good", "same")["verdict"]
    with pytest.raises(UserError, match="did you mean good"):
        bench.compare_labellers("god", "bad")


def test_what_is_taken_for_what_is_said_where_there_are_too_few_for_a_rate(tmp_path):
    bench = digits_bench(300, tmp_path)
    first = list(random_order(bench.state()))[:6]
    label = bench.state().label[first]
    moved = label.map({str(i): str((i + 1) % 10) for i in range(10)})
    bench.edit(pd.DataFrame(dict(sample=first, label=moved.to_numpy())), "ann")
    status, out, err = run_assay("labellers", "-b", bench.path)
    assert status == 0, err
    assert f"{moved.iloc[0]} taken for {label.iloc[0]}: 1 of 1, too few for a rate" in out
