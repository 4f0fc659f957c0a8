"""The difference of two models: its interval, by slice, and what would show it."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from assay.curation.statistics.estimates import Estimate, judge_effect, normal_quantile
from assay.curation.statistics.power import needed_audits, needed_sizes
from assay.curation.storage.interface import Bench
from assay.curation.text import format_count
from assay.pipelines.comparison.evaluator import Alignment, FileEvaluator
from assay.pipelines.comparison.truth import Truth
from assay.pipelines.evaluation.slice_effects import FEW, collect_slices, compare_slices

UNCLEAR = "no evidence either way"
WORDS = {"helps": "better", "hurts": "worse", "": UNCLEAR}


def judge_pair(e: Estimate) -> str:
    """Say whether the second is better, worse, or neither is shown.

    With one training each it speaks of these alone.
    """
    word = judge_effect(replace(e, seeds_known=True))
    return WORDS.get(word.split(" (")[0], UNCLEAR)


def count_flips(before: np.ndarray, after: np.ndarray) -> dict:
    """Count samples that the second gains and loses: {gained, lost, p}.

    before (S, m), after (Q, m), right 0 or 1. Those that more than half of its trainings turn. p: of McNemar's exact
    test, with one training each; else None. [McNemar 1947]
    """
    from scipy.stats import binomtest

    change = after.mean(0) - before.mean(0)
    gained, lost = int((change > 0.5).sum()), int((change < -0.5).sum())
    alone = len(before) == len(after) == 1
    p = None
    if alone:
        p = float(binomtest(gained, gained + lost).pvalue) if gained + lost else 1.0
    return dict(gained=gained, lost=lost, p=p)


def compare_groups(
    judge: FileEvaluator, aligned: Alignment, truth: Truth, bench: Bench | None, pair: tuple
) -> tuple[list[dict], list[str]]:
    """Compare two models within classes and slices, all tested together by Holm."""
    if bench is not None and truth.test is not None:
        test = truth.test.iloc[aligned.rows].assign(label=truth.labels[aligned.rows])
        groups, notes = collect_slices(bench, {}, test)
    else:
        groups, notes = list_groups(aligned, truth), []
    before, after = ([judge.Y[name, ""]] for name in pair)
    found = compare_slices(before, after, groups, judge.weight)
    if min(len(part[0]) for part in (before, after)) == 2:
        notes.append(
            "two seeds know little of their spread: many slices find one too many in up to 7 % of comparisons"
        )
    for g in found:
        if g["p_holm"] is not None:
            shown = g["p_holm"] <= 0.05 and g["n"] >= FEW
            g["verdict"] = UNCLEAR if not shown else "better" if g["estimate"] > 0 else "worse"
    return found, notes


def list_groups(aligned: Alignment, truth: Truth) -> list[dict]:
    """List classes and the groups of the labels' file, as compare_slices takes them."""
    out = [
        dict(kind="class", name=aligned.classes[code], rows=rows)
        for code, rows in iter_values(aligned.labels)
    ]
    for column, values in truth.groups.items():
        out += [
            dict(kind=column, name=str(value), rows=rows)
            for value, rows in iter_values(values[aligned.rows])
        ]
    return out


def iter_values(values: np.ndarray) -> list[tuple]:
    """List the different values of an array (m,), each with its rows."""
    import pandas as pd

    codes, names = pd.factorize(values, sort=True)
    order = np.argsort(codes, kind="stable")
    ends = np.cumsum(np.bincount(codes, minlength=len(names)))[:-1]
    return list(zip(names, np.split(order, ends)))


def estimate_needs(judge: FileEvaluator, pair: tuple[str, str], e: Estimate, effect: float) -> dict:
    """Estimate what it would take to see a difference of `effect`, a fraction.

    Returns {smallest (shown four times in five), effect, power, samples, seeds, audited}; None: that alone is not
    enough, or not known.
    """
    cells = [judge.Y[name, ""] for name in reversed(pair)]
    out = dict(effect=effect, smallest=e.smallest_effect(), power=e.power(effect))
    out |= dict(samples=None, seeds=None, audited=None)
    if not e.seeds_known:
        z = normal_quantile(0.975) + normal_quantile(0.8)
        return out | dict(samples=math.ceil(z**2 * e.v_items * e.n / effect**2))
    if judge.labels.in_part and judge.labels.n != judge.labels.audited:
        return out  # an audit of where two models differ, which a larger one would settle
    if judge.labels.in_part:
        given = [judge.as_given[name, ""] for name in reversed(pair)]
        more = needed_audits(cells, given, judge.labels.n, effect)
    else:
        more = needed_sizes(cells, effect)
    return out | dict(samples=more.pop("m")) | more


def describe_needs(needs: dict, n: int, seeds: list[int]) -> str:
    """Say what size of difference would be seen, and what one of the asked size takes."""
    effect = f"{100 * needs['effect']:.1f} points"
    these = f"{format_count(n, 'sample')} and {' and '.join(map(str, seeds))} seeds"
    out = f"{these} would show a difference of {100 * needs['smallest']:.1f} points or more, four times in five"
    if needs["power"] >= 0.8:
        return out
    ways = []
    if needs["samples"] is not None:
        ways.append(format_count(needs["samples"], "test sample"))
    if needs["audited"] is not None:
        ways.append(f"{needs['audited']:,} audited test labels")
    if needs["seeds"] is not None:
        ways.append(f"{format_count(needs['seeds'], 'seed')} each")
    return f"{out}; {effect} would take {' or '.join(ways) or 'both more samples and more seeds'}"
