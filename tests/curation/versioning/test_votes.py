"""Several people: whose label stands, and how well they agree."""

import pytest

import assay
from assay.curation.versioning import states
from tests.decisions import copy_of, decide, other, train
from tests.helpers import run_assay


@pytest.mark.slow
def test_votes_majority_and_old_versions_that_stay(small):
    a, b, c, d, e = train(small, 5)
    old = small.state().label
    three, five = other(old[a]), other(old[a], 2)
    for who, label in (("ann", three), ("bob", three), ("cat", five)):
        decide(small, who, dict(sample=a, label=label))
    decide(small, "ann", dict(sample=b, label=other(old[b])))
    decide(small, "bob", dict(sample=b, label=old[b]))  # one against one: the later
    decide(small, "bob", dict(sample=c, keep="false"))
    decide(small, "ann", dict(sample=c, verdict="confirm"))
    decide(small, "ann", dict(sample=d, label=other(old[d])))
    decide(small, "bob", dict(sample=d, verdict="unsure"))  # no vote
    for who in ("bob", "cat"):
        decide(small, who, dict(sample=e, verdict="unsure"))  # none for what stood then, either
    decide(small, "ann", dict(sample=e, label=other(old[e])))
    v1 = small.commit("latest", "ann")
    assert small.state().label[a] == five
    out = small.set_rule("majority", "ann")
    now = small.state()
    assert out["changed"] == 1 and now.label[a] == three and now.label[b] == old[b]
    assert [now.label[s] for s in (d, e)] == [other(old[s]) for s in (d, e)]
    assert (
        small.state("v1").label[a] == five and states.hash_tree(small.state("v1")) == v1["tree"]
    ), "old versions do not change with the rule"
    v2 = small.commit("majority", "ann")
    fresh = assay.open(small.path)
    assert fresh.state().label.equals(now.label) and fresh.diff("v1", "v2")["relabelled"][
        "sample"
    ].tolist() == [a]
    found = small.issues("reviewer_disagreement").set_index("sample")
    assert set(found.index) == {b, c}, "two of three is a majority; one against one is none"
    assert found.score[b] == 0.5 and "ann" in found.why[b] and found.suggestion[b] == other(old[b])
    queue = small.queue(5)
    assert set(queue["sample"][:2]) == {b, c}, "they come first, before any scan"
    decide(small, "cat", dict(sample=b, label=old[b]))
    assert set(small.issues("reviewer_disagreement")["sample"]) == {c}
    small.undo(who="ann")
    assert states.hash_tree(small.state()) == v2["tree"]
    small.undo(out["batch"], "ann")
    assert small.rule() == "latest" and small.state().label[a] == five, "the rule is an edit too"


@pytest.mark.slow
def test_an_undone_vote_does_not_count(small):
    a = train(small)[0]
    old = small.state().label[a]
    decide(small, "ann", dict(sample=a, label=other(old)))
    small.set_rule("majority", "ann")
    decide(small, "bob", dict(sample=a, label=other(old, 2)))
    decide(small, "cat", dict(sample=a, label=other(old, 2)))
    assert small.state().label[a] == other(old, 2)
    small.undo(who="cat")
    small.undo(who="bob")
    assert small.state().label[a] == other(old) and small.issues("reviewer_disagreement").empty
    small.redo("bob")
    assert small.state().label[a] == other(old, 2), "one against one: the later"


@pytest.mark.slow
def test_agreement_on_what_both_saw_has_its_n_and_interval(small):
    from assay.curation.statistics.estimates import wilson_interval

    samples, old = train(small, 8), small.state().label
    decide(small, "ann", *(dict(sample=s, verdict="confirm", seconds=2) for s in samples))
    said = [
        dict(sample=s, label=other(old[s]) if s in samples[:2] else old[s], seconds=4)
        for s in samples[:6]
    ]
    decide(small, "bob", said[0] | dict(split="val"), *said[1:])
    people, pairs = small.reviewers()
    assert list(people.seconds) == [16, 24], "a decision of two edits took its seconds once"
    assert people.set_index("who").samples.to_dict() == {"ann": 8, "bob": 6} and list(
        people.median_seconds
    ) == [2, 4]
    pair = pairs.iloc[0]
    assert (pair.a, pair.b, pair.n, pair.agree) == ("ann", "bob", 6, 4) and (
        pair.low,
        pair.high,
    ) == wilson_interval(4, 6)
    assert "agree on 4 of 6" in run_assay("reviewers", "-b", small.path)[1]


@pytest.mark.slow
def test_a_second_reviewer_gets_what_the_first_has_decided_without_knowing_how(scanned):
    rows = scanned.queue(40, random=0, who="ann")
    decide(scanned, "ann", *(dict(sample=s, label="0") for s in rows["sample"]))
    mine, theirs = (scanned.queue(20, random=0, again=0.5, who=w) for w in ("ann", "bob"))
    seen = theirs[theirs["sample"].isin(rows["sample"])]
    assert len(seen) == 10 and not mine["sample"].isin(rows["sample"]).any()
    given_labels = scanned.state().given_label
    assert (
        seen.given_label.to_numpy() == given_labels[seen["sample"]].to_numpy()
    ).all() and seen.suggested_label.isna().all()


@pytest.mark.slow
def test_a_tie_is_no_majority(small):
    """One against one: what stands without the rule stands with it, also where a merge has settled it."""
    s, *more = train(small, 9)
    label = small.state().label
    old = label[s]
    for n, one in enumerate(more):  # either may be first
        for who, step in (("ann", 1), ("bob", 2))[:: 1 if n % 2 else -1]:
            decide(small, who, dict(sample=one, label=other(label[one], step)))
    copy = copy_of(small)
    decide(small, "ann", dict(sample=s, label=other(old)))
    decide(copy, "bob", dict(sample=s, label=other(old, 2)))
    small.merge(copy.path, "ann")
    before = small.state().label
    assert (
        small.set_rule("majority", "ann")["changed"] == 0
        and small.state().label.equals(before)
        and before[s] == other(old)
    )
    assert set(small.issues()["kind"]) == {"merge_conflict", "reviewer_disagreement"}
    assert small.queue(20)["sample"].tolist()[0] == s and set(small.queue(20)["sample"]) == {
        s,
        *more,
    }
