"""Calibration: probabilities that a simulator knows, numerical derivatives, rare classes, and bounds."""

import numpy as np
import pytest
from scipy.optimize import check_grad, minimize

from assay.curation.label_quality import calibration
from assay.curation.label_quality import probe as probes
from assay.curation.label_quality.calibration import Curve, fit_calibration, softmax


def drawn(n, k, curve, seed=0):
    """Scores, labels drawn from the probabilities that a curve makes of them, and those probabilities."""
    rng = np.random.default_rng(seed)
    scores = rng.normal(size=(n, k)) * 0.1
    scores[np.arange(n), rng.integers(0, k, n)] += rng.random(n)
    probs = softmax(curve(scores))
    return scores, (probs.cumsum(1) > rng.random((n, 1))).argmax(1), probs


def say(fitted, scores):
    curve, stretch = fitted
    return softmax(curve.logits(scores * stretch))


CURVES = dict(
    straight=lambda s: 6 * s,
    saturated=lambda s: 3 * np.tanh(4 * s),  # as ridge scores of noisy labels are
    steep=lambda s: 40 * s,
    none=lambda s: 0 * s,
)


@pytest.mark.parametrize("name", CURVES)
def test_it_says_what_the_labels_were_drawn_by(name):
    scores, y, probs = drawn(20_000, 6, CURVES[name])
    said = say(fit_calibration(scores, y), scores)
    assert np.abs(said - probs).mean() < 0.01
    for part in np.array_split(np.argsort(said.max(1)), 10):
        right = (said.argmax(1) == y)[part].mean()
        assert said.max(1)[part].mean() == pytest.approx(right, abs=0.03)


def test_a_few_samples_are_calibrated_better_than_by_one_half_each():
    scores, y, _ = drawn(60, 2, CURVES["straight"])
    unseen, answers, _ = drawn(4000, 2, CURVES["straight"], seed=1)
    loss = -np.log(say(fit_calibration(scores, y), unseen)[np.arange(4000), answers]).mean()
    assert loss < np.log(2)


def test_rare_classes_are_given_back_what_shrinkage_took():
    """A ridge on 20 to 1 in overlapping clouds: how many of the rare class it takes for common ones."""
    rng = np.random.default_rng(0)
    y = np.r_[np.zeros(2000, int), np.ones(2000, int), np.full(100, 2)]
    X = (rng.normal(size=(3, 15))[y] * 0.9 + rng.normal(size=(4100, 15))).astype("f4")
    probe = probes.fit(X, y, np.arange(4100), 3)
    assert probe.stretch[2] > 1.2 > probe.stretch[0] == probe.stretch[1]
    missed = [
        (p[y == 2].argmax(1) != 2).mean() for p in (probe.out_of_group(X), probe.pred_probs(X))
    ]
    assert missed[1] < 0.75 * missed[0]


def test_its_descent_goes_by_its_own_slope(monkeypatch):
    """The gradient that the search is given, against differences."""
    asked = {}

    def remember(loss, start, **more):
        asked.update(loss=loss, start=start)
        return minimize(loss, start, **more)

    monkeypatch.setattr("scipy.optimize.minimize", remember)
    scores, y, _ = drawn(300, 4, CURVES["saturated"])
    fit_calibration(scores, y % 3)
    at = asked["start"] + np.random.default_rng(0).normal(size=len(asked["start"]))
    wrong = check_grad(lambda w: asked["loss"](w)[0], lambda w: asked["loss"](w)[1], at)
    assert wrong < 1e-5


def test_a_curve_goes_on_beyond_its_ends_and_turns_no_order_around():
    rng = np.random.default_rng(0)
    curve = fit_calibration(rng.normal(size=(500, 3)), rng.integers(0, 3, 500))[0]
    beyond = np.linspace(-9, 9, 400)
    assert (np.diff(curve.logits(beyond)) > 0).all()
    assert np.allclose(np.gradient(curve.logits(beyond), beyond), curve.slopes(beyond), atol=0.2)
    same = np.zeros((50, 2))
    assert np.allclose(say(fit_calibration(same, np.arange(50) % 2), same), 0.5)


def test_thousands_of_classes_ask_fewer_rows(monkeypatch):
    monkeypatch.setattr(calibration, "PROBABILITIES", 1000)
    seen = []
    places = Curve.places
    monkeypatch.setattr(Curve, "places", lambda self, s: (seen.append(s.shape), places(self, s))[1])
    scores, y, _ = drawn(9000, 3, CURVES["straight"])
    fit_calibration(scores, y)
    assert seen[0] == (1800, 3)
