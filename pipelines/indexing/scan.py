"""Scan a bench: each step resumes, and says what it found.

Embed, find neighbours, hold out leakage, fit the probe, name the issues.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from functools import partial
from hashlib import sha256
from typing import TYPE_CHECKING, NoReturn

import numpy as np

from assay.curation.errors import UserError
from assay.curation.features import graph_updates, knn, neighbor_graph
from assay.curation.features.neighbor_graph import Graph
from assay.curation.features.scan_settings import is_scanned, read_settings
from assay.curation.issues import finders, image_properties, leakage, text_quality
from assay.curation.issues.base import ScanView
from assay.curation.label_quality import live
from assay.curation.label_quality.judges import fit_probe
from assay.curation.label_quality.model_trust import warn_of_weak_model
from assay.curation.label_quality.score_files import LabelScores
from assay.curation.maintenance.bucket_checks import keep_all_shards
from assay.curation.media import stored_traits
from assay.curation.media.base import load_stored, media_of
from assay.curation.media.bucket_arrays import explain_full_disk
from assay.curation.media.rows import read_column_kinds
from assay.curation.slicing import gaps
from assay.curation.slicing.gap_text import say_left_out
from assay.curation.storage.arrays import load_arrays, locate_hashes, save_arrays
from assay.curation.storage.interface import Bench, Progress, Tell
from assay.curation.storage.job_locks import shared_lock
from assay.curation.storage.left_tasks import do_left
from assay.curation.storage.shards import Rows, Shards
from assay.curation.system.processes import PATIENCE
from assay.curation.tasks.base import refuse_task, task_of
from assay.curation.text import format_count
from assay.curation.versioning.pointers import find_position
from assay.pipelines.embedders.base import known_embedder
from assay.pipelines.embedders.embed import embed_images
from assay.pipelines.indexing.array_storage import (
    describe_traffic,
    open_arrays,
)
from assay.pipelines.indexing.boosting import ask_boosting
from assay.pipelines.indexing.costs import Costs, Meter, keep_scan_costs
from assay.pipelines.indexing.kernel import add_kernel
from assay.pipelines.indexing.leakage_holdout import (
    check_enough_left,
    find_leaks,
    hold_out_leakage,
)
from assay.pipelines.indexing.network import train_second_opinion
from assay.pipelines.indexing.own_model import OwnModel, store_embeddings, store_probs
from assay.pipelines.indexing.own_probabilities import MatchedProbs, match_probs
from assay.pipelines.indexing.own_set_probabilities import match_set_probs
from assay.pipelines.indexing.scan_progress import begin_step, name_steps
from assay.pipelines.indexing.sharding import ShardOptions, ShardsLeft, open_stages
from assay.pipelines.indexing.triggers import run_triggers

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class ScanOptions:
    """What a scan does."""

    # 0: the probe on embeddings; 1: on a kernel too; 2: on another embedder's too; 3 trains a network
    effort: int = 1
    embedder: str | None = None  # None: the one that is best for what the bench holds
    hold_out: bool = True  # samples that equal a val, test or guard sample
    yes: bool = False  # hold them out even where that takes most of a class, of train or of val
    own: OwnModel = OwnModel()
    patience: float = PATIENCE  # seconds without a step after which a network is ended
    sharding: ShardOptions = ShardOptions()
    # where its arrays lie: an address of object storage, "local" for this disk alone, None for where they were
    arrays: str | None = None


@shared_lock
def scan(
    bench: Bench,
    options: ScanOptions | None = None,
    who: str = "assay scan",
    say: Tell = print,
    progress: Progress | None = None,
) -> pd.DataFrame:
    """Scan a bench, and return the label scores.

    `say(line)` gets one line a step. The scores are those of `live.fit_scores`. Of one shard alone (see ShardOptions)
    there are none: ShardsLeft says what is next.
    """
    options = options or ScanOptions()
    with Meter() as reading:
        n = len(bench.state())
    if not n:
        raise UserError(
            "expected samples to scan, found an empty bench",
            f"run: assay import SOURCE -b {bench.given}",
        )
    media = media_of(bench)
    options = replace(options, embedder=options.embedder or media.embedders[0])
    # refused before anything is done
    if options.effort > 2:
        refuse_task(bench, "the network of --effort 3", "--effort 2 is the most for them")
    store = open_arrays(bench, options.arrays, say)
    with open_stages(bench, n, options.sharding, options.patience, say, progress) as costs:
        costs.add_step("read", reading.spent)
        if options.sharding.only is not None:
            scan_shard(bench, options)
        scores = scan_samples(bench, options, who, say, progress, costs)
    keep_scan_costs(
        bench,
        costs,
        samples=n,
        media=media.name,
        embedder=options.embedder,
        effort=options.effort,
        engine=options.sharding.engine,
        large=options.sharding.large,
    )
    if store:
        keep_all_shards(bench)
        say(describe_traffic(store))
    return scores


def scan_shard(bench: Bench, options: ScanOptions) -> NoReturn:
    """Do one shard of each stage that can be done, and nothing else; ShardsLeft says what is next."""
    state, left = bench.state(), []
    with explain_full_disk(bench.arrays):
        do_left(bench.arrays, options.sharding.shards or 1, options.sharding.only or 0)
    fills = [partial(embed_samples, bench, state, options, silent, None)]
    fills += [partial(embed_further, bench, state, options, silent, None)]
    if media_of(bench).column is None:
        fills += [partial(measure_quality, bench, state, silent, None)]
    if media_of(bench).name in text_quality.FINDER.media:
        fills += [ScanView(bench, leakage.ignore_leakage_holdout(bench, state)).measure_texts]
    for fill in fills:
        try:
            fill()
        except ShardsLeft as e:
            left.append(e)
    if left:
        raise left[0]
    folder = embed_samples(bench, state, options, silent, None)[0]
    if len(state) > knn.CELLS:
        build_graph(bench, state, folder)
    if is_scanned(bench):
        asked = read_settings(bench)
        if (asked["folder"], asked["effort"]) == (folder, options.effort):
            fit_probe(bench, state)
    raise ShardsLeft(
        "expected shards to work on, found all done that can be done now",
        f"run: assay scan --merge --shards {options.sharding.shards} -b {bench.given}",
    )


def scan_samples(
    bench: Bench,
    options: ScanOptions,
    who: str,
    say: Tell,
    progress: Progress | None,
    costs: Costs,
) -> pd.DataFrame:
    """Scan all samples: see `scan`."""
    costs.begin("embed")
    own, state, media = options.own, bench.state(), media_of(bench)
    match = match_set_probs if task_of(bench).name == "multilabel" else match_probs
    matched = None if own.probs is None else match(own.probs, state)
    tell = say if own.said else silent  # to fit the model they were embedded, which was said
    folder, engine = embed_samples(bench, state, options, tell, progress)
    costs.begin("neighbours")
    begin_step(progress, f"comparing {media.name}s")
    graph = build_graph(bench, state, folder)
    say(
        f"neighbours  {format_count(len(graph.hashes), f'different {media.name}')}, "
        f"{format_count(len(graph.pairs), 'pair')} of near duplicates"
    )
    costs.begin("kernel")
    # where a person's own probabilities judge, the probe does not
    wanted = options.effort > 0 and matched is None
    also = embed_further(bench, state, options, say, progress) if wanted else None
    columns = dict(folder=folder, also=also)
    columns["kernel"] = add_kernel(bench, state, columns, say, progress) if wanted else None
    costs.begin("leakage")
    leaks = find_leaks(bench, state) if options.hold_out else []
    if not options.yes:
        check_enough_left(bench, state, leaks)
    # who judges beside the probe: boosted trees from --effort 2 on, a network at --effort 3
    trees = options.effort > 1 and matched is None and bool(read_column_kinds(bench))
    if matched is None and not trees and (options.effort < 3 or media.column):
        (bench.arrays / "second.npz").unlink(missing_ok=True)
    store_settings(bench, options, columns, engine, matched)

    if media.column is None:
        costs.begin("quality")
        measure_quality(bench, state, say, progress)
        costs.begin("leakage")
    held = hold_out_leakage(bench, state, leaks, who)
    if held:
        say(f"leakage     held out {held} (keep them: --keep-leakage, or edit keep)")
        state = bench.state()
    costs.begin("labels")
    if matched is not None:
        store_probs(bench, own.probs.index, matched)
        sample = "not out of sample, as you said: errors look rarer than they are"
        if own.out_of_sample:
            sample = "out of sample, as you said" if own.said else "predicted out of fold"
        whose = "took yours" if own.said else "the model's"
        say(
            f"probs       {whose} for {format_count(len(own.probs), 'sample')}; {matched.note}; {sample}"
        )
    elif trees:
        begin_step(progress, "boosting trees")
        ask_boosting(bench, state, graph, say)
    elif options.effort > 2 and media.column:
        say(f"network     none: the network of --effort 3 is for images, not for {media.name}s")
    elif options.effort > 2:
        train_second_opinion(bench, say, progress, options.patience)
    begin_step(progress, "judging labels")
    scores = score_labels(bench, say)
    costs.begin("issues")
    begin_step(progress, "finding issues and gaps")
    record_issues(bench, state, say)
    costs.begin("gaps")
    say(describe_gaps(bench))
    costs.begin("version")
    for line in run_triggers(bench, who)[1]:
        say(f"trigger     {line}")
    made = None
    if not len(bench.commits()):
        what = "as imported, leakage held out" if held else "as imported"
        made = bench.commit(what, who)["name"]
        say(f"version     {made}: the labels as they stand now")
    scores.attrs["scan"] = dict(held_out=len(leaks) if held else 0, version=made)
    return scores


def silent(line: str) -> None:
    """Say nothing."""


def embed_samples(
    bench: Bench,
    state: pd.DataFrame,
    options: ScanOptions,
    say: Tell,
    progress: Progress | None,
) -> tuple[str, str | None]:
    """Embed what is new, or take a person's own vectors.

    Returns (folder, engine).
    """
    vectors = options.own.vectors
    if vectors is not None:
        folder = store_embeddings(bench, state, vectors)
        matched = f", rows by {vectors.attrs['matched']}" if "matched" in vectors.attrs else ""
        say(
            f"embed       took {format_count(vectors.shape[1], 'number')}"
            f" for each of {format_count(len(vectors), 'sample')}"
            f" from your file{matched}"
        )
        return folder, None
    name = options.embedder
    step = name_steps(progress, "embedding")
    embedded = embed_images(bench, state.content_hash, name, step, options.patience)
    known = known_embedder(name)
    engine = known.engine() if known else None
    say(
        f"embed       {embedded.new:,} of {format_count(len(state), media_of(bench).name)} were new to {name}"
        f"{f' ({engine})' if engine else ''}, {format_count(embedded.dimensions, 'number')} each"
    )
    return embedded.folder, engine


def embed_further(
    bench: Bench,
    state: pd.DataFrame,
    options: ScanOptions,
    say: Tell,
    progress: Progress | None,
) -> str | None:
    """Embed by a second embedder as well, from --effort 2 on; name the folder.

    None below, and where somebody chose an embedder or brought vectors: these are what is to be judged by.
    """
    own, media = options.own.vectors is not None, media_of(bench)
    if options.effort < 2 or len(media.embedders) < 2:
        return None
    first, second = media.embedders
    if own or options.embedder != first:
        by = "your vectors" if own else options.embedder
        say(f"embed       by {by} alone: {second} goes with {first}")
        return None
    step = name_steps(progress, f"embedding by {second}")
    embedded = embed_images(bench, state.content_hash, second, step, options.patience)
    say(
        f"embed       {embedded.new:,} of {format_count(len(state), media.name)} were new to {second}, "
        f"{format_count(embedded.dimensions, 'number')} each"
    )
    return embedded.folder


def store_settings(
    bench: Bench,
    options: ScanOptions,
    columns: dict[str, str | None],
    engine: str | None,
    matched: MatchedProbs | None,
) -> None:
    """Store what the scan was asked for, for `scan_settings.read_settings`.

    columns: folders of what the probe reads: embeddings, further ones, kernel columns.
    """
    asked = dict(
        embedder=options.embedder,
        **columns,
        engine=engine,
        effort=options.effort,
        probabilities="own" if matched is not None else "probe",
        out_of_sample=options.own.out_of_sample,
    )
    if matched is not None:
        content = matched.probs.tobytes() + "".join(options.own.probs.index).encode()
        asked["own"] = sha256(content).hexdigest()[:12]
    with bench.transaction() as con:
        con.execute("insert or replace into meta values ('scan', ?)", [json.dumps(asked)])


def measure_quality(
    bench: Bench, state: pd.DataFrame, say: Tell, progress: Progress | None
) -> None:
    """Measure what CleanVision measures of the images that are new to it."""
    step = name_steps(progress, "measuring image quality")
    _, new = image_properties.measure_images(bench, state.content_hash, step)
    say(
        f"quality     {new:,} of {format_count(state.content_hash.nunique(), 'image')} were new to CleanVision"
    )
    if old := stored_traits.count_legacy_images(bench, state):
        say(
            f"pixels      {format_count(old, 'image', 'was', 'were')} decoded by an older Assay,"
            " which names no broken ones, takes the high byte of 16 bits and lays transparency on"
            " white: to read them anew, import them into a new bench"
        )


def score_labels(bench: Bench, say: Tell) -> pd.DataFrame:
    """Fit the probe, and score all train and val labels."""
    scores = live.fit_scores(bench, find_position(bench, "HEAD"))
    few = LabelScores.load(bench).few.sum()
    aside = f"; {format_count(few, 'class', 'has', 'have')} too few samples to judge" if few else ""
    say(
        f"labels      {scores.flagged.sum():,} of {len(scores):,} train and val labels"
        f" look wrong to the model{aside}"
    )
    if warning := warn_of_weak_model(bench, scores):
        say(f"note: {warning}")
    return scores


def record_issues(bench: Bench, state: pd.DataFrame, say: Tell) -> None:
    """Find everything but label issues, and store it in the table `issues`."""
    found = finders.find_issues(ScanView(bench, leakage.ignore_leakage_holdout(bench, state)))
    with bench.transaction() as con:
        con.execute("delete from issues where kind <> 'label'")
        if len(found):
            con.register("found", found)
            con.execute(
                "insert into issues by name"
                " select *, (select coalesce(max(seq), 0) from edits) as upto from found"
            )
    counts = ", ".join(f"{n:,} {kind}" for kind, n in found.kind.value_counts().items())
    say(f"issues      {counts or 'no duplicates, leakage, outliers or other issues'}")


def describe_gaps(bench: Bench) -> str:
    """Describe the gaps in one line."""
    rows = gaps.find_gaps(bench)
    if not len(rows):
        return "gaps        none that stands out"
    errors, more = max(0, rows.explains[0]), say_left_out(rows)
    found = f"gaps        {len(rows):,}, first {rows.gap[0]} ({format_count(round(errors), 'validation error')})"
    return f"{found}; {more}" if more else found


GRAPH = "graph 2"  # counted up when the same images would get another graph


def build_graph(bench: Bench, state: pd.DataFrame, folder: str) -> Graph:
    """Build the graph of the bench's images, or load it.

    arrays/graph.npz is taken where it is of these images and this embedding (`folder`). arrays/lists.npz holds what an
    extension needs, and is taken where it is of most of them.
    """
    hashes = np.unique(np.asarray(state.content_hash, "S32"))
    key = knn.graph_key(f"{GRAPH} {folder}", hashes)
    graph = Graph.load(bench.arrays / "graph.npz")
    if graph is not None and graph.key == key:
        return graph
    X = Shards(bench.arrays / "embeddings" / folder).rows(hashes)
    if bench.stages and (len(hashes) > knn.CELLS or bench.stages.large):
        X.sharding = bench.stages.cut(X)
    made = build_neighbor_lists(bench, hashes, X, f"{GRAPH} {folder}")
    near, far = made.neighbours, made.distances
    pairs, gaps = neighbor_graph.find_close_pairs(near, far)
    alike, limit = media_of(bench).similarity(load_stored(bench), hashes, pairs, near)
    twin = alike >= limit
    graph = Graph(
        key=key,
        hashes=hashes,
        neighbours=near.astype("i4"),
        distances=far.astype("f4"),
        pairs=pairs[twin],
        gaps=gaps[twin],
        groups=neighbor_graph.group_near_duplicates(len(hashes), pairs[twin]),
        close=pairs.astype("i4"),
        alike=alike,
        limit=float(limit),
    )
    graph.save(bench.arrays / "graph.npz")
    return graph


def build_neighbor_lists(bench: Bench, hashes: np.ndarray, X: Rows, of: str) -> knn.NeighborLists:
    """Build the neighbour lists of X, whose rows are the images `hashes`.

    They are extended from those that arrays/lists.npz holds `of` the same, if that can be.
    """
    file, made = bench.arrays / "lists.npz", None
    kept = load_arrays(file)
    if kept is not None and str(kept["of"]) == of:
        was = locate_hashes(kept["hashes"], hashes)
        lists = knn.NeighborLists.from_arrays(kept)
        if graph_updates.can_extend(lists, was):
            made = graph_updates.extend_graph(lists, X, was)
    made = made or knn.build_graph(X)
    if len(hashes) > knn.EXACT:  # a small one is as soon built as read
        save_arrays(file, **(vars(made) | dict(of=np.array(of), hashes=hashes)))
    return made
