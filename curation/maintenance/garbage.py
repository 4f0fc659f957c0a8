"""Which files under arrays/ nothing needs, and how they go without pulling one from under a job that is writing."""

import time
from contextlib import suppress

import numpy as np

from assay.curation.errors import UserError
from assay.curation.storage.arrays import array_of
from assay.curation.storage.locks import SESSION, alone

AGE = 600  # seconds after which nobody is still writing a file that was left unfinished


def unfinished(bench):
    """Files that a killed process left half-made: .tmp files, arrays without an index, a half-exported model, half a backup."""
    files = [*bench.arrays.rglob("*.tmp"), *(bench.arrays / "embeddings").glob("*/*/*")]
    files += [
        *bench.path.glob(f"{bench.file.name}.partial*"),
        *(bench.path / "backups").glob("*.partial"),
    ]
    for folder in shard_folders(bench):
        indexed = {array_of(index) for index in folder.glob("*.index.npy")}
        files += [
            f
            for f in folder.glob("*.npy")
            if f not in indexed and not f.name.endswith(".index.npy")
        ]
    return sorted(f for f in set(files) if older(f))


def models(bench):
    """Networks that an older Assay kept beside their vectors: anybody could have put another there."""
    return sorted((bench.arrays / "embeddings").glob("*/model.onnx"))


def older(file, age=AGE):
    with suppress(FileNotFoundError):  # finished meanwhile
        return file.stat().st_mtime < time.time() - age


def sessions_ended(bench):
    """Files that say what the model thought when a review session began, of sessions nobody comes back to."""
    return [f for f in (bench.arrays / "sessions").glob("*.npz") if older(f, SESSION)]


def shard_folders(bench):
    many = [
        f for name in ("embeddings", "quality", "decoded") for f in (bench.arrays / name).glob("*")
    ]
    return [f for f in (bench.arrays / "pixels", *many) if f.is_dir()]


def listed(folder):
    """{index file: the hashes that it lists} of a folder of shards; an index that cannot be read lists none."""
    out = {}
    for index in sorted(folder.glob("*.index.npy")):
        with suppress(OSError, ValueError, EOFError, SyntaxError, IndexError):
            out[index] = np.load(index, allow_pickle=False)["hash"]
    return out


def unneeded(bench):
    """({file: why nothing needs it}, how many pixel shards stay because some of their images are needed)."""
    from assay.curation.label_quality.judges import judge_files
    from assay.curation.label_quality.live import judge_key

    out = dict.fromkeys(files(bench.arrays / "damaged"), "set aside as damaged")
    runs = dict(bench.rows("select key, config ->> 'embedding' from runs"))
    out |= {
        f: "predictions of no run"
        for f in files(bench.arrays / "runs")
        if f.suffix != ".npz" or f.stem not in runs
    }
    scan = [
        folder
        for (folder,) in bench.rows("select value::json ->> 'folder' from meta where key = 'scan'")
    ]
    for folder in (
        (bench.arrays / "embeddings").glob("*") if scan else ()
    ):  # a first scan may have been killed, and will resume
        if folder.name not in (*scan, *runs.values()):
            out |= dict.fromkeys(
                files(folder), f"embeddings {folder.name}, of neither the last scan nor a run"
            )
    judged = set()
    with suppress(UserError):  # no scan stands, or its graph is damaged
        judged = {
            f"{tree}-{judge_key(bench, name)}"
            for name, tree in bench.rows("select name, tree from commits")
        }
    flagged = (bench.arrays / "flagged").glob("*.npz")
    with suppress(UserError):
        stand = set(judge_files(bench))
        out |= {
            f: "judges of scans with other settings"
            for f in (bench.arrays / "judges").glob("*.npz")
            if f not in stand
        }
    out |= {
        f: "label issues of no commit as it is judged now" for f in flagged if f.stem not in judged
    }
    out |= {bench.arrays / "contents.json": "what an older Assay remembered of versions"}
    out |= {
        f: "plans, logs and states of experiments that ended"
        for f in files(bench.path / "jobs")
        if older(f)
    }
    out |= dict.fromkeys(sessions_ended(bench), "what review sessions began with, long over")
    for place in filter(older, (bench.path / "uploads").glob("*")):
        if not bench.rows("select 1 from samples where starts_with(uri, ?) limit 1", [f"{place}/"]):
            out |= dict.fromkeys(files(place), "handed in and never imported")
    known = np.array([h for (h,) in bench.rows("select distinct content_hash from samples")], "S32")
    partly = 0
    for index, hashes in listed(bench.arrays / "pixels").items():
        needed = np.isin(hashes, known)
        partly += bool(needed.any() and not needed.all())
        if len(needed) and not needed.any():
            out |= dict.fromkeys(
                (index, array_of(index)), "pixels of images that were never imported"
            )
    out |= dict.fromkeys(models(bench), "models of an older Assay, which nothing reads")
    return out | dict.fromkeys(unfinished(bench), "left unfinished"), partly


def files(folder):
    return sorted(f for f in folder.rglob("*") if f.is_file())


def gc(bench, dry_run=False):
    """Delete the derived files that nothing needs (`dry_run`: only say so). Returns {freed: {why: bytes}, bytes, files, partly}."""
    with alone(bench):
        found, partly = unneeded(bench)
        freed, n = {}, 0
        for file in sorted(
            found, key=lambda f: not f.name.endswith(".index.npy")
        ):  # a shard without its index is not read
            with suppress(FileNotFoundError):
                size = file.stat().st_size
                if not dry_run:
                    file.unlink()
                freed[found[file]], n = freed.get(found[file], 0) + size, n + 1
        if not dry_run:
            for folder in sorted({f.parent for f in found}, reverse=True):
                with suppress(OSError):  # not empty
                    folder.rmdir()
    return dict(freed=freed, bytes=sum(freed.values()), files=n, partly=partly)
