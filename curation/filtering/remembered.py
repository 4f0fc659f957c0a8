"""Remember the last few answers."""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable
from typing import Any


class Remembered:
    """What was asked last, and what was answered. Threads may share it."""

    def __init__(self, most: int) -> None:
        self.most, self.lock = most, threading.Lock()
        self.kept: dict[Hashable, Any] = {}

    def recall(self, asked: Hashable, work: Callable[[], Any]) -> Any:
        """Give an answer that is remembered, or work it out.

        Two that ask at once may both work: nobody waits for another's answer.
        """
        with self.lock:
            if asked in self.kept:
                self.kept[asked] = self.kept.pop(asked)
                return self.kept[asked]
        answer = work()
        with self.lock:
            self.kept[asked] = answer
            while len(self.kept) > self.most:
                self.kept.pop(next(iter(self.kept)))
        return answer
