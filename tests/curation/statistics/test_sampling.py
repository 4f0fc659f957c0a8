"""What is drawn at random for one purpose is drawn for no other: every pair of draws shares what chance shares."""

import json
from itertools import combinations

import numpy as np
import pandas as pd
import pytest

from assay.curation.predictions import run_predictions
from assay.curation.review import audit
from assay.curation.statistics import sampling
from assay.curation.storage.arrays import load_arrays, save_arrays
from assay.curation.versioning import expressions
from assay.curation.versioning.counterfactuals import draw_random_alike
from assay.pipelines.experiments.cells import describe_version
from assay.pipelines.experiments.trainer import bootstrap_rows
from assay.pipelines.simulation.reviewer import true_decisions
from tests.helpers import truth_of

K = 100  # samples of each draw


def drawn(bench):
    """{purpose: K of the bench's train samples} by the very functions that draw them."""
    state = bench.state("v1")
    train = state.index[state["split"] == "train"]
    everyone = pd.DataFrame(
        dict(label=state.label[train], suggestion=state.label[train]), index=train
    )
    out = dict(
        stratum=[s for s in sampling.random_order(state) if s in train][:K],
        audit=audit.list_population(bench, "train", "v1")[:K],
        pool=run_predictions.choose_pool_ids(
            state.assign(split=state["split"].replace("train", "pool")), K
        ),
    )
    for seed in (0, 1):
        part = bench.state(f"part(v1, {K}, seed={seed})")
        out[f"part {seed}"] = list(part.index[part.keep & (part["split"] == "train")])
        out[f"control {seed}"] = list(draw_random_alike(state, everyone, K, seed).index)
        rows, times = np.unique(
            bootstrap_rows(state.loc[train], list(train), seed), return_counts=True
        )
        out[f"bootstrap {seed}"] = list(train[rows[np.lexsort((rows, -times))][:K]])
    return out, len(train)


def test_every_pair_of_draws_shares_what_chance_shares(scanned_once):
    found, n = drawn(scanned_once)
    assert all(len(set(s)) == K for s in found.values()) and len(found) == 9
    expected, sd = K * K / n, np.sqrt(K * (K / n) * (1 - K / n) * (n - K) / (n - 1))
    for one, other in combinations(found, 2):
        both = len(set(found[one]) & set(found[other]))
        assert abs(both - expected) < 4.5 * sd, (
            f"{one} and {other} share {both}, by chance {expected:.0f}"
        )


def test_a_control_takes_no_more_verified_labels_than_chance_does(scanned):
    """Who verified the first of the review's own stratum finds them among the control's as often as any other sample, whatever the seed."""
    state = scanned.state()
    verified = {s for s in sampling.random_order(state) if state["split"][s] == "train"}
    verified = [s for s in sampling.random_order(state) if s in verified][:50]
    n = min(60, (state["split"][scanned.flagged("v1").index] == "train").sum())
    taken = []
    for seed in range(6):
        control = scanned.state(f"v1 ~ random({n}, seed={seed})")
        taken.append(int((control.label != state.label)[verified].sum()))
    assert max(taken) <= 20 and np.mean(taken) < 1.5 * n * 50 / 360, taken


def test_who_looks_again_draws_among_what_others_reviewed_not_the_stratum_in_its_order(scanned):
    order = list(sampling.random_order(scanned.state()))[:120]
    scanned.edit(true_decisions(order, truth_of(scanned)), "ann")
    rows = scanned.queue(40, 0, again=1.0, who="bob")
    again = set(rows["sample"][rows.reason.str.contains("somebody else")])
    assert len(again) == 40 and 5 <= len(again & set(order[:40])) <= 25, "13 by chance"


def test_what_was_looked_at_before_stays_a_random_sample(scanned):
    """Benches of before hold looks at the head of these two orders: blake2b of the id with the key 0, or 1 for audits."""
    from hashlib import blake2b

    def lots(samples, key):
        return sorted(samples, key=lambda s: blake2b(s.encode(), digest_size=8, key=key).digest())

    state = scanned.state()
    use = state.index[state["split"].isin(("train", "val"))]
    assert list(sampling.random_order(state)) == lots(use, b"0")
    assert audit.list_population(scanned, "test") == lots(
        state.index[state["split"] == "test"], b"1"
    )


@pytest.mark.parametrize("version", ["v1 - random(20, seed=0)", "part(v1, 90, seed=3)"])
def test_what_was_remembered_of_an_older_draw_is_not_taken(scanned, version):
    fresh = describe_version(scanned, version)
    file = scanned.arrays / "contents.npz"
    name, held = json.loads(str(load_arrays(file)["known"])).popitem()
    older = {
        json.dumps(json.loads(name)[:3]): held | dict(train_tree="what an older draw trained on")
    }
    save_arrays(file, known=np.array(json.dumps(older)))
    assert describe_version(scanned, version) == fresh and expressions.is_expression(version)


def strata_frame(n, seed=0):
    rng = np.random.default_rng(seed)
    label = rng.choice([None, "rare", "cat", "dog"], n, p=[0.1, 0.001, 0.3, 0.599])
    split = rng.choice(["train", "val", "pool"], n, p=[0.8, 0.15, 0.05])
    return pd.DataFrame(dict(label=label, split=split), [f"{seed} {i}" for i in range(n)])


def test_a_drawn_sample_has_each_stratum_as_the_whole_has_it_and_hardly_changes_as_the_whole_grows():
    state = strata_frame(20_000)
    rows = sampling.draw_stratified(state, 4000)
    whole, part = (f.fillna("").value_counts() for f in (state, state.iloc[rows]))
    expected = np.maximum(1, whole * 4000 // 20_000)
    assert (part.sort_index() == expected.sort_index()).all() and (np.diff(rows) > 0).all()
    shuffled = state.sample(frac=1, random_state=1)
    again = sampling.draw_stratified(shuffled, 4000)
    assert set(shuffled.index[again]) == set(state.index[rows]), "not of the order"
    grown = pd.concat([state, strata_frame(2000, seed=1)])
    larger = set(grown.index[sampling.draw_stratified(grown, 4400)])
    stayed = np.mean([s in larger for s in state.index[rows]])
    assert stayed > 0.95, "a tenth more samples, and a tenth more drawn: nearly all stay"
    assert np.array_equal(sampling.draw_stratified(state, 20_000), np.arange(20_000))
