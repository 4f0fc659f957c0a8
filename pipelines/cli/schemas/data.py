"""The objects of import, export, scan, demo, app and fiftyone."""

from __future__ import annotations

from typing import Any

from pydantic import ConfigDict

from assay.pipelines.cli.schemas.base import Estimate, Output, Part, Unread, says
from assay.pipelines.cli.schemas.experiments import Effect


class ReadSource(Output):
    """How a source was read."""

    source: str = says("name of the source")
    kind: str = says("what it was taken for, in words")
    format: str = says("the format, as --format takes it; empty where none read it")
    roles: dict[str, str] = says("what became label, split, metadata, ..., in words")
    unread: list[Unread] = says("files that were not read, by ending")
    notes: list[str] = says("what was guessed")


class ImportPreview(ReadSource):
    """How a source would be read; nothing was written."""

    samples: int = says("samples that it lists")
    unlabelled: int = says("of these, without a label")
    classes: dict[str, int] = says("samples of each class, in the source's order")
    splits: dict[str, int] = says("samples of each split; 'to be drawn' where it says none")
    left_out: list[tuple[str, str]] = says("rows that cannot be used: where, and why")


class Import(ReadSource):
    """What an import changed."""

    batch: str | None = says("the batch of edits, which undo takes; null where nothing changed")
    added: int = says("samples added")
    removed: int = says("samples removed")
    moved: int = says("samples found at another place by their bytes")
    returned: int = says("samples that had been removed, and are back")
    relabelled: int = says("labels that the source has changed")
    left_alone: int = says(
        "labels that the source has changed, and a person too: the person's stays"
    )
    left_out: int = says("rows left out (--skip-bad)")
    votes: int = says("what several people answered in the source, each a vote", default=0)
    samples: int = says("kept samples in the bench now")
    classes: int = says("classes in the bench now")
    unlabelled: int = says("samples without a label")
    splits: dict[str, int] = says("kept samples of each split")


class PatchedSource(Part):
    """What was done for one source."""

    source: str = says("its name")
    changes: int = says("samples of which the version says something else than the source did")
    path: str | None = says("where the source lies (--in-place)", default=None)
    backup: str | None = says(
        "the folder with the files as they were (--in-place); null where nothing changed",
        default=None,
    )
    file: str | None = says("the corrections (--patch); null without any", default=None)
    notes: list[str] = says("what could not be said in its format", default=[])


class ExportChanges(Output):
    """What was corrected in the sources, or written beside them."""

    version: str = says("the version, as it was asked for")
    in_place: bool = says("whether the sources themselves were mended")
    sources: list[PatchedSource] = says("source by source")


class Export(Output):
    """Where a version was written."""

    version: str = says("the version, as it was asked for")
    tree: str = says("hash of its contents: equal contents have an equal tree")
    commit: str | None = says("the commit that it is, if it is one")
    samples: int = says("samples written")
    folder: str = says("where they are")
    format: str = says("the format")
    notes: list[str] = says("what could not be said in the format")


class Scan(Output):
    """How many labels a scan judged and doubts."""

    judged: int = says("labels judged")
    flagged: int = says("of these, flagged as probably wrong")
    issues: dict[str, int] = says("issues found, of each kind")
    gaps: int = says("gaps found: where data are missing, or the model is wrong more often")
    first_gap: str | None = says("the gap that explains most validation errors")
    held_out: int = says("samples held out by this scan, since they equal one that judges")
    version: str | None = says("the version that this scan made: the first makes v1")


class ScanShard(Output):
    """What is left of a scan by shards; exit status 1 of --merge."""

    shard: str = says("which of how many is done now, as given: 3/100; or none")
    left: str = says("what is not done yet")


class App(Output):
    """Where the workbench is served; printed when it can be opened."""

    url: str = says("a link that opens once, in one browser")


class Docs(Output):
    """Where the documentation is served; printed when it can be opened."""

    url: str = says("its address, of this machine alone")


class Mcp(Output):
    """Where agents are served; printed when a client can connect."""

    url: str = says("its address, of this machine alone")
    token: str = says("what a client sends: Authorization: Bearer TOKEN")
    pid: int = says("the process that serves")


class FiftyOne(Output):
    """What the FiftyOne App shows."""

    samples: int = says("samples that it holds")
    added: int = says("samples new to it")
    updated: int = says("samples written anew")
    removed: int = says("samples removed from it")
    unchanged: int = says("samples as they were")
    waiting: int = says("samples with changes there that nobody has pulled")
    lost: list[tuple[str, str]] = says("key and reason of samples that cannot be shown")
    url: str | None = says("where the App is; null with --no-app")
    pid: int | None = says("the process that serves it", default=None)


class FiftyOnePull(Output):
    """What was changed in FiftyOne, as edits."""

    batch: str | None = says("the batch of edits; null where nothing changed")
    edits: int = says("edits made")
    samples: int | None = says("samples that they are about", default=None)
    confirmed: int | None = says("of these, labels confirmed", default=None)
    unsure: int | None = says("of these, left unsure", default=None)
    restated: int | None = says("labels that somebody had changed since, set again", default=None)
    already: int | None = says("samples that were so already", default=None)
    newer: int | None = says("samples that others decided since", default=None)
    own_newer: int | None = says("samples that --who decided since", default=None)
    reasons_left_out: int | None = says("reasons that no edit carries", default=None)
    read_as: dict[str, str] | None = says("names that a rename gave up", default=None)
    new_classes: dict[str, list[str]] | None = says("classes that it added", default=None)
    unread_columns: list[str] | None = says("always empty here: see edit", default=None)
    rescored: bool | str | None = says("whether the queue is re-scored, or why not", default=None)
    applied: list[dict[str, Any]] = says("changes that were applied: sample, field, value, ...")
    left: list[dict[str, Any]] = says("changes that were not, each with why")


class FiftyOneExport(Output):
    """The data set made in the user's own FiftyOne."""

    dataset: str = says("its name")
    samples: int = says("samples in it")
    lost: list[tuple[str, str]] = says("key and reason of images that are gone")


class Demo(Output):
    """What the demo found, as its stories tell it; `second` is the second one."""

    model_config = ConfigDict(extra="allow")

    gain: Effect = says("what the reviews in queue order were worth")
    control: Effect = says("what as many at random were worth")
    difference: Estimate = says("the former less the latter: same seeds, same test images")
    ceiling: Effect = says("what all labels clean were worth")


class Conflict(Part):
    """A thing that both benches of a merge edited."""

    sample: str = says("the sample")
    slot: str = says("what was edited: label, keep, split or a tag")
    ours: Any = says("the value that stands")
    theirs: Any = says("the value there, kept as a vote")
    their_who: str = says("who set it")
