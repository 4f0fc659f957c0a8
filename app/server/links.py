"""Links that open the workbench once, and keys that browsers keep.

Both are known here by their digests alone.
"""

from __future__ import annotations

import json
import os
import secrets
import time
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import Literal

from assay.curation.errors import UserError
from assay.curation.system.user_cache import cache_folder
from assay.curation.text import escape_controls

LINK_SECONDS, KEY_SECONDS = 24 * 3600, 30 * 24 * 3600  # how long each is good, a link unopened
Kind = Literal["link", "key"]


class AccessKeys:
    """The links and keys of one bench, in a folder that no other user can read.

    A bench may be shared; what one may do in another's name is not. They outlive the server, so
    that decisions which a browser still holds arrive after a restart.
    """

    def __init__(self, bench: str | Path):
        self.bench = escape_controls(Path(bench).absolute().name)
        digest = sha256(str(Path(bench).absolute()).encode()).hexdigest()
        self.folder = cache_folder("door", digest[:24])
        self.own_files: list[Path] = []  # they go when the workbench does

    def token_file(self, kind: Kind, token: str) -> Path:
        """The file that stands for a token."""
        return self.folder / f"{kind}-{sha256(token.encode()).hexdigest()}"

    def make_token(self, kind: Kind, token: str | None = None) -> str:
        """Make a new link or key."""
        token = token or secrets.token_urlsafe(24)
        write_private(self.token_file(kind, token), "")
        return token

    def is_fresh(self, kind: Kind, token: str, seconds: float) -> bool:
        """Tell whether a token is there, and younger than so many seconds."""
        with suppress(OSError):
            return time.time() - self.token_file(kind, token).stat().st_mtime < seconds
        return False

    def exchange_link(self, token: str) -> str | None:
        """Exchange the token of a link for a key.

        The token is used up; None where it was used before.
        """
        fresh = self.is_fresh("link", token, LINK_SECONDS)
        with suppress(FileNotFoundError):
            self.token_file("link", token).unlink()  # of two who come at once, one gets in
            return self.make_token("key") if fresh else None

    def is_known(self, key: str) -> bool:
        """Tell whether a browser's key is good."""
        return bool(key) and self.is_fresh("key", key, KEY_SECONDS)

    def delete_expired(self) -> None:
        """Forget what is too old to open anything."""
        kinds = dict(link=LINK_SECONDS, key=KEY_SECONDS, open=60, at=KEY_SECONDS)
        for kind, most in kinds.items():
            for file in self.folder.glob(f"{kind}-*"):
                with suppress(FileNotFoundError):
                    if time.time() - file.stat().st_mtime >= most:
                        file.unlink()

    # ---- where the workbench is

    def write_address(self, address: str) -> None:
        """Keep where the workbench listens, for whoever asks for another link."""
        self.own_files.append(self.folder / f"at-{os.getpid()}")
        write_private(self.own_files[-1], json.dumps(address))

    def delete_own_files(self) -> None:
        """Forget where the workbench was."""
        for file in self.own_files:
            file.unlink(missing_ok=True)

    def find_address(self) -> str:
        """Find where a workbench on this bench listens; UserError where none does."""
        found = sorted(self.folder.glob("at-*"), key=lambda f: f.stat().st_mtime, reverse=True)
        for file in found:
            with suppress(OSError, ValueError):
                os.kill(int(file.name.removeprefix("at-")), 0)
                return json.loads(file.read_text())
        raise UserError(
            "expected a workbench that is open on this bench, found none",
            "open it: assay app -b BENCH",
        )

    def write_redirect(self, link: str) -> Path:
        """Write a page that leads to a link.

        It is for this user's browser alone. The browser's command line could be read by everybody on the machine.
        """
        file = self.folder / f"open-{secrets.token_hex(8)}.html"
        self.own_files.append(file)
        refresh = f'<meta http-equiv="refresh" content="0;url={link}">'
        page = f'<!doctype html><meta charset="utf-8">{refresh}<a href="{link}">Assay</a>'
        write_private(file, page)
        return file


def write_private(path: Path, text: str) -> None:
    """Write a file that only this user can read."""
    with open(path, "w", opener=lambda path, flags: os.open(path, flags, 0o600)) as f:
        f.write(text)
