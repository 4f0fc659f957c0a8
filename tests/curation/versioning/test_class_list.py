"""The class list: whose order counts, what may be in it, and what an import, an issue or a sheet makes of it."""

import shlex

import numpy as np
import pandas as pd
import pytest

import assay
from assay.curation.errors import UserError
from assay.curation.formats.base import Source
from assay.curation.text import find_alike
from assay.curation.versioning.incoming import receive_batches
from assay.pipelines.indexing.ingest import ingest
from tests.helpers import bench_of, copied, digits, png, run_assay


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    return bench_of(digits(60), tmp_path_factory.mktemp("small"))


@pytest.fixture
def own(small, tmp_path):
    return copied(small, tmp_path / "own")


def source(folder, labels, classes, name="pictures"):
    """A source as a format reads it that has a list of classes."""
    folder.mkdir(exist_ok=True)
    rows = []
    for i, label in enumerate(labels):
        file = folder / f"{i}.png"
        file.write_bytes(png(np.random.default_rng(i).integers(0, 255, (8, 8))))
        rows.append(dict(key=file.name, uri=str(file), label=label, split="train", meta={}))
    frame = pd.DataFrame(rows, dtype=object)
    return Source(frame, [], "a list", name, [], classes=classes)


def test_the_order_of_a_source_is_kept_and_new_names_follow_it(tmp_path):
    bench = assay.create(tmp_path / "bench")
    ingest(bench, source(tmp_path / "a", ["ant", "zebra"] * 5, ["zebra", "cow", "ant"]), "ann")
    assert bench.classes().name.tolist() == ["zebra", "cow", "ant"]
    assert bench.classes().n.tolist() == [5, 0, 5]
    more = source(tmp_path / "b", ["bee", "ant"] * 5, ["ant", "bee", "ape"], "more")
    batch = ingest(bench, more, "ann")["batch"]
    assert bench.classes().name.tolist() == ["zebra", "cow", "ant", "bee", "ape"]
    assert bench.dataset().classes == ["zebra", "cow", "ant", "bee", "ape"]
    assert set(bench.batches().query("kind == 'batch'").name.str.split("-").str[0]) == {"import"}
    bench.undo(batch, "ann")
    assert bench.classes().name.tolist() == ["zebra", "cow", "ant"]


def test_a_source_that_is_imported_again_is_read_through_renames(tmp_path):
    bench, labels = assay.create(tmp_path / "bench"), ["kat", "dog"] * 10
    ingest(bench, source(tmp_path / "a", labels, []), "ann")
    bench.rename_class("kat", "cat", "ann")
    out = ingest(bench, source(tmp_path / "a", labels, ["kat", "dog"]), "ann")
    assert out["relabelled"] == 0 and set(bench.state().label) == {"cat", "dog"}
    assert any("10 rows say 'kat', which was renamed here" in note for note in out["notes"])
    assert bench.classes().name.tolist() == ["cat", "dog"]
    bench.add_class("kat", "ann")
    out = ingest(bench, source(tmp_path / "a", labels, []), "ann")
    assert out["relabelled"] == 10 and set(bench.state().label) == {"kat", "dog"}


def test_undeclared_classes_follow_by_name_and_a_table_orders_all(own, tmp_path):
    assert own.classes().name.tolist() == sorted(own.classes().name)
    (tmp_path / "c.csv").write_text("name,colour\n7,#abc\n3,\neleven,\n", encoding="utf-8")
    out = own.import_classes(tmp_path / "c.csv", "ann")
    assert out["new"] == ["eleven"] and "0" in out["missing"]
    assert own.classes().name.tolist()[:5] == ["7", "3", "eleven", "0", "1"]
    assert own.classes().colour[0] == "#abc"
    status, _, _ = run_assay("classes", "--csv", tmp_path / "again.csv", "-b", own.path)
    before = own.classes()
    own.import_classes(tmp_path / "again.csv", "ann")
    columns = ["name", "n", "colour", "guideline", "parent"]
    assert status == 0 and own.classes()[columns].equals(before[columns])


@pytest.mark.parametrize(
    "text, word",
    [
        ("", "empty"),
        ("colour\n#fff\n", "0 of name"),
        ("name,price\ncat,3\n", "also price"),
        ("name\ncat\ncat\n", "'cat' twice"),
        ("name\n\n ,\n", "cells"),
        ("name,parent\ncat,nosuch\n", "found 'nosuch'"),
        ("name,parent\na,b\nb,a\n", "below it or itself"),
        ("name,colour\ncat,red;}</style>\n", "a colour such as"),
        ("name,guideline\ncat,'one\ntwo'\n", "cells"),
    ],
)
def test_a_table_that_is_none_is_refused_whole(own, tmp_path, text, word):
    (tmp_path / "c.csv").write_text(text)
    edits = len(own.query("select 1 from edits"))
    with pytest.raises(UserError) as e:
        own.import_classes(tmp_path / "c.csv", "ann")
    assert word in str(e.value) and len(own.query("select 1 from edits")) == edits


def test_names_that_look_like_one_are_grouped():
    alike = ["cat", "Cat", "cat ", "ｃａｔ", "c\u200bat"]
    assert find_alike([*alike, "dog"]) == [sorted(alike)]
    assert find_alike(["caf\u00e9", "cafe\u0301", "cafe"]) == [sorted(["caf\u00e9", "cafe\u0301", "cafe"])]  # fmt: skip
    # a mark makes another letter there
    assert find_alike(["か", "が", "и", "й", "क", "कु"]) == []
    assert find_alike(["straße", "STRASSE"]) == [["STRASSE", "straße"]]


def test_similar_names_are_issues_with_the_command_that_merges_them(tmp_path):
    bench = assay.create(tmp_path / "bench")
    labels = ["cat"] * 9 + ["Cat "] * 4 + ["-x", "-X", "-X"] + ["dog"] * 4
    notes = ingest(bench, source(tmp_path / "a", labels, []), "ann")["notes"]
    assert any("assay classes rename 'Cat ' cat" in note for note in notes)
    found = bench.issues("similar_class_names")
    assert found.suggestion.tolist() == ["-X", "cat"]
    for why in found.why:
        command = why.rpartition("): ")[2]

        assert run_assay(*shlex.split(command)[1:])[0] == 0
    assert set(bench.state().label) == {"cat", "-X", "dog"}
    assert bench.issues("similar_class_names").empty


# ---- new classes are offered


def test_a_typo_is_no_new_class_and_a_new_class_is_offered(own, tmp_path):
    own.rename_class("3", "three", "ann")
    sample = own.frame(split="train").index[0]
    (tmp_path / "e.csv").write_text(f"sample,label\n{sample},thre\n")
    status, _, err = run_assay("edit", tmp_path / "e.csv", "-b", own.path)
    assert status == 2 and "did you mean three" in err and "--new-class thre (1 lines)" in err
    assert "thre" not in set(own.state().label)
    status, out, _ = run_assay("edit", tmp_path / "e.csv", "--new-class", "thre", "-b", own.path)
    assert status == 0 and "'thre' is a new class; there is 'three': was that meant?" in out
    assert own.state().label[sample] == "thre"


def test_a_browser_adds_a_class_only_where_somebody_says_so(own):
    one, two = own.frame(split="train").index[:2]
    row = dict(sample=one, label="yak")
    refused = receive_batches(own, [("edit-000000000001", [row])], "ann")["refused"]
    assert "expected one of the classes" in refused["edit-000000000001"]
    sent = [
        ("edit-000000000002", [row | dict(new_class="true")]),
        ("edit-000000000003", [dict(sample=two, verdict="confirm")]),
    ]
    assert receive_batches(own, sent, "ann")["refused"] == {}
    assert own.state().label[one] == "yak" and own.state().reviewed[two]


def test_a_split_queues_the_samples_and_leaves_what_nobody_decides(own, tmp_path):
    ones = own.state().index[(own.state().label == "1") & (own.state().split != "test")]
    rows, out = own.split_class("1", ["thin", "thick"], "ann")
    assert set(rows["sample"]) == set(ones) and out["added"] == ["thin", "thick"]
    decided = pd.DataFrame(dict(sample=rows["sample"][:2], label=["thin", "thick"]))
    own.edit(decided, "ann")
    assert own.state().label[ones].value_counts().to_dict() == {"1": len(ones) - 2, "thin": 1, "thick": 1}  # fmt: skip
    assert own.rename_class("thick", "1", "ann")["merged"]
    with pytest.raises(UserError, match="none"):
        own.split_class("1", ["1"], "ann")
