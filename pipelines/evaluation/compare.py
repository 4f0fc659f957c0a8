"""What the finished cells of a plan say on the locked test set: every difference with its interval, its control and a verdict in words."""

import json

from assay.curation.errors import UserError
from assay.curation.review import audit, progress, rates
from assay.curation.statistics import estimates as stats
from assay.curation.statistics import multiple_testing
from assay.curation.statistics.power import audits_needed, needed
from assay.curation.statistics.wording import interval, points
from assay.curation.times import localize
from assay.curation.versioning import expressions, history
from assay.pipelines.evaluation import costs, slice_effects
from assay.pipelines.evaluation.test_set import UNAUDITED, Ruler, clean, fairness, numbers, trust
from assay.pipelines.experiments.plan import (
    AUTOMATIC,
    cells,
    control_of,
    missing,
    own_control,
    test_labels,
)
from assay.pipelines.jobs import job_files


def compare(bench, plan):
    """The plan's matrix judged on the locked test set, as one dict of plain numbers (fractions; the report prints points): cells, effects,
    control, interaction, costs, where it helped, fairness, interval, verdict and what is needed to run it again."""
    wanted, failed = ended(bench, plan)
    plan, wanted, dead = living(plan, wanted)
    review, seconds = (
        progress.progress(bench, bench.state()),
        dict(bench.rows("select key, seconds from runs")),
    )
    test, ruler, about, trusted = judge(bench, plan, wanted, review)
    margin = (
        plan["margin"] / 100 if about["audited"] else None
    )  # against unaudited labels nothing is too small to matter
    found = gains(bench, plan, wanted, ruler, margin, review)
    primary, diverged = (
        found["interval"],
        dead + [dict(version=v, arch=a, seeds=sorted(s)) for (v, a), s in ruler.diverged.items()],
    )
    diverged = without(diverged, failed)
    others = [e for e in found["effects"] if e["kind"] == "architecture"]
    code = bench.rows(
        "select distinct code from runs where key in (select unnest(?)) order by code",
        [[c["key"] for c in wanted]],
    )
    return dict(
        question=plan["question"],
        verdict=sentence(bench, plan, primary, trusted, found["power"], ruler, diverged, failed),
        **found,
        cells=[cell_of(own, ruler, seconds) for own in by_cell(wanted).values()],
        diverged=diverged,
        failed=failed,
        margin=plan["margin"] / 100,
        n_test=len(test),
        test=about,
        fairness=fairness(bench, plan, wanted, test),
        review=review,
        costs=costs.costs(bench, plan, wanted, primary, others, seconds),
        where=slice_effects.where(bench, plan, ruler, test, wanted, margin) if primary else None,
        seeds=plan["seeds"],
        seeds_note=seeds_note(plan),
        tree={c["version"]: c["tree"] for c in wanted},
        code=[c for (c,) in code],
        plan=plan,
    )


def ended(bench, plan):
    """(the cells of a plan, those that failed: dicts version, arch, seed, error). Both diverged and failed ones are left out of what is judged;
    UserError where some were never tried, or were stopped."""
    wanted, said = (
        cells(bench, plan),
        {job["name"]: job["error"] for job in job_files.states(bench) if job["state"] == "failed"},
    )
    if todo := [c for c in missing(wanted) if c["key"] not in said]:
        raise UserError(
            f"expected {len(wanted)} finished runs, found {len(todo)} missing",
            "run: assay experiment PLAN.toml",
        )
    wanted = [c if c["done"] else c | dict(failed=said[c["key"]]) for c in wanted]
    return wanted, [
        dict(version=c["version"], arch=c["arch"], seed=c["seed"], error=c["failed"])
        for c in wanted
        if not c["done"]
    ]


def without(diverged, failed):
    """`diverged` less the cells that `failed`, which have no number either, but another reason."""
    named = {(f["version"], f["arch"], f["seed"]) for f in failed}
    left = [
        d | dict(seeds=[s for s in d["seeds"] if (d["version"], d["arch"], s) not in named])
        for d in diverged
    ]
    return [d for d in left if d["seeds"]]


def judge(bench, plan, wanted, review):
    """(the test samples, the cells as their labels judge them, what is known of these labels, what they are worth in words)."""
    test, version = test_labels(bench, plan), plan.get("test") or "HEAD"
    rule, (given, truth, known) = (
        bench.rules(version).get("test") or {},
        clean(bench, test, version),
    )
    about = dict(
        n=len(test), hash=rule.get("hash"), audited=bool(rule.get("audited") or known["n"])
    )
    about |= dict(noise=rates.random_rate(review))
    about |= (
        dict(
            audit={k: known[k] for k in ("n", "audited", "of", "unsure")}
            | dict(noise=audit.noise(bench, "test"))
        )
        if known["audited"]
        else {}
    )
    return (
        test,
        Ruler(bench, wanted, given, truth, known["n"], known["doubted"]),
        about,
        trust(rule, review, known),
    )


def gains(bench, plan, wanted, ruler, margin, review):
    """What each change was worth: the effects that the plan asks for, its main one (the last version against the first), what this test could see, and
    what stands beside it: the gain in each cell, of the controls and of the ceiling."""
    archs, first, kinds = (
        plan["architectures"],
        plan["versions"][0],
        {c["version"]: c["kind"] for c in wanted},
    )
    effects = judged(ruler, effects_of(plan, wanted), margin)
    primary = next((e for e in effects[::-1] if e["kind"] == "data"), None)
    interaction = next((e for e in effects if e["kind"] == "interaction"), None)
    control, no_control = random_control(bench, plan, ruler, primary, review)
    others = [v for v in kinds if v != first] if "data" in plan["effects"] else []
    return dict(
        effects=effects,
        interval=primary,
        interval_reason=None if primary else nothing(plan),
        interaction=interaction,
        interaction_reason=None if interaction else no_interaction(plan),
        power=powers(ruler, plan, primary, len(effects)) if primary else None,
        control=control,
        control_reason=no_control,
        beside=[
            b | ruler.numbers(data(archs, b["version"], b["against"]))
            for b in beside(bench, plan, kinds)
        ],
        per_architecture=[
            effect("data", v, first, arch=a) | ruler.numbers(data([a], v, first))
            for v in others
            for a in archs
        ],
    )


def by_cell(wanted):
    """{(version, architecture): its runs, one a seed}, in the order of the matrix."""
    out = {
        (v, a): []
        for v in dict.fromkeys(c["version"] for c in wanted)
        for a in dict.fromkeys(c["arch"] for c in wanted)
    }
    for c in wanted:
        out[c["version"], c["arch"]].append(c)
    return out


def living(plan, wanted):
    """The plan and its cells without the architectures that diverged or failed with every seed of some version, and which those are: no effect can be
    told of them, and the others need not wait for it."""
    dead = [
        dict(version=v, arch=a, seeds=[c["seed"] for c in own])
        for (v, a), own in by_cell(wanted).items()
        if all(c["failed"] for c in own)
    ]
    lost = {d["arch"] for d in dead}
    archs = [a for a in plan["architectures"] if a not in lost]
    if not archs:
        how = next(c["failed"] for c in wanted if c["failed"])
        found = f"all diverged or failed, first {dead[0]['arch']} on {dead[0]['version']}: {how}"
        raise UserError(f"expected an architecture that trains, found {found}", "change the plan")
    return plan | dict(architectures=archs), [c for c in wanted if c["arch"] not in lost], dead


def effect(kind, version, against, **more):
    return (
        dict(kind=kind, name=f"{version} against {against}", version=version, against=against)
        | more
    )


def beside(bench, plan, kinds):
    """What the data effect stands beside: the controls and the ceiling against the first version, each automatic fix against its own control."""
    named, first = control_of(bench, plan), plan["versions"][0]
    if "data" not in plan["effects"]:
        return []
    out = [
        effect("control" if v == named else kind, v, first)
        for v, kind in kinds.items()
        if kind != "version"
    ]
    own = {v: own_control(bench, v) for v, kind in kinds.items() if kind == "version"}
    return out + [effect("beyond chance", v, c) for v, c in own.items() if c in kinds]


def data(archs, version, against):
    """Weights {cell: w}: one version against another, the mean over architectures."""
    return {(version, a): 1 / len(archs) for a in archs} | {
        (against, a): -1 / len(archs) for a in archs
    }


def effects_of(plan, wanted):
    """The effects that the plan asks for, (dict kind, name, version, against; weights): each version against the first where their training
    labels differ, each architecture against the first, and whether the one depends on the other."""
    archs, (first, *later), asked = plan["architectures"], plan["versions"], plan["effects"]
    trees = {}
    for c in wanted:
        trees.setdefault(c["version"], set()).add(c["train_tree"])
    other = [v for v in later if trees[v] != trees[first]]
    for v in other if "data" in asked else ():
        yield effect("data", v, first), data(archs, v, first)
    for a in archs[1:] if "architecture" in asked else ():
        each = 1 / len(plan["versions"])
        yield (
            effect("architecture", a, archs[0]),
            {(v, b): each * s for v in plan["versions"] for b, s in ((a, 1), (archs[0], -1))},
        )
    for v in other if "interaction" in asked else ():
        for a in archs[1:]:
            named = effect("interaction", v, first) | dict(
                name=f"{v} against {first}, {a} against {archs[0]}", arch=a
            )
            yield named, {(v, a): 1, (first, a): -1, (v, archs[0]): -1, (first, archs[0]): 1}


def judged(ruler, effects, margin):
    """Each effect with its 95 % interval, p, Holm's p over all of them, and a verdict in words."""
    effects = list(effects)
    estimates = [ruler.contrast(weights) for _, weights in effects]
    if not effects:
        return []
    wide, adjusted = (
        multiple_testing.holm_intervals(estimates),
        multiple_testing.holm([e.p for e in estimates]),
    )
    return [
        about
        | ruler.uncorrected(weights)
        | numbers(e)
        | dict(p=e.p, p_holm=float(p), verdict=stats.verdict(w, margin))
        for (about, weights), e, w, p in zip(effects, estimates, wide, adjusted)
    ]


def powers(ruler, plan, primary, k):
    """What this experiment could see, as strictly as Holm judges the first of k effects: dict(smallest (the effect seen four times in five), asked
    (the size asked about), power (of seeing that), and any of which would see it four times in five, None where it alone cannot: audited (labels of
    the `of` test samples, where these are audited in part), samples (where they are: all audited), seeds)."""
    weights, asked = (
        data(plan["architectures"], primary["version"], primary["against"]),
        plan.get("effect", plan["margin"]) / 100,
    )
    e, use = ruler.contrast(weights).at(1 - 0.05 / k), [c for c in ruler.Y if weights.get(c)]
    out = dict(
        asked=asked or None,
        smallest=e.smallest_effect(),
        power=None,
        audited=None,
        of=None,
        samples=None,
        seeds=None,
    )
    if asked and e.seeds_known:
        Y, given, w = (
            [ruler.Y[c] for c in use],
            [ruler.plain[c] for c in use],
            [weights[c] for c in use],
        )
        more = (
            audits_needed(Y, given, ruler.n, asked, w, level=e.level)
            if ruler.part
            else needed(Y, asked, w, level=e.level)
        )
        out |= (
            dict(power=e.power(asked), of=e.n if ruler.part else None, samples=more.pop("m")) | more
        )
    return out


def random_control(bench, plan, ruler, primary, review):
    """(the random control, or None; why there is none). Real where a version is one; for a review that nobody did at random, what the random
    stratum says that as many random looks would have found; else absent."""
    name, archs = control_of(bench, plan), plan["architectures"]
    if primary is None:
        return None, "nothing to compare with chance"
    v, first = primary["version"], primary["against"]
    if name:
        out = effect("control", name, first) | ruler.numbers(data(archs, name, first))
        out |= dict(
            beyond=ruler.numbers(data(archs, v, name)),
            seed="of the cell" if AUTOMATIC.match(v) and not plan.get("control") else None,
        )
        return out | dict(
            review=progress.progress(bench, bench.state(name))
            if name in set(bench.commits().name)
            else None,
            estimated=False,
        ), None
    found = stratum(bench, first, v)
    if found is None or found["looks"] + found["unsure"] < audit.ENOUGH:
        few = (
            f"{found['looks'] + found['unsure']:,} of the {audit.ENOUGH} random looks that an estimate takes"
            if found
            else "nobody reviewed at random"
        )
        return None, f"no random control: {few}, and the plan names no control version"
    return found | dict(kind="control", estimated=True), None


def stratum(bench, first, last):
    """What the random stratum of the reviews between two versions says that as many random looks would have found: dict(looks, hits, unsure, reviews,
    found, would_find (estimate, low, high; all unsure looks right at the low end and wrong at the high one)); None where there is no such stratum."""
    if expressions.is_expression(first) or expressions.is_expression(last):
        return None
    was, now = (progress.progress(bench, bench.state(v)) for v in (first, last))
    looks, hits, unsure, n, found = (
        now[k] - was[k] for k in ("looks", "hits", "unsure_looks", "reviewed", "wrong")
    )
    if looks < 1 or n < 1:
        return None
    share = (
        hits / looks,
        stats.wilson(hits, looks + unsure)[0],
        stats.wilson(hits + unsure, looks + unsure)[1],
    )
    return dict(
        looks=looks,
        hits=hits,
        unsure=unsure,
        reviews=n,
        found=found,
        would_find=[n * x for x in share],
    )


def cell_of(own, ruler, seconds):
    """One cell of the matrix from its runs."""
    version, arch = own[0]["version"], own[0]["arch"]
    accuracy, balanced = ruler.accuracies(version, arch)
    return dict(
        version=version,
        kind=own[0]["kind"],
        arch=arch,
        train_tree=own[0]["train_tree"],
        n_train=own[0]["n_train"],
        accuracy=numbers(accuracy) | ruler.uncorrected({(version, arch): 1}),
        balanced=numbers(balanced),
        seed_spread=accuracy.seed_spread[0],
        diverged=sorted(ruler.diverged.get((version, arch), [])),
        seconds=sum(seconds.get(c["key"], 0.0) for c in own),
    )


def seeds_note(plan):
    if len(plan["seeds"]) == 1:
        return "one seed: these trained models only, not the recipe"
    return (
        "fewer than 5 seeds: where seed spreads differ much, intervals are somewhat short"
        if len(plan["seeds"]) < 5
        else None
    )


def nothing(plan):
    """Why there is no data effect."""
    if len(plan["versions"]) == 1:
        return "one version: nothing to compare"
    return (
        "nothing to compare: the versions have the same training labels"
        if "data" in plan["effects"]
        else "the plan asks for no data effect"
    )


def no_interaction(plan):
    return (
        "needs two versions and two architectures"
        if "interaction" in plan["effects"]
        else "the plan does not ask for it"
    )


ANSWERS = {
    "helps": "Yes",
    "helps (too small to matter)": "Yes, but too small to matter",
    "hurts": "No",
    "hurts (too small to matter)": "No",
}
ANSWERS |= {"too small to matter": "No, too small to matter", "no evidence either way": "Not shown"}


def sentence(bench, plan, primary, trust, power, ruler, diverged, failed):
    """The verdict: its answer first, then its conditions, then what to do next."""
    lost = left_out(ruler, diverged, failed)
    if primary is None:
        return f"{nothing(plan)}{trust and '; ' + trust}{lost}."
    seeds, archs, said = max(primary["seeds"]), plan["architectures"], primary["verdict"]
    was, now = (
        ruler.contrast({(v, a): 1 / len(archs) for a in archs}).estimate
        for v in (primary["against"], primary["version"])
    )
    n, mean = (
        reviews_between(bench, primary["against"], primary["version"]),
        f" (mean of {' and '.join(archs)})" * (len(archs) > 1),
    )
    subject = f"{n:,} review{'s' * (n > 1)}" if n else primary["version"]
    moved = (
        "left"
        if now == was
        else "moved"
        if said == "no evidence either way"
        else "raised"
        if now > was
        else "lowered"
    )
    span = (
        f"from {points(was, False)} to {points(now, False)} %"
        if now != was
        else f"at {points(was, False)} %"
    )
    out = f"{ANSWERS[said]}: {subject} {moved} accuracy{mean} {span}, {interval(primary)}, {primary['name']}"
    out += "" if seeds > 1 else " (these trained models only, not the recipe)"
    out += f", {said}" * (said == "no evidence either way") + f"; {trust}" * bool(trust)
    if said == "no evidence either way":
        if primary["low"] > 0 or primary["high"] < 0:
            out += f"; its own interval excludes zero, but not after Holm's correction for all effects that were tested (p {primary['p_holm']:.2f})"
        few = f"{primary['n']:,} test samples and {seeds} seed{'s' * (seeds > 1)}"
        out += f"; {few} would show an effect of {points(power['smallest'], False)} points or more{enough(power)}"
    return f"{out}{lost}. Next: {next_step(primary, trust)}."


def next_step(primary, trust):
    """What to do after a verdict."""
    if trust.startswith(UNAUDITED):
        return f"audit test labels blind (assay audit -n {min(200, primary['n'])}): no run is trained again"
    first, last = (
        f"'{v}'" if expressions.is_expression(v) else v
        for v in (primary["against"], primary["version"])
    )
    return {
        "helps": f"train on {last}, and go on while the last third of the reviews still gains",
        "hurts": f"keep {first}, and see what changed (assay diff {first} {last})",
        "no evidence either way": "review more and measure again, or add what would show it",
    }.get(primary["verdict"].split(" (")[0], "see which slices gained, or change the model")


def reviews_between(bench, first, last):
    """How many labels people reviewed between two versions; 0 where one is an expression."""
    if expressions.is_expression(first) or expressions.is_expression(last):
        return 0
    was, now = (progress.progress(bench, bench.state(v))["reviewed"] for v in (first, last))
    return max(0, now - was)


def left_out(ruler, diverged, failed):
    """How many runs say nothing, and why, as the end of the verdict."""
    n, k = sum(len(d["seeds"]) for d in diverged), len(failed)
    of = n + k + sum(len(s) for s in ruler.said.values())
    out = f"; {n} of {of} runs diverged and are left out" if n else ""
    if failed:
        first = failed[0]
        out += f"; {k} of {of} runs failed and are left out, first {first['arch']} on {first['version']}, seed {first['seed']}: {first['error']}"
    return out


def enough(power):
    """What it would take to see the effect that was asked about, where that is not seen four times in five."""
    if not power["asked"] or power["power"] is None or power["power"] >= 0.8:
        return ""
    of = power["of"]
    ways = [f"{power['audited']:,} of the {of:,} test labels audited"] if power["audited"] else []
    ways += (
        [f"{power['samples']:,} test samples{', all audited' if of else ''}"]
        if power["samples"]
        else []
    )
    ways += [f"{power['seeds']:,} seeds"] if power["seeds"] else []
    more = f"both more {'audited test labels' if of else 'test samples'} and more seeds"
    return f", and {points(power['asked'], False)} points would take {' or '.join(ways) or more}"


def report_data(bench, plan):
    """compare(), with the commits and the last batches of the log."""
    log = history.batches(bench)
    log = log[(log.kind == "commit") | (log.index >= len(log) - 50)]
    return compare(bench, plan) | dict(log=json.loads(localize(log).to_json(orient="records")))
