"""A script's view: no terminal, exit statuses, --quiet, JSON alone on standard output."""

import json
import os
import re
import subprocess
import sys
from importlib.metadata import version

import pytest

from assay.pipelines.cli import main, output
from tests.helpers import bench_of, digits, run_assay
from tests.json_outputs import check_json

HEAVY = "scipy sklearn faiss cleanlab torch PIL pydantic rich jinja2 cleanvision umap".split()


def run_alone(*words, **env):
    """(exit status, standard output, standard error) of a real process without a terminal."""
    command = [sys.executable, "-P", "-m", "assay", *map(str, words)]
    done = subprocess.run(
        command, capture_output=True, text=True, stdin=subprocess.DEVNULL, env=os.environ | env
    )
    return done.returncode, done.stdout, done.stderr


def test_the_version():
    assert run_alone("--version") == (0, f"assay {version('assay')}\n", "")


def test_the_help_has_named_groups_of_one_line_a_verb():
    status, out, err = run_alone("--help")
    listed = re.findall(r"^  (\w+)  +([A-Z].*\.)$", out, re.M)
    assert status == 0 and not err
    assert {name for name, _ in listed} == set(main.list_parsers(main.make_parser()))
    headings = re.findall(r"^([A-Z].*):$", out, re.M)
    assert headings == list(main.HEADINGS), "no verb is without a group"
    assert max(map(len, out.splitlines())) <= 100


def test_exit_statuses_and_nothing_but_data_on_standard_output(tmp_path):
    """0 done, 1 a check failed, 2 a person can do something: told apart by `code`."""
    bench = bench_of(digits(40), tmp_path)
    status, out, err = run_alone("status", "--json", ASSAY_BENCH=str(bench.path))
    told = check_json(out)
    assert (status, told["schema"], told["code"]) == (0, "status", "done")
    assert "samples  40 kept" in err, "the lines for people"
    next((bench.arrays / "pixels").glob("*.npy")).write_bytes(b"spoiled")
    status, out, _ = run_alone("check", "--json", "-b", bench.path)
    assert (status, check_json(out)["code"]) == (1, "check_failed")
    status, out, err = run_alone("satus", "--json", "-b", bench.path)
    told = check_json(out)
    assert (status, told["code"], told["suggestions"]) == (2, "unknown_name", ["status"])
    assert err.startswith("error: ") and err.count("\n") == 2
    status, out, err = run_alone("queue", "-b", bench.path)
    assert status == 2 and out == "" and "hint: run: assay scan" in err


@pytest.mark.daily
def test_quiet_prints_nothing_but_errors_and_data(bench, tmp_path):
    b = ("-b", bench.path)
    assert run_alone("status", "--quiet", *b) == (0, "", "")
    status, out, err = run_alone("status", "-q", "--json", *b)
    assert status == 0 and check_json(out)["samples"] == 600 and not err
    assert run_assay("scan", "--embedder", "pixels", "-q", *b) == (0, "", "")
    assert run_assay("queue", "-q", "--csv", tmp_path / "q.csv", *b) == (0, "", "")
    assert (tmp_path / "q.csv").stat().st_size > 1000
    status, out, err = run_assay("blame", "nobody", "-q", *b)
    assert status == 2 and not out and "error: " in err
    assert run_assay("status", *b)[1], "the next verb is not quiet"


@pytest.mark.slow
def test_progress_is_plain_lines_where_no_terminal_is(bench, monkeypatch):
    """A line each tenth at most, and no sooner than SOON seconds after the last: here at once."""
    monkeypatch.setattr(output.ProgressLines, "SOON", 0)
    _, out, err = run_assay("scan", "--embedder", "pixels", "--json", "-b", bench.path)
    lines = [line for line in err.splitlines() if re.match(r"\d+% \S", line)]
    shares = [int(line.split("%")[0]) for line in lines]
    assert 2 <= len(lines) <= 40 and check_json(out) and "\x1b" not in err and "\r" not in err
    assert max(shares) >= 50 and all(a // 10 != b // 10 for a, b in zip(shares, shares[1:]))


def test_progress_of_a_long_work_is_a_line_now_and_then(capsys, monkeypatch):
    clock = [0.0]
    monkeypatch.setattr(output.time, "monotonic", lambda: clock[0])
    step = output.ProgressLines("training").step
    for done in range(1001):  # 1,000 steps in 50 seconds: a tenth each 5 seconds
        clock[0] = done * 0.05
        step(done, 1000)
    fast = capsys.readouterr().err.splitlines()
    assert fast[0] == "10% training: 100 of 1,000" and len(fast) == 10
    for done in range(101):  # and one hour for a tenth: a line each half a minute
        clock[0] += 36
        step(done, 100_000)
    slow = capsys.readouterr().err.splitlines()
    assert 90 <= len(slow) <= 102
    step = output.ProgressLines("short").step
    for done in range(11):
        clock[0] += 0.1
        step(done, 10)
    assert capsys.readouterr().err == "", "what is soon done says nothing"


def test_status_loads_nothing_that_it_does_not_need(bench):
    """It starts in under a second of CPU; most of that are pandas and DuckDB."""
    code = (
        "import sys; from assay.pipelines.cli.main import main; "
        "main(['status', '-b', sys.argv[1]]); print(sorted(m for m in sys.argv[2:] if m in sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-P", "-c", code, bench.path, *HEAVY], capture_output=True, text=True
    )
    assert done.stdout.splitlines()[-1] == "[]", done.stdout + done.stderr


def test_one_duckdb_serves_a_status(bench):
    """What a bench should hold is listed in memory, in the DuckDB that reads it: another takes 15 ms."""
    code = """if True:
        import sys, duckdb
        started, connect = [], duckdb.connect
        duckdb.connect = lambda *a, **k: started.append(a) or connect(*a, **k)
        from assay.pipelines.cli.main import main
        main(["status", "-q", "-b", sys.argv[1]])
        print(len(started))"""
    command = [sys.executable, "-P", "-c", code, bench.path]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.stdout.split()[-1:] == ["1"], done.stdout + done.stderr


@pytest.mark.daily
def test_an_experiment_without_a_plan_and_a_plan_to_edit(scanned, tmp_path):
    b, plan = ("-b", scanned.path), tmp_path / "plan.toml"
    assert "nothing changed since" in run_assay("experiment", *b)[2]
    status, out, _ = run_assay("experiment", "--init", plan, "--json", *b)
    assert status == 0 and json.loads(out)["plan"] == str(plan)
    from assay.pipelines.experiments.plan import Plan, read_plan

    text = plan.read_text()
    assert read_plan(plan)["versions"] == ["v1", "HEAD"]
    assert all(re.search(rf"^(# )?{key} = ", text, re.M) for key in Plan.model_fields), "all keys"
    every = re.sub(r"^# (\w+ = )", r"\1", text, flags=re.M)
    plan.write_text(every)
    assert set(read_plan(plan)) == set(Plan.model_fields), "the examples are valid, too"
    status, _, err = run_assay("experiment", "--init", plan, *b)
    assert status == 2 and "already there" in err and plan.read_text() == every
    assert run_assay("experiment", plan, "--init", tmp_path / "b.toml", *b)[0] == 2
    sample = scanned.queue(1)[["sample"]]
    scanned.edit(sample.assign(keep="false"), "ann")
    status, out, err = run_assay("experiment", "--dry-run", "--json", *b)
    told = json.loads(out)
    assert status == 0 and told["plan"]["versions"] == ["v1", "HEAD"]
    assert told["plan"]["architectures"] == ["probe", "mlp"] and "no plan given" in err


def test_an_option_before_the_verb_is_told_its_place():
    status, _, err = run_assay("--json", "status")
    assert status == 2 and "expected --json after the verb" in err
    assert "assay status --json" in err


@pytest.mark.parametrize("verb", main.list_parsers(main.make_parser()))
def test_every_option_says_what_it_does(verb):
    parser = main.list_parsers(main.make_parser())[verb]
    silent = [a.option_strings or a.dest for a in parser._actions if len(a.help or "") < 8]
    assert not silent


@pytest.mark.slow
def test_scan_and_queue_say_as_data_what_their_lines_say(bench):
    status, out, err = run_assay("scan", "--embedder", "pixels", "--json", "-b", bench.path)
    told = check_json(out)
    assert told["version"] == "v1" and f"{told['flagged']:,} of {told['judged']:,}" in err
    assert told["issues"]["label"] == told["flagged"] > 0
    assert (
        sum(f"{n:,} {kind}" in err for kind, n in told["issues"].items() if kind != "label")
        == len(told["issues"]) - 1
    )
    assert f"gaps        {told['gaps'] or 'none'}" in err
    again = check_json(run_assay("scan", "--embedder", "pixels", "--json", "-b", bench.path)[1])
    assert again["version"] is None and again["held_out"] == 0
    status, out, _ = run_assay("queue", "-n", 50, "-b", bench.path)
    told = check_json(run_assay("queue", "-n", 50, "--json", "-b", bench.path)[1])
    made, rows = told["made_of"], told["rows"]
    assert made["random"] == sum(r["random"] for r in rows) > 0 and sum(made.values()) == len(rows)
    line = f"{len(rows)} to review: {made['suspicious']} that look most wrong, {made['random']} drawn at random"
    assert line in out


def test_hints_name_no_login(scanned, tmp_path, monkeypatch):
    """root would be a person who decided; who said a name finds it again."""
    monkeypatch.setenv("LOGNAME", "root")
    monkeypatch.setattr(main, "make_parser", main.make_parser.__wrapped__)
    words = ["queue", "-n", 5, "--csv", tmp_path / "q.csv", "-b", scanned.path]
    assert "--who YOU" in run_assay(*words)[1]
    assert "--who 'ann b'" in run_assay(*words, "--who", "ann b")[1]
    page = tmp_path / "q.html"
    for verb in (["queue", "--html", page], ["audit", "-n", 5, "-o", tmp_path / "a"], ["clusters"]):
        status, out, _ = run_assay(*verb, "-b", scanned.path)
        assert status == 0 and "--who YOU" in out and "--who root" not in out, (verb, out)
    assert "--who YOU" in page.read_text() and "--who root" not in page.read_text()
