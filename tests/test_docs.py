"""README and docs/ are tests: what they show runs, what they name is there, and what there is they name."""

import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import urlopen

import pytest

import assay
from tests.docs import (
    DEMO,
    STAGES,
    STORY,
    alike,
    check_command,
    differences,
    is_exact,
    list_blocks,
    list_pages,
    missing_lines,
    needs_engine,
    play,
    plug_in_group,
    read_page,
    run_assay,
    runs_on,
)
from tests.helpers import ROOT
from tests.reference import PAGES, list_methods, list_verbs, make_page

ALL = list_pages()
ALONE = [
    pytest.param(page, marks=pytest.mark.engine if needs_engine(read_page(page)) else ())
    for page in ALL
    if runs_on(read_page(page)) in ("photos", "photos cells")
]
MORE = ["CONTRIBUTING.md", "CHANGELOG.md"]
FINDER = "docs/contributing/add-an-issue-finder.md"  # see test_contract_issues.py


@pytest.fixture(scope="module")
def stages(tmp_path_factory):
    """What most pages run on, made once: {stage: (folder, right labels)}."""
    made = {stage: tmp_path_factory.mktemp("stage") for stage in STAGES if stage != "solar cells"}
    return {stage: (folder, STAGES[stage](folder)) for stage, folder in made.items()}


@pytest.mark.engine
@pytest.mark.daily  # `.ci/run` has these three: the longest first
def test_the_tutorial_and_what_goes_on_from_it_run(tmp_path):
    pytest.importorskip("elpv_dataset")
    truth = STAGES["solar cells"](tmp_path)
    for page in STORY:
        for command, shown, said in play(page, tmp_path, truth):
            assert differences(command, shown, said, is_exact(page, command)) == [], command


@pytest.mark.engine
@pytest.mark.daily
def test_the_demo_prints_what_the_readme_shows(tmp_path):
    pytest.importorskip("elpv_dataset")
    shown = DEMO.search(read_page("README.md"))[1]
    if os.environ.get("ASSAY_ENGINE") == "int8":  # whose second story differs from CPU to CPU
        shown = shown.split("\n2. Many labels")[0]
    assert missing_lines(shown, run_assay("assay demo", tmp_path)) == []


@pytest.mark.daily
@pytest.mark.parametrize("page", ALONE)
def test_what_a_page_shows_runs(page, stages, tmp_path):
    if page == "README.md":  # it scans with the default embedder
        pytest.importorskip("efficientnet_lite_pytorch")
    made, truth = stages[runs_on(read_page(page))]
    folder = shutil.copytree(made, tmp_path / "page")
    for command, shown, said in play(page, folder, truth):
        assert differences(command, shown, said, is_exact(page, command)) == [], command


def test_the_tutorial_is_the_loop_in_six_commands():
    console = [
        b.text for b in list_blocks(read_page("docs/tutorial.md")) if b.language == "console"
    ]
    verbs = [line.split()[2] for line in "".join(console).splitlines() if line.startswith("$ ")]
    loop = ["import", "scan", "queue", "edit", "commit", "experiment"]
    assert verbs == loop * 2, "once where a gain shows, once where none does"


@pytest.mark.parametrize("page", ALL)
def test_every_block_is_one_that_runs(page):
    """It says what it runs on, or shows nothing but what is read and not run."""
    text = read_page(page)
    blocks = list_blocks(text)
    assert {b.language for b in blocks} <= {"console", "sh", "python", "toml", "text", "json"}
    if page == FINDER or page.startswith("docs/lessons/"):  # see test_lessons.py
        return
    assert text.count("\n```") == 2 * len(blocks), "a block without a language is none that runs"
    stage = runs_on(text)
    if not stage:
        # its Python runs in a process with FiftyOne: see test_fiftyone_in_python.py
        more = {"python"} if page == "docs/how-to/use-fiftyone.md" else set()
        assert {b.language for b in blocks} <= {"sh", "text"} | more
        for _ in (
            () if more else play(page, ROOT / "nowhere", {})
        ):  # what runs nothing needs no folder
            pass
    assert stage in ("", *STAGES) and (stage == "solar cells") == (page in STORY)


@pytest.mark.parametrize("page", [p for p in [*ALL, *MORE] if "lab-notebook/2" not in p])
def test_commands_in_a_sentence_are_there(page):
    """Their verb is one, and their options are this verb's."""
    prose = re.sub(r"^```.*?^```$", "", read_page(page), flags=re.S | re.M)
    verbs = list_verbs()
    for said in re.findall(r"`assay ([^`]*)`", prose):
        verb, *words = shlex.split(said)
        if verb == "VERB" or verb.startswith("-"):
            continue
        options = {option for action in verbs[verb]._actions for option in action.option_strings}
        asked = {word for word in words if re.match(r"--?[a-z]", word)}
        assert asked <= options, said


def anchors(text):
    """What a link into a page may name: its titles, as they are spelled in links."""
    titles = re.findall(r"^#+ (.*)$", text, re.M)
    return {re.sub(r"[^\w\- ]", "", title.lower()).strip().replace(" ", "-") for title in titles}


@pytest.mark.parametrize("page", [*ALL, *MORE])
def test_links_hold(page):
    prose = re.sub(r"^```.*?^```$", "", read_page(page), flags=re.S | re.M)
    for link in re.findall(r"\]\(([^)\s]+)\)", prose):
        if link.startswith(("http", "mailto")):
            continue
        path, _, anchor = link.partition("#")
        file = (ROOT / page).parent / path if path else ROOT / page
        assert file.exists(), link
        assert not anchor or anchor in anchors(file.read_text()), link


@pytest.mark.parametrize("page", [*ALL, *MORE])
def test_addresses_elsewhere_have_the_form_of_one(page):
    """Nothing is fetched: a host with a dot, no blank, no mark of the sentence behind it."""
    prose = re.sub(r"^```.*?^```$", "", read_page(page), flags=re.S | re.M)
    prose = re.sub(r"`[^`\n]*`", "", prose)
    for address in re.findall(r"https?://[^\s)\]>\"']+", prose):
        parts = urlsplit(address)
        assert re.fullmatch(r"[a-z0-9-]+(\.[a-z0-9-]+)+(:\d+)?", parts.netloc), address
        assert not address.endswith((".", ",", ";", ":")), address


def test_the_readme_is_short():
    lines = read_page("README.md").splitlines()
    assert len(lines) <= 150 and max(map(len, lines)) <= 140


def test_a_readers_eye_finds_every_page():
    """The first page of docs/ leads to every other but the lab notebook's."""
    named = set(re.findall(r"\]\(([^)]+\.md)\)", read_page("docs/index.md")))
    inner = set(re.findall(r"\]\(([^)]+\.md)\)", read_page("docs/contributing/index.md")))
    there = {page.removeprefix("docs/") for page in ALL if page.startswith("docs/")}
    there = {page for page in there if not re.match("lab-notebook/2", page)} - {"index.md"}
    assert there == named | {f"contributing/{page}" for page in inner}


# ---- the reference


@pytest.mark.parametrize("name", PAGES)
def test_the_reference_is_what_the_code_says(name):
    """Else: python -m tests.reference --write"""
    assert read_page(f"docs/reference/{name}") == make_page(name)


def test_every_verb_flag_and_public_name_is_in_the_reference():
    text = read_page("docs/reference/command-line.md")
    said = dict(re.findall(r"^## assay (\S+)\n(.*?)(?=^## |\Z)", text, re.S | re.M))
    for verb, parser in list_verbs().items():
        flags = {o for a in parser._actions for o in a.option_strings} - {"-h", "--help"}
        flags -= {"-b", "--bench", "--json"}  # said once for all
        assert {o for o in flags if f"`{o}" not in said[verb]} == set(), verb
        assert parser.description.splitlines()[0] in said[verb]
    python = read_page("docs/reference/python.md")
    assert all(f"## assay.{name}\n" in python for name in assay.__all__)
    methods = {"open", "queue", "edit", "undo", "commit", "sql", "dataset"} - {"open"}
    assert methods <= set(list_methods())
    assert all(f"### bench.{name}\n" in python for name in list_methods())


def test_a_verb_or_a_flag_that_is_not_there_is_seen():
    check_command(["app", "-b", "cells", "--link"])
    with pytest.raises(AssertionError, match="no command"):
        check_command(["app", "--lnik"])


# ---- as pages


@pytest.mark.slow
def test_the_pages_build_without_a_warning_and_load_nothing_from_elsewhere(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", tmp_path / "site"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        env=os.environ | {"NO_MKDOCS_2_WARNING": "1"},
    )
    assert done.returncode == 0 and "WARNING" not in done.stderr, done.stderr
    pages = list((tmp_path / "site").rglob("*.html"))
    assert len(pages) >= len(ALL) - 1
    for page in pages:
        loaded = re.findall(
            r"<(?:script|link|img|iframe)\b[^>]*?(?:src|href)=[\"']?((?:https?:)?//[^\"' >]+)",
            page.read_text(),
        )
        assert loaded == [], page
    for style in (tmp_path / "site").rglob("*.css"):
        assert not re.search(r"url\([\"']?(https?:)?//", style.read_text())


@pytest.mark.slow
def test_assay_docs_serves_them_until_ctrl_c():
    """On this machine alone; nothing outside of the folder is served."""
    command = [Path(sys.executable).with_name("assay"), "docs", "--no-browser"]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        link = re.search(r"http://127\.0\.0\.1:\d+/", server.stdout.readline())[0]
        assert "Two commands" not in (first := urlopen(link).read().decode()) and "Assay" in first
        assert "assay export" in urlopen(f"{link}reference/command-line/").read().decode()
        with pytest.raises(HTTPError):
            urlopen(f"{link}../pyproject.toml")
    finally:
        server.send_signal(signal.SIGINT)
        out, err = server.communicate(timeout=30)
    assert (server.returncode, err) == (0, "")


def test_a_browser_that_hangs_up_is_no_error(capsys, tmp_path):
    from assay.pipelines.cli.docs import open_server

    with open_server(tmp_path, 0) as server:
        for error in (BrokenPipeError, ConnectionResetError, ValueError):
            try:
                raise error
            except error:
                server.handle_error(None, "nobody")
    said = capsys.readouterr().err
    assert "ValueError" in said and "Pipe" not in said and "Reset" not in said


def test_a_port_that_is_taken_is_named(capsys):
    from http.server import HTTPServer, SimpleHTTPRequestHandler

    from assay.pipelines.cli.docs import open_server

    with HTTPServer(("127.0.0.1", 0), SimpleHTTPRequestHandler) as other:
        for port in (other.server_port, 70_000, -1):
            with pytest.raises(assay.UserError, match=f"expected a free port, found {port}"):
                open_server(ROOT, port)


# ---- the tests' own eyes


def test_a_number_that_is_off_is_seen():
    assert alike("355 of 1,940 train and val labels", "358 of 1,940 train and val labels")
    assert not alike("355 of 1,940 train and val labels", "263 of 1,874 train and val labels")
    assert differences("assay import x", "2,624 samples added\n", "2,264 samples added\n")


def test_a_count_that_is_the_same_everywhere_is_compared_exactly(monkeypatch):
    monkeypatch.setattr("tests.docs.ENGINE", "fp32")  # of int8 first words alone are compared
    shown = "45 to review: 38 that look most wrong, 7 drawn at random\n"
    now = shown.replace("38", "37").replace("7 drawn", "8 drawn")
    page, command = "docs/how-to/review-labels.md", "assay queue -n 40 -b cells"
    assert is_exact(page, command) and differences(command, shown, now, exact=True)
    assert not differences(command, "score 0.912\n", "score 0.913\n", exact=True)
    assert not is_exact("docs/tutorial.md", command), "a network embeds there"
    assert is_exact("docs/tutorial.md", "assay import x -b cells")
    assert not is_exact(page, "assay experiment -b cells") and not is_exact("README.md", command)


def test_an_excerpt_has_its_lines_in_their_order():
    said = "one 1\ntwo 2\nthree 3\n"
    assert missing_lines("one 1\n...\nthree 3\n", said) == []
    (missing,) = missing_lines("three 3\n...\none 1\n", said)
    assert missing.split()[0] == "one"


def test_a_page_that_scans_with_a_network_is_run_with_either_engine():
    page = "<!-- runs on: photos -->\n```console\n$ {}\n```\n"
    assert needs_engine(page.format("assay scan -b cells"))
    assert not needs_engine(page.format("assay scan -b cells --embedder pixels"))
    assert not needs_engine(page.format("assay status -b cells\nnext: assay scan -b cells"))
    assert needs_engine(page.format("").replace("console\n$", "python\nbench.scan()"))
    assert needs_engine(read_page("README.md")) and needs_engine(read_page(STORY[0]))


def test_blocks_are_read_with_what_stands_before_them():
    text = "# A\n\nSave this as `a/b.py`:\n\n```python\nx\n```\n\nThen:\n\n```sh\nls\n```\n"
    saved, last = list_blocks(text)
    assert (saved.file, last.file) == ("a/b.py", "")
    assert plug_in_group("<!-- runs on: photos; plug-in: assay.tasks -->") == "assay.tasks"
    assert runs_on("<!-- runs on: photos; plug-in: assay.tasks -->") == "photos"
