"""What kind of name is unknown, as `code` and `suggestions` of --json say it."""

import json

import numpy as np
import pandas as pd
import pytest

from assay import UserError
from tests.helpers import bench_of, digits, run_assay


@pytest.fixture(scope="module")
def bench(tmp_path_factory):
    found = digits(60, wrong=0)
    names = dict(zip("0123456789", "one two three viii nine five six seven zero four".split()))
    made = bench_of(found.assign(label=found.label.map(names)), tmp_path_factory.mktemp("codes"))
    made.rename_class("nine", "ix")
    return made


def refuse(*words):
    """(code, suggestions) of the error that a command ends with."""
    status, out, _ = run_assay(*words, "--json")
    assert status == 2
    said = json.loads(out)
    return said["code"], said["suggestions"]


@pytest.mark.parametrize(
    "words, meant",
    [
        (["queue", "--class", "viiii"], ["viii"]),
        (["classes", "rename", "ione", "uno"], ["one"]),
        (["classes", "edit", "ione", "--colour", "#123456"], ["one"]),
        (["classes", "split", "ione", "a", "b"], ["one"]),
        (["classes", "edit", "one", "--parent", "fiv"], ["five"]),
        (["classes", "rename", "nine", "neun"], ["ix"]),
    ],
)
def test_an_unknown_class(bench, words, meant):
    assert refuse(*words, "-b", bench.path) == ("unknown_class", meant)


@pytest.mark.parametrize("option", ["image", "label", "split", "id", "group"])
@pytest.mark.parametrize("kind", ["parquet", "csv", "jsonl", "webdataset", "huggingface"])
def test_an_unknown_column(tmp_path, kind, option):
    found = digits(30, wrong=0).drop(columns="truth").assign(patient="p")
    if kind == "parquet":
        source = tmp_path / "t.parquet"
        found.to_parquet(source)
    elif kind in ("csv", "jsonl"):
        for row in found.itertuples():
            (tmp_path / f"{row.id}.png").write_bytes(row.image)
        found = found.assign(path=found.id + ".png").drop(columns="image")
        source = tmp_path / f"t.{kind}"
        found.to_csv(source, index=False) if kind == "csv" else found.to_json(
            source, orient="records", lines=True
        )
    elif kind == "webdataset":
        source = write_shard(tmp_path / "t-000000.tar", found)
    else:
        datasets = pytest.importorskip("datasets")
        source = tmp_path / "hf"
        datasets.Dataset.from_pandas(found).save_to_disk(source)
    words = [f"--{option}-column", "pth", "-b", tmp_path / "bench"]
    assert refuse("import", source, *words)[0] == "unknown_column"


def write_shard(path, found):
    import io
    import tarfile

    with tarfile.open(path, "w") as tar:
        for row in found.itertuples():
            for ending, blob in (("png", row.image), ("cls", row.label.encode())):
                about = tarfile.TarInfo(f"{row.id}.{ending}")
                about.size = len(blob)
                tar.addfile(about, io.BytesIO(blob))
    return path


def test_an_unknown_array(tmp_path):
    rng = np.random.default_rng(0)
    np.savez(tmp_path / "a.npz", images=rng.integers(0, 255, (9, 8, 8), "u1"), labels=[0, 1, 2] * 3)
    for option in ("image", "label"):
        words = [f"--{option}-column", "lables", "-b", tmp_path / "bench"]
        assert refuse("import", tmp_path / "a.npz", *words)[0] == "unknown_column", option


def test_what_a_sheet_of_decisions_gets_wrong(bench, tmp_path):
    ids = list(bench.state().index[:2])
    sheet = tmp_path / "s.csv"

    def edit(**cells):
        pd.DataFrame(cells).to_csv(sheet, index=False)
        return refuse("edit", sheet, "--who", "ann", "-b", bench.path)

    assert edit(sample=["nobody"], label=["one"]) == ("unknown_sample", [])
    assert edit(sample=ids[:1], label=["thre"]) == ("unknown_class", ["three"])
    assert edit(sample=ids[:1], verdict=["confrim"]) == ("bad_input", ["confirm"])
    assert edit(sample=ids[:1], split=["trian"]) == ("bad_input", ["train"])
    assert edit(sample=["nobody", ids[1]], label=["one", "thre"])[0] == "bad_input"
    assert edit(sample=ids[:1], lable=["one"]) == ("unknown_column", ["label"])


def test_other_names(bench, tmp_path):
    here = ["-b", bench.path]
    assert refuse("diff", "v7", *here)[0] == "unknown_version"
    assert refuse("blame", "nobody", *here)[0] == "unknown_sample"
    assert refuse("undo", "edit-000000000000", *here)[0] == "unknown_batch"
    assert refuse("compare", "nothing", "none", *here)[0] == "unknown_run"
    assert refuse("classes", "renam", "one", "uno", *here) == ("unknown_name", ["rename"])
    assert refuse("similar", "nobody", *here)[0] in ("unknown_sample", "not_scanned")
    assert refuse("scan", "--embedder", "lite1", *here)[0] == "unknown_embedder"


def test_columns_of_ones_own_are_left_unread_and_near_misses_are_not(bench, tmp_path):
    sheet, here = tmp_path / "own.csv", ["--who", "ann", "-b", bench.path]
    state = bench.state()
    ids = state.index[state["split"] == "train"][:3]
    rows = pd.DataFrame(dict(sample=ids, given_label=state.label[ids], verdict="confirm"))
    rows = rows.assign(notes="blurred")
    rows.to_csv(sheet, index=False)
    status, out, _ = run_assay("edit", sheet, *here)
    assert status == 0 and "note: 1 column not read: notes" in out
    assert list(bench.state().verdict[rows["sample"]]) == ["confirm"] * 3
    for column in ("lable", "my label", "Verdict", "keeep", "correct_class", "spilt"):
        rows.rename(columns=dict(notes=column)).to_csv(sheet, index=False)
        status, _, said = run_assay("edit", sheet, *here)
        assert status == 2 and column in said, column
    assert bench.edit(rows.assign(price=3), "bob")["unread_columns"] == ["notes", "price"]


def test_you_is_nobodys_name(bench, tmp_path):
    sheet, before = tmp_path / "you.csv", len(bench.batches())
    sample = bench.state().query("split == 'train'").index[:1]
    pd.DataFrame(dict(sample=sample, verdict="confirm")).to_csv(sheet, index=False)
    status, _, said = run_assay("edit", sheet, "--who", "YOU", "-b", bench.path)
    assert status == 2 and "put your own name in its place" in said
    with pytest.raises(UserError, match="YOU, which stands for it"):
        bench.edit(sheet, "YOU")
    assert len(bench.batches()) == before
