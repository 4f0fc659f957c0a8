"""What the verbs that list say of a bench that has nothing of it: words and a next step, never a bare head of a table."""

import pytest

from tests.helpers import run_assay

EMPTY = {
    "views": ("no saved views", "assay views --save"),
    "assign": ("nothing is assigned", "assay assign --where"),
    "trigger list": ("no triggers", "assay trigger add"),
    "proposal list": ("no proposals", "assay proposal open"),
    "opinion": ("no second opinions", "assay opinion FILE"),
    "issues --kind blurry": ("no issues", "assay status"),
    "reviewers": ("nobody has reviewed anything yet", "assay queue"),
    "runs": ("0 runs done", "assay experiment"),
}


@pytest.mark.parametrize("asked", EMPTY)
def test_an_empty_list_says_so_and_what_would_fill_it(scanned_once, asked):
    words, step = EMPTY[asked]
    status, out, _ = run_assay(*asked.split(), "-b", scanned_once.path)
    lines = out.splitlines()
    assert status == 0 and any(line.startswith(words) for line in lines), out
    assert lines[-1].startswith(f"next: {step}"), out
    heads = ("name ", "kind ", "who ")
    assert not [line for line in lines if line.startswith(heads)], "a head without rows"


def test_copies_that_are_not_there_are_not_offered_to_be_dropped(scanned_once):
    status, out, _ = run_assay("duplicates", "--where", "split = 'pool'", "-b", scanned_once.path)
    assert status == 0 and "group  samples" not in out and "next: assay status" in out, out
