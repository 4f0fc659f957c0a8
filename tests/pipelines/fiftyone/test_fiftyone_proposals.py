"""What people changed in FiftyOne becomes a proposal: a real FiftyOne on a real mongod, in processes of their own."""

import json
import subprocess
import sys

import pytest

from assay import UserError
from assay.curation.versioning.proposals import read_changes
from assay.pipelines.fiftyone import mongod
from tests.helpers import ROOT, digits, scanned_bench

CHANGE = """import sys
import assay
from assay.pipelines.fiftyone import dataset
bench = assay.open(sys.argv[1])
fo, _ = dataset.connect_database(bench)
shown = dataset.open_dataset(bench, fo)
relabelled, tagged, locked = (
    shown.match(fo.ViewField("assay_id") == name).first() for name in sys.argv[2:5]
)
relabelled.ground_truth.label = sys.argv[5]
tagged.tags.append("odd one")
locked.ground_truth.label = "x"
for sample in (relabelled, tagged, locked):
    sample.save()
"""


@pytest.mark.daily
@pytest.mark.slow
def test_what_was_changed_there_is_proposed_and_merged_by_people(tmp_path):
    """Nothing counts before the merge, though FiftyOne has it; a pull after it finds nothing more to do."""
    try:
        mongod.find_binary()
    except UserError as e:
        pytest.skip(e.problem)
    bench = scanned_bench(digits(300), tmp_path)
    before = bench.state()
    assert bench.push_fiftyone()["samples"] == 300
    relabelled, tagged = before.index[(before["split"] == "train") & before.keep][:2]
    locked = before.index[before["split"] == "test"][0]
    wanted = "4" if before.label[relabelled] != "4" else "6"
    words = [sys.executable, "-c", CHANGE, bench.path, relabelled, tagged, locked, wanted]
    subprocess.run(words, check=True, cwd=ROOT)
    words = ["--title", "seen in FiftyOne", "--who", "eve", "--json", "-b", bench.path]
    done = subprocess.run(
        [sys.executable, "-m", "assay", "proposal", "open", "--fiftyone", *words],
        cwd=ROOT, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    out = json.loads(done.stdout)
    assert (out["changes"], out["source"]) == (2, "FiftyOne")
    assert sum(out["left_out"].values()) == 1, "the locked one"
    assert set(read_changes(bench, "p1")["sample"]) == {relabelled, tagged}
    assert bench.state().equals(before)
    bench.approve_proposal("p1", "bob")
    judgement, merged = bench.merge_proposal("p1", "bob")
    assert merged.edits == 2 and judgement["measured"]["train"] == 1
    now = bench.state()
    assert now.label[relabelled] == wanted and "odd one" in now.tags[tagged]
    assert bench.blame(relabelled)[2].who.iloc[-1] == "eve"
    pulled = bench.pull_fiftyone("ann")
    assert pulled["edits"] == 0 and list(pulled["left"]["sample"]) == [locked]
