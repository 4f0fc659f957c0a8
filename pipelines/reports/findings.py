"""Report section: what people found wrong, beside what chance found."""

from __future__ import annotations

from markupsafe import Markup

from assay.curation.review import progress
from assay.curation.text import format_count
from assay.pipelines.reports.phrases import cut
from assay.pipelines.reports.set_marks import mark_set
from assay.pipelines.reports.templates import PARTS

TITLE, ORDER = "What was found", 10
REVIEWED = "reviewed"
ABOUT = (
    "All reviews so far. Wrong is what a reviewer relabelled or dropped; "
    "only labels reviewed at random say how much is wrong in all."
)


def section(data: dict) -> Markup:
    """Show the wrong labels of the review, and those of chance."""
    if not data["review"]["reviewed"]:
        return PARTS.about("Nobody has reviewed a label yet.")
    cards = [reviewed_card(data["review"]), *control_cards(data["control"] or {})]
    cards.append(
        (
            "wrong in the random stratum of the review",
            cut(progress.describe_random_rate(data["review"])),
        )
    )
    return PARTS.about(ABOUT) + PARTS.terms("cards", [*cards, errors_left_card(data["review"])])


def reviewed_card(review: dict) -> tuple[str, Markup]:
    """How many reviewed labels were wrong."""
    about = f"reviewed labels were wrong; {review['unsure']:,} left unsure"
    found = f"{review['wrong']:,} of {review['reviewed']:,}"
    return about, mark_set(found, REVIEWED, "reviewed labels")


def control_cards(control: dict) -> list[tuple[str, str]]:
    """What chance would have found: estimated, or reviewed as a control."""
    if control.get("estimated"):
        drawn = control["sure_at_random"] + control["unsure_at_random"]
        about = (
            f"would be wrong of {control['reviews']:,} drawn at random, "
            f"by {drawn:,} reviewed at random; wrong here {control['found']:,}"
        )
        return [(about, "{:,.0f} [{:,.0f}, {:,.0f}]".format(*control["would_find"]))]
    review = control.get("review")
    if not review or not review["reviewed"]:
        return []
    about = "were wrong of those drawn at random, for the control"
    return [(about, f"{review['wrong']:,} of {review['reviewed']:,}")]


def errors_left_card(review: dict) -> tuple[str, str]:
    """Show the errors left where nobody is sure yet."""
    among = review["population"] - review["reviewed"] + review["unsure"]
    nobody = "nobody is sure of" if review["unsure"] else "nobody reviewed"
    wait = f"; that takes 30 reviewed at random, there are {review['sure_at_random']:,}"
    about = f"errors left among {format_count(among, 'label')} that {nobody}"
    about += "" if review["errors_left"] else wait
    return about, cut(progress.describe_errors_left(review) or "not yet known")
