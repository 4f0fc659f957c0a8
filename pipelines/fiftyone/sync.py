"""Bring FiftyOne's data set to the bench's state."""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import sha256
from types import ModuleType
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from assay.curation.errors import UserError
from assay.curation.storage.arrays import load_arrays, save_arrays
from assay.curation.storage.interface import Bench
from assay.curation.tasks.base import task_of
from assay.curation.versioning import pointers
from assay.curation.versioning.changes import find_known_labels, read_former_names
from assay.curation.versioning.version_names import rename_labels
from assay.pipelines.fiftyone import changes, samples
from assay.pipelines.fiftyone.dataset import (
    connect_database,
    fiftyone_folder,
    open_dataset,
    read_dataset,
    write_samples,
)

if TYPE_CHECKING:
    import fiftyone
    import pandas as pd


class PushedSamples:
    """What this bench showed in FiftyOne, kept beside the database.

    `frame`, by sample: upto, the position in the log, and digest, of the row that was shown.
    """

    def __init__(self, bench: Bench, dataset: fiftyone.Dataset):
        import pandas as pd

        self.file, self.key = fiftyone_folder(bench) / "pushed.npz", str(dataset.info["assay"])
        kept = load_arrays(self.file)
        if kept is None or str(kept["key"]) != self.key:
            kept = dict(ids=[], upto=[], digest=[])
        ids = pd.Index(np.asarray(kept["ids"], "S32").astype(str), dtype=object)
        self.frame = pd.DataFrame(
            dict(
                upto=np.asarray(kept["upto"], "i8"),
                digest=np.asarray(kept["digest"], "S32").astype(str),
            ),
            index=ids,
        )

    def store(self, frame: pd.DataFrame) -> None:
        self.frame = frame
        ids, digests = (np.asarray(list(values), "S32") for values in (frame.index, frame.digest))
        save_arrays(
            self.file,
            key=np.array(self.key),
            ids=ids,
            upto=frame.upto.to_numpy("i8"),
            digest=digests,
        )


class Shown(NamedTuple):
    """FiftyOne with the data set of a bench, and what was shown of it."""

    fo: ModuleType
    dataset: fiftyone.Dataset
    pushed: PushedSamples


def open_shown(bench: Bench, trust: bool) -> Shown:
    """Open what a bench showed in FiftyOne; UserError where it never did.

    trust: take the database as it came with the bench.
    """
    if not (fiftyone_folder(bench) / "pushed.npz").exists():
        raise UserError(
            "expected a bench that was shown in FiftyOne, found one that never was",
            f"run: assay fiftyone -b {bench.given}",
        )
    fo, _ = connect_database(bench, trust)
    dataset = open_dataset(bench, fo)
    return Shown(fo, dataset, PushedSamples(bench, dataset))


def find_changes(
    bench: Bench, dataset: fiftyone.Dataset, pushed: PushedSamples, new_classes: Iterable[str] = ()
) -> pd.DataFrame:
    """Find what people changed in FiftyOne and nobody has pulled.

    Rows as `changes.judge_changes` returns them.
    """
    import pandas as pd

    state = bench.state()
    shown = pushed.frame[pushed.frame.index.isin(state.index)]
    parts = []
    for upto, ids in shown.groupby("upto"):
        then = bench.state(int(upto)).loc[ids.index, ["label", "split", "tags"]]
        parts.append(then.assign(label=rename_labels(bench, then.label, int(upto))))
    base = pd.concat(parts) if parts else state[["label", "split", "tags"]].iloc[:0]
    with bench.connect() as con:
        classes = find_known_labels(bench, con) | set(new_classes)
        # a data set that was pushed before a rename shows the old name
        there, _ = read_former_names(con, read_dataset(dataset), classes)
    since = changes.edits_since(bench, shown.upto)
    return changes.judge_changes(base, there, state, since, classes, task_of(bench))


def push_samples(
    bench: Bench, fo: ModuleType, dataset: fiftyone.Dataset, chosen: Iterable[str] | None = None
) -> dict:
    """Bring the data set to the bench's present state.

    It shows what is chosen (None: all) and kept, and nothing else. Samples with changes that nobody has pulled are left
    alone, and counted as waiting. Returns dict(samples, added, updated, removed, unchanged, waiting, lost).
    """
    import pandas as pd

    pushed, upto = PushedSamples(bench, dataset), pointers.find_position(bench, "HEAD")
    waiting = set(find_changes(bench, dataset, pushed)["sample"])
    there = read_dataset(dataset).index
    frame = samples.sample_rows(bench, chosen)
    files, lost = samples.locate_files(bench, frame)
    frame = frame[~frame.index.isin(waiting) & frame.content_hash.map(files).notna()]
    now = digest_rows(frame, upto)
    same = pushed.frame.digest.reindex(frame.index).eq(now.digest).to_numpy()
    same = same & frame.index.isin(there)
    gone = there[~there.isin(frame.index) & ~there.isin(list(waiting))]
    left = pushed.frame[pushed.frame.index.isin(list(waiting))]
    # a process that is killed here must not make a removal look like somebody's deletion
    pushed.store(pushed.frame[~pushed.frame.index.isin(gone)])
    if len(gone):
        dataset.delete_samples(dataset.match(fo.ViewField("assay_id").is_in(list(gone))))
    added, updated = write_samples(fo, dataset, frame[~same], files)
    pushed.store(pd.concat([left, now]))
    push_embeddings(bench, dataset)
    counts = dict(
        samples=len(dataset),
        added=added,
        updated=updated,
        removed=len(gone),
        unchanged=int(same.sum()),
        waiting=len(waiting),
    )
    return counts | dict(lost=lost)


def push_embeddings(bench: Bench, dataset: fiftyone.Dataset) -> None:
    """Push the map and the vectors, where they are not there yet.

    For FiftyOne's embeddings panel, and its sort by similarity. None without a scan.
    """
    import fiftyone.brain as fob

    ids = [i for i in dataset.values("assay_id") if i is not None]
    frame = bench.state().loc[ids]
    # whom somebody added there has no place
    points = samples.map_points(bench, frame) if len(ids) == len(dataset) else None
    mark = None if points is None else sha256(points.tobytes() + "".join(ids).encode()).hexdigest()
    if mark == dataset.info.get("map"):
        return
    for key in {"map", "similar"} & set(dataset.list_brain_runs()):
        dataset.delete_brain_run(key)
    if points is not None:
        fob.compute_visualization(dataset, points=points, brain_key="map")
        fob.compute_similarity(
            dataset,
            embeddings=samples.load_vectors(bench, frame),
            brain_key="similar",
            backend="sklearn",
        )
    dataset.info["map"] = mark
    dataset.save()


def rewrite_pulled(
    bench: Bench,
    fo: ModuleType,
    dataset: fiftyone.Dataset,
    pushed: PushedSamples,
    take: pd.DataFrame,
    rest: pd.DataFrame,
    give_back: bool,
) -> None:
    """Rewrite the samples that a pull settled.

    They become what the bench says, in every field.
    Else what others did here meanwhile would look like a change made there. `take`: the changes that became edits,
    `rest`: the others; `give_back`: also rewrite the samples of these.
    """
    import pandas as pd

    upto = pointers.find_position(bench, "HEAD")
    settled = set(take["sample"]) - set(rest["sample"])
    if give_back:
        settled = set(take["sample"]) | set(rest["sample"])
    rows = samples.sample_rows(bench, list(settled))
    write_samples(fo, dataset, rows, samples.locate_files(bench, rows)[0])
    now = digest_rows(rows, upto)
    pushed.store(pd.concat([pushed.frame[~pushed.frame.index.isin(list(settled))], now]))


def digest_rows(rows: pd.DataFrame, upto: int) -> pd.DataFrame:
    """Digest rows for `PushedSamples`.

    As they are shown at the position `upto` in the log.
    """
    import pandas as pd

    digests = [samples.row_digest(row) for row in rows.itertuples()]
    return pd.DataFrame(dict(upto=upto, digest=digests), index=rows.index)
