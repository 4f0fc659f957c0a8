"""What a plan asks for, wrongly or not at all."""

import pandas as pd
import pytest

from assay import UserError
from assay.pipelines.experiments.plan import default_plan, read_plan
from tests.half_wrong import half_wrong
from tests.helpers import run_assay


@pytest.mark.parametrize(
    "text, word",
    [
        ("versions = [", "TOML"),
        ("seeds = 3", "no versions"),
        ('versions = ["v1"]\nseed = 3', "found seed, which is no key\nhint: did you mean seeds"),
        ('versions = "v1"', r'(?s)found text: v1.*write versions = \["v1", "v2"\]'),
        ('versions = ["v1"]\nseeds = "3"', "seeds .* found text: 3"),
        (
            'versions = ["v1"]\neffects = ["data", "dta"]',
            "out of data, architecture, interaction, each once, found text: dta",
        ),
        ('versions = ["v1"]\neffects = []', "no effects"),
        ('versions = ["v1"]\nseeds = [1, 1]', "each once"),
        ('versions = ["v1"]\nseeds = 0', "1 to 1,000 seeds.* found a number: 0"),
        ('versions = ["v1"]\nseeds = 5000', "1 to 1,000 seeds.* found a number: 5000"),
        ('versions = ["v1"]\nmargin = 200', "points from 0 to 100, found a number: 200"),
        ('versions = ["v1"]\n[slices]\nwide = 3', "a table of queries or lists"),
    ],
)
def test_a_bad_plan_is_refused(tmp_path, text, word):
    (tmp_path / "plan.toml").write_text(text)
    with pytest.raises(UserError, match=word):
        read_plan(tmp_path / "plan.toml")


@pytest.mark.slow
def test_what_a_plan_asks_wrongly_is_said_before_anything_is_trained(tmp_path):
    bench, plan = half_wrong(tmp_path), tmp_path / "plan.toml"
    empty = 'slices = {a = "select id from samples where false"}'
    for text in (
        'slices = {a = "module = mono"}',
        empty,
        'test = "v9"',
        "margin = nan",
        "seeds = 1000000000",
    ):
        plan.write_text(f'versions = ["v1", "v2"]\n{text}\n')
        status, _, err = run_assay(
            "experiment", plan, "-b", bench.path, "-o", tmp_path / "report.html"
        )
        assert status == 2 and "expected" in err and "hint:" in err, text
    plan.write_text('versions = ["v1", "v2"]\n')
    assert (
        run_assay("experiment", plan, "-b", bench.path, "-o", tmp_path / "none" / "report.html")[0]
        == 2
    )
    assert run_assay("experiment", plan, "-b", bench.path, "--jobs", 0)[0] == 2
    assert (
        bench.rows("select count(*) from runs") == [(0,)]
        and not (bench.path / "plan.json").exists()
    )


def test_without_a_plan_the_first_version_is_compared_with_what_stands_now(bench, scanned):
    with pytest.raises(UserError, match="scan"):
        default_plan(bench)
    with pytest.raises(UserError, match="nothing changed since"):
        default_plan(scanned)
    scanned.edit(pd.DataFrame(dict(sample=scanned.queue(3)["sample"], keep="false")), "ann")
    plan = default_plan(scanned)
    assert plan["versions"] == ["v1", "HEAD"] and plan["architectures"] == ["probe", "mlp"]
    scanned.commit("three out", "ann")
    assert default_plan(scanned)["versions"] == ["v1", "v2"], "a name that stays where it is"
