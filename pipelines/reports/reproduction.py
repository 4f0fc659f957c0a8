"""Report section: everything that is needed to run the experiment again."""

from __future__ import annotations

from markupsafe import Markup

from assay.curation.text import format_count
from assay.pipelines.experiments.cells import RECIPE
from assay.pipelines.experiments.plan import format_duration
from assay.pipelines.reports.markdown import plan_toml
from assay.pipelines.reports.phrases import cut
from assay.pipelines.reports.templates import render

TITLE, ORDER = "Run it again", 120


def section(data: dict) -> Markup:
    """Show the plan, the command, and what the figures rest on."""
    made, test = data["made"], data["test"]
    commits = [commit_words(row) for row in data["log"] if row["kind"] == "commit"]
    size = format_count(test["n"], "sample")
    facts = dict(
        trees=list_lines([hash_markup(v, tree) for v, tree in data["tree"].items()]),
        commits=list_lines(commits) or "none",
        test=hash_markup(size, test["hash"]),
        seeds=cut(data["seeds"]),
        recipe=recipe_words(data["code"]),
        embedding=cut(made["embedding"]),
        packages=cut([f"{name} {version}" for name, version in made["packages"].items()], 400),
    )
    if seconds := sum(c.get("seconds") or 0 for c in data["matrix"]):
        facts["compute"] = f"{format_duration(seconds)} of training in all"
    values = dict(plan=plan_toml(data["plan"]), bench=made["bench"], facts=facts)
    return render("reproduction.html", values)


def commit_words(row: dict) -> str:
    """Write a version with its message, author and day."""
    return f"{cut(row['name'])}: {cut(row['why'])} ({cut(row['who'])}, {row['ts'][:10]})"


def hash_markup(name: str, digest: str) -> Markup:
    """Draw a name and its hash."""
    return Markup("{} <code>{}</code>").format(cut(name), cut(digest))


def list_lines(lines: list[str | Markup]) -> Markup:
    """Set lines below each other."""
    return Markup("<br>").join(lines)


def recipe_words(code: list[str]) -> Markup:
    """Name recipe and code, and warn where the code changed in between."""
    warning = Markup(" <b>(runs were trained by different code)</b>" if len(code) > 1 else "")
    return Markup("{}, code {}{}").format(RECIPE, cut(code), warning)
