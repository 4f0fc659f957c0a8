"""What to look at next: suspects in order, a random stratum among them, and what that stratum says about the labels not looked at."""

from curation import stats, suspects, versions
from curation.errors import UserError

SEED = 0  # of the one random order of a bench; it depends on sample ids alone, so an import does not reshuffle it
COLUMNS = "rank sample source_id path given_label suggested_label score reason random".split()


def issues(bench, kind=None):
    """Standing issues as a frame kind, sample, source_id, path, split, label, score, suggestion, why; worst first. Issues of samples that are
    out, and label issues of reviewed ones, have been dealt with and are left out."""
    suspects.opinion(bench)  # brings the label issues up to date
    found = bench.query("select kind, sample, score, suggestion, why from issues order by kind, score, sample")
    kinds = sorted(set(found.kind))
    if kind is not None and kind not in kinds and kind not in KINDS:
        raise UserError(f"expected an issue kind, found {kind!r}", f"there are {', '.join(KINDS)}")
    state = bench.state().reindex(found["sample"])
    found["source_id"], found["path"], found["split"], found["label"] = (state[c].to_numpy() for c in ("key", "uri", "split", "label"))
    found.loc[found["split"].isin(("test", "guard")), "label"] = None
    kept = state.keep.fillna(False).to_numpy(bool) & ~(state.reviewed.fillna(False).to_numpy(bool) & (found.kind == "label").to_numpy())
    kept |= (found.kind == "leakage").to_numpy()  # these are out because they leak
    found = found[kept & ((found.kind == kind).to_numpy() if kind else True)]
    return found[["kind", "sample", "source_id", "path", "split", "label", "score", "suggestion", "why"]].reset_index(drop=True)


KINDS = ("label", "conflicting_duplicates", "exact_duplicates", "near_duplicate", "leakage", "outlier")


def random_order(state):
    """Every labelled train and val sample, kept or dropped by a person, in the bench's random order: the frame of all rates."""
    frame = state[state.split.isin(("train", "val")) & state.given_label.notna() & (state.keep | state.reviewed)]
    return versions.by_draw(frame.index, SEED)


def queue(bench, n=200, random=0.05):
    """The n worst labels that nobody has reviewed, mixed with random * n samples drawn uniformly (`random` True; some may be among the
    worst): frame rank (None where only drawn), sample, source_id, path, given_label, suggested_label, score, reason, random."""
    if n < 1 or not 0 <= random <= 1:
        raise UserError(f"expected n of at least 1 and random from 0 to 1, found {n} and {random}", "for example: -n 200 --random 0.05")
    import pandas as pd

    state = bench.state()
    found = suspects.opinion(bench)
    found = found[~state.reviewed.reindex(found.index).to_numpy(bool)].sort_values("score", kind="stable")
    worst = list(found.index[:n])
    rank = {s: i + 1 for i, s in enumerate(worst)}
    drawn = [s for s in random_order(state) if not state.reviewed[s]][: round(n * random)]
    order, extra = [], [s for s in drawn if s not in rank]
    for i, sample in enumerate(worst):
        order.append(sample)
        if len(extra) and (i + 1) % max(1, round(len(worst) / max(1, len(extra)))) == 0:
            order.append(extra.pop(0))
    order += extra
    rows = found.reindex(order)
    rows["label"] = state.label[order]
    known = rows.score.notna()
    why = dict(zip(rows.index[known], suspects.reasons(bench, state, rows[known])))
    taken = state.loc[order]
    rows = rows.assign(
        sample=order,
        rank=pd.array([rank.get(s) for s in order], "Int64"),
        source_id=taken.key.to_numpy(),
        path=taken.uri.to_numpy(),
        given_label=rows.label,
        suggested_label=rows.suggestion,
        reason=[why.get(s, "too few of its class to judge") for s in order],
        random=[s in set(drawn) for s in order],
    )
    return rows[COLUMNS].reset_index(drop=True)


def progress(bench, state=None):
    """What the reviews say so far, as a dict: reviewed, wrong (label changed or sample dropped by a person), unsure; and from the random
    stratum alone looks, hits and errors_left (estimate, low, high), None before 30 looks. The stratum is the longest fully reviewed
    beginning of the bench's random order, so that a row somebody skipped cannot bias it; what a person is unsure of is no look."""
    state = bench.state() if state is None else state
    labelled = state[state.split.isin(("train", "val")) & state.given_label.notna()]
    reviewed = labelled[labelled.reviewed]
    wrong = (reviewed.label != reviewed.given_label) | ~reviewed.keep
    looks = hits = 0
    order = random_order(state)
    decided, erred = set(reviewed.index), set(reviewed.index[wrong])
    unsure = set(reviewed.index[reviewed.verdict == "unsure"])
    for sample in order:
        if sample not in decided:
            break
        if sample not in unsure:
            looks, hits = looks + 1, hits + (sample in erred)
    left = stats.errors_left(hits, looks, len(order))
    found = int(wrong.sum())
    if left is not None:  # of those outside the stratum; what the queue found there is no longer left
        left = tuple(max(0.0, x + hits - found) for x in left)
    return dict(
        reviewed=len(reviewed),
        wrong=found,
        unsure=len(unsure),
        population=len(order),
        looks=looks,
        hits=hits,
        errors_left=left,
    )
