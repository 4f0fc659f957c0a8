"""Any history of edits by two people gives one tree back: by undo, after a merge, and after export and import."""

import json
from contextlib import suppress

import pandas as pd
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

import assay
from tests.helpers import copied, run_assay
from tests.loops.base import list_loops, write_source

ROWS = 30
LOOPS = {loop.name: loop for loop in list_loops()}
EACH = [pytest.param(n, marks=() if LOOPS[n].plain else pytest.mark.daily) for n in LOOPS]
EDIT = st.tuples(
    st.sampled_from(["label", "label", "label", "undo", "redo"]),
    st.integers(0, 1),  # which of two copies of the bench
    st.integers(0, ROWS - 1),  # which sample
    st.sets(st.integers(0, 2), max_size=3),  # which classes; of one label the first
)


@pytest.fixture(scope="module", params=EACH)
def started(request, tmp_path_factory):
    """A loop, and a bench of thirty of its samples."""
    loop, folder = LOOPS[request.param], tmp_path_factory.mktemp("histories")
    table = loop.make().head(ROWS)
    source = write_source(loop, table.assign(label=table.truth), folder)
    assert run_assay("import", source, *loop.options, "-b", folder / "bench")[0] == 0
    return loop, assay.open(folder / "bench")


def edit(bench, several, do, sample, chosen):
    who, names = "ann", list(bench.classes().name)
    if do != "label":
        return getattr(bench, do)(who=who)
    some = [names[i] for i in sorted(chosen)] if several else [names[min(chosen, default=0)]]
    return bench.edit(pd.DataFrame(dict(sample=[sample], label=["|".join(some) or "[]"])), who=who)


def tree(bench):
    return bench.commit("", who="ann")["tree"]


def test_trees_come_back(started, tmp_path_factory):
    loop, bench = started
    examples = 2 if loop.plain else 5
    more = dict(deadline=None, database=None, derandomize=True)

    @settings(max_examples=examples, phases=(Phase.explicit, Phase.generate), **more)
    @given(st.lists(EDIT, min_size=3, max_size=12))
    def check(steps):
        walk_history(loop, bench, steps, tmp_path_factory.mktemp("history"))

    check()


def walk_history(loop, bench, steps, folder):
    """Edit two copies of a bench, merge them, move the whole to a third, and take all back in the second."""
    benches = [copied(bench, folder / name) for name in ("one", "two")]
    ids, first = sorted(bench.frame(split="train").index), tree(benches[0])
    for do, which, i, chosen in steps:
        try:
            edit(benches[which], loop.task == "multilabel", do, ids[i % len(ids)], chosen)
        except assay.UserError as e:
            assert do in ("undo", "redo"), e  # there was nothing
    one, two = benches
    one.merge(two.path, who="eve")
    merged = tree(one)
    assert run_assay("export", "-b", one.path, "-o", folder / "out")[0] == 0
    words = "import", folder / "out" / "manifest.csv", "--task", loop.task, "-b", folder / "three"
    status, out, err = run_assay(*words)
    assert status == 0, err
    again = json.loads(
        run_assay("export", "-b", folder / "three", "-o", folder / "o2", "--json")[1]
    )
    assert again["tree"] == merged
    with suppress(assay.UserError):  # there is nothing more
        while True:
            two.undo(who="ann")
    assert tree(two) == first
