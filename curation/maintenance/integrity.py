"""Check that log, arrays and images are unchanged."""

from __future__ import annotations

import os
from collections.abc import Iterator

from assay.curation.errors import BenchBusy, DiskFull, OtherSchema, UserError
from assay.curation.maintenance.array_checks import (
    RESTORE,
    check_arrays,
    check_coverage,
    make_finding,
)
from assay.curation.maintenance.bucket_checks import find_bucket_faults
from assay.curation.maintenance.garbage import (
    is_older,
    old_models,
)
from assay.curation.maintenance.image_checks import check_images
from assay.curation.media.base import media_of, stored_folders
from assay.curation.media.bucket_arrays import connect_arrays
from assay.curation.storage.bench_files import find_unknown, refuse_links
from assay.curation.storage.interface import Bench, Progress
from assay.curation.storage.schema import INVALID_EDITS, OTHER_KINDS
from assay.curation.system import permissions
from assay.curation.text import format_count
from assay.curation.versioning import pointers, states
from assay.curation.versioning.decision_cells import BOUNDS, SECONDS

# a busy bench, a full disk or another Assay's bench is not a damaged one
NO_DAMAGE = (BenchBusy, DiskFull, OtherSchema)
# rows that no verb of ours could have written: (query, what one is, what --repair does)
ROWS = [
    (
        "select sample from edits where sample <> '' and sample not in (select id from samples)",
        "edit of samples that are not there",
        None,
    ),
    (
        "select id from samples where id not in (select sample from edits)",
        "sample that no edit speaks of",
        None,
    ),
    (INVALID_EDITS.format(table="edits", order="seq"), "value that no field has", None),
    (OTHER_KINDS, "edit whose kind is not that of its batch", "write their kind down again"),
    (
        "select sample from issues where sample not in (select id from samples)",
        "issue of samples that are not there",
        "delete these rows",
    ),
]


def check_bench(bench: Bench, progress: Progress | None = None) -> list[dict]:
    """Check a bench: a list of findings, [] for a sound one.

    See make_finding; those of a kind in NOTES are no damage. Reads every array and every kept image, and changes none.
    """
    refuse_links(bench.path)
    bench.states.clear()  # look again, not at what is remembered
    bench.positions.clear()
    try:
        bench.verify(check_tail=False)
        if bench.arrays_address:
            connect_arrays(bench)
        checks = (
            check_log,
            check_rows,
            check_numbers,
            check_access,
            check_unknown_files,
            check_runs,
        )
        found = [finding for check in checks for finding in check(bench)]
        state = bench.state()
    except UserError as e:
        if not bench.file.exists() or isinstance(e, NO_DAMAGE):
            raise
        return [make_finding("file", e.problem, hint=e.hint), *check_arrays(bench, progress)]
    found += check_bucket(bench)
    found += check_arrays(bench, progress)
    found += check_coverage(bench, state)
    # texts are in the bench, and were checked with its arrays
    return found + (list(check_images(state, progress)) if media_of(bench).column is None else [])


def find_tree(bench: Bench, tree: str) -> str | None:
    """Find the version whose contents have a tree: HEAD, else the last committed one, else None."""
    if states.hash_tree(bench.state()) == tree:
        return "HEAD"
    commits = bench.commits()
    return next(iter(commits.name[commits.tree == tree][::-1]), None)


def check_tree(bench: Bench, tree: str) -> list[dict]:
    """Check that a version has a tree: [] where one has, else a finding."""
    if find_tree(bench, tree):
        return []
    now = states.hash_tree(bench.state())
    what = f"no version here has the tree {tree}: the newest contents have {now}"
    return [make_finding("tree", what, hint="are they the labels that the card is about?")]


def check_bucket(bench: Bench) -> Iterator[dict]:
    """Check that object storage has the arrays that lie here."""
    for kind, what, n, mend, hint in find_bucket_faults(bench):
        yield make_finding(kind, what, n, mend, hint)


def check_log(bench: Bench) -> Iterator[dict]:
    """Check that log and commits are what was written."""
    if bench.read_tail() is None:
        lost = "it said where the log ends, so that lost edits are seen"
        what = f"{bench.path / '.lock'} is damaged: {lost}"
        yield make_finding("witness", what, repair="write it down again from the log")
    for kind, what, mend in bench.damages():
        yield make_finding(kind, what, repair=mend, hint=None if mend else RESTORE)
    if breaks := bench.chain_breaks():
        yield make_finding(
            "log",
            f"the log is not what was written, first at edit {breaks[0]:,}",
            len(breaks),
            hint=RESTORE,
        )
    end = pointers.find_position(bench, "HEAD")
    for c in bench.commits().itertuples():
        if c.upto > end:
            yield make_finding(
                "commit", f"{c.name} is edit {c.upto:,}, and the log ends at {end:,}", hint=RESTORE
            )
        elif (tree := states.hash_tree(bench.state(c.upto))) != c.tree:
            yield make_finding(
                "commit",
                f"{c.name} is not what was committed: tree {tree}, then {c.tree}",
                hint=RESTORE,
            )


def check_rows(bench: Bench) -> Iterator[dict]:
    """Check for rows that no verb could have written."""
    for query, what, mend in ROWS:
        if found := bench.rows(query):
            hint = None if mend else RESTORE
            noun, _, rest = what.partition(" ")
            yield make_finding(
                "orphan",
                f"{format_count(len(found), noun)} {rest}, first {found[0][0]}",
                len(found),
                mend,
                hint,
            )


def check_numbers(bench: Bench) -> Iterator[dict]:
    """Check for numbers that older Assays stored unchecked.

    The log keeps them, and no count takes them.
    """
    hints = " or ".join(
        f"try_cast(suggested ->> '{k}' as double) not between {low} and {high}"
        for k, (low, high) in BOUNDS.items()
        if k != "seconds"
    )
    if found := bench.rows(
        f"select seq from edits where {SECONDS} is distinct from seconds or {hints} order by seq"
    ):
        bad = "with seconds, a score or a rank that no review has (Infinity, NaN)"
        what = f"{format_count(len(found), 'edit')} {bad}, first edit {found[0][0]:,}"
        yield make_finding(
            "numbers", what, len(found), hint="they count as not timed; what was decided stands"
        )


def check_access(bench: Bench) -> Iterator[dict]:
    """Check that nobody else may read the bench."""
    if found := permissions.find_open_paths(bench.path):
        what = "files and folders that others on this machine may read"
        what = f"{len(found):,} {what}, first {os.path.relpath(found[0], bench.path)}"
        yield make_finding("open", what, len(found), "close them to others")


def check_unknown_files(bench: Bench) -> Iterator[dict]:
    """Check for files not ours, or read by nothing."""
    if found := sorted({*find_unknown(bench.path, stored_folders())} - {*old_models(bench)}):
        what = "files and folders that Assay did not put into the bench"
        what = f"{len(found):,} {what}, first {os.path.relpath(found[0], bench.path)}"
        yield make_finding(
            "unknown",
            what,
            len(found),
            hint="nothing reads them; look at them before you open one in a bench that is not yours",
        )
    if found := old_models(bench):
        what = f"{format_count(len(found), 'model')} that an older Assay kept in the bench; nothing reads them"
        yield make_finding("leftover", what, len(found), "delete them", files=found)


def lost_runs(bench: Bench) -> list[str]:
    """List the keys of runs whose predictions are gone."""
    return sorted(
        k
        for (k,) in bench.rows("select key from runs where failed is null")
        if not (bench.arrays / "runs" / f"{k}.npz").exists()
    )


def check_runs(bench: Bench) -> Iterator[dict]:
    """Check that runs and predictions have each other."""
    if lost := lost_runs(bench):
        mend = "delete their rows, so that assay experiment trains them again"
        yield make_finding(
            "orphan",
            f"{format_count(len(lost), 'run')} without predictions, first {lost[0]}",
            len(lost),
            mend,
        )
    known = {k for (k,) in bench.rows("select key from runs")}
    over = [
        f
        for f in (bench.arrays / "runs").glob("*.np[yz]")
        if (f.suffix == ".npy" or f.stem not in known) and is_older(f)
    ]
    if over:
        yield make_finding(
            "leftover",
            f"{format_count(len(over), 'file')} with predictions of no run",
            len(over),
            "delete them",
            files=over,
        )
