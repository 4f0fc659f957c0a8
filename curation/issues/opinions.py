"""Second opinions: what another tool found, under its name.

It stands beside our own. An opinion is a file of arrays/opinions. It never changes a score or a flag of ours.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from assay.curation.errors import UnknownName, UserError
from assay.curation.issues.base import COLUMNS, Issue
from assay.curation.issues.finders import list_kinds
from assay.curation.splits import LOCKED
from assay.curation.storage.arrays import load_arrays, save_arrays
from assay.curation.storage.interface import Bench
from assay.curation.versioning.class_names import ClassNames, read_names

if TYPE_CHECKING:
    import pandas as pd

NAME = re.compile(r"[a-z][a-z0-9]{0,30}")


@dataclass(frozen=True)
class Opinion:
    """What a tool found about n samples, in m kinds of issues."""

    name: str
    ids: np.ndarray  # (n,) of the samples
    issues: list[str]  # (m,) as the tool calls them: label, outlier, near_duplicate, ...
    flags: np.ndarray  # (n, m) bool
    scores: np.ndarray  # (n, m), 0 to 1, low is bad; NaN where it gives none
    given: list[str | None]  # (n,) the label that it judged; None where it does not say
    predicted: list[str | None]  # (n,) the label that it suggests
    about: str  # how its rows were matched with samples, and what was left out
    upto: int = 0  # the position in the log whose names of classes it says

    @classmethod
    def load(cls, path: Path) -> Opinion:
        kept = load_arrays(path)
        assert kept is not None, "it was listed"
        texts = {k: json.loads(str(kept[k])) for k in ("issues", "given", "predicted")}
        ids = kept["ids"].astype(str).astype(object)
        return cls(
            path.stem,
            ids,
            flags=kept["flags"],
            scores=kept["scores"],
            about=str(kept["about"]),
            upto=int(kept.get("upto", 0)),  # an earlier Assay knew no renames
            **texts,
        )

    def save(self, bench: Bench) -> None:
        texts = {
            k: np.array(json.dumps(getattr(self, k))) for k in ("issues", "given", "predicted")
        }
        save_arrays(
            opinion_file(bench, self.name),
            ids=np.asarray(self.ids, "S32"),
            flags=self.flags,
            scores=self.scores.astype("f4"),
            about=np.array(self.about),
            upto=np.array(self.upto),
            **texts,
        )

    def rename(self, names: ClassNames) -> Opinion:
        """Read its labels through the renames that came after it."""

        def call(labels: list[str | None]) -> list[str | None]:
            return [label if label is None else names.find(label, self.upto) for label in labels]

        return replace(self, given=call(self.given), predicted=call(self.predicted))

    def kinds(self) -> list[str]:
        """Name its issues as lists show them: datalab_label."""
        return [f"{self.name}_{issue}" for issue in self.issues]


def opinion_file(bench: Bench, name: str) -> Path:
    return bench.arrays / "opinions" / f"{name}.npz"


def list_opinions(bench: Bench) -> list[str]:
    """List the names of a bench's opinions."""
    return sorted(file.stem for file in (bench.arrays / "opinions").glob("*.npz"))


def load_opinion(bench: Bench, name: str) -> Opinion:
    """Read a second opinion, by the names that classes have now.

    UserError where there is none of the name.
    """
    known = list_opinions(bench)
    if name not in known:
        raise UnknownName(
            f"expected a second opinion of this bench, found {name!r}",
            f"there are {', '.join(known) or 'none'}; assay opinion FILE adds one",
            name,
            known,
        )
    with bench.connect() as con:
        return Opinion.load(opinion_file(bench, name)).rename(read_names(con))


def remove_opinion(bench: Bench, name: str) -> None:
    """Remove an opinion."""
    load_opinion(bench, name)
    opinion_file(bench, name).unlink()


def check_name(name: str, issues: list[str]) -> None:
    """Refuse a name that is no word, or makes our kinds."""
    if not NAME.fullmatch(name):
        raise UserError(
            f"expected a name of small letters and digits for the opinion, found {name!r}",
            "for example datalab",
        )
    if same := set(list_kinds()) & {f"{name}_{issue}" for issue in issues}:
        raise UserError(
            f"expected a name of its own for the opinion, found that its issues would be {', '.join(sorted(same))}",
            "these are ours: choose another name",
        )


# ---- as issues


def opinion_kinds(bench: Bench) -> list[str]:
    """List the kinds of issues that opinions bring."""
    return [kind for name in list_opinions(bench) for kind in load_opinion(bench, name).kinds()]


def list_opinion_issues(bench: Bench, state: pd.DataFrame) -> pd.DataFrame:
    """List what opinions say of a state, as issues under their names.

    What they say of a label that somebody has reviewed or changed since is left out, as are all labels of test and
    guard.
    """
    import pandas as pd

    rows = [
        row
        for name in list_opinions(bench)
        for row in opinion_issues(load_opinion(bench, name), state)
    ]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def opinion_issues(opinion: Opinion, state: pd.DataFrame) -> list[Issue]:
    at = state.index.get_indexer(opinion.ids)
    label, reviewed = state.label.to_numpy(object), state.reviewed.to_numpy(bool)
    locked = state.split.isin(LOCKED).to_numpy()
    out = []
    for kind, issue, flags, scores in zip(
        opinion.kinds(), opinion.issues, opinion.flags.T, opinion.scores.T
    ):
        for i in np.flatnonzero(flags & (at >= 0)):
            row, suggestion, given = at[i], None, opinion.given[i]
            score = float(scores[i]) if scores[i] == scores[i] else 0.0
            why = f"{opinion.name} says so, score {score:.3g}"
            if issue == "label":
                if locked[row] or reviewed[row] or given not in (None, label[row]):
                    continue
                suggestion = opinion.predicted[i]
                why += f", and predicts {suggestion}" if suggestion else ""
            out.append(Issue(kind, state.index[row], score, suggestion, why))
    return out


def find_doubted_samples(bench: Bench, state: pd.DataFrame, name: str) -> dict[str, str]:
    """Find the samples whose label an opinion doubts, worst first: {sample: why}."""
    opinion = load_opinion(bench, name)
    if "label" not in opinion.issues:
        raise UserError(
            f"expected an opinion about labels, found that {name} has {', '.join(opinion.issues)}",
            "add one with the columns is_label_issue and label_score",
        )
    found = [row for row in opinion_issues(opinion, state) if row.kind == f"{name}_label"]
    kept = state.keep.to_dict()
    return {row.sample: row.why for row in sorted(found, key=lambda r: r.score) if kept[row.sample]}


def list_doubted_labels(bench: Bench, state: pd.DataFrame, name: str) -> pd.DataFrame:
    """List the kept labels that an opinion doubts, worst first.

    Frame by sample: label, suggestion (None where it gives none), score (its own).
    """
    import pandas as pd

    found = [
        row
        for row in opinion_issues(load_opinion(bench, name), state)
        if row.kind == f"{name}_label" and state.keep[row.sample]
    ]
    found.sort(key=lambda row: row.score)
    samples = [row.sample for row in found]
    columns = dict(
        label=list(state.label[samples]),
        suggestion=[row.suggestion for row in found],
        score=[row.score for row in found],
    )
    return pd.DataFrame(columns, index=samples, dtype=object)


def compare_flags(opinion: Opinion, flagged: pd.Series) -> dict[str, int] | None:
    """Count labels that both doubt, and one alone.

    flagged: ours, by sample. Over the samples that both judged; None where it says nothing of labels.
    """
    if "label" not in opinion.issues:
        return None
    theirs = dict(zip(opinion.ids, opinion.flags[:, opinion.issues.index("label")]))
    both = [(bool(theirs[s]), bool(f)) for s, f in flagged.items() if s in theirs]
    return dict(
        judged=len(both),
        both=sum(a and b for a, b in both),
        only_theirs=sum(a and not b for a, b in both),
        only_ours=sum(b and not a for a, b in both),
    )
