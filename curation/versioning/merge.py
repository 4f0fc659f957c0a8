"""Merge two copies of one bench."""

from __future__ import annotations

import json
import shutil
from contextlib import ExitStack
from typing import TYPE_CHECKING

import numpy as np

from assay.curation.errors import UserError
from assay.curation.media.base import stored_folders
from assay.curation.media.conversion import DECODER
from assay.curation.storage import backup, schema
from assay.curation.storage.array_stores import find_store
from assay.curation.storage.interface import Bench
from assay.curation.storage.schema import find_invalid_edits, new_batch
from assay.curation.storage.shards import Shards, array_file, fetch_shards, index_file
from assay.curation.system import permissions
from assay.curation.text import MAX_NAME, MAX_TEXT, format_count
from assay.curation.versioning import states
from assay.curation.versioning.class_list import list_entries
from assay.curation.versioning.class_names import SchemaEdit, offer_names
from assay.curation.versioning.live_edits import SLOT, SPOKEN

if TYPE_CHECKING:
    import duckdb
    import pandas as pd

COLUMNS = "uid, batch, origin, sample, field, value, verdict, who, why, suggested, seconds, ts"
FRESH = (
    "create temp table fresh as select e.* from theirs.edits e anti join edits o on o.uid = e.uid"
)
SHARED = """select 1 from edits e semi join theirs.edits t using (uid) union all
select 1 from samples semi join theirs.samples using (id) limit 1"""
# of each slot that they edited: what stood when the copies parted (b), what stands here (o) and there (t), and a last
# word of theirs (f)
SIDES = f"""
with slots as (select distinct sample, {SLOT} as slot from fresh where field <> 'proposal'),
here as (
    select e.*, {SLOT} as slot, e.uid in (select uid from theirs.edits) as common
    from edits e where sample in (select sample from slots)),
there as (select e.*, {SLOT} as slot from theirs.edits e where sample in (select sample from slots)),
b as (select sample, slot, arg_max(here, seq) as b from here where common group by all),
o as (select sample, slot, arg_max(here, seq) as o from here group by all),
t as (
    select sample, slot, arg_max(there, seq) as t, arg_max(there, seq) filter (uid in (select uid from fresh)) as f
    from there group by all),
sides as (
    select s.sample, s.slot, o, t, f,
        -- edited, and not merely undone again; where both imported the same by themselves, an import is no edit
        o is not null and if(b is null, o.origin_kind <> 'import',
            (o.value, o.verdict, o.origin) is distinct from (b.value, b.verdict, b.origin)) as ours,
        if(b is null, t.origin_kind <> 'import',
            (t.value, t.verdict, t.origin) is distinct from (b.value, b.verdict, b.origin)) as their
    from slots s left join b using (sample, slot) left join o using (sample, slot) join t using (sample, slot)),
-- what they froze in a regression set has left the other splits for good, wherever we moved it meanwhile
wanted as (select *, if(ours and not (their and slot = 'split' and t.value ->> '$' = 'guard'), o, t) as w from sides)
-- the last of their edits that are new here (f) will stand: said again is what should stand and would not
select sample, slot, w.uid as uid, t.uid as their_uid,
    w.field as field, w.value as value, w.verdict as verdict, w.origin as origin, w.who as who,
    t.value as their_value, t.who as their_who, ours and their and o.value <> t.value as conflict
from wanted where w.value <> f.value
    or (not (ours and their) and (w.verdict, w.origin) is distinct from (f.verdict, f.origin)) order by w.seq"""


def merge_benches(bench: Bench, other: Bench, who: str) -> dict:
    """Bring the log of the bench `other` into `bench`.

    Edits that do not touch the same field of the same sample merge silently; where both touched it, ours stands and
    theirs is a vote and a conflict. Returns a dict: batch, edits, samples, authors, conflicts (dicts of sample, slot,
    ours, theirs, their_who). Merging twice changes nothing. Raises UserError, and nothing is merged, for what is no
    copy of this bench."""
    if other.path.resolve() == bench.path.resolve():
        raise UserError(
            f"expected another bench to merge, found {bench.given} itself",
            "name the folder of the copy",
        )
    with other.hold_closed():
        sound = backup.examine_backup(other.file)
    if sound is None:
        raise UserError(
            f"expected a sound bench in {other.path}, found its log damaged",
            f"see what is wrong with it: assay check -b {other.given}",
        )
    copy_pixels(bench, other)
    with ExitStack() as open_files:
        con = None
        # in one order, or two merges wait for each other
        for one in sorted((bench, other), key=lambda b: str(b.path.resolve())):
            if one is bench:
                con = open_files.enter_context(bench.transaction(other.file))
            else:
                open_files.enter_context(other.hold_closed())
        bench.attach_beside()
        return merge_edits(bench, con, who, other)


def merge_edits(bench: Bench, con: duckdb.DuckDBPyConnection, who: str, other: Bench) -> dict:
    """Merge the edits of `other`, which is attached as `theirs`."""
    con.execute(FRESH)
    n, authors = con.execute(
        "select count(*), list(distinct who order by who) from fresh"
    ).fetchall()[0]
    if not n:
        return dict(batch=None, edits=0, samples=0, authors=[], conflicts=[])
    check_copy(con, other)
    sides = con.execute(SIDES).df()  # before their edits are here
    renames = find_unknown_renames(con)
    new = take_samples(con)
    take_edits(bench, con, other, n)
    batch = new_batch("merge") if len(sides) or len(renames) else None
    schema = (sides.field == "schema").to_numpy(bool)
    # first what classes are called, then which class each sample has
    append_sides(bench, con, sides[schema], who, other, batch)
    append_renames(bench, con, renames, who, other, batch)
    sides = call_labels(con, sides)
    append_sides(bench, con, sides[~schema], who, other, batch)
    check_test_split(con)
    conflicts = [
        dict(
            sample=row.sample,
            slot=row.slot,
            ours=json.loads(row.value),
            theirs=json.loads(row.their_value),
            their_who=row.their_who,
        )
        for row in sides[sides.conflict.astype(bool)].itertuples()
    ]
    return dict(batch=batch, edits=n, samples=new, authors=authors, conflicts=conflicts)


def check_copy(con: duckdb.DuckDBPyConnection, other: Bench) -> None:
    """Refuse a bench that is no copy of this one, or forged."""
    samples = con.execute("select 1 from samples limit 1").fetchall()
    if samples and not con.execute(SHARED).fetchall():
        raise UserError(
            "expected a copy of this bench, "
            f"found one in {other.path} that shares no sample and no edit with it",
            "to add its samples: assay export --format manifest there, and assay import that here",
        )
    absurd = """select 1 from fresh
        where length(value) > 20 * ? or length(who) > ? or length(why) > ? limit 1"""
    if con.execute(absurd, [MAX_NAME, MAX_NAME, MAX_TEXT]).fetchall():
        raise UserError(
            f"expected edits that Assay wrote in {other.path}, "
            "found labels, names or reasons of absurd length",
            "do not trust this bench",
        )


def take_samples(con: duckdb.DuckDBPyConnection) -> int:
    """Insert the samples that are new here; return how many."""
    new = "from theirs.samples where id not in (select id from samples)"
    count = con.execute(f"select count(*) {new}").fetchall()[0][0]
    con.execute(f"insert into samples by name select * {new} order by rowid")
    con.execute(
        "insert or ignore into meta select key, value from theirs.meta where key like 'decoder %'"
    )
    return count


def take_edits(bench: Bench, con: duckdb.DuckDBPyConnection, other: Bench, count: int) -> None:
    """Append their `count` edits that are new here, as they are."""
    con.execute(
        f"create temp table arriving as select {COLUMNS}, row_number() over (order by seq) as n from fresh"
    )
    if wrong := find_invalid_edits(con, "arriving"):
        _, field, value, batch = wrong[0]
        raise UserError(
            f"expected values that their fields may have in {other.path}, "
            f"found a {field} {str(value)[:40]} ({batch})",
            "no Assay wrote this: do not trust this bench",
        )
    bench.link(con, "arriving", count)
    con.execute("drop table temp.arriving")


def find_unknown_renames(con: duckdb.DuckDBPyConnection) -> list[SchemaEdit]:
    """Find our renames of class names that their new labels use.

    The other copy did not know these renames when it gave a label the old name. Its label is
    renamed, too, since it meant the class that had that name. Not where the name is a class again
    here: then nobody can tell.
    """
    names = offer_names(con)
    told = {e.uid for e in names.edits if "from" in e.value}
    known = "select uid from theirs.edits where field = 'schema'"
    told -= {uid for (uid,) in con.execute(known).fetchall()}
    if not told:
        return []
    labels = "select distinct value ->> '$' from {} where field = 'label'"
    theirs, ours = (
        names.list_classes(
            label for (label,) in con.execute(labels.format(rows)).fetchall() if label
        )
        for rows in ("fresh", SPOKEN)
    )
    ours |= set(list_entries(names))
    out = []
    for edit in names.edits:
        if edit.uid in told and edit.value["from"] in theirs - ours:
            theirs.add(edit.value["to"])
            out.append(edit)
    return out


def append_renames(
    bench: Bench,
    con: duckdb.DuckDBPyConnection,
    renames: list[SchemaEdit],
    who: str,
    other: Bench,
    batch: str | None,
) -> None:
    """Repeat our renames, so that their labels get the new names."""
    import pandas as pd

    if not renames:
        return
    rows = pd.DataFrame(
        dict(
            sample="",
            field="schema",
            value=[json.dumps(edit.value) for edit in renames],
            origin=[edit.batch for edit in renames],
            suggested=json.dumps(dict(merge=str(other.given))),
            why="merge: labels from there are read through it",
        )
    )
    bench.append(con, rows, batch, who)


def call_labels(con: duckdb.DuckDBPyConnection, sides: pd.DataFrame) -> pd.DataFrame:
    """Rename labels on both sides of a merge to present class names.

    What differed in a name alone is no conflict.
    """
    labels = sides[sides.slot == "label"]
    if not len(labels) or not (names := offer_names(con)).renames:
        return sides
    uids = [*labels.uid, *labels.their_uid]
    at = dict(
        con.execute("select uid, seq from edits where uid in (select unnest(?))", [uids]).fetchall()
    )

    def call(value: str, uid: str) -> str:
        name = json.loads(value)
        return json.dumps(name if name is None else names.find_label(name, at[uid]))

    sides = sides.copy()
    for column, uid in (("value", "uid"), ("their_value", "their_uid")):
        called = [call(v, u) for v, u in zip(labels[column], labels[uid])]
        sides.loc[labels.index, column] = called
    same = (sides.slot == "label") & (sides.value == sides.their_value)
    sides["conflict"] = sides.conflict.astype(bool) & ~same
    return sides


def append_sides(
    bench: Bench,
    con: duckdb.DuckDBPyConnection,
    sides: pd.DataFrame,
    who: str,
    other: Bench,
    batch: str | None,
) -> None:
    """Repeat the edits that should stand after a merge and would not."""
    if not len(sides):
        return
    said, why = [], []
    for row in sides.itertuples():
        if row.conflict:
            theirs = dict(theirs=json.loads(row.their_value), who=row.their_who, slot=row.slot)
            said.append(json.dumps(dict(conflict=theirs)))
            why.append(f"merge: {row.who}'s stands; {row.their_who} said {row.their_value}")
        else:
            said.append(json.dumps(dict(merge=str(other.given))))
            why.append("merge: stands as it did")
    edits = sides[["sample", "field", "value", "verdict", "origin"]]
    bench.append(con, edits.assign(suggested=said, why=why), batch, who)


def check_test_split(con: duckdb.DuckDBPyConnection) -> None:
    """Refuse a merge that changes the frozen test split."""
    rule = con.execute(
        "select arg_max(value, seq) from edits where field = 'rule' and value ->> 'name' = 'test'"
    ).fetchall()[0][0]
    state = states.read_state_at(con, schema.END)
    test = state[state.keep & (state.split == "test")].assign(label=None)
    frozen = json.loads(rule or "{}")  # a rule that was undone has only its name
    if "hash" in frozen and len(test) and states.hash_tree(test) != frozen["hash"]:
        raise UserError(
            f"expected the frozen test split ({format_count(frozen['n'], 'sample')}) after the merge, "
            f"found {format_count(len(test), 'other sample')} in it",
            "both copies changed their test splits: "
            "make them one again (assay import --refreeze-test) in one of them, then merge",
        )


def copy_pixels(bench: Bench, other: Bench) -> None:
    """Copy the shards that hold pixels, texts or rows of samples that are new here.

    Their originals may be on another machine."""
    for part in (f"decoded/{DECODER}", *stored_folders()):
        ours, folder = Shards(bench.arrays / part), bench.arrays / part
        permissions.make_folder(folder)
        for index in sorted(map(index_file, Shards(other.arrays / part).files)):
            if (ours.find(np.load(index, allow_pickle=False)["hash"]) < 0).any():
                if store := find_store(index):
                    fetch_shards([array_file(index)], store)
                # the index last: a shard without one is not read
                for file in (array_file(index), index):
                    partial = folder / f"{file.name}.tmp"
                    shutil.copyfile(file, permissions.touch_file(partial))
                    partial.rename(folder / file.name)
