"""Define regression sets: by a TOML file, or from a gap."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

from assay.curation import text
from assay.curation.errors import UserError
from assay.curation.slicing import gaps
from assay.curation.slicing.regression_sets import frozen_sets, without_test_copies
from assay.curation.storage.interface import Bench
from assay.curation.system import permissions

EXAMPLE = "[night]\nquery = \"select id from samples where key like 'night/%'\"\nscore = 0.9"


def read_regression_sets(path: str | Path) -> dict[str, dict]:
    """Read regression sets from TOML: {name: dict(score, asked)}.

    A table for each set has a score and a query or a list of samples; `asked` is that, as
    slices.resolve_slices takes it. UserError for what is none.
    """
    try:
        found = tomllib.loads(Path(path).read_text())
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as e:
        raise UserError(
            f"expected regression sets in TOML, found {path}: {e}", f"the least:\n{EXAMPLE}"
        ) from None
    if not found:
        raise UserError(f"expected regression sets in {path}, found none", f"the least:\n{EXAMPLE}")
    for name, table in found.items():
        text.check_text(name, f"the name of a set in {path}")
        if wrong := find_flaw(table):
            raise UserError(
                f"expected a score, and a query or samples, for the set {name!r} in {path}, "
                f"found {wrong}",
                f"as in:\n{EXAMPLE}",
            )
    return {
        name: dict(score=float(table["score"]), asked=table.get("query", table.get("samples")))
        for name, table in found.items()
    }


def find_flaw(table: object) -> str | None:
    """Say what is wrong with the table of a set, or None."""
    if not isinstance(table, dict):
        return f"{table!r}"
    if unknown := [k for k in table if k not in ("score", "query", "samples")]:
        return f"also {', '.join(unknown)}"
    if ("query" in table) == ("samples" in table):
        return "both" if "query" in table else "neither query nor samples"
    if "score" not in table:
        return "no score"
    score = table["score"]
    if not isinstance(score, int | float) or isinstance(score, bool) or not 0 < score <= 1:
        return f"score = {score!r}, which is no share above 0 and at most 1"
    key, kind = ("query", str) if "query" in table else ("samples", list)
    asked = table[key]
    if not isinstance(asked, kind) or not all(isinstance(sample, str | int) for sample in asked):
        return f"{key} = {asked!r}"
    return None


def make_set_from_gap(
    bench: Bench, name: str, gap: str, score: float | None = None
) -> tuple[dict[str, dict], int]:
    """Make a regression set of a gap, as read_regression_sets has it.

    It holds all kept, labelled val and pool samples of the gap, and what the set holds already.
    Not only those that the model has wrong: on a set picked by failures any other model looks
    better, and no score could be required of it. The score is by default the accuracy that the
    model has outside the gap, to two digits. Returns also how many samples were left out for
    being like a test sample.
    """
    text.check_text(name, "the name of a set")
    state, row = bench.state(), gaps.find_gap(bench, gap)
    mine = state.loc[gaps.gap_members(bench, gap)]
    mine = mine.index[mine.label.notna() & mine.split.isin(("val", "pool"))]
    asked = list(without_test_copies(bench, state, mine))
    if not asked:
        raise UserError(
            f"expected labelled val or pool samples in the gap {row['gap']!r}, found none",
            "label samples from there first: what is labelled in val or the pool can be kept for a test",
        )
    if score is None and row["rest"] is None:
        raise UserError(
            "expected a required score, found no validation errors outside the gap to take it from",
            "say --score, as in 0.9",
        )
    if score is None:
        score = max(0.01, int(100 * (1 - row["rest"])) / 100)
    if wrong := find_flaw(dict(score=score, samples=asked)):
        raise UserError(
            f"expected a score for the set {name!r}, found {wrong}", "for example --score 0.9"
        )
    there = frozen_sets(bench, state).get(name)
    every = sorted({*asked, *(there["samples"] if there else ())})
    return {name: dict(score=float(score), asked=every)}, len(mine) - len(asked)


def write_regression_sets(bench: Bench, sets: dict[str, dict]) -> Path:
    """Write the sets into the bench's folder, as read_regression_sets reads them.

    What was written before is replaced. Returns the path.
    """
    path = bench.path / f"guard-{text.safe_name('-'.join(sets))}.toml"
    tables = []
    for name, own in sets.items():
        samples = json.dumps(list(own["asked"]), indent=1)
        tables.append(f"[{json.dumps(name)}]\nsamples = {samples}\nscore = {own['score']}\n")
    permissions.touch_file(path).write_text("\n".join(tables))
    return path
