"""`make bench`: all benchmarks, each in a process of its own, or those named: python -m tests.benchmarks scan probe."""

import subprocess
import sys

ALL = (
    "startup",
    "probe",
    "million",
    "scan",
    "effort2",
    "coverage",
    "audit",
    "log",
    "trust",
    "train",
    "report",
    "graph",
    "planted",
    "fifty",
    "app",
    "atlas",
)

for name in sys.argv[1:] or ALL:
    print(f"\n== {name}", flush=True)
    subprocess.run([sys.executable, "-m", f"tests.benchmarks.{name}"], check=True)
