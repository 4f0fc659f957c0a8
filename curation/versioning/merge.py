"""Two copies of one bench brought together: whose edits are new here, where both edited the same thing, and what stands then."""

import json
import shutil
from contextlib import ExitStack

import numpy as np

from assay.curation import text
from assay.curation.errors import UserError
from assay.curation.media.conversion import DECODER
from assay.curation.storage import backup, schema
from assay.curation.storage.arrays import Shards, array_of
from assay.curation.storage.schema import improper, new_batch
from assay.curation.system import permissions
from assay.curation.versioning import versions
from assay.curation.versioning.live_edits import SLOT

COLUMNS = "uid, batch, origin, sample, field, value, verdict, who, why, suggested, seconds, ts"
FRESH = (
    "create temp table fresh as select e.* from theirs.edits e anti join edits o on o.uid = e.uid"
)
# of each slot that they edited: what stood when the copies parted (b), what stands here (o) and there (t), and a last word of theirs (f)
SIDES = f"""
with slots as (select distinct sample, {SLOT} as slot from fresh),
here as (select e.*, {SLOT} as slot, e.uid in (select uid from theirs.edits) as common from edits e where sample in (select sample from slots)),
there as (select e.*, {SLOT} as slot from theirs.edits e where sample in (select sample from slots)),
b as (select sample, slot, arg_max(here, seq) as b from here where common group by all),
o as (select sample, slot, arg_max(here, seq) as o from here group by all),
t as (select sample, slot, arg_max(there, seq) as t, arg_max(there, seq) filter (uid in (select uid from fresh)) as f from there group by all),
sides as (
    select s.sample, s.slot, o, t, f,
        -- edited, and not merely undone again; where both imported the same by themselves, an import is no edit
        o is not null and if(b is null, o.origin not like 'import-%',
            (o.value, o.verdict, o.origin) is distinct from (b.value, b.verdict, b.origin)) as ours,
        if(b is null, t.origin not like 'import-%', (t.value, t.verdict, t.origin) is distinct from (b.value, b.verdict, b.origin)) as their
    from slots s left join b using (sample, slot) left join o using (sample, slot) join t using (sample, slot)),
-- what they froze in a regression set has left the other splits for good, wherever we moved it meanwhile
wanted as (select *, if(ours and not (their and slot = 'split' and t.value ->> '$' = 'guard'), o, t) as w from sides)
-- the last of their edits that are new here (f) will stand: said again is what should stand and would not
select sample, slot, w.field as field, w.value as value, w.verdict as verdict, w.origin as origin, w.who as who,
    t.value as their_value, t.who as their_who, ours and their and o.value <> t.value as conflict
from wanted where w.value <> f.value or (not (ours and their) and (w.verdict, w.origin) is distinct from (f.verdict, f.origin)) order by w.seq"""


def merge(bench, other, who):
    """Bring the log of the bench `other` into `bench`. Edits that do not touch the same field of the same sample merge silently; where both
    touched it, ours stands and theirs is a vote and a conflict. Returns a dict: batch, edits, samples, authors, conflicts (dicts of sample, slot, ours,
    theirs, their_who). Merging twice changes nothing. Raises UserError, and nothing is merged, for what is no copy of this bench."""
    if other.path.resolve() == bench.path.resolve():
        raise UserError(
            f"expected another bench to merge, found {bench.given} itself",
            "name the folder of the copy",
        )
    with other.closed():
        sound = backup.examine(other.file)
    if sound is None:
        raise UserError(
            f"expected a sound bench in {other.path}, found its log damaged",
            f"see what is wrong with it: assay check -b {other.given}",
        )
    bring_pixels(bench, other)
    with ExitStack() as doors:
        turns = {}
        for one in sorted(
            (bench, other), key=lambda b: str(b.path.resolve())
        ):  # in one order, or two merges wait for each other
            turns[one] = doors.enter_context(
                bench.transaction(other.file) if one is bench else other.closed()
            )
        bench.read_beside()
        con = turns[bench]
        return merged(bench, con, who, other)


def merged(bench, con, who, other):
    con.execute(FRESH)
    n, authors = con.execute(
        "select count(*), list(distinct who order by who) from fresh"
    ).fetchall()[0]
    if not n:
        return dict(batch=None, edits=0, samples=0, authors=[], conflicts=[])
    shared = "select 1 from edits e semi join theirs.edits t using (uid) union all select 1 from samples semi join theirs.samples using (id) limit 1"
    if (
        con.execute("select 1 from samples limit 1").fetchall()
        and not con.execute(shared).fetchall()
    ):
        raise UserError(
            f"expected a copy of this bench, found one in {other.path} that shares no sample and no edit with it",
            "to add its samples: assay export --format manifest there, and assay import that here",
        )
    limits = [text.NAME, text.NAME, text.TEXT]
    if con.execute(
        "select 1 from fresh where length(value) > 20 * ? or length(who) > ? or length(why) > ? limit 1",
        limits,
    ).fetchall():
        raise UserError(
            f"expected edits that Assay wrote in {other.path}, found labels, names or reasons of absurd length",
            "do not trust this bench",
        )
    sides = con.execute(SIDES).df()
    new = con.execute(
        "select count(*) from theirs.samples where id not in (select id from samples)"
    ).fetchall()[0][0]
    con.execute(
        "insert into samples by name select * from theirs.samples where id not in (select id from samples) order by rowid"
    )
    con.execute(
        "insert or ignore into meta select key, value from theirs.meta where key like 'decoder %'"
    )
    con.execute(
        f"create temp table arriving as select {COLUMNS}, row_number() over (order by seq) as n from fresh"
    )
    if wrong := improper(con, "arriving"):
        raise UserError(
            f"expected values that their fields may have in {other.path}, found a {wrong[0][1]} {str(wrong[0][2])[:40]} ({wrong[0][3]})",
            "no Assay wrote this: do not trust this bench",
        )
    bench.link(con, "arriving", n)
    con.execute("drop table temp.arriving")
    batch = new_batch("merge") if len(sides) else None
    if batch:
        said = [
            json.dumps(
                {"conflict": {"theirs": json.loads(t), "who": w, "slot": slot}}
                if c
                else {"merge": str(other.given)}
            )
            for t, w, slot, c in zip(sides.their_value, sides.their_who, sides.slot, sides.conflict)
        ]
        why = [
            f"merge: {w}'s stands; {t} said {v}" if c else "merge: stands as it did"
            for w, t, v, c in zip(sides.who, sides.their_who, sides.their_value, sides.conflict)
        ]
        bench.append(
            con,
            sides[["sample", "field", "value", "verdict", "origin"]].assign(
                suggested=said, why=why
            ),
            batch,
            who,
        )
    check_test(bench, con)
    conflicts = sides[sides.conflict.astype(bool)]
    rows = [
        dict(sample=s, slot=slot, ours=json.loads(o), theirs=json.loads(t), their_who=w)
        for s, slot, o, t, w in zip(
            conflicts["sample"],
            conflicts.slot,
            conflicts.value,
            conflicts.their_value,
            conflicts.their_who,
        )
    ]
    return dict(batch=batch, edits=n, samples=new, authors=authors, conflicts=rows)


def check_test(bench, con):
    """Refuse a merge after which the test split is none that somebody froze."""
    rule = con.execute(
        "select arg_max(value, seq) from edits where field = 'rule' and value ->> 'name' = 'test'"
    ).fetchall()[0][0]
    state = versions.state_at(con, schema.END)
    test = state[state.keep & (state.split == "test")].assign(label=None)
    frozen = json.loads(rule or "{}")  # one that was undone has its name alone
    if "hash" in frozen and len(test) and versions.tree(test) != frozen["hash"]:
        raise UserError(
            f"expected the frozen test split ({frozen['n']:,} samples) after the merge, found {len(test):,} other samples in it",
            "both copies changed their test splits: make them one again (assay import --refreeze-test) in one of them, then merge",
        )


def bring_pixels(bench, other):
    """Copy the shards that hold pixels of samples that are new here: their originals may be on another machine."""
    for part in (f"decoded/{DECODER}", "pixels"):
        ours, folder = Shards(bench.arrays / part), bench.arrays / part
        permissions.folder(folder)
        for index in sorted((other.arrays / part).glob("*.index.npy")):
            if (ours.find(np.load(index, allow_pickle=False)["hash"]) < 0).any():
                for file in (
                    array_of(index),
                    index,
                ):  # the index last: a shard without one is not read
                    partial = folder / f"{file.name}.tmp"
                    shutil.copyfile(file, permissions.touch(partial))
                    partial.rename(folder / file.name)
