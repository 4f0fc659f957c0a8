"""The data set that shows a bench in FiftyOne."""

from __future__ import annotations

import os
import re
import sys
import uuid
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from assay.curation.errors import UserError
from assay.curation.storage.interface import Bench
from assay.curation.system.user_cache import cache_folder, is_made_here
from assay.curation.tasks.base import task_of
from assay.curation.tasks.multilabel import make_set, read_set
from assay.pipelines.fiftyone import mongod

if TYPE_CHECKING:
    import fiftyone
    import pandas as pd

QUIET = dict(
    FIFTYONE_DO_NOT_TRACK="true",
    FIFTYONE_SHOW_PROGRESS_BARS="false",
    FIFTYONE_LOGGING_LEVEL="ERROR",
    FIFTYONE_DATABASE_VALIDATION="false",
)
FIELDS = dict(  # what each field says in the App, when somebody points at it
    assay_id="the sample's id in the bench; leave it as it is",
    ground_truth="the label as it stands; change it here, and assay fiftyone --pull makes an edit of it",
    prediction="what the probe suggests, with its probability; none for test and guard",
    label_score="probability of the label, out of sample: LOW is bad, as cleanlab has it",
    mistakenness="1 - label_score: HIGH is bad, as FiftyOne has it",
    is_label_issue="the probe predicts another class than the label",
    reviewed="a person has decided about it",
    cluster="region of the embedding, named by the given labels of its train samples",
    issues="kinds of issues that the scan found",
    source="the source that brought it",
    source_id="its key in the source",
)


def fiftyone_folder(bench: Bench) -> Path:
    # not under arrays/: it holds what people changed and nobody has pulled yet
    return bench.path.resolve() / "fiftyone"


def connect_database(bench: Bench, trust: bool = False) -> tuple[ModuleType, bool]:
    """Connect FiftyOne to the bench's own database.

    Returns (fiftyone, whether the database was started here). Whatever else of FiftyOne is on this machine is left
    alone. UserError for a database that somebody else made, unless it is to be trusted: FiftyOne runs what it finds
    beside it.
    """
    mongod.find_binary()
    folder = fiftyone_folder(bench)
    if not is_made_here(folder, trust):
        raise UserError(
            f"expected a FiftyOne database that you made on this machine, found another in {folder}",
            "made by you, before you copied the bench or with an older Assay: --trust;"
            f" else delete it: rm -r '{folder}'",
        )
    port, mine = mongod.join_or_start(folder / "db")
    # half a minute of silence where it is gone, otherwise
    uri = f"mongodb://127.0.0.1:{port}/?serverSelectionTimeoutMS=5000"
    if "fiftyone" in sys.modules and sys.modules["fiftyone"].config.database_uri != uri:
        raise UserError(
            "expected a process without FiftyOne, found it connected to another database",
            "use the command line: assay fiftyone",
        )
    for name in [n for n in os.environ if n.startswith("FIFTYONE_")]:
        del os.environ[name]  # nothing of a person's own FiftyOne is asked or touched
    own = dict(
        FIFTYONE_DATABASE_URI=uri,
        FIFTYONE_DEFAULT_DATASET_DIR=folder,
        FIFTYONE_CONFIG_PATH=cache_folder("fiftyone") / "config.json",
    )
    # what is there is run: never the bench's
    own |= dict(FIFTYONE_PLUGINS_DIR=cache_folder("fiftyone") / "plugins")
    os.environ.update(QUIET | {name: str(value) for name, value in own.items()})
    import fiftyone as fo

    return fo, mine


def open_dataset(bench: Bench, fo: ModuleType) -> fiftyone.Dataset:
    """Open the one data set of the bench's database.

    It is called like the bench's folder, and made where it is not there.
    """
    name = re.sub(r"[^a-z0-9]+", "-", bench.path.resolve().name.lower()).strip("-") or "bench"
    if name in fo.list_datasets():
        return fo.load_dataset(name)
    return create_dataset(fo, name, task_of(bench).several)


def create_dataset(fo: ModuleType, name: str, several: bool = False) -> fiftyone.Dataset:
    """Create an empty data set whose fields say what they mean.

    several: its samples have several labels, which are fo.Classifications.
    """
    dataset = fo.Dataset(name, persistent=True)
    kinds = dict.fromkeys(("label_score", "mistakenness"), fo.FloatField) | dict.fromkeys(
        ("is_label_issue", "reviewed"), fo.BooleanField
    )
    for field, words in FIELDS.items():
        if field in ("ground_truth", "prediction"):
            dataset.add_sample_field(
                field,
                fo.EmbeddedDocumentField,
                embedded_doc_type=fo.Classifications if several else fo.Classification,
                description=words,
            )
        elif field == "issues":
            dataset.add_sample_field(
                field, fo.ListField, subfield=fo.StringField, description=words
            )
        else:
            dataset.add_sample_field(field, kinds.get(field, fo.StringField), description=words)
    dataset.info = dict(assay=uuid.uuid4().hex, several=several)
    dataset.save()
    return dataset


def read_dataset(dataset: fiftyone.Dataset) -> pd.DataFrame:
    """Read labels and tags from FiftyOne, a frame by sample."""
    import pandas as pd

    try:
        several = bool(dataset.info.get("several"))
        # of several whole: where somebody took the last one away, FiftyOne has no list any more
        field = "ground_truth" if several else "ground_truth.label"
        ids, labels, tags = dataset.values(["assay_id", field, "tags"])
    except ValueError as e:  # somebody deleted or renamed a field there
        raise UserError(
            f"expected the fields assay_id, ground_truth and tags in FiftyOne, found: {e}",
            "rename it back",
        ) from None
    if several:
        labels = [read_classifications(found) for found in labels]
        labels = [None if names is None else make_set(names) for names in labels]
    frame = pd.DataFrame(
        dict(label=pd.Series(labels, dtype=object), tags=pd.Series(tags, dtype=object))
    )
    frame.index = pd.Index(ids, dtype=object)
    frame = frame[frame.index.notna()]
    return frame[~frame.index.duplicated()]


def read_classifications(found: fiftyone.Classifications | None) -> list[str] | None:
    """Read the names of several labels; None where there is no label."""
    if found is None:
        return None
    return [one.label for one in found.classifications or [] if one.label]


def write_samples(
    fo: ModuleType, dataset: fiftyone.Dataset, frame: pd.DataFrame, files: dict[str, str]
) -> tuple[int, int]:
    """Write samples into FiftyOne as the bench has them.

    `frame` as `samples.sample_rows` makes it, `files` {content hash: file}. Returns how many were (added, updated).
    """
    there, several = set(dataset.values("assay_id")), bool(dataset.info.get("several"))
    frame = frame[frame.content_hash.map(files).notna()]
    new = frame[~frame.index.isin(there)]
    rows = frame[frame.index.isin(there)].itertuples()
    old = {row.Index: sample_fields(fo, row, several) for row in rows}
    if old:
        for field in ("tags", *FIELDS):
            if field != "assay_id":
                dataset.set_values(
                    field,
                    {sample: fields[field] for sample, fields in old.items()},
                    key_field="assay_id",
                )
    dataset.add_samples(
        [
            fo.Sample(
                files[r.content_hash],
                metadata=fo.ImageMetadata(width=int(r.width), height=int(r.height)),
                **sample_fields(fo, r, several),
            )
            for r in new.itertuples()
        ]
    )
    return len(new), len(old)


def sample_fields(fo: ModuleType, row: tuple, several: bool = False) -> dict:
    """Return one sample as fields of FiftyOne.

    None where there is no value. several: labels are sets of classes; a set as a whole has no probability.
    """

    def has(value):
        return value is not None and value == value

    def make_label(value, **more):
        if not has(value):
            return None
        if not several:
            return fo.Classification(label=value, **more)
        names = [fo.Classification(label=name) for name in read_set(value)]
        return fo.Classifications(classifications=names)

    confidence = float(row.confidence) if has(row.confidence) else None
    score = float(row.score) if has(row.score) else None
    return dict(
        assay_id=row.Index,
        tags=row.tags,
        ground_truth=make_label(row.label),
        prediction=make_label(row.prediction, confidence=confidence),
        label_score=score,
        mistakenness=None if score is None else 1 - score,
        is_label_issue=bool(row.flagged) if has(row.flagged) else None,
        reviewed=bool(row.reviewed) if has(row.reviewed) else None,
        cluster=row.cluster if has(row.cluster) else None,
        issues=row.issues,
        source=row.source,
        source_id=row.key,
    )
