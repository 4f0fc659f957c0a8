"""The command line: one function a verb. `assay VERB` and `python -m pipelines VERB` are the same."""

# ruff: noqa: E402
if __name__ == "__main__":  # before anything is loaded: a Ctrl-C meanwhile is no traceback
    from pipelines.start import entry

    entry()

import argparse
import errno
import getpass
import sys
from contextlib import suppress
from pathlib import Path

import curation
from curation import UserError
from curation.text import NAME, TEXT, check, printable
from pipelines import audit, fifty, findings, gaps, gate, keeping, ledger, mapping, mine, trials, window
from pipelines.audit import noise_words
from pipelines.start import STOPPED
from pipelines.terminal import add_patience, bench_path, cell, done, open_bench, patience_of, progress, say, table, told

# what a path that was given may be at fault for; any other OSError is ours
PATH_FAULTS = {errno.ENAMETOOLONG, errno.ELOOP, errno.ENOTDIR, errno.EISDIR, errno.EACCES, errno.EPERM, errno.EROFS, errno.ENXIO}


def demo(a):
    """real solar cells, reviewed by a simulated expert, with a report"""
    from pipelines.demo import demo

    done(a, *demo(Path(a.folder), say=say(a), progress=progress))


def import_(a):
    """SRC into a new or an existing bench: class folders, split/class folders, a zip, CSV, Parquet, fiftyone:NAME, example:solar-cells"""
    from curation import parcels
    from pipelines.ingest import ingest
    from pipelines.simulate import example

    columns = {k: getattr(a, f"{k}_column") for k in ("image", "label", "split", "id", "group")}
    source = fifty.dataset_source(a.source, a.label_column, split_map(a.split_map)) or a.source
    new = not (bench_path(a) / "assay.duckdb").exists()
    if new and Path(a.source).is_dir() and bench_path(a).resolve() == Path(a.source).resolve():
        raise UserError(f"expected a bench in a folder of its own, found the folder of images {a.source}", "choose another: -b BENCH")
    bench = told(a, curation.create(bench_path(a), a.group))
    try:
        source = example(bench, source)
        with progress("decoding") as step, parcels.opened(bench, source, a.skip_bad) as there:
            out = ingest(
                bench,
                there,
                a.who,
                a.as_,
                columns,
                split_map(a.split_map),
                a.skip_bad,
                a.audited_test,
                a.yes,
                a.refreeze_test,
                step,
                a.images,
            )
    except UserError:
        if new and not len(bench.state()):  # nothing half-made stays, but decoded pixels may, for the next try
            for file in ("assay.duckdb", "assay.duckdb.wal", ".lock"):
                (bench.path / file).unlink(missing_ok=True)
            with suppress(OSError):
                bench.path.rmdir()
        raise
    splits = ", ".join(f"{n:,} {s}" for s, n in out["splits"].items())
    more = "".join(
        f"; {out[k]:,} {word}"
        for k, word in (
            ("removed", "removed"),
            ("moved", "moved"),
            ("returned", "returned"),
            ("relabelled", "relabelled by the source"),
            ("left_alone", "changed in the source but reviewed here, left alone"),
            ("left_out", "left out"),
        )
        if out[k]
    )
    nameless = f"; {out['unlabelled']:,} of them without a label" if out["unlabelled"] else ""
    say(a)(
        f"{out['source']}: {out['added']:,} samples added{more}; the bench holds {out['samples']:,} in {out['classes']} classes ({splits})"
        + nameless
    )
    for note in out["notes"]:
        say(a)(f"note: {note}")
    done(a, out, f"assay scan -b {bench.given}")


def scan(a):
    """embed -> neighbours -> pictures -> probe -> issues; resumable, with progress"""
    from pipelines.own import read_own
    from pipelines.scan import scan

    bench, patience = open_bench(a), patience_of(a)
    own = None
    if a.pred_probs or a.embeddings:
        if a.pred_probs and a.out_of_sample is None:
            raise UserError("expected to know whether your probabilities are out of sample, found no word", "say --out-of-sample yes or no")
        own = [
            a.pred_probs and read_own(a.pred_probs, bench, "probabilities"),
            a.embeddings and read_own(a.embeddings, bench, "embeddings"),
            a.out_of_sample != "no",
        ]
    with progress("scanning") as step:
        found = scan(bench, a.effort, a.embedder, not a.keep_leakage, own=own, say=say(a), progress=step, yes=a.yes, patience=patience)
    mapping.draw(bench, say(a))
    done(a, dict(judged=len(found), flagged=int(found.flagged.sum())), f"assay queue -n 200 --csv queue.csv -b {bench.given}")


def status(a):
    """what is in the bench, what is flagged, what to do next"""
    from curation.history import random_rate

    out, tell = open_bench(a).status(a.version), say(a)
    tell(f"bench    {out['bench']}")
    tell(f"samples  {out['samples']:,} kept, {out['dropped']:,} out: " + ", ".join(f"{n:,} {s}" for s, n in out["splits"].items()))
    tell(
        f"classes  {'without test: ' * bool(out['test'])}"
        + ", ".join(f"{cell(c)} {n:,}" for c, n in list(out["classes"].items())[:12])
        + (" ..." if len(out["classes"]) > 12 else "")
    )
    if out["test"]:
        declared, by_audit = (
            ["declared audited"] * out["test"]["audited"],
            out["audit"]["n"] and f"audited: {noise_words(out['audit'], 'test')}",
        )
        tell(f"test     {out['test']['n']:,} samples, frozen; labels {', '.join([*declared, *filter(None, [by_audit])]) or 'unaudited'}")
    if out["left_out"]:
        tell(
            f"left out {len(out['left_out']):,} rows at import, first {cell(out['left_out'][0]['key'])}: {cell(out['left_out'][0]['reason'])}"
        )
    if out["issues"] is not None:
        tell("issues   " + (", ".join(f"{n:,} {k}" for k, n in out["issues"].items()) or "none"))
    review = out["review"]
    tell(f"reviewed {review['reviewed']:,}, of which {review['wrong']:,} were wrong, {review['unsure']:,} unsure")
    tell(f"random   {random_rate(review)} (wrong in the random stratum)" + left_words(review))
    for row in sorted(out["classes_reviewed"], key=lambda row: -row["looks"])[:12]:
        tell(f"  {cell(row['class'])}: {class_words(row)}")
    if out["network"] and out["network"]["changed"] + out["network"]["new"]:
        tell(f"network  {age_words(out['network'])}; assay scan asks it anew")
    tell(f"version  {out['version'] or 'none yet'}, {out['open_edits']:,} edits since; {out['runs']:,} runs")
    if "advice" in out:
        tell(f"advice   {out['advice']['do']}: {out['advice']['why']}")
    done(a, out, out["next"])


def class_words(row):
    """What the random looks at one class say; row: as queue.by_class."""
    from curation.history import rate

    flags = f"flags right {rate(row['flagged_hits'], row['flagged'])}" if row["flagged"] else "none flagged"
    clean = f"; clean ones flagged {rate(row['clean_flagged'], row['clean'])}" if row["clean"] else ""
    return f"wrong {rate(row['hits'], row['looks'])}; {flags}{clean}"


def age_words(network):
    """How old the second opinion is; network: as standing.second_age."""
    edits = network["changed"] + network["new"]
    return f"its second opinion is {edits:,} edits old: it was trained on {network['trained']:,} labels"


def left_words(review):
    from curation.history import left_words as words

    if review["errors_left"] is None:
        return "; errors left: not yet known, 30 random looks are the least"
    return f"; errors left among {left_among(review):,} labels {'nobody reviewed' if not review['unsure'] else 'nobody is sure of'}: {words(review)}"


def left_among(review):
    """How many labels may still be wrong unseen: those that nobody reviewed, or was unsure of."""
    return review["population"] - review["reviewed"] + review["unsure"]


def queue(a):
    """what to look at next, worst first, with a random stratum mixed in"""
    bench = open_bench(a)
    rows = bench.queue(a.n, a.random, a.version, a.again, a.who)
    if a.csv:
        rows = rows.assign(label="", verdict="", keep="", why="")  # to be filled in
        then = f"fill in label (or verdict: confirm, unsure; keep: false), then: assay edit {a.csv} --who {a.who} -b {bench.given}"
    else:
        then = f"assay queue -n {a.n} --csv queue.csv -b {bench.given} writes a table to fill in"
    table(
        a,
        rows,
        ["given_label", "suggested_label", "score", "random", "source_id", "reason"],
        then,
    )


def edit(a):
    """apply decisions from a CSV as one batch: sample,label|keep|split|tag|verdict[,why]"""
    from curation.edits import placed, read_decisions

    bench, rows = open_bench(a), read_decisions(a.file)
    out = bench.edit(placed(rows, bench.state()["split"], a.to) if a.to else rows, a.who, a.why, a.new_class)
    if out["batch"] is None:
        say(a)("no row decides anything: the bench stays as it was")
        return done(a, out, "fill in the columns label, keep, split, tag or verdict")
    say(a)(
        f"{out['batch']}: {out['edits']:,} edits on {out['samples']:,} samples by {a.who}"
        f" ({out['confirmed']:,} confirmations, {out['unsure']:,} unsure); {scored(out)}"
    )
    if out["restated"]:
        say(a)(f"note: {out['restated']:,} confirm the label on their sheet, which somebody had changed since: it stands again")
    done(a, out, f"assay queue -n 200 --csv queue.csv -b {bench.given}, or assay commit -m '...' -b {bench.given}")


def scored(out):
    if isinstance(out["rescored"], str):
        return f"the queue could not be re-scored: {out['rescored']}"
    return "the queue is re-scored" if out["rescored"] else "no scan yet, so no queue to re-score"


def export(a):
    """a version as manifest, class folders, or in its source's layout"""
    from curation.export import export

    bench = open_bench(a)
    out = export(bench, a.output, a.version, a.format, a.copy)
    say(a)(f"{out['samples']:,} samples of {out['version']} in {out['folder']} ({out['format']}), tree {out['tree']}")
    there = f"assay import {out['folder']}/manifest.csv -b OTHER{'' if a.copy else ' (elsewhere: --images FOLDER)'} reproduces the tree"
    done(a, out, there if a.format == "manifest" else "train on it")


def split_map(text):
    try:
        return dict(pair.split("=") for pair in text.split(",")) if text else {}
    except ValueError:
        raise UserError(f"expected --split-map NAME=SPLIT,..., found {text!r}", "for example --split-map label_book=pool") from None


def parser():
    p = argparse.ArgumentParser(
        prog="assay", description="Find what is wrong in a labelled image set, fix it, and prove what the fix was worth."
    )
    verbs = p.add_subparsers(dest="verb", required=True, metavar="VERB")

    def verb(function, *, who=False, csv=False, version=False):
        name = function.__name__.rstrip("_")
        v = verbs.add_parser(name, help=function.__doc__, description=function.__doc__)
        v.set_defaults(run=function)
        v.add_argument("-b", "--bench", help="bench folder; else $ASSAY_BENCH, else the current folder")
        v.add_argument("--json", action="store_true", help="print the same as data")
        if who:
            v.add_argument("--who", default=getpass.getuser(), help="who decides; recorded in the log (default: %(default)s)")
        if version:
            v.add_argument(
                "--version",
                default="HEAD",
                help="v1, HEAD, 'v1 - flagged', 'v1 ~ random(312)', 'half(v1)', 'part(v1, 20000)' (default: HEAD)",
            )
        if csv:
            v.add_argument(
                "--csv", metavar="FILE", help="write the rows to FILE; what a spreadsheet would run gets a ' before it, which `edit` drops"
            )
        return v

    v = verb(demo)
    v.add_argument("folder", nargs="?", default="demo", help="where bench and report go (default: demo)")
    v = verb(import_, who=True)
    v.add_argument("source")
    v.add_argument("--as", dest="as_", metavar="NAME", help="name of the source (default: its file or folder name)")
    for column in ("image", "label", "split", "id", "group"):
        v.add_argument(f"--{column}-column", metavar="NAME")
    v.add_argument("--images", metavar="FOLDER", help="an exported manifest: find its images here by their bytes, whatever they are called")
    v.add_argument("--split-map", metavar="NAME=SPLIT,...", help="what other split names mean, such as label_book=pool")
    v.add_argument("--skip-bad", action="store_true", help="leave bad rows out, and list them in `assay status --json`")
    v.add_argument("--audited-test", action="store_true", help="declare the test labels verified, by --who")
    v.add_argument("--refreeze-test", action="store_true", help="let this import change the frozen test split")
    v.add_argument("--group", action="store_true", help="your group may read and write the bench, too (default: you alone, whatever the umask)")
    v.add_argument("--yes", action="store_true", help="really remove over a tenth of the source")
    v = verb(scan)
    effort = "1 the probe; 2 adds a trained network of 3 folds; 3 one of 5 folds by 3 seeds, in 6 times the time (default: 1)"
    v.add_argument("--effort", type=int, choices=(1, 2, 3), default=1, help=effort)
    v.add_argument("--embedder", default="lite0", help="lite0, pixels (tiny images) or package.module:function (default: lite0)")
    files = "npy, npz, CSV, Parquet or Feather; rows by a column of ids, keys or paths, else in the bench's own order"
    v.add_argument("--pred-probs", metavar="FILE", help=f"your model's probabilities, a column for each class, by name ({files})")
    v.add_argument("--embeddings", metavar="FILE", help=f"your model's embeddings ({files})")
    v.add_argument("--out-of-sample", choices=("yes", "no"), help="are --pred-probs from models that did not see the sample?")
    add_patience(v)
    v.add_argument("--keep-leakage", action="store_true", help="do not hold out samples that equal a val, test or guard sample")
    v.add_argument("--yes", action="store_true", help="hold them out even where that takes most of a class, of train or of val")
    verb(status, version=True)
    v = verb(queue, who=True, csv=True, version=True)
    v.add_argument("-n", type=int, default=200, help="suspects (default: %(default)s)")
    v.add_argument("--random", type=float, default=0.05, help="share of uniformly drawn samples beside them (default: %(default)s)")
    v.add_argument(
        "--again", type=float, default=0.0, help="share of samples that others have decided and you have not (default: %(default)s)"
    )
    v = verb(edit, who=True)
    v.add_argument("file")
    v.add_argument("--why", default="")
    v.add_argument("--to", choices=("train", "val"), help="samples of the pool that FILE gives a label move there")
    v.add_argument("--new-class", action="append", default=[], metavar="NAME", help="a class that is new on purpose")
    for room in (findings, ledger, audit, keeping, trials, gaps, mine, mapping, gate, window, fifty):
        room.add(verb)
    v = verb(export, version=True)
    v.add_argument("-o", "--output", required=True)
    v.add_argument("--format", choices=("manifest", "folders", "source"), default="manifest")
    v.add_argument(
        "--copy", action="store_true", help="take the images along, so that the folder can go anywhere; else they are named or linked"
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
        print(printable(str(UserError(f"expected a file or folder that can be used, found {found}", "give another path"))), file=sys.stderr)
        return 2
    except RecursionError:
        print(UserError("expected input of a few levels, found it nested too deeply to read", "flatten it"), file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(STOPPED, file=sys.stderr)
        return 130
