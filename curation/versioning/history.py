"""Read the log: edits, differences of versions, blame."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from assay.curation.errors import UnknownSample, UserError
from assay.curation.storage.interface import Bench
from assay.curation.versioning import (
    class_names,
    expressions,
    live_edits,
    pointers,
    state_building,
    state_differences,
    states,
)
from assay.curation.versioning.decision_cells import SECONDS
from assay.curation.versioning.edits import EditValues
from assay.curation.versioning.version_names import names_at, rename_labels

if TYPE_CHECKING:
    import pandas as pd

COUNTS = f"""count(*) as edits, count(distinct sample) filter (sample <> '') as samples,
    min(ts) as first, max(ts) as last, max(seq) as upto,
    count(*) filter (field = 'label' and verdict = 'set') as relabelled,
    count(*) filter (verdict = 'confirm') as confirmed,
    count(*) filter (verdict = 'unsure') as unsure, count(*) filter (field = 'keep' and value = 'false') as dropped,
    count(*) filter (field = 'keep' and value = 'true') as restored, count(*) filter (field = 'split') as moved,
    count(*) filter (field = 'tag') as tagged, sum({SECONDS}) as seconds, mode(why) as why"""
MADE = ("relabelled", "confirmed", "unsure", "dropped", "restored", "moved", "tagged")
# what puts back, or lets stand, makes edits of another kind; so does an import
BACK = f"({live_edits.BACK} or kind = 'merge')"
PER_BATCH = f"""per_batch as (select batch, kind, who, {COUNTS} from edits
    where kind <> 'proposal' group by batch, kind, who),
-- perhaps several edits of one decision, each of which carries all of its seconds
many as (select distinct batch, sample from edits where seconds is not null and field <> 'label'),
more as (
    select batch, who, sum({SECONDS}) - max({SECONDS}) as seconds from edits semi join many using (batch, sample)
    group by batch, who, sample),
surplus as (select batch, who, sum(seconds) as surplus from more group by all),
kinds as (
    select batch, kind, who, samples, edits, {", ".join(f"if(kind = 'import' or {BACK}, 0, {c}) as {c}" for c in MADE)},
        if(kind = 'import', edits, 0) as imported, if({BACK}, edits, 0) as put_back,
        seconds - coalesce(surplus, 0) as seconds, first, last, upto, why
    from per_batch left join surplus using (batch, who))"""
BATCHES = f"""with {PER_BATCH}
select 'batch' as kind, batch as name, who, last as ts, * exclude (batch, kind, who, first, last) from kinds
union all by name select 'commit' as kind, name, who, ts, upto, message as why from commits
order by upto, ts"""
SUMS = ", ".join(f"sum({c})::bigint as {c}" for c in ("edits", *MADE, "imported", "put_back"))
LOG = f"""with {PER_BATCH},
ends as (select arg_min(name, ts) as name, upto from commits group by upto),
work as (select e.name, k.* from kinds k asof left join ends e on k.upto <= e.upto),
done as (
    select name, who as author, sum(samples)::bigint as samples, {SUMS}, sum(seconds) as seconds,
        min(first) as first, max(last) as last
    from work where kind <> 'rule' group by all)
select coalesce(c.name, d.name) as version, d.* exclude (name),
    c.who as committed_by, c.ts as committed, c.message, c.tree
from done d full join commits c on d.name = c.name order by c.upto nulls last, c.ts, d.first"""


def read_batches(bench: Bench) -> pd.DataFrame:
    """Read batches and commits, oldest first.

    A frame kind (batch or commit), name, who, ts, samples, edits, and what kinds of edit they were."""
    return bench.query(BATCHES)


def read_log(bench: Bench) -> pd.DataFrame:
    """Read commits, and the open work since, by author; oldest first.

    A frame version (None: since the last commit), author, samples (one that two batches speak of counts twice),
    edits, counts by kind of edit, seconds spent, first, last, committed_by, committed, message, tree."""
    return bench.query(LOG)


def diff_versions(bench: Bench, a: str | int, b: str | int) -> dict[str, str | pd.DataFrame]:
    """Compare version `b` with `a`: what it has that `a` has not.

    A dict of a, b, matrix (frame from, to, n: labels of samples kept in both), renamed (the same of classes that are
    called otherwise in `b`: that is no other label), and frames of samples: relabelled, added, removed, moved (from one
    split to another), tagged; each with sample, source_id, from, to."""
    import pandas as pd

    one, two = read_changed(bench, a, b)
    keys = one["key"]
    if not one.index.equals(two.index):
        index = one.index.union(two.index, sort=False)
        one, two = (
            f.reindex(index).astype(object).where(lambda frame: frame.notna(), None)
            for f in (one, two)
        )
        keys = one["key"].where(one["key"].notna(), two["key"])
    was, now = (f.keep.eq(True).to_numpy() for f in (one, two))
    both = was & now
    before, one = one, one.assign(label=rename_labels(bench, one.label, a, b))
    if "seq" in one:  # the same edit, whatever its class was called
        one["label"] = one.label.mask(one.seq.eq(two.seq), two.label)

    def differ(column: str) -> np.ndarray:
        return one[column].to_numpy(object) != two[column].to_numpy(object)

    def rows(which: np.ndarray, column: str) -> pd.DataFrame:
        ends = {
            name: pd.Series(f[column].to_numpy(object)[which], dtype=object)
            for name, f in (("from", one), ("to", two))
        }
        return pd.DataFrame(dict(sample=keys.index[which], source_id=keys[which].array) | ends)

    parts = dict(
        relabelled=rows(both & differ("label"), "label"),
        added=rows(now & ~was, "label"),
        removed=rows(was & ~now, "label"),
        moved=rows(both & differ("split"), "split"),
        tagged=rows(both & differ("tags"), "tags"),
    )
    matrix = (
        parts["relabelled"].groupby(["from", "to"], dropna=False).size().rename("n").reset_index()
    )
    matrix = matrix.sort_values("n", ascending=False, kind="stable")
    renamed = pd.DataFrame({"from": before.label[both], "to": one.label[both]}).dropna()
    renamed = renamed[renamed["from"] != renamed["to"]]
    renamed = renamed.groupby(["from", "to"]).size().rename("n").reset_index()
    return dict(a=str(a), b=str(b), matrix=matrix.reset_index(drop=True), renamed=renamed, **parts)


def read_changed(bench: Bench, a: str | int, b: str | int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Read two versions: label, keep, split, tags and key of samples.

    Of two positions in the log only samples that differ."""
    import pandas as pd

    if any(map(expressions.is_expression, (a, b))):
        return bench.state(a), bench.state(b)
    if state_building.is_large(bench) and names_at(bench, a).renames == names_at(bench, b).renames:
        return state_differences.read_changed(bench, a, b)
    with bench.connect() as con:
        uptos = [pointers.read_position(con, v) for v in (a, b)]
        ids = con.sql("select id, key from samples order by rowid").to_arrow_table()
        points = [pointers.read_pointers(con, upto, len(ids)) for upto in uptos]
        between = """select distinct rowid from samples where id in (
            select sample from edits where field = 'tag' and seq > $a and seq <= $b)"""
        tagged = con.execute(between, dict(a=min(uptos), b=max(uptos))).fetchnumpy()["rowid"]
        names = [class_names.read_names(con, upto) for upto in uptos]
        differ = (points[0] != points[1]).any(1)
        differ |= names[0].renames != names[1].renames
        differ[tagged] = True
        keys = ids.filter(differ).to_pandas(ignore_metadata=True).set_index("id")["key"]
        values = EditValues(con, np.concatenate([p[differ] for p in points]), ("value",))
        out = []
        for upto, called, (label, _, keep, split) in zip(
            uptos, names, (p[differ].T for p in points)
        ):
            said = dict(
                label=values.read_labels(label, called),
                seq=label,
                split=values.read("value", split),
                tags=states.read_tags(con, upto, keys.index),
            )
            frame = pd.DataFrame({c: pd.Series(v, keys.index, object) for c, v in said.items()})
            out.append(
                frame.assign(key=keys, keep=values.test("value", keep, lambda value: value is True))
            )
    return out


NAMED = "say its id, as `assay queue` and `assay export` list it, or its key in its source"


class Life(NamedTuple):
    """The life of one sample."""

    sample: str  # its id
    key: str
    # frame seq, ts, who, batch, field, value, verdict, why, suggested, seconds, undone (taken back later), stands,
    # version (the first commit that has the edit)
    edits: pd.DataFrame


LIFE = f"""with {live_edits.TOGGLES}
select e.seq, e.ts, e.who, e.batch, e.field,
    case when e.field = 'tag' then (case when e.value ->> 'on' = 'true' then '' else '-' end) || (e.value ->> 'name')
    when e.field = 'place' then e.value ->> 'key' else e.value ->> '$' end as value, e.verdict, e.why,
    e.suggested, {SECONDS} as seconds, d.batch is not null as undone,
    (select arg_min(name, upto) from commits where upto >= e.seq) as version
from edits e left join dead d on d.batch = e.batch and d.sample = e.sample
and d.slot = {live_edits.SLOT.replace("field", "e.field").replace("value", "e.value")}
where e.sample = $sample and e.seq <= $upto order by e.seq"""


# a rename, as a row of the life of a sample of its class
RENAMED = """select seq, ts, who, batch, 'label' as field, value ->> 'to' as value, why, null as suggested,
    (select arg_min(name, upto) from commits where upto >= seq) as version from edits where seq = ?"""


def blame_sample(bench: Bench, sample: str, version: str | int = "HEAD") -> Life:
    """Read who decided what about one sample.

    sample: its id, the beginning of it, or its key. UserError where that is none, or several."""
    upto = pointers.find_position(bench, expressions.root_version(version))
    found = bench.rows(
        """select id, key, source from samples
        where id = $s or key = $s or ends_with(key, '/' || $s) or starts_with(id, $s) limit 20""",
        dict(s=str(sample)),
    )
    exact = [f for f in found if str(sample) in f[:2]] or found
    if not found:
        keys = [key for (key,) in bench.rows("select key from samples limit 10000")]
        raise UnknownSample(
            f"expected one sample, found none called {str(sample)!r}", NAMED, sample, keys
        )
    if len(exact) != 1:
        like = "; ".join(f"{i} ({source}: {key})" for i, key, source in exact[:5])
        many = f"{len(exact)}{' or more' * (len(exact) == 20)} that {sample!r} could mean: {like}"
        raise UserError(f"expected one sample, found {many}", NAMED)
    frame = bench.query(LIFE, dict(sample=exact[0][0], upto=upto))
    with bench.connect() as con:
        pointers.register_values(con, "wanted", [exact[0][0]])
        points = pointers.read_pointers(con, upto, 1, wanted=True)[0, [0, 2, 3]]
    last = ~(frame.field + frame.value.str.removeprefix("-")).duplicated(keep="last")
    frame["stands"] = frame.seq.isin(points) | last & (frame.field == "tag")
    return Life(*exact[0][:2], add_renames(bench, frame, upto))


def add_renames(bench: Bench, life: pd.DataFrame, upto: int) -> pd.DataFrame:
    """Add the renames of a sample's class to its labels' history.

    life: the frame of a Life. The label that stands may then be the one that a rename says.
    """
    import pandas as pd

    with bench.connect() as con:
        renames = class_names.read_names(con, upto).renames
        labels = life[life.field == "label"]
        rows = []
        for rename in renames:
            names = class_names.read_names(con, rename.seq - 1)
            before = labels[labels.seq < rename.seq].tail(1)
            label = (
                names.find_label(before.value.item(), before.seq.item()) if len(before) else None
            )
            if label is not None and rename.old in names.list_classes([label]):
                now = names.map_label(label, lambda n, r=rename: r.new if n == r.old else n)
                found = con.execute(RENAMED, [rename.seq]).df().assign(value=now)
                rows += found.to_dict("records")
    if not rows:
        return life
    stands = life.stands & (life.field == "label")
    if len(last := life.seq[stands]) and rows[-1]["seq"] > last.iloc[0]:
        life = life.assign(stands=life.stands & ~stands)
        rows[-1]["stands"] = True
    added = pd.DataFrame(rows).assign(verdict="set", undone=False)
    added["seconds"], added["stands"] = float("nan"), added.get("stands", False)
    added["stands"] = added.stands.eq(True)
    return pd.concat([life, added[life.columns]]).sort_values("seq", ignore_index=True)


def describe_suggestion(suggested: str | None) -> str:
    """Describe what suggested a decision, given as JSON."""
    if not isinstance(suggested, str):
        return ""
    about = json.loads(suggested)
    if "reason" in about:
        return " ".join([f"rank {about['rank']}:"] * ("rank" in about) + [about["reason"]])
    if "conflict" in about:
        return f"a merge: {about['conflict']['who']} said {about['conflict']['theirs']}"
    for verb in ("undo", "redo"):
        if verb in about:
            return f"{verb} of {', '.join(about[verb])}"
    return "; ".join(
        f"{k} {v:.3f}" if isinstance(v, float) else f"{k} {v}" for k, v in about.items()
    )


EDITS_SINCE_COMMIT = """select count(*) from edits
where seq > (select coalesce(max(upto), 0) from commits) and field <> 'proposal'"""
