"""How the code reads, in numbers: `python -m tests.style` prints them, with `--list` each place."""

import argparse
import ast
import statistics
from pathlib import Path

ROOT = Path(__file__).parents[1]
ROOMS = ("assay", "curation", "pipelines", "app")
COLUMNS, WORDS = 120, 12
NOT_PARTICIPLES = {
    "need",
    "speed",
    "feed",
    "seed",
    "embed",
    "read",
    "thread",
    "exceed",
    "proceed",
    "bed",
    "red",
    "shed",
    "spread",
}
IRREGULAR = "told found brought held made kept done given seen drawn known written taken left met sent shown spent thought begun gone said put".split()
GERUNDS = "standing leaking differing disagreeing crossing leading".split()


def is_participle(name: str) -> bool:
    """Whether a function is named by one word that says what was done, not what it does."""
    word = name.strip("_")
    if "_" in word or word in NOT_PARTICIPLES:
        return False
    return word in IRREGULAR or word in GERUNDS or word.endswith("ed")


def functions(tree: ast.Module):
    """(function, whether it is public) of a file: private are those that begin with _, and those inside of others."""

    def walk(body, public):
        for node in body:
            if isinstance(node, ast.ClassDef):
                yield from walk(node.body, public and not node.name.startswith("_"))
            elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                yield node, public and (not node.name.startswith("_") or node.name == "__init__")
                yield from walk(node.body, False)

    yield from walk(tree.body, True)


def has_hints(node: ast.FunctionDef) -> bool:
    """Whether every argument but self, and the result, has a type."""
    a = node.args
    arguments = [*a.posonlyargs, *a.args, *a.kwonlyargs, *filter(None, [a.vararg, a.kwarg])]
    typed = all(x.annotation is not None or x.arg in ("self", "cls") for x in arguments)
    return typed and (node.returns is not None or node.name == "__init__")


def first_line_words(node: ast.AST) -> int | None:
    """How many words the first line of a docstring has; None without one."""
    text = ast.get_docstring(node)
    return len(text.splitlines()[0].split()) if text else None


def measure() -> dict[str, list]:
    """Every place that falls short: {what: [(file, line, text)]}, and `words` (of each first line), `public` (functions)."""
    out = {
        "long lines": [],
        "participles": [],
        "long first lines": [],
        "without hints": [],
        "words": [],
        "public": [],
    }
    for room in ROOMS:
        for file in sorted((ROOT / room).rglob("*.py")):
            text, name = file.read_text(), str(file.relative_to(ROOT))
            tree = ast.parse(text)
            out["long lines"] += [
                (name, i, line.strip())
                for i, line in enumerate(text.splitlines(), 1)
                if len(line) > COLUMNS
            ]
            documented = [(tree, 1, "module")]
            for node, public in functions(tree):
                documented.append((node, node.lineno, node.name))
                if is_participle(node.name):
                    out["participles"].append((name, node.lineno, node.name))
                if public:
                    out["public"].append(node.name)
                    if not has_hints(node):
                        out["without hints"].append((name, node.lineno, node.name))
            for node, line, what in documented:
                if (n := first_line_words(node)) is not None:
                    out["words"].append(n)
                    if n > WORDS:
                        out["long first lines"].append(
                            (name, line, f"{what}: {ast.get_docstring(node).splitlines()[0]}")
                        )
    return out


def main() -> None:
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--list", action="store_true")
    p.add_argument("--under", default="", help="only what lies in this folder")
    a = p.parse_args()
    found = measure()
    print(
        f"words in a first line: median {statistics.median(found['words'])}, most {max(found['words'])}"
    )
    print(f"public functions: {len(found['public'])}")
    for what in ("long lines", "participles", "long first lines", "without hints"):
        places = [x for x in found[what] if x[0].startswith(a.under)]
        print(f"{what}: {len(places)}")
        for file, line, text in places if a.list else ():
            print(f"  {file}:{line}: {text[:160]}")


if __name__ == "__main__":
    main()
