"""The objects of label and labellers."""

from __future__ import annotations

from pydantic import Field

from assay.pipelines.cli.schemas.base import Output, Part, says


class Label(Output):
    """What a labeller labelled, and the proposal that holds its votes."""

    proposal: str = says("the proposal")
    labeller: str = says("its name")
    votes: int = says("samples that it labelled")
    agree: int = says("of these, with the label that stands")
    differ: int = says("with another")
    unlabelled: int = says("on samples that have no label")
    abstained: int = says("samples on which it abstains")
    locked: int = says("samples of test and guard, left out")
    unreadable: int = says("samples whose file cannot be read, left out")
    unmatched: int = says("samples in no row of the file")
    notes: list[str] = says("how the file was read")


class ErrorRate(Part):
    """How often somebody or something errs, by looks at random."""

    measured: int = says("samples drawn at random whose truth others know")
    wrong: int = says("of these wrong")
    unsure: int = says("drawn too, and nobody is sure")
    error: float | None = says("share of wrong ones; null under 30 looks")
    low: float | None = says("at least, at all looks together, all unsure ones right")
    high: float | None = says("at most, all unsure ones wrong")
    least: float | None = says("the share with all unsure ones right")
    most: float | None = says("and with all of them wrong")


class MeasuredLabeller(ErrorRate):
    """One labeller."""

    labeller: str = says("its name")
    kind: str = says("person, labeller (of a proposal), consensus or given")
    votes: int = says("samples that it labelled")
    coverage: float = says("share of the samples of train, val and pool")
    by_audit: int = says("looks of a blind audit")
    by_random: int = says("looks of reviews at random")
    earlier: int = says("looks from before it voted, from which it may have learnt")
    confidence: float | None = says("mean probability that it gave its own labels, of these looks")


class Confusion(Part):
    """What a labeller says where one class is true."""

    labeller: str = says("its name")
    truth: str = says("what others say")
    said: str = says("what it says")
    n: int = says("random looks at it")
    of: int = says("looks with this truth")
    share: float | None = says("of these; null under 30")
    low: float | None = says("at least, as of now, 95 %")
    high: float | None = says("at most")


class Labellers(Output):
    """How often each labeller errs, class by class."""

    labellers: list[MeasuredLabeller] = says("people, others, the given labels")
    confusion: list[Confusion] = says("what each takes for what")


class LabellersCompare(Output):
    """Which of two labellers is the better annotator."""

    a: str = says("the one")
    b: str = says("the other")
    both: int = says("samples that both labelled")
    n: int = says("of these, decided at random by a third person")
    a_alone: int = says("right by a alone")
    b_alone: int = says("right by b alone")
    both_right: int = says("right by both")
    both_wrong: int = says("right by neither")
    unsure: int = says("they differ, and nobody is sure")
    by_audit: int = says("looks of a blind audit")
    estimate: float | None = says("accuracy of a minus that of b; null under 30")
    low: float | None = says("at least, at all looks together")
    high: float | None = says("at most")
    verdict: str = says("in words")
    notes: list[str] = says("what may flatter one of them")


class JudgedMethod(ErrorRate):
    """A way to join votes, judged where the truth is known."""

    method: str = Field(description="latest, majority, dawid-skene or crowdlab")
    gain: float | None = says("accuracy more than the majority's; null under 30 looks")
    gain_low: float | None = says("at least, at all looks together")
    gain_high: float | None = says("at most")
    alone: int = says("looks that it alone got right")
    majority_alone: int = says("looks that the majority alone got right")


class LabellersConsensus(Output):
    """One label a sample out of all votes."""

    method: str = says("how they are joined")
    samples: int = says("samples with a vote")
    several: int = says("with two or more")
    differ: int = says("whose consensus differs from the label that stands")
    left_out: list[str] = says("votes that were not counted, and why")
    compared: list[JudgedMethod] = says("it beside latest and majority")
    proposal: str | None = says("of the labels that differ; null without --propose")
