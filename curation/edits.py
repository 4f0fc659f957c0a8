"""How decisions become edits: checked as a whole against the standing state, undone without touching what others did since."""

import json

from curation.errors import UserError

DECISIONS = ("label", "keep", "split", "tag", "verdict")
CONTEXT = ("why", "suggested_label", "score", "rank", "random", "reason", "seconds")  # travel with a decision into the log
QUEUE = ("source_id", "path", "given_label", "line")  # a queue's columns that say nothing to decide
MOVES = ("train", "val", "pool")
TRUTH = {"true": True, "1": True, "yes": True, "keep": True, "false": False, "0": False, "no": False, "drop": False}
# a slot is what one edit speaks about: a tag or a rule of each name is a slot of its own
SLOT = "field || case when field in ('tag', 'rule') then ':' || (value ->> 'name') else '' end"


def read_decisions(path):
    """A CSV of decisions as a frame of strings; column `line` is where each row began in the file."""
    import csv

    import pandas as pd

    try:
        with open(path, encoding="utf-8-sig", newline="") as f:
            first = f.readline()
            f.seek(0)
            reader = csv.reader(f, strict=True, delimiter=max(",\t;", key=first.count))  # a spreadsheet writes ; in many countries
            header, rows, line = next(reader, None), [], 2
            for row in reader:
                if row:
                    rows.append((line, row))
                line = reader.line_num + 1
    except (OSError, UnicodeDecodeError, csv.Error) as e:
        raise UserError(
            f"expected a CSV of decisions in UTF-8, found {path}: {e}", "write it as: sample,label|keep|split|tag|verdict[,why]"
        ) from None
    bad = [line for line, row in rows if len(row) != len(header)]
    if not header or bad:
        raise UserError(
            f"expected {len(header or [])} cells in every row of {path}, found others in line(s) {', '.join(map(str, bad[:10])) or '1'}",
            "quote cells that hold a comma; nothing was applied",
        )
    frame = pd.DataFrame([row for _, row in rows], columns=header, dtype=object)
    return frame.assign(line=[line for line, _ in rows])


def plan(state, decisions, new_classes=()):
    """Edits (frame sample, field, value, verdict, origin, why, suggested, seconds) that `decisions` ask for; raises UserError
    naming every bad line, so that a file is applied whole or not at all. Cells that are empty decide nothing."""
    import pandas as pd

    unknown = [c for c in decisions.columns if c not in ("sample", *DECISIONS, *CONTEXT, *QUEUE)]
    if unknown or "sample" not in decisions or not set(DECISIONS) & set(decisions.columns):
        raise UserError(
            f"expected columns sample and one or more of {', '.join(DECISIONS)}, found {', '.join(str(c) for c in decisions.columns if c != 'line')}",
            f"rename or remove: {', '.join(map(str, unknown))}" if unknown else "add the columns; `assay queue --csv` writes them, empty",
        )
    classes = set(state.label[state.label.notna()]) | set(new_classes)
    lines = decisions["line"] if "line" in decisions else range(1, len(decisions) + 1)
    standing = state.reindex([str(s) for s in decisions["sample"]])
    edits, bad, seen = [], [], set()
    for line, row, now in zip(lines, decisions.to_dict("records"), standing.itertuples()):
        given = {k: "" if pd.isna(v) else v for k, v in row.items()}
        asked = {k: str(given[k]).strip() if k != "label" else str(given[k]) for k in DECISIONS if str(given.get(k, "")) != ""}
        if not asked:
            continue
        sample, known = str(row["sample"]), isinstance(now.uri, str)
        try:
            if not known:
                raise ValueError("no such sample")
            if now.split in ("test", "guard"):
                raise ValueError(f"the {now.split} split is locked")
            if sample in seen:
                raise ValueError("a second decision on this sample")
            seen.add(sample)
            for field, value, verdict in fields(asked, now, classes):
                edits.append(
                    (sample, field, json.dumps(value), verdict, str(given.get("why", "")), hint_of(given), number(given.get("seconds", "")))
                )
        except ValueError as e:
            bad.append(f"line {line} ({sample[:32]}): {e}")
    if bad:
        more = f" ... and {len(bad) - 20} more" if len(bad) > 20 else ""
        new = " (a class that is new on purpose: --new-class NAME)" if any("one of the classes" in b for b in bad) else ""
        raise UserError(
            f"expected decisions on samples and classes of this bench, found {len(bad)} bad line(s):\n  " + "\n  ".join(bad[:20]) + more,
            f"mend these lines{new}; nothing was applied",
        )
    frame = pd.DataFrame(edits, columns=["sample", "field", "value", "verdict", "why", "suggested", "seconds"])
    return frame.astype(dict(seconds="f8"))


def number(cell):
    """Seconds spent, or None where the cell is empty."""
    try:
        return None if cell == "" else float(cell)
    except ValueError:
        raise ValueError(f"expected seconds as a number, found {cell!r}") from None


def fields(asked, now, classes):
    """(field, value, verdict) of one row of decisions; a label that stays as it was is a confirmation."""
    verdict, label = asked.get("verdict", ""), asked.get("label")
    if label is not None and label not in classes and label.removesuffix(".0") in classes:
        label = label.removesuffix(".0")  # what a spreadsheet makes of a column of whole numbers with gaps
    if verdict not in ("", "set", "confirm", "unsure"):
        raise ValueError(f"expected verdict confirm or unsure, found {verdict!r}")
    if label is not None and label not in classes:
        raise ValueError(f"expected one of the classes {', '.join(sorted(classes)[:12])}, found {label!r}")
    if verdict in ("confirm", "unsure") and label not in (None, now.label):
        raise ValueError(f"verdict {verdict} keeps the label {now.label!r}, but label says {label!r}")
    if label is not None or verdict in ("confirm", "unsure"):
        value = now.label if label is None else label
        if value is None:
            raise ValueError("an unlabelled sample has no label to confirm")
        yield "label", value, verdict if verdict in ("confirm", "unsure") else "confirm" if value == now.label else "set"
    if "keep" in asked:
        if asked["keep"].lower() not in TRUTH:
            raise ValueError(f"expected keep true or false, found {asked['keep']!r}")
        if TRUTH[asked["keep"].lower()] != now.keep:
            yield "keep", TRUTH[asked["keep"].lower()], "set"
    if "split" in asked:
        if asked["split"] not in MOVES:
            raise ValueError(f"expected split {', '.join(MOVES)}, found {asked['split']!r}")
        if asked["split"] != now.split:
            yield "split", asked["split"], "set"
    if "tag" in asked:
        name, on = asked["tag"].removeprefix("-"), not asked["tag"].startswith("-")
        if on != (name in now.tags):
            yield "tag", {"name": name, "on": on}, "set"


def hint_of(given):
    """What suggested a decision, as JSON: the suggestion, its score, rank and reason in the queue, and whether it was drawn at random."""
    hint = {k: given[k] for k in ("suggested_label", "score", "rank", "random", "reason") if str(given.get(k, "")) != ""}
    return json.dumps(hint, default=str) if hint else None


def touched_since(con, edits, upto):
    """Has anybody edited one of these samples after position `upto`?"""
    con.register("wanted", edits[["sample"]].drop_duplicates())
    found = con.execute("select 1 from edits where seq > ? and sample in (select sample from wanted) limit 1", [upto]).fetchall()
    con.unregister("wanted")
    return bool(found)


def origins(con, edits, batch):
    """`origin` of each edit: its batch, or for a confirmation the batch that first set the standing value, so that undo composes."""
    con.register("wanted", edits[["sample"]].drop_duplicates())
    found = con.execute(
        "select sample, arg_max(origin, seq) from edits where field = 'label' and sample in (select sample from wanted) group by sample"
    ).fetchall()
    con.unregister("wanted")
    first = dict(found)
    return [first.get(s, batch) if v != "set" and f == "label" else batch for s, f, v in zip(edits["sample"], edits.field, edits.verdict)]


UNDO = f"""
with every as (select *, {SLOT} as slot from edits),
touched as (select sample, slot, min(seq) as first, arg_max(origin, seq) as origin from every where batch = $batch group by all),
joined as (
    select t.sample, t.slot, t.origin, any_value(e.field) as field,
        arg_max(e.value, e.seq) as now, arg_max(e.origin, e.seq) as now_origin,
        arg_max(e.value, e.seq) filter (e.seq < t.first) as before, arg_max(e.origin, e.seq) filter (e.seq < t.first) as before_origin,
        arg_max(e.verdict, e.seq) filter (e.seq < t.first) as before_verdict
    from touched t join every e using (sample, slot) group by all)
select sample, slot, field, coalesce(before, case when field = 'tag' then json_object('name', now ->> 'name', 'on', false) else 'null' end) as value,
    coalesce(before_verdict, 'set') as verdict, coalesce(before_origin, '') as origin, now_origin is distinct from origin as since
from joined"""
BATCHES = """
select batch, min(seq) as first, any_value(suggested ->> 'undo') as target from edits
group by batch order by first"""


def undo_rows(con, batch):
    """(edits that put back what stood before `batch`, how many values somebody set since and so are left alone)."""
    frame = con.execute(UNDO, dict(batch=batch)).df()
    rows = frame[~frame.since][["sample", "field", "value", "verdict", "origin"]].assign(
        why=f"undo of {batch}", suggested=json.dumps({"undo": batch})
    )
    return rows, int(frame.since.sum())


def stacks(con):
    """(batches that stand, undo batches that stand), newest last: the first can be undone, the second redone. A new edit empties the
    second, as editors do."""
    done, undone, target = [], [], {}
    for batch, _, of in con.execute(BATCHES).fetchall():
        target[batch] = of
        if of is None:
            done, undone = [*done, batch], []
        elif of in target and target[of] is not None:  # the undo of an undo is a redo
            undone = [u for u in undone if u != of]
            done.append(target[of])
        else:
            done = [d for d in done if d != of]
            undone.append(batch)
    return done, undone
