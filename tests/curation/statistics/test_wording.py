"""The words of a rate."""

from assay.curation.review.progress import describe_random_rate
from assay.curation.statistics.estimates import wilson_interval
from assay.curation.statistics.wording import format_rate


def test_no_rate_is_shown_before_thirty_looks():
    assert (
        format_rate(1, 1) == "1 of 1, too few for a rate"
        and format_rate(3, 29) == "3 of 29, too few for a rate"
    )
    low, high = wilson_interval(3, 30)
    assert format_rate(3, 30) == f"3 of 30, 10.0% [{low:.1%}, {high:.1%}]"
    seen = dict(
        hits=3,
        sure_at_random=20,
        unsure_at_random=10,
        share=(0.15, 0.02, 0.6),
        share_between=(0.1, 13 / 30),
    )
    assert describe_random_rate(seen) == "3 of 20, 10 more unsure, 10.0% to 43.3% [2.0%, 60.0%]"
    assert (
        describe_random_rate(seen | dict(unsure_at_random=9, share=None))
        == "3 of 20, 9 more unsure, too few for a rate"
    )
