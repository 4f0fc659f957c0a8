"""Explain a sample or a number by its name."""

from __future__ import annotations

from assay.curation.errors import UnknownSample
from assay.curation.storage.interface import Bench
from assay.pipelines.explaining.catalogue import NUMBERS
from assay.pipelines.explaining.explained import Explained
from assay.pipelines.explaining.explanation import describe_number
from assay.pipelines.explaining.sample import explain_sample
from assay.pipelines.explaining.whole_bench import explain_number


def list_numbers() -> Explained:
    """List all numbers that can be explained, with nothing put into their formulas."""
    return Explained([describe_number(name) for name in NUMBERS])


def explain(bench: Bench, what: str) -> Explained:
    """Explain the numbers of a sample, or one number of the whole bench.

    what: the name of a number, see list_numbers; else a sample: its id, the beginning of it, or its key. UserError
    for what is neither, and for a locked sample.
    """
    if what in NUMBERS:
        return Explained([explain_number(bench, what)])
    try:
        return explain_sample(bench, what)
    except UnknownSample as e:
        e.add_hint("assay explain --list lists the numbers of the whole bench")
        raise
