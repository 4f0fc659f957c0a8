"""End on Ctrl-C without a traceback."""

from __future__ import annotations

import os

STOPPED = "\nstopped; run it again to go on"


def exit_now(*_: object) -> None:
    """End the process at once, as a signal handler.

    While modules load there is nothing to put in order, and an exception would be a traceback.
    """
    os.write(2, f"{STOPPED}\n".encode())
    os._exit(130)
