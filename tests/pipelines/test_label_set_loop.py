"""The whole loop with several labels a sample: ten rows to check by eye, made-up texts and photographs with planted errors."""

import json
import re
import shlex
import shutil
import zipfile

import numpy as np
import pandas as pd
import pytest

import assay
from assay.pipelines.indexing.scan import ScanOptions, scan
from tests.helpers import run_assay
from tests.label_sets import truth_of, write_sets

TEXTS = [f"text number {i} about something else" for i in range(10)]
SETS = [["cat"], ["cat", "dog"], [], ["emu"], ["dog"], ["cat", "emu"], ["dog", "cat", "emu"], ["dog"], [], ["emu"]]  # fmt: skip
TEN = [json.dumps(sorted(names)) for names in SETS]


def write_ten(folder, way):
    """The ten rows in one of the ways in which people write several labels; the ninth has none at all where that can be said."""
    frame, path = pd.DataFrame(dict(text=TEXTS)), folder / f"ten.{way.split()[0]}"
    sets = [None if i == 8 else names for i, names in enumerate(SETS)]
    if way == "csv bits":
        bits = {c: [int(c in names) for names in SETS] for c in ("cat", "dog", "emu")}
        frame = frame.assign(**bits)
    elif way == "csv texts":
        frame["label"] = [n if n is None else "|".join(n) or "[]" for n in sets]
    elif way == "csv json":
        frame["label"] = [n if n is None else json.dumps(n) for n in sets]
    else:
        frame["label"] = pd.Series(sets, dtype=object)
    if way == "parquet":
        frame.to_parquet(path)
    elif way == "jsonl":
        frame.to_json(path, orient="records", lines=True)
    else:
        frame.to_csv(path, index=False)
    return path


def read_labels(bench):
    labels = bench.state().sort_values("key").label
    return labels.where(labels.notna(), None).tolist()


WAYS = ["csv bits", "csv texts", "csv json", "jsonl", "parquet"]


@pytest.mark.parametrize("way", WAYS)
def test_ten_rows_come_as_they_are_and_go_back(tmp_path, way):
    path, more = write_ten(tmp_path, way), ["--multilabel"] if way == "csv texts" else []
    status, out, err = run_assay("import", path, "-b", tmp_path / "b", "--no-test", *more)
    assert status == 0 and "task: several labels (multilabel), because" in out, err
    bench = assay.open(tmp_path / "b")
    ninth = "[]" if way == "csv bits" else None
    assert read_labels(bench) == [*TEN[:8], ninth, TEN[9]]
    assert bench.classes().name.tolist() == ["cat", "dog", "emu"]
    assert bench.classes().n.tolist() == [4, 4, 4]
    rows = bench.state().sort_values("key").index
    bench.edit(pd.DataFrame(dict(sample=rows[[0, 6]], label=["emu|dog", "[]"])), who="ann")
    assert (
        run_assay("export", "-b", tmp_path / "b", "-o", tmp_path / "out", "--format", "source")[0]
        == 0
    )
    again = assay.create(tmp_path / "c")
    again.add(tmp_path / "out" / path.name, multilabel=bool(more), progress=False)
    assert read_labels(again) == ['["dog", "emu"]', *TEN[1:6], "[]", TEN[7], ninth, TEN[9]]


def test_texts_that_look_like_several_are_asked_about(tmp_path):
    status, _, err = run_assay("import", write_ten(tmp_path, "csv texts"), "-b", tmp_path / "b")
    assert status and "--multilabel" in err and not (tmp_path / "b" / "assay.duckdb").exists()


def test_bad_lists_are_named_with_their_rows_and_the_rest_can_come(tmp_path):
    labels = [
        ["cat", "cat"],
        ["dog", None],
        [["cat"]],
        ["x" * 301],
        [""],
        ["cat"],
        ["dog"],
        [],
        ["cat", "dog"],
        None,
    ]
    rows = [json.dumps(dict(text=text, label=label)) for text, label in zip(TEXTS, labels)]
    (tmp_path / "bad.jsonl").write_text("\n".join(rows))
    status, _, err = run_assay("import", tmp_path / "bad.jsonl", "-b", tmp_path / "b")
    said = (
        "'cat' twice (line 1)",
        "(line 2)",
        "(line 3)",
        "301 characters",
        "without a name (line 5)",
    )
    assert status and all(words in err for words in said), err
    bench = assay.create(tmp_path / "b")
    bench.add(tmp_path / "bad.jsonl", skip_bad=True, progress=False)
    state = bench.state()
    assert (
        len(state) == 5 and state.label.isna().sum() == 1 and len(bench.status()["left_out"]) == 5
    )


@pytest.fixture(scope="module")
def bench(tmp_path_factory):
    """480 made texts, 36 of whose train and val label sets have one membership turned."""
    folder = tmp_path_factory.mktemp("sets")
    write_sets().to_parquet(folder / "sets.parquet")
    out = assay.create(folder / "b")
    out.add(folder / "sets.parquet", who="source", progress=False)
    scan(out, ScanOptions(), say=lambda line: None)
    return out


def test_the_queue_shows_the_planted_errors_and_the_class_that_is_wrong(bench):
    queue, state, truth = bench.queue(n=30, random=0), bench.state(), truth_of(bench)
    wrong = (state.label != truth)[queue["sample"]]
    assert wrong.mean() > 0.6, "a tenth of all is wrong"
    right = queue.suggested_label.to_numpy() == truth[queue["sample"]].to_numpy()
    assert right[wrong].mean() > 0.8
    for row in queue.head(5).itertuples():
        turned = set(json.loads(row.given_label)) ^ set(json.loads(row.suggested_label))
        assert row.reason.split("?")[0] in turned


def test_a_renamed_class_is_renamed_in_scores_and_queue(bench, tmp_path):
    shutil.copytree(bench.path, tmp_path / "b")
    renamed, was = assay.open(tmp_path / "b"), bench.queue(n=20, random=0)
    renamed.rename_class("food", "meals", who="ann")
    now = renamed.queue(n=20, random=0)
    assert now.given_label.str.contains('"meals"').any()
    assert not now.given_label.str.contains('"food"').any()
    assert not now.suggested_label.str.contains('"food"').any()
    assert len(set(now["sample"]) & set(was["sample"])) >= 15


def test_own_probabilities_of_each_class_judge(bench, tmp_path):
    """A model that knows the truth to a few hundredths: its head of the queue is wrong, to a label."""
    shutil.copytree(bench.path, tmp_path / "b")
    own, truth, names = assay.open(tmp_path / "b"), truth_of(bench), bench.classes().name.tolist()
    has = np.array([[name in json.loads(label) for name in names] for label in truth])
    noise = np.random.default_rng(0).uniform(0, 0.2, has.shape)
    probs = pd.DataFrame(np.where(has, 0.99 - noise, 0.01 + noise), truth.index, names)
    file = tmp_path / "p.parquet"
    probs.rename_axis("sample").reset_index().to_parquet(file)
    words = ["scan", "-b", own.path, "--pred-probs", file, "--out-of-sample", "yes"]
    status, out, err = run_assay(*words)
    assert status == 0 and "classes that are given have" in out, err
    state = own.state()
    left = (state.label != truth) & state.split.isin(["train", "val"])
    found = own.queue(n=int(left.sum()), random=0)
    assert set(found["sample"]) == set(state.index[left])
    assert (found.suggested_label.to_numpy() == truth[found["sample"]].to_numpy()).all()
    swapped = probs.rename(columns={"food": "money", "money": "food"})
    swapped.rename_axis("sample").reset_index().to_parquet(file)
    status, _, err = run_assay(*words)
    assert status == 2 and "food as money" in err


def test_no_score_reads_a_test_label(bench, tmp_path):
    """All test labels turned round, the queue is the same to the byte."""
    table = write_sets()
    test = table.split == "test"
    table["label"] = [
        list(v) for v in np.where(test, np.roll(table.label.to_numpy(object), 7), table.label)
    ]
    table.to_parquet(tmp_path / "sets.parquet")
    other = assay.create(tmp_path / "b")
    other.add(tmp_path / "sets.parquet", who="source", progress=False)
    scan(other, ScanOptions(), say=lambda line: None)
    columns = ["sample", "given_label", "suggested_label", "score", "reason"]
    assert other.queue(n=50)[columns].equals(bench.queue(n=50)[columns])


def test_a_filled_sheet_is_stored_whole_and_lifts_the_share_of_labels_right(bench, tmp_path):
    """The errors found and fixed by a sheet; models of both versions judged by what people use: the test labels."""
    assert run_assay("queue", "-b", bench.path, "-n", "60", "--csv", tmp_path / "q.csv")[0] == 0
    sheet, truth = pd.read_csv(tmp_path / "q.csv", dtype=str).fillna(""), truth_of(bench)
    sheet["label"] = ["|".join(json.loads(truth[s])) or "[]" for s in sheet["sample"]]
    sheet.to_csv(tmp_path / "q.csv", index=False)
    status, out, err = run_assay("edit", tmp_path / "q.csv", "--who", "ann", "-b", bench.path)
    assert status == 0, err
    state = bench.state()
    assert (state.label != truth).sum() <= 10 and bench.status()["review"]["wrong"] >= 25
    bench.commit("fixed", who="ann")
    plan = tmp_path / "plan.toml"
    plan.write_text(
        'question = "did it help?"\nversions = ["v1", "v2"]\narchitectures = ["probe"]\nseeds = [0, 1, 2]\nmargin = 1\n'
    )
    assert run_assay("experiment", plan, "-b", bench.path)[0] == 0
    status, out, err = run_assay("report", plan, "-b", bench.path, "--json")
    data = json.loads(out)
    cells = {cell["version"]: cell for cell in data["matrix"]}
    assert all(cell["balanced"] is None and cell["exact"]["n"] == 80 for cell in cells.values())
    assert cells["v2"]["accuracy"]["estimate"] > cells["v1"]["accuracy"]["estimate"]
    assert cells["v2"]["accuracy"]["estimate"] > cells["v2"]["exact"]["estimate"]


@pytest.mark.parametrize(
    "words",
    [["scan", "--effort", "3"]],
)
def test_what_is_not_to_be_had_is_refused_in_words(bench, words):
    status, _, err = run_assay(*words, "-b", bench.path)
    assert status and "several labels a sample" in err and "hint:" in err


def test_what_to_label_next_is_asked_by_the_classes_that_are_unsure(tmp_path):
    """Of a pool of 100 without labels those come first of whose classes the model is least sure."""
    table = write_sets(300)
    table["split"] = ["pool"] * 100 + ["train", "train", "val", "train"] * 50
    table["label"] = table.label.where(table.split != "pool", None)
    table.to_parquet(tmp_path / "s.parquet")
    bench = assay.create(tmp_path / "b")
    bench.add(tmp_path / "s.parquet", progress=False)
    scan(bench, ScanOptions(embedder="tfidf"), say=lambda line: None)
    found, state = bench.suggest(n=20), bench.state()
    assert found["sample"].isin(state.index[state.split == "pool"]).all()
    assert found["sample"].is_unique and (found.score >= 0.5).all()
    assert found.suggested_label.map(json.loads).map(lambda names: names == sorted(names)).all()
    first = bench.suggest(n=100).set_index("sample").score
    assert first.head(20).mean() < first.mean(), "the model is less sure of what comes first"


def test_one_label_a_sample_is_another_bench(bench, tmp_path):
    pd.DataFrame(dict(text=TEXTS, label=["cat", "dog"] * 5)).to_csv(
        tmp_path / "one.csv", index=False
    )
    status, _, err = run_assay("import", tmp_path / "one.csv", "-b", bench.path)
    assert status and "expected several labels a sample, as this bench has" in err


def test_a_condition_asks_for_a_member(bench):
    state = bench.state()
    has = [s for s, label in state.label.items() if label and "food" in json.loads(label)]
    open_ = state.index[~state.split.isin(("test", "guard"))]
    assert set(bench.samples("label = 'food'")["sample"]) == set(has) & set(open_)
    none = bench.samples("label <> 'food' and label not in ('money', 'music')")
    assert set(none["sample"]) == {
        s for s in open_ if not {"food", "money", "music"} & set(json.loads(state.label[s]))
    }
    facet = bench.sample_table().facets("", ["label"])[0]
    assert dict(facet.values)["food"] == len(set(has) & set(open_))


def test_random_edits_undone_merged_and_exported_give_the_same_tree(tmp_path):
    """Forty random sets given by two people in copies of a bench: undo brings back the tree, and so do merge and an export."""
    from tests.helpers import copied

    (tmp_path / "one").mkdir()
    write_sets(60).to_parquet(tmp_path / "one" / "sets.parquet")
    bench = assay.create(tmp_path / "one" / "bench")
    bench.add(tmp_path / "one" / "sets.parquet", who="source", progress=False)
    rng, names = np.random.default_rng(0), bench.classes().name.tolist()
    first, other = bench.commit("as it came", who="ann")["tree"], copied(bench, tmp_path / "other")
    samples = rng.permutation(bench.state().index[bench.state().split != "test"])
    for who, here, some in (("ann", bench, samples[:20]), ("bob", other, samples[20:40])):
        cells = ["|".join(rng.permutation(names)[: rng.integers(0, 4)]) or "[]" for _ in some]
        here.edit(pd.DataFrame(dict(sample=some, label=cells)), who=who)
    edited = bench.commit("ann's", who="ann")["tree"]
    bench.undo(who="ann")
    assert bench.commit("undone", who="ann")["tree"] == first != edited
    bench.redo(who="ann")
    bench.merge(other.path, who="ann")
    merged = bench.commit("both", who="ann")["tree"]
    assert run_assay("export", "-b", bench.path, "-o", tmp_path / "out")[0] == 0
    again = assay.create(tmp_path / "again")
    again.add(tmp_path / "out" / "manifest.csv", progress=False)
    assert again.commit("again", who="ann")["tree"] == merged not in (first, edited)


@pytest.mark.daily
def test_tags_of_photographs_with_planted_errors(tmp_path, data):
    """COCO's classes per image, read beside Assay; a person that is missing or added in every eighth label of 256 comes first
    more often than by chance."""
    archive = data / "coco256_yolo.zip"
    with zipfile.ZipFile(archive) as held:
        names = [
            line.split(": ")[1]
            for line in held.read("data.yaml").decode().splitlines()
            if line[:2] == "  "
        ]
        truth = {
            name.replace("labels/", "images/").replace(".txt", ".jpg"): sorted(
                {names[int(line.split()[0])] for line in held.read(name).decode().splitlines()}
            )
            for name in held.namelist()
            if name.startswith("labels/") and name.endswith(".txt")
        }
    bench = assay.create(tmp_path / "b")
    bench.add(archive, multilabel=True, progress=False)
    state = bench.state()
    assert all(json.loads(row.label) == truth.get(row.key, []) for row in state.itertuples())
    chosen = np.random.default_rng(0).permutation(state.index)[:32]
    cells = ["|".join(sorted({*json.loads(state.label[s])} ^ {"person"})) or "[]" for s in chosen]
    bench.edit(pd.DataFrame(dict(sample=chosen, label=cells)), who="vandal")
    with bench.transaction() as con:  # what a vandal did is no review
        con.execute("update edits set kind = 'import', origin_kind = 'import' where who = 'vandal'")
    bench.states.clear()
    scan(bench, ScanOptions(), say=lambda line: None)
    head = bench.queue(n=32, random=0)
    assert head["sample"].isin(chosen).mean() > 2 * 32 / 256


@pytest.mark.parametrize("words", [["queue", "-n", "5"], ["status"]])
def test_the_step_that_is_proposed_next_can_be_taken(bench, words, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    _, out, _ = run_assay(*words, "-b", bench.path)
    step = re.search(r"next: assay (.*? -b \S+)", out)[1]
    status, _, err = run_assay(*shlex.split(step))
    assert status == 0, (step, err)


@pytest.mark.daily
def test_boxes_that_fiftyone_wrote_as_coco_are_tags(tmp_path, data):
    """The same pictures as COCO JSON, by FiftyOne's own writer: the same sets as from the YOLO files."""
    coco = pytest.importorskip("fiftyone.utils.coco")
    import fiftyone
    from PIL import Image

    with zipfile.ZipFile(data / "coco256_yolo.zip") as held:
        held.extractall(tmp_path / "yolo")
    lines = (tmp_path / "yolo" / "data.yaml").read_text().splitlines()
    names = [line.split(": ")[1] for line in lines if line[:2] == "  "]
    with coco.COCODetectionDatasetExporter(str(tmp_path / "coco"), classes=names) as writer:
        for file in sorted((tmp_path / "yolo" / "images").rglob("*.jpg")):
            said = tmp_path / "yolo" / "labels" / file.parent.name / f"{file.stem}.txt"
            rows = [r.split() for r in said.read_text().splitlines()] if said.exists() else []
            boxes = [(names[int(c)], *map(float, box)) for c, *box in rows]
            found = [
                fiftyone.Detection(label=name, bounding_box=[x - w / 2, y - h / 2, w, h])
                for name, x, y, w, h in boxes
            ]
            width, height = Image.open(file).size
            about = fiftyone.ImageMetadata(width=width, height=height, mime_type="image/jpeg")
            writer.export_sample(str(file), fiftyone.Detections(detections=found), about)
    sets = []
    for name, source in (("a", data / "coco256_yolo.zip"), ("b", tmp_path / "coco")):
        bench = assay.create(tmp_path / name)
        bench.add(source, multilabel=True, progress=False)
        state = bench.state()
        sets.append(dict(zip(state.key.str.rsplit("/").str[-1], state.label)))
    assert sets[0] == sets[1] and len(sets[0]) == 256
