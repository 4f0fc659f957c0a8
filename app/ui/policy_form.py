"""Show what is asked of proposals, and let people change it."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import streamlit as st

from assay.app.ui.widgets import report_result
from assay.curation.versioning.proposal_policy import describe_policy, read_policy, set_policy

if TYPE_CHECKING:
    from typing import Any

    from assay.curation.storage.interface import Bench
    from assay.curation.versioning.proposal_policy import Policy


def draw_policy(bench: Bench, who: str) -> None:
    """Draw the policy that stands, and the form that changes it."""
    policy = read_policy(bench)
    with st.expander("Policy"), st.form("policy"):
        st.caption(f"Asked of every proposal before it is merged: {describe_policy(policy)}.")
        said = ask_policy(policy)
        if st.form_submit_button("Change the policy", disabled=not who):
            report_result(lambda: change_policy(bench, said, who))
        st.caption(
            "An empty field is not asked for. The same by a command: "
            f"`assay proposal policy --approvals 2 -b {bench.given}`."
        )


def ask_policy(policy: Policy) -> dict[str, Any]:
    """Ask for each requirement; fractions are shown as points and percents."""
    left, middle, right = st.columns(3)
    said = dict(
        approvals=int(left.number_input("Approvals, not of its author", 0, 100, policy.approvals)),
        margin=ask_percent(left, "Margin: gain surely above minus, points", policy.margin),
        look_at=int(middle.number_input("Random looks", 0, 10_000, policy.look_at)),
        wrong=ask_percent(middle, "These show surely under, % wrong", policy.wrong),
        agreement=ask_percent(right, "Agreement of the probe, %", policy.agreement),
        measured=right.checkbox("A measured gain, whatever it is", policy.measured),
        regression=right.checkbox("No regression set falls", policy.regression),
    )
    return said


def ask_percent(column: Any, label: str, fraction: float | None) -> float | None:
    """Ask for a fraction in percent; None where the field is empty."""
    percent = None if fraction is None else 100 * fraction
    said = column.number_input(label, 0.0, 100.0, percent, step=1.0, format="%g")
    return None if said is None else said / 100


def change_policy(bench: Bench, said: dict[str, Any], who: str) -> str:
    """Change the policy; returns what to tell."""
    now = asdict(read_policy(bench))
    if said["wrong"] is None:
        said = said | dict(wrong=now["wrong"])
    set_policy(bench, {k: v for k, v in said.items() if v != now[k]}, who)
    return f"policy: {describe_policy(read_policy(bench))}"
