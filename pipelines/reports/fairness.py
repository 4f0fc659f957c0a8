"""Report section: what a reader must know of the test."""

from __future__ import annotations

from markupsafe import Markup

from assay.curation.text import format_count
from assay.pipelines.reports.markdown import audit_facts
from assay.pipelines.reports.phrases import cut
from assay.pipelines.reports.templates import PARTS

TITLE, ORDER = "Is it fair?", 110
COPIES = "training samples that (nearly) equal a test sample"


def section(data: dict) -> Markup:
    """Show the test version, its labels, accesses and copies in train."""
    known, test = data.get("fairness") or {}, data["test"]
    version = cut(known.get("test", "HEAD"))
    facts: dict[str, str | Markup] = {
        "judged by": f"{format_count(test['n'], 'test sample')} of {version}, the same for every run",
        "test labels": label_words(test),
    }
    if near := known.get("near_duplicates"):
        facts["copies"] = copy_words(near)
    if known.get("accesses") is not None:
        facts["test accesses"] = access_words(known)
    if renamed := known.get("renamed"):
        facts["class names"] = f"all judged by those of now: {cut('; '.join(renamed), 400)}"
    facts["selection"] = (
        "epochs, batches and reviews are judged on validation; the test set judges only this page"
    )
    return PARTS.terms("facts", facts.items())


def label_words(test: dict) -> str:
    """Say what is known of the test labels."""
    if test.get("audit"):
        return audit_facts(test["audit"])
    if test["audited"]:
        return "declared audited"
    return f"unaudited; in the random stratum of train and val {cut(test['noise'])} wrong"


def copy_words(near: dict[str, int]) -> str | Markup:
    """Say how many training samples nearly equal a test sample, by version."""
    if not any(near.values()):
        return "no training sample (nearly) equals a test sample"
    each = [Markup("{}: <b>{:,}</b>").format(cut(v, 40), n) for v, n in near.items()]
    return Markup("{}: {}").format(COPIES, Markup(", ").join(each))


def access_words(known: dict) -> str:
    """Say how often the test was looked at, and the edits since."""
    words = f"this test version was looked at {format_count(known['accesses'], 'time')}"
    if not known.get("first"):
        return words
    edits = format_count(known["edits"], "edit")
    return f"{words}, first {cut(known['first'][:10])}; {edits} of train and val since"
