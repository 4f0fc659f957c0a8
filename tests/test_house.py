"""The house: app -> pipelines -> curation and never back, heavy packages only where they are used, nothing phones home."""

import ast
import re
from pathlib import Path

import pytest
from conftest import ROOT

FILES = [p for room in ("curation", "pipelines", "app") for p in sorted((ROOT / room).glob("**/*.py"))]
MAY = {"curation": {"curation"}, "pipelines": {"curation", "pipelines"}, "app": {"curation", "pipelines", "app"}}
HEAVY = {"pandas", "scipy", "sklearn", "faiss", "cleanlab", "torch", "PIL", "pyarrow"}


def imports(tree):
    """(top package, whether at the top of the file) of every import."""
    top = set(map(id, tree.body))
    for node in ast.walk(tree):
        names = [a.name for a in node.names] if isinstance(node, ast.Import) else [node.module] if isinstance(node, ast.ImportFrom) else []
        for name in names:
            yield name.split(".")[0], id(node) in top


@pytest.mark.parametrize("file", FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_rooms_import_only_what_is_below(file):
    room, tree = file.relative_to(ROOT).parts[0], ast.parse(file.read_text())
    rooms = {name for name, _ in imports(tree)} & set(MAY)
    assert rooms <= MAY[room]
    if room == "curation":
        assert not {name for name, top in imports(tree) if top} & HEAVY, "import it in the function that needs it"
    assert ast.get_docstring(tree) or file.name == "__init__.py", "a module opens with the sentence that says what it knows"


def test_the_readme_draws_every_file():
    text = Path(ROOT / "README.md").read_text()
    assert [f.name for f in FILES if f.name != "__init__.py" and f.name not in text] == []


def test_python_is_started_without_the_current_folder():
    """As curation.children does: -P, or it would take the app/ or pipelines/ of the folder that somebody works in."""
    assert [f.name for f in FILES if re.search(r'sys\.executable(?!, "-P")', f.read_text())] == []
