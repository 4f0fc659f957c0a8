"""What an experiment asks for: a plan in TOML, the cells of its matrix, and what the missing ones will cost."""

import json
import os
import re
import tomllib
from contextlib import suppress
from difflib import get_close_matches
from hashlib import sha256
from pathlib import Path

import numpy as np

from assay.curation.errors import UserError
from assay.curation.features import scan_settings
from assay.curation.label_quality import live
from assay.curation.predictions import runs
from assay.curation.statistics import sampling
from assay.curation.storage.arrays import load, save
from assay.curation.system import permissions
from assay.curation.versioning import expressions, versions
from assay.pipelines.training.architectures.recipes import canonical

RECIPE = 1  # raise it by hand when training changes what it means: old runs are then trained again
SEEDS = 1000  # more are a slip of the pen
EFFECTS = ("data", "architecture", "interaction")
KEYS = dict(  # what each may be, and an example
    question=(str, '"Did it help?"'),
    versions=(list, '["v1", "v2"]'),
    architectures=(list, '["probe", "mlp"]'),
    seeds=((int, list), "5"),
    test=(str, '"HEAD"'),
    control=(str, '"v1 - random(50)"'),
    ceiling=(str, '"clean"'),
    margin=((int, float), "0.5"),
    effect=((int, float), "0.5"),
    effects=(list, '["data", "architecture"]'),
    epochs=(int, "8"),
    slices=(dict, '{ wide = "select id from samples where width > height" }'),
)
DEFAULTS = dict(
    question="Did the change of labels help?",
    architectures=["probe", "mlp"],
    seeds=5,
    test="HEAD",
    margin=0.5,
)
DEFAULTS["effects"] = list(EFFECTS)
AUTOMATIC = re.compile(r"^(?P<base>.+?)\s*(?P<op>[-~])\s*flagged$")


def read_plan(path):
    """A plan from TOML, checked. versions, the first is what the others are compared with, the last is what is asked about; and where given question,
    architectures, seeds, test (the version whose test labels judge), control, ceiling, margin and effect (points), effects (which of EFFECTS are
    tested and shown: they share Holm's correction), epochs, slices."""
    try:
        plan = tomllib.loads(Path(path).read_text())
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as e:
        raise UserError(
            f"expected a plan in TOML, found {path}: {e}", 'the least: versions = ["v1", "v2"]'
        ) from None
    return check(plan, path)


def check(plan, where="the plan"):
    """The plan with its defaults filled in and its architectures in their one spelling; UserError where it asks for nothing sensible."""
    plan = DEFAULTS | plan
    for key, value in plan.items():
        if key not in KEYS:
            near = "".join(f"; did you mean {k}?" for k in get_close_matches(key, KEYS, 1))
            raise UserError(
                f"expected known keys in {where}, found {key}, which is no key{near}",
                f"keys: {', '.join(KEYS)}",
            )
        kind, example = KEYS[key]
        if not isinstance(value, kind) or isinstance(value, bool):
            found = {str: "text", list: "a list", dict: "a table", bool: "true or false"}.get(
                type(value), "a number"
            )
            raise UserError(
                f"expected {key} in {where} as in {key} = {example}, found {found}: {value}",
                f"write {key} = {example}",
            )
    for key in ("versions", "architectures", "effects"):
        if not plan.get(key):
            raise UserError(
                f"expected {key} in {where}, found no {key}", f"for example {key} = {KEYS[key][1]}"
            )
    if strange := [x for x in plan["effects"] if x not in EFFECTS]:
        raise UserError(
            f"expected effects in {where} out of {', '.join(EFFECTS)}, found {strange[0]!r}",
            "leave it out to test all three",
        )
    plan["architectures"] = [canonical(str(a)) for a in plan["architectures"]]
    for key in ("versions", "architectures", "effects"):
        twice = [x for i, x in enumerate(plan[key]) if x in plan[key][:i] or not isinstance(x, str)]
        if twice:
            raise UserError(
                f"expected each of the {key} once, as text, found {twice[0]!r} twice or of another type",
                "name it once",
            )
    if isinstance(plan["seeds"], int):
        plan["seeds"] = list(range(min(max(plan["seeds"], 0), SEEDS + 1)))
    whole = all(isinstance(s, int) and not isinstance(s, bool) and s >= 0 for s in plan["seeds"])
    if (
        not 0 < len(plan["seeds"]) <= SEEDS
        or not whole
        or len(set(plan["seeds"])) < len(plan["seeds"])
    ):
        found = plan["seeds"] if len(plan["seeds"]) <= 20 else f"{len(plan['seeds']):,} or more"
        raise UserError(
            f"expected 1 to {SEEDS:,} seeds, whole numbers of 0 or more, each once, found {found}",
            "for example seeds = 5",
        )
    for key, fine, what in (
        ("margin", lambda x: 0 <= x <= 100, "points from 0 to 100, as in 0.5"),
        ("effect", lambda x: 0 < x <= 100, "points above 0, at most 100, as in 0.5"),
        ("epochs", lambda x: 1 <= x <= 100_000, "a whole number from 1"),
    ):
        if key in plan and not fine(plan[key]):
            raise UserError(
                f"expected {key} in {where} to be {what}, found {plan[key]}",
                "change it in the plan",
            )
    return plan


def rows_of(bench, plan):
    """{row: "version", "control" or "ceiling"}: the versions of a plan in order, those asked for, then the random control and the ceiling. An
    automatic drop or relabel brings its control along: the same done to as many samples of the same class mix, drawn anew for every seed."""
    rows = dict.fromkeys(plan["versions"], "version")
    controls = [plan.get("control"), *(own_control(bench, v) for v in plan["versions"])]
    for row, kind in [*((c, "control") for c in controls), (plan.get("ceiling"), "ceiling")]:
        if row:
            rows.setdefault(row, kind)
    return rows


def control_of(bench, plan):
    """The plan's random control, a version; None where it has none."""
    return plan.get("control") or own_control(bench, plan["versions"][-1])


def own_control(bench, version):
    m = AUTOMATIC.match(version)
    if not m:
        return None
    state = bench.state(m["base"])
    changed = bench.state(version)
    n = int(
        (
            (state.keep != changed.keep)
            | (state.label != changed.label).where(state.label.notna(), False)
        ).sum()
    )
    return f"{m['base']} {m['op']} random({n})" if n else None


def contents(bench, version):
    """dict(tree, train_tree, n_train, classes) of a version, remembered beside the arrays: to ask again costs nothing."""
    file = (
        bench.arrays / "contents.npz"
    )  # which carries its checksum: a tree with one wrong digit would be another training
    moving = (
        versions.position(bench, "HEAD") if "HEAD" in str(version) else None
    )  # all other names stay where they are
    judge = (
        live.judge_key(bench, version) if expressions.is_expression(version) else None
    )  # what is flagged, the scan and the probe decide
    name = json.dumps(
        [str(version), moving, judge, *[sampling.DRAWS] * expressions.is_expression(version)]
    )
    try:
        known = json.loads(str((load(file) or {})["known"]))
    except (UserError, KeyError):  # nothing remembered, or damaged: it is derived
        known = {}
    if name not in known:
        frame = training_set(bench, version)
        tree = versions.tree(bench.state(version))
        known = dict(list(known.items())[-499:])
        known[name] = dict(
            tree=tree,
            train_tree=versions.tree(frame),
            n_train=len(frame),
            classes=int(frame.label.nunique()),
        )
        with suppress(OSError):  # a bench that nobody may write is asked again
            save(file, known=np.array(json.dumps(known)))
    return known[name]


def remember(bench, plan):
    """Keep the plan of the last experiment, with its digest: one with another margin or seed would have another report."""
    file = bench.path / "plan.json"
    half = file.with_name(f"{file.name}.{os.getpid()}.tmp")
    with suppress(OSError):
        permissions.touch(half).write_text(json.dumps(plan | dict(digest=digest(plan))))
        os.replace(half, file)


def digest(plan):
    return sha256(json.dumps(plan, sort_keys=True).encode()).hexdigest()[:32]


def training_set(bench, version):
    """Kept, labelled train samples of a version, sorted by id."""
    frame = bench.frame(version, "train")
    return frame[frame.label.notna()].sort_index()


def run_key(train_tree, arch, seed, config):
    return sha256(
        json.dumps([train_tree, arch, seed, config, RECIPE], sort_keys=True).encode()
    ).hexdigest()[:32]


def cells(bench, plan):
    """One dict for each run that the plan asks for: version, kind, at (the version with the cell's seed in its random part), arch, seed, config,
    key, train_tree, tree, n_train, whether it is there (done), and why it can never be (failed)."""
    config = dict(embedding=scan_settings.settings(bench)["folder"], epochs=plan.get("epochs"))
    there = dict(bench.rows("select key, failed from runs"))
    state = bench.state()
    ids, guarded = np.array(runs.judged_ids(state), "S32"), state.index[state.split == "guard"]
    out, covered = [], {}
    for row, kind in rows_of(bench, plan).items():
        for seed in plan["seeds"]:
            at = expressions.seeded(row, seed)
            held = contents(bench, at)
            if held["classes"] < 2:
                raise UserError(
                    f"expected two classes or more to train on in {at}, found {held['classes']}",
                    "choose another version",
                )
            told = guarded  # samples that no gate asks of this version: all, but of the last one those that it was not trained on
            if len(guarded) and row == plan["versions"][-1]:
                told = guarded.intersection(training_set(bench, at).index)
            for arch in plan["architectures"]:
                key = run_key(held["train_tree"], arch, seed, config)
                if key not in covered:
                    asked = ids[~np.isin(ids, np.array(told, "S32"))] if len(told) else ids
                    covered[key] = key in there and (
                        there[key] is not None or runs.covers(bench, key, asked)
                    )
                cell = dict(
                    version=row, kind=kind, at=at, arch=arch, seed=seed, config=config, key=key
                )
                out.append(cell | held | dict(done=covered[key], failed=there.get(key)))
    return sorted(out, key=lambda c: list(plan["architectures"]).index(c["arch"]))


def missing(wanted):
    """The cells to train, each key once: two versions may train on the same samples."""
    return list({c["key"]: c for c in wanted if not c["done"]}.values())


def last_plan(bench):
    """The plan of the last experiment that could be judged; UserError where there is none, or its file is damaged."""
    file = bench.path / "plan.json"
    if not file.exists():
        raise UserError(
            "expected an experiment, found none in this bench",
            "run: assay experiment PLAN.toml, or name a PLAN.toml whose runs are there",
        )
    try:
        plan = dict(json.loads(file.read_text()))
        if plan.pop("digest", None) not in (None, digest(plan)):  # an older Assay wrote none
            raise ValueError("it is not what was written")
        return check(plan, file)
    except (OSError, ValueError, TypeError) as e:  # no text, no JSON, no table
        raise UserError(
            f"expected the last experiment's plan in {file}, found it damaged: {e}",
            "assay experiment PLAN.toml writes it anew",
        ) from None


def expected(bench, todo, measure):
    """{key: seconds to expect} for cells to train: by what the same architecture took in this bench, else by `measure(cell)`, a few real steps. Where
    that is None, the architecture cannot be built, and its cells are left out."""
    rows = bench.rows(
        "select arch, seconds, n_train from runs where n_train > 0 and failed is null order by ts"
    )
    took = {
        arch: (seconds, n) for arch, seconds, n in rows
    }  # the last one: the machine as it is now
    out = {}
    for c in todo:
        if c["arch"] not in took:
            took[c["arch"]] = measure(c), c["n_train"]
        seconds, n = took[c["arch"]]
        if seconds is not None:
            out[c["key"]] = seconds * (c["n_train"] / n) ** (
                1 if c["arch"] == "probe" else 0.5
            )  # more rows take fewer passes
    return out


def matrix(plan, wanted, seconds, lost):
    """The plan's matrix as rows of text: for each version and architecture what is done, what is to train and its expected cost, or how it was `lost`
    {architecture: how} while that was measured."""
    rows = {}
    for c in wanted:
        rows.setdefault(c["version"], {}).setdefault(c["arch"], []).append(c)
    yield ["", *plan["architectures"]]
    for row, archs in rows.items():
        yield [
            row,
            *(
                cell_text(archs[a], seconds, lost.get(a, "cannot be built"))
                for a in plan["architectures"]
            ),
        ]


def cell_text(cells, seconds, why):
    todo = [c for c in cells if not c["done"]]
    failed = sum(c["failed"] is not None for c in cells)
    done = f"{len(cells) - len(todo)} of {len(cells)} done" + f", {failed} diverged" * (failed > 0)
    if any(c["key"] not in seconds for c in todo):
        return f"{done}, {why}"
    return f"{done}, {duration(sum(seconds[c['key']] for c in todo))} to go" if todo else done


def duration(seconds):
    """Seconds as a person says them: 40 s, 12 min, 3.5 h."""
    return (
        f"{seconds:.0f} s"
        if seconds < 90
        else f"{seconds / 60:.0f} min"
        if seconds < 5400
        else f"{seconds / 3600:.1f} h"
    )


def test_labels(bench, plan):
    """The kept, labelled test samples at the version that judges, sorted by id: one frame for all cells."""
    state = bench.state(plan.get("test") or "HEAD")
    test = state[state.keep & (state["split"] == "test") & state.label.notna()].sort_index()
    if not len(test):
        raise UserError("expected labelled test samples, found none", "import a test split")
    return test
