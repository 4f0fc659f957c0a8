"""Whatever is sent to a route of ours is taken, or refused in words: nothing that a browser or a script can say makes the server fail."""

import http.client
import json
import shutil

import numpy as np
import pandas as pd
import pytest

import assay
from assay.app.server import audit_sheet
from assay.curation.maintenance import integrity
from assay.curation.versioning import history, incoming
from tests.browser import workbench

BAD = [  # as JSON text: what a field may be in place of what it should be
    *(
        "null",
        "true",
        "-1",
        "0.5",
        "1e308",
        "-1e308",
        "1" + "0" * 30,
        "1e999",
        "NaN",
        "Infinity",
        "-Infinity",
        "9" * 5000,
    ),
    *(
        '""',
        '"x"',
        '"NaN"',
        '"1e999"',
        '"\\u0000"',
        '"\\ud800"',
        '"../../x"',
        json.dumps("x" * 60_000),
        '"\U0001f408\u202e"',
    ),
    *(
        "[]",
        "[1]",
        "[null]",
        "[[[]]]",
        "{}",
        '{"a": 1}',
        "[" * 900 + "]" * 900,
        '{"a":' * 900 + "1" + "}" * 900,
    ),
]
UNSOUND = ("1e999", "NaN", "Infinity", "-Infinity", '"\\ud800"')
BROWSE = ("/assay/act", "/assay/view", "/assay/picture")
FIELDS = "sample label verdict keep tag split given_label suggested_label score rank random reason seconds".split()
RAW = [
    b"",
    b"{",
    b"[1]",
    b"null",
    b"1",
    b"\xff\xfe\x00",
    b'{"who": "\xc3\x28"}',
    b"[" * 30_000,
    b'{"a":' * 10_000,
    b"\x00" * 100,
]
RAW += [
    json.dumps(dict(who="eve", sent=[], more="x" * n)).encode() for n in (65_500, 1_000_000)
]  # well formed, and far too long
ODD = [
    "%00",
    "%ff%fe",
    "..%2f..%2fassay.duckdb",
    "%2fetc%2fpasswd",
    "x" * 4000,
    "%F0%9F%90%88",
    "0",
    "-1",
    "1" * 5000,
    "NaN",
    "%25",
    "a%0d%0ab",
]


@pytest.fixture(scope="module")
def served(scanned_once, tmp_path_factory):
    """A scanned bench with an open audit, and a workbench on it."""
    place = tmp_path_factory.mktemp("routes") / "bench"
    shutil.copytree(scanned_once.path, place)
    bench = assay.open(place)
    audit = audit_sheet.begin_sheet(bench, "ann", 3)
    with workbench(place) as server:
        yield bench, server, audit


class Line:
    """One connection that is kept."""

    def __init__(self, server):
        self.server, self.con = (
            server,
            http.client.HTTPConnection("127.0.0.1", server.port, timeout=30),
        )

    def ask(self, path, body=None, **headers):
        given = dict(Cookie=self.server.cookie, Origin=self.server.url) | (
            {"Content-Type": "application/json"} if body is not None else {}
        )
        try:
            self.con.request("GET" if body is None else "POST", path, body, given | headers)
            answer = self.con.getresponse()
            return answer.status, answer.read().decode(errors="replace")
        except (
            http.client.HTTPException,
            ConnectionError,
        ):  # a body that is refused before it is read ends its connection
            self.con.close()
            return 400, "closed"


@pytest.mark.daily
@pytest.mark.browser
def test_no_value_of_any_field_of_any_route_makes_the_server_fail(served):
    bench, server, audit = served
    line, before = Line(server), bench.rows("select count(*) from edits")
    good = bench.frame(split="train").index[0]
    bodies = [
        (path, body)
        for path in ("/assay/decisions", "/assay/items", f"/assay/audit/{audit}", *BROWSE)
        for body in RAW
    ]
    for bad in BAD:
        bodies += [
            ("/assay/items", f'{{"session": {a}, "skip": {b}}}'.encode())
            for a, b in ((bad, "[]"), ('"0123456789abcdef"', bad))
        ]
        bodies += [
            (
                "/assay/decisions",
                f'{{"who": {bad}, "sent": [{{"batch": "edit-{0:012x}", "decision": []}}]}}'.encode(),
            )
        ]
        bodies += [("/assay/decisions", f'{{"who": "eve", "sent": {bad}}}'.encode())]
        bodies += [
            (
                "/assay/decisions",
                f'{{"who": "eve", "sent": [{{"batch": {bad}, "decision": []}}]}}'.encode(),
            )
        ]
        bodies += [
            (
                "/assay/decisions",
                f'{{"who": "eve", "sent": [{{"batch": "edit-{1:012x}", "decision": {bad}}}]}}'.encode(),
            )
        ]
        for path in BROWSE:
            for one in ("who", "batch", "decision", "only", "of", "but", "table", "name", "sort"):
                bodies += [
                    (path, f'{{"who": "eve", "batch": "edit-{2:012x}", "{one}": {bad}}}'.encode())
                ]
        for one in ("row", "label", "verdict", "seconds"):
            said = dict(row="1", label="null", verdict='"unsure"', seconds="1") | {one: bad}
            if (one, bad) not in (("seconds", "0.5"), ("label", "null")):  # these are sound
                bodies += [
                    (
                        f"/assay/audit/{audit}",
                        f"{{{', '.join(f'{json.dumps(k)}: {v}' for k, v in said.items())}}}".encode(),
                    )
                ]
    for path, body in bodies:
        status, text = line.ask(path, body)
        assert status in (200, 400), (status, path, body[:200], text[:200])
        assert (
            status == 200 or text == "closed" or json.loads(text)["error"].startswith("expected ")
        ), (path, body[:200], text)
        if len(body) > 64 << 10:
            assert status == 400, "well formed, and too long"
    for odd in ODD:
        for path in (
            f"image/{odd}",
            f"image/{good}?side={odd}",
            f"why/{odd}",
            f"votes/{odd}?who={odd}",
            f"live?session={odd}",
            f"map?by={odd}",
            f"samples?q={odd}&sort={odd}&search={odd}&like={odd}&group={odd}",
            f"samples?after={odd}",
            f"facets?q={odd}&name={odd}",
            f"tiles/{odd}/{odd}",
            f"sprite/{odd}?of={odd}",
            f"sample/{odd}?who={odd}",
            f"position?since={odd}",
        ):
            assert line.ask(f"/assay/{path}")[0] in (200, 400, 404), path
        for path in (
            f"live?session=0123456789abcdef&after={odd if odd[:2] != '11' else -1}",
            f"audit/{odd}/1",
            f"audit/{audit}/{odd}",
        ):
            assert line.ask(f"/assay/{path}")[0] in (200, 400, 404), path
        assert line.ask(f"/overview?who={odd}&%&=&;")[0] in (200, 307), odd
    for origin in (
        "http://[",
        "http://]",
        "http://",
        "",
        "null",
        "\xff",
        "http://[::1",
        f"http://127.0.0.1:{server.port}:1",
    ):
        assert line.ask("/assay/items", b"{}", Origin=origin)[0] == 403, origin
    for host in ("[", "]", "[::1", "127.0.0.1:x", "localhost:99999999", ":", "a b", "\xff"):
        assert line.ask("/assay/items", b"{}", Host=host)[0] in (400, 403), host
    assert bench.rows("select count(*) from edits") == before and not audit_sheet.load_answers(
        bench, audit
    )


@pytest.mark.daily
@pytest.mark.browser
def test_no_value_of_any_field_of_a_decision_is_stored_unless_it_means_something(served):
    bench, server, _ = served
    line, samples = Line(server), list(bench.frame(split="train").index)
    stored, n = set(), 0
    for field in FIELDS:
        sent = {}
        for bad in BAD:
            n += 1
            decision = {
                k: v
                for k, v in dict(
                    sample=json.dumps(samples[n % len(samples)]), verdict='"confirm"'
                ).items()
                if k != field
            }
            decision[field] = bad
            decision = "{" + ", ".join(f'"{k}": {v}' for k, v in decision.items()) + "}"
            if (
                len(bad) < 5000 and bad not in UNSOUND
            ):  # the others are no JSON, or too long to stand among others
                sent[f"edit-{n:012x}"] = decision
        one = ", ".join(
            f'{{"batch": "{batch}", "decision": {decision}}}' for batch, decision in sent.items()
        )
        status, text = line.ask("/assay/decisions", f'{{"who": "eve", "sent": [{one}]}}'.encode())
        assert status == 200, text
        stored |= set(sent) - set(json.loads(text)["refused"])
    assert 0 < len(stored) < n / 2
    rows = bench.query(
        "select batch, seconds, suggested, label from (select *, value ->> '$' as label from edits) where who = 'eve'"
    )
    assert set(rows.batch) <= stored
    assert rows.seconds.dropna().between(0, 1e8).all() and set(rows.seconds.dropna()) == {0.5}
    hints = [json.loads(h) for h in rows.suggested.dropna()]
    assert all(
        type(h.get("random", True)) is bool
        and abs(h.get("score", 0)) <= 1e6
        and 0 <= h.get("rank", 0) <= 1e12
        for h in hints
    )


@pytest.mark.slow
@pytest.mark.parametrize("field", ["seconds", "score", "rank", "random", "reason", "label"])
def test_a_script_cannot_store_it_either(scanned, field):
    a, b = scanned.frame(split="train").index[:2]
    before = scanned.rows("select count(*) from edits")
    values = [[1], {"a": 1}, np.arange(3)] + [
        float("inf"),
        float("-inf"),
        "inf",
        "1e999",
        10**30,
        10**5000,
        True,
        "x",
    ] * (field in ("seconds", "score", "rank"))
    for value in values:
        frame = pd.DataFrame(
            [dict(sample=a, verdict="confirm"), dict(sample=b, verdict="confirm")], dtype=object
        )
        frame[field] = pd.Series([None, value], dtype=object)
        with pytest.raises(assay.UserError, match=field):
            scanned.edit(frame, "script")
        row = dict(sample=a, verdict="confirm") | {field: value}
        assert incoming.receive_batches(scanned, [("edit-0123456789ab", [row])], "script")[
            "refused"
        ], value
    assert scanned.rows("select count(*) from edits") == before
    frame = pd.DataFrame(
        [
            dict(
                sample=a,
                verdict="confirm",
                seconds=float("nan"),
                score=0.25,
                rank=float("nan"),
                random="TRUE",
            )
        ]
    )
    scanned.edit(frame, "script")
    seconds, hint = scanned.rows("select seconds, suggested from edits where who = 'script'")[0]
    assert seconds is None and json.loads(hint) == dict(score=0.25, random=True), (
        "an empty cell is no number, and says nothing"
    )


@pytest.mark.slow
def test_an_old_log_that_holds_infinity_opens_counts_without_it_and_is_named(scanned):
    from assay.pipelines.cli.main import main

    some = scanned.frame(split="train").index[:3]
    rows = pd.DataFrame(
        dict(
            sample=some,
            field="label",
            value=[json.dumps(c) for c in scanned.state().label[some]],
            verdict="confirm",
        )
    )
    with scanned.transaction() as con:
        rows["seconds"] = [float("inf"), -1e308, 3.0]
        scanned.append(con, rows, "edit-0123456789ab", "ann")
    old = assay.open(scanned.path)
    assert list(history.read_batches(old).seconds)[-1] == 3.0 and old.reviewers()[
        0
    ].seconds.tolist() == [3.0]
    assert [history.blame_sample(old, s)[2].seconds.iloc[-1] for s in some[2:]] == [3.0]
    found = [f for f in integrity.check_bench(old) if f["kind"] == "numbers"]
    assert len(found) == 1 and found[0]["n"] == 2 and "first edit" in found[0]["what"]
    assert main(["check", "-b", str(old.path)]) == 0 and main(["log", "-b", str(old.path)]) == 0
