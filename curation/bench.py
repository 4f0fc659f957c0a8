"""The bench as its users hold it: state, edit, undo, redo, commit, and what can be read from it."""

import re

from curation import edits, versions
from curation.errors import UserError
from curation.store import Store, new_batch, now

NAME = re.compile(r"[\w.-]+")  # of a version


def open(path):  # noqa: A001 - `curation.open("my-bench")` is what users type
    """The bench in folder `path`. Raises UserError where there is none, or one that this code cannot read."""
    bench = Bench(path)
    bench.verify()
    return bench


def create(path):
    """The bench in folder `path`, made where there is none."""
    bench = Bench(path)
    if not bench.file.exists():
        bench.create()
    bench.verify()
    return bench


class Bench(Store):
    def __init__(self, path):
        super().__init__(path)
        self.states = {}  # log position -> state, the last few asked for: what was can never change

    def __repr__(self):
        return f"Bench({str(self.path)!r})"

    # ---- what is in it

    def state(self, version="HEAD"):
        """Every sample at `version`: see versions.state."""
        return versions.state(self, version)

    def frame(self, version="HEAD", split=None):
        """The kept samples of a version, of one split or of all: what to train on elsewhere."""
        frame = self.state(version)
        return frame[frame.keep & ((frame.split == split) if split else True)]

    def dataset(self, version="HEAD", split="train", transform=None):
        """A torch Dataset of (uint8 image (h, w, 3) or transform(image), class index); `.classes` names the indices."""
        from curation.export import TorchDataset

        return TorchDataset(self, self.frame(version, split), transform)

    def issues(self, kind=None):
        """Issues found by the last scan, as they stand: frame kind, sample, score, suggestion, why; worst first."""
        from curation.queue import issues

        return issues(self, kind)

    def queue(self, n=200, random=0.05):
        """What to look at next: see queue.queue."""
        from curation.queue import queue

        return queue(self, n, random)

    def suspects(self, version="HEAD"):
        """Label issues of any version, by a probe fitted to it: frame sample -> label, suggestion; worst first."""
        from curation.suspects import suspects

        return suspects(self, version)

    def commits(self):
        """Frame name, upto, tree, parent, message, who, ts; oldest first."""
        return self.query("select * from commits order by upto, ts")

    def log(self):
        """Frame of batches and commits, oldest first: see history.log."""
        from curation.history import log

        return log(self)

    def status(self):
        """What is in the bench, what is flagged and what to do next, as a dict: see history.status."""
        from curation.history import status

        return status(self)

    def rules(self, version="HEAD"):
        """Standing rules {name: value}, such as `test`: the hash, size and audit of the frozen test split."""
        import json

        upto = versions.position(self, version)
        found = self.rows("select value ->> 'name', arg_max(value, seq) from edits where field = 'rule' and seq <= ? group by 1", [upto])
        return {name: json.loads(value) for name, value in found}

    # ---- what changes it

    def edit(self, decisions, who, why="", new_classes=()):
        """Apply a frame of decisions as one batch: column sample, and label | keep | split | tag | verdict (confirm, unsure); else why,
        suggested_label, score, rank, random, reason, seconds. Returns {batch, edits, samples, confirmed, unsure, rescored}. All or nothing:
        UserError names bad rows."""
        if not who:
            raise UserError("expected to know who decides, found nobody", "say --who NAME")
        batch = new_batch("edit")
        while True:
            upto = versions.position(self, "HEAD")
            rows = edits.plan(self.state(upto), decisions, new_classes)
            if not len(rows):
                return dict(batch=None, edits=0, samples=0, confirmed=0, unsure=0, rescored=False)
            if why:
                rows["why"] = rows.why.where(rows.why != "", why)
            with self.transaction() as con:
                if not edits.touched_since(con, rows, upto):
                    rows["origin"] = edits.origins(con, rows, batch)
                    self.append(con, rows, batch, who)
                    break  # else somebody decided about one of these samples meanwhile: plan again on what stands now
        count = rows.verdict.value_counts()
        return dict(
            batch=batch,
            edits=len(rows),
            samples=rows["sample"].nunique(),
            confirmed=int(count.get("confirm", 0)),
            unsure=int(count.get("unsure", 0)),
            rescored=self.rescore(),
        )

    def undo(self, batch=None, who="", redo=False):
        """Put back what stood before `batch` (by default the last that stands), leaving alone what somebody edited since. Undo is an
        edit: undone itself, it is a redo. Returns {batch, undone, restored, left_alone, rescored}."""
        with self.transaction() as con:
            done, undone = edits.stacks(con)
            if batch is None:
                stack = undone if redo else [b for b in done if b.startswith("edit-")]
                if not stack:
                    raise UserError(f"expected a batch to {'redo' if redo else 'undo'}, found none", "`assay log` lists what was done")
                batch = stack[-1]
            elif not con.execute("select 1 from edits where batch = ? limit 1", [batch]).fetchall():
                raise UserError(f"expected a batch of this bench, found {batch!r}", "`assay log` lists them")
            elif batch not in done and batch not in undone:
                raise UserError(f"expected a batch that stands, found {batch} undone already", "assay redo takes the last undo back")
            rows, left = edits.undo_rows(con, batch)
            undo = new_batch("undo") if len(rows) else None
            if undo:
                self.append(con, rows, undo, who)
        return dict(batch=undo, undone=batch, restored=len(rows), left_alone=left, rescored=self.rescore() if undo else False)

    def rescore(self):
        """Bring the standing scan's scores to the present labels, without embedding or fitting anew; False where no scan stands."""
        from curation.suspects import rescore

        return (self.arrays / "probe.npz").exists() and rescore(self) is not None

    def redo(self, who=""):
        """Undo the last undo."""
        return self.undo(who=who, redo=True)

    def commit(self, message="", who="", name=None):
        """Name the present position of the log, v1, v2, ... Returns the commit as a dict; where nothing changed, the last one."""
        if name is not None and (name == "HEAD" or not NAME.fullmatch(name)):
            raise UserError(f"expected a name of letters, digits and -_. for the version, found {name!r}", "choose another name")
        upto = versions.position(self, "HEAD")
        tree = versions.tree(self.state(upto))  # of this very position, whatever comes meanwhile
        with self.transaction() as con:
            commits = con.execute("select name, upto, tree from commits order by ts").fetchall()
            names, last = {c[0] for c in commits}, commits[-1] if commits else (None, None, None)
            if last[1] == upto and name is None:
                return dict(name=last[0], upto=upto, tree=last[2], new=False)
            if name in names:
                raise UserError(f"expected a new name for the version, found {name!r}, which is taken", "choose another name")
            name = name or f"v{1 + max([int(n[1:]) for n in names if n[0] == 'v' and n[1:].isdigit()], default=0)}"
            con.execute("insert into commits values (?, ?, ?, ?, ?, ?, ?)", [name, upto, tree, last[0], message, who, now()])
        return dict(name=name, upto=upto, tree=tree, new=True)
