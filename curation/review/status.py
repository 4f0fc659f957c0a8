"""The state of a bench in one dict."""

from assay.curation.errors import UserError
from assay.curation.features import scan_settings
from assay.curation.issues import listing
from assay.curation.label_quality import judges
from assay.curation.review import audit, next_step, progress
from assay.curation.splits import LOCKED
from assay.curation.versioning import versions
from assay.curation.versioning.history import since_commit


def status(bench, version="HEAD"):
    """What is in a version of the bench, what is flagged, what the reviews say and what to do next, as a dict."""
    state, commits = bench.state(version), bench.commits()
    keep = state.keep.to_numpy(bool)
    sizes = state.split[keep].value_counts()
    lost = bench.rows("select source, key, reason from left_out order by source, key")
    out = dict(
        bench=str(bench.path),
        of=str(version),
        samples=int(keep.sum()),
        dropped=int((~keep).sum()),
        splits={s: int(sizes[s]) for s in ("train", "val", "test", "pool", "guard") if s in sizes},
        classes={
            c: int(n)
            for c, n in state.label[keep & ~state.split.isin(LOCKED)]
            .value_counts()
            .sort_index()
            .items()
        },
        test=bench.rules(version).get("test"),
        audit=audit.noise(bench, "test", version) if "test" in sizes else None,
        left_out=[dict(source=s, key=k, reason=r) for s, k, r in lost],
        version=commits.iloc[-1]["name"] if len(commits) else None,
        open_edits=since_commit(bench),
        runs=bench.rows("select count(*) from runs")[0][0],
        issues=None,
        review=progress.progress(bench, state),
        classes_reviewed=[],
        network=None,
    )
    found = waits = None
    try:
        found, _ = listing.undecided(
            state, listing.standing(bench, version=version, columns=("kind", "sample"))
        )
        counts = found.kind.value_counts()
        out["issues"] = {k: int(counts[k]) for k in listing.KINDS if k in counts}
        if scan_settings.scanned(bench):
            out["network"] = judges.second_age(bench, state)
            out["classes_reviewed"] = progress.by_class(bench, state)
    except UserError as e:
        waits = e
    if versions.is_head(bench, version):
        out["advice"] = next_step.next_step(bench, out, state, found, waits)
    out["next"] = (
        out["advice"]["command"]
        if "advice" in out
        else f"assay diff '{version}' HEAD -b {bench.given}"
    )
    return out
