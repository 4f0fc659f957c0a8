"""Assay as it is installed: a wheel in an empty environment, beside folders that have the names of its parts."""

import os
import re
import shutil
import signal
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path
from urllib.request import urlopen

import pytest

from tests.helpers import ROOT

LOUD = 'raise SystemExit("a module of the folder where somebody works was imported")\n'
EXTRAS = (
    "torch",
    "streamlit",
    "fiftyone",
    "elpv_dataset",
    "onnxruntime",
    "mkdocs",
)  # none of them comes without an extra


def run(*command, **more):
    """The standard output of a command that must succeed."""
    done = subprocess.run([*map(str, command)], capture_output=True, text=True, **more)
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The wheel of what git knows, and of what is new here; built from a copy, since setuptools builds in place."""
    folder = tmp_path_factory.mktemp("wheel")
    named = run(
        "git", "ls-files", "--cached", "--others", "--exclude-standard", cwd=ROOT
    ).splitlines()
    for name in named:
        if (ROOT / name).is_file():
            (folder / "source" / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / "source" / name)
    pip = [
        sys.executable,
        "-m",
        "pip",
        "--disable-pip-version-check",
        "wheel",
        "--quiet",
        "--no-deps",
    ]
    run(*pip, "--no-build-isolation", "-w", folder, folder / "source")
    return next(folder.glob("assay-*.whl"))


@pytest.fixture(scope="module")
def python(wheel, tmp_path_factory):
    """The interpreter of an environment that has the wheel, and what the extras do not bring."""
    home = tmp_path_factory.mktemp("environment")
    run(sys.executable, "-m", "venv", "--without-pip", home)
    site = Path(
        run(
            home / "bin" / "python", "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"
        ).strip()
    )
    zipfile.ZipFile(wheel).extractall(site)
    here = Path(sysconfig.get_path("purelib"))
    for package in here.iterdir():  # what pip would install takes minutes; linked it is the same
        name = package.name.lower()
        if not name.startswith(("assay", "__", "_distutils_hack", *EXTRAS)) and not name.endswith(
            ".pth"
        ):
            (site / package.name).symlink_to(package)
    return home / "bin" / "python"


@pytest.mark.slow
@pytest.mark.daily  # what is installed is compared with the folders in test_house.py, too
def test_the_wheel_holds_one_package(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    assert {name.split("/")[0] for name in names} == {
        "assay",
        wheel.name.split("-py3")[0] + ".dist-info",
    }
    for part in (
        "app/components/review.js",
        "app/components/review/keys.js",
        "pipelines/reports/report.css",
        "py.typed",
        "curation/storage/store.py",
        "site/index.html",
        "site/reference/command-line/index.html",
        "site/lessons/lesson_1_planted_errors.py",
    ):
        assert f"assay/{part}" in names
    assert any(name.endswith("licenses/NOTICE") for name in names)


@pytest.fixture
def folder(tmp_path):
    """Where somebody works who has packages named as ours, and images of two classes."""
    for name in ("app", "curation", "pipelines", "assay"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text(LOUD if name != "assay" else "")
    shutil.rmtree(tmp_path / "assay")
    from tests.helpers import digits

    table = digits(80)
    for i, (image, label) in enumerate(zip(table.image, table.label)):
        file = tmp_path / "images" / str(label) / f"{i}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(image)
    return tmp_path


@pytest.mark.slow
@pytest.mark.daily
def test_a_batch_script_works_beside_folders_of_our_names(python, folder):
    def assay(*arguments):
        return run(python, "-m", "assay", *arguments, "-b", "bench", cwd=folder)

    assert "80 samples added" in assay("import", "images", "--who", "ann")
    assert "flagged" in assay("scan", "--embedder", "pixels", "--json")
    assert "80 kept" in assay("status")
    assert "none failed" in assay("lesson", "2", "--check")
    code = "import assay; bench = assay.open('bench'); print(len(bench.queue(n=5, random=0)))"
    assert run(python, "-c", code, cwd=folder).strip() == "5"


@pytest.mark.slow
def test_the_documentation_comes_with_the_wheel(python, tmp_path):
    """Built, so that nothing has to be installed to read it."""
    command = [python, "-m", "assay", "docs", "--no-browser"]
    server = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, text=True)
    try:
        link = re.search(r"http://127\.0\.0\.1:\d+/", server.stdout.readline())[0]
        assert "six commands" in urlopen(f"{link}tutorial/").read().decode()
    finally:
        server.send_signal(signal.SIGINT)
        server.communicate(timeout=30)
    assert server.returncode == 0


@pytest.mark.daily
@pytest.mark.slow
@pytest.mark.parametrize(
    "command, extra",
    [
        (["scan"], "train"),
        (["app", "--no-browser"], "app"),
        (["fiftyone"], "fiftyone"),
        (["import", "example:solar-cells"], "demo"),
    ],
)
def test_what_is_missing_is_named_with_its_extra(python, folder, command, extra):
    run(python, "-m", "assay", "import", "images", "-b", "bench", "--who", "ann", cwd=folder)
    asked = [python, "-m", "assay", *command, "-b", "bench"]
    done = subprocess.run(asked, capture_output=True, text=True, cwd=folder)
    assert (
        done.returncode == 2 and f"assay[{extra}]" in done.stderr and "Traceback" not in done.stderr
    ), done.stderr[-2000:]


TYPED = """
import assay

bench: assay.Bench = assay.open("bench")
state = bench.state()
reveal_type(bench.rules())
reveal_type(bench.commit("as it is", who="ann"))
assay.create(5, group="no")  # wrong twice
"""


@pytest.mark.daily
def test_the_public_face_has_types(python, tmp_path):
    """mypy reads the installed package, as an editor does."""
    pytest.importorskip("mypy")
    (tmp_path / "user.py").write_text(TYPED)
    command = [
        sys.executable,
        "-m",
        "mypy",
        "--python-executable",
        python,
        "--follow-imports=silent",
        "--strict",
        "user.py",
    ]
    done = subprocess.run(
        [*map(str, command)],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env=os.environ | {"MYPYPATH": ""},
    )
    found = done.stdout.splitlines()
    assert sum('Revealed type is "dict[' in line for line in found) == 2, done.stdout
    errors = [line for line in found if ": error:" in line]
    assert errors and all(line.startswith("user.py:8") for line in errors), done.stdout


@pytest.mark.daily
def test_everything_in_an_empty_environment_runs_the_demo(wheel, tmp_path):
    """The wheel with [all], installed by pip from scratch, and the demo from its first image to its report."""
    run(sys.executable, "-m", "venv", tmp_path / "env")
    pip = [
        tmp_path / "env" / "bin" / "pip",
        "--disable-pip-version-check",
        "install",
        "--quiet",
        "--no-compile",
    ]
    pins = tmp_path / "pins.txt"  # a constraint has no extras
    pins.write_text(re.sub(r"\[\w+\]", "", (ROOT / "requirements.txt").read_text()))
    run(*pip, "-c", pins, f"{wheel}[all]")
    for name in ("app", "curation", "pipelines"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text(LOUD)
    said = run(tmp_path / "env" / "bin" / "assay", "demo", cwd=tmp_path)
    assert "report" in said and list((tmp_path / "demo").rglob("report.html"))
