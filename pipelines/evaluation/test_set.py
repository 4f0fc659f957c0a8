"""What judges an experiment: the locked test labels, as given or as an audit has them, and how far they can be trusted."""

from dataclasses import replace

import numpy as np

from assay.curation.errors import UserError
from assay.curation.features import neighbor_graph
from assay.curation.predictions import runs
from assay.curation.review import audit, rates
from assay.curation.statistics import estimates


def clean(bench, test, version="HEAD"):
    """What an audit says of the test labels: (labels as given, labels as audited, dict of how much is audited; its n is 0 where that is too
    little to correct by)."""
    found, m = audit.drawn(bench, "test", version)
    n, doubted = len(found), list(found.index[found.verdict == "unsure"])
    unsure = len(doubted)
    known = audit.audited(
        bench, version
    )  # a decision beside the random sample is no given label either
    given = test.label.mask(test.index.isin(known.index), known.given.reindex(test.index))
    if n < min(audit.ENOUGH, m):
        return given, given, dict(n=0, audited=n, of=m, unsure=unsure, doubted=[])
    return (
        given,
        found.label.reindex(test.index).fillna(given),
        dict(n=n, audited=n, of=m, unsure=unsure, doubted=doubted),
    )


def numbers(e):
    """An Estimate as plain numbers."""
    return dict(estimate=e.estimate, low=e.low, high=e.high, n=e.n, seeds=list(map(int, e.seeds)))


class Ruler:
    """The plan's cells as the test labels judge them: plainly, or corrected by an audit of `n` of them drawn at random (0: none), which left the samples
    `unsure` undecided.

    Y[version, arch] is (seeds, samples). Runs that diverged are in `diverged` {cell: seeds}, and not in Y: a recipe is judged by the runs that
    worked, and how many did not is said beside it."""

    def __init__(self, bench, wanted, given, clean, n, unsure=()):
        self.unsure = np.flatnonzero(given.index.isin(list(unsure)))
        self.labels, self.clean, self.n, self.part = given, clean, n, 0 < n < len(given)
        self.said, self.seeds, self.diverged = {}, {}, {}
        for c in wanted:
            own = c["version"], c["arch"]
            if c["failed"] is None:
                self.said.setdefault(own, []).append(runs.said(bench, c["key"], given.index))
                self.seeds.setdefault(own, []).append(c["seed"])
            else:
                self.diverged.setdefault(own, []).append(c["seed"])
        lost = sorted({(c["version"], c["arch"]) for c in wanted} - set(self.said))
        if lost:
            raise UserError(
                f"expected a run of {lost[0][1]} on {lost[0][0]} that worked, found all diverged",
                "change the plan",
            )
        self.said = {own: np.array(said, object) for own, said in self.said.items()}
        for own, said in self.said.items():
            _, worse = estimates.sound(said == given.to_numpy(object))
            if worse:
                self.diverged.setdefault(own, []).extend(self.seeds[own][i] for i in worse)
                self.said[own] = np.delete(said, worse, axis=0)
                self.seeds[own] = [seed for i, seed in enumerate(self.seeds[own]) if i not in worse]
        self.plain = {
            own: (said == given.to_numpy(object)).astype(float) for own, said in self.said.items()
        }
        self.audited = (
            {own: (said == clean.to_numpy(object)).astype(float) for own, said in self.said.items()}
            if n
            else self.plain
        )
        self.Y = (
            {k: estimates.corrected(self.plain[k], y, n) for k, y in self.audited.items()}
            if self.part
            else self.audited
        )
        self.weight = (
            n / len(given) if self.part else None
        )  # an audited column speaks for 1 / weight of them

    def contrast(self, weights):
        """The Estimate of a weighted sum of cells {cell: w}; where an audit left labels unsure, its interval spans what their truth could be."""
        use = [c for c in self.Y if weights.get(c)]
        w = [weights[c] for c in use]
        e = estimates.contrast([self.Y[c] for c in use], w, group_size=self.weight)
        if not self.n or not len(self.unsure):
            return e
        ends = [
            estimates.contrast(self.judged(use, labels), w, group_size=self.weight)
            for labels in self.extremes(use, w)
        ]
        return replace(e, ends=tuple(ends))

    def extremes(self, use, w):
        """The labels (m,), twice, with what nobody is sure of as the contrast of the cells `use` would have it least, and most."""
        out = [self.clean.to_numpy(object), self.clean.to_numpy(object)]
        for i in self.unsure:
            said = [self.said[c][:, i] for c in use]
            gain = {
                y: sum(w_c * np.mean(s == y) for w_c, s in zip(w, said))
                for y in {None, *np.concatenate(said)}
            }  # None: what no model says
            out[0][i], out[1][i] = min(gain, key=gain.get), max(gain, key=gain.get)
        return out

    def judged(self, use, labels):
        """What the cells `use` get right by some audited labels, corrected as Y is."""
        right = [(self.said[c] == labels).astype(float) for c in use]
        return (
            [estimates.corrected(self.plain[c], y, self.n) for c, y in zip(use, right)]
            if self.part
            else right
        )

    def uncorrected(self, weights):
        """What the labels as given say, where an audit says more."""
        use = [c for c in self.plain if weights.get(c)]
        return (
            dict(
                given=numbers(
                    estimates.contrast([self.plain[c] for c in use], [weights[c] for c in use])
                )
            )
            if self.n
            else {}
        )

    def numbers(self, weights):
        return numbers(self.contrast(weights)) | self.uncorrected(weights)

    def accuracies(self, version, arch):
        """Estimates (accuracy, balanced accuracy) of one cell; cells of one architecture lend each other their seed spread."""
        own, lenders = (version, arch), [(v, a) for v, a in self.Y if a == arch and v != version]
        if not self.part:
            others, Y = [self.Y[k] for k in lenders], self.Y[own]
            return estimates.cell(Y, others=others), estimates.balanced_accuracy(
                Y, self.clean.to_numpy(dtype=str), others=others
            )
        labels = [x.to_numpy(dtype=str) for x in (self.labels, self.clean)]
        Z = {
            k: estimates.corrected_by_class(self.plain[k], self.audited[k], *labels, self.n)
            for k in (own, *lenders)
        }
        return tuple(
            estimates.corrected_cell(Y[own], self.n, others=[Y[k] for k in lenders])
            for Y in (self.Y, Z)
        )


def near_test(bench, test, rows):
    """{row: kept train samples that (nearly) equal one of `test`}: what a model could know by heart. rows: {row: version}."""
    graph, at = neighbor_graph.nodes(bench, test)
    one, other = graph["pairs"].T if len(graph["pairs"]) else np.empty((2, 0), int)
    held = np.zeros(len(graph["hashes"]), bool)
    held[at] = True
    near = graph["hashes"][np.r_[at, one[held[other]], other[held[one]]]]
    return {
        row: int(np.isin(np.asarray(bench.frame(v, "train").content_hash, "S32"), near).sum())
        for row, v in rows.items()
    }


def fairness(bench, plan, wanted, test):
    """What a reader must know before believing a comparison: the test version, looks at it, edits since the first, copies of it in train."""
    return dict(
        test=plan.get("test") or "HEAD",
        hash=(bench.rules().get("test") or {}).get("hash"),
        n=len(test),
        near_duplicates=near_test(bench, test, {c["version"]: c["at"] for c in wanted}),
        **runs.look(bench, {c["key"] for c in wanted}),
    )


UNAUDITED = "test labels unaudited"
DIRECTION = (
    "they likely err as train's do, so a gain by cleaner labels is probably larger than it looks"
)


def trust(rule, review, known):
    """What the test labels are worth, and where they err, as a condition of a verdict; nothing where all are audited, or were declared so."""
    n, of, unsure = known["audited"], known["of"], known["unsure"]
    if known["n"] and n < of:
        doubt = f", {unsure:,} unsure and taken both ways" if unsure else ""
        return f"test labels audited in part ({n:,} of {of:,} at random{doubt}; the estimate is corrected by design)"
    if known["n"] or rule.get("audited"):
        return f"{unsure:,} test labels unsure and taken both ways" if known["n"] and unsure else ""
    few = f"but for {n:,} of {of:,}, too few to correct by; " if n else ""
    return f"{UNAUDITED} ({few}their noise, by the random stratum of train and val: {rates.random_rate(review)}; {DIRECTION})"
