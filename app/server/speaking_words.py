"""Say which words of a text speak for a class, and which against it.

Each word is left out in turn; the rest is embedded again and scored by the probe as it stands. What a word adds to the
score of one class over another's is its weight (occlusion: Zeiler and Fergus, ECCV 2014).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from assay.app.server.review_session import ReviewSession
from assay.curation.errors import UserError
from assay.curation.features.scan_settings import read_settings
from assay.curation.label_quality.kernel_columns import Kernel, read_features
from assay.curation.label_quality.live import LiveProbe
from assay.curation.label_quality.scoring import without_locked
from assay.curation.media.base import media_of
from assay.curation.storage.arrays import load_arrays
from assay.curation.storage.interface import Bench
from assay.curation.tasks.base import refuse_task
from assay.pipelines.embedders.base import known_embedder

WORD = re.compile(r"\w+(?:['\u2019-]\w+)*")
MOST = 400  # words of a text that are left out
SHOWN = 10  # words that are marked, the strongest
FAINT = 0.2  # of the strongest weight: what is below is not marked

Texts = Callable[[list[str]], np.ndarray]  # texts to vectors (n, d)


class SpokenWord(NamedTuple):
    """A word, by its characters, and what it adds to a score."""

    start: int
    end: int
    weight: float


def weigh_words(score: Texts, text: str, toward: int, against: int) -> list[SpokenWord]:
    """Weigh the words of a text, the strongest first.

    score: texts to scores (n, k). toward, against: classes.
    """
    places = [match.span() for match in WORD.finditer(text)][:MOST]
    scores = score([text, *(text[:a] + text[b:] for a, b in places)])
    margins = scores[:, toward] - scores[:, against]
    words = [SpokenWord(a, b, float(margins[0] - m)) for (a, b), m in zip(places, margins[1:])]
    words.sort(key=lambda word: -abs(word.weight))
    return [w for w in words[:SHOWN] if abs(w.weight) >= FAINT * abs(words[0].weight) > 0]


def load_scorer(bench: Bench, live: LiveProbe) -> Texts:
    """Load what scores texts as the last scan's probe does, votes left out.

    UserError where the vectors are somebody's own.
    """
    asked, media = read_settings(bench), media_of(bench)
    names = [asked["embedder"], *media.embedders[1:]][: 2 if asked.get("also") else 1]
    found = [known_embedder(name) for name in names]
    if None in found or not media.has_words or asked["folder"].startswith("own"):
        raise UserError(
            "expected texts that an embedder of ours describes, found others",
            "words are weighed after a scan without --embeddings",
        )
    ready = [e.fit(bench) if hasattr(e, "fit") else e for e in found]
    if [e.version() for e in ready] != [asked[name] for name in ("folder", "also")[: len(ready)]]:
        raise UserError(
            "expected the vectors of the last scan, found an embedder that was fitted since",
            f"run: assay scan -b {bench.given}",
        )
    embed = [e.load() for e in ready]
    kernel = None
    if asked.get("kernel"):
        landmarks = load_arrays(bench.arrays / "kernel.npz")["landmarks"]
        kernel = Kernel.of_landmarks(np.asarray(read_features(bench, asked, landmarks)))

    def score(texts: list[str]) -> np.ndarray:
        X = np.concatenate([run(texts) for run in embed], 1)
        if kernel is not None:
            X = np.concatenate([X, kernel.columns(X)], 1)
        return live.probe.score_in_sample(X)

    return score


def find_speaking_words(session: ReviewSession, sample: str) -> dict:
    """Find the words that speak for a sample's suggestion, and against it.

    Dict words ([start, end, weight] each, by characters), toward, against (classes), how (a sentence).
    """
    refuse_task(session.bench, "words that speak for it", "the reason says which class is doubted")
    state, scored = session.state, session.scored
    if scored is None or sample not in state.index:
        raise UserError("expected a sample that is scored, found another", "wait for the scores")
    part = without_locked(state[["split", "label"]])
    if sample not in part.index:
        raise UserError(
            "expected a train or val sample, found one of test or guard", "choose another"
        )
    p = np.where(scored.few, 0, scored.probs[part.index.get_loc(sample)])
    first, second = np.argsort(-p, kind="stable")[:2]
    label = part.label[sample]
    given = scored.classes.index(label) if label in scored.classes else first
    against = second if given == first else given
    with session.turn:
        live = session.load_probe()
    if live is None:
        raise UserError("expected a scan of these samples, found none", "run: assay scan")
    if session.scorer is None or session.scorer[0] is not live:
        session.scorer = live, load_scorer(session.bench, live)
    text = session.thumbnails.read_text(state.content_hash[sample])
    words = weigh_words(session.scorer[1], text, int(first), int(against))
    toward, other = scored.classes[first], scored.classes[against]
    how = (
        f"Marked: words without which the model would be less sure of {toward} over {other}, and (dashed) surer. "
        "Each was left out in turn, the rest embedded and scored again."
    )
    return dict(words=words, toward=toward, against=other, how=how)
