"""Describe rates of wrong labels."""

from __future__ import annotations


def describe_share(
    hits: int,
    looks: int,
    unsure: int,
    share: tuple[float, float, float] | None,
    between: tuple[float, float] | None,
) -> str:
    """Say how many labels reviewed at random were wrong.

    share: (estimate, low, high), None under 30. What somebody was unsure of counts as right at one end
    and as wrong at the other (`between`).
    """
    doubt = f", {unsure} more unsure" if unsure else ""
    if share is None:
        return f"{hits} of {looks}{doubt}, too few for a rate"
    middle = f"{share[0]:.1%}" if between is None else f"{between[0]:.1%} to {between[1]:.1%}"
    return f"{hits} of {looks}{doubt}, {middle} [{share[1]:.1%}, {share[2]:.1%}]"


def describe_random_rate(review: dict) -> str:
    """Say how many of all labels were wrong.

    By those that were reviewed at random. review: see progress.summarize_reviews.
    """
    return describe_share(
        review["hits"],
        review["looks"],
        review["unsure_looks"],
        review["share"],
        review["share_between"],
    )


def describe_errors_left(review: dict) -> str | None:
    """Say how many wrong labels are left.

    None before 30 have been reviewed at random.
    """
    if review["errors_left"] is None:
        return None
    (estimate, low, high), between = review["errors_left"], review["errors_between"]
    middle = f"{estimate:,.0f}" if between is None else f"{between[0]:,.0f} to {between[1]:,.0f}"
    return f"{middle} [{low:,.0f}, {high:,.0f}]"
