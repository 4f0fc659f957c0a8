"""Second opinions: what cleanlab's Datalab found, as it writes it, beside our own issues."""

import json

import numpy as np
import pandas as pd
import pytest

from assay.curation.errors import Question, UserError
from assay.pipelines.indexing.opinion_files import add_opinion
from tests.helpers import run_assay

KINDS = {"label", "outlier", "near_duplicate", "non_iid", "class_imbalance"}


@pytest.fixture
def judged(scanned):
    """(a scanned bench, a Datalab of its kept samples in its order), which judged the same probabilities and vectors."""
    pytest.importorskip("datasets")
    from cleanlab import Datalab

    frame = scanned.frame()
    frame = frame[frame.split.isin(("train", "val"))]
    lab = Datalab(dict(label=list(frame.label)), label_name="label", verbosity=0)
    vectors = scanned.embeddings().loc[frame.index].to_numpy()
    lab.find_issues(pred_probs=scanned.pred_probs().loc[frame.index].to_numpy(), features=vectors)
    return scanned, lab, frame


def by_sample(lab, frame):
    return lab.get_issues().join(lab.get_issues("label")[["given_label", "predicted_label"]]).set_index(frame.index)  # fmt: skip


@pytest.mark.slow
def test_datalabs_findings_stand_beside_ours_under_their_name(judged):
    bench, lab, frame = judged
    ours = bench.issues()
    found = by_sample(lab, frame)
    out = bench.add_opinion(found, progress=False)
    listed = bench.issues()
    assert listed[~listed.kind.str.startswith("datalab_")].reset_index(drop=True).equals(pd.DataFrame(ours))  # fmt: skip
    for kind in ("label", "outlier", "near_duplicate"):
        flagged = found.index[found[f"is_{kind}_issue"]]
        mine = bench.issues(f"datalab_{kind}")
        assert set(mine["sample"]) == set(flagged) and out["issues"][f"datalab_{kind}"] == len(
            flagged
        )
        np.testing.assert_allclose(mine.set_index("sample").score, found[f"{kind}_score"][mine["sample"]], rtol=1e-5)  # fmt: skip
    labels = bench.issues("datalab_label")
    assert len(labels) > 20 and (labels.suggestion == found.predicted_label[labels["sample"]].to_numpy()).all()  # fmt: skip
    assert labels.why.str.startswith("datalab says so").all()


@pytest.mark.slow
def test_it_never_changes_our_scores(judged):
    bench, lab, frame = judged
    before, queue = bench.label_issues(), bench.queue(50, random=0)
    upside_down = by_sample(lab, frame).assign(is_label_issue=True, label_score=0.0)
    bench.add_opinion(upside_down, "other", progress=False)
    assert bench.label_issues().equals(before) and pd.DataFrame(bench.queue(50, random=0)).equals(pd.DataFrame(queue))  # fmt: skip
    assert len(bench.flagged()) == before.is_label_issue.sum()
    assert bench.status()["issues"]["label"] == before.is_label_issue.sum()


@pytest.mark.slow
def test_files_go_by_key_path_id_or_order(judged, tmp_path):
    bench, lab, frame = judged
    found = by_sample(lab, frame).reset_index(drop=True)
    turned = np.random.default_rng(0).permutation(len(found))
    flagged = set(frame.index[found.is_label_issue])
    for name, ids in (("key", frame.key), ("path", frame.uri), ("sample_id", frame.index), ("picture", frame.key)):  # fmt: skip
        table = found.assign(**{name: list(ids)}).iloc[turned]
        table.to_csv(tmp_path / f"{name}.csv", index=False)
        table.assign(near_duplicate_sets=[[1, 2]] * len(table)).to_parquet(tmp_path / f"{name}.parquet")  # fmt: skip
        for file in (tmp_path / f"{name}.csv", tmp_path / f"{name}.parquet"):
            out = add_opinion(bench, file)
            assert f"(column {name})" in out["notes"][0], file
            assert set(bench.issues("datalab_label")["sample"]) == flagged
    bench.edit(pd.DataFrame(dict(sample=bench.frame(split="val").index[:1], keep="false")), "ann")
    whole = found.iloc[:0].reindex(range(len(bench.state())))
    whole = whole.assign(is_label_issue=False, label_score=1.0)[["is_label_issue", "label_score"]]
    whole.to_csv(tmp_path / "whole.csv", index=False)
    assert "order of the rows" in add_opinion(bench, tmp_path / "whole.csv")["notes"][0]
    wrong = whole.assign(given_label=bench.state().label.to_numpy()[::-1])
    with pytest.raises(Question, match="expected rows in the bench's order"):
        add_opinion(bench, wrong)


@pytest.mark.slow
def test_datalabs_own_folder_is_read_without_its_pickle(judged, tmp_path):
    bench, lab, frame = judged
    lab.save(str(tmp_path / "lab"), force=True)
    (tmp_path / "lab" / "datalab.pkl").write_bytes(b"cos\nsystem\n(S'touch /tmp/owned'\ntR.")
    with pytest.raises(UserError, match="expected 600 rows of issues"):  # test is in no Datalab
        add_opinion(bench, tmp_path / "lab")
    with pytest.raises(UserError, match="never loaded") as e:
        add_opinion(bench, tmp_path / "lab" / "datalab.pkl")
    assert ".to_csv(" in e.value.hint
    issues = pd.read_csv(tmp_path / "lab" / "issues.csv")
    issues.assign(key=list(frame.key)).to_csv(tmp_path / "lab" / "issues.csv", index=False)
    status, out, said = run_assay("opinion", tmp_path / "lab", "--json", "-b", bench.path)
    assert status == 0, said
    told = json.loads(out)
    assert told["rows"] == len(frame) and "not datalab.pkl" in told["notes"][0]
    assert {f"datalab_{kind}" for kind in KINDS} <= set(told["issues"])


@pytest.mark.slow
def test_the_queue_can_be_what_an_opinion_doubts(judged):
    bench, lab, frame = judged
    found = by_sample(lab, frame)
    bench.add_opinion(found, progress=False)
    flagged = set(found.index[found.is_label_issue])
    queue = bench.queue(1000, random=0, opinion="datalab")
    assert set(queue["sample"]) == flagged and queue.score.is_monotonic_increasing
    assert queue.reason.str.contains("datalab says so").all()
    mixed = bench.queue(1000, opinion="datalab")
    assert mixed.random.any() and flagged < set(mixed["sample"])
    first = queue["sample"].iloc[0]
    bench.edit(pd.DataFrame([dict(sample=first, verdict="confirm")]), "ann")
    assert first not in set(bench.queue(1000, random=0, opinion="datalab")["sample"])
    assert first not in set(bench.issues("datalab_label")["sample"])
    with pytest.raises(
        UserError, match="expected a second opinion of this bench, found 'datalap'"
    ) as e:
        bench.queue(opinion="datalap")
    assert "did you mean datalab" in e.value.hint


def test_a_part_of_the_rows_goes_by_its_row_numbers(bench, tmp_path):
    """As in Datalab's own pages: issues.query("is_label_issue").sort_values("label_score")."""
    frame = bench.frame()
    frame = frame[frame.split != "guard"]
    all_rows = pd.DataFrame(
        dict(is_label_issue=True, label_score=0.5, given_label=list(frame.label)), index=range(600)
    )
    part = all_rows.iloc[[400, 7, 21, 50, 333]]
    part.to_csv(tmp_path / "part.csv")
    part.to_parquet(tmp_path / "part.parquet")
    for source in (part, tmp_path / "part.csv", tmp_path / "part.parquet"):
        out = add_opinion(bench, source)
        assert "row numbers" in out["notes"][0]
        shown = [frame.index[i] for i in part.index if frame.split.iloc[i] != "test"]
        assert set(bench.issues("datalab_label")["sample"]) == set(shown)
    with pytest.raises(UserError, match="found 700"):
        add_opinion(bench, part.rename(index={400: 700}))


def test_what_it_said_of_another_label_or_a_locked_one_is_not_shown(bench):
    state = bench.frame()
    train, test = state.index[state.split == "train"][:2], state.index[state.split == "test"][0]
    rows = pd.DataFrame(
        dict(is_label_issue=True, label_score=0.1, is_dark_issue=True, dark_score=0.2, given_label=state.label),
    ).loc[[*train, test]]  # fmt: skip
    rows.loc[train[0], "given_label"] = "8" if state.label[train[0]] != "8" else "7"
    out = bench.add_opinion(rows, progress=False)
    assert set(bench.issues("datalab_label")["sample"]) == {train[1]}
    assert set(bench.issues("datalab_dark")["sample"]) == {*train, test}
    assert any("1 row judges another label" in note for note in out["notes"])
    assert any("test and guard are not shown" in note for note in out["notes"])
    assert bench.issues("datalab_dark").label.isna().sum() == 1, "a test label is shown nowhere"
    bench.remove_opinion("datalab")
    assert "datalab_dark" not in set(bench.issues("merge_conflict").kind)


@pytest.mark.parametrize(
    ("change", "name", "word"),
    [
        (lambda f: f.rename(columns={"is_label_issue": "issue"}), "datalab", "expected columns such as is_label_issue"),
        (lambda f: f.assign(is_label_issue="maybe"), "datalab", "found 'maybe'"),
        (lambda f: f.assign(label_score=7.0), "datalab", "scores from 0 to 1"),
        (lambda f: f.rename(index={f.index[0]: "nobody"}), "datalab", "1 unknown, for example 'nobody'"),
        (lambda f: f, "../evil", "a name of small letters"),
        (lambda f: f.rename(columns={"is_label_issue": "is_duplicate_issue"}), "near", "these are ours"),
    ],
)  # fmt: skip
def test_what_cannot_be_an_opinion_is_refused(bench, change, name, word):
    rows = pd.DataFrame(dict(is_label_issue=True, label_score=0.1), index=bench.frame().index)
    with pytest.raises(UserError, match=word):
        add_opinion(bench, change(rows), name)
    assert not list((bench.arrays / "opinions").glob("*"))


def test_without_a_scan_an_opinion_can_be_listed_and_queued(bench, tmp_path):
    part = bench.frame(split="train").head(30)
    rows = pd.DataFrame(
        dict(is_label_issue=True, label_score=np.linspace(0, 1, 30)), index=part.index
    )
    rows.to_csv(tmp_path / "a.csv", index_label="sample")
    words = ["--json", "-b", bench.path]
    assert run_assay("opinion", tmp_path / "a.csv", "--as", "mine", *words)[0] == 0
    assert list(bench.issues("mine_label")["sample"]) == list(part.index)
    assert list(bench.queue(10, random=0, opinion="mine")["sample"]) == list(part.index[:10])
    status, out, _ = run_assay("opinion", *words)
    (told,) = json.loads(out)["opinions"]
    assert (
        told["name"] == "mine" and told["issues"] == {"mine_label": 30} and told["labels"] is None
    )
    assert run_assay("queue", "--opinion", "mine", *words)[0] == 0
    assert run_assay("opinion", "--remove", "mine", *words)[0] == 0
    assert run_assay("issues", "--kind", "mine_label", *words)[0] == 2
