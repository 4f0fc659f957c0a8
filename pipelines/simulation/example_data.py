"""The example data set: solar cells with planted label errors."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np

from assay.curation.errors import UserError
from assay.curation.storage.interface import Bench
from assay.curation.system import permissions
from assay.curation.system.extras import require


def hurried_labels(probability: np.ndarray, seed: int) -> np.ndarray:
    """Draw one annotator's labels: defective with the experts' probability.

    (n,) floats -> (n,) bool.
    """
    return np.random.default_rng(seed).random(len(probability)) < probability


def resolve_example(bench: Bench, source: Any) -> Any:
    """Resolve example:solar-cells to its manifest; other sources stay.

    The manifest is made beside the bench.
    """
    if not isinstance(source, str) or not source.startswith("example:") or Path(source).exists():
        return source
    if source != "example:solar-cells":
        raise UserError(
            f"expected example:solar-cells, found {source}", "there is no other example"
        )
    return str(make_solar_cells(bench.path / "uploads" / "example")[0])


def make_solar_cells(folder: Path, seed: int = 0) -> tuple[Path, dict[str, str]]:
    """Make a manifest of the solar cells in the elpv-dataset wheel.

    train and val carry a hurried annotator's label, test the experts' majority. Returns (manifest path,
    {key: expert majority}). Images stay in the wheel: links, not copies.
    """
    require("demo", "elpv_dataset")
    import elpv_dataset
    import pandas as pd

    from assay.curation.formats.splits import make_splits

    root = Path(elpv_dataset.__file__).parent / "data"
    table = [
        line.split() for line in (root / "labels.csv").read_text().splitlines() if line.strip()
    ]
    paths, module = [row[0] for row in table], [row[2] for row in table]
    doubt = np.array([float(row[1]) for row in table])
    name = np.array(["functional", "defective"])
    truth = name[(doubt > 0.5).astype(int)]
    frame = pd.DataFrame(dict(key=paths, label=truth, split=None, meta=None))
    split = np.array(make_splits(frame, paths, seed=seed, val=0.1, test=0.2))
    label = np.where(split == "test", truth, name[hurried_labels(doubt, seed).astype(int)])
    permissions.make_folder(folder)
    link = folder / "images"
    if not link.is_symlink():
        link.symlink_to(root / "images")
    manifest = folder / "solar-cells.csv"
    with open(manifest, "w", newline="", opener=permissions.opener) as f:
        out = csv.writer(f)
        out.writerow(["id", "path", "label", "split", "module"])
        out.writerows(zip(paths, paths, label, split, module))
    return manifest, dict(zip(paths, truth))
