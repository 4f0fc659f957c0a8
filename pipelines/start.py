"""The program `assay`: what it needs is loaded under a Ctrl-C that ends it without a traceback."""

import os
import signal
import sys

STOPPED = "\nstopped; run it again to go on"


def stop(*_):
    """End at once: while modules load there is nothing to put in order, and an exception would be a traceback."""
    os.write(2, f"{STOPPED}\n".encode())
    os._exit(130)


def entry():
    """Run the command line; a Ctrl-C in a verb is an exception there, so that it can put things in order."""
    signal.signal(signal.SIGINT, stop)
    from pipelines.__main__ import main
    from pipelines.terminal import Patient

    sys.stdout = Patient(sys.stdout)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        status = main()
    except KeyboardInterrupt:
        stop()
    signal.signal(signal.SIGINT, stop)  # what closes at the end is derived, or stored already
    sys.exit(status)
