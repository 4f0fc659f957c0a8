"""The bench as tools see it."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from pydantic import BaseModel

from assay.curation import Bench
from assay.curation.filtering.table import SampleTable
from assay.curation.splits import LOCKED

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pandas as pd


class Arguments(BaseModel, extra="forbid", strict=True):
    """What a tool takes; a tool that takes nothing takes this."""


class Answer(NamedTuple):
    """What a tool answers: data, and perhaps a picture."""

    data: Any
    jpeg: bytes | None = None
    most: int = 2_000  # characters that a text of it may have


@dataclass
class AgentBench:
    """A bench that several agents look at, in threads."""

    bench: Bench
    lock: threading.RLock = field(default_factory=threading.RLock)

    @contextmanager
    def open_table(self) -> Iterator[SampleTable]:
        """Give the samples as they are now, to one at a time."""
        with self.lock:
            yield self.bench.sample_table()

    def find_locked(self, *versions: str) -> set[str]:
        """Find the samples of test or guard, now or in some versions."""
        found: set[str] = set()
        for version in ("HEAD", *versions):
            split = self.bench.state(version, columns=["split"])["split"]
            found |= set(split.index[split.isin(LOCKED)])
        return found


def to_rows(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Turn a frame into rows of plain values, what is missing None."""
    import pandas as pd

    def plain(value: Any) -> Any:
        if isinstance(value, list | tuple | dict) or type(value).__name__ == "ndarray":
            return value
        if isinstance(value, pd.Timestamp):
            return None if pd.isna(value) else value.to_pydatetime()
        return None if pd.isna(value) else value

    columns = [str(c) for c in frame]
    return [dict(zip(columns, map(plain, row))) for row in frame.itertuples(index=False, name=None)]
