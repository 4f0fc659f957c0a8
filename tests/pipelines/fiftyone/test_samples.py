"""What of a sample goes to FiftyOne, and comes from there."""

import json
import os
from pathlib import Path

import numpy as np
import pytest

import assay
from assay.pipelines.cli import fiftyone_datasets
from assay.pipelines.fiftyone import samples as bridge


@pytest.mark.slow
def test_no_label_of_the_test_split_reaches_another_sample(scanned):
    """All test labels permuted: every row of train, val and pool is the same to the byte, and a test row has nothing but its label."""
    from assay.pipelines.indexing.scan import ScanOptions, scan

    before = bridge.sample_rows(scanned)
    test = before.index[[tags[0] == "test" for tags in before.tags]]
    shuffled = dict(zip(test, np.random.default_rng(1).permutation(before.label[test])))
    with scanned.transaction() as con:
        for sample, label in shuffled.items():
            value = [json.dumps(label), sample]
            con.execute("update edits set value = ? where sample = ? and field = 'label'", value)
    again = assay.open(scanned.path)
    scan(
        again, ScanOptions(embedder="pixels"), say=lambda line: None
    )  # nothing that was kept hides a difference
    after = bridge.sample_rows(again)
    assert (after.label[test] != before.label[test]).sum() > 50
    others = before.index.difference(test)
    assert after.loc[others].to_json() == before.loc[others].to_json()
    assert before.loc[others, "score"].notna().all() and before.loc[others, "cluster"].notna().all()
    hidden = ["prediction", "confidence", "score", "flagged", "reviewed", "cluster", "issues"]
    assert before.loc[test, hidden].isna().all(axis=None)
    for where in (bridge.map_points, bridge.load_vectors):
        assert where(scanned, scanned.state()).tobytes() == where(again, again.state()).tobytes()


def test_images_are_the_original_bytes(bench):
    from assay.curation.media.files import content_hash

    rows = bridge.sample_rows(bench)
    files, lost = bridge.locate_files(bench, rows)
    assert not lost and set(files) == set(rows.content_hash)
    assert all(
        content_hash(Path(file).read_bytes()) == hash and file.endswith(".png")
        for hash, file in files.items()
    )
    Path(files[rows.content_hash.iloc[0]]).unlink()
    assert bridge.locate_files(bench, rows)[0] == files and os.path.exists(
        files[rows.content_hash.iloc[0]]
    )


def test_a_data_set_is_a_source():
    """Tags that name a split are it, in the words of others too; what is in two splits at once is left out, and said."""
    samples = [
        dict(id="1", filepath="/a/x.png", label="cat", tags=["Validation", "odd"]),
        dict(id="2", filepath="/b/x.png", label="dog", tags=["fold0"]),
        dict(id="3", filepath="/b/y.png", label=None, tags=[]),
        dict(id="4", filepath="/b/z.png", label="dog", tags=["train", "test"]),
    ]
    found = fiftyone_datasets.make_source("pets", samples, {"fold0": "train"})
    assert found.frame[["key", "uri", "label", "split"]].to_numpy().tolist() == [
        ["1", "/a/x.png", "cat", "val"],
        ["2", "/b/x.png", "dog", "train"],
        ["3", "/b/y.png", None, "pool"],
    ]
    assert found.frame.meta[0] == {"tags": ["odd"]} and found.left_out == [
        ("4", "has several splits: test, train")
    ]
