"""What a version is: a position in the log with a name (or a pure function of one, see expressions), and the state that the log says it has."""

import itertools
import json
import os
from hashlib import sha256

import numpy as np

from assay.curation.errors import UserError
from assay.curation.storage.schema import END
from assay.curation.versioning.expressions import is_expression

MADE = dict(
    label="field = 'label'",
    given="field = 'label' and origin like 'import-%'",
    keep="field = 'keep'",
    split="field = 'split'",
)
LAST = f"""select sample, {", ".join(f"coalesce(max(seq) filter ({made}), 0) as {name}" for name, made in MADE.items())}
from edits where seq > $since and seq <= $upto {{only}} group by sample"""
TAGS = """
select sample, list(name order by name) as tags from (
    select sample, value ->> 'name' as name, arg_max(value ->> 'on', seq) as state
    from edits where field = 'tag' and seq <= $upto {only} group by all) where state = 'true' group by sample"""


def position(bench, version):
    """The log position, an int, of a version's name: HEAD, a commit such as v1, or a number. A commit never moves: it is asked for once."""
    if version not in bench.positions or os.stat(bench.file).st_ino != bench.inode:
        with bench.connect() as con:
            upto = position_at(con, version)
        if version == "HEAD":
            return upto
        bench.positions[version] = upto
    return bench.positions[version]


def position_at(con, version):
    commits = dict(
        con.execute(
            "select name, upto from commits union all select '', coalesce(max(seq), 0) from edits"
        ).fetchall()
    )
    last = commits.pop("")
    if version == "HEAD":
        return last
    if version in commits:
        return commits[version]
    if str(version).isdecimal() and 0 < int(version) <= last:
        return int(version)
    raise UserError(
        f"expected a version, found {version!r}",
        f"there are HEAD, {', '.join(sorted(commits, key=commits.get)) or 'no commits yet'}, and expressions such as 'v1 - flagged'",
    )


def state(bench, version="HEAD"):
    """Every sample at the position that `version` names, a frame indexed by sample id: source key uri content_hash width height meta parent
    label given_label keep split verdict who reviewed tags. Unlabelled is None."""
    if version == "HEAD":
        return newest(bench)[1]
    upto = position(bench, version)
    with bench.connect() as con:
        return remembered(bench, upto, lambda: at(con, bench, upto))


def newest(bench):
    """(the end of the log, the state there)."""
    with bench.connect() as con:
        upto = position_at(con, "HEAD")
        return upto, remembered(bench, upto, lambda: at(con, bench, upto))


def is_head(bench, version):
    return not is_expression(version) and position(bench, version) == position(bench, "HEAD")


def at(con, bench, upto):
    """The state at a position: the nearest earlier one that is remembered and what the log says since, or read from the log as a whole."""
    since = max((k for k in bench.states if isinstance(k, int) and k < upto), default=None)
    now = None if since is None else brought(con, bench.states[since], since, upto)
    return state_at(con, upto) if now is None else now


FEW = 1000  # samples that were edited since, of which a state is brought forward and not read anew


def brought(con, state, since, upto):
    """A state at `since` brought to `upto`; None where many samples were edited between, or new ones came, a rule did, or
    a sample moved."""
    touched = con.execute(
        "select distinct sample from edits where seq > ? and seq <= ? limit ?",
        [since, upto, FEW + 1],
    ).fetchnumpy()["sample"]
    rows = state.index.get_indexer(touched)
    moved = "select 1 from edits where seq > ? and seq <= ? and field = 'place' limit 1"
    if len(touched) > FEW or (rows < 0).any() or con.execute(moved, [since, upto]).fetchall():
        return None
    import pandas as pd

    said, known = said_at(con, upto, pd.Index(touched, dtype=object), wanted=True)
    assert known.all(), "what an edit names has been said something of"
    state = state.copy(deep=False)
    for name in said:
        column = state[name].to_numpy(copy=True)
        column[rows] = said[name].to_numpy()
        state[name] = pd.Series(column, state.index, state[name].dtype)
    return state


def remembered(bench, key, make):
    """What was can never change, so the last few states are kept."""
    found = bench.states.get(key)
    if found is None:
        found = make()  # may remember others on the way
        bench.states = dict([*bench.states.items(), (key, found)][-6:])
    return found.copy(deep=False)  # pandas copies what is written to


def state_at(con, upto):
    """The state at a position in the log."""
    frame = con.sql(
        "select id as sample, * exclude (id) from samples order by rowid"
    ).to_arrow_table()
    frame = frame.to_pandas(ignore_metadata=True).set_index("sample")
    frame["parent"] = frame["parent"].astype(object).where(frame["parent"].notna(), None)
    said, known = said_at(con, upto, frame.index)
    for column in said:
        frame[column] = said[column]
    return frame if known.all() else frame[known]


def standing(con, samples):
    """What stands at the end of the log for some samples, as said_at; unknown ones are left out."""
    import pandas as pd

    index = pd.Index(dict.fromkeys(map(str, samples)), dtype=object)
    said, known = said_at(con, END, index, wanted=True)
    return said[known]


NUMBERED = "(select id as sample, row_number() over (order by rowid) as n from samples)"


def numbered(con):
    """Samples and their numbers 1, 2, ... in the order in which they came; by rowid, but for rows that are not committed yet."""
    last = con.execute("select coalesce(max(rowid), 0) from samples").fetchall()[0][0]
    return "(select id as sample, rowid + 1 as n from samples)" if last < 2**50 else NUMBERED


def said_at(con, upto, index, wanted=False):
    """What the log says at `upto` about the samples whose ids are `index`, all in order or, if `wanted`, some: (frame label, given_label, split,
    verdict, who, keep, reviewed, tags, whether it says anything (n,) bool)."""
    import pandas as pd

    if wanted:
        register(con, "wanted", list(index))
    points = pointers(con, upto, len(index), wanted)
    values, (label, given, keep, split) = Values(con, points), points.T
    said = dict(
        label=("value", label),
        given_label=("value", given),
        split=("value", split),
        verdict=("verdict", label),
        who=("who", label),
    )
    frame = {
        column: pd.Series(values[what], index, object) for column, what in said.items()
    }  # None, not NaN, where there is none
    frame["keep"] = values.holds("value", keep, lambda value: value is True)
    looked = values.holds("verdict", label, lambda verdict: verdict != "set") | values.holds(
        "origin", label, decided
    )
    frame["reviewed"] = looked | values.holds("origin", keep, decided)
    return pd.DataFrame(
        frame | dict(tags=pd.Series(tags_at(con, upto, index, wanted), index, object)), index
    ), points.any(1)


def tags_at(con, upto, index, wanted=False):
    """The tags of the samples `index` at `upto`: (n,) objects, tuples of names."""
    tags = np.fromiter(itertools.repeat((), len(index)), object, len(index))
    only = "and sample in (select sample from wanted)" if wanted else ""
    named = con.execute(TAGS.format(only=only), dict(upto=upto)).fetchall()
    for at, (_, names) in zip(
        index.get_indexer([sample for sample, _ in named]) if named else (), named
    ):
        if at >= 0:
            tags[at] = tuple(names)
    return tags


def decided(origin):
    """Is this batch a person's decision?"""
    return origin.startswith(("edit-", "audit-"))


def pointers(con, upto, n, wanted=False):
    """What stands at `upto` as positions in the log, (n, 4) int: the seq of the edit that says the label, given label, keep and split of each
    sample, 0 where none does; a row for every sample, or one for each of the table `wanted`. Read from the table `standing` as far as
    that goes, and from the edits since."""
    out = np.zeros((n, len(MADE)), "i8", order="F")
    kept_upto = standing_upto(con)
    since = kept_upto[0] if kept_upto[0] <= upto else 0
    rows, points = "wanted" if wanted else numbered(con), ", ".join(MADE)
    kept = (
        f"select w.n, {points} from standing join wanted w using (sample)"
        if wanted
        else f"select n, {points} from standing"
    )
    tail = LAST.format(only="and sample in (select sample from wanted)" if wanted else "")
    tail = f"select r.n, {points} from ({tail}) join {rows} r using (sample)"
    for part in (kept, tail) if since else (tail,):
        found = con.execute(
            part, dict(since=since, upto=upto) if part is tail else None
        ).fetchnumpy()
        row = found["n"] - 1
        for j, name in enumerate(MADE):
            there = (
                slice(None) if part is kept else found[name] > 0
            )  # a later edit points beyond an earlier one
            out[row[there], j] = found[name][there]
    if rule(con, upto, kept_upto) == "majority":
        from assay.curation.versioning.votes import winners

        found = winners(con, upto, rows)
        out[found["n"] - 1, 0] = found["seq"]
    return out


class Values:
    """What the edits at `points` say: values["who", seqs] is an array (n,) of objects, None where seq is 0."""

    def __init__(self, con, points, columns=("value", "verdict", "who", "origin")):
        if len(points) < 2500:
            register(con, "pointed", np.unique(points), "seq")
            texts = ", ".join(f"{c}::varchar" for c in columns)
            rows = con.execute(
                f"select seq, {texts} from edits where seq in (select seq from pointed)"
            ).fetchall()
            seq, *said = zip(*rows) if rows else [()] * (1 + len(columns))
            found = dict(
                zip(columns, (np.unique(np.array(c, object), return_inverse=True) for c in said))
            )
            names, codes = (
                {c: f[0].tolist() for c, f in found.items()},
                {c: f[1] + 1 for c, f in found.items()},
            )
        else:  # a few different texts a column: as numbers they leave DuckDB ten times faster
            names = {
                c: [
                    t for (t,) in con.execute(f"select distinct {c}::varchar from edits").fetchall()
                ]
                for c in columns
            }
            for c in columns:
                register(con, f"names_{c}", names[c], c)
            numbers = ", ".join(f"names_{c}.n::int as {c}" for c in columns)
            joins = " ".join(
                f"join names_{c} on names_{c}.{c} = edits.{c}::varchar" for c in columns
            )
            codes = con.execute(f"select seq, {numbers} from edits {joins}").fetchnumpy()
            seq = codes["seq"]
        seq = np.asarray(seq, "i8")
        self.codes, self.names = {}, {}
        for c in columns:
            self.codes[c] = np.zeros(max(seq.max(initial=0), points.max(initial=0)) + 1, "i4")
            self.codes[c][seq] = codes[c]
            self.names[c] = np.array(
                [None, *(map(json.loads, names[c]) if c == "value" else names[c])], object
            )

    def __getitem__(self, asked):
        column, seqs = asked
        return self.names[column][self.codes[column][seqs]]

    def holds(self, column, seqs, test):
        """Where `test` is true of what the edits `seqs` say, (n,) bool."""
        return np.array([name is not None and test(name) for name in self.names[column]])[
            self.codes[column][seqs]
        ]


def register(con, name, values, column="sample"):
    """`values` as a table that SQL can read: the column, and n = 1, 2, ..."""
    import pyarrow as pa

    kind = pa.int64() if column == "seq" else pa.string()
    con.register(
        name, pa.table({column: pa.array(values, kind), "n": np.arange(1, len(values) + 1)})
    )


def rule(con, upto, kept=None):
    """How the standing label follows from several people's decisions at `upto`: latest, or majority. `kept`: what standing_upto said, if asked."""
    since, known = kept or standing_upto(con)
    since, known = (since, known) if since <= upto else (0, None)
    named = "field = 'rule' and value ->> 'name' = 'standing'"
    found = con.execute(
        f"select value ->> 'value' from edits where seq > ? and seq <= ? and {named} order by seq",
        [since, upto],
    ).fetchall()
    return (found[-1][0] if found else known) or "latest"


def standing_upto(con):
    """(the position up to which the table `standing` was written, 0 where it was not; the rule at that position)."""
    found = dict(
        con.execute(
            "select key, value from meta where key in ('standing', 'standing_rule')"
        ).fetchall()
    )
    return int(found.get("standing", 0)), found.get("standing_rule")


WHOLE = f"select sample, n, {', '.join(MADE)} from ({LAST.format(only='')}) join {NUMBERED} using (sample)"  # what the table standing is


def keep_standing(con):
    """Write down what stands at the end of the log, so that it need not be read from all edits again; sorted, so that one is found fast."""
    con.execute("delete from standing")
    con.execute(f"insert into standing {WHOLE} order by sample", dict(since=0, upto=END))
    con.execute("insert or replace into meta values ('standing_rule', ?)", [rule(con, END)])
    con.execute("insert or replace into meta select 'standing', coalesce(max(seq), 0) from edits")


def standing_differs(con):
    """Is the table `standing` not what the log says? It is derived: `keep_standing` mends it."""
    upto = standing_upto(con)[0]
    both = f"(from ({WHOLE}) except from standing) union all (from standing except from ({WHOLE}))"
    return bool(
        upto and con.execute(f"select 1 from ({both}) limit 1", dict(since=0, upto=upto)).fetchall()
    )


def tree(frame):
    """Hash of the kept (id, content hash, label, split), sorted: equal contents give an equal tree, whatever road led there."""
    kept = frame[frame.keep]
    text = {
        value: json.dumps(value) for column in (kept.label, kept.split) for value in column.unique()
    }  # a few, for a million lines
    order = np.argsort(np.asarray(kept.index, "S32"))
    columns = (
        np.asarray(column, object)[order]
        for column in (kept.index, kept.content_hash, kept.label, kept.split)
    )
    lines = (
        f'["{sample}", "{content}", {text[label]}, {text[split]}]'
        for sample, content, label, split in zip(*columns)
    )
    return sha256("\n".join(lines).encode()).hexdigest()[:32]
