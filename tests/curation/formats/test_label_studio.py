"""Label Studio's exports as others have them: several people, skipped tasks, addresses, other kinds of answers."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import assay
from assay.curation import UserError
from assay.curation.errors import AmbiguousSource
from assay.curation.formats.base import ImportOptions
from assay.curation.formats.read import read_source
from assay.curation.formats.write import export_version, write_in_place
from tests.helpers import png
from tests.layouts.label_studio import CONFIG, convert, make_annotation, make_task

NAMES = "one two three four".split()


def write_tasks(folder, tasks):
    folder.mkdir(exist_ok=True)
    for i, name in enumerate(NAMES):
        noise = np.random.default_rng(i).integers(0, 256, (6, 6, 3))
        (folder / f"{name}.png").write_bytes(png(noise))
    (folder / "project.json").write_text(json.dumps(tasks))
    return folder / "project.json"


def tasks_of(*labels, **more):
    """A task for each label, by the names in order."""
    return [
        make_task(i, NAMES[i], [make_annotation(i, label)] if label else [], **more)
        for i, label in enumerate(labels)
    ]


def several(tmp_path):
    """One task that two people agree about, and two about which they differ."""
    tasks = tasks_of("ape", "bee", "cow", "ape")
    tasks[0]["annotations"].append(make_annotation(10, "ape", who=2, minute=5))
    tasks[1]["annotations"].append(make_annotation(11, "cow", who=2, minute=5))
    tasks[2]["annotations"].append(make_annotation(12, "bee", who=2, minute=5))
    tasks[2]["annotations"][0]["ground_truth"] = True
    return write_tasks(tmp_path / "in", tasks)


def test_the_answers_of_several_people_are_read(tmp_path):
    source = read_source(several(tmp_path))
    assert list(source.frame.label) == ["ape", "cow", "cow", "ape"]
    votes = source.frame.votes
    assert votes[1] == [
        dict(label="bee", who="ann1@example.org", ts="2026-03-01T10:00:00.123456+00:00"),
        dict(label="cow", who="ann2@example.org", ts="2026-03-01T10:05:00.123456+00:00"),
    ]
    assert not isinstance(votes[3], list), "one answer is a label, and no vote"
    assert any(
        "3 tasks have answers of several people, of which 2 differ" in n for n in source.notes
    )


def test_answers_become_votes_by_their_authors_once(tmp_path):
    path = several(tmp_path)
    bench = assay.create(tmp_path / "bench").add(path, who="ann", progress=False)
    edits = bench.query("select who, ts, value from edits where kind = 'edit' order by ts, who")
    assert list(edits.who) == ["ann1@example.org"] * 3 + ["ann2@example.org"] * 3
    assert str(edits.ts[0]) == "2026-03-01 10:00:00.123456"
    frame = bench.frame().set_index("key")
    assert frame.label["1"] == "cow" and frame.label["2"] == "cow"
    assert not frame.reviewed.any() and (frame.given_label == frame.label).all()
    before = len(bench.log())
    bench.add(path, who="ann", progress=False)
    assert len(bench.log()) == before, "what is imported again is no new vote"


def test_a_later_answer_is_one_more_vote(tmp_path):
    path = several(tmp_path)
    bench = assay.create(tmp_path / "bench").add(path, who="ann", progress=False)
    tasks = json.loads(path.read_text())
    tasks[0]["annotations"].append(make_annotation(13, "bee", who=3, minute=9))
    path.write_text(json.dumps(tasks))
    bench.add(path, who="ann", progress=False, refreeze_test=True)
    assert bench.rows("select count(*) from edits where kind = 'edit'") == [(7,)]
    assert bench.frame().set_index("key").label["0"] == "bee"


def test_the_majority_counts_the_votes(tmp_path):
    tasks = tasks_of("ape", "bee", "cow", "ape")
    tasks[0]["annotations"] = [
        make_annotation(20 + who, label, who=who, minute=who)
        for who, label in enumerate(["bee", "bee", "ape"])
    ]
    bench = assay.create(tmp_path / "bench")
    bench.add(write_tasks(tmp_path / "in", tasks), who="ann", progress=False)
    assert bench.frame().set_index("key").label["0"] == "ape", "the latest"
    bench.set_rule("majority", who="ann")
    assert bench.frame().set_index("key").label["0"] == "bee"


def test_to_undo_the_import_takes_the_votes_back(tmp_path):
    path = several(tmp_path)
    bench = assay.create(tmp_path / "bench").add(path, who="ann", progress=False)
    bench.set_rule("majority", who="ann")
    ((name,),) = bench.rows("select distinct batch from edits where kind = 'import'")
    ours = bench.rows("select distinct batch from edits where who like '%example.org'")
    with pytest.raises(UserError, match="votes that an import brought"):
        bench.undo(ours[0][0], who="ann")
    tree = bench.frame().sort_index()
    bench.undo(name, who="ann")
    assert not len(bench.frame())
    bench.redo(who="ann")
    assert bench.frame().sort_index()[["label", "split"]].equals(tree[["label", "split"]])


def test_a_correction_changes_the_answer_that_counts(tmp_path):
    path = several(tmp_path)
    bench = assay.create(tmp_path / "bench").add(path, who="ann", progress=False)
    frame = bench.frame()
    sample = frame.index[frame.key == "1"][0]
    assert frame["split"][sample] != "test"
    bench.edit(row_of(sample, "ape"), who="ann")
    old = path.read_text()
    write_in_place(bench)
    a, b = old.split('"cow"'), path.read_text().split('"ape"')
    assert len(old) == len(path.read_text()) and len(a) and len(b)
    said = json.loads(path.read_text())[1]["annotations"]
    assert [x["result"][0]["value"]["choices"] for x in said] == [["bee"], ["ape"]]
    bench.add(path, who="ann", progress=False)
    assert bench.frame().label[sample] == "ape"


def row_of(sample, label):
    import pandas as pd

    return pd.DataFrame(dict(sample=[sample], label=[label]))


def test_a_task_without_an_answer_gets_one(tmp_path):
    path = write_tasks(tmp_path / "in", tasks_of("ape", None, "bee", "bee"))
    bench = assay.create(tmp_path / "bench").add(path, who="ann", progress=False)
    frame = bench.frame()
    sample = frame.index[frame.key == "1"][0]
    assert frame["split"][sample] == "pool"
    bench.edit(row_of(sample, "bee"), who="ann")
    write_in_place(bench)
    (added,) = json.loads(path.read_text())[1]["annotations"]
    assert (
        added["result"][0]["value"] == {"choices": ["bee"]}
        and added["result"][0]["from_name"] == "choice"
    )


def test_skipped_answers_and_predictions_are_no_labels(tmp_path):
    tasks = tasks_of("ape", "bee", None, "ape")
    tasks[2]["annotations"] = [make_annotation(9, "cow", was_cancelled=True)]
    guess = make_annotation(0, "cow")["result"]
    tasks[3]["predictions"] = [dict(model_version="m1", score=0.75, result=guess)]
    source = read_source(write_tasks(tmp_path / "in", tasks))
    assert list(source.frame.label) == ["ape", "bee", None, "ape"]
    assert source.frame.meta[3] == dict(predicted="cow", predicted_score=0.75, predicted_by="m1")
    assert len(source.notes) >= 2 and any("skipped" in note for note in source.notes)


@pytest.mark.parametrize(
    ("kind", "value", "said"),
    [
        ("rectanglelabels", {"x": 1, "rectanglelabels": ["ape"]}, "boxes"),
        ("brushlabels", {"rle": [1], "brushlabels": ["ape"]}, "masks"),
        ("textarea", {"text": ["an ape"]}, "texts"),
    ],
)
def test_other_answers_are_refused_and_the_pictures_can_be_had(kind, value, said, tmp_path):
    tasks = tasks_of("ape", "bee", "ape", "bee")
    result = dict(from_name="it", to_name="image", type=kind)
    tasks[1]["annotations"][0]["result"] = [result | dict(value=value)]
    path = write_tasks(tmp_path / "in", tasks)
    with pytest.raises(UserError, match=f"found {said}.*\n.*--pictures-only"):
        read_source(path)
    assert list(read_source(path, ImportOptions(pictures_only=True)).frame.label) == [None] * 4


def test_two_questions_are_asked_about(tmp_path):
    tasks = tasks_of("ape", "bee", "ape", "bee")
    more = make_annotation(0, "sharp")["result"][0] | dict(from_name="quality")
    tasks[0]["annotations"][0]["result"].append(more)
    path = write_tasks(tmp_path / "in", tasks)
    with pytest.raises(AmbiguousSource, match="--label-column choice .*--label-column quality"):
        read_source(path)
    options = ImportOptions(columns={"label": "choice"})
    assert list(read_source(path, options).frame.label) == ["ape", "bee", "ape", "bee"]


@pytest.mark.parametrize(
    "address",
    [
        "/data/upload/7/0a1b2c3d-{}.png",
        "/data/local-files/?d=zoo%2Fday%201/{}.png",
        "s3://bucket/zoo/day 1/{}.png",
        "https://example.org/zoo/day%201/{}.png?token=1",
        "day 1/{}.png",
    ],
)
def test_images_are_found_where_exactly_one_fits(address, tmp_path):
    tasks = tasks_of("ape", "bee", "ape", "bee")
    for task, name in zip(tasks, NAMES):
        task["data"]["image"] = address.format(name)
    path = write_tasks(tmp_path / "in", tasks)
    (tmp_path / "root/zoo/day 1").mkdir(parents=True)
    for name in NAMES:
        (tmp_path / f"in/{name}.png").rename(tmp_path / f"root/zoo/day 1/{name}.png")
    source = read_source(path, ImportOptions(images=tmp_path / "root"))
    assert [Path(uri).stem for uri in source.frame.uri] == NAMES and not source.left_out
    (tmp_path / "root/other").mkdir()
    (tmp_path / "root/other/one.png").write_bytes(b"x")
    if "upload" in address:
        source = read_source(path, ImportOptions(images=tmp_path / "root"))
        assert "could be" in source.left_out[0][1]


@pytest.mark.parametrize(
    "address", ["/etc/hostname", "../../etc/hostname", "/data/local-files/?d=etc/hostname"]
)
def test_no_task_names_a_file_outside_the_folder(address, tmp_path):
    tasks = tasks_of("ape", "bee", "ape", "bee")
    tasks[0]["data"]["image"] = address
    source = read_source(write_tasks(tmp_path / "in", tasks))
    assert [key for key, _ in source.left_out] == ["0"]


@pytest.mark.parametrize("text", ['[{"data": {"image": "a.png"}, "annotations": [', "[" * 100_000])
def test_a_broken_export_is_named(text, tmp_path):
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(UserError, match="a.json"):
        read_source(tmp_path / "a.json", ImportOptions(format="label-studio"))


def test_tasks_are_written_with_predictions_and_a_config(scanned, tmp_path):
    export_version(scanned, tmp_path / "out", format="label-studio", copy=True)
    tasks = json.loads((tmp_path / "out/tasks.json").read_text())
    probs = scanned.pred_probs()
    guessed = {t["data"]["sample_id"]: t["predictions"][0] for t in tasks if t["predictions"]}
    assert set(guessed) == set(probs.index)
    best = probs.idxmax(axis=1)
    assert all(g["result"][0]["value"]["choices"] == [best[i]] for i, g in guessed.items())
    assert all(abs(g["score"] - probs.loc[i].max()) < 1e-5 for i, g in guessed.items())
    assert read_source(tmp_path / "out").classes == sorted(scanned.frame().label.unique())


SDK = "label-studio-sdk==2.1.2"  # it holds numpy below ours, so it gets an environment of its own
CONVERT = """
import json, sys
from label_studio_sdk.converter import Converter
from label_studio_sdk.label_interface import LabelInterface
tasks, config, out = sys.argv[1:]
config = open(config).read()
interface = LabelInterface(config)
for task in json.load(open(tasks)):
    for answer in task["annotations"]:
        assert interface.validate_annotation(answer), answer
    for guess in task["predictions"]:
        assert interface.validate_prediction(guess), guess
    assert interface.validate_task(dict(data=task["data"])), task
Converter(config, project_dir=None, download_resources=False).convert_to_json_min(tasks, out, is_dir=False)
"""


@pytest.fixture(scope="module")
def sdk(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sdk")
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    python = folder / "bin" / "python"
    subprocess.run([python, "-m", "pip", "install", "-q", SDK], check=True)
    return python


@pytest.mark.daily
def test_label_studios_own_converter_writes_as_ours_and_reads_what_we_write(sdk, bench, tmp_path):
    (tmp_path / "convert.py").write_text(CONVERT)
    (tmp_path / "config.xml").write_text(CONFIG)

    def run(tasks, config, out):
        subprocess.run([sdk, tmp_path / "convert.py", tasks, config, out], check=True)
        return json.loads((out / "result.json").read_text())

    tasks = tasks_of("ape", "bee", "cow", "ape")
    path = write_tasks(tmp_path / "in", tasks)
    converted = run(path, tmp_path / "config.xml", tmp_path / "min")
    assert converted == [row for task in tasks for row in convert(task)]
    export_version(bench, tmp_path / "out", format="label-studio", copy=True)
    rows = run(tmp_path / "out/tasks.json", tmp_path / "out/config.xml", tmp_path / "back")
    assert {row["sample_id"]: row["label"] for row in rows} == dict(bench.frame().label)
