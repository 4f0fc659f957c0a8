"""What a regression set is: samples under a name that are frozen out of all that trains or guides, and the accuracy that is required on them."""

import json
import tomllib
from pathlib import Path

from assay.curation import text
from assay.curation.errors import UserError
from assay.curation.features import neighbor_graph
from assay.curation.slicing import slices
from assay.curation.storage.schema import new_batch
from assay.curation.system import permissions

PREFIX = "guard:"  # of the rule and of the tag by which the log knows a set: a rule stays small, and each tag is one sample's
EXAMPLE = "[night]\nquery = \"select id from samples where key like 'night/%'\"\nscore = 0.9"


def read_sets(path):
    """{name: dict(score, asked)} from a TOML file of tables with a score and a query or a list of samples: `asked` is as slices.queried takes it.
    UserError for what is none."""
    try:
        found = tomllib.loads(Path(path).read_text())
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as e:
        raise UserError(
            f"expected regression sets in TOML, found {path}: {e}", f"the least:\n{EXAMPLE}"
        ) from None
    if not found:
        raise UserError(f"expected regression sets in {path}, found none", f"the least:\n{EXAMPLE}")
    for name, table in found.items():
        text.check(name, f"the name of a set in {path}")
        if wrong := flaw(table):
            raise UserError(
                f"expected a score, and a query or samples, for the set {name!r} in {path}, found {wrong}",
                f"as in:\n{EXAMPLE}",
            )
    return {
        name: dict(score=float(t["score"]), asked=t["query"] if "query" in t else t["samples"])
        for name, t in found.items()
    }


def flaw(table):
    """What is wrong with the table of a set, in words, or None."""
    if not isinstance(table, dict):
        return f"{table!r}"
    if unknown := [k for k in table if k not in ("score", "query", "samples")]:
        return f"also {', '.join(unknown)}"
    if ("query" in table) == ("samples" in table):
        return "both" if "query" in table else "neither query nor samples"
    score = table.get("score")
    if not isinstance(score, int | float) or isinstance(score, bool) or not 0 < score <= 1:
        return (
            "no score"
            if score is None
            else f"score = {score!r}, which is no share above 0 and at most 1"
        )
    for key, kind in (("query", str), ("samples", list)):
        if key in table and (
            not isinstance(table[key], kind)
            or not all(isinstance(s, str | int) for s in table[key])
        ):
            return f"{key} = {table[key]!r}"


def of_gap(bench, name, gap, score=None):
    """({name: dict(score, asked)} as read_sets has it, how many were left out for being like a test sample) from a gap: all its kept, labelled val
    and pool samples, and what the set holds already. Not only those that the model has wrong: on a set picked by failures any other model looks
    better, and no score could be required of it. The score is by default the accuracy that the model has outside the gap, to two digits."""
    from assay.curation.slicing import gaps

    text.check(name, "the name of a set")
    state, row = bench.state(), gaps.row_of(bench, gap)
    mine = state.loc[gaps.members(bench, gap)]
    mine = mine.index[mine.label.notna() & mine.split.isin(("val", "pool"))]
    asked = list(unlike_test(bench, state, mine))
    if not asked:
        hint = "label samples from there first: what is labelled in val or the pool can be kept for a test"
        raise UserError(
            f"expected labelled val or pool samples in the gap {row['gap']!r}, found none", hint
        )
    if score is None:
        if row["rest"] is None:
            raise UserError(
                "expected a required score, found no validation errors outside the gap to take it from",
                "say --score, as in 0.9",
            )
        score = max(0.01, int(100 * (1 - row["rest"])) / 100)
    if wrong := flaw(dict(score=score, samples=asked)):
        raise UserError(
            f"expected a score for the set {name!r}, found {wrong}", "for example --score 0.9"
        )
    there = frozen(bench, state).get(name)
    return {
        name: dict(score=float(score), asked=sorted({*asked, *(there["samples"] if there else ())}))
    }, len(mine) - len(asked)


def keep(bench, sets):
    """Write the sets as read_sets reads them, into the bench's folder; returns the path. What was written before is replaced."""
    path = bench.path / f"guard-{text.safe('-'.join(sets))}.toml"
    tables = (
        f"[{json.dumps(n)}]\nsamples = {json.dumps(list(s['asked']), indent=1)}\nscore = {s['score']}\n"
        for n, s in sets.items()
    )
    permissions.touch(path).write_text("\n".join(tables))
    return path


def members(bench, sets, state):
    """({name: ids of the kept, labelled samples that a set asks for, sorted}, {name: how many were left out}). Others can be judged by nobody. What a
    query finds that nearly equals a test sample is left out, unless it is frozen already: nobody named it. UserError for a set of none, or with
    test samples."""
    there = frozen(bench, state)
    usable = state.index[state.keep & state.label.notna()]
    out, left = {}, dict.fromkeys(sets, 0)
    for name, ids in slices.queried(bench, {name: s["asked"] for name, s in sets.items()}).items():
        out[name] = usable[usable.isin(ids)].sort_values()
        if not len(out[name]):
            raise UserError(
                f"expected kept, labelled samples in the set {name!r}, found none among {len(ids):,}",
                "label them, or mend the set",
            )
        test = out[name][state.split[out[name]] == "test"]
        if len(test):
            raise UserError(
                f"expected no test samples in the set {name!r}, found {len(test):,}, first {test[0]} ({state.key[test[0]]})",
                "leave them out; in a query: and id not in (select sample from edits where field = 'split' and value ->> '$' = 'test')",
            )
        if isinstance(sets[name]["asked"], str):
            held = out[name].isin(there[name]["samples"] if name in there else [])
            fine = held | out[name].isin(unlike_test(bench, state, out[name][~held]))
            out[name], left[name] = out[name][fine], int((~fine).sum())
            if not len(out[name]):
                raise UserError(
                    f"expected samples unlike any test sample in the set {name!r}, found none among {len(ids):,}",
                    "ask for others",
                )
    return out, left


def unlike_test(bench, state, samples):
    """Those of `samples` that no test sample equals or nearly equals: what the test split holds is judged by experiments alone."""
    while like := {
        mine for other, mine in alike(bench, state, samples).items() if state.split[other] == "test"
    }:
        samples = samples[
            ~samples.isin(list(like))
        ]  # one test sample may be like several, of which one is named
    return samples


def frozen(bench, state):
    """{name: dict(score, n, near, samples (ids that are kept and labelled, sorted))} of the sets that stand at the end of the log."""
    guarded = state[(state.split == "guard") & state.keep & state.label.notna()].sort_index()
    rules = {name: rule for name, rule in bench.rules().items() if name.startswith(PREFIX)}
    tagged = {name: [name in tags for tags in guarded.tags] for name in rules}
    return {
        name.removeprefix(PREFIX): rule | dict(samples=guarded.index[tagged[name]])
        for name, rule in rules.items()
    }


def alike(bench, state, samples):
    """{sample: the one of `samples` that it equals or nearly equals} for the other kept samples of `state`, all splits: the same image, a near
    pair of the last scan's graph, or its group of near duplicates."""
    graph, at = neighbor_graph.nodes(bench, state)
    own = {int(at[i]): state.index[i] for i in state.index.get_indexer(samples)}
    groups = {int(graph["groups"][node]): sample for node, sample in own.items()}
    near = {}
    for i, j in graph["pairs"].tolist():
        for a, b in ((i, j), (j, i)):
            if b in own:
                near.setdefault(a, own[b])
    found = (
        (s, own.get(n) or near.get(n) or groups.get(int(graph["groups"][n])))
        for s, n, k in zip(state.index, at.tolist(), state.keep)
        if k
    )
    mine = set(samples)
    return {sample: like for sample, like in found if like and sample not in mine}


def freeze(bench, sets, who):
    """Freeze regression sets (see read_sets) as one batch: their samples, and what is kept of train, val and pool and nearly equals one, go to the
    split `guard`; each set's samples get its tag, and a rule keeps its score. To freeze the same again changes nothing; a set may grow and its
    score may change, but it loses no sample. Returns dict batch (None: nothing changed), moved ({split: samples that left it}), sets (dicts name, n,
    new, near (samples like its own), score, like_test (left out by members)). UserError, and nothing changed, where a sample is of the test split, or
    nearly equals one of it and is named."""
    text.check(who, "who freezes it")
    state = bench.state()
    there, (asked, left) = frozen(bench, state), members(bench, sets, state)
    edits, out, moved = [], [], {}
    for name, samples in asked.items():
        old = there.get(name, dict(score=None, n=0, samples=samples[:0]))
        refuse_less(name, samples, old["samples"])
        new, like = samples.difference(old["samples"]), alike(bench, state, samples)
        refuse_test(name, state, like)
        # what is in guard already is said again for a new sample: to undo the batch that brought it then leaves it there
        near = {s: other for s, other in like.items() if other in new or state.split[s] != "guard"}
        whys = dict.fromkeys(new, f"regression set {name}") | {
            s: f"nearly equals {other} of the regression set {name}" for s, other in near.items()
        }
        moved |= {s: state.split[s] for s in whys if state.split[s] != "guard"}
        edits += [(s, "split", "guard", why) for s, why in whys.items()]
        edits += [
            (s, "tag", dict(name=PREFIX + name, on=True), f"regression set {name}") for s in new
        ]
        rule = dict(name=PREFIX + name, score=sets[name]["score"], n=len(samples), near=len(like))
        if whys or any(rule[k] != old[k] for k in ("score", "n")):
            edits.append(("", "rule", rule, f"regression set {name}"))
        out.append(
            dict(
                name=name,
                n=len(samples),
                new=len(new),
                near=len(like),
                score=rule["score"],
                like_test=left[name],
            )
        )
    batch = new_batch("guard") if edits else None
    if batch:
        write(bench, edits, batch, who)
    splits = list(moved.values())
    return dict(
        batch=batch,
        moved={split: splits.count(split) for split in ("train", "val", "pool") if split in splits},
        sets=out,
    )


def write(bench, edits, batch, who):
    import pandas as pd

    frame = pd.DataFrame(
        [(s, f, json.dumps(v), why) for s, f, v, why in edits],
        columns=["sample", "field", "value", "why"],
    )
    with bench.transaction() as con:
        bench.append(
            con, frame.drop_duplicates(["sample", "field", "value"]), batch, who
        )  # a sample may be of two sets


def refuse_less(name, samples, old):
    lost = old.difference(samples)
    if len(lost):
        raise UserError(
            f"expected the set {name!r} to hold all that is frozen, found {len(lost):,} of its {len(old):,} samples gone, first {lost[0]}",
            "a frozen set may grow, and loses nothing: ask for these samples too (assay undo BATCH takes back a freeze that was a mistake)",
        )


def refuse_test(name, state, like):
    test = {s: other for s, other in like.items() if state.split[s] == "test"}
    if test:
        sample, other = next(iter(test.items()))
        raise UserError(
            f"expected no near duplicates of test samples in the set {name!r}, found {len(test):,}: "
            f"{other} ({state.key[other]}) is like the test sample {sample}",
            "leave them out of the set: what the test split holds is judged by experiments alone",
        )


def standing(bench, sets, given):
    """{name: ids of its samples} of sets that are frozen exactly as `sets` asks; UserError where one is not. `given`: what the file is called."""
    state = bench.state()
    there, (asked, _) = frozen(bench, state), members(bench, sets, state)
    for name, samples in asked.items():
        hint = f"assay guard {given} --who NAME -b {bench.given} freezes it; then train a version that never saw it"
        if name not in there:
            raise UserError(f"expected a frozen regression set, found {name!r} not frozen", hint)
        refuse_less(name, samples, there[name]["samples"])
        new = samples.difference(there[name]["samples"])
        if len(new):
            raise UserError(
                f"expected the set {name!r} as it is frozen, found {len(new):,} more samples in it, first {new[0]}",
                hint,
            )
        score, n = there[name]["score"], there[name]["n"]
        if len(samples) != n:
            raise UserError(
                f"expected all {n:,} samples of the set {name!r}, found {len(samples):,}: the others left with their source",
                hint,
            )
        if score != sets[name]["score"]:
            raise UserError(
                f"expected the score that the set {name!r} is frozen with, {score}, found {sets[name]['score']}",
                hint,
            )
    return asked
