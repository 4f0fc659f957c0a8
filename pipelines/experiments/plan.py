"""Read, check and keep the plan of an experiment, a TOML file."""

from __future__ import annotations

import json
import os
import tomllib
from collections.abc import Callable, Iterator
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, Field

from assay.curation.config import check_config, says
from assay.curation.errors import UserError, require_file
from assay.curation.storage.interface import Bench
from assay.curation.system import permissions
from assay.curation.text import format_count
from assay.curation.versioning.pointers import find_position
from assay.curation.versioning.states import hash_tree
from assay.pipelines.training.architectures.recipes import canonical_name, find_recipe

LEAST = 'versions = ["v1", "v2"]'
SEEDS = 1000  # more are a slip of the pen
EFFECTS = ("data", "architecture", "interaction")


def refuse_repeats(values: list) -> list:
    """Refuse a list that names something twice."""
    if len(set(values)) < len(values):
        raise ValueError("one of them twice")
    return values


def list_seeds(seeds: object) -> object:
    """List the first n seeds where a number n is given."""
    if isinstance(seeds, bool) or not isinstance(seeds, int):
        return seeds
    if not 1 <= seeds <= SEEDS:
        raise ValueError("out of range")
    return list(range(seeds))


def spell_architectures(names: list[str]) -> list[str]:
    """Spell each architecture in its one way."""
    return [canonical_name(name) for name in names]


class Plan(BaseModel, extra="forbid", strict=True):
    """versions to compare"""  # completes "expected the plan to have ..."

    question: str = Field("Did the change of labels help?", **says("text", '"Did it help?"'))
    versions: Annotated[list[str], AfterValidator(refuse_repeats)] = Field(
        min_length=1, **says("names of versions, each once", '["v1", "v2"]')
    )
    architectures: Annotated[
        list[str], AfterValidator(spell_architectures), AfterValidator(refuse_repeats)
    ] = Field(
        ["probe", "mlp"],
        min_length=1,
        **says("names of architectures, each once", '["probe", "mlp"]'),
    )
    seeds: Annotated[
        list[Annotated[int, Field(ge=0)]],
        BeforeValidator(list_seeds),
        AfterValidator(refuse_repeats),
    ] = Field(
        list(range(5)),
        min_length=1,
        max_length=SEEDS,
        **says(f"1 to {format_count(SEEDS, 'seed')}, whole numbers of 0 or more, each once", "5"),
    )
    test: str = Field("HEAD", **says("the version whose test labels judge", '"HEAD"'))
    control: str | None = Field(None, **says("a version", '"v1 - random(50)"'))
    ceiling: str | None = Field(None, **says("a version", '"clean"'))
    margin: float = Field(0.5, ge=0, le=100, **says("points from 0 to 100", "0.5"))
    effect: float | None = Field(None, gt=0, le=100, **says("points above 0, at most 100", "0.5"))
    effects: Annotated[
        list[Literal["data", "architecture", "interaction"]], AfterValidator(refuse_repeats)
    ] = Field(
        list(EFFECTS),
        min_length=1,
        **says(f"out of {', '.join(EFFECTS)}, each once", '["data", "architecture"]'),
    )
    epochs: int | None = Field(None, ge=1, le=100_000, **says("a whole number from 1", "8"))
    slices: dict[str, str | list[str | int]] | None = Field(
        None,
        **says(
            "a table of queries or lists of samples",
            '{ wide = "select id from samples where width > height" }',
        ),
    )


def read_plan(path: str | Path) -> dict:
    """Read a plan from TOML, and check it.

    `versions`: the first is what the others are compared with, the last is what is asked about.
    Where given: `question`, `architectures`, `seeds`, `test` (the version whose test labels judge), `control`,
    `ceiling`, `margin` and `effect` (points), `effects` (which of EFFECTS are tested and shown: they share Holm's
    correction), `epochs`, `slices`.
    """
    require_file(path, "a plan in TOML", f"the least: {LEAST}")
    try:
        plan = tomllib.loads(Path(path).read_text())
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as e:
        raise UserError(
            f"expected a plan in TOML, found {path}: {e}", f"the least: {LEAST}"
        ) from None
    return check_plan(plan, path)


def check_plan(plan: dict, where: str | Path = "the plan") -> dict:
    """Check a plan, and fill in its defaults.

    Architectures get their one spelling. Raises UserError where it asks for nothing sensible.
    """
    return check_config(Plan, plan, str(where), LEAST)


def default_plan(bench: Bench) -> dict:
    """Plan the first version against HEAD, on probe and mlp.

    HEAD goes by its version's name where it is committed; open edits stay open, and the plan says HEAD. It names no
    control: `v1 ~ random(n)` would spoil as many labels as people mended, which is no review. What as many reviews at
    random would have found is estimated from the random stratum, by every report. Raises UserError where there is no
    version yet, or nothing has changed since.
    """
    commits = bench.commits()
    if not len(commits):
        raise UserError(
            "expected a version to compare with, found none",
            f"run: assay scan -b {bench.given}, which makes v1",
        )
    first, last = commits.iloc[0], commits.iloc[-1]
    if first.tree == hash_tree(bench.state()):
        raise UserError(
            f"expected another state than {first['name']}, found nothing changed since",
            f"review first: assay queue -b {bench.given}; or name a version in a plan, "
            f"such as '{first['name']} ~ flagged'",
        )
    now = last["name"] if last.upto == find_position(bench, "HEAD") else "HEAD"
    return check_plan(dict(versions=[first["name"], now]))


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
            f"run: assay experiment -b {bench.given}, or name a PLAN.toml whose runs are there",
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
    # the last one: the machine as it is now; rules may have changed since
    took = {arch: (seconds, n) for arch, seconds, n in rows if not arch.startswith("rules(")}
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
