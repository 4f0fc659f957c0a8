"""Hold out samples that give a val, test or guard sample away."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from assay.curation.errors import Question
from assay.curation.issues import leakage
from assay.curation.issues.copies import load_copies
from assay.curation.storage.interface import Bench
from assay.curation.storage.schema import new_batch

if TYPE_CHECKING:
    import pandas as pd

Leaks = list[tuple[int, int]]  # (row of a state, row of the sample that it gives away)


def find_leaks(bench: Bench, state: pd.DataFrame) -> Leaks:
    """Find the samples to hold out; what a person restored stays."""
    copies = load_copies(bench, state)
    restored = leakage.find_restored(bench)
    found = leakage.match_leaks(state, copies.near, copies.node)
    return [(i, j) for i, (j, _) in found.items() if state.index[i] not in restored]


def check_enough_left(bench: Bench, state: pd.DataFrame, leaks: Leaks) -> None:
    """Refuse to hold out more than half of a part.

    The parts are train, val and each class of train. The splits are to be seen to first.
    """
    split, label = state["split"].to_numpy(object), state.label.to_numpy(object)
    kept, out = state.keep.to_numpy(bool), np.zeros(len(state), bool)
    out[[i for i, _ in leaks]] = True
    parts = {s: kept & (split == s) for s in ("train", "val")}
    classes = sorted({c for c in label[parts["train"]] if c is not None})
    parts |= {f"class {c} of train": parts["train"] & (label == c) for c in classes}
    gone = [
        f"{(out & part).sum():,} of {part.sum():,} of {name}"
        for name, part in parts.items()
        if 2 * (out & part).sum() > part.sum()
    ]
    if gone:
        i, j = leaks[0]
        pair = f"{state.key.iloc[i]} ({split[i]}) and {state.key.iloc[j]} ({split[j]})"
        raise Question(
            "expected few samples to (nearly) equal one of a split that they must not know,"
            f" found {', '.join(gone[:5])}{' ...' * (len(gone) > 5)}, for example {pair};"
            " nothing was held out",
            f"see to the splits; or: assay scan -b {bench.given} --keep-leakage trains on them all the same,"
            " --yes holds them out",
        )


def hold_out_leakage(bench: Bench, state: pd.DataFrame, leaks: Leaks, who: str) -> str:
    """Hold out leakage in one batch; return what that was.

    "" where there is none.
    """
    import pandas as pd

    if not leaks:
        return ""
    ids, split = state.index, state["split"].to_numpy()
    rows = [(ids[i], f"leakage: like the {split[j]} sample {ids[j]}") for i, j in leaks]
    edits = pd.DataFrame(rows, columns=["sample", "why"]).assign(field="keep", value="false")
    with bench.transaction() as con:
        bench.append(con, edits, new_batch("scan"), who)
    count = {s: sum(split[i] == s for i, _ in leaks) for s in ("train", "val", "pool")}
    like = "val, test or guard" if "guard" in {split[j] for _, j in leaks} else "val or test"
    held = " and ".join(f"{n:,} {s}" for s, n in count.items() if n)
    held_n = sum(count.values())
    noun, equal = ("sample", "equals") if held_n == 1 else ("samples", "equal")
    return f"{held} {noun} that (nearly) {equal} a {like} sample"
