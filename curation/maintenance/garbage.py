"""Collect garbage: delete the derived files that nothing needs.

No file goes from under a job that is writing it.
"""

from __future__ import annotations

import time
from contextlib import suppress
from pathlib import Path

import numpy as np

from assay.curation.errors import UserError
from assay.curation.maintenance.bucket_garbage import collect_there, fetch_indexes
from assay.curation.media.base import stored_folders
from assay.curation.media.bucket_arrays import connect_arrays
from assay.curation.media.remote_cache import RemoteCache
from assay.curation.storage.interface import Bench
from assay.curation.storage.job_locks import exclusive_lock
from assay.curation.storage.shards import array_file
from assay.curation.storage.stages import FOLDER
from assay.curation.versioning import state_parts
from assay.curation.versioning.partitioned_states import list_part_names, list_saved

SESSION = 14 * 24 * 3600  # seconds after which nobody comes back to a review session
AGE = 600  # seconds after which nobody is still writing a file that was left unfinished


def unfinished_files(bench: Bench) -> list[Path]:
    """List the files that a killed process left half-made.

    These are .tmp files, arrays without an index, a half-exported model, half a backup.
    """
    files = [*bench.arrays.rglob("*.tmp"), *(bench.arrays / "embeddings").glob("*/*/*")]
    files += [
        *bench.path.glob(f"{bench.file.name}.partial*"),
        *(bench.path / "backups").glob("*.partial"),
    ]
    for folder in shard_folders(bench):
        indexed = {array_file(index) for index in folder.glob("*.index.npy")}
        files += [
            f
            for f in folder.glob("*.npy")
            if f not in indexed and not f.name.endswith(".index.npy")
        ]
    return sorted(f for f in set(files) if is_older(f))


def old_models(bench: Bench) -> list[Path]:
    """List networks that an older Assay kept beside vectors.

    Nothing reads them: anybody could have put another there.
    """
    return sorted((bench.arrays / "embeddings").glob("*/model.onnx"))


def is_older(file: Path, age: float = AGE) -> bool:
    """Tell whether a file is over `age` seconds old."""
    with suppress(FileNotFoundError):  # finished meanwhile
        return file.stat().st_mtime < time.time() - age
    return False


def ended_sessions(bench: Bench) -> list[Path]:
    """List the files of review sessions that are long over.

    They hold the model's scores at the start of a session.
    """
    return [f for f in (bench.arrays / "sessions").glob("*.npz") if is_older(f, SESSION)]


def shard_folders(bench: Bench) -> list[Path]:
    """List the folders that hold shards."""
    many = [
        f for name in ("embeddings", "quality", "decoded") for f in (bench.arrays / name).glob("*")
    ]
    return [f for f in (*(bench.arrays / name for name in stored_folders()), *many) if f.is_dir()]


def read_hashes(folder: Path) -> dict[Path, np.ndarray]:
    """Read the hashes in a folder's index files.

    An index that cannot be read is left out.
    """
    out = {}
    for index in sorted(folder.glob("*.index.npy")):
        with suppress(OSError, ValueError, EOFError, SyntaxError, IndexError):
            out[index] = np.load(index, allow_pickle=False)["hash"]
    return out


def find_unneeded(bench: Bench) -> tuple[dict[Path, str], int]:
    """Find the files that nothing needs: ({file: why}, shards that stay).

    These are pixel shards of which some images are needed, and some are not.
    """
    pixels, partly = unneeded_pixels(bench)
    damaged = list_files(bench.arrays / "damaged")
    stages = [file for file in list_files(bench.arrays / FOLDER) if is_older(file)]
    ended = [file for file in list_files(bench.path / "jobs") if is_older(file)]
    return (
        dict.fromkeys(damaged, "set aside as damaged")
        | unneeded_predictions(bench)
        | unneeded_judges(bench)
        | unneeded_states(bench)
        | {bench.arrays / "contents.json": "what an older Assay remembered of versions"}
        | dict.fromkeys(stages, "shards of a scan, which it has merged or does again")
        | dict.fromkeys(ended, "plans, logs and states of experiments that ended")
        | dict.fromkeys(ended_sessions(bench), "what review sessions began with, long over")
        | unneeded_uploads(bench)
        | pixels
        | dict.fromkeys(old_models(bench), "models of an older Assay, which nothing reads")
        | dict.fromkeys(unfinished_files(bench), "left unfinished")
    ), partly


def unneeded_predictions(bench: Bench) -> dict[Path, str]:
    """Find predictions of no run, and unused embeddings."""
    runs = {key for (key,) in bench.rows("select key from runs")}
    stored = list_files(bench.arrays / "runs")
    lost = [file for file in stored if file.suffix != ".npz" or file.stem not in runs]
    out = dict.fromkeys(lost, "predictions of no run")
    used = list_used_embeddings(bench)
    for folder in (bench.arrays / "embeddings").glob("*"):
        if used is not None and folder.name not in used:
            why = f"embeddings {folder.name}, of neither the last scan nor a run"
            out |= dict.fromkeys(list_files(folder), why)
    return out


def list_used_embeddings(bench: Bench) -> set[str] | None:
    """List the folders of embeddings that the last scan or a run uses.

    None before a scan: a first one may have been killed, and will resume.
    """
    columns = ", ".join(f"value::json ->> '{name}'" for name in ("folder", "also", "kernel"))
    scans = bench.rows(f"select {columns} from meta where key = 'scan'")
    runs = bench.rows("select config ->> 'embedding' from runs")
    return {folder for row in (*scans, *runs) for folder in row} if scans else None


def unneeded_judges(bench: Bench) -> dict[Path, str]:
    """Find judges and label issues of other scans."""
    from assay.curation.label_quality.judges import judge_key, list_judge_files

    judged, out = set(), {}
    with suppress(UserError):  # there was no scan, or its graph is damaged
        judged = {
            f"{tree}-{judge_key(bench, name)}"
            for name, tree in bench.rows("select name, tree from commits")
        }
    with suppress(UserError):
        needed = set(list_judge_files(bench))
        others = [f for f in (bench.arrays / "judges").glob("*.npz") if f not in needed]
        out = dict.fromkeys(others, "judges of scans with other settings")
    flagged = [f for f in (bench.arrays / "flagged").glob("*.npz") if f.stem not in judged]
    return out | dict.fromkeys(flagged, "label issues of no commit as it is judged now")


def unneeded_states(bench: Bench) -> dict[Path, str]:
    """Find parts of states between commits, but for the newest state.

    One that was just written may be of a state that somebody is building.
    """
    saved = list_saved(bench)
    commits = {upto for (upto,) in bench.rows("select upto from commits")}
    kept = [file for i, (upto, file) in enumerate(saved) if not i or upto in commits]
    out = {file: "states between commits" for _, file in saved if file not in kept}
    needed = {name for file in kept for name in list_part_names(file)}
    parts = state_parts.parts_folder(bench).glob("*.npz")
    lost = [file for file in parts if file.stem not in needed and is_older(file)]
    return out | dict.fromkeys(lost, "parts of no state that is kept")


def unneeded_uploads(bench: Bench) -> dict[Path, str]:
    """Find what was handed in and never imported."""
    out = {}
    for place in filter(is_older, (bench.path / "uploads").glob("*")):
        if not bench.rows("select 1 from samples where starts_with(uri, ?) limit 1", [f"{place}/"]):
            out |= dict.fromkeys(list_files(place), "handed in and never imported")
    return out


def unneeded_pixels(bench: Bench) -> tuple[dict[Path, str], int]:
    """Find shards of pixels or texts that no sample needs.

    Returns ({file: why}, how many shards are needed in part).
    """
    hashes_of_samples = bench.rows("select distinct content_hash from samples")
    known = np.array([content_hash for (content_hash,) in hashes_of_samples], "S32")
    out, partly = {}, 0
    for name in stored_folders():
        for index, hashes in read_hashes(bench.arrays / name).items():
            needed = np.isin(hashes, known)
            partly += bool(needed.any() and not needed.all())
            if len(needed) and not needed.any():
                files = (index, array_file(index))
                out |= dict.fromkeys(files, f"{name} of samples that were never imported")
    return out, partly


def list_files(folder: Path) -> list[Path]:
    """List the files of a folder and its subfolders."""
    return sorted(f for f in folder.rglob("*") if f.is_file())


def collect_garbage(bench: Bench, dry_run: bool = False) -> dict:
    """Delete the derived files that nothing needs; `dry_run` only lists them.

    Returns {freed: {why: bytes}, bytes, files, partly, remote_cache}: see find_unneeded; and the cache of what was
    fetched from addresses, which all benches of a user share, kept within its bounds: {folder, files, bytes, most}.
    Of arrays in object storage the same goes there.
    """
    store = connect_arrays(bench) if bench.arrays_address else None
    with exclusive_lock(bench):
        if store:
            fetch_indexes(bench, store)
        found, partly = find_unneeded(bench)
        freed, n = {}, 0
        # a shard without its index is not read
        for file in sorted(found, key=lambda f: not f.name.endswith(".index.npy")):
            with suppress(FileNotFoundError):
                size = file.stat().st_size
                if not dry_run:
                    file.unlink()
                freed[found[file]], n = freed.get(found[file], 0) + size, n + 1
        if not dry_run:
            for folder in sorted({f.parent for f in found}, reverse=True):
                with suppress(OSError):  # not empty
                    folder.rmdir()
        if store:
            used = list_used_embeddings(bench)
            freed |= collect_there(bench, store, found, used, dry_run)
    cache = RemoteCache()
    cache.trim(dry_run)
    return dict(
        freed=freed, bytes=sum(freed.values()), files=n, partly=partly, remote_cache=cache.measure()
    )
