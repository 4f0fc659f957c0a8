"""The command line: arguments in, a verb run, its errors reported."""

from __future__ import annotations

import argparse
import errno
import sys
from functools import cache
from importlib.metadata import version

from assay.curation.errors import UserError
from assay.curation.plugins import discover
from assay.curation.system.collector import keep_loaded
from assay.curation.text import MAX_NAME, MAX_TEXT, check_person, check_text, escape_controls
from assay.pipelines.cli import output
from assay.pipelines.cli.interrupts import STOPPED
from assay.pipelines.cli.parser import Parser, list_verbs, parse_words
from assay.pipelines.cli.verbs import Verbs

# the groups as --help lists them, which is how the work goes; a plug-in's come last
HEADINGS = {
    "Data in, data out": "demo data split scan estimate",
    "Find and mend wrong labels": "review samples views explain assign issues duplicates opinion audit "
    "reviewers labellers classes",
    "What was done, and versions": "log undo versions proposals",
    "Prove what it was worth": "experiments compare gates card",
    "Find what is missing": "gaps map selection disagreements triggers",
    "Look at it in a browser": "app fiftyone docs",
    "Let agents look and propose": "mcp",
    "Learn how it works": "lessons",
    "Keep a bench sound": "maintenance",
}
PLUGINS = "From plug-ins"
ORDER = " ".join(HEADINGS.values()).split()
NAMES = ("who", "by", "as_", "name", "new_class")  # options that name something: one short line
# what a path that was given may be at fault for; any other OSError is ours
PATH_FAULTS = {
    errno.ENAMETOOLONG,
    errno.ELOOP,
    errno.ENOTDIR,
    errno.EISDIR,
    errno.EACCES,
    errno.EPERM,
    errno.EROFS,
    errno.ENXIO,
}


class BadPath(UserError):
    """A path that was given, and cannot be used."""

    code = "bad_path"


@cache
def make_parser() -> Parser:
    """Make the parser, with the verbs of all groups: once, which takes 35 ms."""
    parser = Parser(
        prog="assay",
        usage="assay VERB ...",
        description="Find what is wrong in a labelled data set, fix it, and prove what the fix was worth.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"assay {version('assay')}")
    parsers = parser.add_subparsers(
        prog="assay", dest="verb", metavar="VERB", required=True, help=argparse.SUPPRESS
    )
    verbs = Verbs(parsers)
    headings: dict[str, dict[str, str]] = {heading: {} for heading in [*HEADINGS, PLUGINS]}
    for group in list_groups():
        before = set(verbs.sentences)
        group.add(verbs)
        new = {name: text for name, text in verbs.sentences.items() if name not in before}
        headings[find_heading(group.__name__)] |= new
    parser.epilog = f"{list_verbs(headings)}\n\nassay VERB --help says more of one."
    return parser


def find_heading(group: str) -> str:
    """Find the heading under which --help lists a group."""
    name = group.removeprefix(f"{__package__}.")
    return next((h for h, names in HEADINGS.items() if name in names.split()), PLUGINS)


def list_groups() -> list:
    """List the modules that add verbs, in the order of --help."""
    groups = [module for module in discover(__package__) if hasattr(module, "add")]
    ours = {f"{__package__}.{name}": place for place, name in enumerate(ORDER)}
    return sorted(groups, key=lambda group: ours.get(group.__name__, len(ours)))


def list_parsers(parser: Parser) -> dict[str, Parser]:
    """List the verbs' own parsers: {verb: its parser}."""
    return parser._subparsers._group_actions[0].choices


def main(arguments: list[str] | None = None) -> int:
    """Run one verb and return the exit status.

    0: done. 1: a check that was asked for failed. 2: a UserError, about which a person can do
    something. 130: Ctrl-C.
    """
    words = sys.argv[1:] if arguments is None else arguments
    try:
        with keep_loaded():
            parser = make_parser()
            if not words:
                print(parser.format_help())
                return 2
            args = parse_words(parser, list_parsers(parser), words)
        output.QUIET = args.quiet
        check_texts(args)
        return args.run(args) or 0
    except UserError as e:
        return report_error(e, "--json" in words)
    except OSError as e:
        if e.errno not in PATH_FAULTS or e.filename is None:
            raise
        found = f"{str(e.filename)[:80]}{'...' * (len(str(e.filename)) > 80)}: {e.strerror}"
        expected = f"expected a file or folder that can be used, found {found}"
        return report_error(BadPath(expected, "give another path"), "--json" in words)
    except RecursionError:
        expected = "expected input of a few levels, found it nested too deeply to read"
        return report_error(UserError(expected, "flatten it"), "--json" in words)
    except KeyboardInterrupt:
        print(STOPPED, file=sys.stderr)
        return 130


def check_texts(args: argparse.Namespace) -> None:
    """Check the texts that were given.

    UserError for what no name or line of text may hold.
    """
    for option, value in vars(args).items():
        for text in value if isinstance(value, list) else [value]:
            if isinstance(text, str):
                allowed = MAX_NAME if option in NAMES else MAX_TEXT
                check_text(text, f"--{option.strip('_').replace('_', '-')}", allowed)
                if option in ("who", "by"):
                    check_person(text)


def report_error(error: UserError, as_json: bool) -> int:
    """Print an error, also as JSON; return its exit status."""
    print(escape_controls(str(error)), file=sys.stderr)
    if as_json:
        output.print_json(output.describe_error(error))
    return 2
