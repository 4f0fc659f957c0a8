"""What to look at next: suspects in order, a random stratum among them, and what that stratum says about the labels not looked at."""

from assay.curation.errors import UserError
from assay.curation.features.scan_settings import scanned
from assay.curation.issues.disagreements import of_people
from assay.curation.label_quality import live, reasons
from assay.curation.statistics import sampling
from assay.curation.statistics.sampling import places, random_order

COLUMNS = "rank sample source_id path given_label suggested_label score reason random".split()


def queue(bench, n=200, random=0.05, version="HEAD", again=0.0, who=""):
    """What people contradict each other about, then the n worst labels that nobody has reviewed, mixed with random * n samples drawn uniformly
    (`random` True; some may be among the worst) and again * n that others have reviewed and `who` has not (with the label they came with, so
    that two people's judgements can be compared): frame rank (None where only drawn), sample, source_id, path, given_label, suggested_label,
    score, reason, random."""
    if n < 1 or not 0 <= random <= 1 or not 0 <= again <= 1:
        raise UserError(
            f"expected n of at least 1, random and again from 0 to 1, found {n}, {random} and {again}",
            "for example: -n 200 --random 0.05",
        )
    state, between = bench.state(version), of_people(bench, version)
    found = live.opinion(bench, version) if between.empty or scanned(bench) else None
    second = (
        sampling.by_draw(others(bench, who, state).intersection(random_order(state)), "again")[
            : round(n * again)
        ]
        if again
        else ()
    )
    return lined_up(bench, state, found, between, n, round(n * random), second)


def lined_up(bench, state, found, between, n, draws, second=()):
    """The queue of a state, from what the model makes of its labels (None where nothing is scanned) and what people contradict each other about:
    see queue."""
    import pandas as pd

    between, order, extra = between.drop_duplicates("sample"), [], []
    drawn = places(state)
    drawn = (
        state.index[drawn[~state.reviewed.to_numpy()[drawn]][:draws]]
        if found is not None and len(found)
        else ()
    )
    found = (
        pd.DataFrame(columns=["label", "score", "suggestion", "confidence"])
        if found is None
        else found[~found.reviewed]
    )
    found = found.sort_values("score", kind="stable")
    first = list(between["sample"])
    worst = [*first, *found.index[:n]]
    rank = {s: i + 1 for i, s in enumerate(worst)}
    extra = [s for s in [*drawn, *second] if s not in rank]
    for i, sample in enumerate(worst):
        order.append(sample)
        if len(extra) and (i + 1) % max(1, round(len(worst) / max(1, len(extra)))) == 0:
            order.append(extra.pop(0))
    order = list(dict.fromkeys(order + extra))
    taken, rows = state.loc[order], found.reindex(order)
    judged = rows.score.notna() & ~rows.index.isin(second)
    rows["label"] = taken.label.where(~taken.index.isin(second), taken.given_label)
    why = (
        dict(zip(rows.index[judged], reasons.explain_labels(bench, state, rows[judged])))
        if judged.any()
        else {}
    )
    why |= dict.fromkeys(second, "somebody else has looked at it: what do you say?") | dict(
        zip(first, between.why)
    )
    suggestion, score = rows.suggestion.astype(object), rows.score.astype(float)
    suggestion[first], score[first] = (
        between.suggestion.to_numpy(object),
        between.score.to_numpy(float),
    )
    rows = pd.DataFrame(
        dict(
            sample=order,
            rank=pd.array([rank.get(s) for s in order], "Int64"),
            source_id=taken.key.to_numpy(),
            path=taken.uri.to_numpy(),
            given_label=rows.label.to_numpy(),
            suggested_label=suggestion.to_numpy(),
            score=score.to_numpy(),
            reason=[why.get(s, "too few of its class to judge") for s in order],
            random=pd.Index(order).isin(drawn),
        )
    )
    return rows[COLUMNS]


def others(bench, who, state):
    """Samples that somebody else has decided about and `who` has not."""
    rows = bench.rows(
        "select sample, bool_or(who = ?) from edits where batch like 'edit-%' group by sample",
        [who],
    )
    return {s for s, mine in rows if not mine and s in state.index and state.reviewed[s]}
