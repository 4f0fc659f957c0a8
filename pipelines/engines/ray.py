"""Workers on a Ray cluster, one a CPU or, where there are any, one a GPU: the extra [ray]."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from queue import SimpleQueue
from typing import Any

from assay.curation.errors import UserError
from assay.curation.storage.interface import Bench
from assay.curation.system.extras import require
from assay.pipelines.engines.base import Failure, Result
from assay.pipelines.jobs.isolated import Host, code_digest, describe_call

SECONDS = 10  # that an address has to answer
GLANCE = 1.0  # seconds between two looks at who is lost, stuck, or new
START = 120  # seconds that a first worker has to start, on a cluster with room


class RayEngine:
    """Workers of a Ray cluster; without an address of one on this machine, made for the crew."""

    name = "ray"

    @contextmanager
    def open_crew(
        self,
        bench: Bench,
        setup: Callable,
        n_shards: int,
        most: int | None = None,
        address: str | None = None,
    ) -> Iterator[RayCrew]:
        """Open the workers, as many as the cluster has room for; UserError where it does not answer."""
        crew = RayCrew(str(bench.path), setup, min(n_shards, most or n_shards))
        if not n_shards:  # no worker is needed
            yield crew
            return
        ours = connect(address)
        try:
            crew.start()
            yield crew
        finally:
            crew.close()
            if ours:
                import ray

                ray.shutdown()


def connect(address: str | None) -> bool:
    """Connect to a cluster; whether it was not connected before."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing is reported to anybody
    require("ray", "ray")
    import ray

    if ray.is_initialized():
        return False
    if address and ":" in address and "://" not in address:
        host, _, port = address.rpartition(":")
        try:
            socket.create_connection((host, int(port)), SECONDS).close()
        except (OSError, ValueError) as e:
            raise no_cluster(address, str(e)) from None
    quiet: dict[str, Any] = dict(log_to_driver=False, logging_level="ERROR")
    try:
        ray.init(address=address, **quiet) if address else ray.init(
            address="local", include_dashboard=False, **quiet
        )
    except (ConnectionError, RuntimeError, ValueError) as e:
        raise no_cluster(address or "this machine", str(e)) from None
    return True


def no_cluster(address: str, why: str) -> UserError:
    """The error for a cluster that does not answer."""
    return UserError(
        f"expected a Ray cluster at {address}, found: {why.strip().splitlines()[0]}",
        "start one: ray start --head; ray status says whether it runs",
    )


class RayHost:
    """What each worker of a cluster is: a process that calls functions for whoever asks."""

    def __init__(self, path: str) -> None:
        self.host = Host(path)

    def describe(self) -> dict:
        """Describe where this is, and which code it has."""
        return dict(code=code_digest(), machine=socket.gethostname())

    def answer(self, ask: dict) -> Iterator[dict]:
        """Yield what a call tells, and at last what it returns: see Host.answer."""
        told: SimpleQueue = SimpleQueue()
        work = threading.Thread(
            target=self.host.answer, args=(ask, lambda **about: told.put(about)), daemon=True
        )
        work.start()
        while True:
            yield (about := told.get())
            if "out" in about or "error" in about:
                return


@dataclass
class Busy:
    """A worker at work."""

    actor: Any
    shard: dict
    heard: float  # when it last told something
    patience: float | None


class RayCrew:
    """Workers that take the shards in turn.

    One that is lost is replaced where there is room; a machine that joins is used.
    """

    def __init__(self, path: str, setup: Callable, most: int) -> None:
        self.path, self.setup, self.most = path, setup, most
        self.starting: dict[Any, Any] = {}  # {promise of its description: worker}
        self.free: list[Any] = []
        self.busy: dict[Any, Busy] = {}  # by the stream of what it tells

    @property
    def size(self) -> int:
        return len(self.starting) + len(self.free) + len(self.busy)

    def start(self) -> None:
        """Wait for a worker; UserError where none comes."""
        import ray

        until = time.monotonic() + START
        while not self.free:
            self.grow()
            self.welcome(GLANCE)
            if not self.starting:
                time.sleep(GLANCE)
            if time.monotonic() > until:
                found = ray.available_resources()
                raise UserError(
                    f"expected a worker on the cluster within {START} s, found none; it has"
                    f" {found.get('CPU', 0):g} CPUs free",
                    "ray status says who holds them; what is done is kept: run it again",
                )

    def grow(self) -> None:
        """Ask for as many workers as the cluster has room for."""
        import ray

        total = ray.cluster_resources()
        gpus = int(total.get("GPU", 0))
        room = min(gpus or int(total.get("CPU", 0)), self.most)
        kind = ray.remote(num_cpus=1, num_gpus=1 if gpus else 0)(RayHost)
        for _ in range(room - self.size):
            actor = kind.remote(self.path)
            self.starting[actor.describe.remote()] = actor

    def welcome(self, seconds: float = 0) -> None:
        """Take in the workers that have started; UserError for one with other code."""
        import ray

        if not self.starting:
            return
        for ready in ray.wait([*self.starting], num_returns=len(self.starting), timeout=seconds)[0]:
            actor = self.starting.pop(ready)
            try:
                about = ray.get(ready)
            except ray.exceptions.RayError as e:
                if isinstance(e, ray.exceptions.ActorDiedError) and "creation task" in str(e):
                    raise other_code("none that starts: " + last_line(e)) from None
                continue  # its machine went meanwhile
            if about["code"] != code_digest():
                raise other_code(
                    f"another on {about['machine']} ({about['code']}, here {code_digest()})"
                )
            self.free.append(actor)

    def run(
        self,
        shards: Iterable[dict],
        work: Callable,
        hear: Callable[..., object] = lambda shard, **about: None,
        patience: Callable[[dict], float | None] = lambda shard: None,
        at_once: int | None = None,
    ) -> Iterator[Result | Failure]:
        """Work on all shards: see `base.Crew`."""
        import ray

        waiting, looked = iter(shards), time.monotonic()
        upcoming = next(waiting, None)
        try:
            while upcoming is not None or self.busy:
                while (
                    upcoming is not None and self.free and len(self.busy) < (at_once or self.size)
                ):
                    actor, ask = self.free.pop(), describe_call(work, upcoming, self.setup)
                    stream = actor.answer.options(num_returns="streaming").remote(ask)
                    limit = patience(upcoming)
                    self.busy[stream] = Busy(actor, upcoming, time.monotonic(), limit)
                    upcoming = next(waiting, None)
                if not self.busy:  # all are lost
                    self.start()
                    continue
                for stream in ray.wait([*self.busy], timeout=GLANCE)[0]:
                    if (done := self.listen(stream, hear)) is not None:
                        yield done
                yield from self.end_stuck()
                if time.monotonic() - looked > GLANCE:
                    looked = time.monotonic()
                    self.grow()
                    self.welcome()
        finally:
            self.stop()

    def listen(self, stream: Any, hear: Callable) -> Result | Failure | None:
        """Hear what a worker tells; what came of its shard, once it is done."""
        import ray

        busy = self.busy[stream]
        try:
            about = ray.get(next(stream))
        except (ray.exceptions.RayError, StopIteration) as e:
            del self.busy[stream]
            self.drop(busy.actor)
            return Failure(busy.shard, f"its worker was lost: {last_line(e)}", lost=True)
        busy.heard = time.monotonic()
        if "out" not in about and "error" not in about:
            hear(busy.shard, **about)
            return None
        del self.busy[stream]
        self.free.append(busy.actor)
        if "error" in about:
            return Failure(busy.shard, about["error"], about["hint"])
        return Result(busy.shard, about["out"])

    def end_stuck(self) -> Iterator[Failure]:
        """End the workers that tell nothing for longer than their shard may."""
        for stream, busy in [*self.busy.items()]:
            if busy.patience and time.monotonic() - busy.heard > busy.patience:
                del self.busy[stream]
                self.drop(busy.actor)
                why = f"stuck (no step for {busy.patience:g} s)"
                yield Failure(busy.shard, why, lost=True)

    def stop(self) -> None:
        """End the workers that are at work."""
        for busy in self.busy.values():
            self.drop(busy.actor)
        self.busy.clear()

    def drop(self, actor: Any) -> None:
        """End a worker."""
        import ray

        with suppress(Exception):  # its machine may be gone, or the cluster
            ray.kill(actor)

    def close(self) -> None:
        """End all workers."""
        self.stop()
        for actor in [*self.free, *self.starting.values()]:
            self.drop(actor)
        self.free.clear()
        self.starting.clear()


def other_code(found: str) -> UserError:
    """The error for a machine with another Assay, or none."""
    return UserError(
        f"expected this Assay on all machines of the cluster, found {found}",
        'install the same version everywhere: pip install "assay[ray]"',
    )


def last_line(e: BaseException) -> str:
    """Say what an error of Ray comes down to."""
    lines = [line.strip() for line in str(e).splitlines() if line.strip()]
    return lines[-1] if lines else type(e).__name__


ENGINE = RayEngine()
