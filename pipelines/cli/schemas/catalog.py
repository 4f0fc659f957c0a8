"""Every object that --json prints, by its `schema` and verb."""

from __future__ import annotations

from assay.pipelines.cli.schemas import classes, data, experiments, history, review, slices, upkeep
from assay.pipelines.cli.schemas.base import Error, Output

# schema -> (the verb that prints it, its model)
OUTPUTS: dict[str, tuple[str, type[Output]]] = {
    "demo": ("demo", data.Demo),
    "import": ("import", data.Import),
    "export": ("export", data.Export),
    "scan": ("scan", data.Scan),
    "status": ("status", review.Status),
    "queue": ("queue", review.Queue),
    "edit": ("edit", review.Edit),
    "issues": ("issues", review.Issues),
    "issues-keep-one": ("issues --keep-one", review.IssuesKeepOne),
    "audit-sheet": ("audit", review.AuditSheet),
    "audit": ("audit FILE", review.Audit),
    "reviewers": ("reviewers", review.Reviewers),
    "classes": ("classes", classes.Classes),
    "classes-rename": ("classes rename", classes.ClassesRename),
    "classes-add": ("classes add", classes.ClassesAdd),
    "classes-split": ("classes split", classes.ClassesSplit),
    "classes-edit": ("classes edit", classes.ClassesEdit),
    "classes-import": ("classes --import", classes.ClassesImport),
    "log": ("log", history.Log),
    "log-batches": ("log --batches", history.LogBatches),
    "diff": ("diff", history.Diff),
    "blame": ("blame", history.Blame),
    "undo": ("undo", history.Undo),
    "redo": ("redo", history.Undo),
    "revert": ("revert", history.Revert),
    "commit": ("commit", history.Commit),
    "merge": ("merge", history.Merge),
    "report": ("experiment, report", experiments.Page),
    "report-markdown": ("report --markdown", experiments.ReportMarkdown),
    "experiment-dry-run": ("experiment --dry-run", experiments.ExperimentDryRun),
    "experiment-detached": ("experiment --detach", experiments.ExperimentDetached),
    "experiment-init": ("experiment --init", experiments.ExperimentInit),
    "runs": ("runs", experiments.Runs),
    "compare": ("compare", experiments.Compare),
    "guard": ("guard", experiments.Guard),
    "gate": ("gate", experiments.Gate),
    "clusters": ("clusters", slices.Clusters),
    "clusters-rename": ("clusters --rename", slices.ClustersRename),
    "gaps": ("gaps", slices.Gaps),
    "map": ("map", slices.Map),
    "similar": ("similar", slices.Similar),
    "suggest": ("suggest", slices.Suggest),
    "shadow": ("shadow", slices.Shadow),
    "trigger": ("trigger list", slices.Trigger),
    "trigger-add": ("trigger add", slices.TriggerAdd),
    "trigger-run": ("trigger run", slices.TriggerRun),
    "trigger-remove": ("trigger remove", slices.TriggerRemove),
    "trigger-caught": ("trigger list NAME", slices.TriggerCaught),
    "app": ("app", data.App),
    "docs": ("docs", data.Docs),
    "fiftyone": ("fiftyone", data.FiftyOne),
    "fiftyone-pull": ("fiftyone --pull", data.FiftyOnePull),
    "fiftyone-export": ("fiftyone --export", data.FiftyOneExport),
    "check": ("check", upkeep.CheckBench),
    "gc": ("gc", upkeep.CollectGarbage),
    "relocate": ("relocate", upkeep.Relocate),
    "restore": ("restore", upkeep.Restore),
}


def find_model(schema: str) -> type[Output] | type[Error]:
    """Find the model of an object by its `schema`; KeyError without one."""
    return Error if schema == "error" else OUTPUTS[schema][1]
