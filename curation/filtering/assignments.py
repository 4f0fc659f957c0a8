"""Assignments: a saved view whose samples a person is to review.

The view keeps the samples that it found, so that progress is counted of the same set.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np

from assay.curation import text
from assay.curation.errors import UnknownName, UserError
from assay.curation.filtering.table import SampleTable
from assay.curation.filtering.views import PREFIX, list_views, read_views
from assay.curation.storage.interface import Bench
from assay.curation.text import format_count
from assay.curation.versioning.rules import append_rule

if TYPE_CHECKING:
    import pandas as pd

MOST = 20_000  # samples of one assignment: the log holds their ids
LONGEST = 60  # characters of a name that is made of a condition
COLUMNS = ["name", "to", "where", "samples", "reviewed", "who", "saved"]


def assign_samples(
    bench: Bench,
    table: SampleTable,
    to: str,
    asked: dict[str, str],
    who: str,
    name: str = "",
    samples: Iterable[str] | None = None,
) -> dict[str, Any]:
    """Assign samples to a person: what `asked` finds now, or `samples`.

    asked: where, sort and search. Only train and val can be reviewed: others, and what was dropped, are left out and
    counted. Returns dict batch, name, to, samples, reviewed (of them, already), left_out, replaced. UserError where
    nothing is left, FilterError for what cannot be asked.
    """
    text.check_text(who, "who assigns")
    text.check_person(to)
    text.check_text(name, "an assignment's name")
    text.check_text(asked["search"], "what is searched for", text.MAX_TEXT)
    if not to.strip():
        raise UserError("expected somebody to assign it to, found no name", "as in: --to ann")
    found = find_asked(table, asked, samples)
    part = bench.state(columns=["split", "keep", "reviewed"], samples=found).reindex(found)
    free = part.split.isin(("train", "val")).to_numpy() & part.keep.eq(True).to_numpy()
    ids = [str(sample) for sample in np.asarray(found, object)[free]]
    if not 0 < len(ids) <= MOST:
        raise UserError(
            f"expected one sample to {MOST:,} of train or val to assign, found {len(ids):,} of {len(found):,}",
            "narrow the condition, or assign it in parts"
            if ids
            else "only train and val are reviewed: choose some of these",
        )
    names = set(list_views(bench).name)
    name = name.strip() or make_name(to, asked, len(ids), names)
    rule = dict(name=f"{PREFIX}{name}") | asked | dict(to=to.strip(), samples=ids)
    batch = append_rule(bench, rule, who)
    return dict(
        batch=batch,
        name=name,
        to=to.strip(),
        samples=len(ids),
        reviewed=int(part.reviewed.eq(True).to_numpy()[free].sum()),
        left_out=len(found) - len(ids),
        replaced=name in names,
    )


def find_asked(
    table: SampleTable, asked: dict[str, str], samples: Iterable[str] | None
) -> list[str]:
    """Find the ids that a condition, order and search ask for.

    samples: these instead. UserError where nothing is asked for.
    """
    if samples is not None:
        return list(samples)
    if not any(value.strip() for value in (asked["where"], asked["search"])):
        raise UserError(
            "expected a condition of what to assign, found none", "as in: --where \"label = 'cat'\""
        )
    found = table.select(asked["where"], asked["sort"], asked["search"])
    return list(table.rows(found, []).index)


def make_name(to: str, asked: dict[str, str], n: int, names: set[str]) -> str:
    """Make a name that no view has, of what was asked for."""
    about = asked["where"] or asked["search"] or format_count(n, "sample")
    about = about if len(about) <= LONGEST else f"{about[: LONGEST - 1]}…"
    name = f"{to[:LONGEST]}: {about}"
    numbered = (f"{name} {k}" for k in range(2, len(names) + 3))
    return name if name not in names else next(one for one in numbered if one not in names)


def list_assignments(
    bench: Bench, to: str | None = None, state: pd.DataFrame | None = None
) -> pd.DataFrame:
    """List the assignments, oldest first, with how many samples are reviewed.

    to: only of this person. state: as the samples are now, where somebody has it. A sample counts as reviewed when
    anybody has decided about it. Frame name, to, where, samples, reviewed, who, saved.
    """
    import pandas as pd

    found = [row for row in read_views(bench) if row[0].get("to")]
    found = [row for row in found if to is None or row[0]["to"] == to]
    rows = []
    for rule, who, ts in found:
        ids = read_samples(rule)
        done = is_done(read_progress(bench, ids) if state is None else state, ids)
        name = rule["name"].removeprefix(PREFIX)
        about = (name, rule["to"], rule.get("where", ""), len(ids), int(done.sum()), who, ts)
        rows.append(about)
    return pd.DataFrame(rows, columns=COLUMNS)


def read_samples(rule: dict[str, Any]) -> list[str]:
    """Read the ids of an assignment; a bench may come from anybody."""
    ids = rule.get("samples", [])
    return [s for s in ids if isinstance(s, str)] if isinstance(ids, list) else []


def read_progress(bench: Bench, ids: list[str]) -> pd.DataFrame:
    """Read what `is_done` asks of some samples."""
    return bench.state(columns=["reviewed", "keep"], samples=ids)


def is_done(state: pd.DataFrame, ids: list[str]) -> np.ndarray:
    """Mark the samples (n,) that wait for nobody: reviewed, dropped or gone."""
    part = state[["reviewed", "keep"]].reindex(ids)
    return (part.reviewed.eq(True) | ~part.keep.eq(True)).to_numpy(bool)


def find_waiting(bench: Bench, name: str) -> list[str]:
    """Find the samples of an assignment that nobody has reviewed, in order.

    UserError where there is no assignment of the name.
    """
    found = {r["name"].removeprefix(PREFIX): r for r, *_ in read_views(bench) if r.get("to")}
    if name not in found:
        known = list(found)
        raise UnknownName(
            f"expected an assignment, found {name[:100]!r}",
            f"there are {', '.join(known) or 'none'}; assay assign --to NAME makes one",
            name,
            known,
        )
    ids = read_samples(found[name])
    return [s for s, done in zip(ids, is_done(read_progress(bench, ids), ids)) if not done]
