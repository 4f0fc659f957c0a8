"""Explain the issues of one sample, and its cluster."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from assay.curation.features import neighbor_graph
from assay.curation.features.scan_settings import read_settings
from assay.curation.issues.finders import list_finders
from assay.curation.issues.image_properties import COLUMNS as MEASURED
from assay.curation.issues.image_properties import load_properties
from assay.curation.issues.image_quality import KINDS as PICTURE_KINDS
from assay.curation.issues.listing import open_issues
from assay.curation.storage.arrays import load_arrays, locate_hashes, map_array
from assay.curation.storage.interface import Bench
from assay.curation.versioning.state_building import is_large
from assay.pipelines.explaining.explanation import Explanation, Filled, explain_as
from assay.pipelines.explaining.label_score import DIGITS


def explain_issues(bench: Bench, sample: str) -> Iterator[Explanation]:
    """Explain every open issue of a sample but that of its label, which its score explains."""
    found = bench.query(
        "select kind, sample, score, suggestion, why from issues where sample = ? order by score",
        [sample],
    )
    state = bench.state(samples=[sample])
    found, _ = open_issues(state, found)
    for row in found[found.kind != "label"].itertuples():
        yield explain_issue(bench, sample, row)


def explain_issue(bench: Bench, sample: str, row: Any) -> Explanation:
    """Explain one issue. row: kind, score, why."""
    score, why = float(row.score), row.why if isinstance(row.why, str) else ""
    finder = next((f for f in list_finders() if row.kind in f.kinds), None)
    kind = finder.kinds[row.kind] if finder else None
    about = [f"{row.kind.replace('_', ' ')}: {kind.words if kind else 'said by another tool'}."]
    told = about + ([f"{why[0].upper()}{why[1:]}."] if why else [])
    limit = kind.threshold if kind else None
    shown = f"{row.kind} {score:.3f}"
    if row.kind == "outlier" and not is_large(bench):
        return explain_outlier(bench, sample, score, told)
    if row.kind == "near_duplicate":
        put_in = Filled(
            shown,
            score,
            f"1 − {1 - score:{DIGITS}} = {score:{DIGITS}}",
            dict(likeness=1 - score),
            told,
        )
        return explain_as("near-duplicate", put_in)
    if row.kind == "leakage":
        return explain_as(
            "leakage", Filled(shown, score, f"{score:{DIGITS}}", dict(distance=score), told)
        )
    if row.kind in PICTURE_KINDS and (filled := fill_quality(bench, sample, row.kind, score)):
        return explain_as("picture-quality", Filled(shown, score, filled[0], filled[1], told))
    filled = f"{score:{DIGITS}} < {limit:{DIGITS}}" if limit is not None else f"{score:{DIGITS}}"
    numbers = dict(score=score) | ({} if limit is None else dict(threshold=float(limit)))
    where = f"{finder.find.__module__}:{finder.find.__qualname__}" if finder else None
    if where and ("<" in where or not where.startswith("assay.")):
        where = None  # of another distribution, or no function with a name
    return explain_as("issue", Filled(shown, score, filled, numbers, told, function=where))


def explain_outlier(bench: Bench, sample: str, score: float, notes: list[str]) -> Explanation:
    """Explain how far a sample lies from the others."""
    state = bench.state()
    graph, node = neighbor_graph.load_nodes(bench, state)
    mean = graph.distances.mean(1)
    finite = mean[np.isfinite(mean)]
    d, middle = float(mean[node[state.index.get_loc(sample)]]), float(np.median(finite))
    spread = float(np.median(abs(finite - middle)))
    z = (d - middle) / max(1.4826 * spread, 1e-9)
    filled = (
        f"z = ({d:{DIGITS}} − {middle:{DIGITS}}) / (1.4826 · {spread:{DIGITS}}) = {z:{DIGITS}}, "
        f"exp(−{max(z, 0):{DIGITS}} / 4) = {score:{DIGITS}}"
    )
    numbers = dict(d=d, median_d=middle, spread=spread, z=z)
    return explain_as("outlier", Filled(f"outlier {score:.3f}", score, filled, numbers, notes))


def fill_quality(bench: Bench, sample: str, kind: str, score: float) -> tuple[str, dict] | None:
    """Put what was measured of a picture into CleanVision's formula; None where nothing was."""
    state = bench.state(samples=[sample])
    measured = load_properties(bench, state)
    if measured is None:
        return None
    m = {name: float(x) for name, x in zip(MEASURED, measured[0])}
    width, height = int(state.width.iloc[0]), int(state.height.iloc[0])
    used = {
        "dark": {"brightness_perc_99": m["brightness_perc_99"]},
        "light": {"brightness_perc_5": m["brightness_perc_5"]},
        "low_information": {"entropy": m["entropy"]},
        "blurry": {name: m[name] for name in ("blurriness", "blurriness_grayscale_std")},
        "grayscale": {"color": m["color"]},
    }.get(kind, dict(width=width, height=height))
    put_in = ", ".join(f"{name} = {x:{DIGITS}}" for name, x in used.items())
    return f"{kind}: {put_in}; score {score:{DIGITS}}", used


def explain_cluster(bench: Bench, sample: str) -> Iterator[Explanation]:
    """Explain which cluster a sample is in; nothing where there are none yet."""
    state = bench.state(columns=["content_hash"], samples=[sample])
    file = bench.arrays / "clusters.npz"
    about = load_arrays(file, ["folder", "fine"]) or {}
    if "fine" not in about or str(about["folder"]) != read_settings(bench)["folder"]:
        return  # of another embedding, or an older Assay's
    at = int(locate_hashes(map_array(file, "hashes"), np.asarray(state.content_hash, "S32"))[0])
    if at < 0:
        return
    fine, clusters = about["fine"], len(map_array(file, "coarse"))
    number, cosine = int(fine[at]), float(map_array(file, "cosine")[at])
    mates = int((fine == number).sum())
    filled = (
        f"cosine {cosine:{DIGITS}} with the centre of cluster {number}, the nearest of {clusters}"
    )
    numbers = dict(cluster=number, cosine=cosine, clusters=clusters, members=mates)
    notes = [
        "Centres are made of all but test and guard, without labels; cluster 0 is the largest."
    ]
    yield explain_as("cluster", Filled(f"{cosine:.2f}", cosine, filled, numbers, notes))
