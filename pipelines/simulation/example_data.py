"""The example data set: solar cells with planted label errors."""

import csv
from pathlib import Path

import numpy as np

from assay.curation.errors import UserError
from assay.curation.system import permissions


def hurried(probability, seed):
    """One annotator's label for each cell: defective with the experts' probability. (n,) floats -> (n,) bool."""
    return np.random.default_rng(seed).random(len(probability)) < probability


def example(bench, source):
    """The manifest that example:solar-cells stands for, made beside the bench; any other source as it is."""
    if not isinstance(source, str) or not source.startswith("example:") or Path(source).exists():
        return source
    if source != "example:solar-cells":
        raise UserError(
            f"expected example:solar-cells, found {source}", "there is no other example"
        )
    return str(solar_cells(bench.path / "uploads" / "example")[0])


def solar_cells(folder, seed=0):
    """The solar cells of the elpv-dataset wheel as a manifest in `folder`: train and val carry a hurried annotator's label, test the experts'
    majority. Returns (manifest path, {key: expert majority}). Images stay in the wheel: links, not copies."""
    import elpv_dataset

    from assay.curation.formats.splits import make_splits

    root = Path(elpv_dataset.__file__).parent / "data"
    table = [
        line.split() for line in (root / "labels.csv").read_text().splitlines() if line.strip()
    ]
    paths, doubt, module = (
        [r[0] for r in table],
        np.array([float(r[1]) for r in table]),
        [r[2] for r in table],
    )
    name = np.array(["functional", "defective"])
    truth = name[(doubt > 0.5).astype(int)]
    import pandas as pd

    frame = pd.DataFrame(dict(key=paths, label=truth, split=None, meta=None))
    split = np.array(make_splits(frame, paths, seed=seed, val=0.1, test=0.2))
    label = np.where(split == "test", truth, name[hurried(doubt, seed).astype(int)])
    permissions.folder(folder)
    link = folder / "images"
    if not link.is_symlink():
        link.symlink_to(root / "images")
    manifest = folder / "solar-cells.csv"
    with open(manifest, "w", newline="", opener=permissions.opener) as f:
        out = csv.writer(f)
        out.writerow(["id", "path", "label", "split", "module"])
        out.writerows(zip(paths, paths, label, split, module))
    return manifest, dict(zip(paths, truth))
