"""Run a verb in a process of its own; read its JSON."""

from __future__ import annotations

import json
import subprocess
from tempfile import TemporaryFile

from assay.curation.errors import UserError
from assay.curation.system import processes


def start_verb(words: list[str], name: str) -> tuple[dict, subprocess.Popen]:
    """Start a command with --json; return its answer and its process.

    It may run on. name: of what it opens or does, for an error. UserError where it says that it cannot, with its code.
    """
    with TemporaryFile("w+") as said:
        process = subprocess.Popen(
            words,
            stdout=subprocess.PIPE,
            stderr=said,
            text=True,
            env=processes.child_environment(),
        )
        assert process.stdout, "it is a pipe"
        text = ""
        for line in process.stdout:
            text += line
            if line.rstrip() == "}":
                break
        process.stdout.close()  # it says nothing more there
        told = json.loads(text) if text else {}
        if told and told.get("schema") != "error":
            return told, process
        process.wait()
        said.seek(0)
        last = (said.read().strip().splitlines() or ["it ended"])[-1]
    problem = told.get("problem", f"expected {name}, found: {last}")
    error = UserError(problem, told.get("hint", "in a terminal it says why"))
    error.code = told.get("code", error.code)
    raise error
