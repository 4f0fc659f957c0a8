"""A label set that names a class that train lacks is scored by its other classes."""

import json

import pandas as pd
import pytest

import assay
from assay.curation.label_quality.live import label_scores
from assay.curation.label_quality.scoring import read_targets
from assay.curation.tasks.multilabel import TASK, keep_others
from assay.pipelines.indexing.scan import ScanOptions, scan
from tests.helpers import copied, run_assay
from tests.label_sets import write_sets


def test_what_is_not_known_is_left_out_and_put_back_by_hand():
    labels = ['["cat", "yak"]', '["dog"]', '["yak"]', "[]", None]
    assert read_targets(TASK, labels, ["cat", "dog"]).tolist() == [
        [1, 0], [0, 1], [0, 0], [0, 0], [-1, -1],
    ]  # fmt: skip
    said = keep_others(['["dog"]', '["cat"]'], labels[:2], ["cat", "dog"])
    assert said.tolist() == ['["dog", "yak"]', '["cat"]']


@pytest.fixture(scope="module")
def bench(tmp_path_factory):
    """240 made texts; ten val labels name yak, which train lacks, and of the first of them music is turned."""
    table = write_sets(240, wrong=0)
    some = table.index[(table.split == "val")][:10]
    for row in some:
        table.at[row, "label"] = [*table.label[row], "yak"]
    first = some[0]
    table.at[first, "label"] = sorted({*table.label[first]} ^ {"music"})
    folder = tmp_path_factory.mktemp("yak")
    table.to_parquet(folder / "sets.parquet")
    out = assay.create(folder / "bench")
    out.add(folder / "sets.parquet", progress=False)
    scan(out, ScanOptions(embedder="tfidf"), say=lambda line: None)
    return out, table.id[first]


def test_it_is_scored_and_its_suggestion_keeps_the_class(bench):
    bench, first = bench
    scores, state = label_scores(bench), bench.state()
    assert len(scores) == state["split"].isin(("train", "val")).sum(), "none is left out"
    yaks = scores[scores.label.map(lambda label: "yak" in json.loads(label))]
    assert len(yaks) == 10 and (yaks.question != "yak").all()
    assert yaks.suggestion.map(lambda label: "yak" in json.loads(label)).all()
    (sample,) = state.index[state.key == first]
    assert yaks.score.idxmin() == sample and yaks.question[sample] == "music"
    turned = set(json.loads(yaks.label[sample])) ^ set(json.loads(yaks.suggestion[sample]))
    assert turned == {"music"}


def test_the_queue_says_that_train_lacks_it(bench):
    bench, _ = bench
    status, out, err = run_assay("queue", "-b", bench.path, "-n", "300", "--json")
    assert status == 0, err
    said = {row["sample"]: row["reason"] for row in json.loads(out)["rows"]}
    labels = bench.state().label[[*said]]
    has = labels[labels.map(lambda label: "yak" in json.loads(label))].index
    assert len(has) and all("yak is not in train, so nothing is said" in said[s] for s in has)
    assert not any("yak" in said[s] for s in said if s not in has)


@pytest.mark.daily
def test_a_train_label_that_names_a_new_class_is_known_from_then_on(bench, tmp_path):
    copy = copied(bench[0], tmp_path / "b")
    state = copy.state()
    sample = state.index[state["split"] == "train"][0]
    label = "|".join([*json.loads(state.label[sample]), "yak"])
    copy.edit(pd.DataFrame(dict(sample=[sample], label=[label])), who="ann")
    scores = label_scores(copy)
    assert len(scores) == state["split"].isin(("train", "val")).sum()
    queue = copy.queue(n=200, where="label = 'yak'")
    assert not queue.reason.str.contains("not in train").any()
