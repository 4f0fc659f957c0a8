"""By words: an image-text model ranks pictures by the cosine, and what is no such model is refused."""

import numpy as np
import pytest

import assay
from assay.curation.features import neighbor_graph
from assay.curation.filtering.likeness import LikenessSpace, Words, load_space
from assay.curation.storage.arrays import load_arrays, map_array, save_arrays
from tests.helpers import run_assay


def read_digits(bench):
    """An honest little image-text model: the words "a 3" are the mean of the pictures labelled 3."""
    vectors, state = bench.embeddings(), bench.state()
    shown = state.label.where(~state["split"].isin(("test", "guard")))

    def embed(texts):
        return np.stack([vectors[shown == text.split()[-1]].mean() for text in texts])

    return embed


def test_words_rank_all_pictures_by_the_cosine(scanned):
    bench = assay.open(scanned.path)
    embed = read_digits(bench)
    rows = bench.samples(words="a drawing of 3", text_embedder=embed, columns=["similarity"])
    X, t = bench.embeddings(), embed(["a drawing of 3"])[0]
    cosine = X.to_numpy() @ t / np.linalg.norm(X, axis=1) / np.linalg.norm(t)
    assert rows.similarity.to_numpy() == pytest.approx(np.sort(cosine)[::-1], abs=1e-5)
    truth = bench.samples(words="a 3", text_embedder=embed, limit=30, columns=["truth"]).truth
    assert (truth == 3).mean() > 0.7, "among 10 classes a tenth would be chance"
    some = bench.samples("similarity > 0.9 and split = 'val'", words="a 3", text_embedder=embed)
    assert 0 < len(some) < (bench.state()["split"] == "val").sum()
    assert set(some.split) == {"val"}


@pytest.mark.parametrize(
    "embed, found",
    [
        (lambda texts: np.ones((1, 3)), "768 numbers"),
        (lambda texts: np.ones(768), "array of 768"),
        (lambda texts: np.full((1, 768), np.nan), "NaN"),
        (lambda texts: np.zeros((1, 768)), "zeros"),
        (lambda texts: 1 / 0, "ZeroDivisionError"),
        (None, "found none"),
        ("no.such:thing", "no.such"),
        ("math", "math"),
    ],
    ids=["width", "shape", "nan", "zeros", "raises", "none", "module", "name"],
)
def test_what_reads_no_words_is_refused_with_what_was_expected(scanned, embed, found):
    with pytest.raises(assay.UserError, match=found):
        assay.open(scanned.path).samples(words="a 3", text_embedder=embed)


def test_words_and_pictures_are_not_asked_for_together(scanned):
    bench = assay.open(scanned.path)
    with pytest.raises(assay.UserError, match="words alone"):
        bench.samples(words="a 3", like=bench.state().index[0], text_embedder=read_digits(bench))


def test_a_view_keeps_its_words_and_the_command_line_takes_them(scanned, tmp_path, monkeypatch):
    code = "import numpy as np\ndef embed(texts): return np.ones((len(texts), 768))\n"
    (tmp_path / "words_of_ours.py").write_text(code)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.syspath_prepend(tmp_path)
    at, reads = ("-b", scanned.path), ("--text-embedder", "words_of_ours:embed")
    saved = ("--save", "bright ones", "--like-words", "much ink", "--who", "ann")
    assert run_assay("views", *saved, *at)[0] == 0
    assert list(assay.open(scanned.path).views()["words"]) == ["much ink"]
    status, by_view, _ = run_assay("samples", "--view", "bright ones", "--limit", 5, *reads, *at)
    _, by_words, _ = run_assay("samples", "--like-words", "much ink", "--limit", 5, *reads, *at)
    assert status == 0 and by_view == by_words and "similarity" in by_view
    status, _, err = run_assay("samples", "--view", "bright ones", *at)
    assert status == 2 and "--text-embedder package.module:function" in err


def test_an_array_is_mapped_from_its_file_and_a_damaged_one_is_refused(tmp_path):
    file, array = tmp_path / "x.npz", np.arange(6000, dtype="f2").reshape(1000, 6)
    save_arrays(file, first=np.arange(3), vectors=array)
    mapped = map_array(file, "vectors")
    assert isinstance(mapped, np.memmap) and (mapped == load_arrays(file)["vectors"]).all()
    raw = bytearray(file.read_bytes())
    raw[len(raw) // 2] ^= 1
    file.write_bytes(raw)
    with pytest.raises(assay.curation.errors.DamagedFile):
        map_array(file, "vectors")


def test_likeness_reads_the_vectors_for_the_first_question_alone(scanned):
    bench = assay.open(scanned.path)
    state = bench.state()
    graph, _ = neighbor_graph.load_nodes(bench, state)
    first = load_space(bench, graph)
    assert isinstance(first, LikenessSpace) and load_space(bench, graph) is first
    assert Words("a", len) != Words("a") and len({Words("a", len), Words("a", len)}) == 1
