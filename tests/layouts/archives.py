"""Class folders and a table of images in a tar or zip, as the standard library packs them."""

import io
import tarfile
import zipfile

from tests.layouts.base import Layout, pixel_hash


def list_members(pictures, top="zoo"):
    return [(f"{top}/{p.split}/{p.label}/{p.name}.png", p.png) for p in pictures]


def write_tar(folder, pictures):
    for name, blob in list_members(pictures):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(blob)
    with tarfile.open(folder / "zoo.tar", "w") as tar:
        tar.add(folder / "zoo", "zoo")
    import shutil

    shutil.rmtree(folder / "zoo")
    return folder / "zoo.tar"


def read_tar(path):
    with tarfile.open(path) as tar:
        files = [m for m in tar if m.isfile()]
        return {pixel_hash(tar.extractfile(m).read()): m.name.split("/")[-2] for m in files}


def write_zip(folder, pictures):
    with zipfile.ZipFile(folder / "zoo.zip", "w", zipfile.ZIP_DEFLATED) as z:
        z.comment = b"from ann"
        for name, blob in list_members(pictures):
            z.writestr(name, blob)
    return folder / "zoo.zip"


def read_zip(path):
    with zipfile.ZipFile(path) as z:
        assert z.testzip() is None and z.comment == b"from ann"
        return {pixel_hash(z.read(n)): n.split("/")[-2] for n in z.namelist()}


def write_split_tars(folder, pictures):
    """train.tar, val.tar and test.tar of class folders, side by side."""
    (folder / "zoo").mkdir()
    for split in ("train", "val", "test"):
        with tarfile.open(folder / "zoo" / f"{split}.tar", "w") as tar:
            for p in (p for p in pictures if p.split == split):
                info = tarfile.TarInfo(f"{p.label}/{p.name}.png")
                info.size = len(p.png)
                tar.addfile(info, io.BytesIO(p.png))
    return folder / "zoo"


def write_split_zips(folder, pictures):
    """train.zip, val.zip and test.zip, each with the folder of its split."""
    (folder / "zoo").mkdir()
    for split in ("train", "val", "test"):
        with zipfile.ZipFile(folder / "zoo" / f"{split}.zip", "w") as z:
            z.comment = b"from ann"
            for p in (p for p in pictures if p.split == split):
                z.writestr(f"{split}/{p.label}/{p.name}.png", p.png)
    return folder / "zoo"


def read_each(read, ending):
    """A reader of all archives of a folder."""

    def read_all(path):
        found = {}
        for file in path.glob(f"*{ending}"):
            found |= read(file)
        return found

    return read_all


LAYOUTS = [
    Layout("a tar for each split", write_split_tars, read_each(read_tar, ".tar")),
    Layout("a zip for each split", write_split_zips, read_each(read_zip, ".zip")),
    Layout("tar of split folders", write_tar, read_tar),
    Layout("zip of split folders", write_zip, read_zip),
]
