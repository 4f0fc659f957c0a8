"""The tables of a bench, and what an edit may say."""

from __future__ import annotations

import uuid
from hashlib import sha256
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import duckdb

FILE = "assay.duckdb"
TABLES = """
create table meta (key varchar primary key, value varchar);
create table samples (id varchar, source varchar, key varchar, uri varchar, content_hash varchar,
    width integer, height integer, meta json, parent varchar);
create table edits (seq bigint, uid varchar, prev_hash varchar, batch varchar, origin varchar, sample varchar,
    field varchar, value json, verdict varchar, who varchar, why varchar, suggested json, seconds double, ts timestamp);
create table commits (name varchar primary key, upto bigint, tree varchar, parent varchar,
    message varchar, who varchar, ts timestamp);
create table left_out (batch varchar, source varchar, key varchar, reason varchar);
create table runs (key varchar primary key, train_tree varchar, arch varchar, seed integer, config json, recipe integer,
    code varchar, seconds double, ts timestamp);
create table issues (kind varchar, sample varchar, score double, suggestion varchar, why varchar, upto bigint);
create table clusters (key varchar, sample varchar, cluster integer, x float, y float);
"""
# what an edit is (import, edit, audit, undo, scan ...) is how the name of its batch begins; the
# columns say it, and no query takes a name apart. They are derived, so the hash of the log has none
KIND_COLUMNS = dict(kind="split_part(batch, '-', 1)", origin_kind="split_part(origin, '-', 1)")
PERSON_KINDS = ("edit", "audit")  # a person's decisions
KINDS = ", ".join(f"{column} = {kind}" for column, kind in KIND_COLUMNS.items())
# what makes of a bench of an older schema one of the next; a new bench begins as one of schema 1,
# so that all of a schema are equal
UPGRADES = {
    # derived: see versioning
    "1": """create table standing (sample varchar, n bigint, label bigint, given bigint,
        keep bigint, split bigint);""",
    "2": """create table looks (test varchar, runs varchar, upto bigint, ts timestamp,
            primary key (test, runs));
        alter table runs add column version varchar;
        alter table runs add column n_train integer;
        alter table runs add column failed varchar;""",
    "3": "",  # a sample without a split gets one: see repair
    "4": f"""alter table edits add column kind varchar;
        alter table edits add column origin_kind varchar;
        update edits set {KINDS};""",
    # labels are read through renames of classes: an Assay that knows none would show the old names
    "5": "",
}
SCHEMAS = {
    str(i + 1): TABLES + "".join(list(UPGRADES.values())[:i]) for i in range(len(UPGRADES) + 1)
}
SCHEMA = [*SCHEMAS][-1]
HAS_TABLES = """select 1 from duckdb_tables()
    where database_name like 'bench%' and table_name = 'meta'"""
# the hash of a part of the log
LINK = """select sha256(string_agg(sha256(json_array(seq, uid, prev_hash, batch, origin, sample, field,
        value, verdict, who, why, suggested, seconds, epoch_us(ts))::varchar), '' order by seq))
    from edits where seq > ? and seq <= ?"""
# where the edits of field `schema` are, as JSON: what most logs have few or none of
SCHEMA_EDITS = "select value from meta where key = 'schema_edits'"
LOG_END = """select (select coalesce(max(seq), 0) from edits), value
    from meta where key = 'head'"""
END = 2**62  # beyond every position

# what an edit of each field may say. Null says that there is no value any more, and is for what
# takes back, puts in order or brings together
VALID_VALUE = f"""case field
    when 'label' then json_type(value::json) = 'VARCHAR' and length(value::json ->> '$') > 0
    when 'keep' then json_type(value::json) = 'BOOLEAN'
    when 'split' then json_type(value::json) = 'VARCHAR'
        and value::json ->> '$' in ('train', 'val', 'test', 'pool', 'guard')
    when 'tag' then json_type(value::json, '$.name') = 'VARCHAR'
        and json_type(value::json, '$.on') = 'BOOLEAN'
    when 'rule' then json_type(value::json, '$.name') = 'VARCHAR'
    when 'schema' then json_type(value::json, '$.name') = 'VARCHAR'
    when 'place' then json_type(value::json, '$.key') = 'VARCHAR'
        and json_type(value::json, '$.was') = 'VARCHAR'
    when 'proposal' then json_type(value::json, '$.proposal') = 'VARCHAR' and sample = ''
        and (json_type(value::json, '$.event') = 'VARCHAR'
            or json_type(value::json, '$.sample') = 'VARCHAR'
            and value::json ->> '$.field' in ('label', 'keep', 'split', 'tag')) end
    or (json_type(value::json) = 'NULL' and {KIND_COLUMNS["kind"]} in ('undo', 'redo', 'revert', 'merge', 'repair'))"""
OTHER_KINDS = "select seq from edits where " + " or ".join(
    f"{column} is distinct from {kind}" for column, kind in KIND_COLUMNS.items()
)
# nearly all edits are plainly valid; the fields of the others, which are looked at more closely
UNUSUAL_FIELDS = """select distinct field from {table} where case field
    when 'label' then value::varchar like '"_%"'
    when 'keep' then value::varchar in ('true', 'false')
    when 'split' then value::varchar in ('"train"', '"val"', '"test"', '"pool"', '"guard"')
    end is not true"""
# edits that are not valid, but for those that a later one of the same field corrects, as a repair
# did in a log that a merge brings
INVALID_EDITS = f"""select sample, field, value::varchar, batch from {{table}} w
    where ({VALID_VALUE}) is not true and (w.field = 'proposal' or not exists (select 1 from {{table}} l
        where l.sample = w.sample and l.field = w.field and l.{{order}} > w.{{order}}))"""
# the key of a sample is what its last edit of `place` says, or what it was before the first; where
# its file lies on this machine is no edit
MOVE_SAMPLES = """update samples set key = p.key from (
    select sample, coalesce(nullif(arg_max(coalesce(value ->> 'key', ''), seq), ''),
        arg_min(value ->> 'was', seq)) as key
    from edits where field = 'place' and sample in (select sample from {table}) group by sample
    ) p where samples.id = p.sample"""


def find_invalid_edits(
    con: duckdb.DuckDBPyConnection, table: str, order: str = "n"
) -> list[tuple[str, str, str, str]]:
    """Find edits whose value is none of their field.

    (sample, field, value, batch) of each; see VALID_VALUE. order: the column that tells which of
    two edits is later.
    """
    return con.execute(INVALID_EDITS.format(table=table, order=order)).fetchall()


def find_chain_breaks(con: duckdb.DuckDBPyConnection) -> list[int]:
    """Find the seqs where the hash chain of the log breaks."""
    links = con.execute(
        "select prev_hash, min(seq), max(seq), count(*) from edits group by 1 order by 2"
    ).fetchall()
    head, at, breaks = "", 0, []
    for prev, first, last, n in links:
        if prev != head or first != at + 1 or n != last - at:
            breaks.append(first)
        link = con.execute(LINK, [at, last]).fetchall()[0][0]
        head, at = sha256((prev + link).encode()).hexdigest(), last
    if con.execute("select value from meta where key = 'head'").fetchall() != [(head,)]:
        breaks.append(at + 1)
    return breaks


def new_batch(kind: str) -> str:
    """Make up the name of a batch."""
    return f"{kind}-{uuid.uuid4().hex[:12]}"
