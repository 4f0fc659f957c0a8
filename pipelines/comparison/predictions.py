"""What a model answers: labels or probabilities, of one training or several."""

from __future__ import annotations

import glob
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from assay.curation.errors import UserError
from assay.curation.text import format_count, plain_name
from assay.pipelines.comparison import cells, columns
from assay.pipelines.comparison.truth import Truth


@dataclass(frozen=True)
class Answers:
    """What one trained model says of n rows."""

    name: str  # of the file, and of the seed in it
    keys: dict[str, np.ndarray]  # column -> texts (n,); none: by the order of the rows
    labels: np.ndarray  # (n,) texts, None where nothing is predicted
    probs: np.ndarray | None  # (n, k)
    classes: list[str]  # (k,) of probs
    ordered: bool = False  # an array, whose rows are samples by their order
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Model:
    """A model: its name, and the answers of each of its trainings."""

    name: str
    seeds: list[Answers]


def read_models(given: Sequence[Any], truth: Truth, classes: Sequence[str] | None) -> list[Model]:
    """Read each model that is given, and name it; see read_model."""
    sources = [split_name(one) for one in given]
    found = [expand_files(source) for _, source in sources]
    names = [
        name or name_model(files, i) for i, ((name, _), files) in enumerate(zip(sources, found))
    ]
    # files of one name in two folders, arrays
    short = [
        n if names.count(n) == 1 else long_name(f, n, i)
        for i, (n, f) in enumerate(zip(names, found))
    ]
    return [
        Model(name, [answers for file in files for answers in read_answers(file, truth, classes)])
        for name, files in zip(short, found)
    ]


def split_name(given: Any) -> tuple[str, Any]:
    """Split NAME=FILES into name and files; a path that exists is none."""
    if isinstance(given, str) and "=" in given and not Path(given).exists():
        name, _, files = given.partition("=")
        return name, files
    return "", given


def expand_files(given: Any) -> list[Any]:
    """List a model's sources, one for each training: a comma list, a pattern, or a Python list."""
    if isinstance(given, list | tuple) and given and not np.isscalar(given[0]):
        return list(given)
    if isinstance(given, list | tuple) and given and all(looks_like_file(v) for v in given):
        return list(given)
    if not isinstance(given, str) or Path(given).expanduser().exists():
        return [given]
    out = []
    for part in filter(None, given.split(",")):
        if any(c in part for c in "*?["):
            matched = sorted(glob.glob(str(Path(part).expanduser())))
            if not matched:
                raise UserError(
                    f"expected files that match {part}, found none", "quote the pattern"
                )
            out += matched
        else:
            out.append(part)
    return out or [given]


def looks_like_file(word: Any) -> bool:
    """Whether a word names files of predictions, and no run."""
    if isinstance(word, Path):
        return True
    if not isinstance(word, str):
        return False
    files = word.partition("=")[2] or word
    last = files.rsplit(",", 1)[-1]
    return Path(last).suffix.lower() in cells.ENDINGS or Path(last).is_file()


def name_model(files: list[Any], place: int) -> str:
    """Name a model by its file, or by what its files' names begin with."""
    stems = [Path(f).stem for f in files if isinstance(f, str | Path)]
    if not stems:
        return "ABCDEFGHIJKLMNOPQRSTUVWXYZ"[place] if place < 26 else f"model {place + 1}"
    same = next(
        (i for i in range(min(map(len, stems))) if len({s[i] for s in stems}) > 1),
        min(map(len, stems)),
    )
    return (stems[0] if len(stems) == 1 else stems[0][:same].rstrip("-_. ")) or stems[0]


def long_name(files: list[Any], name: str, place: int) -> str:
    return f"{files[0]}" if isinstance(files[0], str | Path) else f"{name} {place + 1}"


def read_answers(source: Any, truth: Truth, classes: Sequence[str] | None) -> list[Answers]:
    """Read the answers in a file: one for each value of a column seed, or one.

    classes: what whole numbers and unnamed columns stand for. UserError says what is missing or can't be read.
    """
    table = cells.read_source(source, "predictions")
    notes = list(table.notes)
    probs, listed, used, more = read_probabilities(table, truth, classes)
    notes += more
    seed = [c for c in columns.find_named(table, columns.SEEDS)[:1] if c not in used]
    ids = columns.find_named(table, columns.IDS)
    taken = {*used, *seed, *ids, *(c for c in table.cells if columns.UNNAMED.fullmatch(c.strip()))}
    label = None
    if probs is None or columns.find_named(table, columns.SAID):
        label = columns.choose_label(table, columns.PREDICTED, None, taken)
    keys = columns.find_ids(table, {*used, *seed, *([label] if label else [])})
    if probs is not None:
        likeliest = np.array(listed, object)[probs.argmax(1)]
        notes.append(f"{table.name}: probabilities of {format_count(len(listed), 'class')}")
    labels = likeliest if label is None else columns.read_labels(table, label)
    if label is not None:
        notes.append(f"{table.name}: predictions in the column {label}")
        labels, more = read_spellings(labels, truth, classes, table.name)
        notes += more
    if label is not None and probs is not None and (n := int((labels != likeliest).sum())):
        other = format_count(n, "label", "is", "are")
        notes.append(f"{table.name}: {other} not the likeliest class; judged by the column {label}")
    whole = Answers(table.name, keys, labels, probs, listed, table.unnamed, notes)
    return split_seeds(whole, columns.read_labels(table, seed[0])) if seed else [whole]


def split_seeds(whole: Answers, seeds: np.ndarray) -> list[Answers]:
    """Split rows of several trainings by their seed (n,)."""
    if any(s is None for s in seeds):
        raise UserError(
            f"expected a seed in each row of {whole.name}, found rows without",
            "fill the column seed, or leave it out",
        )
    out = []
    for seed in sorted(set(seeds), key=lambda s: (len(s), s)):
        rows = seeds == seed
        probs = None if whole.probs is None else whole.probs[rows]
        keys = {c: texts[rows] for c, texts in whole.keys.items()}
        out.append(
            replace(
                whole,
                name=f"{whole.name}, seed {seed}",
                keys=keys,
                labels=whole.labels[rows],
                probs=probs,
                notes=[] if out else whole.notes,
            )
        )
    return out


def read_probabilities(
    table: cells.Columns, truth: Truth, classes: Sequence[str] | None
) -> tuple[np.ndarray | None, list[str], list[str], list[str]]:
    """Find probabilities: ((n, k), classes, columns used, notes); None where there are none."""
    if table.unnamed:
        named = [c for c in table.cells if c.isdigit()]
        if len(named) < 2:
            return None, [], [], []
        matrix = columns.read_numbers(table, named)
        listed, note = name_columns(len(named), truth, classes, table.name)
        return columns.check_probabilities(matrix, table.name), listed, named, note
    found, notes = columns.find_probabilities(table, [*(classes or truth.classes)])
    if found:
        used = list(found.values())
        matrix = columns.check_probabilities(columns.read_numbers(table, used), table.name)
        if lacks := sorted(set(truth.labels) - set(found)):
            notes.append(
                f"{table.name}: no column for {', '.join(map(repr, lacks[:3]))}: probability 0"
            )
        return matrix, list(found), used, notes
    for column in columns.find_named(table, columns.LISTS):
        matrix = columns.read_lists(table, column)
        if matrix is not None:
            listed, note = name_columns(matrix.shape[1], truth, classes, table.name)
            return columns.check_probabilities(matrix, table.name), listed, [column], notes + note
    return None, [], [], notes


def name_columns(
    k: int, truth: Truth, classes: Sequence[str] | None, name: str
) -> tuple[list[str], list[str]]:
    """Name k columns that have no name: by `classes`, else in lexicographic order.

    Whole numbers go by their value. UserError where there are not as many classes.
    """
    given = list(classes or truth.classes)
    if not classes and all(c.isdigit() for c in given) and all(int(c) < k for c in given):
        return [str(j) for j in range(k)], []
    if len(given) != k:
        raise UserError(
            f"expected {format_count(len(given), 'column')} of probabilities in {name}, found {k}: the classes are"
            f" {', '.join(given)[:300]}",
            "name the columns, or say with --classes which they are",
        )
    if classes:
        return given, []
    return given, [
        f"{name}: columns taken as the classes in alphabetical order, {', '.join(given)[:200]}"
    ]


def read_spellings(
    labels: np.ndarray, truth: Truth, classes: Sequence[str] | None, name: str
) -> tuple[np.ndarray, list[str]]:
    """Read predicted labels by the classes' spelling: (labels, notes).

    What differs in case, blanks or accents alone is read as the class, and said. UserError where most are no class.
    """
    import pandas as pd

    codes, said = pd.factorize(labels)
    counts = np.bincount(codes[codes >= 0], minlength=len(said))
    known, alike = set(truth.classes) | set(classes or ()), {}
    for c in sorted(known):
        alike.setdefault(plain_name(c), []).append(c)
    numbers = bool(len(said)) and all(s.isdigit() for s in said) and not known & set(said)
    if numbers and classes and all(int(s) < len(classes) for s in said):
        named = np.array([classes[int(s)] for s in said], object)
        return take(named, codes), [f"{name}: numbers are read as the classes in the order given"]
    if numbers:
        raise UserError(
            f"expected classes such as {truth.classes[0]} in {name}, found the numbers {', '.join(sorted(said)[:5])}",
            "say what they stand for: --classes with all classes in their order",
        )
    named, notes, unknown = said.astype(object), [], []
    for i, text in enumerate(said):
        if text in known:
            continue
        meant = alike.get(plain_name(text), [])
        if len(meant) == 1:
            named[i] = meant[0]
            notes.append(
                f"{name}: {text!r} is read as {meant[0]!r} ({format_count(int(counts[i]), 'row')})"
            )
        else:
            unknown.append(i)
    lost = int(counts[unknown].sum())
    if unknown and 2 * lost > counts.sum():
        raise UserError(
            f"expected the classes {', '.join(truth.classes)[:200]} in {name}, found"
            f" {', '.join(repr(said[i]) for i in unknown[:5])} in {lost:,} of {format_count(int(counts.sum()), 'row')}",
            "write the classes as the labels do",
        )
    if unknown:
        some = ", ".join(repr(said[i]) for i in unknown[:5])
        notes.append(
            f"{name}: {some} is no class of the labels, and counts as wrong ({format_count(lost, 'row')})"
        )
    return take(named, codes), notes


def take(named: np.ndarray, codes: np.ndarray) -> np.ndarray:
    return np.append(named, None)[codes]  # -1 is None
