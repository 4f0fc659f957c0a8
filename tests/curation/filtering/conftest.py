"""A bench with names and metadata as people have them, scanned, with decisions, tags and a second opinion."""

import shutil

import numpy as np
import pandas as pd
import pytest

from assay.curation.filtering.table import SampleTable
from tests.helpers import digits, open_copy, scanned_bench

NAMES = {
    "0": "قطة",
    "1": "O'Brien",
    "2": "<script>alert(1)</script>",
    "3": "😀 smile",
    "4": 'say "hi"',
    "5": "a;-- b",
    "6": "猫",
    "7": "7",
    "8": "Café",
    "9": "100%_",
}


def odd_digits(n=300):
    """Digits whose classes have odd names, half a pool, with metadata of every kind."""
    table = digits(n)
    at = np.arange(n)
    split = np.array(["train", "train", "val", "test", "pool", "train"])[at % 6]
    label = table.label.map(NAMES).where(split != "pool", None)
    return table.assign(
        split=split,
        label=label,
        age=(at % 37).astype(str),
        code=[f"{i % 9:03d}" for i in at],
        night=(at % 3 == 0),
        temperature=np.where(at % 5 == 0, np.nan, at / 7),
        place=np.array(["Zürich", "زيورخ", "l'Aquila", "<b>x</b>"])[at % 4],
        score=at.astype(str),
    ).rename(columns={"place": 'the "place"'})


@pytest.fixture(scope="session")
def odd_once(tmp_path_factory):
    bench = scanned_bench(odd_digits(), tmp_path_factory.mktemp("odd"))
    state = bench.state()
    free = state.index[state["split"].isin(("train", "val"))]
    edits = pd.DataFrame(dict(sample=free[:12], label="7"))
    bench.edit(edits, "ann")
    bench.edit(pd.DataFrame(dict(sample=free[12:20], verdict="confirm")), "Bób")
    bench.edit(pd.DataFrame(dict(sample=free[20:25], verdict="unsure")), "ann")
    bench.edit(pd.DataFrame(dict(sample=free[25:31], keep="false")), "ann")
    bench.edit(pd.DataFrame(dict(sample=free[28:40], tag="to do")), "ann")
    bench.edit(pd.DataFrame(dict(sample=free[35:45], tag="it's")), "ann")
    said = pd.DataFrame(dict(is_label_issue=False, label_score=0.5), index=free[:50])
    said.iloc[40:, 0], said.iloc[:, 1] = True, np.linspace(0, 1, 50)
    bench.add_opinion(said.reset_index(), "other", progress=False)
    return bench


@pytest.fixture
def odd(odd_once, tmp_path):
    shutil.copytree(odd_once.path, tmp_path / "bench")
    return open_copy(tmp_path / "bench")


@pytest.fixture(scope="session")
def table_once(odd_once):
    return SampleTable(odd_once)
