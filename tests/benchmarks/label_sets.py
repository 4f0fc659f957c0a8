"""Several labels a sample: planted errors found beside cleanlab on the same probabilities, and the coverage of intervals.

    python -m tests.benchmarks.label_sets --experiments 500
    python -m tests.benchmarks.label_sets --data FOLDER

The first simulates accuracies that are shares of labels right (items beta-distributed, seeds shift all items). The second plants
errors in COCO's tags of photographs and in made-up texts: one membership turned, one class dropped, one added, or one class turned
everywhere; 15 % of train and val samples each, mean of six draws. Average precision of the item's score."""

import argparse
import tempfile
from pathlib import Path

import numpy as np

from assay.curation.statistics.contrasts import PAIR, cell_accuracy, contrast

SETTINGS = [
    (S, m, mean, spread)
    for S in (2, 3, 5)
    for m in (200, 1000)
    for mean in (0.6, 0.9)
    for spread in (0.01, 0.03)
]


def draw_cell(rng, S, hard, spread, sharpness=1.5):
    """Shares of labels right (S, m), in sixths as of sets of up to six classes: item i has a mean, a seed shifts all."""
    mean = np.clip(hard + spread * rng.normal(size=(S, 1)), 0.01, 0.99)
    return np.round(6 * rng.beta(sharpness * mean, sharpness * (1 - mean))) / 6


def true_mean(rng, mean, spread, sharpness=1.5):
    hard = draw_items(rng, 200_000, mean)
    return (
        float(draw_cell(rng, 1, hard, 0.0, sharpness).mean())
        if not spread
        else float(
            np.mean(
                [draw_cell(rng, 1, hard[:20_000], spread, sharpness).mean() for _ in range(400)]
            )
        )
    )


def draw_items(rng, m, mean):
    return rng.beta(2 * mean, 2 * (1 - mean), m)


def measure_coverage(experiments):
    """Print how often 95 % intervals hold the truth, by setting."""
    print("seeds  samples  mean  spread  cell   pair (no effect)")
    rows = []
    for S, m, mean, spread in SETTINGS:
        rng = np.random.default_rng([S, m, int(100 * mean), int(100 * spread)])
        truth, cell, pair = true_mean(rng, mean, spread), [], []
        for _ in range(experiments):
            hard = draw_items(rng, m, mean)
            one, two = draw_cell(rng, S, hard, spread), draw_cell(rng, S, hard, spread)
            found = cell_accuracy(one, others=[two])
            cell.append(found.low <= truth <= found.high)
            difference = contrast([one, two], PAIR)
            pair.append(difference.low <= 0 <= difference.high)
        rows.append((np.mean(cell), np.mean(pair)))
        print(
            f"{S:5}  {m:7}  {mean:4}  {spread:6}  {rows[-1][0]:5.1%}  {rows[-1][1]:5.1%}",
            flush=True,
        )
    cells, pairs = np.array(rows).T
    print(
        f"cell {cells.min():.1%} to {cells.max():.1%}, pair {pairs.min():.1%} to {pairs.max():.1%}"
    )


# ---- planted errors


def plant(labels, names, how, rng):
    """Labels with errors planted in 15 %: (labels, whether each is wrong)."""
    from assay.curation.tasks.multilabel import make_set, read_set

    freq = np.array([sum(name in read_set(label) for label in labels) for name in names], float)
    common, out = names[int(freq.argmax())], []
    for label in labels:
        held = set(read_set(label))
        if rng.random() < 0.15:
            if how == "turned":
                held ^= {str(rng.choice(names))}
            elif how == "dropped" and held:
                held.discard(str(rng.choice(sorted(held))))
            elif how == "added":
                held |= {str(rng.choice(names, p=freq / freq.sum()))}
            elif how == "one class":
                held ^= {common}
        out.append(make_set(held))
    return np.array(out, object), np.array(out, object) != np.asarray(labels, object)


def compare_scores(bench, truth, draws=range(100, 106)):
    """Print the average precision of our score and of cleanlab's, on the same probabilities, and how far apart they are."""
    from cleanlab.multilabel_classification import get_label_quality_scores
    from scipy.stats import t
    from sklearn.metrics import average_precision_score

    from assay.curation.label_quality import judges, scoring
    from assay.curation.label_quality.flagging import RARE
    from assay.curation.tasks.multilabel import TASK

    state = bench.state()
    names = sorted({name for label in truth.dropna() for name in TASK.members(label)})
    for how in ("turned", "dropped", "added", "one class"):
        found = []
        for seed in draws:
            rng, open_ = np.random.default_rng(seed), state.split.isin(("train", "val"))
            labels, wrong = plant(truth[open_].to_numpy(object), names, how, rng)
            planted = state.assign(label=truth)
            planted.loc[open_, "label"] = labels
            fitted = judges.fit_probe(bench, planted)
            probs, few = fitted.probe.pred_probs(fitted.X), fitted.probe.few()
            ours = scoring.score_labels(fitted.part, fitted.classes, probs, few, None, TASK)
            rows = scoring.scored_rows(fitted.part, fitted.classes, few, TASK)[0]
            y = TASK.targets(fitted.part.label, fitted.classes)[rows]
            lists = [np.flatnonzero(row).tolist() for row in y]
            theirs = get_label_quality_scores(lists, probs[rows])
            bad = (fitted.part.label != truth[fitted.part.index]).to_numpy()[rows]
            scores = [
                average_precision_score(bad, -ours.score),
                average_precision_score(bad, -theirs),
            ]
            flagged = ours.flagged.to_numpy(bool)
            rare = (y[:, y.sum(0) < RARE * y.sum(0).mean()] == 1).any(1)
            found.append(
                [bad.mean(), *scores, flagged.sum(), bad[flagged].mean(), flagged[bad].mean(),
                 flagged[~bad].mean(), flagged[~bad & rare].mean() if rare.any() else np.nan]
            )  # fmt: skip
        wrong, ours, theirs, n, precision, recall, every, rare = np.mean(found, 0)
        gain = np.array(found)[:, 1] - np.array(found)[:, 2]
        half = t.ppf(0.975, len(gain) - 1) * gain.std(ddof=1) / len(gain) ** 0.5
        print(f"  {how:10} wrong {wrong:.1%}: ours {ours:.3f}, cleanlab {theirs:.3f}, difference {gain.mean():+.3f}"
              f" +- {half:.3f}; flagged {n:.0f}, of which wrong {precision:.0%}, found {recall:.0%}; of the clean"
              f" flagged {every:.1%}, of those with a rare class {rare:.1%}", flush=True)  # fmt: skip


def measure_detection(data):
    import assay
    from assay.pipelines.indexing.scan import ScanOptions, scan
    from tests.label_sets import truth_of, write_sets

    with tempfile.TemporaryDirectory() as folder:
        bench = assay.create(Path(folder, "coco"))
        bench.add(Path(data, "coco256_yolo.zip"), multilabel=True, progress=False)
        scan(bench, ScanOptions(), say=lambda line: None)
        print("COCO's tags, 256 photographs, 76 classes")
        compare_scores(bench, bench.state().label)
        write_sets(6000).to_parquet(Path(folder, "sets.parquet"))
        bench = assay.create(Path(folder, "made"))
        bench.add(Path(folder, "sets.parquet"), progress=False)
        scan(bench, ScanOptions(), say=lambda line: None)
        print("made-up texts, 6,000, 6 classes")
        compare_scores(bench, truth_of(bench))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--experiments", type=int)
    parser.add_argument("--data")
    asked = parser.parse_args()
    if asked.experiments:
        measure_coverage(asked.experiments)
    if asked.data:
        measure_detection(asked.data)
