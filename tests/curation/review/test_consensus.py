"""Consensus: CROWDLAB as cleanlab gives it, a planted crowd joined and proposed, intervals that hold."""

import numpy as np
import pandas as pd
import pytest

from assay.curation.review.labeller_rates import bound_difference, summarize_looks
from tests.curation.review.test_labeller_rates import decide_at_random, vote
from tests.helpers import digits_bench, run_assay, truth_of


@pytest.fixture(scope="module")
def crowd(tmp_path_factory):
    """A scanned bench of 600 digits, on which three labellers voted, and Ann decided 100 at random."""
    bench = digits_bench(600, tmp_path_factory.mktemp("crowd"))
    assert run_assay("scan", "--embedder", "pixels", "-b", bench.path)[0] == 0
    for seed, wrong in enumerate((0.05, 0.35, 0.35)):
        vote(bench, f"l{seed}", wrong, seed=seed, share=0.9)
    decide_at_random(bench, 100, "ann")
    return bench


@pytest.mark.slow
def test_crowdlab_is_cleanlabs(crowd):
    from cleanlab.multiannotator import get_label_quality_multiannotator

    found, probs = crowd.consensus("crowdlab"), crowd.pred_probs()
    classes = list(probs.columns)
    votes = pd.DataFrame(index=found.index)
    for proposal in crowd.proposals():
        changes = crowd.query(
            f"select value ->> 'sample' as sample, value ->> 'value' as label from edits where field = 'proposal' "
            f"and value ->> 'proposal' = '{proposal.uid}' and value ->> 'field' = 'label'"
        )
        votes[proposal.labeller] = changes.set_index("sample").label
    votes["given"] = crowd.state().given_label.reindex(votes.index)
    ann = crowd.state().query("reviewed")
    votes["ann"] = ann.label.reindex(votes.index)
    codes = votes.apply(lambda column: column.map({name: i for i, name in enumerate(classes)}))
    asked = get_label_quality_multiannotator(codes.to_numpy(float), probs.loc[votes.index].to_numpy(), verbose=False)["label_quality"]  # fmt: skip
    same = np.array(classes)[asked.consensus_label.astype(int)] == found.label
    assert same.mean() > 0.995  # cleanlab breaks ties by the order of the labellers
    assert np.allclose(
        asked.consensus_quality_score[same.to_numpy()], found.quality[same], atol=0.02
    )


@pytest.mark.slow
def test_a_consensus_is_judged_without_the_vote_of_who_tells_the_truth(crowd):
    compared = crowd.compare_consensus("dawid-skene").set_index("method")
    assert list(compared.index) == ["latest", "majority", "dawid-skene"]
    assert set(compared.measured) == {100}
    assert (
        compared.gain["majority"] == 0 and compared.wrong["dawid-skene"] <= compared.wrong["latest"]
    )
    assert compared.wrong["latest"] > 20  # Ann's vote is the latest, and does not count here


@pytest.mark.slow
def test_a_consensus_is_proposed_and_is_no_voter(crowd):
    before = crowd.consensus("majority")
    proposal = crowd.propose_consensus("majority", "ann")
    assert proposal.n_changes == (before.label != before.standing).sum()
    after = crowd.consensus("majority")
    assert after.label.equals(before.label) and after.votes.equals(before.votes)
    truth = truth_of(crowd)[before.index]
    joined = crowd.consensus("dawid-skene").label
    assert (joined == truth).mean() > (before.label == truth).mean()


def test_the_intervals_hold_the_truth():
    """500 labellers of 15 % error, 5,000 votes each, 100 looks; and 500 pairs that are equally good: at one look."""
    rng, held, equal = np.random.default_rng(0), 0, 0
    for _ in range(500):
        errors = rng.random(5000) < 0.15
        drawn = rng.permutation(5000)[:100]
        looks = pd.DataFrame(dict(wrong=errors[drawn], unsure=False, by_audit=False, earlier=False))
        found = summarize_looks(looks.assign(confidence=np.nan), 5000)
        held += found["low"] <= errors.mean() <= found["high"]
        a, b = rng.random((2, 100)) < 0.15
        pair = bound_difference(int((~a & b).sum()), int((a & ~b).sum()), 0, 100, 100)
        equal += pair["low"] <= 0 <= pair["high"]
    assert held >= 475 and equal >= 475
