"""Pages, README, changelog and messages are spelled right, and the British way.

British spelling prevailed by 190 words to 4 when it was counted; names of others (`color`, `license`) stay theirs.
"""

import ast
import re
import subprocess
import sys
from importlib.resources import files

import pytest

from tests.docs import list_pages, read_page
from tests.helpers import ROOT

ROOMS = ("assay", "curation", "pipelines", "app")
# misspelt on purpose, or names: `lable` is a column that nobody has, fo is FiftyOne
WORDS = "fo,lable,nd,ans,te,ser,fpr,socio,som,datas,ba,ro,iif,hist"
# American words that are right in British texts, too, or names: of columns and data, of a header, of the licence's file
BOTH = "color,labeled,program,programs,license,practice,meter,draft,story,stories,focused,optimizer,authorization"
STYLE = re.compile(r"[\w-]+: ?[^;{}\n]+[;}\"]|<[^>]+>")  # of CSS and HTML, whose words are theirs


def list_messages(file):
    """The texts of a file that a person may read: what its strings say, as (line, text)."""
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and " " in node.value:
            yield node.lineno, node.value


def write_messages(folder):
    """Write each module's texts as one file: the place is in its name."""
    for room in ROOMS:
        for file in sorted((ROOT / room).rglob("*.py")):
            name = str(file.relative_to(ROOT)).replace("/", ".")
            text = "\n".join(f"{line}: {STYLE.sub('', said)}" for line, said in list_messages(file))
            (folder / f"{name}.txt").write_text(text)


def write_pages(folder):
    """Write the prose of the pages: what is run, and what stands in backticks, is code."""
    for page in [*list_pages(), "CONTRIBUTING.md", "CHANGELOG.md"]:
        text = re.sub(r"^```.*?^```$", "", read_page(page), flags=re.S | re.M)
        text = re.sub(r"`[^`\n]*`|\]\([^)]*\)", " ", text)
        (folder / page.replace("/", ".")).write_text(text)


def write_american(file):
    """Write a dictionary from American to British, codespell's own the other way round."""
    there = files("codespell_lib").joinpath("data/dictionary_en-GB_to_en-US.txt").read_text()
    pairs = [line.split("->") for line in there.splitlines()]
    file.write_text(
        "\n".join(f"{american}->{british}" for british, american in pairs if "," not in american)
    )
    return file


def spell(folder, *options):
    """What codespell finds in a folder, a line each."""
    command = [sys.executable, "-m", "codespell_lib", "--check-hidden", "-L", f"{WORDS},{BOTH}"]
    done = subprocess.run([*command, *options, folder], capture_output=True, text=True)
    assert done.returncode in (0, 65), done.stderr
    return done.stdout.splitlines()


@pytest.fixture(scope="module", params=["pages", "messages"])
def texts(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp(request.param)
    (write_pages if request.param == "pages" else write_messages)(folder)
    return folder


def test_they_are_spelled_right(texts):
    assert spell(texts) == []


def test_they_are_spelled_the_british_way(texts, tmp_path):
    found = spell(texts, "-D", write_american(tmp_path / "american.txt"))
    assert found == [], "\n".join(found)


def test_colours_are_british_in_pages(tmp_path):
    """Messages name a column `color`; pages put it in backticks."""
    write_pages(tmp_path)
    text = " ".join(page.read_text() for page in tmp_path.iterdir())
    assert re.findall(r"\b(?:[Cc]olors?|[Ll]abeled)\b", text) == []


def test_what_is_wrong_is_seen(tmp_path):
    (tmp_path / "page.md").write_text("The neighbor of teh center\n")
    (own := tmp_path / "own").mkdir()
    found = [
        *spell(tmp_path / "page.md"),
        *spell(tmp_path / "page.md", "-D", write_american(own / "a.txt")),
    ]
    assert len(found) == 3, found
