"""Rates of wrong labels, in words."""


def share_words(hits, looks, unsure, share, between):
    """How many labels drawn at random were wrong, in words; what somebody was unsure of counts as right at one end and as wrong at the other."""
    doubt = f", {unsure} more unsure" if unsure else ""
    if share is None:
        return f"{hits} of {looks}{doubt}, too few for a rate"
    middle = f"{share[0]:.1%}" if between is None else f"{between[0]:.1%} to {between[1]:.1%}"
    return f"{hits} of {looks}{doubt}, {middle} [{share[1]:.1%}, {share[2]:.1%}]"


def random_rate(review):
    """What the random stratum of a review (queue.progress) says of all labels, in words."""
    return share_words(
        review["hits"],
        review["looks"],
        review["unsure_looks"],
        review["share"],
        review["share_between"],
    )


def left_words(review):
    """How many errors are left, in words; None before 30 random looks."""
    if review["errors_left"] is None:
        return None
    (estimate, low, high), between = review["errors_left"], review["errors_between"]
    middle = f"{estimate:,.0f}" if between is None else f"{between[0]:,.0f} to {between[1]:,.0f}"
    return f"{middle} [{low:,.0f}, {high:,.0f}]"
