"""The desk: what the reviewers of one bench share while they work: the queue in memory, decisions stored before they are answered, the live effect."""

import json
import re
import threading
import time
import traceback
from contextlib import suppress
from importlib import import_module
from pathlib import Path

import numpy as np

from assay.app.server.thumbnails import Pictures
from assay.curation import text
from assay.curation.errors import UserError
from assay.curation.features import neighbor_graph
from assay.curation.issues import disagreements
from assay.curation.label_quality import live, scoring
from assay.curation.maintenance.garbage import sessions_ended
from assay.curation.review import progress as review_progress
from assay.curation.review import queue, rates
from assay.curation.statistics import sequential
from assay.curation.storage.arrays import load, save, written
from assay.curation.versioning import incoming, versions

AHEAD = 400  # suspects that are held ready
BATCH = 40  # items that go to a browser at once
MINE = 600  # seconds that an item is kept for the browser that it went to: two people do not judge the same one unasked
NEAR = 6  # neighbours shown as evidence
BETWEEN = 30  # seconds between two looks for what people contradict each other about: it takes the whole log
CHOICES, CHOSEN = (
    64,
    2_000_000,
)  # grids whose samples are remembered, the last ones, and how many samples that may be
CALM = 2  # seconds without a decision after which the opinion is written down, and the log asked for others' edits
BACK = object()  # says that a batch is to be taken back
SESSION = re.compile(r"[0-9a-f]{16}")
FIELDS = dict.fromkeys(
    "sample label verdict tag split given_label suggested_label reason".split(), str
)  # of a decision, and their types
FIELDS |= dict(keep=bool, random=bool, score=(int, float), rank=(int, float), seconds=(int, float))


class Desk:
    """One bench as the server holds it. Reads come from memory; a decision is in the log before it is answered; one thread re-scores, for the
    newest state, however many decisions came meanwhile."""

    def __init__(self, bench, share=0.05):
        self.bench, self.share = bench, share
        self.lock, self.woken = threading.RLock(), threading.Condition()
        self.rows, self.done, self.seq, self.error, self.state = [], set(), -1, None, None
        self.turn = threading.Lock()  # one brings all this to the end of the log at a time
        self.held = self.found = (
            None  # the probe that stands, once it is asked, and what it says that is not written down
        )
        self.made = None  # which writing of the probe was read
        self.asked = -BETWEEN
        self.choices = {}  # what the grids of open pages show
        self.samples, self.holders = (
            {},
            {},
        )  # the samples of each batch; who holds an item, and until when
        self.pictures = Pictures(bench)
        self.thread, self.stopped, self.newest = None, False, 0

    # ---- the queue

    def refresh(self):
        """Bring what is held to the end of the log: the state, what the model now makes of every label, the queue. What it makes is not written
        down: `publish` does so when nobody is deciding."""
        with self.turn:
            seq, state = versions.newest(self.bench)
            if seq == self.seq:
                return
            found, probs, classes, few = self.judged(seq, state)
            graph, at = neighbor_graph.nodes(self.bench, state)
            if time.monotonic() - self.asked > BETWEEN:
                self.between, self.asked = disagreements.of_people(self.bench), time.monotonic()
            rows = queue.lined_up(
                self.bench, state, found, self.between, AHEAD, round(AHEAD * self.share)
            )
            shown = (
                state.keep & state.split.isin(("train", "val")) & state.label.notna()
            ).to_numpy()  # never a test sample as evidence
            first = np.full(len(graph["hashes"]), -1)
            first[at[shown][::-1]] = np.flatnonzero(shown)[::-1]
            said = verdicts(scoring.judged(state[["split"]]), classes, np.where(few, 0, probs))
            progress = review_progress.progress(self.bench, state)
            with self.lock:
                self.state, self.graph, self.at, self.first = state, graph, at, first
                self.said, self.progress = said, progress
                self.rows = rows.to_dict("records")
                self.done = {
                    s for s in self.done if not state.reviewed.get(s, True)
                }  # stored, and not yet in this state
                self.classes = sorted(set(state.label[shown]))
                self.found, self.probs, self.seq = self.held and found, probs, seq

    def judged(self, seq, state):
        """(what the standing probe makes of a state's labels, its probabilities, its classes, which of these are too few to judge): what is written
        down, if that is of this state, else by the probe, which is read anew where somebody wrote another."""
        if (
            self.held is None
            and (kept := load(self.bench.arrays / "opinion.npz"))
            and "rows" in kept
            and int(kept["upto"]) == seq
        ):
            return (
                live.told(state, kept),
                kept["pred_probs"],
                json.loads(str(kept["classes"])),
                kept["few"],
            )
        self.hold(state)
        judged = self.held and self.held.judge(state)
        if judged is None:
            live.brought(self.bench)  # fits one, or says that only a scan can
            self.held, self.made = (
                live.standing(self.bench, state),
                written(self.bench.arrays / "probe.npz"),
            )
            judged = self.held.judge(state)
        return *judged[:2], self.held.classes, self.held.probe.few()

    def hold(self, state):
        """Have the probe that stands for a state at hand, read anew where somebody wrote another."""
        made = written(self.bench.arrays / "probe.npz")
        if self.held is None or made != self.made or not self.held.same(state):
            self.held, self.made = live.standing(self.bench, state), made

    def publish(self):
        """Write down what the model makes of the labels, for everybody else who reads the bench; False where nothing is new."""
        with self.turn:
            if self.found is None or self.made != written(
                self.bench.arrays / "probe.npz"
            ):  # somebody wrote a newer one
                return False
            self.held.save(self.bench)
            live.publish(self.bench, self.seq, self.state, self.held, self.found, self.probs)
            self.made, self.found = written(self.bench.arrays / "probe.npz"), None
            return True

    def items(self, session, skip=(), n=BATCH):
        """The next n items that are neither decided, nor in `skip` (what this browser holds already), nor with another one."""
        skip, out, now = set(skip) | self.done, [], time.monotonic()
        with self.lock:
            for row in self.rows:
                holder, until = self.holders.get(row["sample"], (session, 0))
                if row["sample"] not in skip and (holder == session or until < now):
                    self.holders[row["sample"]] = session, now + MINE
                    out.append(self.item(row))
                if len(out) == n:
                    break
        return out

    def item(self, row):
        """One item as a browser shows it: a row of the queue, its picture, its nearest labelled neighbours."""
        sample = row["sample"]
        i = self.state.index.get_loc(sample)
        near = [self.first[j] for j in self.graph["neighbours"][self.at[i]] if j >= 0]
        near = [int(j) for j in near if j >= 0][:NEAR]
        ids, labels = self.state.index, self.state.label
        about = {
            k: plain(row.get(k))
            for k in (
                "sample",
                "given_label",
                "suggested_label",
                "score",
                "rank",
                "random",
                "reason",
            )
        }
        return about | dict(
            name=self.state.key.iloc[i],
            split=self.state["split"].iloc[i],
            width=int(self.state.width.iloc[i]),
            height=int(self.state.height.iloc[i]),
            near=[dict(sample=ids[j], label=labels.iloc[j]) for j in near],
        )

    # ---- decisions

    def receive(self, sent, who):
        """Store what a browser sends, in order: dicts batch, and decision (a row as `edit` takes it, or a list of such: one batch), or neither: take
        the batch back. Returns when all of it is durable: {seq, refused {batch: why}}."""
        if not who:
            raise UserError("expected to know who decides, found nobody", "say your name")
        text.check(who, "a name")
        rows, refused = [], {}
        for one in map(self.spread, sent):
            batch, asked = one["batch"], one.get("decision", BACK)
            decisions = asked if isinstance(asked, list) else [asked]
            if asked is BACK:
                rows.append((batch, None))
            elif (
                why := "no decision"
                if not decisions
                else next(filter(None, map(fault, decisions)), None)
            ):
                refused[batch] = f"expected decisions on samples, found {why}"
            else:
                rows.append(
                    (
                        batch,
                        [{k: spelled(v) for k, v in d.items() if v is not None} for d in decisions],
                    )
                )
        out = incoming.receive(self.bench, rows, who)
        out["refused"] |= refused
        for batch, decisions in rows:
            if batch not in out["refused"] and decisions:
                self.samples[batch] = {d["sample"] for d in decisions}
                self.done |= self.samples[batch]
            elif batch not in out["refused"]:
                self.done -= self.samples.get(batch, set())
        self.wake(out["seq"])
        return out

    def choose(self, of, chosen):
        """Remember what a page shows for one act on all of it: `of` names {sample: suggested label or None}."""
        with self.lock:
            self.choices.pop(of, None)
            self.choices[of] = chosen
            while (
                len(self.choices) > CHOICES
                or len(self.choices) > 1
                and sum(map(len, self.choices.values())) > CHOSEN
            ):
                self.choices.pop(next(iter(self.choices)))

    def spread(self, one):
        """What a browser sends for many samples at once as what it sends for each: dict batch, decision, of (as `choose` knows it), and either
        only (the samples that it is for) or but (those of `of` that it is not for); with suggested=True the label is the one suggested for each."""
        if "of" not in one:
            return one
        decision, named = one.get("decision"), one.get("only", one.get("but"))
        if (
            not isinstance(decision, dict)
            or not isinstance(named, list)
            or not all(isinstance(s, str) for s in named)
        ):
            raise UserError(
                "expected one decision and a list of samples, found another", "reload the page"
            )
        with self.lock:
            chosen = self.choices.get(str(one["of"]))
        if chosen is None or not set(named) <= set(chosen):
            raise UserError(
                "expected samples that this page was given, found others",
                "reload the page and pick again",
            )
        named, hint = set(named), decision.get("suggested") is True
        decision = {k: v for k, v in decision.items() if k != "suggested"}
        some = {s: label for s, label in chosen.items() if (s in named) == ("only" in one)}
        rows = [
            decision | dict(sample=s, suggested_label=label) | (dict(label=label) if hint else {})
            for s, label in some.items()
        ]
        return dict(batch=one.get("batch"), decision=rows)

    # ---- the live effect: one at a time, for the newest state

    def look(self):
        """Somebody looks: what they see is at most CALM seconds old."""
        if self.seq < 0:
            self.refresh()
        self.wake()

    def wake(self, seq=0):
        """The log is known to reach `seq`; what is held shall, too."""
        with self.woken:
            self.newest = max(self.newest, seq)
            if self.thread is None:
                self.thread = threading.Thread(target=self.work, daemon=True)
                self.thread.start()
            self.woken.notify_all()

    def close(self):
        """End the thread, between two re-scorings."""
        with self.woken:
            thread, self.stopped = self.thread, True
            self.woken.notify_all()
        if thread is not None:
            thread.join()

    def work(self):
        with self.turn, suppress(UserError):  # the first decision need not wait for it
            self.hold(self.bench.state())
            import_module("cleanlab.filter")
        while not self.stopped:
            with self.woken:
                came = self.woken.wait_for(lambda: self.stopped or self.seq < self.newest, CALM)
            if self.stopped:
                return
            start = time.monotonic()
            try:
                if came or not self.publish():
                    self.refresh()
                self.error = None
            except Exception as e:  # said to whoever asks; the decisions are stored
                traceback.print_exc()
                self.error = str(e)
                time.sleep(1)
            with self.woken:
                self.woken.notify_all()
            time.sleep(min(0.2, time.monotonic() - start) / 4)  # decisions come first

    def live(self, session, after=0, patience=5):
        """What the decisions up to the log position `after` did, waited for `patience` seconds: see effect; and the queue's order now."""
        until = time.monotonic() + patience
        self.look()
        with self.woken:
            while self.seq < after and self.error is None and time.monotonic() < until:
                self.woken.wait(0.5)
        with self.lock:
            now = dict(
                seq=self.seq,
                error=self.error,
                left=len([r for r in self.rows if r["sample"] not in self.done]),
            )
            return now | effect(self.state, self.said, self.began(session)) | stratum(self.progress)

    def began(self, session):
        """What the model made of the validation samples when a session began, and their labels then; kept on disk, so that a restart forgets nothing."""
        if not SESSION.fullmatch(session):
            raise UserError("expected a session of 16 hex digits, found another", "reload the page")
        file = self.bench.arrays / "sessions" / f"{session}.npz"
        kept = load(file)
        if kept is None:
            ids = sorted(self.said)
            labels = [self.state.label.get(s) or "" for s in ids]
            kept = dict(
                ids=np.array(ids, "S32"),
                said=np.array([self.said[s] for s in ids], "U"),
                labels=np.array(labels, "U"),
            )
            for old in sessions_ended(self.bench):
                old.unlink(missing_ok=True)
            save(file, **kept)
        return kept

    def picture(self, sample, side):
        """A JPEG of a sample's image, its longer side at most `side`; None where there is none."""
        state = self.state  # bringing it forward takes time, which a picture must not
        if state is None or sample not in state.index:
            state = self.bench.state()
        return self.pictures.of(state.loc[sample], side) if sample in state.index else None


def verdicts(part, classes, probs):
    """{val sample: class} that the standing model predicts, out of sample, from probs (n, k) of the rows of a state; classes that are too few are
    no answer."""
    val = np.flatnonzero(part.split == "val")
    return dict(zip(part.index[val], np.array(classes, object)[probs[val].argmax(1)]))


def effect(state, said, began):
    """The paired validation difference since a session began, both models judged by the labels as they are now: dict n, gain (estimate, low, high: they
    hold at all looks of the session together, see stats.live_gain), better and worse (answers that became right, and wrong), measurable (the interval
    excludes zero), ruler (validation labels corrected since, which is no gain)."""
    ids = began["ids"].astype(str)
    label, keep = (
        state.label.reindex(ids).to_numpy(object),
        state.keep.reindex(ids).eq(True).to_numpy(),
    )
    now = np.array([said.get(s, "") for s in ids], object)
    use = keep & np.array([bool(x) for x in label]) & (now != "")
    ruler = int(((label != began["labels"].astype(object)) & use).sum())
    n = int(use.sum())
    if not n:
        return dict(n=n, gain=None, better=0, worse=0, measurable=False, ruler=ruler)
    right, was = ((said_ == label)[use] for said_ in (now, began["said"].astype(object)))
    better, worse = int((right & ~was).sum()), int((was & ~right).sum())
    e = sequential.live_gain(better, worse, n)
    return dict(
        n=n,
        gain=[e.estimate, e.low, e.high],
        better=better,
        worse=worse,
        measurable=e.measurable,
        ruler=ruler,
    )


def stratum(progress):
    """What people's decisions say (see queue.progress), with the share wrong and the errors left in words (None before 30 looks)."""
    return progress | dict(
        share_words=progress["share"] and rates.random_rate(progress),
        left_words=rates.left_words(progress),
    )


def fault(decision):
    """Why this is no decision, in words, or None; what a field may say is for the log's own door to judge."""
    if not isinstance(decision, dict) or not isinstance(decision.get("sample"), str):
        return "one that names no sample"
    for field, value in decision.items():
        if field not in FIELDS:
            return f"a field that is none of {', '.join(FIELDS)}"
        if value is not None and not (
            isinstance(value, FIELDS[field]) and isinstance(value, bool) == (FIELDS[field] is bool)
        ):
            return f"another type of value for {field}"
    return None


def spelled(value):
    return json.dumps(value) if isinstance(value, bool) else str(value)


def plain(value):
    """A cell of a frame as JSON knows it."""
    import pandas as pd

    return None if pd.isna(value) else value.item() if hasattr(value, "item") else value


def desk_of(path):
    """The desk of the bench in `path`, one a process."""
    from assay import curation

    path = str(Path(path).absolute())
    if path not in DESKS:
        DESKS[path] = Desk(curation.open(path))
    return DESKS[path]


DESKS = {}
