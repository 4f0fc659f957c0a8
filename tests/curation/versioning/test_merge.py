"""Two copies of a bench become one."""

import pytest

import assay
from assay import UserError
from assay.curation.media.base import read_texts
from assay.curation.versioning import states
from tests.decisions import copy_of, decide, other, train
from tests.helpers import bench_of, digits, run_assay


@pytest.mark.slow
def test_two_copies_merge_and_merging_again_changes_nothing(small):
    a, b, c, d, e, f, g, h = train(small)
    old = small.state().label
    small.commit("start", "ann")
    copy = copy_of(small)
    decide(
        small,
        "ann",
        dict(sample=a, label=other(old[a])),
        dict(sample=c, label=other(old[c])),
        dict(sample=d, label=other(old[d])),
    )
    decide(
        small,
        "ann",
        dict(sample=e, tag="odd"),
        dict(sample=f, label=other(old[f])),
        dict(sample=g, verdict="confirm"),
    )
    decide(
        copy,
        "bob",
        dict(sample=b, label=other(old[b])),
        dict(sample=c, label=other(old[c], 2)),
        dict(sample=d, label=other(old[d])),
    )
    decide(
        copy,
        "bob",
        dict(sample=e, keep="false"),
        dict(sample=g, label=other(old[g])),
        dict(sample=f, label=other(old[f], 2)),
    )
    copy.undo(who="bob")
    decide(copy, "bob", dict(sample=e, keep="false"), dict(sample=g, label=other(old[g])))
    out = small.merge(copy.path, "ann")
    assert (
        {c["sample"] for c in out["conflicts"]} == {c, g}
        and out["edits"] == 11
        and out["authors"] == ["bob"]
    )
    now = small.state()
    assert [now.label[s] for s in (a, b, c, d, f, g)] == [
        other(old[s]) for s in (a, b, c, d, f)
    ] + [old[g]]
    assert now.tags[e] == ("odd",) and not now.keep[e], "two fields of one sample are no conflict"
    count = len(small.query("select uid from edits"))
    assert (
        small.merge(copy.path, "ann")["edits"] == 0
        and len(small.query("select uid from edits")) == count
    )
    assert copy.merge(small.path, "bob")["conflicts"] == [] and states.hash_tree(
        copy.state()
    ) == states.hash_tree(now)
    assert (
        small.chain_breaks() == copy.chain_breaks() == []
        and small.query("select uid from edits").uid.is_unique
    )
    found = small.issues("merge_conflict").set_index("sample")
    assert (
        set(found.index) == {c, g}
        and "by bob" in found.why[c]
        and set(small.queue(5)["sample"][:2]) == {c, g}
    )
    decide(small, "ann", dict(sample=c, verdict="confirm"), dict(sample=g, label=other(old[g])))
    assert small.issues("merge_conflict").empty, "a decision settles it, be it a confirmation"
    assert states.hash_tree(small.state("v1")) == small.commits().tree.iloc[0]


@pytest.mark.slow
def test_a_merge_brings_new_samples_with_their_pixels(small, tmp_path):
    from assay.curation.formats.base import ImportOptions
    from assay.pipelines.indexing.ingest import ingest

    copy = copy_of(small)
    more = digits(90).tail(30).assign(split="train")
    more.to_parquet(tmp_path / "more.parquet")
    ingest(copy, tmp_path / "more.parquet", "bob", ImportOptions(columns=dict(label="label")))
    (tmp_path / "more.parquet").unlink()
    out = small.merge(copy.path, "ann")
    assert (
        out["samples"] == 30
        and out["conflicts"] == []
        and states.hash_tree(small.state()) == states.hash_tree(copy.state())
    )
    assert (
        len(small.dataset()) == len(copy.dataset())
        and small.dataset()[40][0].tobytes() == copy.dataset()[40][0].tobytes()
    )


def test_a_merge_brings_new_rows_of_a_table(tmp_path):
    """What a row says lies in the bench, and its source is on another machine."""
    bench = assay.create(tmp_path / "bench")
    columns = dict(label="label", split="split")
    first, more = tmp_path / "first.csv", tmp_path / "more.csv"
    first.write_text("age,wage,label,split\n31,2000,a,train\n42,3000,b,train\n")
    more.write_text("age,wage,label,split\n53,1000,a,train\n64,1500,b,train\n")
    bench.add(first, who="ann", media="row", columns=columns)
    copy = copy_of(bench)
    copy.add(more, who="bob", media="row", columns=columns)
    assert bench.merge(copy.path, "ann")["samples"] == 2
    hashes = bench.state().content_hash
    assert read_texts(bench, hashes) == read_texts(copy, hashes)


@pytest.mark.slow
def test_what_is_no_copy_is_refused_and_nothing_is_merged(small, tmp_path):
    decide(small, "ann", dict(sample=train(small)[0], verdict="confirm"))
    before = small.query("select * from edits")
    stranger = bench_of(digits(40, seed=5).assign(id=lambda t: "x" + t.id), tmp_path / "stranger")
    broken = copy_of(small, "broken")
    blob = bytearray(broken.file.read_bytes())
    for at in range(10_000, len(blob), 30_000):  # half of the file is free blocks
        blob[at] ^= 255
    broken.file.write_bytes(blob)
    for folder, word in (
        (stranger.path, "shares no sample"),
        (small.path, "itself"),
        (tmp_path / "none", "found no"),
        (broken.path, "damaged"),
    ):
        status, _, err = run_assay("merge", folder, "-b", small.path)
        assert status == 2 and word in err, err
    assert small.query("select * from edits").equals(before)


@pytest.mark.slow
def test_a_test_split_that_both_froze_anew_is_refused(small, tmp_path):
    from assay.curation.formats.base import ImportOptions
    from assay.pipelines.indexing.ingest import ingest

    copy = copy_of(small)
    for bench, name, rows in ((small, "one", slice(60, 70)), (copy, "two", slice(70, 80))):
        table = digits(80).iloc[rows].assign(split="test")
        table.to_parquet(tmp_path / f"{name}.parquet")
        ingest(
            bench,
            tmp_path / f"{name}.parquet",
            "x",
            ImportOptions(columns=dict(label="label"), refreeze_test=True),
        )
    before = small.state()
    with pytest.raises(UserError, match="frozen test split"):
        small.merge(copy.path, "ann")
    assert assay.open(small.path).state().equals(before) and small.chain_breaks() == []


@pytest.mark.slow
def test_the_last_word_of_a_person_is_the_later_one_whichever_way_copies_merge(small):
    """Under a majority: ann changes her mind on another copy, where bob agrees with her; her first word, with which cat agrees, reaches
    that copy later."""
    sample = train(small)[0]
    small.set_rule("majority", "ann")
    copy, right = copy_of(small), small.state().label[sample]
    decide(small, "ann", dict(sample=sample, label=other(right, 1)))
    decide(small, "cat", dict(sample=sample, label=other(right, 1)))
    decide(copy, "ann", dict(sample=sample, label=other(right, 2)))
    decide(copy, "bob", dict(sample=sample, label=other(right, 2)))
    here, there = copy_of(small, "here"), copy_of(copy, "there")
    here.merge(copy.path, "eve")
    there.merge(small.path, "eve")
    assert {b.state().label[sample] for b in (here, there)} == {other(right, 2)}
