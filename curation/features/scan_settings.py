"""What the last scan was asked for."""

import json

from assay.curation.errors import UserError


def rescan(bench):
    """The command that repeats the last scan."""
    try:
        asked = settings(bench)
    except UserError:
        return f"assay scan -b {bench.given}"
    own = asked["probabilities"] == "own"
    return (
        "assay scan"
        + (f" --embedder {asked['embedder']}" if asked["embedder"] != "lite0" else "")
        + (f" --effort {asked['effort']}" if asked["effort"] > 1 else "")
        + (" --embeddings FILE" if asked["folder"].startswith("own-") else "")
        + (
            f" --pred-probs FILE --out-of-sample {'yes' if asked['out_of_sample'] else 'no'}"
            if own
            else ""
        )
        + f" -b {bench.given}"
    )


def scanned(bench):
    return bool(bench.rows("select 1 from meta where key = 'scan'"))


def settings(bench):
    """What the last scan was asked for: {embedder, folder, effort, probabilities}; UserError where there was none."""
    found = bench.rows("select value from meta where key = 'scan'")
    if not found:
        raise UserError(
            "expected a scanned bench, found none of its images judged",
            f"run: assay scan -b {bench.given}",
        )
    return json.loads(found[0][0])
