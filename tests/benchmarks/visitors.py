"""A workbench that is asked: kills while it stores, odd requests, a crowd, people beside a script."""

import http.client
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import traceback
from collections import Counter
from functools import partial
from pathlib import Path
from urllib.parse import quote

import assay
from assay.curation.maintenance import array_checks, integrity
from tests.benchmarks.victims import ROOT, scanned, train

IDLE = 4  # seconds: the workbench keeps a connection for 5


class Line:
    """One connection to a workbench that is kept, as a browser's is."""

    def __init__(self, server):
        self.server, self.con = (
            server,
            http.client.HTTPConnection("127.0.0.1", server.port, timeout=60),
        )
        self.answered, self.cut = (
            0.0,
            0,
        )  # when it last was, and how often a connection ended that had not lain idle

    def ask(self, path, body=None, again=True):
        """(status, bytes). One that lay idle may have been closed, so it is asked `again` on a new one, as a browser does; OSError or HTTPException
        where the server is gone."""
        given = dict(Cookie=self.server.cookie, Origin=self.server.url) | (
            {"Content-Type": "application/json"} if body is not None else {}
        )
        try:
            self.con.request("GET" if body is None else "POST", f"/assay/{path}", body, given)
            answer = self.con.getresponse()
            found = answer.status, answer.read()
            self.answered = time.monotonic()
            return found
        except (OSError, http.client.HTTPException):
            self.con.close()
            self.cut += time.monotonic() - self.answered < IDLE
            if not again:
                raise
            return self.ask(path, body, False)


class Person:
    """Somebody who decides: what they sent, and what of it was acknowledged."""

    def __init__(self, server, samples, seed, who):
        self.line, self.samples, self.rng, self.who = (
            Line(server),
            samples,
            random.Random(seed),
            who,
        )
        self.sent, self.acknowledged, self.waits = [], [], []

    def decide(self, again=None):
        batch = again or f"edit-{self.rng.getrandbits(48):012x}"
        self.sent += [] if again else [batch]
        said = random.Random(batch)
        decision = dict(
            sample=said.choice(self.samples),
            label=str(said.randrange(10)),
            seconds=said.randrange(9),
        )
        start = time.perf_counter()
        status, text = self.line.ask(
            "decisions",
            json.dumps(dict(who=self.who, sent=[dict(batch=batch, decision=decision)])).encode(),
        )
        self.waits.append(time.perf_counter() - start)
        assert status == 200 and not json.loads(text)["refused"], text
        self.acknowledged.append(batch)


def crowd(works, seconds):
    """Let each of `works` be done again and again in a thread of its own; returns the faults that they met."""
    until, faults = time.monotonic() + seconds, []

    def one(work):
        try:
            while time.monotonic() < until:
                work()
        except (OSError, http.client.HTTPException) as e:
            faults.append(repr(e))
        except Exception:  # noqa: BLE001 - all are told in the end
            faults.append(traceback.format_exc()[-800:])

    threads = [threading.Thread(target=one, args=(work,)) for work in works]
    [t.start() for t in threads]
    [t.join() for t in threads]
    return faults


def all_there(path, people):
    """What is wrong with what the log holds of what people sent: each acknowledged batch is there, and none twice."""
    bench = assay.open(path)
    found = Counter(
        b
        for (b,) in bench.rows(
            "select batch from edits where batch like 'edit-%' and who in (select unnest(?))",
            [[p.who for p in people]],
        )
    )
    lost = {b for p in people for b in p.acknowledged} - set(found)
    twice = [b for b, count in found.items() if count > 1]
    strange = set(found) - {b for p in people for b in p.sent}
    wrong = [f for f in integrity.check_bench(bench) if f["kind"] not in array_checks.NOTES]
    return [
        f"{what}: {which}"
        for what, which in (
            ("lost", lost),
            ("twice", twice),
            ("nobody's", strange),
            ("unsound", wrong),
        )
        if which
    ]


def server(n, only=None):
    """Kill the workbench `n` times while four store through it, and have each send all again to the next."""
    from tests.browser import Workbench

    faults, start, rng, stored = [], time.perf_counter(), random.Random(0), 0
    with tempfile.TemporaryDirectory() as tmp:
        bench, running = scanned(Path(tmp)), None
        samples = train(bench)
        for seed in range(n):
            running = Workbench(bench.path, running and running.port).start()
            people = [Person(running, samples, f"{seed} {i}", f"p{seed}-{i}") for i in range(4)]
            killer = threading.Timer(rng.uniform(0.1, 1.5), running.process.kill)
            killer.start()
            crowd([p.decide for p in people], 20)  # each ends where its server does
            running.kill()
            faults += [f"server {seed}: {f}" for f in all_there(bench.path, people)]
            stored += sum(len(p.acknowledged) for p in people)
            running.start()
            for p in people:
                for batch in p.sent:
                    p.decide(batch)
            running.kill()
            faults += [f"server {seed}, sent again: {f}" for f in all_there(bench.path, people)]
        shutil.rmtree(running.keys.folder, ignore_errors=True)
    print(
        f"kills server      {n} in {time.perf_counter() - start:4.0f} s, {stored} decisions acknowledged before them",
        flush=True,
    )
    return faults


def routes(n, only=None):
    """Ask every route `n` odd things, two fields at a time: refused in words or taken, and the server lives."""
    from tests.app.test_routes import BAD, FIELDS, ODD, RAW
    from tests.browser import workbench

    rng, ends, faults = random.Random(0), Counter(), []
    with tempfile.TemporaryDirectory() as tmp:
        bench = scanned(Path(tmp))
        samples = train(bench)
        with workbench(bench.path) as running:
            line = Line(running)
            for i in range(n):
                decision = dict(sample=json.dumps(rng.choice(samples)), verdict='"confirm"') | {
                    f: rng.choice(BAD) for f in rng.sample(FIELDS, 2)
                }
                decision = "{" + ", ".join(f'"{k}": {v}' for k, v in decision.items()) + "}"
                sound = f'{{"who": "eve", "sent": [{{"batch": "edit-{i:012x}", "decision": {decision}}}]}}'.encode()
                cut = bytearray(sound)
                for _ in range(3):
                    cut[rng.randrange(len(cut))] = rng.randrange(256)
                path, body = rng.choice(
                    (
                        ("decisions", sound),
                        ("decisions", bytes(cut)),
                        ("items", bytes(cut)),
                        ("items", rng.choice(RAW)),
                        (None, None),
                    )
                )
                odd = [
                    quote(rng.choice(ODD)) if rng.random() < 0.5 else rng.choice(ODD)
                    for _ in range(2)
                ]
                path = path or rng.choice(
                    (
                        "image/{}?side={}",
                        "why/{}?{}",
                        "votes/{}?who={}",
                        "live?session={}&after={}",
                        "map?by={}&{}",
                    )
                ).format(*odd)
                try:
                    status = line.ask(path, body)[0]
                except (
                    http.client.HTTPException
                ):  # a body that is refused before it is read ends its connection
                    status = 400
                ends[status] += 1
                if status >= 500:
                    faults.append(f"{status} for {path} {body[:300] if body else ''}")
            faults += (
                []
                if line.ask("items", b'{"session": "0123456789abcdef"}')[0] == 200
                else ["it does not answer any more"]
            )
        faults += [
            str(f) for f in integrity.check_bench(bench) if f["kind"] not in array_checks.NOTES
        ]
    print(f"routes: {n} odd requests: {dict(sorted(ends.items()))}")
    return faults


def used(pid):
    """(MB resident, descriptors, threads) of a process."""
    said = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    return (
        int(said["VmRSS"].split()[0]) // 1024,
        len(os.listdir(f"/proc/{pid}/fd")),
        int(said["Threads"]),
    )


def clients(n, only=None, many=32):
    """Thirty-two at one workbench for `n` seconds: all that they stored is there once, and the server holds no more than it did after a while."""
    from tests.browser import workbench

    with tempfile.TemporaryDirectory() as tmp:
        bench = scanned(Path(tmp))
        samples = train(bench)
        with workbench(bench.path) as running:
            people, asked = [Person(running, samples, i, f"p{i}") for i in range(many)], Counter()

            def work(person):
                rng, session = person.rng, f"{id(person):016x}"
                what = rng.choice(
                    ["decide"] * 4 + ["image"] * 4 + ["items", "live", "why", "votes"]
                )
                if what == "decide":
                    person.decide()
                else:
                    sample = rng.choice(samples)
                    body = json.dumps(dict(session=session)).encode() if what == "items" else None
                    path = dict(items="items", live=f"live?session={session}").get(
                        what, f"{what}/{sample}"
                    )
                    status, text = person.line.ask(path, body)
                    assert status == 200, (status, path, text[:200])
                asked[what] += 1

            start, seen = used(running.process.pid), []
            faults = []
            for _ in range(4):  # a quarter each: what grows all the time is seen to
                faults += crowd([partial(work, p) for p in people], n / 4)
                seen.append(used(running.process.pid))
            [p.line.con.close() for p in people]
            time.sleep(8)  # kept connections end after 5 s
            end = used(running.process.pid)
        faults += all_there(bench.path, people)
    waits = sorted(w for p in people for w in p.waits)
    faults += [
        f"{cut} connections were cut that were in use"
        for cut in [sum(p.line.cut for p in people)]
        if cut
    ]
    p50, p99 = waits[len(waits) // 2], waits[int(0.99 * len(waits))]
    print(
        f"clients: {many} for {n} s asked {asked.total():,} ({dict(asked)}), a decision waited {p50:.2f} s (p99 {p99:.2f}, worst {waits[-1]:.2f})"
    )
    print(
        f"clients: MB, descriptors, threads at the start {start}, after each quarter {seen}, at the end {end}"
    )
    if end[1] > start[1] + 20 or end[2] > start[2] + 60 or seen[-1][0] > 1.25 * seen[0][0]:
        faults.append(f"the server holds more and more: {start}, {seen}, {end}")
    return faults


SCRIPT = """
import random, sys, time, assay
from tests.benchmarks.victims import relabel
bench, rng, until, mine = assay.open(sys.argv[1]), random.Random(0), time.monotonic() + float(sys.argv[2]), []
while time.monotonic() < until:
    what = rng.choice(["edit"] * 6 + ["undo", "commit"])
    start = time.perf_counter()
    if what == "edit":
        mine.append(relabel(bench, rng, "script"))
    elif what == "commit":
        bench.commit("", "script")
    elif mine:
        bench.undo(mine.pop(rng.randrange(len(mine))), "script")
    print(what, time.perf_counter() - start, flush=True)
    time.sleep(0.1)
"""


def people(n, only=None):
    """Two people in the browser and a script on one bench for `n` seconds: nobody loses anything, and nobody waits long."""
    from tests.browser import workbench

    with tempfile.TemporaryDirectory() as tmp:
        bench = scanned(Path(tmp))
        samples = train(bench)
        with workbench(bench.path) as running:
            two = [Person(running, samples, who, who) for who in ("ann", "bob")]
            command = [sys.executable, "-c", SCRIPT, str(bench.path), str(n)]
            script = subprocess.Popen(
                command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT
            )
            faults = crowd([lambda p=p: (p.decide(), time.sleep(0.3)) for p in two], n)
            said, err = script.communicate(timeout=120)
        faults += [err] * bool(script.returncode) + all_there(bench.path, two)
        log = assay.open(bench.path).query("select batch, who from edits order by seq")
        ours = log[log.who.isin(["ann", "bob", "script"])]
        if (ours.batch != ours.batch.shift()).sum() != ours.batch.nunique():
            faults.append("a batch lies in pieces")
    for name, waits in [
        *((p.who, p.waits) for p in two),
        ("script", [float(line.split()[1]) for line in said.splitlines()]),
    ]:
        waits = sorted(waits)
        print(
            f"people: {name} did {len(waits)} in {n} s, waited {waits[len(waits) // 2]:.2f} s each, at most {waits[-1]:.2f}"
        )
    return faults
