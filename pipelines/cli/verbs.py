"""The verbs of the command line, to which each group adds."""

from __future__ import annotations

import argparse
import getpass
import inspect
from collections.abc import Callable

VERSIONS = "v1, HEAD, 'v1 - flagged', 'v1 ~ random(312)', 'half(v1)', 'part(v1, 20000)'"


class Verbs:
    """The verbs that there are; `add` adds one, with the options that many share."""

    def __init__(self, parsers: argparse._SubParsersAction):
        self.parsers = parsers
        self.sentences: dict[str, str] = {}  # what each verb does, as --help lists it

    def add(
        self,
        name: str,
        run: Callable[[argparse.Namespace], int | None],
        *,
        who: bool = False,
        csv: bool = False,
        version: bool = False,
    ) -> argparse.ArgumentParser:
        """Add a verb that calls run(args).

        --help lists the first line of its docstring. `run` returns an exit status, None for 0.
        `who`, `csv` and `version` add the option of that name.
        """
        text = inspect.getdoc(run)
        self.sentences[name] = text.splitlines()[0]
        parser = self.parsers.add_parser(name, help=self.sentences[name], description=text)
        parser.set_defaults(run=run)
        parser.add_argument(
            "-b", "--bench", help="bench folder; else $ASSAY_BENCH, else the current folder"
        )
        parser.add_argument(
            "--json", action="store_true", help="print the same as data, errors too"
        )
        parser.add_argument(
            "-q",
            "--quiet",
            action="store_true",
            help="print nothing but errors, and what --json or --markdown asks for",
        )
        if who:
            parser.add_argument(
                "--who",
                default=getpass.getuser(),
                help="who decides; recorded in the log (default: %(default)s)",
            )
        if version:
            parser.add_argument("--version", default="HEAD", help=f"{VERSIONS} (default: HEAD)")
        if csv:
            parser.add_argument(
                "--csv",
                metavar="FILE",
                help="write the rows to FILE; what a spreadsheet would run gets a ' before it, which `edit` drops",
            )
        return parser
