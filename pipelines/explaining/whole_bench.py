"""Explain a number of a whole bench by its name."""

from __future__ import annotations

from collections.abc import Callable

from assay.curation.errors import UnknownName
from assay.curation.features.scan_settings import is_scanned
from assay.curation.storage.interface import Bench
from assay.pipelines.explaining import flag_numbers as flags
from assay.pipelines.explaining import review_numbers as reviews
from assay.pipelines.explaining.accuracy_numbers import explain_val_accuracy
from assay.pipelines.explaining.catalogue import NUMBERS
from assay.pipelines.explaining.explanation import Explanation, Filled, explain_as
from assay.pipelines.explaining.gap_numbers import explain_first_gap
from assay.pipelines.explaining.report_numbers import explain_of_report

OF_REVIEWS: dict[str, Callable[[dict], Explanation]] = {
    "errors-left": reviews.explain_errors_left,
    "share-wrong": reviews.explain_share_wrong,
    "reviewed": reviews.explain_reviewed,
}
OF_SCANS: dict[str, Callable[[Bench], Explanation]] = {
    "flagged": flags.explain_flagged,
    "flag-precision": flags.explain_flag_precision,
    "class-rates": flags.explain_class_rates,
    "next-labels": flags.explain_next_labels,
    "next-gain": flags.explain_next_gain,
}
OF_GAPS = ("gap-error-rate", "gap-share", "gap-explains")
OF_REPORTS = (
    "gain p-value verdict margin control smallest-gain accuracy seed-spread interaction".split()
)
# what is asked with a command of its own, whose answer has the numbers
ASKED = {
    "similarity": "assay similar has the numbers.",
    "influence": "assay queue --mistake SAMPLE has the numbers.",
    "suggestion": "assay suggest has the numbers.",
    "disagreement": "assay disagreements has the numbers.",
    "map-place": "assay map has the numbers.",
    "live-gain": "Review in the workbench has the numbers of your session: how is this known?",
    "agreement-with-oneself": "assay audit FILE says it of the sheet that was read.",
    "labeller-error": "assay labellers has the numbers.",
    "cluster-spread": "assay clusters has the numbers.",
    "trigger-share": "assay trigger add and run have the numbers.",
    "difference": "assay compare has the numbers.",
    "gate": "assay gate has the numbers.",
    "proposal-gain": "assay proposal check NAME has the numbers.",
    "rules-or-network": "assay report has the numbers.",
}


def explain_number(bench: Bench, name: str) -> Explanation:
    """Explain a number of the catalogue, with the numbers of this bench put in.

    UnknownName where there is none of the name. One that needs what is not there yet says what.
    """
    if name not in NUMBERS:
        raise UnknownName(
            f"expected a sample, or the name of a number, found {name!r}",
            "assay explain --list lists the numbers",
            name,
            NUMBERS,
        )
    if name in OF_REVIEWS:
        return OF_REVIEWS[name](reviews.read_review(bench))
    if name == "test-noise":
        return reviews.explain_test_noise(bench)
    if name == "val-accuracy":
        return explain_val_accuracy(bench)
    if name in OF_REPORTS:
        return explain_of_report(bench, name)
    if name in OF_SCANS or name in OF_GAPS:
        if not is_scanned(bench):
            return explain_as(
                name,
                Filled(
                    "not yet known", notes=[f"Nothing is scanned: assay scan -b {bench.given}."]
                ),
            )
        return OF_SCANS[name](bench) if name in OF_SCANS else explain_first_gap(bench, name)
    told = ASKED.get(name, f"It is of one sample: assay explain SAMPLE -b {bench.given}.")
    return explain_as(name, Filled("", notes=[told]))
