"""A class that was renamed or merged: what goes back into its source, and what other formats count."""

import json
import shutil

import pandas as pd
import pytest
from PIL import Image

import assay
from assay.curation.formats.changes import list_changes
from assay.curation.formats.write import export_version, plan_patches, write_in_place
from assay.curation.issues.opinions import list_opinion_issues
from assay.curation.versioning.class_list import list_entries
from assay.curation.versioning.version_names import names_at
from assay.pipelines.indexing.ingest import ingest
from tests.helpers import run_assay

WORDS = ["kat", "dog", "cat"]


def picture(path, i):
    path.parent.mkdir(parents=True, exist_ok=True)
    colour = (5 * i % 256, 90 + i, 200 - 3 * i)
    Image.new("RGB", (12, 12), colour).save(path)


def write_sheet(folder, n=24, words=WORDS):
    """animals.csv, with a column of its own and odd quotes, and its images."""
    lines = ["path,note,label"]
    for i in range(n):
        picture(folder / f"{i:02}.png", i)
        lines.append(f'{i:02}.png,"a, kat {i}",{words[i % len(words)]}')
    (folder / "animals.csv").write_text("\r\n".join(lines) + "\r\n")
    return folder / "animals.csv"


def write_folders(folder, n=24, words=WORDS):
    for i in range(n):
        picture(folder / words[i % len(words)] / f"{i:02}.png", i)
    return folder


def imported(folder, source):
    bench = assay.create(folder)
    bench.add(source, who="ann", progress=False)
    return bench


def files_of(folder):
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


@pytest.fixture
def sheet(tmp_path):
    return write_sheet(tmp_path / "in")


# ---- the source again


@pytest.mark.parametrize("words", [WORDS, ["kat", "dog"]], ids=["merged", "renamed"])
def test_a_renamed_class_is_written_into_a_table_and_nothing_else(tmp_path, words):
    sheet = write_sheet(tmp_path / "in", words=words)
    bench = imported(tmp_path / "bench", sheet)
    before = sheet.read_bytes()
    status, _, said = run_assay("classes", "rename", "kat", "cat", "-b", bench.path)
    assert status == 0, said
    status, _, said = run_assay("export", "--format", "source", "-o", tmp_path / "out", "-b", bench.path)  # fmt: skip
    assert status == 0, said
    (written,) = (tmp_path / "out").rglob("animals.csv")
    assert written.read_bytes() == before.replace(b",kat\r\n", b",cat\r\n") != before
    assert sheet.read_bytes() == before


def test_what_was_mended_in_place_changes_nothing_when_it_is_imported_again(tmp_path, sheet):
    bench = imported(tmp_path / "bench", sheet)
    bench.rename_class("kat", "cat", "ann")
    assert len(list_changes(bench, bench.frame().source.iloc[0])) == 8
    write_in_place(bench)
    assert not len(list_changes(bench, bench.frame().source.iloc[0])), "it says cat already"
    state, edits = bench.frame(), bench.rows("select count(*) from edits")
    out = ingest(bench, sheet, "ann")
    assert out["batch"] is None and out["relabelled"] == out["moved"] == out["added"] == 0
    assert bench.rows("select count(*) from edits") == edits and bench.frame().equals(state)
    assert [len(plan.changes) for plan in plan_patches(bench)] == [0]


def test_rows_that_came_after_the_rename_and_said_the_old_name_go_back_too(tmp_path, sheet):
    bench = imported(tmp_path / "bench", sheet)
    bench.rename_class("kat", "cat", "ann")
    picture(sheet.parent / "90.png", 90)
    before = sheet.read_bytes() + b"90.png,late,kat\r\n"
    sheet.write_bytes(before)
    out = ingest(bench, sheet, "ann")
    assert out["added"] == 1 and any("'kat', which was renamed here" in n for n in out["notes"])
    write_in_place(bench)
    assert sheet.read_bytes() == before.replace(b",kat\r\n", b",cat\r\n")


def test_a_rename_and_a_correction_go_back_together_and_an_undone_rename_does_not(tmp_path, sheet):
    bench = imported(tmp_path / "bench", sheet)
    before = sheet.read_bytes()
    bench.rename_class("kat", "cat", "ann")
    bench.undo(who="ann")
    assert not len(list_changes(bench, bench.frame().source.iloc[0]))
    frame = bench.frame().set_index("key", drop=False)
    sample = bench.frame().index[bench.frame().key == "03.png"][0]
    assert frame.label["03.png"] == "kat"
    bench.edit(pd.DataFrame(dict(sample=[sample], label=["dog"])), who="ann")
    bench.rename_class("dog", "hound", "ann")
    write_in_place(bench)
    wanted = before.replace(b",dog\r\n", b",hound\r\n").replace(b'3",kat', b'3",KAT', 1)
    assert sheet.read_bytes() == wanted.replace(b'3",KAT', b'3",hound')


def test_the_folder_of_a_renamed_class_becomes_the_new_one(tmp_path):
    source = write_folders(tmp_path / "animals")
    bench = imported(tmp_path / "bench", source)
    before = files_of(source)
    bench.rename_class("kat", "cat", "ann")
    write_in_place(bench)
    assert files_of(source) == {k.replace("kat/", "cat/"): v for k, v in before.items()}
    labels = bench.frame().label
    out = ingest(bench, source, "ann")
    assert out["added"] == out["removed"] == out["relabelled"] == out["moved"] == 0
    assert bench.frame().label.equals(labels)


def test_an_earlier_version_is_returned_with_the_names_that_it_had(tmp_path, sheet):
    bench = imported(tmp_path / "bench", sheet)
    bench.commit("v1", who="ann")
    bench.rename_class("kat", "cat", "ann")
    export_version(bench, tmp_path / "out", "v1", "source")
    (written,) = (tmp_path / "out").rglob("animals.csv")
    assert written.read_bytes() == sheet.read_bytes()


# ---- numbers of classes


def test_exports_number_classes_as_the_source_declares_them(tmp_path):
    datasets = pytest.importorskip("datasets")
    for i in range(24):
        picture(tmp_path / "in" / f"{i:02}.png", i)
    names = ["zebra", "ape", "moth", "bee"]  # no sample is a bee
    features = datasets.Features(dict(image=datasets.Image(), label=datasets.ClassLabel(names=names)))  # fmt: skip
    rows = dict(image=[str(p) for p in sorted((tmp_path / "in").glob("*.png"))], label=[i % 3 for i in range(24)])  # fmt: skip
    datasets.Dataset.from_dict(rows, features=features).save_to_disk(str(tmp_path / "set"))
    bench = imported(tmp_path / "bench", tmp_path / "set")
    bench.rename_class("ape", "monkey", "ann")
    wanted = ["zebra", "monkey", "moth", "bee"]
    assert [row for row in bench.classes().name] == wanted
    for format in ("huggingface", "webdataset", "torch", "label-studio"):
        export_version(bench, tmp_path / format, format=format)
    found = datasets.load_dataset(str(tmp_path / "huggingface"), cache_dir=str(tmp_path / "cache"))
    assert next(iter(found.values())).features["label"].names == wanted
    listed = [p.read_text().splitlines() for p in (tmp_path / "webdataset").rglob("*.txt")]
    assert wanted in listed
    assert bench.dataset().classes == wanted
    config = next((tmp_path / "label-studio").rglob("*.xml")).read_text()
    assert sorted(wanted, key=config.index) == wanted


def test_a_taxonomy_of_folders_becomes_the_parents_of_classes(tmp_path):
    for i, place in enumerate(["pet/kat", "pet/dog", "wild/ape", "wild/bee"] * 6):
        picture(tmp_path / "zoo" / place / f"{i:02}.png", i)
    bench = assay.create(tmp_path / "bench")
    status, _, said = run_assay("import", tmp_path / "zoo", "--class-level", "2", "-b", bench.path)
    assert status == 0, said
    bench = assay.open(tmp_path / "bench")
    parents = dict(zip(bench.classes().name, bench.classes().parent))
    assert parents == dict(kat="pet", dog="pet", ape="wild", bee="wild")
    bench.edit_class("kat", "ann", parent="wild")  # the word of a person outlives an import
    bench.rename_class("dog", "hound", "ann")
    edits = bench.rows("select count(*) from edits where field = 'schema'")
    status, _, said = run_assay("import", tmp_path / "zoo", "--class-level", "2", "-b", bench.path)
    assert status == 0, said
    assert bench.rows("select count(*) from edits where field = 'schema'") == edits
    entries = list_entries(names_at(assay.open(bench.path)))
    assert {k: v["parent"] for k, v in entries.items()} == dict(kat="wild", hound="pet", ape="wild", bee="wild")  # fmt: skip


# ---- what others said


def test_votes_of_others_are_read_through_a_rename(tmp_path):
    folder = tmp_path / "in"
    tasks = []
    for i in range(8):
        picture(folder / f"{i}.png", i)
        people = [("bo", "kat"), ("cy", "dog" if i % 2 else "kat")]
        said = [
            dict(id=10 * i + k, created_at=f"2026-01-0{k + 1}T00:00:00Z",
                 completed_by=dict(email=f"{who}@example.org"),
                 result=[dict(type="choices", from_name="c", to_name="i", value=dict(choices=[word]))])
            for k, (who, word) in enumerate(people)
        ]  # fmt: skip
        tasks.append(dict(id=i, data=dict(image=f"{i}.png"), annotations=said))
    path = folder / "tasks.json"
    path.write_text(json.dumps(tasks))
    bench = imported(tmp_path / "bench", path)
    votes = bench.rows("select count(*) from edits where who like '%example.org'")
    bench.rename_class("kat", "cat", "ann")
    out = ingest(bench, path, "ann")
    assert out["votes"] == 0 and out["relabelled"] == 0 and out["batch"] is None
    assert bench.rows("select count(*) from edits where who like '%example.org'") == votes
    bench.set_rule("majority", who="ann")
    assert set(bench.frame().label) == {"cat", "dog"}


@pytest.mark.parametrize("early", [True, False], ids=["before", "after"])
def test_opinions_are_read_through_a_rename_whenever_they_came(tmp_path, sheet, early):
    bench = imported(tmp_path / "bench", sheet)
    state = bench.frame()
    mine = state[(state.label == "kat") & (state.split == "train")]
    said = pd.DataFrame(dict(sample=mine.index, is_label_issue=True, label_score=0.1, given_label="kat", predicted_label="dog"))  # fmt: skip
    if early:
        bench.add_opinion(said)
    bench.rename_class("kat", "cat", "ann")
    bench.rename_class("dog", "hound", "ann")
    if not early:
        notes = bench.add_opinion(said)["notes"]
        assert any("'kat' was renamed here" in note for note in notes)
    found = list_opinion_issues(bench, bench.state())
    assert set(found["sample"]) == set(mine.index) and set(found.suggestion) == {"hound"}


def test_splits_are_drawn_by_the_classes_of_now(tmp_path):
    sheet = write_sheet(tmp_path / "in", n=60)
    bench = imported(tmp_path / "bench", sheet)
    bench.rename_class("kat", "cat", "ann")
    status, _, said = run_assay("split", "80/20", "--no-test", "-b", bench.path)
    assert status == 0, said
    assert "kat" not in said


def test_sheets_and_repeated_words_are_compared_by_the_names_of_now(tmp_path, sheet):
    bench = imported(tmp_path / "bench", sheet)
    frame = bench.frame()
    sample = frame.index[(frame.label == "dog") & (frame.split == "train")][0]
    said = pd.DataFrame(dict(sample=[sample], label=["kat"]))
    bench.edit(said, "ann")
    bench.rename_class("kat", "cat", "ann")
    out = bench.edit(pd.DataFrame(dict(sample=[sample], verdict=["confirm"])), "ann")
    assert out["edits"] == 0 and out["already"] == 1, "ann has said so, under the old name"


def test_names_in_two_unicode_forms_are_named_at_the_import(tmp_path):
    words = ["café", "cafe\u0301", "tea"]
    sheet = write_sheet(tmp_path / "in", words=words)
    status, said, err = run_assay("import", sheet, "-b", tmp_path / "bench")
    assert status == 0 and "classes rename" in said + err, said + err
    bench = assay.open(tmp_path / "bench")
    bench.rename_class(words[1], words[0], "ann")
    write_in_place(bench)
    assert words[1] not in sheet.read_text(encoding="utf-8")
    shutil.rmtree(tmp_path / "bench")
    again = imported(tmp_path / "bench", sheet)
    assert set(again.frame().label) == {"café", "tea"}
