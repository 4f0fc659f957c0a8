"""What a sound bench is: a log that is what was written, arrays that are what their names say, images that are what was imported."""

import os
import re
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import numpy as np

from assay.curation.errors import UserError
from assay.curation.features import scan_settings
from assay.curation.features.scan_settings import rescan
from assay.curation.maintenance.garbage import listed, models, older, shard_folders, unfinished
from assay.curation.media import conversion
from assay.curation.media.files import BadImage, content_hash, iter_bytes
from assay.curation.media.images import SIDE
from assay.curation.media.pixels import decode_source
from assay.curation.storage.arrays import Shards, array_of, fault, load
from assay.curation.storage.bench_files import refuse_links, unknown
from assay.curation.storage.locks import alone
from assay.curation.storage.schema import IMPROPER
from assay.curation.system import permissions
from assay.curation.versioning import versions
from assay.curation.versioning.edits import BOUNDS, SECONDS

NOTES = (
    "leftover",
    "not verifiable",
    "unscanned",
    "numbers",
    "open",
    "unknown",
)  # worth saying, but nothing is wrong
NO_DAMAGE = re.compile(
    "to be free|room on the disk|of schema"
)  # a busy bench, a full disk or another Assay's bench is not a damaged one
RESTORE = "go back to the last good backup: assay restore"
ROWS = [  # rows that no verb of ours could have written: (query, what they are, what --repair does about them)
    (
        "select sample from edits where sample <> '' and sample not in (select id from samples)",
        "edits of samples that are not there",
        None,
    ),
    (
        "select id from samples where id not in (select sample from edits)",
        "samples that no edit speaks of",
        None,
    ),
    (IMPROPER.format(table="edits", order="seq"), "values that no field of theirs has", None),
    (
        "select sample from issues where sample not in (select id from samples)",
        "issues of samples that are not there",
        "delete these rows",
    ),
]


def finding(kind, what, n=1, repair=None, hint=None, files=()):
    """`repair` says what --repair does about it; where nothing derived mends it that is None, and `hint` what a person can do."""
    return dict(kind=kind, what=what, n=n, repair=repair, hint=hint, files=[str(f) for f in files])


def check(bench, progress=None):
    """Findings about a bench, [] for a sound one: see finding; those of a kind in NOTES are no damage. Reads every array and every kept
    image, and changes none. `progress(done, total)` is called on the way."""
    refuse_links(bench.path)
    bench.states.clear()  # look again, not at what is remembered
    bench.positions.clear()
    try:
        bench.verify(witnessed=False)
        found, state = (
            [
                *log(bench),
                *rows(bench),
                *numbers(bench),
                *open_to_others(bench),
                *others(bench),
                *runs(bench),
            ],
            bench.state(),
        )
    except UserError as e:
        if not bench.file.exists() or NO_DAMAGE.search(e.problem):
            raise
        return [finding("file", e.problem, hint=e.hint), *arrays(bench, progress)]
    return [*found, *arrays(bench, progress), *coverage(bench, state), *images(state, progress)]


def log(bench):
    if bench.witness() is None:
        what = f"{bench.path / '.lock'} is damaged: it said where the log ends, so that lost edits are seen"
        yield finding("witness", what, repair="write it down again from the log")
    for kind, what, mend in bench.damages():
        yield finding(kind, what, repair=mend, hint=None if mend else RESTORE)
    if breaks := bench.chain_breaks():
        yield finding(
            "log",
            f"the log is not what was written, first at edit {breaks[0]:,}",
            len(breaks),
            hint=RESTORE,
        )
    end = versions.position(bench, "HEAD")
    for c in bench.commits().itertuples():
        if c.upto > end:
            yield finding(
                "commit", f"{c.name} is edit {c.upto:,}, and the log ends at {end:,}", hint=RESTORE
            )
        elif (tree := versions.tree(bench.state(c.upto))) != c.tree:
            yield finding(
                "commit",
                f"{c.name} is not what was committed: tree {tree}, then {c.tree}",
                hint=RESTORE,
            )


def rows(bench):
    for query, what, mend in ROWS:
        if found := bench.rows(query):
            hint = None if mend else RESTORE
            yield finding(
                "orphan", f"{len(found):,} {what}, first {found[0][0]}", len(found), mend, hint
            )


def numbers(bench):
    """What older Assays stored unchecked: the log keeps it, and no count takes it."""
    hints = " or ".join(
        f"try_cast(suggested ->> '{k}' as double) not between {low} and {high}"
        for k, (low, high) in BOUNDS.items()
        if k != "seconds"
    )
    if found := bench.rows(
        f"select seq from edits where {SECONDS} is distinct from seconds or {hints} order by seq"
    ):
        what = f"{len(found):,} edits with seconds, a score or a rank that no look has (Infinity, NaN), first edit {found[0][0]:,}"
        yield finding(
            "numbers", what, len(found), hint="they count as not timed; what was decided stands"
        )


def open_to_others(bench):
    if found := permissions.loose(bench.path):
        what = f"{len(found):,} files and folders that others on this machine may read, first {os.path.relpath(found[0], bench.path)}"
        yield finding("open", what, len(found), "close them to others")


def others(bench):
    if found := sorted({*unknown(bench.path)} - {*models(bench)}):
        what = f"{len(found):,} files and folders that Assay did not put into the bench, first {os.path.relpath(found[0], bench.path)}"
        yield finding(
            "unknown",
            what,
            len(found),
            hint="nothing reads them; look at them before you open one in a bench that is not yours",
        )
    if found := models(bench):
        what = f"{len(found):,} models that an older Assay kept in the bench; nothing reads them"
        yield finding("leftover", what, len(found), "delete them", files=found)


def lost_runs(bench):
    """Keys of runs whose predictions are gone."""
    return sorted(
        k
        for (k,) in bench.rows("select key from runs where failed is null")
        if not (bench.arrays / "runs" / f"{k}.npz").exists()
    )


def runs(bench):
    if lost := lost_runs(bench):
        mend = "delete their rows, so that assay experiment trains them again"
        yield finding(
            "orphan", f"{len(lost):,} runs without predictions, first {lost[0]}", len(lost), mend
        )
    known = {k for (k,) in bench.rows("select key from runs")}
    over = [
        f
        for f in (bench.arrays / "runs").glob("*.np[yz]")
        if (f.suffix == ".npy" or f.stem not in known) and older(f)
    ]
    if over:
        yield finding(
            "leftover",
            f"{len(over):,} files with predictions of no run",
            len(over),
            "delete them",
            files=over,
        )


def arrays(bench, progress=None):
    """Every shard against its name, every .npz against its checksums."""
    shards = [
        index for folder in shard_folders(bench) for index in sorted(folder.glob("*.index.npy"))
    ]
    kept = (
        file
        for file in sorted(bench.arrays.rglob("*.npz"))
        if "damaged" not in file.relative_to(bench.arrays).parts
    )
    files = [*shards, *kept]
    old = []
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for done, (file, why) in enumerate(zip(files, pool.map(why_bad, files))):
            if progress:
                progress(done + 1, len(files))
            if why == "not verifiable":
                old.append(file)
            elif isinstance(why, OSError):
                yield finding(
                    "unreadable",
                    f"{place(bench, file)}: {why}",
                    hint="see to the disk and its permissions",
                )
            elif why:
                mend = "set it aside in arrays/damaged; what it held is " + made_by(file, bench)
                yield finding(
                    "damaged",
                    f"{place(bench, file)} {why}",
                    repair=mend,
                    files={file, array_of(file)},
                )
    if old:
        what = f"{len(old):,} shards of an older Assay, which named them without a digest: readable, but nobody can tell if they changed"
        yield finding(
            "not verifiable",
            what,
            len(old),
            hint="they are replaced as images are imported and scanned anew",
        )
    if stray := unfinished(bench):
        yield finding(
            "leftover",
            f"{len(stray):,} files left unfinished by a killed process",
            len(stray),
            "delete them",
            files=stray,
        )


def why_bad(file):
    """An empty string for a sound file, a reason, or the OSError that kept it from being read."""
    try:
        if file.suffix == ".npy":
            return fault(file)
        load(file)
        return ""
    except UserError as e:
        return "is damaged: " + e.problem.split("found: ")[-1]
    except OSError as e:
        return e


def place(bench, file):
    return array_of(file).relative_to(bench.path)


def made_by(file, bench):
    if file.parent.name == "pixels":
        return "decoded again from the originals"
    if file.parent.name == "flagged" or file.name in (
        "clusters.npz",
        "gaps.npz",
        "contents.npz",
        "costs.npz",
        "report.npz",
    ):
        return "found again when it is asked for"
    if file.parent.name in ("judges", "sessions"):
        return "lost: " + (
            "versions of its time are judged by another scan"
            if file.parent.name == "judges"
            else "a session's start"
        )
    return (
        "trained again by assay experiment"
        if file.parent.name == "runs"
        else f"made again by {rescan(bench)}"
    )


def without_pixels(bench, state):
    """The kept samples of `state` whose pixels are in no shard."""
    kept = state[state.keep]
    held = [np.empty(0, "S32"), *listed(bench.arrays / "pixels").values()]
    return kept[~np.isin(np.asarray(kept.content_hash, "S32"), np.concatenate(held))]


def coverage(bench, state):
    """What the arrays lack: pixels of kept samples and, where a scan stands, embeddings and neighbours."""
    if n := len(without_pixels(bench, state)):
        yield finding(
            "pixels",
            f"{n:,} kept samples have no pixels in arrays/pixels",
            n,
            "decode them again from their originals",
        )
    try:
        asked, graph = scan_settings.settings(bench), load(bench.arrays / "graph.npz")
    except UserError:
        return  # no scan stands, or arrays() told of the damage
    hashes = np.unique(np.asarray(state.content_hash, "S32"))
    embedded = [np.empty(0, "S32"), *listed(bench.arrays / "embeddings" / asked["folder"]).values()]
    there = np.isin(hashes, np.concatenate(embedded)) & np.isin(
        hashes, [] if graph is None else graph["hashes"]
    )
    if n := int((~there).sum()):
        what = (
            f"{n:,} of {len(hashes):,} images have no embedding, or no place among the neighbours"
        )
        yield finding("unscanned", what, n, hint=f"run: {rescan(bench)}")


def originals(frame, progress=None):
    """(reasons {row: why} of the images that cannot be read, rows whose bytes have another hash) of a frame uri, content_hash. One image is
    held at a time."""
    gone, changed = {}, []
    for done, (i, blob) in enumerate(iter_bytes(frame.uri)):
        if isinstance(blob, BadImage):
            gone[i] = str(blob)
        elif content_hash(blob) != frame.content_hash.iloc[i]:
            changed.append(i)
        if progress and (done % 256 == 255 or done == len(frame) - 1):
            progress(done + 1, len(frame))
    return gone, changed


def images(state, progress=None):
    kept = state[state.keep]
    gone, changed = originals(kept, progress)
    if gone:
        some = ", ".join(f"{kept.uri.iloc[i]} ({gone[i]})" for i in sorted(gone)[:3])
        what = f"{len(gone):,} images cannot be read: {some}"
        yield finding(
            "image",
            what,
            len(gone),
            hint="put them back, or say where they are now: assay relocate FOLDER",
        )
    if changed:
        what = f"{len(changed):,} images have other bytes than were imported: {', '.join(kept.uri.iloc[i] for i in sorted(changed)[:3])}"
        hint = (
            "put the old files back, or import their source again, which makes new samples of them"
        )
        yield finding("image", what, len(changed), hint=hint)


# ---- mending what is derived


def repair(bench, findings, progress=None):
    """Carry out what findings propose: set damaged arrays aside, delete leftovers and orphan rows, decode lost pixels again. Samples, edits
    and commits are never touched. Returns what a second check finds."""
    for f in findings:
        if f["kind"] == "file":  # what is needed cannot be told without it
            raise UserError(f["what"], f["hint"])
    with alone(bench):
        for f in findings:
            for file in map(bench.path.joinpath, f["files"]):
                file.unlink(missing_ok=True) if f["kind"] == "leftover" else set_aside(bench, file)
        permissions.share(bench.path, permissions.bits(bench.path) == 0o660)
        forget(bench)
        decode_again(bench, progress)
    return check(bench, progress)


def set_aside(bench, file):
    """Not deleted: where originals are gone too, most of a damaged shard may still be good."""
    away = bench.arrays / "damaged"
    permissions.folder(away)
    with suppress(FileNotFoundError):
        os.replace(file, away / f"{file.parent.name}-{file.name}")
    if file.parent.parent.name == "embeddings" or file.name in ("graph.npz", "lists.npz"):
        for name in (
            "graph.npz",
            "lists.npz",
            "probe.npz",
        ):  # made of it; and without a probe an edit does not try to re-score
            (bench.arrays / name).unlink(missing_ok=True)


def forget(bench):
    """Delete rows of derived tables that nothing stands behind, and write down anew what stands."""
    lost = lost_runs(bench)
    with bench.transaction() as con:
        con.execute("delete from issues where sample not in (select id from samples)")
        con.execute("delete from runs where key in (select unnest(?::varchar[]))", [lost])
        if versions.standing_differs(con):
            versions.keep_standing(con)
        if bench.witness() is None:
            bench.told = con.execute(
                "select (select coalesce(max(seq), 0)::varchar from edits), value from meta where key = 'head'"
            ).fetchone()


def decode_again(bench, progress=None):
    """The pixels of kept samples that have none, from those originals whose bytes are what was imported."""
    lost = without_pixels(bench, bench.state())
    gone, changed = originals(lost)
    good = np.setdiff1d(np.arange(len(lost)), [*gone, *changed])
    if len(good):
        for source, part in lost.iloc[good].groupby("source", sort=False):
            known = bench.query(
                "select content_hash from samples where source = ?", [source]
            ).content_hash
            decode_source(
                part,
                Shards(bench.arrays / "pixels"),
                SIDE,
                progress,
                conversion.before(bench, source, known),
            )
