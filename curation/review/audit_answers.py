"""Read a filled audit sheet: decisions and a version."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, NamedTuple

from assay.curation.errors import UnknownClass, UserError
from assay.curation.review import audit
from assay.curation.review.label_noise import estimate_noise
from assay.curation.statistics import estimates
from assay.curation.storage.interface import Bench
from assay.curation.storage.schema import new_batch
from assay.curation.tasks.base import Task, task_of
from assay.curation.tasks.classification import NoSuchClass
from assay.curation.text import format_count
from assay.curation.versioning import decision_cells, states

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = ["audit", "row", "image", "label", "verdict", "why", "seconds"]
KNOWN = (*COLUMNS, "line")
MEND = "mend these lines; a class that is new on purpose: assay classes add NAME, then again"
SHOWN = 20  # bad lines, or rows without an answer, that a message names


class Answers(NamedTuple):
    """What a sheet says about one sample, in the order of its rows."""

    labels: list[str | None]  # None where unsure
    reasons: list[str]
    seconds: list[float | None]


def apply_answers(bench: Bench, frame: pd.DataFrame, who: str) -> dict:
    """Store a filled sheet as one batch of decisions, and commit it.

    frame: of strings, see decision_cells.read_decisions. The version is the audit's own.
    Returns {audit, batch, before (the version of what was open), version, split, audited, wrong,
    unsure, repeats, repeats_agree, agreement (Wilson interval), unread_columns (of one's own), noise
    (see estimate_noise)}.
    """
    if not who:
        raise UserError("expected to know who audits, found nobody", "say --who NAME")
    rule = find_rule(bench, frame)
    name = rule["name"].removeprefix("audit:")
    rows = audit.draw_sheet(bench, rule)
    # a merge may bring a rule, but positions in the log are those of its own bench
    if audit.hash_rows(rows) != rule["hash"]:
        raise UserError(
            f"expected the sheet of audit {name} as it was drawn, found other samples here",
            "read it in the bench that drew it",
        )
    answers = read_answers(frame, rows, audit.list_classes(bench), task_of(bench))
    before, batch = commit_open_work(bench, who), new_batch("audit")
    with bench.transaction() as con:
        # judged by what stands now, not by what stood when the sheet was drawn
        refuse_read(audit.list_decisions(con), name, answers)
        decisions = make_edits(states.read_current_values(con, list(answers)), answers, name)
        bench.append(con, decisions, batch, who)
    if rule["split"] != "test":  # no score reads test labels
        bench.rescore()
    count = decisions.verdict.value_counts()
    twice = [answer.labels for answer in answers.values() if len(answer.labels) > 1]
    agree = sum(a == b for a, b in twice)
    message = f"{format_count(len(decisions), rule['split'] + ' label')} audited blind"
    return dict(
        audit=name,
        batch=batch,
        before=before,
        version=bench.commit(message, who, next_version(bench))["name"],
        split=rule["split"],
        audited=len(decisions),
        wrong=int(count.get("set", 0)),
        unsure=int(count.get("unsure", 0)),
        repeats=len(twice),
        repeats_agree=agree,
        agreement=estimates.wilson_interval(agree, len(twice)) if twice else None,
        unread_columns=decision_cells.list_unread(frame.columns, KNOWN)[0],
        noise=estimate_noise(bench, rule["split"]),
    )


def next_version(bench: Bench) -> str:
    """Name the version of the next audit: audit-1, audit-2, ..."""
    names = [name for name in bench.commits().name if name.startswith("audit-")]
    numbers = [int(name[6:]) for name in names if name[6:].isdecimal()]
    return f"audit-{max(numbers, default=0) + 1}"


def commit_open_work(bench: Bench, who: str) -> str | None:
    """Commit what is open, if anything is.

    So that the next version holds the audit alone. Returns the name of that version; None where nothing was open.
    """
    since = max(bench.commits().upto, default=0)
    open_work = bench.rows(
        "select 1 from edits where seq > ? and kind not in ('rule', 'proposal') limit 1",
        [int(since)],
    )
    return bench.commit("open work before an audit", who)["name"] if open_work else None


def find_rule(bench: Bench, frame: pd.DataFrame) -> dict:
    """Find the rule of the audit that a filled sheet belongs to."""
    missing = [c for c in ("audit", "row", "label", "verdict") if c not in frame]
    _, unknown = decision_cells.list_unread(frame.columns, KNOWN)
    if missing or unknown or not len(frame):
        odd = [f"no {c}" for c in missing] + [f"also {c}" for c in unknown]
        raise UserError(
            f"expected a sheet with columns {', '.join(COLUMNS)}, "
            f"found {', '.join(odd) or 'no rows'}",
            "fill in the worksheet.csv that audit wrote",
        )
    names = sorted(set(frame.audit))
    rule = bench.rules().get(f"audit:{names[0]}") if len(names) == 1 else None
    if rule is None:
        raise UserError(
            f"expected the sheet of one audit of this bench, found {', '.join(names)[:80]!r}",
            "is it another bench's? see -b, and assay log",
        )
    return rule


def refuse_lines(bad: list[tuple[str, ValueError]]) -> UserError:
    """Make the error that names bad lines: (text, what is wrong)."""
    shown = "\n  ".join(text for text, _ in bad[:SHOWN])
    problem = f"expected answers to this sheet, found {len(bad)} bad line(s):\n  {shown}"
    labels = [e.label for _, e in bad if isinstance(e, NoSuchClass)]
    if len(labels) < len(bad):
        return UserError(problem, MEND)
    error = UnknownClass(problem, MEND, labels[0], ())
    error.suggestions = bad[0][1].suggestions
    return error


def read_answers(
    frame: pd.DataFrame, rows: list[str], classes: list[str], task: Task
) -> dict[str, Answers]:
    """Read what a sheet says of each sample: {sample: Answers}.

    UserError unless every row has an answer: whoever skips the hard ones makes a sample that is not
    random.
    """
    said: dict[int, tuple] = {}
    bad, empty = [], []
    lines = frame["line"] if "line" in frame else range(2, len(frame) + 2)
    for line, cells in zip(lines, frame.fillna("").to_dict("records")):
        row = str(cells["row"]).strip().removesuffix(".0")
        label, verdict = str(cells["label"]), str(cells["verdict"]).strip()
        try:
            if not row.isdecimal() or not 1 <= int(row) <= len(rows) or int(row) in said:
                raise ValueError(f"row {row!r} is not on the sheet, or twice")
            if label and verdict or verdict not in ("", "unsure"):
                raise ValueError(
                    f"expected a label, or verdict unsure, found {label!r} and {verdict!r}"
                )
            if label:
                label = task.parse(label, classes)
            if not label and not verdict:
                empty.append(int(row))
            seconds = decision_cells.parse_number(cells.get("seconds", ""))
            said[int(row)] = (label or None, str(cells.get("why", "")), seconds)
        except ValueError as e:
            bad.append((f"line {line}: {e}", e))
    if bad:
        raise refuse_lines(bad)
    empty = sorted({*empty, *(set(range(1, len(rows) + 1)) - set(said))})
    if empty:
        more = f" ... and {len(empty) - SHOWN} more" if len(empty) > SHOWN else ""
        shown = ", ".join(map(str, empty[:SHOWN])) + more
        raise UserError(
            f"expected an answer to every row, found {len(empty)} without: row {shown}",
            "give a label, or verdict unsure",
        )
    answers: dict[str, Answers] = {}
    for number, sample in enumerate(rows, 1):
        answer = answers.setdefault(sample, Answers([], [], []))
        answered, reason, spent = said[number]
        answer.labels.append(answered)
        answer.reasons.append(reason)
        answer.seconds.append(spent)
    return answers


def refuse_read(known: pd.DataFrame, name: str, answers: dict[str, Answers]) -> None:
    """Refuse a sheet that has been read.

    Or another with a sample of it. known: see audit.list_decisions.
    """
    if (known.audit == name).any():
        batch = known.batch[known.audit == name].iloc[0]
        raise UserError(
            f"expected a sheet that is new to this bench, found audit {name}, already read",
            f"to read it again: undo {batch}",
        )
    both = known[known.index.isin(list(answers))]
    if len(both):
        found = f"{len(both):,} that audit {both.audit.iloc[0]} brought meanwhile"
        raise UserError(
            f"expected samples that nobody audited yet, found {found}",
            "draw a new sheet: it takes the next samples",
        )


def make_edits(state: pd.DataFrame, answers: dict[str, Answers], name: str) -> pd.DataFrame:
    """Make one edit of each sample.

    confirm where the answer is the label that stands, set where it is another, unsure where it is
    no one answer.
    """
    import pandas as pd

    rows = []
    for sample, (labels, reasons, seconds) in answers.items():
        current, spent = state.label[sample], [s for s in seconds if s is not None]
        sure = labels[0] is not None and len(set(labels)) == 1
        if not sure:
            verdict = "unsure"
        else:
            verdict = "confirm" if labels[0] == current else "set"
        rows.append(
            dict(
                sample=sample,
                field="label",
                value=json.dumps(labels[0] if sure else current),
                verdict=verdict,
                why="; ".join(filter(None, reasons)),
                suggested=json.dumps({"audit": name, "answers": labels}),
                seconds=sum(spent) if spent else None,
            )
        )
    return pd.DataFrame(rows).astype(dict(seconds="f8"))
