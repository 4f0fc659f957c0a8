"""What a bench and its workbench survive: kills at any moment, damage to any file, odd requests, a crowd, three who write at once.

    python -m tests.benchmarks.attack [kills|server|flips|routes|clients|people] [--n N] [--only NAME]

All of it is our own: benches in a temporary folder, and a workbench on 127.0.0.1. Ends with status 1 where anything did not hold."""

import argparse
import sys

from tests.benchmarks.flips import flips
from tests.benchmarks.kills import kills
from tests.benchmarks.visitors import clients, people, routes, server

ATTACKS = dict(
    kills=kills, server=server, flips=flips, routes=routes, clients=clients, people=people
)
SIZES = dict(kills=20, server=20, flips=3, routes=2000, clients=120, people=60)


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
    sys.exit(main())
