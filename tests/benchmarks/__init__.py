"""Benchmarks: figures for LOG.md, each beside a yardstick in the same run. Never tests."""
