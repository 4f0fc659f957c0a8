"""Files of odd shapes: each is judged right or refused in words, never a traceback, never silently wrong."""

import pytest

import assay
from tests.odd_predictions import draw_case


def check_case(seed, folder):
    """Compare one case; returns whether it was refused."""
    folder.mkdir()
    case = draw_case(seed, folder)
    try:
        out = assay.compare(case.first, case.second, case.labels)
    except assay.UserError as e:
        assert case.refused or case.partial, (seed, case.what, str(e))
        assert e.hint and "Traceback" not in str(e)
        return True
    assert not case.refused, (seed, case.what, out["notes"])
    right = tuple(round(m["accuracy"]["estimate"] * out["n"]) for m in out["models"])
    assert (out["n"], right) == (case.n, case.right), (seed, case.what, out["notes"])
    return False


def test_sixty_cases_of_odd_files(tmp_path):
    refused = [check_case(seed, tmp_path / str(seed)) for seed in range(60)]
    assert 15 < sum(refused) < 45, "some of both"


@pytest.mark.daily
def test_a_thousand_odd_files(tmp_path):
    """500 cases of two files each, beside their labels."""
    refused = [check_case(seed, tmp_path / str(seed)) for seed in range(60, 560)]
    assert 100 < sum(refused) < 400
