"""Explain the numbers of an experiment's report."""

from __future__ import annotations

import json
from statistics import mean

from assay.curation.errors import UserError
from assay.curation.statistics.wording import format_interval, format_points
from assay.curation.storage.arrays import load_arrays
from assay.curation.storage.interface import Bench
from assay.curation.text import format_count
from assay.pipelines.explaining.explanation import Explanation, Filled, explain_as


def read_report(bench: Bench) -> dict | None:
    """Read the data of the last report; None where there is none."""
    try:
        kept = load_arrays(bench.arrays / "report.npz", ["data"])
    except UserError:  # damaged: it is derived
        return None
    return None if kept is None else json.loads(str(kept["data"]))


def explain_report(data: dict) -> list[Explanation]:
    """Explain the numbers of a report, its main effect first.

    data: see compare.load_report_data.
    """
    out, main = [], data["interval"]
    if main:
        out += [explain_gain(data, main), explain_p(data, main), explain_verdict(data, main)]
    if data["control"] and "estimate" in data["control"]:
        out.append(explain_control(data, data["control"]))
    if data["power"]:
        out.append(explain_power(data))
    out += [explain_accuracy(data), *explain_spread(data)]
    if data["interaction"]:
        out.append(explain_interaction(data, data["interaction"]))
    return out


def cell_accuracies(data: dict, version: str) -> dict[str, float]:
    """List the accuracies of a version by the architectures that learn."""
    return {
        cell["arch"]: cell["accuracy"]["estimate"]
        for cell in data["matrix"]
        if cell["version"] == version and not cell["arch"].startswith("rules(")
    }


def describe_basis(e: dict) -> list[str]:
    """Say what an effect rests on."""
    seeds = e["seeds"]
    n = format_count(e["n"], "test sample")
    out = [
        f"It rests on {n} and {format_count(max(seeds), 'seed')} on either side; both widen the interval."
    ]
    if max(seeds) == 1:
        out = [
            f"It rests on {n}; "
            "with one seed it speaks of these trained models only, not the recipe."
        ]
    if "given" in e:
        out.append(
            "The test labels were audited: what they change is in the number, so cells as given do not add up to it."
        )
    return out


def explain_gain(data: dict, main: dict, name: str = "gain") -> Explanation:
    """Explain the gain of one version against another."""
    last, first = (cell_accuracies(data, main[end]) for end in ("version", "against"))
    numbers = dict(last=last, first=first) | {
        k: main[k] for k in ("estimate", "low", "high", "n", "seeds")
    }
    terms = " − ".join(
        f"({' + '.join(f'{x:.4f}' for x in part.values())}) / {len(part)}"
        for part in (last, first)
        if part
    )
    filled = (
        f"{terms} = {main['estimate']:+.4f}, between {main['low']:+.4f} and {main['high']:+.4f}"
    )
    notes = [f"Of {main['name']}, the mean over architectures.", *describe_basis(main)]
    return explain_as(
        name, Filled(f"{format_interval(main)}", main["estimate"], filled, numbers, notes)
    )


def explain_control(data: dict, control: dict) -> Explanation:
    """Explain the random control."""
    return explain_gain(data, control, "control")


def explain_p(data: dict, main: dict) -> Explanation:
    """Explain the p-value of the main effect."""
    tested = [e["p"] for e in data["effects"]]
    filled = f"p = {main['p']:.4g}; after Holm over {len(tested)}: {main['p_holm']:.4g}"
    numbers = dict(p=main["p"], p_holm=main["p_holm"], tested=tested)
    return explain_as("p-value", Filled(f"{main['p_holm']:.2g}", main["p_holm"], filled, numbers))


def explain_verdict(data: dict, main: dict) -> Explanation:
    """Explain the verdict of the main effect."""
    audited, margin = data["test"]["audited"], data["margin"]
    within = (
        f"margin ± {margin:.4f}"
        if audited
        else "no margin: the test labels are unaudited, and may hide a gain"
    )
    filled = f"{main['low']:+.4f} to {main['high']:+.4f}, Holm's p {main['p_holm']:.4g}; {within}"
    numbers = {k: main[k] for k in ("estimate", "low", "high", "p_holm")} | dict(
        margin=margin, audited=audited
    )
    return explain_as("verdict", Filled(main["verdict"], None, filled, numbers))


def explain_margin(data: dict) -> Explanation:
    """Explain the margin of a plan."""
    points = 100 * data["margin"]
    filled = f"{points:g} / 100 = {data['margin']:g}"
    return explain_as(
        "margin", Filled(f"{points:g} points", data["margin"], filled, dict(points=points))
    )


def explain_power(data: dict) -> Explanation:
    """Explain the smallest gain that a test shows."""
    power = data["power"]
    smallest = power["smallest"]
    if smallest is None:
        return explain_as(
            "smallest-gain", Filled("not known", notes=["It takes two seeds to say."])
        )
    numbers = dict(
        smallest=smallest,
        n_test=data["n_test"],
        seeds=len(data["seeds"]),
        effects=len(data["effects"]),
    )
    n, seeds = format_count(data["n_test"], "test sample"), format_count(len(data["seeds"]), "seed")
    filled = (
        f"{smallest:.4f} with {n} and {seeds}, as Holm judges the first of {len(data['effects'])}"
    )
    return explain_as(
        "smallest-gain",
        Filled(f"{format_points(smallest, False)} points", smallest, filled, numbers),
    )


def explain_accuracy(data: dict) -> Explanation:
    """Explain the accuracy of the last cell of the matrix."""
    cell = data["matrix"][-1]
    e = cell["accuracy"]
    notes = [f"Of {cell['version']}, {cell['arch']}; the others are computed alike."]
    filled = (
        f"{e['estimate']:.4f}, between {e['low']:.4f} and {e['high']:.4f}, "
        f"of {format_count(e['n'], 'test sample')} and {format_count(e['seeds'][0], 'seed')}"
    )
    numbers = {k: e[k] for k in ("estimate", "low", "high", "n", "seeds")}
    return explain_as(
        "accuracy", Filled(f"{e['estimate']:.1%}", e["estimate"], filled, numbers, notes)
    )


def explain_spread(data: dict) -> list[Explanation]:
    """Explain how far seeds differ; nothing with one seed."""
    spreads = {
        f"{c['version']}, {c['arch']}": c["seed_spread"]
        for c in data["matrix"]
        if c["seed_spread"] is not None
    }
    if not spreads:
        return []
    filled = "; ".join(f"{name}: {x:.4f}" for name, x in spreads.items())
    shown = f"{format_points(mean(spreads.values()), False)} points on average"
    return [
        explain_as(
            "seed-spread", Filled(shown, mean(spreads.values()), filled, dict(cells=spreads))
        )
    ]


def explain_interaction(data: dict, e: dict) -> Explanation:
    """Explain the interaction of data and architecture."""
    filled = f"{e['estimate']:+.4f}, between {e['low']:+.4f} and {e['high']:+.4f}: {e['name']}"
    numbers = {k: e[k] for k in ("estimate", "low", "high", "n", "seeds")}
    return explain_as(
        "interaction", Filled(format_interval(e), e["estimate"], filled, numbers, describe_basis(e))
    )


def explain_of_report(bench: Bench, name: str) -> Explanation:
    """Explain one number of the last report of a bench."""
    data = read_report(bench)
    if data is None:
        none = [f"No experiment was reported yet: assay experiment -b {bench.given}."]
        return explain_as(name, Filled("not yet known", notes=none))
    if name == "margin":
        return explain_margin(data)
    for explained in explain_report(data):
        if explained.name == name:
            return explained
    return explain_as(name, Filled("none", notes=["The last report has no such number."]))
