"""Jobs that take minutes."""

import os

os.environ.setdefault(
    "OMP_WAIT_POLICY", "passive"
)  # before torch loads: threads that spin while they wait take 5 to 10 times longer beside a busy process
