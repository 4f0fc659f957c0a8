"""What a notebook shows of the log: who decided what, and when."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import pandas as pd
from markupsafe import Markup

from assay.curation.statistics.wording import format_share
from assay.curation.text import format_count
from assay.curation.times import localize, show_time
from assay.curation.versioning.history import Life, describe_suggestion
from assay.pipelines.reports.notebook import (
    CHANGED,
    PICTURES,
    PLAIN,
    draw,
    draw_samples,
    show,
)
from assay.pipelines.reports.sample_pictures import picture_frame

if TYPE_CHECKING:
    from assay.curation.storage.interface import Bench

MANY = 50  # rows of a table that are read one by one
KINDS = "relabelled confirmed unsure dropped restored moved tagged imported put_back".split()
BATCH_COLUMNS = "kind name who ts samples relabelled confirmed unsure dropped why".split()
LIFE_COLUMNS = "ts who field value verdict state version batch why suggested_by".split()
PEOPLE_COLUMNS = (
    "who samples relabelled confirmed unsure dropped median_seconds seconds last".split()
)


class Difference(dict):
    """What differs between two versions, as bench.diff returns it."""

    bench: Bench

    @classmethod
    def of(cls, parts: dict, bench: Bench) -> Difference:
        """Wrap what two versions of a bench differ by."""
        out = cls(parts)
        out.bench = bench
        return out

    def _repr_html_(self) -> str:
        kinds = [k for k in ("relabelled", "added", "removed", "moved", "tagged") if len(self[k])]
        rows = []
        state = self.bench.state()
        for kind in kinds:
            found = self[kind].head(PICTURES)
            about = state.reindex(found["sample"])
            text = found["from"].astype(object).map(show), found["to"].astype(object).map(show)
            frame = about.assign(was=list(text[0]), now=list(text[1]), text="")
            frame = frame.assign(key=list(found["source_id"]))
            rows.append(
                (
                    f"{format_count(len(self[kind]), 'sample')} {kind}",
                    draw_samples(self.bench, frame),
                )
            )
        title = f"{self['a']} → {self['b']}"
        lines = ["nothing differs"] * (not kinds)
        return draw(title, lines, rows, self["matrix"], CHANGED)


class ShownLife(Life):
    """The life of one sample, as bench.blame returns it: sample, key, edits."""

    bench: Bench

    @classmethod
    def of(cls, life: Life, bench: Bench) -> ShownLife:
        """Wrap the life of a sample of a bench."""
        out = cls(*life)
        out.bench = bench
        return out

    def _repr_html_(self) -> str:
        edits = self.edits
        state = [
            "stands" if stands else "taken back" if undone else ""
            for stands, undone in zip(edits.stands, edits.undone)
        ]
        suggested = edits.suggested.map(describe_suggestion)
        table = edits.assign(state=state, suggested_by=suggested)[LIFE_COLUMNS]
        frame = picture_frame(self.bench.state().loc[[self.sample]]).assign(was="")
        pictures = draw_samples(self.bench, frame)
        title = f"{format_count(len(edits), 'edit')} of {self.key}"
        return draw(title, [f"sample {self.sample}"], [("", pictures)], fill(table), PLAIN, MANY)


class ReviewerTables(NamedTuple):
    """Who decided how much, and how well two people agree: two frames."""

    people: pd.DataFrame
    pairs: pd.DataFrame

    def _repr_html_(self) -> str:
        lines = [
            f"{p.a} and {p.b} agree on {p.agree:,} of {p.n:,} that both decided, "
            + format_share(p.agreement, p.low, p.high)
            for p in self.pairs.itertuples()
        ] or ["no two people decided about the same sample"]
        people = len(self.people)
        title = f"{people:,} {'person has' if people == 1 else 'people have'} decided"
        return draw(title, lines, [], fill(self.people[PEOPLE_COLUMNS]), PLAIN, MANY)


def draw_log(bench: Bench, frame: pd.DataFrame) -> Markup:
    """Draw the log: what each person did for which version."""
    counts = [c for c in KINDS if frame[c].any()]
    minutes = frame.seconds / 60
    table = frame.assign(version=frame.version.fillna("(open)"), minutes=minutes)
    table = table[["version", "author", "last", "samples", *counts, "minutes", "message"]]
    versions = format_count(frame.version.nunique(), "version")
    return draw(versions, [], [], fill(table)[::-1], PLAIN)


def draw_batches(bench: Bench, frame: pd.DataFrame) -> Markup:
    """Draw batches, the newest first: their names are what undo takes."""
    n = int((frame.kind == "batch").sum())
    table = fill(frame[BATCH_COLUMNS])[::-1]
    commits = format_count(len(frame) - n, "commit")
    return draw(f"{format_count(n, 'batch')}, {commits}", [], [], table, PLAIN)


def fill(table: pd.DataFrame) -> pd.DataFrame:
    """Write times as people read them; leave missing values empty."""
    shown = localize(table, show_time)
    return shown.astype(object).where(shown.notna(), "")
