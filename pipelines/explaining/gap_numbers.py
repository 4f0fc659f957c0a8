"""Explain the numbers of a gap."""

from __future__ import annotations

from assay.curation.slicing.gaps import load_recent_gaps
from assay.curation.statistics.wording import format_share
from assay.curation.storage.interface import Bench
from assay.curation.text import format_count
from assay.pipelines.explaining.explanation import Explanation, Filled, explain_as

NO_TEST = "No label or prediction of a test image enters."


def explain_gap(row: dict) -> list[Explanation]:
    """Explain why a region is called a gap.

    row: one of gaps.find_gaps.
    """
    # a frame's empty cell is not a number, and not itself
    row = {k: None if v != v else v for k, v in row.items()}
    parts = [explain_rate(row), explain_explained(row)] if row["val"] else []
    if row["ratio"] is not None and row["ratio_low"] is not None:
        parts.append(explain_share(row))
    return parts


def explain_rate(row: dict) -> Explanation:
    """Explain how often the model is wrong in a gap, and elsewhere."""
    errors, judged, rate = row["errors"], row["judged"], row["rate"]
    of = f"of its {row['val']:,} validation images."
    notes = []
    if row["unit"] == "label":
        of = f"of {format_count(judged, 'label')} of its {format_count(row['val'], 'sample')} in validation."
        notes = ["A label is a class that the given label or the model names: right where both do."]
    notes = [
        f"The model, asked without having seen them, is wrong about {errors:,} {of}",
        *notes,
        f"A true rate from {row['low']:.0%} to {row['high']:.0%} fits such a count: "
        "95 of 100 such intervals hold the truth.",
        *chance_sentences(row),
        NO_TEST,
    ]
    filled = f"{errors:,} / {judged:,} = {rate:.4f}, between {row['low']:.4f} and {row['high']:.4f}"
    numbers = {
        name: row[name]
        for name in "gap errors judged low high rest n_rest p q".split()
        if name in row
    }
    shown = format_share(rate, row["low"], row["high"], 0)
    return explain_as("gap-error-rate", Filled(shown, rate, filled, numbers, notes))


def chance_sentences(row: dict) -> list[str]:
    """Say how likely so much were by chance."""
    if row["p"] is None or row["q"] is None:
        return []
    return [
        f"Were this chance, so much would be seen with probability {row['p']:.1g}. "
        f"Many regions were asked, so that is {row['q']:.1g} now."
    ]


def explain_explained(row: dict) -> Explanation:
    """Explain which errors a gap explains."""
    rest, explains = row["rest"] or 0, row["explains"]
    low, high = max(0, row["explains_low"]), max(0, row["explains_high"])
    notes = [
        f"Elsewhere it is wrong about {rest:.0%} of {row['n_rest']:,}. "
        f"At that rate {rest * row['judged']:.0f} would be wrong here. What is beyond, compared class "
        "by class and counted in one gap alone, is what it explains: "
        f"{max(0, explains):.0f} [{low:.0f}, {high:.0f}].",
    ]
    filled = f"{row['errors']:,} errors here, {explains:.1f} more than expected of those that no gap before it took"
    names = "gap errors judged rest explains explains_low explains_high".split()
    shown = f"{max(0, explains):.0f} [{low:.0f}, {high:.0f}]"
    numbers = {name: row[name] for name in names if name in row}
    return explain_as("gap-explains", Filled(shown, explains, filled, numbers, notes))


def explain_share(row: dict) -> Explanation:
    """Explain how well train covers a gap."""
    ratio = f"{row['ratio']:.2f} [{row['ratio_low']:.2f}, {row['ratio_high']:.2f}]"
    notes = [
        f"Train has {ratio} times the share of it that {row['against']} has; 1 would be an even share.",
        *chance_sentences(row),
        NO_TEST,
    ]
    names = "gap train val pool against ratio ratio_low ratio_high p q".split()
    numbers = {name: row[name] for name in names if name in row}
    return explain_as(
        "gap-share",
        Filled(ratio, row["ratio"], f"{ratio} against {row['against']}", numbers, notes),
    )


def explain_first_gap(bench: Bench, name: str) -> Explanation:
    """Explain one number of the first gap that was found."""
    found, _ = load_recent_gaps(bench)
    for row in found.to_dict("records"):
        for explained in explain_gap(row):
            if explained.name == name:
                return explained
    return explain_as(name, Filled("none", notes=["No gap was found that has this number."]))
