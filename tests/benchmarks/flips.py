"""One damage to one file of a bench, then everything that reads it."""

import random
import re
import shutil
import tempfile
import time
import traceback
from collections import Counter
from pathlib import Path

import assay
from assay import UserError
from tests.benchmarks.kills import kind_of
from tests.benchmarks.victims import PLAN, fork, relabel, run_assay, scanned

READS = dict(
    status=["status"],
    queue=["queue", "-n", "30"],
    issues=["issues"],
    log=["log"],
    runs=["runs"],
    diff=["diff", "v1", "HEAD"],
    report=["report"],
)


def full(folder):
    """A bench with one of everything: scanned, edited, audited, committed, trained, reported."""
    bench = scanned(folder)
    relabel(bench, random.Random(1), "ann")
    (folder / "plan.toml").write_text(PLAN)
    for command in (
        ["commit", "-m", "more"],
        ["audit", "-n", "5", "-o", folder / "sheet"],
        ["experiment", folder / "plan.toml", "--jobs", "1"],
    ):
        status, _, err = run_assay(*command, "-b", bench.path)
        assert status == 0, err
    run_assay("status", "--version", "v1 - flagged", "-b", bench.path)
    return bench


def answers(path):
    """{verb: (status, what it says without the bench's place, with its numbers)} of all that reads a bench."""
    out = {}
    for verb, command in READS.items():
        status, said, err = run_assay(
            *command, *([] if verb == "report" else ["--json"]), "-b", path
        )
        said = re.sub(
            r"since v\d+|bench-[\w-]+",
            "",
            (said if status == 0 else err).replace(str(path), "BENCH"),
        )
        out[verb] = (
            status,
            re.sub(r"(\.\d{4})\d+", r"\1", said),
        )  # what is judged anew is the same to 1e-5
    try:
        out["state"] = 0, assay.open(path).state().drop(columns=["ts"], errors="ignore").to_csv()
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
            listed = run_assay("check", "-b", place)
            named = listed[0] != 0
            end = (
                "without effect"
                if not wrong
                else "refused"
                if not silent
                else "named by check"
                if named
                else "FAULT"
            )
            if how:
                more = (
                    [f"{v}: {found[v][1][:300]!r} for {sound[v][1][:300]!r}" for v in silent]
                    if end in ("FAULT", "named by check")
                    else []
                )
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
        files = {
            kind_of(f, made): str(f.relative_to(made))
            for f in sorted(made.rglob("*"))
            if f.is_file()
        }.values()
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
                faults.append(
                    f"{name}, {at}: its process ended, or hangs: {e!r} {process.exitcode}"
                )
            process.kill()
            process.join()
            ends += of_file
            print(
                f"flips {name:<60} "
                + ", ".join(f"{count} {what}" for what, count in of_file.items()),
                flush=True,
            )
    print(
        f"flips: {ends.total()} damages to {len(files)} files in {time.perf_counter() - start:.0f} s: {dict(ends)}"
    )
    return faults
