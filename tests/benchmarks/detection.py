"""How early each judge puts wrong labels, how right its flags are, and how calibrated it is: sets whose errors are known.

python -m tests.benchmarks.detection FOLDER [SET ...] [--efforts 0,1,2]. Ours are whole scans of what is embedded already; the
others get the same embeddings of the same samples, those of train. cleanlab's flag is the best of its five filters for the set, which nobody could choose beforehand."""

import argparse
import resource
import warnings

import numpy as np
import pandas as pd

from assay.curation.label_quality import judges
from assay.curation.label_quality.scoring import class_indices, without_locked
from assay.curation.label_quality.second_opinion import SecondOpinion
from assay.pipelines.indexing.scan import ScanOptions, scan
from tests.benchmarks.detection_sets import SETS, make_sets

FILTERS = "prune_by_noise_rate prune_by_class both confident_learning predicted_neq_given low_self_confidence".split()


def cpu():
    """CPU seconds of this process and of its children so far."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(u.ru_utime + u.ru_stime for u in used)


def calibration_error(probs, y):
    """Expected calibration error of the likeliest class for the label as given, in 15 bins."""
    sure, right = probs.max(1), probs.argmax(1) == y
    bins = np.minimum((sure * 15).astype(int), 14)
    return sum(
        (bins == b).mean() * abs(sure[bins == b].mean() - right[bins == b].mean())
        for b in np.unique(bins)
    )


def f1(flagged, wrong):
    return 2 * (flagged & wrong).sum() / max(1, flagged.sum() + wrong.sum())


class Table:
    """Prints a line for each judge of a set."""

    HEAD = f"{'set':<11} {'judge':<22} {'AP':>5} {'100':>5} {'500':>5} {'2000':>5} {'F1':>5} {'flags':>6} {'ECE':>5} {'rare':>5} {'CPU s':>7}"

    def __init__(self, name, y, wrong):
        self.name, self.y, self.wrong = name, y, wrong
        sizes = np.bincount(y)
        rare, common = np.argsort(sizes)[:3], np.argsort(sizes)[-3:]
        self.rare, self.common = (np.isin(y, c) & ~wrong for c in (rare, common))

    def line(self, judge, score, flagged, seconds, probs=None):
        """score (n,): low is bad; flagged (n,) bool. rare: how often clean labels of the three rarest classes are flagged, over that of the three commonest."""
        from sklearn.metrics import average_precision_score

        first = self.wrong[np.argsort(score, kind="stable")]
        depths = [first[:n].mean() if len(first) >= n else np.nan for n in (100, 500, 2000)]
        often = flagged[self.common].mean()
        rare = flagged[self.rare].mean() / often if often else np.nan
        error = np.nan if probs is None else calibration_error(probs, self.y)
        figures = [average_precision_score(self.wrong, -score), *depths, f1(flagged, self.wrong)]
        print(
            f"{self.name:<11} {judge:<22} {' '.join(f'{v:5.3f}' for v in figures)} "
            f"{flagged.sum():6} {error:5.3f} {rare:5.1f} {seconds:7.1f}",
            flush=True,
        )


def best_filter(y, probs, wrong):
    """The flags of cleanlab's filter that is right most often by F1, and its name."""
    from cleanlab.filter import find_label_issues

    made = {name: find_label_issues(y, probs, filter_by=name) for name in FILTERS}
    name = max(made, key=lambda name: f1(made[name], wrong))
    return made[name], name


def judge_with_assay(judged, efforts, table, rows):
    """A scan at each effort, and cleanlab's filters on the probabilities of each."""
    for effort in efforts:
        scan(judged.bench, ScanOptions(0, judged.embedder), say=lambda line: None)  # embedded
        start = cpu()
        scan(judged.bench, ScanOptions(effort, judged.embedder), say=lambda line: None)
        seconds = cpu() - start
        predicted = judges.predict_version(judged.bench, "HEAD")
        found = judges.score_version(judged.bench, "HEAD").reindex(predicted.part.index[rows])
        probs = predicted.probs[rows]
        flagged = found.flagged.fillna(False).to_numpy(bool)
        table.line(f"assay effort {effort}", found.score.fillna(1).to_numpy(), flagged, seconds, probs)  # fmt: skip
        flagged, name = best_filter(table.y, probs, table.wrong)
        table.line(f"  {name}", probs[np.arange(len(probs)), table.y], flagged, 0, probs)
        alone = SecondOpinion.of_scan(judged.bench) if effort == 3 else None
        if alone is not None:
            at = pd.Index(alone.ids.astype(str)).get_indexer(predicted.part.index[rows])
            judge_probs("the network alone", alone.probs[at], table, seconds)


def judge_probs(name, probs, table, seconds):
    """A model's self-confidence, and cleanlab's best filter on what it predicts."""
    score, differ = probs[np.arange(len(probs)), table.y], probs.argmax(1) != table.y
    table.line(name, score, differ, seconds, probs)
    flagged, best = best_filter(table.y, probs, table.wrong)
    table.line(f"  {best}", score, flagged, seconds, probs)


def judge_with_others(X, table):
    """cleanlab's CleanLearning and Datalab with 5-fold logistic regression, and the vote of neighbours as in SimiFeat."""
    from cleanlab import Datalab
    from cleanlab.classification import CleanLearning
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import cross_val_predict
    from sklearn.neighbors import NearestNeighbors

    y, at, start = table.y, np.arange(len(table.y)), cpu()
    X = (X - X.mean(0)) / np.maximum(X.std(0), 1e-6)
    model = LogisticRegression(C=0.01, max_iter=100)
    probs = cross_val_predict(model, X, y, cv=5, method="predict_proba")
    seconds = cpu() - start
    judge_probs("logistic regression", probs, table, seconds)
    start = cpu()
    found = CleanLearning(model).find_label_issues(labels=y, pred_probs=probs)
    table.line("CleanLearning", found.label_quality.to_numpy(), found.is_label_issue.to_numpy(), cpu() - start + seconds)  # fmt: skip
    start = cpu()
    lab = Datalab(dict(label=y), label_name="label", verbosity=0)
    lab.find_issues(pred_probs=probs, features=X, issue_types=dict(label={}))
    found = lab.get_issues("label")
    table.line("Datalab", found.label_score.to_numpy(), found.is_label_issue.to_numpy(), cpu() - start + seconds)  # fmt: skip
    start = cpu()
    unit = X / np.linalg.norm(X, axis=1, keepdims=True)
    near = NearestNeighbors(n_neighbors=11, algorithm="brute").fit(unit).kneighbors(unit)[1][:, 1:]
    votes = np.stack([(y[near] == c).mean(1) for c in range(y.max() + 1)], 1)
    table.line("neighbours' vote", votes[at, y], votes.argmax(1) != y, cpu() - start, votes)


def main():
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("folder", nargs="?", default="benchmarks/detection")
    asked.add_argument("sets", nargs="*", default=list(SETS))
    asked.add_argument("--efforts", default="0,1")
    options = asked.parse_args()
    warnings.filterwarnings("ignore")
    print(Table.HEAD, flush=True)
    for name, judged in make_sets(options.folder, options.sets or list(SETS)):
        scan(judged.bench, ScanOptions(0, judged.embedder), say=lambda line: None)
        part = without_locked(judged.bench.state())
        rows = np.flatnonzero(part.keep & part.label.notna() & (part["split"] == "train"))
        labels = part.label.iloc[rows]
        y = class_indices(labels, sorted(set(labels)))
        wrong = (labels.to_numpy() != judged.truth.reindex(labels.index).to_numpy()).astype(bool)
        table = Table(name, y, wrong)
        judge_with_assay(judged, list(map(int, options.efforts.split(","))), table, rows)
        judge_with_others(judges.load_features(judged.bench, part)[0][rows], table)


if __name__ == "__main__":
    main()
