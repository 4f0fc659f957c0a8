"""Run the triggers on what a scan found."""

from assay.curation.selection import triggers
from assay.pipelines.experiments.predictions import told


def tripped(bench, who, only=None):
    """Run the triggers over what came new: (what triggers.run returns, a line each for the terminal)."""
    out = triggers.run(bench, who, lambda name, ids: told(bench, name, ids), only)
    there = triggers.standing(bench) if out else {}
    return out, [line(t | there[t["name"]] | t) for t in out]


def line(t):
    """What a trigger did, in words."""
    if t["error"]:
        return f"{t['name']}: could not ask about {t['new']:,} new samples: {t['error']}"
    if not t["new"]:
        return f"{t['name']}: nothing new"
    control = (
        f"; of {t['older']:,} older ones it would catch {t['base']:.1%}"
        if t["base"] is not None
        else ""
    )
    missed = (
        f"; {t['unjudged']:,} no run has predicted yet (assay shadow {' '.join(t['runs'])} --predict)"
        if t["unjudged"]
        else ""
    )
    return f"{t['name']}: caught {len(t['caught']):,} of {t['new']:,} new samples, {share(t)}{control}{missed}"


def share(t):
    from assay.curation.statistics import estimates

    n = t["new"] - t["unjudged"]
    if not n:
        return "none judged"
    low, high = estimates.wilson(len(t["caught"]), n)
    return f"{len(t['caught']) / n:.1%} [{low:.1%}, {high:.1%}]"
