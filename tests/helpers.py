"""What several stories need: real data, small real benches, and the command line."""

import io
import json
import os
import shutil
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd
from PIL import Image

from assay.curation.review import audit, audit_sheet
from assay.curation.review.audit_answers import apply_answers
from assay.curation.versioning import decision_cells
from assay.pipelines.cli.main import main
from assay.pipelines.experiments.plan import check_plan
from tests.json_outputs import check_json

ROOT = Path(__file__).parent.parent
DATA = Path(os.environ.get("ASSAY_DATA") or ROOT.parent / "shared" / "data")


def png(pixels):
    """An image file's bytes: uint8 (h, w) or (h, w, 3)."""
    from PIL import Image

    out = io.BytesIO()
    Image.fromarray(np.asarray(pixels, "u1")).save(out, "PNG")
    return out.getvalue()


@cache
def drawn_digits():
    """(PNGs, classes) of scikit-learn's 1,797 handwritten digits."""
    from sklearn.datasets import load_digits

    found = load_digits()
    return [png(image * 15.9) for image in found.images], found.target


def digits(n=600, wrong=0.08, seed=0):
    """scikit-learn's handwritten digits as a table id, image, label, split, truth: `wrong` of the train and val labels are planted errors."""
    images, target = drawn_digits()
    rng = np.random.default_rng(seed)
    rows = rng.permutation(len(target))[:n]
    truth = target[rows]
    split = np.array(["train", "train", "train", "val", "test"])[np.arange(n) % 5]
    label = truth.copy()
    planted = (rng.random(n) < wrong) & (split != "test")
    label[planted] = (truth[planted] + rng.integers(1, 10, planted.sum())) % 10
    image = [images[r] for r in rows]
    return pd.DataFrame(
        dict(
            id=[f"d{r:04d}" for r in rows],
            image=image,
            label=label.astype(str),
            split=split,
            truth=truth.astype(str),
        )
    )


NEWER = {  # what each schema brought: a bench of an older one is without it
    5: "alter table edits drop column origin_kind; alter table edits drop column kind;",
    3: """drop table looks; alter table runs drop column failed;
        alter table runs drop column n_train; alter table runs drop column version;""",
    2: "drop table standing; delete from meta where key = 'standing';",
}


def make_older(con, schema):
    """Make of an open bench one of an older schema."""
    for number, change in NEWER.items():
        if number > schema:
            con.execute(change)
    con.execute(f"update meta set value = '{schema}' where key = 'schema'")


def bench_of(table, folder, **options):
    """A bench imported from a table such as `digits()`."""
    import assay
    from assay.curation.formats.base import ImportOptions
    from assay.pipelines.indexing.ingest import ingest

    folder.mkdir(parents=True, exist_ok=True)
    source = folder / "digits.parquet"
    table.to_parquet(source)
    bench = assay.create(folder / "bench")
    ingest(bench, source, "tester", ImportOptions(columns=dict(label="label"), **options))
    return bench


@cache
def digits_once(n):
    """(a bench of n digits, what holds its folder until this process ends)"""
    folder = TemporaryDirectory()
    return bench_of(digits(n), Path(folder.name)), folder


def digits_bench(n, folder):
    """A bench of n digits of one's own, quicker than `bench_of`: it is copied."""
    return copied(digits_once(n)[0], folder)


def copied(bench, folder):
    """A bench of its own for a test, with the file beside it that it was imported from."""
    shutil.copytree(bench.path.parent, folder, dirs_exist_ok=True)
    return open_copy(folder / "bench")


def open_copy(path):
    """Open a copy that we made ourselves: what it holds is not listed again, which takes 40 ms."""
    import assay
    from assay.curation.storage.engine import AttachedFile, file_version

    file = path / "assay.duckdb"
    AttachedFile.checked[file] = file_version(file), file.stat().st_ino
    return assay.open(path)


def truth_of(bench):
    """What each sample of a digits bench really shows: its metadata says so, and no score may read metadata."""

    return bench.state().meta.map(lambda m: json.loads(m)["truth"])


def run_assay(*arguments):
    """(exit status, standard output, standard error) of a verb, in this process; `run_alone` starts a real one.

    What --json prints is checked against its documented schema."""
    from contextlib import redirect_stderr, redirect_stdout

    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        status = main([str(a) for a in arguments])
    if "--json" in arguments:
        check_json(out.getvalue())
    return status, out.getvalue(), err.getvalue()


def folders(root, table, splits=True):
    """A table of images as class folders, inside split folders or not."""
    for row in table.itertuples():
        place = root / row.split / row.label if splits else root / row.label
        place.mkdir(parents=True, exist_ok=True)
        (place / f"{row.id}.png").write_bytes(row.image)
    return root


def nearly(image, at=27):
    """The same digit with one pixel a shade different."""
    pixels = np.array(Image.open(io.BytesIO(image)), int)
    pixels[at // 8, at % 8] += 3 if pixels[at // 8, at % 8] < 200 else -3
    return png(pixels)


PAGES = sorted(
    p.stem
    for p in (ROOT / "app" / "pages").glob("*.py")
    if "def draw(bench: Bench)" in p.read_text()
)


def table(n=1300):
    """Digits of which train has hardly a three (a planted gap), and half are an unlabelled pool; copies of a pool, a train and a test sample in it."""
    out = digits(n, wrong=0)
    out["split"] = np.array(
        ["train", "pool", "val", "pool", "test", "pool", "train", "pool", "train", "pool"]
    )[np.arange(n) % 10]
    threes = out.index[(out["split"] == "train") & (out.truth == "3")]
    out.loc[threes[2:], "split"] = "pool"
    copied = pd.concat(
        [out[(out["split"] == s) & (out.truth == "3")].head(1) for s in ("pool", "train", "test")]
    )
    copied = copied.assign(
        id=["c1", "c2", "c3"], image=[nearly(i) for i in copied.image], split="pool"
    )
    out = pd.concat([out, copied], ignore_index=True)
    return out.assign(label=out.label.where(out["split"] != "pool", None))


def begin(bench, folder, n, **more):
    """(the rule of a new audit, its sheet as its reader finds it)."""
    rule = audit_sheet.start_audit(bench, "ann", n=n, folder=folder, **more)
    return rule, decision_cells.read_decisions(folder / "worksheet.csv")


def filled(bench, rule, frame):
    """The sheet as one who knows the truth fills it in."""
    return frame.assign(
        label=truth_of(bench)[audit.draw_sheet(bench, rule)].to_numpy(), seconds="3"
    )


def audit_of(bench, folder, n, **more):
    rule, frame = begin(bench, folder, n, **more)
    return apply_answers(bench, filled(bench, rule, frame), "ann")


PLAN = check_plan(
    dict(question="?", versions=["v1", "v2"], architectures=["probe", "mlp"], seeds=3, epochs=3)
)
silent = lambda line: None  # noqa: E731


def scanned_bench(table, folder, **options):
    """A bench of a table, scanned by its pixels."""
    from assay.pipelines.indexing.scan import ScanOptions, scan

    bench = bench_of(table, folder, **options)
    scan(bench, ScanOptions(embedder="pixels"), say=silent)
    return bench


def check_manifests(bench, folder):
    """Check that a bench's manifest, in each kind of file, gives the same tree in another bench."""
    out = json.loads(run_assay("export", "-o", folder / "m", "--json", "-b", bench)[1])
    for suffix in ("csv", "parquet", "jsonl"):
        copy = folder / suffix
        status, _, err = run_assay("import", folder / "m" / f"manifest.{suffix}", "-b", copy)
        assert status == 0, err
        again = run_assay("export", "-o", folder / f"m-{suffix}", "--json", "-b", copy)[1]
        assert json.loads(again)["tree"] == out["tree"]
