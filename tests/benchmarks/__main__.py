"""`make bench`: the benchmarks that take minutes, each in a process of its own, or those named: make bench scan probe. One that fails makes the exit status 1.
`make bench-long`: those that take hours; they keep what they made in benchmarks/ and go on from there."""

import subprocess
import sys

MINUTES = "startup detection probe million addresses objects scan coverage audit log trust train report graph planted demo fifty app atlas sessions stopping attack readers filtering scale agents compare proposals crowds proposal_gates".split()
HOURS = "gain gaps suggest similar".split()  # each takes a folder

asked = HOURS if sys.argv[1:] == ["--long"] else sys.argv[1:] or MINUTES
failed = []
for name in asked:
    print(f"\n== {name}", flush=True)
    folder = [f"benchmarks/{name}"] if name in HOURS else []
    done = subprocess.run([sys.executable, "-m", f"tests.benchmarks.{name}", *folder])
    failed += [name] * (done.returncode != 0)
if asked is MINUTES:
    print(f"\nnot run, since they take hours: {', '.join(HOURS)} (make bench-long)")
if failed:
    sys.exit(f"\nfailed: {', '.join(failed)}")
