"""The verbs of the log: what was decided, by whom, and how it is put back."""

from pipelines.terminal import done, open_bench, say, table


def undo(a):
    """put back what stood before a batch (by default the last of edits; an import only by its name)"""
    back(a, open_bench(a).undo(a.batch, a.who), "assay redo")


def redo(a):
    """undo the last undo"""
    back(a, open_bench(a).redo(a.who), "assay undo")


def back(a, out, verb):
    alone = f"; {out['left_alone']:,} left alone, edited by others since" if out["left_alone"] else ""
    say(a)(f"{out['batch'] or 'nothing to put back'}: {out['restored']:,} values as they were before {out['undone']}{alone}")
    done(a, out, f"{verb} takes it back, assay log shows it")


def commit(a):
    """name the present state v1, v2, ..."""
    bench = open_bench(a)
    out = bench.commit(a.message, a.who, a.name)
    say(a)(f"{out['name']}: tree {out['tree']}" if out["new"] else f"nothing changed since {out['name']}, tree {out['tree']}")
    done(a, out, f"assay experiment PLAN.toml -b {bench.given}")


def log(a):
    """batches and commits, oldest first"""
    bench = open_bench(a)
    table(
        a,
        bench.log(),
        ["kind", "name", "who", "ts", "samples", "relabelled", "confirmed", "dropped", "why"],
        f"assay undo BATCH -b {bench.given} puts one back",
    )


def add(verb):
    """Register the verbs with the command line."""
    v = verb(undo, who=True)
    v.add_argument("batch", nargs="?")
    verb(redo, who=True)
    v = verb(commit, who=True)
    v.add_argument("-m", "--message", default="")
    v.add_argument("--name", help="a name other than the next v1, v2, ...")
    verb(log, csv=True)
