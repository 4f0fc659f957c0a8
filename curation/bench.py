"""The bench: what can be asked of a dataset, and done."""

from __future__ import annotations

import getpass
import sys
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assay.curation.errors import UnknownName, UserError
from assay.curation.splits import SPLITS
from assay.curation.storage.store import Store
from assay.curation.system import permissions
from assay.curation.versioning import (
    counterfactuals,
    expressions,
    pointers,
    state_building,
    states,
)

if TYPE_CHECKING:
    import duckdb
    import pandas as pd

    from assay.curation.filtering.likeness import Words
    from assay.curation.filtering.table import SampleTable
    from assay.curation.formats.torch_dataset import TorchDataset
    from assay.curation.versioning.history import Life
    from assay.curation.versioning.proposals import Proposal


def open(path: str | Path) -> Bench:  # noqa: A001 - `curation.open("my-bench")` is what users type
    """Open the bench in folder `path`.

    Raises UserError where there is none, or one that this code cannot read.
    """
    bench = Bench(path)
    bench.verify()
    if bench.arrays_address:
        from assay.curation.media.bucket_arrays import connect_arrays

        connect_arrays(bench)
    if permissions.close_to_others(bench.path):
        access = permissions.describe_access(bench.path)
        print(f"note: {access}; an older Assay had left it open to others", file=sys.stderr)
    return bench


def create(path: str | Path, group: bool = False) -> Bench:
    """Open the bench in folder `path`; make it where there is none.

    It is for its owner alone, or for the owner's `group`, too.
    """
    bench = Bench(path)
    if not bench.file.exists():
        bench.create(group)
    elif group:
        permissions.set_modes(bench.path, group)
    opened = open(path)
    opened.made = bench.made
    return opened


class Bench(Store):
    """A bench folder, opened. Every method reads or writes it as it is at that moment."""

    labels: tuple[Any, set[str]] | None = None  # every class, and as of what, where it was asked
    table: SampleTable | None = None  # of the samples, where it was asked
    # makes a vector of a picture from outside: the pipelines have it
    embed_picture: Callable[[bytes], Any] | None = None

    def __repr__(self) -> str:
        return f"Bench({str(self.path)!r})"

    # ---- what is in it

    def state(
        self,
        version: str | int = "HEAD",
        columns: Iterable[str] | None = None,
        samples: Iterable[str] | None = None,
    ) -> pd.DataFrame:
        """List every sample as it stands at `version`.

        version: a name, a position in the log, or an expression such as "v1 - flagged". columns, samples: these alone;
        of a large bench nothing else is read. Samples that are not there are left out. The frame is indexed by sample;
        for its columns see states.read_state, for expressions counterfactuals.read_counterfactual.
        """
        if columns is not None or samples is not None:
            return state_building.read_part_of_state(self, version, columns, samples)
        if not expressions.is_expression(version):
            return state_building.read_state(self, version)
        end = pointers.find_position(self, "HEAD")
        return states.remember_state(
            self,
            (str(version), end),
            lambda: counterfactuals.read_counterfactual(self, str(version)),
        )

    def frame(self, version: str | int = "HEAD", split: str | None = None) -> pd.DataFrame:
        """List the kept samples of a version: what to train on elsewhere.

        Of one `split`, or of all; with the columns of `state`.
        """
        if split not in (None, *SPLITS):
            raise UnknownName(
                f"expected a split, found {split!r}",
                f"there are {', '.join(SPLITS)}",
                split,
                SPLITS,
            )
        frame = self.state(version)
        return frame[frame.keep & ((frame.split == split) if split else True)]

    def dataset(
        self,
        version: str | int = "HEAD",
        split: str = "train",
        transform: Callable[[Any], Any] | None = None,
        target_transform: Callable[[int], Any] | None = None,
        arrays: bool = False,
    ) -> TorchDataset:
        """Make a torch Dataset of the kept, labelled samples of a split.

        An item is (PIL image at its own size, class index), each through its transform; with `arrays` the image is
        uint8 (side, side, 3) at the bench's working size. `.classes` names the indices, `.targets` lists them.
        """
        from assay.curation.formats.torch_dataset import TorchDataset

        frame = self.frame(version, split)
        return TorchDataset(self, frame, transform, target_transform, arrays, version)

    def issues(
        self, kind: str | None = None, version: str = "HEAD", threshold: float | None = None
    ) -> pd.DataFrame:
        """List the issues that nobody has decided about, worst first.

        kind: one of finders.list_kinds; None: all. Frame kind, sample, score, suggestion, why: see
        listing.list_issues.
        """
        from assay.curation.issues.listing import list_issues

        return list_issues(self, kind, version, threshold)

    def queue(
        self,
        n: int = 200,
        random: float | None = None,
        version: str = "HEAD",
        again: float = 0.0,
        who: str = "",
        opinion: str | None = None,
        where: str = "",
        mistakes: Iterable[str] = (),
    ) -> pd.DataFrame:
        """List what to review next: disagreements, the n worst labels, random ones.

        random, again: shares of n, drawn at random (by default 15 % of all reviews until 30 were, then 5 %)
        and from what others have reviewed. opinion: only what this second opinion doubts. where: only what this
        condition finds (see samples), without random ones: see filtered_queue.queue_found. mistakes: val samples that
        the model gets wrong; the train labels that made it so come first: see mistake_queue.queue_mistakes. Frame rank,
        sample, source_id, path, given_label, suggested_label, score, reason, random: see queue.build_queue.
        """
        from assay.curation.review import partitioned_queue
        from assay.curation.review.queue import build_queue

        if mistaken := [mistakes] if isinstance(mistakes, str) else list(mistakes):
            from assay.curation.review.mistake_queue import queue_mistakes

            if any((random, version != "HEAD", again, opinion, where.strip())):
                raise UserError(
                    "expected mistakes alone, found another choice beside them",
                    "they are looked into as labels are now, and none is drawn at random",
                )
            return queue_mistakes(self, mistaken, n)
        if where.strip():
            from assay.curation.filtering.samples import queue_where

            return queue_where(self, self.sample_table(), n, where, random, version, again, opinion)
        if opinion is None and not again and partitioned_queue.can_build(self, version):
            return partitioned_queue.build_by_parts(self, n, random)
        return build_queue(self, n, random, version, again, who, opinion)

    def samples(
        self,
        where: str = "",
        sort: str = "",
        limit: int | None = None,
        search: str = "",
        like: Iterable[str | bytes | Path | Words] = (),
        columns: Iterable[str] | None = None,
    ) -> pd.DataFrame:
        """Find samples: by a condition, words or likeness, sorted.

        where: what follows WHERE in a SELECT over the columns of samples, see the page of that name. sort: as in
        "score desc, key". search: words in key and metadata. like: ids or keys, or a Path or bytes of pictures.
        columns: of the frame, beside sample. Test and guard samples have no label, score or issue here. See
        samples.find_samples.
        """
        from assay.curation.filtering.samples import find_samples

        return find_samples(self.sample_table(), where, sort, limit, search, like, columns)

    def sample_table(self) -> SampleTable:
        """Give the samples as they are now, as a table in memory.

        It is made once, then kept up to date.
        """
        from assay.curation.filtering.table import SampleTable

        if self.table is None:
            self.table = SampleTable(self, embed=self.embed_picture)
        else:
            self.table.refresh()
        return self.table

    def views(self) -> pd.DataFrame:
        """List the saved views, the oldest first.

        Frame name, where, sort, search, words, who, saved, to (whom it is assigned, "": nobody).
        """
        from assay.curation.filtering.views import list_views

        return list_views(self)

    def save_view(
        self,
        name: str,
        where: str = "",
        sort: str = "",
        search: str = "",
        who: str = "",
        words: str = "",
    ) -> dict:
        """Save a condition, an order and a search under a name.

        words: what an image-text model looks for. It takes the place of a view of that name. Returns {batch, name,
        replaced}: see views.save_view.
        """
        from assay.curation.filtering.views import save_view

        asked = dict(where=where, sort=sort, search=search, words=words)
        return save_view(self, self.sample_table(), name, asked, who or getpass.getuser())

    def remove_view(self, name: str, who: str = "") -> dict:
        """Remove a saved view; returns {batch, name}."""
        from assay.curation.filtering.views import remove_view

        return remove_view(self, name, who or getpass.getuser())

    def assign(
        self,
        to: str,
        where: str = "",
        sort: str = "",
        search: str = "",
        name: str = "",
        who: str = "",
        samples: Iterable[str] | None = None,
    ) -> dict:
        """Assign what a condition finds, or `samples`, to a reviewer.

        It is saved as a view that keeps its samples. Returns {batch, name, to, samples, reviewed, left_out,
        replaced}: see assignments.assign_samples.
        """
        from assay.curation.filtering.assignments import assign_samples

        asked = dict(where=where, sort=sort, search=search)
        by = who or getpass.getuser()
        return assign_samples(self, self.sample_table(), to, asked, by, name, samples)

    def assignments(self, to: str | None = None) -> pd.DataFrame:
        """List the assignments, with how many of their samples are reviewed.

        to: only those of this person. Frame name, to, where, samples, reviewed, who, saved.
        """
        from assay.curation.filtering.assignments import list_assignments

        return list_assignments(self, to)

    def findings(self, version: str = "HEAD") -> pd.DataFrame:
        """Tabulate every kept sample's scores and flags, in Datalab's columns.

        Frame by sample: is_label_issue, label_score, given_label, predicted_label, is_outlier_issue, outlier_score,
        ...: see findings.tabulate_findings.
        """
        from assay.curation.issues.findings import tabulate_findings

        return tabulate_findings(self, version)

    def flagged(self, version: str = "HEAD") -> pd.DataFrame:
        """Score the labels of any version, worst first.

        By a probe that is fitted to that version. Frame sample -> label, suggestion: see
        live.find_flagged.
        """
        from assay.curation.label_quality.live import find_flagged

        return find_flagged(self, version)

    def pred_probs(self, version: str = "HEAD") -> pd.DataFrame:
        """Give the out-of-sample probabilities of every class.

        By a probe that is fitted to that version's labels. Frame (n, k) by sample, a column a class, rows sum to 1; of
        all samples but test and guard, which are locked. UserError before a scan.
        """
        from assay.curation.label_quality.live import predict_classes

        return predict_classes(self, version)

    def runs(self, split: str = "val", version: str = "HEAD") -> pd.DataFrame:
        """List every finished run, with its accuracy on `split` at `version`.

        See runs.tabulate_runs for the columns.
        """
        from assay.curation.predictions.runs import tabulate_runs

        return tabulate_runs(self, split, version)

    def commits(self) -> pd.DataFrame:
        """List the committed versions, oldest first.

        Frame name, upto (position in the log), tree, parent, message, who, ts.
        """
        return self.query("select * from commits order by upto, ts")

    def classes(self, version: str = "HEAD") -> pd.DataFrame:
        """List the classes in order, with counts by split, colour, guideline, parent.

        See class_list.tabulate_classes for the columns.
        """
        from assay.curation.versioning.class_list import tabulate_classes

        return tabulate_classes(self, version)

    def log(self) -> pd.DataFrame:
        """List commits and the open work since, a row for each author.

        See history.read_log for the columns.
        """
        from assay.curation.versioning.history import read_log

        return read_log(self)

    def batches(self) -> pd.DataFrame:
        """List batches of edits and commits, oldest first.

        See history.read_batches for the columns.
        """
        from assay.curation.versioning.history import read_batches

        return read_batches(self)

    def diff(self, a: str, b: str = "HEAD") -> dict[str, str | pd.DataFrame]:
        """Compare two versions: what `b` has that `a` has not.

        Returns {a, b, matrix, renamed, relabelled, added, removed, moved, tagged}: see history.diff_versions.
        """
        from assay.curation.versioning.history import diff_versions

        return diff_versions(self, a, b)

    def blame(self, sample: str, version: str = "HEAD") -> Life:
        """List the edits of one sample: who, when, what, why.

        sample: its id, or the beginning of it, or its key. Returns (sample, key, edits): see history.Life.
        """
        from assay.curation.versioning.history import blame_sample

        return blame_sample(self, sample, version)

    def reviewers(self, version: str = "HEAD") -> tuple[pd.DataFrame, pd.DataFrame]:
        """Count each person's decisions, and how well two people agree.

        Two frames, a row for each person and one for each pair: see reviewers.count_reviewers.
        """
        from assay.curation.review.reviewers import count_reviewers

        return count_reviewers(self, version)

    def status(self, version: str = "HEAD") -> dict:
        """Summarise the bench: samples, issues, reviews, and what to do next.

        See status.summarize_bench for the keys.
        """
        from assay.curation.review import partitioned_status
        from assay.curation.review.status import summarize_bench

        if partitioned_status.can_summarize(self, version):
            return partitioned_status.summarize_by_parts(self)
        return summarize_bench(self, version)

    def rules(self, version: str = "HEAD") -> dict[str, dict]:
        """List the standing rules: {name: value}.

        Such as `test`: the hash, size and audit of the frozen test split. A rule that was undone is none, and
        saved views are listed by `views` and `assignments` alone: each may name 20,000 samples.
        """
        import json

        upto = pointers.find_position(self, expressions.root_version(version))
        found = self.rows(
            """select value ->> 'name', arg_max(value, seq) from edits
            where field = 'rule' and seq <= ? and value ->> 'name' not like 'view:%' group by 1""",
            [upto],
        )
        rules = {name: json.loads(value) for name, value in found}
        # a rule that was undone has a name and nothing else
        return {name: value for name, value in rules.items() if len(value) > 1}

    def rule(self, version: str = "HEAD") -> str:
        """Tell how several people's decisions make one label: latest or majority."""
        return self.rules(version).get("standing", {}).get("value") or "latest"

    # ---- what changes it

    def mend(self, con: duckdb.DuckDBPyConnection) -> str:
        """Mend what an older Assay left in the log.

        Returns what it did, in words; called by an upgrade, see Store.
        """
        from assay.curation.maintenance.repair import assign_missing_splits

        return assign_missing_splits(self, con)

    def link(self, con: duckdb.DuckDBPyConnection, table: str, count: int) -> None:
        """Append edits as one link of the log, as Store does.

        After a large one, what stands is written down anew, so that reading it does not begin at the first
        edit.
        """
        super().link(con, table, count)
        assert self.new_tail, "a link has an end"
        if (
            count > 1000
            and int(self.new_tail[0]) - pointers.read_standing_position(con)[0] > states.TAIL
        ):
            states.write_standing(con)

    def edit(
        self,
        decisions: pd.DataFrame | str | Path,
        who: str,
        why: str = "",
        new_classes: Iterable[str] = (),
        *,
        to: str | None = None,
        overwrite: bool | None = None,
    ) -> dict:
        """Apply a frame or CSV of decisions as one batch.

        All of them, or none.
        A row has a sample, and a label, keep, split, tag or verdict (confirm, unsure). to: train or val, where
        samples of the pool go that get a label. overwrite: whether a sheet changes what others decided after it was
        written; None asks. Returns {batch, edits, samples, ...}: see changes.apply_decisions.
        """
        import pandas as pd

        from assay.curation.versioning import decision_cells
        from assay.curation.versioning.changes import apply_decisions

        if isinstance(decisions, str | Path):
            decisions = decision_cells.read_decisions(decisions)
        elif not isinstance(decisions, pd.DataFrame):
            raise UserError(
                f"expected decisions as a DataFrame or the path of a CSV, found {type(decisions).__name__}",
                "as in: bench.edit(frame, who='ann') or bench.edit('decisions.csv', who='ann')",
            )
        if to not in (None, "train", "val"):
            raise UnknownName(
                f"expected to as train or val, found {to!r}", "", to, ("train", "val")
            )
        if to:
            splits = self.state(columns=["split"], samples=decisions["sample"].astype(str))["split"]
            decisions = decision_cells.assign_split(decisions, splits, to)
        return apply_decisions(self, decisions, who, why, new_classes, overwrite)

    def propose(
        self,
        title: str,
        changes: pd.DataFrame | str | Path,
        who: str = "",
        labeller: str = "",
        source: str = "",
        new_classes: Iterable[str] = (),
    ) -> Proposal:
        """Open a proposal: changes that stand beside HEAD until they are merged.

        changes: a frame or file of decisions, as `edit` takes them. labeller: the rule, model or agent whose they
        are. See proposals.open_proposal.
        """
        from assay.curation.versioning.proposal_sources import read_decision_file
        from assay.curation.versioning.proposals import open_proposal

        if isinstance(changes, str | Path):
            source, changes = source or str(changes), read_decision_file(changes)
        asked = (who or getpass.getuser(), labeller, source, new_classes)
        return open_proposal(self, title, changes, *asked)

    def proposals(self) -> list[Proposal]:
        """List every proposal, oldest first: see proposals.Proposal."""
        from assay.curation.versioning.proposals import list_proposals

        return list_proposals(self)

    def proposal_changes(self, name: str) -> pd.DataFrame:
        """List a proposal's changes, and what a merge would do with each.

        See proposal_votes.judge_changes.
        """
        from assay.curation.versioning.proposal_policy import read_policy
        from assay.curation.versioning.proposal_votes import judge_changes

        return judge_changes(self, name, read_policy(self).approvals)

    def comment_proposal(self, name: str, text: str, who: str = "") -> Proposal:
        """Say something about an open proposal."""
        from assay.curation.versioning.proposals import comment_proposal

        return comment_proposal(self, name, text, who or getpass.getuser())

    def approve_proposal(
        self, name: str, who: str = "", samples: Iterable[str] | None = None, text: str = ""
    ) -> Proposal:
        """Approve an open proposal, or some of its samples.

        See proposal_votes.approve_proposal.
        """
        from assay.curation.versioning.proposal_votes import approve_proposal

        return approve_proposal(self, name, who or getpass.getuser(), samples, text)

    def reject_proposal(
        self, name: str, who: str = "", samples: Iterable[str] | None = None, text: str = ""
    ) -> Proposal:
        """Reject an open proposal, or some of its samples: these are not merged."""
        from assay.curation.versioning.proposal_votes import reject_proposal

        return reject_proposal(self, name, who or getpass.getuser(), samples, text)

    def close_proposal(self, name: str, who: str = "", text: str = "") -> Proposal:
        """End a proposal without merging it."""
        from assay.curation.versioning.proposals import close_proposal

        return close_proposal(self, name, who or getpass.getuser(), text)

    def set_proposal_policy(self, changed: dict[str, Any], who: str = "") -> dict:
        """Change what a proposal must have before it is merged.

        changed: any of approvals, margin, regression, measured, look_at, wrong, agreement; fractions: see
        proposal_policy.Policy.
        """
        from assay.curation.versioning.proposal_policy import set_policy

        return set_policy(self, changed, who or getpass.getuser())

    def rename_class(
        self, old: str, new: str, who: str = "", why: str = "", dry: bool = False
    ) -> dict:
        """Rename a class in every split; merge it if the name exists.

        One batch, no review. Returns {batch, old, new, merged, samples, splits, had, ...}: see
        class_changes.rename_class.
        """
        from assay.curation.versioning.class_changes import rename_class

        return rename_class(self, old, new, who or getpass.getuser(), why, dry)

    def add_class(
        self,
        name: str,
        who: str = "",
        colour: str | None = None,
        guideline: str | None = None,
        parent: str | None = None,
        key: str | None = None,
    ) -> dict:
        """Add a class to the list: its colour, key, guideline, parent.

        Returns {batch, added, alike, near}: see class_changes.add_class.
        """
        from assay.curation.versioning.class_changes import add_class

        about = dict(colour=colour, key=key, guideline=guideline, parent=parent)
        return add_class(self, name, who or getpass.getuser(), **about)

    def edit_class(
        self,
        name: str,
        who: str = "",
        colour: str | None = None,
        guideline: str | None = None,
        parent: str | None = None,
        key: str | None = None,
        exemplars: str | Iterable[str] | None = None,
    ) -> dict:
        """Change the colour, key, guideline, exemplars or parent of a class.

        exemplars: ids of up to six of its samples; () takes them away. Returns {batch, name, order,
        colour, ...}: see class_changes.edit_class.
        """
        from assay.curation.versioning.class_changes import edit_class

        if exemplars is not None and not isinstance(exemplars, str):
            exemplars = " ".join(exemplars)
        about = dict(colour=colour, key=key, guideline=guideline, parent=parent)
        return edit_class(self, name, who or getpass.getuser(), exemplars=exemplars, **about)

    def move_class(self, name: str, before: str | None = None, who: str = "") -> dict:
        """Move a class before another in the list, or to its end.

        Returns {batch, name, place, of}: see class_order.move_class.
        """
        from assay.curation.versioning.class_order import move_class

        return move_class(self, name, who or getpass.getuser(), before)

    def exemplars(self) -> dict[str, list[str]]:
        """List up to six exemplars of every class: {name: ids}.

        Those that somebody chose, else its most typical train samples: see
        exemplars.list_exemplars.
        """
        from assay.curation.review.exemplars import list_exemplars

        return list_exemplars(self)

    def split_class(
        self, name: str, into: Iterable[str], who: str = ""
    ) -> tuple[pd.DataFrame, dict]:
        """Split a class: add new classes, and queue its samples for review.

        Returns (queue, what happened): see splitting.split_class. A sample that is not decided
        keeps its label.
        """
        from assay.curation.review.splitting import split_class

        return split_class(self, name, into, who or getpass.getuser())

    def split_off(
        self, name: str, into: str, samples: Iterable[str], who: str = "", dry: bool = False
    ) -> dict:
        """Move samples of a class to another one, as one batch.

        Returns {batch, name, into, added, samples, ...}: see splitting.split_off.
        """
        from assay.curation.review.splitting import split_off

        return split_off(self, name, into, samples, who or getpass.getuser(), dry)

    def import_classes(self, table: str | Path | list[dict], who: str = "") -> dict:
        """Declare the classes of a table, in its order.

        table: a CSV, or its rows. Returns {batch, declared, new, missing, alike}: see
        class_changes.import_table.
        """
        from assay.curation.versioning.class_changes import import_table
        from assay.curation.versioning.class_table import read_class_table

        rows = read_class_table(table) if isinstance(table, str | Path) else table
        return import_table(self, rows, who or getpass.getuser())

    def undo(self, batch: str | None = None, who: str = "") -> dict:
        """Undo a batch, by default the last decision: restore what stood before.

        Returns {batch, undone, by, restored, left_alone, rescored}: see changes.undo_batch.
        """
        from assay.curation.versioning.changes import undo_batch

        return undo_batch(self, batch, who)

    def undo_own(self, who: str, redo: bool = False, name: str | None = None) -> dict:
        """Undo the last act of one person, or redo what they undid.

        Nobody else's act is taken back. Returns {batch, undone, words, samples, n, restored, left_alone, passed,
        seq, rescored}: see own_acts.undo_own.
        """
        from assay.curation.versioning.own_acts import undo_own

        return undo_own(self, who, redo, name) | dict(rescored=self.rescore())

    def redo(self, who: str = "") -> dict:
        """Redo what the last undo or revert took away.

        Returns what `undo` returns.
        """
        from assay.curation.versioning.changes import redo_last

        return redo_last(self, who)

    def revert(
        self,
        batch: str | None = None,
        of: str | None = None,
        since: datetime | None = None,
        who: str = "",
        dry: bool = False,
        until: datetime | None = None,
    ) -> tuple[pd.DataFrame, dict]:
        """Revert a batch, or decisions by person or time.

        The decisions are those `of` a person, `since` or `until` a time. `dry`: only plan it.
        Returns (plan, what happened): see changes.revert_batches.
        """
        from assay.curation.versioning.changes import revert_batches

        return revert_batches(self, batch, of, since, who, dry, until)

    def set_rule(self, value: str, who: str) -> dict:
        """Choose whose label stands: the `latest`, or that of the `majority`.

        Returns {batch, changed, rescored}: see changes.set_label_rule.
        """
        from assay.curation.versioning.changes import set_label_rule

        return set_label_rule(self, value, who)

    def set_stop(self, below: float | None, who: str) -> dict:
        """Set the gain of the next 100 reviews below which to stop.

        below: as a fraction, 0.002 is 0.2 points; None: no limit. `status` says when it is reached. Returns
        {batch, below}: see next_gain.set_limit.
        """
        from assay.curation.review.next_gain import set_limit

        return set_limit(self, below, who)

    def merge(self, other: str | Path, who: str = "") -> dict:
        """Merge the log of another copy of this bench.

        other: the folder of the copy. Returns what merge.merge_benches returns, and rescored.
        """
        from assay.curation.versioning.merge import merge_benches

        out = merge_benches(self, open(other), who)
        self.states.clear()
        return out | dict(rescored=self.rescore() if out["edits"] and not out["samples"] else False)

    def rescore(self) -> bool | str:
        """Bring the scan's scores to the present labels.

        Nothing is embedded or fitted anew. Returns True, or False where no scan stands, or in words why it
        cannot be; what was decided is stored all the same.
        """
        from assay.curation.label_quality.live import rescore

        try:
            return (self.arrays / "probe.npz").exists() and rescore(self)
        except UserError as e:
            return e.problem

    def damages(self) -> Iterator[tuple[str, str, str | None]]:
        """Yield what is wrong with the file beyond its hash chain.

        (kind, what, what --repair does about it, or None), ...: see maintenance.integrity.
        """
        with self.connect() as con:
            if lost := self.find_loss(con):
                yield "log", lost, None
            if states.is_standing_wrong(con):
                yield (
                    "standing",
                    "the table of what stands is not what the log says",
                    "write it down anew",
                )

    def commit(self, message: str = "", who: str = "", name: str | None = None) -> dict:
        """Commit: name the present position of the log, v1, v2, ...

        Returns {name, upto, tree, new, backup}: see commits.commit_version.
        """
        from assay.curation.versioning.commits import commit_version

        return commit_version(self, message, who, name)
