"""Rules beside a network: who wins where, what their mix gets, and what rules may do wrong."""

import textwrap

import numpy as np
import pandas as pd
import pytest

import assay
from assay.curation.errors import UserError
from assay.pipelines.evaluation.compare import compare_versions
from assay.pipelines.experiments import run
from assay.pipelines.experiments.cells import list_cells
from assay.pipelines.experiments.plan import check_plan
from assay.pipelines.reports.experiment_report import report
from assay.pipelines.training.architectures.recipes import canonical_name, find_recipe
from assay.pipelines.training.labelling_functions import count_lines, load_function
from tests.helpers import run_assay, silent

CODE = """
# what the office knows of old machines: an odd serial number is a spare one
def classify(batch):
    return [decide(row) for row in batch]


def decide(row):
    if row["site"] == "shut":
        return None
    odd = "spare" if int(row["serial"]) % 2 else "first"
    return odd if row["site"] == "old" else "first"
"""
ARCH = "rules(office:classify)"


def machines(n=1500):
    """At the old site the serial number decides, which no vector shows; at the others the size does."""
    rng = np.random.default_rng(0)
    site = rng.choice(["old", "new", "shut"], n, p=[0.4, 0.5, 0.1])
    size, serial = rng.normal(size=n).round(3), rng.integers(10_000, 99_999, n)
    spare = np.where(site == "old", serial % 2 == 1, size > 0)
    table = pd.DataFrame(dict(site=site, size=size, serial=serial))
    splits = np.array(["train", "train", "val", "test"])[np.arange(n) % 4]
    return table.assign(kind=np.where(spare, "spare", "first"), split=splits)


@pytest.fixture(scope="module")
def bench(tmp_path_factory):
    folder = tmp_path_factory.mktemp("machines")
    machines().to_csv(folder / "machines.csv", index=False)
    options = "--label-column", "kind", "--split-column", "split", "-b", folder / "b"
    status, _, err = run_assay("import", folder / "machines.csv", *options)
    assert status == 0, err
    assert run_assay("scan", "-b", folder / "b")[0] == 0
    return assay.open(folder / "b")


@pytest.fixture
def office(tmp_path, monkeypatch):
    """Write the rules `office.py`, where this process and its workers find it."""
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=":")

    def write(code):
        (tmp_path / "office.py").write_text(textwrap.dedent(code))

    write(CODE)
    return write


def plan_of(**more):
    return check_plan(dict(versions=["v1"], architectures=[ARCH, "probe"], seeds=5) | more)


@pytest.mark.slow
def test_the_region_where_rules_win_is_found_and_the_mix_beats_both(bench, office, tmp_path):
    plan = plan_of()
    assert run.run_plan(bench, plan, silent) == 6, "five of the probe, one of the rules"
    data, path = report(bench, plan, tmp_path / "report.html")
    (found,) = data["rules"]
    named = {s["name"]: s for s in found["slices"]}
    assert (named["site = old"]["winner"], named["site = new"]["winner"]) == ("rules", "network")
    truth = bench.state()[lambda s: s.split == "test"]
    site = truth.meta.str.extract(r'"site": ?"(\w+)"')[0]
    assert named["site = old"]["n"] == (site == "old").sum()
    assert named["site = old"]["before"]["estimate"] == 1, "they are right wherever they know"
    assert found["abstained"] == (site == "shut").sum() == named["nothing: they abstain"]["n"]
    right = (site == "old") | (site == "new") & (truth.label == "first")
    assert found["accuracy"]["rules"]["estimate"] == pytest.approx(right.mean())
    mix = found["mix"]
    assert "site = old" in [s["name"] for s in mix["chosen"]] or mix["default"] == "rules"
    assert all(g["verdict"].startswith("helps") and g["low"] > 0.05 for g in mix["gains"])
    assert found["costs"]["lines"] == 7
    assert found["costs"]["labels"] == data["matrix"][1]["n_train"] == 750
    assert "Rules or network" in path.read_text() and "abstain on" in path.read_text()


@pytest.mark.daily
def test_rules_are_one_run_for_all_seeds_and_versions_and_changed_rules_another(bench, office):
    plan = plan_of(versions=["v1", "half(v1, seed=0)"], architectures=[ARCH])
    assert len({cell["key"] for cell in list_cells(bench, plan)}) == 1
    run.run_plan(bench, plan, silent)
    assert run.run_plan(bench, plan, silent) == 0
    gain = compare_versions(bench, plan)["interval"]
    assert gain["estimate"] == gain["low"] == gain["high"] == 0 or gain["low"] <= 0 <= gain["high"]
    office(CODE.replace("% 2", "% 3"))
    assert run.run_plan(bench, plan, silent) == 1
    office(CODE)
    assert run.run_plan(bench, plan, silent) == 0, "the first are kept"


@pytest.mark.slow
@pytest.mark.parametrize(
    "body, said",
    [
        ("return [1 / (row['serial'] % 7) and None for row in batch]", "ZeroDivisionError"),
        ("return ['spares'] * len(batch)", "found 'spares'"),
        ("return [float('nan')] * len(batch)", "found nan (float)"),
        ("return ['spare']", "expected 32 labels from office:classify, found 1"),
        ("return 'spare'", "found str"),
    ],
)
def test_bad_rules_are_refused_before_anything_is_trained(bench, office, body, said):
    office(f"def classify(batch):\n    {body}\n")
    before = bench.rows("select count(*) from runs")
    with pytest.raises(UserError) as e:
        run.run_plan(bench, plan_of(architectures=[ARCH, "probe"], seeds=[7]), silent)
    assert said in str(e.value)
    assert bench.rows("select count(*) from runs") == before


def test_a_crash_names_the_sample_by_which_it_comes(office):
    from assay.pipelines.training.labelling_functions import ask_labels

    office("def classify(batch):\n    return ['a' if 6 / n else None for n in batch]\n")
    labeller = load_function("office:classify")
    assert ask_labels(labeller, [1, 2], ["s1", "s2"], {"a"}) == ["a", "a"]
    with pytest.raises(UserError, match="ZeroDivisionError.* on sample s3"):
        ask_labels(labeller, [1, 2, 0], ["s1", "s2", "s3"], {"a"})


def test_rules_are_spelled_in_one_way_and_must_be_named(office):
    assert (
        canonical_name(" rules( office:classify )")
        == ARCH
        == canonical_name("rules(function=office:classify)")
    )
    assert find_recipe(ARCH).is_rules and not find_recipe("probe").is_rules
    for wrong in ("rules", "rules()", "rules(office)", "rules(lr=1)", "rules(a:b, c:d)"):
        with pytest.raises(UserError):
            canonical_name(wrong)
    with pytest.raises(UserError, match="labelling function"):
        load_function("nowhere:classify")
    with pytest.raises(UserError, match="to load"):
        load_function("office:classifier")


def test_lines_of_rules_are_those_that_say_something():
    assert count_lines(b"# a\n\nx = [\n    1,\n]\n\n\ndef f():\n    return 1  # b\n") == 5
