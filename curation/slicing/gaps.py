"""List a data set's gaps, ranked by explained errors.

Errors are those on validation. A gap is a region where the data do not show what the model needs.
"""

from __future__ import annotations

import json
from hashlib import sha256
from typing import TYPE_CHECKING

import numpy as np

from assay.curation.label_quality import judges
from assay.curation.slicing import cluster_names, clusters, gap_text
from assay.curation.slicing.gap_evidence import COLUMNS, GapEvidence, draw_kept
from assay.curation.slicing.gap_kinds import find_candidates
from assay.curation.slicing.gap_ranking import rank_gaps
from assay.curation.splits import LOCKED
from assay.curation.storage.arrays import load_arrays, save_arrays
from assay.curation.storage.interface import Bench
from assay.curation.versioning import expressions, pointers, states

if TYPE_CHECKING:
    import pandas as pd

PROMPT = 20_000  # samples up to which a list is found at once for whoever looks


def find_gaps(bench: Bench, version: str = "HEAD", run: str | None = None) -> pd.DataFrame:
    """Find every gap, as one row of a frame (see COLUMNS), ranked.

    First what is missing from train and explains validation errors (thin, rare, absent), then
    where the model is wrong more often than elsewhere (error), then disagreement, isolated and
    what is missing without an error to show for it. Within these by `explains`: the errors beyond
    what the rest's rate predicts, each counted in one gap alone. `gap` is the name of a gap.

    Errors are those of the current probe, or of a finished `run`, by the val labels as given. With
    several labels a sample each class that label or prediction names is asked for by itself.
    `flagged` is the share of these labels in the region that look wrong themselves. The list and
    what lies in each gap are kept in arrays/gaps.npz until the next one. Of each kind 200 are ranked; attrs left_out
    counts the others. Of more than a million samples the list is of a fixed sample of these; attrs drawn is (samples
    that it is of, all of them).
    """
    kept, asked = load_arrays(bench.arrays / "gaps.npz"), describe_request(bench, version, run)
    if asked == read_request(kept):
        return read_table(kept)
    key = hash_content(bench, version, run)
    same = kept is not None and str(kept["key"]) == key
    if not same:
        kept = search_gaps(bench, version, run) | dict(key=np.array(key))
    asked["clusters"] = clusters.load_clusters_key(bench)  # which may have been made on the way
    try:
        save_arrays(bench.arrays / "gaps.npz", **kept | dict(asked=np.array(json.dumps(asked))))
    except OSError:
        if not same:
            raise  # else the next look pays for the hash again
    return read_table(kept)


def search_gaps(bench: Bench, version: str, run: str | None) -> dict[str, np.ndarray]:
    """Search for gaps, as gaps.npz keeps them.

    Arrays table (JSON), ids of all members, and sizes.
    """
    import pandas as pd

    evidence = GapEvidence(bench, version, run)
    found = rank_gaps(evidence, find_candidates(evidence))
    rows = [row | dict(action=gap_text.suggest_action(bench, row)) for row, _ in found]
    of = evidence.labels.of
    ids = [np.unique(np.asarray(evidence.state.index[of[mask]], "S32")) for _, mask in found]
    table = pd.DataFrame(rows, columns=COLUMNS).to_json(orient="records", double_precision=15)
    return dict(
        table=np.array(json.dumps(json.loads(table))),
        ids=np.concatenate([*ids, np.empty(0, "S32")]),
        sizes=np.array([len(i) for i in ids], int),
        left_out=np.array(evidence.left_out),
        drawn=np.array([len(evidence.state), len(evidence.every)]),
    )


def read_rows(kept: dict) -> list[dict]:
    """Read the rows of a kept list.

    An older Assay named gaps by the kinds as they are stored, and judged samples alone.
    """
    rows = json.loads(str(kept["table"]))
    of_older = [dict(unit="sample", judged=row["val"], of_class=None) for row in rows]
    named = [dict(gap=gap_text.name_gap(row["kind"], row["region"])) for row in rows]
    return [older | row | name for older, row, name in zip(of_older, rows, named)]


def read_table(kept: dict) -> pd.DataFrame:
    """Read a kept list as a frame."""
    import pandas as pd

    table = pd.DataFrame(read_rows(kept), columns=COLUMNS)
    table.attrs["left_out"] = int(kept.get("left_out", 0))
    table.attrs["drawn"] = tuple(np.asarray(kept.get("drawn", (0, 0))).tolist())
    return table


def load_recent_gaps(bench: Bench) -> tuple[pd.DataFrame, int]:
    """Load the gaps of the labels as they are, and 0.

    Of a large bench, whose list would take a while: the last list of HEAD, and how many edits
    came since.
    """
    kept, asked = load_arrays(bench.arrays / "gaps.npz"), describe_request(bench)
    then = read_request(kept)
    if then | dict(upto=0) == asked | dict(upto=0) and len(bench.state()) > PROMPT:
        return read_table(kept), asked["upto"] - then["upto"]
    return find_gaps(bench), 0


def load_last_gaps(bench: Bench) -> list[dict]:
    """Load the last list; [] where there is none.

    Later edits may have changed it. It is for who cannot wait for another.
    """
    kept = load_arrays(bench.arrays / "gaps.npz", ["table"])
    return [] if kept is None else read_rows(kept)


# ---- whether a kept list still holds


def describe_request(bench: Bench, version: str = "HEAD", run: str | None = None) -> dict:
    """Say what a list is made for.

    For the same again it is the same list. That takes no hash of all labels.
    """
    upto, of = (
        pointers.find_position(bench, v) for v in ("HEAD", expressions.root_version(version))
    )
    asked = dict(version=str(version), run=run, upto=upto)
    if version != "HEAD":
        asked["of"] = of
    judge = judges.judge_key(bench, version)
    return asked | dict(judge=judge, clusters=clusters.load_clusters_key(bench))


def read_request(kept: dict | None) -> dict:
    """Read what a kept list was made for.

    {} where there is none or an older Assay made it.
    """
    return json.loads(str(kept["asked"])) if kept is not None and "asked" in kept else {}


def hash_content(bench: Bench, version: str, run: str | None) -> str:
    """Hash what the list is made of.

    That is what the version holds but test and guard, what judges it, the clusters and their
    names.
    """
    now, (every, rows) = clusters.current_clusters(bench, bench.state()), draw_kept(bench, version)
    state = every.iloc[rows]
    named = cluster_names.load_given_names(bench, "fine")
    # what is decided is not flagged
    decided = sha256(state.reviewed.to_numpy(bool).tobytes()).hexdigest()
    held = [states.hash_tree(state), decided, len(every), judges.judge_key(bench, version)]
    return sha256(json.dumps([*held, run, now.key, named]).encode()).hexdigest()


# ---- one gap of the list


def gap_members(bench: Bench, name: str) -> list[str]:
    """List the samples that lie in a gap of the last list.

    name: of the gap, or the beginning of it. Kept samples of train, val and pool. UserError,
    listing the known, for a gap that is not on the list.
    """
    kept = load_arrays(bench.arrays / "gaps.npz")
    if kept is None:
        find_gaps(bench)
        kept = load_arrays(bench.arrays / "gaps.npz")
    known = [row["gap"] for row in read_rows(kept)]
    at = known.index(resolve_gap(bench, name, known))
    start = int(kept["sizes"][:at].sum())
    ids = kept["ids"][start : start + kept["sizes"][at]].astype(str)
    state = bench.state()
    rows = state.index.get_indexer(ids)
    there = (rows >= 0) & np.append(state.keep & ~state.split.isin(LOCKED), False)[rows]
    return ids[there].tolist()


def gap_seeds(bench: Bench, name: str) -> list[str]:
    """List what to seek more of for a gap.

    Its val samples, where it has none those of train, and else what the pool has. Not all
    members: a search leaves out what it starts from, and the pool's own samples there are what it
    should find first.
    """
    state, mine = bench.state(), np.array(gap_members(bench, name), object)
    split = state.split.to_numpy(object)[state.index.get_indexer(mine)]
    return next((part for s in ("val", "train") if len(part := mine[split == s])), mine).tolist()


def find_gap(bench: Bench, name: str) -> dict:
    """Find a gap's row on the last list.

    name: as gap_members takes it.
    """
    gap_members(bench, name)  # finds a list where there is none
    rows = {row["gap"]: row for row in load_last_gaps(bench)}
    return rows[resolve_gap(bench, name, list(rows))]


def resolve_gap(bench: Bench, name: str, known: list[str]) -> str:
    """Find the one of the gaps `known` that a person calls `name`."""
    hint = f"assay gaps -b {bench.given} lists them anew"
    return cluster_names.resolve_name(gap_text.current_name(name), known, "gap", hint)
