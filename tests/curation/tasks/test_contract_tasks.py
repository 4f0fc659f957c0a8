"""What every task does with a label: read it, fit it, score it, and judge predictions by it."""

import numpy as np
import pytest

from assay.curation.tasks.base import list_tasks

CLASSES = ["1", "2", "ape"]
LABELS = np.array(["1", "ape", "2", None, "1", "tiger"], object)
TASKS = {task.name: task for task in list_tasks()}


@pytest.fixture(params=TASKS)
def task(request):
    return TASKS[request.param]


def test_our_tasks_are_listed():
    assert list(TASKS)[0] == "classification"


def test_a_cell_is_one_of_the_classes_or_refused(task):
    assert [task.parse(cell, CLASSES) for cell in CLASSES] == CLASSES
    for cell in ("", "3", "Ape", "1.5"):
        with pytest.raises(ValueError, match="expected"):
            task.parse(cell, CLASSES)


def test_a_spreadsheets_number_is_the_class_that_it_was(task):
    assert task.parse("2.0", CLASSES) == "2" and task.parse("2.0", ["2", "2.0"]) == "2.0"


def test_targets_are_rows_without_a_label_apart(task):
    y = task.targets(LABELS, CLASSES)
    assert len(y) == len(LABELS) and (np.atleast_2d(y)[..., [3, 5]] == -1).all()


def test_scores_are_those_of_a_hand_made_table(task):
    """Two labels that the model shares, one that it contradicts."""
    probs = np.array([[0.8, 0.1, 0.1], [0.2, 0.2, 0.6], [0.7, 0.2, 0.1]])
    y = task.targets(["1", "ape", "2"], CLASSES)
    found = task.score(y, probs, CLASSES)
    assert np.allclose(found.score, [0.8, 0.6, 0.2])
    assert found.suggestion.tolist() == ["1", "ape", "1"] and np.allclose(
        found.confidence, [0.8, 0.6, 0.7]
    )
    assert list(task.score(y[:0], probs[:0], CLASSES).columns) == list(found.columns)


def test_a_prediction_is_right_or_wrong(task):
    assert task.correct(["1", "2", ""], ["1", "1", "ape"]).tolist() == [1, 0, 0]
