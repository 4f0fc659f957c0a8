"""What is explained of a sample: each result follows from the numbers that stand beside it, and is what the product shows."""

import json
from itertools import chain

import numpy as np
import pandas as pd
import pytest

import assay
from assay.app.server.explanations import explanations_html
from assay.curation.errors import NotScanned, UnknownSample, UserError
from assay.curation.label_quality.score_files import StoredProbe
from assay.curation.label_quality.scoring import without_locked
from assay.pipelines.explaining.explain import explain
from assay.pipelines.explaining.explanation import Filled, explain_as
from assay.pipelines.explaining.sample_issues import explain_issue
from assay.pipelines.indexing.scan import ScanOptions, scan
from tests.app.test_rows import write_rows
from tests.app.test_texts import write_texts
from tests.helpers import bench_of, digits, nearly, png, run_assay, scanned_bench
from tests.label_sets import scan_sets


def of(explained):
    """The numbers by name, as --json has them: nothing but what is printed."""
    return {n["name"]: n for n in json.loads(json.dumps(explained.to_json()))["numbers"]}


def recompute(numbers):
    """(score without the sample and with votes, its logit, its probability, the score), from the printed numbers alone."""
    alone, probs, score = (
        numbers[n]["numbers"] for n in ("out-of-sample-score", "probabilities", "score")
    )
    if "h" in alone:
        s = (alone["f"] - alone["h"] * alone["y"]) / (1 - alone["h"])
    elif "H" in alone:
        H, y, f = (np.array(alone[n]) for n in ("H", "y_g", "f_g"))
        s = (y - np.linalg.solve(np.eye(len(H)) - H, y - f))[alone["own"]]
    else:
        s = alone["f"]
    s += alone["share"] * alone["votes"]
    at = probs["classes"].index(alone["label"])
    x, knots, heights = (
        s * probs["stretch"][at],
        np.array(probs["knots"]),
        np.array(probs["heights"]),
    )
    place = np.clip(np.searchsorted(knots, x) - 1, 0, len(knots) - 2)
    z = heights[place] + (x - knots[place]) * np.diff(heights)[place] / np.diff(knots)[place]
    return s, z, np.exp(z - probs["log_total"]), score["p"] / score["total"]


@pytest.fixture(scope="module")
def copies(tmp_path_factory):
    """300 digits, of whose train samples five are there twice, nearly the same."""
    table = digits(300)
    twice = table[table.split == "train"].head(5)
    twice = twice.assign(id="copy-" + twice.id, image=[nearly(image) for image in twice.image])
    bench = bench_of(pd.concat([table, twice]), tmp_path_factory.mktemp("copies"))
    scan(bench, ScanOptions(embedder="pixels"), say=lambda line: None)
    return assay.open(bench.path)


@pytest.mark.slow
def test_every_step_of_a_score_follows_from_the_numbers_beside_it(copies):
    queue, kinds = copies.queue(12, 0).set_index("sample"), set()
    twice = copies.frame().query("key.str.startswith('copy-')").index[:2]
    issues = copies.label_issues()
    for sample in [*queue.index, *twice]:
        found = of(copies.explain(sample))
        s, z, p, score = recompute(found)
        kinds |= {n for n in ("h", "H") if n in found["out-of-sample-score"]["numbers"]}
        # the product multiplies in float32, and each CPU adds in its own order
        assert s == pytest.approx(found["out-of-sample-score"]["value"], abs=1e-5)
        assert p == pytest.approx(found["probabilities"]["value"], rel=1e-5)
        assert p == pytest.approx(found["score"]["numbers"]["p"], abs=2e-4), "as the scan wrote it"
        assert found["score"]["value"] == issues.label_score[sample], "what the product shows"
        assert score == pytest.approx(issues.label_score[sample], abs=1e-6)
        flag = found["flag"]["numbers"]
        doubted = flag["score"] < flag["cut"] and flag["likeliest"] != flag["label"]
        assert (doubted and not flag["reviewed"]) == issues.is_label_issue[sample]
        if sample in queue.index:
            place = found["queue-place"]
            assert place["value"] == queue["rank"][sample]
            assert place["numbers"]["contested"] + place["numbers"]["lower"] + 1 == place["value"]
            votes = found["neighbour-votes"]["numbers"]
            said = queue.reason[sample].rsplit("; ", 1)[1].split()
            assert votes["votes"].get(queue.suggested_label[sample], 0) == int(said[0])
            assert votes["neighbours"] == int(said[2]) == sum(votes["votes"].values())
    assert kinds == {"h", "H"}, "some leave alone, some with their copies"


def test_a_score_is_that_of_a_model_fitted_without_the_sample(scanned):
    """The probe is fitted again, without one train sample, by solving its normal equations."""
    stored = StoredProbe.load(scanned)
    part, probe = without_locked(scanned.state()), stored.probe
    sample = part.index[(part["split"] == "train") & part.keep][7]
    i = part.index.get_loc(sample)
    from assay.curation.label_quality.judges import load_columns

    Z = probe.standardize(np.asarray(load_columns(scanned, part).X[np.arange(len(part))]))
    rest = np.flatnonzero((probe.y >= 0) & (np.arange(len(part)) != i))
    Y = np.eye(probe.k)[probe.y[rest]]
    W = np.linalg.solve(Z[rest].T @ Z[rest] + probe.lam * np.eye(Z.shape[1]), Z[rest].T @ Y)
    found = of(explain(scanned, sample))
    at = stored.classes.index(found["out-of-sample-score"]["numbers"]["label"])
    assert found["out-of-sample-score"]["numbers"]["group"] == 1
    assert found["out-of-sample-score"]["numbers"]["alone"] == pytest.approx(
        (Z[i] @ W)[at], abs=1e-6
    )
    x = found["leverage"]["numbers"]
    assert (x["f"] - x["without"]) / (x["y"] - x["without"]) == pytest.approx(
        found["leverage"]["value"]
    )


@pytest.mark.slow
def test_label_sets_are_explained_class_by_class(tmp_path):
    bench = scan_sets(tmp_path, 240)
    issues = bench.label_issues()
    for sample in issues.sort_values("label_score").index[:4]:
        found = of(bench.explain(sample))
        trust, weights = (
            np.array(found["member-score"]["numbers"][n]) for n in ("trust", "weights")
        )
        assert trust @ weights / weights.sum() == pytest.approx(
            issues.label_score[sample], abs=1e-5
        )
        m = found["member-trust"]["numbers"]
        q = 1 / (1 + np.exp(-(m["bias"] + m["slope"] * np.log(m["p"] / (1 - m["p"])))))
        a, b = (
            ((1 - m["missed"]) * q, m["added"] * (1 - q))
            if m["given"]
            else ((1 - m["added"]) * (1 - q), m["missed"] * q)
        )
        assert a / (a + b) == pytest.approx(found["member-trust"]["value"])
        p = found["probabilities"]["numbers"]
        z = np.array(p["bias"]) + np.array(p["slope"]) * np.array(p["s"])
        assert np.allclose(1 / (1 + np.exp(-z)), p["p"])


@pytest.mark.parametrize("medium", ["texts", "rows"])
def test_texts_and_rows_are_explained_too(tmp_path, medium):
    if medium == "texts":
        write_texts(300).to_parquet(tmp_path / "made.parquet")
        bench, options = assay.create(tmp_path / "bench"), ScanOptions(embedder="tfidf")
    else:
        write_rows(300).to_parquet(tmp_path / "made.parquet")
        bench, options = assay.create(tmp_path / "bench"), ScanOptions()
    columns = dict(label="label" if medium == "texts" else "loan")
    bench.add(tmp_path / "made.parquet", who="source", columns=columns, progress=False)
    scan(bench, options, say=lambda line: None)
    issues = bench.label_issues()
    for sample in bench.queue(4, 0)["sample"]:
        found = of(bench.explain(sample))
        assert recompute(found)[2] == pytest.approx(issues.label_score[sample], abs=1e-4)


@pytest.mark.daily
def test_issues_are_explained_by_what_was_measured(tmp_path):
    table, rng = digits(200, wrong=0), np.random.default_rng(0)
    odd = [
        np.zeros((8, 8)),
        np.full((8, 8), 9),
        rng.integers(0, 256, (8, 8)),
        np.eye(8) * 255,
        np.arange(64).reshape(8, 8) * 4,
    ]
    train = np.flatnonzero(table.split == "train")[: len(odd)]
    for i, picture in zip(train, odd):
        table.at[i, "image"] = png(picture)
    table.at[train[-1] + 10, "image"] = nearly(table.image[train[-1] + 15])
    scanned, checked = scanned_bench(table, tmp_path), set()
    rows = scanned.query(
        "select kind, sample, score from issues where kind <> 'label' and sample is not null"
    )
    listed = [
        assay.open(scanned.path).issues(kind, threshold=0.95).head(5)
        for kind in ("outlier", "low_information")
    ]
    for row in [*rows.itertuples(), *chain.from_iterable(found.itertuples() for found in listed)]:
        if scanned.state()["split"][row.sample] == "test":
            continue
        checked.add(row.kind)
        found = [n for n in explain(scanned, row.sample).numbers if n.result.startswith(row.kind)]
        one = found[0] if found else explain_issue(scanned, row.sample, row)
        assert one.value == pytest.approx(row.score)
        m = one.numbers
        if row.kind == "outlier":
            z = (m["d"] - m["median_d"]) / (1.4826 * m["spread"])
            assert np.exp(-max(z, 0) / 4) == pytest.approx(row.score, rel=1e-5)
        elif row.kind == "dark":
            assert m["brightness_perc_99"] == pytest.approx(row.score, abs=1e-6)
        elif row.kind == "low_information":
            assert min(1, 0.1 * m["entropy"]) == pytest.approx(row.score, abs=1e-6)
        elif row.kind == "blurry":
            b, g = (1 - np.exp(-0.01 * m[n]) for n in ("blurriness", "blurriness_grayscale_std"))
            assert min(1, b + g * (g > 0.18)) == pytest.approx(row.score, abs=1e-6)
    assert checked >= {"outlier", "dark", "low_information", "blurry", "near_duplicate"}, checked


def test_what_cannot_be_explained_is_refused(scanned, bench):
    locked = scanned.state().query("split == 'test'").index[0]
    with pytest.raises(UserError, match="locked") as refused:
        explain(scanned, locked)
    assert refused.value.code == "locked_sample" and "label" not in refused.value.problem
    with pytest.raises(UnknownSample, match="none called 'errors-lift'") as unknown:
        explain(scanned, "errors-lift")
    assert "--list" in unknown.value.hint
    with pytest.raises(NotScanned, match="scan"):
        explain(bench, bench.state().query("split == 'train'").index[0])
    status, _, err = run_assay("explain", "-b", scanned.path)
    assert status == 2 and "neither" in err


def test_what_somebody_reviewed_is_flagged_no_more(scanned):
    bench = assay.open(scanned.path)
    first = bench.queue(1, 0)["sample"].iloc[0]
    bench.edit(pd.DataFrame(dict(sample=[first], verdict=["confirm"])), "ann")
    found = of(bench.explain(first))
    assert found["flag"]["result"] == "not flagged" and found["flag"]["numbers"]["reviewed"]
    assert "until somebody decided" in found["flag"]["notes"][0]
    assert "queue-place" not in found, "it is in no queue"


def test_names_of_classes_are_shown_as_they_are(tmp_path):
    table = digits(200)
    hostile = '<img src=x onerror="alert(1)">'
    table["label"] = table.label.replace("3", hostile)
    bench = scanned_bench(table, tmp_path)
    sample = bench.state().query("label == @hostile and split == 'train'").index[0]
    html = explanations_html(explain(bench, sample).numbers)
    assert "<img" not in html and "&lt;img" in html
    drawn = explanations_html([explain_as("score", Filled("<b>0</b>", notes=["<i>"]))])
    assert "&lt;b&gt;0" in drawn and "&lt;i&gt;" in drawn
