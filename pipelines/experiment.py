"""Data versions x architectures x seeds: a plan, the cells that it asks for, and the training of those that are missing."""

import json
import time
import tomllib
from hashlib import blake2b, sha256
from pathlib import Path

import numpy as np

from curation import suspects, versions
from curation.arrays import Shards, load, save
from curation.errors import UserError
from curation.leftovers import at_work
from curation.store import now

RECIPE = 1  # raise it by hand when training changes what it means: old runs are then trained again
KEYS = dict(question=str, versions=list, architectures=list, seeds=(int, list), control=str, ceiling=str, margin=(int, float), epochs=int)


def read_plan(path):
    """A plan from TOML, checked: question, versions, architectures, seeds, and where given control, ceiling, margin (points), epochs."""
    try:
        plan = tomllib.loads(Path(path).read_text())
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as e:
        raise UserError(f"expected a plan in TOML, found {path}: {e}", 'the least: versions = ["v1", "v2"]') from None
    plan = dict(question="Did the change of labels help?", architectures=["probe", "mlp"], seeds=5, margin=0.5) | plan
    unknown = [k for k in plan if k not in KEYS]
    wrong = [k for k, kind in KEYS.items() if k in plan and not isinstance(plan[k], kind)]
    if unknown or wrong or not plan.get("versions"):
        raise UserError(
            f"expected versions = [...] and only known keys of the right type in {path}, found {', '.join(unknown + wrong) or 'no versions'}",
            f"keys: {', '.join(KEYS)}",
        )
    unknown = [a for a in plan["architectures"] if a not in ("probe", "mlp", "cnn", "finetune") and ":" not in str(a)]
    if unknown or not plan["architectures"]:
        raise UserError(
            f"expected architectures, found {unknown or 'none'}", "there are probe, mlp, cnn, finetune and package.module:function"
        )
    plan["seeds"] = list(range(plan["seeds"])) if isinstance(plan["seeds"], int) else [int(s) for s in plan["seeds"]]
    if not plan["seeds"] or len(set(plan["seeds"])) < len(plan["seeds"]):
        raise UserError(f"expected one seed or more, each once, found {plan['seeds']}", "for example seeds = 5")
    return plan


def rows_of(plan):
    """The versions of a plan in order: those asked for, then the random control and the ceiling where named."""
    return list(dict.fromkeys([*plan["versions"], *(plan[k] for k in ("control", "ceiling") if plan.get(k))]))


def training_set(bench, version):
    """(kept, labelled train samples of a version sorted by id, its train_tree)."""
    frame = bench.frame(version, "train")
    frame = frame[frame.label.notna()].sort_index()
    return frame, versions.tree(frame)


def code_hash():
    """Hash of the code that trains: a report whose cells differ in it says so."""
    here = Path(__file__).parent
    files = [here / "train.py", here / "embed.py", here.parent / "curation" / "probe.py"]
    return sha256(b"".join(f.read_bytes() for f in files)).hexdigest()[:12]


def bootstrap(frame, names, seed):
    """Row numbers of a grouped bootstrap: each group of copies is drawn Poisson(1) times, by its name and the seed alone, so that every
    architecture and every version draws the same."""
    from scipy.stats import poisson

    lots = {g: int.from_bytes(blake2b(f"{seed}:{g}".encode(), digest_size=7).digest()) / 2**56 for g in set(names)}
    times = dict(zip(lots, poisson.ppf(np.array(list(lots.values())), 1).astype(int)))
    rows = np.repeat(np.arange(len(frame)), [times[g] for g in names])
    return rows if len(rows) else np.arange(len(frame))


def run_key(train_tree, arch, seed, config):
    return sha256(json.dumps([train_tree, arch, seed, config, RECIPE], sort_keys=True).encode()).hexdigest()[:32]


def cells(bench, plan):
    """One dict for each run that the plan asks for: version, arch, seed, config, key, and whether it is there already."""
    embedding = suspects.settings(bench)["folder"]
    config = dict(embedding=embedding, epochs=plan.get("epochs"))
    there = {k for (k,) in bench.rows("select key from runs")}
    state = bench.state()
    ids = judged_ids(state)
    out = []
    for version in rows_of(plan):
        frame, tree = training_set(bench, version)
        if frame.label.nunique() < 2:
            raise UserError(
                f"expected two classes or more to train on in {version}, found {frame.label.nunique()}", "choose another version"
            )
        for arch in plan["architectures"]:
            for seed in plan["seeds"]:
                key = run_key(tree, arch, seed, config)
                done = key in there and covers(bench, key, ids)
                out.append(dict(version=version, arch=arch, seed=seed, config=config, key=key, train_tree=tree, done=done))
    return out


def judged_ids(state):
    """Samples that every run predicts, never trains on: kept val and test, sorted."""
    return sorted(state.index[state.keep & state.split.isin(("val", "test"))])


def covers(bench, key, ids):
    """Has the run predicted all of `ids`? A test split frozen anew has samples that an old run never saw; arrays can be lost or damaged."""
    try:
        kept = load(predictions(bench, key))
    except UserError:
        return False
    return kept is not None and bool(np.isin(np.asarray(ids, "S32"), kept["ids"]).all())


def predictions(bench, key):
    """Where a run keeps what it predicted: probs (m, k), ids (m,) sorted, classes as JSON."""
    return bench.arrays / "runs" / f"{key}.npz"


@at_work
def run(bench, plan, say=print, progress=None):
    """Train every missing cell, one after another; each is stored when it is done. Returns how many were trained."""
    todo = {}
    wanted = cells(bench, plan)
    for cell in wanted:
        if not cell["done"]:
            todo.setdefault(cell["key"], cell)
    say(f"experiment  {len(wanted)} cells, {len(todo)} to train")
    if not todo:
        return 0
    from pipelines import train

    state = bench.state()
    if not (state.keep & (state.split == "test")).any():
        raise UserError("expected a test split to judge on, found none", "import test samples, or import anew so that a split is made")
    graph, at = suspects.nodes(bench, state)
    names = dict(zip(state.index, graph["hashes"][graph["groups"][at]].astype(str)))
    ids = judged_ids(state)
    hashes = state.content_hash
    pixels, vectors = Shards(bench.arrays / "pixels"), Shards(bench.arrays / "embeddings" / wanted[0]["config"]["embedding"])
    code = code_hash()

    def inputs(arch, samples):
        if train.INPUTS.get(arch, "pixels") == "embedding":
            return vectors.rows(hashes[samples])
        from curation.images import Pixels
        from pipelines.scan import side_of

        return Pixels(pixels, hashes[samples], side_of(bench, state))

    for n, cell in enumerate(todo.values()):
        start = time.perf_counter()
        frame, _ = training_set(bench, cell["version"])
        rows = bootstrap(frame, [names[s] for s in frame.index], cell["seed"])
        classes = sorted(set(frame.label))
        samples = frame.index.to_numpy()[rows]
        y = np.searchsorted(classes, frame.label.to_numpy(dtype=str)[rows])
        groups = np.unique([names[s] for s in samples], return_inverse=True)[1]
        x, x_new = inputs(cell["arch"], list(samples)), inputs(cell["arch"], ids)
        try:
            probs = train.fit_predict(cell["arch"], x, y, x_new, len(classes), cell["seed"], groups, cell["config"]["epochs"])
        except RuntimeError as e:  # a diverged run is named, never averaged away; what is finished stays
            if "diverged" not in str(e):
                raise
            raise UserError(
                f"expected {cell['arch']} to train on {cell['version']} with seed {cell['seed']}, found: {e}", "change the plan"
            ) from e
        seconds = time.perf_counter() - start
        said = dict(probs=probs.astype("f4"), ids=np.asarray(ids, "S32"), classes=np.array(json.dumps(classes)))
        save(predictions(bench, cell["key"]), **said)
        with bench.transaction() as con:  # the row comes last: a run that has one is complete
            con.execute(
                "insert or replace into runs values (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                [cell["key"], cell["train_tree"], cell["arch"], cell["seed"], json.dumps(cell["config"]), RECIPE, code, seconds, now()],
            )
        if progress:
            progress(n + 1, len(todo))
    return len(todo)
