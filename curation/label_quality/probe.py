"""A ridge classifier in closed form: out-of-sample probabilities of every sample from one factorisation, re-scored in a moment
after any edit.

With A = X'X + lambda I, h_i = x_i' A^-1 x_i and W = A^-1 X'Y, the score that sample i gets from the model fitted without it is
p_-i = (p_i - h_i y_i) / (1 - h_i); a group g of copies leaves together: p_-g = y_g - (I - H_gg)^-1 (y_g - p_g). (Hastie et al.,
The Elements of Statistical Learning, eq. 7.64; the block form is the same Woodbury identity.)
"""

import numpy as np

BLOCK = 4096  # rows standardised at once: memory is X plus one block
LAMBDAS = np.geomspace(1e-3, 1, 7)  # times trace / d
ENOUGH = 5  # groups a class needs before the probe may judge it


def fit(X, y, groups, k):
    """Fit on X (n, d), y (n,) class indices below k or -1 for rows that are only predicted, groups (n,): samples of equal group are left
    out together. X is an ndarray or arrays.Rows, which may stay on disk."""
    y, groups = np.array(y), np.array(groups)
    rows = np.flatnonzero(y >= 0)
    n, D = len(rows), X.shape[1] + 1
    probe = Probe(*moments(X, rows), k)
    probe.y, probe.groups, probe.XtY = y, groups, np.zeros((D, k))
    gram = np.zeros((D, D) if n >= D else (n, n))
    wide = [] if n < D else None  # n < d: the n x n dual has the same spectrum, X = U sqrt(s) Q'
    for part in blocks(n):
        Z = probe.standard(X[rows[part]])
        probe.XtY += Z.T @ onehot(y[rows[part]], k)
        if wide is None:
            gram += Z.T @ Z
        else:
            wide.append(Z)
    if wide is None:
        s, Q = eigh(gram)
        s = np.maximum(s, 0)
    else:
        Z = np.concatenate(wide)
        s, U = eigh(Z @ Z.T)
        live = s > s[-1] * 1e-13
        s, Q = s[live], (Z.T @ U[:, live]) / np.sqrt(s[live])
    probe.lam = choose_lambda(X, probe, s, Q) * s.sum() / D
    probe.inverse = (
        Q * (1 / (s + probe.lam) - 1 / probe.lam)
    ) @ Q.T  # directions that no row spans keep 1 / lambda
    probe.inverse[np.diag_indices(D)] += 1 / probe.lam
    probe.h = probe.leverage(X)
    probe.count_groups()
    probe.calibrate(X)
    return probe


class Probe:
    """A fitted probe over n training rows. `scores` and `update` take the same X, in the same order, that it was fitted on."""

    ARRAYS = (
        "mean",
        "scale",
        "lam",
        "inverse",
        "XtY",
        "h",
        "y",
        "groups",
        "slope",
        "offset",
        "sizes",
    )

    def __init__(self, mean, scale, k):
        self.mean, self.scale, self.k = mean, scale, k
        self.slope, self.offset = np.full(k, 5.0), np.zeros(k)

    def standard(self, block):
        """(b, d) raw -> (b, d + 1) standardised in fp64, with a bias column."""
        Z = np.empty((len(block), block.shape[1] + 1))
        np.subtract(block, self.mean, out=Z[:, :-1])
        Z[:, :-1] *= 1 / self.scale
        Z[:, -1] = 1
        return Z

    def leverage(self, X):
        """h (n,) = diag(X A^-1 X') as the squared length of F'z with A^-1 = F F', fp64: a triangular product is half of a full one."""
        from scipy.linalg.blas import dtrmm

        F, h = np.asfortranarray(np.linalg.cholesky(self.inverse)), np.empty(len(X))
        for rows in blocks(len(X)):
            U = dtrmm(1.0, F, self.standard(X[rows]).T, lower=1, trans_a=1, overwrite_b=1)
            h[rows] = np.einsum("ji,ji->i", U, U)
        return h

    def raw(self, X):
        """In-sample scores (m, k) of any X."""
        return self.project(X, self.inverse @ self.XtY)

    def project(self, X, W):
        """Standardised X times W (d + 1, j) -> (n, j), without standardising X: that is folded into W."""
        V = (W[:-1] / self.scale[:, None]).astype("f4")
        return (X @ V).astype("f8") + (W[-1] - (self.mean / self.scale) @ W[:-1])

    def out_of_group(self, X):
        """Scores (n, k) of every training row from the probe without the row's group; rows not fitted (y = -1) as they are."""
        p, Y = self.raw(X), onehot(self.y, self.k)
        fitted = self.y >= 0
        tight = np.flatnonzero(fitted & (self.h > 0.9))  # the division magnifies fp32's error there
        for part in blocks(len(tight)):
            p[tight[part]] = self.standard(X[tight[part]]) @ (self.inverse @ self.XtY)
        out = np.where(
            fitted[:, None],
            (p - self.h[:, None] * Y) / (1 - np.where(fitted, self.h, 0))[:, None],
            p,
        )
        for stack in families(self.groups, fitted):
            if (
                stack.shape[1] > X.shape[1] + 1
            ):  # larger than d: take it out of the gram matrix itself
                out[stack[0]] = self._downdated(X, stack[0], Y)
            else:
                out[stack] = leave_out(
                    self.standard(X[stack.ravel()]), self.inverse, p[stack], Y[stack]
                )
        return out

    def _downdated(self, X, rows, Y):
        A, right = np.linalg.inv(self.inverse), self.XtY.copy()
        for part in blocks(len(rows)):
            Z = self.standard(X[rows[part]])
            A, right = A - Z.T @ Z, right - Z.T @ Y[rows[part]]
        W = np.linalg.solve(A, right)
        return np.concatenate([self.standard(X[rows[part]]) @ W for part in blocks(len(rows))])

    def calibrate(self, X, most=20_000):
        """Bounded scale and bias per class before the softmax, by out-of-group log-loss (one temperature would call rare classes errors)."""
        from scipy.optimize import minimize
        from scipy.special import log_softmax

        S = self.out_of_group(X)
        rows = np.flatnonzero(self.y >= 0)
        rows = rows[:: -(-len(rows) // most)]
        S, Y = S[rows], onehot(self.y[rows], self.k)

        def loss(w):
            slope, offset = np.exp(w[: self.k]), w[self.k :]
            logp = log_softmax(S * slope + offset, axis=1)
            miss = (np.exp(logp) - Y) / len(S)
            prior = (
                1e-3 * ((w[: self.k] - np.log(5)) ** 2).sum() + 1e-4 * (offset**2).sum()
            )  # rare classes lean on the common scale
            step = np.r_[
                (miss * S).sum(0) * slope + 2e-3 * (w[: self.k] - np.log(5)),
                miss.sum(0) + 2e-4 * offset,
            ]
            return -(logp * Y).sum() / len(S) + prior, step

        bounds = [(np.log(0.5), np.log(50))] * self.k + [(-8, 8)] * self.k
        w = minimize(
            loss,
            np.r_[np.full(self.k, np.log(5)), np.zeros(self.k)],
            jac=True,
            bounds=bounds,
            method="L-BFGS-B",
            options=dict(maxiter=60),
        ).x
        self.slope, self.offset = np.exp(w[: self.k]), w[self.k :]

    def probabilities(self, scores):
        """Scores (m, k) -> probabilities (m, k), rows sum to 1."""
        logits = scores * self.slope + self.offset
        logits = np.exp(logits - logits.max(1, keepdims=True))
        return logits / logits.sum(1, keepdims=True)

    def predict(self, X):
        """Probabilities (m, k) of samples that were not fitted: validation, pool, test."""
        return self.probabilities(self.raw(X))

    def pred_probs(self, X):
        """Out-of-sample probabilities (n, k) of the training rows."""
        return self.probabilities(self.out_of_group(X))

    def few(self):
        """Classes (k,) bool with fewer than 5 groups: too few to judge."""
        return self.sizes < ENOUGH

    def refit(self, X, y, groups):
        """Fit anew on other rows, all at once: standardisation, lambda and calibration stay, as in `update`."""
        self.y, self.groups, D = np.array(y), np.array(groups), X.shape[1] + 1
        rows, gram, self.XtY = (
            np.flatnonzero(self.y >= 0),
            self.lam * np.eye(D),
            np.zeros((D, self.k)),
        )
        for part in blocks(len(rows)):
            Z = self.standard(X[rows[part]])
            gram += Z.T @ Z
            self.XtY += Z.T @ onehot(self.y[rows[part]], self.k)
        self.inverse = np.linalg.inv(gram)
        self.inverse = (self.inverse + self.inverse.T) / 2
        self.h = self.leverage(X)
        self.count_groups()

    def update(self, X, y):
        """Bring the probe to new class indices y (n,), -1 for rows that are out. A relabelling touches X'Y alone; a row that leaves or
        comes back is a rank-one update of the inverse and of every h. Standardisation, lambda and calibration stay as fitted."""
        y = np.asarray(y)
        moved = np.flatnonzero((self.y >= 0) != (y >= 0))
        changed = np.flatnonzero(self.y != y)
        if len(moved) > 200:  # past that, one fresh inverse is quicker
            gram = np.linalg.inv(self.inverse)
            for i in range(0, len(moved), BLOCK):
                Z, sign = (
                    self.standard(X[moved[i : i + BLOCK]]),
                    np.where(y[moved[i : i + BLOCK]] >= 0, 1.0, -1.0),
                )
                gram += (Z * sign[:, None]).T @ Z
            self.inverse = np.linalg.inv((gram + gram.T) / 2)
            self.h = self.leverage(X)
        elif len(moved):
            U = np.empty((len(self.mean) + 1, len(moved)))
            signs = np.where(y[moved] >= 0, 1.0, -1.0)
            for j, (z, sign) in enumerate(zip(self.standard(X[moved]), signs)):
                v = self.inverse @ z
                U[:, j] = v / np.sqrt(abs(1 + sign * (z @ v)))
                self.inverse -= sign * np.outer(U[:, j], U[:, j])
            self.h -= self.project(X, U) ** 2 @ signs
        if len(changed):
            Z = self.standard(X[changed])
            self.XtY += Z.T @ (onehot(y[changed], self.k) - onehot(self.y[changed], self.k))
        self.y = y.copy()
        self.count_groups()

    def count_groups(self):
        """`sizes` (k,): in how many groups a class stands."""
        fitted = self.y >= 0
        pairs = np.unique(np.stack([self.groups[fitted], self.y[fitted]]), axis=1)
        self.sizes = np.bincount(pairs[1], minlength=self.k)


def choose_lambda(X, probe, s, Q, most=4096):
    """The multiple of trace / d with the least squared error of out-of-group scores, on about 4,096 rows (whole groups)."""
    unit, YQ = s.sum() / len(Q), Q.T @ probe.XtY
    rows = whole_groups(probe, most)
    T, Y, G = probe.standard(X[rows]) @ Q, onehot(probe.y[rows], probe.k), probe.groups[rows]
    losses = []
    for factor in LAMBDAS:
        d = 1 / (s + factor * unit)
        miss = Y - T @ (YQ * d[:, None])
        h = (T * T) @ d
        out = miss / (1 - h)[:, None]
        for stack in families(G, np.ones(len(G), bool)):
            if stack.shape[1] <= 256:  # a larger family says little about lambda and costs its cube
                out[stack] = Y[stack] - leave_out(
                    T[stack.ravel()] * np.sqrt(d), None, Y[stack] - miss[stack], Y[stack]
                )
        losses.append((out**2).sum())
    return LAMBDAS[int(np.argmin(losses))]


def moments(X, rows):
    """Mean and standard deviation (d,) of the columns over `rows` in fp64, streamed; a constant column gets scale 1."""
    n, total, squares = len(rows), 0.0, 0.0
    origin = np.asarray(X[rows[:BLOCK]], "f8").mean(
        0
    )  # near the mean, so that squares do not cancel
    for part in blocks(n):
        B = X[rows[part]] - origin
        total, squares = total + B.sum(0), squares + np.einsum("ij,ij->j", B, B)
    mean = total / n
    var = np.maximum(squares / n - mean**2, 0)
    return mean + origin, np.where(var > 1e-12 * max(var.max(), 1e-30), np.sqrt(var), 1)


def eigh(A):
    """numpy's eigh on one thread: its threads wait by spinning, and beside a busy process that took 11 s instead of 1 (d = 1,169)."""
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1):
        return np.linalg.eigh(A)


def onehot(y, k):
    """(n,) class indices -> (n, k); a row of zeros for -1."""
    return (np.asarray(y)[:, None] == np.arange(k)).astype("f8")


def blocks(n, size=BLOCK):
    return (slice(i, min(i + size, n)) for i in range(0, n, size))


def leave_out(Z, inverse, p, Y):
    """The block formula for b families of g rows: Z (b g, d), p and Y (b, g, k) -> out-of-family scores (b, g, k)."""
    b, g, _ = p.shape
    left = (Z if inverse is None else Z @ inverse).reshape(b, g, -1)
    H = left @ Z.reshape(b, g, -1).transpose(0, 2, 1)
    return Y - np.linalg.solve(np.eye(g) - H, Y - p)


def families(groups, fitted):
    """Groups of two or more fitted members as index arrays (b, g): families of one size g stacked, about BLOCK rows at once."""
    rows = np.flatnonzero(fitted)
    _, name, count = np.unique(groups[rows], return_inverse=True, return_counts=True)
    rows, name = rows[count[name] > 1], name[count[name] > 1]
    rows, size = rows[np.argsort(name, kind="stable")], count[np.sort(name)]
    for g in np.unique(size):
        stacked = rows[size == g].reshape(-1, g)
        for part in blocks(len(stacked), max(1, BLOCK // g)):
            yield stacked[part]


def whole_groups(probe, most):
    """Fitted rows of the first groups in a fixed shuffle, about `most` rows in all."""
    rows = np.flatnonzero(probe.y >= 0)
    _, name, size = np.unique(probe.groups[rows], return_inverse=True, return_counts=True)
    order = np.random.default_rng(0).permutation(len(size))
    chosen = np.zeros(len(size), bool)
    chosen[order[: max(1, np.searchsorted(np.cumsum(size[order]), most))]] = True
    return rows[chosen[name]][: 4 * most]
