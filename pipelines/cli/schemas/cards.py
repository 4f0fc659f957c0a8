"""The object of card."""

from __future__ import annotations

from typing import Any

from assay.pipelines.cli.schemas.base import Output, Part, says


class CardClass(Part):
    """A class, and what belongs to it."""

    name: str = says("its name")
    n: int = says("kept, labelled samples")
    train: int = says("of these in train")
    val: int = says("in val")
    test: int = says("in test")
    pool: int = says("in the pool")
    guard: int = says("in regression sets")
    guideline: str | None = says("what belongs to it; null where nobody said")
    parent: str | None = says("the class above it")


class CardVersion(Part):
    """A committed version."""

    name: str = says("its name")
    tree: str = says("hash of its contents")
    parent: str | None = says("the version before")
    message: str = says("why")
    who: str = says("by whom")
    ts: str = says("when, ISO 8601")


class Card(Output):
    """What whoever receives the labels of a version should know."""

    file: str | None = says("the file that was written, if any")
    bench: str = says("the name of its folder")
    version: str = says("the version that was asked about")
    called: str | None = says("the committed version of these contents; null where none is")
    tree: str = says("hash of the contents: assay check --tree asks for it")
    made: str = says("when the card was made, ISO 8601")
    medium: str = says("what a sample is")
    task: str = says("what a label is")
    samples: int = says("kept samples")
    dropped: int = says("samples that are out")
    splits: dict[str, int] = says("kept samples of each split")
    classes: list[CardClass] = says("the class list, in order")
    sources: list[dict[str, str]] = says("name, format and kind of each source")
    left_out: int = says("rows that imports left out")
    review: dict[str, int] = says("reviewed, wrong, unsure, and the population of train and val")
    random_rate: str | None = says("wrong ones of those reviewed at random, in words")
    errors_left: str | None = says("wrong labels left in train and val, with their 95 % interval")
    audit: str | None = says("wrong test labels by a blind audit, with their 95 % interval")
    test: dict[str, Any] | None = says("the frozen test split, if there is one")
    reviewers: list[dict[str, Any]] = says("who decided how much")
    errors: list[str] = says("how often each errs by others' looks at random, with intervals")
    agreement: list[str] = says("how often two people agree, with intervals")
    issues: dict[str, int] | None = says("open issues by kind; null where nothing was scanned")
    gaps: list[str] | None = says("the largest gaps; null where nobody knows")
    versions: list[CardVersion] = says("all committed versions, oldest first")
    verify: str = says("the command that verifies the contents")
    unknown: list[str] = says("what nobody measured")
