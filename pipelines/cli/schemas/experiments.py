"""The objects of experiment, report, runs, compare, guard and gate."""

from __future__ import annotations

from typing import Any

from assay.pipelines.cli.schemas.base import Estimate, Output, Part, Review, says


class Plan(Part):
    """A plan with its defaults filled in; the keys of PLAN.toml."""

    question: str = says("what the report is to answer")
    versions: list[str] = says("the first is what the others are compared with")
    architectures: list[str] = says("what is trained on each version")
    seeds: list[int] = says("the seeds")
    test: str = says("the version whose test labels judge")
    margin: float = says("points that are too small to matter")
    effects: list[str] = says("what is tested")
    control: str | None = says("the random control", default=None)
    ceiling: str | None = says("the version with the best labels", default=None)
    effect: float | None = says("points that should be seen", default=None)
    epochs: int | None = says("how long the networks train", default=None)
    slices: dict[str, Any] | None = says(
        "parts of test that are judged by themselves", default=None
    )


class ExperimentDryRun(Output):
    """What an experiment would train."""

    trained: int = says("0")
    plan: Plan = says("the plan")


class ExperimentDetached(Output):
    """An experiment that runs in the background."""

    pid: int = says("its process")
    log: str = says("the file that it writes to")
    report: str = says("where its report will be")


class ExperimentInit(Output):
    """A plan that was written."""

    plan: str = says("its file")


class Effect(Estimate):
    """What a change was worth."""

    kind: str = says("data, architecture, interaction, control, ceiling, beyond chance, ...")
    name: str = says("in words")
    version: str = says("what changed, or the version")
    against: str = says("what it is compared with")
    arch: str | None = says("the architecture, where it is about one", default=None)
    p: float | None = says("p-value", default=None)
    p_holm: float | None = says("the same with Holm's correction", default=None)
    verdict: str | None = says("in words", default=None)


class MatrixRow(Part):
    """A version trained with an architecture, over all seeds."""

    version: str = says("the version")
    kind: str = says("version, control, ceiling, ...")
    arch: str = says("the architecture")
    train_tree: str = says("hash of what was trained on")
    n_train: int = says("training samples")
    accuracy: Estimate = says("on test")
    balanced: Estimate | None = says("mean over classes of the accuracy, of one label a sample")
    exact: Estimate | None = says("share of exact matches, of several labels a sample")
    seed_spread: float | None = says("standard deviation over seeds")
    diverged: list[int] = says("seeds that diverged")
    seconds: float = says("seconds of training")


class Logged(Part):
    """What was logged to MLflow."""

    uri: str = says("the tracking store")
    experiment: str = says("the experiment there")
    matrix: int = says("cells of the matrix, an MLflow run each")
    runs: int = says("trainings, an MLflow run each inside of their cell's")
    new: int = says("runs that were not there before")


class Page(Output):
    """An experiment: matrix, effects, control, costs, fairness, all that its page shows."""

    question: str = says("what was asked")
    verdict: str = says("the answer in a sentence")
    verdict_lines: list[str] = says("the same in short lines, the answer alone first")
    page: str = says("the file of the page")
    trained: int | None = says("runs trained now (experiment only)", default=None)
    logged: Logged | None = says("what was logged (report --log only)", default=None)
    effects: list[Effect] = says("what each change was worth")
    interval: Effect | None = says("the main effect: the last version against the first")
    interval_reason: str | None = says("why there is none")
    interaction: Effect | None = says("whether one change depends on the other")
    interaction_reason: str | None = says("why there is none")
    power: dict[str, Any] | None = says("what size of effect this test could see")
    control: dict[str, Any] | None = says("the random control of the main effect")
    control_reason: str | None = says("why there is none")
    beside: list[Effect] = says("controls and ceiling")
    per_architecture: list[Effect] = says("the gain in each architecture")
    matrix: list[MatrixRow] = says("the matrix")
    diverged: list[Any] = says("runs that diverged")
    failed: list[Any] = says("runs that failed")
    margin: float = says("what is too small to matter, as a fraction")
    n_test: int = says("test samples")
    test: dict[str, Any] = says("the test split, its audit and noise")
    fairness: dict[str, Any] = says("accesses to test, near duplicates, edits since the first look")
    review: Review = says("what people reviewed")
    costs: dict[str, Any] = says("minutes of review, seconds of training, and what an hour bought")
    where: dict[str, Any] | None = says("slices, confusions and flips; null without a main effect")
    end_to_end: dict[str, Any] | None = says(
        "frozen features against training end to end, over how many labels; null in other plans"
    )
    rules: list[dict[str, Any]] = says(
        "rules against the best network: slices, their mix, what each costs to keep"
    )
    seeds: list[int] = says("the seeds")
    seeds_note: str | None = says("what few seeds mean")
    tree: dict[str, str] = says("hash of each version's contents")
    training_code: list[str] = says("hashes of the code that trained")
    plan: Plan = says("the plan")
    log: list[dict[str, Any]] = says("commits and the last batches, as log --batches has them")


class ReportMarkdown(Output):
    """A summary fit for a pull request."""

    markdown: str = says("the text")


class Run(Part):
    """A finished training."""

    key: str = says("its key")
    version: str | None = says("the version")
    arch: str = says("the architecture")
    seed: int = says("the seed")
    split: str = says("what it is judged on")
    accuracy: float | None = says("accuracy there")
    low: float | None = says("lower end of its 95 % interval")
    high: float | None = says("upper end")
    n: int | None = says("samples there")
    n_train: int | None = says("training samples")
    seconds: float | None = says("seconds of training")
    failed: str | None = says("how it diverged, if it did")
    ts: str = says("when it was done, ISO 8601")
    code: str | None = says("hash of the code that trained")


class PlannedRun(Part):
    """A run that an experiment asks for."""

    key: str = says("its key")
    version: str = says("the version")
    arch: str = says("the architecture")
    seed: int = says("the seed")
    done: bool = says("whether it was there when the experiment began")


class Job(Part):
    """Work that goes on, failed or was stopped."""

    name: str = says("its name")
    state: str = says("running, failed or stopped")
    pid: int | None = says("its process", default=None)
    since: str | None = says("when it began, ISO 8601", default=None)
    begun: str | None = says("when its first run began", default=None)
    share: float | None = says("how much is done, 0 to 1", default=None)
    text: str | None = says("how far it is, in words", default=None)
    question: str | None = says("what it is", default=None)
    error: str | None = says("why it failed", default=None)
    hint: str | None = says("what to do about that", default=None)
    trace: str | None = says("where it failed", default=None)
    version: str | None = says("of a run: the version", default=None)
    at: str | None = says("of a run: the version with its seed", default=None)
    arch: str | None = says("of a run: the architecture", default=None)
    seed: int | None = says("of a run: the seed", default=None)
    key: str | None = says("of a run: the run's key", default=None)
    keys: list[str] | None = says("of an experiment: its runs", default=None)
    plan_runs: list[PlannedRun] | None = says(
        "of an experiment: all runs of its plan", default=None
    )
    finished: list[str] | None = says("of these, trained by now: their keys", default=None)
    expects: float | None = says(
        "of an experiment: seconds that it was expected to take", default=None
    )
    runs: int | None = says("of an experiment: runs to train", default=None)
    done: int | None = says("of these, done", default=None)
    trained: int | None = says("of these, trained", default=None)
    of: int | None = says("of these, all", default=None)
    said: dict[str, Any] | None = says("of a task: what it printed", default=None)


class Runs(Output):
    """What is trained, what runs now, and what failed."""

    jobs: list[Job] = says("work that goes on, failed or was stopped")
    runs: list[Run] = says("finished runs, oldest first")


class Compare(Output, Estimate):
    """Whether the second model is better on the test set."""

    first: Estimate = says("accuracy of the first")
    second: Estimate = says("accuracy of the second")
    gained: int = says("test samples that more than half of the runs gained")
    lost: int = says("test samples that they lost")
    word: str = says("the verdict without figures")
    verdict: str = says("the verdict")


class FrozenSet(Part):
    """A regression set."""

    name: str = says("its name")
    n: int = says("samples")
    new: int = says("of these, new to it")
    near: int = says("near duplicates that left train, val and pool with it")
    score: float = says("accuracy that is required on it")
    like_test: int = says("samples left out because they nearly equal a test sample")


class Guard(Output):
    """Regression sets that were frozen."""

    batch: str | None = says("the batch; null where all were frozen already")
    moved: dict[str, int] = says("samples that left each split")
    sets: list[FrozenSet] = says("one a set")
    file: str | None = says("with --from-gap: the file that names the set", default=None)
    like_test: int | None = says("with --from-gap: samples left out", default=None)


class Check(Part):
    """What was required, and whether it holds."""

    check: str = says("gain or regression")
    name: str = says("in words")
    passed: bool = says("whether it holds")
    version: str = says("the version")
    estimate: float = says("gain or accuracy, a fraction: 0.005 is 0.5 points")
    low: float = says("one-sided lower bound, a fraction")
    high: float = says("one-sided upper bound, a fraction")
    required: float = says("what was required, a fraction: --min-gain 0.5 is 0.005")
    n: int = says("samples")
    seeds: list[int] | int = says("seeds")
    reason: str = says("in words")
    against: str | None = says("gain: the first version", default=None)
    set: str | None = says("regression: the set", default=None)
    arch: str | None = says("regression: the architecture", default=None)
    asked: int | None = says("regression: checks that Holm corrects for", default=None)
    p: float | None = says("regression: p-value of being below", default=None)


class Gate(Output):
    """Whether the last experiment passes; exit status 1 where it does not."""

    passed: bool = says("whether every check holds")
    plan: str = says("the experiment's question")
    confidence: float = says("of each check, one-sided, a fraction")
    checks: list[Check] = says("one a requirement")
