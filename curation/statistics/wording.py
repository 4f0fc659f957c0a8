"""Numbers and intervals in words."""

from assay.curation.statistics import estimates


def rate(hits, looks):
    """A share in words with its n and 95 % interval; before 30 looks only the counts."""
    if looks < 30:
        return f"{hits} of {looks}, too few for a rate"
    low, high = estimates.wilson(hits, looks)
    return f"{hits} of {looks}, {hits / looks:.1%} [{low:.1%}, {high:.1%}]"


def points(x, sign=True):
    """A fraction as points: 0.013 -> '+1.3'; what rounds to nothing is 0.0 and never -0.0."""
    x = round(100 * x, 1) + 0.0
    return f"{x:+.1f}" if sign and x else f"{x:.1f}"


def interval(e):
    return f"{points(e['estimate'])} points [{points(e['low'])}, {points(e['high'])}]"


def as_given(e):
    """What the test labels as given would say, where an audit corrects it."""
    return f" (as given {interval(e['given']).replace(' points', '')})" if "given" in e else ""
