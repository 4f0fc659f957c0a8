# %% [markdown]
# # Lesson 1. Planted errors
#
# Plant 10 % wrong labels in 1,797 handwritten digits, and let a model that never saw an image say how badly its label
# surprises it. Of the 100 labels that surprise it most, more than 99 are wrong, on average over 20 seeds; of 100 drawn
# at random, 10 are.
#
# Nothing here knows anything about errors. There is only a loss.

# %%
import matplotlib.pyplot as plt
import numpy as np
from scipy.stats import t
from sklearn.datasets import load_digits
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.model_selection import cross_val_predict

IMAGES, TRUTH = load_digits(
    return_X_y=True
)  # (1797, 64) pixels from 0 to 16, the digit that each shows
RATE = 0.10


def plant_errors(seed):
    """Return labels of which RATE are wrong: some other digit, drawn at random."""
    rng = np.random.default_rng(seed)
    labels = TRUTH.copy()
    wrong = rng.choice(len(labels), round(RATE * len(labels)), replace=False)
    labels[wrong] = (labels[wrong] + rng.integers(1, 10, len(wrong))) % 10
    return labels


def predict(labels):
    """Return probabilities (n, 10) of each image, by a model that was not trained on it."""
    model = LinearDiscriminantAnalysis(solver="lsqr", shrinkage=0.1)  # any model will do
    # five models: each is trained on four fifths of the data, and judges the rest
    return cross_val_predict(model, IMAGES, labels, cv=5, method="predict_proba")


labels = plant_errors(seed=0)
own = predict(labels)[np.arange(len(labels)), labels]  # how probable each label is
queue = np.argsort(own)  # the most surprising label first
wrong = labels != TRUTH
print(f"{wrong.sum()} of {len(labels)} labels are wrong.")
print(f"Of the first 100 in the queue {wrong[queue[:100]].sum()} are wrong.")

figure, places = plt.subplots(1, 8, figsize=(9, 1.7))
for place, sample in zip(places, queue):
    place.imshow(IMAGES[sample].reshape(8, 8), cmap="gray_r")
    place.set_title(f"labelled {labels[sample]}", fontsize=9)
    place.axis("off")
plt.show()

# %% [markdown]
# **Predict.** There are 180 wrong labels. You look at the first 360 of the queue, twice as many. How many of the 180
# have you seen? And how many would you have seen in 360 drawn at random?

# %% [markdown]
# **The loss.** A model gives each image a probability for each digit. The loss of image $i$ with label $y_i$ is
#
# $$ \ell_i = -\log p_{-i}(y_i) $$
#
# where $p_{-i}$ means: by a model that was trained without image $i$. A large loss says that the label is not what the
# other images lead one to expect. The order by $\ell_i$ is the queue.

# %%


def compute_losses(labels):
    """Return the loss of each label, (n,)."""
    return -np.log(predict(labels)[np.arange(len(labels)), labels])


losses = compute_losses(labels)
print(
    f"loss of right labels: {np.median(losses[~wrong]):.2f}, of wrong ones: {np.median(losses[wrong]):.2f} (medians)"
)

# %% [markdown]
# **Precision.** Of the first $k$ in the queue $q_1, q_2, ...$ the share that is wrong is
#
# $$ \mathrm{precision}(k) = \frac{1}{k} \sum_{j=1}^{k} \mathrm{wrong}(q_j) $$

# %%
DEPTHS = [10, 50, 100, 180, 360]


def precision(labels, queue):
    """Return the share of wrong labels among the first k, for each depth k."""
    wrong = (labels != TRUTH)[queue]
    return np.array([wrong[:k].mean() for k in DEPTHS])


print(*(f"first {k}: {share:.2f}" for k, share in zip(DEPTHS, precision(labels, queue))), sep=", ")

# %% [markdown]
# **An interval.** One seed is one draw of errors. We draw $S = 20$ times, and say what draws like these give on
# average: the mean over seeds, give or take.
#
# $$ \bar{x} \pm t_{0.975,\,S-1} \frac{s}{\sqrt{S}} $$

# %%
SEEDS = 20


def interval(values):
    """Return mean and half width of the 95 % interval of the mean, over the first axis."""
    half = t.ppf(0.975, len(values) - 1) * values.std(0, ddof=1) / np.sqrt(len(values))
    return values.mean(0), half


by_loss, at_random = [], []
for seed in range(SEEDS):
    labels = plant_errors(seed)
    by_loss.append(precision(labels, np.argsort(-compute_losses(labels))))
    order = np.random.default_rng([seed, 1]).permutation(len(labels))  # a draw of its own
    at_random.append(precision(labels, order))
by_loss, at_random = np.array(by_loss), np.array(at_random)  # (seeds, depths)
mean, half = interval(by_loss)
control, control_half = interval(at_random)
print(f"share of wrong labels, mean of {SEEDS} seeds with its 95 % interval")
print("first k    by loss               at random")
for k, m, h, c, ch in zip(DEPTHS, mean, half, control, control_half):
    print(f"{k:7}    {m:.3f} [{m - h:.3f}, {m + h:.3f}]  {c:.3f} [{c - ch:.3f}, {c + ch:.3f}]")

plt.figure(figsize=(5, 3))
plt.errorbar(DEPTHS, mean, half, marker="o", label="by loss")
plt.errorbar(DEPTHS, control, control_half, marker="o", label="at random")
plt.xlabel("depth k")
plt.ylabel("share of wrong labels")
plt.legend()
plt.show()

# %%
seen = by_loss[:, DEPTHS.index(360)] * 360
blind = at_random[:, DEPTHS.index(360)] * 360
print(
    f"Of 180 wrong labels the first 360 of the queue hold {seen.mean():.0f}, 360 at random {blind.mean():.0f}."
)

# %% [markdown]
# **Answer.** The line above has it. After 360 looks nearly all wrong labels were seen; whoever looks at random has seen
# a fifth of them, because 360 is a fifth of the data. That is the whole gain of a queue: not that a machine corrects
# anything, but that a person looks where it pays.
#
# **And its limit.** These errors are drawn at random, which is kind. A person who mistakes a 1 for a 7 does it where
# the image looks like a 7, and there the model is surprised less. Real precision is lower, so it has to be measured:
# by looks at random among those you review, which is what Assay's review does.
#
# **In Assay**: `assay scan` computes the scores, `assay queue` prints them in this order, and the page *Review* shows
# them one by one.

# %%
# check
assert all((plant_errors(s) != TRUTH).sum() == 180 for s in range(3)), (
    "180 labels are wrong, whatever the seed"
)
first_100 = DEPTHS.index(100)
assert mean[first_100] - half[first_100] > 0.99, (
    "of the first 100 more than 99 are wrong, by the whole interval"
)
assert abs(control[DEPTHS.index(360)] - RATE) < 0.01, (
    "at random the share of wrong labels is their rate, 10 %"
)
assert seen.mean() > 170, "twice as many looks as errors find more than 170 of 180"
assert (np.diff(mean) <= 0).all(), "precision never rises with depth"
