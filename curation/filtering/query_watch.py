"""Interrupt queries that last too long."""

from __future__ import annotations

import threading
import time

import duckdb

LOOK = 0.5  # seconds between two looks at what runs
IDLE = 5.0  # seconds without a query after which the thread ends


class QueryWatch:
    """Interrupts queries that last too long.

    One thread does so for all: to start one for each query takes longer than most queries.
    """

    def __init__(self) -> None:
        self.woken = threading.Condition()
        self.ends: dict[int, tuple[float, duckdb.DuckDBPyConnection]] = {}
        self.thread: threading.Thread | None = None

    def start(self, cursor: duckdb.DuckDBPyConnection, seconds: float) -> float:
        """Watch a query; gives the time (monotonic) at which it is interrupted."""
        end = time.monotonic() + seconds
        with self.woken:
            self.ends[id(cursor)] = end, cursor
            if self.thread is None:
                self.thread = threading.Thread(target=self.look, daemon=True)
                self.thread.start()
            elif len(self.ends) == 1:
                self.woken.notify()
        return end

    def end(self, cursor: duckdb.DuckDBPyConnection) -> None:
        """Watch it no longer."""
        with self.woken:
            self.ends.pop(id(cursor), None)

    def look(self) -> None:
        """Interrupt what is late: the thread's work."""
        while True:
            with self.woken:
                if not self.ends and not self.woken.wait(IDLE):
                    self.thread = None
                    return
                now = time.monotonic()
                for key, (end, cursor) in list(self.ends.items()):
                    if end <= now:
                        cursor.interrupt()
                        del self.ends[key]
                left = min((end for end, _ in self.ends.values()), default=now)
                if self.ends:
                    self.woken.wait(max(0.0, min(left - now, LOOK)))
