"""Who has a page of the workbench open."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from typing import Any

from assay.curation.text import check_text

BEAT = 15  # seconds after which an open window says that it is still there
GONE = 3 * BEAT  # seconds after which a window that said nothing is gone
MOST = 500  # windows that are known
LONGEST = 40  # characters of a page's or window's name


@dataclass
class Window:
    """A window that somebody has open."""

    who: str
    page: str
    at: float  # when it was heard of last


class People:
    """The windows that are open on one bench."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.windows: dict[str, Window] = {}

    def arrive(self, window: str, who: str, page: str) -> None:
        """Note that a window is open on a page.

        who: "" where nobody has said their name.
        """
        who = check_text(who, "a name").strip()
        with self.lock:
            self.windows.pop(window[:LONGEST], None)
            self.windows[window[:LONGEST]] = Window(who, page[:LONGEST], time.monotonic())
            while len(self.windows) > MOST:
                self.windows.pop(next(iter(self.windows)))

    def leave(self, window: str) -> None:
        """Note that a window was closed."""
        with self.lock:
            self.windows.pop(window[:LONGEST], None)

    def list_present(self) -> list[dict[str, Any]]:
        """List who is here, each person once.

        Dicts of who and page, where they came last.
        """
        with self.lock:
            since = time.monotonic() - GONE
            self.windows = {k: w for k, w in self.windows.items() if w.at > since}
            present = {w.who: w.page for w in self.windows.values()}
        return [dict(who=who, page=page) for who, page in sorted(present.items())]
