"""Start the program `assay`; Ctrl-C while it loads is no traceback."""

from __future__ import annotations

import signal
import sys

from assay.pipelines.cli.interrupts import exit_now


def entry() -> None:
    """Run the command line, and exit with its status.

    Ctrl-C ends the program at once while it loads and when it is done. In a verb it is an exception, so that the verb
    can put things in order.
    """
    signal.signal(signal.SIGINT, exit_now)
    from assay.pipelines.cli.main import main
    from assay.pipelines.cli.output import PipeSafeOutput

    sys.stdout = PipeSafeOutput(sys.stdout)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        status = main()
    except KeyboardInterrupt:
        exit_now()
    # what closes at the end is derived, or stored already
    signal.signal(signal.SIGINT, exit_now)
    sys.exit(status)
