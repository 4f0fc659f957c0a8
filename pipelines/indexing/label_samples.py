"""Let a labeller label samples: a function of one's own, or a file.

What it says becomes a proposal of votes, which changes no label.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assay.curation.errors import UnknownName, UserError
from assay.curation.filtering.samples import mark_samples
from assay.curation.media.base import read_texts
from assay.curation.media.files import BadMedia
from assay.curation.media.images import open_original
from assay.curation.media.originals import read_bytes
from assay.curation.media.rows import read_column_kinds, read_rows
from assay.curation.media.stored_traits import load_traits
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
from assay.pipelines.indexing.label_answers import HINT, Answer, Labeller, read_answers
from assay.pipelines.indexing.label_files import read_label_file
from assay.pipelines.jobs import isolated

if TYPE_CHECKING:
    import pandas as pd

BATCH = 32  # samples that a function gets at once


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
    refuse_task(bench, "a labeller", "of several labels a sample a labeller cannot be measured yet")
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


# ---- a function


def label_here(
    bench: Bench,
    function: Labeller,
    name: str,
    ids: Sequence[str],
    classes: Collection[str],
    progress: Progress | None = None,
    announce: Callable[[list[str]], object] = lambda ids: None,
) -> Iterator[tuple[str, Answer | None]]:
    """Label samples in this process: (sample, answer), None where its file cannot be read.

    announce: hears which samples the function gets next.
    """
    for at in range(0, len(ids), BATCH):
        batch = list(ids[at : at + BATCH])
        samples = read_samples(bench, batch)
        good = [s for s in batch if s in samples]
        if good:
            announce(good)
            call = [samples[s] for s in good]
            yield from zip(good, call_labeller(function, call, good, classes, name))
        yield from ((s, None) for s in batch if s not in samples)
        if progress:
            progress(min(at + BATCH, len(ids)), len(ids))


def read_samples(bench: Bench, ids: Sequence[str]) -> dict[str, Any]:
    """Read samples as their medium gives them: PIL images, texts, or dicts of rows.

    Those whose file cannot be read are left out.
    """
    part = bench.state(columns=["content_hash", "uri"], samples=ids).loc[list(ids)]
    texts = read_texts(bench, part.content_hash)
    if texts is not None:
        return dict(zip(ids, read_rows(texts) if read_column_kinds(bench) else texts))
    traits, found = load_traits(bench.arrays), {}
    for sample, uri in zip(ids, part.uri):
        with suppress(BadMedia):
            found[sample] = open_original(read_bytes(uri), traits)
    return found


def call_labeller(
    function: Labeller, samples: list, ids: list[str], classes: Collection[str], name: str
) -> list[Answer]:
    """Ask a function for the labels of a batch; UserError names the sample at which it raises."""
    try:
        answer = function(samples)
    except UserError:
        raise
    except Exception as e:  # what comes from anywhere may fail in any way
        if len(ids) > 1:  # the first that fails alone is named
            answers = [
                call_labeller(function, [one], [s], classes, name)[0]
                for one, s in zip(samples, ids)
            ]
            where = f"the batch of {len(ids)} from sample {ids[0]}, though not on any of them alone"
            assert len(answers) == len(ids)
        else:
            where = f"sample {ids[0]}"
        about = isolated.describe_error(e)
        raise UserError(
            f"expected {name} to label samples, found {about['error']} on {where}", about["hint"]
        ) from None
    return read_answers(answer, ids, classes, name)


# ---- a function in a process of its own


def label_apart(
    bench: Bench, name: str, ids: list[str], patience: float, progress: Progress | None = None
) -> dict[str, Answer | None]:
    """Label samples by a function `package.module:function` in a process of its own.

    UserError names the sample at which it crashes, or makes no step for `patience` seconds.
    """
    try:
        return ask_apart(bench, name, ids, patience, progress)
    except LabellerLost as lost:
        where = find_fatal(bench, name, lost.samples, patience)
        raise UserError(
            f"expected {name} to label samples, found that its process {lost} {where}",
            "mend it, or give it more time: --patience; nothing was stored",
        ) from None


def find_fatal(bench: Bench, name: str, ids: list[str], patience: float) -> str:
    """Find the sample of a batch at which a function's process is lost; say where, in words."""
    if not ids:
        return "before its first sample"
    for sample in ids if len(ids) > 1 else ():
        try:
            ask_apart(bench, name, [sample], patience)
        except LabellerLost:
            return f"on sample {sample}"
    if len(ids) == 1:
        return f"on sample {ids[0]}"
    return f"on the batch of {len(ids)} from sample {ids[0]}, though not on any of them alone"


class LabellerLost(Exception):
    """A function's process was lost; `samples` is the batch that it had."""

    def __init__(self, problem: str, samples: list[str]) -> None:
        super().__init__(problem)
        self.samples = samples


def ask_apart(
    bench: Bench, name: str, ids: list[str], patience: float, progress: Progress | None = None
) -> dict[str, Answer | None]:
    """Ask a new process for labels; LabellerLost where it is lost."""
    batch: list[str] = []

    def hear(step: list | None = None, batch_of: list | None = None, **other: Any) -> None:
        nonlocal batch
        batch = batch_of or batch
        if step and progress:
            progress(*step)

    worker = isolated.start_worker(bench)
    try:
        asked = dict(name=name, ids=ids)
        found = isolated.ask_worker(worker, label_in_child, asked, patience, hear)
    except processes.ChildLost as e:
        raise LabellerLost(str(e), batch) from None
    finally:
        worker.close()
    return {sample: answer and tuple(answer) for sample, answer in found}


def label_in_child(bench: Bench, tell: Callable, name: str, ids: list[str]) -> list:
    """Label in the child process of `ask_apart`."""
    function, classes = load_labeller(name), list_classes(bench)

    def step(*done: int) -> None:
        tell(step=done)

    def announce(batch: list[str]) -> None:
        tell(batch_of=batch)

    return list(label_here(bench, function, name, ids, classes, step, announce))


def load_labeller(name: str) -> Labeller:
    """Import a labeller by its name, "package.module:function"."""
    try:
        module, function = name.split(":")
        found = getattr(importlib.import_module(module), function)
    except (ValueError, ImportError, AttributeError) as e:
        raise UserError(
            f"expected a labeller, package.module:function, found {name!r} ({e})",
            "is the module on PYTHONPATH?",
        ) from None
    if not callable(found):
        raise UserError(f"expected a function at {name}, found {type(found).__name__}", HINT)
    return found
