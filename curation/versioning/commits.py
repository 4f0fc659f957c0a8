"""Commit: name a position of the log."""

from __future__ import annotations

import re
from collections.abc import Iterable

from assay.curation.errors import UserError
from assay.curation.storage import backup
from assay.curation.storage.interface import Bench
from assay.curation.text import MAX_TEXT, check_text
from assay.curation.times import now
from assay.curation.versioning import pointers, state_building, states, tree_hash

NAME = re.compile(r"[\w.-]+")  # of a version
# what is only proposed makes no version
CHANGED = "select 1 from edits where seq > ? and seq <= ? and field <> 'proposal' limit 1"


def commit_version(bench: Bench, message: str = "", who: str = "", name: str | None = None) -> dict:
    """Name the present position of the log, v1, v2, ...

    Returns {name, upto, tree, new, backup}; where nothing changed, those of the last one.
    """
    if name is not None and (name == "HEAD" or not NAME.fullmatch(name)):
        raise UserError(
            f"expected a name of letters, digits and -_. for the version, found {name!r}",
            "choose another name",
        )
    check_text(message, "a message", MAX_TEXT)
    upto = pointers.find_position(bench, "HEAD")
    large = state_building.is_large(bench)
    if large:
        state = state_building.open_state(bench, upto)
        state.save()
        tree = tree_hash.hash_partitioned_tree(state)
    else:
        tree = states.hash_tree(
            bench.state(upto)
        )  # of this very position, whatever comes meanwhile
    with bench.transaction() as con:
        commits = con.execute("select name, upto, tree from commits order by ts").fetchall()
        names = {c[0] for c in commits}
        last = commits[-1] if commits else (None, None, None)
        if name is None and last[0] and not con.execute(CHANGED, [last[1], upto]).fetchall():
            return dict(name=last[0], upto=upto, tree=last[2], new=False)
        if name in names:
            raise UserError(
                f"expected a new name for the version, found {name!r}, which is taken",
                "choose another name",
            )
        name = name or next_name(names)
        con.execute(
            "insert into commits values (?, ?, ?, ?, ?, ?, ?)",
            [name, upto, tree, last[0], message, who, now()],
        )
        # of millions that takes half a minute, and a few edits are read in no time
        if not large or upto - pointers.read_standing_position(con)[0] > states.TAIL:
            states.write_standing(con)
    return dict(name=name, upto=upto, tree=tree, new=True, backup=backup.keep_backup(bench, name))


def next_name(names: Iterable[str]) -> str:
    """Name the version after `names`: v1, v2 and so on."""
    numbers = [int(n[1:]) for n in names if n[0] == "v" and n[1:].isdecimal()]
    return f"v{1 + max(numbers, default=0)}"
