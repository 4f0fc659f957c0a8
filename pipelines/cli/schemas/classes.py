"""The objects of classes."""

from __future__ import annotations

from assay.pipelines.cli.schemas.base import Output, Part, says


class ClassRow(Part):
    """A class, declared or not."""

    name: str = says("its name")
    n: int = says("kept samples that have it")
    train: int = says("of these in train")
    val: int = says("in val")
    test: int = says("in test")
    pool: int = says("in pool")
    guard: int = says("in regression sets")
    order: float | None = says("its place in the list; null: after those that have one, by name")
    colour: str | None = says("its colour, as #rrggbb")
    key: str | None = says("the key that chooses it in Review")
    guideline: str | None = says("what belongs in it")
    exemplars: str | None = says("ids of the samples chosen to show it, blanks between")
    parent: str | None = says("the class above it")
    declared: bool = says("whether it is in the list, or only a label that samples have")


class Classes(Output):
    """The class list."""

    rows: list[ClassRow] = says("in order")


class ClassesRename(Output):
    """A class that was renamed, or merged into another."""

    batch: str | None = says("the batch, which undo takes; null with --dry-run")
    old: str = says("the name that it had")
    new: str = says("the name that it has now")
    merged: bool = says("whether there was a class of that name")
    samples: int = says("kept samples that it had")
    splits: dict[str, int] = says("of these in each split")
    had: dict[str, int] = says("kept samples that had the new name before, in each split")
    dropped: int = says("samples of it that are out")
    alike: list[str] = says("other classes whose names look the same as the new one")
    rescored: bool | str = says("whether the queue is re-scored; false without a scan; or why not")


class ClassesAdd(Output):
    """Classes that were added to the list."""

    batch: str | None = says("the batch, which undo takes")
    added: list[str] = says("their names")
    alike: list[str] = says("classes whose names look the same")
    near: list[str] = says("classes whose names are near, and may have been meant")


class ClassesSplit(Output):
    """A class whose samples are to be decided anew."""

    batch: str | None = says("the batch that added classes; null where all were there")
    name: str = says("the class")
    into: list[str] = says("the classes that its samples may be")
    added: list[str] = says("of these, new to the list")
    samples: int = says("samples to decide about")
    locked: int = says("samples of test and guard, which no queue shows")


class ClassesSplitOff(Output):
    """Samples of a class that were moved to another one."""

    batch: str | None = says("the batch, which undo takes; null with --dry-run")
    name: str = says("the class that they had")
    into: str = says("the class that they have now")
    added: bool = says("whether that is a new class")
    samples: int = says("how many went")
    splits: dict[str, int] = says("of these in each split")
    stay: int = says("samples outside test and guard that keep their label")
    skipped: int = says("samples that fit the condition and could not go")
    locked: int = says("of these, samples of test and guard")
    rescored: bool | str = says("whether the queue is re-scored; false without a scan; or why not")


class ClassesMove(Output):
    """The place of a class in the list."""

    batch: str | None = says("the batch, which undo takes; null where it stood there")
    name: str = says("the class")
    place: int = says("its place, from 1")
    of: int = says("how many classes the list has")


class ClassesEdit(Output):
    """What the list says of a class now."""

    batch: str | None = says("the batch, which undo takes; null where nothing changed")
    name: str = says("the class")
    order: float | None = says("its place in the list")
    colour: str | None = says("its colour")
    key: str | None = says("the key that chooses it in Review")
    guideline: str | None = says("what belongs in it")
    exemplars: str | None = says("ids of the samples chosen to show it, blanks between")
    parent: str | None = says("the class above it")


class ClassesImport(Output):
    """A class list that was read."""

    batch: str | None = says("the batch, which undo takes; null where nothing changed")
    declared: int = says("classes in the file")
    new: list[str] = says("of these, names that no sample has")
    missing: list[str] = says("classes of the bench that the file does not name")
    alike: list[list[str]] = says("names that look like one class")
