"""A reviewer who knows the truth: for the demo, the benchmarks and the tests, where what a review finds can be counted."""

import csv
from hashlib import blake2b
from pathlib import Path

import numpy as np

from curation import modes
from curation.errors import UserError


def decisions(samples, truth, seconds=2.0):
    """What a reviewer who knows `truth` (Series or dict id -> label) decides about `samples`: a frame sample, label, seconds. A label that
    is right already becomes a confirmation when it is applied."""
    import pandas as pd

    samples = list(samples)
    return pd.DataFrame(dict(sample=samples, label=[truth[s] for s in samples], seconds=seconds))


def fallible(rows, truth, error, accept, seed=0, unsure=(0.0, 0.0)):
    """The same of a reviewer who errs, about `rows` (frame sample, given_label, suggested_label): a wrong suggestion is accepted with
    probability `accept`; of all other answers a share `error` is wrong, any other class alike. By seed and sample id alone, so that in
    another order the same question gets the same answer. `unsure`: how often nothing is decided where the given label is wrong, and where it is right:
    people are unsure of wrong labels more often; the frame then has a verdict, and such a row no label.
    Seconds have a median of 2 for a look and 4 where a new label is given."""
    import pandas as pd

    classes = sorted(set(dict(truth).values()))
    out = decisions(rows["sample"], truth)
    labels, seconds, verdicts = [], [], []
    for sample, right, given, suggested in zip(out["sample"], out.label, rows.given_label, rows.suggested_label):
        rng = np.random.default_rng(list(blake2b(f"{seed} {sample}".encode()).digest()))
        accepts, errs, pace = rng.random() < accept, rng.random() < error, np.exp(rng.normal(0, 0.4))
        wrong = [c for c in classes if c != right]
        other = wrong[rng.integers(len(wrong))]
        labels.append(suggested if accepts and suggested in wrong else other if errs else right)
        verdicts.append("unsure" if rng.random() < unsure[given == right] else "")
        labels[-1] = given if verdicts[-1] else labels[-1]
        seconds.append(round(pace * (2 if labels[-1] == given else 4), 1))
    out = out.assign(label=labels, seconds=seconds)
    return out.assign(verdict=verdicts, label=out.label.mask(pd.Series(verdicts) != "")) if any(unsure) else out


def answer(bench, rows, asked, who, why):
    """Apply what was decided about the rows of a queue, each with what the queue had said of it, as one batch. Returns the edit summary."""
    asked = asked.assign(
        suggested_label=rows.suggested_label,
        score=rows.score,
        rank=rows["rank"],
        reason=rows.reason,
        random=rows.random.map({True: "true", False: ""}),
    )
    return bench.edit(asked, who, why)


def review(bench, truth, n, random=0.05, who="simulated expert", why="review in queue order"):
    """Review n suspects in queue order and the random stratum beside them, as one batch. Returns (queue frame, edit summary)."""
    rows = bench.queue(n, random)
    return rows, answer(bench, rows, decisions(rows["sample"], truth), who, why)


def hurried(probability, seed):
    """One annotator's label for each cell: defective with the experts' probability. (n,) floats -> (n,) bool."""
    return np.random.default_rng(seed).random(len(probability)) < probability


def example(bench, source):
    """The manifest that example:solar-cells stands for, made beside the bench; any other source as it is."""
    if not isinstance(source, str) or not source.startswith("example:") or Path(source).exists():
        return source
    if source != "example:solar-cells":
        raise UserError(f"expected example:solar-cells, found {source}", "there is no other example")
    return str(solar_cells(bench.path / "uploads" / "example")[0])


def solar_cells(folder, seed=0):
    """The solar cells of the elpv-dataset wheel as a manifest in `folder`: train and val carry a hurried annotator's label, test the experts'
    majority. Returns (manifest path, {key: expert majority}). Images stay in the wheel: links, not copies."""
    import elpv_dataset

    from curation.sources import make_splits

    root = Path(elpv_dataset.__file__).parent / "data"
    table = [line.split() for line in (root / "labels.csv").read_text().splitlines() if line.strip()]
    paths, doubt, module = [r[0] for r in table], np.array([float(r[1]) for r in table]), [r[2] for r in table]
    name = np.array(["functional", "defective"])
    truth = name[(doubt > 0.5).astype(int)]
    import pandas as pd

    frame = pd.DataFrame(dict(key=paths, label=truth, split=None, meta=None))
    split = np.array(make_splits(frame, paths, seed=seed, val=0.1, test=0.2))
    label = np.where(split == "test", truth, name[hurried(doubt, seed).astype(int)])
    modes.folder(folder)
    link = folder / "images"
    if not link.is_symlink():
        link.symlink_to(root / "images")
    manifest = folder / "solar-cells.csv"
    with open(manifest, "w", newline="", opener=modes.opener) as f:
        out = csv.writer(f)
        out.writerow(["id", "path", "label", "split", "module"])
        out.writerows(zip(paths, paths, label, split, module))
    return manifest, dict(zip(paths, truth))
