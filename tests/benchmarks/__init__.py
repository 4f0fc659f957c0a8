"""Benchmarks: figures for the lab notebook, each beside a yardstick in the same run. Never tests."""
