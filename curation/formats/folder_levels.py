"""Find which folder level is the class, and which the split."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Iterable, Iterator

from assay.curation.errors import AmbiguousSource, Reading, UserError
from assay.curation.formats.base import ImportOptions
from assay.curation.formats.split_words import guess_split, guess_splits, is_fold
from assay.curation.text import format_count

Folder = tuple[str, ...]  # the folders above an image, from the source's own on
WRAPPERS = ("images", "image", "imgs", "img", "data", "pictures", "photos", "dataset", "jpegimages")
ORDINALS = ("top", "second", "third", "fourth", "fifth", "sixth")
SHOWN = 4  # names that a question shows of a level


# ---- splits


def find_split_level(
    name: str, folders: Counter[Folder], options: ImportOptions
) -> dict[Folder, int]:
    """Find where the split stands in each folder's path; {} without splits."""
    asked, top = options.class_level, count_wrapping(folders)
    for level in range(max(map(len, folders))):
        names = count_names(folders, level)
        if asked and level in {asked - 1 if asked > 0 else len(f) + asked for f in folders}:
            continue
        if not asked and not set(names) & set(options.split_map):
            refuse_folds(name, folders, level)
        known = guess_splits(names) | {n: s for n, s in options.split_map.items() if n in names}
        others = [n for n in names if n not in known]
        several = len(set(known.values())) > 1
        if known and not others and (level <= top or several):
            return {f: level for f in folders if len(f) > level}
        deep = any(len(f) > level + 1 and f[level] in known for f in folders)
        if known and others and deep and level == top and not asked:
            ask_about_others(name, folders, level, set(known), others)
    return {}


def refuse_folds(name: str, folders: Counter[Folder], level: int) -> None:
    """Ask which fold is the test split, where folders are folds.

    Folds are splits of several experiments, not of one.
    """
    names = count_names(folders, level)
    if len(names) < 2 or not all(is_fold(n) for n in names):
        return
    ordered = sorted(names, key=lambda n: (len(n), n))
    others = [at for at in range(max(map(len, folders))) if at != level] or [level]
    mapped = ",".join(f"{n}={'test' if n == ordered[-1] else 'train'}" for n in ordered)
    raise AmbiguousSource(
        f"expected splits or classes in {name}, found folds: {show_names(names)}",
        [
            Reading("one fold is tested on; say which", f"--split-map {shlex.quote(mapped)}"),
            *(
                Reading(f"no split: {words}", f"--class-level {at + 1}")
                for at, words in describe_levels(folders, others)
            ),
        ],
    )


def ask_about_others(
    name: str, folders: Counter[Folder], level: int, known: set[str], others: list[str]
) -> None:
    """Ask about folders beside splits, whose names mean no split."""
    counts = count_names(folders, level)
    listed = ", ".join(f"{other} ({counts[other]:,})" for other in others[:SHOWN])
    more = f" and {len(others) - SHOWN:,} more" if len(others) > SHOWN else ""
    shown = ", ".join(sorted(known)[:SHOWN])
    mapped = ",".join(f"{other}=pool" for other in others[:SHOWN])
    raise AmbiguousSource(
        f"expected splits or classes in {name}, found {shown} beside {listed}{more}",
        [
            Reading(
                f"{shown} are splits, and the others too", f"--split-map {shlex.quote(mapped)}"
            ),
            *(
                Reading(f"no split: {words}", f"--class-level {at + 1}")
                for at, words in describe_levels(folders, (level, level + 1))
            ),
        ],
    )


# ---- classes


def count_wrapping(folders: Counter[Folder]) -> int:
    """Count the folders that hold everything."""
    level = 0
    while len({f[level : level + 1] for f in folders}) == 1 and any(
        len(f) > level + 1 for f in folders
    ):
        if guess_split(next(iter(folders))[level]):
            break
        level += 1
    return level


def find_class_level(
    name: str, folders: Counter[Folder], split_at: dict[Folder, int]
) -> dict[Folder, int]:
    """Find where the class stands in each folder's path.

    Folders that hold all others, or repeat the split (seg_train/seg_train), are stepped over.
    """
    kept = step_over(folders, split_at)
    deepest = max(map(len, kept.values()))
    if not deepest:
        return {}
    candidates = list(list_candidates(folders, kept, deepest))
    if len(candidates) > 1:
        direct = sum(n for f, n in folders.items() if len(kept[f]) == candidates[0] + 1)
        below = sum(n for f, n in folders.items() if len(kept[f]) > candidates[0] + 1)
        if below >= direct:
            ask_level(name, folders, kept, candidates)
    only = {f[levels[0]].lower() for f, levels in kept.items() if levels}
    if not candidates and only <= set(WRAPPERS):  # images/ holds images, and is no class
        return {}
    chosen = candidates[0] if candidates else 0
    return {f: levels[chosen] for f, levels in kept.items() if len(levels) > chosen}


def step_over(
    folders: Counter[Folder], split_at: dict[Folder, int]
) -> dict[Folder, tuple[int, ...]]:
    """List the levels of each folder's path that could be its class."""
    top = count_wrapping(folders)
    below: dict[str, set[Folder]] = {}  # split -> the names right below it
    for folder, at in split_at.items():
        below.setdefault(folder[at], set()).add(folder[at + 1 : at + 2])
    shared = len({f[:at] for f, at in split_at.items()}) == 1  # above the splits is one folder
    kept = {}
    for folder in folders:
        at = split_at.get(folder)
        if at is None:
            kept[folder] = tuple(range(min(top, len(folder)), len(folder)))
            continue
        levels = [i for i in range(len(folder)) if i > at or i < at and not shared]
        if levels and levels[0] == at + 1 and len(below[folder[at]]) == 1:
            first, ours = folder[at + 1].lower(), guess_split(folder[at])
            again = first == folder[at].lower() or ours and guess_split(first) == ours
            levels = levels[1:] if again or first in WRAPPERS else levels
        kept[folder] = tuple(levels)
    return kept


def list_candidates(
    folders: Counter[Folder], kept: dict[Folder, tuple[int, ...]], deepest: int
) -> Iterator[int]:
    """Yield the levels, counted among those kept, whose names could be classes."""
    before: dict[Folder, str] = {}
    for k in range(deepest):
        names = {f: f[levels[k]] for f, levels in kept.items() if len(levels) > k}
        if len(set(names.values())) > 1 and not repeats(names, before):
            yield k
            before = names


def repeats(names: dict[Folder, str], before: dict[Folder, str]) -> bool:
    """Whether a level says again what the one above says: cat/cat_images."""
    return bool(before) and all(
        before[f].lower() in name.lower() or name.lower() in WRAPPERS for f, name in names.items()
    )


def ask_level(
    name: str,
    folders: Counter[Folder],
    kept: dict[Folder, tuple[int, ...]],
    candidates: list[int],
) -> None:
    """Ask which level is the class."""
    levels = sorted({kept[f][k] for f in folders for k in candidates if len(kept[f]) > k})
    found = list(describe_levels(folders, levels))
    readings = [Reading(words, f"--class-level {at + 1}") for at, words in found]
    if len(set(map(len, folders))) > 1:
        innermost = Counter()
        for folder, n in folders.items():
            if folder:
                innermost[folder[-1]] += n
        words = f"the {format_count(len(innermost), 'innermost folder', 'is', 'are')}: {show_names(innermost)}"
        readings.append(Reading(words, "--class-level -1"))
    raise AmbiguousSource(
        f"expected folders of classes in {name}, found them {len(levels)} levels deep", readings
    )


def describe_levels(folders: Counter[Folder], levels: Iterable[int]) -> list[tuple[int, str]]:
    """Describe what the classes would be at each level."""
    found = []
    for at in levels:
        if names := count_names(folders, at):
            which = ORDINALS[at] if at < len(ORDINALS) else f"{at + 1}th"
            words = f"the {len(names):,} {which} folders are classes: {show_names(names)}"
            found.append((at, words))
    return found


def read_level(name: str, folders: Counter[Folder], asked: int) -> dict[Folder, int]:
    """Find the folder level that was asked for.

    1 is the topmost, -1 the innermost.
    """
    at = {f: asked - 1 if asked > 0 else len(f) + asked for f in folders}
    found = {f: level for f, level in at.items() if 0 <= level < len(f)}
    if not found:
        deepest = max(map(len, folders))
        raise UserError(
            f"expected --class-level from 1 to {deepest} in {name}, found {asked}",
            "1 is the topmost folder, -1 the innermost",
        )
    return found


def count_names(folders: Counter[Folder], level: int) -> Counter[str]:
    """Count the images below each name at a level."""
    names: Counter[str] = Counter()
    for folder, n in folders.items():
        if len(folder) > level:
            names[folder[level]] += n
    return names


def show_names(names: Counter[str]) -> str:
    shown = ", ".join(f"{name} ({n:,})" for name, n in sorted(names.items())[:SHOWN])
    return f"{shown} and {len(names) - SHOWN:,} more" if len(names) > SHOWN else shown
