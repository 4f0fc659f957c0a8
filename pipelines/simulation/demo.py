"""The demo: an expert reviews solar cells of a hurried annotator.

The expert reviews 200 labels. It ends with a report of what the review was worth.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assay import curation
from assay.curation.formats.base import ImportOptions
from assay.curation.statistics import wording
from assay.curation.statistics.sampling import shuffle_samples
from assay.curation.storage.interface import Tell
from assay.pipelines.experiments import plan, run
from assay.pipelines.indexing.ingest import ingest
from assay.pipelines.indexing.scan import scan
from assay.pipelines.reports import experiment_report
from assay.pipelines.simulation.example_data import make_solar_cells
from assay.pipelines.simulation.reviewer import review_queue, true_decisions

if TYPE_CHECKING:
    import pandas as pd

REVIEWS, WHO, WHY = 200, "simulated expert", "review in queue order"
PLAN = """question = "Did reviewing 200 labels help?"
versions = ["v1", "v2"]             # as the hurried annotator left them; after the review
architectures = ["probe", "mlp"]
seeds = 5
control = "random"                  # as many labels reviewed, drawn at random
ceiling = "clean"                   # every label as the experts' majority has it
margin = 0.5                        # points that are too small to matter
"""


def run_demo(folder: Path, say: Tell, progress: Callable[[str], Any]) -> tuple[dict, str]:
    """Run the whole loop in `folder`.

    What is there already is not done again. `progress(text)` is a context manager of a step function. Returns (what
    was found, what to do next).
    """
    start = time.perf_counter()
    manifest, expert = make_solar_cells(folder)
    bench = curation.create(folder / "bench")
    if not len(bench.state()):
        with progress("decoding") as step:
            options = ImportOptions(audited_test=True)
            ingest(bench, manifest, "hurried annotator", options, progress=step)
    state = bench.state()
    labelled = state[state["split"] != "test"]
    truth = state.key.map(expert)
    wrong = labelled.given_label != truth[labelled.index]
    print_data(say, len(state), wrong)
    with progress("embedding") as step:
        scan(bench, say=say, progress=step)
    if "v2" not in set(bench.commits().name):
        commit_comparisons(bench, truth, labelled)
        rows, _ = review_queue(bench, truth, REVIEWS, who=WHO, why=WHY)
        bench.commit(f"{len(rows)} labels reviewed", WHO, "v2")
    out = print_reviews(say, bench, wrong)
    (folder / "plan.toml").write_text(PLAN)
    asked = plan.read_plan(folder / "plan.toml")
    with progress("training") as step:
        run.run_plan(bench, asked, say, step)
    data, page = experiment_report.report(bench, asked, folder / "report.html")
    print_gain(say, data, asked["architectures"])
    say(f"\n{time.perf_counter() - start:.0f} s. The report is {page}")
    out |= dict(gain=data["interval"], verdict=data["verdict"], report=str(page))
    return out, f"open {page}, then: assay status -b {bench.given}"


def commit_comparisons(bench: curation.Bench, truth: pd.Series, labelled: pd.DataFrame) -> None:
    """Commit what a study needs and a team does not have.

    This is the same number of reviews at random, and every label clean. Each is applied, named and undone, so the log
    shows it.
    """
    while bench.state().reviewed.any():  # a demo that was killed here
        bench.undo(who=WHO)
    drawn = shuffle_samples(labelled.index, "reviews at random")[:REVIEWS]
    for name, samples in (("random", drawn), ("clean", labelled.index)):
        if name not in set(bench.commits().name):
            bench.edit(true_decisions(samples, truth), WHO, f"for comparison: {name}")
            bench.commit(f"for comparison: {name}", WHO, name)
            bench.undo(who=WHO)


def print_data(say: Tell, n: int, wrong: pd.Series) -> None:
    """Print what the data are, and how many labels are wrong."""
    say(
        f"\n{n:,} photographs of solar cells, in which experts looked for defects. "
        f"A hurried annotator labelled {len(wrong):,} of them;"
    )
    contradict = f"{wrong.sum():,} of these labels ({wrong.mean():.1%}) contradict"
    say(f"{contradict} the experts' majority. Assay is not told which.")
    say(f"{n - len(wrong):,} test cells have the experts' labels and stay locked.\n")


def print_reviews(say: Tell, bench: curation.Bench, wrong: pd.Series) -> dict:
    """Print what the review found, beside what chance finds; returns the counts."""
    hints = "suggested ->> 'rank' is not null as queued, suggested ->> 'random' = 'true' as drawn"
    seen = bench.query(f"select sample, {hints} from edits where why = ?", [WHY])
    queued = seen["sample"][seen.queued]
    n, found, drawn = len(queued), int(wrong[queued].sum()), int(seen.drawn.fillna(False).sum())
    chance = n * wrong.mean()
    say(
        f"\nThe expert looked at {n} labels in queue order "
        f"and found {found} of the {wrong.sum()} wrong ones;"
    )
    say(f"{n} labels drawn at random hold {chance:.1f} on average.")
    say(
        f"Beside the queue {drawn} were drawn at random, "
        "to estimate what it does not show (a rate needs 30 of them).\n"
    )
    counts = dict(wrong=int(wrong.sum()), labels=len(wrong), reviewed=n, found=found)
    return counts | dict(chance=round(chance, 1))


def print_gain(say: Tell, data: dict, architectures: list[str]) -> None:
    """Print what the review was worth; data: of the report."""
    gain, beside = data["interval"], {b["kind"]: b for b in data["beside"]}
    ceiling, test = beside["ceiling"], f"{data['n_test']} locked test cells"
    mean = f"mean of {' and '.join(architectures)}, on {test}, {len(data['seeds'])} seeds"
    say(f"\nWas it worth it? The gain in accuracy, {mean}, 95 % intervals:")
    for name, e in (
        ("the 200 reviews", gain),
        ("as many at random", beside["control"]),
        ("all labels clean", ceiling),
    ):
        say(f"  {name:<18} {wording.format_interval(e)}")
    say(f"Verdict: {data['verdict']}")
    if gain["verdict"] == "no evidence either way":
        perfect = f"perfect labels would gain {wording.format_points(ceiling['estimate'])} here"
        say(f"Why: {perfect}, and {test} cannot show so small an effect.")
