"""An archive for each split, such as train.tar and val.tar.

They lie side by side, tar or zip.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from assay.curation.formats import tar_archive, zip_archive
from assay.curation.formats.array_names import list_named
from assay.curation.formats.base import ImportOptions, Listing, Match, Patch, Unread
from assay.curation.formats.shard_files import is_shard
from assay.curation.formats.split_words import guess_splits
from assay.curation.formats.unreadable import list_unread

if TYPE_CHECKING:
    import pandas as pd

FORMATS = {".tar": tar_archive.FORMAT, ".zip": zip_archive.FORMAT}


class SplitArchives:
    """A tar or zip of class folders for each split: train.tar and val.tar; they are read in place."""

    name = "split-archives"
    suffixes = ()

    def matches(self, path: Path) -> Match:
        if path.is_dir() and (found := find_archives(path)):
            shown = ", ".join(file.name for file in found)
            return Match("sure", f"{shown} are archives called as splits")
        return Match("no", "expects archives called as splits, such as train.tar and val.tar")

    def read(self, path: Path, options: ImportOptions) -> Listing:
        """List the samples of all archives."""
        samples: list[dict] = []
        left_out: list[tuple[str, str]] = []
        notes: list[str] = []
        unread: list[Unread] = []
        listings = []
        archives = find_archives(path)
        counts: Counter[str] = Counter()
        for file, word in archives.items():
            listing = FORMATS[file.suffix.lower()].read(file, options)
            listings.append(listing)
            for sample in (s for batch in listing.batches for s in batch):
                key = f"{file.name}/{sample['key']}"
                samples.append(sample | dict(key=key, split=word))
                counts[word] += 1
            left_out += [(f"{file.name}/{key}", why) for key, why in listing.left_out]
            notes += [f"{file.name}: {note}" for note in listing.notes]
            unread += [replace(u, first=f"{file.name}/{u.first}") for u in listing.unread]
        others = [f.name for f in sorted(path.iterdir()) if f.is_file() and f not in archives]
        found = ", ".join(f"{word} {n:,}" for word, n in counts.items())
        return Listing(
            self.name,
            f"an archive for each split: {', '.join(file.name for file in archives)}",
            path.name,
            [samples],
            left_out,
            notes,
            listings[0].roles | {"split": f"the archive ({found})"},
            [*unread, *list_unread(others)],
            list(dict.fromkeys(name for listing in listings for name in listing.classes)),
        )

    def patch(self, source: Path, changes: pd.DataFrame, options: ImportOptions) -> Patch:
        """Change each archive as it is changed alone; samples stay in theirs."""
        rewritten: dict[str, Callable[[Path], None]] = {}
        notes = []
        if changes.split.notna().any():
            notes.append("changed splits stay as they are: the archives say them")
        for file in find_archives(source):
            begin = f"{file.name}/"
            mine = changes[changes.key.str.startswith(begin)]
            if not len(mine):
                continue
            mine = mine.assign(key=mine.key.str.removeprefix(begin), split=None)
            patch = FORMATS[file.suffix.lower()].patch(file, mine, options)
            if patch.rewritten:
                (rewritten[file.name],) = patch.rewritten.values()
            notes += [f"{file.name}: {note}" for note in patch.notes]
        return Patch(rewritten, notes=notes)


FORMAT = SplitArchives()


def find_archives(path: Path) -> dict[Path, str]:
    """Find the archives of splits in a folder: {file: split}.

    {} where other archives lie there.
    """
    files = list_named(path, tuple(FORMATS))
    words = guess_splits(file.stem for file in files)
    if len(set(words.values())) < 2 or len(words) < len(files):
        return {}
    if any(file.suffix.lower() == ".tar" and is_shard(str(file)) for file in files):
        return {}
    return {file: words[file.stem] for file in files}
