"""The verb fiftyone: a bench in the real FiftyOne App, what people change there back as one batch, and data sets of the user's own."""

import os
import signal
import socket
import sys
import time
from contextlib import redirect_stdout, suppress

from assay.curation.errors import UserError
from assay.curation.slicing.slices import picked, queried
from assay.curation.versioning import edits
from assay.pipelines.cli.output import done, open_bench, progress, records, say, shown
from assay.pipelines.fiftyone import mongod, samples
from assay.pipelines.fiftyone.dataset import (
    QUIET,
    Pushed,
    connect,
    dataset_of,
    embed,
    folder,
    found_in,
    made,
    push,
    settle,
    write,
)

PORT = 5151  # FiftyOne's own


def fiftyone(a):
    """the bench in the FiftyOne App; --pull brings what was changed there back as edits, --export NAME makes a data set of your own"""
    if sum(map(bool, (a.pull, a.export, a.no_app))) > 1:
        raise UserError(
            "expected one of --pull, --export and --no-app, found several",
            "run one after the other",
        )
    try:
        return pull(a) if a.pull else export(a) if a.export else show(a)
    except Exception as e:
        if type(e).__module__.split(".")[0] != "pymongo":
            raise
        raise UserError(
            f"expected FiftyOne's database to answer, found: {e}",
            "whoever had it open closed it: run it again",
        ) from None


def show(a):
    bench = open_bench(a)
    chosen = asked(bench, a)
    port = free(a.port) if not a.no_app else None
    fo, mine = connect(bench, a.trust)
    dataset = dataset_of(bench, fo)
    url = dataset.info.get("app") if not mine else None
    with progress("pushing"):
        out = push(bench, fo, dataset, chosen)
    say(a)(
        f"FiftyOne holds {out['samples']:,} samples: {out['added']:,} added, {out['updated']:,} updated, {out['removed']:,} removed, "
        f"{out['unchanged']:,} as they were"
    )
    if out["waiting"]:
        say(a)(
            f"note: {out['waiting']:,} samples have changes there that nobody has pulled: left as they are"
        )
    for key, why in out["lost"][:5]:
        say(a)(f"note: {key} {why}: not shown")
    back = f"assay fiftyone --pull --who NAME -b {bench.given}"
    if a.no_app or url:
        return done(
            a,
            out | dict(url=url),
            f"reload {url}; {back}"
            if url
            else f"assay fiftyone -b {bench.given} opens the App; {back}",
        )
    if not mine:
        raise UserError(
            "expected FiftyOne's database free, found another assay fiftyone at work on it",
            "wait for its end",
        )
    look(a, bench, fo, dataset, port, out, back)


def asked(bench, a):
    """The samples that --query finds, or that --samples lists; None for all."""
    if a.samples:
        rows = edits.read_decisions(a.samples)
        if "sample" not in rows:
            raise UserError(
                f"expected a column sample in {a.samples}, found {', '.join(rows.columns[:-1])}",
                "assay queue --csv FILE writes one",
            )
        return queried(bench, {"--samples": list(rows["sample"])})["--samples"]
    return a.query and queried(bench, {"--query": picked(bench, a.query)})["--query"]


def look(a, bench, fo, dataset, port, out, back):
    """The App, until Ctrl-C or a SIGTERM."""
    say(a)("starting the App: about 20 seconds")
    signal.signal(
        signal.SIGTERM, signal.default_int_handler
    )  # who started us as a subprocess ends us as a person would
    try:
        session = launch(fo, dataset, port, say(a))
        url = f"http://127.0.0.1:{port}/datasets/{dataset.name}"
        dataset.info["app"] = url
        dataset.save()
        say(a)(
            f"open {url} (Ctrl-C ends it; {back}, from another terminal or afterwards, brings your changes home)"
        )
        done(a, out | dict(url=url, pid=os.getpid()))
        sys.stdout.flush()
        while mongod.running(folder(bench) / "db"):
            time.sleep(0.5)
        raise UserError(
            "expected FiftyOne's database to run on, found it ended",
            f"{folder(bench) / 'mongod.log'} says why; start again",
        )
    except KeyboardInterrupt:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        dataset.reload()
        dataset.info.pop("app", None)
        dataset.save()
        waiting = len(found_in(bench, dataset, Pushed(bench, dataset)))
        say(a)(f"the App is closed; {waiting:,} changes to be pulled")
        if not a.json:
            done(a, None, back if waiting else f"assay fiftyone -b {bench.given} opens it again")
        with suppress(Exception):
            session.close()


def launch(fo, dataset, port, say, patience=60):
    """FiftyOne's session; where its page is late for FiftyOne's own minute, it is waited for and asked once more."""
    from fiftyone.core.service import ServiceListenTimeout

    for last in (False, True):
        try:
            with open(os.devnull, "w") as nothing, redirect_stdout(nothing):  # its banner
                return fo.launch_app(
                    dataset, remote=True, port=port, address="127.0.0.1", auto=False
                )
        except ServiceListenTimeout:
            if last:
                break
        say("the App was not there after a minute: trying once more")
        until = time.monotonic() + patience
        while not served(port) and time.monotonic() < until:
            time.sleep(0.5)
    raise UserError(
        f"expected FiftyOne's App on port {port} within some minutes, found no answer",
        "end other heavy work and try again, or choose another port: --port N",
    )


def served(port):
    with socket.socket() as s:
        s.settimeout(1)
        return s.connect_ex(("127.0.0.1", port)) == 0


def free(asked):
    """A port that nobody serves: FiftyOne would join a server that runs there, and show somebody else's data."""
    for port in [asked] if asked else range(PORT, PORT + 50):
        with socket.socket() as s, suppress(OSError, OverflowError):
            s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            s.bind(("127.0.0.1", port))
            return port
    raise UserError(
        f"expected a free port, found {asked or PORT} taken",
        "choose another: --port N, or leave it out",
    )


def pull(a):
    """What was changed in FiftyOne as one batch of edits; conflicts and what cannot be are shown."""
    bench = open_bench(a)
    if not (folder(bench) / "pushed.npz").exists():
        raise UserError(
            "expected a bench that was shown in FiftyOne, found one that never was",
            f"run: assay fiftyone -b {bench.given}",
        )
    fo, _ = connect(bench, a.trust)
    dataset = dataset_of(bench, fo)
    pushed = Pushed(bench, dataset)
    found = found_in(bench, dataset, pushed, a.new_class)
    take = found[found.verdict.isin(("apply", "conflict") if a.take == "fiftyone" else ("apply",))]
    rest = found.drop(take.index)
    drops = int((take.field == "keep").sum())
    if drops > len(pushed.frame) / 10 and not a.yes:
        raise UserError(
            f"expected few samples deleted in FiftyOne, found {drops:,} of {len(pushed.frame):,}",
            "if that is meant, pass --yes",
        )
    out = dict(batch=None, edits=0)
    if len(take):
        out = bench.edit(
            samples.decisions(take), a.who, a.why or "changed in FiftyOne", a.new_class
        )
    counts = take.field.value_counts()
    words = ", ".join(
        f"{n:,} {word}"
        for f, word in (
            ("label", "labels"),
            ("keep", "deletions"),
            ("split", "splits"),
            ("tag", "tags"),
        )
        if (n := counts.get(f))
    )
    say(a)(
        f"{out['batch']}: {out['edits']:,} edits by {a.who} ({words})"
        if out["batch"]
        else "nothing to pull: the bench stays as it was"
    )
    if len(found):
        settle(bench, fo, dataset, pushed, take, rest, a.take == "bench")
    if len(rest):
        given_back = a.take == "bench"
        say(a)(
            f"{len(rest):,} not applied{': what the bench says stands in FiftyOne again' if given_back else ''}"
        )
        if not a.json:
            values = [samples.cell(row.field, row.value) for row in rest.itertuples()]
            shown(
                rest.assign(value=values), ["verdict", "sample", "field", "value", "stands", "why"]
            )
    then = (
        "--take fiftyone applies conflicts, --take bench puts back what the bench says; "
        if len(rest) and a.take != "bench"
        else ""
    )
    done(
        a,
        out | dict(applied=records(take), left=records(rest)),
        f"{then}assay fiftyone -b {bench.given} shows the new scores",
    )


# ---- data sets of the user's own


def own():
    """FiftyOne with the user's own database."""
    if not os.environ.get("FIFTYONE_DATABASE_URI"):
        mongod.binary()
    os.environ.update({name: QUIET[name] for name in list(QUIET)[:3]})
    try:
        import fiftyone as fo

        fo.list_datasets()
        return fo
    except Exception as e:  # whatever keeps FiftyOne from its database
        raise UserError(
            f"expected to reach your FiftyOne database, found: {(str(e) or type(e).__name__).splitlines()[0]}",
            mongod.INSTALL,
        ) from None


def export(a):
    """What is kept, or what a query finds, as a new data set in the user's own FiftyOne."""
    bench = open_bench(a)
    frame = samples.rows(
        bench, a.query and queried(bench, {"--query": picked(bench, a.query)})["--query"]
    )
    files, lost = samples.places(bench, frame)
    fo = own()
    if a.export in fo.list_datasets():
        raise UserError(
            f"expected a new name for the data set, found {a.export!r} taken",
            "choose another, or delete that one in FiftyOne",
        )
    dataset = made(fo, a.export)
    try:
        added, _ = write(fo, dataset, frame, files)
        embed(bench, dataset)
    except BaseException:
        dataset.delete()  # nothing half-made stays
        raise
    say(a)(
        f"{added:,} samples in the FiftyOne data set {a.export}"
        + f"; {len(lost):,} images are gone" * bool(lost)
    )
    done(
        a,
        dict(dataset=a.export, samples=added, lost=lost),
        f"fo.load_dataset({a.export!r}), or assay import fiftyone:{a.export} -b OTHER",
    )


def dataset_source(given, field, split_map):
    """fiftyone:NAME, a data set of the user's own, as a source to import, or None where something else is given; `field` holds its labels."""
    prefix, _, name = given.partition(":")
    if prefix != "fiftyone" or os.path.exists(given):
        return None
    fo = own()
    if name not in fo.list_datasets():
        raise UserError(
            f"expected a FiftyOne data set {name!r}, found {', '.join(fo.list_datasets()[:12]) or 'none'}",
            "check its name",
        )
    dataset = fo.load_dataset(name)
    fields = list(dataset.get_field_schema(embedded_doc_type=fo.Classification))
    chosen = field or (
        "ground_truth" if "ground_truth" in fields else fields[0] if len(fields) == 1 else None
    )
    if dataset.media_type not in ("image", None) or chosen not in (*fields, "none"):
        found = (
            f"{dataset.media_type}s"
            if dataset.media_type not in ("image", None)
            else ", ".join(fields) or "none"
        )
        raise UserError(
            f"expected images with one field of classifications in {name!r}, found {found}",
            "--label-column FIELD, or none",
        )
    labels = [None] * len(dataset) if chosen == "none" else dataset.values(f"{chosen}.label")
    told = zip(*dataset.values(["id", "filepath", "tags"]), labels)
    return samples.source(
        name, [dict(id=i, filepath=f, tags=t or [], label=x) for i, f, t, x in told], split_map
    )


def add(verb):
    """Register the verb with the command line."""
    v = verb(fiftyone, who=True)
    v.add_argument(
        "--query",
        metavar="SELECT",
        help="only the samples whose ids a SELECT finds (default: all that are kept; FiftyOne filters)",
    )
    v.add_argument(
        "--samples",
        metavar="FILE",
        help="only the samples in the column sample of a CSV, such as `assay queue --csv` writes",
    )
    v.add_argument(
        "--port", type=int, help=f"of the App (default: the first that is free from {PORT})"
    )
    v.add_argument("--no-app", action="store_true", help="push, and come back")
    v.add_argument(
        "--pull",
        action="store_true",
        help="bring labels, tags, splits and deletions back as one batch of edits",
    )
    v.add_argument("--why", default="", help="the reason, for the log")
    v.add_argument(
        "--take",
        choices=("bench", "fiftyone"),
        help="with --pull: who is right where both changed (default: show them)",
    )
    v.add_argument(
        "--new-class",
        action="append",
        default=[],
        metavar="NAME",
        help="a class that is new on purpose",
    )
    v.add_argument("--yes", action="store_true", help="really drop over a tenth of what was shown")
    v.add_argument(
        "--trust",
        action="store_true",
        help="take FiftyOne's database as it came with the bench: you know who made it",
    )
    v.add_argument("--export", metavar="NAME", help="a new data set in your own FiftyOne instead")
