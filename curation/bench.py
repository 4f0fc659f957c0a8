"""The bench as its users hold it: state, edit, undo, redo, commit, and what can be read from it."""

import re
import sys

from assay.curation import text
from assay.curation.errors import UserError
from assay.curation.storage import backup
from assay.curation.storage.schema import new_batch
from assay.curation.storage.store import Store
from assay.curation.system import permissions
from assay.curation.times import iso_time, now, stored
from assay.curation.versioning import counterfactuals, edits, expressions, undo, versions

NAME = re.compile(r"[\w.-]+")  # of a version
TAIL = 100_000  # edits that are read after what was written down: 10 ms


def open(path):  # noqa: A001 - `curation.open("my-bench")` is what users type
    """The bench in folder `path`. Raises UserError where there is none, or one that this code cannot read."""
    bench = Bench(path)
    bench.verify()
    if permissions.close(bench.path):
        print(
            f"note: {permissions.words(bench.path)}; an older Assay had left it open to others",
            file=sys.stderr,
        )
    return bench


def create(path, group=False):
    """The bench in folder `path`, made where there is none: for its owner alone, or for its `group`, too."""
    bench = Bench(path)
    if not bench.file.exists():
        bench.create(group)
    elif group:
        permissions.share(bench.path, group)
    return open(path)


class Bench(Store):
    def __repr__(self):
        return f"Bench({str(self.path)!r})"

    # ---- what is in it

    def state(self, version="HEAD"):
        """Every sample at `version`, a position in the log or an expression: see versions.state and expressions.counterfactual."""
        if not expressions.is_expression(version):
            return versions.state(self, version)
        end = versions.position(self, "HEAD")
        return versions.remembered(
            self, (str(version), end), lambda: counterfactuals.counterfactual(self, str(version))
        )

    def frame(self, version="HEAD", split=None):
        """The kept samples of a version, of one split or of all: what to train on elsewhere."""
        frame = self.state(version)
        return frame[frame.keep & ((frame.split == split) if split else True)]

    def dataset(self, version="HEAD", split="train", transform=None):
        """A torch Dataset of (uint8 image (h, w, 3) or transform(image), class index); `.classes` names the indices."""
        from assay.curation.formats.torch_dataset import TorchDataset

        return TorchDataset(self, self.frame(version, split), transform)

    def issues(self, kind=None, version="HEAD", threshold=None):
        """Issues as they stand: frame kind, sample, score, suggestion, why; worst first: see queue.issues."""
        from assay.curation.issues.listing import issues

        return issues(self, kind, version, threshold)

    def queue(self, n=200, random=0.05, version="HEAD", again=0.0, who=""):
        """What to look at next: see queue.queue."""
        from assay.curation.review.queue import queue

        return queue(self, n, random, version, again, who)

    def suspects(self, version="HEAD"):
        """Label issues of any version, by a probe fitted to it: frame sample -> label, suggestion; worst first."""
        from assay.curation.label_quality.live import suspects

        return suspects(self, version)

    def runs(self, split="val", version="HEAD"):
        """Every finished training as one table: see runs.frame."""
        from assay.curation.predictions.runs import frame

        return frame(self, split, version)

    def commits(self):
        """Frame name, upto, tree, parent, message, who, ts; oldest first."""
        return self.query("select * from commits order by upto, ts")

    def log(self):
        """Commits and the open work since, a row for each author: see history.log."""
        from assay.curation.versioning.history import log

        return log(self)

    def batches(self):
        """Batches and commits, oldest first: see history.batches."""
        from assay.curation.versioning.history import batches

        return batches(self)

    def diff(self, a, b="HEAD"):
        """What version `b` has that `a` has not: see history.diff."""
        from assay.curation.versioning.history import diff

        return diff(self, a, b)

    def blame(self, sample, version="HEAD"):
        """The life of one sample: see history.blame."""
        from assay.curation.versioning.history import blame

        return blame(self, sample, version)

    def reviewers(self, version="HEAD"):
        """Each person's count and speed, and how well two agree on what both saw: see votes.reviewers."""
        from assay.curation.review.reviewers import reviewers

        return reviewers(self, version)

    def status(self, version="HEAD"):
        """What is in the bench, what is flagged and what to do next, as a dict: see history.status."""
        from assay.curation.review.status import status

        return status(self, version)

    def rules(self, version="HEAD"):
        """Standing rules {name: value}, such as `test`: the hash, size and audit of the frozen test split."""
        import json

        upto = versions.position(self, expressions.root(version))
        found = self.rows(
            "select value ->> 'name', arg_max(value, seq) from edits where field = 'rule' and seq <= ? group by 1",
            [upto],
        )
        rules = {name: json.loads(value) for name, value in found}
        return {
            name: value for name, value in rules.items() if len(value) > 1
        }  # one that was undone has its name alone

    def rule(self, version="HEAD"):
        """How the standing label follows from several people's decisions: latest, or majority."""
        return self.rules(version).get("standing", {}).get("value") or "latest"

    # ---- what changes it

    def mend(self, con):
        """As Store.mend: what an older Assay left in the log that may not stand."""
        from assay.curation.maintenance.repair import mend

        return mend(self, con)

    def link(self, con, table, count):
        """As Store.link; after a large one, what stands is written down anew, so that reading it does not begin at the first edit."""
        super().link(con, table, count)
        if count > 1000 and int(self.told[0]) - versions.standing_upto(con)[0] > TAIL:
            versions.keep_standing(con)

    def edit(self, decisions, who, why="", new_classes=()):
        """Apply a frame of decisions as one batch: column sample, and label | keep | split | tag | verdict (confirm, unsure); else why,
        suggested_label, score, rank, random, reason, seconds; given_label, what a confirmation confirms. Returns {batch, edits, samples,
        confirmed, restated (confirmations of a label that somebody had changed meanwhile), unsure, rescored}. All or nothing: UserError names
        bad rows."""
        if not who:
            raise UserError("expected to know who decides, found nobody", "say --who NAME")
        text.check(why, "a reason", text.TEXT)
        batch = new_batch("edit")
        with (
            self.transaction() as con
        ):  # planned on what stands now, or a confirmation could overwrite somebody's relabelling
            samples = decisions["sample"] if "sample" in decisions else ()
            rows = edits.plan(
                versions.standing(con, samples),
                self.classes(con, decisions) | set(new_classes),
                decisions,
            )
            if why:
                rows["why"] = rows.why.where(rows.why != "", why)
            if len(rows):
                self.append(con, rows, batch, who)
        count = rows.verdict.value_counts()
        confirmed = (
            set(decisions["sample"][decisions["verdict"] == "confirm"])
            if "verdict" in decisions
            else ()
        )
        return dict(
            batch=batch if len(rows) else None,
            restated=int(
                (
                    (rows.field == "label")
                    & (rows.verdict == "set")
                    & rows["sample"].isin(confirmed)
                ).sum()
            ),
            edits=len(rows),
            samples=rows["sample"].nunique(),
            confirmed=int(count.get("confirm", 0)),
            unsure=int(count.get("unsure", 0)),
            rescored=self.rescore() if len(rows) else False,
        )

    def classes(self, con, decisions):
        """Every label that a sample of this bench has or had; asked of the log only for a label that is news."""
        if (
            not hasattr(self, "labels")
            or "label" in decisions
            and not set(map(str, decisions["label"])) <= self.labels
        ):
            found = con.execute(
                "select distinct value ->> '$' from (select distinct value from edits where field = 'label')"
            ).fetchall()
            self.labels = {label for (label,) in found if label is not None}
        return self.labels

    def undo(self, batch=None, who=""):
        """Put back what stood before `batch` (by default the last decision that stands), leaving alone what somebody edited since. Undo is an edit:
        undone itself, it is a redo. Returns {batch, undone, by, restored, left_alone, rescored}."""
        with self.transaction() as con:
            done, undone, authors = undo.stacks(con)
            names = (
                undo.choose(con, batch)
                if batch
                else [b for b in done if b.startswith("edit-")][::-1]
            )
            if not names:
                raise UserError(
                    "expected a batch to undo, found none",
                    "`assay log --batches` lists what was done",
                )
            for name in names:  # a batch of which somebody edited every value since is passed over
                kind, plan = (
                    ("redo", undo.redo_plan(con, name))
                    if name in undone
                    else ("undo", undo.plan(con, [name]))
                )
                if plan.popped.astype(bool).any():
                    break
            out = self.take_back(con, plan, kind, f"{kind} of {name}", who)
        return out | dict(
            undone=name, by=authors[name], rescored=self.rescore() if out["batch"] else False
        )

    def redo(self, who=""):
        """Undo the last undo or revert."""
        with self.connect() as con:
            undone = undo.stacks(con)[1]
        if not undone:
            raise UserError(
                "expected a batch to redo, found none", "`assay log --batches` lists what was done"
            )
        return self.undo(undone[-1], who)

    def revert(self, batch=None, of=None, since=None, who="", dry=False):
        """Take back one batch, or every decision of somebody (`of`), or since a time (a datetime with its zone, else in local time), or both,
        whatever came between; values that somebody else edited since are left alone. Returns (plan: see undo.plan, what happened: as undo).
        `dry`: only the plan."""
        start = since and stored(since)
        with self.connect() if dry else self.transaction() as con:
            names = undo.choose(con, batch, of, start)
            plan = undo.plan(con, names)
            word = f"revert of {batch or ' '.join(filter(None, [of, since and f'since {iso_time(start)}']))}"
            out = (
                dict(batch=None) if dry else self.take_back(con, plan, "undo", word, who, "revert")
            )
        return plan, out | dict(undone=names, rescored=self.rescore() if out["batch"] else False)

    def set_rule(self, value, who):
        """From here on the standing label is the `latest` decision or that of the `majority`; older versions stay what they are. Returns {batch,
        changed (labels that change by it), rescored}."""
        if value == self.rule():
            return dict(batch=None, changed=0, rescored=False)
        import json

        import pandas as pd

        before, batch = self.state().label, new_batch("rule")
        row = pd.DataFrame(
            [dict(sample="", field="rule", value=json.dumps(dict(name="standing", value=value)))]
        )
        with self.transaction() as con:
            self.append(con, row, batch, who)
        now = self.state().label
        return dict(
            batch=batch,
            changed=int((now != before.reindex(now.index)).sum()),
            rescored=self.rescore(),
        )

    def merge(self, other, who=""):
        """Bring the log of another copy of this bench in: see merge.merge."""
        from assay.curation.versioning.merge import merge

        out = merge(self, open(other), who)
        self.states.clear()
        return out | dict(rescored=self.rescore() if out["edits"] and not out["samples"] else False)

    def take_back(self, con, plan, kind, why, who, name=None):
        rows = undo.rows(plan, kind, why)
        batch = new_batch(name or kind) if len(rows) else None
        if batch:
            self.append(con, rows, batch, who)
        return dict(batch=batch, restored=len(rows), left_alone=len(plan) - len(rows))

    def rescore(self):
        """Bring the standing scan's scores to the present labels, without embedding or fitting anew: True, False where no scan stands, or in
        words why it cannot be (what was decided is stored all the same)."""
        from assay.curation.label_quality.live import rescore

        try:
            return (self.arrays / "probe.npz").exists() and rescore(self) is not None
        except UserError as e:
            return e.problem

    def damages(self):
        """What is wrong with the file beyond its hash chain: (kind, what, what --repair does about it, or None), ...; see check.check."""
        with self.connect() as con:
            if lost := self.behind(con):
                yield "log", lost, None
            if versions.standing_differs(con):
                yield (
                    "standing",
                    "the table of what stands is not what the log says",
                    "write it down anew",
                )

    def commit(self, message="", who="", name=None):
        """Name the present position of the log, v1, v2, ... Returns the commit as a dict; where nothing changed, the last one."""
        if name is not None and (name == "HEAD" or not NAME.fullmatch(name)):
            raise UserError(
                f"expected a name of letters, digits and -_. for the version, found {name!r}",
                "choose another name",
            )
        text.check(message, "a message", text.TEXT)
        upto = versions.position(self, "HEAD")
        tree = versions.tree(self.state(upto))  # of this very position, whatever comes meanwhile
        with self.transaction() as con:
            commits = con.execute("select name, upto, tree from commits order by ts").fetchall()
            names, last = {c[0] for c in commits}, commits[-1] if commits else (None, None, None)
            if last[1] == upto and name is None:
                return dict(name=last[0], upto=upto, tree=last[2], new=False)
            if name in names:
                raise UserError(
                    f"expected a new name for the version, found {name!r}, which is taken",
                    "choose another name",
                )
            name = (
                name
                or f"v{1 + max([int(n[1:]) for n in names if n[0] == 'v' and n[1:].isdecimal()], default=0)}"
            )
            con.execute(
                "insert into commits values (?, ?, ?, ?, ?, ?, ?)",
                [name, upto, tree, last[0], message, who, now()],
            )
            versions.keep_standing(con)
        return dict(name=name, upto=upto, tree=tree, new=True, backup=backup.keep(self, name))
