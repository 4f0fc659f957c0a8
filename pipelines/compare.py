"""What the finished cells of a plan say on the locked test set: every difference with its interval, its control and a verdict in words."""

import json

import numpy as np

from curation import history, queue, stats, versions
from curation.errors import UserError
from pipelines.experiment import cells, rows_of, training_set


def right(bench, key, truth):
    """0/1 (m,): did this run predict the label that each sample of `truth` (Series id -> label) has?"""
    folder = bench.arrays / "runs"
    ids = np.load(folder / f"{key}.ids.npy", allow_pickle=False)
    probs = np.load(folder / f"{key}.npy", mmap_mode="r", allow_pickle=False)
    classes = np.array(json.loads(str(np.load(folder / f"{key}.classes.npy", allow_pickle=False))), dtype=object)
    at = np.searchsorted(ids, np.asarray(truth.index, "S32"))
    return (classes[probs[at].argmax(1)] == truth.to_numpy(dtype=object)).astype("u1")


def compare(bench, plan):
    """The plan's matrix judged on the locked test set, as one dict of plain numbers (fractions; the report prints points): cells, effects,
    control, interaction, interval, verdict and what is needed to run it again."""
    wanted = cells(bench, plan)
    missing = [c for c in wanted if not c["done"]]
    if missing:
        raise UserError(f"expected {len(wanted)} finished runs, found {len(missing)} missing", "run: assay experiment PLAN.toml")
    state = bench.state()
    test = state[state.keep & (state["split"] == "test") & state.label.notna()].sort_index()
    if not len(test):
        raise UserError("expected labelled test samples, found none", "import a test split")
    truth, rule = test.label, bench.rules().get("test") or {}
    Y, archs, rows, seeds = {}, plan["architectures"], rows_of(plan), plan["seeds"]
    for c in wanted:
        Y.setdefault((c["version"], c["arch"]), []).append(right(bench, c["key"], truth))
    Y = {k: np.array(v, float) for k, v in Y.items()}
    margin = plan["margin"] / 100 if rule.get("audited") else None  # against unaudited labels nothing is too small to matter

    def contrast(weights):
        use = [c for c in Y if weights.get(c)]
        return stats.contrast([Y[c] for c in use], [weights[c] for c in use])

    def data(version, against, over=archs):
        return contrast({(version, a): 1 / len(over) for a in over} | {(against, a): -1 / len(over) for a in over})

    first, later = plan["versions"][0], plan["versions"][1:]
    effects, estimates = [], []

    def effect(kind, name, e, **more):
        effects.append(dict(kind=kind, name=name, **more))
        estimates.append(e)

    for v in later:
        if train_trees(wanted, v) != train_trees(wanted, first):
            effect("data", f"{v} against {first}", data(v, first), version=v, against=first)
    for a in archs[1:]:
        w = {(v, a): 1 / len(plan["versions"]) for v in plan["versions"]} | {
            (v, archs[0]): -1 / len(plan["versions"]) for v in plan["versions"]
        }
        effect("architecture", f"{a} against {archs[0]}", contrast(w), version=a, against=archs[0])
    for v in later:
        for a in archs[1:]:
            w = {(v, a): 1, (first, a): -1, (v, archs[0]): -1, (first, archs[0]): 1}
            effect("interaction", f"{v} against {first}, {a} against {archs[0]}", contrast(w), version=v, against=first)
    adjusted = stats.holm([e.p for e in estimates]) if estimates else []
    for out, e, wide, p in zip(effects, estimates, stats.holm_intervals(estimates) if estimates else [], adjusted):
        out |= numbers(e) | dict(p=e.p, p_holm=float(p), verdict=stats.verdict(wide, margin))
    beside = [
        dict(kind=k, name=f"{plan[k]} against {first}", version=plan[k], against=first, **numbers(data(plan[k], first)))
        for k in ("control", "ceiling")
        if plan.get(k)
    ]
    per_arch = [
        dict(kind="data", name=f"{v} against {first}", arch=a, version=v, against=first, **numbers(data(v, first, [a])))
        for v in rows
        if v != first
        for a in archs
    ]
    primary = next((e for e in effects[::-1] if e["kind"] == "data"), None)  # the last version against the first
    v = primary and primary["version"]
    control = next((b for b in beside if b["kind"] == "control"), None)
    if control and v:
        control = control | dict(beyond=numbers(data(v, plan["control"])), review=queue.progress(bench, bench.state(plan["control"])))
    some = {(x, a): s / len(archs) for x, s in ((v, 1), (first, -1)) for a in archs} if v else {}
    smallest = stats.smallest_effect([Y[c] for c in some], list(some.values())) if v else None
    review = queue.progress(bench, state)
    interaction = next((e for e in effects if e["kind"] == "interaction"), None)
    return dict(
        question=plan["question"],
        verdict=sentence(primary, rule, smallest, len(seeds), review),
        interval=primary,
        interval_reason=None if primary else "no version whose training labels differ from the first",
        interaction=interaction,
        interaction_reason=None if interaction else "needs two versions and two architectures",
        control=control,
        control_reason=None if control else "no random control: nobody reviewed at random, and the plan names no control version",
        n_test=len(test),
        seeds=seeds,
        seeds_note=None if len(seeds) > 1 else "one seed: these trained models only, not the recipe",
        tree={r: versions.tree(bench.state(r)) for r in rows},
        cells=[cell_of(r, a, Y, truth, wanted, bench) for r in rows for a in archs],
        effects=effects,
        beside=beside,
        per_architecture=per_arch,
        smallest_effect=smallest,
        margin=plan["margin"] / 100,
        test=dict(
            n=len(test), hash=rule.get("hash"), audited=bool(rule.get("audited")), noise=history.rate(review["hits"], review["looks"])
        ),
        review=review,
        code=sorted(
            {c for (c,) in bench.rows("select distinct code from runs where key in (select unnest(?))", [[c["key"] for c in wanted]])}
        ),
        plan=plan,
    )


def train_trees(wanted, version):
    return {c["train_tree"] for c in wanted if c["version"] == version}


def numbers(e):
    """An Estimate as plain numbers."""
    return dict(estimate=e.estimate, low=e.low, high=e.high, n=e.n, seeds=list(map(int, e.seeds)))


def cell_of(version, arch, Y, truth, wanted, bench):
    own = [c for c in wanted if (c["version"], c["arch"]) == (version, arch)]
    lenders = [y for (v, a), y in Y.items() if a == arch and v != version]  # cells of one architecture lend each other their seed spread
    Y = Y[version, arch]
    e = stats.cell(Y, others=lenders)
    seconds = bench.rows("select sum(seconds) from runs where key in (select unnest(?))", [[c["key"] for c in own]])[0][0]
    return dict(
        version=version,
        arch=arch,
        train_tree=own[0]["train_tree"],
        n_train=len(training_set(bench, version)[0]),
        accuracy=numbers(e),
        balanced=numbers(stats.balanced_accuracy(Y, truth.to_numpy(dtype=str), others=lenders)),
        seed_spread=e.seed_spread[0],
        diverged=[own[i]["seed"] for i in stats.diverged(Y)],
        seconds=seconds,
    )


def points(x, sign=True):
    """A fraction as points: 0.013 -> '+1.3'; what rounds to nothing is 0.0 and never -0.0."""
    x = round(100 * x, 1) + 0.0
    return f"{x:+.1f}" if sign and x else f"{x:.1f}"


def interval(e):
    return f"{points(e['estimate'])} points [{points(e['low'])}, {points(e['high'])}]"


def sentence(primary, rule, smallest, seeds, review):
    """The verdict in one sentence, with what it rests on."""
    start = (
        ""
        if rule.get("audited")
        else f"test labels unaudited (their noise, by the random stratum of train and val: {history.rate(review['hits'], review['looks'])}): "
    )
    if primary is None:
        return start + "nothing to compare: the versions have the same training labels."
    scope = "" if seeds > 1 else " (these trained models only, not the recipe)"
    why = ""
    if primary["verdict"] == "no evidence either way":
        if primary["low"] > 0 or primary["high"] < 0:
            why = f"; its own interval excludes zero, but not after Holm's correction for all effects that were tested (p {primary['p_holm']:.2f})"
        why += f"; {primary['n']:,} test samples and {seeds} seed{'s' * (seeds > 1)} would show an effect of {points(smallest, False)} points or more"
    return f"{start}{primary['verdict']}: {interval(primary)}, {primary['name']}{scope}{why}."


def report_data(bench, plan):
    """compare(), with the commits and the last batches of the log."""
    log = history.log(bench)
    log = log[(log.kind == "commit") | (log.index >= len(log) - 50)]
    return compare(bench, plan) | dict(log=json.loads(log.to_json(orient="records", date_format="iso")))
