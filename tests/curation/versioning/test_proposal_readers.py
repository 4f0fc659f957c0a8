"""Every reader of a scanned bench says the same before and after proposals: nothing of them counts."""

import json

import pandas as pd
import pytest

import assay
from assay.curation.review.filtered_queue import queue_found
from assay.curation.versioning.sessions import list_sessions
from assay.curation.versioning.state_building import open_state
from assay.curation.versioning.states import hash_tree
from assay.curation.versioning.tree_hash import hash_partitioned_tree


def read_everything(bench):
    """What each reader says, as text, in the order of the work."""
    parts = open_state(bench)
    sample = bench.frame(split="train").index[0]
    reviews = json.dumps(bench.status(), default=str)
    return {
        "state": bench.state().to_csv(),
        "parts": parts.frame().to_csv(),
        "tree": (hash_tree(bench.state()), hash_partitioned_tree(parts)),
        "queue": bench.queue(100).drop(columns="upto", errors="ignore").to_csv(),
        "filtered queue": queue_found(bench, bench.state().index[:50])
        .drop(columns="upto", errors="ignore")
        .to_csv(),
        "flagged": bench.flagged().to_csv(),
        "issues": bench.issues().to_csv(),
        "probabilities": bench.pred_probs().to_csv(),
        "status": reviews,
        "log": bench.log().to_csv(),
        "batches": bench.batches().to_csv(),
        "sessions": str(list_sessions(bench)),
        "life": bench.blame(sample).edits.to_csv(),
        "reviewers": str(bench.reviewers()),
        "disagreements": bench.issues("reviewer_disagreement").to_csv(),
        "classes": bench.classes().to_csv(),
        "samples": bench.samples(where="keep").to_csv(),
        "changed since v1": str(bench.diff("v1")),
    }


@pytest.mark.slow
def test_no_reader_counts_what_is_only_proposed(scanned):
    rows = scanned.frame(split="train")
    mine = pd.DataFrame(dict(sample=rows.index[:12], verdict="confirm"))
    scanned.edit(mine, "ann")
    version = scanned.commit("reviewed", "ann")["name"]
    before = read_everything(scanned)
    label = ["3" if label == "8" else "8" for label in rows.label]
    change = pd.DataFrame(dict(sample=rows.index, label=label, why="so it looks"))
    drop = pd.DataFrame(dict(sample=rows.index[:30], keep="false"))
    for who, frame in (("bob", change), ("ann", drop)):
        scanned.propose("everything", frame, who)
    scanned.approve_proposal("p1", "cleo", text="fine")
    scanned.reject_proposal("p2", "cleo")
    scanned.check_proposal("p1", "cleo")
    scanned.close_proposal("p2", "ann")
    for bench in (scanned, assay.open(scanned.path)):  # what was remembered, and what is read anew
        after = read_everything(bench)
        assert [name for name in before if after[name] != before[name]] == []
    # nor can one be undone, or make a version
    assert scanned.commit("nothing new", "ann")["name"] == version
    assert scanned.undo(who="ann")["undone"].startswith("edit-")
    assert scanned.check() == []
