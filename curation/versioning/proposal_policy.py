"""The policy of proposals: what one must have before it is merged."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING

from assay.curation.errors import UnknownName, UserError
from assay.curation.storage.interface import Bench
from assay.curation.text import format_count
from assay.curation.versioning.rules import append_rule

if TYPE_CHECKING:
    from typing import Any

RULE = "proposals"


@dataclass(frozen=True)
class Policy:
    """What is asked of a proposal; fractions."""

    approvals: int = 1  # people, not its author, who approve a change
    margin: float | None = None  # the gain must surely not be below -margin
    regression: bool = True  # no frozen regression set may fall
    measured: bool = True  # the gain is measured, whatever it is, before a merge
    look_at: int = 0  # random samples of it that people must have looked at
    wrong: float = 0.2  # surely fewer of its changes are wrong, by these looks
    agreement: float | None = None  # the probe surely agrees with this share, or more

    @property
    def needs_measurement(self) -> bool:
        """Whether any of it takes a measurement."""
        return self.measured or self.margin is not None or self.agreement is not None


def read_policy(bench: Bench) -> Policy:
    """Read the policy that stands.

    By default one approval, a measured gain that is no sure loss, and no fall of a regression set."""
    rule = bench.rules().get(RULE) or {}
    return Policy(**{f.name: rule[f.name] for f in fields(Policy) if f.name in rule})


def set_policy(bench: Bench, changed: dict[str, Any], who: str) -> dict:
    """Change the policy: a rule in the log.

    changed: fields of Policy. Returns {batch: None where it is so already, ...: the policy}."""
    now, known = read_policy(bench), [f.name for f in fields(Policy)]
    for name in changed:
        if name not in known:
            hint = f"there are {', '.join(known)}"
            raise UnknownName(f"expected a requirement, found {name!r}", hint, name, known)
    policy = Policy(**asdict(now) | changed)
    check_policy(policy)
    batch = None if policy == now else append_rule(bench, dict(name=RULE) | asdict(policy), who)
    return dict(batch=batch) | asdict(policy)


def describe_policy(policy: Policy) -> str:
    """Describe in words what is asked of a proposal."""
    asked = [format_count(policy.approvals, "approval")]
    if policy.margin is not None:
        asked.append(f"a gain surely above -{100 * policy.margin:g} points")
    else:
        asked.append("a measured gain" if policy.measured else "no measurement")
        asked.append("no measured loss")
    asked += ["no regression set falls"] * policy.regression + ["nothing leaks"]
    if policy.look_at:
        looks = format_count(policy.look_at, "random look")
        asked.append(f"{looks} that show surely under {policy.wrong:.0%} wrong")
    if policy.agreement is not None:
        asked.append(f"the probe surely agrees with {policy.agreement:.0%}")
    return ", ".join(asked)


def check_policy(policy: Policy) -> None:
    """Refuse a policy that nothing can meet, or that asks for nothing it could judge."""
    for name in ("approvals", "look_at"):
        number = getattr(policy, name)
        if not 0 <= number <= 10_000:
            raise UserError(
                f"expected {name} from 0 to 10,000, found {number}",
                f"for example --{name.replace('_', '-')} 2",
            )
    for name, low, high in (("margin", 0, 1), ("wrong", 0.001, 0.999), ("agreement", 0, 1)):
        number = getattr(policy, name)
        if number is not None and not low <= number <= high:
            raise UserError(
                f"expected {name} from {100 * low:g} to {100 * high:g}, found {100 * number:g}",
                f"for example --{name} {'0.5' if name == 'margin' else '20'}",
            )
