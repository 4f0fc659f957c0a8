"""Carry out acts of the page Classes, each as one batch.

Each names what undoes it.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from assay.app.server.class_effect import measure_change
from assay.curation.errors import UserError
from assay.curation.features.scan_settings import is_scanned
from assay.curation.review.splitting import plan_split
from assay.curation.splits import LOCKED
from assay.curation.storage.schema import new_batch
from assay.curation.tasks.base import task_of
from assay.curation.text import check_text, format_count
from assay.curation.versioning.changes import undo_batch
from assay.curation.versioning.class_changes import add_class, edit_class, rename_class
from assay.curation.versioning.class_entries import MOST_EXEMPLARS, find_standing_exemplars
from assay.curation.versioning.class_list import list_entries
from assay.curation.versioning.class_order import move_class
from assay.curation.versioning.version_names import names_at

if TYPE_CHECKING:
    from assay.app.server.class_view import ClassView

PATIENCE = 3  # seconds that a merge waits for the scores of the labels before it
REMEMBERED = 64  # acts whose effect may still be asked for


class ClassActs:
    """The acts of one bench's class list."""

    def __init__(self, view: ClassView) -> None:
        self.view, self.bench, self.session = view, view.bench, view.session
        self.before: dict[str, tuple[dict, dict, int]] = {}  # of an act: predictions, same, seq

    def act(self, asked: dict, who: str) -> dict[str, Any]:
        """Carry out an act, and say what it did.

        Returns {batch, words, seq, effect (whether it may be asked for)}.
        """
        if not who:
            raise UserError("expected to know who decides, found nobody", "say your name")
        check_text(who, "a name")
        act = ACTS.get(asked.get("what", ""))
        if act is None:
            raise UserError(f"expected one of {', '.join(ACTS)}, found another act", "reload")
        found = act(self, asked, who)
        seq = self.view.position()
        if is_scanned(self.bench):
            self.session.request_rescore(seq)
        return dict(batch=None, words="", effect=False) | found | dict(seq=seq)

    def plan(self, asked: dict) -> dict[str, Any]:
        """Say in words what a rename or a split would change.

        Returns {words, merges}.
        """
        if "samples" in asked:
            plan = plan_split(
                self.bench, text(asked, "name"), text(asked, "into"), samples(asked, "samples")
            )
            new = "the new class" if plan.added else "the class"
            words = (
                f"{plan.name}: {format_count(len(plan.samples), 'sample', 'goes', 'go')} to {new} "
                f"{plan.into} ({count_splits(plan.splits)}); {plan.stay:,} stay"
            )
            return dict(words=f"{words}. They count as reviewed by you.", merges=False)
        old, new = text(asked, "name"), text(asked, "new")
        out = rename_class(self.bench, old, new, "nobody", dry=True)
        counts = {s: n for s, n in out["splits"].items() if s not in LOCKED}
        number = format_count(sum(counts.values()), "sample")
        if out["merged"]:
            had = sum(n for s, n in out["had"].items() if s not in LOCKED)
            words = f"{number} ({count_splits(counts)}) to be merged into the {had:,} of {new}"
        else:
            words = f"{number} ({count_splits(counts)}) to be called {new}"
        alike = f" {', '.join(out['alike'])} looks the same." if out["alike"] else ""
        words += f".{alike} Test and guard follow, uncounted; no review, no run is trained again."
        return dict(words=words, merges=out["merged"])

    # ---- the acts

    def rename(self, asked: dict, who: str) -> dict[str, Any]:
        old, new = text(asked, "name"), text(asked, "new")
        before = self.wait_for_predictions()
        out = rename_class(self.bench, old, new, who, rescore=False)
        n = format_count(sum(v for s, v in out["splits"].items() if s not in LOCKED), "sample")
        if not out["merged"]:
            return dict(batch=out["batch"], words=f"{old} is called {new} now: {n}")
        effect = self.remember(out["batch"], before, {old: new})
        return dict(batch=out["batch"], words=f"{old} is merged into {new}: {n}", effect=effect)

    def add(self, asked: dict, who: str) -> dict[str, Any]:
        name = text(asked, "name").strip()
        out = add_class(self.bench, name, who)
        near = [*out["alike"], *out["near"]]
        also = f"; there is {', '.join(near)}: was that meant?" if near else ""
        return dict(batch=out["batch"], words=f"{name} is added{also}")

    def edit(self, asked: dict, who: str) -> dict[str, Any]:
        name = text(asked, "name")
        about = {f: text(asked, f) for f in ("colour", "key", "guideline", "parent") if f in asked}
        if "exemplars" in asked:
            about["exemplars"] = " ".join(samples(asked, "exemplars"))
        out = edit_class(self.bench, name, who, **about)
        said = ", ".join(f"{f} {out[f]}" if f == "key" and out[f] else f for f in about)
        return dict(batch=out["batch"], words=f"{name}: {said} stored")

    def exemplar(self, asked: dict, who: str) -> dict[str, Any]:
        """Make samples exemplars of the class that they have.

        The newest come first.
        """
        state, ids, task = self.bench.state(), samples(asked, "samples"), task_of(self.bench)
        rows = state.reindex(ids)
        fit = rows.keep.eq(True) & rows.label.notna() & ~rows["split"].isin(LOCKED)
        labels = [set(task.members(label)) for label in rows.label[fit].unique()]
        classes = sorted(set.intersection(*labels)) if labels else []  # that all of them have
        if len(classes) != 1:
            held = format_count(len(classes) or len(set.union(*labels)), "class") if labels else ""
            found = f"samples of {held}" if labels else "none"
            raise UserError(
                f"expected samples of one class outside test and guard, found {found}",
                "select pictures of one class",
            )
        name = classes[0]
        entry = list_entries(names_at(self.bench)).get(name, {})
        kept = find_standing_exemplars(state, name, entry.get("exemplars"), task)
        chosen = list(dict.fromkeys([*rows.index[fit], *kept]))[:MOST_EXEMPLARS]
        out = edit_class(self.bench, name, who, exemplars=" ".join(chosen))
        words = f"{name} has {format_count(len(chosen), 'exemplar')} that somebody chose"
        return dict(batch=out["batch"], words=words)

    def move(self, asked: dict, who: str) -> dict[str, Any]:
        name = text(asked, "name")
        before = text(asked, "before") if asked.get("before") is not None else None
        out = move_class(self.bench, name, who, before)
        return dict(batch=out["batch"], words=f"{name} is number {out['place']:,} of {out['of']:,}")

    def split(self, asked: dict, who: str) -> dict[str, Any]:
        name, into = text(asked, "name"), text(asked, "into").strip()
        plan = plan_split(self.bench, name, into, samples(asked, "samples"))
        before = self.wait_for_predictions()
        batch = new_batch("edit")
        about = dict(new_class=True, reason=f"split {name}")
        rows = [row | about for row in plan.list_decisions(self.bench)]
        out = self.session.append_decisions([dict(batch=batch, decision=rows)], who)
        if why := out["refused"].get(batch):
            raise UserError(why, "nothing was stored")
        effect = self.remember(batch, before, {into: name})
        went = format_count(len(rows), "sample", "is", "are")
        words = f"{name}: {went} {into} now; {plan.stay:,} stay"
        return dict(batch=batch, words=words, effect=effect)

    def undo(self, asked: dict, who: str) -> dict[str, Any]:
        batch = text(asked, "batch")
        if batch in self.session.samples:  # Review's queue passes over its samples
            out = self.session.append_decisions([dict(batch=batch)], who)
            if why := out["refused"].get(batch):
                raise UserError(why, "History shows what came since")
            return dict(words="taken back")
        out = undo_batch(self.bench, batch, who, rescore=False)
        if not out["batch"]:
            raise UserError(
                "expected a change that could be taken back, found that others changed it since",
                "History shows it",
            )
        return dict(batch=out["batch"], words="taken back")

    # ---- what it did to accuracy

    def wait_for_predictions(self) -> dict | None:
        """Wait for the predictions by the present labels.

        None where they are not there in time.
        """
        if not is_scanned(self.bench):
            return None
        end = time.monotonic() + PATIENCE
        self.session.request_rescore(self.view.position())
        while not self.view.is_fresh() and time.monotonic() < end:
            time.sleep(0.05)
        with self.session.lock:
            return dict(self.session.predicted) if self.view.is_fresh() else None

    def remember(self, batch: str, before: dict | None, same: dict[str, str]) -> bool:
        """Remember what was predicted before an act.

        False where that is not known.
        """
        if before is None:
            return False
        while len(self.before) >= REMEMBERED:
            self.before.pop(next(iter(self.before)))
        self.before[batch] = before, same, self.view.position()
        return True

    def effect(self, batch: str, patience: float = 5) -> dict[str, Any]:
        """Say what an act did to accuracy.

        Waits for it, up to `patience` seconds. Returns {ready, words}.
        """
        if batch not in self.before:
            return dict(ready=True, words="What it did to accuracy is not known.")
        before, same, seq = self.before[batch]
        end = time.monotonic() + patience
        while self.session.seq < seq and self.session.error is None and time.monotonic() < end:
            time.sleep(0.1)
        if self.session.error is not None and self.session.seq < seq:
            return dict(ready=True, words=f"Not measured: {self.session.error}.")
        if self.session.seq < seq:
            return dict(ready=False, words="Measuring what it did to accuracy …")
        with self.session.lock:
            found = measure_change(
                self.session.state, before, self.session.predicted, same, task_of(self.bench)
            )
        return dict(ready=True, words=describe_effect(found)) | found


def describe_effect(found: dict[str, Any]) -> str:
    """Describe the change of accuracy that measure_change found.

    A gain whose interval holds 0 is not shown.
    """
    if not found["n"]:
        return "Accuracy: not shown, there are no validation labels."
    on = f"on {format_count(found['n'], 'validation label')}, both judged by the coarser classes"
    if not found["measurable"]:
        return f"Accuracy: no change that could be told from 0, {on}."
    gain, low, high = (f"{100 * x:+.1f}".replace("-", "−") for x in found["gain"])
    return f"Accuracy: {gain} points [{low}, {high}] {on}."


def count_splits(counts: dict[str, int]) -> str:
    """Write how many samples each split has."""
    return ", ".join(f"{n:,} {split}" for split, n in counts.items()) or "none outside test"


def text(asked: dict, name: str) -> str:
    """Read a text that a page sent."""
    found = asked.get(name)
    if not isinstance(found, str):
        raise UserError(f"expected text as {name}, found another value", "reload the page")
    return found


def samples(asked: dict, name: str) -> list[str]:
    """Read ids of samples that a page sent."""
    found = asked.get(name)
    if not isinstance(found, list) or not all(isinstance(s, str) for s in found):
        raise UserError("expected ids of samples, found another value", "reload the page")
    return found


ACTS: dict[str, Callable[[ClassActs, dict, str], dict[str, Any]]] = dict(
    rename=ClassActs.rename,
    add=ClassActs.add,
    edit=ClassActs.edit,
    exemplar=ClassActs.exemplar,
    move=ClassActs.move,
    split=ClassActs.split,
    undo=ClassActs.undo,
)
