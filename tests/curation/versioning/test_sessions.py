"""Sessions of people: where they begin and end, what was decided, and the way back."""

import pandas as pd

from assay.curation.times import to_local
from assay.curation.versioning.sessions import list_sessions, read_decisions
from tests.helpers import run_assay


def at(bench, batch, clock):
    """Let a batch have been made at this time of one day (UTC)."""
    with bench.transaction() as con:
        con.execute(
            "update edits set ts = ?::timestamp where batch = ?", [f"2026-11-28 {clock}", batch]
        )


def decide(bench, who, clock, rows):
    batch = bench.edit(pd.DataFrame(rows), who)["batch"]
    at(bench, batch, clock)
    return batch


def planted(bench):
    """ann at 17:00, 17:11 and 18:00 (a pause between), ben at 17:05; ids of the samples."""
    ids = list(bench.frame(split="train").index[:6])
    label = bench.state().label
    other = {s: "9" if label[s] != "9" else "8" for s in ids}
    ann = [
        decide(bench, "ann", "17:00", [dict(sample=s, label=other[s]) for s in ids[:2]]),
        decide(bench, "ann", "17:11", [dict(sample=ids[2], verdict="confirm"), dict(sample=ids[3], verdict="unsure")]),
        decide(bench, "ann", "18:00", [dict(sample=ids[4], keep=False)]),
    ]  # fmt: skip
    decide(bench, "ben", "17:05", [dict(sample=ids[5], label=other[ids[5]])])
    return ids, label, other, ann


def test_a_pause_ends_a_session_and_others_do_not(bench):
    ids, label, other, ann = planted(bench)
    found = [(s.who, f"{s.first:%H:%M} {s.last:%H:%M}", s.counts) for s in list_sessions(bench)]
    assert [(who, span) for who, span, _ in found] == [
        ("ann", "18:00 18:00"),
        ("ann", "17:00 17:11"),
        ("ben", "17:05 17:05"),
    ], "newest first; an import is no session"
    said = {k: n for k, n in found[1][2].items() if n}
    assert said == dict(reviewed=4, relabelled=2, confirmed=1, unsure=1)
    assert {k: n for k, n in found[0][2].items() if n} == dict(reviewed=1, dropped=1)


def test_what_was_decided_stands_beside_the_label_until_then(bench):
    ids, label, other, _ = planted(bench)
    rows = read_decisions(bench, list_sessions(bench)[1]).set_index("sample")
    assert set(rows.index) == set(ids[:4]) and list(rows.index[:2]) == ids[:2], "changed first"
    assert dict(rows.before) == {s: label[s] for s in ids[:4]}
    assert dict(rows.after[:2]) == {s: other[s] for s in ids[:2]}
    assert rows.verdict[ids[2]] == "confirm" and rows.verdict[ids[3]] == "unsure"
    assert read_decisions(bench, list_sessions(bench)[0]).dropped.tolist() == [True]


def test_a_session_is_taken_back_and_what_others_decided_stays(bench):
    ids, label, other, ann = planted(bench)
    session = list_sessions(bench)[1]
    ends = dict(since=to_local(session.first), until=to_local(session.last))
    _, out = bench.revert(of="ann", **ends, who="carl")
    assert out["undone"] == ann[:2]
    state = bench.state()
    assert (state.label[ids[:2]] == label[ids[:2]]).all() and state.label[ids[5]] == other[ids[5]]
    assert not state.keep[ids[4]], "the later session stays"
    taken = next(s for s in list_sessions(bench) if s.who == "carl")
    assert taken.counts["taken_back"] == 4 and not taken.counts["reviewed"]


def test_the_same_by_command(bench):
    ids, label, _, ann = planted(bench)
    ends = "--since", "2026-11-28 17:00+00:00", "--until", "2026-11-28 17:30+00:00"
    code, out, err = run_assay("revert", "--who", "ann", *ends, "--json", "-b", bench.path)
    assert code == 0 and all(b in out for b in ann[:2]) and ann[2] not in out, err
    code, _, err = run_assay("revert", ann[2], "--until", "2h", "-b", bench.path)
    assert code == 2 and "expected what to revert" in err
