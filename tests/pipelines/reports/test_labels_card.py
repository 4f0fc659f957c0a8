"""The labels card: its figures are counted anew, what nobody measured is said, and its hash verifies."""

import json

import pytest

import assay
from assay import UserError
from assay.curation.versioning.states import hash_tree
from assay.pipelines.reports.labels_card import draw_card, write_markdown
from tests.helpers import digits, digits_bench, folders, run_assay, truth_of
from tests.report_page import HOSTILE, Parsed


def test_of_a_fresh_bench_the_card_says_what_nobody_knows(tmp_path):
    bench = digits_bench(300, tmp_path)
    card = bench.card()
    state = bench.state()
    assert card["samples"] == state.keep.sum() and card["tree"] == hash_tree(state)
    counted = state[state.keep].label.value_counts()
    assert {c["name"]: c["n"] for c in card["classes"]} == counted.to_dict()
    said = " ".join(card["unknown"])
    for words in ("nobody reviewed at random", "nobody audited", "nobody reviewed", "not scanned"):
        assert words in said
    assert "no guideline for" in said and "licence" in said
    assert card["errors_left"] is card["audit"] is card["issues"] is card["gaps"] is None
    for shown in (Parsed(draw_card(card).decode()).text("body"), write_markdown(card)):
        assert (
            "Not known" in shown
            and "Nobody reviewed" in shown
            and "nobody reviewed at random" in shown
            and card["tree"] in shown
        )


def test_what_was_reviewed_at_random_stands_with_its_interval(tmp_path):
    bench = digits_bench(300, tmp_path)
    bench.edit_class("3", guideline="two bows, open to the left", who="ann")
    from assay.curation.statistics.sampling import random_order

    first = list(random_order(bench.state()))[:60]
    rows = bench.state().loc[first, []].reset_index(names="sample")
    bench.edit(rows.assign(label=truth_of(bench)[first].to_numpy()), "ann")
    bench.commit("60 at random", "ann", name="sixty")
    card = bench.card()
    assert card["called"] == "sixty" and card["versions"][-1]["tree"] == card["tree"]
    assert (
        card["review"]["reviewed"] == 60
        and "[" in card["errors_left"]
        and "of 60" in card["random_rate"]
    )
    assert [p["who"] for p in card["reviewers"]] == ["ann"]
    said = " ".join(card["unknown"])
    assert "nobody reviewed at random" not in said and "how often a reviewer errs" in said
    assert card["errors"] == []
    bench.edit(rows.assign(label=bench.state().label[first].to_numpy()).head(40), "bob")
    # all that bob decided was looked at: nothing is left to guess
    error = "bob: 0.0% [0.0%, 0.0%] wrong, by 0 of 40, by others' looks at random"
    assert bench.card()["errors"] == [error]
    three = next(c for c in card["classes"] if c["name"] == "3")
    assert three["guideline"] == "two bows, open to the left" and "for 0, 1, 2, 4" in said


def test_a_hash_verifies_the_labels_in_a_bench_made_of_the_export_and_no_others(tmp_path):
    bench = digits_bench(300, tmp_path)
    bench.commit("as they came", "ann", name="given")
    card = bench.card(tmp_path / "card.json")
    assert json.loads((tmp_path / "card.json").read_text()) == card
    bench.export(tmp_path / "out", format="manifest")
    manifest = next((tmp_path / "out").glob("*.parquet"))
    assert run_assay("import", manifest, "-b", tmp_path / "theirs")[0] == 0
    status, out, _ = run_assay("check", "--tree", card["tree"], "-b", tmp_path / "theirs")
    assert status == 0 and "is that of HEAD" in out
    theirs = assay.open(tmp_path / "theirs")
    theirs.edit(theirs.state().index[:1].to_frame(name="sample").assign(keep=False), "mallory")
    status, out, _ = run_assay("check", "--tree", card["tree"], "--json", "-b", tmp_path / "theirs")
    told = json.loads(out)
    assert status == 1 and [f["kind"] for f in told["findings"]] == ["tree"]
    assert theirs.check(tree=card["tree"], progress=False)[0]["kind"] == "tree"
    bench.edit(bench.state().index[:1].to_frame(name="sample").assign(keep=False), "ann")
    status, out, _ = run_assay("check", "--tree", card["tree"], "--json", "-b", bench.path)
    assert (status, json.loads(out)["tree_of"]) == (0, "given")


def test_the_command_writes_page_markdown_or_data_and_nothing_else(tmp_path):
    bench = digits_bench(300, tmp_path)
    for name in ("card.html", "card.md"):
        status, out, _ = run_assay("card", "--output", tmp_path / name, "-b", bench.path)
        assert status == 0 and "assay check --tree" in out
        assert "Labels of bench" in (tmp_path / name).read_text()
    status, out, _ = run_assay("card", "-b", bench.path)
    assert status == 0 and out.startswith("# Labels of bench")
    assert json.loads(run_assay("card", "--json", "-b", bench.path)[1])["samples"] == 300
    status, _, err = run_assay("card", "--output", tmp_path / "card.pdf", "-b", bench.path)
    assert status == 2 and ".html, .md, .json" in err and not (tmp_path / "card.pdf").exists()
    with pytest.raises(UserError, match="v9"):
        bench.card(version="v9")


def test_labels_and_names_from_outside_are_no_markup(tmp_path):
    bench = assay.create(tmp_path / "bench")
    run_assay("import", folders(tmp_path / "photos", digits(60)), "-b", bench.path)
    bench.rename_class("3", HOSTILE, "ann")
    card = bench.card()
    assert "<script" not in draw_card(card).decode().lower()
    assert "<script" not in write_markdown(card).lower()
