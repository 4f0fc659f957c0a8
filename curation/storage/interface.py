"""What every part of Assay may ask of a bench: `assay.Bench` as the floors below it see it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    import duckdb
    import pandas as pd


class Bench(Protocol):
    """A bench folder, opened."""

    given: Any  # the path as its user wrote it
    path: Path
    file: Path
    arrays: Path
    states: dict  # the last few states, by log position or expression
    positions: dict
    inode: int | None
    told: Any
    nodes: Any

    def state(self, version: str | int = "HEAD") -> pd.DataFrame: ...
    def frame(self, version: str = "HEAD", split: str | None = None) -> pd.DataFrame: ...
    def suspects(self, version: str = "HEAD") -> pd.DataFrame: ...
    def rules(self, version: str = "HEAD") -> dict[str, dict]: ...
    def rule(self, version: str = "HEAD") -> str: ...
    def edit(
        self, decisions: pd.DataFrame, who: str, why: str = "", new_classes: Any = ()
    ) -> dict: ...
    def rescore(self) -> bool | str: ...

    def connect(
        self, beside: Path | None = None
    ) -> AbstractContextManager[duckdb.DuckDBPyConnection]: ...
    def transaction(
        self, *arguments: Any, **named: Any
    ) -> AbstractContextManager[duckdb.DuckDBPyConnection]: ...
    def rows(self, query: str, values: Any = None) -> list[tuple]: ...
    def query(self, query: str, values: Any = None) -> pd.DataFrame: ...
    def append(
        self, con: duckdb.DuckDBPyConnection, rows: pd.DataFrame, batch: str, who: str
    ) -> int: ...
    def closed(self) -> AbstractContextManager[None]: ...


Tell = Callable[[str], None]  # gets one line for the person who waits
Progress = Callable[[int, int], None]  # gets what is done, and of how many
