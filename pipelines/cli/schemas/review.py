"""The objects of status, queue, edit, issues, audit and reviewers."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from assay.pipelines.cli.schemas.base import Noise, Output, Part, Review, Span, Unread, says


class FrozenTest(Part):
    """The frozen test split."""

    name: str = says("test")
    hash: str = says("hash of its members")
    n: int = says("members")
    audited: bool = says("whether its labels are declared audited")


class LeftOut(Part):
    """A row that an import left out."""

    source: str = says("the source")
    key: str = says("the row's key there")
    reason: str = says("why")


class ReviewedClass(Part):
    """What the reviews at random say of one class."""

    class_: str = Field(alias="class", description="the given label")
    sure_at_random: int = says("drawn at random, and sure")
    hits: int = says("of these, wrong")
    flagged: int = says("of these, flagged by the model as it is now")
    flagged_hits: int = says("flagged and wrong")
    clean: int = says("right ones")
    clean_flagged: int = says("right ones that are flagged")


class Network(Part):
    """How old the scan's trained network is."""

    trained: int = says("labels that it was trained on")
    changed: int = says("of these, changed since")
    new: int = says("labels that came since")


class Advice(Part):
    """What to do next."""

    do: str = says("in a word or two")
    why: str = says("with figures")
    command: str = says("the command")
    page: str = says("the page of the workbench")


class ReadSource(Part):
    """How a source was read."""

    name: str = says("its name")
    path: str = says("where it lay; empty where it lies nowhere")
    format: str = says("its format, as import --format takes it")
    kind: str = says("what it was taken for, in words")
    roles: dict[str, str] = says("what became label, split, metadata, ..., in words")
    unread: list[Unread] = says("files that were not read, by ending")


class Flags(Part):
    """How many of the flagged labels are wrong, by looks at random."""

    sure_at_random: int = says("flagged labels that were drawn at random, and somebody was sure of")
    hits: int = says("of these wrong")
    unsure_at_random: int = says("drawn too, and nobody was sure of")
    low: float = says("so large a share of all flagged is wrong at least, at all looks together")
    high: float = says("and at most, 95 %")


class NextLabels(Part):
    """How many of the next labels of the queue are wrong."""

    labels: int = says("labels that come next: 100, or what is left")
    wrong: float = says("of these wrong, as is to be expected")
    low: int = says("so few may be found, about 95 %")
    high: int = says("so many may be found, about 95 %")


class NextGain(Part):
    """What the next labels of the queue gain, as is to be expected."""

    labels: int = says("labels that come next: 100, or what is left")
    n: int = says("val labels that it is judged by")
    gain: float = says("of the mean probability that the model gives to them; 0.01 is a point")
    low: float = says("at least; meant for 95 % of sessions, at all their looks together")
    high: float = says("at most")


class Outlook(Part):
    """What the next labels gain, or why nobody can say, and whether to stop."""

    gain: NextGain | None = says("null where nobody can say")
    gain_words: str | None = says("in words")
    why_not: str = says("why nobody can say; empty where there is a gain")
    stop_below: float | None = says("the gain below which to stop (--stop-below), as a fraction")
    stop: bool | None = says(
        "whether the gain is below it; null where no limit is set, or no gain known"
    )
    stop_words: str = says("in words; empty where no limit is set")


class Status(Output):
    """What the bench holds, what is flagged, what comes next."""

    bench: str = says("its folder")
    of: str = says("the version that was asked about")
    samples: int = says("kept samples")
    dropped: int = says("samples that are out")
    splits: dict[str, int] = says("kept samples of each split")
    classes: dict[str, int] = says("labels of each class, without test and guard")
    classes_only_in_test: list[str] = says("classes that no sample outside test has")
    test: FrozenTest | None = says("the frozen test split, if there is one")
    audit: Noise | None = says("what audits say of the test labels")
    left_out: list[LeftOut] = says("rows that imports left out")
    arrays: str | None = says("where arrays lie in object storage; null where they lie here alone")
    sources: list[ReadSource] = says("how each source was read when it was last imported")
    columns: dict[str, str] = says(
        "of a bench of rows: what each column holds (number, category, date, text, identifier)"
    )
    version: str | None = says("the newest committed version")
    open_edits: int = says("edits since then")
    runs: int = says("finished runs")
    issues: dict[str, int] | None = says("open issues of each kind; null where there was no scan")
    worst: dict[str, list[str]] = says(
        "samples of each kind that are worst, four at most, none of test or guard"
    )
    review: Review = says("what people reviewed")
    waiting_at_random: int = says(
        "decided at random, and counted when those drawn before them are decided"
    )
    classes_reviewed: list[ReviewedClass] = says("what reviews at random say of each class")
    flags: Flags | None = says(
        "how many of the flagged labels are wrong; null before 30 reviews at random, or with none flagged among them"
    )
    flags_words: str | None = says("in words")
    network: Network | None = says("the second opinion of scan --effort 3")
    weak_model: str | None = says(
        "why the flags say little, where the model contradicts over a third"
    )
    next_labels: NextLabels | None = says(
        "how many of the next labels of the queue are wrong, as people's looks say; null before 30 at random"
    )
    outlook: Outlook | None = says("what these gain, and whether to stop; null without scores")
    advice: Advice | None = says("what to do next; absent for an older version", default=None)
    next: str = says("the command that comes next")


class QueueRow(Part):
    """A sample to look at."""

    rank: int | None = says("place among the worst, from 1; null where it was only drawn")
    sample: str = says("its id")
    source_id: str = says("its key in its source")
    path: str = says("where its file is")
    text: str | None = says("of a bench of texts: the text itself", default=None)
    given_label: str | None = says("the label as it stands; null where it has none")
    suggested_label: str | None = says("the likeliest class")
    score: float | None = says("probability of the given label, out of sample; low is bad")
    reason: str = says("why it is here")
    random: bool = says("whether it was drawn at random")
    influence: float | None = says(
        "of --mistake: log-odds that the val labels would gain without it", default=None
    )
    label: str | None = says("empty, to be filled in in a file", default=None)
    verdict: str | None = says("empty, to be filled in in a file", default=None)
    keep: str | None = says("empty, to be filled in in a file", default=None)
    why: str | None = says("empty, to be filled in in a file", default=None)
    upto: int = says("position in the log where the queue was written; edit compares by it")


class MadeOf(Part):
    """How the rows of a queue are made up."""

    disagreements: int = says("samples on which people disagree")
    suspicious: int = says("labels that look most wrong (-n)")
    random: int = says("drawn at random, of which some may look wrong, too")
    again: int = says("samples that others have decided (--again)")
    of_class: int = says("samples of one class (--class)", default=0)
    filtered: int = says("other samples that a condition found (--where)", default=0)
    influential: int = says("of train that made mistakes on val (--mistake)", default=0)


class NotQueued(Part):
    """What a condition found, and is not to be reviewed."""

    locked: int = says("of test or guard")
    dropped: int = says("dropped, or held out")
    reviewed: int = says("reviewed already")
    reserved: int = says("kept for the random share of a queue without a condition; at most 1")


class Queue(Output):
    """What to review next."""

    made_of: MadeOf = says("how many rows there are of each sort")
    left_out: NotQueued | None = says("of --where: what it found beside them", default=None)
    waiting: int = says("of --where: samples that have no room in -n", default=0)
    rows: list[QueueRow] = says("in the order of review")


class Edit(Output):
    """What a batch of decisions changed."""

    batch: str | None = says("the batch, which undo takes; null where no row decides anything")
    edits: int = says("edits made")
    samples: int = says("samples that they are about")
    confirmed: int = says("labels confirmed")
    unsure: int = says("labels left unsure")
    restated: int = says("labels that somebody had changed since the sheet was written, set again")
    already: int = says("samples that were so already, of which nothing new is stored")
    newer: int = says("samples that others decided after the sheet was written (--overwrite)")
    own_newer: int = says("samples that --who decided after it was written, and that it changes")
    reasons_left_out: int = says("reasons in rows of which nothing is stored")
    read_as: dict[str, str] = says("names that a rename gave up: what they were read as")
    new_classes: dict[str, list[str]] = says("classes that it added, and known ones like them")
    unread_columns: list[str] = says("columns of one's own, which decide nothing")
    rescored: bool | str = says("whether the queue is re-scored; false without a scan; or why not")


class Issue(Part):
    """A thing that the scan found."""

    kind: str = says("its kind")
    sample: str | None = says("the sample; null where it is about a whole split or class")
    source_id: str | None = says("its key in its source")
    path: str | None = says("where its file is")
    split: str | None = says("its split")
    label: str | None = says("its label")
    score: float = says("from 0 (worst) to 1")
    suggestion: str | None = says("the label that is suggested")
    why: str | None = says("what was found")


class Issues(Output):
    """What the scan found."""

    rows: list[Issue] = says("one a sample and kind, worst first")


class AuditSheet(Output):
    """A worksheet to judge labels blind."""

    audit: str = says("its id")
    name: str = says("the rule in the log that fixes what was drawn")
    split: str = says("what it was drawn from")
    n: int = says("labels drawn")
    of: int = says("labels in the split")
    repeats: int = says("of these, shown twice")
    rows: int = says("rows of the sheet")
    left: int = says("labels of the split that no audit has drawn")
    seed: int = says("seed of the draw")
    upto: int = says("position in the log that it was drawn at")
    hash: str = says("hash of what was drawn from")
    folder: str = says("where the sheet is")
    classes: list[str] = says("the classes to choose from")


class Audit(Output):
    """What a filled worksheet says."""

    audit: str = says("its id")
    batch: str = says("the batch of edits")
    before: str | None = says("the version made of what was open before, if anything was")
    version: str = says("the version that holds the audit")
    split: str = says("the split that was audited")
    audited: int = says("labels judged")
    wrong: int = says("of these, wrong")
    unsure: int = says("of these, unsure")
    repeats: int = says("labels judged twice")
    repeats_agree: int = says("of these, with the same answer")
    agreement: Span | None = says("95 % interval of that share; null without repeats")
    unread_columns: list[str] = says("columns of one's own, which decide nothing")
    noise: Noise = says("what all audits of the split say")


class Reviewers(Output):
    """Who reviewed how much, and how well two agree."""

    rule: str = says("whose label stands: latest or majority")
    people: list[dict[str, Any]] = says(
        "who, samples, edits, relabelled, confirmed, unsure, dropped, seconds, median_seconds, first, last"
    )
    pairs: list[dict[str, Any]] = says(
        "a, b, n, agree, agreement, low, high, kappa and more of two"
    )
