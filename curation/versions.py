"""What a version is: a position in the log with a name, or a pure function of one (`v1 - flagged`, `half(v1, seed=0)`)."""

import json
import re
from hashlib import blake2b, sha256

import numpy as np

from curation.errors import UserError

STATE = """
with standing as (
    select sample,
        arg_max(value, seq) filter (field = 'label') as label,
        arg_max(verdict, seq) filter (field = 'label') as verdict,
        arg_max(origin, seq) filter (field = 'label') as origin,
        arg_max(who, seq) filter (field = 'label') as who,
        arg_max(value, seq) filter (field = 'label' and origin like 'import-%') as given_label,
        arg_max(value, seq) filter (field = 'keep') as keep, arg_max(origin, seq) filter (field = 'keep') as keep_origin,
        arg_max(value, seq) filter (field = 'split') as split
    from edits where seq <= $upto group by sample)
select s.id as sample, s.source, s.key, s.uri, s.content_hash, s.width, s.height, s.meta, s.parent,
    e.label ->> '$' as label, e.given_label ->> '$' as given_label, coalesce(e.keep = 'true', false) as keep, e.split ->> '$' as split,
    e.verdict, e.who,
    coalesce(e.verdict <> 'set' or e.origin like 'edit-%', false) or coalesce(e.keep_origin like 'edit-%', false) as reviewed
from samples s join standing e on s.id = e.sample order by s.rowid"""
TAGS = """
select sample, list(name order by name) as tags from (
    select sample, value ->> 'name' as name, arg_max(value ->> 'on', seq) as state
    from edits where field = 'tag' and seq <= $upto group by all) where state = 'true' group by sample"""
EXPRESSION = re.compile(
    r"^\s*(?P<base>.+?)\s+(?P<op>[-~])\s+(?P<what>flagged|random\(\s*(?P<n>\d+)\s*(,\s*seed\s*=\s*(?P<seed>\d+)\s*)?\))\s*$"
)
HALF = re.compile(r"^\s*half\(\s*(?P<base>.+?)\s*(,\s*seed\s*=\s*(?P<seed>\d+)\s*)?\)\s*$")


def position(bench, version):
    """The log position, an int, of a version's name: HEAD, a commit such as v1, or a number."""
    named = bench.rows("select name, upto from commits union all select '', coalesce(max(seq), 0) from edits")
    commits = dict(named)
    last = commits.pop("")
    if version == "HEAD":
        return last
    if version in commits:
        return commits[version]
    if str(version).isdigit() and 0 < int(version) <= last:
        return int(version)
    raise UserError(
        f"expected a version, found {version!r}",
        f"there are HEAD, {', '.join(sorted(commits, key=commits.get)) or 'no commits yet'}, and expressions such as 'v1 - flagged'",
    )


def state(bench, version="HEAD"):
    """Every sample at `version`, a frame indexed by sample id: source key uri content_hash width height meta parent label given_label
    keep split verdict who reviewed tags. Unlabelled is None."""
    text = str(version)
    if EXPRESSION.match(text) or HALF.match(text):
        return remembered(bench, (text, position(bench, "HEAD")), lambda: counterfactual(bench, text))
    upto = position(bench, version)
    return remembered(bench, upto, lambda: state_at(bench, upto))


def remembered(bench, key, make):
    """What was can never change, so the last few states are kept."""
    if key not in bench.states:
        bench.states = dict([*bench.states.items(), (key, make())][-6:])
    return bench.states[key].copy()


def counterfactual(bench, text):
    """The state that an expression over a version describes: a pure function of that version."""
    if m := HALF.match(text):
        frame = state(bench, m["base"])
        train = frame.index[frame.keep & (frame.split == "train")]
        frame.loc[by_draw(train, int(m["seed"] or 0))[len(train) // 2 :], "keep"] = False
        return frame
    m = EXPRESSION.match(text)
    frame = state(bench, m["base"])
    flagged = bench.suspects(m["base"])  # frame sample -> label, suggestion
    flagged = flagged[frame["split"][flagged.index] == "train"]  # the ruler, val, stays as it is
    if m["what"] != "flagged":
        flagged = random_alike(frame, flagged, int(m["n"]), int(m["seed"] or 0))
    if m["op"] == "-":
        frame.loc[flagged.index, "keep"] = False
    else:
        frame.loc[flagged.index, "label"] = flagged.suggestion
    return frame


def state_at(bench, upto):
    """The state at a position in the log."""
    with bench.connect() as con:
        frame = con.execute(STATE, dict(upto=upto)).df().set_index("sample")
        tags = con.execute(TAGS, dict(upto=upto)).df()
    for column in ("label", "given_label", "split", "parent", "verdict", "who"):
        frame[column] = frame[column].astype(object).where(frame[column].notna(), None)
    named = {s: tuple(t) for s, t in zip(tags["sample"], tags["tags"])} if len(tags) else {}
    frame["tags"] = [named.get(s, ()) for s in frame.index]
    return frame


def by_draw(samples, seed):
    """Samples in a random order that depends on each one's id and the seed alone: adding samples does not reshuffle the others."""
    key = str(seed).encode()
    return sorted(samples, key=lambda s: blake2b(s.encode(), digest_size=8, key=key).digest())


def random_alike(frame, flagged, n, seed):
    """n random kept train samples with the class mix of the flagged ones, and their suggestions dealt out at random."""
    rng = np.random.default_rng(seed)
    train = frame[frame.keep & (frame.split == "train")]
    draw = flagged.iloc[rng.permutation(len(flagged))[:n]].copy() if len(flagged) else flagged
    if len(draw) < n:
        raise UserError(f"expected at most as many random samples as are flagged ({len(flagged)}), found {n}", "ask for fewer")
    samples = []
    for label, group in draw.groupby("label", sort=True):
        samples += by_draw(train.index[train.label == label], seed)[: len(group)]
    draw = draw.sort_values("label", kind="stable")
    draw.index = samples
    return draw


def tree(frame):
    """Hash of the kept (id, content hash, label, split), sorted: equal contents give an equal tree, whatever road led there."""
    kept = frame[frame.keep]
    lines = (json.dumps(row) for row in sorted(zip(kept.index, kept.content_hash, kept.label, kept.split), key=lambda row: row[0]))
    return sha256("\n".join(lines).encode()).hexdigest()[:32]
