"""Proposals in a real browser: an agent's changes, two people who look at them, a check and a merge."""

import pandas as pd
import pytest

import assay
from assay.curation.statistics import sampling
from assay.curation.versioning import proposal_votes, proposals
from assay.curation.versioning.proposal_policy import read_policy
from assay.pipelines.indexing.scan import ScanOptions, scan
from tests.helpers import bench_of, digits, silent

TITLE = "what the probe would say <b>now</b>"


@pytest.fixture(scope="module")
def bench(tmp_path_factory):
    found = bench_of(digits(300, wrong=0.1).drop(columns="truth"), tmp_path_factory.mktemp("prop"))
    scan(found, ScanOptions(embedder="pixels"), say=silent)
    found = assay.open(found.path)
    queue = found.queue(20)
    changes = queue.assign(label=queue.suggested_label)[["sample", "label"]]
    proposals.open_proposal(found, TITLE, changes, "agent:helper", "agent:helper", "a queue")
    return found


def opened(server, chrome, who):
    page = server.page(chrome, f"/proposals?who={who}")
    page.get_by_role("heading", name=TITLE).wait_for(timeout=60_000)
    return page


@pytest.mark.slow
@pytest.mark.browser
def test_an_agents_changes_are_looked_at_by_two_people_checked_and_merged(bench, server, chrome):
    before = bench.state().label
    changes = proposals.read_changes(bench, "p1").set_index("sample")
    others = set(changes.index[changes.value != changes.was])  # a queue has looks at random, too
    first = proposal_votes.draw_first_looks(proposals.read_proposal(bench, "p1"), changes.index, 12)
    page = opened(server, chrome, "ann")
    page.get_by_text("wrong", exact=True).first.click()
    page.get_by_role("button", name="Store what I saw").click()
    page.get_by_text("ann rejected 1 sample").wait_for()
    page.get_by_label("Say something").fill("one is wrong, the rest <i>may</i> do")
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Comment").click()
    page.get_by_text("one is wrong, the rest <i>may</i> do").wait_for()
    assert bench.state().label.equals(before), "nothing counts before the merge"
    page.context.close()
    page = opened(server, chrome, "bob")
    page.get_by_role("button", name="Approve all").click()
    page.get_by_text("bob approved").wait_for()
    page.get_by_role("button", name="Check", exact=True).click()
    page.get_by_text("random changes of the same class mix").wait_for(timeout=90_000)
    page.get_by_role("button", name="Merge", exact=True).click()
    page.get_by_text("p1, merged").first.wait_for(timeout=90_000)
    page.context.close()
    after = bench.state().label
    moved = set(after.index[after != before])
    assert moved == others - {first[0]}
    assert {bench.blame(s)[2].who.iloc[-1] for s in moved} == {"agent:helper"}
    bench.undo(proposals.read_proposal(bench, "p1").batch, who="bob")
    assert bench.state().label.equals(before)


@pytest.mark.slow
@pytest.mark.browser
def test_a_file_is_proposed_in_the_browser_and_a_bad_one_is_refused(bench, server, chrome):
    sample = bench.state(columns=["label"]).index[0]
    for content, told in (
        (f"sample,label\n{sample},nobody\n", "nobody"),
        (f"sample,keep\n{sample},false\n", "p2, open"),
    ):
        page = server.page(chrome, "/proposals?who=ann")
        page.get_by_text("Propose changes from a file").click()
        page.get_by_role("button", name="Open the proposal").click()
        page.get_by_text("expected a title, found none").wait_for()
        fill = {"Title": "a file", "Whose changes they are, if not yours": "rule: zeros"}
        for label, text in fill.items():
            page.get_by_label(label).fill(text)
        file = dict(name="changes.csv", mimeType="text/csv", buffer=content.encode())
        page.locator("input[type=file]").set_input_files(file)
        page.get_by_text("changes.csv").first.wait_for()
        page.get_by_role("button", name="Open the proposal").click()
        page.get_by_text(told).first.wait_for(timeout=30_000)
        page.context.close()
    found = proposals.read_proposal(bench, "p2")
    assert (found.who, found.labeller, found.n_changes) == ("ann", "rule: zeros", 1)
    assert bench.state().keep[sample]


@pytest.mark.slow
@pytest.mark.browser
def test_the_policy_is_set_conflicts_are_seen_and_what_fails_is_said(bench, server, chrome):
    rows = bench.frame(split="train").query("label != '8'").index[:2]
    changes = pd.DataFrame(dict(sample=rows, label="8"))
    name = proposals.open_proposal(bench, "two eights", changes, "cleo").name
    bench.edit(pd.DataFrame(dict(sample=rows[:1], label="9")), "zoe")
    page = server.page(chrome, f"/proposals?who=ann&proposal={name}")
    page.get_by_text("stands, by zoe").wait_for(timeout=60_000)
    page.get_by_text("Nothing was measured of it yet").wait_for()
    page.get_by_text("Policy", exact=True).click()
    for label, text in {"Random looks": "1", "Margin": "5"}.items():
        page.get_by_label(label).fill(text)
        page.keyboard.press("Tab")
    page.get_by_text("No regression set falls", exact=True).click()
    page.get_by_role("button", name="Change the policy").click()
    page.get_by_text("a gain surely above -5 points").first.wait_for()
    policy = read_policy(bench)
    assert (policy.look_at, policy.margin, policy.regression) == (1, 0.05, False)
    assert (policy.approvals, policy.measured, policy.agreement) == (1, True, None)
    page.get_by_role("button", name="Merge", exact=True).click()
    page.get_by_text("is not merged").wait_for(timeout=90_000)
    page.get_by_test_id("stAlertContentError").get_by_text("0 of 1 random sample").wait_for()
    page.context.close()


@pytest.mark.slow
@pytest.mark.browser
@pytest.mark.daily
def test_the_audit_page_tells_who_errs_less(bench, server, chrome):
    order = sampling.random_order(bench.state())[:40]
    labels = bench.state().label[order]
    for who, wrong in (("model", 25), ("zoe", 0)):
        said = [str((int(c) + 1) % 10) if i < wrong else c for i, c in enumerate(labels)]
        changes = pd.DataFrame(dict(sample=order, label=said))
        if who == "model":
            proposals.open_proposal(bench, "votes", changes, "ann", who)
        else:
            bench.edit(changes, who)
    page = server.page(chrome, "/audit?who=ann")
    page.get_by_text("Show how often each errs").click(timeout=60_000)
    page.get_by_text("is the better annotator").wait_for(timeout=60_000)
    found = bench.compare_labellers("model", "given labels")
    assert found["n"] == 40 and found["high"] < 0
    page.get_by_text(found["verdict"], exact=True).wait_for()
    page.context.close()
