"""Gaps of label sets: a class that errs in one place is found there, and errors are counted by hand."""

import json

import numpy as np
import pandas as pd
import pytest

from assay.curation.predictions import model_errors
from assay.curation.slicing import gap_evidence, gaps, set_definitions
from assay.curation.slicing.judged_labels import lay_out_labels
from assay.curation.tasks.multilabel import TASK
from tests.helpers import run_assay
from tests.label_sets import scan_sites


def test_each_class_that_label_or_prediction_names_is_judged_by_hand():
    """cat right; dog missed; emu added; nothing said of nothing is right; what no model saw is not judged."""
    given = ['["cat"]', '["cat", "dog"]', "[]", "[]", '["dog"]', None]
    said = ['["cat"]', '["cat"]', '["emu"]', "[]", np.nan, np.nan]
    state = pd.DataFrame(dict(label=pd.Series(given, dtype=object)))
    judged = pd.DataFrame(dict(label=state.label, said=pd.Series(said, dtype=object)))
    found = lay_out_labels(state, judged, TASK)
    names = [*found.names, None]
    rows = list(zip(found.of, (names[c] for c in found.code), found.given, found.judged))
    assert rows == [
        (0, "cat", True, True), (1, "cat", True, True), (1, "dog", True, True),
        (2, "emu", False, True), (3, None, False, True), (4, "dog", True, False), (5, None, False, False),
    ]  # fmt: skip
    assert found.wrong.tolist() == [False, False, True, True, False, False, False]
    assert found.first.tolist() == [True, True, False, True, True, True, True]


def test_errors_that_come_together_are_worth_fewer():
    """Ten samples of four labels, all four wrong or none: a label is worth a quarter, and never more than one."""
    names = '["a", "b", "c", "d"]'
    state = pd.DataFrame(dict(label=[names] * 10))
    said = [names] * 5 + ["[]"] * 5
    together = lay_out_labels(state, pd.DataFrame(dict(label=state.label, said=said)), TASK)
    assert together.spread == pytest.approx(4)
    apart = ['["a", "b", "c"]', '["b", "c", "d"]'] * 5
    alike = lay_out_labels(state, pd.DataFrame(dict(label=state.label, said=apart)), TASK)
    assert alike.spread == 1


@pytest.fixture(scope="module")
def bench(tmp_path_factory):
    return scan_sites(tmp_path_factory.mktemp("gaps"))


@pytest.mark.daily
def test_the_class_that_errs_at_one_site_is_the_first_gap_with_its_errors(bench):
    first = gaps.find_gaps(bench).iloc[0]
    assert first.kind == "error" and first.of_class == "music" and "site" in first.region
    state = bench.state()
    judged, labels = model_errors.find_model_errors(bench), []
    for row in judged.itertuples():
        has, told = "music" in json.loads(row.label), "music" in json.loads(row.said)
        if json.loads(state.meta[row.Index])["site"] == "b" and (has or told):
            labels.append((row.Index, has != told))
    assert (first.judged, first.errors) == (len(labels), sum(wrong for _, wrong in labels))
    assert first.rate > 0.7 and first.low > first.rest and first.unit == "label"
    members = gaps.gap_members(bench, first.gap)
    assert {s for s, _ in labels} == set(members) & set(judged.index)
    wrong = model_errors.errors_within(bench, judged, members, "music")
    assert set(wrong.index) == {s for s, wrong in labels if wrong}


@pytest.mark.daily
def test_one_less_the_rate_of_all_is_the_share_of_labels_right(bench):
    evidence, judged = gap_evidence.GapEvidence(bench), model_errors.find_model_errors(bench)
    sets = [(set(json.loads(a)), set(json.loads(b))) for a, b in zip(judged.label, judged.said)]
    assert evidence.wrong.sum() == sum(len(a ^ b) for a, b in sets)
    assert evidence.judged.sum() == sum(len(a | b) or 1 for a, b in sets)
    once = evidence.first
    assert (evidence.train & once).sum() == (bench.state().split == "train").sum()


@pytest.mark.daily
def test_the_gap_becomes_a_regression_set_and_all_is_said(bench):
    name = gaps.find_gaps(bench).gap[0]
    sets, _ = set_definitions.make_set_from_gap(bench, "music", name)
    judged = model_errors.find_model_errors(bench)
    rest = judged[~judged.index.isin(gaps.gap_members(bench, name))]
    share = TASK.correct(rest.said, rest.label).mean()
    assert sets["music"]["score"] == pytest.approx(share, abs=0.0101)
    status, out, err = run_assay("gaps", "-b", bench.path)
    assert status == 0 and "given or predicted, and not both" in out, err
    assert "share of labels right" in out and '["' not in out
