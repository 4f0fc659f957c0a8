"""The verb classes: the class list, and what changes it."""

from __future__ import annotations

import argparse
import shlex

from assay.curation import Bench
from assay.curation.errors import UnknownName, UserError
from assay.curation.text import check_text, format_count
from assay.pipelines.cli.output import (
    format_cell,
    open_bench,
    print_line,
    print_result,
    print_table,
)
from assay.pipelines.cli.review import describe_rescore, write_sheet
from assay.pipelines.cli.verbs import Verbs

SHOWN = "name n train val test pool guard colour key parent guideline exemplars".split()
ABOUT = ("colour", "key", "guideline", "parent")


def manage_classes(args: argparse.Namespace) -> None:
    """List the classes, or rename, merge, add, split, move or describe one.

    rename OLD NEW, add NAME..., split NAME INTO..., edit NAME, move NAME [BEFORE]; without a word it
    lists them. split NAME INTO --where CONDITION moves what fits at once.
    --import FILE reads a class list, --csv FILE writes it. A name that begins with - comes after --.
    """
    bench = open_bench(args)
    action, *names = args.words or ["list"]
    for name in names:
        check_text(name, "a class name")
    if args.import_ is not None:
        if args.words:
            raise UserError(
                f"expected --import alone, found it with {action}", "first the one, then the other"
            )
        return import_classes(args, bench)
    if action not in ACTIONS:
        words = ", ".join(ACTIONS)
        raise UnknownName(
            f"expected one of {words}, found {action!r}",
            "assay classes --help says more",
            action,
            ACTIONS,
        )
    refuse_options(args, action)
    ACTIONS[action](args, bench, names)


def refuse_options(args: argparse.Namespace, action: str) -> None:
    """Refuse options that an action would not heed."""
    heeded = dict(
        list=("csv",),
        rename=("why", "dry_run"),
        add=ABOUT,
        edit=(*ABOUT, "exemplars"),
        split=("csv", "html", "where", "dry_run"),
        move=(),
    )
    for option in ("csv", "html", "why", "dry_run", "where", "exemplars", *ABOUT):
        if getattr(args, option) not in (None, "", False) and option not in heeded[action]:
            raise UserError(
                f"expected options of {action}, found --{option.replace('_', '-')}", "leave it out"
            )


def list_classes(args: argparse.Namespace, bench: Bench, names: list[str]) -> None:
    """List the classes with their counts."""
    if names:
        raise UserError(
            f"expected no name after list, found {names[0]!r}", "assay classes lists all"
        )
    rows = bench.classes(args.version)
    columns = [c for c in SHOWN if c == "name" or rows[c].astype(bool).any()]
    rename = f"assay classes rename OLD NEW -b {bench.given}"
    print_table(args, rows, columns, rename)


def rename_class(args: argparse.Namespace, bench: Bench, names: list[str]) -> None:
    """Rename a class, or merge it."""
    if len(names) != 2:
        raise UserError(
            f"expected the old name and the new one, found {len(names)}",
            "as in: assay classes rename kat cat",
        )
    out = bench.rename_class(*names, who=args.who, why=args.why, dry=args.dry_run)
    print_line(args, describe_rename(out))
    for other in out["alike"]:
        print_line(args, f"note: {other!r} and {out['new']!r} look like one class")
    if args.dry_run:
        again = "the same without --dry-run does it"
        return print_result(args, out, again, schema="classes-rename")
    print_line(args, describe_rescore(out))
    then = f"assay undo {out['batch']} -b {bench.given} takes it back"
    print_result(args, out, then, schema="classes-rename")


def describe_rename(out: dict) -> str:
    """Describe what a rename did, or would do; out: as class_changes.rename_class."""
    old, new = format_cell(out["old"]), format_cell(out["new"])
    began = f"{out['batch']}: " if out["batch"] else "planned: "
    counts = describe_counts(out["splits"])
    said = f"{began}{old} -> {new}, {format_count(out['samples'], 'sample')} ({counts})"
    if out["merged"]:
        said += f", merged into {new}, which had {describe_counts(out['had'])}"
    dropped = f"; and {out['dropped']:,} that are out" if out["dropped"] else ""
    return f"{said}{dropped}; no review, no run is trained again for a name"


def describe_counts(splits: dict[str, int]) -> str:
    """Describe how many samples each split has."""
    return ", ".join(f"{n:,} {split}" for split, n in splits.items()) or "no sample"


def add_classes(args: argparse.Namespace, bench: Bench, names: list[str]) -> None:
    """Add classes to the list."""
    from assay.curation.versioning import class_changes

    if not names:
        raise UserError("expected a name, found none", "as in: assay classes add cat")
    about = {field: getattr(args, field) for field in ABOUT}
    out = class_changes.add_classes(bench, names, args.who, **about)
    print_line(args, f"{out['batch']}: {', '.join(map(format_cell, names))} added")
    for other in out["alike"]:
        merge = shlex.join(["assay", "classes", "rename", other, names[0], "-b", str(bench.given)])
        print_line(args, f"note: there is {other!r}, which looks the same: {merge} merges them")
    for other in out["near"]:
        print_line(args, f"note: there is {other!r}: was that meant? assay undo takes this back")
    print_result(args, out, f"assay classes -b {bench.given}", schema="classes-add")


def split_class(args: argparse.Namespace, bench: Bench, names: list[str]) -> None:
    """Queue a class's samples, to decide which other class each is."""
    if len(names) < 2:
        raise UserError(
            f"expected a class and those to split it into, found {len(names)} name(s)",
            "as in: assay classes split cat tabby siamese --html sheet.html",
        )
    if args.where:
        return split_off(args, bench, names)
    if args.dry_run:
        raise UserError("expected --where with --dry-run, found none", "a queue changes nothing")
    rows, out = bench.split_class(names[0], names[1:], args.who)
    if out["added"]:
        print_line(args, f"{out['batch']}: {', '.join(map(format_cell, out['added']))} added")
    kept = f"{format_count(out['samples'], 'sample')} of {format_cell(names[0])} to decide about"
    locked = f"; {out['locked']:,} of test and guard only an audit decides" * bool(out["locked"])
    print_line(args, f"{kept}{locked}; what is not decided keeps its label")
    then = f"assay queue --class {shlex.quote(names[0])} --html sheet.html -b {bench.given}"
    if args.html:
        then = write_sheet(args, bench, rows)
    if args.csv:
        from assay.curation.text import defuse_formulas, write_csv

        empty = rows.assign(label="", verdict="", keep="", why="")
        write_csv(defuse_formulas(empty), args.csv)
        print_line(args, f"{format_count(len(rows), 'row')} in {args.csv}")
        then = f"fill in label, then: assay edit {args.csv} --who {args.who} -b {bench.given}"
    print_result(args, out, then, schema="classes-split")


def split_off(args: argparse.Namespace, bench: Bench, names: list[str]) -> None:
    """Move a class's samples that fit a condition to another class."""
    name, *into = names
    if len(into) != 1 or args.html or args.csv:
        raise UserError(
            "expected one class to move them to, found others, or --html or --csv",
            "as in: assay classes split cat tabby --where \"cluster = '7'\"",
        )
    found = bench.samples(where=args.where)["sample"]
    out = bench.split_off(name, into[0], found, args.who, args.dry_run)
    began = f"{out['batch']}: " if out["batch"] else "planned: "
    went = f"{format_count(out['samples'], 'sample')} of {format_cell(name)}"
    print_line(
        args,
        f"{began}{went} -> {format_cell(into[0])} ({describe_counts(out['splits'])}); "
        f"{out['stay']:,} stay",
    )
    if not args.dry_run:
        print_line(args, describe_rescore(out))
    then = f"assay undo {out['batch']} -b {bench.given} takes it back"
    again = "the same without --dry-run does it"
    print_result(args, out, again if args.dry_run else then, schema="classes-split-off")


def move_class(args: argparse.Namespace, bench: Bench, names: list[str]) -> None:
    """Move a class in the list."""
    if len(names) not in (1, 2):
        raise UserError(
            f"expected a class, and perhaps the one that it shall stand before, found {len(names)}",
            "as in: assay classes move cat dog",
        )
    out = bench.move_class(*names, who=args.who)
    place = f"{format_cell(names[0])} is {out['place']:,} of {out['of']:,}"
    print_line(args, f"{out['batch'] or 'as it was'}: {place}")
    print_result(args, out, f"assay classes -b {bench.given}", schema="classes-move")


def edit_class(args: argparse.Namespace, bench: Bench, names: list[str]) -> None:
    """Change what the list says of a class."""
    if len(names) != 1:
        raise UserError(
            f"expected one class, found {len(names)}",
            "as in: assay classes edit cat --colour '#1f77b4'",
        )
    about = {field: getattr(args, field) for field in (*ABOUT, "exemplars")}
    out = bench.edit_class(names[0], args.who, **about)
    told = {f: out[f] for f in (*ABOUT, "exemplars") if out[f]}
    said = ", ".join(f"{f} {format_cell(v)}" for f, v in told.items()) or "nothing said of it"
    print_line(args, f"{out['batch'] or 'as it was'}: {format_cell(names[0])}: {said}")
    print_result(args, out, f"assay classes -b {bench.given}", schema="classes-edit")


def import_classes(args: argparse.Namespace, bench: Bench) -> None:
    """Read a class list from a CSV."""
    out = bench.import_classes(args.import_, args.who)
    print_line(
        args,
        f"{out['batch'] or 'as it was'}: {format_count(out['declared'], 'class')} from {args.import_}",
    )
    for name in out["new"]:
        print_line(args, f"note: no sample has {name!r} yet")
    if out["missing"]:
        names = ", ".join(map(repr, out["missing"][:12]))
        print_line(
            args,
            f"note: {format_count(len(out['missing']), 'class', 'is', 'are')} not in it: {names}",
        )
    for group in out["alike"]:
        print_line(args, f"note: these look like one class: {', '.join(map(repr, group))}")
    print_result(args, out, f"assay classes -b {bench.given}", schema="classes-import")


ACTIONS = dict(
    list=list_classes,
    rename=rename_class,
    add=add_classes,
    split=split_class,
    edit=edit_class,
    move=move_class,
)


def add(verbs: Verbs) -> None:
    """Add the verb classes."""
    verb = verbs.add("classes", manage_classes, who=True, csv=True, version=True)
    verb.add_argument(
        "words",
        nargs="*",
        metavar="WORD",
        help="rename OLD NEW, add NAME..., split NAME INTO..., edit NAME, move NAME [BEFORE]",
    )
    verb.add_argument("--colour", metavar="#RRGGBB", help="its colour (add, edit)")
    verb.add_argument(
        "--guideline", metavar="TEXT", help="what belongs in it, one line (add, edit)"
    )
    verb.add_argument("--parent", metavar="NAME", help="the class above it (add, edit)")
    verb.add_argument(
        "--key", metavar="K", help="the key that chooses it in Review, for everybody (add, edit)"
    )
    verb.add_argument(
        "--exemplars", metavar="IDS", help="up to six of its samples, blanks between (edit)"
    )
    verb.add_argument(
        "--where", metavar="CONDITION", help="what a split moves at once, as `assay samples` has it"
    )
    verb.add_argument("--why", default="", help="the reason of a rename")
    verb.add_argument(
        "--dry-run",
        action="store_true",
        help="only say what a rename or a split by --where would change",
    )
    verb.add_argument(
        "--import",
        dest="import_",
        metavar="FILE",
        help="read a class list from a CSV, in its order",
    )
    verb.add_argument("--html", metavar="FILE", help="write the queue of a split as a page")
