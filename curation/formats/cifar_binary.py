"""CIFAR-10 and CIFAR-100, the binary version."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from assay.curation.errors import AmbiguousSource, Reading, UnknownColumn, UserError
from assay.curation.formats.base import ImportOptions, Listing, Match, Patch, Unread
from assay.curation.formats.moves import iter_changes
from assay.curation.media.containers.cifar import PIXELS, count_labels
from assay.curation.media.files import BadMedia

if TYPE_CHECKING:
    import pandas as pd

NAMES = {
    "label": ["batches.meta.txt"],
    "fine": ["fine_label_names.txt"],
    "coarse": ["coarse_label_names.txt"],
}
FILES = re.compile(r"(data_batch_\d+|test_batch|train|test)(\.bin)?", re.IGNORECASE)
CONVERT = (
    "convert where you trust it: python -c \"import pickle, numpy as np; d = pickle.load(open('FILE',"
    " 'rb'), encoding='bytes'); np.savez('cifar.npz', images=d[b'data'].reshape(-1, 3, 32, 32),"
    " labels=d.get(b'labels', d.get(b'fine_labels')))\""
)


class CifarBinary:
    """CIFAR's binary version: data_batch_1.bin, ..., test_batch.bin; train.bin and test.bin."""

    name = "cifar"
    suffixes = (".bin",)

    def matches(self, path: Path) -> Match:
        if files := list_batches(path):
            if is_pickle(files[0]) or fits(files[0]):
                return Match("sure", f"{files[0].name} has CIFAR's name and size")
        return Match("no", "expects CIFAR's binary version: data_batch_1.bin, ...")

    def read(self, path: Path, options: ImportOptions) -> Listing:
        files = list_batches(path)
        refuse_pickles(files)
        kinds = label_kinds(files[0], options)
        if len(kinds) > 1 and not options.columns.get("label"):
            raise AmbiguousSource(
                "expected one label an image, found the two of CIFAR-100",
                [
                    Reading("100 classes", "--label-column fine"),
                    Reading("20 classes", "--label-column coarse"),
                ],
            )
        kind = options.columns.get("label") or kinds[0]
        names = read_names(path, kind)
        samples = []
        for file in files:
            split = split_of_batch(file.name)
            numbers = [None] * count_records(file)
            if kind in kinds and not options.pictures_only:
                numbers = read_labels(file, kinds.index(kind)).tolist()
            for i, number in enumerate(numbers):
                label = None if number is None else name_of(number, names)
                uri = f"{file}::{i}"
                key = f"{file.name}/{i}"
                samples.append(dict(key=key, uri=uri, label=label, split=split, meta={}))
        beside = [f for f in path.iterdir() if f.is_file()] if path.is_dir() else []
        known = {*files, *(path / name for names_ in NAMES.values() for name in names_)}
        rest = sorted(f.name for f in beside if f not in known)
        return Listing(
            self.name,
            f"CIFAR-{100 if len(kinds) > 1 else 10} binary",
            path.name,
            [samples],
            [],
            [] if names else ["classes are numbers: no file beside the images names them"],
            {
                "label": f"the {kind if kind != 'label' else ''} byte before each image".replace(
                    "  ", " "
                )
                + (f", named by {NAMES[kind][0]}" if names else ""),
                "split": "the files' names",
            },
            [Unread(os.path.splitext(name)[1], 1, name) for name in rest],
            names,
        )

    def patch(self, source: Path, changes: pd.DataFrame, options: ImportOptions) -> Patch:
        """Change the labels of records, remove records, and move them between splits.

        A label is a byte; the splits are train and test.
        """
        files = {file.name: file for file in list_batches(source)}
        kinds = label_kinds(next(iter(files.values())), options)
        kind = options.columns.get("label") or kinds[0]
        names, at = read_names(source, kind), kinds.index(kind)
        numbers = {name: read_labels(file, at) for name, file in files.items()}
        # a list of names outside of the source stays as it is
        list_of_names = source.is_dir() and find_names(source, kind)
        fresh: list[str] = []
        plans = {name: BatchPlan() for name in files}
        last = {split_of_batch(name): name for name in files}
        notes: dict[str, None] = {}
        for row in iter_changes(changes):
            name, _, i = row.key.rpartition("/")
            plan, record = plans[name], int(i)
            if row.removed:
                plan.gone.add(record)
                continue
            if row.label != row.given_label:
                given = name_of(int(numbers[name][record]), names)
                if given != row.given_label:
                    raise UserError(
                        f"expected {row.key} to be labelled {row.given_label}, found {given}",
                        "the source has changed since: import it again",
                    )
                if list_of_names and row.label and row.label not in names and len(names) < 256:
                    names.append(row.label)
                    fresh.append(row.label)
                known = row.label in names
                plan.numbers[record] = (
                    names.index(row.label) if known else to_number(row.label, names)
                )
            if row.split in last and split_of_batch(name) != row.split:
                plan.gone.add(record)
                plans[last[row.split]].added.append((name, record))
            elif row.split and row.split not in last:
                notes[f"there is no file of {row.split}: such samples stay in theirs"] = None
        rewritten = {
            name if source.is_dir() else "": partial(write_batch, files, plans, name, at)
            for name, plan in plans.items()
            if plan.numbers or plan.gone or plan.added
        }
        if fresh:
            rewritten[list_of_names.name] = partial(add_names, list_of_names, fresh)
            were = "was" if len(fresh) == 1 else "were"
            said = f"{', '.join(fresh)} {were} added at the end of {list_of_names.name}"
            notes[f"{said}; the others keep their numbers"] = None
        return Patch(rewritten, notes=list(notes))


FORMAT = CifarBinary()


def list_batches(path: Path) -> list[Path]:
    if path.is_file():
        return [path] if FILES.fullmatch(path.name) else []
    if not path.is_dir():
        return []
    named = sorted(e.name for e in os.scandir(path) if FILES.fullmatch(e.name) and e.is_file())
    found = [path / name for name in named]
    binary = [file for file in found if file.suffix]
    return binary or [file for file in found if is_pickle(file)]


def is_pickle(file: Path) -> bool:
    with open(file, "rb") as opened:
        return not file.suffix and opened.read(2) in (b"\x80\x02", b"\x80\x03", b"\x80\x04", b"}q")


def refuse_pickles(files: list[Path]) -> None:
    if is_pickle(files[0]):
        raise UserError(
            f"expected CIFAR's binary version, found a Python pickle, which is never loaded:"
            f" {files[0].name}",
            f"the binary version is read as it is; or {CONVERT}",
        )


def fits(file: Path) -> bool:
    try:
        return bool(count_labels(str(file)))
    except BadMedia:
        return False


def count_records(file: Path) -> int:
    return os.path.getsize(file) // (PIXELS + count_bytes(file))


def count_bytes(file: Path) -> int:
    try:
        return count_labels(str(file))
    except BadMedia as e:
        raise UserError(
            f"expected CIFAR's records, found {file.name}: it {e}", "is the file complete?"
        ) from None


def label_kinds(file: Path, options: ImportOptions) -> list[str]:
    """List the labels that each record has.

    UserError where another is asked for.
    """
    kinds = ["label"] if count_bytes(file) == 1 else ["coarse", "fine"]
    asked = options.columns.get("label")
    if asked and asked not in (*kinds, "none"):
        raise UnknownColumn(
            f"expected --label-column {' or '.join(kinds)}, found {asked}", "", asked, kinds
        )
    return kinds


def read_labels(file: Path, at: int) -> np.ndarray:
    """Read the label byte of every record."""
    record = PIXELS + count_bytes(file)
    return np.array(np.memmap(file, np.uint8, "r")[at::record])


def read_names(path: Path, kind: str) -> list[str]:
    file = find_names(path, kind)
    lines = file.read_text("utf-8", "replace").splitlines() if file else []
    return [line.strip() for line in lines if line.strip()]


def find_names(path: Path, kind: str) -> Path | None:
    """Find the file that names the classes."""
    folder = path if path.is_dir() else path.parent
    return next((folder / n for n in NAMES.get(kind, []) if (folder / n).is_file()), None)


def add_names(file: Path, fresh: list[str], target: Path) -> None:
    """Write a list of names with more names at its end.

    They come before its empty lines.
    """
    text = file.read_bytes().decode("utf-8", "surrogateescape")
    body = text.rstrip()
    end = "\r\n" if "\r\n" in text else "\n"
    new = body + "".join(f"{end}{name}" for name in fresh) + text[len(body) :]
    target.write_bytes(new.encode("utf-8", "surrogateescape"))


def name_of(number: int, names: list[str]) -> str:
    return names[number] if number < len(names) else str(number)


def to_number(label: str | None, names: list[str]) -> int:
    if names or label is None or not label.isdigit() or int(label) > 255:
        raise UserError(
            f"expected one of the classes that a byte can name, found {label or 'no label'}",
            "use --format manifest",
        )
    return int(label)


@dataclass
class BatchPlan:
    """What becomes of the records of a file."""

    numbers: dict[int, int] = field(default_factory=dict)  # record -> its new class
    gone: set[int] = field(default_factory=set)
    added: list[tuple[str, int]] = field(default_factory=list)  # (file, record), at the end


def split_of_batch(name: str) -> str:
    return "test" if name.lower().startswith("test") else "train"


def write_batch(
    files: dict[str, Path], plans: dict[str, BatchPlan], name: str, at: int, target: Path
) -> None:
    """Write a file again with its records changed.

    at: the byte of the label.
    """

    def load(file: str) -> np.ndarray:
        records = np.fromfile(files[file], np.uint8)
        records = records.reshape(-1, PIXELS + count_bytes(files[file]))
        for record, number in plans[file].numbers.items():
            records[record, at] = number
        return records

    plan = plans[name]
    kept = np.delete(load(name), sorted(plan.gone), axis=0)
    loaded = {file: load(file) for file, _ in plan.added}
    more = [loaded[file][record : record + 1] for file, record in plan.added]
    np.concatenate([kept, *more]).tofile(target)
