"""What the log says to a reader: who did what when, and what there is to do next."""

from curation import queue, stats, versions
from curation.errors import UserError

LOG = """
select 'batch' as kind, batch as name, who, min(ts) as ts, count(distinct sample) filter (sample <> '') as samples, count(*) as edits,
    case when batch like 'edit-%'
        then count(*) filter (field = 'label' and verdict = 'set') end as relabelled, count(*) filter (verdict = 'confirm') as confirmed,
    count(*) filter (verdict = 'unsure') as unsure, count(*) filter (field = 'keep' and value = 'false') as dropped,
    sum(seconds) as seconds, max(seq) as upto, mode(why) as why
from edits group by batch, who
union all select 'commit', name, who, ts, null, null, null, null, null, null, null, upto, message from commits
order by upto, ts"""


def log(bench):
    """Batches and commits, oldest first: frame kind (batch or commit), name, who, ts, samples, edits, relabelled, confirmed, unsure, dropped,
    seconds, upto, why."""
    return bench.query(LOG)


def status(bench):
    """What is in the bench, what is flagged, what the reviews say and what to do next, as a dict."""
    state = bench.state()
    kept = state[state.keep]
    commits = bench.commits()
    upto = versions.position(bench, "HEAD")
    out = dict(
        bench=str(bench.path),
        samples=len(kept),
        dropped=len(state) - len(kept),
        splits={s: int((kept.split == s).sum()) for s in ("train", "val", "test", "pool", "guard") if (kept.split == s).any()},
        classes={c: int(n) for c, n in kept[kept.split != "test"].label.value_counts().sort_index().items()},
        test=bench.rules().get("test"),
        left_out=[
            dict(source=s, key=k, reason=r) for s, k, r in bench.rows("select source, key, reason from left_out order by source, key")
        ],
        version=commits.iloc[-1]["name"] if len(commits) else None,
        open_edits=int(bench.rows("select count(*) from edits where seq > ?", [int(commits.upto.max()) if len(commits) else 0])[0][0]),
        runs=bench.rows("select count(*) from runs")[0][0],
        issues=None,
        review=queue.progress(bench, state),
    )
    try:
        found = bench.issues()
        out["issues"] = {k: int((found.kind == k).sum()) for k in queue.KINDS if (found.kind == k).any()}
    except UserError as e:
        out["next"] = e.hint.removeprefix("run: ")
        return out
    if out["review"]["reviewed"] == 0:
        out["next"] = f"assay queue -n 200 --csv queue.csv -b {bench.given}"
    elif out["open_edits"] and len(commits) and commits.upto.max() < upto:
        out["next"] = f"assay commit -m '...' -b {bench.given}"
    else:
        out["next"] = f"assay experiment PLAN.toml -b {bench.given}"
    return out


def rate(hits, looks):
    """A share in words with its n and 95 % interval; before 30 looks only the counts."""
    if looks < 30:
        return f"{hits} of {looks}, too few for a rate"
    low, high = stats.wilson(hits, looks)
    return f"{hits} of {looks}, {hits / looks:.1%} [{low:.1%}, {high:.1%}]"
