"""The report as Markdown, for a pull request."""

import re
import tomllib
from copy import deepcopy

from assay.pipelines.reports.markdown import markdown
from tests.report_page import (
    MAIN,
    PLAN,
    REPORT_DATA,
    WHERE,
    cell,
    estimate,
    region,
)


def parse(lines):
    """The rows of a GitHub table: what stands between pipes that no backslash guards."""
    return [[c.strip() for c in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]


def tables(text):
    blocks = [b.split("\n") for b in text.split("\n\n")]
    return [parse(b) for b in blocks if b[0].startswith("|")]


def test_markdown_for_a_pull_request_has_the_same_numbers_in_tables_that_parse():
    text = markdown(deepcopy(REPORT_DATA))
    answer = "### Not shown: 105 reviews raised accuracy from 79.9 to 80.1 %, +0.2 points \\[−1.0, +1.4\\], v2 against v1\n\n525 test samples"
    assert text.startswith(answer) and len(text.split("\n")) < 60
    matrix, effects = tables(text)
    for t in (matrix, effects):
        assert {len(row) for row in t} == {len(t[0])} and set(t[1]) == {"---"}
    assert matrix[0] == ["version", "probe", "mlp"] and matrix[2] == [
        "v1 (1,837 labels)",
        "80.0 [77.0, 83.0]",
        "83.0 [80.0, 86.0]",
    ]
    assert effects[3] == ["mlp against probe", "+3.1 [+1.2, +5.0]", "&lt; 0.001", "helps"]
    given = [e | dict(given=estimate(0.001, -0.012, 0.015)) for e in REPORT_DATA["effects"]]
    audited = tables(markdown(deepcopy(REPORT_DATA) | dict(effects=given)))[1]
    assert audited[0][-1] == "as given" and audited[3] == effects[3] + ["+0.1 [−1.2, +1.5]"]
    assert (
        "Cost: 17 min of review (105 decisions), +0.7 [−3.5, +4.9] points per hour of it, 33 min of compute (18 runs)"
        in text
    )
    assert "Where: functional +2.9 [+0.9, +4.9] (helps), of 3 tested" in text
    assert (
        "at most 3 training samples (nearly) equal a test sample; test version looked at 2 times, 14 edits since the first"
        in text
    )
    settings = tomllib.loads(re.search("```toml\n(.*?)```", text, re.S)[1])
    assert settings["versions"] == ["v1", "v2"] and settings["seeds"] == [0, 1, 2]


def test_no_label_breaks_the_markdown():
    evil = "a|b `c` <img src=x> @octocat\n# [x](http://evil.example) ``` "
    cells, plan = (
        [cell(evil, "probe", 0.8)],
        PLAN | dict(question=evil, versions=[evil], architectures=["probe"], slices={evil: evil}),
    )
    where = WHERE | dict(slices=[region("class", evil, 30, 0.1, 0.02, 0.01, "helps")])
    control = REPORT_DATA["control"] | dict(version=evil)
    text = markdown(
        deepcopy(REPORT_DATA)
        | dict(
            matrix=cells,
            plan=plan,
            effects=[MAIN | dict(name=evil)],
            where=where,
            verdict=evil,
            control=control,
        )
    )
    for t in tables(text):
        assert {len(row) for row in t} == {len(t[0])}
    outside = text.replace("`assay experiment plan.toml`", "")
    outside = re.sub(
        "(`{4,})toml\n.*?\n\\1", "", outside, flags=re.S
    )  # a longer fence than the plan holds
    assert "<img" not in outside and not re.search(r"(?<!\\)`[^a]|@octo|\n# |(?<!\\)\]\(", outside)
    fenced = re.search("(`{4,})toml\n(.*?)\n\\1", text, re.S)[2]
    assert tomllib.loads(fenced)["slices"] == {evil: evil}
    bare = dict(
        interval=None,
        effects=[],
        control=None,
        control_reason="no random control",
        power=None,
        where=None,
        costs=None,
        fairness=None,
    )
    assert "No effect to show." in markdown(
        deepcopy(REPORT_DATA) | bare
    ) and "No random control" in markdown(deepcopy(REPORT_DATA) | bare)
