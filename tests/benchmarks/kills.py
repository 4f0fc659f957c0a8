"""Kill -9 at a random moment, or before a random file operation, in each verb. Of each verb there is what is made first, what is killed, and what can
be seen of it: what is seen is what stood before or what stands after."""

import contextlib
import os
import random
import re
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections import Counter
from hashlib import sha256
from pathlib import Path

import assay
from assay import UserError
from assay.curation.maintenance import array_checks, garbage, integrity
from assay.curation.storage import backup
from assay.curation.versioning import states
from tests.benchmarks.victims import PLAN, bench_of, digits, fork, relabel, scanned


class Import:
    """A second source, into a bench that has one."""

    def make(self, place):
        bench_of(digits(60), place, audited_test=True)
        digits(120, seed=1).to_parquet(place / "more.parquet")

    def act(self, place, tell):
        from assay.curation.formats.base import ImportOptions
        from assay.pipelines.indexing.ingest import ingest

        tell(
            ingest(
                assay.create(place / "bench"),
                place / "more.parquet",
                "ann",
                ImportOptions(columns=dict(label="label"), refreeze_test=True),
            )
        )

    def see(self, place):
        bench = assay.open(place / "bench")
        return states.hash_tree(bench.state()), len(bench.state())


class First(Import):
    """The first source, which makes the bench, too; one that is there and empty is nothing yet."""

    def make(self, place):
        digits(120, seed=1).to_parquet(place / "more.parquet")

    def see(self, place):
        if not (place / "bench" / "assay.duckdb").exists():
            return None
        return (super().see(place)) if len(assay.open(place / "bench").state()) else None


class Scan:
    def make(self, place):
        bench_of(digits(100), place, audited_test=True)

    def act(self, place, tell):
        from assay.pipelines.indexing.scan import ScanOptions, scan

        tell(
            len(
                scan(
                    assay.open(place / "bench"),
                    ScanOptions(embedder="pixels"),
                    say=lambda line: None,
                )
            )
        )

    def see(self, place):
        """What the queue says of labels, where there is one; other reasons come with the scan's last step."""
        with contextlib.suppress(UserError):
            return (
                assay.open(place / "bench")
                .queue(50)[["given_label", "suggested_label", "score"]]
                .to_csv()
            )


class Edit:
    """Batch after batch until it is killed: those that were acknowledged are there, once, and each is whole."""

    def make(self, place):
        scanned(place)

    def act(self, place, tell, most=10**6):
        bench, rng = assay.open(place / "bench"), random.Random(os.getpid())
        for _ in range(most):
            tell(self.one(bench, rng))

    def one(self, bench, rng):
        return relabel(bench, rng, "victim")

    def see(self, place):
        sizes = assay.open(place / "bench").rows(
            "select batch, count(*) from edits where who = 'victim' and batch like 'edit-%' group by 1"
        )
        assert all(n == 5 for _, n in sizes), sizes
        return {batch for batch, _ in sizes}


class Commit(Edit):
    def one(self, bench, rng):
        relabel(bench, rng, "victim")
        return bench.commit("", "victim")["name"]

    def see(self, place):
        bench = assay.open(place / "bench")
        copies = backup.list_newest(place / "bench" / "backups")
        assert all(map(backup.examine_backup, copies)) and len(copies) <= backup.KEPT + 1, copies
        return set(bench.commits().name)


class Merge:
    def make(self, place):
        scanned(place)
        shutil.copytree(place / "bench", place / "other")
        for seed in range(8):
            relabel(assay.open(place / "other"), random.Random(seed), "elsewhere")

    def act(self, place, tell):
        tell(assay.open(place / "bench").merge(place / "other", "ann"))

    def see(self, place):
        assert (
            len(assay.open(place / "other").rows("select 1 from edits where who = 'elsewhere'"))
            == 40
        )
        return assay.open(place / "bench").rows(
            "select count(*), count(distinct uid) from edits where who = 'elsewhere'"
        )


class Experiment:
    def make(self, place):
        scanned(place)
        (place / "plan.toml").write_text(PLAN)

    def act(self, place, tell):
        from assay.pipelines.experiments import plan, run

        tell(
            run.run_plan(
                assay.open(place / "bench"),
                plan.read_plan(place / "plan.toml"),
                lambda line: None,
                most=1,
            )
        )

    def see(self, place):
        """The runs' keys; each has its predictions, or `check` says otherwise."""
        return {key for (key,) in assay.open(place / "bench").rows("select key from runs")}


class Export:
    def make(self, place):
        scanned(place)

    def act(self, place, tell):
        from assay.curation.formats.write import export_version

        tell(export_version(assay.open(place / "bench"), place / "out", copy=True)["tree"])

    def see(self, place):
        out = place / "out"
        if out.exists():
            return {
                str(f.relative_to(out)): sha256(f.read_bytes()).hexdigest()
                for f in out.rglob("*")
                if f.is_file() and f.suffix != ".parquet"
            }


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
        tell(backup.restore_backup(assay.Bench(place / "bench"))["upto"])

    def see(self, place):
        try:
            bench = assay.open(place / "bench")
            assert bench.chain_breaks() == []
            return states.hash_tree(bench.state())
        except UserError as e:
            return "restore" in e.hint  # and nothing is shown


class Return(Restore):
    """Back to v1 from a sound file, by its name. Killed between file and witness, the bench is refused, with the word to restore it."""

    def spoil(self, bench):
        pass

    def act(self, place, tell):
        tell(backup.restore_backup(assay.Bench(place / "bench"), "v1")["upto"])


VERBS = dict(
    first=First,
    more=Import,
    scan=Scan,
    edit=Edit,
    commit=Commit,
    merge=Merge,
    experiment=Experiment,
    export=Export,
    restore=Restore,
    back=Return,
)


def victim(verb, place, pipe, after):
    """Do the verb and say what was acknowledged; where `after` is given, end as by kill -9 before the file operation of that number."""
    count = 0

    def operation(event, arguments):
        nonlocal count
        if event in ("open", "os.rename", "os.remove", "os.link", "os.mkdir", "os.rmdir") and str(
            place
        ) in str(arguments[0]):
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
    return (
        told[:-1] if done else told,
        done,
        told[-1][1] if done else None,
        time.perf_counter() - start,
    )


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
    garbage.collect_garbage(assay.open(place / "bench"))
    return {kind_of(f, place) for f in place.rglob("*") if f.is_file()}


def kind_of(file, place):
    """A file's name without its numbers."""
    return re.sub(r"[0-9a-f]{8,}|\d+", "#", str(file.relative_to(place)))


def kills(n, only=None):
    """Kill each verb `n` times, half of them at a random moment and half before a random file operation."""
    context, faults = fork(), []
    with tempfile.TemporaryDirectory() as tmp:
        for verb in [only] if only else VERBS:
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
                when = (
                    dict(after=rng.randint(1, operations))
                    if seed % 2
                    else dict(wait=rng.uniform(0, 1.05 * seconds))
                )
                try:
                    ends[survived(context, verb, place, when, before, after, usual)] += 1
                except Exception as e:  # noqa: BLE001 - all are told in the end
                    ends["FAULT"] += 1
                    faults.append(f"{verb} {seed} {when}: {e!r}")
                    traceback.print_exc()
                shutil.rmtree(place, ignore_errors=True)
            told = ", ".join(f"{count} {what}" for what, count in ends.items())
            print(
                f"kills {verb:<11} {n} in {time.perf_counter() - start:4.0f} s ({operations} file operations): {told}",
                flush=True,
            )
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
        between = [True] * (verb == "back")
        assert seen in ([after] if told else [before, after, *between]), (
            f"neither before nor after it, told {told}"
        )
    bench = assay.Bench(place / "bench")
    if bench.file.exists() and seen is not True:
        bench = assay.open(place / "bench")
        found = [f for f in integrity.check_bench(bench) if f["kind"] not in array_checks.NOTES]
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
    assert set(told) <= seen if endless else seen == after, (
        "the same verb, run again, ends elsewhere"
    )
    new = traces(place) - usual
    assert not new, f"left for ever: {new}"
    return ended
