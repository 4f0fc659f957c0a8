"""Log a report where other experiments are."""

from __future__ import annotations

import argparse
from pathlib import Path

from assay.curation import Bench
from assay.curation.text import format_count
from assay.pipelines.cli.output import print_line


def log_report(args: argparse.Namespace, bench: Bench, plan: dict, data: dict, page: Path) -> dict:
    """Log a report to MLflow, and print where it is."""
    from assay.pipelines.reports.mlflow_log import log_to_mlflow

    out = log_to_mlflow(bench, plan, data, page)
    there = (
        f"{format_count(out['matrix'], 'cell')} and {format_count(out['runs'], 'run')} in "
        f"experiment {out['experiment']!r} at {out['uri']}"
    )
    print_line(args, f"mlflow: {there}, {out['new']:,} of them new")
    return out
