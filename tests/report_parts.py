"""A report's page of made-up numbers, and its parts as text."""

import re
from copy import deepcopy

from assay.pipelines.reports import experiment_report
from tests.report_page import (
    PICTURES,
    REPORT_DATA,
)

NOTHING = dict(share=None, errors_left=None)


def page(pictures=PICTURES, **change):
    return experiment_report.draw_page(deepcopy(REPORT_DATA) | change, pictures)


def cards(html):
    parsed = re.findall(r"<dt>(.*?)</dt><dd>(.*?)</dd>", html)
    return [re.sub("<[^>]*>", "", f"{value} {name}") for name, value in parsed]


def rows(html):
    """The text of every row of a table of numbers."""
    return [
        " ".join(re.sub("<[^>]*>", " ", row).split()).replace("&lt;", "<")
        for row in re.findall("<tr>(.*?)</tr>", html)
    ]
