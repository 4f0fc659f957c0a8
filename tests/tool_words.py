"""Ask other tools whether they have the names that docs/coming-from/ says they have.

`python -m tests.tool_words [PYTHON]` asks the packages beside this Python, or those of another environment, which needs
nothing of ours. A package that is not there is skipped, and said.
"""

import json
import os
import re
import subprocess
import sys
import tempfile

from tests.helpers import ROOT

PACKAGES = dict(
    cleanlab="cleanlab",
    fiftyone="fiftyone",
    label_studio_sdk="label-studio-sdk",
    lightly_studio="lightly-studio",
)
ASK = """
import importlib.metadata, json, pkgutil, sys
package, *names = sys.argv[1:]
missing = []
for name in names:
    try:
        pkgutil.resolve_name(name)
    except (ImportError, AttributeError):
        missing.append(name)
print(json.dumps([importlib.metadata.version(package), missing]))
"""


def list_names() -> dict[str, list[str]]:
    """The dotted names of each package that the pages name: {package: names}."""
    pages = sorted((ROOT / "docs" / "coming-from").glob("*.md"))
    text = "\n".join(page.read_text() for page in pages)
    prose = re.sub(r"^```.*?^```$", "", text, flags=re.S | re.M)
    named = {name for name in re.findall(r"`([a-z_]+(?:\.\w+)+)`", prose)}
    return {root: sorted(n for n in named if n.split(".")[0] == root) for root in PACKAGES}


def ask_tool(root: str, names: list[str], python: str = sys.executable) -> tuple[str, list[str]]:
    """Ask an environment for a package's version, "" where it is not there, and the names it has not."""
    with tempfile.TemporaryDirectory() as folder:
        own = dict(FIFTYONE_DATABASE_DIR=folder, FIFTYONE_DO_NOT_TRACK="true")
        done = subprocess.run(
            [python, "-c", ASK, PACKAGES[root], *names],
            capture_output=True,
            text=True,
            cwd=folder,
            env=os.environ | own,
        )
    if done.returncode:
        assert "PackageNotFoundError" in done.stderr, done.stderr
        return "", []
    version, missing = json.loads(done.stdout.strip().splitlines()[-1])
    return version, missing


def main() -> None:
    python, wrong = (sys.argv[1:] or [sys.executable])[0], 0
    for root, names in list_names().items():
        version, missing = ask_tool(root, names, python)
        found = f"{version}: has {len(names) - len(missing)} of {len(names)} names"
        print(f"{PACKAGES[root]:<17} {found if version else 'is not there'}", *missing)
        wrong += len(missing)
    sys.exit(wrong > 0)


if __name__ == "__main__":
    main()
