"""The object of split."""

from __future__ import annotations

from assay.pipelines.cli.schemas.base import Output, Part, says


class ValAccuracy(Part):
    """An accuracy of the probe on val, with its 95 % interval; fractions."""

    estimate: float = says("the share that it has right, against the labels as they are")
    low: float = says("lower end; samples of one group are no independent answers")
    high: float = says("upper end")
    n: int = says("labelled val samples")


class SplitState(Part):
    """What can be said of a split."""

    splits: dict[str, int] = says("kept samples of each split")
    classes: dict[str, dict[str, int]] = says(
        "labelled samples of each class in each split; without test where it is not drawn"
    )
    near_duplicates: int | None = says(
        "samples that (nearly) equal one that judges them; before: also those that a scan held out; null: not scanned"
    )
    groups: int | None = says(
        "groups of train or val samples that a split that judges them has, too; null without --group-column"
    )
    leaking: int | None = says("samples of either kind; null where neither is known")
    accuracy: ValAccuracy | None = says("of the probe on val; null: see why")
    why: str = says("why there is no accuracy; else empty")


class Split(Output):
    """Splits drawn anew."""

    batch: str | None = says("the batch of edits, which undo takes; null: a dry run, or no change")
    shares: str = says("train/val/test in percent, as drawn")
    drawn: int = says("samples that were drawn")
    moved: int = says("of these, samples that changed their split")
    restored: int = says("samples that a scan had held out, and that give nothing away any more")
    before: SplitState = says("the old split")
    after: SplitState = says("the new one")
    notes: list[str] = says("what was assumed, and where the result is not what was asked")
