"""Explain accuracies on validation, and the difference of two models there."""

from __future__ import annotations

from assay.curation.predictions import runs
from assay.curation.statistics.wording import format_interval
from assay.curation.storage.interface import Bench
from assay.curation.text import format_count
from assay.pipelines.explaining.explanation import Explanation, Filled, explain_as

NO_TEST = "On validation labels as they stand now, to which no model was fitted; the test set is not looked at."


def explain_val_accuracy(bench: Bench) -> Explanation:
    """Explain the validation accuracy of each version and architecture."""
    rows = runs.tabulate_versions(bench).to_dict("records")
    if not rows:
        notes = ["No run has been judged on validation yet."]
        return explain_as("val-accuracy", Filled("not yet known", notes=notes))
    filled = "; ".join(
        f"{r['version']}, {r['arch']}: {r['accuracy']:.4f} [{r['low']:.4f}, {r['high']:.4f}] of {r['n']:,}"
        for r in rows
    )
    last = float(rows[-1]["accuracy"])
    return explain_as(
        "val-accuracy", Filled(f"{last:.1%}", last, filled, dict(versions=rows), [NO_TEST])
    )


def explain_models(found: dict) -> list[Explanation]:
    """Explain the accuracies of one or two models, and their difference.

    found: see member_errors.judge_on_validation.
    """
    out = [explain_model(model, found["n"]) for model in found["models"]]
    if found["difference"]:
        out.append(explain_difference(found["difference"], found["models"]))
    return out


def explain_model(model: dict, n: int) -> Explanation:
    """Explain the accuracy of one model on n validation samples."""
    e = model["accuracy"]
    right = e["estimate"] * n
    seeds = format_count(model["seeds"], "seed")
    filled = f"{right:.1f} right on average / {n:,} = {e['estimate']:.4f}, between {e['low']:.4f} and {e['high']:.4f}"
    numbers = dict(e) | dict(n=n, seeds=model["seeds"], right=right)
    notes = [f"Of {model['name']}, {seeds}.", NO_TEST]
    shown = format_interval(e, False, " %")
    where = "pipelines.evaluation.model_confusions:measure_accuracy"
    put_in = Filled(shown, e["estimate"], filled, numbers, notes, function=where)
    return explain_as("val-accuracy", put_in)


def explain_difference(e: dict, models: list[dict]) -> Explanation:
    """Explain the difference of two models on the same samples."""
    one, other = (model["accuracy"]["estimate"] for model in models)
    filled = f"{other:.4f} − {one:.4f} = {e['estimate']:+.4f}, between {e['low']:+.4f} and {e['high']:+.4f}"
    notes = ["Both are judged on the same samples, so the interval is of pairs."]
    numbers = {k: e[k] for k in ("estimate", "low", "high", "n")} | dict(first=one, second=other)
    return explain_as(
        "difference", Filled(format_interval(e), e["estimate"], filled, numbers, notes)
    )


def explain_proposal_gain(measured: dict) -> Explanation:
    """Explain what a proposal was measured to gain.

    measured: see proposal_gain.measure_gain; it was measured.
    """
    gain = measured["gain"]
    filled = (
        f"{gain['estimate']:+.4f}, between {gain['low']:+.4f} and {gain['high']:+.4f}, at "
        f"{100 * measured['level']:.4g} % after {format_count(measured['look'], 'look')}"
    )
    numbers = {k: gain[k] for k in ("estimate", "low", "high")}
    numbers |= {k: measured[k] for k in ("n", "level", "look")}
    return explain_as(
        "proposal-gain", Filled(format_interval(gain), gain["estimate"], filled, numbers)
    )
