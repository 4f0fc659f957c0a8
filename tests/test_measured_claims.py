"""The page of measured claims: its commands are there, and it has the README's figures."""

import ast
import re

import pytest

from tests.docs import list_pages, read_page
from tests.helpers import ROOT

PAGE = "docs/explanation/measured-claims.md"
CLAIMING = ["README.md", PAGE, *(p for p in list_pages() if "/explanation/" in p)]


def list_commands(text):
    """What follows `python -m` in a page, as words."""
    return [said.split() for said in re.findall(r"`python -m ([^`]+)`", text)]


def check_command(module, *words):
    """Say why a command cannot run, or nothing: no such module, or options that it never reads."""
    file = ROOT / (module.replace(".", "/") + ".py")
    if module == "pytest":
        return [w for w in words if not (ROOT / w).exists()]
    if not file.exists():
        return [module]
    text = file.read_text()
    ast.parse(text)
    asked = [w for w in words if w.startswith("--")]
    if asked == ["--efforts"] and "--efforts" in text:
        return []
    return [w for w in asked if w not in text]


@pytest.mark.parametrize("page", list(dict.fromkeys(CLAIMING)))
def test_every_command_is_there(page):
    assert [c for c in list_commands(read_page(page)) if check_command(*c)] == []


def test_a_command_that_is_not_there_is_seen():
    assert check_command("tests.benchmarks.nothing") and check_command(
        "tests.benchmarks.gain", "--no"
    )


def test_every_claim_has_a_command_and_a_date():
    rows = re.findall(r"^\| (.+) \| (.+) \| (.+) \| (.+) \| (.*?) ?\|$", read_page(PAGE), re.M)
    rows = [row for row in rows if row[0] not in ("claim", "---")]
    assert len(rows) > 30
    last = ""
    for claim, _, when, how, _ in rows:
        assert re.search(r"\d", claim) or "nothing" in claim or "coverage" in claim, claim
        assert "November" in when or "December" in when or "counted by a test" in when, claim
        last = how if "`" in how and not how.startswith("the same") else last
        assert how.startswith("the same") and last or "python -m" in how or "make demo" in how, (
            claim
        )


def list_figures(text):
    """The figures that a text claims: effects with their signs, intervals, and the numbers of *What it does*."""
    prose = re.sub(r"^```(?:sh|python).*?^```$", "", text, flags=re.S | re.M)
    # a date and an option are no figures
    prose = re.sub(r"\d{4}-\d\d-\d\d|--?[a-z]+ \d+", "", prose)
    signed = set(re.findall(r"(?<![\w.])[+-]\d+\.\d+", prose))
    does = prose.split("## What it does")[1].split("\n## ")[0]
    return signed | set(re.findall(r"(?<![\w.,+-])\d[\d,]*(?:\.\d+)?(?= |\.|,|;|\))", does))


def test_each_figure_of_the_readme_is_there():
    figures = {figure.rstrip(",") for figure in list_figures(read_page("README.md"))}
    page = read_page(PAGE)
    assert len(figures) > 25
    missing = [
        f for f in sorted(figures) if not re.search(rf"(?<![\d.,]){re.escape(f)}(?![\d])", page)
    ]
    assert missing == []


def test_the_layouts_are_counted():
    rows = re.findall(r"^\| .* \| yes \| .* \|$", read_page("docs/reference/formats.md"), re.M)
    assert f"{len(rows)} layouts come back" in read_page(PAGE)
    assert f"{len(rows)} layouts come back" in read_page("README.md")
