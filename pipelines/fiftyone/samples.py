"""What a sample of a bench is to FiftyOne, both ways: rows to show there, and which edits are meant by what a person changed there."""

import json
import os
from hashlib import sha256

from assay.curation import text
from assay.curation.errors import UserError
from assay.curation.features import projection, scan_settings
from assay.curation.formats.base import SPLITS, Source, map_splits
from assay.curation.label_quality import live
from assay.curation.media.files import BadImage, iter_bytes
from assay.curation.media.images import FORMATS
from assay.curation.slicing import clusters
from assay.curation.splits import LOCKED
from assay.curation.storage.arrays import Shards
from assay.curation.system import permissions
from assay.curation.versioning.edits import MOVES

SPLIT_TAGS = ("train", "val", "test", "pool", "guard")
CHANGES = "sample field value was stands verdict why".split()


def rows(bench, chosen=None):
    """The kept samples, all or those whose ids are `chosen`, as FiftyOne shows them: frame indexed by sample of uri, content_hash,
    width, height, source, key, tags (its split first), label; and, where a scan judged it, prediction, confidence, score, flagged, reviewed,
    cluster, issues. Samples of test and guard have nothing but their label: no score, no name, no issue is ever shown beside it."""
    state = bench.state()
    frame = state[state.keep] if chosen is None else state[state.keep & state.index.isin(chosen)]
    out = frame[["uri", "content_hash", "width", "height", "source", "key", "label"]].copy()
    out["tags"] = [
        [split, *(t for t in tags if t not in SPLIT_TAGS)]
        for split, tags in zip(frame["split"], frame.tags)
    ]
    seen = ~frame["split"].isin(LOCKED)
    out["reviewed"] = frame.reviewed.astype(object).where(seen, None)
    for column in ("prediction", "confidence", "score", "flagged", "cluster", "issues"):
        out[column] = None
    if not scan_settings.scanned(bench):
        return out
    found = live.opinion(bench).rename(columns=dict(suggestion="prediction"))
    for column in ("prediction", "confidence", "score", "flagged"):
        out[column] = (
            found[column]
            .reindex(out.index)
            .astype(object)
            .where(seen & out.index.isin(found.index), None)
        )
    named = {
        sample: name for name, ids in clusters.clusters(bench, state).items() for sample in ids
    }
    out["cluster"] = out.index.map(named).astype(object).where(seen, None)
    kinds = bench.issues().groupby("sample").kind.unique().map(list).to_dict()
    out["issues"] = [kinds.get(sample, []) if s else None for sample, s in zip(out.index, seen)]
    return out


def digest(row):
    """What tells whether a sample was pushed as it now is."""
    return sha256(json.dumps(row._asdict(), default=str).encode()).hexdigest()[:32]


def places(bench, frame):
    """({content hash: a file of it}, [(key, why there is none)]) for every row: the source's own file, or the original bytes of a row
    of Parquet, written once to arrays/fiftyone."""
    from PIL import Image

    folder = (bench.arrays / "fiftyone").absolute()
    permissions.folder(folder)
    written = {os.path.splitext(f.name)[0]: str(f) for f in folder.iterdir() if f.suffix != ".tmp"}
    out, lost, wanted = {}, [], []
    for row in frame.drop_duplicates("content_hash").itertuples():
        out[row.content_hash] = (
            row.uri if os.path.isfile(row.uri) else written.get(row.content_hash)
        )
        wanted += [row] if out[row.content_hash] is None else []
    for i, blob in iter_bytes([row.uri for row in wanted]):
        if isinstance(blob, BadImage):
            lost.append((wanted[i].key, str(blob)))
            continue
        ending = kind_of(Image, blob)
        path = folder / f"{wanted[i].content_hash}.{ending}"
        permissions.touch(path.with_suffix(".tmp")).write_bytes(blob)
        os.replace(path.with_suffix(".tmp"), path)
        out[wanted[i].content_hash] = str(path)
    return out, lost


def kind_of(Image, blob):
    import io

    with Image.open(io.BytesIO(blob), formats=FORMATS) as image:
        return {"JPEG": "jpg"}.get(image.format, image.format.lower())


def points(bench, frame):
    """The place (n, 2) of every row on the map, or None where no scan stands. No label enters."""
    if scan_settings.scanned(bench) and len(frame):
        projection.sketch(bench)
        return projection.positions(bench, frame)[0]


def vectors(bench, frame):
    """The embedding of every row as the graph has it: (n, d) unit vectors. No label enters."""
    from assay.curation.features.knn import reduced

    return reduced(
        Shards(bench.arrays / "embeddings" / scan_settings.settings(bench)["folder"]).rows(
            frame.content_hash
        )
    )


# ---- and back


def asked(base, theirs):
    """(sample, field, value, was) of all that differs between what was pushed, frame `base` (label, split, tags), and what stands in FiftyOne,
    frame `theirs` (label, tags, both by sample; a sample that is not there was deleted)."""
    there = {row.Index: row for row in theirs.itertuples()}
    for was in base.itertuples():
        now = there.get(was.Index)
        if now is None:
            yield was.Index, "keep", False, True
            continue
        if now.label != was.label:
            yield was.Index, "label", now.label, was.label
        splits, names = (
            [t for t in now.tags if t in SPLIT_TAGS],
            {t for t in now.tags if t not in SPLIT_TAGS},
        )
        if splits != [was.split]:
            yield was.Index, "split", " ".join(sorted(splits)), was.split
        for name in sorted(names ^ {t for t in was.tags if t not in SPLIT_TAGS}):
            yield was.Index, "tag", {"name": name, "on": name in names}, None


def changes(base, theirs, state, since, classes):
    """What `asked` finds, judged against the bench as it stands: frame sample, field, value, was, stands, verdict, why. `since`: {(sample, field,
    tag or ""): who edited it in the bench after the push}. verdict: apply; conflict (edited on both sides, to different values); refused."""
    import pandas as pd

    out = []
    for sample, field, value, was in asked(base, theirs):
        now = state.loc[sample]
        stands = {**now.to_dict(), "tag": field == "tag" and value["name"] in now.tags}[field]
        if stands == (value["on"] if field == "tag" else value):
            continue  # somebody decided the same here
        why = refused(base.split[sample], now, field, value, classes)
        other = since.get((sample, field, value["name"] if field == "tag" else ""))
        if field == "keep":  # to delete is to judge all that was seen
            other = other or since.get((sample, "label", ""))
        verdict = "refused" if why else "conflict" if other else "apply"
        out.append(
            (
                sample,
                field,
                value,
                was,
                stands,
                verdict,
                why or (f"{other} edited it here since the push" if other else ""),
            )
        )
    return pd.DataFrame(out, columns=CHANGES)


def refused(split, now, field, value, classes):
    """Why the bench cannot take a value, in words, or None."""
    locked = [s for s in (now.split, split) if s in LOCKED]
    if locked:
        return f"the {locked[0]} split is locked"
    if field == "label":
        if not value:
            return "a label was taken away: delete the sample, or give it another label"
        return text.flaw(value) or (
            None
            if value in classes
            else f"a class that is new on purpose needs --new-class {value!r}"
        )
    if field == "split" and value not in MOVES:
        return f"expected one of the tags {', '.join(MOVES)}, found {value or 'none'}"
    if field == "tag" and (wrong := text.flaw(value["name"])):
        return f"its tag {wrong}"
    if field == "tag" and value["name"] != value["name"].strip().removeprefix("-"):
        return "a tag has no - before it, and no blanks around it"
    if field == "tag" and value["name"].startswith("guard:"):
        return "only assay guard gives a tag guard:..."


def decisions(found):
    """Changes as the decisions that Bench.edit takes: one row a change."""
    import pandas as pd

    rows = [
        {"sample": row.sample, row.field: cell(row.field, row.value)} for row in found.itertuples()
    ]
    return pd.DataFrame(rows, columns=["sample", "label", "keep", "split", "tag"], dtype=object)


def cell(field, value):
    """A value as a sheet of decisions has it."""
    return (
        ("" if value["on"] else "-") + value["name"]
        if field == "tag"
        else str(value).lower()
        if field == "keep"
        else value
    )


def since(bench, pushed):
    """{(sample, field, tag or ""): who} of what was edited in the bench after the position `pushed` (a Series by sample) at which each was shown."""
    if not len(pushed):
        return {}
    found = bench.rows(
        "select sample, field, coalesce(if(field = 'tag', value ->> 'name', ''), ''), who, seq from edits where seq > ? order by seq",
        [int(pushed.min())],
    )
    at = pushed.to_dict()
    return {
        (sample, field, tag): who
        for sample, field, tag, who, seq in found
        if seq > at.get(sample, seq)
    }


# ---- a data set of the user's own


def source(name, samples, split_map):
    """A FiftyOne data set as a source (see sources.Source). samples: dicts id, filepath, label, tags. Its ids are the keys, since files move; a tag
    that names a split is one, the others are metadata."""
    import pandas as pd

    out, left_out, notes = [], [], []
    for s in samples:
        splits = sorted({t for t in s["tags"] if t in split_map or t.lower() in SPLITS})
        wrong = text.flaw(s["label"] or "")
        if len(splits) > 1 or wrong:
            left_out.append(
                (
                    s["id"],
                    f"has a label that {wrong}"
                    if wrong
                    else f"has several splits: {', '.join(splits)}",
                )
            )
            continue
        tags = [t for t in s["tags"] if t not in splits]
        row = {
            "key": s["id"],
            "uri": s["filepath"],
            "label": s["label"],
            "split": next(iter(splits), None),
        }
        out.append(row | {"meta": {"tags": tags} if tags else {}})
    if not out:
        raise UserError(
            f"expected samples in the FiftyOne data set {name!r}, found none of {len(samples):,} usable",
            "is it the right one?",
        )
    map_splits(out, split_map, notes)
    return Source(pd.DataFrame(out, dtype=object), left_out, "FiftyOne data set", name, notes)
