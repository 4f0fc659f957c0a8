"""Suggest what to do next, and say why."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple

from assay.curation.errors import NotScanned, UserError
from assay.curation.features.scan_settings import rescan_command, uses_tiny_images
from assay.curation.issues.leakage import find_restored
from assay.curation.media.base import media_of
from assay.curation.review.progress import find_wrong
from assay.curation.slicing.gaps import load_last_gaps
from assay.curation.storage.interface import Bench
from assay.curation.storage.schema import END
from assay.curation.text import format_count
from assay.curation.times import now
from assay.curation.versioning.live_edits import SLOT, TOGGLES

if TYPE_CHECKING:
    import pandas as pd

STALE = 3600  # seconds after which open decisions wait for a version
SESSION = 200  # decisions that are worth a version, and a measurement
MANY = 0.01  # share of the train and val labels from which on flagged ones are worth a review
FEW = 10  # flagged labels that are worth none
ENOUGH = 30  # samples reviewed at random that an estimate of the errors left takes
# samples about which decisions stand that were made in a span of the log, and when the last was
COUNT = f"""with {TOGGLES}
select count(distinct e.sample), max(e.ts) from (
    select *, {SLOT} as slot from edits
    where kind = 'edit' and seq > $since and seq <= $to) e
anti join dead d on e.batch = d.batch and e.sample = d.sample and e.slot = d.slot"""


class Step(NamedTuple):
    """What to do next."""

    do: str
    why: str  # with figures
    command: str
    page: str  # where it is done


@dataclass(frozen=True)
class Decisions:
    """How many samples people decided about, and since when it is not measured."""

    open: int  # since the last version
    last: datetime | None  # when the last of these was made
    fresh: int  # between the last version with a run and the last version
    measured: str | None  # the last version with a run
    newest: str | None  # the last version


@dataclass(frozen=True)
class Situation:
    """What a step depends on. No test label is asked."""

    bench: Bench
    status: dict  # what status.summarize_bench knows so far
    state: pd.DataFrame
    issues: pd.DataFrame | None  # None where something must be done first
    waits: UserError | None  # which says what
    decisions: Decisions
    now: datetime

    def samples_with(self, *kinds: str) -> pd.Series:
        """The samples of all open issues of some kinds."""
        assert self.issues is not None, "the rules before have seen to what is waited for"
        return self.issues[self.issues.kind.isin(kinds)]["sample"]


def suggest_step(
    bench: Bench,
    status: dict,
    state: pd.DataFrame,
    issues: pd.DataFrame | None,
    waits: UserError | None,
    at: datetime | None = None,
) -> dict:
    """Suggest the first step whose time has come: {do, why, command, page}.

    For the bench as it stands; see Situation.
    """
    decisions = count_decisions(bench)
    situation = Situation(bench, status, state, issues, waits, decisions, at or now())
    step = next(filter(None, (rule(situation) for rule in RULES)))
    here = f" -b {bench.given}"
    return step._replace(command=step.command.removesuffix(here) + here)._asdict()


def count_decisions(bench: Bench) -> Decisions:
    """Count decisions since the last version, and the last measured one."""
    with bench.connect() as con:
        asked = con.execute("select name, upto from commits order by upto, ts")
        commits = asked.fetchall()
        asked = con.execute("select distinct version from runs where failed is null")
        trained = {v for (v,) in asked.fetchall()}
        newest = commits[-1] if commits else (None, 0)
        measured = next((c for c in reversed(commits) if c[0] in trained), (None, 0))
        opened, last = con.execute(COUNT, dict(since=newest[1], to=END, upto=END)).fetchall()[0]
        span = dict(since=measured[1], to=newest[1], upto=END)
        fresh, _ = con.execute(COUNT, span).fetchall()[0]
    return Decisions(opened, last, fresh, measured[0], newest[0])


# ---- the rules: each says what to do, or None where its time has not come


def suggest_import(now: Situation) -> Step | None:
    if now.status["samples"]:
        return None
    why = "This bench holds no samples yet."
    return Step("Import a data set", why, "assay import SOURCE", "overview")


def suggest_repair(now: Situation) -> Step | None:
    if now.waits is None or isinstance(now.waits, NotScanned):
        return None
    problem, hint = now.waits.problem, now.waits.hint
    ways = [way for way in ("assay check --repair", "assay restore") if way in hint]
    why = f"{problem[:1].upper()}{problem[1:]}: {hint}."
    return Step("Mend this first", why, ways[0] if ways else "assay status", "overview")


def suggest_scan(now: Situation) -> Step | None:
    if now.waits is None:
        return None
    why = "What was imported since the last scan is not judged yet."
    if not now.bench.rows("select 1 from meta where key = 'scan'"):
        why = f"None of its {format_count(now.status['samples'], media_of(now.bench).name)} is judged yet."
    return Step("Scan", why, rescan_command(now.bench), "overview")


def suggest_settling(now: Situation) -> Step | None:
    n = len(now.samples_with("merge_conflict", "reviewer_disagreement"))
    if not n:
        return None
    why = f"{format_count(n, 'label', 'has', 'have')} no majority: what has none comes first in the queue."
    return Step("Settle where people disagree", why, "assay queue -n 200", "review")


def suggest_holding_out(now: Situation) -> Step | None:
    """Hold out leakage, but for samples that somebody put in again."""
    leaks = now.samples_with("leakage")
    if not len(leaks):  # to ask who put which back goes through the whole log
        return None
    kept = now.state.keep.reindex(leaks).eq(True).to_numpy()
    n = int((kept & ~leaks.isin(find_restored(now.bench)).to_numpy()).sum())
    if not n:
        return None
    train = now.status["splits"].get("train", 0)
    equal = "equals or nearly equals" if n == 1 else "equal or nearly equal"
    why = (
        f"{format_count(n, 'sample')} ({train:,} in train) {equal} one that is held back to judge "
        "by, so accuracy there flatters. Where that is meant, an edit keep=true says so."
    )
    return Step("Hold out leakage", why, rescan_command(now.bench), "overview")


def suggest_commit(now: Situation) -> Step | None:
    """Commit a session's work, or what is an hour old."""
    made = now.decisions
    quiet = (now.now - made.last).total_seconds() if made.last else 0
    if not made.open or (quiet <= STALE and made.open < SESSION):
        return None
    old = f", the last one {quiet / 3600:,.0f} hours ago" if quiet > STALE else ""
    why = f"{describe_open(made)}{old}: a version can be measured, and a backup is kept with it."
    return Step("Commit", why, "assay commit -m '...'", "history")


def suggest_measuring(now: Situation) -> Step | None:
    made = now.decisions
    if not made.fresh:
        return None
    span = f"between {made.measured or 'the import'} and {made.newest}"
    decided = format_count(made.fresh, "sample", "was", "were")
    why = f"{decided} decided about {span}, and what that gained is not known."
    return Step("Measure the gain", why, "assay experiment", "experiments")


def suggest_audit(now: Situation) -> Step | None:
    """Audit the test labels where val's were wrong."""
    status, state = now.status, now.state
    test = status["test"]
    if not status["runs"] or not test or test["audited"] or status["audit"]["n"]:
        return None
    reviewed = state[
        (state.split == "val") & state.keep & state.reviewed & state.given_label.notna()
    ]
    wrong = int(find_wrong(now.bench, reviewed).sum())
    if not wrong:
        return None
    why = (
        f"{wrong:,} of {len(reviewed):,} reviewed val labels were wrong, and nobody has looked at "
        f"the {format_count(test['n'], 'test label')} by which every version is judged."
    )
    return Step("Audit the test labels", why, f"assay audit -n {min(200, test['n'])}", "audit")


def suggest_embedder(now: Situation) -> Step | None:
    """Scan with lite0, where tiny images do not tell the classes apart."""
    weak = now.status["weak_model"]
    if not weak or not uses_tiny_images(now.bench):
        return None
    why = f"{weak[:1].upper()}{weak[1:]}."
    return Step("Scan with another embedder", why, "assay scan --embedder lite0", "overview")


def suggest_review(now: Situation) -> Step | None:
    """Review while many labels are flagged, and what that gains is not too little."""
    if (now.status["outlook"] or {}).get("stop"):
        return None
    flagged = now.status["issues"].get("label", 0)
    of = sum(now.status["splits"].get(split, 0) for split in ("train", "val"))
    if flagged < max(FEW, MANY * of):
        return None
    done, so_far = now.status["review"], "The worst come first."
    if done["reviewed"]:
        so_far = f"Of {done['reviewed']:,} reviewed so far {done['wrong']:,} were wrong."
    why = (
        f"{flagged:,} of {of:,} train and val labels look wrong to a model that did not see them, "
        f"and nobody has reviewed these. {so_far}"
    )
    if now.status["weak_model"]:
        why += " But many of these flags are the model's own errors: see the note."
    return Step("Review", why, "assay queue -n 200 --csv queue.csv", "review")


def suggest_small_commit(now: Situation) -> Step | None:
    """Commit even little: there is nothing more to review."""
    if not now.decisions.open:
        return None
    return Step("Commit", f"{describe_open(now.decisions)}.", "assay commit -m '...'", "history")


def suggest_first_run(now: Situation) -> Step | None:
    if not now.decisions.newest or now.decisions.measured:
        return None
    worth = "without one nobody knows what these labels are worth"
    why = f"{now.decisions.newest} has no run yet: {worth}."
    return Step("Measure where it stands", why, "assay experiment", "experiments")


def suggest_gaps(now: Situation) -> Step | None:
    for row in load_last_gaps(now.bench)[:1]:
        why = f"{row['gap']}: {row['why']}."
        why = why[:1].upper() + why[1:]
        return Step("Look at the gaps", why, "assay gaps", "gaps")
    return None


def suggest_random_review(now: Situation) -> Step | None:
    """Review at random, until the errors left can be estimated."""
    review = now.status["review"]
    n = review["sure_at_random"] + review["unsure_at_random"]
    if n >= min(ENOUGH, review["population"]):
        return None
    why = f"{format_count(n, 'sample', 'is', 'are')} reviewed at random; an estimate of the errors left takes {ENOUGH}."
    command = f"assay queue -n {ENOUGH} --random 1 --csv queue.csv"
    return Step("Review random samples", why, command, "review")


def suggest_training(now: Situation) -> Step:
    n = now.status["review"]["reviewed"]
    why = f"{format_count(n, 'label', 'is', 'are')} reviewed, and nothing else asks for a decision."
    return Step("Train on it", why, "assay export -o FOLDER", "overview")


# in this order: the first that has something to say is the next step
RULES = (
    suggest_import,
    suggest_repair,
    suggest_scan,
    suggest_settling,
    suggest_holding_out,
    suggest_commit,
    suggest_measuring,
    suggest_audit,
    suggest_embedder,
    suggest_review,
    suggest_small_commit,
    suggest_first_run,
    suggest_gaps,
    suggest_random_review,
    suggest_training,
)


def describe_open(made: Decisions) -> str:
    return f"{format_count(made.open, 'sample', 'was', 'were')} decided about since {made.newest or 'the import'}"
