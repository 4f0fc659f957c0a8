"""The objects of clusters, gaps, map, similar, suggest, disagreements and trigger."""

from __future__ import annotations

from assay.pipelines.cli.schemas.base import Output, Part, says


class Cluster(Part):
    """A cluster of the data."""

    cluster: str = says("its name")
    named: bool = says("whether a person named it")
    train: int = says("samples of train")
    val: int = says("samples of val")
    pool: int = says("samples of the pool")
    test: int = says("samples of test")
    guard: int = says("samples of regression sets")
    labels: dict[str, float] = says("share of each label, the largest first")
    accuracy: float | None = says("of the probe on val")
    low: float | None = says("lower end of its 95 % interval")
    high: float | None = says("upper end")
    n: int = says("val samples")
    flagged: float | None = says("share of train and val labels that look wrong")
    distance: float | None = says(
        "mean distance of its samples to their neighbours: large is sparse"
    )
    sample: str = says("the sample nearest to its centre")


class Clusters(Output):
    """The clusters of the data."""

    rows: list[Cluster] = says("the largest first")


class ClustersRename(Output):
    """A cluster that was named."""

    batch: str = says("the batch, which undo takes")
    was: str = says("its name before")
    title: str = says("its name now")
    sample: str = says("the sample that the name is tied to")


class Gap(Part):
    """A part of the data where the model fails."""

    gap: str = says("its name")
    kind: str = says("what kind of gap it is")
    region: str = says("the part of the data")
    facets: str = says("what the part is told by")
    of_class: str | None = says("the class that it is of")
    against: str = says("what it is compared with")
    train: int = says("samples of train")
    val: int = says("samples of val")
    pool: int = says("samples of the pool")
    unit: str = says(
        "what errors count: sample; or label, with several a sample: each class that label or prediction names"
    )
    judged: int = says("how many of these the model was asked about")
    errors: int = says("val errors in it")
    rate: float | None = says("share of these that are wrong")
    low: float | None = says("lower end of its 95 % interval")
    high: float | None = says("upper end")
    rest: float | None = says("the rate of the others")
    n_rest: int | None = says("val samples of the others")
    p: float | None = says("p-value of the difference")
    q: float | None = says("the same among all gaps that were asked about: false discoveries")
    ratio: float | None = says(
        "by kind: density of train against the split's, train samples against the median, or a count against expected"
    )
    ratio_low: float | None = says("lower end of its interval")
    ratio_high: float | None = says("upper end")
    expected: float | None = says("errors that were to be expected")
    explains: float | None = says("errors beyond those, each counted in one gap")
    explains_low: float | None = says("lower end of its interval")
    explains_high: float | None = says("upper end")
    flagged: float | None = says("share of these val labels that look wrong themselves")
    why: str = says("what was found")
    action: str = says("what to do")


class Gaps(Output):
    """Where the model fails for want of data."""

    rows: list[Gap] = says("by the errors that they explain")


class Place(Part):
    """Where a sample lies on the map."""

    sample: str = says("its id")
    source_id: str = says("its key in its source")
    split: str = says("its split")
    x: float | None = says("from left to right")
    y: float | None = says("from bottom to top")
    method: str = says("pca or umap")


class Map(Output):
    """Where every image lies on the map."""

    rows: list[Place] = says("one a sample")


class Fillable(Part):
    """Columns of a table to fill in, with --csv."""

    label: str | None = says("empty, to be filled in (--csv)", default=None)
    keep: str | None = says("empty, to be filled in (--csv)", default=None)
    why: str | None = says("empty, to be filled in (--csv)", default=None)


class Candidate(Fillable):
    """A sample worth a label."""

    rank: int = says("place, from 1")
    sample: str = says("its id")
    source_id: str = says("its key in its source")
    path: str = says("where its file is")
    score: float = says("high is more worth")


class SimilarRow(Candidate):
    """A sample like those that were given."""

    distance: float | None = says("from the nearest of them", default=None)
    nearest: str | None = says("the nearest of them", default=None)
    nearest_source_id: str | None = says("its key in its source", default=None)


class Similar(Output):
    """The samples most like given ones."""

    rows: list[SimilarRow] = says("most alike first")


class Suggested(Candidate):
    """A sample of the pool to label."""

    score: float = says(
        "probability of the likeliest class, low is worth more; the order is by choice"
    )
    suggested_label: str | None = says("the likeliest class")
    reason: str = says("why it is worth a label")


class Suggest(Output):
    """What to label next."""

    rows: list[Suggested] = says("in the order of choice")


class Disagreement(Suggested):
    """A sample that two models name differently."""

    score: float = says("high is more worth")
    current: str | None = says("the current model's class", default=None)


class Disagreements(Output):
    """Where a candidate model disagrees with the current one."""

    rows: list[Disagreement] = says("most disagreement first")


class TriggerAdd(Output):
    """A question that every import is asked from now on."""

    kind: str = says("similar, confidence, disagreement or query")
    said: str = says("the question, in words")
    since: int = says("position in the log from which on it is asked")
    caught: list[str] = says("samples caught so far")
    older: int | None = says("samples that were there before")
    base: float | None = says("share of these that it would catch")
    samples: list[str] | None = says("what similar ones are sought of", default=None)
    gap: str | None = says("the gap that these are of", default=None)
    below: float | None = says("the confidence", default=None)
    runs: list[str] | None = says("the two models", default=None)
    query: str | None = says("the query", default=None)
    threshold: float | None = says("similarity from which on a sample is caught", default=None)


class TriggerRow(Part):
    """A trigger."""

    name: str = says("its name")
    kind: str = says("its kind")
    question: str = says("the question, in words")
    caught: int = says("samples caught")
    since: int = says("position in the log from which on it is asked")


class Trigger(Output):
    """All triggers."""

    rows: list[TriggerRow] = says("one a trigger")


class TriggerRunRow(Part):
    """What one trigger caught."""

    name: str = says("its name")
    new: int = says("samples that it was asked about")
    caught: list[str] = says("of these, caught")
    unjudged: int = says("of these, not judged")
    older: int | None = says("samples that were there before")
    base: float | None = says("share of these that it would catch")
    batch: str | None = says("the batch that tags what was caught")
    error: str | None = says("why it could not run")


class TriggerRun(Output):
    """What the triggers caught."""

    rows: list[TriggerRunRow] = says("one a trigger")


class TriggerRemove(Output):
    """A trigger that was removed."""

    removed: str = says("its name")


class CaughtRow(Part):
    """A sample that a trigger caught."""

    sample: str = says("its id")
    reason: str = says("the question")
    source_id: str | None = says("its key in its source", default=None)
    path: str | None = says("where its file is", default=None)
    split: str | None = says("its split", default=None)
    label: str | None = says("its label; empty with --csv", default=None)


class TriggerCaught(Output):
    """What one trigger caught."""

    rows: list[CaughtRow] = says("one a sample, with all that the bench knows of it")
