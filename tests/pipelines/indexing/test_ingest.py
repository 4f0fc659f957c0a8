"""Stories about importing, and importing again: no sample is without a split, and a file that was moved stays itself."""

import csv
import re
import shutil
from collections import Counter
from hashlib import sha256

import numpy as np
import pandas as pd
import pytest

import assay
from assay import UserError
from assay.curation.formats.base import ImportOptions, Source
from assay.curation.formats.splits import make_splits
from assay.curation.maintenance import integrity
from assay.curation.review import progress, reviewers
from assay.curation.storage.schema import LINK, UPGRADES
from assay.pipelines.indexing.ingest import ingest
from tests.app_test import AppTest
from tests.helpers import make_older, png, run_assay

WORDS = {"train", "val", "test", "pool", "guard"}


def picture(seed):
    return png(np.random.default_rng(seed).integers(0, 256, (6, 6, 3)))


def manifest(folder, labels, splits=None, name="l.csv"):
    """A CSV of as many pictures as there are labels; a cell may be empty."""
    folder.mkdir(parents=True, exist_ok=True)
    for i in range(len(labels)):
        (folder / f"{i:02}.png").write_bytes(picture(i))
    with open(folder / name, "w", newline="") as f:
        rows = [
            [f"{i:02}.png", label, split]
            for i, (label, split) in enumerate(zip(labels, splits or [""] * len(labels)))
        ]
        csv.writer(f).writerows(
            [
                ["path", "label", "split"][: 3 if splits else 2],
                *(row[: 3 if splits else 2] for row in rows),
            ]
        )
    return folder / name


def holds(bench):
    """The splits of what a bench holds, each one of the five words."""
    state = bench.state()
    assert set(state.split) <= WORDS, Counter(map(repr, state.split))
    return Counter(state.split[state.keep])


# ---- no sample is without a split


def test_rows_without_a_label_leave_the_others_their_splits(tmp_path):
    labels = ["ab"[i % 2] if i < 50 else "" for i in range(60)]
    status, out, _ = run_assay("import", manifest(tmp_path / "d", labels), "-b", tmp_path / "bench")
    bench = assay.open(tmp_path / "bench")
    assert status == 0 and holds(bench) == dict(train=35, val=5, test=10, pool=10)
    assert bench.state().label.isna().sum() == 10 and bench.rules()["test"]["n"] == 10
    total, *parts = (
        int(n) for n in re.findall(r"(\d+) (?:in|train|val|test|pool)", out.split("holds")[1])
    )
    assert total == sum(parts) == 60 and "10 of them without a label" in out


@pytest.mark.parametrize("blank", ["", " ", "nan"])
def test_some_splits_are_given_and_others_open(tmp_path, blank):
    labels, splits = ["ab"[i % 2] for i in range(60)], ["train"] * 20 + ["test"] * 10 + [blank] * 30
    bench = assay.create(tmp_path / "bench")
    out = ingest(bench, manifest(tmp_path / "d", labels, splits), "tester")
    assert holds(bench) == out["splits"] == dict(train=45, val=5, test=10) and out["samples"] == 60


@pytest.mark.slow
def test_images_that_come_into_an_imported_folder(tmp_path):
    for i in range(60):
        place = tmp_path / "pets" / ("cat", "dog")[i % 2]
        place.mkdir(parents=True, exist_ok=True)
        (place / f"{i}.png").write_bytes(picture(i))
    bench = assay.create(tmp_path / "bench")
    ingest(bench, tmp_path / "pets", "tester")
    before = holds(bench)
    for i in range(60, 80):
        (tmp_path / "pets" / "cat" / f"{i}.png").write_bytes(picture(i))
    out = ingest(bench, tmp_path / "pets", "tester")
    assert out["added"] == 20 and holds(bench) == before + Counter(train=20) == out["splits"]
    assert ingest(bench, tmp_path / "pets", "tester")["batch"] is None, "and again: nothing is new"


def test_parquet_with_nulls(tmp_path):
    labels, splits = (
        ["a", "b", None, "a", "b", None] * 10,
        ["train", None, None, "val", "test", "train"] * 10,
    )
    table = pd.DataFrame(dict(image=[picture(i) for i in range(60)], label=labels, split=splits))
    table.to_parquet(tmp_path / "p.parquet")
    bench = assay.create(tmp_path / "bench")
    assert (
        ingest(bench, tmp_path / "p.parquet", "tester")["splits"]
        == dict(train=20, val=10, test=10, pool=20)
        == holds(bench)
    )


def test_a_frame_of_somebody_elses_pandas(tmp_path):
    """None, NaN, NA and blanks all say nothing."""
    source = manifest(tmp_path, ["a"] * 40)
    nothing = [None, float("nan"), pd.NA, " ", ""]
    frame = pd.DataFrame(
        dict(
            key=[f"k{i}" for i in range(40)],
            uri=[str(tmp_path / f"{i:02}.png") for i in range(40)],
            meta=[{}] * 40,
        )
    )
    frame["label"] = [nothing[i % 5] if i % 3 == 0 else "ab"[i % 2] for i in range(40)]
    frame["split"] = [nothing[i % 5] if i % 2 else "train" for i in range(40)]
    bench = assay.create(tmp_path / "bench")
    out = ingest(bench, Source(frame, [], "a frame", source.name, []), "tester")
    assert (
        holds(bench) == out["splits"]
        and out["splits"]["pool"] == 14
        and sum(out["splits"].values()) == 40
    )
    assert {type(label) for label in bench.state().label} == {str, type(None)}


def test_nan_is_no_split():
    frame = pd.DataFrame(
        dict(
            key=list("abcdef"),
            label=list("xyxyxy"),
            split=["train", None, "test", None, "val", None],
        )
    )
    assert frame["split"].dtype == "str", "what pandas 3 makes of strings and None"
    assert make_splits(frame, list(frame.key)) == [
        "train",
        "train",
        "test",
        "train",
        "val",
        "train",
    ]


@pytest.mark.slow
def test_who_labels_a_row_later_gets_a_sample_that_is_trained_on(tmp_path):
    bench = assay.create(tmp_path / "bench")
    ingest(bench, manifest(tmp_path, ["ab"[i % 2] if i < 40 else "" for i in range(60)]), "tester")
    before = holds(bench)
    assert before["pool"] == 20
    out = ingest(
        bench, manifest(tmp_path, ["ab"[i % 2] if i < 50 else "" for i in range(60)]), "tester"
    )
    assert (out["relabelled"], out["unlabelled"]) == (10, 10) and holds(bench) == before + Counter(
        train=10
    ) - Counter(pool=10)


# ---- the door of the log


@pytest.mark.slow
@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("split", "NaN"),
        ("split", '"tran"'),
        ("split", "null"),
        ("split", None),
        ("label", "NaN"),
        ("label", "null"),
        ("label", '""'),
    ]
    + [
        ("label", "3"),
        ("keep", '"true"'),
        ("keep", "NaN"),
        ("keep", "1"),
        ("tag", '"blurred"'),
        ("rule", '"test"'),
        ("place", "{}"),
    ]
    + [("colour", '"red"')],
)
def test_what_is_no_value_of_its_field_does_not_enter_the_log(bench, field, value):
    row = pd.DataFrame([dict(sample=bench.state().index[0], field=field, value=value)])
    with pytest.raises(AssertionError, match=field), bench.transaction() as con:
        bench.append(con, row, "edit-1", "ann")
    assert not bench.rows("select 1 from edits where batch = 'edit-1'") and not bench.chain_breaks()


def without_splits(bench, samples, field="split"):
    """Make of a bench one that the import of schema 3 made: NaN is the split of some samples."""
    with bench.transaction() as con:
        con.execute(
            f"update edits set value = 'NaN' where field = '{field}' and sample in (select unnest(?))",
            [list(samples)],
        )
        make_older(con, 3)
        end = con.execute("select max(seq) from edits").fetchall()[0][0]
        link = con.execute(LINK, [0, end]).fetchall()[0][0]
        con.execute(
            "update meta set value = ? where key = 'head'", [sha256(link.encode()).hexdigest()]
        )
    (bench.path / ".lock").unlink()
    return bench.path


@pytest.mark.slow
def test_an_old_bench_whose_samples_had_no_split_gives_them_one(tmp_path):
    bench = assay.create(tmp_path / "bench")
    ingest(bench, manifest(tmp_path / "d", ["ab"[i % 2] for i in range(60)]), "tester")
    state = bench.state()
    lost = [*state.index[state.split == "train"][:20], *state.index[state.split == "val"][:2]]
    path = without_splits(bench, lost)
    copy = shutil.copytree(path, tmp_path / "copy")
    status, out, err = run_assay("status", "-b", path)
    assert (
        status == 0
        and "22 samples had no split" in out + err
        and "22" not in run_assay("status", "-b", path)[2]
    ), "said once"
    bench = assay.open(path)
    (batch,) = bench.rows(
        "select batch, who, count(*), any_value(why) from edits where batch like 'repair-%' group by all"
    )
    assert batch[1:3] == ("assay", 22) and "no split" in batch[3]
    now = bench.state()
    assert (
        holds(bench)["test"] == 12
        and set(now.split[lost]) <= {"train", "val"}
        and (now.split == state.split)[~now.index.isin(lost)].all()
    )
    assert not bench.chain_breaks() and integrity.check_bench(bench) == []
    assert bench.merge(copy)["conflicts"] == [] and holds(bench) == Counter(now.split), (
        "two copies are mended alike"
    )
    with pytest.raises(UserError, match="stands"):
        bench.undo(batch[0], "ann")


def test_where_no_sample_had_a_split_all_are_drawn_as_the_import_should_have(tmp_path):
    labels = ["ab"[i % 2] if i < 50 else "" for i in range(60)]
    bench = assay.create(tmp_path / "bench")
    ingest(bench, manifest(tmp_path / "d", labels), "tester")
    right = bench.state().split
    with bench.transaction() as con:  # no test split, no rule
        con.execute("delete from edits where field = 'rule'")
    bench = assay.open(without_splits(bench, right.index[right != "pool"]))
    assert (bench.state().split == right).all() and bench.rules()["test"]["n"] == 10


@pytest.mark.slow
def test_a_label_that_was_none_goes_back_to_the_pool(tmp_path):
    bench = assay.create(tmp_path / "bench")
    ingest(bench, manifest(tmp_path / "d", ["ab"[i % 2] for i in range(30)]), "tester")
    lost = bench.state().index[bench.state().split == "train"][:3]
    bench = assay.open(without_splits(bench, lost, "label"))
    assert list(bench.state().label[lost]) == [None] * 3 and set(bench.state().split[lost]) == {
        "pool"
    }
    assert integrity.check_bench(bench) == []


@pytest.mark.slow
def test_check_names_a_split_that_is_none(tmp_path):
    bench = assay.create(tmp_path / "bench")
    ingest(bench, manifest(tmp_path / "d", ["ab"[i % 2] for i in range(30)]), "tester")
    without_splits(bench, bench.state().index[:3])
    with bench.transaction() as con:  # as if no upgrade had mended it
        con.execute(UPGRADES["4"] + "update meta set value = '5' where key = 'schema'")
    assert "3 values that no field has" in run_assay("check", "-b", bench.path)[1]


# ---- a moved file stays itself


def pets(folder, **classes):
    """Class folders of so many pictures each, all different: {class: n}."""
    for k, (label, n) in enumerate(classes.items()):
        (folder / label).mkdir(parents=True, exist_ok=True)
        for i in range(n):
            (folder / label / f"{label}{i:02}.png").write_bytes(picture(1000 * k + i))
    return folder


def imported(tmp_path, **classes):
    """(folder, bench, its state)."""
    folder, bench = pets(tmp_path / "pets", **classes), assay.create(tmp_path / "bench")
    ingest(bench, folder, "tester")
    return folder, bench, bench.state()


def of(state, split, label=None, n=1):
    """The first n samples of a split: their keys and ids."""
    found = state[(state["split"] == split) & ((state.label == label) if label else True)].iloc[:n]
    return list(found.key), list(found.index)


def same(bench, before, *columns):
    """Are the same samples there, kept, and alike in these columns?"""
    now = bench.state()
    assert list(now.index) == list(before.index) and now.keep.all()
    return (now[list(columns)] == before[list(columns)]).all(axis=None)


@pytest.mark.slow
def test_a_file_that_was_moved_to_its_right_class_is_relabelled_by_the_source(tmp_path):
    folder, bench, before = imported(tmp_path, cat=30, dog=30)
    keys, ids = of(before, "train", "cat", 2)
    bench.edit(pd.DataFrame([dict(sample=ids[0], tag="blurred")]), "ann")
    for key in keys:
        (folder / key).rename(folder / "dog" / key.split("/")[1])
    status, out, err = run_assay("import", folder, "-b", bench.path)
    assert (
        status == 0
        and "0 samples added; 2 moved; 2 relabelled by the source; the bench holds 60" in out
    ), out + err
    assert same(bench, before, "split", "content_hash")
    now = bench.state()
    assert list(now.label[ids]) == list(now.given_label[ids]) == ["dog"] * 2 and now.tags[
        ids[0]
    ] == ("blurred",)
    assert list(now.key[ids]) == [f"dog/{key.split('/')[1]}" for key in keys]
    assert [uri.startswith(str(folder / "dog")) for uri in now.uri[ids]] == [True] * 2
    said = bench.rows(
        "select value ->> 'key', value ->> 'was' from edits where field = 'place' order by 1"
    )
    assert said == sorted(zip(now.key[ids], keys)) and integrity.check_bench(bench) == []
    assert ingest(bench, folder, "tester")["batch"] is None


@pytest.mark.slow
def test_a_class_folder_that_was_renamed_renames_the_class_on_test_only_where_asked(tmp_path):
    folder, bench, before = imported(tmp_path, cat=30, dog=30)
    (folder / "cat").rename(folder / "kitty")
    status, _, err = run_assay("import", folder, "-b", bench.path)
    assert (
        status == 2
        and "6 labels of the test split" in err
        and "--refreeze-test" in err
        and bench.state().equals(before)
    )
    out = ingest(bench, folder, "tester", ImportOptions(refreeze_test=True))
    assert (out["moved"], out["relabelled"], out["added"], out["removed"]) == (30, 30, 0, 0)
    assert same(bench, before, "split") and list(bench.state().label) == [
        c.replace("cat", "kitty") for c in before.label
    ]
    assert bench.rules()["test"]["n"] == 12


@pytest.mark.slow
def test_labels_of_test_that_a_csv_changes_are_asked_about_too(tmp_path):
    labels = ["ab"[i % 2] for i in range(60)]
    bench = assay.create(tmp_path / "bench")
    ingest(bench, manifest(tmp_path / "d", labels), "tester", ImportOptions(audited_test=True))
    at = int(of(bench.state(), "test")[0][0][:2])
    labels[at] = "b" if labels[at] == "a" else "a"
    with pytest.raises(UserError, match="1 label of the test split"):
        ingest(bench, manifest(tmp_path / "d", labels), "tester")
    out = ingest(
        bench, manifest(tmp_path / "d", labels), "tester", ImportOptions(refreeze_test=True)
    )
    assert out["relabelled"] == 1 and not bench.rules()["test"]["audited"], (
        "those who audited it did not see this label"
    )


@pytest.mark.slow
def test_renamed_and_corrected_at_once(tmp_path):
    """cat becomes kitty, one of its files goes to dog under another name, one of dog comes."""
    folder, bench, before = imported(tmp_path, cat=30, dog=30)
    (cat,), (dog,) = of(before, "train", "cat")[0], of(before, "val", "dog")[0]
    (folder / cat).rename(folder / "dog" / "was a cat.png")
    (folder / dog).rename(folder / "cat" / "was a dog.png")
    (folder / "cat").rename(folder / "kitty")
    ingest(bench, folder, "tester", ImportOptions(refreeze_test=True))
    assert same(bench, before, "split", "content_hash")
    want = before.label.replace("cat", "kitty")
    want[before.key == cat], want[before.key == dog] = "dog", "kitty"
    assert (bench.state().label == want).all()


@pytest.mark.slow
def test_two_files_that_changed_places(tmp_path):
    folder, bench, before = imported(tmp_path, cat=30, dog=30)
    (cat,), (dog,) = of(before, "train", "cat")[0], of(before, "train", "dog")[0]
    a, b = (folder / cat).read_bytes(), (folder / dog).read_bytes()
    (folder / cat).write_bytes(b), (folder / dog).write_bytes(a)
    out = ingest(bench, folder, "tester")
    assert (out["moved"], out["relabelled"]) == (2, 2) and same(
        bench, before, "split", "content_hash"
    )
    now = bench.state().set_index(before.key)
    assert (now.key[cat], now.label[cat]) == (dog, "dog") and (now.key[dog], now.label[dog]) == (
        cat,
        "cat",
    )


@pytest.mark.slow
def test_a_file_that_moved_away_and_another_one_in_its_place(tmp_path):
    """The new one is no child of the one that moved, though it has its key; with its very bytes it is a copy, and has an id of its own."""
    folder, bench, before = imported(tmp_path, cat=30, dog=30)
    (a, b), ids = of(before, "train", "cat", 2)
    for key in (a, b):
        (folder / key).rename(folder / "cat" / f"moved-{key[4:]}")
    (folder / a).write_bytes(picture(77))
    assert ingest(bench, folder, "tester")["moved"] == 2
    shutil.copy(folder / "cat" / f"moved-{b[4:]}", folder / b)
    out = ingest(bench, folder, "tester")
    now = bench.state()
    assert (
        (out["added"], out["moved"], out["removed"]) == (1, 0, 0)
        and len(now) == 62
        and now.index.is_unique
    )
    assert (
        now.parent[60:].isna().all()
        and set(now.key[60:]) == {a, b}
        and now.content_hash.iloc[61] == now.content_hash[ids[1]]
    )
    assert integrity.check_bench(bench) == [] and ingest(bench, folder, "tester")["batch"] is None


@pytest.mark.slow
def test_copies_pair_in_the_order_of_their_keys(tmp_path):
    folder = pets(tmp_path / "pets", cat=20, dog=20)
    for name in "abc":
        (folder / "cat" / f"{name}.png").write_bytes(picture(5000))
    bench = assay.create(tmp_path / "bench")
    ingest(bench, folder, "tester", ImportOptions(refreeze_test=True))
    before = bench.state()
    copies = before[before.content_hash == before.content_hash[before.key == "cat/b.png"].iloc[0]]
    for old, new in (("a", "z"), ("b", "y"), ("c", "x")):
        (folder / "cat" / f"{old}.png").rename(folder / "cat" / f"{new}.png")
    (folder / "cat" / "z.png").rename(folder / "dog" / "z.png")
    ingest(bench, folder, "tester", ImportOptions(refreeze_test=True))
    now = bench.state().loc[copies.index]
    assert list(copies.key) == ["cat/a.png", "cat/b.png", "cat/c.png"] and list(now.key) == [
        "cat/x.png",
        "cat/y.png",
        "dog/z.png",
    ]
    assert list(now.label) == ["cat", "cat", "dog"] and same(bench, before, "split")


@pytest.mark.slow
def test_one_of_three_copies_moved_and_the_two_others_stay_who_they_are(tmp_path):
    folder = pets(tmp_path / "pets", cat=20, dog=20)
    for name in "abc":
        (folder / "cat" / f"{name}.png").write_bytes(picture(5000))
    bench = assay.create(tmp_path / "bench")
    ingest(bench, folder, "tester")
    before = bench.state().reset_index().set_index("key")
    (folder / "cat" / "b.png").rename(folder / "dog" / "a.png")
    ingest(bench, folder, "tester", ImportOptions(refreeze_test=True))
    now = bench.state()
    assert (
        len(now) == 43
        and now.keep.all()
        and now.label[now.key == "dog/a.png"].item() == "dog"
        and "cat/b.png" not in set(now.key)
    )
    assert now[now.key == "dog/a.png"].index[0] == before["sample"]["cat/b.png"]


@pytest.mark.slow
def test_what_people_found_wrong_stays_found_when_the_source_changes_its_labels(tmp_path):
    """A class is renamed at the source, and one label is corrected there as Ann did: her count of wrong labels is of what she was shown, and she
    can take her decisions back, to what the source says now."""
    folder, bench, before = imported(tmp_path, cat=20, dog=20)
    ids = of(before, "train", "cat", 4)[1]
    right, fixed, dropped, unsure = ids
    decisions = [
        dict(sample=right, verdict="confirm"),
        dict(sample=fixed, label="dog"),
        dict(sample=dropped, keep="false"),
    ]
    hers = bench.edit(pd.DataFrame([*decisions, dict(sample=unsure, verdict="unsure")]), "ann")[
        "batch"
    ]
    found = progress.summarize_reviews(bench)
    assert (found["reviewed"], found["wrong"]) == (4, 2)
    (folder / before.key[fixed]).rename(folder / "dog" / "moved.png")
    (folder / "cat").rename(folder / "felis")
    assert run_assay("import", folder, "-b", bench.path, "--refreeze-test")[0] == 0
    assert progress.summarize_reviews(bench) == found, "she was shown cat, and cat it was"
    assert list(bench.state().label[ids]) == ["cat", "dog", "felis", "cat"]
    undone = bench.undo(hers, "ann")
    assert (undone["left_alone"], list(bench.state().label[ids])) == (
        0,
        ["felis", "dog", "felis", "felis"],
    )
    assert not bench.state().reviewed[ids].any() and bench.state().keep[ids].all()
    assert bench.redo("ann")["left_alone"] == 0
    assert (
        list(bench.state().label[ids]) == ["cat", "dog", "felis", "cat"]
        and progress.summarize_reviews(bench) == found
    )


@pytest.mark.slow
def test_a_file_that_moves_to_another_splits_folder_keeps_its_split_and_that_is_said(tmp_path):
    for split, n in (("train", 20), ("val", 5), ("test", 5)):
        pets(tmp_path / "d" / split, **{f"cat-{split}": n, f"dog-{split}": n})
    bench = assay.create(tmp_path / "bench")
    ingest(bench, tmp_path / "d", "tester")
    before = bench.state()
    for split in ("train", "val"):
        (key,) = of(before, split)[0]
        (tmp_path / "d" / key).rename(tmp_path / "d" / "test" / "cat-test" / f"from {split}.png")
    status, out, _ = run_assay("import", tmp_path / "d", "-b", bench.path)
    assert status == 0 and "2 moved" in out and "another split than is the sample's" in out
    assert same(bench, before, "split") and bench.rules()["test"]["n"] == 10


@pytest.mark.slow
def test_people_decided_and_then_the_file_moved(tmp_path):
    """Ann's word stays, the source's is in the log beside it. Where she only dropped a sample, it has its new label there."""
    folder, bench, before = imported(tmp_path, cat=20, dog=20, emu=20)
    keys, ids = of(before, "train", "cat", 5)
    emu, right, kept, dropped, plain = ids
    decisions = [
        dict(sample=emu, label="emu"),
        dict(sample=right, label="dog"),
        dict(sample=kept, verdict="confirm"),
        dict(sample=dropped, keep="false"),
    ]
    first = bench.edit(pd.DataFrame(decisions), "ann")["batch"]
    for key in keys:
        (folder / key).rename(folder / "dog" / key.split("/")[1])
    out = ingest(bench, folder, "tester")
    assert (out["moved"], out["relabelled"], out["left_alone"]) == (5, 3, 2)
    now = bench.state()
    assert list(now.label[ids]) == ["emu", "dog", "cat", "dog", "dog"] and set(
        now.given_label[ids]
    ) == {"dog"}
    assert list(now.keep[ids]) == [True, True, True, False, True] and list(now.reviewed[ids]) == [
        True,
        True,
        True,
        True,
        False,
    ]
    assert now.verdict[kept] == "confirm" and bench.reviewers()[0].samples.sum() == 4
    assert "ann's stands; the source says dog" in " ".join(bench.blame(emu)[2].why)
    assert ingest(bench, folder, "tester")["batch"] is None, "said once"
    bench.undo(out["batch"], "ann")
    assert list(bench.state().label[ids]) == ["emu", "dog", "cat", "cat", "cat"] and first in set(
        bench.blame(emu)[2].batch
    )


@pytest.mark.slow
def test_an_import_that_moved_files_is_taken_back(tmp_path):
    folder, bench, before = imported(tmp_path, cat=20, dog=20)
    (key,), (sample,) = of(before, "train", "cat")
    (folder / key).rename(folder / "dog" / "x.png")
    batch = ingest(bench, folder, "tester")["batch"]
    bench.undo(batch, "ann")
    assert (bench.state().key[sample], bench.state().label[sample]) == (key, "cat")
    bench.redo("ann")
    assert (bench.state().key[sample], bench.state().label[sample]) == ("dog/x.png", "dog")
    assert (assay.open(bench.path).state().key == bench.state().key).all()


@pytest.mark.slow
def test_a_move_comes_along_with_a_merge(tmp_path):
    folder, bench, before = imported(tmp_path, cat=20, dog=20)
    copy = assay.open(shutil.copytree(bench.path, tmp_path / "copy"))
    (key,), (sample,) = of(before, "train", "cat")
    (folder / key).rename(folder / "dog" / "x.png")
    ingest(copy, folder, "tester")
    assert bench.merge(copy.path, "ann")["conflicts"] == []
    assert (bench.state().key[sample], bench.state().label[sample]) == ("dog/x.png", "dog")


@pytest.mark.slow
def test_rows_of_a_table_without_ids_may_come_in_another_order(tmp_path):
    table = pd.DataFrame(dict(image=[picture(i) for i in range(40)], label=list("ab") * 20))
    table.to_parquet(tmp_path / "p.parquet")
    bench = assay.create(tmp_path / "bench")
    ingest(bench, tmp_path / "p.parquet", "tester")
    before = bench.state()
    table.iloc[::-1].iloc[2:].to_parquet(tmp_path / "p.parquet")
    out = ingest(bench, tmp_path / "p.parquet", "tester", ImportOptions(refreeze_test=True))
    assert (out["moved"], out["added"], out["removed"], out["relabelled"]) == (38, 0, 2, 0)
    assert (bench.state()["split"] == before["split"]).all()


@pytest.mark.slow
def test_over_a_tenth_gone_is_asked_about_though_as_many_moved(tmp_path):
    folder, bench, before = imported(tmp_path, cat=20, dog=20)
    for i in range(5):
        (folder / "cat" / f"cat{i:02}.png").unlink()
        (folder / "dog" / f"dog{i:02}.png").rename(folder / "dog" / f"new{i}.png")
    with pytest.raises(UserError, match="5 of 40 gone"):
        ingest(bench, folder, "tester", ImportOptions(refreeze_test=True))
    out = ingest(bench, folder, "tester", ImportOptions(yes=True, refreeze_test=True))
    assert (out["removed"], out["moved"], out["added"]) == (5, 5, 0)


@pytest.mark.slow
def test_a_file_that_was_gone_comes_back_elsewhere(tmp_path):
    folder, bench, before = imported(tmp_path, cat=20, dog=20)
    (key,), (sample,) = of(before, "train", "cat")
    content = (folder / key).read_bytes()
    (folder / key).unlink()
    assert ingest(bench, folder, "tester")["removed"] == 1
    (folder / "dog" / "back.png").write_bytes(content)
    out = ingest(bench, folder, "tester")
    assert (out["moved"], out["returned"], out["added"]) == (1, 1, 0) and same(
        bench, before, "split"
    )
    assert bench.state().label[sample] == "dog"


# ---- names that may be one


@pytest.mark.slow
def test_classes_that_differ_in_capitals_or_blanks_are_named(tmp_path):
    labels = ["cat", "Cat", "cat ", "dog", "cafe\u0301", "caf\u00e9"] * 5
    status, out, _ = run_assay("import", manifest(tmp_path / "d", labels), "-b", tmp_path / "bench")
    assert (
        status == 0
        and "differ in capitals, blanks, accents or Unicode form alone: 'Cat' (5), 'cat' (5), 'cat ' (5)"
        in out
    )
    assert out.count("these classes") == 2 and "dog" not in out


@pytest.mark.slow
def test_a_class_called_pool_is_said_to_be_taken_for_unlabelled(tmp_path):
    pets(tmp_path / "d", lake=5, pool=5, river=5)
    status, out, _ = run_assay("import", tmp_path / "d", "-b", tmp_path / "bench")
    assert status == 0 and "names are splits': pool" in out


@pytest.mark.slow
def test_ann_in_small_letters_is_asked_whether_she_is_ann(bench, tmp_path):
    sample = bench.state().index[bench.state().split == "train"][0]
    bench.edit(pd.DataFrame([dict(sample=sample, verdict="confirm")]), "Ann")
    assert (
        reviewers.find_namesake(bench, " ann"),
        reviewers.find_namesake(bench, "Ann"),
        reviewers.find_namesake(bench, "bob"),
    ) == ("Ann", None, None)
    (tmp_path / "e.csv").write_text(f"sample,verdict\n{sample},confirm\n")
    status, out, _ = run_assay("edit", tmp_path / "e.csv", "-b", bench.path, "--who", "ann")
    assert status == 0 and "note: Ann has decided here, and ann has not" in out
    assert (
        "note" not in run_assay("edit", tmp_path / "e.csv", "-b", bench.path, "--who", "ann")[1]
    ), "then they are two"


@pytest.mark.slow
def test_the_page_asks_ann_too(bench):
    def page(path):
        import streamlit as st

        import assay
        from assay.app.ui.widgets import ask_reviewer

        st.write(f"decides: {ask_reviewer(assay.Bench(path))}")

    sample = bench.state().index[bench.state().split == "train"][0]
    bench.edit(pd.DataFrame([dict(sample=sample, verdict="confirm")]), "Ann")
    for answer, who in ((0, "Ann"), (1, "ann")):
        at = AppTest.from_function(
            page, kwargs=dict(path=str(bench.path)), default_timeout=60
        ).run()
        at.text_input[0].input("ann").run()
        assert [m.value for m in at.markdown] == ["decides:"] and "Are you Ann" in at.warning[
            0
        ].value
        at.button[answer].click().run()
        assert [m.value for m in at.markdown] == [f"decides: {who}"] and not at.warning
