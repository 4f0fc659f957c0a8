"""The demo: two reviews of solar cells whose truth is known.

In the first labels are few and many are wrong: a review pays, and the report shows it. In the second they are many
and few are wrong: leakage is found, and no gain can be shown.
"""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assay import curation
from assay.curation.formats.base import ImportOptions
from assay.curation.statistics import wording
from assay.curation.statistics.sampling import shuffle_samples
from assay.curation.storage.interface import Tell
from assay.curation.system import permissions
from assay.curation.text import format_count
from assay.pipelines.experiments import plan, run
from assay.pipelines.indexing.ingest import ingest
from assay.pipelines.indexing.scan import scan
from assay.pipelines.reports import experiment_report
from assay.pipelines.simulation.example_data import KNOWN, make_solar_cells, make_weak_labels
from assay.pipelines.simulation.reviewer import review_queue, true_decisions

if TYPE_CHECKING:
    import pandas as pd

REVIEWS, SHARE = 200, 0.05  # labels that are reviewed, and how many more are drawn at random
WHO, WHY = "simulated expert", "review in queue order"
PLAN = """question = "Did reviewing 200 labels help?"
versions = ["v1", "v2"]             # as they were labelled; after the review
architectures = {architectures}
seeds = 5
control = "random"                  # as many labels reviewed, drawn at random
ceiling = "clean"                   # every label as the experts' majority has it
margin = 0.5                        # points that are too small to matter
"""


@dataclass(frozen=True)
class Story:
    """A bench whose true labels are known, and what is trained on it."""

    bench: curation.Bench
    truth: pd.Series  # sample -> the experts' majority
    report: Path
    architectures: list[str]

    def find_wrong(self, held_out: bool = False) -> pd.Series:
        """Find which labels to learn from were imported wrong: sample -> bool.

        With those that were held out since, or without.
        """
        state = self.bench.state()
        labelled = state[(state.keep | held_out) & (state["split"] != "test")]
        return labelled.given_label != self.truth[labelled.index]


def run_demo(
    folder: Path, say: Tell, progress: Callable[[str], Any]
) -> tuple[dict, curation.Bench]:
    """Run both stories in `folder`.

    What is there already is not done again. `progress(text)` is a context manager of a step function. Returns (what
    was found, the bench of the first story).
    """
    start = time.perf_counter()
    out, first = review_weak_labels(folder, say, progress)
    say(f"{time.perf_counter() - start:.0f} s. The report is {first.report}\n")
    out["second"], second = review_hurried_labels(folder, first.bench, say, progress)
    say(f"{time.perf_counter() - start:.0f} s for both. The second report is {second.report}")
    return out, first.bench


def review_weak_labels(
    folder: Path,
    say: Tell,
    progress: Callable[[str], Any],
    seed: int = 0,
    like: curation.Bench | None = None,
) -> tuple[dict, Story]:
    """Review few labels of which many are wrong: it pays.

    `seed` draws splits and labels; what the bench `like` knows of the images is not computed again. Returns (what was
    found, the story).
    """
    manifest, expert = make_weak_labels(folder, seed)
    bench = open_bench(folder / "bench", manifest, "weak program", progress, like)
    truth = bench.state().key.map(expert)
    story = Story(bench, truth, folder / "report.html", ["probe", "mlp"])
    n, wrong = len(truth), story.find_wrong(held_out=True)
    say(f"\n1. Few labels, many wrong: {n:,} photographs of solar cells.")
    say(
        f"Planted: experts labelled {KNOWN} cells, functional or defective. A weak program labelled the other"
    )
    say(
        f"{len(wrong) - KNOWN:,}, each like that one of the {KNOWN} which it most resembles at 16 x 16 pixels."
    )
    contradict = f"{wrong.sum():,} of all {format_count(len(wrong), 'label')} ({wrong.mean():.0%}) contradict"
    say(f"{contradict} the experts' majority. Assay is not told which.")
    say(
        f"{format_count(n - len(wrong), 'test cell', 'has', 'have')} the experts' labels and stay locked.\n"
    )
    with progress("embedding") as step:
        scan(bench, say=say, progress=step)
    return review_and_compare(story, say, progress), story


def review_hurried_labels(
    folder: Path, like: curation.Bench, say: Tell, progress: Callable[[str], Any]
) -> tuple[dict, Story]:
    """Review many labels of which few are wrong: no gain shows.

    Returns (what was found, the story).
    """
    manifest, expert = make_solar_cells(folder)
    bench = open_bench(folder / "hurried", manifest, "hurried annotator", progress, like)
    story = Story(bench, bench.state().key.map(expert), folder / "report-hurried.html", ["probe"])
    with progress("scanning") as step:
        scan(bench, say=lambda line: None, progress=step)
    state, wrong = bench.state(), story.find_wrong(held_out=True)
    held = state["split"][~state.keep].value_counts()
    say(f"2. Many labels, few wrong: a hurried annotator labelled {len(wrong):,} of the cells.")
    say(
        "Planted: of cells that the experts doubted it says what one expert, drawn at random, said;"
    )
    say(
        f"{format_count(wrong.sum(), 'label')} ({wrong.mean():.1%}) contradict the experts' majority."
    )
    cells = f"{held.get('train', 0)} train and {held.get('val', 0)} val cells"
    say(f"Leakage: {cells} (nearly) equal a val or test cell, as cells of one block")
    say("of silicon do. They are held out, or the test would flatter.")
    return review_and_compare(story, say, progress) | dict(leakage=int(held.sum())), story


def open_bench(
    folder: Path,
    manifest: Path,
    who: str,
    progress: Callable[[str], Any],
    like: curation.Bench | None,
) -> curation.Bench:
    """Open the bench of a manifest; import it where it is new."""
    bench = curation.create(folder)
    if not len(bench.state()):
        if like is not None:
            share_arrays(like, bench)
        with progress("decoding") as step:
            ingest(bench, manifest, who, ImportOptions(audited_test=True), progress=step)
    return bench


def share_arrays(source: curation.Bench, bench: curation.Bench) -> None:
    """Give a new bench what another has computed of the same images.

    As hard links, since shards are never written again.
    """
    for part in ("pixels", "embeddings", "quality"):
        to = bench.arrays / part
        shutil.copytree(source.arrays / part, to, copy_function=os.link, dirs_exist_ok=True)


def review_and_compare(story: Story, say: Tell, progress: Callable[[str], Any]) -> dict:
    """Review in queue order, train on every version, and print the gain."""
    bench, wrong = story.bench, story.find_wrong()
    if "v2" not in set(bench.commits().name):
        commit_comparisons(story)
        rows, _ = review_queue(bench, story.truth, REVIEWS, SHARE, WHO, WHY)
        bench.commit(f"{format_count(len(rows), 'label')} reviewed", WHO, "v2")
    out = print_reviews(say, bench, wrong)
    file = story.report.with_name(story.report.stem.replace("report", "plan") + ".toml")
    file.write_text(PLAN.format(architectures=json.dumps(story.architectures)))
    asked = plan.read_plan(file)
    with progress("training") as step:
        run.run_plan(bench, asked, say, step)
    data, _ = experiment_report.report(bench, asked, story.report)
    # the workbench shows it, and `assay report` tells it again
    shutil.copyfile(story.report, permissions.touch_file(bench.path / "report.html"))
    plan.store_plan(bench, asked)
    beside = print_gain(say, data, asked["architectures"])
    return out | beside | dict(verdict=data["verdict"], report=str(story.report))


def commit_comparisons(story: Story) -> None:
    """Commit what a study needs and a team does not have.

    This is the same number of reviews at random, and every label clean. Each is applied, named and undone, so the log
    shows it.
    """
    bench, truth = story.bench, story.truth
    while bench.state().reviewed.any():  # a demo that was killed here
        bench.undo(who=WHO)
    labelled = story.find_wrong().index
    n = len(bench.queue(REVIEWS, SHARE))
    drawn = shuffle_samples(labelled, "reviews at random")[:n]
    for name, samples in (("random", drawn), ("clean", labelled)):
        if name not in set(bench.commits().name):
            bench.edit(true_decisions(samples, truth), WHO, f"for comparison: {name}")
            bench.commit(f"for comparison: {name}", WHO, name)
            bench.undo(who=WHO)


def print_reviews(say: Tell, bench: curation.Bench, wrong: pd.Series) -> dict:
    """Print what the review found, beside what chance finds; returns the counts."""
    hints = "suggested ->> 'rank' is not null as queued, suggested ->> 'random' = 'true' as drawn"
    seen = bench.query(f"select sample, {hints} from edits where why = ?", [WHY])
    queued = seen["sample"][seen.queued]
    n, found, drawn = len(queued), int(wrong[queued].sum()), int(seen.drawn.fillna(False).sum())
    chance = n * wrong.mean()
    say(
        f"\nAn expert looks at {format_count(n, 'label')} in queue order and finds {found} of {wrong.sum()} wrong ones;"
    )
    say(f"{format_count(n, 'label')} drawn at random hold {chance:.1f} on average.")
    say(
        f"Beside the queue {drawn} were drawn at random, to estimate what it does not show (a rate needs 30).\n"
    )
    counts = dict(wrong=int(wrong.sum()), labels=len(wrong), reviewed=n, found=found)
    return counts | dict(chance=round(float(chance), 1))


def print_gain(say: Tell, data: dict, architectures: list[str]) -> dict:
    """Print what the review was worth; data: of the report.

    Returns the effects by name.
    """
    beside = {b["kind"]: b for b in data["beside"]}
    effects = dict(
        gain=data["interval"],
        control=beside["control"],
        difference=data["control"]["beyond"],
        ceiling=beside["ceiling"],
    )
    test = f"{data['n_test']:,} locked test cells"
    mean = f"{'mean of ' * (len(architectures) > 1)}{' and '.join(architectures)}"
    where = f"{mean}, on {test}, {format_count(len(data['seeds']), 'seed')}, 95 % intervals"
    say(f"\nWas it worth it? The gain in accuracy, {where}:")
    names = ("the reviews", "as many at random", "the difference", "all labels clean")
    for name, effect in zip(names, effects.values()):
        say(f"  {name:<18} {wording.format_interval(effect)}")
    say("")
    for line in data["verdict_lines"]:
        say(line)
    if data["interval"]["verdict"] == "no evidence either way":
        perfect = wording.format_points(effects["ceiling"]["estimate"])
        say(f"Why: perfect labels would gain {perfect} here,")
        say(f"and {test} cannot show so small an effect.")
    return effects
