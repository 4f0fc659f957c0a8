"""Report section: labels that differ between first and last version."""

from __future__ import annotations

from typing import TYPE_CHECKING

from markupsafe import Markup

from assay.curation.text import format_count
from assay.curation.versioning.class_names import offer_names
from assay.curation.versioning.expressions import root_version
from assay.curation.versioning.live_edits import SPOKEN
from assay.curation.versioning.pointers import find_position
from assay.curation.versioning.version_names import rename_labels
from assay.pipelines.reports.phrases import cut
from assay.pipelines.reports.sample_pictures import load_pictures
from assay.pipelines.reports.templates import PARTS

if TYPE_CHECKING:
    import pandas as pd

    from assay.curation.storage.interface import Bench

TITLE, ORDER = "Labels that were changed", 80
LABEL = Markup("<s>{}</s> <em>→&nbsp;{}</em>")


def collect(bench: Bench, data: dict) -> dict:
    """Load pictures of changed train and val labels, worst score first."""
    versions = data["plan"]["versions"]
    changed, dropped = find_changes(bench, versions[0], versions[-1])
    changed = changed.rename(columns=dict(id="sample"))
    return dict(
        changed=load_pictures(changed, bench),
        n_changed=len(changed),
        n_dropped=dropped,
        who=sorted(set(changed.who.dropna())),
    )


def find_changes(bench: Bench, first: str, last: str) -> tuple[pd.DataFrame, int]:
    """Compare train and val labels of two versions.

    Returns (frame uri, key, was, now, who, text; how many samples were dropped).
    """
    before, after = bench.state(first), bench.state(last)
    # a class that was renamed is no changed label
    before = before.assign(label=rename_labels(bench, before.label, first, last))
    before = before.reindex(after.index)  # what was imported in between has no label before
    seen = before.split.isin(("train", "val")) & after.split.isin(("train", "val"))
    labelled = before.label.notna() & after.label.notna()
    moved = seen & after.keep & labelled & (before.label != after.label)
    frame = after.assign(was=before.label, now=after.label)[moved].reset_index(names="id")
    frame = frame[["id", "uri", "key", "was", "now"]]
    edits = query_labels(
        bench,
        last,
        f"""
        with e as (
            select *, value ->> '$' as now, suggested ->> 'suggested_label' as hint from {SPOKEN}
        )
        select sample as id, now, who, try_cast(suggested ->> 'score' as double) as score,
            concat_ws(', ',
                if(hint = now, 'as suggested', 'suggested: ' || hint),
                printf('score %.2f', score),
                if(suggested ->> 'random' = 'true', 'drawn at random', null)) as text
        from e where field = 'label' and verdict = 'set' and kind = 'edit' order by seq""",
    )
    edits = edits.drop_duplicates(["id", "now"], keep="last")
    frame = frame.merge(edits, "left", ["id", "now"]).sort_values("score", kind="stable")
    dropped = int((seen & before.keep.eq(True) & ~after.keep).sum())
    return frame.assign(text=frame.text.fillna("")), dropped


def query_labels(bench: Bench, version: str, query: str) -> pd.DataFrame:
    """Query the log, labels as their classes are called in a version."""
    upto = find_position(bench, root_version(version))
    with bench.connect() as con:
        offer_names(con, upto)
        return con.execute(query).df()


def section(data: dict) -> Markup:
    """Show the changed labels as pictures, before and after."""
    pictures, versions = data["pictures"], data["plan"]["versions"]
    shown, n = pictures["changed"][: data["most"]], pictures["n_changed"]
    between = f"{cut(versions[0])} and {cut(versions[-1])}"
    about = f"No train or validation label differs between {between}"
    if n:
        differ = f"{format_count(n, 'label')} that differ between {between}"
        about = f"{len(shown)} of {differ}, worst score first"
    if pictures["n_dropped"]:
        about += f"; {format_count(pictures['n_dropped'], 'sample')} dropped"
    about += f". Changed by {cut(pictures['who'])}." if pictures["who"] else "."
    if len(versions) == 1:
        about = "None to show: the plan has one version."
    return PARTS.about(about) + PARTS.figures(shown, LABEL)
