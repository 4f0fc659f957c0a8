"""The command line: arguments in, a verb run, its errors reported."""

from __future__ import annotations

import argparse
import errno
import sys

from assay.curation.errors import UserError
from assay.curation.plugins import discover
from assay.curation.text import MAX_NAME, MAX_TEXT, check_text, escape_controls
from assay.pipelines.cli.interrupts import STOPPED
from assay.pipelines.cli.verbs import Verbs

# the groups as --help lists them, which is how the work goes; others, such as a plug-in's, come after them
ORDER = (
    "demo data scan review issues log undo versions reviewers audit maintenance experiments "
    "gaps selection shadow triggers map gates app fiftyone docs"
).split()
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


def make_parser() -> argparse.ArgumentParser:
    """Make the parser, with the verbs of all groups."""
    parser = argparse.ArgumentParser(
        prog="assay",
        description="Find what is wrong in a labelled image set, fix it, and prove what the fix was worth.",
    )
    verbs = Verbs(parser.add_subparsers(dest="verb", required=True, metavar="VERB"))
    for group in list_groups():
        group.add(verbs)
    return parser


def list_groups() -> list:
    """List the modules that add verbs, in the order of --help."""
    groups = [module for module in discover(__package__) if hasattr(module, "add")]
    ours = {f"{__package__}.{name}": place for place, name in enumerate(ORDER)}
    return sorted(groups, key=lambda group: ours.get(group.__name__, len(ours)))


def main(arguments: list[str] | None = None) -> int:
    """Run one verb and return the exit status.

    It is 2 for a UserError and 130 for Ctrl-C.
    """
    try:
        args = make_parser().parse_args(arguments)
        check_texts(args)
        return args.run(args) or 0
    except UserError as e:
        return report_error(e)
    except OSError as e:
        if e.errno not in PATH_FAULTS or e.filename is None:
            raise
        found = f"{str(e.filename)[:80]}{'...' * (len(str(e.filename)) > 80)}: {e.strerror}"
        expected = f"expected a file or folder that can be used, found {found}"
        return report_error(UserError(expected, "give another path"))
    except RecursionError:
        expected = "expected input of a few levels, found it nested too deeply to read"
        return report_error(UserError(expected, "flatten it"))
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


def report_error(error: UserError) -> int:
    """Print an error in plain words, and return its exit status."""
    print(escape_controls(str(error)), file=sys.stderr)
    return 2
