"""How one comes in: a link opens once, and turns into a key that the browser keeps as its cookie; both are known here by their digests alone."""

import json
import os
import secrets
import time
from contextlib import suppress
from hashlib import sha256
from pathlib import Path

from assay.curation.errors import UserError
from assay.curation.system.user_cache import cache

LINK, KEY = (
    24 * 3600,
    30 * 24 * 3600,
)  # seconds for which a link waits to be opened, and for which a key is good


class Door:
    """The links and keys of one bench, in a folder of this user that nobody else can read: a bench may be shared, what one may do in another's
    name is not. They outlive the server, so that decisions which a browser still holds arrive after a restart."""

    def __init__(self, bench):
        self.folder = cache("door", sha256(str(Path(bench).absolute()).encode()).hexdigest()[:24])
        self.left = []  # files that go when the workbench does

    def place(self, kind, token):
        return self.folder / f"{kind}-{sha256(token.encode()).hexdigest()}"

    def give(self, kind, token=None):
        """A new token of a kind, link or key."""
        token = token or secrets.token_urlsafe(24)
        write(self.place(kind, token), "")
        return token

    def good(self, kind, token, most):
        with suppress(OSError):
            return time.time() - self.place(kind, token).stat().st_mtime < most

    def enter(self, token):
        """The key for a link's token, which is used up by it; None where it was before."""
        fresh = self.good("link", token, LINK)
        with suppress(FileNotFoundError):
            self.place("link", token).unlink()  # of two who come at once, one gets in
            return self.give("key") if fresh else None

    def knows(self, key):
        return bool(key) and bool(self.good("key", key, KEY))

    def sweep(self):
        """Forget what is too old to open anything."""
        for kind, most in (("link", LINK), ("key", KEY), ("open", 60), ("at", KEY)):
            for file in self.folder.glob(f"{kind}-*"):
                with suppress(FileNotFoundError):
                    if time.time() - file.stat().st_mtime >= most:
                        file.unlink()

    # ---- where the workbench is

    def open_at(self, address):
        """Keep where the workbench listens, for whoever asks for another link."""
        self.left.append(self.folder / f"at-{os.getpid()}")
        write(self.left[-1], json.dumps(address))

    def shut(self):
        for file in self.left:
            file.unlink(missing_ok=True)

    def address(self):
        """Where a workbench on this bench listens; UserError where none does."""
        found = sorted(self.folder.glob("at-*"), key=lambda f: f.stat().st_mtime, reverse=True)
        for file in found:
            with suppress(OSError, ValueError):
                os.kill(int(file.name.removeprefix("at-")), 0)
                return json.loads(file.read_text())
        raise UserError(
            "expected a workbench that is open on this bench, found none",
            "open it: assay app -b BENCH",
        )

    def leading(self, link):
        """A page that leads to a link, for this user's browser alone: its command line could be read by everybody on the machine."""
        file = self.folder / f"open-{secrets.token_hex(8)}.html"
        self.left.append(file)
        write(
            file,
            f'<!doctype html><meta charset="utf-8"><meta http-equiv="refresh" content="0;url={link}"><a href="{link}">Assay</a>',
        )
        return file


def write(path, text):
    with open(path, "w", opener=lambda path, flags: os.open(path, flags, 0o600)) as f:
        f.write(text)
