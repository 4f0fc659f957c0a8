"""How decisions become edits: checked as a whole against the standing state, undone without touching what others did since."""

import json

from assay.curation.errors import UserError
from assay.curation.splits import LOCKED
from assay.curation.text import NAME, TEXT, flaw, fused, printable

DECISIONS = ("label", "keep", "split", "tag", "verdict")
SHEET = "write it as: sample,label|keep|split|tag|verdict[,why]"
CONTEXT = (
    "why",
    "suggested_label",
    "score",
    "rank",
    "random",
    "reason",
    "seconds",
)  # travel with a decision into the log
QUEUE = ("source_id", "path", "given_label", "line")  # a queue's columns that say nothing to decide
MOVES = ("train", "val", "pool")
BOUNDS = dict(
    seconds=(0, 366 * 86400), score=(-1e6, 1e6), rank=(0, 1e12)
)  # a tab left open for a year is no look
SECONDS = "if(seconds between {} and {}, seconds, null)".format(
    *BOUNDS["seconds"]
)  # older logs hold Infinity and NaN, too
TRUTH = {
    "true": True,
    "1": True,
    "yes": True,
    "keep": True,
    "false": False,
    "0": False,
    "no": False,
    "drop": False,
}


def read_decisions(path):
    """A CSV of decisions as a frame of strings; column `line` is where each row began in the file."""
    import csv

    import pandas as pd

    try:
        with open(path, encoding="utf-8-sig", newline="") as f:
            first = f.readline()
            f.seek(0)
            reader = csv.reader(
                f, strict=True, delimiter=max(",\t;", key=first.count)
            )  # a spreadsheet writes ; in many countries
            header, rows, line = next(reader, None), [], 2
            for row in reader:
                if row:
                    rows.append((line, list(map(fused, row))))
                line = reader.line_num + 1
    except (OSError, UnicodeDecodeError, csv.Error) as e:
        why = getattr(e, "strerror", None) or e
        raise UserError(
            f"expected a CSV of decisions in UTF-8, found {path}: {why}", SHEET
        ) from None
    if not header:
        raise UserError(f"expected a CSV of decisions, found {path} empty", SHEET)
    bad = [line for line, row in rows if len(row) != len(header)]
    if bad:
        raise UserError(
            f"expected {len(header)} cells in every row of {path}, found others in line(s) {', '.join(map(str, bad[:10]))}",
            "quote cells that hold a comma; nothing was applied",
        )
    frame = pd.DataFrame([row for _, row in rows], columns=header, dtype=object)
    return frame.assign(line=[line for line, _ in rows])


def placed(decisions, splits, to):
    """The same decisions, and the samples of the pool that they give a label move to the split `to`. splits: Series sample -> split."""
    labels, asked = (
        (decisions[c] if c in decisions else [""] * len(decisions)) for c in ("label", "split")
    )
    rows = zip(decisions["sample"] if "sample" in decisions else asked, labels, asked)
    return decisions.assign(
        split=[
            to if label and not split and splits.get(s) == "pool" else split
            for s, label, split in rows
        ]
    )


def plan(standing, classes, decisions):
    """Edits (frame sample, field, value, verdict, origin, why, suggested, seconds) that `decisions` ask for of the samples that are `standing`
    (see versions.said_at); raises UserError naming every bad line, so that a file is applied whole or not at all. Cells that are empty decide
    nothing."""
    import pandas as pd

    unknown = [c for c in decisions.columns if c not in ("sample", *DECISIONS, *CONTEXT, *QUEUE)]
    if unknown or "sample" not in decisions or not set(DECISIONS) & set(decisions.columns):
        hint = (
            f"rename or remove: {', '.join(map(str, unknown))}"
            if unknown
            else "add the columns; `assay queue --csv` writes them, empty"
        )
        called = "; the column of ids is called sample" * ("sample" not in decisions)
        raise UserError(
            f"expected columns sample and one or more of {', '.join(DECISIONS)}, found {', '.join(str(c) for c in decisions.columns if c != 'line')}",
            hint + called,
        )
    lines = decisions["line"] if "line" in decisions else range(1, len(decisions) + 1)
    stands = {now.Index: now for now in standing.itertuples()}
    edits, bad, seen = [], [], set()
    for line, row in zip(lines, decisions.to_dict("records")):
        given = {k: v if odd(v) else "" if pd.isna(v) else v for k, v in row.items()}
        asked = {
            k: str(given[k]).strip() if k != "label" else str(given[k])
            for k in DECISIONS
            if str(given.get(k, "")) != ""
        }
        if not asked:
            continue
        sample, now = str(row["sample"]), stands.get(str(row["sample"]))
        try:
            if now is None:
                raise ValueError(
                    "no such sample: it goes by its id, as assay queue --csv and export write it"
                )
            if now.split in LOCKED:
                raise ValueError(f"the {now.split} split is locked")
            claims = (
                {(sample, asked["tag"].removeprefix("-"))} if "tag" in asked else set()
            )  # it may get several tags, a row each
            claims |= {sample} if asked.keys() - {"tag"} else set()
            if claims & seen:
                raise ValueError("a second decision on this sample")
            seen |= claims
            if several := next((c for c in (*DECISIONS, *CONTEXT) if odd(given.get(c))), None):
                raise ValueError(f"expected one {several}, found {shown(given[several])}")
            for cell, most in (("label", NAME), ("tag", NAME), *((c, TEXT) for c in CONTEXT)):
                if wrong := flaw(str(given.get(cell, "")), most):
                    raise ValueError(f"its {cell} {wrong}")
            for field, value, verdict in fields(
                asked, now, classes, str(given.get("given_label", ""))
            ):
                edits.append(
                    (
                        sample,
                        field,
                        json.dumps(value),
                        verdict,
                        str(given.get("why", "")),
                        hint_of(given),
                        number(given.get("seconds", "")),
                    )
                )
        except ValueError as e:
            bad.append(f"line {line} ({sample[:32]}): {e}")
    if bad:
        more = f" ... and {len(bad) - 20} more" if len(bad) > 20 else ""
        new = (
            " (a class that is new on purpose: --new-class NAME)"
            if any("one of the classes" in b for b in bad)
            else ""
        )
        raise UserError(
            f"expected decisions on samples and classes of this bench, found {len(bad)} bad line(s):\n  "
            + "\n  ".join(bad[:20])
            + more,
            f"mend these lines{new}; nothing was applied",
        )
    frame = pd.DataFrame(
        edits, columns=["sample", "field", "value", "verdict", "why", "suggested", "seconds"]
    )
    return frame.astype(dict(seconds="f8"))


def odd(value):
    """Whether a cell holds no single value, or a whole number that no column has."""
    several = isinstance(value, list | tuple | dict | set | bytes) or getattr(value, "ndim", 0) > 0
    return several or isinstance(value, int) and value.bit_length() > 64


def number(cell, name="seconds"):
    """A cell as a finite number within the bounds of its column, None where it is empty; ValueError where it is another."""
    if isinstance(cell, str) and not cell:
        return None
    try:
        found = float("nan") if isinstance(cell, bool) else float(cell)
    except (TypeError, ValueError, OverflowError):
        found = float("nan")
    low, high = BOUNDS[name]
    if not low <= found <= high:  # what is not a number lies nowhere
        raise ValueError(
            f"expected {name} as a number from {low:,.0f} to {high:,.0f}, found {shown(cell)}"
        )
    return found


def shown(value):
    """A value as an error names it; a whole number of very many digits has no text."""
    try:
        return f"{value!r:.40}"
    except ValueError:
        return "a longer one"


def fields(asked, now, classes, shown=""):
    """(field, value, verdict) of one row of decisions; a label that stays as it was is a confirmation. `shown`: the label on the sheet."""
    verdict, label = asked.get("verdict", ""), asked.get("label")
    if (
        verdict == "confirm"
        and label is None
        and shown != now.label
        and {shown, shown.removesuffix(".0")} & classes - {now.label}
    ):
        verdict, label = (
            "",
            shown,
        )  # somebody changed it since the sheet was written: who confirms means the label that was seen
    if label is not None and label not in classes and label.removesuffix(".0") in classes:
        label = label.removesuffix(
            ".0"
        )  # what a spreadsheet makes of a column of whole numbers with gaps
    if verdict not in ("", "set", "confirm", "unsure"):
        raise ValueError(f"expected verdict confirm or unsure, found {verdict!r}")
    if label is not None and label not in classes:
        raise ValueError(
            f"expected one of the classes {', '.join(printable(c) for c in sorted(classes)[:12])}, found {label!r}"
        )
    if verdict in ("confirm", "unsure") and label not in (None, now.label):
        raise ValueError(
            f"verdict {verdict} keeps the label {now.label!r}, but label says {label!r}"
        )
    if label is not None or verdict in ("confirm", "unsure"):
        value = now.label if label is None else label
        if value is None:
            raise ValueError("an unlabelled sample has no label to confirm")
        yield (
            "label",
            value,
            verdict
            if verdict in ("confirm", "unsure")
            else "confirm"
            if value == now.label
            else "set",
        )
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
        if name.startswith("guard:"):
            raise ValueError(
                "a tag guard:... says that a sample is of a regression set: only assay guard gives it"
            )
        if on != (name in now.tags):
            yield "tag", {"name": name, "on": on}, "set"


def hint_of(given):
    """What suggested a decision, as JSON: the suggestion, its score, rank and reason in the queue, and whether it was drawn at random."""
    hint = {k: str(given[k]) for k in ("suggested_label", "reason") if str(given.get(k, "")) != ""}
    hint |= {
        k: int(n) if k == "rank" else n
        for k in ("score", "rank")
        if (n := number(given.get(k, ""), k)) is not None
    }
    if drawn := str(given.get("random", "")).lower():
        if drawn not in ("true", "false"):
            raise ValueError(f"expected random true or false, found {drawn!r:.40}")
        hint["random"] = drawn == "true"
    return json.dumps(hint) if hint else None
