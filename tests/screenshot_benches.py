"""The benches that the screenshots show: an ordinary one, and odd ones."""

import csv
import subprocess
import sys

import numpy as np
import pandas as pd

import assay
from assay.app.server import audit_sheet
from assay.curation.errors import UserError
from assay.curation.formats.base import ImportOptions
from assay.pipelines.indexing import draw_map
from assay.pipelines.indexing.ingest import ingest
from assay.pipelines.indexing.scan import ScanOptions, scan
from assay.pipelines.simulation.example_data import make_solar_cells
from assay.pipelines.simulation.reviewer import review_queue, true_decisions
from tests.helpers import bench_of, digits, silent

PLAN = 'question = "Did the review help?"\nversions = ["v1", "v2"]\narchitectures = ["probe", "mlp"]\nseeds = 5\nmargin = 0.5\n'
HARD = [
    "<img src=x onerror=window.ran=1>",
    "قطة سوداء",
    "猫咪在睡觉",
    "🐈‍⬛ emoji 👩🏽‍🔬",
    "a name of three hundred characters " + "on and on " * 26 + "end.",
    "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft",
    'it\'s "so" & `code` $x$ :red[z]',
]


def make_normal(folder):
    """Make the demo's solar cells with a history.

    A kind of cell that train lacks and the pool has, three people, a version reviewed, an
    experiment, a map, an audit begun.
    """
    manifest, truth = make_solar_cells(folder)
    bench = assay.create(folder / "solar-cells")
    ingest(bench, pool_some(manifest, truth), "hurried annotator", ImportOptions(audited_test=True))
    scan(bench, say=lambda line: print("   ", line))
    draw_map.draw_map(bench, print, wait=True)
    truth = bench.state().key.map(truth)
    for who, n in (("ann", 50), ("ben", 25), ("ann", 15)):
        review_queue(bench, truth, n, random=0.15, who=who)
    bench.commit("what two people looked at", "ann")
    some = bench.queue(9, 0)["sample"]
    bench.edit(
        true_decisions(some, truth).assign(label="defective"), "carl", "all that the line rejected"
    )
    bench.undo(who="carl")
    (folder / "plan.toml").write_text(PLAN)
    command = [sys.executable, "-m", "assay", "experiment", folder / "plan.toml", "-b", bench.path]
    subprocess.run([*command, "-o", bench.path / "report.html"], check=True)
    review_queue(bench, truth, 12, who="ben")
    audit_sheet.begin_sheet(bench, "ann", 60)
    return bench


def pool_some(manifest, truth, seed=0):
    """Move most defective cells of one kind of module, and a fifth of the others, to the pool."""
    rows, rng = list(csv.DictReader(manifest.open())), np.random.default_rng(seed)
    for row in rows:
        lacking = row["module"] == "poly" and truth[row["id"]] == "defective"
        if row["split"] == "train" and rng.random() < (0.9 if lacking else 0.2):
            row.update(split="pool", label="")
    with open(manifest, "w", newline="") as f:
        out = csv.DictWriter(f, rows[0])
        out.writeheader()
        out.writerows(rows)
    return manifest


def make_empty(folder):
    """Make a bench without a sample."""
    return assay.create(folder / "empty")


def make_one(folder):
    """Make a bench of one picture, which is too few to scan."""
    (folder / "photos").mkdir(parents=True)
    (folder / "photos" / "one.png").write_bytes(digits(1).image[0])
    bench = assay.create(folder / "bench")
    ingest(bench, folder / "photos", "tester", ImportOptions(pictures_only=True))
    return scanned(bench)


def make_thousand(folder):
    """Make a bench of 1,000 classes, whose first seven have names that are hard to show."""
    table = digits(1797)
    names = np.array([*HARD, *(f"class {i:04d}" for i in range(7, 1000))], object)
    order = np.random.default_rng(0).permutation(len(table))
    table["label"] = names[np.where(order < 600, order % 7, order % 1000)]
    # what breaks words, and what is written from right to left, in metadata and keys
    table["note"] = [HARD[i % len(HARD)] for i in range(len(table))]
    table["id"] = [f"{HARD[i % 4]} {i}" if i % 9 == 0 else f"d{i:04d}" for i in range(len(table))]
    bench = scanned(bench_of(table, folder))
    some = bench.queue(4, 0)["sample"]
    frame = pd.DataFrame(dict(sample=some, label=HARD[4]))
    bench.edit(frame, HARD[0], HARD[4])
    return bench


def scanned(bench):
    """The bench, scanned and drawn as a map as far as it goes."""
    try:
        scan(bench, ScanOptions(embedder="pixels"), say=silent)
        draw_map.draw_map(bench, silent, wait=True)
    except UserError as e:
        print(bench.path, e)
    return bench


BENCHES = dict(normal=make_normal, empty=make_empty, one=make_one, thousand=make_thousand)
