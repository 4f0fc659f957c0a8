"""What to look at next: suspects in order, a random stratum among them, and what that stratum says about the labels not looked at."""

import json

import numpy as np

from curation import merge, stats, suspects, versions, votes
from curation.arrays import find, load
from curation.errors import UserError

SEED = 0  # names the one random order of a bench (see versions.by_draw); it depends on sample ids alone, so an import does not reshuffle it
COLUMNS = "rank sample source_id path given_label suggested_label score reason random".split()


def issues(bench, kind=None, version="HEAD", threshold=None):
    """Standing issues of a version as a frame kind, sample, source_id, path, split, label, score, suggestion, why; worst first. Issues of samples
    that are out, and label issues of reviewed ones, have been dealt with and are left out. What is about the whole names no sample. `threshold`:
    of one kind, whatever scores below it, in place of what the scan's own threshold found."""
    if threshold is not None:
        return located(bench, below(bench, kind, version, threshold), version)
    found = standing(bench, kind, version).sort_values(["kind", "score", "sample"], kind="stable")
    return located(bench, found, version)


def standing(bench, kind=None, version="HEAD", columns=suspects.COLUMNS):
    """As `issues`, in no order, those that have been dealt with, too, and without where each sample is from: some of the columns."""
    import pandas as pd

    found = of_people(bench, version)[list(columns)]
    if scanned(bench) or found.empty and kind not in PEOPLE:  # else there is nothing to wait for
        scan = suspects.issues(bench, version, columns)
        found = pd.concat([scan, found], ignore_index=True) if len(found) else scan
    if kind is not None and kind not in KINDS and kind not in set(found.kind):
        raise UserError(f"expected an issue kind, found {kind!r}", f"there are {', '.join(KINDS)}")
    return found[(found.kind == kind).to_numpy() if kind else slice(None)]


def below(bench, kind, version, threshold):
    """Whatever of one kind scores below a threshold, as suspects.issues has it."""
    import pandas as pd

    from curation.issues import below, unheld

    if kind is None or not 0 <= threshold <= 1:
        raise UserError(
            f"expected one kind and a threshold from 0 to 1, found {kind} and {threshold}", "for example: --kind outlier --threshold 0.3"
        )
    state = bench.state(version)
    if kind != "label":
        return below(bench, unheld(bench, state), kind, threshold)
    found = suspects.opinion(bench, version)
    found = found[found.score < threshold].sort_values("score", kind="stable")
    rows = dict(kind="label", sample=found.index, score=found.score.to_numpy(), suggestion=found.suggestion.to_numpy(object))
    return pd.DataFrame(rows | dict(why=suspects.reasons(bench, state, found)))


def undecided(state, found):
    """Issues (frame kind, sample, ...) without those that have been dealt with, and where in the state each one's sample is, -1 for none."""
    rows = state.index.get_indexer(found["sample"])
    keep, reviewed = (np.append(state[column].to_numpy(bool), False)[rows] for column in ("keep", "reviewed"))
    open_ = keep & ~(reviewed & (found.kind == "label").to_numpy())
    open_ |= found.kind.isin(("leakage", *PEOPLE, *WHOLE)).to_numpy()  # some are out because they leak, others because somebody dropped them
    return found[open_], rows[open_]


def located(bench, found, version):
    """Issues with where each sample is from, without those that have been dealt with."""
    state = bench.state(version)
    found, rows = undecided(state, found)
    said = {c: np.append(state[c].to_numpy(object), None)[rows] for c in ("key", "uri", "split", "label")}
    said["label"][np.isin(said["split"], ("test", "guard"))] = None
    found = found.assign(source_id=said["key"], path=said["uri"], split=said["split"], label=said["label"])
    return found[["kind", "sample", "source_id", "path", "split", "label", "score", "suggestion", "why"]].reset_index(drop=True)


PEOPLE = ("merge_conflict", "reviewer_disagreement")
COPIES = ("conflicting_duplicates", "exact_duplicates", "near_duplicate", "leakage")
PICTURES = ("truncated", "dark", "light", "blurry", "low_information", "grayscale", "odd_size", "odd_aspect_ratio")
WHOLE = ("class_imbalance", "spurious_correlations", "drift")
KINDS = (*PEOPLE, "label", *COPIES, "outlier", *PICTURES, *WHOLE)


def of_people(bench, version="HEAD"):
    """Where people contradict each other, as issues: conflicts of merges, then disagreements."""
    import pandas as pd

    upto, state = versions.position(bench, versions.root(version)), bench.state(version)
    return pd.concat([merge.conflicts(bench, state, upto), votes.disagreements(bench, state, upto)], ignore_index=True)


def scanned(bench):
    return bool(bench.rows("select 1 from meta where key = 'scan'"))


def random_order(state):
    """Every labelled train and val sample, kept or dropped by a person, in the bench's random order: the frame of all rates. An index of ids."""
    return state.index[places(state)]


def places(state):
    """Where in the state each sample of the random order is."""
    global _order
    of, drawn = _order
    if not state.index.is_(of):  # to draw a million takes a second, and samples change far more seldom than their labels
        drawn = versions.draws(state.index.tolist(), SEED)
        _order = state.index, drawn
    use = state.split.isin(("train", "val")) & state.given_label.notna() & (state.keep | state.reviewed)
    return drawn[use.to_numpy()[drawn]]


_order = None, None  # the samples that were asked for last, and the places of the first, second, ... drawn of them


def queue(bench, n=200, random=0.05, version="HEAD", again=0.0, who=""):
    """What people contradict each other about, then the n worst labels that nobody has reviewed, mixed with random * n samples drawn uniformly
    (`random` True; some may be among the worst) and again * n that others have reviewed and `who` has not (with the label they came with, so
    that two people's judgements can be compared): frame rank (None where only drawn), sample, source_id, path, given_label, suggested_label,
    score, reason, random."""
    if n < 1 or not 0 <= random <= 1 or not 0 <= again <= 1:
        raise UserError(
            f"expected n of at least 1, random and again from 0 to 1, found {n}, {random} and {again}", "for example: -n 200 --random 0.05"
        )
    state, between = bench.state(version), of_people(bench, version)
    found = suspects.opinion(bench, version) if between.empty or scanned(bench) else None
    second = versions.by_draw(others(bench, who, state).intersection(random_order(state)), "again")[: round(n * again)] if again else ()
    return lined_up(bench, state, found, between, n, round(n * random), second)


def lined_up(bench, state, found, between, n, draws, second=()):
    """The queue of a state, from what the model makes of its labels (None where nothing is scanned) and what people contradict each other about:
    see queue."""
    import pandas as pd

    between, order, extra = between.drop_duplicates("sample"), [], []
    drawn = places(state)
    drawn = state.index[drawn[~state.reviewed.to_numpy()[drawn]][:draws]] if found is not None and len(found) else ()
    found = pd.DataFrame(columns=["label", "score", "suggestion", "confidence"]) if found is None else found[~found.reviewed]
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
    why = dict(zip(rows.index[judged], suspects.reasons(bench, state, rows[judged]))) if judged.any() else {}
    why |= dict.fromkeys(second, "somebody else has looked at it: what do you say?") | dict(zip(first, between.why))
    suggestion, score = rows.suggestion.astype(object), rows.score.astype(float)
    suggestion[first], score[first] = between.suggestion.to_numpy(object), between.score.to_numpy(float)
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
    rows = bench.rows("select sample, bool_or(who = ?) from edits where batch like 'edit-%' group by sample", [who])
    return {s for s, mine in rows if not mine and s in state.index and state.reviewed[s]}


GIVEN_THEN = f"""
with said as (
    select sample, seq, value ->> '$' as label, origin, origin like 'import-%' as source from edits
    where field = 'label' and sample in (select sample from edits where field = 'label' and {votes.PERSON})),
twice as (select sample from said where source group by 1 having count(*) > 1),
stands as (select sample, arg_max(origin, seq) as origin from said semi join twice using (sample) group by 1),
decided as (select sample, min(seq) as seq from said semi join stands using (sample, origin) where not source group by 1)
select sample, arg_max(label, s.seq) from said s join decided d using (sample) where source and s.seq < d.seq group by 1"""


def found_wrong(bench, reviewed):
    """Of samples that people reviewed, a state: in which they found the label wrong or dropped the sample, a Series of bool. What counts is the
    label that was given when they decided: a source that has changed its labels since says nothing about what was found."""
    given = reviewed.given_label.copy()
    then = dict(bench.rows(GIVEN_THEN))
    given.update(given.index.to_series().map(then).dropna())
    return ((reviewed.label != given) | ~reviewed.keep).astype(bool)


def progress(bench, state=None):
    """What the reviews say so far, as a dict: reviewed, wrong (label changed or sample dropped by a person), unsure; and from the random
    stratum alone looks (sure ones), hits, unsure_looks, share of all labels that came wrong and errors_left, each (estimate, low, high), None before 30
    looks; share_between and errors_between: the estimates with all unsure looks right and all wrong, None where none was unsure. The stratum is the
    longest fully reviewed beginning of the bench's random order, so that a row somebody skipped cannot bias it. The intervals hold at every look of a
    session together."""
    state = bench.state() if state is None else state
    reviewed = state[state.reviewed & state.split.isin(("train", "val", "guard")) & state.given_label.notna()]
    guarded = reviewed.split == "guard"  # what was frozen as a regression set since was reviewed all the same
    wrong = found_wrong(bench, reviewed)
    first, population = versions.stratum(state), len(places(state))
    sure = first[(state.verdict.loc[first] != "unsure").to_numpy()]
    looks, hits = len(sure), int(wrong.loc[sure].sum())
    came, found = stats.count_wrong(hits, looks, population, len(first) - looks), int(wrong.sum())
    share = came and came.scaled(1 / population)
    left = came and came.scaled(1, -int(wrong[~guarded].sum()))  # what people found anywhere is no longer left
    return dict(
        reviewed=len(reviewed),
        wrong=found,
        unsure=int((reviewed.verdict == "unsure").sum()),
        population=population + int(guarded.sum()),
        looks=looks,
        hits=hits,
        unsure_looks=len(first) - looks,
        share=share and (share.estimate, share.low, share.high),
        share_between=share and share.between,
        errors_left=left and (left.estimate, left.low, left.high),
        errors_between=left and left.between,
    )


def by_class(bench, state):
    """What the random stratum says of each class, as dicts: class (the given label), looks (sure ones), hits (wrong), flagged (looks whose given label
    the model doubts now, out of sample), flagged_hits (of these wrong: its precision), clean (right), clean_flagged; [] where nothing is
    scanned. Rates take 30 looks; rare classes are doubted more often than others, and this is where it shows."""
    kept = load(bench.arrays / "opinion.npz", ["ids", "pred_probs", "classes", "few"])
    first = versions.stratum(state)
    sure = first[(state.verdict.loc[first] != "unsure").to_numpy()]
    if kept is None or not len(sure):
        return []
    classes = np.array(json.loads(str(kept["classes"])), object)
    at = find_sorted(kept["ids"], np.asarray(sure, "S32"))
    given = state.given_label.loc[sure].to_numpy(object)
    said = classes[np.where(kept["few"], 0, kept["pred_probs"][at]).argmax(1)]
    judged = (at >= 0) & ~np.isin(given.astype(str), classes[kept["few"]].astype(str))  # a class too small to judge is doubted nowhere
    wrong = found_wrong(bench, state.loc[sure]).to_numpy()
    doubted = judged & (said != given)
    out = []
    for name in sorted(set(given)):
        here = given == name
        counts = dict(looks=here, hits=here & wrong, flagged=here & doubted, flagged_hits=here & doubted & wrong)
        counts |= dict(clean=here & ~wrong, clean_flagged=here & ~wrong & doubted)
        out.append({"class": name} | {k: int(v.sum()) for k, v in counts.items()})
    return out


def find_sorted(known, ids):
    """Where each of `ids` (n,) is among `known`, in no order: -1 where it is not."""
    order = np.argsort(known, kind="stable")
    at = find(known[order], ids)
    return np.where(at < 0, -1, order[at])
