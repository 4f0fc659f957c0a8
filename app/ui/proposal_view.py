"""Draw one proposal, and the ways to look at it and end it."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

import streamlit as st

from assay.app.ui.tasks import begin_task
from assay.app.ui.widgets import (
    cards_html,
    draw_explanation,
    escape_markdown,
    page_address,
    picture_html,
    report_result,
)
from assay.curation.splits import LOCKED
from assay.curation.text import format_count
from assay.curation.times import show_time
from assay.curation.versioning import proposal_votes, proposals
from assay.curation.versioning.proposal_merge import show
from assay.curation.versioning.proposal_policy import describe_policy, read_policy
from assay.pipelines.explaining.accuracy_numbers import explain_proposal_gain

if TYPE_CHECKING:
    import pandas as pd

    from assay.curation.storage.interface import Bench
    from assay.curation.versioning.proposal_policy import Policy
    from assay.curation.versioning.proposals import Proposal

FIRST, ACROSS = 12, 6  # pictures to look at first, and how many in a row
ROWS = 200  # kinds of changes that are listed
WORDS = dict(approve="approved", reject="rejected", merge="merged", close="closed", check="checked")


def draw_proposal(bench: Bench, proposal: Proposal, who: str, busy: bool) -> None:
    """Draw a proposal; `busy`: a check or a merge is at work."""
    policy = read_policy(bench)
    judged = proposal_votes.judge_changes(bench, proposal.name, policy.approvals)
    st.markdown(f"## {escape_markdown(proposal.title)}")
    st.caption(describe_origin(proposal))
    if proposal.status == "open":
        st.html(cards_html(count_changes(proposal, judged)))
        st.caption(describe_requirements(proposal, policy))
        draw_conflicts(bench, judged[judged.status == "conflict"])
    draw_kinds(judged[judged.status != "locked"])
    if proposal.status == "open":
        draw_first_looks(bench, proposal, judged, who, max(policy.look_at, FIRST))
    draw_talk(proposal)
    if proposal.status == "open":
        draw_acts(bench, proposal, who, busy)


def describe_origin(proposal: Proposal) -> str:
    """Say who opened a proposal when, and whose changes they are."""
    whose = f", changes of {proposal.labeller}" if proposal.labeller else ""
    source = f", from {proposal.source}" if proposal.source else ""
    return escape_markdown(
        f"{proposal.name}, {proposal.status}: opened by {proposal.who}, {show_time(proposal.opened)}{whose}{source}"
    )


def describe_requirements(proposal: Proposal, policy: Policy) -> str:
    """Say what a merge takes, and where nothing was measured."""
    text = f"A merge takes: {describe_policy(policy)}."
    if proposal.checks:
        return text
    measures = (
        "a merge measures what it takes" if policy.needs_measurement else "no merge asks for it"
    )
    return (
        f"{text} **Nothing was measured of it yet**: what it gains or loses is unknown; {measures}."
    )


def draw_conflicts(bench: Bench, judged: pd.DataFrame) -> None:
    """Draw the pictures of what somebody edited since: what stands, and what is asked."""
    if not len(judged):
        return
    st.markdown("### In conflict")
    st.caption(
        f"{format_count(len(judged), 'change')} of what somebody edited since it was opened: a merge leaves them out."
    )
    rows = judged.head(FIRST)
    state = bench.state(columns=["key"], samples=rows["sample"].unique())
    figures = []
    for row in rows.itertuples():
        lines = [
            f"<b>{escape(show(row.stands)[:60])}</b> stands, by {escape(str(row.last_who)[:60])}",
            "as was asked" if row.stands == row.value else f"asked: {escape(show(row.value)[:60])}",
        ]
        known = row.sample in state.index
        picture = picture_html(row.sample, state.key[row.sample]) if known else "gone"
        figures.append(figure_html(row.sample, picture, lines))
    st.html(f'<div class="assay-sheet">{"".join(figures)}</div>')
    if len(judged) > len(rows):
        st.caption(f"and {len(judged) - len(rows):,} more")


def figure_html(sample: str, picture: str, lines: list[str]) -> str:
    """Write a picture that leads to the sample's history, lines of HTML under it."""
    address = page_address("history", sample=sample)
    return (
        f'<a href="{address}" target="_self"><figure>{picture}'
        f"<figcaption>{'<br>'.join(lines)}</figcaption></figure></a>"
    )


def count_changes(proposal: Proposal, judged: pd.DataFrame) -> list[tuple[str, str]]:
    """Count the changes by what a merge would do with them."""
    count = judged.status.value_counts()
    about = dict(
        approved="approved",
        waiting="wait for approval",
        rejected="rejected",
        conflict="in conflict: edited since",
        locked="locked, of test",
    )
    rows = [(f"{int(count.get(k, 0)):,}", words) for k, words in about.items() if k in count]
    if void := int((judged.void > 0).sum()):
        rows.append((f"{void:,}", "approvals void: edited since"))
    return [(f"{proposal.n_changes:,}", "changes"), *rows]


def draw_kinds(judged: pd.DataFrame) -> None:
    """Draw how many changes lead from what to what."""
    kinds = judged.assign(
        before=[show(v) for v in judged.was],
        after=[
            "the same, confirmed" if c.was == c.value else show(c.value)
            for c in judged.itertuples()
        ],
    )
    kinds = kinds.groupby(["field", "before", "after"]).size().sort_values(ascending=False)
    table = kinds.rename("changes").reset_index()
    st.dataframe(table.head(ROWS), hide_index=True, height=min(280, 38 + 35 * len(table)))
    if len(table) > ROWS:
        st.caption(f"and {len(table) - ROWS:,} more kinds of changes")


# ---- a random sample, right or wrong


def draw_first_looks(
    bench: Bench, proposal: Proposal, judged: pd.DataFrame, who: str, n: int
) -> None:
    """Draw the first samples of its random order, each to be called right or wrong."""
    drawn, looked, wrong = proposal_votes.count_looks(proposal, judged["sample"], n)
    st.markdown("### Look at these first")
    st.caption(
        f"{format_count(len(drawn), 'sample')} drawn at random from it: {looked:,} looked at by others than its "
        f"author, {wrong:,} of them wrong. Say right or wrong of each; what is called wrong is not merged."
    )
    state = bench.state(columns=["key", "split"], samples=drawn)
    with st.form(f"looks {proposal.name}"):
        said = {}
        for at in range(0, len(drawn), ACROSS):
            for column, sample in zip(st.columns(ACROSS), drawn[at : at + ACROSS]):
                with column:
                    draw_change(sample, state, judged[judged["sample"] == sample])
                    said[sample] = st.segmented_control(
                        f"the change of {sample[:8]}",
                        ["right", "wrong"],
                        key=f"look {proposal.name} {sample}",
                        label_visibility="collapsed",
                    )
        if st.form_submit_button("Store what I saw", disabled=not who):
            report_result(lambda: store_looks(bench, proposal, said, who))


def draw_change(sample: str, state: pd.DataFrame, changes: pd.DataFrame) -> None:
    """Draw the picture of a sample with its changes; of a locked one no label."""
    if sample not in state.index:
        return st.caption("no longer in the bench")
    key = state.key[sample]
    lines = [change_html(c.was, c.value) for c in changes.itertuples()]
    if state.split[sample] in LOCKED:
        lines = ["<small>of the test, locked</small>"]
    st.html(
        f'<div class="assay-sheet">{figure_html(sample, picture_html(sample, key), lines)}</div>'
    )


def change_html(was: str, value: str) -> str:
    """Write what a change does, from JSON to JSON; text is escaped."""
    before, after = (escape(show(v)[:60]) for v in (was, value))
    return f"<b>{after}</b> confirmed" if was == value else f"<s>{before}</s> → <b>{after}</b>"


def store_looks(bench: Bench, proposal: Proposal, said: dict[str, str | None], who: str) -> str:
    """Store which changes somebody calls right and wrong; returns what to tell."""
    right = [s for s, word in said.items() if word == "right"]
    wrong = [s for s, word in said.items() if word == "wrong"]
    if wrong:
        proposal_votes.reject_proposal(bench, proposal.name, who, wrong)
    if right:
        proposal_votes.approve_proposal(bench, proposal.name, who, right)
    return f"stored: {len(right):,} right, {len(wrong):,} wrong"


# ---- what was said, and what can be done


def draw_talk(proposal: Proposal) -> None:
    """Draw what people said and measured, oldest first."""
    for event in proposal.events:
        kind, chosen = event.about["event"], event.about.get("samples")
        what = WORDS.get(kind, "")
        of = f" {format_count(len(chosen), 'sample')}" if chosen else ""
        line = f"{event.who} {what}{of}" if what else f"{event.who}"
        text = f": {event.text}" if event.text else ""
        st.markdown(
            f"**{escape_markdown(line)}**{escape_markdown(text)} "
            f"<small>{escape(show_time(event.ts))}</small>",
            unsafe_allow_html=True,
        )
        if kind == "check":
            draw_measured(event.about["measured"])


def draw_measured(measured: dict) -> None:
    """Draw what a check measured, in words."""
    from assay.pipelines.evaluation.proposal_checks import check_gain

    if "unmeasured" in measured:
        return st.caption(escape_markdown(f"not measured: {measured['unmeasured']}"))
    st.caption(escape_markdown(f"gain {check_gain(measured, None)['reason']}"))
    draw_explanation([explain_proposal_gain(measured)])


def draw_acts(bench: Bench, proposal: Proposal, who: str, busy: bool) -> None:
    """Draw the ways to comment, approve, check, merge and close."""
    name = proposal.name
    text = st.text_input("Say something", key=f"words {name}", max_chars=2000).strip()
    acts = {
        "Comment": lambda: proposals.comment_proposal(bench, name, text, who),
        "Approve all": lambda: proposal_votes.approve_proposal(bench, name, who, text=text),
        "Reject all": lambda: proposal_votes.reject_proposal(bench, name, who, text=text),
        "Close": lambda: proposals.close_proposal(bench, name, who, text),
    }
    columns = st.columns([1, 1, 1, 1, 1, 1, 2])
    for column, (word, act) in zip(columns, acts.items()):
        off = not who or (word == "Comment" and not text)
        if column.button(word, disabled=off, key=f"{word} {name}", width="stretch"):
            report_result(lambda act=act, word=word: act() and f"{name}: {word.lower()}")
    for column, verb in zip(columns[4:], ("Check", "Merge")):
        if column.button(
            verb,
            disabled=busy or not who,
            type="primary" if verb == "Merge" else "secondary",
            key=f"{verb} {name}",
            width="stretch",
        ):
            begin_task(bench, "proposal", verb.lower(), name, "--who", who)
    st.caption(
        "A check measures the gain on validation and is counted: each look at one validation set widens the next "
        "interval. A merge takes what is approved, if the policy is met. The same by commands: "
        f"`assay proposal check {name} -b {bench.given}`, `assay proposal merge {name} -b {bench.given}`."
    )
