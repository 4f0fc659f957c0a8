"""What a notebook shows of the log, of reviewers and of clusters."""

import re

import pandas as pd
import pytest

import assay
from assay.curation.versioning.history import Life

PICTURE = re.compile(r'src="data:image/jpeg;base64,([^"]+)"')


@pytest.fixture
def told(scanned):
    """A bench in which ann and bob have decided, once about the same sample."""
    bench = assay.open(scanned.path)
    a, b = bench.frame(split="train").query("label != '7'").index[:2]
    bench.edit(pd.DataFrame(dict(sample=[a, b], label="7", why="a <b>seven</b>")), "ann")
    bench.edit(pd.DataFrame([dict(sample=a, verdict="confirm")]), "bob")
    bench.undo(who="bob")
    bench.edit(pd.DataFrame([dict(sample=a, label="1")]), "bob")
    bench.commit("first pass", "ann")
    return bench, a


def words(shown):
    return " ".join(re.sub("<[^>]*>", " ", re.sub("<style.*</style>", "", shown, flags=re.S)).split())  # fmt: skip


@pytest.mark.slow
def test_a_sample_is_shown_with_its_life(told):
    bench, sample = told
    life = bench.blame(sample)
    found, key, edits = life
    assert isinstance(life, Life) and found == sample and len(edits) >= 5
    shown = life._repr_html_()
    (picture,) = PICTURE.findall(shown)
    assert len(picture) < 8_000 and "<b>seven" not in shown and "&lt;b&gt;seven" in shown
    assert "taken back" in words(shown) and "stands" in words(shown) and key in words(shown)


@pytest.mark.slow
def test_log_and_batches_are_shown_newest_first(told):
    bench, _ = told
    log, batches = bench.log(), bench.batches()
    assert isinstance(log, pd.DataFrame) and isinstance(batches, pd.DataFrame)
    shown = words(log._repr_html_())
    assert "2 versions" in shown and "first pass" in shown and shown.index("bob") < shown.index("tester")  # fmt: skip
    shown = words(batches._repr_html_())
    assert f"{(batches.kind == 'batch').sum()} batches, 2 commits" in shown
    assert batches.name.iloc[-2] in shown and "NaT" not in shown and "None" not in shown
    assert words(log[["author"]]._repr_html_()).startswith("author"), "a part is as pandas shows it"


@pytest.mark.slow
def test_reviewers_are_two_frames_and_one_picture_of_them(told):
    bench, _ = told
    people, pairs = both = bench.reviewers()
    assert list(people.who) == ["ann", "bob"] and len(pairs) == 1
    assert both.people is people and both.pairs is pairs
    assert "2 people have decided" in words(both._repr_html_())
    assert "ann and bob agree on 0 of 1 that both decided, 0.0% [" in words(both._repr_html_())


@pytest.mark.slow
@pytest.mark.parametrize("level", ["fine", "coarse"])
def test_clusters_have_a_strip_of_pictures_each_and_none_of_test(scanned, level):
    bench = assay.open(scanned.path)
    clusters = bench.clusters(level=level)
    shown = clusters._repr_html_()
    strips = [PICTURE.findall(part) for part in shown.split('class="sheet"')[1:]]
    assert len(strips) == min(4, len(clusters)) and all(1 <= len(s) <= 6 for s in strips)
    assert max(len(p) for s in strips for p in s) < 8_000
    state = bench.state()
    test = set(state.key[state["split"] == "test"])
    assert not test & set(re.findall(r"d\d{4}", shown))
    for name in clusters.cluster[:4]:
        assert name in words(shown)
