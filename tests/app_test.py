"""Streamlit's AppTest, which looks once for components that other distributions bring: 0.6 s a page."""

from functools import cache

from streamlit.components.v2 import manifest_scanner
from streamlit.testing.v1 import AppTest

manifest_scanner.scan_component_manifests = cache(manifest_scanner.scan_component_manifests)
__all__ = ["AppTest"]
