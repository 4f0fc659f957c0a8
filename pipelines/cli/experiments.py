"""The verbs experiment, report and runs."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

from assay.curation import Bench
from assay.curation.errors import UserError
from assay.curation.text import format_count, pad_text
from assay.pipelines.cli.output import (
    add_engine_options,
    add_patience_option,
    draw_table,
    line_printer,
    open_bench,
    print_line,
    print_result,
    progress_bar,
    read_patience,
    tell_listener,
    to_json_rows,
)
from assay.pipelines.cli.report_log import log_report
from assay.pipelines.cli.verbs import Verbs

RUN_COLUMNS = "key version arch seed n_train seconds accuracy low high n failed ts".split()


def run_experiment(args: argparse.Namespace) -> None:
    """Train what PLAN.toml asks for and is missing, and report it.

    A plan is data versions x architectures x seeds. What it will cost is said first. Without one, the first version
    is compared with the newest state, on probe and mlp.
    """
    from assay.pipelines.experiments import run
    from assay.pipelines.experiments.plan import store_plan

    bench = open_bench(args)
    if args.init:
        return write_plan(args, bench)
    plan = read_given_plan(args, bench)
    read_patience(args)
    if args.jobs is not None and args.jobs < 1:
        raise UserError(
            f"expected --jobs of 1 or more, found {args.jobs}", "leave it out for one a core"
        )
    output = report_path(args, bench)
    if not output.parent.is_dir():
        raise UserError(
            f"expected a folder for the report, found none at {output.parent}",
            "make it, or choose another -o",
        )
    if args.detach:
        run.prepare_cells(bench, plan)  # what is wrong with it is said here, not in a log
        return detach_experiment(args, bench, plan if args.question else args.plan, str(output))
    unfinished = None
    tell_listener("", 0.0, "counts what there is to train, and what it costs")
    with progress_bar("training") as step:
        try:
            trained = run.run_plan(
                bench,
                plan,
                line_printer(args),
                step,
                args.jobs,
                args.dry_run,
                args.patience,
                args.engine,
                args.address,
            )
        except run.Unfinished as e:  # the others have their report
            trained, unfinished = e.trained, e
    if args.dry_run:
        again = f"assay experiment {args.plan} -b {bench.given}".replace(" None", "")
        planned = dict(trained=0, plan=plan)
        return print_result(args, planned, again, schema="experiment-dry-run")
    tell_listener("", 1.0, "judges the runs, and writes the report")
    try:
        # one object is printed: the report, or else what could not be finished
        shown = line_printer(args) if unfinished and args.json else None
        print_report(args, bench, plan, dict(trained=trained), shown)
        store_plan(bench, plan)  # the last experiment is one that could be judged
    except UserError:  # nothing is left to judge
        if unfinished is None:
            raise
    if unfinished:
        raise unfinished


def read_given_plan(args: argparse.Namespace, bench: Bench) -> dict:
    """Read PLAN.toml; without it, plan the first version against HEAD."""
    from assay.pipelines.experiments.plan import default_plan, read_plan
    from assay.pipelines.experiments.questions import plan_question

    if args.plan and args.question:
        raise UserError("expected a plan or --question, found both", "leave one of them out")
    if args.plan:
        return read_plan(args.plan)
    if args.question:
        return plan_question(bench, args.question, line_printer(args))
    plan = default_plan(bench)
    first, last = plan["versions"]
    networks = ", ".join(plan["architectures"])
    print_line(
        args,
        f"no plan given: {last} against {first}, {networks}, {format_count(len(plan['seeds']), 'seed')} "
        "(--init PLAN.toml writes a plan to edit)",
    )
    return plan


def write_plan(args: argparse.Namespace, bench: Bench) -> None:
    """Write a plan to edit, for --init."""
    from assay.pipelines.experiments import plan_template
    from assay.pipelines.experiments.questions import plan_question

    if args.plan:
        raise UserError(
            "expected --init PLAN.toml alone, found another plan beside it",
            "leave one of them out",
        )
    asked = args.question and plan_question(bench, args.question, line_printer(args))
    path = plan_template.write_plan(bench, args.init, asked or None)
    print_line(args, f"{path} is a plan with a comment on each key")
    then = f"edit it, then: assay experiment {path} -b {bench.given}"
    print_result(args, dict(plan=str(path)), then, schema="experiment-init")


def detach_experiment(
    args: argparse.Namespace, bench: Bench, plan: str | dict | None, output: str
) -> None:
    """Start the same experiment in the background."""
    from assay.pipelines.experiments import run

    jobs = ["--jobs", args.jobs] if args.jobs else []
    where = ["--engine", args.engine, *(["--address", args.address] if args.address else [])]
    options = ["-o", output, "--patience", args.patience, *jobs, *where]
    pid, log = run.detach_run(bench, plan, options)
    print_line(args, f"experiment  runs on as process {pid}; what it says goes to {log}")
    print_result(
        args,
        dict(pid=pid, log=str(log), report=output),
        f"assay runs -b {bench.given} (kill {pid} stops it; what is trained is kept)",
        schema="experiment-detached",
    )


def make_report(args: argparse.Namespace) -> None:
    """Report on the last experiment, or on PLAN's.

    The report is one HTML page that needs no other file; --markdown prints a summary for a pull request.
    """
    from assay.curation.system.extras import require
    from assay.pipelines.experiments.plan import last_plan, read_plan

    bench = open_bench(args)
    if args.log:
        require("mlflow", "mlflow")  # said before minutes of judging
    print_report(args, bench, read_plan(args.plan) if args.plan else last_plan(bench))


def report_path(args: argparse.Namespace, bench: Bench) -> Path:
    """The file of the report: --output, else report.html in the bench."""
    return Path(args.output).absolute() if args.output else bench.path.absolute() / "report.html"


def print_report(
    args: argparse.Namespace,
    bench: Bench,
    plan: dict,
    more: dict | None = None,
    shown: Callable[[str], object] | None = None,
) -> None:
    """Write the report of a plan, and print it in short.

    more: what else --json prints. shown: prints lines, where they are all that is printed.
    """
    from assay.pipelines.reports.experiment_report import report
    from assay.pipelines.reports.markdown import markdown

    log = getattr(args, "log", None)
    if getattr(args, "markdown", False):
        data, where = report(bench, plan, report_path(args, bench) if log else args.output)
        if log:
            log_report(args, bench, plan, data, where)
        text = markdown(data)
        if args.json:
            return print_result(args, dict(markdown=text), schema="report-markdown")
        return print(text)
    data, where = report(bench, plan, report_path(args, bench))
    print_summary(data, shown or line_printer(args))
    if shown:
        return shown(f"the report is {where}")
    if log:
        more = (more or {}) | dict(logged=log_report(args, bench, plan, data, where))
    # `code` says how a verb ended; that of the trainings has a longer name
    out = {"training_code" if k == "code" else k: v for k, v in data.items()} | (more or {})
    print_result(args, out | dict(page=str(where)), f"open {where}", schema="report")


def print_summary(data: dict, tell: Callable[[str], object]) -> None:
    """Print an experiment: the verdict, the matrix, what each change was worth."""
    from assay.curation.statistics.wording import format_as_given, format_interval, format_points
    from assay.pipelines.reports.markdown import describe_control
    from assay.pipelines.reports.phrases import name_second

    gains = [*data["effects"], *data["beside"]]
    width = max((len(e["kind"]) for e in gains), default=0)

    def name_gain(e: dict) -> str:
        name = f"  {e['kind']:<{width}} {pad_text(e['name'], 34)}"
        return f"{name} {format_interval(e)}{format_as_given(e)}"

    for line in data["verdict_lines"]:
        tell(line)
    for c in data["matrix"]:
        name, beside = name_second(c)
        accuracy, second = (
            "{} [{}, {}]".format(*(format_points(e[k], False) for k in ("estimate", "low", "high")))
            for e in (c["accuracy"], beside)
        )
        n = f"{c['n_train']:,} train, {data['n_test']:,} test, {format_count(c['accuracy']['seeds'][0], 'seed')}"
        head = f"  {pad_text(c['version'], 10)} {c['arch']:<10}"
        tell(f"{head} accuracy {accuracy}, {name} {second} %  ({n})")
    for e in data["effects"]:
        tell(f"{name_gain(e)}  {e['verdict']}")
    for b in data["beside"]:
        tell(name_gain(b))
    tell(f"  {describe_control(data)}")


def list_runs(args: argparse.Namespace) -> None:
    """List what is trained, what runs now, and what failed.

    The accuracy is on validation.
    """
    from assay.curation.predictions import runs
    from assay.pipelines.jobs import job_files

    bench = open_bench(args)
    now, table = job_files.list_jobs(bench), runs.tabulate_runs(bench)
    for job in now:
        print_line(args, describe_job(job))
    if args.json:
        return print_result(args, dict(jobs=now, runs=to_json_rows(table)))
    if len(table):
        draw_table(table[::-1], RUN_COLUMNS)
    running, failed = (
        sum(j["state"] == state and "key" in j for j in now) for state in ("running", "failed")
    )
    lost = int(table.failed.notna().sum())
    diverged = f"{lost:,} diverged, " if lost else ""
    done = f"{format_count(len(table) - lost, 'run')} done"
    print_line(args, f"{done}, {diverged}{running} running, {failed} failed")
    then = f"assay experiment -b {bench.given}"
    if len(table):
        then = f"assay compare RUN RUN -b {bench.given}, or assay report -b {bench.given}"
    print_result(args, None, then)


def describe_job(job: dict) -> str:
    """Describe a job on one line, with its progress or failure."""
    what = job.get("question") or f"{job.get('at')} {job.get('arch')}, seed {job.get('seed')}"
    how = job.get("error") or f"{job.get('share', 0):.0%} {job.get('text', '')}".strip()
    if job["state"] == "stopped":
        how = f"its process was killed, or ended, at {how}"
    since = str(job.get("since"))[:16].replace("T", " ")
    return f"{job['state']:<8} {what}: {how} (process {job.get('pid')}, since {since})"


def add(verbs: Verbs) -> None:
    """Add the verbs experiment, report and runs."""
    verb = verbs.add("experiment", run_experiment)
    verb.add_argument(
        "plan",
        nargs="?",
        metavar="PLAN.toml",
        help="versions, architectures, seeds and more (default: the first version against the newest state)",
    )
    verb.add_argument(
        "--init", metavar="PLAN.toml", help="only write a plan to edit; no file is overwritten"
    )
    verb.add_argument(
        "--question",
        metavar="QUESTION",
        help="plan what answers it: end-to-end (or frozen features, and with how many labels?)",
    )
    verb.add_argument("-o", "--output", help="the report (default: report.html in the bench)")
    verb.add_argument(
        "--dry-run", action="store_true", help="only show the matrix and what it will cost"
    )
    verb.add_argument(
        "--jobs",
        type=int,
        metavar="N",
        help="train so many at once (default: one a core, or one a GPU)",
    )
    add_engine_options(verb)
    add_patience_option(verb)
    verb.add_argument(
        "--detach",
        action="store_true",
        help="come back at once and leave it running; assay runs follows it",
    )
    verb = verbs.add("report", make_report)
    verb.add_argument(
        "plan",
        metavar="PLAN.toml",
        nargs="?",
        help="a plan whose runs are there (default: the last experiment)",
    )
    verb.add_argument("-o", "--output", help="the report (default: report.html in the bench)")
    verb.add_argument(
        "--markdown", action="store_true", help="print a summary fit for a pull request instead"
    )
    verb.add_argument(
        "--log",
        choices=("mlflow",),
        help="log cells and runs to MLflow, too (pip install 'assay[mlflow]'; MLFLOW_TRACKING_URI says where it is)",
    )
    verbs.add("runs", list_runs)
