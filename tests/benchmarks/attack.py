"""What a bench and its workbench survive: kills at any moment, damage to any file, odd requests, a crowd, three who write at once.

    python -m tests.benchmarks.attack [kills|flips|routes|clients|people] [--n N] [--only NAME]

All of it is our own: benches in a temporary folder, and a workbench on 127.0.0.1. Ends with status 1 where anything did not hold."""

import argparse
import contextlib
import http.client
import io
import json
import multiprocessing
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import traceback
from collections import Counter
from functools import partial
from hashlib import sha256
from pathlib import Path
from urllib.parse import quote

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests"))

import pandas as pd  # noqa: E402
from conftest import bench_of, digits  # noqa: E402

import curation  # noqa: E402
from curation import UserError, backup, check, leftovers, versions  # noqa: E402

PLAN = """question = "?"
versions = ["v1"]
architectures = ["probe"]
seeds = 4
"""
WARM = "pandas duckdb scipy.spatial sklearn.neighbors cleanlab.filter PIL.Image tests.benchmarks.attack pipelines.scan pipelines.experiment".split()


def fork():
    """A way to start processes by a fork of one that has all modules loaded, and no thread: thirty milliseconds each, not two seconds."""
    top = sys.modules["__main__"]  # which no process needs to run again
    top.__spec__, top.__file__ = None, None
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(WARM)
    return context


def assay(*arguments):
    """(status, output, errors) of one command in this process."""
    from pipelines.__main__ import main

    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        status = main([str(a) for a in arguments])
    return status, out.getvalue(), err.getvalue()


def scanned(folder, n=100):
    from pipelines.scan import scan

    bench = bench_of(digits(n), folder, audited_test=True)
    scan(bench, embedder="pixels", say=lambda line: None)
    return bench


# ---- kills: of each verb what is made first, what is killed, and what can be seen of it. What is seen is what stood before or what stands after it.


def train(bench):
    return list(bench.frame(split="train").index)


def relabel(bench, rng, who):
    return bench.edit(pd.DataFrame([dict(sample=s, label=str(rng.randrange(10))) for s in rng.sample(train(bench), 5)]), who)["batch"]


class Import:
    """A second source, into a bench that has one."""

    def make(self, place):
        bench_of(digits(60), place, audited_test=True)
        digits(120, seed=1).to_parquet(place / "more.parquet")

    def act(self, place, tell):
        from pipelines.ingest import ingest

        tell(ingest(curation.create(place / "bench"), place / "more.parquet", "ann", columns=dict(label="label"), refreeze_test=True))

    def see(self, place):
        bench = curation.open(place / "bench")
        return versions.tree(bench.state()), len(bench.state())


class First(Import):
    """The first source, which makes the bench, too; one that is there and empty is nothing yet."""

    def make(self, place):
        digits(120, seed=1).to_parquet(place / "more.parquet")

    def see(self, place):
        if not (place / "bench" / "assay.duckdb").exists():
            return None
        return (super().see(place)) if len(curation.open(place / "bench").state()) else None


class Scan:
    def make(self, place):
        bench_of(digits(100), place, audited_test=True)

    def act(self, place, tell):
        from pipelines.scan import scan

        tell(len(scan(curation.open(place / "bench"), embedder="pixels", say=lambda line: None)))

    def see(self, place):
        """What the queue says of labels, where there is one; other reasons come with the scan's last step."""
        with contextlib.suppress(UserError):
            return curation.open(place / "bench").queue(50)[["given_label", "suggested_label", "score"]].to_csv()


class Edit:
    """Batch after batch until it is killed: those that were acknowledged are there, once, and each is whole."""

    def make(self, place):
        scanned(place)

    def act(self, place, tell, most=10**6):
        bench, rng = curation.open(place / "bench"), random.Random(os.getpid())
        for _ in range(most):
            tell(self.one(bench, rng))

    def one(self, bench, rng):
        return relabel(bench, rng, "victim")

    def see(self, place):
        sizes = curation.open(place / "bench").rows("select batch, count(*) from edits where who = 'victim' and batch like 'edit-%' group by 1")
        assert all(n == 5 for _, n in sizes), sizes
        return {batch for batch, _ in sizes}


class Commit(Edit):
    def one(self, bench, rng):
        relabel(bench, rng, "victim")
        return bench.commit("", "victim")["name"]

    def see(self, place):
        bench = curation.open(place / "bench")
        copies = backup.newest(place / "bench" / "backups")
        assert all(map(backup.examine, copies)) and len(copies) <= backup.KEPT + 1, copies
        return set(bench.commits().name)


class Merge:
    def make(self, place):
        scanned(place)
        shutil.copytree(place / "bench", place / "other")
        for seed in range(8):
            relabel(curation.open(place / "other"), random.Random(seed), "elsewhere")

    def act(self, place, tell):
        tell(curation.open(place / "bench").merge(place / "other", "ann"))

    def see(self, place):
        assert len(curation.open(place / "other").rows("select 1 from edits where who = 'elsewhere'")) == 40
        return curation.open(place / "bench").rows("select count(*), count(distinct uid) from edits where who = 'elsewhere'")


class Experiment:
    def make(self, place):
        scanned(place)
        (place / "plan.toml").write_text(PLAN)

    def act(self, place, tell):
        from pipelines import experiment, plan

        tell(experiment.run(curation.open(place / "bench"), plan.read_plan(place / "plan.toml"), lambda line: None, most=1))

    def see(self, place):
        """The runs' keys; each has its predictions, or `check` says otherwise."""
        return {key for (key,) in curation.open(place / "bench").rows("select key from runs")}


class Export:
    def make(self, place):
        scanned(place)

    def act(self, place, tell):
        from curation.export import export

        tell(export(curation.open(place / "bench"), place / "out", copy=True)["tree"])

    def see(self, place):
        out = place / "out"
        if out.exists():
            return {str(f.relative_to(out)): sha256(f.read_bytes()).hexdigest() for f in out.rglob("*") if f.is_file() and f.suffix != ".parquet"}


class Restore:
    """Back to v1, from a file that is damaged."""

    def make(self, place):
        bench = scanned(place)
        relabel(bench, random.Random(1), "ann")
        self.spoil(bench)

    def spoil(self, bench):
        blob = bytearray(bench.file.read_bytes())
        blob[len(blob) // 3 : len(blob) // 3 + 300_000] = bytes(300_000)
        bench.file.write_bytes(blob)

    def act(self, place, tell):
        tell(backup.restore(curation.Bench(place / "bench"))["upto"])

    def see(self, place):
        try:
            bench = curation.open(place / "bench")
            assert bench.chain_breaks() == []
            return versions.tree(bench.state())
        except UserError as e:
            return "restore" in e.hint  # and nothing is shown


class Return(Restore):
    """Back to v1 from a sound file, by its name."""

    def spoil(self, bench):
        pass

    def act(self, place, tell):
        tell(backup.restore(curation.Bench(place / "bench"), "v1")["upto"])


VERBS = dict(
    first=First, more=Import, scan=Scan, edit=Edit, commit=Commit, merge=Merge, experiment=Experiment, export=Export, restore=Restore, back=Return
)


def victim(verb, place, pipe, after):
    """Do the verb and say what was acknowledged; where `after` is given, end as by kill -9 before the file operation of that number."""
    count = 0

    def operation(event, arguments):
        nonlocal count
        if event in ("open", "os.rename", "os.remove", "os.link", "os.mkdir", "os.rmdir") and str(place) in str(arguments[0]):
            count += 1
            if after and count >= after:
                os.kill(os.getpid(), signal.SIGKILL)

    os.setpgid(0, 0)
    sys.addaudithook(operation)
    pipe.send("ready")
    more = dict(most=6) if after else {}
    VERBS[verb]().act(place, pipe.send, **(more if issubclass(VERBS[verb], Edit) else {}))
    pipe.send(("done", count))


def attempt(context, verb, place, wait=None, after=None, keep=None):
    """Let a process do the verb, and kill it after `wait` seconds, or at its file operation `after`. Returns (what it acknowledged, whether it had
    come to its end, how many file operations it took, seconds)."""
    ours, theirs = context.Pipe()
    process = context.Process(target=victim, args=(verb, place, theirs, after))
    process.start()
    theirs.close()
    assert ours.recv() == "ready"
    start = time.perf_counter()
    process.join(wait)
    process.kill()
    process.join()
    told = []
    with contextlib.suppress(EOFError):
        while ours.poll(0):
            told.append(ours.recv())
    done = bool(told) and isinstance(told[-1], tuple) and told[-1][0] == "done"
    return told[:-1] if done else told, done, told[-1][1] if done else None, time.perf_counter() - start


def orphans(place):
    """Processes at work on the place whose parent is gone."""
    found = []
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            if str(place).encode() in file.read_bytes() and int(file.parent.name) != os.getpid():
                found.append(file.parent.name)
    return found


def traces(place):
    """What lies there a day later when `gc` has swept, names without their numbers."""
    for f in place.rglob("*"):
        os.utime(f, (time.time() - 30 * 86400,) * 2, follow_symlinks=False)
    leftovers.gc(curation.open(place / "bench"))
    return {kind_of(f, place) for f in place.rglob("*") if f.is_file()}


def kind_of(file, place):
    """A file's name without its numbers."""
    return re.sub(r"[0-9a-f]{8,}|\d+", "#", str(file.relative_to(place)))


def kills(n, only=None):
    """Kill each verb `n` times, half of them at a random moment and half before a random file operation."""
    context, faults = fork(), []
    with tempfile.TemporaryDirectory() as tmp:
        for verb in [only] if only else [*VERBS, "server"]:
            if verb == "server":
                faults += server(n)
                continue
            law, made, start = VERBS[verb](), Path(tmp) / verb, time.perf_counter()
            made.mkdir()
            law.make(made)
            before, whole = law.see(made), Path(tmp) / f"{verb}-whole"
            shutil.copytree(made, whole)
            endless = isinstance(law, Edit)
            _, done, operations, _ = attempt(context, verb, whole, after=10**9)
            assert done, f"{verb} does not come to its end undisturbed"
            after = law.see(whole)
            seconds = 2.0
            if not endless:
                shutil.copytree(made, Path(tmp) / f"{verb}-again")
                seconds = attempt(context, verb, Path(tmp) / f"{verb}-again")[3]
            usual, ends = traces(whole), Counter()
            for seed in range(n):
                place, rng = Path(tmp) / f"{verb}-{seed}", random.Random(seed)
                shutil.copytree(made, place)
                when = dict(after=rng.randint(1, operations)) if seed % 2 else dict(wait=rng.uniform(0, 1.05 * seconds))
                try:
                    ends[survived(context, verb, place, when, before, after, usual)] += 1
                except Exception as e:  # noqa: BLE001 - all are told in the end
                    ends["FAULT"] += 1
                    faults.append(f"{verb} {seed} {when}: {e!r}")
                    traceback.print_exc()
                shutil.rmtree(place, ignore_errors=True)
            told = ", ".join(f"{count} {what}" for what, count in ends.items())
            print(f"kills {verb:<11} {n} in {time.perf_counter() - start:4.0f} s ({operations} file operations): {told}", flush=True)
    return faults


def survived(context, verb, place, when, before, after, usual):
    """One kill and what is held against it; returns how it ended."""
    law = VERBS[verb]()
    endless = isinstance(law, Edit)
    told, done, *_ = attempt(context, verb, place, **when)
    seen = law.see(place)
    if endless:
        assert set(told) <= seen, f"acknowledged and gone: {set(told) - seen}"
    elif verb == "experiment":
        assert seen <= after and len(seen) >= (len(after) if told else 0), (seen, after)
    else:
        assert seen in ([after] if told else [before, after]), f"neither before nor after it, told {told}"
    bench = curation.Bench(place / "bench")
    if bench.file.exists() and not (verb == "restore" and seen != after):
        bench = curation.open(place / "bench")
        found = [f for f in check.check(bench) if f["kind"] not in check.NOTES]
        assert found == [], found
    until = time.monotonic() + 15
    while orphans(place) and time.monotonic() < until:
        time.sleep(0.2)
    assert not orphans(place), "its own processes outlive it"
    rest = (seen == after and not endless) or done
    ended = "after it" if rest else "before it" if seen == before else "within"
    if not (rest and verb in ("export", "restore")):  # these say that it is done already
        _, again, *_ = attempt(context, verb, place, after=10**9)
        assert again, "the same verb does not complete"
    seen = law.see(place)
    assert (set(told) <= seen if endless else seen == after), "the same verb, run again, ends elsewhere"
    new = traces(place) - usual
    assert not new, f"left for ever: {new}"
    return ended


# ---- flips: one damage to one file of a bench, then everything that reads it


READS = dict(
    status=["status"], queue=["queue", "-n", "30"], issues=["issues"], log=["log"], runs=["runs"], diff=["diff", "v1", "HEAD"], report=["report"]
)


def full(folder):
    """A bench with one of everything: scanned, edited, audited, committed, trained, reported."""
    bench = scanned(folder)
    relabel(bench, random.Random(1), "ann")
    (folder / "plan.toml").write_text(PLAN)
    for command in (["commit", "-m", "more"], ["audit", "-n", "5", "-o", folder / "sheet"], ["experiment", folder / "plan.toml", "--jobs", "1"]):
        status, _, err = assay(*command, "-b", bench.path)
        assert status == 0, err
    assay("status", "--version", "v1 - flagged", "-b", bench.path)
    return bench


def answers(path):
    """{verb: (status, what it says without the bench's place, with its numbers)} of all that reads a bench."""
    out = {}
    for verb, command in READS.items():
        status, said, err = assay(*command, *([] if verb == "report" else ["--json"]), "-b", path)
        out[verb] = status, re.sub(r"since v\d+|bench-[\w-]+", "", (said if status == 0 else err).replace(str(path), "BENCH"))
    try:
        out["state"] = 0, curation.open(path).state().drop(columns=["ts"], errors="ignore").to_csv()
    except UserError as e:
        out["state"] = 2, str(e)
    return out


def damages(blob, rng, n):
    """{name: what the file holds then, None where it is gone} of `n` flipped bits, three cuts and a deletion."""
    out = dict(empty=b"", half=blob[: len(blob) // 2], end=blob[:-1], gone=None)
    for _ in range(n if blob else 0):
        at = rng.randrange(len(blob))
        out[f"bit {at}"] = blob[:at] + bytes([blob[at] ^ 1 << rng.randrange(8)]) + blob[at + 1 :]
    return {name: changed for name, changed in out.items() if changed != blob}


def harm(made, tmp, name, n, seed, pipe):
    """Damage the file `name` in every way, each in a copy of its own, and say of each how it ended."""
    sound, blob = None, (made / name).read_bytes()
    for how, changed in {"": blob, **damages(blob, random.Random(seed), n)}.items():
        place = tmp / f"bench-{seed}-{re.sub('[^0-9a-z]', '', how)}"
        shutil.copytree(made, place)
        if changed is None:
            (place / name).unlink()
        else:
            (place / name).write_bytes(changed)
        try:
            pipe.send((how, None))
            found = answers(place)
            sound = sound or found
            wrong = [v for v in found if found[v] != sound[v]]
            silent = [v for v in wrong if found[v][0] == 0]
            listed = assay("check", "-b", place)
            named = listed[0] != 0
            end = "without effect" if not wrong else "refused" if not silent else "named by check" if named else "FAULT"
            if how:
                more = [f"{v}: {found[v][1][:300]!r} for {sound[v][1][:300]!r}" for v in silent] if end in ("FAULT", "named by check") else []
                pipe.send((how, (end, more)))
        except Exception:  # noqa: BLE001 - a traceback is a fault
            pipe.send((how, ("FAULT", [traceback.format_exc()[-1500:]])))
        shutil.rmtree(place)
    pipe.send(None)


def flips(n, only=None):
    """Damage a file of each kind of a bench: `n` bits at random, three cuts, a deletion. Each is refused, named by check, or changes no answer."""
    context, faults, ends, start = fork(), [], Counter(), time.perf_counter()
    with tempfile.TemporaryDirectory() as tmp:
        made = full(Path(tmp) / "made").path
        files = {kind_of(f, made): str(f.relative_to(made)) for f in sorted(made.rglob("*")) if f.is_file()}.values()
        for seed, name in enumerate(f for f in files if not only or only in f):
            ours, theirs = context.Pipe(False)
            process = context.Process(target=harm, args=(made, Path(tmp), name, n, seed, theirs))
            process.start()
            theirs.close()
            at, of_file = "", Counter()
            try:
                while (told := ours.recv() if ours.poll(120) else "stuck") is not None:
                    assert told != "stuck", f"no answer for 120 s at {at}"
                    at, end = told
                    if end:
                        of_file[end[0]] += 1
                        faults += [f"{name}, {at}: {more}" for more in end[1] if end[0] == "FAULT"]
                        if end[0] == "named by check":
                            print(f"  {name}, {at}: {end[1]}"[:600])
            except (EOFError, AssertionError) as e:
                of_file["FAULT"] += 1
                faults.append(f"{name}, {at}: its process ended, or hangs: {e!r} {process.exitcode}")
            process.kill()
            process.join()
            ends += of_file
            print(f"flips {name:<60} " + ", ".join(f"{count} {what}" for what, count in of_file.items()), flush=True)
    print(f"flips: {ends.total()} damages to {len(files)} files in {time.perf_counter() - start:.0f} s: {dict(ends)}")
    return faults


# ---- a workbench that is asked: kills while it stores, odd requests, a crowd, people beside a script


class Line:
    """One connection to a workbench that is kept, as a browser's is."""

    def __init__(self, server):
        self.server, self.con = server, http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)

    def ask(self, path, body=None, again=True):
        """(status, bytes). One that lay idle may have been closed, so it is asked `again` on a new one, as a browser does; OSError or HTTPException
        where the server is gone."""
        given = dict(Cookie=self.server.cookie, Origin=self.server.url) | ({"Content-Type": "application/json"} if body is not None else {})
        try:
            self.con.request("GET" if body is None else "POST", f"/assay/{path}", body, given)
            answer = self.con.getresponse()
            return answer.status, answer.read()
        except (OSError, http.client.HTTPException):
            self.con.close()
            if not again:
                raise
            return self.ask(path, body, False)


class Person:
    """Somebody who decides: what they sent, and what of it was acknowledged."""

    def __init__(self, server, samples, seed, who):
        self.line, self.samples, self.rng, self.who = Line(server), samples, random.Random(seed), who
        self.sent, self.acknowledged, self.waits = [], [], []

    def decide(self, again=None):
        batch = again or f"edit-{self.rng.getrandbits(48):012x}"
        self.sent += [] if again else [batch]
        said = random.Random(batch)
        decision = dict(sample=said.choice(self.samples), label=str(said.randrange(10)), seconds=said.randrange(9))
        start = time.perf_counter()
        status, text = self.line.ask("decisions", json.dumps(dict(who=self.who, sent=[dict(batch=batch, decision=decision)])).encode())
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
    bench = curation.open(path)
    found = Counter(b for (b,) in bench.rows("select batch from edits where batch like 'edit-%' and who in (select unnest(?))", [[p.who for p in people]]))
    lost = {b for p in people for b in p.acknowledged} - set(found)
    twice = [b for b, count in found.items() if count > 1]
    strange = set(found) - {b for p in people for b in p.sent}
    wrong = [f for f in check.check(bench) if f["kind"] not in check.NOTES]
    return [f"{what}: {which}" for what, which in (("lost", lost), ("twice", twice), ("nobody's", strange), ("unsound", wrong)) if which]


def server(n):
    """Kill the workbench `n` times while four store through it, and have each send all again to the next."""
    from browser import Workbench

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
        shutil.rmtree(running.door.folder, ignore_errors=True)
    print(f"kills server      {n} in {time.perf_counter() - start:4.0f} s, {stored} decisions acknowledged before them", flush=True)
    return faults


def routes(n, only=None):
    """Ask every route `n` odd things, two fields at a time: refused in words or taken, and the server lives."""
    from browser import workbench
    from test_routes import BAD, FIELDS, ODD, RAW

    rng, ends, faults = random.Random(0), Counter(), []
    with tempfile.TemporaryDirectory() as tmp:
        bench = scanned(Path(tmp))
        samples = train(bench)
        with workbench(bench.path) as running:
            line = Line(running)
            for i in range(n):
                decision = dict(sample=json.dumps(rng.choice(samples)), verdict='"confirm"') | {f: rng.choice(BAD) for f in rng.sample(FIELDS, 2)}
                decision = "{" + ", ".join(f'"{k}": {v}' for k, v in decision.items()) + "}"
                sound = f'{{"who": "eve", "sent": [{{"batch": "edit-{i:012x}", "decision": {decision}}}]}}'.encode()
                cut = bytearray(sound)
                for _ in range(3):
                    cut[rng.randrange(len(cut))] = rng.randrange(256)
                path, body = rng.choice((("decisions", sound), ("decisions", bytes(cut)), ("items", bytes(cut)), ("items", rng.choice(RAW)), (None, None)))
                odd = [quote(rng.choice(ODD)) if rng.random() < 0.5 else rng.choice(ODD) for _ in range(2)]
                path = path or rng.choice(("image/{}?side={}", "why/{}?{}", "votes/{}?who={}", "live?session={}&after={}", "map?by={}&{}")).format(*odd)
                try:
                    status = line.ask(path, body)[0]
                except http.client.HTTPException:  # a body that is refused before it is read ends its connection
                    status = 400
                ends[status] += 1
                if status >= 500:
                    faults.append(f"{status} for {path} {body[:300] if body else ''}")
            faults += [] if line.ask("items", b'{"session": "0123456789abcdef"}')[0] == 200 else ["it does not answer any more"]
        faults += [str(f) for f in check.check(bench) if f["kind"] not in check.NOTES]
    print(f"routes: {n} odd requests: {dict(sorted(ends.items()))}")
    return faults


def used(pid):
    """(MB resident, descriptors, threads) of a process."""
    said = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    return int(said["VmRSS"].split()[0]) // 1024, len(os.listdir(f"/proc/{pid}/fd")), int(said["Threads"])


def clients(n, only=None, many=32):
    """Thirty-two at one workbench for `n` seconds: all that they stored is there once, and the server holds no more than it did after a while."""
    from browser import workbench

    with tempfile.TemporaryDirectory() as tmp:
        bench = scanned(Path(tmp))
        samples = train(bench)
        with workbench(bench.path) as running:
            people, asked = [Person(running, samples, i, f"p{i}") for i in range(many)], Counter()

            def work(person):
                rng, session = person.rng, f"{id(person):016x}"
                what = rng.choice(["decide"] * 4 + ["image"] * 4 + ["items", "live", "why", "votes"])
                if what == "decide":
                    person.decide()
                else:
                    sample = rng.choice(samples)
                    body = json.dumps(dict(session=session)).encode() if what == "items" else None
                    path = dict(items="items", live=f"live?session={session}").get(what, f"{what}/{sample}")
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
    p50, p99 = waits[len(waits) // 2], waits[int(0.99 * len(waits))]
    print(f"clients: {many} for {n} s asked {asked.total():,} ({dict(asked)}), a decision waited {p50:.2f} s (p99 {p99:.2f}, worst {waits[-1]:.2f})")
    print(f"clients: MB, descriptors, threads at the start {start}, after each quarter {seen}, at the end {end}")
    if end[1] > start[1] + 20 or end[2] > start[2] + 60 or seen[-1][0] > 1.25 * seen[0][0]:
        faults.append(f"the server holds more and more: {start}, {seen}, {end}")
    return faults


SCRIPT = """
import random, sys, time, curation
from tests.benchmarks.attack import relabel
bench, rng, until = curation.open(sys.argv[1]), random.Random(0), time.monotonic() + float(sys.argv[2])
while time.monotonic() < until:
    what = rng.choice(["edit"] * 6 + ["undo", "commit"])
    start = time.perf_counter()
    if what == "edit":
        relabel(bench, rng, "script")
    elif what == "commit":
        bench.commit("", "script")
    else:
        mine = [b for (b,) in bench.rows("select distinct batch from edits where who = 'script' and batch like 'edit-%' order by batch")]
        bench.undo(rng.choice(mine), "script") if mine else None
    print(what, time.perf_counter() - start, flush=True)
    time.sleep(0.1)
"""


def people(n, only=None):
    """Two people in the browser and a script on one bench for `n` seconds: nobody loses anything, and nobody waits long."""
    from browser import workbench

    with tempfile.TemporaryDirectory() as tmp:
        bench = scanned(Path(tmp))
        samples = train(bench)
        with workbench(bench.path) as running:
            two = [Person(running, samples, who, who) for who in ("ann", "bob")]
            command = [sys.executable, "-c", SCRIPT, str(bench.path), str(n)]
            script = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT)
            faults = crowd([lambda p=p: (p.decide(), time.sleep(0.3)) for p in two], n)
            said, err = script.communicate(timeout=120)
        faults += [err] * bool(script.returncode) + all_there(bench.path, two)
        log = curation.open(bench.path).query("select batch, who from edits order by seq")
        ours = log[log.who.isin(["ann", "bob", "script"])]
        if (ours.batch != ours.batch.shift()).sum() != ours.batch.nunique():
            faults.append("a batch lies in pieces")
    for name, waits in [*((p.who, p.waits) for p in two), ("script", [float(line.split()[1]) for line in said.splitlines()])]:
        waits = sorted(waits)
        print(f"people: {name} did {len(waits)} in {n} s, waited {waits[len(waits) // 2]:.2f} s each, at most {waits[-1]:.2f}")
    return faults


ATTACKS = dict(kills=kills, flips=flips, routes=routes, clients=clients, people=people)
SIZES = dict(kills=20, flips=3, routes=2000, clients=120, people=60)


def main():
    p = argparse.ArgumentParser(prog="attack", description=__doc__.splitlines()[0])
    p.add_argument("which", nargs="*", choices=[[], *ATTACKS], default=[])
    p.add_argument("--n", type=int)
    p.add_argument("--only")
    a = p.parse_args()
    faults = []
    for name in a.which or ATTACKS:
        faults += [f"{name}: {f}" for f in ATTACKS[name](a.n or SIZES[name], a.only)]
    print(f"\n{len(faults)} faults" + "".join(f"\n  {f}" for f in faults))
    return int(bool(faults))


if __name__ == "__main__":
    from tests.benchmarks import attack  # the module that the processes import, too

    sys.exit(attack.main())
