"""Two files of predictions and labels: the difference beside statsmodels, and all that is read, guessed or refused."""

import numpy as np
import pandas as pd
import pytest

import assay
from assay.pipelines.comparison.difference import judge_pair
from assay.pipelines.comparison.label_stakes import contrast_labels, count_turning_labels
from tests.helpers import run_assay

CLASSES = ["cat", "dog", "eel"]


def make_study(n=600, seed=0, right=(0.8, 0.9)):
    """(labels, a, b): frames of n samples by id."""
    rng = np.random.default_rng(seed)
    ids, truth = [f"img/{i}.png" for i in range(n)], rng.choice(CLASSES, n)
    labels = pd.DataFrame(dict(id=ids, label=truth, group=rng.choice(["u", "v"], n)))
    said = [np.where(rng.random(n) < p, truth, rng.choice(CLASSES, n)) for p in right]
    return labels, *(pd.DataFrame(dict(id=ids, label=s)) for s in said)


def test_one_training_each_is_mcnemar_and_the_paired_difference():
    from statsmodels.stats.contingency_tables import mcnemar
    from statsmodels.stats.weightstats import DescrStatsW

    labels, a, b = make_study()
    out = assay.compare(a, b, labels)
    right = [(f.label == labels.label).to_numpy() for f in (a, b)]
    table = pd.crosstab(*right).reindex(index=[False, True], columns=[False, True], fill_value=0)
    assert out["flips"]["p"] == pytest.approx(mcnemar(table.to_numpy(), exact=True).pvalue)
    assert out["estimate"] == pytest.approx(right[1].mean() - right[0].mean())
    low, high = DescrStatsW(1.0 * right[1] - right[0]).zconfint_mean()
    # a floor for sparse differences makes ours the wider one, by little
    assert low - 0.002 < out["low"] <= low and high <= out["high"] < high + 0.002
    assert "b" not in out["notes"] and "these trained models only" in out["verdict"]
    assert out["word"] == "better" and out["verdict"].startswith("B is better than A: +")


def test_slices_are_corrected_by_holm_as_statsmodels_does():
    from statsmodels.stats.multitest import multipletests

    out = assay.compare(*make_study()[1:], make_study()[0])
    tested = [g for g in out["slices"] if g["p"] is not None]
    assert {(g["kind"], g["name"]) for g in tested} == {
        *(("class", c) for c in CLASSES),
        ("group", "u"),
        ("group", "v"),
    }
    holm = multipletests([g["p"] for g in tested], method="holm")[1]
    assert [g["p_holm"] for g in tested] == pytest.approx(list(holm))


def test_rows_in_another_order_and_probabilities_say_the_same(tmp_path):
    labels, a, b = make_study()
    probs = np.full((len(b), 3), 0.05)
    probs[np.arange(len(b)), [CLASSES.index(v) for v in b.label]] = 0.9
    wide = pd.DataFrame(probs[:, ::-1], columns=[f"prob_{c}" for c in CLASSES[::-1]])
    wide.insert(0, "file", [i.rsplit("/")[-1] for i in b.id])
    wide.sample(frac=1, random_state=1).to_parquet(tmp_path / "b.parquet")
    a.sample(frac=1, random_state=2).to_csv(tmp_path / "a.csv", sep=";", encoding="utf-8-sig")
    out = assay.compare(tmp_path / "a.csv", tmp_path / "b.parquet", labels)
    assert out["estimate"] == assay.compare(a, b, labels)["estimate"]
    assert out["models"][1]["matched"] == "file (file name)"
    matrix = assay.compare(a.label, probs, labels.label)  # arrays, by the order of the rows
    assert matrix["estimate"] == out["estimate"]
    assert any("which nothing vouches for" in note for note in matrix["notes"])


def test_scores_of_probabilities_are_scikit_learns():
    from sklearn.metrics import brier_score_loss, log_loss

    labels, *_ = make_study()
    rng = np.random.default_rng(3)
    probs = [rng.dirichlet([1, 1, 1], len(labels)) for _ in range(2)]
    frames = [pd.DataFrame(p, labels.id, CLASSES) for p in probs]
    out = assay.compare(*frames, labels)["scores"]
    for name, p in zip("AB", probs):
        assert out["log_loss"][name] == pytest.approx(log_loss(labels.label, p))
        ours = brier_score_loss(labels.label, p, labels=CLASSES, scale_by_half=False)
        assert out["brier"][name] == pytest.approx(ours)
    each = [-np.log(p[np.arange(600), [CLASSES.index(v) for v in labels.label]]) for p in probs]
    assert out["log_loss"]["difference"]["estimate"] == pytest.approx((each[1] - each[0]).mean())


def test_seeds_as_files_or_as_a_column_are_one_model(tmp_path):
    labels, *_ = make_study()
    long = {}
    for name, right in (("a", 0.8), ("b", 0.9)):
        parts = [make_study(seed=s, right=(right,))[1].assign(seed=s) for s in (0, 1, 2)]
        # the same samples for all: only the answers differ
        parts = [p.assign(label=np.where(np.random.default_rng(p.seed[0]).random(600) < right, labels.label, "none of these")) for p in parts]  # fmt: skip
        long[name] = pd.concat(parts)
        for s, part in enumerate(parts):
            part[["id", "label"]].to_csv(tmp_path / f"{name}-{s}.csv", index=False)
    labels.to_csv(tmp_path / "labels.csv", index=False)
    column = assay.compare(long["a"], long["b"], labels)
    pattern = assay.compare(str(tmp_path / "a-*.csv"), f"second={tmp_path}/b-*.csv", labels)
    listed = assay.compare(*([tmp_path / f"{m}-{s}.csv" for s in range(3)] for m in "ab"), labels)
    assert (
        column["seeds"] == pattern["seeds"] == listed["seeds"] == [3, 3] and column["seeds_known"]
    )
    assert column["low"] == pattern["low"] == listed["low"] and column["flips"]["p"] is None
    assert [m["name"] for m in pattern["models"]] == ["a", "second"]
    assert "these trained models" not in column["verdict"]


def test_missing_predictions_are_counted_and_left_out_for_both():
    labels, a, b = make_study()
    out = assay.compare(a[:590], b[5:].assign(label=b.label.where(b.index < 595, None)), labels)
    assert out["n"] == 585 and [m["missing"] for m in out["models"]] == [10, 10]
    right = (a.label == labels.label)[5:590].mean()
    assert out["models"][0]["accuracy"]["estimate"] == pytest.approx(right)
    assert any("585 of 600 labelled samples" in note for note in out["notes"])
    wrong = assay.compare(a[:590], b, labels, missing_wrong=True)
    assert wrong["n"] == 600 and any("counted as wrong" in note for note in wrong["notes"])


def test_how_many_wrong_labels_turn_the_verdict_is_what_brute_force_finds():
    labels, a, b = make_study(60, right=(0.5, 0.95))
    codes = [np.array([[CLASSES.index(v) for v in f.label]]) for f in (a, b, labels)]
    first, second, truth = codes[0], codes[1], codes[2][0]
    k = count_turning_labels(first, second, truth, judge_pair)
    hostile = np.flatnonzero((second[0] == truth) & (first[0] != truth))
    for wrong in (k - 1, k):
        changed = truth.copy()
        changed[hostile[:wrong]] = first[0][hostile[:wrong]]  # the most that one label can do
        shown = judge_pair(contrast_labels(first, second, changed)) == "better"
        assert shown == (wrong < k)
    out = assay.compare(a, b, labels)
    assert out["label_noise"]["turning"] == k
    assert out["label_noise"]["differing"] == int((a.label != b.label).sum()) == out["audit"]["of"]
    assert set(out["audit"]["samples"]) == set(a.id[a.label != b.label])


def test_other_acceptable_labels_and_an_order_of_three():
    labels, a, b = make_study()
    c = a.assign(label=b.label.where(b.label == labels.label, "eel"))
    plain = assay.compare(a, b, labels, others=[c])["ranking"]
    assert plain["also"] is None and plain["labels"]["pairs_tested"] == 3
    names = [m["name"] for m in plain["labels"]["models"]]
    assert names[-1] == "A" and plain["labels"]["models"][-1]["least"] == 3
    assert {(p["better"], p["shown"]) for p in plain["labels"]["pairs"] if p["worse"] == "A"} == {
        ("B", True),
        ("C", True),
    }
    wide = assay.compare(a, b, labels.assign(also="eel|dog"), others=[c])["ranking"]["also"]
    accuracy = {m["name"]: m["accuracy"] for m in wide["models"]}
    assert accuracy["C"] == pytest.approx(
        ((c.label == labels.label) | c.label.isin(["eel", "dog"])).mean()
    )
    assert wide["samples"] == 600


@pytest.mark.parametrize(
    "spoil, words",
    [
        (lambda a: a.assign(label="zebra"), "'zebra' in 600 of 600"),
        (lambda a: pd.concat([a, a[:1]]), "each sample once"),
        (lambda a: a.assign(id=a.id + "x"), "found none"),
        (lambda a: a[["id"]], "a column of labels"),
        (lambda a: a[:0], "no rows"),
        (lambda a: pd.concat([a, a], axis=1), "two of one name"),
        (lambda a: a.assign(label=[CLASSES.index(v) for v in a.label]), "the numbers 0, 1, 2"),
        (lambda a: a.assign(row=a.id, id=a.id.to_numpy()[::-1]), "to name the same samples"),
        (lambda a: a[["id"]].assign(cat=0.5, dog=0.5, eel=0.5), "do not sum to 1 in 600"),
        (lambda a: a[["id"]].assign(cat=np.nan, dog=0.5, eel=0.5), "found no number in 600"),
    ],
)
def test_what_cannot_be_judged_is_refused(spoil, words):
    labels, a, b = make_study()
    with pytest.raises(assay.UserError, match=words):
        assay.compare(spoil(a), b, labels)


def test_what_is_guessed_is_said():
    labels, a, b = make_study()
    shouted = a.assign(label=a.label.str.upper())
    out = assay.compare(shouted, b, labels)
    assert any("'CAT' is read as 'cat' (" in note for note in out["notes"])
    assert out["estimate"] == assay.compare(a, b, labels)["estimate"]
    numbers = a.assign(label=[CLASSES.index(v) for v in a.label])
    assert assay.compare(numbers, b, labels, classes=CLASSES)["estimate"] == out["estimate"]
    odd = a.assign(label=a.label.where(a.index > 9, "zebra"))
    said = assay.compare(odd, b, labels)["notes"]
    assert any(
        "'zebra' is no class of the labels, and counts as wrong (10 rows)" in n for n in said
    )


def test_a_given_label_beside_probabilities_is_not_taken_for_the_prediction():
    labels, a, b = make_study()
    probs = np.where(np.array(CLASSES) == a.label.to_numpy()[:, None], 0.9, 0.05)
    wide = pd.DataFrame(probs, columns=CLASSES).assign(id=a.id, label=labels.label)
    assert assay.compare(wide, b, labels)["estimate"] == assay.compare(a, b, labels)["estimate"]
    copied = assay.compare(a, labels, labels.assign(true_label="cat"))
    assert any("B says what the labels say in all 600" in note for note in copied["notes"])
    assert any("labels in the column label, not true_label" in note for note in copied["notes"])
    other = assay.compare(
        a, b, labels.assign(true_label=labels.label[::-1].to_numpy()), label_column="true_label"
    )
    right = a.label.to_numpy() == labels.label[::-1].to_numpy()
    assert other["models"][0]["accuracy"]["estimate"] == pytest.approx(right.mean())


def test_file_names_of_two_samples_are_refused():
    labels, a, b = make_study(40)
    labels.loc[1, "id"] = a.loc[1, "id"] = "other/0.png"
    names = b.assign(id=b.id.str.split("/").str[-1])
    with pytest.raises(assay.UserError, match="'0.png', which several samples"):
        assay.compare(a, names, labels)


def test_the_command_writes_a_list_to_audit_and_a_report(tmp_path):
    for name, frame in zip(("labels", "a", "b"), make_study()):
        frame.to_csv(tmp_path / f"{name}.csv", index=False)
    a, b, labels, sheet, page = (
        tmp_path / f for f in "a.csv b.csv labels.csv audit.csv r.md".split()
    )
    status, out, err = run_assay("compare", a, b, "--labels", labels, "--audit-list", sheet, "--audit-most", 50, "--report", page)  # fmt: skip
    assert status == 0 and out.startswith("b is better than a: +") and not err
    listed = pd.read_csv(sheet)
    assert len(listed) == 50 and list(listed) == ["sample", "label", "verdict"], (
        "no prediction in sight"
    )
    assert listed.label.isna().all() and "| class | cat |" in page.read_text()
    assert run_assay("compare", a, b)[0] == 2
    assert run_assay("compare", a, "v1/probe", "--labels", labels)[0] == 2


def make_noisy_study(seed, n=1500):
    """(labels with 12 % wrong ones, a, b, the truth): B copies wrong labels, so that it looks better than it is."""
    rng = np.random.default_rng(seed)
    labels, a, b = make_study(n, seed, (0.85, 0.85))
    truth = labels.set_index("id").label
    wrong = rng.random(n) < 0.12
    labels["label"] = np.where(wrong, rng.choice(CLASSES, n), labels.label)
    b["label"] = np.where(wrong & (rng.random(n) < 0.5), labels.label, b.label)
    return labels, a, b, truth


def fill(out, truth, most=None):
    listed = pd.DataFrame(dict(sample=out["audit"]["samples"]))[:most]
    return listed.assign(label=truth[listed["sample"]].to_numpy())


def test_auditing_all_on_which_they_differ_is_auditing_all():
    labels, a, b, truth = make_noisy_study(0)
    given = assay.compare(a, b, labels, audit_most=9_999)
    out = assay.compare(a, b, labels, audited=fill(given, truth))
    by_truth = assay.compare(a, b, labels.assign(label=truth.to_numpy()))
    assert out["estimate"] == pytest.approx(by_truth["estimate"]) != given["estimate"]
    assert (out["low"], out["high"]) == pytest.approx((by_truth["low"], by_truth["high"]))
    assert out["given"]["estimate"] == given["estimate"]
    assert (
        f"labels audited on all {given['audit']['of']} samples on which they differ"
        in out["verdict"]
    )


@pytest.mark.slow
def test_an_audit_of_some_is_right_on_average_and_its_interval_holds():
    """60 studies: the design is unbiased, and 95 % of the intervals hold the difference by the truth."""
    off, held = [], 0
    for seed in range(60):
        labels, a, b, truth = make_noisy_study(seed, 600)
        exact = assay.compare(a, b, labels.assign(label=truth.to_numpy()))["estimate"]
        listed = assay.compare(a, b, labels, audit_most=60)
        out = assay.compare(a, b, labels, audited=fill(listed, truth))
        off.append(out["estimate"] - exact)
        held += out["low"] <= exact <= out["high"]
    assert abs(np.mean(off)) < 3 * np.std(off) / 60**0.5
    assert held >= 54


def test_a_list_that_is_not_filled_from_its_beginning_is_refused():
    labels, a, b, truth = make_noisy_study(1)
    listed = fill(assay.compare(a, b, labels), truth)
    with pytest.raises(assay.UserError, match="found 0"):
        assay.compare(a, b, labels, audited=listed[1:])
    unsure = listed.assign(verdict=np.where(listed.index == 3, "unsure", None))
    both = assay.compare(a, b, labels, audited=unsure)
    assert "1 unsure and taken both ways" in both["verdict"]
    with pytest.raises(assay.UserError, match="expected two models"):
        assay.compare(a, b, labels, others=[a], audited=listed)
