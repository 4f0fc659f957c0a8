"""The grammar of expressions over versions: `v1 - flagged`, `part(v1, 20000)`.

An expression is a pure function of versions; counterfactuals.py reads the state that it describes.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple

from assay.curation.errors import UserError

NAME = re.compile(r"[\w.-]+")  # a version's name, HEAD or a position
NUMBER = re.compile(r"[0-9]{1,18}")
WORD = re.compile(NAME.pattern + r"|\S")
MOST = 20  # operations in one expression
HINT = (
    "expressions: v1 - flagged, v1 ~ flagged, v1 - random(312, seed=0), half(v1), "
    "part(v1, 20000, seed=0), drawn(v1, v2)"
)


class Expression(NamedTuple):
    """`base op what`, or `op(base, ...)`.

    Where `seed` is None and the operation draws, whoever runs an experiment may fill it in."""

    op: str  # - drop, ~ relabel, half, part, drawn
    base: Expression | str
    what: str | None = None  # flagged, random; of drawn the later version
    n: int | None = None
    seed: int | None = None

    @property
    def draws(self) -> bool:
        """Whether the operation draws samples at random."""
        return self.op in ("half", "part") or self.what == "random" and self.op in "-~"

    def __str__(self) -> str:
        seed = "" if self.seed is None else f", seed={self.seed}"
        if self.op in "-~":
            drawn = f"({self.n}{seed})" if self.draws else ""
            return f"{self.base} {self.op} {self.what}{drawn}"
        operands = [str(x) for x in (self.base, self.what, self.n) if x is not None]
        return f"{self.op}({', '.join(operands)}{seed})"


def parse_expression(text: str) -> Expression | str:
    """Read an Expression, or a plain version as a str.

    UserError where it is neither.

    expression = version | expression (- | ~) (flagged | random(N [, seed=N])) | half(expression [, seed=N])
                 | part(expression, N [, seed=N]) | drawn(expression, version)"""
    words = WORD.findall(str(text)[:5_000])
    if (n := sum(w in "(-~" for w in words)) > 2 * MOST:
        raise UserError(
            f"expected at most {MOST} operations in an expression, "
            f"found {n} signs and brackets: {str(text)[:60]!r}",
            HINT,
        )

    def take(expected: str, test: Callable) -> str:
        if not words or not test(words[0]):
            raise UserError(
                f"expected {expected} in {text!r}, found {words[0] if words else 'its end'}", HINT
            )
        return words.pop(0)

    def mark(sign):
        take(sign, sign.__eq__)

    def name():
        return take("a version", NAME.fullmatch)

    def number():
        return int(take("a number", NUMBER.fullmatch))

    def seed():
        if words[:1] != [","]:
            return None
        for sign in (",", "seed", "="):
            mark(sign)
        return number()

    def operand():
        word = name()
        if words[:1] != ["("]:
            return word
        if word not in ("half", "part", "drawn"):
            raise UserError(
                f"expected half, part or drawn before the bracket in {text!r}, found {word}", HINT
            )
        mark("(")
        base, what, n = whole(), None, None
        if word != "half":
            mark(",")
            what, n = (None, number()) if word == "part" else (name(), None)
        out = Expression(word, base, what, n, seed() if word != "drawn" else None)
        mark(")")
        return out

    def whole():
        out = operand()
        while words and words[0] in ("-", "~"):
            op, what = (
                words.pop(0),
                take("flagged or random(N)", ("flagged", "random").__contains__),
            )
            if what == "flagged":
                out = Expression(op, out, what)
                continue
            mark("(")
            out = Expression(op, out, what, number(), seed())
            mark(")")
        return out

    out = whole()
    if words:
        raise UserError(
            f"expected - or ~ or the end after {str(out)!r} in {text!r}, found {words[0]}", HINT
        )
    return out


def is_expression(version: str | int) -> bool:
    """Whether a version is more than one word.

    Then it is an expression, or nothing at all."""
    return not NAME.fullmatch(str(version))


def root_version(version: str | int) -> str | int:
    """Find the version that an expression is about.

    `v1` of `half(v1 - flagged, seed=0)`."""
    if not is_expression(version):
        return version
    found = parse_expression(version)
    while isinstance(found, Expression):
        found = found.base
    return found


def is_random(version: str | int) -> bool:
    """Whether it draws samples with a seed that it does not name."""
    return fill_seed(version, 0) != version


def fill_seed(version: str | int, seed: int) -> str | int:
    """Give `seed` to every draw of an expression that names none.

    What draws nothing comes back as it is."""

    def fill(x):
        if not isinstance(x, Expression):
            return x
        return x._replace(base=fill(x.base), seed=seed if x.draws and x.seed is None else x.seed)

    if not is_expression(version):
        return version
    before = parse_expression(version)
    after = fill(before)
    return version if after == before else str(after)
