"""The experiment of docs/explanation/what-reviewing-is-worth.md: what reviews, automatic fixes and architectures are worth on CIFAR-10N, against the true labels of the test set.

    python -m tests.benchmarks.gain FOLDER [aggre] [rand1] [worst]      a bench for each label set, reviewed by simulation, then all trainings: hours
    python -m tests.benchmarks.gain FOLDER [aggre] [rand1] [worst] --short      probe and mlp, reviewers who never err, five seeds
    python -m tests.benchmarks.gain FOLDER --table                      what the finished plans say, as tables for the docs

Resumable: what is there is not done again. Part of `make bench-long`."""

import json
import os
import shutil
import sys
import time
from functools import partial
from pathlib import Path

import pandas as pd

import assay
from assay.curation.errors import UserError
from assay.curation.formats.base import ImportOptions
from assay.curation.label_quality import live
from assay.curation.statistics import sampling, wording
from assay.pipelines.evaluation import compare
from assay.pipelines.experiments import run
from assay.pipelines.experiments.cells import list_cells
from assay.pipelines.experiments.plan import read_plan
from assay.pipelines.indexing.ingest import ingest
from assay.pipelines.indexing.scan import scan
from assay.pipelines.simulation import reviewer
from tests.benchmarks.tools import clock, need

SETS = ("aggre", "rand1", "worst")
ERRORS = (0, 5, 15)  # % of a reviewer's answers that are wrong
ACCEPT = 0.10  # share of wrong suggestions that a reviewer who errs accepts; one who never errs accepts none
REVIEWS = (5_000, 15_000)  # suspects in queue order
SHARE = 0.05  # random stratum beside them, the product's default
WHO = "simulated reviewer"


def build(folder, name, errors=ERRORS):
    """The bench of one label set with every version of the experiment; what is there already stays."""
    bench = assay.create(folder / name)
    if not len(bench.state()):
        share(bench, [folder / other for other in SETS if other != name])
        with clock(f"{name}: import 60,000 images"):
            ingest(
                bench,
                need("cifar10n.parquet"),
                "benchmark",
                ImportOptions(columns=dict(label=name), audited_test=True),
            )
    if "v1" not in names(bench):
        with clock(f"{name}: scan at effort 1"):
            scan(bench, say=lambda line: print("   ", line, flush=True))
    while bench.state().reviewed.any():  # killed between a commit and its undo
        bench.undo(who=WHO)
    truth = truth_of(bench)
    if not {v for v, *_ in reviews(errors)} <= names(bench):
        for n in REVIEWS:
            rows = dict(queue=bench.queue(n, SHARE, "v1"))
            rows["random"] = at_random(bench, len(rows["queue"]))
            for version, order, m, e in reviews(errors):
                if m == n:
                    asked = reviewer.fallible_decisions(
                        rows[order], truth, e / 100, ACCEPT if e else 0
                    )
                    rehearse(
                        bench,
                        version,
                        partial(
                            reviewer.apply_decisions,
                            bench,
                            rows[order],
                            asked,
                            f"{WHO}, {e} % wrong",
                        ),
                    )
    state = bench.state()
    wrong = state[state["split"].isin(("train", "val")) & (state.label != truth)].index
    rehearse(bench, "clean", partial(bench.edit, reviewer.true_decisions(wrong, truth), WHO))
    return bench


def share(bench, others):
    """Hard links to what another label set's bench knows of the same images: nothing writes into these files, they are only replaced."""
    for other in others:
        if (other / "arrays" / "graph.npz").exists():
            for part in ("pixels", "embeddings"):
                shutil.copytree(
                    other / "arrays" / part,
                    bench.arrays / part,
                    copy_function=link,
                    dirs_exist_ok=True,
                )
            return link(other / "arrays" / "graph.npz", bench.arrays / "graph.npz")


def link(source, target):
    if not os.path.exists(target):  # killed here before
        os.link(source, target)


def reviews(errors=ERRORS):
    """(version, order, suspects, error rate) of every simulated review."""
    return [
        (f"{order}-{e}-{n}", order, n, e)
        for n in REVIEWS
        for e in errors
        for order in ("queue", "random")
    ]


def at_random(bench, n):
    """As many rows as a queue has, drawn in the bench's own random order, with what the model says of each."""
    state, found = bench.state("v1"), live.label_scores(bench, "v1")
    drawn = sampling.random_order(state)[:n]
    said = found.reindex(drawn)
    rows = dict(
        sample=drawn,
        given_label=state.label[drawn].to_numpy(),
        suggested_label=said.suggestion.to_numpy(object),
    )
    return pd.DataFrame(
        rows | dict(score=said.score.to_numpy(), rank=None, reason="drawn at random", random=True)
    )


def rehearse(bench, version, edit):
    """Apply, commit and undo, so that every version starts from v1 and the log shows it."""
    if version not in names(bench):
        start = time.perf_counter()
        edit(f"for comparison: {version}")
        bench.commit(f"for comparison: {version}", WHO, version)
        bench.undo(who=WHO)
        print(f"    {version}: {time.perf_counter() - start:.1f} s", flush=True)


def names(bench):
    return set(bench.commits().name)


def truth_of(bench):
    return bench.state("v1").meta.map(lambda m: json.loads(m)["true_label"])


def told(bench):
    """What every review did, a row each: samples decided, of them wrong before and after; label noise of train and val then; true errors found
    (% of all), wrong suggestions accepted of those shown, right labels spoilt, hours."""
    truth, v1 = truth_of(bench), bench.state("v1")
    labelled = v1.index[v1["split"].isin(("train", "val")) & v1.keep]
    before = v1.label[labelled] != truth[labelled]
    out = [dict(version="v1", noise=f"{before.mean():.2%}")]
    for version in [v for v, *_ in reviews() if v in names(bench)]:
        sql = "select sample, value ->> '$' as label, suggested ->> 'suggested_label' as hint, seconds from edits where why = ?"
        rows = bench.query(sql, [f"for comparison: {version}"])
        right, was = truth[rows["sample"]].to_numpy(), v1.label[rows["sample"]].to_numpy()
        label, hint = rows.label.to_numpy(), rows.hint.to_numpy()
        shown = rows.hint.notna().to_numpy() & (hint != right)
        after = bench.state(version).label[labelled] != truth[labelled]
        out.append(
            dict(
                version=version,
                decisions=len(rows),
                met=int((was != right).sum()),  # wrong labels among those looked at
                mended=int(((was != right) & (label == right)).sum()),
                of_all=f"{((was != right) & (label == right)).sum() / before.sum():.1%}",
                spoilt=int(((was == right) & (label != right)).sum()),
                wrong_answers=f"{(label != right).mean():.1%}",
                accepted=f"{(shown & (label == hint)).sum()} of {shown.sum()}",
                noise=f"{after.mean():.2%}",
                hours=round(rows.seconds.sum() / 3600, 1),
            )
        )
    return pd.DataFrame(out, dtype=object).fillna("")


# ---- the plans


def plans(bench, name, errors=ERRORS):
    """{kind: plan} of one label set; the version that the verdict is about stands last."""
    v1 = bench.state("v1")
    n = int((v1["split"][bench.flagged("v1").index] == "train").sum())
    automatic = ["v1 - flagged", f"v1 - random({n})", "v1 ~ flagged", f"v1 ~ random({n})"]
    most = max(REVIEWS)
    best, control = f"queue-0-{most}", f"random-0-{most}"
    simulated = [v for v, *_ in reviews(errors)[::-1] if v not in (best, control)]
    common = dict(
        question=f"CIFAR-10N {name}: what are {most:,} reviews in queue order worth?", margin=0.5
    )
    every = dict(versions=["v1", *automatic, *simulated, best], control=control, ceiling="clean")
    if errors != ERRORS:
        return {"short": common | every | dict(architectures=["probe", "mlp"], seeds=5)}
    out = {"probe-mlp": common | every | dict(architectures=["probe", "mlp"], seeds=10)}
    if name in ("rand1", "worst"):
        cnn = common | dict(architectures=["cnn"], seeds=3)
        first = dict(versions=part("v1", best), control=part(control)[0], ceiling=part("clean")[0])
        erring = dict(
            versions=part(
                "v1",
                *(f"{order}-{e}-{most}" for e in ERRORS[:0:-1] for order in ("random", "queue")),
            )
        )
        out |= {"cnn": cnn | first, "cnn-errors": cnn | erring}
    if name == "worst":
        out["finetune"] = common | dict(
            versions=part("v1", best, n=5_000), architectures=["finetune"], seeds=3
        )
    return out


def part(*versions, n=20_000):
    """Versions cut to n training images, drawn by sample id before any review, which falls on them in proportion."""
    return [f"part({v}, {n})" for v in versions]


def write(plan, path):
    text = "".join(f"{key} = {json.dumps(value)}\n" for key, value in plan.items()).replace(
        '", "', '",\n    "'
    )
    if not path.exists() or path.read_text() != text:
        path.write_text(text)


# ---- what the finished ones say


def table(folder):
    for name in (s for s in SETS if (folder / s).exists()):
        bench = assay.open(folder / name)
        print(f"\n## {name}\n\n{markdown(told(bench))}")
        for path in sorted(folder.glob(f"{name}.*.toml")):
            plan = read_plan(path)
            wanted = list_cells(bench, plan)
            missing = sum(not c["done"] for c in wanted)
            print(
                f"\n### {path.name}: {len(wanted) - missing} of {len(wanted)} cells are trained\n"
            )
            if missing:
                print(f"to go on: assay experiment {path} -b {folder / name}")
                continue
            try:
                show(compare.compare_versions(bench, plan), plan)
            except UserError as e:
                print(e)


def show(data, plan):
    print(f"{data['verdict']}\n")
    gain = {(g["version"], g["arch"]): wording.format_interval(g) for g in data["per_architecture"]}
    rows = {}
    for c in data["matrix"]:
        row = rows.setdefault(c["version"], dict(version=c["version"], n=f"{c['n_train']:,}"))
        row[c["arch"]] = wording.format_points(c["accuracy"]["estimate"], False)
        row[f"{c['arch']} gain"] = gain.get((c["version"], c["arch"]), "")
    print(markdown(pd.DataFrame(rows.values())))
    effects = [
        dict(
            kind=e["kind"],
            effect=e["name"],
            points=wording.format_interval(e),
            p_holm=f"{e['p_holm']:.3f}",
            verdict=e["verdict"],
        )
        for e in data["effects"]
    ]
    print(f"\n{markdown(pd.DataFrame(effects))}")
    hours = sum(c["seconds"] for c in data["matrix"]) / 3600
    print(
        f"\n{data['n_test']:,} test images under their true labels, {len(data['seeds'])} seeds, {hours:.1f} hours of training"
    )


def markdown(frame):
    lines = [frame.columns, ["-"] * len(frame.columns), *frame.itertuples(index=False)]
    return "\n".join(
        f"| {' | '.join(str(cell).replace('points ', '') for cell in line)} |" for line in lines
    )


def main(folder, *asked):
    folder = Path(folder)
    if "--table" in asked:
        return table(folder)
    errors = ERRORS[:1] if "--short" in asked else ERRORS
    for name in [name for name in asked if name in SETS] or SETS:
        with clock(f"{name}: bench and all versions"):
            bench = build(folder, name, errors)
        for kind, plan in plans(bench, name, errors).items():
            write(plan, folder / f"{name}.{kind}.toml")
            run.run_plan(
                bench, read_plan(folder / f"{name}.{kind}.toml"), say=partial(print, flush=True)
            )
    table(folder)


if __name__ == "__main__":
    main(
        *sys.argv[1:]
        or sys.exit(
            "usage: python -m tests.benchmarks.gain FOLDER [aggre|rand1|worst ...] [--table]"
        )
    )
