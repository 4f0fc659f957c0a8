"""What the last scan was asked for."""

from __future__ import annotations

import json

from assay.curation.errors import NotScanned, UserError
from assay.curation.storage.interface import Bench


def rescan_command(bench: Bench) -> str:
    """Write the command that repeats the last scan."""
    try:
        asked = read_settings(bench)
    except UserError:
        return f"assay scan -b {bench.given}"
    words = ["assay scan"]
    if asked["embedder"] != "lite0":
        words.append(f"--embedder {asked['embedder']}")
    if asked["effort"] != 1:
        words.append(f"--effort {asked['effort']}")
    if asked["folder"].startswith("own-"):
        words.append("--embeddings FILE")
    if asked["probabilities"] == "own":
        answer = "yes" if asked["out_of_sample"] else "no"
        words.append(f"--pred-probs FILE --out-of-sample {answer}")
    return " ".join([*words, f"-b {bench.given}"])


def is_scanned(bench: Bench) -> bool:
    """Whether a bench was scanned."""
    return bool(bench.rows("select 1 from meta where key = 'scan'"))


def read_settings(bench: Bench) -> dict:
    """Read what the last scan was asked for.

    {embedder, folder, effort, probabilities, ...}; UserError where there was none."""
    found = bench.rows("select value from meta where key = 'scan'")
    if not found:
        raise NotScanned(
            "expected a scanned bench, found none of its images judged",
            f"run: assay scan -b {bench.given}",
        )
    return json.loads(found[0][0])


def uses_tiny_images(bench: Bench) -> bool:
    """Whether the last scan's model saw tiny images alone (--embedder pixels)."""
    asked = read_settings(bench)
    own = asked["folder"].startswith("own-") or asked["probabilities"] == "own"
    return asked["embedder"] == "pixels" and not own
