"""The verbs that keep a bench sound."""

from assay import curation
from assay.pipelines.cli.output import bench_path, cell, done, open_bench, progress, say


def check(a):
    """is the bench what was written? its log, arrays and images; --repair mends what is derived"""
    from assay.curation.maintenance import integrity

    bench = curation.Bench(bench_path(a))  # not opened: a damaged one is what this verb is for
    with progress("checking") as step:
        found = integrity.check(bench, step)
    tell(a, found)
    if a.repair and any(f["repair"] for f in found):
        with progress("repairing") as step:
            found = integrity.repair(bench, found, step)
        say(a)("repaired, and checked again:")
        tell(a, found)
    wrong = [f for f in found if f["kind"] not in integrity.NOTES]
    say(a)(
        f"{len(wrong):,} things are wrong"
        if wrong
        else "sound: log, arrays and images are what was written"
    )
    done(a, dict(sound=not wrong, findings=found), advice(bench, wrong or found))
    return int(bool(wrong))  # the check that was asked for failed


def tell(a, found):
    for f in found:
        say(a)(
            f"{f['kind']:<15} {f['what']}\n{'':<15} {'--repair: ' + f['repair'] if f['repair'] else f['hint']}"
        )


def advice(bench, found):
    if any(f["repair"] for f in found):
        return f"assay check --repair -b {bench.given}"
    return next(
        (f["hint"].removeprefix("run: ") for f in found if f["hint"]),
        f"assay status -b {bench.given}",
    )


def gc(a):
    """delete derived arrays that nothing needs; edits, samples and commits stay"""
    from assay.curation.maintenance.garbage import gc

    bench = open_bench(a)
    out = gc(bench, a.dry_run)
    for why, size in out["freed"].items():
        say(a)(f"{size / 1e6:>9,.1f} MB  {why}")
    say(a)(
        f"{'would free' if a.dry_run else 'freed'} {out['bytes'] / 1e6:,.1f} MB in {out['files']:,} files"
    )
    if out["partly"]:
        say(a)(f"{out['partly']:,} pixel shards hold needed and unneeded images: they stay whole")
    done(a, out, f"assay {'gc' if a.dry_run else 'check'} -b {bench.given}")


def relocate(a):
    """the images have moved to FOLDER: find them there by their bytes, whatever they are called"""
    from assay.curation.media.locations import relocate

    bench = open_bench(a)
    with progress("reading") as step:
        out = relocate(bench, a.folder, step)
    rest = (
        f"; {out['left']:,} are not under {a.folder}, first {cell(out['first'])}"
        if out["left"]
        else ""
    )
    say(a)(
        f"{out['found']:,} of {out['gone']:,} images that had moved are found by their bytes{rest}"
    )
    done(
        a,
        out,
        f"assay relocate ANOTHER -b {bench.given}"
        if out["left"]
        else f"assay status -b {bench.given}",
    )


def restore(a):
    """go back to the last good backup (one is kept at each commit), or to NAME; the file that stood there is kept aside"""
    from assay.curation.storage.backup import restore

    bench = curation.Bench(bench_path(a))
    out = restore(bench, a.name)
    say(a)(
        f"{out['restored']}: the bench is as it was at edit {out['upto']:,}; {out['lost']:,} later edits are not in it"
    )
    if out["aside"]:
        say(a)(f"what stood there is in {out['aside']}")
    done(a, out, f"assay check -b {bench.given}")


def add(verb):
    """Register the verbs with the command line."""
    v = verb(check)
    v.add_argument(
        "--repair",
        action="store_true",
        help="set damaged arrays aside, decode lost pixels again, delete what is left over",
    )
    v = verb(gc)
    v.add_argument("--dry-run", action="store_true", help="only say what would go")
    v = verb(relocate)
    v.add_argument(
        "folder", help="where the images are now: a folder, or a Parquet file that holds them"
    )
    v = verb(restore)
    v.add_argument(
        "name",
        nargs="?",
        metavar="NAME",
        help="a version that has a backup (default: the last that is good)",
    )
