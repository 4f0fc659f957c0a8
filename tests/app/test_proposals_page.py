"""Proposals in a real browser: an agent's changes, two people who look at them, a check and a merge."""

import pytest

import assay
from assay.curation.versioning import proposal_votes, proposals
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
