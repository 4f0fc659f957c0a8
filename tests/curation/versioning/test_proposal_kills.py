"""A process that is killed while it opens or merges a proposal leaves nothing half done."""

import signal
import subprocess
import sys
import time

import pytest

import assay
from tests.helpers import ROOT, digits_bench

OPEN = """
import sys, pandas as pd, assay
bench = assay.open(sys.argv[1])
rows = bench.frame(split="train")
frame = pd.DataFrame(dict(sample=rows.index, label="8"))
print("ready", flush=True)
for number in range(50):
    bench.propose(f"number {number}", frame, "ann")
"""
MERGE = """
import sys, assay
bench = assay.open(sys.argv[1])
bench.set_proposal_policy(dict(measured=False))  # nothing is scanned
print("ready", flush=True)
for proposal in bench.proposals():
    bench.approve_proposal(proposal.name, "bob")
    bench.merge_proposal(proposal.name, "bob")
    bench.undo(who="bob")
"""


def kill_after(code, bench, seconds):
    """Run code on a bench, and kill it so long after it is ready."""
    command = [sys.executable, "-c", code, str(bench.path)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "ready\n"
        time.sleep(seconds)
        process.send_signal(signal.SIGKILL)


@pytest.mark.slow
@pytest.mark.parametrize("seconds", [0.05, 0.3, 0.7])
def test_what_is_killed_leaves_whole_proposals_and_whole_merges(tmp_path, seconds):
    bench = digits_bench(300, tmp_path)
    before = bench.state()
    kill_after(OPEN, bench, seconds)
    bench = assay.open(bench.path)
    assert bench.check() == [] and bench.state().equals(before)
    found = bench.proposals()
    for proposal in found:
        assert len(bench.proposal_changes(proposal.name)) == proposal.n_changes > 100
    bench.propose("one more", before[before["split"] == "train"].head(9).assign(sample=lambda f: f.index, label="8")[["sample", "label"]], "ann")  # fmt: skip
    kill_after(MERGE, bench, seconds)
    bench = assay.open(bench.path)
    assert bench.check() == []
    for proposal in bench.proposals():
        edits = bench.rows("select count(*) from edits where batch = ?", [proposal.batch])[0][0]
        asked = [e.about["merged"] for e in proposal.select_events("merge")]
        assert (proposal.status == "merged") == bool(asked) and edits == sum(asked)
