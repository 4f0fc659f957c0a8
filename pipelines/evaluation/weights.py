"""Name an effect, and weigh the cells that it contrasts."""

from __future__ import annotations

from assay.pipelines.evaluation.test_set import Weights


def make_effect(kind: str, version: str, against: str) -> dict:
    """Name an effect: dict kind, name, version, against."""
    name = f"{version} against {against}"
    return dict(kind=kind, name=name, version=version, against=against)


def data_weights(archs: list[str], version: str, against: str) -> Weights:
    """Weigh one version against another, the mean over architectures."""
    each = 1 / len(archs)
    return {(version, a): each for a in archs} | {(against, a): -each for a in archs}
