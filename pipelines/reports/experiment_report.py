"""The report of an experiment: one HTML page, the verdict first.

It holds everything that it shows.
"""

from __future__ import annotations

import json
import platform
from contextlib import suppress
from hashlib import sha256
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from markupsafe import Markup

from assay import curation
from assay.curation.errors import UserError
from assay.curation.storage.arrays import load_arrays, save_arrays
from assay.pipelines.evaluation.compare import load_report_data
from assay.pipelines.jobs import job_files
from assay.pipelines.reports.base import collect_pictures, list_sections
from assay.pipelines.reports.kept_reports import keep_report
from assay.pipelines.reports.sample_pictures import SHEET
from assay.pipelines.reports.templates import render, render_page, write_page
from assay.pipelines.reports.verdict import draw_verdict

if TYPE_CHECKING:
    from assay.curation.storage.interface import Bench

MOST = 3_000_000  # bytes of a page: what a mailbox takes and a phone opens
PACKAGES = "numpy torch scikit-learn scipy cleanlab pandas duckdb pillow".split()


def report(bench: Bench, plan: dict, path: str | Path | None = None) -> tuple[dict, Path | None]:
    """Judge the finished runs of a plan, and write the page.

    Returns the data of the report and the absolute path. The last report is kept: where neither
    runs nor log nor code have changed since, nothing is judged again. Without a path no page is
    written.
    """
    key, file = state_key(bench, plan), bench.arrays / "report.npz"
    try:
        kept = load_arrays(file)
    except UserError:  # damaged: it is derived
        kept = None
    if kept is None or str(kept["key"]) != key:
        data = json.loads(json.dumps(load_report_data(bench, plan), default=str))
        kept = dict(
            key=np.array(key),
            data=np.array(json.dumps(data)),
            page=np.frombuffer(draw_report(bench, data), "u1"),
        )
        with suppress(OSError):  # a bench that nobody may write is judged again each time
            save_arrays(file, **kept)
        keep_report(bench, data, kept["page"].tobytes())
    written = write_page(kept["page"].tobytes(), path) if path else None
    return json.loads(str(kept["data"])), written


def state_key(bench: Bench, plan: dict) -> str:
    """Hash all that a report follows from.

    That is the plan, the log, the scan, the runs, and the code that judges and draws, templates
    and the sections of other distributions with it.
    """
    failed = [
        (job["name"], job["error"])
        for job in job_files.list_jobs(bench)
        if job["state"] == "failed"
    ]
    # umap draws the map when the scan has long ended
    map_method = (load_arrays(bench.arrays / "map.npz", ["method"]) or {}).get("method")
    seen = [
        plan,
        bench.rows("select key, value from meta order by key"),
        bench.rows("select key, ts::varchar from runs order by key"),
        bench.rows("select name, upto from commits order by name"),
        sorted(describe_origin(bench).items()),
        sorted(failed),
        str(map_method),
    ]
    folders = Path(curation.__file__).parent, Path(__file__).parents[1]
    code = [f for folder in folders for f in sorted(folder.rglob("*"))]
    code = [f for f in code if f.suffix in (".py", ".css", ".html")]
    code += [Path(section.__file__) for section in list_sections()]
    content = b"".join(f.read_bytes() for f in code)
    return sha256(json.dumps(seen, default=str).encode() + content).hexdigest()


def describe_origin(bench: Bench) -> dict:
    """Name the bench, its embedding, and the packages that made the figures."""
    scan = bench.rows("select value::json ->> 'folder' from meta where key = 'scan'")
    # its name ends with the engine: figures of two differ a little
    embedding = scan[0][0] if scan else "none, not scanned"
    packages = {"Python": platform.python_version()} | {p: metadata.version(p) for p in PACKAGES}
    return dict(bench=bench.path.name, embedding=embedding, packages=packages)


def draw_report(bench: Bench, data: dict) -> bytes:
    """Draw the page of load_report_data, with pictures from the bench."""
    pictures = collect_pictures(bench, data)
    return draw_small_page(data | dict(made=describe_origin(bench)), pictures)


def draw_small_page(data: dict, pictures: dict) -> bytes:
    """Draw the page with as many pictures as MOST allows."""
    for most in (SHEET, 18, 12, 6, 3, 0):
        html = draw_page(data, pictures, most).encode("utf-8", "replace")
        if len(html) < MOST:
            break
    return html


def draw_page(data: dict, pictures: dict, most: int = SHEET) -> Markup:
    """Draw the whole page: the verdict, a table of contents, every section.

    data: load_report_data, and `made` (describe_origin). pictures: see base.collect_pictures.
    """
    known = data | dict(pictures=pictures, most=most)
    sections = [(s.TITLE, s.section(known)) for s in list_sections()]
    values = dict(verdict=draw_verdict(data), sections=[(t, body) for t, body in sections if body])
    return render_page(data["question"], render("experiment_report.html", values))
