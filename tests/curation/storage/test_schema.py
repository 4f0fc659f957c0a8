"""Benches that an older Assay made, and kinds of edit changed by hand."""

import pytest

import assay
from assay.curation.storage.schema import SCHEMA
from assay.curation.versioning import history
from tests.decisions import decide, other, train
from tests.helpers import make_older, run_assay


@pytest.mark.slow
def test_a_bench_of_schema_1_is_taken_over(small):
    with small.transaction() as con:
        make_older(con, 1)
    fresh = assay.open(small.path)
    assert len(fresh.state()) == 60 and fresh.commit("", "ann")["new"]
    assert len(fresh.runs()) == 0 and fresh.rows("select count(*) from looks") == [(0,)]
    assert fresh.rows("select value from meta where key = 'schema'") == [(SCHEMA,)]


def test_an_older_bench_learns_the_kind_of_each_edit(small):
    """No query takes the name of a batch apart: what the columns say is as the names do, in a bench of any age."""
    s = train(small)[0]
    decide(small, "ann", dict(sample=s, label=other(small.state().label[s])))
    small.undo(who="ann")
    small.redo("ann")
    named = """select seq, split_part(batch, '-', 1) as kind, split_part(origin, '-', 1) as origin_kind
        from edits order by seq"""
    said = "select seq, kind, origin_kind from edits order by seq"
    names, state, log = small.rows(named), small.state(), history.read_log(small)
    assert small.rows(said) == names and {kind for _, kind, _ in names} >= {
        "import",
        "edit",
        "undo",
        "redo",
    }
    for age in (1, 2, 3, 4, 5):
        with small.transaction() as con:
            make_older(con, age)
        small = assay.open(small.path)
        assert small.rows(said) == names and small.chain_breaks() == []
        assert small.state().equals(state) and history.read_log(small).equals(log)


def test_a_kind_that_was_changed_by_hand_is_found_and_mended(small):
    decide(small, "ann", dict(sample=train(small)[0], label="4"))
    with small.transaction() as con:
        con.execute("update edits set kind = 'import' where kind = 'edit'")
    status, out, _ = run_assay("check", "-b", small.path)
    assert status == 1 and "1 edit whose kind is not that of its batch" in out
    run_assay("check", "--repair", "-b", small.path)
    assert small.rows("select count(*) from edits where kind = 'edit'") == [(1,)]
    assert run_assay("check", "-b", small.path)[0] == 0
