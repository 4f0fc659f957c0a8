"""The object of compare, where it compares files of predictions."""

from __future__ import annotations

from typing import Any

from assay.pipelines.cli.schemas.base import Estimate, Output, Part, says


class ComparedModel(Part):
    """A model whose predictions were judged."""

    name: str = says("what it is called")
    accuracy: Estimate = says("accuracy")
    balanced: Estimate = says("mean over classes of the accuracy")
    files: list[str] = says("the files of its predictions")
    seeds: int = says("its trainings")
    matched: str = says("the column by which rows were matched with samples")
    missing: int = says("samples that it does not predict")
    unknown: int = says("rows of no sample that is judged")
    diverged: list[int] = says("trainings that diverged and are left out, from 1")


class Flips(Part):
    """Samples that one model gets right and the other wrong."""

    gained: int = says("right by the second alone, in more than half of the trainings")
    lost: int = says("right by the first alone")
    p: float | None = says("McNemar's exact p-value; null with several trainings")


class Interval(Part):
    """A difference with its 95 % interval, a fraction."""

    estimate: float = says("the number")
    low: float = says("lower end")
    high: float = says("upper end")


class ComparedSlice(Part):
    """The difference within a class or slice."""

    kind: str = says("class, slice, cluster, metadata, or a column of the labels' file")
    name: str = says("its name")
    n: int = says("samples in it")
    before: Interval | None = says("accuracy of the first")
    after: Interval | None = says("accuracy of the second")
    estimate: float | None = says("second minus first; null under 10 samples")
    low: float | None = says("lower end of its own 95 % interval")
    high: float | None = says("upper end")
    p: float | None = says("its p-value")
    p_holm: float | None = says("the same by Holm over all that were tested")
    verdict: str = says("better, worse, no evidence either way, or too few")


class Needs(Part):
    """What it would take to see a difference."""

    effect: float = says("the difference asked about, a fraction")
    smallest: float = says("what these samples and seeds show four times in five")
    power: float = says("chance to show the effect asked about")
    samples: int | None = says("test samples that would; null: they alone cannot")
    seeds: int | None = says("seeds of each that would; null: they alone cannot, or not known")
    audited: int | None = says("audited labels that would, where some are audited")


class Stakes(Part):
    """How much wrong test labels matter."""

    differing: int = says("samples on which the two models differ")
    of: int = says("samples judged")
    turning: int | None = says("labels of these that turn the verdict, wrong the same way")
    turning_share: float | None = says("the same as a share of those that differ")
    noise: tuple[float, float, float] | None = says("share of wrong test labels by the audit")
    expected: tuple[float, float, float] | None = says("wrong ones among the differing, at it")


class ToAudit(Part):
    """The samples whose labels settle the verdict."""

    samples: list[str] = says("their ids, in random order")
    of: int = says("samples on which the two models differ")
    drawn: bool = says("whether they are a random draw of these")


class Ranked(Part):
    """A model in an order."""

    name: str = says("what it is called")
    accuracy: float = says("its accuracy")
    rank: int = says("1 is the most accurate")
    least: int = says("the best rank that is not excluded, all ranks together at 95 %")
    most: int = says("the worst rank that is not excluded")


class RankedPair(Part):
    """Two models of an order."""

    better: str = says("the more accurate")
    worse: str = says("the other")
    estimate: float = says("their difference")
    low: float = says("lower end of the interval at Holm's level")
    high: float = says("upper end")
    p_holm: float = says("p-value by Holm over all pairs")
    shown: bool = says("whether the difference is shown")


class Order(Part):
    """Models ranked by one rule of what is right."""

    models: list[Ranked] = says("the most accurate first")
    pairs: list[RankedPair] = says("every two of them")
    shown: int = says("pairs that are shown to differ")
    pairs_tested: int = says("pairs in all")
    samples: int | None = says("also: samples with other acceptable labels", default=None)
    difference: Estimate | None = says("also: second minus first by this rule", default=None)
    word: str | None = says("also: the verdict by this rule", default=None)


class Ranking(Part):
    """The order of the models."""

    labels: Order = says("by the labels")
    also: Order | None = says("where other acceptable labels count as right, too")


class CompareFiles(Output, Estimate):
    """Whether the second model is better, by files of predictions."""

    first: str = says("the first model")
    second: str = says("the second; the difference is second minus first")
    word: str = says("better, worse or no evidence either way")
    verdict: str = says("the answer in a sentence, and what it rests on")
    seeds_known: bool = says("false: of these trained models only, not of the recipe")
    p: float | None = says("p-value of the difference")
    judged_by: str = says("the labels that judge")
    models: list[ComparedModel] = says("all models, as they were given")
    flips: Flips = says("samples that change")
    scores: dict[str, dict[str, Any]] | None = says(
        "log_loss, brier and calibration of each model with probabilities, low is good"
    )
    slices: list[ComparedSlice] = says("classes and slices")
    tested: int = says("of these, tested together")
    needs: Needs = says("what would show a difference")
    label_noise: Stakes = says("how much wrong labels matter")
    audit: ToAudit = says("which labels to audit")
    audit_list: str | None = says("the file of these, with --audit-list", default=None)
    report: str | None = says("the file of the report, with --report", default=None)
    ranking: Ranking | None = says("of three models or more, or with other acceptable labels")
    caveat: str = says("what the labels are worth")
    access: dict[str, Any] | None = says("of a bench: how often its test split was looked at")
    notes: list[str] = says("what was read how, guessed or left out")
