"""Judge a model before it is released: did it gain, did it fall?"""

from assay.curation.errors import UserError
from assay.curation.slicing import regression_sets
from assay.curation.statistics import multiple_testing

FEW = 30  # samples of a regression set below which a gate states what it could see
FALL = 0.2  # the fall in accuracy that it speaks of


def judge(bench, plan, min_gain=None, sets=None, confidence=0.95, given="SLICES.toml"):
    """A plan's finished runs against what is required: dict passed, plan (its question), confidence, checks. `min_gain`: points that the last
    version must have gained over the first; `sets`: regression sets (see guards.read_sets) of which it may fall below none. Each check is a dict
    check (gain or regression), name, passed, estimate, low, high (one-sided bounds; of several regressions each as Holm judges it, so that all together
    fail by chance in at most 1 - `confidence` of runs), required, n, seeds, reason, ...; fractions.
    UserError for what cannot be judged: runs that are missing, sets that are not frozen, or that a run was trained on."""
    from assay.pipelines.experiments.plan import cells, missing

    if min_gain is not None and (len(plan["versions"]) < 2 or len(plan["seeds"]) < 2):
        raise UserError(
            f"expected two versions or more and two seeds or more, found {len(plan['versions'])} and {len(plan['seeds'])}: "
            "without them no gain of a recipe can be told",
            'for example versions = ["v1", "v2"] and seeds = 5 in the plan',
        )
    asked = regression_sets.standing(bench, sets, given) if sets else {}
    wanted = cells(bench, plan)
    for name, samples in asked.items():
        refuse_seen(
            bench, name, samples, [c for c in wanted if c["version"] == plan["versions"][-1]]
        )
    if todo := missing(wanted):
        raise UserError(
            f"expected {len(wanted)} finished runs, found {len(todo)} missing",
            "run: assay experiment PLAN.toml",
        )
    checks = [] if min_gain is None else [gain(bench, plan, wanted, min_gain / 100, confidence)]
    family = [
        answers(bench, plan, wanted, name, samples, arch, sets[name]["score"])
        for name, samples in asked.items()
        for arch in plan["architectures"]
    ]
    for own, alpha in zip(
        family, multiple_testing.holm_alphas([own["p"] for own in family], 1 - confidence)
    ):
        checks.append(regression(own, alpha, confidence, len(family)))
    return dict(
        passed=all(c["passed"] for c in checks),
        plan=plan["question"],
        confidence=confidence,
        checks=checks,
    )


def refuse_seen(bench, name, samples, own):
    """UserError where a run of `own` was trained on the set, or on what is nearly the same: it would be asked what it was told."""
    from assay.pipelines.experiments.plan import training_set

    known = samples.union(
        list(regression_sets.alike(bench, bench.state().assign(keep=True), samples))
    )  # dropped since, it was seen all the same
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
    from assay.curation.predictions import runs
    from assay.curation.review import progress
    from assay.curation.statistics.wording import points
    from assay.pipelines.evaluation.compare import data
    from assay.pipelines.evaluation.test_set import Ruler, clean, trust
    from assay.pipelines.experiments.plan import test_labels

    first, last, archs = plan["versions"][0], plan["versions"][-1], plan["architectures"]
    test, version = test_labels(bench, plan), plan.get("test") or "HEAD"
    given, truth, known = clean(bench, test, version)
    ruler = Ruler(
        bench,
        [c for c in wanted if c["version"] in (first, last)],
        given,
        truth,
        known["n"],
        known["doubted"],
    )
    runs.look(
        bench, {c["key"] for c in wanted}
    )  # all of them, so that the plan's own report is the same look
    e = ruler.contrast(data(archs, last, first))
    same = {c["key"] for c in wanted if c["version"] == last} == {
        c["key"] for c in wanted if c["version"] == first
    }
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
    trusted = trust(
        bench.rules(version).get("test") or {}, progress.progress(bench, bench.state()), known
    )
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
        reason=f"{points(e.estimate)} points, {bounds}, required {points(required)}: {why} ({worked})"
        + f"; {trusted}" * bool(trusted),
    )


def answers(bench, plan, wanted, name, samples, arch, required):
    """What one architecture, trained on the plan's last version, answers to a regression set: dict set, version, arch, required, truth (m,), said (S, m),
    lost (runs that diverged), p (of being below what is required)."""
    import numpy as np

    from assay.curation.predictions import runs
    from assay.curation.statistics import power

    version = plan["versions"][-1]
    own = [c for c in wanted if (c["version"], c["arch"]) == (version, arch)]
    worked, truth = [c for c in own if c["failed"] is None], bench.state().label[samples]
    if not worked:
        raise UserError(
            f"expected a run of {arch} on {version} that worked, found all diverged",
            "change the plan",
        )
    said = np.array([runs.said(bench, c["key"], samples) for c in worked], object)
    truth, lost = truth.to_numpy(object), len(own) - len(worked)
    p = power.p_below(said == truth, required)
    return dict(
        set=name,
        version=version,
        arch=arch,
        required=required,
        truth=truth,
        said=said,
        lost=lost,
        p=p,
    )


def regression(own, alpha, confidence, k):
    """Is the accuracy in `own` (see answers) shown to be below what is required, at `alpha`, which Holm leaves it among k checks?"""
    from assay.curation.statistics import power
    from assay.curation.statistics.wording import points

    truth, said, required, level = own["truth"], own["said"], own["required"], 1 - alpha
    found = power.below(said == truth, required, level)
    n, passed, sure = found["n"], found["verdict"] != "below", f"at {confidence:.0%} confidence"
    sure += f", Holm over the {k} checks asked" * (k > 1)
    caught = power.chance_to_catch(n, required, max(0.0, required - FALL), level)
    why = {"below": f"below it {sure}", "at least": f"not below it {sure}"}.get(
        found["verdict"], f"not shown to be below it {sure}"
    )
    if not passed:
        why += f"; {mistaken(truth, said)}"
    if n < FEW:
        fall = (
            f"a fall from {points(required, False)} to {points(max(0.0, required - FALL), False)} %"
        )
        why += f"; with {n} samples {fall} would be caught in {caught:.0%} of cases"
    seeds = (
        f"{len(said)} seeds" if len(said) > 1 else "one seed: this trained model, not the recipe"
    )
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
