"""An engine: where work on many shards runs.

An engine is one file of this package, or of another distribution (see `plugins.discover`), with an `ENGINE` in it.
A shard is the keyword arguments of one call, as plain data: `work(state, tell, **shard)` where `setup(path, tell)`
made the state, once a worker. See `jobs.isolated` for `tell`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Protocol

from assay.curation.errors import UnknownName
from assay.curation.plugins import discover
from assay.curation.storage.interface import Bench


@dataclass(frozen=True)
class Result:
    """What `work` returned for a shard."""

    shard: dict
    value: Any


@dataclass(frozen=True)
class Failure:
    """Why a shard has no result. The other shards go on."""

    shard: dict
    error: str
    hint: str = ""
    lost: bool = False  # its worker crashed or was stuck, and could leave no word itself


class Crew(Protocol):
    """The workers of one engine, which keep their state from one run to the next."""

    size: int  # how many shards are worked on at once

    def run(
        self,
        shards: Iterable[dict],
        work: Callable,
        hear: Callable[..., object] = lambda shard, **about: None,
        patience: Callable[[dict], float | None] = lambda shard: None,
        at_once: int | None = None,
    ) -> Iterator[Result | Failure]:
        """Work on all shards, and yield what came of each.

        They are taken in their order, and yielded as they end. `hear(shard, **about)` gets what `work` tells on the
        way, from any thread. A shard that tells nothing for `patience(shard)` seconds is stuck, and ended; None waits
        for ever. Closing the iterator stops the workers.
        """
        ...


class Engine(Protocol):
    """Where work runs: the cores and GPUs of this machine, or a cluster."""

    name: str

    def open_crew(
        self,
        bench: Bench,
        setup: Callable,
        n_shards: int,
        most: int | None = None,
        address: str | None = None,
    ) -> AbstractContextManager[Crew]:
        """Open as many workers as `n_shards` can use, at most `most`.

        address: of a cluster, where the engine runs on one. They are gone at its end.
        """
        ...


def list_engines() -> dict[str, Engine]:
    """List the engines by name, ours first."""
    found = [module.ENGINE for module in discover(__package__) if hasattr(module, "ENGINE")]
    return {engine.name: engine for engine in found}


def find_engine(name: str) -> Engine:
    """Find an engine by its name."""
    engines = list_engines()
    if name not in engines:
        raise UnknownName(
            f"expected an engine, found {name!r}",
            f"there are {', '.join(engines)}",
            name,
            [*engines],
        )
    return engines[name]
