"""What a proposal says, as plain data, as a page of pictures and as Markdown."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from markupsafe import Markup

from assay.curation.features.scan_settings import is_scanned
from assay.curation.label_quality import live
from assay.curation.storage.interface import Bench
from assay.curation.storage.schema import END
from assay.curation.text import format_count
from assay.curation.times import iso_time
from assay.curation.versioning.class_names import offer_names
from assay.curation.versioning.pointers import register_values
from assay.curation.versioning.proposal_merge import show
from assay.curation.versioning.proposal_policy import read_policy
from assay.curation.versioning.proposal_votes import count_looks, find_judged
from assay.curation.versioning.proposals import Proposal, find_proposal
from assay.curation.versioning.votes import VOTES
from assay.pipelines.reports.contact_sheet import draw_page
from assay.pipelines.reports.markdown import escape_markdown, table_lines
from assay.pipelines.reports.sample_pictures import load_pictures
from assay.pipelines.reports.templates import PARTS, write_page

if TYPE_CHECKING:
    import pandas as pd

FIRST = 24  # random samples to look at first, where no policy asks for more
MOST = 200  # disagreements and conflicts that are listed
VOTED = f"with {VOTES} select sample, who, label from vote semi join wanted using (sample)"


def describe_proposal(bench: Bench, name: str) -> tuple[dict, pd.DataFrame]:
    """Describe a proposal; nothing is measured.

    Returns (a dict of plain data: who, why, how many changes of each field, status and class pair, the random samples
    to look at first, where people and the probe disagree, what was said; its changes, see judge_changes).
    """
    policy = read_policy(bench)
    with bench.connect() as con:
        proposal = find_proposal(con, name)
        judged = find_judged(con, proposal, policy.approvals)
        offer_names(con)
        register_values(con, "wanted", judged["sample"].unique().tolist())
        votes = con.execute(VOTED, dict(upto=END)).df()
    most = max(policy.look_at, FIRST)
    drawn, looked, wrong = count_looks(proposal, judged["sample"], most)
    labels = judged[(judged.field == "label") & (judged.status != "locked")]
    pairs = labels.groupby(["was", "value"], sort=False).size().sort_values(ascending=False)
    ended = [e.about.get("batch") for e in proposal.select_events("merge")]
    about = describe_head(proposal) | dict(
        batch=ended[0] if ended else None,
        fields=count(judged.field),
        statuses=count(judged.status),
        void=int((judged.void > 0).sum()),
        classes=[
            {"from": show(was), "to": show(now), "changes": int(n)}
            for (was, now), n in pairs.items()
        ],
        reasons=[dict(why=w, changes=n) for w, n in list(count(judged.why).items())[:12] if w],
        first=dict(
            asked=len(drawn),
            looked=looked,
            rejected=wrong,
            samples=drawn,
        ),
        people=find_other_votes(proposal, labels, votes),
        probe=find_probe_doubts(bench, labels),
        conflicts=[
            dict(sample=r.sample, field=r.field, asked=show(r.value), stands=show(r.stands), by=r.last_who)
            for r in judged[judged.status == "conflict"].head(MOST).itertuples()
        ],
    )  # fmt: skip
    return about, judged


def describe_head(proposal: Proposal) -> dict:
    """Describe a proposal without its changes."""
    said = [
        dict(event=e.about["event"], who=e.who, ts=iso_time(e.ts), text=e.text,
             samples=None if e.about.get("samples") is None else len(e.about["samples"]))
        for e in proposal.events
    ]  # fmt: skip
    return dict(
        name=proposal.name,
        uid=proposal.uid,
        title=proposal.title,
        who=proposal.who,
        labeller=proposal.labeller,
        source=proposal.source,
        status=proposal.status,
        opened=iso_time(proposal.opened),
        upto=proposal.upto,
        changes=proposal.n_changes,
        samples=proposal.n_samples,
        approvals=proposal.approvals,
        rejections=proposal.rejections,
        checks=len(proposal.checks),
        events=said,
    )


def count(column: pd.Series) -> dict[str, int]:
    """Count the values of a column, the commonest first."""
    return {str(k): int(n) for k, n in column.value_counts().items()}


def find_other_votes(proposal: Proposal, labels: pd.DataFrame, votes: pd.DataFrame) -> dict:
    """Find the changes that another person's last word contradicts."""
    votes = votes[(votes.who != proposal.author) & votes["sample"].isin(labels["sample"])]
    asked = labels.set_index("sample").value[votes["sample"]]
    votes = votes.assign(asked=[json.loads(value) for value in asked])
    votes = votes[votes.label != votes.asked]
    rows = [
        dict(sample=r.sample, who=r.who, said=r.label if isinstance(r.label, str) else "drop it", asked=r.asked)
        for r in votes.head(MOST).itertuples()
    ]  # fmt: skip
    return dict(n=int(votes["sample"].nunique()), rows=rows)


def find_probe_doubts(bench: Bench, labels: pd.DataFrame) -> dict:
    """Find the changes to labels that the probe would not say; it has not seen them."""
    if not is_scanned(bench):
        return dict(n=None, judged=0, rows=[], why="nothing is scanned")
    moved = labels[labels.value != labels.was]
    found = live.label_scores(bench, "HEAD", scan_needed=False)
    at = found.index.get_indexer(moved["sample"])
    moved, said = moved[at >= 0], found.iloc[at[at >= 0]]
    asked = moved.value.map({value: json.loads(value) for value in moved.value.unique()})
    other = said.suggestion.to_numpy(object) != asked.to_numpy(object)
    doubted = moved[other].assign(
        said=said.suggestion.to_numpy(object)[other], confidence=said.confidence.to_numpy()[other]
    )
    doubted = doubted.sort_values("confidence", ascending=False, kind="stable").head(MOST)
    rows = [
        dict(sample=r.sample, asked=json.loads(r.value), said=r.said, confidence=float(r.confidence))
        for r in doubted.itertuples()
    ]  # fmt: skip
    return dict(n=int(other.sum()), judged=len(moved), rows=rows, why="")


def write_proposal_sheet(bench: Bench, name: str, path: str | Path) -> Path:
    """Write a proposal as a page of pictures: random ones first, then what is doubted."""
    about, judged = describe_proposal(bench, name)
    parts = [
        (f"Look at these first: {format_count(len(about['first']['samples']), 'random sample')} of it",
         about["first"]["samples"]),
        ("The probe would say otherwise", [row["sample"] for row in about["probe"]["rows"]]),
        ("People said otherwise", [row["sample"] for row in about["people"]["rows"]]),
    ]  # fmt: skip
    body = PARTS.about(" ".join(describe_lines(about)))
    for head, samples in parts:
        rows = judged[judged["sample"].isin(samples[:FIRST])].drop_duplicates("sample")
        if len(rows):
            rows = rows.set_index("sample", drop=False).loc[list(dict.fromkeys(samples[:FIRST]))]
            body += Markup("<h2>{}</h2>").format(head)
            body += PARTS.figures(load_pictures(frame_changes(bench, rows), bench), Markup())
    return write_page(draw_page(f"{about['name']}: {about['title']}", body), path)


def frame_changes(bench: Bench, rows: pd.DataFrame) -> pd.DataFrame:
    """Make the frame that load_pictures takes of changes."""
    places = bench.state(columns=["uri", "key"], samples=rows["sample"]).reindex(rows["sample"])
    words = [f"{show(w)} -> {show(v)}" for w, v in zip(rows.was, rows.value)]
    text = [f"{said}  {sample[:12]}" for said, sample in zip(words, rows["sample"])]
    return places.reset_index(drop=True).assign(
        sample=rows["sample"].to_numpy(), was="", now="", text=text
    )


def describe_lines(about: dict) -> list[str]:
    """Describe a proposal in a few sentences."""
    whose = f"{about['labeller']}, for {about['who']}" if about["labeller"] else about["who"]
    came = f", from {about['source']}" if about["source"] else ""
    fields = ", ".join(f"{n:,} {field}" for field, n in about["fields"].items())
    status = ", ".join(f"{n:,} {status}" for status, n in about["statuses"].items())
    looks, probe = about["first"], about["probe"]
    lines = [
        f"{about['status']}, by {whose}{came}: {format_count(about['changes'], 'change')} ({fields}) "
        f"of {format_count(about['samples'], 'sample')}.",
        f"{status}.",
        f"{looks['looked']:,} of {format_count(looks['asked'], 'random sample')} looked at, "
        f"{looks['rejected']:,} rejected.",
        f"Other people say otherwise of {format_count(about['people']['n'], 'sample')}.",
    ]
    if probe["n"] is None:
        lines.append(f"The probe was not asked: {probe['why']}.")
    else:
        lines.append(
            f"The probe would say otherwise of {probe['n']:,} of {probe['judged']:,} labels."
        )
    if about["void"]:
        lines.append(
            f"Approvals of {format_count(about['void'], 'change')} are void: edited since."
        )
    return lines


def write_markdown(about: dict, judgement: dict | None = None) -> str:
    """Write a proposal for a code forge's pull request.

    judgement: as check_proposal returns it, where it was checked."""
    lines = [f"## {escape_markdown(about['title'], 200)}", ""]
    lines += [escape_markdown(line, 400) for line in describe_lines(about)]
    if judgement:
        passed = "passed" if judgement["passed"] else "**not passed**"
        lines += ["", f"### Checks: {passed}", ""]
        lines += [
            f"- {'pass' if c['passed'] else '**FAIL**'} {c['check']}: {escape_markdown(c['reason'], 600)}"
            for c in judgement["checks"]
        ]
    if about["classes"]:
        rows = [
            [escape_markdown(row["from"]), escape_markdown(row["to"]), f"{row['changes']:,}"]
            for row in about["classes"]
        ]
        lines += ["", "### Labels", *table_lines(["from", "to", "changes"], rows)]
    if about["reasons"]:
        rows = [[escape_markdown(r["why"], 200), f"{r['changes']:,}"] for r in about["reasons"]]
        lines += ["### Why", *table_lines(["reason", "changes"], rows)]
    said = [e for e in about["events"] if e["text"]]
    if said:
        lines += ["### Said", ""]
        lines += [f"- {escape_markdown(e['who'])}: {escape_markdown(e['text'], 400)}" for e in said]
    return "\n".join(lines).rstrip() + "\n"
