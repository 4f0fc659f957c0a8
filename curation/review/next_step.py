"""The one thing to do next with a bench, with its reason in figures: what a page shows first, and what `assay status` prints."""

from assay.curation.storage.schema import END
from assay.curation.times import now
from assay.curation.versioning.live_edits import SLOT, TOGGLES

STALE = 3600  # seconds after which open decisions wait for a version
SESSION = 200  # decisions that are worth a version, and a measurement
# samples about which decisions stand that were made in a span of the log
COUNT = f"""with {TOGGLES}
select count(distinct e.sample), max(e.ts) from (select *, {SLOT} as slot from edits where batch like 'edit-%' and seq > $since and seq <= $to) e
anti join dead d on e.batch = d.batch and e.sample = d.sample and e.slot = d.slot"""
MANY = 0.01  # share of the train and val labels from which on flagged ones are worth a review


def next_step(bench, status, state, found, waits, at=None):
    """dict do, why, command, page (where it is done), for the bench as it stands. status: what history.status found so far; state: the bench's;
    found: its issues, None where it `waits` (a UserError says what for). No test label is asked."""
    work, here = decisions(bench), f" -b {bench.given}"
    for rule in (
        fill,
        scan,
        settle,
        hold_out,
        keep,
        measure,
        audit,
        review,
        keep_anyway,
        measure_anyway,
        gaps,
        look,
    ):
        if step := rule(
            dict(
                bench=bench,
                status=status,
                state=state,
                found=found,
                waits=waits,
                work=work,
                now=at or now(),
            )
        ):
            do, why, command, page = step
            return dict(do=do, why=why, command=command.removesuffix(here) + here, page=page)
    why = f"{status['review']['reviewed']:,} labels are reviewed, and nothing else asks for a decision."
    return dict(do="Train on it", why=why, command=f"assay export -o FOLDER{here}", page="overview")


def decisions(bench):
    """What people decided: dict open (samples, since the last version), last (when), fresh (samples, between the last version with a training
    and the last version), measured and newest (these versions, or None)."""
    commits = bench.rows("select name, upto from commits order by upto, ts")
    trained = {v for (v,) in bench.rows("select distinct version from runs where failed is null")}
    newest = commits[-1] if commits else (None, 0)
    measured = next((c for c in reversed(commits) if c[0] in trained), (None, 0))
    (opened, last), (fresh, _) = (
        bench.rows(COUNT, dict(since=since, to=to, upto=END))[0]
        for since, to in ((newest[1], END), (measured[1], newest[1]))
    )
    return dict(open=opened, last=last, fresh=fresh, measured=measured[0], newest=newest[0])


def fill(b):
    if not b["status"]["samples"]:
        return (
            "Import a data set",
            "This bench holds no samples yet.",
            "assay import SOURCE",
            "overview",
        )


def scan(b):
    from assay.curation.features.scan_settings import rescan

    if b["waits"] is None:
        return None
    if not b["waits"].hint.startswith("run: assay scan"):
        return (
            "Mend this first",
            f"{b['waits'].problem[:1].upper()}{b['waits'].problem[1:]}: {b['waits'].hint}.",
            next(
                (
                    way
                    for way in ("assay check --repair", "assay restore")
                    if way in b["waits"].hint
                ),
                "assay status",
            ),
            "overview",
        )
    never = not b["bench"].rows("select 1 from meta where key = 'scan'")
    why = (
        f"None of its {b['status']['samples']:,} images is judged yet."
        if never
        else "What was imported since the last scan is not judged yet."
    )
    return "Scan", why, rescan(b["bench"]), "overview"


def settle(b):
    n = int(b["found"].kind.isin(("merge_conflict", "reviewer_disagreement")).sum())
    if n:
        return (
            "Settle where people disagree",
            f"{n:,} labels have no majority: they come first in the queue.",
            "assay queue -n 200",
            "review",
        )


def hold_out(b):
    from assay.curation.features.scan_settings import rescan
    from assay.curation.issues.leakage import restored

    leaks = b["found"][b["found"].kind == "leakage"]
    leaks = leaks[
        b["state"].keep.reindex(leaks["sample"]).eq(True).to_numpy()
        & ~leaks["sample"].isin(restored(b["bench"]))
    ]
    if len(leaks):
        of = b["status"]["splits"].get("train", 0)
        why = f"{len(leaks):,} samples ({of:,} in train) equal or nearly equal one that is held back to judge by, so accuracy there flatters. "
        return (
            "Hold out leakage",
            why + "Where that is meant, an edit keep=true says so.",
            rescan(b["bench"]),
            "overview",
        )


def keep(b):
    work, quiet = (
        b["work"],
        (b["now"] - b["work"]["last"]).total_seconds() if b["work"]["last"] else 0,
    )
    if work["open"] and (quiet > STALE or work["open"] >= SESSION):
        since = (
            f"{work['open']:,} samples were decided about since {work['newest'] or 'the import'}"
        )
        old = f", the last one {quiet / 3600:,.0f} hours ago" if quiet > STALE else ""
        return (
            "Commit",
            f"{since}{old}: a version can be measured, and a backup is kept with it.",
            "assay commit -m '...'",
            "history",
        )


def measure(b):
    work = b["work"]
    if work["fresh"]:
        span = f"between {work['measured'] or 'the import'} and {work['newest']}"
        why = f"{work['fresh']:,} samples were decided about {span}, and what that gained is not known."
        return "Measure the gain", why, "assay experiment PLAN.toml", "experiments"


def audit(b):
    from assay.curation.review.progress import found_wrong

    status, state = b["status"], b["state"]
    if (
        not status["runs"]
        or not status["test"]
        or status["test"]["audited"]
        or status["audit"]["n"]
    ):
        return None
    looked = state[(state.split == "val") & state.keep & state.reviewed & state.given_label.notna()]
    wrong = int(found_wrong(b["bench"], looked).sum())
    if wrong:
        why = f"{wrong:,} of {len(looked):,} reviewed val labels were wrong, and nobody has looked at the {status['test']['n']:,} test labels by which "
        return (
            "Audit the test labels",
            why + "every version is judged.",
            "assay audit -n 200",
            "audit",
        )


def review(b):
    status = b["status"]
    flagged, of = (
        status["issues"].get("label", 0),
        sum(status["splits"].get(s, 0) for s in ("train", "val")),
    )
    if flagged >= max(10, MANY * of):
        why = f"{flagged:,} of {of:,} train and val labels look wrong to a model that did not see them, and nobody has reviewed these. "
        done = status["review"]
        so_far = (
            f"Of {done['reviewed']:,} reviewed so far {done['wrong']:,} were wrong."
            if done["reviewed"]
            else "The worst come first."
        )
        return "Review", why + so_far, "assay queue -n 200 --csv queue.csv", "review"


def keep_anyway(b):
    if b["work"]["open"]:
        why = f"{b['work']['open']:,} samples were decided about since {b['work']['newest'] or 'the import'}."
        return "Commit", why, "assay commit -m '...'", "history"


def measure_anyway(b):
    if b["work"]["newest"] and not b["work"]["measured"]:
        why = f"{b['work']['newest']} has no training yet: without one nobody knows what these labels are worth."
        return "Measure where it stands", why, "assay experiment PLAN.toml", "experiments"


def gaps(b):
    from assay.curation.slicing.gaps import last

    for row in last(b["bench"])[:1]:
        why = f"{row['gap']}: {row['why']}."
        return "Look at what the data do not show", why[:1].upper() + why[1:], "assay gaps", "gaps"


def look(b):
    seen = b["status"]["review"]
    drawn = seen["looks"] + seen["unsure_looks"]
    if drawn < min(30, seen["population"]):
        why = (
            f"{drawn:,} of the 30 random looks are done that an estimate of the errors left takes."
        )
        return (
            "Look at random samples",
            why,
            "assay queue -n 30 --random 1 --csv queue.csv",
            "review",
        )
