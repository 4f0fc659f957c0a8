"""Read the decisions that a browser sends."""

from __future__ import annotations

import json
import threading
from typing import Any

from assay.curation.errors import UserError

FIELDS: dict[str, Any] = dict.fromkeys(  # of a decision, and their types
    "sample label verdict tag split given_label suggested_label reason".split(), str
)
FIELDS |= dict(
    keep=bool,
    random=bool,
    new_class=bool,
    score=(int, float),
    rank=(int, float),
    seconds=(int, float),
)
# grids whose samples are remembered, the last ones, and how many samples that may be
CHOICES, CHOSEN = 64, 2_000_000


def find_fault(decision: Any) -> str | None:
    """Say why this is no decision, or None.

    What a field may say is for the log's own door to judge.
    """
    if not isinstance(decision, dict) or not isinstance(decision.get("sample"), str):
        return "one that names no sample"
    for field, value in decision.items():
        if field not in FIELDS:
            return f"a field that is none of {', '.join(FIELDS)}"
        right = isinstance(value, FIELDS[field])
        if value is not None and not (right and isinstance(value, bool) == (FIELDS[field] is bool)):
            return f"another type of value for {field}"
    return None


def to_cells(decision: dict) -> dict[str, str]:
    """Spell a decision as a row of a CSV is."""
    return {
        name: json.dumps(value) if isinstance(value, bool) else str(value)
        for name, value in decision.items()
        if value is not None
    }


class GridChoices:
    """What the grids of open pages show, so that one act on all of it need not name every sample."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.shown: dict[str, dict[str, str | None]] = {}

    def remember(self, grid: str, shown: dict[str, str | None]) -> None:
        """Remember what a grid shows: {sample: suggested label or None}."""
        with self.lock:
            self.shown.pop(grid, None)
            self.shown[grid] = shown
            while len(self.shown) > CHOICES or (
                len(self.shown) > 1 and sum(map(len, self.shown.values())) > CHOSEN
            ):
                self.shown.pop(next(iter(self.shown)))

    def expand(self, sent: dict) -> dict:
        """Make a decision on each sample of one on a whole grid.

        sent: dict batch, decision, of (a grid), and either only (the samples that it is for) or but (those of the
        grid that it is not for); with suggested=True the label is the one suggested for each. What names no grid
        stays as it is.
        """
        if "of" not in sent:
            return sent
        decision, named = sent.get("decision"), sent.get("only", sent.get("but"))
        if (
            not isinstance(decision, dict)
            or not isinstance(named, list)
            or not all(isinstance(s, str) for s in named)
        ):
            raise UserError(
                "expected one decision and a list of samples, found another", "reload the page"
            )
        with self.lock:
            shown = self.shown.get(str(sent["of"]))
        if shown is None or not set(named) <= set(shown):
            raise UserError(
                "expected samples that this page was given, found others",
                "reload the page and select again",
            )
        named, suggested = set(named), decision.get("suggested") is True
        decision = {k: v for k, v in decision.items() if k != "suggested"}
        rows = [
            decision
            | dict(sample=s, suggested_label=label)
            | (dict(label=label) if suggested else {})
            for s, label in shown.items()
            if (s in named) == ("only" in sent)
        ]
        return dict(batch=sent.get("batch"), decision=rows)
