"""Name clusters, by choice or by contents.

Contents are their labels and metadata.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np

from assay.curation import text
from assay.curation.errors import UnknownName, UserError
from assay.curation.media.base import media_of
from assay.curation.slicing import metadata
from assay.curation.slicing.cluster_words import describe_words
from assay.curation.slicing.clusters import (
    assign_clusters,
    find_clusters,
    order_by_typicality,
)
from assay.curation.splits import LOCKED
from assay.curation.storage.interface import Bench
from assay.curation.tasks.base import task_of
from assay.curation.versioning.rules import append_rule

if TYPE_CHECKING:
    import pandas as pd


PREFIX = "cluster:"  # of the rule by which a person names the cluster that holds a sample
SAYS = 0.15  # share from which on a label is part of a name


def samples_by_cluster(bench: Bench, state: pd.DataFrame, level: str = "fine") -> dict[str, list]:
    """List the samples of each cluster: {name: ids}, largest first.

    Samples of all splits of `state`. A name is a person's, or says what the cluster's train
    samples came labelled as and which metadata are frequent in it; no two are equal.
    """
    at, ids = assign_clusters(bench, state, level), state.index.to_numpy()
    return {
        name: list(ids[at == c])
        for c, name in name_clusters(bench, state, level).items()
        if (at == c).any()
    }


def name_clusters(bench: Bench, state: pd.DataFrame, level: str = "fine") -> dict[int, str]:
    """Name all clusters that hold a sample of `state`: {cluster: name}."""
    at = assign_clusters(bench, state, level)
    out = load_given_names(bench, level)
    taken = set(out.values())
    for c, name in enumerate(propose_names(bench, state, at)):
        if c not in out and (at == c).any():
            numbered = (name if n == 1 else f"{name} {n}" for n in itertools.count(1))
            out[c] = next(unique for unique in numbered if unique not in taken)
            taken.add(out[c])
    return dict(sorted(out.items()))


def load_given_names(bench: Bench, level: str) -> dict[int, str]:
    """Load the names that people gave: {cluster: the last one}.

    A name goes to whichever cluster holds the sample that it was tied to.
    """
    sql = """select arg_max(value, seq) from edits where field = 'rule' and value ->> 'name' like ?
        group by value ->> 'name' order by max(seq)"""
    rules = [json.loads(value) for (value,) in bench.rows(sql, [f"{PREFIX}{level}:%"])]
    titles = [(rule["sample"], rule["title"]) for rule in rules if rule.get("title")]
    out: dict[int, str] = {}  # of one that was undone the name of the rule alone is left
    if not titles:
        return out
    there = bench.state(samples=[sample for sample, _ in titles], columns=["content_hash"])
    at = dict(zip(there.index, find_clusters(bench, there.content_hash, level).tolist()))
    for sample, title in titles:
        if at.get(sample, -1) >= 0:
            out = {c: name for c, name in out.items() if name != title}
            out[at[sample]] = title
    return out


def rename_cluster(bench: Bench, cluster: str, title: str, who: str, level: str = "fine") -> dict:
    """Call a cluster `title` from now on.

    cluster: its name or the beginning of it. The log gets a rule, tied to the sample nearest to
    the cluster's centre. Returns dict(batch, was, title, sample).
    """
    text.check_text(who, "who names it")
    text.check_text(title, "a cluster's name")
    state = bench.state()
    known = name_clusters(bench, state, level)
    hint = f"assay clusters --level {level} lists them"
    was = resolve_name(cluster, known.values(), "cluster", hint)
    c = next(c for c, name in known.items() if name == was)
    if not title.strip() or title in known.values() and title != was:
        raise UserError(
            f"expected a name that no other {level} cluster has, found {title!r}",
            "choose another name",
        )
    mine = assign_clusters(bench, state, level) == c
    sample = state.index[order_by_typicality(bench, state, mine)[0]]
    rule = dict(name=f"{PREFIX}{level}:{sample}", title=title, sample=sample)
    batch = append_rule(bench, rule, who, f"was called {was}")
    return dict(batch=batch, was=was, title=title, sample=sample)


def propose_names(bench: Bench, state: pd.DataFrame, at: np.ndarray) -> list[str]:
    """Say what each cluster (k,) holds, from labels, words and metadata.

    at (n,): the cluster of each row. Uses the given labels of train samples and the metadata of
    all but test and guard. Clusters of the same words get the label that tells them from each
    other, where there is one.
    """
    k = int(at.max(initial=-1)) + 1
    train = (state.split == "train").to_numpy() & state.given_label.notna().to_numpy()
    given = state.given_label[train].to_frame("label").assign(at=at[train])
    given = given.assign(label=given.label.map(task_of(bench).members)).explode("label").dropna()
    labels, code = np.unique(given.label.to_numpy(object).astype(str), return_inverse=True)
    where = given["at"].to_numpy(int) * len(labels) + code
    counts = np.bincount(where, minlength=k * len(labels)).reshape(k, len(labels))
    size = np.maximum(np.bincount(at[train], minlength=k), 1)[:, None]
    extra = describe_metadata(bench, state, at, k)
    words = describe_words(bench, state, at, k)
    share = counts / size
    names = [describe_labels(labels, share[c]) + words[c] + extra[c] for c in range(k)]
    for c in range(k):
        namesakes = [other for other in range(k) if names[other] == names[c] and other != c]
        if namesakes and len(labels):
            minor = (share[c] >= 0.04) & (share[c] < SAYS)
            more = np.where(minor, share[c] - share[namesakes].max(0), 0)
            if more.max() > 0.01:
                names[c] += f", few {labels[more.argmax()]}"
    return names


def describe_labels(labels: np.ndarray, share: np.ndarray) -> str:
    """Say what a cluster mostly holds.

    share (k,): of its train samples those with each label; `mostly` from a half on, `some` from 15 %.
    """
    if not share.sum():
        return "unlabelled"
    first = [i for i in np.argsort(-share, kind="stable")[:3] if share[i] >= SAYS]
    words = [f"{'mostly' if share[i] >= 0.5 else 'some'} {labels[i]}" for i in first]
    return ", ".join(words) or "mixed"


def describe_metadata(bench: Bench, state: pd.DataFrame, at: np.ndarray, k: int) -> list[str]:
    """Say what the metadata tell of each cluster (k,).

    As the end of a name, or "". It is the value that at least half of the cluster has and that is
    least frequent elsewhere, if at most half as frequent.
    """
    mine = (~state.split.isin(LOCKED)).to_numpy()
    best = [("", 0.5)] * k
    size = np.bincount(at[mine], minlength=k)
    for _, values in metadata.slice_by_informative_metadata(state[mine], media_of(bench).name):
        for name, ids in values.items():
            has = np.bincount(at[state.index.get_indexer(ids)], minlength=k)
            inside = has / np.maximum(size, 1)
            outside = (has.sum() - has) / np.maximum(size.sum() - size, 1)
            for c in np.flatnonzero((inside >= 0.5) & (size >= 10)):
                if outside[c] / inside[c] <= best[c][1]:
                    best[c] = (f" ({name})", outside[c] / inside[c])
    return [name for name, _ in best]


def resolve_name(name: str, known: Iterable[str], what: str, hint: str) -> str:
    """Find the one of `known` that a person calls `name`.

    Itself, or the one that begins so. UserError, listing the known, where there is none or there
    are several.
    """
    known = list(known)
    found = [name] if name in known else [k for k in known if str(name) and k.startswith(str(name))]
    if len(found) == 1:
        return found[0]
    which = f"known are: {'; '.join(known[:40]) or 'none'}"
    if found:
        which = f"which could be {'; '.join(found[:5])}"
    raise UnknownName(f"expected a {what}, found {name!r}; {which}", hint, name, known)
