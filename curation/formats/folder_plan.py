"""What each folder of a source says: class, split and taxonomy."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from assay.curation.formats.base import ImportOptions
from assay.curation.formats.folder_levels import (
    ORDINALS,
    WRAPPERS,
    Folder,
    count_names,
    find_class_level,
    find_split_level,
    read_level,
    show_names,
)
from assay.curation.formats.split_words import UNLABELLED, guess_split, guess_splits
from assay.curation.text import format_count


@dataclass(frozen=True)
class Placed:
    """What the images of one folder are."""

    label: str | None = None
    split: str | None = None  # the source's name of it, or ours where that is no plain word
    meta: dict[str, str] = field(default_factory=dict)

    def values(self) -> tuple[str | None, str | None, dict[str, str]]:
        return self.label, self.split, self.meta


@dataclass
class FolderPlan:
    """What every folder of a source is, and how that is said."""

    placed: dict[Folder, Placed]
    splits: bool = False
    roles: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    parents: dict[str, str] = field(default_factory=dict)  # class -> the folder above, a taxonomy
    class_at: dict[Folder, int] = field(default_factory=dict)  # which part of its path is the class
    split_at: dict[Folder, int] = field(default_factory=dict)


def plan_folders(name: str, folders: Counter[Folder], options: ImportOptions) -> FolderPlan:
    """Say for each folder which class and split its images have.

    folders: how many images each holds. AmbiguousSource where two levels could be the class.
    """
    if not any(folders):
        return FolderPlan({f: Placed() for f in folders}, roles=dict(label="none: no folders"))
    split_at = find_split_level(name, folders, options)
    if options.class_level:
        class_at = read_level(name, folders, options.class_level)
    else:
        class_at = find_class_level(name, folders, split_at)
    return make_plan(folders, split_at, class_at, options)


def make_plan(
    folders: Counter[Folder],
    split_at: dict[Folder, int],
    class_at: dict[Folder, int],
    options: ImportOptions,
) -> FolderPlan:
    """Make the plan, once the levels are known."""
    plan = FolderPlan({}, bool(split_at), class_at=class_at, split_at=split_at)
    constant = {at for at in range(max(map(len, folders))) if len(count_names(folders, at)) < 2}
    more = bool(options.class_level)
    words = guess_splits({f[at] for f, at in split_at.items()})
    for folder in folders:
        at, split = class_at.get(folder), split_at.get(folder)
        label = None if at is None else folder[at]
        if not split_at and at is not None and label.lower() in UNLABELLED and not more:
            plan.placed[folder] = Placed(None, "pool")
            continue
        others = [i for i in range(len(folder)) if i not in (at, split, *constant)]
        meta = {f"folder_{i + 1}": folder[i] for i in others} if more else {}
        word = None if split is None else folder[split]
        word = word if word is None or word in options.split_map else words.get(word, word)
        plan.placed[folder] = Placed(label, word, meta)
    describe_plan(plan, folders, split_at, class_at)
    if more:
        plan.parents.update(find_parents(plan, folders, class_at, set(split_at.values())))
    return plan


def describe_plan(
    plan: FolderPlan,
    folders: Counter[Folder],
    split_at: dict[Folder, int],
    class_at: dict[Folder, int],
) -> None:
    """Say which folder became what, and what could surprise."""
    counts: Counter[str] = Counter()
    for folder, placed in plan.placed.items():
        if placed.label is not None:
            counts[placed.label] += folders[folder]
    where = name_level(class_at) if counts else "none: no folders of classes"
    plan.roles["label"] = f"{where} ({format_count(len(counts), 'class')})" if counts else where
    if split_at:
        words: Counter[str] = Counter()
        for folder, at in split_at.items():
            ours = plan.placed[folder].split
            word = folder[at] if folder[at].lower() == ours else f"{folder[at]} = {ours}"
            words[word] += folders[folder]
        found = ", ".join(f"{word} {n:,}" for word, n in words.items())
        plan.roles["split"] = f"{name_level(split_at)} ({found})"
    if metas := sorted({key for placed in plan.placed.values() for key in placed.meta}):
        plan.roles["metadata"] = f"{len(metas)} levels of folders: {', '.join(metas)}"
    deeper = [f for f, at in class_at.items() if len(f) > at + 1]
    extra = [f for f in deeper if f[class_at[f] + 1 :] and not plan.placed[f].meta]
    extra = [f for f in extra if split_at.get(f, -1) <= class_at[f]]
    extra = [f for f in extra if not set(map(str.lower, f[class_at[f] + 1 :])) <= set(WRAPPERS)]
    if extra:
        n = sum(folders[f] for f in extra)
        plan.notes.append(
            f"{format_count(n, 'image', 'lies', 'lie')} deeper than their class's folder, first in "
            f"{'/'.join(extra[0])}/: "
            "they have that class"
        )
    for folder, placed in plan.placed.items():
        if placed.split == "pool" and not split_at and folder:
            plan.notes.append(
                f"{format_count(folders[folder], 'image')} in {'/'.join(folder)}/ have no label: a folder of "
                "this name holds what is unlabelled. If it is a class: --class-level 1"
            )
    like = sorted(c for c in counts if not split_at and guess_split(c))
    if like:
        plan.notes.append(f"taken for classes, though their names are splits': {', '.join(like)}")
    bare = sum(n for f, n in folders.items() if plan.placed[f] == Placed())
    if bare and counts and not split_at:
        plan.notes.append(
            f"{format_count(bare, 'image', 'lies', 'lie')} in no folder of a class: they have no label"
        )


def name_level(at: dict[Folder, int]) -> str:
    """Name a level in words."""
    levels = set(at.values())
    if len(levels) == 1:
        (level,) = levels
        return f"the {ORDINALS[level] if level < len(ORDINALS) else f'{level + 1}th'} folder"
    if {len(f) - level for f, level in at.items()} == {1}:
        return "the innermost folder"
    return "the folder below the split" if min(levels) else "the folder of each image"


def find_parents(
    plan: FolderPlan, folders: Counter[Folder], class_at: dict[Folder, int], splits: set[int]
) -> dict[str, str]:
    """Find the taxonomy above the classes: {class: its parent folder}.

    A parent may have one, too. {} where a class lies in several folders, as under batches; a note
    says so.
    """
    above: dict[str, set[str]] = {}
    for folder, at in class_at.items():
        chain = [folder[i] for i in range(at + 1) if i not in splits]
        for parent, child in zip(chain, chain[1:]):
            above.setdefault(child, set()).add(parent)
    several = {child for child, parents in above.items() if len(parents) > 1}
    tops = {parent for parents in above.values() for parent in parents}
    if several:
        first = min(several)
        plan.notes.append(
            f"{format_count(len(several), 'class', 'lies', 'lie')} in several folders each, first {first} in "
            f"{show_names(Counter(above[first]))}: each is one class"
        )
        return {}
    parents = {child: parent for child, (parent,) in above.items() if child != parent}
    if len(tops) < 2 or len(tops) >= len(parents) + 1 or has_circle(parents):
        return {}
    plan.roles["parents"] = f"the folders above the classes ({len(tops):,})"
    return parents


def has_circle(parents: dict[str, str]) -> bool:
    for child in parents:
        seen = {child}
        while (child := parents.get(child)) is not None:
            if child in seen:
                return True
            seen.add(child)
    return False
