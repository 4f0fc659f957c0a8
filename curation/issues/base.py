"""What an issue finder offers, and may ask."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np

from assay.curation.features import neighbor_graph
from assay.curation.issues import image_properties
from assay.curation.issues.copies import Copies, load_copies
from assay.curation.issues.text_measures import StoredTexts, TextMeasures, measure_all
from assay.curation.media.base import MediaType, load_stored, media_of
from assay.curation.media.row_cells import is_number
from assay.curation.media.rows import read_column_kinds
from assay.curation.splits import LOCKED
from assay.curation.statistics import multiple_testing
from assay.curation.statistics.sampling import MOST_DRAWN, draw_stratified
from assay.curation.storage.interface import Bench
from assay.curation.tasks.base import explode_labels, task_of
from assay.curation.versioning import expressions, pointers

if TYPE_CHECKING:
    import pandas as pd


class Issue(NamedTuple):
    """One row of what a finder found."""

    kind: str
    sample: str | None  # None: about the dataset as a whole
    score: float  # 0 to 1, low is bad
    suggestion: str | None  # another label
    why: str  # one sentence with its figures


COLUMNS = Issue._fields


@dataclass(frozen=True)
class Kind:
    """A kind of issue: what it is called is its key in IssueFinder.kinds."""

    words: str  # what it is, to somebody who meets it first
    # issues score below it, and people may ask for another; None: there is none to move
    threshold: float | None = None
    whole: bool = False  # about the dataset as a whole: its rows name no sample
    # what people do about a sample that settles it
    closed_by: Literal["drop", "review", "nothing"] = "drop"


@dataclass(frozen=True)
class IssueFinder:
    """A finder: a file offers one as FINDER, and everything that lists issues has it.

    find(scan, kind, threshold) gives the rows of one of its kinds: at its own threshold, and as sure as it wants to
    be, where `threshold` is None; else whatever scores below. It reads no test label: `scan.state` has none.
    """

    kinds: dict[str, Kind]
    find: Callable[[ScanView, str, float | None], Iterable[Issue]]
    # by each scan; anew with every edit; at each look, scanned or not
    when: Literal["scan", "edit", "look"] = "scan"
    media: tuple[str, ...] | None = None  # the media types that it is for; None: all
    order: int = 1000  # where its kinds stand in lists; those of other distributions come last

    def fits(self, media: str | None) -> bool:
        """Whether samples of a media type can have its kinds; None: of any."""
        return None in (media, self.media) or media in (self.media or ())


class ScanView:
    """What a finder may ask of a scanned version; each thing is made once, when first asked for."""

    def __init__(self, bench: Bench, state: pd.DataFrame, version: str = "HEAD") -> None:
        """View a state.

        state: every sample, a row each; of test and guard the labels are taken out.
        """
        import pandas as pd

        self.bench, self.version = bench, version
        self._measures: tuple[TextMeasures, np.ndarray] | None = None
        label = np.where(state.split.isin(LOCKED), None, state.label)
        self.state = state.assign(label=pd.Series(label, state.index, dtype=object))

    @cached_property
    def media(self) -> MediaType:
        """What the samples are."""
        return media_of(self.bench)

    def count_labels(self) -> dict[str, int]:
        """Count the kept samples of each class, those of test and guard as none."""
        task, state = task_of(self.bench), self.bench.state(self.version)
        names = explode_labels(task, state.label[state.keep]).unique()
        labels = explode_labels(task, self.state.label[self.state.keep])
        return dict.fromkeys(names, 0) | labels.dropna().value_counts().to_dict()

    def measure_texts(self) -> tuple[TextMeasures, np.ndarray]:
        """Measure the texts of open samples: (measures of m different ones, which of these each sample has).

        The latter is (n,) int, -1 for what is not open.
        """
        if self._measures is None:
            open_ = np.flatnonzero(self.is_open)
            hashes = np.asarray(self.state.content_hash.iloc[open_], "S32")
            different, at = np.unique(hashes, return_inverse=True)
            of = np.full(len(self.state), -1)
            of[open_] = at
            text = StoredTexts(load_stored(self.bench), different)
            weight = np.bincount(at, minlength=len(different))
            self._measures = measure_all(text, weight, self.bench.stages), of
        return self._measures

    @cached_property
    def rows(self) -> list[dict[str, Any]]:
        """The cells of every sample, n dicts {column: cell}: they are no labels."""
        found = self.media.read(load_stored(self.bench), self.state.content_hash)
        return [json.loads(text) for text in found]

    @cached_property
    def row_numbers(self) -> dict[str, np.ndarray]:
        """The columns of numbers by name, (n,) each; NaN where one is missing."""
        kinds = read_column_kinds(self.bench)
        return {
            name: np.array([c if is_number(c := row.get(name)) else np.nan for row in self.rows])
            for name, kind in kinds.items()
            if kind == "number"
        }

    @cached_property
    def row_words(self) -> dict[str, list[str | None]]:
        """The columns of categories of rows by name, n words each; None where one is missing."""
        kinds = read_column_kinds(self.bench)
        return {
            name: [None if (cell := row.get(name)) is None else str(cell) for row in self.rows]
            for name, kind in kinds.items()
            if kind == "category"
        }

    @cached_property
    def graph(self) -> neighbor_graph.Graph:
        """The neighbour graph: UserError where a sample is not scanned yet."""
        return neighbor_graph.load_nodes(self.bench, self.state)[0]

    @cached_property
    def node(self) -> np.ndarray:
        """Each sample's node (n,) in the graph: equal images share one."""
        return neighbor_graph.load_nodes(self.bench, self.state)[1]

    @cached_property
    def copies(self) -> Copies:
        """The copies among the samples, but for those that people told apart."""
        upto = pointers.find_position(self.bench, expressions.root_version(self.version))
        return load_copies(self.bench, self.state, upto)

    @cached_property
    def is_open(self) -> np.ndarray:
        """Mark samples (n,) kept, and neither test nor guard."""
        return (self.state.keep & ~self.state.split.isin(LOCKED)).to_numpy()

    @cached_property
    def is_labelled(self) -> np.ndarray:
        """Mark train and val samples (n,) kept and labelled."""
        return neighbor_graph.labelled_rows(self.state)

    @cached_property
    def drawn(self) -> np.ndarray:
        """The rows (m,) that tell of the kept samples as a whole: all, or a fixed sample of a million."""
        kept = np.flatnonzero(self.state.keep)
        return kept[draw_stratified(self.state.iloc[kept], MOST_DRAWN)]

    def say_drawn(self) -> str:
        """Say of how many samples the drawn ones are, where these are not all."""
        n = int(self.state.keep.sum())
        drawn = f"; of a fixed sample of {len(self.drawn):,} of {n:,}, as each label of each split"
        return drawn if len(self.drawn) < n else ""

    @cached_property
    def image_properties(self) -> dict[str, np.ndarray]:
        """Numbers of every sample by name, (n,) each.

        Of images width, height, and, once a scan measured them, CleanVision's; of texts characters and lines; of rows
        their columns of numbers.
        """
        if read_column_kinds(self.bench):
            return self.row_numbers
        measured = image_properties.load_properties(self.bench, self.state)
        out = {} if measured is None else dict(zip(image_properties.COLUMNS, measured.T))
        sizes = self.state[["width", "height"]].to_numpy("f8").T
        return out | dict(zip(self.media.sizes, sizes))

    def issues_below(
        self, kind: str, score: np.ndarray, threshold: float, why: Callable[[int], str]
    ) -> list[Issue]:
        """Make issues of all scores below the threshold.

        score (n,): NaN is none. why(row) says why.
        """
        ids = self.state.index
        return [
            Issue(kind, ids[i], score[i], None, why(i)) for i in np.flatnonzero(score < threshold)
        ]


# ---- what is about the whole


class Finding(NamedTuple):
    """One property, or pair of groups, that was tested."""

    score: float  # 0 to 1, low is bad
    p: float
    why: str


def certain_issues(
    kind: str,
    findings: list[Finding],
    usual: float,
    threshold: float | None,
    aside: str = "",
) -> list[Issue]:
    """Make issues of findings both large and certain; `aside` goes with each.

    By the `usual` threshold only what is certain by Benjamini and Hochberg over all that was tested. Who asks for
    another threshold sees everything below it.
    """
    adjusted = multiple_testing.adjust_fdr([f.p for f in findings])
    sure = adjusted <= multiple_testing.FDR_LEVEL if threshold is None else True
    low = np.array([f.score for f in findings]) < (usual if threshold is None else threshold)
    return [
        Issue(kind, None, f.score, None, f.why + aside)
        for f, shown in zip(findings, np.logical_and(low, sure))
        if shown
    ]
