"""What the finished cells of a plan say on the locked test set: every difference with its interval, its control and a verdict in words."""

import json

import numpy as np

from curation import audit, history, queue, stats, versions
from curation.arrays import load
from curation.errors import UserError
from pipelines.experiment import cells, predictions, rows_of, training_set


def right(bench, key, truth):
    """0/1 (m,): did this run predict the label that each sample of `truth` (Series id -> label) has?"""
    said = load(predictions(bench, key))
    classes = np.array(json.loads(str(said["classes"])), dtype=object)
    at = np.searchsorted(said["ids"], np.asarray(truth.index, "S32"))
    return (classes[said["probs"][at].argmax(1)] == truth.to_numpy(dtype=object)).astype("u1")


def answers(bench, wanted, truth):
    """{(version, arch): 0/1 (seeds, samples)}: which of `truth` each run got right."""
    Y = {}
    for c in wanted:
        Y.setdefault((c["version"], c["arch"]), []).append(right(bench, c["key"], truth))
    return {k: np.array(v, float) for k, v in Y.items()}


def clean(bench, test):
    """What an audit says of the test labels: (labels as given, labels as audited, dict of how much is audited; its n is 0 where that is too
    little to correct by)."""
    found, m = audit.drawn(bench, "test")
    n, unsure = len(found), int((found.verdict == "unsure").sum())
    known = audit.audited(bench)  # a decision beside the random sample is no given label either
    given = test.label.mask(test.index.isin(known.index), known.given.reindex(test.index))
    if n < min(audit.ENOUGH, m):
        return given, given, dict(n=0, audited=n, of=m, unsure=unsure)
    return given, found.label.reindex(test.index).fillna(given), dict(n=n, audited=n, of=m, unsure=unsure)


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
    rule, (given, truth, known) = bench.rules().get("test") or {}, clean(bench, test)
    archs, rows, seeds = plan["architectures"], rows_of(plan), plan["seeds"]
    ruler = Ruler(bench, wanted, given, truth, known["n"])
    sound = bool(rule.get("audited") or known["n"])
    margin = plan["margin"] / 100 if sound else None  # against unaudited labels nothing is too small to matter

    def data(version, against, over=archs):
        return {(version, a): 1 / len(over) for a in over} | {(against, a): -1 / len(over) for a in over}

    first, later = plan["versions"][0], plan["versions"][1:]
    effects, estimates = [], []

    def effect(kind, name, weights, **more):
        effects.append(dict(kind=kind, name=name, **more) | ruler.uncorrected(weights))
        estimates.append(ruler.contrast(weights))

    for v in later:
        if train_trees(wanted, v) != train_trees(wanted, first):
            effect("data", f"{v} against {first}", data(v, first), version=v, against=first)
    for a in archs[1:]:
        w = {(v, a): 1 / len(plan["versions"]) for v in plan["versions"]} | {
            (v, archs[0]): -1 / len(plan["versions"]) for v in plan["versions"]
        }
        effect("architecture", f"{a} against {archs[0]}", w, version=a, against=archs[0])
    for v in later:
        for a in archs[1:]:
            w = {(v, a): 1, (first, a): -1, (v, archs[0]): -1, (first, archs[0]): 1}
            effect("interaction", f"{v} against {first}, {a} against {archs[0]}", w, version=v, against=first)
    adjusted = stats.holm([e.p for e in estimates]) if estimates else []
    for out, e, wide, p in zip(effects, estimates, stats.holm_intervals(estimates) if estimates else [], adjusted):
        out |= numbers(e) | dict(p=e.p, p_holm=float(p), verdict=stats.verdict(wide, margin))
    beside = [
        dict(kind=k, name=f"{plan[k]} against {first}", version=plan[k], against=first, **ruler.numbers(data(plan[k], first)))
        for k in ("control", "ceiling")
        if plan.get(k)
    ]
    per_arch = [
        dict(kind="data", name=f"{v} against {first}", arch=a, version=v, against=first, **ruler.numbers(data(v, first, [a])))
        for v in rows
        if v != first
        for a in archs
    ]
    primary = next((e for e in effects[::-1] if e["kind"] == "data"), None)  # the last version against the first
    v = primary and primary["version"]
    control = next((b for b in beside if b["kind"] == "control"), None)
    if control and v:
        control = control | dict(beyond=ruler.numbers(data(v, plan["control"])), review=queue.progress(bench, bench.state(plan["control"])))
    smallest = ruler.contrast(data(v, first), stats.smallest_effect) if v else None
    review = queue.progress(bench, state)
    interaction = next((e for e in effects if e["kind"] == "interaction"), None)
    return dict(
        question=plan["question"],
        verdict=sentence(primary, rule, smallest, len(seeds), review, known),
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
        cells=[cell_of(r, a, ruler, wanted, bench) for r in rows for a in archs],
        effects=effects,
        beside=beside,
        per_architecture=per_arch,
        smallest_effect=smallest,
        margin=plan["margin"] / 100,
        test=dict(n=len(test), hash=rule.get("hash"), audited=sound, noise=history.rate(review["hits"], review["looks"]))
        | (dict(audit=known | dict(noise=audit.noise(bench, "test"))) if known["audited"] else {}),
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


class Ruler:
    """The plan's cells as the test labels judge them: plainly, or corrected by an audit of `n` of them drawn at random (0: none)."""

    def __init__(self, bench, wanted, given, clean, n):
        self.labels, self.clean, self.n, self.part = given, clean, n, 0 < n < len(given)
        self.plain = answers(bench, wanted, given)
        self.audited = answers(bench, wanted, clean) if n else self.plain
        self.Y = {k: stats.corrected(self.plain[k], y, n) for k, y in self.audited.items()} if self.part else self.audited
        self.weight = n / len(given) if self.part else None  # an audited column speaks for 1 / weight of them

    def contrast(self, weights, function=stats.contrast):
        use = [c for c in self.Y if weights.get(c)]
        return function([self.Y[c] for c in use], [weights[c] for c in use], group_size=self.weight)

    def uncorrected(self, weights):
        """What the labels as given say, where an audit says more."""
        return dict(given=float(sum(w * self.plain[c].mean() for c, w in weights.items()))) if self.n else {}

    def numbers(self, weights):
        return numbers(self.contrast(weights)) | self.uncorrected(weights)

    def accuracies(self, version, arch):
        """Estimates (accuracy, balanced accuracy) of one cell; cells of one architecture lend each other their seed spread."""
        own, lenders = (version, arch), [(v, a) for v, a in self.Y if a == arch and v != version]
        if not self.part:
            others, Y = [self.Y[k] for k in lenders], self.Y[own]
            return stats.cell(Y, others=others), stats.balanced_accuracy(Y, self.clean.to_numpy(dtype=str), others=others)
        labels = [x.to_numpy(dtype=str) for x in (self.labels, self.clean)]
        Z = {k: stats.corrected_by_class(self.plain[k], self.audited[k], *labels, self.n) for k in (own, *lenders)}
        return tuple(stats.corrected_cell(Y[own], self.n, others=[Y[k] for k in lenders]) for Y in (self.Y, Z))


def cell_of(version, arch, ruler, wanted, bench):
    own = [c for c in wanted if (c["version"], c["arch"]) == (version, arch)]
    accuracy, balanced = ruler.accuracies(version, arch)
    seconds = bench.rows("select sum(seconds) from runs where key in (select unnest(?))", [[c["key"] for c in own]])[0][0]
    return dict(
        version=version,
        arch=arch,
        train_tree=own[0]["train_tree"],
        n_train=len(training_set(bench, version)[0]),
        accuracy=numbers(accuracy) | ruler.uncorrected({(version, arch): 1}),
        balanced=numbers(balanced),
        seed_spread=accuracy.seed_spread[0],
        diverged=[own[i]["seed"] for i in stats.diverged(ruler.plain[version, arch])],
        seconds=seconds,
    )


def points(x, sign=True):
    """A fraction as points: 0.013 -> '+1.3'; what rounds to nothing is 0.0 and never -0.0."""
    x = round(100 * x, 1) + 0.0
    return f"{x:+.1f}" if sign and x else f"{x:.1f}"


def interval(e):
    return f"{points(e['estimate'])} points [{points(e['low'])}, {points(e['high'])}]"


def trust(rule, review, known):
    """What the test labels are worth, as the beginning of the verdict; nothing where all of them are audited, or were declared so."""
    n, of, unsure = known["audited"], known["of"], known["unsure"]
    if known["n"] and n < of:
        doubt = f", {unsure:,} unsure and taken as given" if unsure else ""
        return f"test labels audited in part ({n:,} of {of:,} at random{doubt}; the estimate is corrected by design): "
    if known["n"] or rule.get("audited"):
        return ""
    few = f"but for {n:,} of {of:,}, too few to correct by; " if n else ""
    return f"test labels unaudited ({few}their noise, by the random stratum of train and val: {history.rate(review['hits'], review['looks'])}): "


def sentence(primary, rule, smallest, seeds, review, known):
    """The verdict in one sentence, with what it rests on."""
    start = trust(rule, review, known)
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
    log = history.batches(bench)
    log = log[(log.kind == "commit") | (log.index >= len(log) - 50)]
    return compare(bench, plan) | dict(log=json.loads(log.to_json(orient="records", date_format="iso")))
