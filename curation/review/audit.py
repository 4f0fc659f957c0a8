"""What an audit of labels is: which samples chance picks, a sheet that tells its reader nothing of them, and what the answers say."""

import itertools
import json
import uuid
from hashlib import sha256
from pathlib import Path

from assay.curation.errors import UserError
from assay.curation.formats.copying import MAGIC
from assay.curation.media.files import BadImage, content_hash, iter_bytes
from assay.curation.statistics import errors_left, estimates, sampling
from assay.curation.storage import schema
from assay.curation.storage.schema import new_batch
from assay.curation.system import permissions
from assay.curation.system.scratch import whole
from assay.curation.text import write_csv
from assay.curation.versioning import edits, expressions, live_edits, versions

SEED = 1  # names the one order in which samples are audited: several audits are together one simple random sample of the split
SPLITS = ("test", "val", "train")
COLUMNS = ["audit", "row", "image", "label", "verdict", "why", "seconds"]
ENOUGH = 30  # audited samples before a share or a correction is worth saying
WORDS = f"""
with {live_edits.ALIVE.format(only="and field = 'label' and batch like 'audit-%'")}
select sample, arg_max(value ->> '$', seq) as label, arg_max(verdict, seq) as verdict, arg_max(suggested ->> 'audit', seq) as audit,
    arg_max(batch, seq) as batch from alive group by sample order by sample"""


def audited(bench, version="HEAD"):
    """Samples with an audit's decision that nobody undid, at `version`: frame sample -> label, given (what stood without any audit),
    verdict (confirm, set, unsure), audit, batch. Where somebody was unsure, label is what is given."""
    upto = versions.position(bench, expressions.root(version))
    with bench.connect() as con:
        frame = alive(con, upto)
    frame.insert(1, "given", bench.state(upto).given_label.reindex(frame.index).astype(object))
    frame["label"] = frame.label.where(frame.verdict != "unsure", frame.given)
    return frame


def alive(con, upto=schema.END):
    """The last audit decision on each sample that nobody undid: frame sample -> label, verdict, audit, batch."""
    return con.execute(WORDS, dict(upto=upto)).df().set_index("sample")


def population(bench, split, version="HEAD"):
    """The kept, labelled samples of a split in the order in which they are audited."""
    frame = bench.frame(version, split)
    return sampling.by_draw(frame.index[frame.label.notna()], SEED)


def sheet(bench, rule):
    """The sample behind each row of an audit's sheet: a function of its rule and of the log up to it alone, so that no file need keep it.
    Shuffled, and no repeat lies next to its first."""
    done = set(audited(bench, rule["upto"]).index)
    left = (s for s in population(bench, rule["split"], rule["upto"]) if s not in done)
    taken = list(itertools.islice(left, rule["n"]))
    again = sampling.by_draw(taken, rule["seed"], "again")[: rule["repeats"]]
    for turn in itertools.count():
        rows = sampling.by_draw(
            ["1" + s for s in taken] + ["2" + s for s in again], rule["seed"], turn
        )
        rows = [row[1:] for row in rows]
        if all(a != b for a, b in itertools.pairwise(rows)):
            return rows


def start(bench, who, split="test", n=200, repeats=None, folder=None):
    """Draw the next n samples of a split that nobody audited yet, and write their blind sheet into `folder` (new or empty): worksheet.csv,
    and images under the numbers of its rows. Returns the rule that is logged, with folder, rows, left and the classes to answer with; all or nothing."""
    upto = versions.position(bench, "HEAD")
    order, done = population(bench, split, upto), set(audited(bench, upto).index)
    left = len([s for s in order if s not in done])
    repeats = (max(5, round(n / 10)) if n >= 20 else round(n / 10)) if repeats is None else repeats
    if not left:
        found = "all of them audited" if order else "none"
        raise UserError(
            f"expected labelled {split} samples to audit, found {found}",
            "choose another with --split, or import some",
        )
    if not 1 <= n <= left:
        raise UserError(
            f"expected -n from 1 to {left:,}, the {split} samples nobody audited yet, found {n:,}",
            f"say -n {min(left, 200)}",
        )
    if not 0 <= repeats <= n or n == 1 and repeats:
        raise UserError(
            f"expected --repeats from 0 to {n if n > 1 else 0}, found {repeats}",
            "a repeat shows a sample of the sheet again",
        )
    name = uuid.uuid4().hex[:12]
    folder = Path(folder or f"audit-{name}").absolute()
    rule = dict(
        name=f"audit:{name}",
        split=split,
        n=n,
        repeats=repeats,
        seed=uuid.uuid4().int % 2**32,
        upto=upto,
        of=len(order),
    )
    rows = sheet(bench, rule)
    rule["hash"] = hash_of(rows)
    write(bench, folder, name, rows, lambda: log_rule(bench, rule, who))
    return rule | dict(
        audit=name, rows=len(rows), left=left - n, classes=classes(bench), folder=str(folder)
    )


def classes(bench):
    return sorted(set(bench.state().label.dropna()))


def hash_of(rows):
    return sha256(json.dumps(rows).encode()).hexdigest()[:32]


def log_rule(bench, rule, who):
    import pandas as pd

    row = dict(
        sample="",
        field="rule",
        value=json.dumps(rule),
        why=f"a blind sheet of {rule['n']} {rule['split']} samples",
    )
    with bench.transaction() as con:
        bench.append(con, pd.DataFrame([row]), new_batch("rule"), who)


def write(bench, folder, name, rows, log):
    """The sheet of `rows` as a folder, whole or not at all; `log` is called when it is ready, before anybody can see it."""
    import pandas as pd

    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UserError(
            f"expected a new or empty folder, found files in {folder}", "choose another with -o"
        )
    try:
        with whole(folder) as partial:
            permissions.folder(partial / "images")
            table = pd.DataFrame(
                dict(audit=name, row=range(1, len(rows) + 1), image=put(bench, partial, rows))
            )
            write_csv(
                table.assign(label="", verdict="", why="", seconds=""),
                permissions.touch(partial / "worksheet.csv"),
            )
            log()
    except OSError as e:
        raise UserError(
            f"expected to write the sheet to {folder}, found: {e}", "choose another with -o"
        ) from None


def put(bench, partial, rows):
    """Copy the image of every row under its number; returns their paths. The bytes are the original's: no name, no class."""
    state, at = bench.state(), {}
    for row, sample in enumerate(rows):
        at.setdefault(sample, []).append(row)
    paths, samples, places = [None] * len(rows), list(at), list(at.values())
    for i, blob in iter_bytes(list(state.uri[samples])):
        if not isinstance(blob, BadImage) and content_hash(blob) != state.content_hash[samples[i]]:
            blob = "has changed since it was imported"
        if not isinstance(blob, bytes):
            found = f"{state.uri[samples[i]]}: {blob}"
            raise UserError(
                f"expected every image of the audit as it was imported, found {found}",
                "put it back, or import anew",
            )
        ending = next((e for begin, e in MAGIC.items() if blob.startswith(begin)), ".img")
        for row in places[i]:
            paths[row] = f"images/{row + 1:04d}{ending}"
            permissions.touch(partial / paths[row]).write_bytes(blob)
    return paths


def apply(bench, frame, who):
    """Read a filled sheet back (frame of strings, see edits.read_decisions) as one batch of decisions, and commit it as a version of its
    own. Returns a dict: audit, batch, version, split, audited, wrong, unsure, repeats, repeats_agree, agreement, noise (see `noise`)."""
    if not who:
        raise UserError("expected to know who audits, found nobody", "say --who NAME")
    rule = rule_of(bench, frame)
    name = rule["name"].removeprefix("audit:")
    rows = sheet(bench, rule)
    if (
        hash_of(rows) != rule["hash"]
    ):  # such as a rule that a merge brought: positions in the log are those of its own bench
        raise UserError(
            f"expected the sheet of audit {name} as it was drawn, found other samples here",
            "read it in the bench that drew it",
        )
    answers = read_answers(frame, rows, classes(bench))
    before, batch = own_version(bench, who), new_batch("audit")
    with (
        bench.transaction() as con
    ):  # judged by what stands now, not by what stood when the sheet was drawn
        refuse_read(alive(con), name, answers)
        rows = decide(versions.standing(con, list(answers)), answers, name)
        bench.append(con, rows, batch, who)
    if rule["split"] != "test":  # no score reads test labels
        bench.rescore()
    count, twice = (
        rows.verdict.value_counts(),
        [said for said, _, _ in answers.values() if len(said) > 1],
    )
    agree = sum(a == b for a, b in twice)
    taken = {
        int(v[6:]) for v in bench.commits().name if v.startswith("audit-") and v[6:].isdecimal()
    }
    message = f"{len(rows):,} {rule['split']} labels audited blind"
    return dict(
        audit=name,
        batch=batch,
        before=before,
        version=bench.commit(message, who, f"audit-{max(taken, default=0) + 1}")["name"],
        split=rule["split"],
        audited=len(rows),
        wrong=int(count.get("set", 0)),
        unsure=int(count.get("unsure", 0)),
        repeats=len(twice),
        repeats_agree=agree,
        agreement=estimates.wilson(agree, len(twice)) if twice else None,
        noise=noise(bench, rule["split"]),
    )


def own_version(bench, who):
    """Commit what is open first, so that the audit's version holds the audit alone; its name, or None where nothing was open."""
    since = max(bench.commits().upto, default=0)
    open_work = bench.rows(
        "select 1 from edits where seq > ? and batch not like 'rule-%' limit 1", [int(since)]
    )
    return bench.commit("open work before an audit", who)["name"] if open_work else None


def rule_of(bench, frame):
    """The rule of the audit that a filled sheet belongs to."""
    missing = [c for c in ("audit", "row", "label", "verdict") if c not in frame]
    unknown = [c for c in frame.columns if c not in (*COLUMNS, "line")]
    if missing or unknown or not len(frame):
        found = (
            ", ".join([f"no {c}" for c in missing] + [f"also {c}" for c in unknown]) or "no rows"
        )
        raise UserError(
            f"expected a sheet with columns {', '.join(COLUMNS)}, found {found}",
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


def read_answers(frame, rows, classes):
    """{sample: (answers in the order of the sheet, None where unsure; reasons; seconds or None)}; UserError unless every row has one: whoever
    skips the hard ones makes a sample that is not random."""
    said, bad, empty = {}, [], []
    for line, cells in zip(
        frame["line"] if "line" in frame else range(2, len(frame) + 2),
        frame.fillna("").to_dict("records"),
    ):
        row, label, verdict = (
            str(cells["row"]).strip().removesuffix(".0"),
            str(cells["label"]),
            str(cells["verdict"]).strip(),
        )
        label = (
            label.removesuffix(".0") if label not in classes else label
        )  # what a spreadsheet makes of whole numbers
        try:
            if not row.isdecimal() or not 1 <= int(row) <= len(rows) or int(row) in said:
                raise ValueError(f"row {row!r} is not on the sheet, or twice")
            if label and verdict or verdict not in ("", "unsure"):
                raise ValueError(
                    f"expected a label, or verdict unsure, found {label!r} and {verdict!r}"
                )
            if label and label not in classes:
                raise ValueError(
                    f"expected one of the classes {', '.join(classes[:12])}, found {label!r}"
                )
            if not label and not verdict:
                empty.append(int(row))
            said[int(row)] = (
                label or None,
                str(cells.get("why", "")),
                edits.number(cells.get("seconds", "")),
            )
        except ValueError as e:
            bad.append(f"line {line}: {e}")
    if bad:
        raise UserError(
            f"expected answers to this sheet, found {len(bad)} bad line(s):\n  "
            + "\n  ".join(bad[:20]),
            "mend these lines",
        )
    empty = sorted({*empty, *(set(range(1, len(rows) + 1)) - set(said))})
    if empty:
        more = f" ... and {len(empty) - 20} more" if len(empty) > 20 else ""
        shown = ", ".join(map(str, empty[:20])) + more
        raise UserError(
            f"expected an answer to every row, found {len(empty)} without: row {shown}",
            "give a label, or verdict unsure",
        )
    out = {}
    for row, sample in enumerate(rows, 1):
        answers, whys, seconds = out.setdefault(sample, ([], [], []))
        for told, one in zip((answers, whys, seconds), said[row]):
            told.append(one)
    return out


def refuse_read(known, name, answers):
    """UserError where this sheet, or another with a sample of it, has been read already."""
    if (known.audit == name).any():
        batch = known.batch[known.audit == name].iloc[0]
        raise UserError(
            f"expected a sheet that is new to this bench, found audit {name}, already read",
            f"to read it again: undo {batch}",
        )
    both = known[known.index.isin(list(answers))]
    if len(both):
        raise UserError(
            f"expected samples that nobody audited yet, found {len(both):,} that audit {both.audit.iloc[0]} brought meanwhile",
            "draw a new sheet: it takes the next samples",
        )


def decide(state, answers, name):
    """One edit a sample: confirm where the answer is the label that stands, set where it is another, unsure where it is no one answer."""
    import pandas as pd

    rows = []
    for sample, (said, whys, seconds) in answers.items():
        stands, spent = state.label[sample], [s for s in seconds if s is not None]
        sure = said[0] is not None and len(set(said)) == 1
        verdict = "unsure" if not sure else "confirm" if said[0] == stands else "set"
        value, hint = said[0] if sure else stands, json.dumps({"audit": name, "answers": said})
        rows.append(
            (
                sample,
                "label",
                json.dumps(value),
                verdict,
                "; ".join(filter(None, whys)),
                hint,
                sum(spent) if spent else None,
            )
        )
    columns = ["sample", "field", "value", "verdict", "why", "suggested", "seconds"]
    return pd.DataFrame(rows, columns=columns).astype(dict(seconds="f8"))


def drawn(bench, split, version="HEAD"):
    """What audits say of a random sample of a split: (frame as `audited`, how many samples the split has). The sample is the longest
    beginning of the order that is audited as a whole: what an undo or a new import tore open cannot bias it."""
    found = audited(bench, version)
    if not len(found):  # to draw a large split takes a while
        return found, int(bench.frame(version, split).label.notna().sum())
    order, known = population(bench, split, version), set(found.index)
    return found.loc[list(itertools.takewhile(known.__contains__, order))], len(order)


def noise(bench, split, version="HEAD"):
    """Wrong labels of a split by its audits: dict wrong, n (audited and sure), of, unsure, and share (estimate, low, high), exact by the
    hypergeometric distribution, None under 30; share_between: the estimates with all unsure ones right and all wrong, None where none was."""
    found, m = drawn(bench, split, version)
    wrong, unsure = (int((found.verdict == v).sum()) for v in ("set", "unsure"))
    n = len(found) - unsure
    share = errors_left.count_wrong(wrong, n, m, unsure, errors_left.wrong_exactly)
    share = share and share.scaled(1 / m)
    said = dict(
        share=share and (share.estimate, share.low, share.high),
        share_between=share and share.between,
    )
    return dict(wrong=wrong, n=n, of=m, unsure=unsure) | said


def noise_words(noise, split):
    doubt = f", {noise['unsure']:,} more unsure" if noise["unsure"] else ""
    if noise["share"] is None:
        return (
            f"{noise['wrong']:,} of {noise['n']:,} {split} labels wrong{doubt}, too few for a rate"
        )
    (share, low, high), between = noise["share"], noise["share_between"]
    share = f"{share:.1%}" if between is None else f"{between[0]:.1%} to {between[1]:.1%}"
    return f"{share} [{low:.1%}, {high:.1%}] of the {split} labels wrong, by {noise['wrong']:,} of {noise['n']:,} audited at random{doubt}"
