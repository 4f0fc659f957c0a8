"""The data set that shows a bench in FiftyOne: what stands in it, what was pushed to it, and how it is brought to the bench's present state."""

import os
import re
import sys
import uuid
from hashlib import sha256

import numpy as np

from assay.curation.errors import UserError
from assay.curation.storage.arrays import load, save
from assay.curation.system.user_cache import cache, made_here
from assay.curation.versioning import versions
from assay.pipelines.fiftyone import mongod, samples

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


def folder(bench):
    return (
        bench.path.resolve() / "fiftyone"
    )  # not under arrays/: it holds what people changed and nobody has pulled yet


def connect(bench, trust=False):
    """(fiftyone, whether its database was started here): the bench's own, whatever else of FiftyOne is on this machine. UserError for one that somebody
    else made, unless it is to be trusted: a database is a program's food, and FiftyOne runs what it finds beside it."""
    mongod.binary()
    if not made_here(folder(bench), trust):
        hint = f"made by you, before you copied the bench or with an older Assay: --trust; else delete it: rm -r '{folder(bench)}'"
        raise UserError(
            f"expected a FiftyOne database that you made on this machine, found another in {folder(bench)}",
            hint,
        )
    port, mine = mongod.serve(folder(bench) / "db")
    uri = f"mongodb://127.0.0.1:{port}/?serverSelectionTimeoutMS=5000"  # half a minute of silence where it is gone, otherwise
    if "fiftyone" in sys.modules and sys.modules["fiftyone"].config.database_uri != uri:
        raise UserError(
            "expected a process without FiftyOne, found it connected to another database",
            "use the command line: assay fiftyone",
        )
    for name in [n for n in os.environ if n.startswith("FIFTYONE_")]:
        del os.environ[name]  # nothing of a person's own FiftyOne is asked or touched
    own = dict(
        FIFTYONE_DATABASE_URI=uri,
        FIFTYONE_DEFAULT_DATASET_DIR=folder(bench),
        FIFTYONE_CONFIG_PATH=cache("fiftyone") / "config.json",
    )
    own |= dict(
        FIFTYONE_PLUGINS_DIR=cache("fiftyone") / "plugins"
    )  # what is there is run: never the bench's
    os.environ.update(QUIET | {name: str(value) for name, value in own.items()})
    import fiftyone as fo

    return fo, mine


def dataset_of(bench, fo):
    """The one data set of the bench's database, called like its folder."""
    name = re.sub(r"[^a-z0-9]+", "-", bench.path.resolve().name.lower()).strip("-") or "bench"
    return fo.load_dataset(name) if name in fo.list_datasets() else made(fo, name)


def made(fo, name):
    """An empty data set whose fields say what they mean."""
    dataset = fo.Dataset(name, persistent=True)
    kinds = dict.fromkeys(("label_score", "mistakenness"), fo.FloatField) | dict.fromkeys(
        ("is_label_issue", "reviewed"), fo.BooleanField
    )
    for field, words in FIELDS.items():
        if field in ("ground_truth", "prediction"):
            dataset.add_sample_field(
                field,
                fo.EmbeddedDocumentField,
                embedded_doc_type=fo.Classification,
                description=words,
            )
        elif field == "issues":
            dataset.add_sample_field(
                field, fo.ListField, subfield=fo.StringField, description=words
            )
        else:
            dataset.add_sample_field(field, kinds.get(field, fo.StringField), description=words)
    dataset.info = dict(assay=uuid.uuid4().hex)
    dataset.save()
    return dataset


def read(dataset):
    """What stands in FiftyOne: frame by sample of label and tags."""
    import pandas as pd

    try:
        ids, labels, tags = dataset.values(["assay_id", "ground_truth.label", "tags"])
    except ValueError as e:  # somebody deleted or renamed a field there
        raise UserError(
            f"expected the fields assay_id, ground_truth and tags in FiftyOne, found: {e}",
            "rename it back",
        ) from None
    frame = pd.DataFrame(
        dict(label=pd.Series(labels, dtype=object), tags=pd.Series(tags, dtype=object))
    )
    frame.index = pd.Index(ids, dtype=object)
    frame = frame[frame.index.notna()]
    return frame[~frame.index.duplicated()]


def write(fo, dataset, frame, files):
    """Make what stands in FiftyOne of the samples of `frame` (see bridge.rows) what the bench says; (added, updated)."""
    there = set(dataset.values("assay_id"))
    frame = frame[frame.content_hash.map(files).notna()]
    new = frame[~frame.index.isin(there)]
    old = {row.Index: told(fo, row) for row in frame[frame.index.isin(there)].itertuples()}
    if old:
        for field in ("tags", *FIELDS):
            if field != "assay_id":
                dataset.set_values(
                    field,
                    {sample: said[field] for sample, said in old.items()},
                    key_field="assay_id",
                )
    dataset.add_samples(
        [
            fo.Sample(
                files[r.content_hash],
                metadata=fo.ImageMetadata(width=int(r.width), height=int(r.height)),
                **told(fo, r),
            )
            for r in new.itertuples()
        ]
    )
    return len(new), len(old)


def told(fo, row):
    """One sample as fields of FiftyOne; a value that is not there is None."""

    def has(value):
        return value is not None and value == value

    label = fo.Classification(label=row.label) if has(row.label) else None
    score = float(row.score) if has(row.score) else None
    return dict(
        assay_id=row.Index,
        tags=row.tags,
        ground_truth=label,
        prediction=fo.Classification(label=row.prediction, confidence=float(row.confidence))
        if has(row.prediction)
        else None,
        label_score=score,
        mistakenness=None if score is None else 1 - score,
        is_label_issue=bool(row.flagged) if has(row.flagged) else None,
        reviewed=bool(row.reviewed) if has(row.reviewed) else None,
        cluster=row.cluster if has(row.cluster) else None,
        issues=row.issues,
        source=row.source,
        source_id=row.key,
    )


# ---- push and pull


class Pushed:
    """What this bench showed to its data set: by sample the position in the log, and a digest of what was said; kept beside the database."""

    def __init__(self, bench, dataset):
        import pandas as pd

        self.file, self.key = folder(bench) / "pushed.npz", str(dataset.info["assay"])
        kept = load(self.file)
        kept = (
            kept
            if kept is not None and str(kept["key"]) == self.key
            else dict(ids=[], upto=[], digest=[])
        )
        ids = pd.Index(np.asarray(kept["ids"], "S32").astype(str), dtype=object)
        self.frame = pd.DataFrame(
            dict(
                upto=np.asarray(kept["upto"], "i8"),
                digest=np.asarray(kept["digest"], "S32").astype(str),
            ),
            index=ids,
        )

    def keep(self, frame):
        self.frame = frame
        ids, digests = (np.asarray(list(values), "S32") for values in (frame.index, frame.digest))
        save(
            self.file,
            key=np.array(self.key),
            ids=ids,
            upto=frame.upto.to_numpy("i8"),
            digest=digests,
        )


def found_in(bench, dataset, pushed, new_classes=()):
    """What people changed in FiftyOne and nobody has pulled: see bridge.changes."""
    import pandas as pd

    state = bench.state()
    shown = pushed.frame[pushed.frame.index.isin(state.index)]
    parts = [
        bench.state(int(upto)).loc[ids.index, ["label", "split", "tags"]]
        for upto, ids in shown.groupby("upto")
    ]
    base = pd.concat(parts) if parts else state[["label", "split", "tags"]].iloc[:0]
    classes = {
        c for (c,) in bench.rows("select distinct value ->> '$' from edits where field = 'label'")
    } | set(new_classes)
    return samples.changes(base, read(dataset), state, samples.since(bench, shown.upto), classes)


def push(bench, fo, dataset, chosen=None):
    """Bring the data set to the bench's present state: what is chosen (None: all) and kept, and nothing else. Samples with changes that nobody has
    pulled are left alone, and counted as waiting."""
    import pandas as pd

    pushed, upto = Pushed(bench, dataset), versions.position(bench, "HEAD")
    waiting, there = set(found_in(bench, dataset, pushed)["sample"]), read(dataset).index
    frame = samples.rows(bench, chosen)
    files, lost = samples.places(bench, frame)
    frame = frame[~frame.index.isin(waiting) & frame.content_hash.map(files).notna()]
    now = pd.DataFrame(
        dict(upto=upto, digest=[samples.digest(row) for row in frame.itertuples()]),
        index=frame.index,
    )
    same = pushed.frame.digest.reindex(frame.index).eq(now.digest).to_numpy() & frame.index.isin(
        there
    )
    gone = there[~there.isin(frame.index) & ~there.isin(list(waiting))]
    left = pushed.frame[pushed.frame.index.isin(list(waiting))]
    # a process that is killed here must not make a removal look like somebody's deletion
    pushed.keep(pushed.frame[~pushed.frame.index.isin(gone)])
    if len(gone):
        dataset.delete_samples(dataset.match(fo.ViewField("assay_id").is_in(list(gone))))
    added, updated = write(fo, dataset, frame[~same], files)
    pushed.keep(pd.concat([left, now]))
    embed(bench, dataset)
    counts = dict(
        samples=len(dataset),
        added=added,
        updated=updated,
        removed=len(gone),
        unchanged=int(same.sum()),
        waiting=len(waiting),
    )
    return counts | dict(lost=lost)


def embed(bench, dataset):
    """The map, for FiftyOne's embeddings panel, and the vectors, for its sort by similarity, where they are not there yet; none without a scan."""
    import fiftyone.brain as fob

    ids = [i for i in dataset.values("assay_id") if i is not None]
    frame = bench.state().loc[ids]
    points = (
        samples.points(bench, frame) if len(ids) == len(dataset) else None
    )  # whom somebody added there has no place
    mark = None if points is None else sha256(points.tobytes() + "".join(ids).encode()).hexdigest()
    if mark == dataset.info.get("map"):
        return
    for key in {"map", "similar"} & set(dataset.list_brain_runs()):
        dataset.delete_brain_run(key)
    if points is not None:
        fob.compute_visualization(dataset, points=points, brain_key="map")
        fob.compute_similarity(
            dataset,
            embeddings=samples.vectors(bench, frame),
            brain_key="similar",
            backend="sklearn",
        )
    dataset.info["map"] = mark
    dataset.save()


def settle(bench, fo, dataset, pushed, take, rest, give_back):
    """After a pull FiftyOne says of the samples that it settled what the bench says, in every field: else what others did here meanwhile would
    look like a change made there. `give_back`: also of those whose changes were not taken."""
    import pandas as pd

    upto = versions.position(bench, "HEAD")
    settled = (
        set(take["sample"]) | set(rest["sample"])
        if give_back
        else set(take["sample"]) - set(rest["sample"])
    )
    rows = samples.rows(bench, list(settled))
    write(fo, dataset, rows, samples.places(bench, rows)[0])
    now = pd.DataFrame(
        dict(upto=upto, digest=[samples.digest(row) for row in rows.itertuples()]), index=rows.index
    )
    pushed.keep(pd.concat([pushed.frame[~pushed.frame.index.isin(list(settled))], now]))
