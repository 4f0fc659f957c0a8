"""Where a change of labels helped: which slices of the test set gained or lost, what is taken for what now, which samples flipped."""

import json
from dataclasses import replace

import numpy as np

from assay.curation.errors import UserError
from assay.curation.predictions.runs import predictions
from assay.curation.slicing import clusters, metadata, slices
from assay.curation.statistics import estimates as stats
from assay.curation.statistics import multiple_testing
from assay.curation.storage.arrays import load

FEW = 10  # test samples: if all ten flip one way, a sign test gives p 0.002, just what Holm asks of the first of 25 slices
METADATA = 100  # slices by metadata at most: a table of 200 columns would ask so many questions that none is answered
SHOWN = 24  # pictures of flipped samples each way
CHANGED = 20  # cells of the confusion matrix that are listed as most changed
CLASSES = 200  # beyond these a page or a JSON file holds no whole matrix


def where(bench, plan, ruler, test, wanted, margin=None):
    """Where the last version of the plan whose training labels differ from the first's gained over that, as one JSON-able dict: version, against
    (None where there is no such version), slices (see differences), confusion (classes, by_arch and mean: before, after, difference;
    changed), flips (see flips), tested (slices that Holm corrects for), notes. ruler: compare.Ruler; test: frame of the test samples, sorted;
    wanted: experiment.cells; margin: a fraction too small to matter, None against unaudited labels."""
    first, trees = plan["versions"][0], {c["version"]: c["train_tree"] for c in wanted}
    later = [v for v in plan["versions"][1:] if trees[v] != trees[first]]
    if not later:
        return dict(
            version=None,
            against=first,
            slices=[],
            confusion=None,
            flips=None,
            tested=0,
            notes=["no other version to compare"],
        )
    version, archs, notes = later[-1], plan["architectures"], []
    labels = ruler.labels if ruler.part else ruler.clean
    test = test.assign(label=labels)
    groups = regions(bench, plan, test, notes)
    before, after = ([ruler.Y[v, a] for a in archs] for v in (first, version))
    found = differences(before, after, groups, ruler.weight, margin)
    cells = [
        c
        for c in wanted
        if c["version"] in (first, version) and c["seed"] in ruler.seeds[c["version"], c["arch"]]
    ]
    classes, codes = said(bench, cells, test)
    truth = np.searchsorted(classes, test.label.to_numpy(dtype=str))
    pairs = {a: (codes[first, a], codes[version, a]) for a in archs}
    flipped = flips(
        truth, *(np.concatenate(runs) for runs in zip(*pairs.values())), classes, list(test.index)
    )
    tested = sum(g["p"] is not None for g in found)
    notes += [
        f"{tested:,} slices were tested, and Holm allows for all of them together; under {FEW} test samples a slice is not tested"
    ]
    notes += [
        "a sample flipped if the share of runs that get it right, over all architectures and seeds, moved by more than a half"
    ]
    notes += [
        "confusions and flips are counts of these runs, without an interval: read them beside the slices"
    ]
    if min(len(ruler.seeds[v, a]) for v in (first, version) for a in archs) < 3:
        notes += [
            "with two seeds, where they differ much, many slices find one too many in up to 7 % of experiments: take three or more"
        ]
    if ruler.part:
        notes += [
            "classes, confusions and flips go by the test labels as given; differences of slices are corrected by the audit of some"
        ]
    return dict(
        version=version,
        against=first,
        slices=found,
        confusion=matrices(truth, pairs, classes, notes),
        flips=flipped,
        tested=tested,
        notes=notes,
    )


def regions(bench, plan, test, notes):
    """Groups of test samples as differences takes them: classes, the plan's own slices, clusters, metadata; `notes` gets what is left out, such as
    metadata that repeat the label: to ask a question twice would make Holm stricter for nothing."""
    named = [
        ("class", slices.classes(test)),
        ("slice", slices.queried(bench, plan.get("slices") or {})),
    ]
    try:
        named.append(("cluster", clusters.clusters(bench, bench.state())))
    except UserError as e:  # imported since the scan; the experiment stands without clusters
        notes.append(f"no clusters: {e.problem}")
    room, skipped = METADATA, []
    for key, values in metadata.metadata(test).items():
        if len(values) > room:
            skipped.append(key)
        else:
            room -= len(values)
            named.append(("metadata", values))
    if skipped:
        notes.append(
            f"metadata left out beyond {METADATA} slices: {', '.join(skipped)}; name what matters as slices in the plan"
        )
    groups, seen, again = [], set(), 0
    for kind, members in named:
        for name, ids in members.items():
            rows = test.index.get_indexer(ids)
            rows = np.sort(rows[rows >= 0])
            if kind == "metadata" and rows.tobytes() in seen:
                again += 1
                continue
            seen.add(rows.tobytes())
            groups.append(dict(kind=kind, name=name, rows=rows))
    if again:
        notes.append(
            f"{again:,} slices by metadata hold the same samples as another slice, and are left out"
        )
    return groups


# ---- differences by slice


def differences(before, after, groups, weight=None, margin=None):
    """What a version changed within each group of test samples, averaged over architectures: dicts kind, name, n, before and after (accuracy:
    estimate, low, high), estimate, low, high (95 %), p, p_holm, verdict by Holm over all groups together; None and "too few" under
    FEW samples. Kinds in the order given; within one the largest gain first, those with too few last.

    before, after: lists over architectures of (S, m) as stats.contrast takes them, 0/1 or an audit's pseudo-values with their `weight`;
    groups: dicts kind, name, rows (columns of those); margin: a fraction too small to matter, None: never say so."""
    cells, w = (
        [np.atleast_2d(Y) for Y in (*before, *after)],
        [-1 / len(before)] * len(before) + [1 / len(after)] * len(after),
    )
    out, estimates = [], []
    for g in groups:
        rows, blank = (
            g["rows"],
            dict.fromkeys(("before", "after", "estimate", "low", "high", "p", "p_holm")),
        )
        out.append(dict(kind=g["kind"], name=g["name"], n=len(rows), **blank, verdict="too few"))
        if len(rows) >= FEW:
            part = [Y[:, rows] for Y in cells]
            e = stats.contrast(part, w, group_size=weight)
            halves = (accuracy(half, weight) for half in (part[: len(before)], part[len(before) :]))
            out[-1] |= dict(zip(("before", "after"), halves)) | numbers(e) | dict(p=e.p)
            estimates.append(e)
    judged = [g for g in out if g["p"] is not None]
    for g, wide, p in zip(
        judged,
        multiple_testing.holm_intervals(estimates),
        multiple_testing.holm([g["p"] for g in judged]),
    ):
        g |= dict(p_holm=float(p), verdict=stats.verdict(wide, margin))
    kinds = list(dict.fromkeys(g["kind"] for g in out))
    return sorted(
        out, key=lambda g: (kinds.index(g["kind"]), g["p"] is None, -(g["estimate"] or 0))
    )


def accuracy(cells, weight):
    """Mean accuracy over architectures with its interval, as plain numbers: Wilson's at the effective n, or the symmetric one for pseudo-values,
    where most of the variance is the audit's (see stats.corrected_cell)."""
    e = stats.contrast(cells, [1 / len(cells)] * len(cells), group_size=weight)
    inside = min(1.0, max(0.0, e.estimate))
    return numbers(replace(e, estimate=inside) if weight else replace(e, cap=float(e.n)))


def numbers(e):
    return dict(estimate=e.estimate, low=e.low, high=e.high)


# ---- what is taken for what


def said(bench, wanted, test):
    """(classes, {(version, arch): (S, m) int}): what each run of `wanted` predicted for the samples of `test`, as numbers into `classes`, all
    that the test labels or a run know, in lexicographic order."""
    runs, names = {}, set(test.label)
    ids, last = np.asarray(test.index, "S32"), None
    for c in wanted:
        kept = load(predictions(bench, c["key"]))
        if last is None or not np.array_equal(kept["ids"], last):
            last, at = kept["ids"], np.searchsorted(kept["ids"], ids)
        own = json.loads(str(kept["classes"]))
        names.update(own)
        runs.setdefault((c["version"], c["arch"]), []).append((own, kept["probs"][at].argmax(1)))
    classes = np.array(sorted(names))
    return classes, {
        k: np.array([np.searchsorted(classes, own)[best] for own, best in v])
        for k, v in runs.items()
    }


def confusion(truth, said, k):
    """(k, k) counts of truth x prediction, a mean over runs: row t sums to the number of samples of class t. truth (m,), said (S, m): classes
    as numbers below k."""
    S = len(said)
    return np.bincount((truth * k + said).ravel(), minlength=k * k).reshape(k, k) / S


def matrices(truth, pairs, classes, notes):
    """The confusion of each architecture and the mean of all, before, after and their difference, and the cells that changed most; pairs: {arch:
    (said before, said after)}."""
    k, counts = len(classes), {}
    for arch, halves in pairs.items():
        counts[arch] = [confusion(truth, half, k) for half in halves]
    mean = [np.mean(halves, 0) for halves in zip(*counts.values())]
    out = dict(classes=classes.tolist(), changed=changed(*mean, classes))
    if k > CLASSES:
        notes.append(
            f"the confusion matrix of {k:,} classes is too large to show; the {CHANGED} cells that changed most are listed"
        )
        return out | dict(by_arch={}, mean=None)
    shown = {arch: table(*halves) for arch, halves in counts.items()}
    return out | dict(by_arch=shown, mean=table(*mean))


def table(before, after):
    return dict(before=before.tolist(), after=after.tolist(), difference=(after - before).tolist())


def changed(before, after, classes, most=CHANGED):
    """The mistakes whose counts changed most: dicts from (test label), to (prediction), before, after, difference."""
    difference = after - before
    off = np.where(np.eye(len(classes), dtype=bool), 0, abs(difference))
    cells = [
        divmod(int(i), len(classes)) for i in np.argsort(-off, axis=None, kind="stable")[:most]
    ]
    counts = dict(before=before, after=after, difference=difference)
    return [
        {"from": str(classes[t]), "to": str(classes[p])}
        | {n: float(c[t, p]) for n, c in counts.items()}
        for t, p in cells
        if off[t, p]
    ]


# ---- which samples flipped


def flips(truth, before, after, classes, ids, most=SHOWN):
    """Test samples that more than half of the runs got wrong before and right after on balance (gained), or the other way round (lost): dict of
    lists of dict(sample, label, was and now (what most runs predict), right_before, right_after and change (shares of runs)), most changed
    first, at most `most` each; n_gained and n_lost count all.

    truth (m,); before (R, m) and after (Q, m): the predictions of all runs of all architectures, as numbers into `classes`."""
    right = [(runs == truth).sum(0) for runs in (before, after)]
    R, Q = len(before), len(after)
    moved = right[1] * R - right[0] * Q  # whole numbers: half the runs is not more than half
    out = {}
    for way, sign in (("gained", 1), ("lost", -1)):
        rows = np.flatnonzero(2 * sign * moved > R * Q)
        rows = rows[np.argsort(-sign * moved[rows], kind="stable")]
        out[way] = [
            dict(
                sample=ids[i],
                label=str(classes[truth[i]]),
                was=str(classes[np.bincount(before[:, i]).argmax()]),
                now=str(classes[np.bincount(after[:, i]).argmax()]),
                right_before=float(right[0][i] / R),
                right_after=float(right[1][i] / Q),
                change=float(moved[i] / (R * Q)),
            )
            for i in rows[:most]
        ]
        out[f"n_{way}"] = len(rows)
    return out


def flip_frames(bench, found):
    """(gained, lost) of `where` as frames uri, key, was (prediction before), now (after), text: what a contact sheet shows."""
    import pandas as pd

    state = bench.state()
    frames = []
    for way in ("gained", "lost"):
        frame = pd.DataFrame(
            (found["flips"] or {}).get(way, []),
            columns=["sample", "label", "was", "now", "right_before", "right_after"],
        )
        shares = zip(frame.label, frame.right_before, frame.right_after)
        frame["text"] = [
            f"labelled {label}; right in {a:.0%} of runs before, {b:.0%} after"
            for label, a, b in shares
        ]
        there = state.reindex(frame["sample"])
        frames.append(
            frame.assign(uri=there.uri.to_numpy(), key=there.key.to_numpy())[
                ["uri", "key", "was", "now", "text"]
            ]
        )
    return tuple(frames)
