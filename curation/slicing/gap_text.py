"""What a gap says for itself, with its counts, and what to do about it, in sentences."""

DOUBTED = 0.3  # share of flagged val labels from which on the labels are to be looked at first


def why(row):
    """The evidence of a gap in a sentence."""
    said = ""
    if row["val"]:
        rest = "" if row["rest"] is None else f", elsewhere {row['rest']:.0%} of {row['n_rest']:,}"
        span = f"{row['rate']:.0%} [{row['low']:.0%}, {row['high']:.0%}]{rest}"
        said = f"{row['errors']:,} of {row['val']:,} val labels are predicted otherwise ({span})"
    if row["kind"] == "thin":
        span = f"{row['ratio']:.2f} [{row['ratio_low']:.2f}, {row['ratio_high']:.2f}]"
        first = f"{row['train']:,} in train: {span} of its share of {row['against']}"
    elif row["kind"] in ("rare", "absent"):
        than = (
            "the median class has"
            if row["against"] == "classes"
            else "class and metadata, were they independent, would have"
        )
        first = f"{row['train']:,} in train, {than} {row['expected']:,.0f}"
    elif row["kind"] == "disagreement":
        often = f"{row['ratio']:.1f} times as often as overall"
        first = f"{row['against']} train and val samples are labelled otherwise than most of their neighbours, {often}"
    elif row["kind"] == "isolated":
        first = f"{row['against']} are farther from train than 99 % of train is from itself"
    else:
        first = ""
    return "; ".join(filter(None, [first, said]))


def action(bench, row):
    """What to do about a gap, with the command."""
    b, gap = (
        f"-b {bench.given}",
        f"--gap '{row['gap']}'" if "'" not in row["gap"] else f'--gap "{row["gap"]}"',
    )
    if row["kind"] in ("thin", "rare", "absent"):
        return f"find more of it and label them: assay similar {gap} --in pool {b}"
    if row["kind"] == "error" and row["flagged"] >= DOUBTED:
        return f"{row['flagged']:.0%} of its val labels look wrong themselves: check them first, assay queue {b}"
    if row["kind"] == "error":
        return f"it is in train: check its labels (assay queue {b}), get more of it (assay similar {gap} --in pool {b}), or change the model"
    if row["kind"] == "disagreement":
        return f"check its labels, or the rule by which they are given: assay queue {b}"
    return f"look whether they belong here; if so, label and train on some: assay similar {gap} --in pool {b}"
