"""A browser, and a workbench on a file's own `bench`."""

import pytest

from tests.browser import browser, workbench


@pytest.fixture(scope="module")
def chrome():
    with browser() as running:
        yield running


@pytest.fixture(scope="module")
def server(bench):
    with workbench(bench.path) as running:
        yield running
