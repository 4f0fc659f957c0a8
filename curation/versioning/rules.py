"""Rules: edits that speak of the whole bench.

Such as the frozen test split. A rule is a dict: its name, and what it says. Of each name the last one stands;
one that was undone has its name alone."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

from assay.curation.storage.schema import new_batch

if TYPE_CHECKING:
    from assay.curation.storage.interface import Bench


class RuleEdit(NamedTuple):
    """The edit that writes a rule, its value not yet as JSON."""

    sample: str  # "": of no sample
    field: str
    value: dict[str, Any]
    why: str


def make_rule_edit(rule: dict[str, Any], why: str = "") -> RuleEdit:
    """Make the edit that writes a rule."""
    assert rule.get("name"), "a rule has a name"
    return RuleEdit("", "rule", rule, why)


def append_rule(bench: Bench, rule: dict[str, Any], who: str, why: str = "") -> str:
    """Append a rule as a batch of its own; returns the batch."""
    import pandas as pd

    batch, edit = new_batch("rule"), make_rule_edit(rule, why)
    row = pd.DataFrame([edit._replace(value=json.dumps(rule))])
    with bench.transaction() as con:
        bench.append(con, row, batch, who)
    return batch
