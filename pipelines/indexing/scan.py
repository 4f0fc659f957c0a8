"""The scan: embed, find neighbours, hold out leakage, fit the probe, name the issues; each step resumes and says what it found."""

import json
from hashlib import sha256

import numpy as np

from assay.curation.errors import UserError
from assay.curation.features import neighbor_graph
from assay.curation.issues import duplicates, finders, image_quality, leakage
from assay.curation.label_quality import live
from assay.curation.media import conversion
from assay.curation.slicing import gaps
from assay.curation.storage.arrays import load
from assay.curation.storage.locks import at_work
from assay.curation.storage.schema import new_batch
from assay.curation.system.processes import PATIENCE
from assay.curation.versioning.versions import position
from assay.pipelines.embedders.efficientnet_lite0 import engine
from assay.pipelines.embedders.embed import embed
from assay.pipelines.indexing.graph import neighbours
from assay.pipelines.indexing.network import second_opinion
from assay.pipelines.indexing.own_predictions import of_classes, store_own, store_second
from assay.pipelines.indexing.triggers import tripped


@at_work
def scan(
    bench,
    effort=1,
    embedder="lite0",
    hold_out=True,
    who="assay scan",
    own=None,
    say=print,
    progress=None,
    yes=False,
    patience=PATIENCE,
):
    """Scan `bench`. `own` = (probabilities frame or None, embeddings frame or None, out of sample or not) of a person's own model, by sample id.
    `say(line)` gets one line a step; `yes` holds out leakage even where that takes most of a class; a network that makes no step for `patience`
    seconds is ended. Returns the judgement, as suspects.judge."""
    state = bench.state()
    if not len(state):
        raise UserError(
            "expected samples to scan, found an empty bench",
            f"run: assay import SOURCE -b {bench.given}",
        )
    own_probs, own_vectors, out_of_sample = own or (None, None, True)
    probs, classes, said = (
        (None, None, "") if own_probs is None else of_classes(own_probs, state)
    )  # refused before anything is done
    if own_vectors is None:
        X, new, folder = embed(bench, state.content_hash, embedder, progress, patience)
        by = engine() if embedder == "lite0" else None
        say(
            f"embed       {new:,} of {len(state):,} images were new to {embedder}{f' ({by})' if by else ''}, {X.shape[1]:,} numbers each"
        )
    else:
        folder, by = store_own(bench, state, own_vectors), None
        matched = (
            f", rows by {own_vectors.attrs['matched']}" if "matched" in own_vectors.attrs else ""
        )
        say(
            f"embed       took {own_vectors.shape[1]:,} numbers for each of {len(own_vectors):,} samples from your file{matched}"
        )
    graph = neighbours(bench, state, folder)
    say(
        f"neighbours  {len(graph['hashes']):,} different images, {len(graph['pairs']):,} pairs of near duplicates"
    )
    leaks = leaking(bench, state, graph) if hold_out else []
    if not yes:
        enough_is_left(bench, state, leaks)
    if own_probs is None and effort == 1:
        (bench.arrays / "second.npz").unlink(missing_ok=True)
    asked = dict(
        embedder=embedder,
        folder=folder,
        engine=by,
        effort=effort,
        probabilities="own" if own_probs is not None else "probe",
        out_of_sample=out_of_sample,
    )
    if own_probs is not None:
        asked["own"] = sha256(probs.tobytes() + "".join(own_probs.index).encode()).hexdigest()[:12]
    with bench.transaction() as con:
        con.execute("insert or replace into meta values ('scan', ?)", [json.dumps(asked)])

    _, new = image_quality.measure(bench, state.content_hash, progress)
    say(f"quality     {new:,} of {len(graph['hashes']):,} images were new to CleanVision")
    if old := conversion.older(bench, state):
        say(
            f"pixels      {old:,} images were decoded by an older Assay, which names no broken ones, takes the high byte of 16 bits and lays "
            "transparency on white: to read them anew, import them into a new bench"
        )
    held = hold_out_leakage(bench, state, leaks, who)
    if held:
        say(f"leakage     held out {held} (keep them: --keep-leakage, or edit keep)")
        state = bench.state()
    if own_probs is not None:
        store_second(bench, own_probs.index, probs, classes)
        sample = "out of sample, you say" if out_of_sample else "NOT out of sample: scores flatter"
        say(f"probs       took yours for {len(own_probs):,} samples; {said}; {sample}")
    elif effort > 1:
        second_opinion(bench, effort, say, progress, patience)
    found = live.write_opinion(bench, position(bench, "HEAD"))
    few = load(bench.arrays / "opinion.npz")["few"].sum()
    aside = f"; {few} classes have too few samples to judge" if few else ""
    say(
        f"labels      {found.flagged.sum():,} of {len(found):,} train and val labels look wrong to the model{aside}"
    )
    others = record_issues(bench, state)
    counts = others.kind.value_counts()
    say(
        "issues      "
        + (
            ", ".join(f"{n:,} {kind}" for kind, n in counts.items())
            or "no duplicates, leakage, outliers or bad pictures"
        )
    )
    say(gap_line(bench))
    for line in tripped(bench, who)[1]:
        say(f"trigger     {line}")
    if not len(bench.commits()):
        say(
            f"version     {bench.commit('as imported, leakage held out' if held else 'as imported', who)['name']}: the labels as they stand now"
        )
    return found


def leaking(bench, state, graph):
    """[(row, row of the sample that it gives away)] of what is to be held out (see issues.leakage): what a person restored stays."""
    _, at = neighbor_graph.nodes(bench, state)
    restored = leakage.restored(bench)
    found = leakage.leakage(state, duplicates.near_pairs(graph), at)
    return [(i, j) for i, (j, _) in found.items() if state.index[i] not in restored]


def enough_is_left(bench, state, leaks):
    """UserError where holding out would take more than half of train, of val or of a class of train: then the splits are to be seen to first."""
    split, label = state["split"].to_numpy(object), state.label.to_numpy(object)
    kept, out = state.keep.to_numpy(bool), np.zeros(len(state), bool)
    out[[i for i, _ in leaks]] = True
    parts = {s: kept & (split == s) for s in ("train", "val")}
    parts |= {
        f"class {c} of train": parts["train"] & (label == c)
        for c in sorted({c for c in label[parts["train"]] if c is not None})
    }
    gone = [
        f"{(out & part).sum():,} of {part.sum():,} of {name}"
        for name, part in parts.items()
        if 2 * (out & part).sum() > part.sum()
    ]
    if gone:
        i, j = leaks[0]
        pair = f"{state.key.iloc[i]} ({split[i]}) and {state.key.iloc[j]} ({split[j]})"
        raise UserError(
            f"expected few samples to (nearly) equal one of a split that they must not know, found {', '.join(gone[:5])}"
            f"{' ...' * (len(gone) > 5)}, for example {pair}; nothing was held out",
            f"see to the splits; or: assay scan -b {bench.given} --keep-leakage trains on them all the same, --yes holds them out",
        )


def hold_out_leakage(bench, state, leaks, who):
    """One batch of keep edits for samples that give another split away. Returns what was held out in words, "" for nothing."""
    import pandas as pd

    if not leaks:
        return ""
    ids, split = state.index, state["split"].to_numpy()
    rows = [(ids[i], f"leakage: like the {split[j]} sample {ids[j]}") for i, j in leaks]
    edits = pd.DataFrame(rows, columns=["sample", "why"]).assign(field="keep", value="false")
    with bench.transaction() as con:
        bench.append(con, edits, new_batch("scan"), who)
    count = {s: sum(split[i] == s for i, _ in leaks) for s in ("train", "val", "pool")}
    like = "val, test or guard" if "guard" in {split[j] for _, j in leaks} else "val or test"
    return (
        " and ".join(f"{n:,} {s}" for s, n in count.items() if n)
        + f" samples that (nearly) equal a {like} sample"
    )


def record_issues(bench, state):
    """Everything but label issues into the table `issues`."""
    found = finders.find(bench, leakage.unheld(bench, state))
    with bench.transaction() as con:
        con.execute("delete from issues where kind <> 'label'")
        if len(found):
            con.register("found", found)
            con.execute(
                "insert into issues by name select *, (select coalesce(max(seq), 0) from edits) as upto from found"
            )
    return found


def gap_line(bench):
    """The gaps in one line, for the scan."""
    rows = gaps.find(bench)
    if not len(rows):
        return "gaps        none that stands out"
    return f"gaps        {len(rows):,}, first {rows.gap[0]} ({max(0, rows.explains[0]):.0f} validation errors)"
