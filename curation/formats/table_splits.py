"""Which column of a table holds splits, and what its words mean."""

from __future__ import annotations

from assay.curation.errors import AmbiguousSource, Reading, UnknownColumn
from assay.curation.formats.split_words import read_split_word
from assay.curation.formats.table_cells import Table
from assay.curation.formats.table_labels import plain_name

SPLIT_NAMES = "split subset set partition phase datasplit usage dataset splitname tvt".split()
FLAGS = {  # columns that say yes or no -> the split of yes
    "istest": "test", "istrain": "train", "istraining": "train", "istrainingimage": "train",
    "isval": "val", "isvalid": "val", "isvalidation": "val",
}  # fmt: skip
FOLDS = ("fold", "folds", "kfold", "cvfold", "foldid", "foldnumber")
YES, NO = ("true", "1", "1.0", "yes", "t", "y"), ("false", "0", "0.0", "no", "f", "n")


def choose_column(
    table: Table, option: str, asked: str | None, words: tuple[str, ...] = ()
) -> str | None:
    """Choose the column asked for, else the first called one of `words`."""
    names = [*table.columns, *(table.byte_columns if option == "image" else [])]
    if asked and asked not in names and asked != "none":
        raise UnknownColumn(
            f"expected a column {asked}, found {', '.join(names)}",
            f"--{option}-column takes one of these",
            asked,
            names,
        )
    if asked:
        return asked if asked in names else None
    return next((name for word in words for name in names if word == name.lower()), None)


def choose_split(
    table: Table, asked: str | None, file: str, split_map: dict[str, str], exported: bool
) -> tuple[str | None, dict[str, str]]:
    """Choose the column of the splits, and read its flags."""
    if asked or exported:
        column = choose_column(table, "split", asked, ("split",))
        return column, read_flag(column, table.columns.get(column or "", []))
    plain = {name: plain_name(name) for name in table.columns}
    exact = [name for name in plain if plain[name] == "split"]
    known = exact or [
        name
        for name in plain
        if plain[name] in SPLIT_NAMES and holds_splits(table.columns[name], split_map)
    ]
    flags = [name for name in plain if read_flag(name, table.columns[name])]
    folds = [name for name in plain if plain[name] in FOLDS]
    if len(known) == 1 or len(set(map(str, (table.columns[n] for n in known)))) == 1:
        return known[0], {}
    if len(known) > 1 or len(flags) > 1:
        several = known or flags
        raise AmbiguousSource(
            f"expected one column of splits in {file}, found {len(several)}: {', '.join(several)}",
            [*(Reading("", f"--split-column {n}") for n in several),
             Reading("the splits are drawn", "--split-column none")],
        )  # fmt: skip
    if flags:
        return flags[0], read_flag(flags[0], table.columns[flags[0]])
    if folds:
        raise ask_fold(folds[0], table.columns[folds[0]], file)
    return None, {}


def holds_splits(values: list, split_map: dict[str, str]) -> bool:
    """Whether some values of a column are words for splits."""
    words = {str(v) for v in values if v is not None}
    return len(words) < 50 and any(read_split_word(word, split_map) for word in words)


def read_flag(column: str | None, values: list) -> dict[str, str]:
    """Read what the words of a column such as is_test mean."""
    split = FLAGS.get(plain_name(column or ""))
    words = {str(v) for v in values if v is not None}
    if not split or not words or any(word.lower() not in (*YES, *NO) for word in words):
        return {}
    other = "test" if split == "train" else "train"
    return {word: split if word.lower() in YES else other for word in words}


def ask_fold(column: str, values: list, file: str) -> AmbiguousSource:
    """Ask what folds mean: they are no splits by themselves."""
    folds = sorted({str(v) for v in values if v is not None})[:20]
    meant = ",".join(f"{fold}={'test' if fold == folds[-1] else 'train'}" for fold in folds)
    return AmbiguousSource(
        f"expected splits or none in {file}, found the column {column} with {len(folds)} folds",
        [
            Reading("the splits are drawn, folds are metadata", "--split-column none"),
            Reading(
                "a fold is a split, as you say", f"--split-column {column} --split-map {meant}"
            ),
            Reading(
                "the splits are drawn by fold: one stays whole",
                f"--split-column none --group-column {column}",
            ),
        ],
    )
