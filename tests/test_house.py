"""The house: who may import whom, how small each package's face is, and that what is installed is what lies here."""

import ast
import importlib
import re
import tomllib
from collections import defaultdict
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

from assay.curation.media.base import media_types
from tests.helpers import ROOT

# lowest first; a package imports from the lines below its own, and a line holds packages that do not know each other
FLOORS = """
curation.errors
curation.text curation.config curation.csv_files curation.times curation.splits curation.plugins curation.statistics
curation.system
curation.storage
curation.media curation.tasks
curation.features curation.versioning
curation.label_quality curation.formats
curation.issues curation.predictions curation.maintenance
curation.slicing
curation.review curation.selection
curation.filtering
curation.bench
pipelines.jobs
pipelines.engines pipelines.embedders pipelines.fiftyone pipelines.lessons
pipelines.training
pipelines.experiments
pipelines.indexing
pipelines.evaluation pipelines.estimates pipelines.explaining
pipelines.reports
pipelines.comparison
pipelines.simulation pipelines.agents
pipelines.cli
app.server
app.ui
app.pages
app.main
"""
FLOOR = {
    f"assay.{package}": n for n, line in enumerate(FLOORS.split("\n")) for package in line.split()
}
HEAVY = {
    "pandas",
    "scipy",
    "sklearn",
    "faiss",
    "cleanlab",
    "torch",
    "PIL",
    "pyarrow",
}  # wait until they are needed
READERS_OF_TABLES = ("hf_columns", "hf_rows", "table_columns")
FILES = [
    p
    for room in ("assay", "curation", "pipelines", "app")
    for p in sorted((ROOT / room).rglob("*.py"))
]


def module_of(file):
    """The name by which a file of the checkout is imported."""
    parts = [part for part in file.relative_to(ROOT).with_suffix("").parts if part != "__init__"]
    return ".".join(parts if parts[0] == "assay" else ["assay", *parts])


MODULES = {module_of(file): file for file in FILES}


def imports(tree):
    """(dotted name, node) of everything that a file imports, inside functions too."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, "import by the whole name"
            names = [f"{node.module}.{alias.name}" for alias in node.names]
            yield from ((name if name in MODULES else node.module, node) for name in names)


def package_of(module):
    return ".".join(module.split(".")[:3])


@pytest.mark.parametrize("module", MODULES)
def test_a_file_imports_only_from_lower_floors(module):
    tree = ast.parse(MODULES[module].read_text())
    for name, _ in imports(tree):
        assert name.split(".")[0] not in ("app", "curation", "pipelines"), (
            "the package is called assay"
        )
        if (
            name in MODULES
            and package_of(name) in FLOOR
            and package_of(module) in FLOOR
            and package_of(name) != package_of(module)
        ):
            assert FLOOR[package_of(name)] < FLOOR[package_of(module)], f"{module} imports {name}"
    assert ast.get_docstring(tree) or MODULES[module].name == "__init__.py", (
        "a module opens with a sentence that says what it is for"
    )


def test_every_package_has_a_floor():
    rooms = {package_of(module) for module in MODULES if module.count(".") > 1}
    assert rooms == set(FLOOR)


@pytest.mark.slow
def test_no_two_files_import_each_other():
    graph = defaultdict(set)
    for module, file in MODULES.items():
        graph[module] |= {
            name
            for name, _ in imports(ast.parse(file.read_text()))
            if name in MODULES and name.count(".") > 1
        } - {module}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as e:
        pytest.fail(f"a circle: {' -> '.join(e.args[1])}")


@pytest.mark.parametrize(
    "file",
    [f for f in FILES if f.name == "__init__.py"],
    ids=lambda f: str(f.parent.relative_to(ROOT)),
)
def test_a_face_is_small(file):
    module = importlib.import_module(module_of(file))
    public = getattr(
        module,
        "__all__",
        [name for name in vars(module) if not name.startswith("_") and name[0].isupper()],
    )
    assert len(public) <= 8


@pytest.mark.parametrize(
    "file",
    [f for f in FILES if "curation" in f.relative_to(ROOT).parts],
    ids=lambda f: str(f.relative_to(ROOT)),
)
def test_heavy_packages_are_imported_where_they_are_needed(file):
    tree = ast.parse(file.read_text())
    assert not {name.split(".")[0] for name, node in imports(tree) if node in tree.body} & HEAVY


def test_no_file_asks_which_medium_a_bench_holds():
    """It asks what a medium can do, so that one of your own goes through: see curation/media/base.py."""
    # which medium the rows of a table are, its readers decide
    readers = {MODULES["assay.curation.formats." + name] for name in READERS_OF_TABLES}
    own = ROOT / "curation" / "media"
    found = [
        f"{file.relative_to(ROOT)}:{node.lineno}: {ast.unparse(node)}"
        for file in FILES
        if file not in readers and own not in file.parents
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.Compare) and compares_medium(node)
    ]
    assert found == []


def compares_medium(node):
    """Whether something that is called a medium is compared with the name of one."""
    parts = [ast.unparse(part) for part in (node.left, *node.comparators)]
    return any(repr(name) in part for part in parts for name in media_types()) and any(
        re.search(r"\bmedi(a|um)\b|\bmedia_(of|type)\(", part) for part in parts
    )


def test_the_wheel_has_every_package():
    setup = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]
    assert sorted(setup["packages"]) == sorted(
        module_of(f) for f in FILES if f.name == "__init__.py"
    )
    assert {
        name: (ROOT / folder).is_dir() for name, folder in setup["package-dir"].items()
    } == dict.fromkeys(setup["package-dir"], True)
    for package, patterns in setup["package-data"].items():
        folder = MODULES[package].parent
        held = {
            f.name for f in folder.rglob("*") if f.is_file() and f.suffix not in (".py", ".pyc")
        }
        assert held == {f.name for pattern in patterns for f in folder.glob(pattern)}


def test_the_page_of_the_architecture_draws_every_room_and_the_floors():
    text = (ROOT / "docs" / "contributing" / "architecture.md").read_text()
    assert [
        package
        for package in FLOOR
        if f"{package.split('.')[-1]}/" not in text
        and (ROOT / "/".join(package.split(".")[1:])).is_dir()
    ] == []
    assert "\n".join(reversed(FLOORS.strip().split("\n"))) in text


def test_python_is_started_without_the_current_folder():
    """As processes.python_command does: -P, or it would take the random.py of the folder that somebody works in."""
    assert [
        f.name for f in FILES if re.search(r'sys\.executable(?!, "-P")', Path(f).read_text())
    ] == []
