"""The verbs of experiments: train what a plan asks for, see how it goes, report what it says, ask one question of two runs."""

from pathlib import Path

from assay.curation.errors import UserError
from assay.curation.predictions import runs as kept
from assay.curation.text import pad
from assay.pipelines.cli.output import (
    add_patience,
    done,
    open_bench,
    patience_of,
    progress,
    records,
    say,
    shown,
)


def experiment(a):
    """data versions x architectures x seeds from PLAN.toml: what it will cost, then what is missing is trained"""
    from assay.pipelines.engines import local
    from assay.pipelines.experiments import run
    from assay.pipelines.experiments.plan import read_plan, remember

    bench, plan = open_bench(a), read_plan(a.plan)
    patience_of(a)
    if a.jobs is not None and a.jobs < 1:
        raise UserError(
            f"expected --jobs of 1 or more, found {a.jobs}", "leave it out for one a core"
        )
    output = page_of(a, bench)
    if not output.parent.is_dir():
        raise UserError(
            f"expected a folder for the report, found none at {output.parent}",
            "make it, or choose another -o",
        )
    if a.detach:
        run.prepare(bench, plan)  # what is wrong with it is said here, not in a log
        output = str(output)
        pid, log = run.detach(
            bench,
            a.plan,
            ["-o", output, "--patience", a.patience, *(["--jobs", a.jobs] if a.jobs else [])],
        )
        say(a)(f"experiment  runs on as process {pid}; what it says goes to {log}")
        return done(
            a,
            dict(pid=pid, log=str(log), report=output),
            f"assay runs -b {bench.given} (kill {pid} stops it; what is trained is kept)",
        )
    unfinished = None
    with progress("training") as step:
        try:
            trained = run.run(bench, plan, say(a), step, a.jobs, a.dry_run, a.patience)
        except local.Unfinished as e:  # the others have their report
            trained, unfinished = e.trained, e
    if a.dry_run:
        return done(a, dict(trained=0), f"assay experiment {a.plan} -b {bench.given}")
    try:
        tell(a, bench, plan, dict(trained=trained))
        remember(bench, plan)  # the last experiment is one that could be judged
    except UserError:  # nothing is left to judge
        if unfinished is None:
            raise
    if unfinished:
        raise unfinished


def report(a):
    """the last experiment, or PLAN's: a self-contained HTML page, --markdown for a pull request, or --json"""
    from assay.pipelines.experiments.plan import last_plan, read_plan

    bench = open_bench(a)
    tell(a, bench, read_plan(a.plan) if a.plan else last_plan(bench))


def page_of(a, bench):
    """Where the report goes: beside the data it is about, unless somebody says otherwise."""
    return Path(a.output).absolute() if a.output else bench.path.absolute() / "report.html"


def tell(a, bench, plan, more=None):
    """The report of a plan as a page, and in short on the terminal."""
    from assay.pipelines.reports.experiment_report import report
    from assay.pipelines.reports.markdown import markdown

    if getattr(a, "markdown", False):
        return print(markdown(report(bench, plan, a.output)[0]))
    data, where = report(bench, plan, page_of(a, bench))
    summary(data, say(a))
    done(a, data | (more or {}), f"open {where}")


def summary(data, tell):
    """An experiment on the terminal: the verdict, the matrix, what each change was worth."""
    from assay.curation.statistics.wording import as_given, interval, points

    tell(data["verdict"])
    for c in data["cells"]:
        accuracy, balanced = (
            f"{points(e['estimate'], False)} [{points(e['low'], False)}, {points(e['high'], False)}]"
            for e in (c["accuracy"], c["balanced"])
        )
        n = f"{c['n_train']:,} train, {data['n_test']:,} test, {c['accuracy']['seeds'][0]} seeds"
        tell(
            f"  {pad(c['version'], 10)} {c['arch']:<10} accuracy {accuracy}, balanced {balanced} %  ({n})"
        )
    for e in data["effects"]:
        tell(f"  {e['kind']:<12} {pad(e['name'], 34)} {interval(e)}{as_given(e)}  {e['verdict']}")
    for b in data["beside"]:
        tell(f"  {b['kind']:<12} {pad(b['name'], 34)} {interval(b)}{as_given(b)}")
    if not data["control"]:
        tell(f"  {data['control_reason']}")


def runs(a):
    """what is trained, what is training now, what failed and why; the accuracy is on validation"""
    from assay.pipelines.jobs import job_files

    bench = open_bench(a)
    now, table = job_files.states(bench), kept.frame(bench)
    table["model"] = table["version"] + " " + table.arch  # noqa: PD011
    tell = say(a)
    for job in now:
        what = job.get("question") or f"{job.get('at')} {job.get('arch')}, seed {job.get('seed')}"
        how = job.get("error") or f"{job.get('share', 0):.0%} {job.get('text', '')}".strip()
        how = f"its process was killed, or ended, at {how}" if job["state"] == "stopped" else how
        tell(
            f"{job['state']:<8} {what}: {how} (process {job.get('pid')}, since {str(job.get('since'))[:16].replace('T', ' ')})"
        )
    if a.json:
        return done(a, dict(jobs=now, runs=records(table.drop(columns="model"))))
    if len(table):
        shown(
            table[::-1],
            [
                "key",
                "version",
                "arch",
                "seed",
                "n_train",
                "seconds",
                "accuracy",
                "low",
                "high",
                "n",
                "failed",
                "ts",
            ],
        )
    running, failed = (
        sum(j["state"] == state and "key" in j for j in now) for state in ("running", "failed")
    )
    lost = int(table.failed.notna().sum())
    tell(
        f"{len(table) - lost:,} runs done, {f'{lost:,} diverged, ' if lost else ''}{running} running, {failed} failed"
    )
    done(a, None, f"assay compare RUN RUN -b {bench.given}, or assay report -b {bench.given}")


def compare(a):
    """one question of two runs, or of all seeds of VERSION/ARCHITECTURE: is the second better on the test set?"""
    from assay.pipelines.evaluation.pairwise import versus

    bench = open_bench(a)
    out = versus(bench, a.first, a.second)
    say(a)(out["verdict"])
    done(a, out, f"assay report -b {bench.given}")


def add(verb):
    """Register the verbs with the command line."""
    v = verb(experiment)
    v.add_argument("plan")
    v.add_argument("-o", "--output", help="the report (default: report.html in the bench)")
    v.add_argument(
        "--dry-run", action="store_true", help="only show the matrix and what it will cost"
    )
    v.add_argument(
        "--jobs",
        type=int,
        metavar="N",
        help="train so many cells at once (default: one a core, or one a GPU)",
    )
    add_patience(v)
    v.add_argument(
        "--detach",
        action="store_true",
        help="come back at once and leave it running; assay runs follows it",
    )
    v = verb(report)
    v.add_argument(
        "plan", nargs="?", help="a plan whose runs are there (default: the last experiment)"
    )
    v.add_argument("-o", "--output", help="the report (default: report.html in the bench)")
    v.add_argument(
        "--markdown", action="store_true", help="print a summary fit for a pull request instead"
    )
    verb(runs)
    v = verb(compare)
    v.add_argument(
        "first",
        metavar="RUN",
        help="a run's key or its beginning, or VERSION/ARCHITECTURE for all its seeds",
    )
    v.add_argument("second", metavar="RUN")
