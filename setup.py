"""Build the documentation into the wheel; pyproject.toml says all the rest."""

import os
import subprocess
import sys
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py


class BuildWithDocs(build_py):
    """Build the packages, and docs/ as pages that `assay docs` serves."""

    def run(self):
        super().run()
        if not self.editable_mode:  # a clone builds them when they are asked for
            site = Path(self.build_lib, "assay", "site").resolve()
            # without --quiet, which keeps the warnings from --strict
            mkdocs = [sys.executable, "-m", "mkdocs", "build", "--strict"]
            quiet = os.environ | {"NO_MKDOCS_2_WARNING": "1"}  # of another product
            subprocess.run([*mkdocs, "--site-dir", site], check=True, env=quiet)


setup(cmdclass={"build_py": BuildWithDocs})
