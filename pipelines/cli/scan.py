"""The verb scan."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from assay.curation import Bench
from assay.curation.errors import Question, UserError
from assay.pipelines.cli.output import (
    add_engine_options,
    add_patience_option,
    line_printer,
    open_bench,
    print_line,
    print_result,
    progress_bar,
    read_patience,
)
from assay.pipelines.cli.verbs import Verbs

if TYPE_CHECKING:
    import pandas as pd

    from assay.pipelines.indexing.sharding import ShardOptions


def run_scan(args: argparse.Namespace) -> int | None:
    """Scan the samples: embeddings, neighbours, quality, probe, issues.

    A scan that was stopped goes on where it was. One of millions of samples works on shards: on this machine's cores,
    on a cluster (--engine ray), or, by whatever starts processes, a shard each (--shard 3/100 ..., then --merge).
    """
    from assay.pipelines.indexing.draw_map import draw_map
    from assay.pipelines.indexing.own_files import read_own_file
    from assay.pipelines.indexing.own_model import OwnModel
    from assay.pipelines.indexing.scan import ScanOptions, scan
    from assay.pipelines.indexing.sharding import ShardsLeft

    bench, patience, sharding = open_bench(args), read_patience(args), read_sharding(args)
    if args.pred_probs and args.out_of_sample is None:
        raise Question(
            "expected to know whether your probabilities are out of sample, found no word",
            "say --out-of-sample yes or no",
        )
    own = OwnModel(
        probs=read_own_file(args.pred_probs, bench, "probabilities") if args.pred_probs else None,
        vectors=read_own_file(args.embeddings, bench, "embeddings") if args.embeddings else None,
        out_of_sample=args.out_of_sample != "no" if args.pred_probs or args.embeddings else True,
    )
    options = ScanOptions(
        effort=args.effort,
        embedder=args.embedder,
        hold_out=not args.keep_leakage,
        yes=args.yes,
        own=own,
        patience=patience,
        sharding=sharding,
        arrays=args.arrays,
    )
    with progress_bar("scanning") as step:
        try:
            found = scan(bench, options, say=line_printer(args), progress=step)
        except ShardsLeft as e:
            which = args.shard or "none"
            print_line(args, f"shard {which}: done; {e.problem}" if args.shard else e.problem)
            print_result(args, dict(shard=which, left=e.problem), e.hint, schema="scan-shard")
            return 0 if args.shard else 1
    draw_map(bench, line_printer(args))
    print_result(
        args,
        describe_scan(bench, found),
        f"assay queue -n 200 --csv queue.csv -b {bench.given}",
    )
    return None


def read_sharding(args: argparse.Namespace) -> ShardOptions:
    """Read how a scan is cut into shards."""
    from assay.pipelines.indexing.sharding import ShardOptions

    only, shards = None, args.shards
    if args.shard is not None:
        number, _, of = args.shard.partition("/")
        if not (number.isdecimal() and of.isdecimal() and 1 <= int(number) <= int(of)):
            raise UserError(
                f"expected --shard I/N, I from 1 to N, found {args.shard!r}", "for example 3/100"
            )
        if args.merge or args.shards not in (None, int(of)):
            raise UserError(
                f"expected --shard {args.shard} alone, found --merge, or --shards of another number",
                "do all shards, then --merge",
            )
        only, shards = int(number) - 1, int(of)
    return ShardOptions(shards, only, args.merge, args.engine, args.address)


def describe_scan(bench: Bench, found: pd.DataFrame) -> dict:
    """Describe what a scan found, as its lines do.

    found: as `scan` returns it.
    """
    from assay.curation.slicing.gaps import load_last_gaps

    counts = bench.rows(
        "select kind, count(*) as n from issues group by kind order by n desc, kind"
    )
    gaps = load_last_gaps(bench)
    return dict(
        judged=len(found),
        flagged=int(found.flagged.sum()),
        issues=dict(counts),
        gaps=len(gaps),
        first_gap=gaps[0]["gap"] if gaps else None,
        **found.attrs["scan"],
    )


def add(verbs: Verbs) -> None:
    """Add the verb scan."""
    verb = verbs.add("scan", run_scan)
    effort = (
        "0 a linear probe; 1 one on a kernel, from 500 train samples on, and neighbours' votes; "
        "2 looks with a second embedder too, at rows with boosted trees; "
        "3 also trains one of its own"
    )
    verb.add_argument(
        "--effort", type=int, choices=(0, 1, 2, 3), default=1, help=f"{effort} (default: 1)"
    )
    verb.add_argument(
        "--embedder",
        help="for images lite0 (default), lite2 (larger), pixels (tiny images); for texts wordllama (default),"
        " tfidf (words alone), minilm (slower: it reads their order); for rows columns; or package.module:function",
    )
    files = "npy, npz, CSV, Parquet or Feather; rows by a column of ids, keys or paths, else in the bench's own order"
    verb.add_argument(
        "--pred-probs",
        metavar="FILE",
        help=f"your model's probabilities, a column for each class, by name ({files})",
    )
    verb.add_argument("--embeddings", metavar="FILE", help=f"your model's embeddings ({files})")
    verb.add_argument(
        "--out-of-sample",
        choices=("yes", "no"),
        help="are --pred-probs from models that did not see the sample?",
    )
    add_patience_option(verb)
    verb.add_argument(
        "--keep-leakage",
        action="store_true",
        help="do not hold out samples that equal a val, test or guard sample",
    )
    verb.add_argument(
        "--yes",
        action="store_true",
        help="hold them out even where that takes most of a class, of train or of val",
    )
    verb.add_argument(
        "--shards",
        type=int,
        metavar="N",
        help="work on N shards, so many at once as there are cores (default: of more than a million samples, 100,000"
        " each); the result is the same, byte for byte, wherever each was worked on",
    )
    verb.add_argument(
        "--shard",
        metavar="I/N",
        help="do shard I of N alone, of each stage that can be done now, and merge nothing",
    )
    verb.add_argument(
        "--merge",
        action="store_true",
        help="merge the --shards N that are done; exit status 1, and which are not, where some are left",
    )
    verb.add_argument(
        "--arrays",
        metavar="ADDRESS",
        help="keep vectors, pixels and shards in object storage (s3://bucket/prefix, gs://...) too, from now on, and"
        " fetch from there what is missing here; local: on this disk alone again",
    )
    add_engine_options(verb)
