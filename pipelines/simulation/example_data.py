"""The example data set: solar cells with planted label errors."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from assay.curation.errors import UserError
from assay.curation.storage.interface import Bench
from assay.curation.system import permissions
from assay.curation.system.extras import require

NAMES = np.array(["functional", "defective"])
ANSWERS = "experts.csv"  # what a reader of the tutorial, who is no expert, reviews by
KNOWN, THUMBNAIL = 40, 16  # cells that the weak labeller was shown, and pixels a side that it sees


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


@dataclass(frozen=True)
class SolarCells:
    """The photographs of the elpv-dataset wheel, and what experts said of them."""

    root: Path  # the wheel's folder of data
    paths: list[str]
    doubt: np.ndarray  # (n,) the experts' probability of a defect: 0, 1/3, 2/3 or 1
    module: list[str]  # mono or poly

    @property
    def truth(self) -> np.ndarray:
        """What most experts said, (n,) of NAMES."""
        return NAMES[(self.doubt > 0.5).astype(int)]

    def draw_splits(self, seed: int, val: float, test: float) -> np.ndarray:
        """Draw the split (n,) of every cell; val, test: their shares."""
        import pandas as pd

        from assay.curation.formats.splits import make_splits

        frame = pd.DataFrame(dict(key=self.paths, label=self.truth, split=None, meta=None))
        return np.array(make_splits(frame, self.paths, seed=seed, val=val, test=test))


def read_solar_cells() -> SolarCells:
    """Read the table of the elpv-dataset wheel. Raises MissingExtra."""
    require("demo", "elpv_dataset")
    import elpv_dataset

    root = Path(elpv_dataset.__file__).parent / "data"
    table = [
        line.split() for line in (root / "labels.csv").read_text().splitlines() if line.strip()
    ]
    doubt = np.array([float(row[1]) for row in table])
    return SolarCells(root, [row[0] for row in table], doubt, [row[2] for row in table])


def make_solar_cells(folder: Path, seed: int = 0) -> tuple[Path, dict[str, str]]:
    """Make a manifest of the solar cells in the elpv-dataset wheel.

    train and val carry a hurried annotator's label, test the experts' majority. Returns (manifest path,
    {key: expert majority}). Images stay in the wheel: links, not copies.
    """
    cells = read_solar_cells()
    split = cells.draw_splits(seed, val=0.1, test=0.2)
    label = NAMES[hurried_labels(cells.doubt, seed).astype(int)]
    return write_solar_cells(cells, folder / "solar-cells.csv", split, label)


def make_weak_labels(folder: Path, seed: int = 0) -> tuple[Path, dict[str, str]]:
    """Make a manifest of the solar cells with few labels, many wrong.

    The experts label 40 train cells; every other train and val cell gets the label of the one of these 40 that looks
    most alike at 16 x 16 pixels. Test has the experts' majority, and is 70 % of the cells. Returns as
    `make_solar_cells`.
    """
    cells = read_solar_cells()
    split = cells.draw_splits(seed, val=0.03, test=0.7)
    rng, train = np.random.default_rng(seed), np.flatnonzero(split == "train")
    of_class = [train[cells.truth[train] == name] for name in NAMES]
    known = np.concatenate([rng.choice(rows, KNOWN // 2, replace=False) for rows in of_class])
    label = cells.truth.copy()
    weak = np.setdiff1d(np.flatnonzero(split != "test"), known)
    nearest = nearest_thumbnails(cells, weak, known)
    label[weak] = cells.truth[known[nearest]]
    return write_solar_cells(cells, folder / "weak-labels.csv", split, label)


def nearest_thumbnails(cells: SolarCells, rows: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Find the `known` cell most like each of `rows`: (len(rows),)."""
    from PIL import Image

    def thumbnails(which: np.ndarray) -> np.ndarray:
        pictures = (Image.open(cells.root / cells.paths[i]).convert("L") for i in which)
        small = [
            np.asarray(p.resize((THUMBNAIL, THUMBNAIL), Image.Resampling.BOX)) for p in pictures
        ]
        return np.stack(small).reshape(len(which), -1) / 255

    few = thumbnails(known)
    return np.array([((few - one) ** 2).sum(1).argmin() for one in thumbnails(rows)])


def write_solar_cells(
    cells: SolarCells, manifest: Path, split: np.ndarray, label: np.ndarray
) -> tuple[Path, dict[str, str]]:
    """Write the manifest, test with the experts' labels, and their answers; see make_solar_cells."""
    label = np.where(split == "test", cells.truth, label)
    permissions.make_folder(manifest.parent)
    link = manifest.with_name("images")
    if not link.is_symlink():
        link.symlink_to(cells.root / "images")
    header = ["id", "path", "label", "split", "module"]
    write_rows(manifest, header, zip(cells.paths, cells.paths, label, split, cells.module))
    write_rows(manifest.with_name(ANSWERS), ["id", "label"], zip(cells.paths, cells.truth))
    return manifest, dict(zip(cells.paths, cells.truth))


def write_rows(file: Path, header: list[str], rows: Iterable[tuple]) -> None:
    """Write a CSV that its owner alone may read."""
    with open(file, "w", newline="", opener=permissions.opener) as f:
        out = csv.writer(f)
        out.writerow(header)
        out.writerows(rows)
