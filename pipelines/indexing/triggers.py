"""Run the triggers on what a scan found."""

from __future__ import annotations

from assay.curation.selection import triggers
from assay.curation.statistics.estimates import wilson_interval
from assay.curation.statistics.wording import format_share
from assay.curation.storage.interface import Bench
from assay.curation.text import format_count
from assay.pipelines.experiments.predictions import gather_predictions


def run_triggers(bench: Bench, who: str, only: str | None = None) -> tuple[list[dict], list[str]]:
    """Run the triggers on new samples: (what each found, a line each)."""

    def predict(name, ids):
        return gather_predictions(bench, name, ids)

    out = triggers.run_triggers(bench, who, predict, only)
    there = triggers.active_triggers(bench) if out else {}
    return out, [describe_trigger(t | there[t["name"]] | t) for t in out]


def describe_trigger(t: dict) -> str:
    """Describe what a trigger did in one line."""
    if t["error"]:
        return (
            f"{t['name']}: could not ask about {format_count(t['new'], 'new sample')}: {t['error']}"
        )
    if not t["new"]:
        return f"{t['name']}: nothing new"
    line = f"{t['name']}: caught {len(t['caught']):,} of {format_count(t['new'], 'new sample')}, {describe_share(t)}"
    if t["base"] is not None:
        line += f"; of {t['older']:,} older ones it would catch {t['base']:.1%}"
    if t["unjudged"]:
        runs = " ".join(t["runs"])
        line += (
            f"; {t['unjudged']:,} no run has predicted yet (assay disagreements {runs} --predict)"
        )
    return line


def describe_share(t: dict) -> str:
    """Describe the share that a trigger caught, with its interval."""
    n = t["new"] - t["unjudged"]
    if not n:
        return "none judged"
    low, high = wilson_interval(len(t["caught"]), n)
    return format_share(len(t["caught"]) / n, low, high)
