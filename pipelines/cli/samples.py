"""The verb samples: find samples by a condition, words or likeness."""

from __future__ import annotations

import argparse
import shlex
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from assay.curation import Bench
from assay.curation.errors import UserError
from assay.curation.text import format_count
from assay.pipelines.cli.output import (
    draw_table,
    open_bench,
    print_line,
    print_result,
    save_table,
    to_json_rows,
)
from assay.pipelines.cli.verbs import Verbs

if TYPE_CHECKING:
    import pandas as pd

    from assay.curation.filtering.facets import Facet

QUESTION = ("where", "sort", "search", "words")


def list_samples(args: argparse.Namespace) -> None:
    """Find samples by a condition, words or likeness, sorted.

    Without an option all are listed. --columns says what a condition can ask for. Test and guard
    samples show no label, score or issue here.
    """
    from assay.curation.filtering.likeness import add_words
    from assay.pipelines.embedders.picture import embed_picture
    from assay.pipelines.embedders.text import find_text_embedder

    bench = open_bench(args)
    if args.columns:
        return list_columns(args, bench)
    asked = read_question(args, bench)
    words = asked.pop("words")
    if args.count:
        return count_values(args, bench, asked)
    show = args.show.split(",") if args.show else None
    bench.embed_picture = partial(embed_picture, bench)
    named = [read_like(bench, word) for word in args.like or ()]
    like = add_words(named, words, find_text_embedder(args.text_embedder))
    rows = bench.samples(**asked, limit=args.limit, like=like, columns=show)
    print_notes(args, rows.attrs["notes"])
    if args.csv:
        save_table(args, rows.map(join_list))
    elif not args.json:
        draw_table(rows, [name for name in rows if show or name not in ("sample", "decision")])
    print_line(args, describe_found(rows))
    out = None
    if args.json:
        found = {name: rows.attrs[name] for name in ("found", "locked", "notes")}
        out = found | dict(rows=to_json_rows(rows))
    print_result(args, out, suggest_next(bench, asked))


def read_like(bench: Bench, word: str) -> str | Path:
    """Read what --like names: a sample, or else a picture's file."""
    is_sample = bool(
        bench.rows("select 1 from samples where id = ? or key = ? limit 1", [word, word])
    )
    return word if is_sample or not Path(word).expanduser().is_file() else Path(word)


def list_columns(args: argparse.Namespace, bench: Bench) -> None:
    """List the columns that a condition may ask for."""
    import pandas as pd

    columns = bench.sample_table().columns.values()
    rows = pd.DataFrame(
        [(c.name, c.kind, c.hidden_for_test, c.says) for c in columns],
        columns=["column", "kind", "hidden_for_test", "says"],
    )
    if args.csv:
        save_table(args, rows)
    elif not args.json:
        draw_table(rows, list(rows), most=None)
    then = f"assay samples --where \"split = 'train' and score < 0.2\" -b {bench.given}"
    print_result(args, to_json_rows(rows) if args.json else None, then, schema="samples-columns")


def count_values(args: argparse.Namespace, bench: Bench, asked: dict[str, str]) -> None:
    """Count the values of some columns among what is found."""
    if args.csv or args.like or args.words or args.sort:
        raise UserError(
            "expected --count with --where and --search alone, found --csv, --like, --like-words or --sort beside it",
            "leave them out: --json gives the counts as data",
        )
    table, names = bench.sample_table(), args.count.split(",")
    facets = table.facets(asked["where"], names, asked["search"])
    print_notes(args, table.check(asked["where"], names=names))
    for facet in facets:
        print_line(args, describe_facet(facet))
    rows = [vars(facet) | dict(values=[list(pair) for pair in facet.values]) for facet in facets]
    then = suggest_next(bench, asked)
    print_result(args, rows if args.json else None, then, schema="samples-count")


def read_question(args: argparse.Namespace, bench: Bench) -> dict[str, str]:
    """Read what is asked for: the options, or a saved view."""
    given = {name: getattr(args, name, "") for name in QUESTION}
    if not args.view:
        return given
    from assay.curation.filtering.views import find_view

    view = find_view(bench, args.view)
    if twice := [name for name in QUESTION if given[name] and view[name]]:
        raise UserError(
            f"expected --view {args.view} alone, found {OPTIONS[twice[0]]}, which the view has, too",
            "leave out one of them",
        )
    return {name: given[name] or view[name] for name in QUESTION}


OPTIONS = {name: f"--{name}" for name in QUESTION} | dict(words="--like-words")


def print_notes(args: argparse.Namespace, notes: list[str]) -> None:
    """Print what may surprise in a question."""
    for note in notes:
        print_line(args, f"note: {note}")


def describe_found(rows: pd.DataFrame) -> str:
    """Describe how many samples were found, and how many are shown."""
    found, locked = rows.attrs["found"], rows.attrs["locked"]
    line = format_count(found, "sample")
    if len(rows) < found:
        line += f", of which the first {len(rows):,}"
    if locked:
        line += f"; {locked:,} of test or guard, shown without label, score and issues"
    return line


def describe_facet(facet: Facet) -> str:
    """Describe the counts of a column on one line."""
    parts = [f"{value} {count:,}" for value, count in facet.values[:20]]
    ends = zip(facet.edges, facet.edges[1:], facet.counts)
    parts += [f"{low:.3g} to {high:.3g}: {count:,}" for low, high, count in ends if count]
    if rest := facet.more + max(0, len(facet.values) - 20):
        parts.append(f"{rest:,} more")
    if facet.missing:
        parts.append(f"without {facet.missing:,}")
    if facet.locked:
        parts.append(f"not counted {facet.locked:,} of test or guard")
    return f"{facet.name}: {', '.join(parts) or 'nothing'}"


def suggest_next(bench: Bench, asked: dict[str, str]) -> str:
    """Suggest what to do with what was found."""
    if not asked["where"]:
        return f"assay samples --columns -b {bench.given} lists what can be asked for"
    return f"assay queue --where {shlex.quote(asked['where'])} --csv queue.csv -b {bench.given}"


def join_list(value: object) -> object:
    """Write a list in one cell of a CSV."""
    return ", ".join(value) if isinstance(value, tuple) else value


def add(verbs: Verbs) -> None:
    """Add the verb samples."""
    verb = verbs.add("samples", list_samples, csv=True)
    add_question_options(verb)
    add_like_words(verb)
    verb.add_argument(
        "--like",
        nargs="+",
        metavar="SAMPLE",
        help="ids, keys or files of pictures: the likest come first, and there is a column similarity",
    )
    add_text_embedder(verb)
    verb.add_argument("--view", metavar="NAME", help="what a saved view asks for (assay views)")
    verb.add_argument("--limit", type=int, metavar="N", help="the first N of them (default: all)")
    verb.add_argument(
        "--show", metavar="COLUMNS", help="columns that are printed, as in key,label,score"
    )
    verb.add_argument(
        "--count", metavar="COLUMNS", help="count the values of these columns instead"
    )
    verb.add_argument(
        "--columns", action="store_true", help="list the columns that can be asked for instead"
    )


def add_question_options(verb: argparse.ArgumentParser) -> None:
    """Add what asks for samples: --where, --sort, --search."""
    verb.add_argument(
        "--where",
        default="",
        metavar="CONDITION",
        help="what follows WHERE in SQL, as in \"label = 'cat' and score < 0.2\" (default: all)",
    )
    verb.add_argument(
        "--sort",
        default="",
        metavar="KEYS",
        help='columns to sort by, as in "score desc, key" (default: as they were imported)',
    )
    verb.add_argument(
        "--search",
        default="",
        metavar="WORDS",
        help="words that key or metadata hold, without regard to capitals and accents (default: any)",
    )


def add_like_words(verb: argparse.ArgumentParser) -> None:
    """Add what ranks by words: --like-words."""
    verb.add_argument(
        "--like-words",
        dest="words",
        default="",
        metavar="WORDS",
        help='what the pictures show, as in "a red car": the best come first (takes a --text-embedder)',
    )


def add_text_embedder(verb: argparse.ArgumentParser) -> None:
    """Add what reads words: --text-embedder."""
    verb.add_argument(
        "--text-embedder",
        metavar="FUNCTION",
        help="the text half of the image-text model of the last scan, package.module:function: "
        "it takes a list of texts and returns vectors (n, d)",
    )
