"""Start the program `assay`; Ctrl-C while it loads is no traceback."""

from __future__ import annotations

import atexit
import gc
import os
import signal
import sys

from assay.pipelines.cli.interrupts import exit_now

STATUS: list[int] = []  # of the verb, once it has ended


def entry() -> None:
    """Run the command line, and exit with its status.

    Ctrl-C ends the program at once while it loads and when it is done. In a verb it is an exception, so that the verb
    can put things in order.
    """
    signal.signal(signal.SIGINT, exit_now)
    atexit.register(end_program)  # first, and so called last
    gc.disable()  # as keep_loaded does, whose module loads too much by now
    from assay.pipelines.cli.main import main
    from assay.pipelines.cli.output import PipeSafeOutput

    gc.freeze()
    gc.enable()
    sys.stdout = PipeSafeOutput(sys.stdout)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        status = main()
    except KeyboardInterrupt:
        exit_now()
    # what closes at the end is derived, or stored already
    signal.signal(signal.SIGINT, exit_now)
    STATUS.append(status)
    sys.exit(status)


def end_program() -> None:
    """End the program without unloading its modules.

    To unload them takes a tenth of a second of CPU. Its threads have ended, and what it registered
    for its end was called. Where it ends otherwise than a verb does, Python ends it as ever.
    """
    gc.unfreeze()  # else duckdb's binding takes what is left for a leak
    if STATUS and "coverage" not in sys.modules:
        try:
            sys.stdout.flush()
            sys.stderr.flush()
        except (OSError, ValueError):
            return
        os._exit(STATUS[0])
