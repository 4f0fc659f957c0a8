"""Several labels: every sample has a set of classes, or no label yet.

A label is the JSON text of a sorted list, such as `["cat", "dog"]`: equal sets are equal texts. The empty set, `[]`,
is a label; None is none.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from assay.curation.tasks.base import Task
from assay.curation.tasks.classification import parse_label
from assay.curation.tasks.member_noise import MemberNoise, fit_member_noise
from assay.curation.text import find_flaw

if TYPE_CHECKING:
    import pandas as pd


FIRST = 0.6  # what the least trusted membership weighs in a set's score
DEEPEST = 8  # memberships that count in it


def make_set(names: Iterable[str]) -> str:
    """Write a set of classes as a label."""
    return json.dumps(sorted(set(names)), ensure_ascii=False)


@lru_cache(100_000)
def read_set(label: str) -> tuple[str, ...]:
    """Read the classes of a label."""
    return tuple(json.loads(label))


def split_cell(cell: str) -> list[str]:
    """Split a cell into names: JSON, or text such as cat|dog.

    ValueError where it is neither, or names a class twice.
    """
    names = [part.strip() for part in cell.split("|")]
    if cell.lstrip().startswith("["):
        try:
            names = json.loads(cell)
        except (ValueError, RecursionError):
            raise ValueError(f"expected a JSON list of classes, found {cell!r:.80}") from None
        if not all(isinstance(name, str) for name in names):
            raise ValueError(f"expected a JSON list of texts, found {cell!r:.80}")
    if not all(names):
        raise ValueError(
            f"expected classes with | between them, found {cell!r:.80}; [] is no class"
        )
    twice = [name for name, n in Counter(names).items() if n > 1]
    if twice:
        raise ValueError(f"expected each class once, found {twice[0]!r:.80} twice")
    return names


def parse_set(cell: str, classes: Collection[str]) -> str:
    """Read a cell as a set of the classes: cat|dog, a JSON list, or [].

    ValueError where one is none of them, or comes twice.
    """
    names = [cell] if cell in classes else split_cell(cell)
    for name in names:
        if wrong := find_flaw(name):
            raise ValueError(f"its label {wrong}")
    return make_set(parse_label(name, classes) for name in names)


def show_set(label: str) -> str:
    """Show a label as people read it."""
    return ", ".join(read_set(label)) or "no class"


def set_targets(labels: Sequence, classes: Sequence[str]) -> np.ndarray:
    """Give every label's members (n, k), 0 or 1; rows of -1 for none of these classes."""
    import pandas as pd

    codes, sets = pd.factorize(np.asarray(labels, object))
    place = {name: column for column, name in enumerate(classes)}
    known = np.zeros((len(sets) + 1, len(classes)), "i1")  # the last row is for code -1
    known[-1] = -1
    for row, label in enumerate(sets):
        names = read_set(label)
        if place.keys() >= set(names):
            known[row, [place[name] for name in names]] = 1
        else:
            known[row] = -1
    return known[codes]


def score_sets(
    y: np.ndarray,
    probs: np.ndarray,
    classes: Sequence[str],
    noise: MemberNoise | None = None,
    flagged: np.ndarray | None = None,
) -> pd.DataFrame:
    """Score label sets by out-of-sample probabilities: by the memberships that are least trusted.

    y (m, k): members, 0 or 1; probs (m, k), each by itself; noise: how often members are wrong, by default learnt of
    these rows; flagged (m, k), by default none. Frame of m rows: score (see join_trust), question (the class of the
    least trusted membership, of those flagged where any is), suggestion (the set with that and all flagged ones
    turned, where the model says so), confidence (the probability of what the suggestion says of the question).
    """
    import pandas as pd

    out = pd.DataFrame(index=range(len(y)))
    if not len(y) or not y.shape[1]:
        return out.assign(score=1.0, suggestion="[]", question="", confidence=1.0)
    trust = (noise or fit_member_noise(y, probs)).trust(y, probs)
    flagged = np.zeros(y.shape, bool) if flagged is None else flagged
    least = (trust - 2 * flagged).argmin(1)
    asked = np.arange(y.shape[1]) == least[:, None]
    turned = (flagged | asked) & contradict(y, probs)
    out["score"] = join_trust(trust)
    out["suggestion"] = name_sets(np.where(turned, 1 - y, y), classes)
    out["question"] = np.asarray(classes, object)[least]
    there = np.where(turned, 1 - y, y)[asked] == 1
    out["confidence"] = np.where(there, probs[asked], 1 - probs[asked])
    return out


def contradict(y: np.ndarray, probs: np.ndarray) -> np.ndarray:
    """Say which memberships (m, k) are less likely than not."""
    return (probs > 0.5) != (y == 1)


def join_trust(trust: np.ndarray) -> np.ndarray:
    """Join how far each membership is trusted (m, k) to the scores of the sets (m,).

    An average that weighs the least trusted most, each next one by .4 of that before: as cleanlab does.
    """
    deep = min(DEEPEST, trust.shape[1])
    least = np.sort(np.partition(trust, deep - 1, 1)[:, :deep], 1)
    weights = (1 - FIRST) ** np.arange(deep)
    return least @ (weights / weights.sum())


def name_sets(members: np.ndarray, classes: Sequence[str]) -> np.ndarray:
    """Write rows of members (m, k), 0 or 1, as labels (m,)."""
    names = np.asarray(classes, object)
    rows, back = np.unique(np.asarray(members, "i1"), axis=0, return_inverse=True)
    sets = np.array([make_set(names[row == 1]) for row in rows], object)
    return sets[back.ravel()]


def keep_others(
    suggestions: Iterable[str], labels: Iterable[str], classes: Collection[str]
) -> np.ndarray:
    """Add to suggested sets (m,) what their labels name beside the classes: no model was asked about that."""
    known, out = set(classes), []
    for suggestion, label in zip(suggestions, labels):
        others = [name for name in read_set(label) if name not in known]
        out.append(make_set([*read_set(suggestion), *others]) if others else suggestion)
    return np.array(out, object)


def likely_sets(probs: np.ndarray, classes: Sequence[str]) -> np.ndarray:
    """Give the set of classes that are likelier than not, of each row: (m,)."""
    return name_sets(probs >= 0.5, classes)


def share_right(predicted: Sequence, labels: Sequence) -> np.ndarray:
    """Give the share of labels that are right: (n,) from 0 to 1.

    Of the classes that either set names, those that both do; 1 where both are empty, 0 where one is no set at all.
    (Godbole and Sarawagi 2004)
    """
    pairs = zip(predicted, labels)
    return np.array([share_equal(read_set(a), read_set(b)) if a and b else 0.0 for a, b in pairs])


def share_equal(one: Collection[str], other: Collection[str]) -> float:
    """Give the share of classes of either set that both have; 1 for two empty ones."""
    either = {*one, *other}
    return len({*one} & {*other}) / len(either) if either else 1.0


TASK = Task(
    name="multilabel",
    noun="several labels a sample",
    parse=parse_set,
    members=read_set,
    show=show_set,
    targets=set_targets,
    score=score_sets,
    predict=likely_sets,
    correct=share_right,
    several=True,
)
