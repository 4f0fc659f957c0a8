"""One question of two runs, or of two recipes: does the second know the test set better than the first?"""

from assay.curation.errors import UserError
from assay.curation.predictions import runs
from assay.curation.predictions.runs import choose
from assay.curation.statistics import estimates
from assay.curation.statistics.wording import as_given, interval, points
from assay.pipelines.evaluation.test_set import Ruler, clean, numbers, trust
from assay.pipelines.experiments.plan import test_labels


def versus(bench, first, second):
    """The difference second - first on the locked test set with its interval, as a dict: estimate, low, high, n, seeds, verdict (a sentence),
    first, second (each with its accuracy), gained and lost (samples that more than half of the runs come to know, or forget)."""
    from assay.curation.review import progress

    chosen = [
        dict(r, version=side, arch="", failed=None)
        for side, name in (("first", first), ("second", second))
        for r in choose(bench, name)
    ]
    if {c["key"] for c in chosen if c["version"] == "first"} & {
        c["key"] for c in chosen if c["version"] == "second"
    }:
        raise UserError(
            f"expected two different runs, found {first} and {second}, which share some",
            "a difference from itself is nothing",
        )
    test = test_labels(bench, {})
    given, truth, known = clean(bench, test)
    ruler = Ruler(bench, chosen, given, truth, known["n"], known["doubted"])
    runs.look(bench, {c["key"] for c in chosen})
    e = ruler.contrast({("second", ""): 1, ("first", ""): -1})
    rule = bench.rules().get("test") or {}
    word = estimates.verdict(e)
    change = ruler.plain["second", ""].mean(0) - ruler.plain["first", ""].mean(0)
    sides = {side: numbers(ruler.accuracies(side, "")[0]) for side in ("first", "second")}
    scope = "" if e.seeds_known else " (these trained models only, not the recipe)"
    if not e.seeds_known:  # two checkpoints: what test samples alone can say
        word = "better" if e.low > 0 else "worse" if e.high < 0 else "no evidence either way"
    named = f"{second} {points(sides['second']['estimate'], False)} % against {first} {points(sides['first']['estimate'], False)} %"
    trusted = trust(rule, progress.progress(bench, bench.state()), known)
    out = numbers(e) | ruler.uncorrected({("second", ""): 1, ("first", ""): -1})
    verdict = f"{word}: {interval(out)}{as_given(out)}, {named}{scope}; {e.n:,} test samples, {' and '.join(map(str, e.seeds))} seeds"
    verdict += f"; {trusted}" * bool(trusted)
    flips = dict(gained=int((change > 0.5).sum()), lost=int((change < -0.5).sum()))
    return out | sides | flips | dict(verdict=verdict, word=word)
