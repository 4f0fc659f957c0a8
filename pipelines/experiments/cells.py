"""List the cells of a plan.

A cell is a version, an architecture and a seed: one run.
"""

from __future__ import annotations

import json
import re
from contextlib import suppress
from hashlib import sha256
from typing import TYPE_CHECKING

import numpy as np

from assay.curation.errors import UserError
from assay.curation.features import scan_settings
from assay.curation.label_quality import judges
from assay.curation.predictions import run_predictions
from assay.curation.statistics import sampling
from assay.curation.storage.arrays import load_arrays, save_arrays
from assay.curation.storage.interface import Bench
from assay.curation.tasks.base import list_members, task_of
from assay.curation.versioning import expressions, pointers
from assay.curation.versioning.states import hash_tree
from assay.curation.versioning.version_names import class_identities, rename_labels
from assay.pipelines.training.architectures.recipes import find_recipe
from assay.pipelines.training.labelling_functions import hash_code

if TYPE_CHECKING:
    import pandas as pd

RECIPE = 1  # raise it by hand when training changes what it means: old runs are then trained again
AUTOMATIC = re.compile(r"^(?P<base>.+?)\s*(?P<op>[-~])\s*flagged$")
MOST_KNOWN = 500  # versions whose contents are remembered


def list_cells(bench: Bench, plan: dict) -> list[dict]:
    """List one dict for each run that the plan asks for.

    Sorted by architecture.
    Keys: version, kind, at (the version with the cell's seed in its random part), arch, seed, config, key, train_tree,
    tree, n_train, classes, done (the run is there), failed (why it can never be). Raises UserError for a version of
    less than two classes.
    """
    config = dict(embedding=scan_settings.read_settings(bench)["folder"], epochs=plan.get("epochs"))
    there = dict(bench.rows("select key, failed from runs"))
    state = bench.state()
    ids, guarded = (
        np.array(run_predictions.predicted_ids(state), "S32"),
        state.index[state.split == "guard"],
    )
    out, covered = [], {}
    configs = {arch: config | hash_rules(arch) for arch in plan["architectures"]}
    for row, kind in version_roles(bench, plan).items():
        for seed in plan["seeds"]:
            at = expressions.fill_seed(row, seed)
            held = describe_version(bench, at)
            if held["classes"] < 2:
                raise UserError(
                    f"expected two classes or more to train on in {at}, found {held['classes']}",
                    "choose another version",
                )
            # no gate asks these guard samples of this version: all of an earlier version,
            # of the last one those that it was trained on
            exempt = guarded
            if len(guarded) and row == plan["versions"][-1]:
                exempt = guarded.intersection(training_set(bench, at).index)
            needed = ids[~np.isin(ids, np.array(exempt, "S32"))] if len(exempt) else ids
            for arch in plan["architectures"]:
                config, key = configs[arch], run_key(held["train_tree"], arch, seed, configs[arch])
                if find_recipe(arch).is_rules:  # one run for all: they learn nothing
                    key = run_key("", arch, 0, config)
                if key not in covered:
                    failed = there.get(key) is not None
                    covered[key] = key in there and (
                        failed or run_predictions.has_predicted(bench, key, needed)
                    )
                cell = dict(
                    version=row, kind=kind, at=at, arch=arch, seed=seed, config=config, key=key
                )
                out.append(cell | held | dict(done=covered[key], failed=there.get(key)))
    return sorted(out, key=lambda c: list(plan["architectures"]).index(c["arch"]))


def hash_rules(arch: str) -> dict[str, str]:
    """Hash the code of rules, for the key of their run; {} for what is trained."""
    recipe = find_recipe(arch)
    return dict(code=hash_code(recipe.function)) if recipe.is_rules else {}


def missing_cells(cells: list[dict]) -> list[dict]:
    """Select the cells to train, each key once.

    Two versions may train on the same samples.
    """
    return list({c["key"]: c for c in cells if not c["done"]}.values())


def run_key(train_tree: str, arch: str, seed: int, config: dict) -> str:
    """Name a run by all that decides its outcome."""
    text = json.dumps([train_tree, arch, seed, config, RECIPE], sort_keys=True)
    return sha256(text.encode()).hexdigest()[:32]


# ---- which versions


def version_roles(bench: Bench, plan: dict) -> dict[str, str]:
    """List the versions of a plan: {version: "version", "control" or "ceiling"}.

    In order: those asked for, then the random control and the ceiling. An automatic drop or relabel brings its control
    along: the same done to as many samples of the same class mix, drawn anew for every seed.
    """
    roles = dict.fromkeys(plan["versions"], "version")
    controls = [plan.get("control"), *(automatic_control(bench, v) for v in plan["versions"])]
    for version in filter(None, controls):
        roles.setdefault(version, "control")
    if ceiling := plan.get("ceiling"):
        roles.setdefault(ceiling, "ceiling")
    return roles


def find_control(bench: Bench, plan: dict) -> str | None:
    """Return the plan's random control, a version; None where it has none."""
    return plan.get("control") or automatic_control(bench, plan["versions"][-1])


def automatic_control(bench: Bench, version: str) -> str | None:
    """Return the random control of a version, or None.

    `BASE - flagged` and `BASE ~ flagged` have one: as many samples changed at random.
    """
    match = AUTOMATIC.match(version)
    if not match:
        return None
    state, changed = bench.state(match["base"]), bench.state(version)
    relabelled = (state.label != changed.label).where(state.label.notna(), False)
    n = int(((state.keep != changed.keep) | relabelled).sum())
    return f"{match['base']} {match['op']} random({n})" if n else None


# ---- what is in a version


def training_set(bench: Bench, version: str) -> pd.DataFrame:
    """Return the kept, labelled train samples of a version, sorted by id.

    Their label is the identity of its class, so that a rename trains nothing again.
    """
    frame = bench.frame(version, "train")
    frame = frame[frame.label.notna()].sort_index()
    return frame.assign(label=class_identities(bench, frame.label, version))


def test_labels(bench: Bench, plan: dict) -> pd.DataFrame:
    """Return the kept, labelled test samples, sorted by id.

    Labels are those of the version that judges, as their classes are called now.
    One frame for all cells.
    """
    version = plan.get("test") or "HEAD"
    state = bench.state(version)
    test = state[state.keep & (state["split"] == "test") & state.label.notna()].sort_index()
    if not len(test):
        raise UserError("expected labelled test samples, found none", "import a test split")
    return test.assign(label=rename_labels(bench, test.label, version))


def describe_version(bench: Bench, version: str) -> dict:
    """Return dict(tree, train_tree, n_train, classes) of a version.

    It is remembered in arrays/contents.npz: to ask again costs nothing. The file carries its checksum: a tree with one
    wrong digit would be another training.
    """
    file = bench.arrays / "contents.npz"
    name = version_name(bench, version)
    try:
        known = json.loads(str((load_arrays(file) or {})["known"]))
    except (UserError, KeyError):  # nothing remembered, or damaged: it is derived
        known = {}
    if name not in known:
        frame = training_set(bench, version)
        tree = hash_tree(bench.state(version))
        known = dict(list(known.items())[1 - MOST_KNOWN :])
        known[name] = dict(
            tree=tree,
            train_tree=hash_tree(frame),
            n_train=len(frame),
            classes=len(list_members(task_of(bench), frame.label)),
        )
        with suppress(OSError):  # a bench that nobody may write is asked again
            save_arrays(file, known=np.array(json.dumps(known)))
    return known[name]


def version_name(bench: Bench, version: str) -> str:
    """Name a version with all that may change what it holds."""
    # all names but HEAD stay where they are
    moving = pointers.find_position(bench, "HEAD") if "HEAD" in str(version) else None
    if not expressions.is_expression(version):
        return json.dumps([str(version), moving, None])
    # what is flagged, the scan and the probe decide
    judge = judges.judge_key(bench, version)
    return json.dumps([str(version), moving, judge, sampling.DRAW_VERSION])
