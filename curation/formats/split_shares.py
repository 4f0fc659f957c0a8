"""How large train, val and test are to be."""

from __future__ import annotations

import math
from dataclasses import dataclass

from assay.curation.errors import UserError

FORMS = "as train/val/test, in percent or fractions: 80/10/10, 0.8/0.1/0.1"


@dataclass(frozen=True)
class Shares:
    """The shares of val and test, as fractions; train has the rest."""

    val: float = 0.1
    test: float = 0.2

    def __str__(self) -> str:
        parts = (1 - self.val - self.test, self.val, self.test)
        return "/".join(f"{100 * part:.4g}" for part in parts)


def parse_shares(text: str | None, no_test: bool = False) -> Shares:
    """Parse train/val/test, or train/val with `no_test`.

    None: the usual shares. UserError for what adds up to neither 100 nor 1.
    """
    if text is None:
        return Shares(test=0.0) if no_test else Shares()
    wanted = "80/20" if no_test else "80/10/10"
    try:
        parts = [float(part.strip().removesuffix("%")) for part in str(text).split("/")]
    except ValueError:
        raise UserError(
            f"expected shares {FORMS}, found {text!r}", f"for example {wanted}"
        ) from None
    if no_test and len(parts) == 3 and parts[2] == 0:
        parts.pop()
    if len(parts) != 3 - no_test:
        found = f"{len(parts)} shares in {text!r}"
        if len(parts) == 2:
            hint = (
                f"{text} without a test split: add --no-test; with one, say three, such as 80/10/10"
            )
        elif no_test:
            hint = "with --no-test say train/val, such as 80/20; or leave out --no-test"
        else:
            hint = "for example 80/10/10"
        raise UserError(f"expected {3 - no_test} shares, {FORMS}, found {found}", hint)
    total = math.fsum(parts)
    whole = next((w for w in (1, 100) if math.isclose(total, w, rel_tol=1e-3)), None)
    if whole is None or not all(math.isfinite(p) and p >= 0 for p in parts):
        raise UserError(
            f"expected shares of 0 or more that add up to 100 or 1, found {text!r}, which makes {total:g}",
            f"for example {wanted}",
        )
    if parts[0] == 0 or sum(parts[1:]) == 0:
        empty = "train" if parts[0] == 0 else "val or test"
        raise UserError(
            f"expected a share for {empty}, found none in {text!r}", f"for example {wanted}"
        )
    return Shares(parts[1] / total, parts[2] / total if len(parts) == 3 else 0.0)
