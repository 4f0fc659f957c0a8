"""Write a plan as TOML, with a comment on each key."""

from __future__ import annotations

import json
from pathlib import Path

from assay.curation.errors import UserError
from assay.curation.storage.interface import Bench
from assay.curation.system import permissions
from assay.pipelines.experiments.plan import Plan, check_plan, default_plan

WORDS = dict(  # what each key is for
    question="What the report is to answer; it stands at its top.",
    versions="Versions of the data. The others are compared with the first; the last is asked about. "
    "Names, HEAD,\n# or made from one: 'v1 - flagged', 'v1 ~ flagged', 'half(v1)', 'part(v1, 500)'.",
    architectures="What is trained on each version: probe, mlp, cnn, resnet, finetune, or a module of your own.",
    seeds="How many seeds, or a list of them. Each draws start, order and a bootstrap of the training set.",
    test="The version whose test labels judge all of them.",
    control="The random control: as many samples at random, treated as the last version's were.",
    ceiling="A version with labels as good as they get: the most that there is to gain.",
    margin="A gain below this, in points, is called too small to matter.",
    effect="Points that the experiment should be able to see; what that takes is said first.",
    effects="What is tested. They share one correction for several tests, so fewer are seen sooner.",
    epochs="How long the networks train; without it, as long as their recipe says.",
    slices="Parts of the test set that are judged by themselves: queries, or lists of samples.",
)
HEAD = """# A plan: data versions x architectures x seeds. `assay experiment {name}` trains what is missing.
# A line that begins with # is left out; the values there are examples.
"""


def suggest_plan(bench: Bench) -> dict:
    """Suggest a plan: default_plan, else the first version against HEAD.

    The latter can be run when there is a version, and something has changed since.
    """
    try:
        return default_plan(bench)
    except UserError:  # nothing to compare yet: whoever writes a plan now edits it later
        commits = bench.commits()
        first = commits["name"].iloc[0] if len(commits) else "v1"
        return check_plan(dict(versions=[first, "HEAD"]))


def format_plan(plan: dict, name: str = "PLAN.toml") -> str:
    """Format a plan as commented TOML, missing keys as examples."""
    lines = [HEAD.format(name=name)]
    for key, field in Plan.model_fields.items():
        value = f"# {key} = {field.examples[0]}"
        if key in plan:
            value = f"{key} = {json.dumps(plan[key], ensure_ascii=False)}"
        lines.append(f"# {WORDS[key]}\n{value}\n")
    return "\n".join(lines)


def write_plan(bench: Bench, path: str | Path, plan: dict | None = None) -> Path:
    """Write a plan for a bench; UserError where the file exists.

    plan: what is written; None: suggest_plan.
    """
    path = Path(path)
    if path.exists():
        raise UserError(
            f"expected a new file for the plan, found {path} already there",
            f"edit it, or choose another name; to run it: assay experiment {path}",
        )
    if not path.absolute().parent.is_dir():
        raise UserError(
            f"expected a folder for the plan, found none at {path.absolute().parent}",
            "make it, or choose another name",
        )
    permissions.touch_file(path).write_text(
        format_plan(plan or suggest_plan(bench), str(path)), "utf-8"
    )
    return path
