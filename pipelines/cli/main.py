"""The command line: one function a verb. `assay VERB` and `python -m assay VERB` are the same."""

import argparse
import errno
import getpass
import sys

from assay.curation import UserError
from assay.curation.text import NAME, TEXT, check, printable
from assay.pipelines.cli import (
    app,
    audit,
    experiments,
    fiftyone,
    gaps,
    gates,
    issues,
    log,
    maintenance,
    map,
    selection,
)
from assay.pipelines.cli.data import export, import_
from assay.pipelines.cli.demo import demo
from assay.pipelines.cli.interrupts import STOPPED
from assay.pipelines.cli.output import add_patience
from assay.pipelines.cli.review import edit, queue, status
from assay.pipelines.cli.scan import scan

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


def parser():
    p = argparse.ArgumentParser(
        prog="assay",
        description="Find what is wrong in a labelled image set, fix it, and prove what the fix was worth.",
    )
    verbs = p.add_subparsers(dest="verb", required=True, metavar="VERB")

    def verb(function, *, who=False, csv=False, version=False):
        name = function.__name__.rstrip("_")
        v = verbs.add_parser(name, help=function.__doc__, description=function.__doc__)
        v.set_defaults(run=function)
        v.add_argument(
            "-b", "--bench", help="bench folder; else $ASSAY_BENCH, else the current folder"
        )
        v.add_argument("--json", action="store_true", help="print the same as data")
        if who:
            v.add_argument(
                "--who",
                default=getpass.getuser(),
                help="who decides; recorded in the log (default: %(default)s)",
            )
        if version:
            v.add_argument(
                "--version",
                default="HEAD",
                help="v1, HEAD, 'v1 - flagged', 'v1 ~ random(312)', 'half(v1)', 'part(v1, 20000)' (default: HEAD)",
            )
        if csv:
            v.add_argument(
                "--csv",
                metavar="FILE",
                help="write the rows to FILE; what a spreadsheet would run gets a ' before it, which `edit` drops",
            )
        return v

    v = verb(demo)
    v.add_argument(
        "folder", nargs="?", default="demo", help="where bench and report go (default: demo)"
    )
    v = verb(import_, who=True)
    v.add_argument("source")
    v.add_argument(
        "--as",
        dest="as_",
        metavar="NAME",
        help="name of the source (default: its file or folder name)",
    )
    for column in ("image", "label", "split", "id", "group"):
        v.add_argument(f"--{column}-column", metavar="NAME")
    v.add_argument(
        "--images",
        metavar="FOLDER",
        help="an exported manifest: find its images here by their bytes, whatever they are called",
    )
    v.add_argument(
        "--split-map",
        metavar="NAME=SPLIT,...",
        help="what other split names mean, such as label_book=pool",
    )
    v.add_argument(
        "--skip-bad",
        action="store_true",
        help="leave bad rows out, and list them in `assay status --json`",
    )
    v.add_argument(
        "--audited-test", action="store_true", help="declare the test labels verified, by --who"
    )
    v.add_argument(
        "--refreeze-test", action="store_true", help="let this import change the frozen test split"
    )
    v.add_argument(
        "--group",
        action="store_true",
        help="your group may read and write the bench, too (default: you alone, whatever the umask)",
    )
    v.add_argument("--yes", action="store_true", help="really remove over a tenth of the source")
    v = verb(scan)
    effort = "1 the probe; 2 adds a trained network of 3 folds; 3 one of 5 folds by 3 seeds, in 6 times the time (default: 1)"
    v.add_argument("--effort", type=int, choices=(1, 2, 3), default=1, help=effort)
    v.add_argument(
        "--embedder",
        default="lite0",
        help="lite0, pixels (tiny images) or package.module:function (default: lite0)",
    )
    files = "npy, npz, CSV, Parquet or Feather; rows by a column of ids, keys or paths, else in the bench's own order"
    v.add_argument(
        "--pred-probs",
        metavar="FILE",
        help=f"your model's probabilities, a column for each class, by name ({files})",
    )
    v.add_argument("--embeddings", metavar="FILE", help=f"your model's embeddings ({files})")
    v.add_argument(
        "--out-of-sample",
        choices=("yes", "no"),
        help="are --pred-probs from models that did not see the sample?",
    )
    add_patience(v)
    v.add_argument(
        "--keep-leakage",
        action="store_true",
        help="do not hold out samples that equal a val, test or guard sample",
    )
    v.add_argument(
        "--yes",
        action="store_true",
        help="hold them out even where that takes most of a class, of train or of val",
    )
    verb(status, version=True)
    v = verb(queue, who=True, csv=True, version=True)
    v.add_argument("-n", type=int, default=200, help="suspects (default: %(default)s)")
    v.add_argument(
        "--random",
        type=float,
        default=0.05,
        help="share of uniformly drawn samples beside them (default: %(default)s)",
    )
    v.add_argument(
        "--again",
        type=float,
        default=0.0,
        help="share of samples that others have decided and you have not (default: %(default)s)",
    )
    v = verb(edit, who=True)
    v.add_argument("file")
    v.add_argument("--why", default="")
    v.add_argument(
        "--to",
        choices=("train", "val"),
        help="samples of the pool that FILE gives a label move there",
    )
    v.add_argument(
        "--new-class",
        action="append",
        default=[],
        metavar="NAME",
        help="a class that is new on purpose",
    )
    for room in (
        issues,
        log,
        audit,
        maintenance,
        experiments,
        gaps,
        selection,
        map,
        gates,
        app,
        fiftyone,
    ):
        room.add(verb)
    v = verb(export, version=True)
    v.add_argument("-o", "--output", required=True)
    v.add_argument("--format", choices=("manifest", "folders", "source"), default="manifest")
    v.add_argument(
        "--copy",
        action="store_true",
        help="take the images along, so that the folder can go anywhere; else they are named or linked",
    )
    return p


def main(arguments=None):
    a = parser().parse_args(arguments)
    try:
        for option, value in vars(a).items():
            for text in value if isinstance(value, list) else [value]:
                if isinstance(text, str):
                    check(
                        text,
                        f"--{option.strip('_').replace('_', '-')}",
                        NAME if option in ("who", "by", "as_", "name", "new_class") else TEXT,
                    )
        return a.run(a) or 0
    except UserError as e:
        print(printable(str(e)), file=sys.stderr)
        return 2
    except OSError as e:
        if e.errno not in PATH_FAULTS or e.filename is None:
            raise
        found = f"{str(e.filename)[:80]}{'...' * (len(str(e.filename)) > 80)}: {e.strerror}"
        print(
            printable(
                str(
                    UserError(
                        f"expected a file or folder that can be used, found {found}",
                        "give another path",
                    )
                )
            ),
            file=sys.stderr,
        )
        return 2
    except RecursionError:
        print(
            UserError(
                "expected input of a few levels, found it nested too deeply to read", "flatten it"
            ),
            file=sys.stderr,
        )
        return 2
    except KeyboardInterrupt:
        print(STOPPED, file=sys.stderr)
        return 130
