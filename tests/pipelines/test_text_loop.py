"""The whole loop on texts, by command line and Python: ten rows to check by eye, and made-up news with planted errors."""

import html
import json

import pandas as pd
import pytest

import assay
from assay.curation.errors import UserError
from assay.curation.media.base import read_texts
from assay.pipelines.indexing.scan import ScanOptions, scan
from tests.app.test_texts import write_texts
from tests.helpers import bench_of, check_manifests, digits, run_assay

TEN = pd.DataFrame(
    dict(
        text=[
            "The keeper saved a late penalty.",
            "Shares fell after the profit warning.",
            "The striker scored twice in the match.",
            "The bank raised its dividend again.",
            "Fans filled the stadium for the match.",
            "Investors expect a merger this quarter.",
            "The coach praised the whole team.",
            "Revenue rose and so did the stock price.",
            "  The keeper saved a late penalty.  ",
            "قطة تلعب بالكرة 🐈",
        ],
        label=["sport", "money"] * 4 + ["sport", "sport"],
    )
)


def read_table(path):
    return pd.read_parquet(path) if path.suffix == ".parquet" else pd.read_csv(path, dtype=str)


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".jsonl", ".json", ".parquet"])
def test_ten_texts_come_as_they_are(tmp_path, suffix):
    path = tmp_path / f"ten{suffix}"
    write = {
        ".csv": lambda: TEN.to_csv(path, index=False),
        ".tsv": lambda: TEN.to_csv(path, index=False, sep="\t"),
        ".jsonl": lambda: TEN.to_json(path, orient="records", lines=True, force_ascii=False),
        ".json": lambda: TEN.to_json(path, orient="records", force_ascii=False),
        ".parquet": lambda: TEN.to_parquet(path),
    }
    write[suffix]()
    status, out, err = run_assay("import", path, "-b", tmp_path / "b")
    assert status == 0 and "text: the column text" in out, err
    bench = assay.open(tmp_path / "b")
    state = bench.state()
    assert list(state.label) == list(TEN.label)
    assert list(state.width) == [len(text) for text in TEN.text], "characters, blanks too"
    assert dict(bench.rows("select key, value from meta"))["media"] == "text"


@pytest.fixture(scope="module")
def scanned_texts(tmp_path_factory):
    place = tmp_path_factory.mktemp("loop")
    write_texts().to_csv(place / "news.csv", index=False)
    for words in (["import", place / "news.csv"], ["scan", "--embedder", "tfidf"]):
        status, out, err = run_assay(*words, "-b", place / "bench")
        assert status == 0, err
    assert "160 different texts" in out and "image" not in out
    return place


@pytest.mark.daily
def test_find_fix_version_retrain_and_prove(scanned_texts):
    place, table = scanned_texts, write_texts().set_index("id")

    def do(*words):
        status, out, err = run_assay(*words, "-b", place / "bench")
        assert status == 0, (words, err)
        return out

    bench = assay.open(place / "bench")
    planted = set(table.index[table.label != table.truth])
    rows = bench.queue(10, random=0.0)
    assert len(planted & set(rows.source_id)) >= 7, "the wrong ones come first"
    rows[["sample"]].assign(label=list(table.truth[rows.source_id])).to_csv(place / "d.csv", index=False)  # fmt: skip
    do("edit", place / "d.csv", "--who", "ann")
    assert "8 relabelled" in do("diff", "v1", "HEAD")
    do("undo", "--who", "ann")
    assert "0 relabelled" in do("diff", "v1", "HEAD") or "no difference" in do("diff", "v1", "HEAD")
    do("edit", place / "d.csv", "--who", "ann")
    do("commit", "-m", "fixed")
    for verb in (["gaps"], ["duplicates"], ["status"], ["issues"], ["log"], ["check"]):
        do(*verb)
    found = do("experiment", "-o", place / "r.html")
    assert "v2 against v1" in found and (place / "r.html").exists()
    do("export", "--format", "source", "-o", place / "out")
    came, back = read_table(place / "news.csv"), read_table(place / "out" / "news.csv")
    changed = came.index[(came != back).any(axis=1)]
    assert set(came.id[changed]) == planted and list(back.label) == list(table.truth)
    assert list(back.text) == list(came.text)


def test_labels_come_back_into_the_table_and_a_second_import_finds_nothing(tmp_path):
    table, path = write_texts(), tmp_path / "news.csv"
    table.to_csv(path, index=False)
    bench = assay.create(tmp_path / "b").add(path, progress=False)
    wrong = table.id[table.label != table.truth]
    state = bench.state()
    rows = state.index[state.key.isin(wrong)]
    truth = table.set_index("id").truth
    bench.edit(pd.DataFrame(dict(sample=rows, label=list(truth[state.key[rows]]))), who="ann")
    status, out, err = run_assay("export", "--in-place", "-b", tmp_path / "b")
    assert status == 0 and "went" not in out, err
    assert list(read_table(path).label) == list(table.truth)
    edits = len(bench.log())
    assert run_assay("import", path, "-b", tmp_path / "b")[0] == 0
    assert len(assay.open(tmp_path / "b").log()) == edits, "it says what the bench says"


def test_a_bench_holds_one_medium(scanned_texts, tmp_path):
    images = digits(20, wrong=0)
    images.to_parquet(tmp_path / "images.parquet")
    status, _, err = run_assay("import", tmp_path / "images.parquet", "-b", scanned_texts / "bench")
    assert status == 2 and "text" in err and "image" in err
    pictures = bench_of(images, tmp_path / "p")
    with pytest.raises(UserError, match="image"):
        pictures.add(TEN)


def test_what_is_for_images_says_so(scanned_texts, tmp_path):
    bench = scanned_texts / "bench"

    def refused(*words):
        status, _, err = run_assay(*words, "-b", bench)
        assert status == 2 and "for images" in err, err

    run_assay("experiment", "--init", tmp_path / "plan.toml", "-b", bench)
    plan = (tmp_path / "plan.toml").read_text().replace('"mlp"', '"cnn"')
    (tmp_path / "plan.toml").write_text(plan)
    refused("experiment", tmp_path / "plan.toml")
    refused("scan", "--embedder", "lite0")
    for format in ("folders", "torch", "webdataset", "fiftyone"):
        refused("export", "--format", format, "-o", tmp_path / format)
    status, _, err = run_assay("export", "-o", tmp_path / "manifest", "-b", bench)
    assert status == 0, err
    status, out, err = run_assay("scan", "--embedder", "tfidf", "--effort", 3, "-b", bench)
    assert status == 0 and "is for images" in out, err


def test_what_is_no_text_is_named_and_the_good_part_comes(tmp_path):
    rows = [
        dict(text="a sound text", label="x"),
        dict(text="", label="x"),
        dict(text=None, label="y"),
        dict(text="nul \0 inside", label="y"),
        dict(text="x" * 2_000_000, label="y"),
        dict(text="another sound text", label="y"),
    ]
    path = tmp_path / "bad.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    status, _, err = run_assay("import", path, "--text-column", "text", "-b", tmp_path / "b")
    assert status == 2 and "--skip-bad" in err and not (tmp_path / "b" / "assay.duckdb").exists()
    status, out, err = run_assay("import", path, "--text-column", "text", "--skip-bad", "-b", tmp_path / "b")  # fmt: skip
    assert status == 0, err
    bench = assay.open(tmp_path / "b")
    assert len(bench.state()) == 2
    reasons = [row["reason"] for row in bench.status()["left_out"]]
    assert len(reasons) == 4
    for words in ("no text", "NUL", "2,000,000"):
        assert any(words in reason for reason in reasons), (words, reasons)


def test_a_long_text_in_a_csv_comes_whole_and_one_that_is_too_long_alone_is_left_out(tmp_path):
    """csv's own limit is 131,072 characters of a cell."""
    table = TEN.assign(text=[*TEN.text[:8], "word " * 60_000, "word " * 2_000_000])
    table.to_csv(tmp_path / "t.csv", index=False)
    status, _, err = run_assay("import", tmp_path / "t.csv", "--skip-bad", "-b", tmp_path / "b")
    assert status == 0, err
    bench = assay.open(tmp_path / "b")
    assert sorted(bench.state().width)[-1] == 300_000 and len(bench.state()) == 9


def test_a_thousand_equal_texts_are_one_group(tmp_path):
    table = write_texts()
    equal = pd.DataFrame(dict(id=[f"e{i}" for i in range(1000)], text="the same every time", label="sport", split="train"))  # fmt: skip
    pd.concat([table.drop(columns="truth"), equal]).to_csv(tmp_path / "t.csv", index=False)
    bench = assay.create(tmp_path / "b").add(tmp_path / "t.csv", progress=False)
    bench.scan(embedder="tfidf", progress=False)
    copies = bench.issues("exact_duplicates")
    assert len(copies) >= 999 and len(bench.queue(5)) >= 5


@pytest.fixture
def text_folders(tmp_path):
    """Class folders of the ten texts, beside a file that says something of them."""
    for i, row in enumerate(TEN.itertuples()):
        place = tmp_path / "ten" / row.label / f"{i}.txt"
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(row.text, encoding="utf-8")
    (tmp_path / "ten" / "README.txt").write_text("what these are")
    return tmp_path / "ten"


def test_class_folders_of_txt_are_read_and_mended_in_place(text_folders, tmp_path):
    status, out, err = run_assay("import", text_folders, "-b", tmp_path / "b")
    assert status == 0 and "10 samples added" in out and "1 .txt, first README.txt" in out, err
    bench = assay.open(tmp_path / "b")
    wrong = bench.state().index[bench.state().key == "sport/9.txt"]
    bench.edit(pd.DataFrame(dict(sample=wrong, label="money")), who="ann")
    assert run_assay("export", "--in-place", "-b", tmp_path / "b")[0] == 0
    assert (text_folders / "money" / "9.txt").read_text(encoding="utf-8") == TEN.text[9]
    assert not (text_folders / "sport" / "9.txt").exists()
    status, out, _ = run_assay("import", text_folders, "-b", tmp_path / "b")
    assert status == 0 and "0 samples added" in out and "removed" not in out


def test_a_file_of_another_encoding_is_named_and_utf_16_is_read(text_folders, tmp_path):
    (text_folders / "sport" / "a.txt").write_bytes("caf\u00e9".encode("latin-1"))
    (text_folders / "sport" / "b.txt").write_bytes(
        "\ufeffcaf\u00e9 f\u00fcr alle".encode("utf-16-le")
    )
    (text_folders / "sport" / "c.txt").write_bytes(b"")
    status, _, err = run_assay("import", text_folders, "-b", tmp_path / "b")
    assert status == 2 and "sport/a.txt: is no UTF-8" in err and "sport/c.txt: is empty" in err
    bench = assay.create(tmp_path / "b").add(text_folders, skip_bad=True, progress=False)
    state = bench.state().set_index("key")
    assert len(state) == 11
    assert read_texts(bench, [state.content_hash["sport/b.txt"]]) == ["caf\u00e9 f\u00fcr alle"]


def test_hugging_face_data_of_texts(tmp_path):
    datasets = pytest.importorskip("datasets")
    features = dict(
        sentence=datasets.Value("string"), label=datasets.ClassLabel(names=["money", "sport"])
    )
    rows = dict(sentence=list(TEN.text), label=[int(name == "sport") for name in TEN.label])
    made = datasets.Dataset.from_dict(rows, features=datasets.Features(features))
    made.save_to_disk(tmp_path / "disk")
    made.to_parquet(tmp_path / "train-00000-of-00001.parquet")
    for n, source in enumerate((tmp_path / "disk", tmp_path / "train-00000-of-00001.parquet")):
        status, out, err = run_assay("import", source, "-b", tmp_path / f"b{n}")
        assert status == 0 and "text: the column sentence" in out, err
        bench = assay.open(tmp_path / f"b{n}")
        assert list(bench.state().label) == list(TEN.label)
        assert read_texts(bench, bench.state().content_hash) == list(TEN.text)


def test_a_manifest_of_texts_gives_the_same_tree(scanned_texts, tmp_path):
    check_manifests(scanned_texts / "bench", tmp_path)


def test_who_reviews_by_file_or_page_sees_the_text(scanned_texts, tmp_path):
    bench, table = scanned_texts / "bench", write_texts().set_index("id")
    words = "queue", "-n", 5, "--csv", tmp_path / "q.csv", "--html", tmp_path / "q.html"
    assert run_assay(*words, "-b", bench)[0] == 0
    rows = pd.read_csv(tmp_path / "q.csv")
    assert list(rows.text) == list(table.text[rows.source_id])
    page = (tmp_path / "q.html").read_text("utf-8")
    page = html.unescape(page)  # what is hostile is escaped
    assert all(text in page for text in rows.text) and "cannot be read now" not in page


@pytest.mark.parametrize("ending", ["csv", "jsonl"])
def test_lines_of_another_encoding_are_left_out_and_come_back_as_they_were(tmp_path, ending):
    words = "first second third fourth".split()
    rows = [(f"the {word} news", ["good", "fine"][n % 2]) for n, word in enumerate(words)]
    if ending == "csv":
        lines = [b"text,label", *(f"{text},{label}".encode() for text, label in rows)]
    else:
        lines = [json.dumps(dict(text=text, label=label)).encode() for text, label in rows]
    wrong = [lines[-1].replace(b"fourth", b"caf\xe9"), lines[-1].replace(b"fourth", b"f\0urth")]
    wrong += [] if ending == "csv" else [lines[-1][:-5]]
    file = tmp_path / f"news.{ending}"
    file.write_bytes(b"\n".join([*lines[:2], *wrong, *lines[2:]]) + b"\n")
    before, bench = file.read_bytes(), assay.create(tmp_path / "bench")
    with pytest.raises(UserError, match=r"0xe9 on line 3\n.*skip.bad"):
        bench.add(file, who="ann", progress=False)
    bench.add(file, who="ann", progress=False, skip_bad=True)
    assert len(bench.state()) == len(rows)
    said = [row["reason"] for row in bench.status()["left_out"]]
    assert said[:2] == ["holds the byte 0xe9, no UTF-8", "holds a NUL character"]
    assert len(said) == len(wrong)
    first = bench.state().index[bench.state().key == min(bench.state().key, key=int)]
    bench.edit(pd.DataFrame(dict(sample=first, label="fine")), who="ann")
    status, _, err = run_assay("export", "--in-place", "-b", bench.path)
    assert status == 0, err
    assert file.read_bytes() == before.replace(b"good", b"fine", 1)


@pytest.mark.daily
def test_networks_of_words_learn_from_texts_and_refuse_images(scanned_texts, tmp_path):
    plan = tmp_path / "plan.toml"
    plan.write_text(
        'versions = ["v1"]\narchitectures = ["tfidf", "fasttext(epochs=3)"]\nseeds = [0]\n'
    )
    bench = scanned_texts / "bench"
    status, _, err = run_assay("experiment", plan, "-o", tmp_path / "r.html", "-b", bench)
    assert status == 0, err
    status, out, _ = run_assay("runs", "--json", "-b", bench)
    accuracy = {run["arch"]: run["accuracy"] for run in json.loads(out)["runs"]}
    assert all(accuracy[arch] > 0.7 for arch in ("tfidf", "fasttext(epochs=3)")), accuracy
    pictures = bench_of(digits(60, wrong=0), tmp_path / "p")
    scan(pictures, ScanOptions(embedder="pixels"), say=lambda line: None)
    status, _, err = run_assay("experiment", plan, "-o", tmp_path / "r.html", "-b", pictures.path)
    assert status == 2 and "expected architectures for images, found tfidf for texts" in err
