"""What every task does with a label: read it, fit it, score it, and judge predictions by it."""

import numpy as np
import pytest

from assay.curation.tasks.base import list_members, list_tasks, name_strata

CLASSES = ["1", "2", "ape"]
TASKS = {task.name: task for task in list_tasks()}


@pytest.fixture(params=TASKS)
def task(request):
    return TASKS[request.param]


@pytest.fixture
def labels(task):
    """1, ape, 2, none, 1, and a class that is none of these, as the task writes them."""
    cells = ["1", "ape", "2", None, "1", "tiger"]
    return np.array([cell and task.parse(cell, [*CLASSES, "tiger"]) for cell in cells], object)


def test_our_tasks_are_listed():
    assert list(TASKS)[:2] == ["classification", "multilabel"]


def test_a_cell_is_one_of_the_classes_or_refused(task):
    assert [list(task.members(task.parse(cell, CLASSES))) for cell in CLASSES] == [
        [c] for c in CLASSES
    ]
    for cell in ("", "3", "Ape", "1.5"):
        with pytest.raises(ValueError, match="expected"):
            task.parse(cell, CLASSES)


def test_a_label_reads_as_itself(task, labels):
    for label in labels[labels != None]:  # noqa: E711
        assert task.parse(label, [*CLASSES, "tiger"]) == label and task.show(label)


def test_classes_are_what_labels_name(task, labels):
    assert list_members(task, labels) == ["1", "2", "ape", "tiger"]
    assert name_strata(task, labels)[3] is None and len(name_strata(task, labels)) == len(labels)


def test_a_spreadsheets_number_is_the_class_that_it_was(task):
    assert task.parse("2.0", CLASSES) == task.parse("2", CLASSES)
    assert task.members(task.parse("2.0", ["2", "2.0"])) == ("2.0",)


def test_targets_are_rows_without_a_label_apart(task, labels):
    y = task.targets(labels, CLASSES)
    assert len(y) == len(labels) and (y[[3, 5]] == -1).all() and (y[[0, 1, 2, 4]] >= 0).all()


def test_what_probabilities_say_is_a_label(task, labels):
    probs = np.array([[0.8, 0.1, 0.1], [0.2, 0.2, 0.6]])
    assert task.predict(probs, CLASSES).tolist() == [labels[0], labels[1]]


def test_scores_are_those_of_a_hand_made_table(task, labels):
    """Two labels that the model shares, one that it contradicts."""
    probs = np.array([[0.8, 0.1, 0.1], [0.2, 0.2, 0.6], [0.7, 0.2, 0.1]])
    y = task.targets(labels[:3], CLASSES)
    found = task.score(y, probs, CLASSES)
    assert found.score.argmin() == 2 and found.score.between(0, 1).all()
    assert found.suggestion[:2].tolist() == labels[:2].tolist() and found.suggestion[2] != labels[2]
    assert found.confidence.between(0.5, 1).all()
    assert list(task.score(y[:0], probs[:0], CLASSES).columns) == list(found.columns)


def test_a_prediction_is_right_or_wrong_or_between(task, labels):
    one, ape, two = labels[:3]
    right, near, wrong = task.correct([one, two, ""], [one, one, ape]).tolist()
    assert right == 1 and 0 <= near < 1 and wrong == 0
