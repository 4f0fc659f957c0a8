"""What the page Models shows, on a filter's validation samples."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from assay.app.server.browse_view import Asked, BrowseView
from assay.app.server.explanations import list_served
from assay.app.server.review_session import ReviewSession
from assay.curation.errors import UserError
from assay.curation.features.scan_settings import is_scanned
from assay.curation.predictions.model_predictions import (
    PROBE,
    Model,
    list_models,
    read_predicted,
)
from assay.curation.statistics import contrasts
from assay.pipelines.evaluation.member_errors import judge_on_validation
from assay.pipelines.evaluation.model_confusions import measure_accuracy
from assay.pipelines.evaluation.test_set import interval_to_dict
from assay.pipelines.explaining.accuracy_numbers import explain_models

if TYPE_CHECKING:
    import pandas as pd

VALIDATION = "split = 'val' and keep and label is not null"  # what is judged


def write_fresh_scores(session: ReviewSession) -> None:
    """Write down the scores that a review session holds in memory.

    Else the probe would be asked twice.
    """
    if is_scanned(session.bench) and session.seq >= 0:
        session.rescore()
        session.write_scores()


def choose_validation(view: BrowseView, asked: Asked) -> tuple[pd.DataFrame, int]:
    """Choose the labelled, kept validation samples of a filter.

    Returns their frame (label, flagged, reviewed), and how many there are without the filter.
    """

    with view.lock:
        every = view.choose(Asked((VALIDATION,))).positions
        some = view.choose(asked._replace(conditions=(*asked.conditions, VALIDATION))).positions
        return view.refresh().rows(some, ["label", "flagged", "reviewed"]), len(every)


def describe_models(session: ReviewSession, view: BrowseView, asked: Asked) -> dict[str, Any]:
    """Describe every model, with its accuracy on a filter's validation samples.

    The probe of an earlier version is fitted when it is chosen, and not before.
    """
    write_fresh_scores(session)
    val, total = choose_validation(view, asked)
    [(runs,)] = session.bench.rows("select count(*) from runs")  # first: one that ends now is news
    models = list_models(session.bench)
    return dict(
        models=[describe_model(session, model, val) for model in models],
        n=len(val),
        of=total,
        runs=runs,
        scanned=is_scanned(session.bench),
        seq=view.refresh().upto,
    )


def describe_model(session: ReviewSession, model: Model, val: pd.DataFrame) -> dict[str, Any]:
    """Describe a model, its runs and its accuracy.

    Dict of name, kind, version, arch, runs, failed, accuracy, n and error (why it has no accuracy).
    """
    out: dict[str, Any] = dict(name=model.name, kind=model.kind, version=model.version)
    out |= dict(arch=model.arch, failed=model.failed, accuracy=None, error="", runs=[], n=0)
    if model.kind == "probe" and model.name != PROBE or not len(val):
        return out
    if model.kind == "runs" and not model.runs:
        return out
    try:
        said = read_predicted(session.bench, model.name, val.index)
    except UserError as e:
        return out | dict(error=f"{e.problem}. {e.hint}")
    seen = (said.codes >= 0).all(0)
    if not seen.any():
        return out | dict(error="it has predicted none of these samples")
    truth, right = val.label[seen], said.mark_right(val.label)[:, seen]
    alone = [interval_to_dict(contrasts.cell_accuracy(row)) for row in right]
    runs = [run | dict(accuracy=e) for run, e in zip(model.runs, alone)]
    accuracy = interval_to_dict(measure_accuracy(session.bench, model, right, truth))
    return out | dict(accuracy=accuracy, n=int(seen.sum()), runs=runs)


def describe_confusions(
    session: ReviewSession, view: BrowseView, asked: Asked, names: list[str]
) -> dict[str, Any]:
    """Judge one or two models on the validation samples of a filter.

    See judge_on_validation.
    """
    write_fresh_scores(session)
    val, total = choose_validation(view, asked)
    if not len(val):
        raise UserError(
            "expected labelled validation samples, found none in this filter", "take it away"
        )
    found = judge_on_validation(session.bench, names, val)
    told = list_served(explain_models(found))
    return found | dict(of=total, seq=view.refresh().upto, explained=told)
