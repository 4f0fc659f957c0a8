"""A source into a bench: read, decoded once, and compared with what the source held before, so that importing again is a set of edits."""

import json
from hashlib import blake2b

from assay.curation.errors import UserError, short
from assay.curation.formats.base import Source
from assay.curation.formats.read import read_source
from assay.curation.formats.splits import make_splits
from assay.curation.media import conversion
from assay.curation.media.images import SIDE
from assay.curation.media.pixels import decode_source
from assay.curation.splits import LOCKED
from assay.curation.storage.arrays import Shards
from assay.curation.storage.locks import at_work
from assay.curation.storage.schema import new_batch
from assay.curation.text import alike, check
from assay.curation.versioning.versions import register, tree

DECIDED = ("edit-", "audit-")  # batches that are a person's decisions
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
    source = (
        path
        if isinstance(path, Source)
        else read_source(path, split_map=split_map, images=images, **(columns or {}))
    )
    name, frame = check(name or source.name, "a source's name"), said_plainly(source)
    check(who, "who imports")
    earlier = bench.query("select content_hash from samples where source = ?", [name]).content_hash
    reading = conversion.before(bench, name, earlier)
    hashes, sizes, bad = decode_source(
        frame, Shards(bench.arrays / "pixels"), SIDE, progress, reading
    )
    bad += changed(frame, hashes)
    left_out = [(key, short(reason)) for key, reason in (*source.left_out, *bad)]
    if left_out and not skip_bad:
        shown = "\n  ".join(
            f"{short(' '.join(key.split()), 200)}: {reason}" for key, reason in left_out[:10]
        )
        more = f"\n  ... and {len(left_out) - 10:,} more" if len(left_out) > 10 else ""
        raise UserError(
            f"expected {len(frame) + len(source.left_out):,} usable rows in {source.name}, found {len(left_out):,} that are not:\n  {shown}{more}",
            "mend them, or import the others with --skip-bad"
            + "; --images FOLDER says where the images are now" * ("id" in frame and not images),
        )
    good = [h is not None for h in hashes]
    frame = (
        frame[good]
        .assign(content_hash=[h for h in hashes if h], size=[s for s, g in zip(sizes, good) if g])
        .reset_index(drop=True)
    )
    if not len(frame):
        raise UserError(
            f"expected at least one usable image in {source.name}, found none of {len(good):,}",
            "mend the files",
        )
    state = bench.state()
    old = state[state.source == name]
    # only what an import took away does an import bring back: a person's drop and held-out leakage stay
    lost = {s for (s,) in bench.rows(TAKEN)}
    found = (
        [i if i in old.index else None for i in frame.id]
        if "id" in frame
        else recognise(frame, old, lost)
    )
    frame["found"] = objects(found, frame.index)
    frame.index = name_samples(name, frame, set(state.index))
    foreign = [i for i in frame.index if i in state.index and i not in old.index]
    if foreign:
        raise UserError(
            f"expected new samples from {source.name}, found {len(foreign):,} that source {state.source[foreign[0]]} brought already",
            f"import it as that source: --as {state.source[foreign[0]]}",
        )
    rest = old[~old.index.isin(frame.index)]
    parents = dict(
        zip(rest.key, rest.index)
    )  # the last sample that had the key, but for one that has moved
    frame["parent"] = objects(
        [parents.get(key) if found is None else None for key, found in zip(frame.key, frame.found)],
        frame.index,
    )
    frame["said"], frame["free"] = frame["split"], False
    keep_splits(frame, old)
    if "id" not in frame or frame["split"].isna().any():  # an export says where everything goes
        frame["split"] = objects(make_splits(frame, list(frame.content_hash)), frame.index)
    looks = conversion.find_looks(
        conversion.load_looks(bench.arrays), dict.fromkeys(frame.content_hash)
    )
    told = conversion.notes([looks[h] for h in frame.content_hash if h in looks], reading)
    source = source._replace(notes=[*source.notes, *told])
    return append(
        bench,
        source,
        name,
        frame,
        state,
        old,
        lost,
        left_out,
        who,
        audited_test,
        yes,
        refreeze_test,
    )


def said_plainly(source):
    """The rows of a source, whoever made the frame: None, NaN, NA and blanks are None, and a row with neither label nor split is in pool."""
    import pandas as pd

    frame, exported = source.frame.copy(), "id" in source.frame
    exact = exported or source.kind.endswith(
        "folders"
    )  # an export of ours, or a folder's name: there a blank may be a label
    for column in ("label", "split"):
        cells = [
            None
            if v is None or v is pd.NA or v != v or not (str(v) if exact else str(v).strip())
            else v
            for v in frame[column]
        ]
        frame[column] = objects(cells, frame.index)
    if not exported:  # an export may say that a sample of train has no label
        frame.loc[frame.label.isna(), "split"] = "pool"
    return frame


def changed(frame, hashes):
    """(key, reason) of images whose bytes are not those that Assay exported; they lose their hash."""
    bad = [
        i
        for i, (told, h) in enumerate(zip(frame.get("content_hash", hashes), hashes))
        if h and told and told != h
    ]
    for i in bad:
        hashes[i] = None
    return [
        (frame.key.iloc[i], f"has other bytes at {frame.uri.iloc[i]} than were exported")
        for i in bad
    ]


def recognise(frame, old, lost):
    """The sample that each row is already, or None, as a list: by key and bytes, then by bytes alone, copies in the order of their keys. What is
    there still comes before what had gone (`lost`)."""
    order = sorted(
        old.index, key=dict(zip(old.index, zip(old.index.isin(list(lost)), old.key))).get
    )
    keys, contents = old.key.to_dict(), old.content_hash.to_dict()
    exact, by_content, found = {}, {}, {}
    for i in order:
        exact.setdefault((keys[i], contents[i]), i)
    rows = list(zip(frame.key, frame.content_hash))
    found = {n: exact[row] for n, row in enumerate(rows) if row in exact}
    there = set(found.values())
    for i in order:
        if i not in there:
            by_content.setdefault(contents[i], []).append(i)
    for n in sorted(set(range(len(rows))) - set(found), key=lambda n: rows[n][0]):
        if left := by_content.get(rows[n][1]):
            found[n] = left.pop(0)
    return [found.get(n) for n in range(len(rows))]


def name_samples(source, frame, taken):
    """The id of every row: that of the sample it is, the one that it brings, or a new one."""
    ids = []
    for row in frame.itertuples():
        i, n = (
            row.found
            or (row.id if "id" in frame else sample_id(source, row.key, row.content_hash)),
            0,
        )
        while (
            "id" not in frame and not row.found and i in taken
        ):  # of a sample that moved away from this very key
            n += 1
            i = sample_id(source, row.key, f"{row.content_hash} {n}")
        ids.append(i)
    return ids


def keep_splits(frame, old):
    """A sample keeps the split that it has; one whose bytes changed has its parent's. What waited in pool for a label that comes now is free."""
    splits, unlabelled = old["split"].to_dict(), set(old.index[old.label.isna()])
    fixed = set(old.index[old.keep | old.reviewed])
    given = []
    for row in frame.itertuples():
        was = row.found or (row.parent if row.parent in fixed else None)
        free = splits.get(was) == "pool" and was in unlabelled and row.label is not None
        keeps = was is not None and not free and (row.found or not row.said)
        given.append((splits[was] if keeps else row.said, bool(free and row.found)))
    frame["split"], frame["free"] = (objects(column, frame.index) for column in zip(*given))


def objects(values, index):
    """A column of a frame as it is: where pandas guesses its type, None becomes NaN, which is true."""
    import pandas as pd

    return pd.Series(values, index, dtype=object)


def sample_id(source, key, content_hash):
    return blake2b(json.dumps([source, key, content_hash]).encode(), digest_size=16).hexdigest()


def append(
    bench, source, name, frame, state, old, lost, left_out, who, audited_test, yes, refreeze_test
):
    import pandas as pd

    new, known = frame[frame.found.isna()], frame[frame.found.notna()]
    gone = old[old.keep & ~old.index.isin(frame.index)]
    if len(gone) - new.parent.isin(gone.index).sum() > len(old[old.keep]) / 10 and not yes:
        raise UserError(
            f"expected most samples of source {name} to be there still, found {len(gone):,} of {old.keep.sum():,} gone",
            "if that is meant, pass --yes; to add another source beside this one, pass --as NAME",
        )
    batch, of = new_batch("import"), f"import of {name}"
    edits = []
    for row in new.itertuples():
        i, before = row.Index, row.parent
        if row.label is not None:
            edits.append((i, "label", row.label, "set", of, batch))
        edits += [(i, "keep", True, "set", of, batch), (i, "split", row.split, "set", of, batch)]
        if before and old.label[before] not in (None, row.label) and old.reviewed[before]:
            why = f"carried over from {before}, whose bytes changed: unconfirmed"
            edits.append((i, "label", old.label[before], "set", why, batch))
    changes, left_alone = relabelled(bench, known, old), 0
    locked = [row.Index for row, was, _ in changes if was["split"] in LOCKED]
    if locked and not refreeze_test:
        split = old["split"][locked[0]]
        raise UserError(
            f"expected the labels of locked samples to stay, found {len(locked):,} labels of the {split} split that {name} has changed, first"
            f" {old.key[locked[0]]}: {old.label[locked[0]]} -> {frame.label[locked[0]]}",
            "if the source is right, pass --refreeze-test: reports before and after do not compare",
        )
    for row, was, decided in changes:
        edits.append((row.Index, "label", row.label, "set", f"{of}: the source changed it", batch))
        if decided:  # both are in the log, and the person's stands
            why = f"{of}: {was['who']}'s stands; the source says {row.label}"
            edits.append((row.Index, "label", was["label"], was["verdict"], why, decided))
            left_alone += row.label != was["label"]
    moved = 0
    for row in known.itertuples():
        i = row.Index
        if row.key != old.key[i] and "id" not in frame:
            moved += 1
            edits.append(
                (
                    i,
                    "place",
                    dict(key=row.key, uri=row.uri, was=old.key[i]),
                    "set",
                    f"{of}: it has moved",
                    batch,
                )
            )
        if i in lost:
            edits.append((i, "keep", True, "set", f"{of}: it is back", batch))
        if row.free and row.split != old["split"][i]:
            edits.append((i, "split", row.split, "set", f"{of}: it has a label now", batch))
    edits += [(i, "keep", False, "set", f"{of}: it is gone", batch) for i in gone.index]
    edits = pd.DataFrame(edits, columns=["sample", "field", "value", "verdict", "why", "origin"])
    edits["value"] = [json.dumps(v) for v in edits["value"]]

    after = pd.concat([state[~state.index.isin(gone.index)], new.assign(keep=True)])
    after.loc[[i for i in known.index if i in lost], "keep"] = True
    labelled = known.index[known.free.astype(bool)]
    after.loc[labelled, "split"] = known["split"][labelled]
    rule = freeze(bench, state, after, audited_test, refreeze_test, bool(locked))
    if rule:
        why = of + (": test labels declared audited" if audited_test else "")
        edits.loc[len(edits)] = ["", "rule", json.dumps(rule), "set", why, batch]
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
            parent=list(new.parent),
        )
    )
    with bench.transaction() as con:
        if len(samples):
            con.register("new_samples", samples)
            con.execute("insert into samples by name select * from new_samples")
        if len(known):  # where a sample lies is no fact about it: a moved folder is found again
            con.register("places", pd.DataFrame(dict(id=known.index, uri=known.uri.to_numpy())))
            con.execute(
                "update samples set uri = places.uri from places where samples.id = places.id and samples.uri <> places.uri"
            )
        if len(edits):
            bench.append(con, edits, batch, who)
        if not len(old):
            con.execute(
                "insert or replace into meta values (?, ?)",
                [f"decoder {name}", str(conversion.DECODER)],
            )
        con.execute("delete from left_out where source = ?", [name])
        if left_out:
            con.register(
                "lost",
                pd.DataFrame(left_out, columns=["key", "reason"]).assign(batch=batch, source=name),
            )
            con.execute("insert into left_out by name select * from lost")
    bench.states.clear()  # they may tell the old places
    kept = bench.frame()
    splits = {
        s: int((kept["split"] == s).sum())
        for s in ("train", "val", "test", "pool", "guard")
        if (kept["split"] == s).any()
    }
    return dict(
        source=name,
        kind=source.kind,
        batch=batch if len(edits) else None,
        added=len(new),
        removed=len(gone),
        moved=moved,
        returned=sum(i in lost for i in known.index),
        relabelled=len(changes) - left_alone,
        left_alone=left_alone,
        left_out=len(left_out),
        samples=len(kept),
        classes=int(kept.label.nunique()),
        unlabelled=int(kept.label.isna().sum()),
        splits=splits,
        notes=[*source.notes, *unheard(known, old), *spelled(kept.label.dropna())],
    )


def relabelled(bench, known, old):
    """Rows whose label is not what their source gave before: [(row, what stands as a dict, the origin of a person's decision about the label, or "")]."""
    given = old.given_label.to_dict()
    rows = [
        row for row in known.itertuples() if row.label is not None and row.label != given[row.Index]
    ]
    stands = (
        {
            i: was
            for i, was in zip(
                old.index, old[["split", "label", "verdict", "who", "reviewed"]].to_dict("records")
            )
        }
        if rows
        else {}
    )
    with bench.connect() as con:
        register(con, "asked", [row.Index for row in rows])
        last = "select sample, arg_max(origin, seq) from edits where field = 'label' and sample in (select sample from asked) group by 1"
        origins = dict(con.execute(last).fetchall())
    decided = {
        i: origin
        for i, origin in origins.items()
        if origin.startswith(DECIDED) or stands[i]["verdict"] != "set"
    }
    return [(row, stands[row.Index], decided.get(row.Index, "")) for row in rows]


def unheard(known, old):
    """What rows say that an import does not do, in words."""
    was, labelled = old["split"].reindex(known.index), known.label.notna()
    draws_val = not (known.said == "val").any()  # such a source has val drawn out of its train
    other = known.said.notna() & labelled & ~known.free.astype(bool) & (known.said != was)
    other &= ~(draws_val & (known.said == "train") & (was == "val"))
    if other.any():
        yield f"{other.sum():,} rows name another split than their sample has: a sample keeps its split (a column split of assay edit moves it)"
    bare = ~labelled & old.given_label.reindex(known.index).notna()
    if bare.any():
        yield f"{bare.sum():,} rows have no label any more: their samples keep the one that they have"


def spelled(labels):
    """Which classes may be one, in words."""
    counts = labels.value_counts()
    for group in alike(counts.index):
        names = ", ".join(f"{name!r} ({counts[name]:,})" for name in group)
        yield f"these classes differ in capitals or blanks alone: {names}. If they are one, mend the source and import it again"


def freeze(bench, state, after, audited, refreeze, relabelled=False):
    """The rule that freezes the test split, if this import brings one; UserError where it would change a frozen one unasked. Labels that the source
    changed (`relabelled`) are no longer those that somebody audited."""
    frozen = bench.rules().get("test") if len(state) else None
    now = after[after.keep & (after["split"] == "test")].assign(
        label=None
    )  # its membership is frozen, not its labels
    known = frozen and frozen["audited"] and frozen["hash"] == tree(now) and not relabelled
    rule = dict(name="test", hash=tree(now), n=len(now), audited=audited or bool(known))
    if frozen and frozen["hash"] != rule["hash"] and not refreeze:
        raise UserError(
            f"expected the frozen test split to stay as it is ({frozen['n']:,} samples), found {len(now):,} after this import",
            "send new rows elsewhere (--split-map test=pool), or freeze a new test split with --refreeze-test: reports before and after do not compare",
        )
    return rule if len(now) and rule != frozen else None
