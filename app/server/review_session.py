"""Hold what the reviewers of one bench share while they work.

The queue in memory, decisions stored before they are answered, and the live effect.
"""

from __future__ import annotations

import re
import threading
import time
import traceback
from collections.abc import Collection, Iterator
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from assay.app.server import live_effect
from assay.app.server.chosen_queues import ChosenQueues
from assay.app.server.decisions import GridChoices, find_fault, to_cells
from assay.app.server.judged_state import Judged, judge_all, judge_excerpt, reach_others
from assay.app.server.review_rows import QueueEvidence, describe_row, find_row
from assay.app.server.row_evidence import RowEvidence
from assay.app.server.thumbnails import Thumbnails
from assay.curation import text
from assay.curation.errors import UserError
from assay.curation.features import neighbor_graph
from assay.curation.features.scan_settings import is_scanned
from assay.curation.label_quality.live import LiveScores
from assay.curation.label_quality.score_files import LabelScores
from assay.curation.label_quality.scoring import without_locked
from assay.curation.maintenance.garbage import ended_sessions
from assay.curation.media.rows import read_column_kinds
from assay.curation.review import progress
from assay.curation.review.live_excerpt import LiveExcerpt, is_sampled
from assay.curation.review.next_gain import foresee_gain
from assay.curation.review.next_hundred import expect_next, fit_rates
from assay.curation.storage.interface import Bench
from assay.curation.storage.top_probs import drop_classes
from assay.curation.tasks.base import task_of
from assay.curation.versioning import incoming, own_acts
from assay.curation.versioning.class_list import list_choices
from assay.curation.versioning.state_building import is_large
from assay.curation.versioning.version_names import names_at

if TYPE_CHECKING:
    import pandas as pd

    from assay.curation.label_quality.live import LiveProbe, ScoredState

AHEAD = 400  # doubted labels that are held ready
BATCH = 40  # queue rows that go to a browser at once
# seconds that a row is kept for the browser that it went to: two people do not judge the same one unasked
HELD_FOR = 600
BETWEEN = 30  # seconds between two looks for what people contradict each other about: it takes the whole log
CALM = 2  # seconds without a decision after which the scores are written down, and the log asked for others' edits
LONGEST_PAUSE = 30  # seconds until what failed is tried again, unless a decision comes
ANSWERS = {"label", "verdict", "keep"}  # fields of a decision that answer what Review asks
BACK = object()  # says that a batch is to be taken back
SESSION = re.compile(r"[0-9a-f]{16}")


class ReviewSession:
    """One bench as the server holds it.

    Reads come from memory; a decision is in the log before it is answered; one thread re-scores, for the newest state,
    however many decisions came meanwhile.
    """

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self.thumbnails, self.choices = Thumbnails(bench), GridChoices()
        self.queues = ChosenQueues()
        self.scorer: tuple | None = None  # of texts, and the probe that it asks: see speaking_words
        # as of the log position `seq`: see rescore
        self.seq, self.state, self.rows, self.scored = -1, None, [], None
        self.lock = threading.RLock()
        self.scores, self.excerpt = LiveScores(bench), LiveExcerpt(bench)
        self.turn = threading.Lock()  # one thread at a time brings all this to the end of the log
        self.asked = -BETWEEN
        self.done: set[str] = set()  # samples whose decision is stored, and not yet in the state
        self.samples: dict[str, set[str]] = {}  # of each batch
        self.holders: dict[str, tuple[str, float]] = {}  # who holds a row, and until when
        self.woken, self.thread, self.stopped = threading.Condition(), None, False
        self.former: dict[str, str] = {}  # names that renames gave up
        self.newest, self.error = 0, None  # the log is known to reach this; why re-scoring failed

    # ---- the queue

    def rescore(self) -> None:
        """Bring state, scores and queue up to date.

        The scores are not written down: `write_scores` does so when nobody is deciding.
        """
        with self.turn:
            between = None if time.monotonic() - self.asked > BETWEEN else self.between
            if is_sampled(self.bench):
                held = self.excerpt.refresh()
                judged = judge_excerpt(self.bench, held, between, self.seq, AHEAD)
            else:
                judged = judge_all(self.bench, self.scores, between, self.seq, AHEAD)
            if judged is None:
                return
            if between is None:
                self.between, self.asked = judged.between, time.monotonic()
            self.show(judged)

    def show(self, judged: Judged) -> None:
        """Show what was judged: the queue, its evidence, and what the figures are made of."""
        scored, near = judged.scored, judged.near
        seq, state, found = scored.upto, scored.state, scored.found
        answers = drop_classes(scored.probs, scored.few)
        part = without_locked(state[["split"]])
        contested = set(judged.between["sample"])
        doubted = found.flagged.copy()
        doubted[found.index.intersection(list(contested))] = True
        unscored = {s for s in contested if s not in found.index}
        task = task_of(self.bench)
        predicted = live_effect.predict_val(part, scored.classes, answers, task)
        reviewed = progress.summarize_reviews(self.bench, state, judged.population)
        rates = fit_rates(self.bench, scored)
        live = rates and judged.find_live()
        flags = rates and progress.measure_flags(self.judge_looks(state, scored, part))
        gain = foresee_gain(self.bench, scored, rates, live, judged.drawn)
        coming = live_effect.Coming(flags, expect_next(scored, rates), gain)
        names = names_at(self.bench, seq)
        former = names.former_of(judged.every)
        with self.lock:
            self.seq, self.state, self.scored, self.judged = seq, state, scored, judged
            self.at_hand, self.task = predicted, task
            self.rows, self.reviewed = judged.rows.to_dict("records"), reviewed
            self.coming, self.doubted, self.unscored = coming, doubted, unscored
            self.shown = self.open_evidence(near, scored, part.index)
            self.done = {s for s in self.done if not state.reviewed.get(s, True)}
            self.classes = list_choices(self.bench, judged.labels, seq)
            self.former = former

    @property
    def whole(self) -> ScoredState | None:
        """The state of all samples, scored; None where not all are at hand, or nothing is yet."""
        with self.lock:
            return self.scored if self.seq >= 0 and self.judged.excerpt is None else None

    @property
    def predicted(self) -> dict[str, str]:
        """What the model says of val: {sample: label}, of all or of a sample of each class."""
        drawn = self.judged.drawn
        return (
            self.at_hand
            if drawn is None
            else {s: self.at_hand[s] for s in drawn if s in self.at_hand}
        )

    def open_evidence(
        self, near: pd.DataFrame, scored: ScoredState, samples: pd.Index
    ) -> QueueEvidence:
        """Open what rows of a queue are described from.

        near: a state with their neighbours. samples: whose probabilities `scored` has.
        """
        graph, node = neighbor_graph.load_nodes(self.bench, near)
        usable = neighbor_graph.labelled_rows(near)  # never a test sample as evidence
        evidence = neighbor_graph.rows_on_nodes(graph, node, usable)
        read = self.thumbnails.read_text if self.thumbnails.media.column else None
        rows = self.open_rows(near)
        return QueueEvidence(
            self.bench, near, self.rows, scored, samples, graph, node, evidence, read, rows
        )

    def open_rows(self, state: pd.DataFrame) -> RowEvidence | None:
        """Open what says how usual a row is in its class; None where samples are no rows."""
        if not read_column_kinds(self.bench):
            return None
        drawn = self.judged.drawn
        among = None if drawn is None else self.state.loc[drawn]
        return RowEvidence(self.bench, state, self.thumbnails.read_text, among)

    def reach(self, samples: list[str]) -> QueueEvidence:
        """Open what describes some samples, wherever they are in the queue, or not."""
        excerpt = self.judged.excerpt
        if excerpt is None or all(s in self.shown.state.index for s in samples):
            return self.shown
        return self.open_evidence(*reach_others(self.bench, excerpt, self.scored, samples))

    def list_rows(self, queue: str) -> Iterator[tuple[QueueEvidence, dict]]:
        """List the rows of one of `queues`, or of all doubted labels, and what describes each."""
        if not queue:
            yield from ((self.shown, row) for row in self.rows)
            return
        for some in self.queues.parts(queue, 0 if self.judged.excerpt is None else BATCH):
            shown = self.reach(some)
            yield from ((shown, row) for row in self.queues.rows(queue, shown, some))

    def judge_looks(
        self, state: pd.DataFrame, scored: ScoredState, part: pd.DataFrame
    ) -> pd.DataFrame | None:
        """Say which looks at random were at flagged labels: see judge_stratum."""
        ids = np.asarray(part.index, "S32")
        kept = LabelScores(scored.upto, ids, scored.classes, scored.probs, scored.few, None)
        return progress.judge_stratum(self.bench, state, kept)

    def write_scores(self) -> bool:
        """Write the scores down for others; False where nothing is new, or not all are at hand."""
        with self.turn:
            return self.scores.write()

    def load_probe(self) -> LiveProbe | None:
        """Have the probe at hand; None where only a scan can tell. Within `turn`."""
        return self.judged.find_live()

    def next_rows(
        self, session: str, skip: Collection[str] = (), n: int = BATCH, queue: str = ""
    ) -> list[dict]:
        """Give the next n rows of the queue to a browser.

        Those that are not decided, not in `skip`, and not with another browser. skip: the samples that this browser,
        which names itself `session`, holds already. queue: the name of one of `queues`, or the queue of all.
        """
        skip, out, now = set(skip) | self.done, [], time.monotonic()
        with self.lock:
            for shown, row in self.list_rows(queue):
                holder, until = self.holders.get(row["sample"], (session, 0))
                if row["sample"] not in skip and (holder == session or until < now):
                    self.holders[row["sample"]] = session, now + HELD_FOR
                    out.append(describe_row(shown, row))
                if len(out) == n:
                    break
        return out

    def take_sample(self, session: str, sample: str) -> dict:
        """Give a browser one train or val sample to review.

        It is the one asked for, as a row of the queue.
        """
        with self.lock:
            shown = self.reach([sample])
            row = find_row(shown, sample)
            self.holders[sample] = session, time.monotonic() + HELD_FOR
            return describe_row(shown, row)

    # ---- decisions

    def store_decisions(self, sent: list[dict], who: str) -> dict:
        """Store what a browser sends, in order.

        Returns when all of it is durable: {seq, refused {batch: why}}. sent: dicts batch, and decision (a row as
        Bench.edit takes it, or a list of such: one batch), or neither: take the batch back; or one decision on a
        grid, see GridChoices.expand.
        """
        out = self.append_decisions(sent, who)
        self.request_rescore(out["seq"])
        return out

    def append_decisions(self, sent: list[dict], who: str) -> dict:
        """Store as `store_decisions` does; re-scoring is the caller's to ask for."""
        if not who:
            raise UserError("expected to know who decides, found nobody", "say your name")
        text.check_text(who, "a name")
        rows, refused = [], {}
        for one in map(self.choices.expand, sent):
            batch, asked = one["batch"], one.get("decision", BACK)
            decisions = asked if isinstance(asked, list) else [asked]
            faults = ["no decision"] if not decisions else map(find_fault, decisions)
            if asked is BACK:
                rows.append((batch, None))
            elif why := next(filter(None, faults), None):
                refused[batch] = f"expected decisions on samples, found {why}"
            else:
                rows.append((batch, [to_cells(decision) for decision in decisions]))
        out = incoming.receive_batches(self.bench, rows, who)
        out["refused"] |= refused
        for batch, decisions in rows:
            if batch not in out["refused"] and decisions:
                # a tag or a split answers no question: the sample stays in the queue
                self.samples[batch] = {d["sample"] for d in decisions if not ANSWERS.isdisjoint(d)}
                self.done |= self.samples[batch]
                self.queues.mark(self.samples[batch], True)
            elif batch not in out["refused"]:
                self.done -= self.samples.get(batch, set())
                self.queues.mark(self.samples.get(batch, ()), False)
        return out

    def undo_own(self, who: str, redo: bool, name: str | None) -> dict:
        """Undo or redo somebody's last act, wherever they made it.

        The scores follow. See own_acts.undo_own.
        """
        out = own_acts.undo_own(self.bench, who, redo, name)
        for batch in out["undone"]:
            some = self.samples.get(batch, set())
            self.done = self.done | some if redo else self.done - some
            self.queues.mark(some, redo)
        if is_scanned(self.bench):
            self.request_rescore(out["seq"])
        return out

    # ---- the live effect: one at a time, for the newest state

    def keep_fresh(self) -> None:
        """See that what is shown is at most CALM seconds old."""
        if self.seq < 0:
            self.rescore()
        self.request_rescore()

    def request_rescore(self, seq: int = 0) -> None:
        """Ask the thread to re-score up to log position `seq`."""
        with self.woken:
            self.newest = max(self.newest, seq)
            if self.thread is None:
                self.thread = threading.Thread(target=self.keep_rescoring, daemon=True)
                self.thread.start()
            self.woken.notify_all()

    def close(self) -> None:
        """End the thread, between two re-scorings."""
        with self.woken:
            thread, self.stopped = self.thread, True
            self.woken.notify_all()
        if thread is not None:
            thread.join()

    def keep_rescoring(self) -> None:
        """Re-score for every decision, and write when nobody is deciding.

        The thread's work.
        """
        with self.turn, suppress(UserError):  # the first decision need not wait for it
            if not is_sampled(self.bench):
                self.scores.load_probe(self.bench.state())
            import_module("cleanlab.filter")
        pause = 1  # seconds after a failure: what only a scan mends is not tried over and over
        while not self.stopped:
            with self.woken:
                came = self.woken.wait_for(lambda: self.stopped or self.seq < self.newest, CALM)
            if self.stopped:
                return
            start = time.monotonic()
            try:
                if came or not self.write_scores():
                    self.rescore()
                self.error, pause = None, 1
            except Exception as e:  # said to whoever asks; the decisions are stored
                if str(e) != self.error:
                    traceback.print_exc()
                self.error, tried = str(e), self.newest
                with self.woken:
                    self.woken.wait_for(lambda: self.stopped or self.newest > tried, pause)  # noqa: B023
                pause = min(2 * pause, LONGEST_PAUSE)
            with self.woken:
                self.woken.notify_all()
            time.sleep(min(0.2, time.monotonic() - start) / 4)  # decisions come first

    def live_effect(self, session: str, after: int = 0, patience: float = 5) -> dict:
        """Say what the decisions up to the log position `after` did.

        They are waited for, `patience` seconds at most. See live_effect.measure_effect.
        """
        until = time.monotonic() + patience
        self.keep_fresh()
        with self.woken:
            while self.seq < after and self.error is None and time.monotonic() < until:
                self.woken.wait(0.5)
        with self.lock:
            left = sum(row["sample"] not in self.done for row in self.rows)
            doubted = self.count_doubted()
            baseline = self.session_baseline(session)
            baseline = live_effect.rename_baseline(baseline, self.former)
            effect = live_effect.measure_effect(self.state, self.at_hand, baseline, self.judged.val)
            now = dict(seq=self.seq, error=self.error, left=left, doubted=doubted)
            excerpt = self.judged.excerpt
            now |= dict(exact=self.task.several, rests_on=excerpt.describe() if excerpt else "")
            return now | effect | live_effect.describe_reviews(self.reviewed, self.coming)

    def count_doubted(self) -> int:
        """Count the doubted labels that nobody has decided about."""
        decided = sum(bool(self.doubted.get(sample)) for sample in self.done)
        found = int(self.doubted.sum()) + self.judged.elsewhere
        return found - decided + len(self.unscored - self.done)

    def session_baseline(self, session: str) -> dict:
        """Read what the model predicted when a browser's session began.

        See load_baseline.
        """
        if not SESSION.fullmatch(session):
            raise UserError("expected a session of 16 hex digits, found another", "reload the page")
        file = self.bench.arrays / "sessions" / f"{session}.npz"
        if not file.exists():
            for old in ended_sessions(self.bench):
                old.unlink(missing_ok=True)
        return live_effect.load_baseline(file, self.state, self.at_hand, self.judged.val)

    def thumbnail(self, sample: str, side: int) -> bytes | None:
        """Give a JPEG of a sample's image; None where there is none.

        Its longer side is at most `side`.
        """
        row = self.find_row(sample)
        return None if row is None else self.thumbnails.load(row, side)

    def read_text(self, sample: str) -> str | None:
        """Read a sample's whole text; None where there is none."""
        row = self.find_row(sample)
        if row is None or not self.thumbnails.media.has_words:
            return None
        return self.thumbnails.read_text(row.content_hash)

    def find_row(self, sample: str) -> pd.Series | None:
        """Find a sample's row in the newest state that is at hand, or None."""
        if is_large(self.bench) or is_sampled(self.bench):
            shown = self.shown.state if self.seq >= 0 else None
            here = shown is not None and sample in shown.index
            found = shown.loc[[sample]] if here else self.bench.state(samples=[sample])
            return found.iloc[0] if len(found) else None
        state = self.state  # bringing it up to date takes time, and a picture must come at once
        if state is None:
            state = next(reversed(self.bench.states.values()), None)
        if state is None or sample not in state.index:
            state = self.bench.state()
        return state.loc[sample] if sample in state.index else None


def open_session(path: str | Path) -> ReviewSession:
    """Give the review session of the bench in `path`: one a process."""
    from assay import curation

    path = str(Path(path).absolute())
    if path not in SESSIONS:
        SESSIONS[path] = ReviewSession(curation.open(path))
    return SESSIONS[path]


SESSIONS: dict[str, ReviewSession] = {}
