"""Define regression sets: by a TOML file, or from a gap."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Self

from pydantic import BaseModel, Field, model_validator

from assay.curation import text
from assay.curation.config import check_config, says
from assay.curation.errors import UserError, require_file
from assay.curation.predictions import model_errors
from assay.curation.slicing import gaps
from assay.curation.slicing.regression_sets import frozen_sets, without_test_copies
from assay.curation.storage.interface import Bench
from assay.curation.system import permissions
from assay.curation.tasks.base import task_of


class RegressionSet(BaseModel, extra="forbid", strict=True):
    """a score, and a query or samples"""  # completes "expected the set to have ..."

    score: float = Field(gt=0, le=1, **says("a share above 0, at most 1", "0.9"))
    query: str | None = Field(None, **says("a SELECT", '"select id from samples where width > 99"'))
    samples: list[str | int] | None = Field(None, **says("a list of samples", '["d0012"]'))

    @model_validator(mode="after")
    def check_choice(self) -> Self:
        """Refuse a set asked for in two ways, or in none."""
        if (self.query is None) == (self.samples is None):
            raise ValueError("neither" if self.query is None else "both query and samples")
        return self


EXAMPLE = "[night]\nquery = \"select id from samples where key like 'night/%'\"\nscore = 0.9"


def read_regression_sets(path: str | Path) -> dict[str, dict]:
    """Read regression sets from TOML: {name: dict(score, asked)}.

    A table for each set has a score and a query or a list of samples; `asked` is that, as
    slices.resolve_slices takes it. UserError for what is none.
    """
    require_file(path, "regression sets in TOML", f"the least:\n{EXAMPLE}")
    try:
        found = tomllib.loads(Path(path).read_text())
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as e:
        raise UserError(
            f"expected regression sets in TOML, found {path}: {e}", f"the least:\n{EXAMPLE}"
        ) from None
    if not found:
        raise UserError(f"expected regression sets in {path}, found none", f"the least:\n{EXAMPLE}")
    out = {}
    for name, table in found.items():
        text.check_text(name, f"the name of a set in {path}")
        own = check_config(RegressionSet, table, f"the set {name!r} in {path}", EXAMPLE)
        out[name] = dict(score=own["score"], asked=own.get("query", own.get("samples")))
    return out


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
    rest = row["rest"]
    if rest is not None and task_of(bench).several:  # a gate asks for the share of labels right
        judged = model_errors.find_model_errors(bench)
        judged = judged[~judged.index.isin(gaps.gap_members(bench, gap))]
        rest = 1 - float(task_of(bench).correct(judged.said, judged.label).mean())
    if score is None and rest is None:
        raise UserError(
            "expected a required score, found no validation errors outside the gap to take it from",
            "say --score, as in 0.9",
        )
    if score is None:
        score = max(0.01, int(100 * (1 - rest)) / 100)
    check_config(RegressionSet, dict(score=score, samples=asked), f"the set {name!r}", EXAMPLE)
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
