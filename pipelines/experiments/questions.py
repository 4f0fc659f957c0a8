"""Plans for questions that many ask."""

from __future__ import annotations

from importlib.util import find_spec

from assay.curation.errors import UserError
from assay.curation.media.base import media_of
from assay.curation.storage.interface import Bench, Tell
from assay.curation.text import format_count
from assay.curation.versioning.states import hash_tree
from assay.pipelines.experiments.cells import describe_version
from assay.pipelines.experiments.plan import check_plan
from assay.pipelines.training.architectures.base import list_architectures

END_TO_END = "end-to-end"
QUESTIONS = (END_TO_END,)
FROZEN = ("probe", "mlp")
TRAINED = ("finetune", "cnn")  # of images; of other media every architecture that reads them itself
SHARES = (8, 2)  # an eighth and a half of the labels
SEEDS = 3
LEAST = 10  # labels a class in the smallest part, or it is larger


def plan_question(bench: Bench, question: str, say: Tell) -> dict:
    """Plan the experiment that answers a question.

    Raises UserError for another question, and where the bench has too few labels. say: hears what was left out.
    """
    if question != END_TO_END:
        raise UserError(
            f"expected a question out of {', '.join(QUESTIONS)}, found {question!r}",
            "or write a plan: assay experiment --init PLAN.toml",
        )
    plan = dict(
        question="Frozen features or training end to end, and with how many labels?",
        versions=[v for base in list_bases(bench) for v in list_parts(bench, base)],
        architectures=[*FROZEN, *list_trained(bench, say)],
        seeds=SEEDS,
        effects=["data", "architecture"],
    )
    return check_plan(plan)


def list_bases(bench: Bench) -> list[str]:
    """List the first version and, where it holds something else, the last one or HEAD."""
    commits = bench.commits()
    if not len(commits):
        raise UserError(
            "expected a version to train on, found none",
            f"run: assay scan -b {bench.given}, which makes v1",
        )
    first, last, now = commits.iloc[0], commits.iloc[-1], hash_tree(bench.state())
    if first.tree == now:
        return [first["name"]]
    return [first["name"], last["name"] if last.tree == now else "HEAD"]


def list_parts(bench: Bench, base: str) -> list[str]:
    """List parts of a version, the smallest first, then the whole."""
    held = describe_version(bench, base)
    n, least = held["n_train"], LEAST * held["classes"]
    sizes = sorted({max(least, n // share) for share in SHARES})
    if not any(size < n for size in sizes):
        found = format_count(n, "train label", "is", "are")
        raise UserError(
            f"expected more than {format_count(least, 'train label')} in {base} to learn from a part of them, "
            f"{found} there",
            "label more, or write a plan: assay experiment --init PLAN.toml",
        )
    return [*(f"part({base}, {size})" for size in sizes if size < n), base]


def list_trained(bench: Bench, say: Tell) -> list[str]:
    """List the architectures that learn from the samples themselves."""
    medium = media_of(bench).name
    fit = [a.recipe.name for a in list_architectures() if a.recipe.media == medium]
    chosen = [name for name in TRAINED if name in fit] or fit
    if "finetune" in chosen and find_spec("efficientnet_lite_pytorch") is None:
        chosen.remove("finetune")
        say("finetune is left out: its weights are not installed (pip install 'assay[train]')")
    if foreign := [name for name in TRAINED if name not in fit]:
        words = f"{' and '.join(foreign)} read no {medium}s, and are left out"
        say(f"{words}: {', '.join(chosen) or 'nothing'} learns from the {medium}s themselves")
    if not chosen:
        raise UserError(
            f"expected an architecture that reads {medium}s themselves, found none",
            "add one: docs/contributing/add-an-architecture.md",
        )
    return chosen
