"""Let a labeller label samples: a function of one's own, or a file.

What it says becomes a proposal of votes, which changes no label.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assay.curation.errors import UnknownName, UserError
from assay.curation.filtering.samples import mark_samples
from assay.curation.review.labeller_votes import GIVEN
from assay.curation.splits import LOCKED
from assay.curation.storage.interface import Bench, Progress
from assay.curation.system import processes
from assay.curation.tasks.base import refuse_task
from assay.curation.text import MAX_NAME, check_text, format_count
from assay.curation.versioning.class_list import list_classes
from assay.curation.versioning.decision_cells import MOVES
from assay.curation.versioning.proposals import Proposal, open_proposal
from assay.curation.versioning.votes import PERSON
from assay.pipelines.indexing.label_answers import Answer, Labeller
from assay.pipelines.indexing.label_files import read_label_file
from assay.pipelines.indexing.labeller_calls import label_apart, label_here

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Labelled:
    """What a labeller labelled, and the proposal that holds it."""

    proposal: Proposal
    labeller: str
    votes: int
    agree: int  # with the label that stands
    differ: int
    unlabelled: int  # votes on samples that have no label yet
    abstained: int
    locked: int  # samples of test and guard, which were left out
    unreadable: int  # samples whose file could not be read
    unmatched: int  # samples that were asked for, and are in no row of the file
    notes: list[str]


def label_samples(
    bench: Bench,
    source: str | Path | Labeller | pd.DataFrame,
    name: str,
    chosen: pd.Index,
    who: str,
    patience: float = processes.PATIENCE,
    progress: Progress | None = None,
) -> Labelled:
    """Let a labeller label the `chosen` samples, and propose what it says.

    source: a function list of samples -> labels, or its name, "package.module:function", which runs in a process of
    its own; a file (Path) or frame of predictions. Samples are PIL images, texts, or dicts of a row. Test and guard
    are left out and counted. UserError before anything is stored: for what is no label, naming the sample; where the
    function raises, crashes, or makes no step for `patience` seconds.
    """
    refuse_task(
        bench, "a labeller", "propose its labels instead: assay proposal open FILE --labeller NAME"
    )
    check_labeller(bench, name)
    state = bench.state().loc[chosen]
    open_ids = state.index[state.keep & ~state.split.isin(LOCKED)]
    locked = int((state.keep & state.split.isin(LOCKED)).sum())
    classes, notes = list_classes(bench), []
    answers: dict[str, Answer | None]
    if not isinstance(source, str) and callable(source):
        answers = dict(label_here(bench, source, name, open_ids, classes, progress))
    elif isinstance(source, str) and ":" in source and not Path(source).exists():
        answers = label_apart(bench, source, list(open_ids), patience, progress)
    else:
        answers, notes = read_label_file(bench, source, open_ids, classes)
    said = {s: answer for s, answer in answers.items() if answer and answer[0] is not None}
    if not said:
        raise UserError(
            f"expected labels from {name}, found none: it abstains on {len(answers):,} of "
            f"{format_count(len(open_ids), 'sample')} that are not locked",
            "choose others: --where, --split",
        )
    proposal = propose_votes(bench, said, name, who, describe_source(source))
    stands = state.label.loc[list(said)]
    agree = int((stands == [label for label, _ in said.values()]).sum())
    unlabelled = int(stands.isna().sum())
    return Labelled(
        proposal,
        name,
        len(said),
        agree,
        len(said) - agree - unlabelled,
        unlabelled,
        sum(answer is not None and answer[0] is None for answer in answers.values()),
        locked,
        sum(answer is None for answer in answers.values()),
        len(open_ids) - len(answers),
        notes,
    )


def choose_samples(bench: Bench, where: str = "", split: str = "") -> pd.Index:
    """Choose samples by a condition and a split: all, where neither is given."""
    state, found = bench.state(), mark_samples(bench, where)
    if split not in ("", *MOVES):
        raise UnknownName(
            f"expected a split that is not locked, found {split!r}",
            f"there are {', '.join(MOVES)}",
            split,
            MOVES,
        )
    ids = state.index if found is None else state.index[found]
    return ids[(state.split.loc[ids] == split).to_numpy()] if split else ids


def describe_source(source: Any) -> str:
    """Name where votes come from."""
    if isinstance(source, str | Path):
        return str(source)
    return getattr(source, "__qualname__", type(source).__name__)


def check_labeller(bench: Bench, name: str) -> None:
    """Refuse the name of a labeller that is somebody's already."""
    check_text(name, "a labeller", MAX_NAME)
    if not name.strip():
        raise UserError("expected a name of the labeller, found none", "say --as NAME")
    people = {who for (who,) in bench.rows(f"select distinct who from edits where {PERSON}")}
    made = {p.labeller for p in bench.proposals()}
    if name == GIVEN or name in people - made:
        raise UserError(
            f"expected a name of its own for the labeller, found {name!r}, which is "
            + ("what the sources say" if name == GIVEN else "a person who has decided here"),
            "a person measures labellers, and is never taken for one: say --as another",
        )


def propose_votes(
    bench: Bench, said: dict[str, Answer], name: str, who: str, source: str
) -> Proposal:
    """Propose what a labeller says of samples, with how sure it is."""
    import pandas as pd

    rows = pd.DataFrame(
        [(sample, label, sure) for sample, (label, sure) in said.items()],
        columns=["sample", "label", "score"],
    )
    title = f"{format_count(len(rows), 'vote')} by {name}"
    return open_proposal(bench, title, rows, who, name, source)
