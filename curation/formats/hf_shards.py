"""The Parquet files of a Hugging Face data set, with their splits."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from assay.curation.errors import AmbiguousSource, Reading, UnknownName, UserError
from assay.curation.formats.base import ImportOptions, Unread
from assay.curation.formats.column_files import PARQUET
from assay.curation.formats.hf_features import card_features
from assay.curation.formats.hf_rows import Shard
from assay.curation.formats.unreadable import list_unread
from assay.curation.media.locations import list_files

CARD = "README.md"
CARD_BYTES = 4 << 20  # of a card are read at most
# train-00000-of-00003.parquet, also with the hash that older writers put behind
SHARD_NAME = re.compile(r"(?P<split>[\w.]+?)-(?P<n>\d{5})-of-(?P<of>\d{5})(-[0-9a-f]+)?\.parquet")
WORDS = re.compile(r"[^a-zA-Z]+|_")
SPLIT_WORDS = ("train", "training", "validation", "valid", "val", "dev", "test", "testing", "eval")
OF_FOLDERS = "metadata.parquet"  # of imagefolder, beside images
LOOKED_AT = 2_000  # entries of each folder, of which one may show what a data set is
FRONT = re.compile(r"\A\ufeff?---[ \t]*\r?\n(.*?)^---[ \t]*\r?$", re.DOTALL | re.MULTILINE)


@dataclass(frozen=True)
class Card:
    """What the head of a data set's README.md declares."""

    # configuration -> its files: [(split, pattern)]
    patterns: dict[str, list[tuple[str, str]]] = field(default_factory=dict)
    features: dict[str, dict[str, Any]] = field(default_factory=dict)  # configuration -> features


@dataclass(frozen=True)
class ShardFolder:
    """The files of one configuration of a data set."""

    shards: list[Shard]
    declared: dict[str, Any]  # features that the card tells
    unread: list[Unread]
    config: str | None


def find_root(path: Path) -> Path:
    """Find the folder of the files: of a cache, main's snapshot.

    UserError where several were fetched, and none is main.
    """
    snapshots = path / "snapshots"
    if not (path / "blobs").is_dir() or not snapshots.is_dir():
        return path
    found = sorted(p.name for p in snapshots.iterdir() if p.is_dir())
    main = path / "refs" / "main"
    named = main.read_text(encoding="utf-8").strip() if main.is_file() else ""
    if named in found:
        return snapshots / named
    if len(found) == 1:
        return snapshots / found[0]
    raise UserError(
        f"expected one snapshot in {path.name}, found {len(found)}",
        f"import one of them: {snapshots}/...",
    )


def find_shards(root: Path, options: ImportOptions, name: str) -> ShardFolder:
    """Find the files of the configuration that is asked for.

    AmbiguousSource where there are several, and none was asked for.
    """
    card = read_card(root)
    files = list(list_files(str(root)))
    tables = [file for file in files if file.lower().endswith(PARQUET)]
    by_config = match_card(card, tables) or match_names(tables)
    config = choose_config(by_config, options.config, name)
    shards = sorted(by_config[config])
    if not options.skip_bad:
        require_all(shards, name)
    taken = {file for file, _ in shards}
    others = {file for listed in by_config.values() for file, _ in listed} - taken
    unread = [
        *list_unread([f for f in tables if f in others], "of another configuration"),
        *list_unread(
            [f for f in tables if f not in others | taken], "its name says neither split nor shard"
        ),
        *list_unread([f for f in files if f not in tables and f not in (CARD, "assay.json")]),
    ]
    declared = card.features.get(config or "") or next(iter(card.features.values()), {})
    found = [Shard(root / file, file, split) for file, split in shards]
    return ShardFolder(found, declared, unread, config if len(by_config) > 1 else None)


def choose_config(
    by_config: dict[str, list[tuple[str, str | None]]], asked: str | None, name: str
) -> str:
    """Choose the configuration that is asked for, or the only one."""
    if asked is not None:
        if asked not in by_config:
            raise UnknownName(
                f"expected a configuration {asked} in {name}, found {', '.join(by_config)}",
                "--config takes one of these",
                asked,
                by_config,
            )
        return asked
    if len(by_config) > 1:
        raise AmbiguousSource(
            f"expected one configuration in {name}, found {len(by_config)}",
            [Reading(describe_files(f), f"--config {c}") for c, f in list(by_config.items())[:20]],
        )
    return next(iter(by_config))


def describe_files(files: list[tuple[str, str | None]]) -> str:
    splits = dict.fromkeys(split or "no split" for _, split in files)
    return f"{len(files)} {'file' if len(files) == 1 else 'files'}: {', '.join(splits)}"


def require_all(files: list[tuple[str, str | None]], name: str) -> None:
    """Refuse a data set of which a shard is missing."""
    numbers: dict[tuple[str, str], set[int]] = {}
    for file, _ in files:
        if match := SHARD_NAME.fullmatch(os.path.basename(file)):
            group = f"{os.path.dirname(file)}/{match['split']}", match["of"]
            numbers.setdefault(group, set()).add(int(match["n"]))
    for (split, of), found in numbers.items():
        if len(found) < int(of):
            first = next(n for n in range(int(of)) if n not in found)
            raise UserError(
                f"expected {int(of)} files of {split.strip('/')} in {name}, found {len(found)}:"
                f" {first:05} is not there",
                "fetch it, or import those that are there with --skip-bad",
            )


# ---- by the card


def read_card(root: Path) -> Card:
    """Read the head of README.md; an empty card where there is none."""
    try:
        with open(root / CARD, "rb") as file:
            text = file.read(CARD_BYTES).decode("utf-8", "replace")
    except OSError:
        return Card()
    import yaml

    match = FRONT.match(text)
    try:
        # every scalar as it is written: a class called no is none of YAML's truth values
        head = yaml.load(match[1], getattr(yaml, "CBaseLoader", yaml.BaseLoader)) if match else None
    except (yaml.YAMLError, ValueError, RecursionError):
        return Card()
    if not isinstance(head, dict):
        return Card()
    patterns = {}
    for config in as_list(head.get("configs")):
        if isinstance(config, dict):
            name = str(config.get("config_name", "default"))
            patterns[name] = list(list_patterns(config.get("data_files"), config))
    infos = [info for info in as_list(head.get("dataset_info")) if isinstance(info, dict)]
    features = {
        str(info.get("config_name", "default")): card_features(info.get("features"))
        for info in infos
    }
    patterns = {name: found for name, found in patterns.items() if found}
    return Card(patterns, features)


def has_card(root: Path) -> bool:
    """Whether README.md declares a data set."""
    card = read_card(root)
    return bool(card.patterns or card.features)


def as_list(value: object) -> list:
    return value if isinstance(value, list) else [] if value is None else [value]


def list_patterns(files: object, config: dict) -> Iterator[tuple[str, str]]:
    """List (split, pattern) of a configuration's data_files, however they are written."""
    below = str(config.get("data_dir") or "").strip("/")
    for entry in as_list(files):
        if isinstance(entry, str):
            yield "train", entry
        elif isinstance(entry, dict) and "path" in entry:
            split = str(entry.get("split") or "train")
            yield from ((split, str(path)) for path in as_list(entry["path"]))
        elif isinstance(entry, dict):
            for split, paths in entry.items():
                yield from ((str(split), str(path)) for path in as_list(paths))
    if not files and below:
        yield "train", f"{below}/*"


def match_card(card: Card, tables: list[str]) -> dict[str, list[tuple[str, str | None]]]:
    """Match the files that the card names: {configuration: [(file, split)]}."""
    found: dict[str, list[tuple[str, str | None]]] = {}
    for config, patterns in card.patterns.items():
        split_of: dict[str, str | None] = {}
        for split, pattern in patterns:
            plain = re.sub(r"\A\./", "", pattern).replace("**/", "*")
            for file in tables:
                if fnmatchcase(file, plain) and file not in split_of:
                    split_of[file] = split
        if split_of:
            found[config] = list(split_of.items())
    return found


# ---- by names


def match_names(tables: list[str]) -> dict[str, list[tuple[str, str | None]]]:
    """Match files by their names: {configuration: [(file, split)]}.

    A split is in the file's name or a folder's; what else the folders say is the configuration.
    """
    found: dict[str, list[tuple[str, str | None]]] = {}
    for file in tables:
        *folders, last = file.split("/")
        match = SHARD_NAME.fullmatch(last)
        split = match["split"] if match else find_split_word(os.path.splitext(last)[0])
        while split is None and folders and find_split_word(folders[-1]):
            split = folders.pop()
        folders = [folder for folder in folders if folder != "data"]
        found.setdefault("/".join(folders) or "default", []).append((file, split))
    for config, listed in found.items():
        if any(split for _, split in listed):
            found[config] = [(file, split) for file, split in listed if split]
    return found


def find_split_word(name: str) -> str | None:
    """Find the split that a file's or folder's name tells."""
    if name.lower() in SPLIT_WORDS:
        return name
    words = [word for word in WORDS.split(name.lower()) if word in SPLIT_WORDS]
    return words[0] if len(set(words)) == 1 else None


def list_first_files(root: Path, depth: int = 2) -> Iterator[Path]:
    """List Parquet files in the first folders, without walking through all."""
    try:
        entries = list(zip(range(LOOKED_AT), os.scandir(root)))
    except OSError:
        return
    for _, entry in sorted(entries, key=lambda e: e[1].name):
        if entry.name.startswith("."):
            continue
        if entry.is_dir():
            if depth:
                yield from list_first_files(Path(entry.path), depth - 1)
        elif entry.name.lower().endswith(PARQUET) and entry.name.lower() != OF_FOLDERS:
            yield Path(entry.path)
