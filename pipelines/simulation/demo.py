"""The demo: real solar cells, a hurried annotator, an expert who reviews 200 labels, and what that was worth."""

import time

from assay import curation
from assay.curation.statistics import wording
from assay.curation.statistics.sampling import by_draw
from assay.pipelines.experiments import plan, run
from assay.pipelines.indexing.ingest import ingest
from assay.pipelines.indexing.scan import scan
from assay.pipelines.reports import experiment_report
from assay.pipelines.simulation.example_data import solar_cells
from assay.pipelines.simulation.reviewer import decisions, review

REVIEWS, WHO, WHY = 200, "simulated expert", "review in queue order"
PLAN = """question = "Did reviewing 200 labels help?"
versions = ["v1", "v2"]             # as the hurried annotator left them; after the review
architectures = ["probe", "mlp"]
seeds = 5
control = "random"                  # as many labels reviewed, drawn at random
ceiling = "clean"                   # every label as the experts' majority has it
margin = 0.5                        # points that are too small to matter
"""


def demo(folder, say, progress):
    """Run the whole loop in `folder`; what is there already is not done again. Returns (dict of what was found, what to do next)."""
    start = time.perf_counter()
    manifest, expert = solar_cells(folder)
    bench = curation.create(folder / "bench")
    if not len(bench.state()):
        with progress("decoding") as step:
            ingest(bench, manifest, "hurried annotator", audited_test=True, progress=step)
    state = bench.state()
    labelled = state[state["split"] != "test"]
    truth = state.key.map(expert)
    wrong = labelled.given_label != truth[labelled.index]
    say(
        f"\n{len(state):,} photographs of solar cells, in which experts looked for defects. A hurried annotator labelled {len(labelled):,} of them;"
    )
    say(
        f"{wrong.sum():,} of these labels ({wrong.mean():.1%}) contradict the experts' majority. Assay is not told which."
    )
    say(f"{len(state) - len(labelled):,} test cells have the experts' labels and stay locked.\n")
    with progress("embedding") as step:
        scan(bench, say=say, progress=step)
    if "v2" not in set(bench.commits().name):
        rehearse(bench, truth, labelled)
        rows, _ = review(bench, truth, REVIEWS, who=WHO, why=WHY)
        bench.commit(f"{len(rows)} labels reviewed", WHO, "v2")
    hints = "suggested ->> 'rank' is not null as queued, suggested ->> 'random' = 'true' as drawn"
    seen = bench.query(f"select sample, {hints} from edits where why = ?", [WHY])
    asked = seen["sample"][seen.queued]
    found, chance, drawn = (
        int(wrong[asked].sum()),
        len(asked) * wrong.mean(),
        int(seen.drawn.fillna(False).sum()),
    )
    say(
        f"\nThe expert looked at {len(asked)} labels in queue order and found {found} of the {wrong.sum()} wrong ones;"
    )
    say(f"{len(asked)} labels drawn at random hold {chance:.1f} on average.")
    say(
        f"Beside the queue {drawn} were drawn at random, to estimate what it does not show (a rate needs 30 of them).\n"
    )
    (folder / "plan.toml").write_text(PLAN)
    asked = plan.read_plan(folder / "plan.toml")
    with progress("training") as step:
        run.run(bench, asked, say, step)
    data, page = experiment_report.report(bench, asked, folder / "report.html")
    gain, beside = data["interval"], {b["kind"]: b for b in data["beside"]}
    archs, test, ceiling = (
        " and ".join(asked["architectures"]),
        f"{data['n_test']} locked test cells",
        beside["ceiling"],
    )
    say(
        f"\nWas it worth it? The gain in accuracy, mean of {archs}, on {test}, {len(data['seeds'])} seeds, 95 % intervals:"
    )
    for name, e in (
        ("the 200 reviews", gain),
        ("as many at random", beside["control"]),
        ("all labels clean", ceiling),
    ):
        say(f"  {name:<18} {wording.interval(e)}")
    say(f"Verdict: {data['verdict']}")
    if gain["verdict"] == "no evidence either way":
        say(
            f"Why: perfect labels would gain {wording.points(ceiling['estimate'])} here, and {test} cannot show so small an effect."
        )
    say(f"\n{time.perf_counter() - start:.0f} s. The report is {page}")
    out = dict(
        wrong=int(wrong.sum()),
        labels=len(labelled),
        reviewed=len(asked),
        found=found,
        chance=round(chance, 1),
    )
    return out | dict(
        gain=gain, verdict=data["verdict"], report=str(page)
    ), f"open {page}, then: assay status -b {bench.given}"


def rehearse(bench, truth, labelled):
    """What a study needs and a team does not have: the same number of reviews at random, and every label clean. Each is applied, named and
    undone, so the log shows it."""
    while bench.state().reviewed.any():  # a demo that was killed here
        bench.undo(who=WHO)
    drawn = by_draw(labelled.index, "reviews at random")[:REVIEWS]
    for name, samples in (("random", drawn), ("clean", labelled.index)):
        if name not in set(bench.commits().name):
            bench.edit(decisions(samples, truth), WHO, f"for comparison: {name}")
            bench.commit(f"for comparison: {name}", WHO, name)
            bench.undo(who=WHO)
