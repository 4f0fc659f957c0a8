"""The objects of check, gc, relocate and restore."""

from __future__ import annotations

from assay.pipelines.cli.schemas.base import Output, Part, says


class Finding(Part):
    """Something that is not what was written."""

    kind: str = says("its kind")
    what: str = says("what is wrong")
    n: int = says("how many")
    repair: str | None = says("what --repair does about it; empty where it can do nothing")
    hint: str | None = says("what a person can do")
    files: list[str] = says("files that it is about")


class CheckBench(Output):
    """Whether log, arrays and images are what was written; exit status 1 where not."""

    sound: bool = says("whether nothing is wrong")
    findings: list[Finding] = says("what was found, notes included")
    tree_of: str | None = says("--tree: the version that has it, HEAD for the newest contents")


class RemoteCache(Part):
    """What was fetched from addresses, for all benches of a user."""

    folder: str = says("where it lies")
    files: int = says("files")
    bytes: int = says("their bytes")
    most: int = says("bytes that it may have")


class CollectGarbage(Output):
    """Derived arrays that nothing needs."""

    freed: dict[str, int] = says("bytes, by why they are not needed")
    bytes: int = says("all of them")
    files: int = says("files")
    partly: int = says("shards that hold needed images too, and stay")
    remote_cache: RemoteCache = says("the cache of what was fetched from addresses")


class Relocate(Output):
    """Images that were found again by their bytes."""

    gone: int = says("images that were not where they had been")
    found: int = says("of these, found")
    left: int = says("of these, not found")
    first: str | None = says("the first that was not found")


class Restore(Output):
    """A backup that took the bench's place."""

    restored: str = says("its name")
    upto: int = says("position in the log that the bench is at")
    lost: int = says("later edits, which it has not")
    aside: str | None = says("where the replaced files are")
