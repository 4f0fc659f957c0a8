"""The verbs by which a script guards a data set: regression sets that leave it for good, and gates that pass, or fail with the reason."""

from curation import guards, stats
from curation.errors import UserError
from pipelines.terminal import done, open_bench, progress, say

FEW = 30  # samples of a regression set below which a gate states what it could see
FALL = 0.2  # the fall in accuracy that it speaks of


def guard(a):
    """freeze the regression sets of SLICES.toml, or a gap as one called NAME: with their near duplicates they leave train, val and pool for good"""
    bench, tell = open_bench(a), say(a)
    if a.from_gap is None and a.score is not None:
        raise UserError("expected --score beside --from-gap, found it alone", "in a file of sets each has its own score")
    sets, left_out = (guards.read_sets(a.slices), 0) if a.from_gap is None else guards.of_gap(bench, a.slices, a.from_gap, a.score)
    out = guards.freeze(bench, sets, a.who)
    if a.from_gap is not None:
        a.slices = str(guards.keep(bench, sets))
        out |= dict(file=a.slices, like_test=left_out)
        like = f"; {left_out:,} that nearly equal a test sample are left out" if left_out else ""
        tell(f"{a.slices} names the labelled val and pool samples of the gap, for the gate{like}")
    for s in out["sets"]:
        alike = f"; {s['like_test']:,} that nearly equal a test sample are left out" * bool(s["like_test"])
        few = f", under {FEW}: a gate will state its power" * (s["n"] < FEW)
        tell(f"{s['name']}: {s['n']:,} samples ({s['new']:,} new to it), {s['near']:,} near duplicates, required {s['score']:.1%}{few}{alike}")
    if out["batch"] is None:
        return done(a, out, f"frozen as it was; assay gate --no-regression {a.slices} -b {bench.given}")
    left = ", ".join(f"{n:,} left {split}" for split, n in out["moved"].items()) or "nothing moved"
    tell(f"{out['batch']}: {left}; assay undo {out['batch']} -b {bench.given} takes a mistake back, and the sets are then not frozen")
    done(a, out, f"assay scan -b {bench.given}, assay commit, and assay experiment on that version, which never sees them")


def gate(a):
    """exit 1 with the reason unless the last experiment, or --plan's, gained enough and fell below no regression set's score"""
    from pipelines.plan import last_plan, read_plan

    bench = open_bench(a)
    if a.min_gain is None and a.no_regression is None:
        raise UserError("expected something to check, found nothing", "say --min-gain POINTS, --no-regression SLICES.toml, or both")
    if not 0.5 < a.confidence < 1:
        raise UserError(f"expected a confidence between 0.5 and 1, found {a.confidence}", "for example --confidence 0.95")
    if a.min_gain is not None and not -100 <= a.min_gain <= 100:
        raise UserError(f"expected a gain in points, from -100 to 100, found {a.min_gain}", "for example --min-gain 0.5")
    plan = read_plan(a.plan) if a.plan else last_plan(bench)
    sets = guards.read_sets(a.no_regression) if a.no_regression else None
    with progress("judging"):
        out = judge(bench, plan, a.min_gain, sets, a.confidence, a.no_regression)
    for c in out["checks"]:
        say(a)(f"{'pass' if c['passed'] else 'FAIL'}  {c['name']}: {c['reason']}")
    done(
        a,
        out,
        f"assay report -b {bench.given} shows all of it" if out["passed"] else f"assay report -b {bench.given} shows where it went wrong",
    )
    return int(not out["passed"])


def judge(bench, plan, min_gain=None, sets=None, confidence=0.95, given="SLICES.toml"):
    """A plan's finished runs against what is required: dict passed, plan (its question), confidence, checks. `min_gain`: points that the last
    version must have gained over the first; `sets`: regression sets (see guards.read_sets) of which it may fall below none. Each check is a dict
    check (gain or regression), name, passed, estimate, low, high (one-sided bounds; of several regressions each as Holm judges it, so that all together
    fail by chance in at most 1 - `confidence` of runs), required, n, seeds, reason, ...; fractions.
    UserError for what cannot be judged: runs that are missing, sets that are not frozen, or that a run was trained on."""
    from pipelines.plan import cells, missing

    if min_gain is not None and (len(plan["versions"]) < 2 or len(plan["seeds"]) < 2):
        raise UserError(
            f"expected two versions or more and two seeds or more, found {len(plan['versions'])} and {len(plan['seeds'])}: "
            "without them no gain of a recipe can be told",
            'for example versions = ["v1", "v2"] and seeds = 5 in the plan',
        )
    asked = guards.standing(bench, sets, given) if sets else {}
    wanted = cells(bench, plan)
    for name, samples in asked.items():
        refuse_seen(bench, name, samples, [c for c in wanted if c["version"] == plan["versions"][-1]])
    if todo := missing(wanted):
        raise UserError(f"expected {len(wanted)} finished runs, found {len(todo)} missing", "run: assay experiment PLAN.toml")
    checks = [] if min_gain is None else [gain(bench, plan, wanted, min_gain / 100, confidence)]
    family = [answers(bench, plan, wanted, name, samples, arch, sets[name]["score"]) for name, samples in asked.items() for arch in plan["architectures"]]
    for own, alpha in zip(family, stats.holm_alphas([own["p"] for own in family], 1 - confidence)):
        checks.append(regression(own, alpha, confidence, len(family)))
    return dict(passed=all(c["passed"] for c in checks), plan=plan["question"], confidence=confidence, checks=checks)


def refuse_seen(bench, name, samples, own):
    """UserError where a run of `own` was trained on the set, or on what is nearly the same: it would be asked what it was told."""
    from pipelines.plan import training_set

    known = samples.union(list(guards.alike(bench, bench.state().assign(keep=True), samples)))  # dropped since, it was seen all the same
    for version in dict.fromkeys(c["at"] for c in own):
        seen = training_set(bench, version).index.intersection(known)
        if len(seen):
            raise UserError(
                f"expected {version} to be trained without the regression set {name!r}, found {len(seen):,} of its samples or their near duplicates "
                f"in train, first {seen[0]}",
                "commit a version made since it was frozen (assay guard moves copies that came later, too), name it last in the plan, and run "
                "assay experiment",
            )


def gain(bench, plan, wanted, required, confidence):
    """Is the gain of the last version over the first at least `required`, by its one-sided lower bound?"""
    from curation import queue, runs
    from pipelines.compare import data, points
    from pipelines.ruler import Ruler, clean, test_labels, trust

    first, last, archs = plan["versions"][0], plan["versions"][-1], plan["architectures"]
    test, version = test_labels(bench, plan), plan.get("test") or "HEAD"
    given, truth, known = clean(bench, test, version)
    ruler = Ruler(bench, [c for c in wanted if c["version"] in (first, last)], given, truth, known["n"], known["doubted"])
    runs.look(bench, {c["key"] for c in wanted})  # all of them, so that the plan's own report is the same look
    e = ruler.contrast(data(archs, last, first))
    same = {c["key"] for c in wanted if c["version"] == last} == {c["key"] for c in wanted if c["version"] == first}
    low, high = (0.0, 0.0) if same else (e.lower(confidence), e.upper(confidence))
    sure = f"at {confidence:.0%} confidence"
    if same:
        why = "the same training labels, so no gain at all"
    elif low >= required:
        why = f"at least {points(low)} points {sure}"
    else:
        enough = required + e.at(2 * confidence - 1).smallest_effect()
        why = f"no more than {points(low)} points is sure {sure}; here a true gain of {points(enough)} points would pass four times in five"
    lost = sum(len(s) for s in ruler.diverged.values())
    worked = (
        f"{e.n:,} test samples, {' and '.join(map(str, dict.fromkeys(e.seeds)))} seeds"
        + f", {lost} runs diverged and are left out" * (lost > 0)
    )
    bounds = f"one-sided {100 * confidence:.3g} % bounds [{points(low)}, {points(high)}]"  # the report's intervals are two-sided, and wider
    trusted = trust(bench.rules(version).get("test") or {}, queue.progress(bench, bench.state()), known)
    return dict(
        check="gain",
        name=f"gain of {last} over {first}",
        passed=bool(low >= required),
        version=last,
        against=first,
        estimate=e.estimate,
        low=low,
        high=high,
        required=required,
        n=e.n,
        seeds=e.seeds,
        reason=f"{points(e.estimate)} points, {bounds}, required {points(required)}: {why} ({worked})" + f"; {trusted}" * bool(trusted),
    )


def answers(bench, plan, wanted, name, samples, arch, required):
    """What one architecture, trained on the plan's last version, answers to a regression set: dict set, version, arch, required, truth (m,), said (S, m),
    lost (runs that diverged), p (of being below what is required)."""
    import numpy as np

    from curation import power, runs

    version = plan["versions"][-1]
    own = [c for c in wanted if (c["version"], c["arch"]) == (version, arch)]
    worked, truth = [c for c in own if c["failed"] is None], bench.state().label[samples]
    if not worked:
        raise UserError(f"expected a run of {arch} on {version} that worked, found all diverged", "change the plan")
    said = np.array([runs.said(bench, c["key"], samples) for c in worked], object)
    truth, lost = truth.to_numpy(object), len(own) - len(worked)
    p = power.p_below(said == truth, required)
    return dict(set=name, version=version, arch=arch, required=required, truth=truth, said=said, lost=lost, p=p)


def regression(own, alpha, confidence, k):
    """Is the accuracy in `own` (see answers) shown to be below what is required, at `alpha`, which Holm leaves it among k checks?"""
    from curation import power
    from pipelines.compare import points

    truth, said, required, level = own["truth"], own["said"], own["required"], 1 - alpha
    found = power.below(said == truth, required, level)
    n, passed, sure = found["n"], found["verdict"] != "below", f"at {confidence:.0%} confidence"
    sure += f", Holm over the {k} checks asked" * (k > 1)
    caught = power.chance_to_catch(n, required, max(0.0, required - FALL), level)
    why = {"below": f"below it {sure}", "at least": f"not below it {sure}"}.get(found["verdict"], f"not shown to be below it {sure}")
    if not passed:
        why += f"; {mistaken(truth, said)}"
    if n < FEW:
        fall = f"a fall from {points(required, False)} to {points(max(0.0, required - FALL), False)} %"
        why += f"; with {n} samples {fall} would be caught in {caught:.0%} of cases"
    seeds = f"{len(said)} seeds" if len(said) > 1 else "one seed: this trained model, not the recipe"
    lost = f", {own['lost']} runs diverged and are left out" * (own["lost"] > 0)
    bounds = f"one-sided {100 * level:.3g} % bounds [{points(found['lower'], False)}, {points(found['upper'], False)}]"
    accuracy = f"accuracy {points(found['estimate'], False)} %, {bounds}, required {points(required, False)} %"
    return dict(
        check="regression",
        name=f"{own['set']}, {own['arch']} on {own['version']}",
        passed=passed,
        asked=k,
        p=own["p"],
        **{key: own[key] for key in ("set", "version", "arch")},
        estimate=found["estimate"],
        low=found["lower"],
        high=found["upper"],
        required=required,
        n=n,
        seeds=[len(said)],
        would_catch=found["would_catch"],
        power=dict(fall=FALL, chance=caught),
        reason=f"{accuracy}: {why} ({n:,} samples, {seeds}{lost})",
    )


def mistaken(truth, said):
    """The commonest mistake in words: truth (m,), said (S, m)."""
    from collections import Counter

    wrong = Counter((t, s) for row in said for t, s in zip(truth, row) if t != s)
    (t, s), n = wrong.most_common(1)[0]
    return f"{n:,} of {wrong.total():,} wrong answers take {t} for {s or 'nothing it knows'}"


def add(verb):
    """Register the verbs with the command line."""
    v = verb(guard, who=True)
    v.add_argument("slices", metavar="SLICES.toml|NAME", help="sets: [NAME], query = 'select id ...' or samples = [...], score = 0.9")
    v.add_argument("--from-gap", metavar="GAP", help="freeze what is labelled of a gap (assay gaps) in val and pool, as the set NAME")
    v.add_argument("--score", type=float, metavar="S", help="what is required on it (default: the accuracy outside the gap)")
    v = verb(gate)
    v.add_argument("--plan", metavar="PLAN.toml", help="a plan whose runs are there (default: the last experiment)")
    v.add_argument("--min-gain", type=float, metavar="POINTS", help="what the last version must have gained over the first on the test set")
    v.add_argument("--no-regression", metavar="SLICES.toml", help="frozen sets (assay guard) that it must not fall below the score of")
    v.add_argument("--confidence", type=float, default=0.95, help="of each check, one-sided (default: %(default)s)")
