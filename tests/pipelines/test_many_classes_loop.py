"""The whole loop where classes are many: a table of samples by classes is made nowhere."""

import numpy as np
import pandas as pd
import pytest

import assay
from assay.curation.storage.arrays import load_arrays
from assay.curation.storage.top_probs import TOP
from tests.helpers import run_assay

K, EACH = 300, 8  # classes, texts of each


@pytest.fixture(scope="module")
def topics(tmp_path_factory):
    """2,400 texts of 300 topics, one label in twenty moved to the next topic; scanned."""
    folder, rng = tmp_path_factory.mktemp("topics"), np.random.default_rng(0)
    syllables = [a + b for a in "bdfgklmnprst" for b in ("a", "e", "i", "o", "u", "ai", "or")]
    words = np.array(["".join(rng.choice(syllables, 4)) for _ in range(K * 6)]).reshape(K, 6)
    truth = np.repeat(np.arange(K), EACH)
    text = [" ".join(rng.choice(words[t], 6)) for t in truth]
    wrong = rng.random(len(truth)) < 0.05
    label = np.where(wrong, (truth + 1) % K, truth)
    frame = pd.DataFrame(dict(id=np.arange(len(truth)), text=text, label=label))
    frame["label"] = frame.label.map("topic {:03d}".format)
    frame.to_parquet(folder / "topics.parquet")
    bench = assay.create(folder / "bench").add(folder / "topics.parquet", progress=False)
    bench.scan(embedder="tfidf", effort=0, progress=False)
    return bench, pd.Series(truth, frame.id.astype(str)).map("topic {:03d}".format), wrong


def test_the_queue_begins_with_what_is_wrong(topics):
    bench, truth, wrong = topics
    queue = bench.queue(100)
    of = bench.state().key[queue["sample"]]
    right = truth[of].to_numpy()
    assert (right != queue.given_label.to_numpy()).mean() > 5 * wrong.mean()
    missed = queue[right != queue.given_label.to_numpy()]
    assert (
        missed.suggested_label.to_numpy() == right[right != queue.given_label.to_numpy()]
    ).mean() > 0.8


def test_files_keep_the_likeliest_classes_of_each_sample(topics):
    bench, *_ = topics
    kept = load_arrays(bench.arrays / "opinion.npz")
    assert kept["pred_probs"].shape == kept["pred_probs_at"].shape == (len(kept["ids"]), TOP)


def test_predictions_are_a_frame_of_a_column_a_class(topics):
    bench, truth, _ = topics
    frame = bench.pred_probs()
    assert frame.shape[1] == K and (frame.dtypes == pd.SparseDtype("float32", 0)).all()
    said = frame.columns[np.asarray(frame.sparse.to_coo().tocsr().argmax(axis=1)).ravel()]
    assert (said == truth[bench.state().key[frame.index]].to_numpy()).mean() > 0.7


def test_an_edit_is_scored_and_taken_back(topics):
    """The label of the worst is corrected: it alone leaves the queue's head, and comes back."""
    bench, truth, _ = topics
    first = bench.queue(20)
    sample = first["sample"].iloc[0]
    bench.edit(pd.DataFrame([dict(sample=sample, label=first.suggested_label.iloc[0])]), who="ann")
    assert sample not in set(bench.queue(20)["sample"])
    bench.undo(who="ann")
    again = bench.queue(20)
    assert set(again["sample"]) == set(first["sample"])
    np.testing.assert_allclose(again.score, first.score, atol=1e-4)


@pytest.mark.daily
@pytest.mark.parametrize("arch", ["probe", "mlp"])
def test_models_are_trained_compared_and_renamed(topics, tmp_path, arch):
    """Of each run's predictions the likeliest classes are kept; merging two classes adds theirs up."""
    bench, *_ = topics
    plan = tmp_path / "plan.toml"
    plan.write_text(f'versions = ["v1"]\narchitectures = ["{arch}"]\nseeds = [0]\n')
    status, out, err = run_assay("experiment", plan, "-o", tmp_path / "r.html", "-b", bench.path)
    assert status == 0, err
    for file in (bench.arrays / "runs").glob("*.npz"):
        assert load_arrays(file)["probs"].shape[1] == TOP
    one, other = bench.classes().name[:2]
    assert run_assay("classes", "rename", one, other, "-b", bench.path)[0] == 0
    status, out, err = run_assay("status", "-b", bench.path)
    assert status == 0, err
    assert bench.pred_probs().shape[1] == len(bench.classes()) < K
