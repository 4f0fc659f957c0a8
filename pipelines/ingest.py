"""A source into a bench: read, decoded once, and compared with what the source held before, so that importing again is a set of edits."""

import json
from hashlib import blake2b

from curation import readings
from curation.arrays import Shards
from curation.errors import UserError, short
from curation.images import SIDE, decode_source
from curation.leftovers import at_work
from curation.sources import Source, make_splits, read_source
from curation.store import new_batch
from curation.text import check
from curation.versions import tree

TAKEN = """select sample from edits where field = 'keep' group by sample
    having arg_max(value, seq) = 'false' and arg_max(origin, seq) like 'import-%'"""


@at_work
def ingest(
    bench,
    path,
    who,
    name=None,
    columns=None,
    split_map=None,
    skip_bad=False,
    audited_test=False,
    yes=False,
    refreeze_test=False,
    progress=None,
    images=None,
):
    """Import `path`, or a sources.Source, into `bench` as the source `name`; the images of an exported manifest may be anywhere in the folder
    `images`. Returns a dict of what happened; raises UserError before anything is written."""
    import pandas as pd

    source = path if isinstance(path, Source) else read_source(path, split_map=split_map, images=images, **(columns or {}))
    name, frame = check(name or source.name, "a source's name"), said_plainly(source.frame)
    check(who, "who imports")
    earlier = bench.query("select content_hash from samples where source = ?", [name]).content_hash
    reading = readings.before(bench, name, earlier)
    hashes, sizes, bad = decode_source(frame, Shards(bench.arrays / "pixels"), SIDE, progress, reading)
    bad += changed(frame, hashes)
    left_out = [(key, short(reason)) for key, reason in (*source.left_out, *bad)]
    if left_out and not skip_bad:
        shown = "\n  ".join(f"{short(' '.join(key.split()), 200)}: {reason}" for key, reason in left_out[:10])
        more = f"\n  ... and {len(left_out) - 10:,} more" if len(left_out) > 10 else ""
        raise UserError(
            f"expected {len(frame) + len(source.left_out):,} usable rows in {source.name}, found {len(left_out):,} that are not:\n  {shown}{more}",
            "mend them, or import the others with --skip-bad"
            + "; --images FOLDER says where the images are now" * ("id" in frame and not images),
        )
    good = [h is not None for h in hashes]
    frame = frame[good].assign(content_hash=[h for h in hashes if h], size=[s for s, g in zip(sizes, good) if g]).reset_index(drop=True)
    if not len(frame):
        raise UserError(f"expected at least one usable image in {source.name}, found none of {len(good):,}", "mend the files")
    frame.index = [row.id if "id" in frame else sample_id(name, row.key, row.content_hash) for row in frame.itertuples()]
    state = bench.state()
    old = state[state.source == name]
    foreign = [i for i in frame.index if i in state.index and i not in old.index]
    if foreign:
        raise UserError(
            f"expected new samples from {source.name}, found {len(foreign):,} that source {state.source[foreign[0]]} brought already",
            f"import it as that source: --as {state.source[foreign[0]]}",
        )
    stay = old[old.keep | old.reviewed]
    waited = set(stay.key[(stay["split"] == "pool") & stay.label.isna()])  # for a label
    fixed = {row.key: row.split for row in stay.itertuples()}  # a sample keeps the split that it has
    free = [label is not None and key in waited for key, label in zip(frame.key, frame.label)]
    given = [split if f else split or fixed.get(key) for key, split, f in zip(frame.key, frame["split"], free)]
    frame["split"] = pd.Series(given, frame.index, dtype=object)
    frame["free"] = free
    if "id" not in frame or frame["split"].isna().any():  # an export says where everything goes
        frame["split"] = pd.Series(make_splits(frame, list(frame.content_hash)), frame.index, dtype=object)
    found = readings.find_looks(readings.load_looks(bench.arrays), dict.fromkeys(frame.content_hash))
    told = readings.notes([found[h] for h in frame.content_hash if h in found], reading)
    source = source._replace(notes=[*source.notes, *told])
    return append(bench, source, name, frame, state, old, left_out, who, audited_test, yes, refreeze_test)


def said_plainly(frame):
    """The rows of a source, whoever made the frame: None, NaN, NA and blanks are None, and a row with neither label nor split is in pool."""
    import pandas as pd

    frame = frame.copy()
    for column in ("label", "split"):
        cells = [None if v is None or v is pd.NA or v != v or not str(v).strip() else v for v in frame[column]]
        frame[column] = pd.Series(cells, frame.index, dtype=object)
    if "id" not in frame:  # an export may say that a sample of train has no label
        frame.loc[frame.label.isna(), "split"] = "pool"
    return frame


def changed(frame, hashes):
    """(key, reason) of images whose bytes are not those that Assay exported; they lose their hash."""
    bad = [i for i, (told, h) in enumerate(zip(frame.get("content_hash", hashes), hashes)) if h and told and told != h]
    for i in bad:
        hashes[i] = None
    return [(frame.key.iloc[i], f"has other bytes at {frame.uri.iloc[i]} than were exported") for i in bad]


def sample_id(source, key, content_hash):
    return blake2b(json.dumps([source, key, content_hash]).encode(), digest_size=16).hexdigest()


def append(bench, source, name, frame, state, old, left_out, who, audited_test, yes, refreeze_test):
    import pandas as pd

    new = frame[~frame.index.isin(old.index)]
    parents = {row.key: i for i, row in old.iterrows()}  # the last sample that had the key
    gone = old[old.keep & ~old.index.isin(frame.index)]
    if len(gone) - sum(k in parents for k in new.key) > len(old[old.keep]) / 10 and not yes:
        raise UserError(
            f"expected most samples of source {name} to be there still, found {len(gone):,} of {old.keep.sum():,} gone",
            "if that is meant, pass --yes; to add another source beside this one, pass --as NAME",
        )
    # only what an import took away does an import bring back: a person's drop and held-out leakage stay
    lost = {s for (s,) in bench.rows(TAKEN)}
    edits, left_alone = [], 0
    for i, row in new.iterrows():
        if row.label is not None:
            edits.append((i, "label", row.label, "set", f"import of {name}"))
        edits += [(i, "keep", True, "set", f"import of {name}"), (i, "split", row.split, "set", f"import of {name}")]
        before = parents.get(row.key)
        if before and old.label[before] not in (None, row.label) and old.reviewed[before]:
            edits.append((i, "label", old.label[before], "set", f"carried over from {before}, whose bytes changed: unconfirmed"))
    for i, row in frame[frame.index.isin(old.index)].iterrows():
        was = old.loc[i]
        if row.free and row.split != was.split:
            edits.append((i, "split", row.split, "set", f"import of {name}: it has a label now"))
        if i in lost:
            edits.append((i, "keep", True, "set", f"import of {name}: it is back"))
        if row.label is not None and row.label != was.given_label:
            if was.reviewed:
                left_alone += 1
            else:
                edits.append((i, "label", row.label, "set", f"import of {name}: the source changed it"))
    edits += [(i, "keep", False, "set", f"import of {name}: it is gone") for i in gone.index]
    edits = pd.DataFrame(edits, columns=["sample", "field", "value", "verdict", "why"])
    edits["value"] = [json.dumps(v) for v in edits["value"]]

    after = pd.concat([state[~state.index.isin(gone.index)], frame[frame.index.isin(new.index)].assign(keep=True)])
    after.loc[[i for i in frame.index if i in lost], "keep"] = True
    moved = [i for i in frame.index[frame.free] if i in old.index]
    after.loc[moved, "split"] = frame["split"][moved]
    rule = freeze(bench, state, after, audited_test, refreeze_test)
    if rule:
        edits.loc[len(edits)] = [
            "",
            "rule",
            json.dumps(rule),
            "set",
            f"import of {name}" + (": test labels declared audited" if audited_test else ""),
        ]
    batch = new_batch("import")
    samples = pd.DataFrame(
        dict(
            id=new.index,
            source=name,
            key=new.key.to_numpy(),
            uri=new.uri.to_numpy(),
            content_hash=new.content_hash.to_numpy(),
            width=[s[0] for s in new["size"]],
            height=[s[1] for s in new["size"]],
            meta=[json.dumps(m, ensure_ascii=False) for m in new.meta],
            parent=[parents.get(k) for k in new.key],
        )
    )
    moved = frame[frame.index.isin(old.index)]
    with bench.transaction() as con:
        if len(samples):
            con.register("new_samples", samples)
            con.execute("insert into samples by name select * from new_samples")
        if len(moved):  # where a sample lies is no fact about it: a moved folder is found again
            con.register("places", pd.DataFrame(dict(id=moved.index, uri=moved.uri.to_numpy())))
            con.execute("update samples set uri = places.uri from places where samples.id = places.id and samples.uri <> places.uri")
        if len(edits):
            bench.append(con, edits, batch, who)
        if not len(old):
            con.execute("insert or replace into meta values (?, ?)", [f"decoder {name}", str(readings.DECODER)])
        con.execute("delete from left_out where source = ?", [name])
        if left_out:
            con.register("lost", pd.DataFrame(left_out, columns=["key", "reason"]).assign(batch=batch, source=name))
            con.execute("insert into left_out by name select * from lost")
    bench.states.clear()  # they may tell the old places
    kept = bench.frame()
    splits = {s: int((kept["split"] == s).sum()) for s in ("train", "val", "test", "pool", "guard") if (kept["split"] == s).any()}
    return dict(
        source=name,
        kind=source.kind,
        batch=batch if len(edits) else None,
        added=len(new),
        removed=len(gone),
        relabelled=int(((edits.field == "label") & ~edits["sample"].isin(new.index)).sum()),
        left_alone=left_alone,
        left_out=len(left_out),
        samples=len(kept),
        classes=int(kept.label.nunique()),
        unlabelled=int(kept.label.isna().sum()),
        splits=splits,
        notes=source.notes,
    )


def freeze(bench, state, after, audited, refreeze):
    """The rule that freezes the test split, if this import brings one; UserError where it would change a frozen one unasked."""
    frozen = bench.rules().get("test") if len(state) else None
    now = after[after.keep & (after["split"] == "test")].assign(label=None)  # its membership is frozen, not its labels
    rule = dict(
        name="test", hash=tree(now), n=len(now), audited=audited or bool(frozen and frozen["audited"] and frozen["hash"] == tree(now))
    )
    if frozen and frozen["hash"] != rule["hash"] and not refreeze:
        raise UserError(
            f"expected the frozen test split to stay as it is ({frozen['n']:,} samples), found {len(now):,} after this import",
            "send new rows elsewhere (--split-map test=pool), or freeze a new test split with --refreeze-test: reports before and after do not compare",
        )
    return rule if len(now) and rule != frozen else None
