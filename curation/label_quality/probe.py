"""Fit a ridge classifier in closed form, and score out of sample.

One factorisation gives the scores of all, and any edit re-scores them in a moment.

With A = X'X + lambda I, h_i = x_i' A^-1 x_i and W = A^-1 X'Y, the score that sample i gets from the model fitted
without it is p_-i = (p_i - h_i y_i) / (1 - h_i); a group g of copies leaves together: p_-g = y_g - (I - H_gg)^-1 (y_g
- p_g). (Hastie et al., The Elements of Statistical Learning, eq. 7.64; the block form is the same Woodbury identity.)
"""

from __future__ import annotations

import numpy as np

from assay.curation.label_quality import many_classes
from assay.curation.label_quality.calibration import (
    Curve,
    fit_calibration,
    fit_sigmoids,
    softmax,
    straight,
)
from assay.curation.label_quality.linear_algebra import (
    column_moments,
    decompose,
    is_labelled,
    leave_out,
    one_hot,
    row_blocks,
    sample_groups,
    stack_groups,
    sum_classes,
)
from assay.curation.label_quality.many_classes import TopScores
from assay.curation.label_quality.neighbor_votes import SHARE, count_votes
from assay.curation.label_quality.ridge_strength import ASKED, LAMBDAS, LESS, MORE, choose_lambda
from assay.curation.statistics.logistic_lines import sigmoid
from assay.curation.storage.shards import Rows
from assay.curation.storage.stages import Arrays, gather_rows, stage, sum_rows
from assay.curation.storage.top_probs import DENSE, MANY, TopProbs

FEW = 4  # changed rows that are added to the scores
FRESH = 100  # changed rows, after which the scores are made anew
ENOUGH = 5  # groups a class needs before the probe may judge it
LARGE = 64  # rows: what larger groups leave out is not kept, but made anew


def fit(
    X: np.ndarray | Rows,
    y: np.ndarray,
    groups: np.ndarray,
    k: int,
    weights: np.ndarray | None = None,
    near: np.ndarray | None = None,
) -> Probe:
    """Fit a probe on X (n, d), which may stay on disk.

    y (n,): class indices below k, or -1 for rows that are only predicted; or of samples with several classes members
    (n, k), 0 or 1, with rows of -1. groups (n,): samples of equal group are left
    out together. weights (d,): what the standardised columns are multiplied by. near (n, j): the rows that vote on
    each row, see neighbor_votes; None for no votes.
    """
    y, groups = np.array(y), np.array(groups)
    rows = np.flatnonzero(is_labelled(y))
    n, D = len(rows), X.shape[1] + 1
    mean, scale = column_moments(X, rows)
    probe = Probe(mean, scale if weights is None else scale / weights, k)
    probe.near, probe.vote = near, np.float64(0 if near is None else SHARE)
    probe.y, probe.groups = y, groups
    probe.offset = probe.measure_offset()
    if n >= D:
        gram = probe.sum_moments(X)
        s, Q = decompose(gram)
        s = np.maximum(s, 0)
    else:  # the n x n dual has the same spectrum, X = U sqrt(s) Q'
        Z = probe.standardize(X[rows])
        probe.XtY = probe.sum_targets(Z, y[rows])
        s, U = decompose(Z @ Z.T)
        live = s > s[-1] * 1e-13
        s, Q = s[live], (Z.T @ U[:, live]) / np.sqrt(s[live])
    factors = LESS if weights is not None else MORE if y.ndim == 2 else LAMBDAS
    asked = ASKED if k <= MANY else many_classes.ASKED
    rows = sample_groups(probe.groups, probe.fitted_rows, asked)
    T, Y = probe.standardize(X[rows]) @ Q, probe.targets(probe.y[rows])
    unit = s.sum() / D
    probe.lam = unit * choose_lambda(T, Y, probe.groups[rows], s, Q.T @ probe.XtY, factors, unit)
    probe.inverse = (
        Q * (1 / (s + probe.lam) - 1 / probe.lam)
    ) @ Q.T  # directions that no row spans keep 1 / lambda
    probe.inverse[np.diag_indices(D)] += 1 / probe.lam
    probe.h = probe.leverage(X)
    probe.count_groups()
    probe.calibrate(X)
    return probe


class Probe:
    """A fitted probe over n training rows.

    `out_of_group` and `update` take the same X, in the same order, that it was fitted on.
    """

    ARRAYS = tuple(
        "mean scale lam inverse XtY h y groups knots heights stretch vote sizes offset".split()
    )

    def __init__(self, mean: np.ndarray, scale: np.ndarray, k: int) -> None:
        """mean, scale (d,): what standardises X; k: how many classes."""
        self.mean, self.scale, self.k = mean, scale, k
        (self.knots, self.heights), self.stretch = straight(), np.ones(k)
        self.offset = np.zeros(k)  # taken from targets
        self.near, self.vote = None, np.float64(0)  # rows (n, j) that vote, and the votes' share
        self.fitted, self.added = None, 0  # scores (n, k) in sample, and the rows added to them
        # what leaves a group out: its rows (b, g), and H (b, g, g), see leave_out; None until it is asked for
        self.top: TopScores | None = None  # what it says of many classes
        self.hats: list[tuple[np.ndarray, np.ndarray | None]] | None = None

    def standardize(self, block: np.ndarray) -> np.ndarray:
        """Standardise rows (b, d), and add a bias: (b, d + 1)."""
        Z = np.empty((len(block), block.shape[1] + 1))
        np.subtract(block, self.mean, out=Z[:, :-1])
        Z[:, :-1] *= 1 / self.scale
        Z[:, -1] = 1
        return Z

    def measure_offset(self) -> np.ndarray:
        """Measure what is taken from targets: (k,), of several classes a sample the share that has each.

        Scores then say how much likelier a class is than by its share, which calibration adds. A bias that is left out
        with its row would rank those that have a rare class below those that have not.
        """
        return np.zeros(self.k) if self.y.ndim == 1 else self.y[self.fitted_rows].mean(0)

    def targets(self, y: np.ndarray) -> np.ndarray:
        """Turn class indices (n,), or members (n, k), into targets (n, k); -1 is zeros."""
        if y.ndim == 1:
            return one_hot(y, self.k)
        return (y - self.offset) * is_labelled(y)[:, None]

    def sum_targets(self, Z: np.ndarray, y: np.ndarray) -> np.ndarray:
        """Sum standardised rows Z (n, d + 1) by their targets: (d + 1, k)."""
        return sum_classes(Z, y, self.k) if y.ndim == 1 else Z.T @ self.targets(y)

    def sum_moments(self, X: np.ndarray | Rows) -> np.ndarray:
        """Sum X'Y into `XtY`, and return X'X (d + 1, d + 1), over the fitted rows, standardised."""
        fixed = dict(mean=self.mean, scale=self.scale, k=self.k, offset=self.offset)
        sums = sum_rows(X, sum_products, dict(y=self.y), **fixed)
        self.XtY = sums["XtY"]
        return sums["XtX"]

    def leverage(self, X: np.ndarray | Rows) -> np.ndarray:
        """Compute h (n,) = diag(X A^-1 X'), in fp64."""
        fixed = dict(mean=self.mean, scale=self.scale, inverse=self.inverse)
        return gather_rows(X, measure_leverage, {}, **fixed)["h"]

    def score_in_sample(self, X: np.ndarray | Rows) -> np.ndarray:
        """Score any rows (m, d) by the whole fit: (m, k)."""
        return self.project(X, self.inverse @ self.XtY)

    def project(self, X: np.ndarray | Rows, W: np.ndarray) -> np.ndarray:
        """Multiply standardised X by W (d + 1, j): (n, j).

        X itself is not standardised: that is folded into W.
        """
        V = (W[:-1] / self.scale[:, None]).astype("f4")
        bias = W[-1] - (self.mean / self.scale) @ W[:-1]
        return gather_rows(X, project_rows, {}, V=V, bias=bias)["scores"]

    def out_of_group(self, X: np.ndarray | Rows) -> np.ndarray:
        """Score every training row without its group: (n, k).

        Rows that are not fitted (y = -1) get their scores by the whole fit.
        """
        if self.fitted is None:
            self.fitted, self.added = self.score_in_sample(X), 0
        p, Y = self.fitted.copy(), self.targets(self.y)
        fitted = self.fitted_rows
        tight = np.flatnonzero(fitted & (self.h > 0.9))  # the division magnifies fp32's error there
        for part in row_blocks(len(tight)):
            p[tight[part]] = self.standardize(X[tight[part]]) @ (self.inverse @ self.XtY)
        out = np.where(
            fitted[:, None],
            (p - self.h[:, None] * Y) / (1 - np.where(fitted, self.h, 0))[:, None],
            p,
        )
        for stack, H in self.hat_groups(X):
            if stack.shape[1] > X.shape[1] + 1:
                # larger than d: take it out of the gram matrix itself
                for group in stack:
                    W = self.weights_without(X, group)
                    for part in row_blocks(len(group)):
                        out[group[part]] = self.standardize(X[group[part]]) @ W
            else:
                H = self.hat(X, stack) if H is None else H
                out[stack] = leave_out(H, p[stack], Y[stack])
        return out

    def hat_groups(self, X: np.ndarray | Rows) -> list[tuple[np.ndarray, np.ndarray | None]]:
        """Stack the groups of two or more fitted rows, and what leaves them out.

        Labels leave both as they are. Of large groups the second is None.
        """
        if self.hats is None:
            self.hats = [
                (stack, None if stack.shape[1] > LARGE else self.hat(X, stack))
                for stack in stack_groups(self.groups, self.fitted_rows)
            ]
        return self.hats

    def hat(self, X: np.ndarray | Rows, stack: np.ndarray) -> np.ndarray:
        """Compute Z A^-1 Z' of groups, whose rows are stack (b, g): (b, g, g)."""
        b, g = stack.shape
        Z = self.standardize(X[stack.ravel()])
        return (Z @ self.inverse).reshape(b, g, -1) @ Z.reshape(b, g, -1).transpose(0, 2, 1)

    def weights_without(self, X: np.ndarray | Rows, rows: np.ndarray) -> np.ndarray:
        """Fit without some rows: weights (d + 1, k)."""
        A, right = np.linalg.inv(self.inverse), self.XtY.copy()
        for part in row_blocks(len(rows)):
            Z = self.standardize(X[rows[part]])
            A, right = A - Z.T @ Z, right - self.sum_targets(Z, self.y[rows[part]])
        return np.linalg.solve(A, right)

    def calibrate(self, X: np.ndarray | Rows) -> None:
        """Choose what makes probabilities of scores, by out-of-group scores."""
        if self.many:
            curve, self.stretch = many_classes.calibrate_sample(self, X)
            self.knots, self.heights = curve
            return
        fitted = self.fitted_rows
        scores, y = self.score_all(X)[fitted], self.y[fitted]
        if y.ndim == 2:
            self.heights = fit_sigmoids(scores, y)
            return
        curve, self.stretch = fit_calibration(scores, y)
        self.knots, self.heights = curve

    @property
    def curve(self) -> Curve:
        """The curve from stretched scores to logits."""
        return Curve(self.knots, self.heights)

    def probabilities(self, scores: np.ndarray) -> np.ndarray:
        """Turn scores (m, k) into probabilities (m, k).

        Rows sum to 1, but where samples have several classes: there each class has its own line of logits.
        """
        if self.heights.ndim == 2:
            return sigmoid(self.heights[0] + scores * np.diff(self.heights, axis=0))
        return softmax(self.curve.logits(scores * self.stretch))

    @property
    def fitted_rows(self) -> np.ndarray:
        """Mark the rows (n,) that it is fitted on."""
        return is_labelled(self.y)

    def slopes(self, scores: np.ndarray) -> np.ndarray:
        """Compute how much a logit rises with its score, at scores (m, k)."""
        return self.curve.slopes(scores * self.stretch) * self.stretch

    def predict(self, X: np.ndarray | Rows) -> np.ndarray:
        """Predict samples that were not fitted: probabilities (m, k)."""
        return self.probabilities(self.score_in_sample(X))

    @property
    def many(self) -> bool:
        """Say whether a table of samples by classes is too large to make."""
        return self.y.ndim == 1 and (self.k > MANY or len(self.y) * self.k > DENSE)

    def pred_probs(
        self, X: np.ndarray | Rows, labels: np.ndarray | None = None
    ) -> np.ndarray | TopProbs:
        """Predict the training rows out of sample: probabilities (n, k).

        Of many classes the likeliest of each row, and that of its label (n,), a class index or -1; None: as fitted.
        """
        if self.many:
            labels = self.y if labels is None else labels
            if self.top is None:
                self.top = many_classes.predict_top(self, X, labels)
            self.top = many_classes.keep_labels(self, X, self.top, labels)
            return self.top.probs
        return self.probabilities(self.score_all(X))

    def score_all(self, X: np.ndarray | Rows) -> np.ndarray:
        """Score every row out of sample, its neighbours' votes included: (n, k)."""
        return self.add_votes(self.out_of_group(X), slice(None))

    def score_rows(self, X: np.ndarray | Rows, rows: np.ndarray) -> np.ndarray:
        """Score some rows of X (m,) that were not fitted, votes included: (m, k)."""
        return self.add_votes(self.score_in_sample(np.asarray(X[rows])), rows)

    def add_votes(self, scores: np.ndarray, rows: np.ndarray | slice) -> np.ndarray:
        """Add the neighbours' votes to scores (m, k) of rows."""
        if not self.vote:
            return scores
        return scores + self.vote * count_votes(*self.voters(rows), self.k)

    def voters(self, rows: np.ndarray | slice) -> tuple[np.ndarray, np.ndarray]:
        """Give who votes on rows: their places (m, j), -1 for none, and what each place votes for."""
        return self.near[rows], self.y

    def find_voters(self, rows: np.ndarray) -> np.ndarray:
        """Find the places (m,) of rows among the voters: see voters; a place of its own for none."""
        return rows

    def few(self) -> np.ndarray:
        """Mark classes (k,) with fewer than 5 groups: too few to judge.

        Or, where samples have several classes, with fewer than 5 without it.
        """
        return self.sizes < ENOUGH

    def refit(self, X: np.ndarray | Rows, y: np.ndarray, groups: np.ndarray) -> None:
        """Fit anew on other rows, all at once.

        Standardisation, lambda and calibration stay, as in `update`.
        """
        self.y, self.groups = np.array(y), np.array(groups)
        self.fitted = self.hats = self.top = None
        gram = self.sum_moments(X)
        self.inverse = np.linalg.inv(gram + self.lam * np.eye(len(gram)))
        self.inverse = (self.inverse + self.inverse.T) / 2
        self.h = self.leverage(X)
        self.count_groups()

    def update(self, X: np.ndarray | Rows, y: np.ndarray) -> None:
        """Bring the probe to new class indices y (n,).

        -1 for rows that are out. A relabelling touches X'Y alone; a row that leaves or comes back is a rank-one
        update of the inverse and of every h. What few changed rows do to the scores is added to them: one product
        with a vector each. Standardisation, lambda and calibration stay as fitted.
        """
        if self.top is None:
            self.refit_changed(X, np.asarray(y))
        elif not np.array_equal(y, self.y):
            self.top = many_classes.update_top(self, X, np.asarray(y))

    def refit_changed(self, X: np.ndarray | Rows, y: np.ndarray) -> None:
        """Do the work of `update`, but for what it said of many classes."""
        now = is_labelled(y)
        moved = np.flatnonzero(self.fitted_rows != now)
        changed = np.flatnonzero((self.y != y) if y.ndim == 1 else (self.y != y).any(1))
        if not len(changed):
            return
        self.added += len(changed)
        if len(changed) > FEW or self.added > FRESH:
            self.fitted = None
        Z = self.standardize(X[changed])
        if self.many:
            step = sum_classes(Z, y[changed], self.k) - sum_classes(Z, self.y[changed], self.k)
        else:
            step = self.targets(y[changed]) - self.targets(self.y[changed])
        if len(moved) > 200:  # past that, one fresh inverse is quicker
            gram = np.linalg.inv(self.inverse)
            for part in row_blocks(len(moved)):
                rows = self.standardize(X[moved[part]])
                sign = np.where(now[moved[part]], 1.0, -1.0)
                gram += (rows * sign[:, None]).T @ rows
            self.inverse = np.linalg.inv((gram + gram.T) / 2)
            self.h, self.hats = self.leverage(X), None
        elif len(moved):
            at = np.searchsorted(changed, moved)
            U, signs = np.empty((Z.shape[1], len(moved))), np.where(now[moved], 1, -1)
            shrink = np.empty(len(moved))
            for j, (z, sign) in enumerate(zip(Z[at], signs)):
                v = self.inverse @ z
                shrink[j] = np.sqrt(abs(1 + sign * (z @ v)))
                U[:, j] = v / shrink[j]
                self.inverse -= sign * np.outer(U[:, j], U[:, j])
            pulls = self.project(X, U)
            self.h -= pulls**2 @ signs
            self.update_hats(pulls, signs, moved)
            if self.fitted is not None:
                for j, row in enumerate(moved):
                    miss = step[at[j]] - signs[j] * self.fitted[row]
                    self.fitted += np.outer(pulls[:, j] / shrink[j], miss)
        stayed = ~np.isin(changed, moved)
        if self.fitted is not None and stayed.any():
            self.fitted += self.project(X, self.inverse @ Z[stayed].T) @ step[stayed]
        self.XtY += step if self.many else Z.T @ step
        self.y = y.copy()
        self.count_groups()

    def update_hats(self, pulls: np.ndarray, signs: np.ndarray, moved: np.ndarray) -> None:
        """Bring what leaves groups out to an inverse that rows `moved` (m,) came into or left.

        pulls (n, m), signs (m,): as in `update`. Where one of them has copies their group is another.
        """
        if self.hats is None or np.isin(self.groups, self.groups[moved]).sum() > len(moved):
            self.hats = None
            return
        for stack, H in self.hats:
            if H is not None:
                P = pulls[stack]  # (b, g, m)
                H -= (P * signs) @ P.transpose(0, 2, 1)

    def count_groups(self) -> None:
        """Count in how many groups each class stands: `sizes` (k,).

        Where samples have several classes, in how many it stands or is missing, whichever is less.
        """
        from pandas import unique

        fitted = self.fitted_rows
        if self.y.ndim == 2:
            self.sizes = count_scarcer(self.y[fitted], self.groups[fitted])
            return
        pairs = unique(self.groups[fitted].astype("i8") * self.k + self.y[fitted])
        self.sizes = np.bincount(pairs % self.k, minlength=self.k)


def count_scarcer(y: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """Count the groups with and without each class, and give the fewer: (k,).

    y (n, k): members, 0 or 1; groups (n,).
    """
    _, name = np.unique(groups, return_inverse=True)
    has = np.zeros((name.max(initial=-1) + 1, y.shape[1]), "i1")
    lacks = has.copy()
    np.maximum.at(has, name, y)
    np.maximum.at(lacks, name, 1 - y)
    return np.minimum(has.sum(0, dtype="i8"), lacks.sum(0, dtype="i8"))


# ---- stages


@stage(1)
def sum_products(
    X: np.ndarray | Rows,
    y: np.ndarray,
    mean: np.ndarray,
    scale: np.ndarray,
    k: int,
    offset: np.ndarray,
) -> Arrays:
    """Sum the products of standardised, fitted rows: XtX (d + 1, d + 1), and XtY (d + 1, k) by their targets."""
    probe, rows = Probe(mean, scale, k), np.flatnonzero(is_labelled(y))
    probe.offset, D = offset, X.shape[1] + 1
    sums = dict(XtX=np.zeros((D, D)), XtY=np.zeros((D, k)))
    for part in row_blocks(len(rows)):
        Z = probe.standardize(X[rows[part]])
        sums["XtX"] += Z.T @ Z
        sums["XtY"] += probe.sum_targets(Z, y[rows[part]])
    return sums


@stage(1)
def measure_leverage(
    X: np.ndarray | Rows, mean: np.ndarray, scale: np.ndarray, inverse: np.ndarray
) -> Arrays:
    """Measure the leverage h (n,) of rows.

    As the squared length of F'z with A^-1 = F F': a triangular product is half of a full one.
    """
    from scipy.linalg.blas import dtrmm

    probe, F = Probe(mean, scale, 0), np.asfortranarray(np.linalg.cholesky(inverse))
    h = np.empty(len(X))
    for rows in row_blocks(len(X)):
        U = dtrmm(1.0, F, probe.standardize(X[rows]).T, lower=1, trans_a=1, overwrite_b=1)
        h[rows] = np.einsum("ji,ji->i", U, U)
    return dict(h=h)


@stage(1)
def project_rows(X: np.ndarray | Rows, V: np.ndarray, bias: np.ndarray) -> Arrays:
    """Multiply rows with V (d, k), float32, and add a bias (k,): scores (n, k)."""
    return dict(scores=(X @ V).astype("f8") + bias)
