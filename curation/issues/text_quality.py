"""Find texts hard to read, odd, or of a kind that should not be here."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Callable
from functools import lru_cache

import numpy as np

from assay.curation.issues.base import Issue, IssueFinder, Kind, ScanView
from assay.curation.text import format_count

# what more than half of the texts are is how this data set is: nothing is said of it
PREVALENT = 0.5
SPREAD = 4  # robust z-scores, as for outliers
READ = 2_000  # characters that tell a script and a language
TAG = re.compile(
    r"</?[a-z][a-z0-9]*(?:\s[^<>]{0,200})?/?>|&(?:[a-z]{2,8}|#\d{2,5}|#x[0-9a-f]{2,5});", re.I
)
EMAIL = re.compile(r"\b[\w.+-]{1,64}@[\w-]+(?:\.[\w-]+)*\.[a-z]{2,24}\b", re.I)
PHONE = re.compile(
    r"(?<![\w.,/-])(?:\+\d{1,3}[ .-]?)?(?:\(\d{2,4}\)|\d{2,4})[ .-]\d{3,4}[ .-]?\d{3,4}(?![\w,-]|\.\d)"
)
EDGE = 4  # words of an opening or an ending
MANY = 10  # texts that share one, from which on it is boilerplate
COMMON = 100  # words that most texts have some of
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
Found = tuple[float, str]  # score, why


def find_odd_texts(scan: ScanView, kind: str, threshold: float | None) -> list[Issue]:
    """Find the texts of a kind, if at most half are of it; by another threshold, all."""
    rows = np.flatnonzero(scan.is_open)
    texts = scan.texts
    found = FINDERS[kind]([texts[i] for i in rows.tolist()])
    limit = KINDS[kind].threshold if threshold is None else threshold
    ids = scan.state.index
    out = [
        Issue(kind, ids[rows[n]], score, None, why)
        for n, (score, why) in sorted(found.items())
        if score < limit
    ]
    return out if threshold is not None or len(out) <= PREVALENT * len(rows) else []


def find_empty(texts: list[str]) -> dict[int, Found]:
    said = re.compile(r"[^\W_]")
    return {
        n: (0.0, f"{format_count(len(text), 'character')}, no letter and no digit")
        for n, text in enumerate(texts)
        if not said.search(text)
    }


def find_lengths(texts: list[str], sign: int) -> dict[int, Found]:
    """Find lengths far from the median, by robust z-scores of their logarithms."""
    size = np.array([len(text) for text in texts])
    log = np.log(np.maximum(size, 1))
    middle = np.median(log) if len(log) else 0.0
    spread = max(1.4826 * np.median(abs(log - middle)), 0.25) if len(log) else 1.0
    z = sign * (log - middle) / spread
    score = np.exp(-np.maximum(z, 0) / SPREAD)
    usual = f"{np.exp(middle):,.0f} in the middle"
    return {
        n: (float(score[n]), f"{format_count(int(size[n]), 'character')}, {usual}")
        for n in np.flatnonzero(z > 0).tolist()
    }


@lru_cache(65_536)
def script_of(letter: str) -> str:
    """Name a letter's script: the first word of its Unicode name; one for Chinese and Japanese."""
    word = unicodedata.name(letter, "").split(" ")[0].split("-")[0]
    return "CJK" if word in ("HIRAGANA", "KATAKANA", "FULLWIDTH", "HALFWIDTH") else word


def count_scripts(text: str) -> Counter[str]:
    text = text[:READ]
    if text.isascii():
        return Counter(LATIN=sum(map(str.isalpha, text)))
    return Counter(script_of(letter) for letter in text if letter.isalpha())


def find_scripts(texts: list[str]) -> dict[int, Found]:
    """Find texts of which most letters are of another script than those of most texts."""
    counts = [count_scripts(text) for text in texts]
    main = Counter(c.most_common(1)[0][0] for c in counts if c)
    if not main:
        return {}
    usual, out = main.most_common(1)[0][0], {}
    for n, scripts in enumerate(counts):
        letters = sum(scripts.values())
        if letters and scripts[usual] < letters:
            other = next(s for s, _ in scripts.most_common() if s != usual)
            share = scripts[usual] / letters
            why = f"{1 - share:.0%} of its letters are not {usual.title()}, most of them {other.title()}"
            out[n] = (share, why)
    return out


def find_languages(texts: list[str]) -> dict[int, Found]:
    """Find texts without the words that most texts have: of, the, and, or those of another language."""
    words = [re.findall(r"[^\W\d_]+", text[:READ].casefold()) for text in texts]
    common = {w for w, _ in Counter(w for some in words for w in set(some)).most_common(COMMON)}
    known = [sum(map(common.__contains__, some)) for some in words]
    share = np.array([n / len(some) if some else 1.0 for n, some in zip(known, words)])
    long = np.array([len(some) >= ENOUGH for some in words], bool)
    # lists of names have none: where these are usual, the words tell no language
    if not long.any() or np.median(share[long]) < 4 * FOREIGN:
        return {}
    usual = f"of others {np.median(share[long]):.0%}"
    return {
        n: (
            float(share[n] / FOREIGN / 2),
            f"{share[n]:.0%} of its {len(words[n]):,} words are among the {COMMON} commonest here, {usual}",
        )
        for n in np.flatnonzero(long & (share < 2 * FOREIGN)).tolist()
    }


def find_mojibake(texts: list[str]) -> dict[int, Found]:
    from ftfy.badness import is_bad

    out = {}
    for n, text in enumerate(texts):
        if text.isascii():
            continue
        if lost := text.count("\ufffd"):
            why = f"{format_count(lost, 'character', 'was', 'were')} lost in decoding (U+FFFD)"
            out[n] = (0.0, why)
        elif is_bad(text[:READ]):
            out[n] = (0.0, "letters as UTF-8 shows them when it is read as another encoding")
    return out


def find_matches(pattern: re.Pattern[str], what: str) -> Callable[[list[str]], dict[int, Found]]:
    """Make a finder of what a pattern matches; the first match is shown."""

    def find(texts: list[str]) -> dict[int, Found]:
        matches = ((n, pattern.findall(text)) for n, text in enumerate(texts))
        return {
            n: (0.0, f"{len(found):,} {what}, such as {found[0][:60]}")
            for n, found in matches
            if found
        }

    return find


def find_personal_data(texts: list[str]) -> dict[int, Found]:
    """Find e-mail addresses and telephone numbers; they are counted, and not repeated."""
    out = {}
    for n, text in enumerate(texts):
        mails = len(EMAIL.findall(text)) if "@" in text else 0
        phones = len(PHONE.findall(text))
        if mails or phones:
            whats = [(mails, "e-mail address"), (phones, "telephone number")]
            out[n] = (0.0, " and ".join(format_count(m, what) for m, what in whats if m))
    return out


def find_boilerplate(texts: list[str]) -> dict[int, Found]:
    """Find openings and endings of several words that many different texts share."""
    different = list(dict.fromkeys(texts))
    words = {text: text.split() for text in different}
    out: dict[int, Found] = {}
    for where, cut in (("begin", slice(None, EDGE)), ("end", slice(-EDGE, None))):
        edges = {text: " ".join(w[cut]) for text, w in words.items() if len(w) > EDGE}
        counts = Counter(edges.values())
        for n, text in enumerate(texts):
            if text in edges and counts[edges[text]] >= MANY and n not in out:
                shared = f"{counts[edges[text]]:,} texts {where} with {edges[text][:80]!r}"
                out[n] = (0.0, shared)
    return out


FINDERS: dict[str, Callable[[list[str]], dict[int, Found]]] = {
    "empty_text": find_empty,
    "short_text": lambda texts: find_lengths(texts, -1),
    "long_text": lambda texts: find_lengths(texts, 1),
    "other_script": find_scripts,
    "other_language": find_languages,
    "broken_encoding": find_mojibake,
    "markup": find_matches(TAG, "tags or entities"),
    "boilerplate": find_boilerplate,
    "personal_data": find_personal_data,
}
FINDER = IssueFinder(KINDS, find_odd_texts, media=("text",), order=85)
