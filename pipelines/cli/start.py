"""The program `assay`: what it needs is loaded under a Ctrl-C that ends it without a traceback."""

import signal
import sys

from assay.pipelines.cli.interrupts import stop


def entry():
    """Run the command line; a Ctrl-C in a verb is an exception there, so that it can put things in order."""
    signal.signal(signal.SIGINT, stop)
    from assay.pipelines.cli.main import main
    from assay.pipelines.cli.output import Patient

    sys.stdout = Patient(sys.stdout)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        status = main()
    except KeyboardInterrupt:
        stop()
    signal.signal(signal.SIGINT, stop)  # what closes at the end is derived, or stored already
    sys.exit(status)
