"""Start the workbench so that a small bench is worked on as a large one is."""

import os
import sys

from assay.app.server import __main__ as server
from assay.curation.review import live_excerpt
from assay.curation.system import processes
from assay.curation.versioning import state_building, state_parts
from assay.pipelines.cli import app
from assay.pipelines.cli.main import main


def serve(bench, *options):
    """Be the server in this process, where the thresholds are small."""
    os.environ.update(processes.child_environment())
    sys.argv = [server.__file__, str(bench.path), *map(str, options)]
    sys.exit(server.main())


if __name__ == "__main__":
    state_parts.ROWS, state_building.LARGE, live_excerpt.MOST = 90, 1, 400
    app.become_server = serve
    sys.exit(main(sys.argv[1:]))
