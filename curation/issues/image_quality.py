"""Find pictures hard to see or odd: CleanVision's kinds."""

from __future__ import annotations

import numpy as np

from assay.curation.issues.base import Issue, IssueFinder, Kind, ScanView

# what more than half of the images are, dark or grey, is how this dataset is: CleanVision says nothing of it either
PREVALENT = 0.5
KINDS = {  # in the order of lists, with CleanVision's thresholds
    "dark": Kind("too dark to see much", 0.32),
    "light": Kind("too light to see much", 0.05),
    "blurry": Kind("blurred: its edges are faint", 0.29),
    "low_information": Kind("nearly nothing in the picture", 0.3),
    "grayscale": Kind("grey, where most have colours", 0.5),
    "odd_size": Kind("its size is far from that of most", 0.5),
    "odd_aspect_ratio": Kind("very long or very tall", 0.35),
}
WHY = dict(  # of the score and of 1 - score
    dark="its brightest pixels (99th percentile) reach {0:.0%} of full brightness",
    light="its darkest pixels (5th percentile) have {1:.0%} of full brightness",
    blurry="edges are faint: blurriness score {0:.2f}",
    low_information="few different pixels: entropy score {0:.2f}",
    grayscale="all three channels are the same",
    odd_aspect_ratio="its shorter side is {0:.0%} of the longer",
    odd_size="its size is far from that of most",
)


def score_images(kind: str, properties: dict[str, np.ndarray]) -> np.ndarray:
    """Score every image by CleanVision's own formula: (n,), low is bad.

    From 0 to 1. properties: as ScanView.image_properties, measured. odd_size is by the interquartile range of all that
    are asked about.
    """
    import pandas as pd
    from cleanvision.issue_managers.image_property_issue_manager import ImagePropertyIssueManager

    manager = ImagePropertyIssueManager()
    width, height = properties["width"], properties["height"]
    raw = pd.DataFrame(properties).astype("f8")
    raw["color_space"] = np.where(raw.color > 0, "RGB", "L")
    raw["aspect_ratio"] = np.minimum(width / height, height / width)
    raw["size"] = np.sqrt(width * height)
    asked = manager.image_properties[kind]
    found = asked.get_scores(raw[asked.score_columns], kind, **manager.params[kind])
    score = found[f"{kind}_score"].to_numpy("f8")
    # all but a few of one size: CleanVision then flags every other one
    if kind == "odd_size" and asked.threshold != 0.5:
        return np.where(score < asked.threshold, score / 2, 1.0)
    return score


def find_odd_images(scan: ScanView, kind: str, threshold: float | None) -> list[Issue]:
    """Find what scores below CleanVision's threshold, if few do.

    That is half at most; below another threshold, all.
    """
    if "brightness" not in scan.image_properties:
        return []  # of an older scan, which measured nothing
    score = np.where(scan.is_open, score_images(kind, scan.image_properties), np.nan)
    limit = KINDS[kind].threshold if threshold is None else threshold
    why = lambda i: WHY[kind].format(score[i], 1 - score[i])  # noqa: E731
    found = scan.issues_below(kind, score, limit, why)
    usual = threshold is not None or len(found) <= PREVALENT * np.isfinite(score).sum()
    return found if usual else []


FINDER = IssueFinder(KINDS, find_odd_images, media=("image",), order=80)
