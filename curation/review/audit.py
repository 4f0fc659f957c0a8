"""Audits: which samples chance picks, and what was decided."""

from __future__ import annotations

import itertools
import json
from hashlib import sha256
from typing import TYPE_CHECKING

from assay.curation.statistics import sampling
from assay.curation.storage import schema
from assay.curation.storage.interface import Bench
from assay.curation.versioning import class_list, class_names, expressions, live_edits, pointers
from assay.curation.versioning.state_building import count_labelled

if TYPE_CHECKING:
    import duckdb
    import pandas as pd

# names the one order in which samples are audited: several audits are together one simple random
# sample of the split
SEED = 1
SPLITS = ("test", "val", "train")
DECISIONS = f"""
with {live_edits.ALIVE.format(only="and field = 'label' and kind = 'audit'")}
select sample, arg_max(value ->> '$', seq) as label, arg_max(verdict, seq) as verdict,
    arg_max(suggested ->> 'audit', seq) as audit, arg_max(batch, seq) as batch
from alive group by sample order by sample"""


def find_audited(bench: Bench, version: str | int = "HEAD") -> pd.DataFrame:
    """Find the samples with an audit's decision that nobody undid.

    Frame sample -> label, given (what stood without any audit), verdict (confirm, set, unsure),
    audit, batch. Where somebody was unsure, label is what is given.
    """
    upto = pointers.find_position(bench, expressions.root_version(version))
    with bench.connect() as con:
        frame = list_decisions(con, upto)
    given = bench.state(upto, ["given_label"], frame.index).given_label
    frame.insert(1, "given", given.reindex(frame.index).astype(object))
    frame["label"] = frame.label.where(frame.verdict != "unsure", frame.given)
    return frame


def list_decisions(con: duckdb.DuckDBPyConnection, upto: int = schema.END) -> pd.DataFrame:
    """List the last audit decision on each sample that nobody undid.

    Frame sample -> label, verdict, audit, batch.
    """
    class_names.offer_names(con, upto)
    return con.execute(DECISIONS, dict(upto=upto)).df().set_index("sample")


def list_population(bench: Bench, split: str, version: str | int = "HEAD") -> list[str]:
    """List the kept, labelled samples of a split, as they are audited."""
    frame = bench.frame(version, split)
    return sampling.shuffle_samples(frame.index[frame.label.notna()], SEED)


def list_classes(bench: Bench) -> list[str]:
    """List the labels that an auditor may answer with."""
    return class_list.list_classes(bench)


def draw_sheet(bench: Bench, rule: dict) -> list[str]:
    """Draw the sample behind each row of an audit's sheet.

    A function of its rule and of the log up to it alone, so that no file need keep it. Shuffled,
    and no repeat lies next to its first.
    """
    done = set(find_audited(bench, rule["upto"]).index)
    left = (s for s in list_population(bench, rule["split"], rule["upto"]) if s not in done)
    taken = list(itertools.islice(left, rule["n"]))
    again = sampling.shuffle_samples(taken, rule["seed"], "again")[: rule["repeats"]]
    shown = ["1" + s for s in taken] + ["2" + s for s in again]
    for turn in itertools.count():
        rows = [row[1:] for row in sampling.shuffle_samples(shown, rule["seed"], turn)]
        if all(a != b for a, b in itertools.pairwise(rows)):
            return rows
    raise AssertionError("one turn has no repeat next to its first")


def hash_rows(rows: list[str]) -> str:
    return sha256(json.dumps(rows).encode()).hexdigest()[:32]


def find_random_sample(
    bench: Bench, split: str, version: str | int = "HEAD"
) -> tuple[pd.DataFrame, int]:
    """Find the audited samples that are a random sample of a split.

    They are the longest beginning of the order that is audited as a whole: what an undo or a new
    import tore open cannot bias it. Returns (frame as `find_audited`, how many samples the split
    has).
    """
    found = find_audited(bench, version)
    if not len(found):  # to draw a large split takes a while
        return found, count_labelled(bench, split, version)
    order, known = list_population(bench, split, version), set(found.index)
    return found.loc[list(itertools.takewhile(known.__contains__, order))], len(order)
