"""Every number that is shown has an explanation: whoever adds one is told here."""

import ast
import inspect
import re

import assay
from assay.app.pages import gaps, overview
from assay.pipelines.cli.schemas.catalog import OUTPUTS
from assay.pipelines.cli.schemas.page import list_parts
from assay.pipelines.explaining.catalogue import NUMBERS
from assay.pipelines.explaining.explain import list_numbers
from assay.pipelines.explaining.lesson_links import LESSONS, find_lesson, workbench_address
from assay.pipelines.explaining.source_lines import locate_function
from assay.pipelines.reports.base import list_sections
from tests.helpers import ROOT

SHOWN = {place for number in NUMBERS.values() for place in number.shown}
# numbers of --json that nobody computes about the data, and why
NO_RESULT = {
    "Estimate": "of assay estimate and prices: it says itself what it rests on",
    "Outlook.stop_below": "a person set it",
    "Plan": "a person wrote it",
    "ProposalPolicy": "a person set it",
    "Gate.confidence": "a person asked for it",
    "TriggerAdd.below": "a person set it",
    "ClassRow.order": "a place in a list",
    "ClassesEdit.order": "a place in a list",
    "ValueCount": "counts of values",
    "Job": "progress of work",
}
TIMES = re.compile(r"\.(seconds|minutes|hours)$")


def list_float_fields():
    """The fields of --json that hold numbers with a fraction, as MODEL.FIELD."""
    for _, model in OUTPUTS.values():
        for kind in (model, *list_parts(model)):
            for name, field in kind.model_fields.items():
                if "float" in str(field.annotation):
                    yield f"{kind.__name__}.{name}"


def is_explained(field):
    model = field.split(".")[0]
    free = field in NO_RESULT or model in NO_RESULT or TIMES.search(field)
    costs = model.startswith("Estimate") and model != "Estimate"
    own = model.startswith("Explain")
    return field in SHOWN or bool(free) or costs or own


def test_every_number_of_json_is_explained():
    missing = sorted({field for field in list_float_fields() if not is_explained(field)})
    assert missing == [], "add it to a catalogue in pipelines/explaining"


def test_the_catalogue_names_no_field_that_is_gone():
    known = {
        f"{k.__name__}.{n}"
        for _, m in OUTPUTS.values()
        for k in (m, *list_parts(m))
        for n in k.model_fields
    }
    fields = {place for place in SHOWN if re.fullmatch(r"[A-Z]\w+\.\w+", place)}
    assert fields - known == set()


def test_every_column_of_numbers_of_a_sample_is_explained():
    text = (ROOT / "docs" / "reference" / "sample-columns.md").read_text()
    numbers = re.findall(r"^\| `(\w+)` \| number \|", text, re.M)
    assert set(numbers) - SHOWN <= {"width", "height"}, "these two are read, not computed"


def cards_of(module):
    """What the cards of a page are called, as its source writes them: (value, name) pairs."""
    found = []
    for node in ast.walk(ast.parse(inspect.getsource(module))):
        if (
            isinstance(node, ast.Tuple)
            and len(node.elts) == 2
            and isinstance(node.elts[0], (ast.JoinedStr, ast.BoolOp, ast.Call))
        ):
            found.append(ast.unparse(node.elts[1]))
    return found


def test_the_cards_of_pages_are_counted_or_explained():
    """A card more fails here: it is a count, or in the catalogue."""
    counts = ("sample", "class", "runs", "in train", "in val", "in the pool")
    named = {place.split(": ")[1] for place in SHOWN if place.startswith(("Overview: ", "Gaps: "))}
    extra = {"errors_left_caption(review)": "errors left", 'f"reviewed, of which': "reviewed"}
    for name in [*cards_of(overview), *cards_of(gaps)]:
        known = [count for count in counts if count in name] + [n for n in named if n in name]
        known += [to for start, to in extra.items() if name.startswith(start)]
        assert known, name


def test_every_section_of_a_report_with_results_is_explained():
    sections = {section.TITLE for section in list_sections()}
    told = {place.split(": ")[1] for place in SHOWN if place.startswith("report: ")}
    assert told - sections == {"verdict"}, "a section that is gone"
    # of these the text itself says how each number is counted, or they show samples, times and versions
    plain = {
        "What was found", "What it cost", "What the data do not show", "Is it fair?", "Run it again",
        "Test samples that flipped", "Labels that were changed", "Most doubted labels still open",
    }  # fmt: skip
    assert sections - told - plain == set()


def test_every_function_is_there_and_its_line_is_right():
    for number in list_numbers().numbers:
        text = (ROOT / number.file.removeprefix("assay/")).read_text().splitlines()
        first = text[number.line - 1 : number.line + 2]
        name = number.function.split(".")[-1]
        assert any(re.search(rf"(def|class) {name}\b", line) for line in first), number
        assert number.formula and number.title and number.title[0].islower()


def test_every_lesson_has_its_address():
    for number, name in LESSONS.items():
        assert find_lesson(number) == (name, f"lessons/{name}/")
        assert workbench_address(name) == f"/lessons?lesson={number}"
    assert workbench_address(None) is None and find_lesson(None) == (None, None)


def test_a_line_follows_its_function(tmp_path, monkeypatch):
    """Two functions: the line is inspect's, not a number that somebody wrote down."""
    (tmp_path / "assay_moved.py").write_text(
        "X = 1\n\n\ndef first():\n    pass\n\n\ndef second():\n    pass\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    import assay_moved

    assert assay_moved.X == 1 and locate_function("assay_moved:second").line == 8
    assert assay.Bench.explain.__doc__
