# %% [markdown]
# # Lesson 7. When to stop
#
# 1,200 labels, about 1 in 8 wrong, 200 simulated reviews. A list of suspects, scored once, runs dry; who stops there
# leaves more than 2 % of the labels wrong in over 3 of 10 reviews. Scored anew after every hundred it hardly ever
# happens. To know it without knowing the truth takes 100 labels drawn at random from the rest, with a bound that pays
# for every new try.
#
# And a review that looks at its p-value after each of 50 batches claims a gain where there is none over 3 times as
# often as the 5 % it believes in.

# %%
import matplotlib.pyplot as plt
import numpy as np
from scipy.stats import binom, hypergeom
from sklearn.cluster import KMeans
from sklearn.datasets import load_digits
from threadpoolctl import threadpool_limits

from assay.curation.statistics.binomial_bounds import spend_alpha  # for the checks alone
from assay.curation.statistics.errors_left import bound_wrong_once  # for the checks alone
from assay.curation.statistics.estimates import wilson_interval
from assay.curation.statistics.sequential import live_gain  # the range that is written out below

threadpool_limits(1)
X, digits = load_digits(return_X_y=True)
X = X / 16
rows, test = np.split(np.random.default_rng(7).permutation(len(X)), [1200])
truth, n = digits[rows], len(rows)

# 30 styles, three a digit: whoever misunderstands a guideline errs on a whole style
style = np.empty(len(X), int)
for d in range(10):
    style[digits == d] = 3 * d + KMeans(3, n_init=3, random_state=0).fit_predict(X[digits == d])
style = style[rows]


def likeness(A, B):
    """How alike digits are, 0 to 1: (len(A), len(B))."""
    return np.exp(-((A**2).sum(1)[:, None] + (B**2).sum(1) - 2 * A @ B.T) / 4)


# ridge on likenesses. All that does not depend on labels is computed once: to score anew is one product
inverse = np.linalg.inv(likeness(X[rows], X[rows]) + np.eye(n))
hat = likeness(X[rows], X[rows]) @ inverse
hat_test = likeness(X[test], X[rows]) @ inverse
h = np.diag(hat)[:, None]


def predict_unseen(labels):
    """What the model says of each digit without having learnt from it (lesson 2): (n, 10)."""
    own = np.eye(10)[labels]
    return (hat @ own - h * own) / (1 - h)


resembles = predict_unseen(truth) - 9 * np.eye(10)[truth]  # and which other digit it is most like


def plant_errors(rng):
    """Labels in which two styles are taken for the digit they resemble, with 100 slips at random."""
    labels = truth.copy()
    for taken in rng.choice(30, 2, replace=False):
        labels[style == taken] = resembles[style == taken].mean(0).argmax()
    slips = rng.permutation(n)[:100]
    labels[slips] = (truth[slips] + rng.integers(1, 10, 100)) % 10
    return labels


def order_queue(labels):
    """All rows, the most suspect first."""
    own, out = np.eye(10)[labels], predict_unseen(labels)
    return np.argsort((out * own).sum(1) - np.where(own == 1, -np.inf, out).max(1))


# %% [markdown]
# **The result first.** One review, hundred by hundred, from the top of a list that was scored once, as most tools do
# it. 597 other digits, which nobody labelled wrongly, say what it is worth.

# %%
rng = np.random.default_rng(0)
given = plant_errors(rng)
labels, wrong, found = given.copy(), given != truth, []
queue = order_queue(given)


def is_right(labels):
    """Which of the 597 test digits the model gets right."""
    return (hat_test @ np.eye(10)[labels]).argmax(1) == digits[test]


def gain_between(labels, others):
    """What the others gain on test, in points of accuracy, with a 95 % range for all looks together."""
    before, now = is_right(labels), is_right(others)
    g = live_gain(int((now & ~before).sum()), int((before & ~now).sum()), len(test))
    return f"{100 * g.estimate:+.1f} [{100 * g.low:+.1f}, {100 * g.high:+.1f}]"


print(
    f"{wrong.sum()} of {n} labels are wrong; {is_right(given).mean():.1%} of {len(test)} test digits right"
)
while not found or found[-1] > 5:
    batch = queue[100 * len(found) :][:100]
    labels[batch] = truth[batch]
    found.append(int(wrong[batch].sum()))
    print(
        f"hundred {len(found)}: {found[-1]:3} wrong labels; gain so far {gain_between(given, labels)}"
    )
seen = np.isin(np.arange(n), queue[: 100 * len(found)])

# %% [markdown]
# The list has run dry. The next hundred decisions cost as much as the first, and seem to be worth next to nothing.

# %% [markdown]
# **Predict.**
#
# 1. Of the labels further down that nobody looked at (the next cell says how many these are), how many are wrong?
# 2. Somebody scores the list anew after every hundred instead. What does this change?
# 3. Another question, on looking. A change has **no effect** at all. You compute its p-value after each of 50
#    batches, and say *it works* as soon as one is below 0.05. How often do you say so?

# %%
left = wrong & ~seen
print(f"wrong among the {(~seen).sum()} that nobody looked at: {left.sum()}")
styles = np.sort(np.bincount(style[left], minlength=30))[::-1]
print(f"of these, of two styles alone: {styles[:2].sum()}")
print(f"to correct these too would gain another {gain_between(labels, truth)} points")

# %% [markdown]
# ## How many errors are left?
#
# The list cannot know. It shows what the model doubts, and a model that was taught a style wrongly, nearly all of it,
# does not doubt it. Only labels **drawn at random** can tell. Of the $R$ labels that nobody looked at, draw $s =
# 100$; $k$ of them are wrong. The estimate is $R\,k/s$. If $w$ of the $R$ were wrong, so few would be drawn with
# probability
#
# $$P(K \le k \mid w) = \sum_{j=0}^{k} \binom{w}{j}\binom{R-w}{s-j} \Big/ \binom{R}{s}$$
#
# The upper bound is the largest $w$ for which this is still above $\alpha$; the lower bound likewise, with $P(K \ge k
# \mid w)$. The bounds are exact: no normal distribution, none needed.


# %%
def bound_errors(k, drawn, rest, alpha):
    """Bound the wrong labels among `rest` from below and above, each at alpha; k of `drawn` were wrong."""
    w = np.arange(rest + 1)
    few = hypergeom.cdf(k, rest, w, drawn) > alpha  # so few wrong ones are no wonder
    many = hypergeom.sf(k - 1, rest, w, drawn) > alpha  # so many neither
    return int(w[many].min()), int(w[few].max())


sample = rng.choice(np.flatnonzero(~seen), 100, replace=False)
k, rest = int(wrong[sample].sum()), int((~seen).sum())
low, high = bound_errors(k, 100, rest, 0.025)
print(
    f"{k} of 100 drawn at random are wrong: {rest * k / 100:.0f} of {rest} [{low}, {high}]; truth {left.sum()}"
)

# %% [markdown]
# ## A rule for stopping, and what breaks it
#
# We want at most 2 % of all labels wrong: 24. A review goes on by hundreds in the list's order. Once a hundred holds
# 5 wrong labels or fewer, it is *dry*. Rules:
#
# - **dry**: stop.
# - **estimate**: draw 100 at random from the rest; stop if the estimate of what is left is at most 24. Else go on
#   with another hundred, and draw again.
# - **bound**: the same, but stop only if the 95 % upper bound is at most 24.
# - **bound, spent**: the same, but all draws of one review share the 5 %: whoever may try again and again must pay
#   for it. Draw number $t$ gets
#
# $$\alpha_t = \frac{0.05}{t\,(t+1)}, \qquad \sum_{t=1}^\infty \alpha_t = 0.05$$
#
# The labels have errors of two kinds: slips, and two misread styles. *Too early* means that more than 24 labels were
# still wrong when the rule said stop.

# %%
TARGET, REVIEWS = 24, 200
RULES = ["dry", "estimate", "bound", "bound, spent"]


def simulate_review(seed, rescore):
    """One review: {rule: (errors left, decisions made)}, and whether the interval at its first draw held."""
    rng = np.random.default_rng([7, seed])
    given = plant_errors(rng)
    labels, seen, wrong = given.copy(), np.zeros(n, bool), given != truth
    queue, stopped, draws, held = order_queue(labels), {}, 0, True
    while len(stopped) < len(RULES) and not seen.all():
        if rescore:
            queue = order_queue(labels)
        batch = queue[~seen[queue]][:100]
        seen[batch], labels[batch] = True, truth[batch]
        if wrong[batch].sum() > 5:
            continue
        stopped.setdefault("dry", (int((wrong & ~seen).sum()), int(seen.sum())))
        unseen = np.flatnonzero(~seen)
        if not len(unseen):
            break
        rest, drawn, draws = len(unseen), min(100, len(unseen)), draws + 1
        sample = rng.choice(unseen, drawn, replace=False)
        k = int(wrong[sample].sum())
        if draws == 1:
            low, high = bound_errors(k, drawn, rest, 0.025)
            held = low <= wrong[unseen].sum() <= high
        seen[sample], labels[sample] = True, truth[sample]
        now = int((wrong & ~seen).sum()), int(seen.sum())
        # what was drawn is corrected: k errors fewer are left than were bounded
        says = {
            "estimate": (rest - drawn) * k / drawn,
            "bound": bound_errors(k, drawn, rest, 0.05)[1] - k,
            "bound, spent": bound_errors(k, drawn, rest, 0.05 / (draws * (draws + 1)))[1] - k,
        }
        for rule, most in says.items():
            if most <= TARGET:
                stopped.setdefault(rule, now)
    return {rule: stopped.get(rule, (0, n)) for rule in RULES}, held


def share(hits):
    """A share with its 95 % interval, in words."""
    low, high = wilson_interval(np.sum(hits), len(hits))
    return f"{np.mean(hits):.1%} [{low:.1%}, {high:.1%}]"


early, cost, coverage = {}, {}, []
print(f"{REVIEWS} reviews of {n} labels a row; shares with 95 % intervals")
print(f"{'':15}{'stop by':14}{'too early':>23}{'errors left, mean, most':>25}{'decisions':>11}")
for way in ("scored once", "scored anew"):
    reviews = [simulate_review(seed, way == "scored anew") for seed in range(REVIEWS)]
    coverage += [held for _, held in reviews]
    for rule in RULES:
        ends = np.array([stopped[rule] for stopped, _ in reviews])
        early[way, rule], cost[way, rule] = ends[:, 0] > TARGET, ends[:, 1].mean()
        counts = f"{ends[:, 0].mean():.1f}, {ends[:, 0].max()}"
        print(f"{way:15}{rule:14}{share(early[way, rule]):>23}{counts:>25}{cost[way, rule]:11.0f}")
held = coverage[:REVIEWS]  # of lists scored once: there errors are left to be counted
print(
    f"scored once, the interval at the first draw holds the truth in {share(held)} of {len(held)} reviews"
)

# %% [markdown]
# ## Why a look after every batch lies
#
# Now the gain. Of 500 validation digits, $b$ went from wrong to right and $c$ from right to wrong, $V = b + c$.
# Without any effect each change is a coin toss, and the p-value is the chance of so uneven a count (the sign test; it
# is exact):
#
# $$p = 2 \sum_{j=0}^{\min(b, c)} \binom{V}{j} \Big/ 2^V, \qquad
# p \le 0.05 \iff |b - c| > V - 2\,q_{0.025}$$
#
# with $q$ the quantile of the number of heads in $V$ tosses. It errs in at most 5 of 100 looks, **if there is one
# look**. A wandering sum crosses that line sooner or later: who looks often enough always finds something. A line
# that holds at *all* looks together must lie higher (a normal mixture; Robbins 1970; Howard and others 2021), here
# with $\rho = 20$, $\alpha = 0.05$:
#
# $$|b - c| > \sqrt{(V + \rho)\,\log\frac{V + \rho}{\rho\,\alpha^2}}$$


# %%
def line_once(V):
    """How far b - c must be from 0 at one look that was settled beforehand."""
    return V - 2 * binom.ppf(0.025, V, 0.5)


def line_always(V, rho=20, alpha=0.05):
    """How far b - c must be from 0 at any look."""
    return np.sqrt((V + rho) * np.log((V + rho) / (rho * alpha**2)))


def simulate_looks(better, reviews=2000, batches=50, seed=0):
    """The share of reviews that ever say measurable; `better` is the chance that a change is to the better."""
    rng = np.random.default_rng([77, seed])
    changes = rng.poisson(2.5, (reviews, batches))  # a batch turns some of the 500 answers
    up = rng.binomial(changes, better)
    V, sums = changes.cumsum(1), (2 * up - changes).cumsum(1)
    return {
        "a look after each batch": (abs(sums) > line_once(V)).any(1),
        "one look, at the end": abs(sums[:, -1]) > line_once(V[:, -1]),
        "always valid, each batch": (abs(sums) > line_always(V)).any(1),
    }, (V, sums)


none, (V, sums) = simulate_looks(0.5)
real, _ = simulate_looks(0.65, seed=1)
print(f"says measurable, of {len(V)} reviews{'without any effect':>25}{'with one (65 : 35)':>24}")
for way in none:
    print(f"{way:33}{share(none[way]):>25}{share(real[way]):>24}")

plt.figure(figsize=(5.5, 3))
liars = np.flatnonzero(none["a look after each batch"])[:6]
plt.plot(range(1, 51), sums[liars].T, lw=0.8, color="gray")
for line, name in ((line_once, "one look"), (line_always, "always valid")):
    bound = line(V.mean(0).round())
    drawn = plt.plot(range(1, 51), bound, label=name)[0]
    plt.plot(range(1, 51), -bound, color=drawn.get_color())
plt.xlabel("batch")
plt.ylabel("better less worse")
plt.title("six reviews without effect that cross one look's line", fontsize=9)
plt.legend()
plt.tight_layout()
plt.show()

# %% [markdown]
# **Answer.**
#
# 1. A few dozen, nearly all of two styles, and to correct them gains about as much again as all the hundreds before.
#    Whoever misread a style did so consistently, the model learnt it, and has no doubts. A dry list says that *the
#    model* is at ease.
# 2. It changes most of it. Once a few digits of the misread style are corrected, the model doubts the others, and
#    they rise to the top. This is why every decision should re-score what is left.
# 3. Not 5 % but several times that, and more with every further batch. It is the same error as stopping by the first
#    draw that looks good: a number that is right for a single look, settled beforehand, is used to decide *when to
#    look no more*.
#
# But who scores anew does not **know** that all is well; only the draws at random know. Their price is in the last
# column.
#
# The price of the always-valid line: a real effect shows later, or not at all in a short review (compare the right
# column). One look at the end finds more, but then you may not stop before it.
#
# Two cautions. Digits are easy, and errors that resemble the truth on both sides would hide from a re-scored queue
# too. And our reviewer never errs.

# %% [markdown]
# **In Assay.** Every decision re-scores what is left. Every `assay queue` mixes in labels drawn at random, all along
# and not at the end alone; `assay status` gives from them the errors left, by bounds that hold at all looks together,
# and what the next hundred labels gain (`--stop-below` says when that is too little). Review's live effect uses the
# always-valid line.

# %%
# check

once, anew = (
    {rule: early[way, rule].mean() for rule in RULES} for way in ("scored once", "scored anew")
)
assert found[-1] <= 5 and left.sum() > TARGET, "a dry list hides more than the 24 that we allow"
assert np.mean(held) > 0.92, "the exact interval holds in 95 % of reviews or more, but for chance"
assert once["dry"] > 0.3, "a list scored once and dry stops too early in over 3 of 10 reviews"
assert anew["dry"] < 0.1, "scored anew it hardly ever does"
assert once["bound, spent"] < 0.05 and anew["bound, spent"] < 0.05, (
    "the spent bound errs in fewer than 1 of 20"
)
assert once["bound, spent"] <= once["bound"] < once["estimate"] < once["dry"], (
    "each rule is stricter"
)
assert cost["scored once", "dry"] < cost["scored once", "bound, spent"], "proof costs decisions"
assert cost["scored anew", "bound, spent"] < cost["scored once", "bound, spent"], (
    "and fewer if scored anew"
)
assert none["a look after each batch"].mean() > 0.15, (
    "peeking errs over three times as often as it says"
)
assert none["one look, at the end"].mean() < 0.06, "one look errs in 5 % at most, but for chance"
assert none["always valid, each batch"].mean() < 0.05, (
    "always valid errs in less than 5 % of reviews"
)
uneven = [(b, v - b) for v in range(60) for b in range(v + 1)]
assert all(
    (binom.cdf(min(b, c), b + c, 0.5) * 2 < 0.05) == (abs(b - c) > line_once(b + c))
    for b, c in uneven
), "the line of one look is where p falls below 0.05"
assert real["always valid, each batch"].mean() < real["one look, at the end"].mean(), (
    "and that has its price"
)
assert bound_errors(k, 100, rest, 0.025) == bound_wrong_once(k, 100, rest), "bounds as Assay's"
assert spend_alpha(3) == 0.05 / (3 * 4), "alpha is spent as in Assay"
flips = [(b, c) for b in range(60) for c in range(60)]
ours = [abs(b - c) > line_always(b + c) for b, c in flips]
assert ours == [live_gain(b, c, 500).measurable for b, c in flips], (
    "the always-valid line is Assay's"
)
