"""`assay import` and `assay export`."""

from contextlib import suppress
from pathlib import Path

from assay import curation
from assay.curation import UserError
from assay.pipelines.cli import fiftyone
from assay.pipelines.cli.output import bench_path, done, open_bench, progress, say, told


def import_(a):
    """SRC into a new or an existing bench: class folders, split/class folders, a zip, CSV, Parquet, fiftyone:NAME, example:solar-cells"""
    from assay.curation.formats import zip_upload
    from assay.pipelines.indexing.ingest import ingest
    from assay.pipelines.simulation.example_data import example

    columns = {k: getattr(a, f"{k}_column") for k in ("image", "label", "split", "id", "group")}
    source = fiftyone.dataset_source(a.source, a.label_column, split_map(a.split_map)) or a.source
    new = not (bench_path(a) / "assay.duckdb").exists()
    if new and Path(a.source).is_dir() and bench_path(a).resolve() == Path(a.source).resolve():
        raise UserError(
            f"expected a bench in a folder of its own, found the folder of images {a.source}",
            "choose another: -b BENCH",
        )
    bench = told(a, curation.create(bench_path(a), a.group))
    try:
        source = example(bench, source)
        with progress("decoding") as step, zip_upload.opened(bench, source, a.skip_bad) as there:
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
        if new and not len(
            bench.state()
        ):  # nothing half-made stays, but decoded pixels may, for the next try
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


def export(a):
    """a version as manifest, class folders, or in its source's layout"""
    from assay.curation.formats.write import export

    bench = open_bench(a)
    out = export(bench, a.output, a.version, a.format, a.copy)
    say(a)(
        f"{out['samples']:,} samples of {out['version']} in {out['folder']} ({out['format']}), tree {out['tree']}"
    )
    there = f"assay import {out['folder']}/manifest.csv -b OTHER{'' if a.copy else ' (elsewhere: --images FOLDER)'} reproduces the tree"
    done(a, out, there if a.format == "manifest" else "train on it")


def split_map(text):
    try:
        return dict(pair.split("=") for pair in text.split(",")) if text else {}
    except ValueError:
        raise UserError(
            f"expected --split-map NAME=SPLIT,..., found {text!r}",
            "for example --split-map label_book=pool",
        ) from None
