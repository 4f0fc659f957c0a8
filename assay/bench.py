"""The bench in Python: what the command line does, as methods.

Arrays and frames in, arrays and frames out. A verb of the pipelines is imported when it is called.
"""

from __future__ import annotations

import functools
import getpass
import inspect
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar, cast

from assay import curation
from assay.curation.errors import UnknownName, UserError, ask_meant, suggest_names
from assay.progress import line_printer, progress_bar
from assay.python_hints import translate_hint

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    import pandas as pd

    from assay.curation.filtering.likeness import Words
    from assay.curation.review.labeller_rates import LabellerTables
    from assay.curation.storage.interface import Tell
    from assay.curation.versioning.proposal_merge import Merged
    from assay.curation.versioning.proposals import Proposal
    from assay.fiftyone_app import FiftyOneApp
    from assay.pipelines.embedders.text import Texts
    from assay.pipelines.estimates.estimate import Estimate
    from assay.pipelines.explaining.explained import Explained
    from assay.pipelines.indexing.label_samples import Labelled
    from assay.pipelines.reports.notebook import Frame, Report
    from assay.pipelines.reports.notebook_history import Difference, ReviewerTables, ShownLife
    from assay.workbench import Workbench

F = TypeVar("F", bound=Callable[..., Any])
PATIENCE = 300.0  # seconds without a step after which a network is ended


class Bench(curation.Bench):
    """A bench folder, opened: look, decide, measure.

    `dir(bench)` lists what can be done with it. A notebook shows what comes back with its pictures.
    """

    def __dir__(self) -> list[str]:
        return list(VERBS)

    def __getattr__(self, name: str) -> NoReturn:
        meant = "" if name.startswith("_") else ask_meant(suggest_names(name, VERBS))
        raise AttributeError(
            f"a bench has no {name}: {meant or 'dir(bench) lists what it has'}".rstrip()
        )

    def _repr_html_(self) -> str:
        from assay.pipelines.reports.notebook import draw_bench

        return draw_bench(self)

    def _printer(self, show: bool = True) -> Tell:
        return line_printer(show, functools.partial(translate, bench=self))

    # ---- what goes in

    def add(
        self,
        source: Any,
        labels: Iterable | None = None,
        split: Iterable[str] | str = "",
        who: str = "",
        *,
        name: str | None = None,
        columns: dict[str, str] | None = None,
        split_map: dict[str, str] | None = None,
        images: str | Path | None = None,
        format: str | None = None,
        class_level: int | None = None,
        pictures_only: bool = False,
        multilabel: bool = False,
        config: str | None = None,
        sheet: str | None = None,
        media: str | None = None,
        task: str | None = None,
        decimal: str | None = None,
        skip_bad: bool = False,
        audited_test: bool = False,
        yes: bool = False,
        refreeze_test: bool = False,
        no_test: bool = False,
        fetch: bool = False,
        progress: bool = True,
    ) -> Bench:
        """Import a folder, file, frame, dataset, or arrays of images with labels.

        source: a path or an address (s3://, gs://, https://); a frame of pandas, polars or pyarrow with a column of
        paths, addresses, bytes, arrays or PIL images; a torch Dataset; a Bunch of scikit-learn; or images, as
        objects.make_frame takes them with `labels` (n,) and `split`. split: shares to draw, "80/10/10", of any source;
        of arrays also the split of each (n,), or of all. columns: {image, label, split, id or group: its column}.
        media: image, text or row, where a table could be several. decimal: the mark in numbers, where they do not
        tell. For the others see formats.base.ImportOptions.
        Returns the bench. What is imported again by a `name` takes the place of what was: frames are called frame,
        arrays arrays, a Dataset dataset, a Bunch bunch.
        """
        from assay.curation.formats import frames, objects, uploads
        from assay.curation.formats.base import ImportOptions
        from assay.curation.formats.split_shares import parse_shares
        from assay.pipelines.cli.data import describe_import, describe_reading
        from assay.pipelines.cli.fiftyone_datasets import read_dataset
        from assay.pipelines.indexing.ingest import ingest
        from assay.pipelines.simulation.example_data import resolve_example

        is_path = isinstance(source, str | Path)
        if is_path and labels is not None:
            raise UserError(
                f"expected labels beside arrays of images, found them beside {source}",
                "a folder or file has its own: leave them out, or give a DataFrame of both",
            )
        if self.made is not None and not self.file.exists():
            self.create(self.made.group)  # an add that failed left nothing behind
        shares = None
        if isinstance(split, str) and "/" in split:
            shares, split = parse_shares(split, no_test), ""
        elif (is_path or objects.is_frame(source)) and not (isinstance(split, str) and split == ""):
            raise UserError(
                f"expected shares to draw, such as 80/10/10, found split={split!r}",
                "a source's own splits are a column or folders: columns={'split': NAME}",
            )
        held = None if is_path else objects.read_object(source, labels, split)
        name = name if held is None else name or held.name
        given = ImportOptions(
            columns=columns or {},
            split_map=split_map or {},
            images=images,
            skip_bad=skip_bad,
            format=format,
            class_level=class_level,
            pictures_only=pictures_only,
            multilabel=multilabel,
            config=config,
            sheet=sheet,
            media=media,
            task=task,
            decimal=decimal,
            name=name,
            audited_test=audited_test,
            yes=yes,
            refreeze_test=refreeze_test,
            shares=shares,
            no_test=no_test,
            fetch=fetch,
        )
        say = self._printer(progress)
        try:
            if held is None:
                own = read_dataset(str(source), (columns or {}).get("label"), split_map or {})
                found = own or resolve_example(self, str(source))
                there = uploads.open_source(self, found, skip_bad, format)
            else:
                there = frames.open_frame(self, held, given)
            with progress_bar("decoding", progress) as step, there as found:
                out = ingest(self, found, who or getpass.getuser(), given, step)
        except UserError as e:
            if not is_path and name in set(self.state().source):
                e.add_hint(f"there are {name} already: to add them beside those, say name='...'")
            raise
        # Assay wrote a frame's file, so its format is no news
        read = out if held is None else out | dict(format="")
        for line in (describe_import(out), *describe_reading(read)):
            say(line)
        return self

    def split(
        self,
        shares: str | None = None,
        *,
        no_test: bool = False,
        group_column: str | None = None,
        time_column: str | None = None,
        source: str | None = None,
        pool: bool = False,
        seed: int = 0,
        refreeze_test: bool = False,
        dry_run: bool = False,
        who: str = "",
        progress: bool = True,
    ) -> dict:
        """Draw train, val and test anew, as one batch: see split_again.

        shares: train/val/test, "80/10/10". For the others see SplitOptions. Returns {batch, before, after,
        ...}: counts, leaks and the probe's accuracy on val.
        """
        from assay.pipelines.cli.split import describe_split
        from assay.pipelines.indexing.split_again import split_again
        from assay.pipelines.indexing.split_options import SplitOptions

        options = SplitOptions(
            shares, no_test, group_column, time_column, source, pool, seed, refreeze_test, dry_run
        )
        out = split_again(self, options, who or getpass.getuser())
        say = self._printer(progress)
        for line in describe_split(out, group_column):
            say(line)
        return out

    def preview(
        self,
        source: str | Path,
        *,
        columns: dict[str, str] | None = None,
        split_map: dict[str, str] | None = None,
        images: str | Path | None = None,
        format: str | None = None,
        class_level: int | None = None,
        pictures_only: bool = False,
        multilabel: bool = False,
        config: str | None = None,
        sheet: str | None = None,
        media: str | None = None,
        task: str | None = None,
        decimal: str | None = None,
        skip_bad: bool = False,
    ) -> dict:
        """Say how `add` would read a folder or file, and write nothing.

        Returns {source, format, kind, samples, unlabelled, classes, splits, roles, unread, left_out, notes}: see
        preview.preview_source.
        """
        from assay.curation.formats.base import ImportOptions
        from assay.curation.formats.preview import preview_source

        given = ImportOptions(
            columns=columns or {},
            split_map=split_map or {},
            images=images,
            format=format,
            class_level=class_level,
            pictures_only=pictures_only,
            multilabel=multilabel,
            config=config,
            sheet=sheet,
            media=media,
            task=task,
            decimal=decimal,
            skip_bad=skip_bad,
        )
        return preview_source(source, given)

    def scan(
        self,
        pred_probs: np.ndarray | pd.DataFrame | str | None = None,
        embeddings: np.ndarray | pd.DataFrame | str | None = None,
        model: Any = None,
        *,
        ids: Iterable[str] | None = None,
        out_of_sample: bool | None = None,
        effort: int = 1,
        embedder: str | None = None,
        keep_leakage: bool = False,
        yes: bool = False,
        patience: float = PATIENCE,
        shards: int | None = None,
        engine: str = "local",
        address: str | None = None,
        arrays: str | None = None,
        progress: bool = True,
    ) -> Frame:
        """Scan the images: embed, compare, judge labels, find issues.

        pred_probs (n, k), embeddings (n, d): your own model's, as array, frame or file. ids (n,): whose rows they
        are; else a frame's index, or the bench's order. out_of_sample: whether pred_probs are. model: a scikit-learn
        classifier, fitted out of fold on the embeddings. engine: where its shards are worked on, "local" or "ray", of
        the cluster at an address. arrays: "s3://bucket/prefix", where vectors, pixels and shards lie from now on, or
        "local". For the others see scan.ScanOptions, ShardOptions. Returns label_issues().
        """
        from assay.pipelines.indexing.draw_map import draw_map
        from assay.pipelines.indexing.own_classifier import predict_by_classifier
        from assay.pipelines.indexing.own_files import read_own_values
        from assay.pipelines.indexing.own_model import OwnModel
        from assay.pipelines.indexing.scan import ScanOptions, scan
        from assay.pipelines.indexing.sharding import ShardOptions

        if pred_probs is not None and (out_of_sample is None or model is not None):
            raise UserError(
                "expected to know whether your probabilities are out of sample, found no word"
                if model is None
                else "expected pred_probs or a model, found both",
                "say out_of_sample=True or False" if model is None else "leave one out",
            )

        def read(values: Any, what: str) -> pd.DataFrame | None:
            return None if values is None else read_own_values(values, self, what, ids)

        def choose(probs: pd.DataFrame | None) -> ScanOptions:
            own = OwnModel(probs, vectors, out_of_sample is not False, said=model is None)
            sharding = ShardOptions(shards, engine=engine, address=address)
            return ScanOptions(
                effort, embedder, not keep_leakage, yes, own, patience, sharding, arrays
            )

        vectors, say = read(embeddings, "embeddings"), self._printer(progress)
        with progress_bar("scanning", progress) as step:
            probs = read(pred_probs, "probabilities")
            if model is not None:
                probs = predict_by_classifier(self, model, choose(None), say, step)
            scan(self, choose(probs), say=say, progress=step)
        draw_map(self, say)
        return self.label_issues()

    # ---- what a model says

    def estimate(
        self,
        samples: float,
        side: int | None = None,
        nodes: int = 1,
        cores: int | None = None,
        *,
        shard_samples: float = 10_000,
        prices: dict | str | Path | None = None,
        benches: Iterable[curation.Bench | str | Path] = (),
    ) -> Estimate:
        """Estimate what import and scan of so many samples take.

        It rests on what this bench's import and scan by shards took, and those of further benches: of two sizes or more
        it knows how each part grows. side: of images, in pixels. cores: of each node; None: as many as the measured
        machine has. shard_samples: of a shard of the source. prices: a dict or a TOML file, see prices.Prices; None: an
        example. Returns hours, memory, requests and money by stage, and what they rest on.
        """
        from assay.pipelines.estimates.estimate import Asked, estimate, read_count
        from assay.pipelines.estimates.prices import read_prices
        from assay.pipelines.estimates.records import read_bench_records

        shard = read_count(shard_samples, "shard_samples")
        asked = Asked(read_count(samples, "samples"), side, nodes, cores, shard)
        opened = [b if isinstance(b, curation.Bench) else open(b) for b in benches]
        records = [record for bench in (self, *opened) for record in read_bench_records(bench)]
        return estimate(records, asked, read_prices(prices))

    def label_issues(self, version: str = "HEAD") -> Frame:
        """Judge every train and val label, in cleanlab's columns.

        Frame by sample, in the bench's order: is_label_issue, label_score (low is bad), given_label, predicted_label,
        as Datalab.get_issues("label") has them. A label that a person decided about is no issue any more.
        """
        from assay.curation.label_quality.live import label_scores
        from assay.pipelines.reports.notebook import Frame, draw_label_issues

        found = label_scores(self, version, scan_needed=False)
        names = dict(flagged="is_label_issue", score="label_score", label="given_label")
        found = found.rename(columns=names | dict(suggestion="predicted_label"))
        found = found[["is_label_issue", "label_score", "given_label", "predicted_label"]]
        return Frame.of(found.rename_axis("sample"), self, draw_label_issues)

    def embeddings(self) -> pd.DataFrame:
        """Give the vectors of all samples: frame (n, d) by sample."""
        import numpy as np
        import pandas as pd

        from assay.curation.features.scan_settings import read_settings
        from assay.curation.storage.shards import Shards

        shards = Shards(self.arrays / "embeddings" / read_settings(self)["folder"])
        state = self.state()
        vectors = np.asarray(shards.rows(np.asarray(state.content_hash, "S32")))
        return pd.DataFrame(vectors, state.index.rename("sample"))

    # ---- what to look at

    def embed_picture(self, raw: bytes) -> np.ndarray:
        """Embed a picture from outside, for samples(like=...)."""
        from assay.pipelines.embedders.picture import embed_picture

        return embed_picture(self, raw)

    def samples(
        self,
        where: str = "",
        sort: str = "",
        limit: int | None = None,
        search: str = "",
        like: Iterable[str | bytes | Path | Words] = (),
        columns: Iterable[str] | None = None,
        words: str = "",
        text_embedder: str | Texts | None = None,
    ) -> pd.DataFrame:
        """Find samples: by a condition, a search, likeness or words, sorted.

        words: what the pictures show, read by text_embedder: the text half of the image-text model that the bench was
        scanned with, "package.module:function" or a function from a list of texts to vectors (n, d); the best come
        first, and `similarity` is the cosine. For the others see curation.Bench.samples.
        """
        from assay.curation.filtering.likeness import add_words
        from assay.pipelines.embedders.text import find_text_embedder

        wanted = add_words(like, words, find_text_embedder(text_embedder))
        return super().samples(where, sort, limit, search, wanted, columns)

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
    ) -> Frame:
        """List what to review next, with cells to fill in for `edit`.

        For the other columns see curation.Bench.queue: label, verdict, keep and why are empty, upto says when.
        """
        from assay.curation.review.queue import add_cells
        from assay.curation.versioning.pointers import find_position
        from assay.pipelines.reports.notebook import Frame, draw_queue

        upto = find_position(self, "HEAD")  # before: what is decided meanwhile is newer
        rows = super().queue(n, random, version, again, who, opinion, where, mistakes)
        return Frame.of(add_cells(self, rows, upto), self, draw_queue)

    def issues(
        self, kind: str | None = None, version: str = "HEAD", threshold: float | None = None
    ) -> Frame:
        """List the open issues, worst first: see curation.Bench.issues."""
        from assay.pipelines.reports.notebook import Frame, draw_issues

        return Frame.of(super().issues(kind, version, threshold), self, draw_issues)

    def add_opinion(
        self, source: pd.DataFrame | str | Path, name: str = "datalab", *, progress: bool = True
    ) -> dict:
        """Add what another tool found, under its name: see opinion_files.add_opinion.

        source: a frame as cleanlab's Datalab.get_issues() gives it, a file of one, or Datalab.save's folder. It shows
        in issues(), as NAME_label and so on, and never changes our scores or flags.
        """
        from assay.pipelines.indexing.opinion_files import add_opinion

        out = add_opinion(self, source, name)
        for note in out["notes"]:
            self._printer(progress)(f"note: {note}")
        return out

    def remove_opinion(self, name: str) -> None:
        """Remove a second opinion."""
        from assay.curation.issues.opinions import remove_opinion

        remove_opinion(self, name)

    def gaps(self, version: str = "HEAD", run: str | None = None) -> Frame:
        """List where data are missing, or labels contradict: see find_gaps."""
        from assay.curation.slicing.gaps import find_gaps
        from assay.pipelines.reports.notebook import Frame, draw_gaps

        draw = functools.partial(draw_gaps, version=version, run=run)
        found = find_gaps(self, version, run)
        found["action"] = [translate(text, self) for text in found.action]
        return Frame.of(found, self, draw)

    def clusters(self, version: str = "HEAD", level: str = "fine") -> Frame:
        """List the clusters of the data: see tabulate_clusters."""
        from assay.curation.slicing.cluster_table import tabulate_clusters
        from assay.pipelines.reports.notebook import Frame, draw_clusters

        draw = functools.partial(draw_clusters, level=level)
        return Frame.of(tabulate_clusters(self, version, level), self, draw)

    def rename_cluster(self, cluster: str, name: str, who: str = "", level: str = "fine") -> dict:
        """Call a cluster `name`: see cluster_names.rename_cluster."""
        from assay.curation.slicing import cluster_names

        return cluster_names.rename_cluster(self, cluster, name, who or getpass.getuser(), level)

    def map(self, version: str = "HEAD", wait: bool = False) -> pd.DataFrame:
        """Place every image in the plane: frame x, y, method by sample.

        wait: until UMAP has drawn it, where it is not yet.
        """
        from assay.curation.features import image_map

        if wait:
            from assay.pipelines.indexing.draw_map import draw_map

            draw_map(self, self._printer(), wait=True)
        state = self.frame(version)
        xy, method = image_map.read_positions(self, state)
        return state[["split", "label"]].assign(x=xy[:, 0], y=xy[:, 1], method=method)

    def similar(
        self,
        samples: Iterable[str] | str = (),
        n: int = 100,
        split: str = "pool",
        *,
        gap: str | None = None,
        copies: bool = False,
    ) -> Frame:
        """Find the samples most like given ones, or like a gap's."""
        from assay.curation.selection.similarity import find_similar
        from assay.curation.slicing.gaps import gap_seeds
        from assay.pipelines.reports.notebook import Frame, draw_candidates

        seeds = [samples] if isinstance(samples, str) else list(samples)
        if bool(seeds) == (gap is not None):
            raise UserError(
                f"expected samples or a gap, found {'both' if gap else 'neither'}",
                "as in: bench.similar(['d0017'])",
            )
        found = find_similar(self, seeds or list(gap_seeds(self, gap)), split, copies)
        return Frame.of(found.head(n), self, draw_candidates)

    def suggest(self, n: int = 100) -> Frame:
        """Suggest what to label next in the pool: see suggest_samples."""
        from assay.curation.selection.active_learning import suggest_samples
        from assay.pipelines.reports.notebook import Frame, draw_candidates

        return Frame.of(suggest_samples(self, n), self, draw_candidates)

    def duplicates(self, where: str = "", exact: bool = False) -> pd.DataFrame:
        """List groups of copies: see tabulate_groups.

        where: groups that hold a sample of which this is true. exact: those with the same bytes alone.
        """
        from assay.curation.filtering.samples import mark_samples
        from assay.curation.issues.duplicate_groups import tabulate_groups

        return tabulate_groups(self, exact, mark_samples(self, where))

    def plan_keep_best(self, where: str = "", exact: bool = False) -> dict:
        """Say what keep_best would do: {dropped, kept, groups, locked}."""
        from assay.curation.filtering.samples import mark_samples
        from assay.curation.issues.keep_best import plan_state

        return plan_state(self, self.state(), exact, mark_samples(self, where)).count()

    def keep_best(self, where: str = "", exact: bool = False, who: str = "") -> dict:
        """Drop all but the best sample of each group of copies.

        It is one batch. Nothing of test or guard is dropped. A reviewed copy stays, else a labelled
        one, else the largest; of equals one of val before train before pool. where, exact: as
        duplicates.
        """
        from assay.curation.filtering.samples import mark_samples
        from assay.curation.issues.keep_best import keep_best

        return keep_best(self, who or getpass.getuser(), exact, mark_samples(self, where))

    def not_copies(self, samples: Sequence[str], of: Sequence[str] = (), who: str = "") -> dict:
        """Store that samples are not copies of each other.

        of: only that they are no copies of those. It lasts through later scans: see
        mark_not_copies.
        """
        from assay.curation.issues.not_copies import mark_not_copies

        ids, others = ([s] if isinstance(s, str) else s for s in (samples, of))
        return mark_not_copies(self, ids, who or getpass.getuser(), others)

    def triggers(self) -> pd.DataFrame:
        """List the questions that every import is asked."""
        import pandas as pd

        from assay.curation.selection.triggers import active_triggers

        rows = [
            (name, t["kind"], t["said"], t["caught"]) for name, t in active_triggers(self).items()
        ]
        return pd.DataFrame(rows, columns=["name", "kind", "question", "caught"])

    def add_trigger(
        self,
        name: str,
        who: str = "",
        *,
        similar: list[str] | None = None,
        gap: str | None = None,
        confidence_below: float | None = None,
        disagreement: tuple[str, str] | None = None,
        query: str | None = None,
    ) -> dict:
        """Ask every import one question: see triggers.add_trigger."""
        from argparse import Namespace

        from assay.curation.selection.triggers import add_trigger
        from assay.pipelines.cli.triggers import read_question

        asked = Namespace(
            similar=similar,
            gap=gap,
            confidence_below=confidence_below,
            disagreement=disagreement,
            query=query,
        )
        kind, parts = read_question(self, asked)
        return add_trigger(self, name, kind, who or getpass.getuser(), **parts)

    def run_triggers(self, name: str | None = None, who: str = "") -> list[dict]:
        """Run all triggers, or one, on what came new."""
        from assay.curation.selection.triggers import require_trigger
        from assay.pipelines.indexing.triggers import run_triggers

        if name is not None:
            require_trigger(self, name)
        return run_triggers(self, who or getpass.getuser(), name)[0]

    def remove_trigger(self, name: str, who: str = "") -> None:
        """Remove a trigger; what it caught keeps its tag."""
        from assay.curation.selection.triggers import remove_trigger

        remove_trigger(self, name, who or getpass.getuser())

    # ---- what happened

    def diff(self, a: str, b: str = "HEAD") -> Difference:
        """Compare two versions: see curation.Bench.diff."""
        from assay.pipelines.reports.notebook_history import Difference

        return Difference.of(super().diff(a, b), self)

    def log(self) -> Frame:
        """List commits and the open work since: see curation.Bench.log."""
        from assay.pipelines.reports.notebook import Frame
        from assay.pipelines.reports.notebook_history import draw_log

        return Frame.of(super().log(), self, draw_log)

    def batches(self) -> Frame:
        """List batches of edits and commits: see curation.Bench.batches."""
        from assay.pipelines.reports.notebook import Frame
        from assay.pipelines.reports.notebook_history import draw_batches

        return Frame.of(super().batches(), self, draw_batches)

    def blame(self, sample: str, version: str = "HEAD") -> ShownLife:
        """List the edits of one sample: see curation.Bench.blame."""
        from assay.pipelines.reports.notebook_history import ShownLife

        return ShownLife.of(super().blame(sample, version), self)

    def reviewers(self, version: str = "HEAD") -> ReviewerTables:
        """Count decisions and agreement, as (people, pairs): see curation's."""
        from assay.pipelines.reports.notebook_history import ReviewerTables

        return ReviewerTables(*super().reviewers(version))

    def label(
        self,
        function: Callable[[list], Any] | str | None = None,
        name: str = "",
        predictions: pd.DataFrame | str | Path | None = None,
        *,
        where: str = "",
        split: str = "",
        who: str = "",
        patience: float = PATIENCE,
        progress: bool = True,
    ) -> Labelled:
        """Let a function, or predictions, vote on labels: see label_samples.

        function: from a list of samples to labels, or "package.module:function", which runs in a process of its own.
        predictions: a file or frame. name: of the labeller. where, split: which samples. The votes are a proposal, and
        change no label.
        """
        from assay.pipelines.cli.labellers import describe_labelled
        from assay.pipelines.indexing.label_samples import choose_samples, label_samples

        if (function is None) == (predictions is None):
            found = "neither" if function is None else "both"
            raise UserError(
                f"expected a function or predictions, found {found}",
                "as in: bench.label(classify, 'my model')",
            )
        source = function if predictions is None else predictions
        if isinstance(predictions, str):
            source = Path(predictions)
        called = name or (function if isinstance(function, str) else "")
        chosen, by = choose_samples(self, where, split), who or getpass.getuser()
        with progress_bar("labelling", progress) as step:
            found = label_samples(self, source, called, chosen, by, patience, step)
        for line in describe_labelled(found):
            self._printer(progress)(line)
        return found

    def labellers(self) -> LabellerTables:
        """Measure every labeller, as (labellers, confusion): see measure_labellers."""
        from assay.curation.review.labeller_rates import measure_labellers

        return measure_labellers(self)

    def compare_labellers(self, a: str, b: str) -> dict:
        """Say which of two labellers is the better annotator, with an interval."""
        from assay.curation.review.labeller_rates import compare_labellers

        return compare_labellers(self, a, b)

    def consensus(self, method: str = "crowdlab") -> pd.DataFrame:
        """Join all votes into one label a sample: see find_consensus."""
        from assay.curation.review.consensus import find_consensus

        return find_consensus(self, method)

    def compare_consensus(self, method: str = "crowdlab") -> pd.DataFrame:
        """Judge a consensus beside latest and majority: see compare_methods."""
        from assay.curation.review.consensus import compare_methods

        return compare_methods(self, method)

    def propose_consensus(self, method: str = "crowdlab", who: str = "") -> Proposal:
        """Propose the consensus labels that differ from what stands."""
        from assay.curation.review.consensus import propose_consensus

        return propose_consensus(self, method, who or getpass.getuser())

    def runs(self, split: str = "val", version: str = "HEAD") -> Frame:
        """List every finished run: see curation.Bench.runs."""
        from assay.pipelines.reports.notebook import Frame, draw_runs

        return Frame.of(super().runs(split, version), self, draw_runs)

    def status(self, version: str = "HEAD") -> dict:
        """Summarise the bench, and say what to do next: see curation's."""
        out = super().status(version)
        out["next"] = translate(out["next"], self)
        if out["weak_model"]:
            out["weak_model"] = translate(out["weak_model"], self)
        if "advice" in out:
            out["advice"] = {k: translate(v, self) for k, v in out["advice"].items()}
        return out

    # ---- what it was worth

    def experiment(
        self,
        plan: dict | str | Path | None = None,
        path: str | Path | None = None,
        *,
        question: str | None = None,
        jobs: int | None = None,
        engine: str = "local",
        address: str | None = None,
        patience: float = PATIENCE,
        progress: bool = True,
    ) -> Report:
        """Train what a plan asks for and is missing, and report it.

        plan: a dict or a TOML file; None: the first version against HEAD, see plan.default_plan. path: of the page.
        question: "end-to-end" plans what answers it, in place of a plan. jobs: runs at once. engine, address: as of
        scan. Raises Unfinished, after the report, where networks failed.
        """
        from assay.pipelines.experiments import run
        from assay.pipelines.experiments.plan import store_plan

        say = self._printer(progress)
        asked = self._find_plan(plan, question, say)
        unfinished = None
        with progress_bar("training", progress) as step:
            try:
                run.run_plan(
                    self, asked, say, step, jobs, False, patience, engine=engine, address=address
                )
            except run.Unfinished as e:  # the others have their report
                unfinished = e
        try:
            report = self.report(path, asked)
            store_plan(self, asked)  # the last experiment is one that could be judged
        except UserError:
            if unfinished is None:
                raise
        else:
            for line in report.data["verdict_lines"]:
                say(line)
        if unfinished:
            raise unfinished
        return report

    def report(
        self,
        path: str | Path | None = None,
        plan: dict | str | Path | None = None,
        *,
        log: str | None = None,
    ) -> Report:
        """Report the last experiment, or a plan's, on one HTML page.

        path: of the page; None: report.html in the bench. log: "mlflow" logs cells and runs there, too: see
        mlflow_log.log_to_mlflow. The report has data, a verdict and its path.
        """
        if log not in (None, "mlflow"):
            raise UserError(f"expected log='mlflow', found {log!r}", "or leave it out")
        from assay.curation.system.extras import require
        from assay.pipelines.experiments.plan import last_plan
        from assay.pipelines.reports import experiment_report
        from assay.pipelines.reports.notebook import Report

        asked = last_plan(self) if plan is None else check_given_plan(plan)
        where = Path(path) if path else self.path / "report.html"
        if log:
            require("mlflow", "mlflow")
        data, page = experiment_report.report(self, asked, where.absolute())
        said = dict(
            verdict=translate(data["verdict"], self),
            verdict_lines=[translate(line, self) for line in data["verdict_lines"]],
        )
        if log:
            from assay.pipelines.reports.mlflow_log import log_to_mlflow

            data |= dict(logged=log_to_mlflow(self, asked, data, page))
        return Report(self, data | said, page)

    def card(self, out: str | Path | None = None, version: str = "HEAD") -> dict:
        """Describe a version's labels, for whoever receives them.

        out: writes the card to a file.html, .md or .json. See labels_card.describe_labels for the fields.
        """
        from assay.pipelines.evaluation.labels_card import describe_labels
        from assay.pipelines.reports.labels_card import write_card

        described = describe_labels(self, version)
        if out is not None:
            write_card(described, out)
        return described

    def explain(self, what: str | None = None) -> Explained:
        """Explain the numbers of a sample, or one number of the whole bench; None: list them.

        what: a sample's id, the beginning of it, or its key; or a name such as "errors-left". Each of its `numbers` has
        formula, numbers put in, result, lesson, file and line.
        """
        from assay.pipelines.explaining.explain import explain, list_numbers

        return list_numbers() if what is None else explain(self, what)

    def plan_experiment(
        self,
        plan: dict | str | Path | None = None,
        path: str | Path | None = None,
        question: str | None = None,
    ) -> dict:
        """Say what an experiment would train and cost, and return its plan.

        plan: as `experiment` takes it. path: of a new TOML file that gets a plan to edit, and no more is done.
        question: "end-to-end" plans what answers it, in place of a plan: see questions.plan_question.
        """
        from assay.pipelines.experiments import plan_template, run
        from assay.pipelines.experiments.plan import read_plan

        wanted = plan is not None or question
        asked = self._find_plan(plan, question, self._printer()) if wanted or path is None else None
        if path is not None:
            return read_plan(plan_template.write_plan(self, path, asked))
        run.run_plan(self, asked, self._printer(), dry=True)
        return asked

    def _find_plan(self, plan: dict | str | Path | None, question: str | None, say: Tell) -> dict:
        """Find the plan that is meant: one that is given, a question's, or the default."""
        from assay.pipelines.experiments.plan import default_plan
        from assay.pipelines.experiments.questions import plan_question

        if plan is not None and question:
            raise UserError("expected a plan or a question, found both", "leave one of them out")
        if question:
            return plan_question(self, question, say)
        return default_plan(self) if plan is None else check_given_plan(plan)

    def start_experiment(
        self,
        plan: str | Path | None = None,
        path: str | Path | None = None,
        *,
        question: str | None = None,
        jobs: int | None = None,
        patience: float = PATIENCE,
    ) -> dict:
        """Start an experiment in the background: pid, log, report.

        plan: a TOML file; None: the first version against HEAD. bench.runs() lists what is done. See `experiment`.
        """
        from assay.pipelines.experiments import run

        asked = self._find_plan(plan, question, self._printer())
        run.prepare_cells(self, asked)  # what is wrong with it is said here, not in a log
        page = Path(path or self.path / "report.html").absolute()
        more = ["--jobs", jobs] if jobs else []
        pid, log = run.detach_run(
            self, asked if question else plan, ["-o", page, "--patience", patience, *more]
        )
        return dict(pid=pid, log=log, report=page)

    def compare(
        self,
        first: Any,
        second: Any,
        others: Sequence[Any] = (),
        *,
        split: str = "test",
        classes: Sequence[str] | None = None,
        missing_wrong: bool = False,
        effect: float = 1.0,
        audit_most: int = 200,
        audited: Any = None,
    ) -> dict:
        """Say whether the second model is better on the test set.

        A model is a run, or predictions as `assay.compare` takes them.
        """
        from assay.pipelines.comparison.predictions import looks_like_file
        from assay.pipelines.evaluation.pairwise import compare_runs

        models = [first, second, *others]
        if len(models) == 2 and all(isinstance(m, str) and not looks_like_file(m) for m in models):
            return compare_runs(self, first, second)
        return compare(
            first,
            second,
            bench=self,
            others=others,
            split=split,
            classes=classes,
            missing_wrong=missing_wrong,
            effect=effect,
            audit_most=audit_most,
            audited=audited,
        )

    def disagreements(
        self, first: str, second: str, split: str = "pool", *, predict: bool = False
    ) -> tuple[pd.DataFrame, dict]:
        """Find where two models disagree beyond chance: see compare_models."""
        from assay.pipelines.experiments.predictions import compare_models

        return compare_models(self, first, second, split, predict, self._printer())

    def guard(
        self,
        slices: str | Path,
        who: str,
        *,
        from_gap: str | None = None,
        score: float | None = None,
    ) -> dict:
        """Freeze the regression sets of a file, or a gap as one."""
        from assay.curation.slicing import regression_sets, set_definitions

        if from_gap is None:
            sets = set_definitions.read_regression_sets(slices)
            return regression_sets.freeze_sets(self, sets, who)
        sets, _ = set_definitions.make_set_from_gap(self, str(slices), from_gap, score)
        out = regression_sets.freeze_sets(self, sets, who)
        return out | dict(file=str(set_definitions.write_regression_sets(self, sets)))

    def gate(
        self,
        min_gain: float | None = None,
        no_regression: str | Path | None = None,
        *,
        confidence: float = 0.95,
        plan: dict | str | Path | None = None,
    ) -> dict:
        """Judge the last experiment: `passed`, and the checks, in fractions.

        min_gain: points, as in 0.5, which the checks say as 0.005. no_regression: a file of regression sets.
        confidence: of the gain, a fraction. plan: another
        than the last. See gates.judge_gates.
        """
        from assay.curation.slicing.set_definitions import read_regression_sets
        from assay.pipelines.evaluation.gates import judge_gates
        from assay.pipelines.experiments.plan import last_plan

        asked = last_plan(self) if plan is None else check_given_plan(plan)
        sets = read_regression_sets(no_regression) if no_regression else None
        return judge_gates(self, asked, min_gain, sets, confidence, str(no_regression))

    def check_proposal(self, name: str, who: str = "") -> dict:
        """Measure a proposal, and judge it by the policy: `passed`, and the checks.

        The measurement is counted in the log: see proposal_checks.check_proposal.
        """
        from assay.pipelines.evaluation.proposal_checks import check_proposal

        return check_proposal(self, name, who or getpass.getuser())

    def merge_proposal(self, name: str, who: str = "") -> tuple[dict, Merged | None]:
        """Merge what was approved of a proposal, if the policy is met.

        Returns (as check_proposal, what the merge did or None): see proposal_checks.merge_proposal.
        """
        from assay.pipelines.evaluation.proposal_checks import merge_proposal

        return merge_proposal(self, name, who or getpass.getuser())

    def describe_proposal(self, name: str) -> tuple[dict, pd.DataFrame]:
        """Describe a proposal as plain data, and list its changes.

        See proposal_summary.describe_proposal.
        """
        from assay.pipelines.reports.proposal_summary import describe_proposal

        return describe_proposal(self, name)

    def audit(
        self,
        answers: pd.DataFrame | str | Path | None = None,
        who: str = "",
        *,
        split: str = "test",
        n: int = 200,
        repeats: int | None = None,
        folder: str | Path | None = None,
    ) -> dict:
        """Draw a blind sheet of samples; or, with answers, read it back.

        answers: the filled worksheet.csv, or its rows. repeats: samples shown twice; None: a tenth.
        See audit_sheet.start_audit, audit_answers.apply_answers.
        """
        from assay.curation.review.audit_answers import apply_answers
        from assay.curation.review.audit_sheet import start_audit
        from assay.curation.versioning.decision_cells import read_decisions

        who = who or getpass.getuser()
        if answers is None:
            return start_audit(self, who, split, n, repeats, folder)
        rows = read_decisions(answers) if isinstance(answers, str | Path) else answers
        return apply_answers(self, rows, who)

    # ---- what comes out, and care

    def app(
        self,
        port: int = 8501,
        host: str = "127.0.0.1",
        *,
        browser: bool = False,
        text_embedder: str = "",
    ) -> Workbench:
        """Open the workbench in a process of its own; `stop` ends it.

        text_embedder: package.module:function, with which Browse looks for pictures by words.
        Returns it: its url opens once, link() makes another; a notebook shows it as a link.
        """
        from assay.workbench import open_workbench

        return open_workbench(self, host, port, browser, text_embedder)

    def fiftyone(
        self,
        samples: Iterable[str] | None = None,
        query: str | None = None,
        *,
        port: int | None = None,
        trust: bool = False,
    ) -> FiftyOneApp:
        """Show the bench, or a part of it, in the FiftyOne App.

        samples, or a SELECT that finds their ids; None: all that are kept. trust: FiftyOne's database as it came with
        the bench. Returns the App, a process of its own: url, pushed (what it holds), stop().
        """
        from assay.fiftyone_app import FiftyOneApp, start_fiftyone

        words = ["--port", port] if port else []
        return FiftyOneApp(*start_fiftyone(self, *words, samples=samples, query=query, trust=trust))

    def push_fiftyone(
        self,
        samples: Iterable[str] | None = None,
        query: str | None = None,
        *,
        trust: bool = False,
    ) -> dict:
        """Bring FiftyOne's data set to the bench's state, without the App.

        See `fiftyone`. Returns {samples, added, updated, removed, unchanged, waiting, lost, url}.
        """
        from assay.fiftyone_app import run_fiftyone

        return run_fiftyone(self, "--no-app", samples=samples, query=query, trust=trust)

    def pull_fiftyone(
        self,
        who: str = "",
        why: str = "",
        *,
        take: str | None = None,
        new_classes: Iterable[str] = (),
        yes: bool = False,
        trust: bool = False,
    ) -> dict:
        """Import what was changed in FiftyOne as one batch of edits.

        take: bench or fiftyone, who is right where both changed; None: neither is applied. Returns {batch, edits,
        ..., applied, left}: the last two are frames of changes, each with why.
        """
        from assay.fiftyone_app import pull_changes

        out = pull_changes(self, who or getpass.getuser(), why, take, new_classes, yes, trust)
        out["left"]["why"] = [translate(text, self) for text in out["left"].why]
        return out

    def export_fiftyone(
        self, name: str, samples: Iterable[str] | None = None, query: str | None = None
    ) -> dict:
        """Export samples as a new data set of your own FiftyOne.

        See `fiftyone` for samples and query. Returns {dataset, samples, lost}.
        """
        from assay.fiftyone_app import run_fiftyone

        return run_fiftyone(self, "--export", name, samples=samples, query=query)

    def write_sheet(self, rows: Frame | pd.DataFrame, path: str | Path) -> Path:
        """Write the rows of a list as a page of pictures.

        A list is what queue, clusters, gaps, similar or suggest return.
        A queue's page is one to decide from, which saves a CSV for `edit`.
        """
        from assay.pipelines.reports.sheets import write_any_sheet

        return write_any_sheet(self, rows, path)

    def export(
        self,
        folder: str | Path,
        version: str = "HEAD",
        format: str = "manifest",
        copy: bool = False,
        size: int | None = None,
    ) -> dict:
        """Write a version as files: see write.export_version.

        size: of the squares that a format of pixels, such as torch, makes of the images.
        """
        from assay.curation.formats.write import export_version

        return export_version(self, folder, version, format, copy, size)

    def export_corrections(self, folder: str | Path, version: str = "HEAD") -> list[dict]:
        """Write what a version corrects alone: see write.write_corrections."""
        from assay.curation.formats.write import write_corrections

        return write_corrections(self, folder, version)

    def mend_sources(self, version: str = "HEAD") -> list[dict]:
        """Mend the sources themselves, with a backup: see write.write_in_place."""
        from assay.curation.formats.write import write_in_place

        return write_in_place(self, version)

    def check(
        self, repair: bool = False, tree: str | None = None, *, progress: bool = True
    ) -> list[dict]:
        """Check that log, arrays and images are what was written.

        [] for a sound bench; else what is wrong, each with what can be done. tree: a version must have it, too.
        """
        from assay.curation.maintenance.integrity import check_bench, check_tree
        from assay.curation.maintenance.repair import repair_bench

        with progress_bar("checking", progress) as step:
            found = check_bench(self, step)
            found = repair_bench(self, found, step) if repair and found else found
        return [*found, *check_tree(self, tree)] if tree else found

    def gc(self, dry_run: bool = False) -> dict:
        """Delete derived arrays that nothing needs."""
        from assay.curation.maintenance.garbage import collect_garbage

        return collect_garbage(self, dry_run)

    def relocate(self, folder: str | Path, *, progress: bool = True) -> dict:
        """Find images that have moved to a folder, by their bytes."""
        from assay.curation.media.relocation import relocate_images

        with progress_bar("reading", progress) as step:
            return relocate_images(self, str(folder), step)

    def restore(self, name: str | None = None) -> dict:
        """Restore the last good backup, or the one of a version."""
        from assay.curation.storage.backup import restore_backup

        return restore_backup(self, name)


def check_given_plan(plan: dict | str | Path) -> dict:
    """Check a plan, a dict or a TOML file."""
    from assay.pipelines.experiments import plan as plans

    return plans.check_plan(plan) if isinstance(plan, dict) else plans.read_plan(plan)


# ---- opened, and its errors in Python

VERBS = (
    "add add_class add_opinion add_trigger app approve_proposal assign assignments audit "
    "batches blame card check check_proposal classes close_proposal clusters comment_proposal commit "
    "commits compare compare_consensus compare_labellers consensus dataset describe_proposal "
    "diff disagreements duplicates edit edit_class embeddings estimate exemplars experiment "
    "explain export export_corrections export_fiftyone fiftyone findings flagged frame gaps gate gc "
    "guard import_classes issues keep_best label label_issues labellers log map mend_sources "
    "merge merge_proposal move_class not_copies plan_experiment plan_keep_best pred_probs "
    "preview proposal_changes proposals propose propose_consensus pull_fiftyone push_fiftyone "
    "queue redo reject_proposal relocate remove_opinion remove_trigger remove_view rename_class "
    "rename_cluster report restore revert reviewers rule rules run_triggers runs samples "
    "save_view scan set_proposal_policy set_rule set_stop similar split split_class split_off "
    "sql start_experiment state status suggest triggers undo undo_own views write_sheet"
).split()


def translate(text: str, bench: object = None) -> str:
    """Say in Python what a text says in shell commands.

    bench: the one that it is about, or its path.
    """
    methods = {name: inspect.signature(getattr(Bench, name)) for name in VERBS}
    given = getattr(bench, "given", bench)
    return translate_hint(text, methods, given if isinstance(given, str | Path) else "")


def check_call(name: str, signature: inspect.Signature, args: tuple, kwargs: dict) -> None:
    """Refuse arguments that a function lacks, or does not take."""
    known = [p for p in signature.parameters if p != "self"]
    taken = f"it takes {', '.join(known) or 'nothing'}"
    for word in kwargs:
        if word not in known:
            raise UnknownName(f"expected an argument of {name}, found {word}", taken, word, known)
    try:
        signature.bind(*args, **kwargs)
    except TypeError as e:
        raise UserError(f"expected another call of {name}, found {e}", taken) from None


def say_in_python(function: F) -> F:
    """Wrap a function so that its errors' hints are Python."""

    signature = inspect.signature(function)

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        try:
            check_call(function.__name__, signature, args, kwargs)
            return function(*args, **kwargs)
        except BaseException as e:
            # here, since `add` never sees wrong arguments: a bench made for it is removed again
            if function.__name__ == "add" and args:
                args[0].remove_empty(e)
            if not isinstance(e, UserError):
                raise
            e.reword(functools.partial(translate, bench=next(iter(args), None)))
            raise

    return cast(F, call)


for _name in VERBS:
    setattr(Bench, _name, say_in_python(getattr(Bench, _name)))


@say_in_python
def open(path: str | Path) -> Bench:  # noqa: A001 - `assay.open("my-bench")` is what users type
    """Open the bench in folder `path`: see curation.open."""
    return adopt(curation.open(path))


@say_in_python
def create(path: str | Path, group: bool = False) -> Bench:
    """Open the bench in folder `path`; make it where there is none."""
    return adopt(curation.create(path, group))


@say_in_python
def compare(
    first: Any,
    second: Any,
    labels: Any = None,
    bench: Bench | None = None,
    others: Sequence[Any] = (),
    *,
    split: str = "test",
    by: Sequence[str] = (),
    classes: Sequence[str] | None = None,
    missing_wrong: bool = False,
    effect: float = 1.0,
    audit_most: int = 200,
    audited: Any = None,
    label_column: str | None = None,
) -> dict:
    """Say whether the second model is better, by what both predict.

    first, second, others: for each model labels, probabilities or both: a file, a pattern or comma
    list of files (one a training), a frame with a column or index of ids, labels (n,),
    probabilities (n, k), or a list of such, one a training. They are judged by `labels` (a file, a
    frame with columns of ids and label, or an array (n,) in the same order), or by the `split` of a
    bench. by: columns of labels to slice by; classes: what whole numbers and unnamed columns stand
    for; effect: points; audited: labels of samples on which two differ (columns sample, label, and
    verdict for unsure), in the order of the result's audit. Returns the verdict, the difference
    with its interval, and all that `assay compare --json` prints. Raises UserError for what can't
    be read or matched.
    """
    from assay.pipelines.comparison.compare import CompareOptions, compare_files

    options = CompareOptions(
        split, by, classes, missing_wrong, effect, audit_most, label_column, audited
    )
    return compare_files([first, second, *others], labels, bench, options)


@say_in_python
def demo(folder: str | Path = "demo", *, progress: bool = True) -> tuple[Bench, dict]:
    """Review real solar cells as a simulated expert; measure the gain.

    folder: where benches and reports go; what is there is not done again. Returns (the bench of the first story, what
    was found: gain, control, difference, ceiling, ..., and `second`, the second story).
    """
    from assay.pipelines.simulation.demo import run_demo

    say = line_printer(progress, translate)
    found, bench = run_demo(Path(folder), say, functools.partial(progress_bar, show=progress))
    return adopt(bench), found


def adopt(opened: curation.Bench) -> Bench:
    """Give a bench that was opened the verbs of the pipelines."""
    bench = Bench(opened.given)
    bench.upgrade_note, bench.made = opened.upgrade_note, opened.made
    bench.arrays_address = opened.arrays_address
    if bench.upgrade_note:
        print(f"note: {bench.upgrade_note}; scan again, so that they are judged", file=sys.stderr)
    return bench
