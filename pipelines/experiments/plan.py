"""Read, check and keep the plan of an experiment, a TOML file."""

from __future__ import annotations

import json
import os
import tomllib
from collections.abc import Callable, Iterator
from contextlib import suppress
from difflib import get_close_matches
from hashlib import sha256
from pathlib import Path

from assay.curation.errors import UserError
from assay.curation.storage.interface import Bench
from assay.curation.system import permissions
from assay.pipelines.training.architectures.recipes import canonical_name, find_recipe

SEEDS = 1000  # more are a slip of the pen
EFFECTS = ("data", "architecture", "interaction")
KEYS = dict(  # what each may be, and an example
    question=(str, '"Did it help?"'),
    versions=(list, '["v1", "v2"]'),
    architectures=(list, '["probe", "mlp"]'),
    seeds=((int, list), "5"),
    test=(str, '"HEAD"'),
    control=(str, '"v1 - random(50)"'),
    ceiling=(str, '"clean"'),
    margin=((int, float), "0.5"),
    effect=((int, float), "0.5"),
    effects=(list, '["data", "architecture"]'),
    epochs=(int, "8"),
    slices=(dict, '{ wide = "select id from samples where width > height" }'),
)
DEFAULTS = dict(
    question="Did the change of labels help?",
    architectures=["probe", "mlp"],
    seeds=5,
    test="HEAD",
    margin=0.5,
)
DEFAULTS["effects"] = list(EFFECTS)


def read_plan(path: str | Path) -> dict:
    """Read a plan from TOML, and check it.

    `versions`: the first is what the others are compared with, the last is what is asked about.
    Where given: `question`, `architectures`, `seeds`, `test` (the version whose test labels judge), `control`,
    `ceiling`, `margin` and `effect` (points), `effects` (which of EFFECTS are tested and shown: they share Holm's
    correction), `epochs`, `slices`.
    """
    try:
        plan = tomllib.loads(Path(path).read_text())
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as e:
        raise UserError(
            f"expected a plan in TOML, found {path}: {e}", 'the least: versions = ["v1", "v2"]'
        ) from None
    return check_plan(plan, path)


def check_plan(plan: dict, where: str | Path = "the plan") -> dict:
    """Check a plan, and fill in its defaults.

    Architectures get their one spelling.
    Raises UserError where it asks for nothing sensible.
    """
    plan = DEFAULTS | plan
    for key, value in plan.items():
        check_key(key, value, where)
    for key in ("versions", "architectures", "effects"):
        if not plan.get(key):
            raise UserError(
                f"expected {key} in {where}, found no {key}", f"for example {key} = {KEYS[key][1]}"
            )
    if unknown := [x for x in plan["effects"] if x not in EFFECTS]:
        raise UserError(
            f"expected effects in {where} out of {', '.join(EFFECTS)}, found {unknown[0]!r}",
            "leave it out to test all three",
        )
    plan["architectures"] = [canonical_name(str(a)) for a in plan["architectures"]]
    for key in ("versions", "architectures", "effects"):
        twice = [x for i, x in enumerate(plan[key]) if x in plan[key][:i] or not isinstance(x, str)]
        if twice:
            raise UserError(
                f"expected each of the {key} once, as text, found {twice[0]!r} twice or of another type",
                "name it once",
            )
    plan["seeds"] = check_seeds(plan["seeds"])
    check_range(plan, "margin", lambda x: 0 <= x <= 100, "points from 0 to 100, as in 0.5", where)
    above = "points above 0, at most 100, as in 0.5"
    check_range(plan, "effect", lambda x: 0 < x <= 100, above, where)
    check_range(plan, "epochs", lambda x: 1 <= x <= 100_000, "a whole number from 1", where)
    return plan


def check_key(key: str, value: object, where: str | Path) -> None:
    """Refuse an unknown key, or a value of another type."""
    if key not in KEYS:
        near = "".join(f"; did you mean {k}?" for k in get_close_matches(key, KEYS, 1))
        raise UserError(
            f"expected known keys in {where}, found {key}, which is no key{near}",
            f"keys: {', '.join(KEYS)}",
        )
    kind, example = KEYS[key]
    if isinstance(value, kind) and not isinstance(value, bool):
        return
    names = {str: "text", list: "a list", dict: "a table", bool: "true or false"}
    raise UserError(
        f"expected {key} in {where} as in {key} = {example},"
        f" found {names.get(type(value), 'a number')}: {value}",
        f"write {key} = {example}",
    )


def check_seeds(seeds: int | list) -> list[int]:
    """Return the list of seeds; n stands for the first n.

    Raises UserError.
    """
    if isinstance(seeds, int):
        seeds = list(range(min(max(seeds, 0), SEEDS + 1)))
    whole = all(isinstance(s, int) and not isinstance(s, bool) and s >= 0 for s in seeds)
    if not 0 < len(seeds) <= SEEDS or not whole or len(set(seeds)) < len(seeds):
        found = seeds if len(seeds) <= 20 else f"{len(seeds):,} or more"
        raise UserError(
            f"expected 1 to {SEEDS:,} seeds, whole numbers of 0 or more, each once, found {found}",
            "for example seeds = 5",
        )
    return seeds


def check_range(
    plan: dict, key: str, is_allowed: Callable[[float], bool], words: str, where: str | Path
) -> None:
    """Refuse a number out of its range."""
    if key in plan and not is_allowed(plan[key]):
        raise UserError(
            f"expected {key} in {where} to be {words}, found {plan[key]}",
            "change it in the plan",
        )


# ---- the plan of the last experiment, for its report


def store_plan(bench: Bench, plan: dict) -> None:
    """Keep the plan of the last experiment, with its digest.

    The digest tells of damage: a plan with another margin or seed would have another report.
    """
    file = bench.path / "plan.json"
    half = file.with_name(f"{file.name}.{os.getpid()}.tmp")
    with suppress(OSError):
        permissions.touch_file(half).write_text(json.dumps(plan | dict(digest=plan_digest(plan))))
        os.replace(half, file)


def last_plan(bench: Bench) -> dict:
    """Load the plan of the last experiment.

    Raises UserError where there is none, or it is damaged.
    """
    file = bench.path / "plan.json"
    if not file.exists():
        raise UserError(
            "expected an experiment, found none in this bench",
            "run: assay experiment PLAN.toml, or name a PLAN.toml whose runs are there",
        )
    try:
        plan = dict(json.loads(file.read_text()))
        if plan.pop("digest", None) not in (None, plan_digest(plan)):  # an older Assay wrote none
            raise ValueError("it is not what was written")
        return check_plan(plan, file)
    except (OSError, ValueError, TypeError) as e:  # no text, no JSON, no table
        raise UserError(
            f"expected the last experiment's plan in {file}, found it damaged: {e}",
            "assay experiment PLAN.toml writes it anew",
        ) from None


def plan_digest(plan: dict) -> str:
    return sha256(json.dumps(plan, sort_keys=True).encode()).hexdigest()[:32]


def expect_seconds(
    bench: Bench, todo: list[dict], measure: Callable[[dict], float | None]
) -> dict[str, float]:
    """Expect so many seconds for each cell to train: {key: seconds}.

    By what the same architecture took in this bench, else by `measure(cell)`, a few real steps. Where that is None, the
    architecture cannot be built, and its cells are left out.
    """
    rows = bench.rows(
        "select arch, seconds, n_train from runs where n_train > 0 and failed is null order by ts"
    )
    # the last one: the machine as it is now
    took = {arch: (seconds, n) for arch, seconds, n in rows}
    out = {}
    for cell in todo:
        arch = cell["arch"]
        if arch not in took:
            took[arch] = measure(cell), cell["n_train"]
        seconds, n = took[arch]
        if seconds is not None:
            # more rows take fewer passes
            growth = 1 if find_recipe(arch).closed_form else 0.5
            out[cell["key"]] = seconds * (cell["n_train"] / n) ** growth
    return out


def matrix_rows(
    plan: dict, cells: list[dict], seconds: dict[str, float], lost: dict[str, str]
) -> Iterator[list[str]]:
    """Yield the rows of the matrix: versions down, architectures across.

    Each cell says what is done, what is to train and its expected cost, or how it was `lost` {architecture: how} while
    that was measured.
    """
    rows = {}
    for cell in cells:
        rows.setdefault(cell["version"], {}).setdefault(cell["arch"], []).append(cell)
    yield ["", *plan["architectures"]]
    for version, of_arch in rows.items():
        yield [
            version,
            *(
                describe_cells(of_arch[a], seconds, lost.get(a, "cannot be built"))
                for a in plan["architectures"]
            ),
        ]


def describe_cells(cells: list[dict], seconds: dict[str, float], lost: str) -> str:
    """Describe all seeds of a version and an architecture in one line."""
    todo = [c for c in cells if not c["done"]]
    failed = sum(c["failed"] is not None for c in cells)
    done = f"{len(cells) - len(todo)} of {len(cells)} done" + f", {failed} diverged" * (failed > 0)
    if any(c["key"] not in seconds for c in todo):
        return f"{done}, {lost}"
    return (
        f"{done}, {format_duration(sum(seconds[c['key']] for c in todo))} to go" if todo else done
    )


def format_duration(seconds: float) -> str:
    """Format seconds: 40 s, 12 min, 3.5 h."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
