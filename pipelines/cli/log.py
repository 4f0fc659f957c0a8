"""The verbs of the log: what was decided, by whom, how it is put back, and how two logs become one."""

import getpass
from shlex import quote

from assay.curation import UserError
from assay.curation.times import local, parse_time, show_time
from assay.curation.versioning.votes import RULES
from assay.pipelines.cli.output import cell, done, open_bench, records, say, shown, table


def log(a):
    """commits and the open work since: counts by kind of edit, author, time spent; --batches lists what can be put back"""
    bench = open_bench(a)
    if a.batches:
        columns = [
            "kind",
            "name",
            "who",
            "ts",
            "samples",
            "relabelled",
            "confirmed",
            "unsure",
            "dropped",
            "why",
        ]
        return table(
            a,
            bench.batches(),
            columns,
            f"assay undo BATCH, or assay revert BATCH, -b {bench.given} puts one back",
        )
    rows = bench.log()
    rows["version"] = rows.version.where(rows.version.notna(), "(open)")
    rows["minutes"] = rows.seconds / 60
    counts = [
        "relabelled",
        "confirmed",
        "unsure",
        "dropped",
        "restored",
        "moved",
        "tagged",
        "imported",
        "put_back",
    ]
    columns = [
        "version",
        "author",
        "last",
        "looks",
        *(c for c in counts if rows[c].any()),
        "minutes",
        "message",
    ]
    table(
        a,
        rows,
        columns,
        f"assay log --batches, assay diff {rows.version.iloc[0] if len(rows) else 'v1'} HEAD, or assay blame SAMPLE -b {bench.given}",
    )


def diff(a):
    """what version B has that A has not: labels from-to, added, removed, moved, tagged; --samples lists them"""
    bench = open_bench(a)
    out = bench.diff(a.a, a.b)
    kinds = ("relabelled", "added", "removed", "moved", "tagged")
    if a.json:
        return done(a, {k: records(v) if hasattr(v, "columns") else v for k, v in out.items()})
    tell = say(a)
    tell(f"{a.a} -> {a.b}: " + ", ".join(f"{len(out[k]):,} {k}" for k in kinds))
    if len(out["matrix"]):
        shown(out["matrix"], ["from", "to", "n"])
    for kind in ("moved", "tagged"):
        pairs = (
            out[kind]
            .assign(**{c: [str(v) for v in out[kind][c]] for c in ("from", "to")})
            .groupby(["from", "to"])
            .size()
        )
        for (one, other), n in pairs.items():
            tell(f"{kind} {one} -> {other}: {n:,}")
    if a.samples:
        for kind in kinds:
            if len(out[kind]):
                tell(f"\n{kind}")
                shown(out[kind], ["sample", "source_id", "from", "to"], most=None)
    done(
        a,
        out,
        f"assay diff {quote(a.a)} {quote(a.b)} --samples -b {bench.given} lists them, assay blame SAMPLE -b {bench.given} tells one's life",
    )


def blame(a):
    """the life of one sample: every value, who, when, why, and what suggested it"""
    bench = open_bench(a)
    sample, key, rows = bench.blame(a.sample, a.version)
    if a.json:
        return done(a, dict(sample=sample, key=key, life=records(rows)))
    say(a)(f"{sample}  {cell(key)}")
    state = ["stands" if s else "taken back" if u else "" for s, u in zip(rows.stands, rows.undone)]
    rows = rows.assign(
        state=state,
        suggested_by=[hint(s) for s in rows.suggested],
        version=rows.version.fillna("(open)"),
    )
    shown(
        rows,
        [
            "ts",
            "who",
            "field",
            "value",
            "verdict",
            "state",
            "version",
            "batch",
            "why",
            "suggested_by",
        ],
        most=None,
    )
    done(a, None, f"assay revert BATCH -b {bench.given} takes one of them back")


def hint(suggested):
    """What suggested a decision, in words."""
    import json

    if not isinstance(suggested, str):
        return ""
    told = json.loads(suggested)
    if "reason" in told:
        return " ".join([f"rank {told['rank']}:"] * ("rank" in told) + [told["reason"]])
    if "conflict" in told:
        return f"a merge: {told['conflict']['who']} said {told['conflict']['theirs']}"
    if back := [k for k in ("undo", "redo") if k in told]:
        return f"{back[0]} of {', '.join(told[back[0]])}"
    return "; ".join(
        f"{k} {v:.3f}" if isinstance(v, float) else f"{k} {v}" for k, v in told.items()
    )


def undo(a):
    """put back what stood before a batch (by default the last of edits; an import only by its name)"""
    back(a, open_bench(a).undo(a.batch, a.who), "assay redo")


def redo(a):
    """undo the last undo or revert"""
    back(a, open_bench(a).redo(a.who), "assay undo")


def back(a, out, verb):
    alone = (
        f"; {out['left_alone']:,} left alone, edited by others since" if out["left_alone"] else ""
    )
    say(a)(
        f"{out['batch'] or 'nothing to put back'}: {out['restored']:,} values put back, taking back {out['undone']} by {out['by']}{alone}"
    )
    way = f"{verb} -b {a.bench or '.'} goes the other way, " if out["batch"] else ""
    done(a, out, f"{way}assay log --batches -b {a.bench or '.'} shows what was done")


def revert(a):
    """take back BATCH, or all decisions of --who NAME, or --since T, whatever came between: shows its plan, then does it"""
    bench, tell = open_bench(a), say(a)
    if not (a.batch or a.who or a.since) or (a.batch and (a.who or a.since)):
        raise UserError(
            "expected what to revert: a BATCH, or --who NAME, --since T or both",
            "assay log --batches lists batches, authors and times",
        )
    since = a.since and parse_time(a.since, bench.commits().set_index("name").ts.to_dict())
    if since:
        tell(f"since    {show_time(since)}, which is {since:%Y-%m-%d %H:%M} UTC")
    since = since and local(since)
    plan, out = bench.revert(a.batch, a.who, since, a.by, dry=True)
    takes = plan[[bool(p) for p in plan.popped]]
    tell(
        f"plan     takes back {len(out['undone']):,} batch(es): {len(takes):,} values go back, {len(plan) - len(takes):,} are left alone"
    )
    for name, rows in (("goes back", takes), ("left alone", plan[[not p for p in plan.popped]])):
        if len(rows) and not a.json:
            tell(name + (", edited since by others" if name == "left alone" else ""))
            columns = [
                "sample",
                "slot",
                "now",
                "said",
                "set_by",
                *(["back_to"] if name == "goes back" else []),
            ]
            shown(rows.rename(columns=dict(value="back_to", since_who="set_by")), columns, 20)
    if a.dry_run:
        return done(a, dict(out, plan=records(plan)), "the same without --dry-run does it")
    _, out = bench.revert(a.batch, a.who, since, a.by)
    say(a)(
        f"{out['batch'] or 'nothing to put back'}: {out['restored']:,} values put back, {out['left_alone']:,} left alone"
    )
    done(a, dict(out, plan=records(plan)), f"assay redo -b {bench.given} takes the revert back")


def commit(a):
    """name the present state v1, v2, ...; the bench's file is copied to backups/"""
    bench = open_bench(a)
    out = bench.commit(a.message, a.who, a.name)
    say(a)(
        f"{out['name']}: tree {out['tree']}"
        if out["new"]
        else f"nothing changed since {out['name']}, tree {out['tree']}"
    )
    if out["new"] and not out["backup"].endswith(".duckdb"):  # a version may be called none
        say(a)(f"note: no backup: {out['backup'][6:-1]}")
    done(a, out, f"assay experiment PLAN.toml -b {bench.given}")


def merge(a):
    """bring in the edits of another copy of this bench; where both edited the same thing, this one's stands and it comes to the queue"""
    bench, tell = open_bench(a), say(a)
    out = bench.merge(a.other, a.who)
    if not out["edits"]:
        tell("nothing new there: every edit of it is here already")
        return done(a, out, f"assay log -b {bench.given}")
    tell(
        f"{out['edits']:,} edits by {', '.join(out['authors'])} merged, {out['samples']:,} new samples, {len(out['conflicts']):,} conflicts"
    )
    for c in out["conflicts"][:20]:
        tell(
            f"  {c['sample']} {c['slot']}: {c['ours']} stands, {c['their_who']} says {c['theirs']}"
        )
    if len(out["conflicts"]) > 20:
        tell(
            f"  ... and {len(out['conflicts']) - 20:,} more: assay issues --kind merge_conflict -b {bench.given}"
        )
    done(a, out, f"assay {'scan' if out['samples'] else 'queue'} -b {bench.given}")


def reviewers(a):
    """each person's count and speed, and how well two agree on what both saw; --rule says whose label stands"""
    bench = open_bench(a)
    if a.rule:
        out = bench.set_rule(a.rule, a.who)
        say(a)(
            f"{out['batch'] or 'nothing changed'}: the standing label is {a.rule_words[a.rule]}; {out['changed']:,} labels change"
        )
    people, pairs = bench.reviewers(a.version)
    if a.json:
        return done(
            a, dict(rule=bench.rule(a.version), people=records(people), pairs=records(pairs))
        )
    say(a)(f"rule     {a.rule_words[bench.rule(a.version)]}")
    shown(
        people,
        [
            "who",
            "samples",
            "relabelled",
            "confirmed",
            "unsure",
            "dropped",
            "median_seconds",
            "seconds",
            "last",
        ],
    )
    for p in pairs.itertuples():
        share = f"{p.agreement:.1%} [{p.low:.1%}, {p.high:.1%}]"
        say(a)(f"{p.a} and {p.b} agree on {p.agree:,} of {p.n:,} that both decided, {share}")
    if not len(pairs):
        say(a)("no two people decided about the same sample")
    done(
        a,
        None,
        f"assay queue --again 0.1 --who NAME -b {bench.given} mixes in what others decided; assay issues --kind reviewer_disagreement",
    )


def add(verb):
    """Register the verbs with the command line."""
    v = verb(log, csv=True)
    v.add_argument(
        "--batches",
        action="store_true",
        help="a row for each batch, with the name that undo and revert take",
    )
    v = verb(diff)
    v.add_argument("a", metavar="A")
    v.add_argument("b", metavar="B", nargs="?", default="HEAD")
    v.add_argument("--samples", action="store_true", help="list every sample that differs")
    v = verb(blame, version=True)
    v.add_argument(
        "sample", help="its id, the beginning of it, its key in its source, or its file name"
    )
    v = verb(undo, who=True)
    v.add_argument("batch", nargs="?")
    verb(redo, who=True)
    v = verb(revert)
    v.add_argument("batch", nargs="?")
    v.add_argument("--who", metavar="NAME", help="all decisions of this person")
    v.add_argument(
        "--by",
        metavar="NAME",
        default=getpass.getuser(),
        help="who reverts; recorded in the log (default: %(default)s)",
    )
    v.add_argument(
        "--since",
        metavar="T",
        help="decisions since '2026-11-24 15:00' (local time, or 15:00+01:00), 2h, 30m, 3d or a version's commit",
    )
    v.add_argument("--dry-run", action="store_true", help="only show the plan")
    v = verb(commit, who=True)
    v.add_argument("-m", "--message", default="")
    v.add_argument("--name", help="a name other than the next v1, v2, ...")
    v = verb(merge, who=True)
    v.add_argument("other", metavar="OTHER", help="folder of the other bench")
    v = verb(reviewers, who=True, version=True)
    v.add_argument(
        "--rule",
        choices=RULES,
        help="from now on the standing label is the latest decision, or that of the majority",
    )
    v.set_defaults(
        rule_words=dict(
            latest="the latest decision",
            majority="the label with the most votes, one a person; on a tie the latest",
        )
    )
