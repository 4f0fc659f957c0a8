"""One question of two runs, or of two recipes: does the second know the test set better than the first?"""


import numpy as np

from curation import runs, stats
from curation.errors import UserError
from curation.expressions import seeded
from pipelines.compare import as_given, interval, points
from pipelines.ruler import Ruler, clean, numbers, test_labels, trust


def versus(bench, first, second):
    """The difference second - first on the locked test set with its interval, as a dict: estimate, low, high, n, seeds, verdict (a sentence),
    first, second (each with its accuracy), gained and lost (samples that more than half of the runs come to know, or forget)."""
    from curation import queue

    chosen = [dict(r, version=side, arch="", failed=None) for side, name in (("first", first), ("second", second)) for r in choose(bench, name)]
    if {c["key"] for c in chosen if c["version"] == "first"} & {c["key"] for c in chosen if c["version"] == "second"}:
        raise UserError(f"expected two different runs, found {first} and {second}, which share some", "a difference from itself is nothing")
    test = test_labels(bench, {})
    given, truth, known = clean(bench, test)
    ruler = Ruler(bench, chosen, given, truth, known["n"], known["doubted"])
    runs.look(bench, {c["key"] for c in chosen})
    e = ruler.contrast({("second", ""): 1, ("first", ""): -1})
    rule = bench.rules().get("test") or {}
    word = stats.verdict(e)
    change = ruler.plain["second", ""].mean(0) - ruler.plain["first", ""].mean(0)
    sides = {side: numbers(ruler.accuracies(side, "")[0]) for side in ("first", "second")}
    scope = "" if e.seeds_known else " (these trained models only, not the recipe)"
    if not e.seeds_known:  # two checkpoints: what test samples alone can say
        word = "better" if e.low > 0 else "worse" if e.high < 0 else "no evidence either way"
    named = f"{second} {points(sides['second']['estimate'], False)} % against {first} {points(sides['first']['estimate'], False)} %"
    trusted = trust(rule, queue.progress(bench, bench.state()), known)
    out = numbers(e) | ruler.uncorrected({("second", ""): 1, ("first", ""): -1})
    verdict = f"{word}: {interval(out)}{as_given(out)}, {named}{scope}; {e.n:,} test samples, {' and '.join(map(str, e.seeds))} seeds"
    verdict += f"; {trusted}" * bool(trusted)
    flips = dict(gained=int((change > 0.5).sum()), lost=int((change < -0.5).sum()))
    return out | sides | flips | dict(verdict=verdict, word=word)


def choose(bench, name):
    """The finished runs that a person calls `name`: a key or its beginning, or VERSION/ARCHITECTURE, the newest of each seed."""
    table = bench.query("select key, version, arch, seed, failed from runs order by ts")
    if "/" in name:
        version, arch = name.split("/", 1)
        own = [v in (version, seeded(version, seed)) for v, seed in zip(table.version, table.seed)]  # a control is drawn for each seed
        found = table[np.array(own, bool) & (table.arch == arch)].drop_duplicates("seed", keep="last")
    else:
        found = table[table.key.str.startswith(name)] if len(name) >= 4 else table[:0]
        if len(found) > 1:
            raise UserError(f"expected one run whose key begins with {name!r}, found {len(found)}", "say more of its key")
    found = found[found.failed.isna()]
    if not len(found):
        known = ", ".join(f"{v}/{a}" for v, a in table[["version", "arch"]].drop_duplicates().itertuples(index=False)) or "none"
        raise UserError(f"expected a finished run, found none called {name!r}", f"assay runs lists them; recipes: {known}"[:600])
    return found[["key", "seed"]].to_dict("records")
