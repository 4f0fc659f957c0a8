"""How numbers stand beside their nouns."""

import ast

import pytest

from assay.curation.text import format_count
from tests.helpers import ROOT

# plural words after a number that may be 1; a verb of many after what format_count writes
NOUNS = """accesses batches bytes cells changes characters classes clusters columns conflicts copies decisions
    edits files folders gaps groups images issues labels lines links members models networks numbers pairs people
    pictures questions reasons reviews rows rules runs samples seeds sets shards slices tags things values vectors
    versions votes""".split()
MANY = "are were have hold change go contain differ equal need take".split()


@pytest.mark.parametrize(
    "n, noun, verbs, words",
    [
        (1, "sample", (), "1 sample"),
        (0, "sample", (), "0 samples"),
        (2000, "train sample", (), "2,000 train samples"),
        (1, "class", ("has", "have"), "1 class has"),
        (2, "batch", ("has", "have"), "2 batches have"),
    ],
)
def test_a_number_and_its_noun(n, noun, verbs, words):
    assert format_count(n, noun, *verbs) == words


def disagreements(text):
    """(line, what is said) of each f-string whose words would be wrong beside a 1."""
    for node in ast.walk(ast.parse(text)):
        if not isinstance(node, ast.JoinedStr):
            continue
        for before, number, after in zip([None, *node.values], node.values, node.values[1:]):
            if not isinstance(number, ast.FormattedValue) or not isinstance(after, ast.Constant):
                continue
            words = after.value.replace(",", " , ").split()[: 2 if after.value[:1] == " " else 0]
            ours = "format_count" in ast.unparse(number.value)
            of = isinstance(before, ast.Constant) and before.value.endswith(" of ")
            if ours and not of and words[:1] and words[0] in MANY:
                yield node.lineno, f"{ast.unparse(number.value)} {words[0]}"
            if not ours and set(words) & set(NOUNS) and is_count(number, words):
                yield node.lineno, f"{ast.unparse(number.value)} {' '.join(words)}"


def is_count(number, words):
    """Whether what is formatted is a number: it has a comma for thousands, or is a length or sum."""
    spec = ast.unparse(number.format_spec) if number.format_spec else ""
    said = ast.unparse(number.value)
    return "," in spec or said == "n" or said.startswith("len(") or said.endswith(".sum()")


def test_no_message_says_1_samples():
    found = []
    for room in ("assay", "curation", "pipelines", "app"):
        for file in sorted((ROOT / room).rglob("*.py")):
            found += [(file.name, *place) for place in disagreements(file.read_text())]
    assert found == [], "say format_count(n, 'sample'), or format_count(n, 'sample', 'is', 'are')"


@pytest.mark.parametrize(
    "text, wrong",
    [
        ('f"{n:,} samples added"', True),
        ('f"{len(rows)} new rows"', True),
        ("f\"{format_count(n, 'row')} are wrong\"", True),
        ("f\"{format_count(n, 'row', 'is', 'are')} wrong\"", False),
        ("f\"1 of {format_count(n, 'row')} are wrong\"", False),
        ('f"{n:,} added"', False),
        ('f"{name} samples"', False),
    ],
)
def test_a_wrong_number_is_seen(text, wrong):
    assert bool(list(disagreements(text))) == wrong
