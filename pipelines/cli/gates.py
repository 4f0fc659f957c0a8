"""The verbs by which a script guards a data set: regression sets that leave it for good, and gates that pass, or fail with the reason."""

from assay.curation.errors import UserError
from assay.curation.slicing import regression_sets
from assay.pipelines.cli.output import done, open_bench, progress, say
from assay.pipelines.evaluation.gates import FEW, judge


def guard(a):
    """freeze the regression sets of SLICES.toml, or a gap as one called NAME: with their near duplicates they leave train, val and pool for good"""
    bench, tell = open_bench(a), say(a)
    if a.from_gap is None and a.score is not None:
        raise UserError(
            "expected --score beside --from-gap, found it alone",
            "in a file of sets each has its own score",
        )
    sets, left_out = (
        (regression_sets.read_sets(a.slices), 0)
        if a.from_gap is None
        else regression_sets.of_gap(bench, a.slices, a.from_gap, a.score)
    )
    out = regression_sets.freeze(bench, sets, a.who)
    if a.from_gap is not None:
        a.slices = str(regression_sets.keep(bench, sets))
        out |= dict(file=a.slices, like_test=left_out)
        like = f"; {left_out:,} that nearly equal a test sample are left out" if left_out else ""
        tell(f"{a.slices} names the labelled val and pool samples of the gap, for the gate{like}")
    for s in out["sets"]:
        alike = f"; {s['like_test']:,} that nearly equal a test sample are left out" * bool(
            s["like_test"]
        )
        few = f", under {FEW}: a gate will state its power" * (s["n"] < FEW)
        tell(
            f"{s['name']}: {s['n']:,} samples ({s['new']:,} new to it), {s['near']:,} near duplicates, required {s['score']:.1%}{few}{alike}"
        )
    if out["batch"] is None:
        return done(
            a, out, f"frozen as it was; assay gate --no-regression {a.slices} -b {bench.given}"
        )
    left = ", ".join(f"{n:,} left {split}" for split, n in out["moved"].items()) or "nothing moved"
    tell(
        f"{out['batch']}: {left}; assay undo {out['batch']} -b {bench.given} takes a mistake back, and the sets are then not frozen"
    )
    done(
        a,
        out,
        f"assay scan -b {bench.given}, assay commit, and assay experiment on that version, which never sees them",
    )


def gate(a):
    """exit 1 with the reason unless the last experiment, or --plan's, gained enough and fell below no regression set's score"""
    from assay.pipelines.experiments.plan import last_plan, read_plan

    bench = open_bench(a)
    if a.min_gain is None and a.no_regression is None:
        raise UserError(
            "expected something to check, found nothing",
            "say --min-gain POINTS, --no-regression SLICES.toml, or both",
        )
    if not 0.5 < a.confidence < 1:
        raise UserError(
            f"expected a confidence between 0.5 and 1, found {a.confidence}",
            "for example --confidence 0.95",
        )
    if a.min_gain is not None and not -100 <= a.min_gain <= 100:
        raise UserError(
            f"expected a gain in points, from -100 to 100, found {a.min_gain}",
            "for example --min-gain 0.5",
        )
    plan = read_plan(a.plan) if a.plan else last_plan(bench)
    sets = regression_sets.read_sets(a.no_regression) if a.no_regression else None
    with progress("judging"):
        out = judge(bench, plan, a.min_gain, sets, a.confidence, a.no_regression)
    for c in out["checks"]:
        say(a)(f"{'pass' if c['passed'] else 'FAIL'}  {c['name']}: {c['reason']}")
    done(
        a,
        out,
        f"assay report -b {bench.given} shows all of it"
        if out["passed"]
        else f"assay report -b {bench.given} shows where it went wrong",
    )
    return int(not out["passed"])


def add(verb):
    """Register the verbs with the command line."""
    v = verb(guard, who=True)
    v.add_argument(
        "slices",
        metavar="SLICES.toml|NAME",
        help="sets: [NAME], query = 'select id ...' or samples = [...], score = 0.9",
    )
    v.add_argument(
        "--from-gap",
        metavar="GAP",
        help="freeze what is labelled of a gap (assay gaps) in val and pool, as the set NAME",
    )
    v.add_argument(
        "--score",
        type=float,
        metavar="S",
        help="what is required on it (default: the accuracy outside the gap)",
    )
    v = verb(gate)
    v.add_argument(
        "--plan",
        metavar="PLAN.toml",
        help="a plan whose runs are there (default: the last experiment)",
    )
    v.add_argument(
        "--min-gain",
        type=float,
        metavar="POINTS",
        help="what the last version must have gained over the first on the test set",
    )
    v.add_argument(
        "--no-regression",
        metavar="SLICES.toml",
        help="frozen sets (assay guard) that it must not fall below the score of",
    )
    v.add_argument(
        "--confidence",
        type=float,
        default=0.95,
        help="of each check, one-sided (default: %(default)s)",
    )
