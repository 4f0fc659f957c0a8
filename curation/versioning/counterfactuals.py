"""The state that an expression over versions describes."""

from assay.curation.errors import UserError
from assay.curation.statistics.sampling import by_draw, draws, stratum
from assay.curation.versioning.expressions import Expression, parse, root

# ---- the state that an expression describes


def counterfactual(bench, text):
    """The state (see versions.state) that an expression describes; a draw without a seed has seed 0."""
    e = parse(text)
    if not isinstance(e, Expression):
        return bench.state(e)  # a name between blanks
    frame = bench.state(str(e.base))
    if e.op == "drawn":
        return drawn(bench, frame, e.base, e.what)
    train = frame.index[frame.keep & (frame.split == "train")]
    if e.op in ("half", "part"):
        n = len(train) // 2 if e.op == "half" else e.n
        if not 0 < n <= len(train):
            raise UserError(
                f"expected a part of the {len(train):,} train samples of {e.base}, found {n:,}",
                "ask for fewer, 1 or more",
            )
        frame.loc[by_draw(train, "part", e.seed or 0)[n:], "keep"] = False
        return frame
    flagged = bench.suspects(str(e.base))  # frame sample -> label, suggestion
    flagged = flagged[frame["split"][flagged.index] == "train"]  # the ruler, val, stays as it is
    if e.what == "random":
        flagged = random_alike(frame, flagged, e.n, e.seed or 0)
    if e.op == "-":
        frame.loc[flagged.index, "keep"] = False
    else:
        frame.loc[flagged.index, "label"] = flagged.suggestion
    return frame


def random_alike(frame, flagged, n, seed):
    """n random kept train samples with the class mix of the flagged ones, and their suggestions dealt out at random."""
    train = frame[frame.keep & (frame.split == "train")]
    draw = (
        flagged.iloc[draws(flagged.index, "class mix of a control", seed)[:n]].copy()
        if len(flagged)
        else flagged
    )
    if len(draw) < n:
        raise UserError(
            f"expected at most as many random samples as are flagged ({len(flagged)}), found {n}",
            "ask for fewer",
        )
    samples = []
    for label, group in draw.groupby("label", sort=True):
        samples += by_draw(train.index[train.label == label], "control", seed)[: len(group)]
    draw = draw.sort_values("label", kind="stable")
    draw.index = samples
    return draw


def drawn(bench, frame, base, later):
    """`frame`, the state of `base`, with the decisions that people made between it and the version `later`, stand there, and are about its
    random stratum: what reviewing at random did."""
    from assay.curation.versioning import versions

    since, upto, state = (
        versions.position(bench, root(str(base))),
        versions.position(bench, later),
        bench.state(later),
    )
    if upto < since:
        raise UserError(
            f"expected a later version than {root(str(base))}, found {later}",
            f"the other way round: drawn({later}, ...)",
        )
    samples = frame.index.intersection(stratum(state))
    with bench.connect() as con:
        versions.register(con, "wanted", list(samples))
        points = versions.pointers(con, upto, len(samples), wanted=True)
        values = versions.Values(con, points, ("origin",))
    new = (points > since) & values.holds("origin", points, versions.decided)
    label, _, keep, split = new.T
    looked = label & (state.verdict[samples] != "unsure").to_numpy()
    for column, rows in dict(
        label=looked, verdict=label, who=label, keep=keep, split=split, reviewed=new.any(1)
    ).items():
        frame.loc[samples[rows], column] = state.loc[samples[rows], column]
    return frame
