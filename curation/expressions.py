"""What an expression over versions means (`v1 - flagged`, `part(v1, 20000)`): its grammar, and the state it describes, a pure function."""

import re
from hashlib import blake2b
from typing import NamedTuple

import numpy as np

from curation.errors import UserError

NAME = re.compile(r"[\w.-]+")  # a version's name, HEAD or a position
NUMBER = re.compile(r"[0-9]{1,18}")
WORD = re.compile(NAME.pattern + r"|\S")
MOST = 20  # operations in one expression
HINT = "expressions: v1 - flagged, v1 ~ flagged, v1 - random(312, seed=0), half(v1), part(v1, 20000, seed=0), drawn(v1, v2)"


class Expression(NamedTuple):
    """`base op what`, or `op(base, ...)`; where `seed` is None and the operation draws, whoever runs an experiment may fill it in."""

    op: str  # - drop, ~ relabel, half, part, drawn
    base: "Expression | str"
    what: str | None = None  # flagged, random; of drawn the later version
    n: int | None = None
    seed: int | None = None

    @property
    def draws(self):
        return self.op in ("half", "part") or self.what == "random" and self.op in "-~"

    def __str__(self):
        seed = "" if self.seed is None else f", seed={self.seed}"
        if self.op in "-~":
            return f"{self.base} {self.op} {self.what}" + (f"({self.n}{seed})" if self.draws else "")
        return f"{self.op}({', '.join(str(x) for x in (self.base, self.what, self.n) if x is not None)}{seed})"


def parse(text):
    """The Expression that `text` says, or a plain version as a str; UserError where it is neither.

    expression = version | expression (- | ~) (flagged | random(N [, seed=N])) | half(expression [, seed=N])
                 | part(expression, N [, seed=N]) | drawn(expression, version)"""
    words = WORD.findall(str(text)[:5_000])
    if (n := sum(w in "(-~" for w in words)) > 2 * MOST:
        raise UserError(f"expected at most {MOST} operations in an expression, found {n} signs and brackets: {str(text)[:60]!r}", HINT)

    def take(expected, test):
        if not words or not test(words[0]):
            raise UserError(f"expected {expected} in {text!r}, found {words[0] if words else 'its end'}", HINT)
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
            raise UserError(f"expected half, part or drawn before the bracket in {text!r}, found {word}", HINT)
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
            op, what = words.pop(0), take("flagged or random(N)", ("flagged", "random").__contains__)
            if what == "flagged":
                out = Expression(op, out, what)
                continue
            mark("(")
            out = Expression(op, out, what, number(), seed())
            mark(")")
        return out

    out = whole()
    if words:
        raise UserError(f"expected - or ~ or the end after {str(out)!r} in {text!r}, found {words[0]}", HINT)
    return out


def is_expression(version):
    """Is it more than one word? Then it is an expression, or nothing at all."""
    return not NAME.fullmatch(str(version))


def root(version):
    """The version that an expression is about: `v1` of `half(v1 - flagged, seed=0)`."""
    if not is_expression(version):
        return version
    found = parse(version)
    while isinstance(found, Expression):
        found = found.base
    return found


def is_random(version):
    """Does it draw samples with a seed that it does not name?"""
    return seeded(version, 0) != version


def seeded(version, seed):
    """The expression with `seed` for every draw that names none; what draws nothing comes back as it is."""

    def fill(x):
        if not isinstance(x, Expression):
            return x
        return x._replace(base=fill(x.base), seed=seed if x.draws and x.seed is None else x.seed)

    if not is_expression(version):
        return version
    before = parse(version)
    after = fill(before)
    return version if after == before else str(after)


# ---- the state that an expression describes


def counterfactual(bench, text):
    """The state (see versions.state) that an expression describes; a draw without a seed has seed 0."""
    e = parse(text)
    if not isinstance(e, Expression):
        return bench.state(e)  # a name between blanks
    frame = bench.state(str(e.base))
    if e.op == "drawn":
        return drawn(bench, frame, e.base, e.what)
    train = frame.index[frame.keep & (frame.split == "train")]
    if e.op in ("half", "part"):
        n = len(train) // 2 if e.op == "half" else e.n
        if not 0 < n <= len(train):
            raise UserError(f"expected a part of the {len(train):,} train samples of {e.base}, found {n:,}", "ask for fewer, 1 or more")
        frame.loc[by_draw(train, "part", e.seed or 0)[n:], "keep"] = False
        return frame
    flagged = bench.suspects(str(e.base))  # frame sample -> label, suggestion
    flagged = flagged[frame["split"][flagged.index] == "train"]  # the ruler, val, stays as it is
    if e.what == "random":
        flagged = random_alike(frame, flagged, e.n, e.seed or 0)
    if e.op == "-":
        frame.loc[flagged.index, "keep"] = False
    else:
        frame.loc[flagged.index, "label"] = flagged.suggestion
    return frame


DRAWS = 2  # raise it when a draw with a seed changes what it takes: what is remembered of an expression is then found again


def by_draw(samples, purpose, seed=None):
    """Samples in a random order that depends on each one's id, the purpose and the seed alone: adding samples does not reshuffle the others.

    Every purpose has a name of its own, or what is drawn for one would be drawn for another: a control with the review's own seed once relabelled 39
    of the first 50 samples that people had verified. The review's random stratum is called 0 and the audit 1, as in every bench so far: what was
    looked at there stays a random sample."""
    samples = list(samples)
    return [samples[i] for i in draws(samples, purpose, seed)]


def draws(samples, purpose, seed=None):
    """Where in `samples` the first, second, ... of that order is, (n,) int."""
    key = (str(purpose) if seed is None else f"{purpose} {seed}").encode()
    drawn = b"".join([blake2b(s.encode(), digest_size=8, key=key).digest() for s in samples])
    return np.argsort(np.frombuffer(drawn, ">u8"), kind="stable")


def random_alike(frame, flagged, n, seed):
    """n random kept train samples with the class mix of the flagged ones, and their suggestions dealt out at random."""
    train = frame[frame.keep & (frame.split == "train")]
    draw = flagged.iloc[draws(flagged.index, "class mix of a control", seed)[:n]].copy() if len(flagged) else flagged
    if len(draw) < n:
        raise UserError(f"expected at most as many random samples as are flagged ({len(flagged)}), found {n}", "ask for fewer")
    samples = []
    for label, group in draw.groupby("label", sort=True):
        samples += by_draw(train.index[train.label == label], "control", seed)[: len(group)]
    draw = draw.sort_values("label", kind="stable")
    draw.index = samples
    return draw


def stratum(state):
    """The random stratum of a review, ids: the longest fully reviewed beginning of the bench's random order, as queue.progress has it, so that
    a row somebody skipped cannot bias it, nor what the queue had shown before. What a person is unsure of is in it, but is no look."""
    from curation.queue import places

    order = places(state)
    begun = state.reviewed.to_numpy()[order]
    return state.index[order[: len(begun) if begun.all() else begun.argmin()]]


def drawn(bench, frame, base, later):
    """`frame`, the state of `base`, with the decisions that people made between it and the version `later`, stand there, and are about its
    random stratum: what reviewing at random did."""
    from curation import versions

    since, upto, state = versions.position(bench, root(str(base))), versions.position(bench, later), bench.state(later)
    if upto < since:
        raise UserError(f"expected a later version than {root(str(base))}, found {later}", f"the other way round: drawn({later}, ...)")
    samples = frame.index.intersection(stratum(state))
    with bench.connect() as con:
        versions.register(con, "wanted", list(samples))
        points = versions.pointers(con, upto, len(samples), wanted=True)
        values = versions.Values(con, points, ("origin",))
    new = (points > since) & values.holds("origin", points, versions.decided)
    label, _, keep, split = new.T
    looked = label & (state.verdict[samples] != "unsure").to_numpy()
    for column, rows in dict(label=looked, verdict=label, who=label, keep=keep, split=split, reviewed=new.any(1)).items():
        frame.loc[samples[rows], column] = state.loc[samples[rows], column]
    return frame
