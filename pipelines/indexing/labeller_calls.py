"""Call a labeller: in this process, or in one of its own, where it may crash or hang."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import suppress
from typing import Any

from assay.curation.errors import UserError
from assay.curation.media.base import read_texts
from assay.curation.media.files import BadMedia
from assay.curation.media.images import open_original
from assay.curation.media.originals import read_bytes
from assay.curation.media.rows import read_column_kinds, read_rows
from assay.curation.media.stored_traits import load_traits
from assay.curation.storage.interface import Bench, Progress
from assay.curation.system import processes
from assay.curation.versioning.class_list import list_classes
from assay.pipelines.indexing.label_answers import HINT, Answer, Labeller, read_answers
from assay.pipelines.jobs import isolated

BATCH = 32  # samples that a function gets at once


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
