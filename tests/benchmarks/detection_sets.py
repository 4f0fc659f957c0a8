"""Sets whose wrong labels are known: human errors, experts' doubts, a weak annotator, planted errors, rare classes."""

import json
import shutil
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

import assay
from assay.curation.formats.base import ImportOptions
from assay.pipelines.indexing.ingest import ingest
from assay.pipelines.simulation.example_data import make_solar_cells, make_weak_labels
from tests.benchmarks.scan import label_set
from tests.benchmarks.tools import need
from tests.helpers import digits


class Judged(NamedTuple):
    """A bench, and what its labels should be."""

    bench: object
    truth: pd.Series  # by sample; null where no class is right
    embedder: str = "lite0"


def said_in(bench, column):
    return bench.state().meta.map(lambda m: json.loads(m).get(column))


def cifar(work, label, ratio=1, planted=0.0):
    """CIFAR-10N, all of it or a cut whose rarest class has 1 sample of `ratio`; planted: uniform errors in place of people's."""
    first = work / "cifar-aggre"
    shared = assay.open(first) if first.exists() else None
    source, name = need("cifar10n.parquet"), f"cifar-{label}"
    if ratio > 1:
        table, rng = pd.read_parquet(source), np.random.default_rng(0)
        table = table.iloc[rng.permutation(len(table))]
        table = table.astype(dict(true_label=str, **{label: str}))
        classes = sorted(set(table.true_label))
        most = {c: int(4500 * ratio ** (-i / (len(classes) - 1))) for i, c in enumerate(classes)}
        place = table.groupby(["split", "true_label"]).cumcount()
        table = table[(table["split"] == "test") | (place < table.true_label.map(most))]
        if planted:
            wrong = (rng.random(len(table)) < planted) & (table["split"] != "test").to_numpy()
            other = [(classes.index(t) + rng.integers(1, 10)) % 10 for t in table.true_label]
            table[label] = np.where(wrong, np.array(classes)[other], table.true_label)
        name = f"{name}-{ratio}"
        source = work / f"{name}.parquet"
        table.to_parquet(source)
    there = (work / name).exists()
    bench = assay.open(work / name) if there else label_set(source, label, work, shared, name)
    return Judged(bench, said_in(bench, "true_label"))


def roman(work):
    """Roman numerals by hand: what two reviewers relabelled or called no numeral; what they were unsure of is left out."""
    table = pd.read_parquet(need("roman_numerals.parquet"))
    table[table["split"].isin(("train", "val")) & (table.review != "unsure")].to_parquet(
        work / "roman.parquet"
    )
    bench = assay.create(work / "roman")
    ingest(bench, work / "roman.parquet", "benchmark", ImportOptions(columns=dict(label="label")))
    return Judged(bench, said_in(bench, "true_label"))


def solar(work, make):
    """Photographs of solar cells: an annotator's labels against those of most experts."""
    folder = work / make.__name__
    folder.mkdir()
    manifest, truth = make(folder)
    bench = assay.create(folder / "bench")
    ingest(bench, manifest, "benchmark")
    return Judged(bench, bench.state().key.map(truth))


def weak_digits(work, shown):
    """Digits labelled by a logistic regression that was shown a few of them."""
    from sklearn.datasets import load_digits
    from sklearn.linear_model import LogisticRegression

    pixels, table = load_digits(return_X_y=True)[0] / 16, digits(1797, wrong=0)
    X = pixels[[int(name[1:]) for name in table.id]]
    weak = LogisticRegression(max_iter=500).fit(X[:shown], table.truth[:shown])
    table["label"] = np.where(table["split"] == "test", table.truth, weak.predict(X))
    table.to_parquet(work / f"digits-{shown}.parquet")
    bench = assay.create(work / f"digits-{shown}")
    options = ImportOptions(columns=dict(label="label"))
    ingest(bench, work / f"digits-{shown}.parquet", "benchmark", options)
    return Judged(bench, said_in(bench, "truth"), "pixels")


SETS = dict(
    digits40=partial(weak_digits, shown=40),
    digits200=partial(weak_digits, shown=200),
    solar=partial(solar, make=make_solar_cells),
    solarweak=partial(solar, make=make_weak_labels),
    roman=roman,
    aggre=partial(cifar, label="aggre"),
    rand1=partial(cifar, label="rand1"),
    worst=partial(cifar, label="worst"),
    aggre100=partial(cifar, label="aggre", ratio=100),
    rand110=partial(cifar, label="rand1", ratio=10),
    planted100=partial(cifar, label="rand1", ratio=100, planted=0.05),
)


def make_sets(folder, names):
    """Make sets by name, one after another; a large one is embedded once and kept in `folder`."""
    work = Path(folder)
    work.mkdir(parents=True, exist_ok=True)
    for name in names:
        for old in work.iterdir():
            if old.name != "cifar-aggre":
                shutil.rmtree(old) if old.is_dir() else old.unlink()
        yield name, SETS[name](work)
