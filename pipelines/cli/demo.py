"""`assay demo`."""

from pathlib import Path

from assay.pipelines.cli.output import done, progress, say


def demo(a):
    """real solar cells, reviewed by a simulated expert, with a report"""
    from assay.pipelines.simulation.demo import demo

    done(a, *demo(Path(a.folder), say=say(a), progress=progress))
