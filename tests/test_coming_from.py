"""What docs/coming-from/ says of other tools, asked of the tools that are installed; and of us."""

import re

import pytest

import assay
from tests.docs import list_pages, read_page
from tests.tool_words import PACKAGES, ask_tool, list_names

PAGES = [page for page in list_pages() if page.startswith("docs/coming-from/")]


def test_each_page_names_the_tools_api():
    assert all(len(names) >= 5 for names in list_names().values()), list_names()


@pytest.mark.daily  # FiftyOne takes 10 s to import
@pytest.mark.parametrize("root", PACKAGES)
def test_the_tool_has_each_name(root):
    version, missing = ask_tool(root, list_names()[root])
    if not version:
        pytest.skip(f"{PACKAGES[root]} is not installed: python -m tests.tool_words PYTHON")
    assert missing == []


@pytest.mark.daily
@pytest.mark.parametrize("root", ["cleanlab", "fiftyone"])
def test_the_page_says_which_version_was_looked_at(root):
    version, _ = ask_tool(root, [])
    assert version in read_page(f"docs/coming-from/{root}.md")
    assert f"installed {version}" in read_page("docs/explanation/other-tools.md")


def test_a_name_that_is_not_there_is_seen():
    assert ask_tool("cleanlab", ["cleanlab.version", "cleanlab.no_such_thing"])[1] == [
        "cleanlab.no_such_thing"
    ]


@pytest.mark.parametrize("page", PAGES)
def test_our_names_are_ours(page):
    """The commands are held by test_commands_in_a_sentence_are_there; these are the calls."""
    named = re.findall(r"`bench\.(\w+)", read_page(page))
    assert [name for name in named if not hasattr(assay.Bench, name)] == []
    rows = re.findall(r"^\| (.+) \| (.+) \| (.+) \|$", read_page(page), re.M)[1:]
    assert len(rows) > 10 and all(
        "`" in row[2] or "page" in row[2] or "[" in row[2] for row in rows
    )
