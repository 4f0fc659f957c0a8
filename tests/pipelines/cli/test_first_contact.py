"""What somebody who has never seen Assay types first, and what is said then."""

import json

from tests.helpers import bench_of, digits, run_assay


def test_assay_alone_shows_the_verbs():
    status, out, _ = run_assay()
    assert status == 2 and "Find and mend wrong labels:" in out and "  import " in out


def test_a_number_with_a_comma_is_asked_for_with_a_point():
    status, _, said = run_assay("gate", "--min-gain", "0,5")
    assert status == 2 and "expected --min-gain as a number, found '0,5'" in said
    assert "--min-gain 0.5" in said
    assert "-n as a whole number, found 'many'" in run_assay("queue", "-n", "many")[2]
    assert "-n as a whole number" in run_assay("queue", "-n", "1,5")[2]


def test_a_mistyped_path_is_said_first(tmp_path):
    (tmp_path / "photos").mkdir()
    status, _, said = run_assay("import", tmp_path / "fotos", "-b", tmp_path / "bench")
    assert status == 2 and "found nothing at" in said.splitlines()[0]
    assert "did you mean photos?" in said and len(said) < 250 + 2 * len(str(tmp_path)), said


def test_a_mistyped_class_is_asked_about_once(tmp_path):
    bench = bench_of(digits(30, wrong=0).assign(label=["viii", "nine", "ten"] * 10), tmp_path)
    (tmp_path / "e.csv").write_text(f"sample,label\n{bench.state().index[0]},viiii\n")
    for words in (["edit", tmp_path / "e.csv"], ["queue", "--class", "viiii"]):
        said = run_assay(*words, "-b", bench.path)[2]
        assert said.count("did you mean viii?") == 1, said


def test_an_export_right_after_a_commit_names_it(tmp_path):
    bench = bench_of(digits(30, wrong=0), tmp_path)
    bench.commit("one", "ann", "first")

    def export(folder, *words):
        words = ["export", "-o", tmp_path / folder, *words, "--json", "-b", bench.path]
        return json.loads(run_assay(*words)[1])["commit"]

    assert export("a") == export("b", "--version", "first") == "first"
    train = bench.state().query("split == 'train'").index[0]
    (tmp_path / "e.csv").write_text(f"sample,keep\n{train},false\n")
    assert run_assay("edit", tmp_path / "e.csv", "-b", bench.path)[0] == 0
    assert export("c") is None and export("d", "--version", "half(first)") is None
