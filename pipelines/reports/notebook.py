"""What a notebook shows of a bench: pictures, and the table beneath."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
from markupsafe import Markup

from assay.curation.splits import LOCKED
from assay.curation.statistics.wording import format_as_given, format_interval, format_share
from assay.curation.text import escape_controls, format_count
from assay.pipelines.reports.contact_sheet import cluster_parts, gap_parts
from assay.pipelines.reports.label_changes import find_changes
from assay.pipelines.reports.markdown import describe_control
from assay.pipelines.reports.phrases import cut, name_second
from assay.pipelines.reports.sample_pictures import load_pictures, picture_frame
from assay.pipelines.reports.templates import render

if TYPE_CHECKING:
    from assay.curation.storage.interface import Bench

PICTURES, SIDE = 12, 96  # of one output, and pixels of each: a few KB
GAPS = 4  # that are drawn, with so many pictures each
ROWS = 10  # of a table
PLAIN, CHANGED = Markup("{}"), Markup("{} → <em>{}</em>")
CLUSTER_COLUMNS = "cluster train val pool accuracy low high n flagged".split()
GAP_COLUMNS = "gap explains train val pool errors why".split()

Draw = Callable[["Bench", pd.DataFrame], Markup]


class Frame(pd.DataFrame):
    """A DataFrame that a notebook shows with its samples' pictures.

    Its rows are such, too; with fewer columns, or another index, it is shown as pandas does. A pickle of it is a plain
    DataFrame.
    """

    _metadata = ["_bench", "_draw", "_shape"]

    @classmethod
    def of(cls, frame: pd.DataFrame, bench: Bench, draw: Draw) -> Frame:
        """Wrap a frame of a bench, which `draw` draws."""
        out = cls(frame)
        out.attrs = frame.attrs
        shape = set(frame.columns), frame.index.name
        for name, value in zip(cls._metadata, (bench, draw, shape)):
            object.__setattr__(out, name, value)
        return out

    @property
    def _constructor(self) -> type:
        return Frame

    def __reduce__(self) -> tuple:
        return pd.DataFrame(self).__reduce__()

    def _repr_html_(self) -> str:
        shape = getattr(self, "_shape", None)
        if shape is None or not shape[0] <= set(self.columns) or shape[1] != self.index.name:
            return super()._repr_html_()
        return self._draw(self._bench, pd.DataFrame(self))


class Report:
    """The report of an experiment: its verdict, data, and page."""

    def __init__(self, bench: Bench, data: dict, path: Path | None) -> None:
        self.bench, self.data, self.path = bench, data, path

    @property
    def verdict(self) -> str:
        """The answer, its interval, and what to do next."""
        return self.data["verdict"]

    def markdown(self) -> str:
        """Summarise it for a pull request, as `assay report --markdown` does."""
        from assay.pipelines.reports.markdown import markdown

        return markdown(self.data)

    def __repr__(self) -> str:
        return f"Report: {escape_controls(self.verdict)}"

    def _repr_html_(self) -> str:
        data, versions = self.data, self.data["plan"]["versions"]
        cells = [
            (
                c["version"],
                c["arch"],
                format_cell(c["accuracy"]),
                format_cell(name_second(c)[1]),
                c["n_train"],
            )
            for c in data["matrix"]
        ]
        second = name_second(data["matrix"][0])[0] if data["matrix"] else "balanced"
        head = ["version", "architecture", "accuracy %", f"{second} %", "train"]
        effects = [
            f"{e['kind']}: {e['name']}: {format_interval(e)}{format_as_given(e)}"
            + (f", {e['verdict']}" if "verdict" in e else "")
            for e in data["effects"] + data["beside"]
        ]
        effects.append(describe_control(data))
        seeds = format_count(len(data["plan"]["seeds"]), "seed")
        n = f"{format_count(data['n_test'], 'test sample')}, {seeds}, 95 % intervals"
        rows = []
        if len(versions) > 1:
            changed, _ = find_changes(self.bench, versions[0], versions[-1])
            rows = [("Labels that were changed", draw_samples(self.bench, changed))]
        page = [f"The whole report: {self.path}"] if self.path else []
        lines = [*data["verdict_lines"], *effects, n, *page]
        table = pd.DataFrame(cells, columns=head)
        return draw(data["question"], lines, rows if rows and rows[0][1] else [], table, CHANGED)


# ---- frames


def draw_queue(bench: Bench, frame: pd.DataFrame) -> Markup:
    """Draw a queue: given and suggested label under each picture."""
    shown = frame.head(PICTURES)
    now = shown.suggested_label.where(shown.suggested_label != shown.given_label, "")
    pictures = shown.assign(
        uri=shown.path,
        key=shown.source_id,
        was=shown.given_label.map(show),
        now=now.map(show),
        text=shown.reason,
    )
    table = frame[["given_label", "suggested_label", "score", "random", "source_id", "reason"]]
    return draw(
        f"{format_count(len(frame), 'sample')} to review",
        [],
        [("", draw_samples(bench, pictures))],
        table,
        CHANGED,
    )


def draw_issues(bench: Bench, frame: pd.DataFrame) -> Markup:
    """Draw issues: what is wrong under each picture."""
    shown = frame[frame.path.notna() & ~frame.split.isin(LOCKED)].head(PICTURES)
    pictures = shown.assign(
        uri=shown.path, key=shown.source_id, was=shown.kind, now="", text=shown.why
    )
    counts = ", ".join(f"{n:,} {kind}" for kind, n in frame.kind.value_counts().items())
    table = frame[["kind", "split", "label", "suggestion", "score", "source_id", "why"]]
    lines = [counts] if counts else ["nothing is open"]
    return draw(
        format_count(len(frame), "issue"),
        lines,
        [("", draw_samples(bench, pictures))],
        table,
        PLAIN,
    )


def draw_label_issues(bench: Bench, frame: pd.DataFrame) -> Markup:
    """Draw label scores: the worst label issues as pictures."""
    worst = frame[frame.is_label_issue].sort_values("label_score").head(PICTURES)
    about = bench.state().loc[worst.index]
    pictures = about.assign(was=worst.given_label, now=worst.predicted_label, text="")
    title = f"{int(frame.is_label_issue.sum()):,} of {format_count(len(frame), 'label')} look wrong"
    return draw(title, [], [("", draw_samples(bench, pictures))], frame, CHANGED)


def draw_candidates(bench: Bench, frame: pd.DataFrame) -> Markup:
    """Draw samples that were looked for."""
    shown = frame.head(PICTURES)
    about = bench.state().loc[shown["sample"]]
    text = shown.reason if "reason" in shown else [f"{s:.2f} alike" for s in shown.score]
    pictures = picture_frame(about, text=list(text))
    table = frame.drop(columns=["sample", "path", "nearest"], errors="ignore")
    return draw(
        format_count(len(frame), "sample"), [], [("", draw_samples(bench, pictures))], table, PLAIN
    )


def draw_gaps(
    bench: Bench, frame: pd.DataFrame, version: str = "HEAD", run: str | None = None
) -> Markup:
    """Draw gaps: validation errors and pool samples of the first."""
    rows = []
    for part in gap_parts(bench, frame.head(GAPS), version, run):
        for head, pictures in part.rows:
            if pictures:
                rows.append((f"{part.name}. {head}", pictures[: PICTURES // 2]))
    lines = [] if len(frame) else ["nothing stands out at 5 % false discoveries"]
    return draw(format_count(len(frame), "gap"), lines, rows, frame[GAP_COLUMNS], PLAIN)


def draw_clusters(bench: Bench, frame: pd.DataFrame, level: str = "fine") -> Markup:
    """Draw clusters: the most typical samples of the largest."""
    rows = []
    for part in cluster_parts(bench, frame.head(GAPS), level):
        ((_, pictures),) = part.rows
        rows.append((f"{part.name}. {part.about}", pictures[: PICTURES // 2]))
    table = frame[CLUSTER_COLUMNS]
    return draw(format_count(len(frame), "cluster"), [], rows, table, PLAIN)


def draw_runs(bench: Bench, frame: pd.DataFrame) -> Markup:
    """Draw runs: accuracy with interval and n."""
    accuracy = [
        format_share(r.accuracy, r.low, r.high, 1) if r.accuracy == r.accuracy else ""
        for r in frame.itertuples()
    ]
    table = frame[["version", "arch", "seed", "n_train", "seconds"]].assign(accuracy=accuracy)
    n = frame.n.iloc[0] if len(frame) else 0
    on = f"accuracy of each trained model on {n:,} {frame['split'].iloc[0]} labels" if n else ""
    table = table.assign(failed=frame.failed) if frame.failed.notna().any() else table
    return draw(format_count(len(frame), "run"), [on] if on else [], [], table[::-1], PLAIN)


def draw_bench(bench: Bench) -> Markup:
    """Draw a bench: its sizes, and samples of each class."""
    state = bench.state()
    kept = state[state.keep]
    seen = kept[~kept.split.isin(LOCKED)]
    splits = ", ".join(f"{n:,} {s}" for s, n in kept.split.value_counts().items())
    classes = seen.label.value_counts().sort_index()
    commits = bench.commits()
    version = commits.iloc[-1]["name"] if len(commits) else "no version yet"
    some = seen.groupby(seen.label.fillna(""), sort=True).head(
        max(1, PICTURES // max(1, len(classes)))
    )
    lines = [
        f"{format_count(len(kept), 'sample')} ({splits or 'none'}), {format_count(len(classes), 'class')}, {version}"
    ]
    lines += [", ".join(f"{name} {n:,}" for name, n in classes.head(PICTURES).items())]
    pictures = draw_samples(bench, picture_frame(some))
    return draw(
        bench.path.absolute().name, lines, [("", pictures)] if pictures else [], None, PLAIN
    )


# ---- pieces


def draw(
    title: str,
    lines: Iterable[str],
    rows: list,
    table: pd.DataFrame | None,
    label: Markup,
    most: int = ROWS,
) -> Markup:
    """Draw words, rows of (head, pictures), and a table's `most` first rows."""
    values = dict(title=cut(title, 200), lines=[cut(line, 1000) for line in lines])
    drawn = Markup() if table is None or not len(table) else draw_table(table, most)
    values |= dict(rows=rows, table=drawn, label=label)
    return Markup(escape_controls(render("notebook.html", values)))


def draw_table(table: pd.DataFrame, most: int = ROWS) -> Markup:
    """Draw the first rows; pandas escapes what is in them."""
    shown = table.head(most)
    html = shown.to_html(
        escape=True, border=0, na_rep="", max_cols=20, float_format="{:.3f}".format
    )
    more = f"<p>... and {len(table) - most:,} more</p>" if len(table) > most else ""
    return Markup(html + more)


def draw_samples(bench: Bench, frame: pd.DataFrame) -> list[dict]:
    """Load the first pictures of a frame: uri, key, was, now, text."""
    return load_pictures(frame.head(PICTURES), bench, SIDE)


def show(value: Any) -> str:
    """Write a cell: nothing for none, a list with commas."""
    if isinstance(value, tuple | list):
        return ", ".join(map(str, value))
    return "" if value is None or value != value else str(value)


def format_cell(e: dict) -> str:
    """Write an estimate in per cent with its interval."""
    return "{:.1f} [{:.1f}, {:.1f}]".format(*(100 * e[k] for k in ("estimate", "low", "high")))
