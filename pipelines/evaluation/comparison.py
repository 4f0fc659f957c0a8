"""Gather what a plan compares.

Its finished runs, and the labels that judge them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from assay.curation.errors import UserError
from assay.curation.review import label_noise, progress
from assay.curation.storage.interface import Bench
from assay.curation.text import format_count
from assay.pipelines.evaluation.test_set import TestSetEvaluator, audited_labels, label_caveat
from assay.pipelines.experiments.cells import list_cells, missing_cells, test_labels
from assay.pipelines.jobs import job_files

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Comparison:
    """A plan's finished runs, and the labels that judge them."""

    bench: Bench
    plan: dict  # without the architectures of which no effect can be told
    wanted: list[dict]  # its cells: see cells.list_cells
    failed: list[dict]  # runs that failed: dicts version, arch, seed, error
    diverged: list[dict]  # runs that diverged: dicts version, arch, seeds
    test: pd.DataFrame  # the test samples
    about: dict  # what is known of their labels: n, hash, audited, noise, audit
    caveat: str  # what their labels are worth, in words
    evaluator: TestSetEvaluator
    review: dict  # as progress.summarize_reviews

    @property
    def margin(self) -> float | None:
        """What is too small to matter, as a fraction.

        None against unaudited labels: nothing is.
        """
        return self.plan["margin"] / 100 if self.about["audited"] else None


def load_comparison(bench: Bench, plan: dict) -> Comparison:
    """Load the finished runs of a plan, and the test labels."""
    wanted, failed = load_cells(bench, plan)
    dead = find_dead_cells(wanted)
    plan, wanted = drop_architectures(plan, wanted, dead)
    review = progress.summarize_reviews(bench, bench.state())
    test, version = test_labels(bench, plan), plan.get("test") or "HEAD"
    rule, labels = bench.rules(version).get("test") or {}, audited_labels(bench, test, version)
    audited = bool(rule.get("audited") or labels.n)
    about = dict(n=len(test), hash=rule.get("hash"), audited=audited)
    about |= dict(noise=progress.describe_random_rate(review))
    if labels.audited:
        counts = dict(n=labels.n, audited=labels.audited, of=labels.of, unsure=labels.unsure)
        about["audit"] = counts | dict(noise=label_noise.estimate_noise(bench, "test"))
    evaluator = TestSetEvaluator(bench, wanted, labels)
    more = evaluator.diverged.items()
    diverged = dead + [dict(version=v, arch=a, seeds=sorted(seeds)) for (v, a), seeds in more]
    return Comparison(
        bench=bench,
        plan=plan,
        wanted=wanted,
        failed=failed,
        diverged=exclude_failed(diverged, failed),
        test=test,
        about=about,
        caveat=label_caveat(rule, review, labels),
        evaluator=evaluator,
        review=review,
    )


def load_cells(bench: Bench, plan: dict) -> tuple[list[dict], list[dict]]:
    """List the cells of a plan, and those that failed.

    These are dicts version, arch, seed, error. Both diverged and failed ones are left out of what
    is judged. UserError where some were never tried, or were stopped.
    """
    wanted, jobs = list_cells(bench, plan), job_files.list_jobs(bench)
    errors = {job["name"]: job["error"] for job in jobs if job["state"] == "failed"}
    if todo := [c for c in missing_cells(wanted) if c["key"] not in errors]:
        raise UserError(
            f"expected {format_count(len(wanted), 'finished run')}, found {len(todo)} missing",
            "run: assay experiment",
        )
    wanted = [c if c["done"] else c | dict(failed=errors[c["key"]]) for c in wanted]
    lost = [c for c in wanted if not c["done"]]
    return wanted, [
        dict(version=c["version"], arch=c["arch"], seed=c["seed"], error=c["failed"]) for c in lost
    ]


def exclude_failed(diverged: list[dict], failed: list[dict]) -> list[dict]:
    """Leave failed runs out of the diverged ones.

    They have no number for another reason.
    """
    named = {(f["version"], f["arch"], f["seed"]) for f in failed}
    out = []
    for d in diverged:
        seeds = [seed for seed in d["seeds"] if (d["version"], d["arch"], seed) not in named]
        if seeds:
            out.append(d | dict(seeds=seeds))
    return out


def group_by_cell(wanted: list[dict]) -> dict[tuple[str, str], list[dict]]:
    """Group runs by (version, architecture), in the order of the matrix."""
    versions, archs = (dict.fromkeys(c[key] for c in wanted) for key in ("version", "arch"))
    out = {(version, arch): [] for version in versions for arch in archs}
    for c in wanted:
        out[c["version"], c["arch"]].append(c)
    return out


def find_dead_cells(wanted: list[dict]) -> list[dict]:
    """Find the cells that diverged or failed with every seed.

    Dicts version, arch, seeds.
    """
    return [
        dict(version=version, arch=arch, seeds=[c["seed"] for c in own])
        for (version, arch), own in group_by_cell(wanted).items()
        if all(c["failed"] for c in own)
    ]


def list_rules(architectures: list[str]) -> list[str]:
    """List the architectures that are a person's rules."""
    return [arch for arch in architectures if arch.startswith("rules(")]


def list_learners(architectures: list[str]) -> list[str]:
    """List the architectures that learn from labels; all where none does."""
    rules = list_rules(architectures)
    return [arch for arch in architectures if arch not in rules] or architectures


def drop_architectures(plan: dict, wanted: list[dict], dead: list[dict]) -> tuple[dict, list[dict]]:
    """Drop the architectures of dead cells from the plan and its cells.

    No effect can be told of them, and the others need not wait for it.
    """
    lost = {d["arch"] for d in dead}
    archs = [a for a in plan["architectures"] if a not in lost]
    if not archs:
        how = next(c["failed"] for c in wanted if c["failed"])
        found = f"all diverged or failed, first {dead[0]['arch']} on {dead[0]['version']}: {how}"
        raise UserError(f"expected an architecture that trains, found {found}", "change the plan")
    return plan | dict(architectures=archs), [c for c in wanted if c["arch"] not in lost]
