"""Keep the report of each experiment, and list them.

A report is what was known when it was made. Its page lies beside a few lines about it, so that a
list needs no page and judges nothing again.
"""

from __future__ import annotations

import json
import re
from contextlib import suppress
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path

from assay.curation.storage.interface import Bench
from assay.curation.system import permissions
from assay.curation.times import iso_time, now
from assay.pipelines.reports.templates import write_page

FOLDER = "experiments"
KEY = re.compile("[0-9a-f]{16}")
LAST = "last"  # of a bench whose reports an older Assay wrote: report.html is all that it has


@dataclass(frozen=True)
class KeptReport:
    """One experiment that was reported."""

    key: str
    question: str
    answer: str  # the verdict's first words: "Yes", "Not shown", "" where nothing was compared
    verdict: str  # helps, hurts ... of the main effect; "" without one
    line: str  # the verdict in one line
    ts: str  # when it was first reported, with its offset
    estimate: float | None = None  # the main effect as a fraction, with its 95 % interval
    low: float | None = None
    high: float | None = None
    n: int = 0  # test samples
    seeds: int = 0


def keep_report(bench: Bench, data: dict, page: bytes) -> None:
    """Keep the page of load_report_data, and what a list says of it.

    The same plan on the same data is the same experiment. A bench that nobody may write keeps none.
    """
    key = report_key(data)
    folder = bench.path / FOLDER
    before = read_about(folder / f"{key}.json")
    main, line = data["interval"] or {}, data["verdict_lines"][0]
    about = KeptReport(
        key=key,
        question=data["question"],
        answer=line.partition(":")[0] if main else "",
        verdict=main.get("verdict", ""),
        line=line,
        ts=before.ts if before else iso_time(now().replace(microsecond=0)),
        n=data["n_test"],
        seeds=len(data["seeds"]),
        **{end: main.get(end) for end in ("estimate", "low", "high")},
    )
    with suppress(OSError):
        permissions.make_folder(folder)
        write_page(page, folder / f"{key}.html")
        # last: who lists it finds its page
        write_page(json.dumps(asdict(about)).encode(), folder / f"{key}.json")


def report_key(data: dict) -> str:
    """Name an experiment by its plan and the data that it compared."""
    text = json.dumps([data["plan"], data["tree"]], sort_keys=True, default=str)
    return sha256(text.encode()).hexdigest()[:16]


def list_reports(bench: Bench) -> list[KeptReport]:
    """List the experiments that were reported, newest first."""
    files = (bench.path / FOLDER).glob("*.json")
    found = [about for file in files if (about := read_about(file))]
    if not found and (bench.path / "report.html").exists():
        found = [KeptReport(LAST, last_question(bench), "", "", "", "")]
    return sorted(found, key=lambda about: about.ts, reverse=True)


def last_question(bench: Bench) -> str:
    """Read what the last experiment asked, where nothing else tells."""
    with suppress(OSError, ValueError, AttributeError):
        return str(json.loads((bench.path / "plan.json").read_text()).get("question"))
    return "The last experiment"


def read_about(file: Path) -> KeptReport | None:
    """Read what is kept of a report.

    None where it is no such file: a bench may come from anybody.
    """
    try:
        about = KeptReport(**json.loads(file.read_text()))
    except (OSError, ValueError, TypeError, RecursionError):
        return None
    texts = (about.question, about.answer, about.verdict, about.line, about.ts)
    ends = (about.estimate, about.low, about.high)
    sound = (
        KEY.fullmatch(str(about.key))
        and about.key == file.stem
        and all(isinstance(text, str) for text in texts)
        and all(type(n) is int for n in (about.n, about.seeds))
        and (ends == (None,) * 3 or all(type(x) in (int, float) and abs(x) <= 1 for x in ends))
    )
    return about if sound and file.with_suffix(".html").exists() else None


def find_page(bench: Bench, key: str) -> Path | None:
    """Find the page of a report; None where there is none."""
    if key == LAST:
        page = bench.path / "report.html"
    elif KEY.fullmatch(key):
        page = bench.path / FOLDER / f"{key}.html"
    else:
        return None
    return page if page.is_file() else None
