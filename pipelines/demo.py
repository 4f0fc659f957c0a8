"""The demo: real solar cells, a hurried annotator, an expert who reviews 200 labels, and what that was worth."""

import time
from pathlib import Path

import curation
from curation.versions import by_draw
from pipelines import experiment, report
from pipelines.ingest import ingest
from pipelines.scan import scan
from pipelines.simulate import decisions, review, solar_cells

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
    say(f"\n{len(state):,} photographs of solar cells. A hurried annotator labelled {len(labelled):,} of them, functional or defective, from what experts doubted:")
    say(f"{wrong.sum():,} of these labels ({wrong.mean():.1%}) contradict the experts' majority. Assay is not told which. {len(state) - len(labelled):,} test cells, labelled by the experts, stay locked.\n")
    with progress("embedding") as step:
        scan(bench, say=say, progress=step)
    if "v2" not in set(bench.commits().name):
        rehearse(bench, truth, labelled)
        rows, _ = review(bench, truth, REVIEWS, who=WHO, why=WHY)
        bench.commit(f"{len(rows)} labels reviewed", WHO, "v2")
    seen = bench.query(f"select sample, suggested ->> 'rank' is not null as queued from edits where why = '{WHY}'")
    asked = seen["sample"][seen.queued]
    found, chance, drawn = int(wrong[asked].sum()), len(asked) * wrong.mean(), len(seen) - len(asked)
    say(f"\nThe expert looked at {len(asked)} labels in queue order and found {found} of the {wrong.sum()} wrong ones; {len(asked)} labels at random hold {chance:.1f} on average.")
    say(f"{drawn} more were drawn at random, so that what the queue did not show can be estimated; 30 are needed before a rate is given.")
    (folder / "plan.toml").write_text(PLAN)
    plan = experiment.read_plan(folder / "plan.toml")
    with progress("training") as step:
        experiment.run(bench, plan, say, step)
    data = experiment.report_data(bench, plan)
    page = report.write(bench, data, folder / "report.html")
    gain, beside = data["interval"], {b["kind"]: b for b in data["beside"]}
    say(f"\nWas it worth it? Judged on {data['n_test']} locked test cells, {len(data['seeds'])} seeds, mean of {' and '.join(plan['architectures'])}:")
    for name, e in (("the 200 reviews", gain), ("as many at random", beside["control"]), ("all labels clean", beside["ceiling"])):
        say(f"  {name:<18} {experiment.interval(e)}")
    say(f"Verdict: {data['verdict']}")
    if gain["verdict"] == "no evidence either way":
        say(f"Even perfect labels would gain {experiment.points(beside['ceiling']['estimate'])} here: the effect is small beside what {data['n_test']} test cells can show.")
    say(f"\n{time.perf_counter() - start:.0f} s. The report is {page}")
    out = dict(wrong=int(wrong.sum()), labels=len(labelled), reviewed=len(asked), found=found, chance=round(chance, 1), report=str(page), gain=gain, verdict=data["verdict"])
    return out, f"open {page}, and look around with: assay status -b {bench.path}"


def rehearse(bench, truth, labelled):
    """What a study needs and a team does not have: the same number of reviews at random, and every label clean. Each is applied, named and
    undone, so the log shows it."""
    drawn = by_draw(labelled.index, seed=1)[:REVIEWS]
    for name, samples in (("random", drawn), ("clean", labelled.index)):
        done = bench.edit(decisions(samples, truth), WHO, f"for comparison: {name}")
        bench.commit(f"for comparison: {name}", WHO, name)
        bench.undo(done["batch"], WHO)


