"""People's word that samples are no copies of each other.

Each decision is a rule in the log: its name holds a digest of the samples, so that two benches
which decided the same agree when they are merged, and undo takes it back as it does all else.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from hashlib import sha256
from itertools import combinations, product
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from assay.curation.errors import UnknownSample, UserError
from assay.curation.splits import LOCKED
from assay.curation.storage.interface import Bench
from assay.curation.storage.schema import END, new_batch
from assay.curation.text import check_text, format_count
from assay.curation.versioning.rules import make_rule_edit

if TYPE_CHECKING:
    import pandas as pd

PREFIX = "not copies:"  # of the rules that say so
MOST = 100  # samples in one decision: all their pairs are told apart
LONGEST = 5000  # characters of its value, which a merge still believes
DECISIONS = """select arg_max(value, seq) from edits
    where field = 'rule' and starts_with(value ->> 'name', 'not copies:') and seq <= ?
    group by value ->> 'name'"""


class NotCopies(NamedTuple):
    """One decision: samples are no copies of each other, or none of `others`."""

    samples: list[str]
    others: list[str]  # [] where each is no copy of any other of `samples`

    def pair_nodes(self, find: Callable[[list[str]], list[int]]) -> Iterator[tuple[int, int]]:
        """Give the pairs of nodes that it tells apart; find(samples): their nodes."""
        nodes = find(self.samples)
        pairs = product(nodes, find(self.others)) if self.others else combinations(nodes, 2)
        return ((min(pair), max(pair)) for pair in pairs if pair[0] != pair[1])


def load_not_copies(bench: Bench, upto: int = END) -> list[NotCopies]:
    """List the decisions that stand at a position of the log."""
    said = [json.loads(value) for (value,) in bench.rows(DECISIONS, [upto])]
    # a decision that was undone has a name and nothing else
    return [NotCopies(r["samples"], r.get("others", [])) for r in said if "samples" in r]


def was_told_apart(bench: Bench) -> bool:
    """Tell whether anybody ever said that samples are no copies."""
    return bool(bench.rows(f"select 1 from ({DECISIONS}) limit 1", [END]))


def find_pairs_apart(decisions: list[NotCopies], index: pd.Index, node: np.ndarray) -> np.ndarray:
    """Find the pairs of nodes (k, 2) that people told apart.

    The lower node comes first. index, node (n,): the samples, and each one's node of the graph.
    Equal images share a node, so that nobody tells them apart.
    """

    def find(samples: list[str]) -> list[int]:
        return sorted({int(node[row]) for row in index.get_indexer(samples) if row >= 0})

    pairs = {pair for decision in decisions for pair in decision.pair_nodes(find)}
    return np.array(sorted(pairs), int).reshape(-1, 2)


def mark_not_copies(
    bench: Bench, samples: Sequence[str], who: str, others: Sequence[str] = (), batch: str = ""
) -> dict:
    """Store that samples are no copies of each other, as one batch.

    others: they are no copies of these, in place of each other. batch: its name, where whoever asks has made one up.
    Returns {batch, samples, others}. UserError where nothing can be told apart: fewer than two different images, or
    test and guard samples alone.
    """
    import pandas as pd

    check_text(who, "who decides")
    ids, rest = (sorted(dict.fromkeys(map(str, some))) for some in (samples, others))
    check_samples(bench.state(), ids, rest)
    rule = dict(samples=ids) | (dict(others=rest) if rest else {})
    digest = sha256(json.dumps(rule).encode()).hexdigest()[:16]
    edit = make_rule_edit(dict(name=PREFIX + digest) | rule, "no copies of each other")
    value = json.dumps(edit.value)
    if len(value) > LONGEST:
        raise UserError(
            f"expected ids of {format_count(LONGEST, 'character')} in all, found more",
            "name fewer samples",
        )
    batch = batch or new_batch("edit")
    with bench.transaction() as con:
        # sent twice, it is stored once
        if not con.execute("select 1 from edits where batch = ? limit 1", [batch]).fetchall():
            bench.append(con, pd.DataFrame([edit._replace(value=value)]), batch, who)
    return dict(batch=batch, samples=ids, others=rest)


def check_samples(state: pd.DataFrame, samples: list[str], others: list[str]) -> None:
    """Refuse samples that nobody can tell apart, or that are not here."""
    ids = [*samples, *others]
    if unknown := [s for s in ids if s not in state.index]:
        raise UnknownSample(
            f"expected samples of this bench, found none of the id {unknown[0][:40]!r}",
            "assay duplicates lists them",
            unknown[0],
            (),
        )
    if both := set(samples) & set(others):
        raise UserError(
            f"expected other samples, found {min(both)[:40]} among both", "name each once"
        )
    if not samples or not 2 <= len(ids) <= MOST:
        raise UserError(
            f"expected 2 to {MOST} samples that are no copies of each other, found {len(ids):,}",
            "name at least two" if len(ids) < 2 else "tell fewer apart at a time",
        )
    if state.content_hash[ids].nunique() < 2:
        raise UserError(
            "expected different files, found samples with the same bytes",
            "these are copies: keep one, or leave them as they are",
        )
    if state.split[ids].isin(LOCKED).all():
        raise UserError(
            "expected a sample outside test and guard, found locked ones alone",
            "copies among them are left as they are",
        )
