"""Judge a proposal by the policy, and merge what meets it.

Many proposals are many looks at one validation set. Each measurement is counted in the log, and the k-th look's
interval spends 0.05 / (k (k + 1)): all looks that there will ever be are wrong about some gain in at most 5 % of
benches. What was measured already, of the same changes beside the same data, is read from the log and is no new look.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from hashlib import sha256
from typing import TYPE_CHECKING

from assay.curation.errors import UserError
from assay.curation.slicing import regression_sets
from assay.curation.statistics.binomial_bounds import (
    chance_at_most,
    most_allowed,
    spend_alpha,
    upper_share,
)
from assay.curation.statistics.wording import format_interval, format_points, format_share
from assay.curation.storage.interface import Bench
from assay.curation.text import format_count
from assay.curation.versioning import proposals
from assay.curation.versioning.proposal_merge import Merged, merge_changes
from assay.curation.versioning.proposal_policy import Policy, read_policy
from assay.curation.versioning.proposal_votes import count_looks, judge_changes
from assay.curation.versioning.proposals import Proposal
from assay.pipelines.evaluation import proposal_gain

if TYPE_CHECKING:
    import pandas as pd

LAST_EDIT = "select coalesce(max(seq), 0) from edits where field <> 'proposal'"


def check_proposal(bench: Bench, name: str, who: str) -> dict:
    """Measure a proposal, and judge it by the policy; the look is counted in the log.

    Of the changes that could be merged: none in conflict, none rejected. Returns dict proposal, passed, policy,
    changes ({status: n}), measured (see measure_gain, with look, leaks, classes, agreement, or `unmeasured`: why
    not), checks (dicts check, passed, reason).
    """
    policy = read_policy(bench)
    judged = judge_changes(bench, name, policy.approvals)
    open_ones = judged[judged.status.isin(("approved", "waiting"))]
    measured = measure_once(bench, name, open_ones, who)
    return judge_proposal(bench, name, judged, measured, policy)


def judge_proposal(
    bench: Bench, name: str, judged: pd.DataFrame, measured: dict | None, policy: Policy
) -> dict:
    """Judge a measured proposal by the policy: see check_proposal."""
    proposal = proposals.read_proposal(bench, name)
    checks = [check_approvals(judged, policy)]
    if policy.look_at:
        checks.append(check_looks(proposal, judged, policy))
    if measured is None:
        checks.append(check_unmeasured(judged[judged.status == "approved"], policy))
    else:
        checks += check_measured(measured, policy)
    return dict(
        proposal=proposal.name,
        title=proposal.title,
        passed=all(c["passed"] for c in checks),
        policy=asdict(policy),
        changes={k: int(n) for k, n in judged.status.value_counts().items()},
        measured=measured,
        checks=checks,
    )


def merge_proposal(bench: Bench, name: str, who: str) -> tuple[dict, Merged | None]:
    """Merge what was approved, if the policy is met.

    What the policy asks to be measured, and nobody has measured yet, is measured now, of the approved changes alone.
    Returns (as check_proposal, what the merge did; None where the policy is not met, and nothing changed).
    """
    proposals.check_person(who)
    policy = read_policy(bench)
    judged = judge_changes(bench, name, policy.approvals)
    approved = judged[judged.status == "approved"]
    # what somebody has measured already counts, and is no new look
    measured = find_measured(bench, name, approved)[1]
    if measured is None and must_measure(bench, approved, policy):
        measured = measure_once(bench, name, approved, who)
    judgement = judge_proposal(bench, name, judged, measured, policy)
    if not judgement["passed"]:
        return judgement, None
    return judgement, merge_changes(bench, name, who, policy.approvals)


def must_measure(bench: Bench, approved: pd.DataFrame, policy: Policy) -> bool:
    """Tell whether approved changes must be measured before they are merged."""
    moving = select_moving(approved)
    if not len(moving):
        return False
    if policy.needs_measurement or moving.field.isin(("keep", "split")).any():
        return True
    return bool(policy.regression and regression_sets.frozen_sets(bench, bench.state()))


def select_moving(changes: pd.DataFrame) -> pd.DataFrame:
    """Select the changes after which something else trains or judges: no tag, no confirmation."""
    return changes[(changes.field != "tag") & (changes.value != changes.was)]


def measure_once(bench: Bench, name: str, changes: pd.DataFrame, who: str) -> dict:
    """Measure changes, or read it from the log where it was measured already."""
    of, known = find_measured(bench, name, changes)
    if known is not None:
        return known
    every, proposal = proposals.list_proposals(bench), proposals.read_proposal(bench, name)
    looks = [e for p in every for e in p.checks if "look" in e.about["measured"]]
    measured = measure(bench, proposal, changes, len(looks) + 1)
    measured = json.loads(json.dumps(measured, default=float))
    if proposal.status == "open":
        proposals.say_about(bench, name, "check", who, of=of, measured=measured)
    return measured


def find_measured(bench: Bench, name: str, changes: pd.DataFrame) -> tuple[str, dict | None]:
    """Find what was measured of these changes beside the present data.

    Returns (their digest, what was measured or None).
    """
    base = bench.rows(LAST_EDIT)[0][0]
    of = sha256(f"{base} {changes.seq.tolist()}".encode()).hexdigest()[:16]
    checks = [e.about for e in proposals.read_proposal(bench, name).checks]
    return of, next((about["measured"] for about in checks if about.get("of") == of), None)


def measure(bench: Bench, proposal: Proposal, changes: pd.DataFrame, look: int) -> dict:
    """Measure what changes would do; `look`: how many such measurements this makes."""
    state = bench.state()
    out: dict = dict(classes=proposal_gain.count_classes(state, changes))
    try:
        out["leaks"] = proposal_gain.find_new_leaks(bench, state, changes)
        out["agreement"] = proposal_gain.measure_agreement(bench, changes)
        level, salt = 1 - spend_alpha(look), proposal.uid[:16]
        out |= proposal_gain.measure_gain(bench, state, changes, level, salt)
        return out | dict(look=look)
    except UserError as e:
        return out | dict(unmeasured=f"{e.problem}; {e.hint}")


# ---- what each check says


def check_approvals(judged: pd.DataFrame, policy: Policy) -> dict:
    """Check that enough people approve some of the changes."""
    count = judged.status.value_counts()
    n = int(count.get("approved", 0))
    people = "person" if policy.approvals == 1 else "people"
    rest = ", ".join(f"{k:,} {status}" for status, k in count.items() if status != "approved")
    void = int((judged.void > 0).sum())
    why = f"{n:,} of {format_count(len(judged), 'change')} approved by {policy.approvals} {people} or more"
    why += f"; {rest}" if rest else ""
    why += f"; approvals of {format_count(void, 'change')} are void: edited since" if void else ""
    return dict(check="approvals", passed=n > 0, reason=why)


def check_looks(proposal: Proposal, judged: pd.DataFrame, policy: Policy) -> dict:
    """Check that a random sample of it shows few wrong changes.

    The first samples of its own random order, as many as the policy asks: a fixed number, so that nobody looks until
    it fits."""
    drawn, looked, wrong = count_looks(proposal, judged["sample"], policy.look_at)
    asked = len(drawn)
    if looked < asked:
        todo = f"`assay proposal show {proposal.name} --looks` lists them"
        why = f"{looked:,} of {format_count(asked, 'random sample')} looked at, {wrong:,} of them rejected; {todo}"
        return dict(check="looks", passed=False, reason=why)
    all_of_it = asked == proposal.n_samples
    high = wrong / asked if all_of_it else upper_share(wrong, asked)
    bound = (
        "all of them were looked at" if all_of_it else f"surely under {high:.1%} (one-sided 95 %)"
    )
    why = f"{wrong:,} of {format_count(asked, 'random sample')} rejected, {bound}; required under {policy.wrong:.1%}"
    allowed = most_allowed(asked, policy.wrong)
    if not all_of_it and allowed is None:
        why += "; so few can never show that: ask for more"
    elif not all_of_it:
        chance = chance_at_most(allowed, asked, policy.wrong / 4)
        why += f"; one with {policy.wrong / 4:.1%} wrong would pass in {chance:.0%} of cases"
    return dict(check="looks", passed=bool(high < policy.wrong), reason=why)


def check_unmeasured(approved: pd.DataFrame, policy: Policy) -> dict:
    """Say of a proposal that nothing was measured, and whether the policy minds."""
    if not len(approved):
        passed, why = not policy.needs_measurement, "no change is approved"
    elif not len(select_moving(approved)):
        passed, why = True, "tags and confirmations train nothing"
    else:
        passed, why = (
            True,
            "the policy asks for no measurement, so whether it gains or loses is unknown",
        )
    return dict(check="gain", passed=passed, reason=f"nothing was measured: {why}")


def check_measured(measured: dict, policy: Policy) -> list[dict]:
    """Check what was measured."""
    checks = []
    if "unmeasured" in measured:
        why = f"not measured: {measured['unmeasured']}"
        if policy.needs_measurement:
            why += "; `assay proposal policy --no-measured` lets people merge what nobody could measure"
        return [dict(check="gain", passed=not policy.needs_measurement, reason=why)]
    checks.append(check_gain(measured, policy.margin))
    if policy.agreement is not None:
        checks.append(check_agreement(measured["agreement"], policy.agreement))
    for row in measured["regression"] if policy.regression else []:
        moved = format_interval(row)
        why = (
            f"{row['set']}: the probe {row['before']:.1%} before, {row['after']:.1%} after, {moved}, "
            f"required {row['required']:.1%} ({format_count(row['n'], 'sample')}, Holm over "
            f"{format_count(len(measured['regression']), 'set')})"
        )
        checks.append(dict(check="regression", passed=row["passed"], reason=why))
    if leaks := measured["leaks"]:
        why = f"{format_count(len(leaks), 'sample')} would leak into a split that judges, first {leaks[0]}"
        checks.append(dict(check="leakage", passed=False, reason=why))
    return checks


def check_gain(measured: dict, margin: float | None) -> dict:
    """Check that the gain is surely not below -margin; without one, that it is no sure loss."""
    low, high = measured["gain"]["low"], measured["gain"]["high"]
    asked = (
        "required no sure loss" if margin is None else f"required above {format_points(-margin)}"
    )
    level = f"{100 * measured['level']:.4g} % interval, look {measured['look']:,} at this validation set"
    why = (
        f"{format_interval(measured['gain'])} on {format_count(measured['n'], 'validation sample')} "
        f"({level}); {asked}; {describe_control(measured['control'])}"
    )
    if changed := measured["validation_changed"]:
        why += f"; validation labels changed: {changed:,}, which is no gain"
    if left := measured["validation_left_out"]:
        why += f"; {format_count(left, 'validation sample')} left out, since it drops or moves them"
    return dict(check="gain", passed=high >= 0 if margin is None else low >= -margin, reason=why)


def describe_control(control: dict | None) -> str:
    """Describe the random control, or say that there is none."""
    if control is None:
        return "no random control: it relabels and drops nothing that trains"
    low, high = (format_points(control[k]) for k in ("low", "high"))
    return (
        f"{format_count(control['changes'], 'random change')} of the same class mix "
        f"{format_points(control['estimate'])} ({low} to {high} in {format_count(control['draws'], 'draw')})"
    )


def check_agreement(found: dict | None, required: float) -> dict:
    """Check that the probe agrees with enough of the proposed labels."""
    if found is None:
        why = "the probe judges none of its changes"
        return dict(check="agreement", passed=False, reason=why)
    share = format_share(found["share"], found["low"], found["high"])
    why = (
        f"the probe would say {share} of {format_count(found['n'], 'proposed label')}, "
        f"{found['by_chance']:.1%} by chance; required surely {required:.1%} or more"
    )
    return dict(check="agreement", passed=found["low"] >= required, reason=why)
