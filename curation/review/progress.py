"""Count what was reviewed; estimate what is still wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from assay.curation.label_quality.flagging import flag_labels
from assay.curation.label_quality.linear_algebra import is_labelled
from assay.curation.label_quality.member_flags import flag_members
from assay.curation.label_quality.score_files import LabelScores, read_cuts, read_member_cuts
from assay.curation.label_quality.scoring import class_indices, read_targets
from assay.curation.statistics import errors_left, sampling
from assay.curation.statistics.sampling import random_order_rows
from assay.curation.storage.arrays import locate_hashes
from assay.curation.storage.interface import Bench
from assay.curation.storage.schema import END
from assay.curation.storage.top_probs import ask_others
from assay.curation.tasks.base import task_of
from assay.curation.tasks.multilabel import read_set
from assay.curation.versioning import states, votes
from assay.curation.versioning.class_list import order_classes
from assay.curation.versioning.class_names import offer_names
from assay.curation.versioning.live_edits import SPOKEN
from assay.curation.versioning.pointers import register_values
from assay.curation.versioning.version_names import names_at

if TYPE_CHECKING:
    import pandas as pd


GIVEN_THEN = f"""
with said as (
    select sample, seq, value ->> '$' as label, origin, origin_kind = 'import' as source from {SPOKEN}
    where field = 'label' {{only}}
    and sample in (select sample from edits where field = 'label' and {votes.PERSON})),
twice as (select sample from said where source group by 1 having count(*) > 1),
stands as (
    select sample, arg_max(origin, seq) as origin from said semi join twice using (sample)
    group by 1),
decided as (
    select sample, min(seq) as seq from said semi join stands using (sample, origin)
    where not source group by 1)
select sample, arg_max(label, s.seq) from said s join decided d using (sample)
where source and s.seq < d.seq group by 1"""


def find_wrong(bench: Bench, reviewed: pd.DataFrame) -> pd.Series:
    """Find the reviewed samples whose label was wrong, or that were dropped.

    reviewed: rows of a state. Returns a Series of bool. What counts is the label that was given when
    people decided: a source that has changed its labels since says nothing about what was found.
    """
    given = reviewed.given_label.copy()
    with bench.connect() as con:
        offer_names(con, END)
        few = len(reviewed) <= states.FEW
        if few:
            register_values(con, "wanted", list(reviewed.index))
        only = "and sample in (select sample from wanted)" if few else ""
        then = dict(con.execute(GIVEN_THEN.format(only=only)).fetchall())
    given.update(given.index.to_series().map(then).dropna())
    return ((reviewed.label != given) | ~reviewed.keep).astype(bool)


def summarize_reviews(
    bench: Bench, state: pd.DataFrame | None = None, population: int | None = None
) -> dict:
    """Count reviews, and estimate how many labels are wrong.

    Returns reviewed, wrong (label changed or sample dropped by a person), unsure, population; and from
    the random stratum alone sure_at_random, hits (of these, wrong), unsure_at_random, share of all
    labels that came wrong and errors_left, each (estimate, low, high), None before 30 drawn;
    share_between and errors_between: the estimates with all unsure ones right and all wrong, None where
    none was unsure.
    The stratum is the longest fully reviewed beginning of the bench's random order, so that a row
    somebody skipped cannot bias it. The intervals hold at every look of a session together.
    population: how many samples are in that order, where the state has not all of them.
    """
    state = bench.state() if state is None else state
    reviewed = state[
        state.reviewed & state.split.isin(("train", "val", "guard")) & state.given_label.notna()
    ]
    # samples that became a regression set later still count as reviewed
    guarded = reviewed.split == "guard"
    wrong = find_wrong(bench, reviewed)
    first = sampling.random_stratum(state)
    population = len(random_order_rows(state)) if population is None else population
    sure = first[(state.verdict.loc[first] != "unsure").to_numpy()]
    n, hits = len(sure), int(wrong.loc[sure].sum())
    came = errors_left.estimate_wrong(hits, n, population, len(first) - n)
    share = came and came.scale(1 / population)
    # errors that people found anywhere are no longer left
    left = came and came.scale(1, -int(wrong[~guarded].sum()))
    return dict(
        reviewed=len(reviewed),
        wrong=int(wrong.sum()),
        unsure=int((reviewed.verdict == "unsure").sum()),
        population=population + int(guarded.sum()),
        sure_at_random=n,
        hits=hits,
        unsure_at_random=len(first) - n,
        share=share and (share.estimate, share.low, share.high),
        share_between=share and share.between,
        errors_left=left and (left.estimate, left.low, left.high),
        errors_between=left and left.between,
    )


DRAWN = """select distinct sample from edits
where kind = 'edit' and suggested ->> 'random' = 'true'"""


def count_waiting(bench: Bench, state: pd.DataFrame) -> int:
    """Count the random reviews that do not count yet.

    A sample that was drawn before them is still to be reviewed.
    """
    order = sampling.random_order(state)
    reviewed = order[state.reviewed[order].to_numpy(bool)].difference(
        sampling.random_stratum(state)
    )
    return len(reviewed.intersection([sample for (sample,) in bench.rows(DRAWN)]))


def describe_waiting(review: dict, waiting: int) -> str:
    """Say how many random reviews do not count yet, and why.

    "" where all do.
    """
    counted = review["sure_at_random"] + review["unsure_at_random"]
    if not waiting:
        return ""
    return (
        f"{counted + waiting:,} drawn at random are decided, {counted:,} count: the others do when those "
        "that were drawn before them are decided, or a rate would leave out what is put off"
    )


def summarize_classes(bench: Bench, looks: pd.DataFrame | None) -> list[dict]:
    """Count what the random stratum says of each class.

    looks: as judge_stratum. Dicts of class (the given label), sure_at_random, hits (wrong), flagged (those whose given
    label the model flags now, out of sample), flagged_hits (of these wrong: its precision), clean (right),
    clean_flagged; [] where nothing is scanned. Rates take 30 drawn; rare classes are flagged more often
    than others, and this is where it shows.
    """
    if looks is None:
        return []
    looks = looks[~looks.unsure]
    if "flagged_classes" in looks:
        return summarize_members(bench, looks)
    given, wrong, doubted = (looks[name].to_numpy() for name in ("given", "wrong", "flagged"))
    out = []
    for name in order_classes(bench, set(given)):
        here = given == name
        counts = dict(
            sure_at_random=here,
            hits=here & wrong,
            flagged=here & doubted,
            flagged_hits=here & doubted & wrong,
        )
        counts |= dict(clean=here & ~wrong, clean_flagged=here & ~wrong & doubted)
        out.append({"class": name} | {k: int(v.sum()) for k, v in counts.items()})
    return out


def summarize_members(bench: Bench, looks: pd.DataFrame) -> list[dict]:
    """Count what the random stratum says of each class, where samples have several.

    A class is looked at where the given label names it, or the present one does: as summarize_classes.
    """
    given, now = (
        looks[name].map(lambda v: set(read_set(v)) if v else set()) for name in ("given", "now")
    )
    out = []
    for name in order_classes(bench, set().union(*given, *now)):
        had, has, doubted = (
            np.array([name in names for names in column], bool)
            for column in (given, now, looks.flagged_classes)
        )
        here, wrong = had | has, (had != has) | had & looks.dropped.to_numpy(bool)
        counts = dict(
            sure_at_random=here,
            hits=here & wrong,
            flagged=here & doubted,
            flagged_hits=here & doubted & wrong,
            clean=here & ~wrong,
            clean_flagged=here & ~wrong & doubted,
        )
        out.append({"class": name} | {k: int(v.sum()) for k, v in counts.items()})
    return out


def judge_stratum(
    bench: Bench, state: pd.DataFrame, kept: LabelScores | None
) -> pd.DataFrame | None:
    """Say of each look of the random stratum whether its given label is flagged.

    kept: the scores to go by. Frame by sample: given (label), unsure, wrong, flagged (by the model as it is now, out of
    sample); None where nothing is scanned.
    """
    import pandas as pd

    first = sampling.random_stratum(state)
    if kept is None:
        return None
    former = names_at(bench).former_of(state.label)
    classes = [former.get(name, name) for name in kept.classes]
    at = find_unsorted(kept.ids, np.asarray(first, "S32"))
    given = state.given_label.loc[first].to_numpy(object)
    if (task := task_of(bench)).several:
        y = read_targets(task, given, classes)
        return judge_members(bench, state.loc[first], kept, at, y)
    y = class_indices(given, classes)
    probs = ask_others(kept.pred_probs[at], kept.few)
    # a class too small to judge is doubted nowhere
    judged = (at >= 0) & (y >= 0) & ~kept.few[y]
    flagged = judged & flag_labels(y, probs, read_cuts(bench, len(classes)))
    wrong = find_wrong(bench, state.loc[first]).to_numpy()
    unsure = (state.verdict.loc[first] == "unsure").to_numpy()
    return pd.DataFrame(dict(given=given, unsure=unsure, wrong=wrong, flagged=flagged), first)


def judge_members(
    bench: Bench, looked: pd.DataFrame, kept: LabelScores, at: np.ndarray, y: np.ndarray
) -> pd.DataFrame:
    """Say of each look which memberships of its given label are flagged: see judge_stratum.

    looked: rows of a state. at (n,): their rows of `kept`. y (n, k): their given members. Further columns: now (label),
    dropped, flagged_classes (names).
    """
    import pandas as pd

    cuts = read_member_cuts(bench, len(kept.classes))
    flagged = flag_members(np.maximum(y, 0), kept.pred_probs[at], cuts) & ~kept.few
    flagged &= ((at >= 0) & is_labelled(y))[:, None]
    names = np.asarray(kept.classes, object)
    return pd.DataFrame(
        dict(
            given=looked.given_label.to_numpy(object),
            now=looked.label.to_numpy(object),
            dropped=~looked.keep.to_numpy(bool),
            unsure=(looked.verdict == "unsure").to_numpy(),
            wrong=find_wrong(bench, looked).to_numpy(),
            flagged=flagged.any(1),
            flagged_classes=[set(names[row]) for row in flagged],
        ),
        looked.index,
    )


class FlagPrecision(NamedTuple):
    """How many of the flagged labels are wrong, by looks at random."""

    sure_at_random: int  # flagged labels that were drawn at random, and somebody was sure of
    hits: int  # of these wrong
    unsure_at_random: int  # drawn too: they count as right at the lower end, as wrong at the upper
    low: float  # of all flagged labels so large a share is wrong at least, at all looks together, 95 %
    high: float

    def describe(self) -> str:
        doubt = f", {self.unsure_at_random} more unsure" if self.unsure_at_random else ""
        return (
            f"{self.hits} of {self.sure_at_random} that were drawn at random were wrong{doubt}"
            f" [{self.low:.0%}, {self.high:.0%}]"
        )


def measure_flags(looks: pd.DataFrame | None) -> FlagPrecision | None:
    """Measure how often a flag is right; looks: as judge_stratum.

    None before 30 looks, and where none of them was flagged.
    """
    if looks is None or len(looks) < errors_left.FEWEST or not looks.flagged.any():
        return None
    flagged = looks[looks.flagged]
    unsure, hits = int(flagged.unsure.sum()), int((flagged.wrong & ~flagged.unsure).sum())
    many = 100 * len(flagged)  # as good as endless: how many are flagged changes with every look
    low = errors_left.bound_wrong_anytime(hits, len(flagged), many)[0] / many
    high = errors_left.bound_wrong_anytime(hits + unsure, len(flagged), many)[1] / many
    return FlagPrecision(len(flagged) - unsure, hits, unsure, low, high)


def find_unsorted(known: np.ndarray, ids: np.ndarray) -> np.ndarray:
    """Find ids (n,) among unsorted ones: -1 where absent."""
    order = np.argsort(known, kind="stable")
    at = locate_hashes(known[order], ids)
    return np.where(at < 0, -1, order[at])


def describe_share(
    hits: int,
    sure: int,
    unsure: int,
    share: tuple[float, float, float] | None,
    between: tuple[float, float] | None,
) -> str:
    """Say how many labels reviewed at random were wrong.

    share: (estimate, low, high), None under 30. What somebody was unsure of counts as right at one end
    and as wrong at the other (`between`).
    """
    doubt = f", {unsure} more unsure" if unsure else ""
    if share is None:
        return f"{hits} of {sure}{doubt}, too few for a rate"
    middle = f"{share[0]:.1%}" if between is None else f"{between[0]:.1%} to {between[1]:.1%}"
    return f"{hits} of {sure}{doubt}, {middle} [{share[1]:.1%}, {share[2]:.1%}]"


def describe_random_rate(review: dict) -> str:
    """Say how many of all labels were wrong.

    By those that were reviewed at random. review: see progress.summarize_reviews.
    """
    return describe_share(
        review["hits"],
        review["sure_at_random"],
        review["unsure_at_random"],
        review["share"],
        review["share_between"],
    )


def describe_errors_left(review: dict) -> str | None:
    """Say how many wrong labels are left.

    None before 30 have been reviewed at random.
    """
    if review["errors_left"] is None:
        return None
    (estimate, low, high), between = review["errors_left"], review["errors_between"]
    middle = f"{estimate:,.0f}" if between is None else f"{between[0]:,.0f} to {between[1]:,.0f}"
    return f"{middle} [{low:,.0f}, {high:,.0f}]"
