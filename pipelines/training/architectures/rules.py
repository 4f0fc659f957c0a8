"""Rules that a person wrote, beside the networks: `rules(package.module:function)`."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

import numpy as np

from assay.curation.errors import UserError
from assay.curation.storage.interface import Bench
from assay.curation.storage.top_probs import MANY, TopProbs, collect_probs
from assay.pipelines.training.architectures.base import Recipe
from assay.pipelines.training.labelling_functions import (
    LabellingFunction,
    ask_labels,
    load_function,
    read_batches,
)

ABSTAINED = ""  # what is predicted where the rules abstain: no class, and never right


class Rules:
    """Your rules, `package.module:function`: not trained, the same for every seed and version; abstaining is wrong."""

    recipe = Recipe("rules", "sample", function="")


ARCHITECTURE = Rules()


def load_rules(name: str, code: str) -> LabellingFunction:
    """Load rules; UserError where their code is not `code`, the hash that the run is kept under."""
    found = load_function(name)
    if found.code != code:
        raise UserError(
            f"expected the code of {name} as it was when the experiment began ({code}), found {found.code}",
            "run it again: changed rules are another run",
        )
    return found


def apply_rules(
    rules: LabellingFunction,
    bench: Bench,
    hashes: Sequence[str],
    ids: Sequence[str],
    classes: Collection[str],
    progress: Callable[[float, str], None] | None = None,
) -> tuple[list[str], np.ndarray | TopProbs]:
    """Ask rules about samples, by content hash (m,) and id (m,).

    Returns (names: ABSTAINED and the classes, sorted; probs (m, k): 1 for the answer). Raises UserError as ask_labels.
    """
    names = sorted({ABSTAINED, *classes})
    place, blocks, done = {name: i for i, name in enumerate(names)}, [], 0
    for batch in read_batches(bench, hashes):
        answers = ask_labels(rules, batch, ids[done : done + len(batch)], classes)
        block = np.zeros((len(batch), len(names)), "f4")
        block[np.arange(len(batch)), [place[a or ABSTAINED] for a in answers]] = 1
        blocks.append(block)
        done += len(batch)
        if progress:
            progress(done / len(ids), f"{rules.name} on {done:,} of {len(ids):,}")
    if not blocks:
        return names, np.zeros((0, len(names)), "f4")
    return names, collect_probs(iter(blocks)) if len(names) > MANY else np.concatenate(blocks)
