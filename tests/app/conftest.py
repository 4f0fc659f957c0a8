"""A browser, and a workbench on a file's own `bench`."""

import pytest

from tests.browser import browser, workbench


@pytest.fixture(
    scope="package"
)  # a context of it is as good as a browser of one's own, and 2 s quicker
def chrome():
    with browser() as running:
        yield running


@pytest.fixture(scope="module")
def server(bench):
    with workbench(bench.path) as running:
        yield running
