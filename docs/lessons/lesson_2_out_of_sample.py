# %% [markdown]
# # Lesson 2. Out of sample
#
# Plant 40 wrong labels among 400 digits. A model that was trained on them agrees with more than 80 % of the wrong
# labels; with the one in question left out it agrees with fewer than 5 % (10 seeds). To leave each one out takes no 400
# trainings: one formula gives the same scores, to 1e-8, as 200 real refits.

# %%
import time

import numpy as np
from sklearn.datasets import load_digits

N, RATE, RIDGE = 400, 0.10, 1.0
IMAGES, TRUTH = load_digits(
    return_X_y=True
)  # (1797, 64) pixels from 0 to 16, the digit that each shows


def make_data(seed):
    """Return X (N, 400), labels of which RATE are wrong, and the truth."""
    rng = np.random.default_rng(seed)
    chosen = rng.permutation(len(TRUTH))[:N]
    pixels, truth = IMAGES[chosen] / 16, TRUTH[chosen]
    # random mixtures of pixels: as many columns as samples, which can learn much by heart
    mixtures = np.tanh(pixels @ rng.normal(0, 0.5, (64, 335)))
    labels = truth.copy()
    wrong = rng.choice(N, round(RATE * N), replace=False)
    labels[wrong] = (labels[wrong] + rng.integers(1, 10, len(wrong))) % 10
    return np.hstack([np.ones((N, 1)), pixels, mixtures]), labels, truth


def fit(X, Y):
    """Return the weights of ridge regression, (400, 10)."""
    return np.linalg.solve(X.T @ X + RIDGE * np.eye(X.shape[1]), X.T @ Y)


def leave_one_out(X, Y):
    """Return each sample's scores by the model of all others, (N, 10): see below."""
    H = X @ np.linalg.solve(X.T @ X + RIDGE * np.eye(X.shape[1]), X.T)
    h = np.diag(H)[:, None]
    return (H @ Y - h * Y) / (1 - h)


def agreement(scores, labels, which):
    """Return the share of these labels that are what the scores say."""
    return (scores.argmax(1) == labels)[which].mean()


X, labels, truth = make_data(seed=0)
Y = np.eye(10)[labels]  # one column a digit
wrong = labels != truth
inside = X @ fit(X, Y)
outside = leave_one_out(X, Y)
print(f"{wrong.sum()} of {N} labels are wrong. The model agrees with")
print(f"  {agreement(inside, labels, wrong):4.0%} of these, where it was trained on them")
print(
    f"  {agreement(outside, labels, wrong):4.0%} of these, where the one in question was left out"
)

# %% [markdown]
# **Predict.** The model agrees with more than 98 % of all 400 labels that it was trained on. With how many does it
# agree when the one in question is left out? (90 % are right. A guess from 0 to 100.)

# %% [markdown]
# **In sample.** Ridge regression has a closed form. With one row of $X$ a sample, one column of $Y$ a class:
#
# $$ W = (X^\top X + \lambda I)^{-1} X^\top Y, \qquad P = X W = H Y, \qquad H = X (X^\top X + \lambda I)^{-1} X^\top $$
#
# So each score is a weighted sum of all labels, and $h_{ii}$, the leverage, is the weight that a sample's own label has
# in its own score. Where $h_{ii}$ is near 1, the score repeats the label, wrong or right.

# %%
W = np.linalg.solve(X.T @ X + RIDGE * np.eye(X.shape[1]), X.T @ Y)
P = X @ W
H = X @ np.linalg.solve(X.T @ X + RIDGE * np.eye(X.shape[1]), X.T)
h = np.diag(H)[:, None]
print(f"largest difference between X W and H Y: {np.abs(P - H @ Y).max():.1e}")
print(f"leverage: mean {h.mean():.2f}, largest {h.max():.2f}")
flattered = agreement(inside, labels, slice(None))
print(f"agreement with all {N} labels, in sample: {flattered:.1%}")

# %% [markdown]
# **Out of sample.** What would the model say of sample $i$, had it never seen it? One can refit without it, 400 times.
# Or subtract what its own label did. With $p_i$ row $i$ of $P$:
#
# $$ p_{-i} = \frac{p_i - h_{ii}\, y_i}{1 - h_{ii}} $$
#
# This is no approximation: it is what the refit gives. (The reason: removing a row changes $X^\top X$ by a matrix of
# rank one, whose effect on the inverse is known, by Sherman and Morrison.)

# %%
outside = (P - h * Y) / (1 - h)

# the same once more with all that it takes, to see how long that is, and by real refits
began = time.perf_counter()
leave_one_out(X, Y)
formula_seconds = time.perf_counter() - began

REFITS = 200
some = np.random.default_rng(1).permutation(N)[:REFITS]
began = time.perf_counter()
refitted = np.array([X[i] @ fit(np.delete(X, i, 0), np.delete(Y, i, 0)) for i in some])
refit_seconds = (time.perf_counter() - began) * N / REFITS
difference = np.abs(refitted - outside[some]).max()
print(f"largest difference between the formula and {REFITS} refits: {difference:.1e}")
print(f"formula, all {N}: {formula_seconds:.3f} s; refits, all {N}: {refit_seconds:.1f} s")
print(f"the formula is {refit_seconds / formula_seconds:.0f} times faster")

# %%
overall = agreement(outside, labels, slice(None))
print(f"agreement with all {N} labels, out of sample: {overall:.1%}")


def find_errors(scores, labels, wrong):
    """Return the share of wrong labels among as many that the model finds least likely."""
    own = scores[np.arange(N), labels]
    return wrong[np.argsort(own)[: wrong.sum()]].mean()


SEEDS = 10
rows = []
for seed in range(SEEDS):
    X, labels, truth = make_data(seed)
    Y, wrong = np.eye(10)[labels], labels != truth
    inside, outside = X @ fit(X, Y), leave_one_out(X, Y)
    rows.append(
        [
            agreement(inside, labels, wrong),
            agreement(outside, labels, wrong),
            find_errors(inside, labels, wrong),
            find_errors(outside, labels, wrong),
        ]
    )
rows = np.array(rows)  # (seeds, 4)
mean, spread = rows.mean(0), rows.std(0, ddof=1)
print(f"mean of {SEEDS} seeds (standard deviation over seeds)")
print("                                        in sample      out of sample")
print(
    f"agrees with wrong labels                {mean[0]:.3f} ({spread[0]:.3f})  {mean[1]:.3f} ({spread[1]:.3f})"
)
print(
    f"wrong ones among the first {wrong.sum()} suspects  "
    f"{mean[2]:.3f} ({spread[2]:.3f})  {mean[3]:.3f} ({spread[3]:.3f})"
)

# %% [markdown]
# **Answer.** The first line above has it: far below 98 %, and below 90 % too. In sample the model repeats the labels,
# the wrong ones with them: that is what *flatters* means. Out of sample it cannot, and so a wrong label stands out.
#
# The last table has a surprise: by *order*, in-sample scores find nearly as many errors here. What they ruin is every
# number that you would read off them: accuracy, confidence, how many labels are wrong. A model that learns all labels
# by heart (leverage 1 everywhere) has no order left either.
#
# **In Assay**: `assay scan` computes $p_{-i}$ with this formula for every sample, and groups of copies leave together,
# since a copy tells the answer. After each fix of a label only $Y$ changes, so the whole queue is scored anew while
# you look.

# %%
# check
assert difference < 1e-8, "the formula equals 200 real refits to 1e-8"
assert mean[0] > 0.8, "in sample the model agrees with more than 80 % of the wrong labels"
assert mean[1] < 0.05, "out of sample it agrees with fewer than 5 %"
assert overall < 0.9 < 0.98 < flattered, (
    "of 90 % right labels the model claims more in sample, and fewer out of sample"
)
assert (rows[:, 1] < rows[:, 0]).all(), "it does so with every seed"
