"""Find texts hard to read, odd, or of a kind that should not be here."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from assay.curation.issues.base import Issue, IssueFinder, Kind, ScanView
from assay.curation.issues.text_measures import COMMON, EDGE, READ, TAG, TextMeasures, count_scripts
from assay.curation.text import format_count

# what more than half of the texts are is how this data set is: nothing is said of it
PREVALENT = 0.5
SPREAD = 4  # robust z-scores, as for outliers
MANY = 10  # texts that share one, from which on it is boilerplate
ENOUGH = 12  # words, from which on a text must have one of the common ones
FOREIGN = 0.05  # share of common words below which a text is in another language
KINDS = {
    "empty_text": Kind("nothing to read: no letter and no digit", 0.5),
    "short_text": Kind("far shorter than most", float(np.exp(-1))),
    "long_text": Kind("far longer than most", float(np.exp(-1))),
    "other_script": Kind("its letters are of another script than those of most", 0.5),
    "other_language": Kind("it has hardly any of the words that most have", 0.5),
    "broken_encoding": Kind("decoded by the wrong table, such as cafÃ©", 0.5),
    "markup": Kind("tags or entities of HTML in the text", 0.5),
    "boilerplate": Kind("it begins or ends as many others do", 0.5),
    "personal_data": Kind("e-mail addresses or telephone numbers", 0.5),
}


class Found(NamedTuple):
    """What was found of n different texts."""

    score: np.ndarray  # (n,) 0 to 1, low is bad; NaN for none
    why: Callable[[int], str]


def find_odd_texts(scan: ScanView, kind: str, threshold: float | None) -> list[Issue]:
    """Find the texts of a kind, if at most half are of it; by another threshold, all."""
    measures, of = scan.measure_texts()
    found = FINDERS[kind](measures)
    limit = KINDS[kind].threshold if threshold is None else threshold
    low = found.score < limit
    if threshold is None and measures.weight[low].sum() > PREVALENT * measures.weight.sum():
        return []
    rows = np.flatnonzero((of >= 0) & low[of])
    why = {i: found.why(i) for i in np.unique(of[rows]).tolist()}
    ids, score = scan.state.index, found.score
    return [Issue(kind, ids[i], float(score[of[i]]), None, why[of[i]]) for i in rows.tolist()]


def mark(odd: np.ndarray) -> np.ndarray:
    """Score what is certain: 0, and NaN for the others."""
    return np.where(odd, 0.0, np.nan)


def find_empty(texts: TextMeasures) -> Found:
    size = texts["characters"]
    return Found(
        mark(~texts["said"]),
        lambda i: f"{format_count(int(size[i]), 'character')}, no letter and no digit",
    )


def find_lengths(texts: TextMeasures, sign: int) -> Found:
    """Find lengths far from the median, by robust z-scores of their logarithms."""
    size = texts["characters"]
    log = np.log(np.maximum(size, 1))
    each = np.repeat(log, texts.weight)
    middle = np.median(each) if len(each) else 0.0
    spread = max(1.4826 * np.median(abs(each - middle)), 0.25) if len(each) else 1.0
    z = sign * (log - middle) / spread
    usual = f"{np.exp(middle):,.0f} in the middle"
    return Found(
        np.where(z > 0, np.exp(-np.maximum(z, 0) / SPREAD), np.nan),
        lambda i: f"{format_count(int(size[i]), 'character')}, {usual}",
    )


def find_scripts(texts: TextMeasures) -> Found:
    """Find texts of which most letters are of another script than those of most texts."""
    letters, native = texts["letters"], texts["native"]
    share = native / np.maximum(letters, 1)

    def why(i: int) -> str:
        other = next(s for s, _ in count_scripts(texts.text[i][:READ]).most_common() if s != usual)
        return (
            f"{1 - share[i]:.0%} of its letters are not {usual.title()}, most of them"
            f" {other.title()}"
        )

    usual = texts.usual
    return Found(np.where(native < letters, share, np.nan), why)


def find_languages(texts: TextMeasures) -> Found:
    """Find texts without the words that most texts have: of, the, and, or those of another language."""
    words = texts["words"]
    share = np.where(words > 0, texts["known"] / np.maximum(words, 1), 1.0)
    long = words >= ENOUGH
    usual = np.median(np.repeat(share[long], texts.weight[long])) if long.any() else 0.0
    # lists of names have none: where these are usual, the words tell no language
    odd = long & (share < 2 * FOREIGN) & (usual >= 4 * FOREIGN)
    return Found(
        np.where(odd, share / FOREIGN / 2, np.nan),
        lambda i: (
            f"{share[i]:.0%} of its {words[i]:,} words are among the {COMMON} commonest here,"
            f" of others {usual:.0%}"
        ),
    )


def find_mojibake(texts: TextMeasures) -> Found:
    lost = texts["lost"]

    def why(i: int) -> str:
        if lost[i] < 0:
            return "letters as UTF-8 shows them when it is read as another encoding"
        count = format_count(int(lost[i]), "character", "was", "were")
        return f"{count} lost in decoding (U+FFFD)"

    return Found(mark(lost != 0), why)


def find_markup(texts: TextMeasures) -> Found:
    """Find tags and entities; the first is shown."""
    tags = texts["tags"]

    def why(i: int) -> str:
        first = TAG.search(texts.text[i])
        what = "tag or entity" if tags[i] == 1 else "tags or entities"
        return f"{tags[i]:,} {what}, such as {first[0][:60] if first else ''}"

    return Found(mark(tags > 0), why)


def find_personal_data(texts: TextMeasures) -> Found:
    """Find e-mail addresses and telephone numbers; they are counted, and not repeated."""
    mails, phones = texts["mails"], texts["phones"]

    def why(i: int) -> str:
        whats = [(int(mails[i]), "e-mail address"), (int(phones[i]), "telephone number")]
        return " and ".join(format_count(m, what) for m, what in whats if m)

    return Found(mark((mails > 0) | (phones > 0)), why)


def find_boilerplate(texts: TextMeasures) -> Found:
    """Find openings and endings of several words that many different texts share."""
    begins, ends = (count_equal(texts[edge]) for edge in ("begin", "end"))

    def why(i: int) -> str:
        words = texts.text[i].split()
        if begins[i] >= MANY:
            return f"{begins[i]:,} texts begin with {' '.join(words[:EDGE])[:80]!r}"
        return f"{ends[i]:,} texts end with {' '.join(words[-EDGE:])[:80]!r}"

    return Found(mark((begins >= MANY) | (ends >= MANY)), why)


def count_equal(digests: np.ndarray) -> np.ndarray:
    """Count how many are equal to each (n,); 0 where it is 0."""
    _, at, n = np.unique(digests, return_inverse=True, return_counts=True)
    return np.where(digests > 0, n[at], 0)


FINDERS: dict[str, Callable[[TextMeasures], Found]] = {
    "empty_text": find_empty,
    "short_text": lambda texts: find_lengths(texts, -1),
    "long_text": lambda texts: find_lengths(texts, 1),
    "other_script": find_scripts,
    "other_language": find_languages,
    "broken_encoding": find_mojibake,
    "markup": find_markup,
    "boilerplate": find_boilerplate,
    "personal_data": find_personal_data,
}
FINDER = IssueFinder(KINDS, find_odd_texts, media=("text",), order=85)
