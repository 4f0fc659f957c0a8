"""Explain what reviews and audits say of a whole bench."""

from __future__ import annotations

from assay.curation.review import progress
from assay.curation.review.label_noise import describe_noise, estimate_noise
from assay.curation.review.partitioned_status import read_reviewed
from assay.curation.storage.interface import Bench
from assay.curation.text import format_count
from assay.pipelines.explaining.explanation import Explanation, Filled, explain_as

UNKNOWN = "not yet known"


def unsure_sentences(unsure: int) -> list[str]:
    """Say how answers that nobody was sure of count."""
    if not unsure:
        return []
    return [
        f"Of {unsure:,} nobody was sure: they count as right at one end and as wrong at the other."
    ]


def read_review(bench: Bench) -> dict:
    """Sum up the reviews of a bench as it stands: see progress.summarize_reviews."""
    state, population = read_reviewed(bench)
    return progress.summarize_reviews(bench, state, population)


def count_review(review: dict) -> dict:
    """Pick the counts that the estimates are made of."""
    names = "population wrong sure_at_random hits unsure_at_random".split()
    return {name: review[name] for name in names}


def explain_errors_left(review: dict) -> Explanation:
    """Explain how many errors are left, or why nobody can say yet.

    review: see progress.summarize_reviews.
    """
    hits, unsure, of = review["hits"], review["unsure_at_random"], review["population"]
    drawn, numbers = review["sure_at_random"] + unsure, count_review(review)
    notes = [
        f"Of {format_count(of, 'label')} {drawn:,} were drawn at random and judged by a person; "
        f"{hits:,} of these were wrong.",
        *unsure_sentences(unsure),
    ]
    if review["errors_left"] is None:
        notes.append("Fewer than 30 such reviews say too little, so no number is shown.")
        return explain_as("errors-left", Filled(UNKNOWN, None, "", numbers, notes))
    estimate, low, high = review["errors_left"]
    share = f"{hits / drawn:.1%}" + (f" to {(hits + unsure) / drawn:.1%}" if unsure else "")
    shown = progress.describe_errors_left(review)
    notes += [
        f"So {share} of all {of:,} would have come wrong.",
        f"What people found, {review['wrong']:,}, is no longer left: {shown}.",
        "The range holds at every look of a session together (95 %), so it is wider than one for a single look.",
        "The queue's own hits say nothing here: it looks where errors are.",
    ]
    sure = review["sure_at_random"]
    filled = (
        f"max(0, {of:,} · {hits:,} / {sure:,} − {review['wrong']:,}) = {estimate:,.0f}, "
        f"between {low:,.0f} and {high:,.0f}"
    )
    return explain_as(
        "errors-left", Filled(shown, estimate, filled, numbers | dict(low=low, high=high), notes)
    )


def explain_share_wrong(review: dict) -> Explanation:
    """Explain what share of all labels came wrong."""
    numbers, hits, sure = count_review(review), review["hits"], review["sure_at_random"]
    notes = unsure_sentences(review["unsure_at_random"])
    if review["share"] is None:
        notes.append("Fewer than 30 reviews at random say too little, so no rate is shown.")
        return explain_as("share-wrong", Filled(UNKNOWN, None, "", numbers, notes))
    share, low, high = review["share"]
    filled = f"{hits:,} / {sure:,} = {share:.4f}, between {low:.4f} and {high:.4f}"
    shown = progress.describe_random_rate(review)
    return explain_as(
        "share-wrong", Filled(shown, share, filled, numbers | dict(low=low, high=high), notes)
    )


def explain_reviewed(review: dict) -> Explanation:
    """Explain how many of the reviewed samples were wrong."""
    shown = (
        f"{review['reviewed']:,} reviewed, {review['wrong']:,} wrong, {review['unsure']:,} unsure"
    )
    numbers = {name: review[name] for name in ("reviewed", "wrong", "unsure")}
    notes = [
        "What counts is the label that was given when somebody decided.",
        "A sample that was dropped was wrong.",
    ]
    return explain_as("reviewed", Filled(shown, review["reviewed"], shown, numbers, notes))


def explain_noise(noise: dict) -> Explanation:
    """Explain what an audit says of the test labels.

    noise: see label_noise.estimate_noise.
    """
    wrong, of, unsure = (noise[k] for k in ("wrong", "of", "unsure"))
    n = noise["n"] + unsure
    notes = [
        f"Of {format_count(of, 'test label')} {n:,} were drawn at random and judged by a person who saw neither "
        "label nor prediction.",
        f"{wrong:,} of these answers contradict the label.",
    ]
    numbers = dict(wrong=wrong, n=noise["n"], of=of, unsure=unsure)
    if noise["share"] is None:
        notes.append("Fewer than 30 such reviews say too little, so no rate is shown.")
        return explain_as("test-noise", Filled(UNKNOWN, None, "", numbers, notes))
    (share, low, high), between = noise["share"], noise["share_between"]
    about = f"{share:.1%}" if between is None else f"{between[0]:.1%} to {between[1]:.1%}"
    notes += [
        *unsure_sentences(unsure),
        f"So about {about} of all are wrong; the answers fit anything from {low:.1%} to {high:.1%} (95 %).",
    ]
    filled = f"{wrong:,} / {noise['n']:,} = {share:.4f}, between {low:.4f} and {high:.4f} of {of:,}"
    numbers |= dict(low=low, high=high)
    return explain_as(
        "test-noise", Filled(describe_noise(noise, "test"), share, filled, numbers, notes)
    )


def explain_test_noise(bench: Bench) -> Explanation:
    """Explain what the audits of a bench say of its test labels."""
    return explain_noise(estimate_noise(bench, "test"))


def explain_live_gain(said: dict) -> Explanation:
    """Explain the gain since a session began.

    said: see live_effect.measure_effect of the workbench.
    """
    if not said["gain"]:
        return explain_as("live-gain", Filled("no validation labels"))
    gain, low, high = said["gain"]
    better, worse, n = said["better"], said["worse"], said["n"]
    sampled = said["n_of"] > n
    notes = [
        f"The model as it was when this session began and the model now are asked about the same "
        f"{format_count(n, 'validation sample')}, none of which either was fitted to. "
        f"{better:,} answers became right and {worse:,} became wrong.",
        "The range holds at every look of the session together (95 %), however often you look and whenever you stop; "
        "so it is wider than a range for one look. While it holds zero the gain is not yet measurable.",
        "Both are judged by the labels as they are now, so a corrected validation label is no gain.",
    ]
    formula = function = None
    filled = f"({better:,} − {worse:,}) / {n:,} = {gain:+.4f}, between {low:+.4f} and {high:+.4f}"
    if sampled:
        notes.append(
            f"They are a fixed sample of {said['n_of']:,}: drawn class by class, beside those that the queue is made "
            "of; each counts for as many as it stands for, and the range is wider by what the others may say."
        )
        filled = (
            f"{better:,} better and {worse:,} worse of {n:,}, weighted: "
            f"{gain:+.4f}, between {low:+.4f} and {high:+.4f}"
        )
        formula = "gain = Σ w (better − worse) / Σ w, w = how many each stands for; V = Σ w² of those that changed"
        function = "curation.statistics.sequential:sampled_gain"
    numbers = dict(
        better=better, worse=worse, n=n, n_of=said["n_of"], gain=gain, low=low, high=high
    )
    shown = f"{100 * gain:+.1f} points [{100 * low:+.1f}, {100 * high:+.1f}]"
    return explain_as("live-gain", Filled(shown, gain, filled, numbers, notes, formula, function))
