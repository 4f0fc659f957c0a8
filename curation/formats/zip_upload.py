"""What somebody hands in, a zip or a manifest: what it may hold, and how it comes to lie beside the bench, whole or not at all."""

import os
import re
import shutil
import stat
import zipfile
from collections import Counter
from contextlib import contextmanager
from hashlib import blake2b
from pathlib import Path, PurePosixPath

from assay.curation.errors import UserError, short
from assay.curation.formats.base import SPLITS
from assay.curation.formats.tables import TABLES
from assay.curation.media.images import SUFFIXES
from assay.curation.system import permissions

MOST_BYTES, MOST_MEMBERS = 16 << 30, 1_000_000  # unpacked
HEADER = 30  # bytes of a member's own header at least
JUNK = ("thumbs.db", "desktop.ini")  # what systems leave in folders, beside hidden files
ELSE = "unpack it yourself where you trust it, and import the folder"


@contextmanager
def opened(bench, source, skip_bad=False):
    """What `source` names, to be imported: of a zip the folder beside the bench that it is unpacked into. What was handed in and could not be
    imported goes again."""
    a_zip = (
        isinstance(source, str | os.PathLike)
        and str(source).lower().endswith(".zip")
        and os.path.isfile(source)
    )
    path = source
    if a_zip:
        with open(source, "rb") as file:
            path = receive(bench, file, os.path.basename(source), skip_bad)
    try:
        yield path
    except BaseException:
        discard(bench, path)
        raise


def receive(bench, file, name, skip_bad=False):
    """Keep an open `file` that somebody calls `name` in BENCH/uploads: a zip unpacked, a manifest as it is. Returns the path to import, which is of
    the same name for the same bytes; nothing is written before a zip has been looked through, and nothing stays of one that is refused."""
    stem, suffix = os.path.splitext(
        re.sub(r"[^\w.-]+", "-", os.path.basename(name)).lstrip(".-")[-120:] or "upload"
    )
    if suffix.lower() not in (".zip", *TABLES):
        raise UserError(
            f"expected a zip, CSV, TSV or Parquet file, found {short(name, 100)}",
            "zip the folder of images",
        )
    place = uploads(bench) / digest(file, f"{stem}{suffix} {skip_bad}")
    if suffix.lower() != ".zip":
        made(place, lambda folder: keep(file, folder / (stem + suffix)))
        return place / (stem + suffix)
    with looked_through(file, name) as (archive, members):
        members = wanted(members, name, skip_bad)
        room(bench, sum(m.file_size for m in members.values()))
        made(place, lambda folder: unpack(archive, members, folder / stem))
    return place / stem / (manifest(members) or "")


def uploads(bench):
    return bench.path / "uploads"


def discard(bench, path):
    """Delete what was handed in, unless a sample lies in it; what lies elsewhere is not ours."""
    root = uploads(bench)
    if not isinstance(path, str | os.PathLike) or root not in Path(path).parents:
        return
    place = root / Path(path).relative_to(root).parts[0]
    if not bench.rows("select 1 from samples where starts_with(uri, ?) limit 1", [f"{place}/"]):
        shutil.rmtree(place, ignore_errors=True)
        if not any(root.iterdir()):
            root.rmdir()


def digest(file, called):
    """A name for these bytes, called like that."""
    made_of = blake2b(called.encode(errors="replace"), digest_size=8)
    file.seek(0)
    while piece := file.read(1 << 20):
        made_of.update(piece)
    file.seek(0)
    return made_of.hexdigest()


def made(place, fill):
    """Make the folder `place` by filling another that is renamed last; one that is there is complete."""
    if place.exists():
        return
    half = place.with_name(f".{place.name}-{os.getpid()}")
    try:
        permissions.folder(half)
        fill(half)
        half.rename(place)
    except BaseException as e:
        shutil.rmtree(half, ignore_errors=True)
        if not any(place.parent.iterdir()):
            place.parent.rmdir()
        if isinstance(e, OSError):
            raise UserError(
                f"expected to write what was handed in to {place.parent}, found: {e.strerror}",
                "free some space",
            ) from None
        raise


def keep(file, path):
    with open(path, "xb", opener=permissions.opener) as out:
        shutil.copyfileobj(file, out, 1 << 20)


# ---- what a zip may hold


@contextmanager
def looked_through(file, name):
    """(archive, {path: member}) of a zip all of whose members could be unpacked here without harm, folders and what systems leave in them left out;
    UserError names what could not. Only the directory is read: nothing is unpacked yet."""
    try:
        with zipfile.ZipFile(file) as archive:
            infos = archive.infolist()
            if len(infos) > MOST_MEMBERS:
                raise UserError(
                    f"expected at most {MOST_MEMBERS:,} members in {name}, found {len(infos):,}",
                    ELSE,
                )
            for info in infos:
                if wrong := flaw(info):
                    raise UserError(
                        f"expected files alone in {name}, found {short(info.orig_filename, 200)!r}, which {wrong}",
                        ELSE,
                    )
            apart(infos, name)
            members = {
                PurePosixPath(i.filename): i
                for i in infos
                if not i.is_dir() and not junk(i.filename)
            }
            if inside := next((p for path in members for p in path.parents if p in members), None):
                raise UserError(
                    f"expected files alone in {name}, found {str(inside)!r} as a file and as a folder",
                    ELSE,
                )
            yield archive, members
    except (
        zipfile.BadZipFile,
        zipfile.LargeZipFile,
        NotImplementedError,
        RuntimeError,
        EOFError,
        ValueError,
    ) as e:
        raise UserError(
            f"expected a sound zip file, found {name} damaged: {short(str(e), 200)}",
            "is the file complete? zip it again",
        ) from None


def flaw(info):
    """What makes a member of a zip no plain file within it, in words, or None."""
    name, kind = info.orig_filename, stat.S_IFMT(info.external_attr >> 16)
    if "\0" in name or "\\" in name or re.match("/|[A-Za-z]:", name) or ".." in name.split("/"):
        return "leaves the folder that it is unpacked into"
    if (
        any(len(part.encode(errors="replace")) > 250 for part in name.split("/"))
        or len(name) > 2_000
    ):
        return "has too long a name"
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        return "is a link" if kind == stat.S_IFLNK else "is no file"
    if info.flag_bits & 1:
        return "is encrypted"
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        return "is compressed in another way than zip programs do by default"


def apart(infos, name):
    """Refuse members that share a name, or bytes: a few of these unpack to as much as one likes."""
    if twice := [n for n, count in Counter(i.filename for i in infos).items() if count > 1]:
        raise UserError(
            f"expected each name once in {name}, found {short(twice[0], 200)!r} twice", ELSE
        )
    spans = sorted(
        (i.header_offset, i.header_offset + HEADER + i.compress_size, i.filename) for i in infos
    )
    for (_, end, first), (start, _, second) in zip(spans, spans[1:]):
        if end > start:
            raise UserError(
                f"expected members apart in {name}, found {short(first, 100)!r} and {short(second, 100)!r} in the same bytes",
                ELSE,
            )
    if (total := sum(i.file_size for i in infos)) > MOST_BYTES:
        raise UserError(
            f"expected at most {MOST_BYTES >> 30} GB unpacked, found {name} to declare {total / 2**30:,.1f} GB",
            ELSE,
        )


def junk(name):
    parts = PurePosixPath(name).parts
    return any(p.startswith((".", "__MACOSX")) for p in parts) or parts[-1].lower() in JUNK


def wanted(members, name, skip_bad):
    """{path in the folder to import: member}: images and manifests, without the one folder that holds all of them, if there is one."""
    odd = [p for p in members if p.suffix.lower() not in (*SUFFIXES, *TABLES)]
    if odd and not skip_bad:
        found = f"{len(odd):,} that are neither, first {short(str(odd[0]), 200)!r}"
        raise UserError(
            f"expected images and manifests in {name}, found {found}",
            "take them out, or leave them out with --skip-bad",
        )
    members = {p: m for p, m in members.items() if p not in odd}
    if not members:
        raise UserError(
            f"expected images in {name}, found none", f"Assay reads {' '.join(SUFFIXES)}"
        )
    while len(tops := {p.parts[0] for p in members}) == 1 and tops.pop().lower() not in SPLITS:
        below = {PurePosixPath(*p.parts[1:]): m for p, m in members.items() if len(p.parts) > 1}
        if len(below) < len(members) or not any(
            len(p.parts) > 1 or p.suffix.lower() in TABLES for p in below
        ):
            break  # a class is no wrapping
        members = below
    return members


def manifest(members):
    """The one table at the top where no class folders stand beside it, as with labels.csv and images/: what to import; else None."""
    tables = [p for p in members if len(p.parts) == 1 and p.suffix.lower() in TABLES]
    beside = {p.parts[0] for p in members if len(p.parts) > 1}
    return (
        tables[0]
        if len(tables) == 1 and len(beside) < 2 and not {b.lower() for b in beside} & set(SPLITS)
        else None
    )


def room(bench, size):
    if (free := shutil.disk_usage(bench.path).free) < size + (1 << 28):
        raise UserError(
            f"expected room for {size / 2**20:,.0f} MB beside the bench, found {free / 2**20:,.0f} MB",
            "free some space",
        )


def unpack(archive, members, folder):
    """Write members below `folder`; one that is longer than it declares, or not what its checksum says, is refused."""
    permissions.folder(folder)
    for path, info in members.items():
        there = folder / path
        permissions.folder(there.parent)
        size = 0
        try:
            with archive.open(info) as member, open(there, "xb", opener=permissions.opener) as out:
                while piece := member.read(1 << 20):
                    size += len(piece)
                    if size > info.file_size:
                        break
                    out.write(piece)
        except Exception as e:  # zlib.error and its like
            if isinstance(e, OSError) and not isinstance(e, zipfile.BadZipFile):
                raise
            raise UserError(
                f"expected sound members, found {short(info.filename, 200)!r} damaged: {short(str(e), 200)}",
                "zip it again",
            ) from None
        if size != info.file_size:
            found = f"{short(info.filename, 200)!r} of {'more' if size > info.file_size else f'{size:,}'}"
            raise UserError(
                f"expected {info.file_size:,} bytes, as declared, found {found}", "zip it again"
            )
