"""Proposals: changes that stand beside the data until people merge them."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import streamlit as st

from assay.app.ui import policy_form, proposal_view, tasks
from assay.app.ui.widgets import ask_reviewer, report_result
from assay.curation.errors import UserError
from assay.curation.text import format_count
from assay.curation.versioning import proposals
from assay.curation.versioning.decision_cells import read_decisions

if TYPE_CHECKING:
    from assay.curation.storage.interface import Bench
    from assay.curation.versioning.proposals import Proposal

FILES = ["csv", "tsv", "parquet"]


def draw(bench: Bench) -> None:
    """Draw the proposals, one of them open, and the form for another."""
    left, right = st.columns([5, 2], vertical_alignment="bottom")
    left.markdown("# Proposals")
    with right:
        who = ask_reviewer(bench)
    busy = tasks.follow_tasks(bench, "proposal")
    every = proposals.list_proposals(bench)[::-1]
    if every:
        proposal_view.draw_proposal(bench, choose_proposal(every), who, busy)
    else:
        st.info(
            "Nobody has proposed changes yet. A proposal stands beside the data: people look at it, a check "
            "measures what it would gain, and nothing of it counts until somebody merges it."
        )
    with st.expander("Propose changes from a file", expanded=not every):
        draw_form(bench, who)
    policy_form.draw_policy(bench, who)


def choose_proposal(every: list[Proposal]) -> Proposal:
    """Ask which proposal is shown.

    At first it is that of the address, or the newest open one.
    """
    known = {p.name: p for p in every}
    asked = st.query_params.get("proposal")
    first = next((p.name for p in every if p.status == "open"), every[0].name)
    names = list(known)  # of names, since a proposal is another one after each word about it
    chosen = st.selectbox(
        "Proposal",
        names,
        index=names.index(asked if asked in known else first),
        format_func=lambda name: describe_proposal(known[name]),
        key="proposal",
    )
    st.query_params["proposal"] = chosen
    return known[chosen]


def describe_proposal(proposal: Proposal) -> str:
    """Describe a proposal in a line."""
    n = format_count(proposal.n_changes, "change")
    return f"{proposal.name}, {proposal.status}: {proposal.title} ({n} by {proposal.author})"


def draw_form(bench: Bench, who: str) -> None:
    """Ask for a file of decisions, and open a proposal of them."""
    with st.form("propose", border=False):  # a rerun while a file arrives would lose it
        title = st.text_input("Title", placeholder="what it changes, and why", max_chars=300)
        labeller = st.text_input(
            "Whose changes they are, if not yours",
            placeholder="a rule, a model, an agent",
            max_chars=300,
        )
        file = st.file_uploader("Decisions", type=FILES)
        st.caption(
            "A table with a column sample (its id or name) and label, keep, split or tags, as `assay queue` writes it."
        )
        if st.form_submit_button("Open the proposal", disabled=not who, type="primary"):
            report_result(lambda: open_uploaded(bench, file, title.strip(), who, labeller.strip()))
    st.caption(f'The same by a command: `assay proposal open FILE --title "..." -b {bench.given}`.')


def open_uploaded(bench: Bench, file, title: str, who: str, labeller: str) -> str:
    """Open a proposal of an uploaded file; returns what to tell. UserError for what is missing."""
    if not (title and file):
        lacks = "a file of decisions" if title else "a title"
        raise UserError(f"expected {lacks}, found none", "fill it in above, and open it again")
    with TemporaryDirectory() as folder:
        path = Path(folder) / f"decisions{Path(file.name).suffix.lower()}"
        path.write_bytes(file.getvalue())
        decisions = read_decisions(path)
    made = proposals.open_proposal(bench, title, decisions, who, labeller, file.name)
    del st.session_state["proposal"]
    st.query_params["proposal"] = made.name
    return f"{made.name} is open, with {format_count(made.n_changes, 'change')}"
