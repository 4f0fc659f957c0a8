"""Real pictures, texts and rows, of one class and of several: digits, news, wines."""

import numpy as np
import pandas as pd
from sklearn.datasets import load_digits, load_wine

from tests.helpers import DATA, drawn_digits, png
from tests.loops.base import Loop, give_splits

TOPICS = ["world", "sport", "business", "science"]


def make_digits():
    """Handwritten digits, 0 to 3."""
    pictures, target = drawn_digits()
    rows = np.flatnonzero(target < 4)[:200]
    return give_table(image=[pictures[i] for i in rows], truth=target[rows].astype(str))


def make_pairs_of_digits():
    """Two handwritten digits side by side, and which digits are there."""
    found, rng = load_digits(), np.random.default_rng(0)
    low = np.flatnonzero(found.target < 4)
    pairs = rng.choice(low, (400, 2))
    pictures = [png(np.hstack(found.images[pair]) * 15.9) for pair in pairs]
    return give_table(image=pictures, truth=[join(found.target[pair]) for pair in pairs])


def read_news(n):
    """n news texts of each topic, whose labels were checked."""
    news = pd.read_parquet(DATA / "noisyag_news.parquet", filters=[("split", "==", "test")])
    news = news.groupby("true_label").head(n).sample(frac=1, random_state=0)
    return news.assign(topic=[TOPICS[i] for i in news.true_label.astype(int)])


def make_news():
    news = read_news(75)
    return give_table(text=list(news.text), truth=list(news.topic))


def make_pairs_of_news():
    """One or two news texts one after the other, and which topics are there."""
    news, rng = read_news(200), np.random.default_rng(0)
    pairs = [rng.choice(len(news), rng.integers(1, 3)) for _ in range(400)]
    texts = [" ".join(news.text.iloc[pair]) for pair in pairs]
    return give_table(text=texts, truth=[join(news.topic.iloc[pair]) for pair in pairs])


def make_wines():
    """178 wines by their chemistry, and which of three grapes they are of."""
    wines = load_wine(as_frame=True).frame.sample(frac=1, random_state=0)
    truth = [("barolo", "grignolino", "barbera")[i] for i in wines.pop("target")]
    return give_table(**{name: list(wines[name]) for name in wines}, truth=truth)


def make_described_wines():
    """The same: their grape, and whether they are strong and dark."""
    table = make_wines()
    strong, dark = table.alcohol > 13, table.color_intensity > 5
    words = zip(table.truth, np.where(strong, "strong", ""), np.where(dark, "dark", ""))
    return table.assign(truth=[join(filter(None, each)) for each in words])


def join(names):
    return "|".join(sorted({str(name) for name in names}))


def give_table(**columns):
    n = len(columns["truth"])
    return pd.DataFrame(dict(id=[f"s{i}" for i in range(n)]) | columns | dict(split=give_splits(n)))


PIXELS, TFIDF = ("--embedder", "pixels"), ("--embedder", "tfidf")
SEVERAL = ("--multilabel",)
LOOPS = [
    Loop("digits", "image", "classification", make_digits, ".parquet", scan=PIXELS, architecture="cnn(epochs=2)"),
    Loop("pairs-of-digits", "image", "multilabel", make_pairs_of_digits, ".parquet", scan=PIXELS),
    Loop("news", "text", "classification", make_news, ".csv", scan=TFIDF, architecture="tfidf", shown="article.text"),
    Loop("pairs-of-news", "text", "multilabel", make_pairs_of_news, ".jsonl", scan=TFIDF, shown="article.text"),
    Loop("wines", "row", "classification", make_wines, ".csv", architecture="boosting", shown="article.row"),
    Loop("described-wines", "row", "multilabel", make_described_wines, ".csv", SEVERAL, shown="article.row", plain=True),
]  # fmt: skip
