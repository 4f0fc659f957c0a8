"""Folders as public data sets have them: each is read as it was meant, or asked about."""

import os
from collections import Counter

import numpy as np
import pandas as pd
import pytest
from PIL import Image

import assay
from assay.curation.errors import AmbiguousSource, UserError
from assay.curation.formats.base import ImportOptions
from assay.curation.formats.preview import preview_source
from assay.curation.formats.read import read_source
from assay.curation.formats.write import export_version
from assay.curation.media.locations import list_files
from tests.layouts.base import CLASSES, make_pictures

N = iter(range(10**6))


def put(root, *files):
    for file in files:
        (root / file).parent.mkdir(parents=True, exist_ok=True)
        pixels = np.random.default_rng(next(N)).integers(0, 256, (6, 6, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(root / file)
    return root


def each(pattern, **words):
    """All paths of a pattern with lists of words for its fields."""
    names = [pattern]
    for key, values in words.items():
        names = [n.replace(f"<{key}>", v) for n in names for v in values]
    return names


def text(path, *lines):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


def seen(root, **options):
    out = preview_source(root, ImportOptions(**options))
    return out["classes"], out["splits"]


def asked(root, **options):
    with pytest.raises(AmbiguousSource) as caught:
        read_source(root, ImportOptions(**options))
    return {reading.option for reading in caught.value.readings}


def test_chest_x_rays(tmp_path):
    splits, classes = ("train", "test", "val"), ("NORMAL", "PNEUMONIA")
    put(tmp_path, *each("chest_xray/<s>/<c>/1.jpeg", s=splits, c=classes))
    assert seen(tmp_path) == (dict(NORMAL=3, PNEUMONIA=3), dict(test=2, train=2, val=2))
    # the download of which has everything twice
    put(tmp_path / "chest_xray", *each("chest_xray/<s>/<c>/1.jpeg", s=splits, c=classes))
    assert "--split-map chest_xray=pool" in asked(tmp_path)


def test_plant_village_has_three_pictures_of_each(tmp_path):
    put(tmp_path, *each("<k>/<c>/1.jpg", k=("color", "segmented"), c=("Apple___scab", "Corn")))
    assert asked(tmp_path) == {"--class-level 1", "--class-level 2"}


def test_mvtec(tmp_path):
    put(tmp_path, *each("bottle/train/good/<i>.png", i="012"))
    put(tmp_path, "bottle/test/good/0.png", "bottle/test/broken/0.png")
    put(tmp_path, "bottle/ground_truth/broken/0_mask.png")
    assert seen(tmp_path) == (dict(broken=1, good=4), dict(train=3, test=2))


def test_breast_tumours_lie_six_levels_deep(tmp_path):
    kinds = {"benign/SOB/adenosis", "benign/SOB/tubular", "malignant/SOB/ductal"}
    put(tmp_path, *each("<k>/<p>/<m>X/1.png", k=kinds, p=("p1", "p2"), m=("40", "100")))
    assert asked(tmp_path) == {f"--class-level {n}" for n in (1, 3, 4, 5)}
    source = read_source(tmp_path, ImportOptions(class_level=3))
    assert Counter(source.frame.label) == dict(adenosis=4, tubular=4, ductal=4)
    assert set(source.frame.meta[0]) == {"folder_1", "folder_4", "folder_5"}


def test_diabetic_eyes(tmp_path):
    put(tmp_path, *each("train_images/<i>.png", i=("000c14", "001639", "0024cd")))
    put(tmp_path, "test_images/0005cf.png")
    text(tmp_path / "train.csv", "id_code,diagnosis", "000c14,2", "001639,4", "0024cd,2")
    text(tmp_path / "test.csv", "id_code", "0005cf")
    text(tmp_path / "sample_submission.csv", "id_code,diagnosis", "0005cf,0")
    assert seen(tmp_path) == ({"2": 2, "4": 1}, {"to be drawn": 3, "pool": 1})


def test_ids_repeat_in_train_and_test(tmp_path):
    put(tmp_path, *each("<s>/<i>.png", s=("train", "test"), i="123"))
    text(tmp_path / "trainLabels.csv", "id,label", "1,frog", "2,truck", "3,frog")
    text(tmp_path / "sampleSubmission.csv", "id,label", "1,cat", "2,cat", "3,cat")
    source = read_source(tmp_path)
    labels = dict(zip(source.frame.key, source.frame.label))
    assert labels["train/2.png"] == "truck" and labels["test/2.png"] is None


def test_skin_spots_in_two_parts(tmp_path):
    put(tmp_path, *each("part_<p>/ISIC_<p><i>.jpg", p="12", i="012"))
    rows = [
        f"HAM_{i},ISIC_{p}{i},{'mel' if i else 'nv'},{50 + i}" for p in (1, 2) for i in (0, 1, 2)
    ]
    text(tmp_path / "HAM_metadata.csv", "lesion_id,image_id,dx,age", *rows)
    assert "--label-column dx" in asked(tmp_path)
    assert seen(tmp_path, columns={"label": "dx"})[0] == dict(mel=4, nv=2)


def test_one_column_for_each_class(tmp_path):
    put(tmp_path, *each("images/Train_<i>.jpg", i="0123"))
    rows = ["Train_0,0,0,1", "Train_1,0,1,0", "Train_2,1,0,0", "Train_3,1,1,0"]
    text(tmp_path / "train.csv", "image_id,healthy,rust,scab", *rows)
    with pytest.raises(UserError, match="several labels"):
        read_source(tmp_path)
    assert seen(tmp_path, pictures_only=True) == ({}, {"pool": 4})


def test_tags_of_several_words_are_asked(tmp_path):
    put(tmp_path, *each("train-jpg/t_<i>.jpg", i="01234567"))
    words = "haze,clear,primary,water".split(",")
    rows = [f"t_{i},{words[i % 2]} {words[2 + i // 2 % 2]} {words[i // 4]}" for i in range(8)]
    text(tmp_path / "train_v2.csv", "image_name,tags", *rows)
    assert asked(tmp_path) == {"--label-column tags", "--pictures-only"}


def test_traffic_signs_have_folders_and_tables(tmp_path):
    put(tmp_path, *each("Train/<c>/<i>.png", c="01", i="01"), "Test/0.png", "Test/1.png")
    text(tmp_path / "Train.csv", "Id,Path", *(f"{c},Train/{c}/{i}.png" for c in "01" for i in "01"))
    text(tmp_path / "Test.csv", "Id,Path", "1,Test/0.png", "0,Test/1.png")
    assert seen(tmp_path) == ({"0": 3, "1": 3}, dict(train=4, test=2))
    text(tmp_path / "Train.csv", "Id,Path", *(f"{i},Train/{c}/{i}.png" for c in "01" for i in "01"))
    assert asked(tmp_path) == {"--format kaggle", "--format folders"}


def test_labels_that_count_from_nobody_knows_where(tmp_path):
    put(tmp_path, *each("val/v_<i>.png", i="123"))
    text(tmp_path / "val.txt", *(f"v_{i}.png {i}" for i in (1, 2, 3)))
    text(tmp_path / "classes.txt", *"abcde")
    source = read_source(tmp_path)
    assert set(source.frame.label) == {"1", "2", "3"} and "from 0 or from 1" in source.notes[0]


# ---- what would do harm


def test_folders_called_as_anything(tmp_path):
    names = ["<img src=x onerror=alert(1)>", "'; drop table samples; --", "cat.jpg", "a\nb", "nan"]
    names += ["=1+1", "up..\u2215", "%2e%2e", "Σ", "CON", "x" * 250]
    put(tmp_path / "set", *(f"{name}/1.png" for name in names))
    bench = assay.create(tmp_path / "bench")
    bench.add(tmp_path / "set", who="ann", progress=False)
    assert set(bench.state().label) == set(names)
    export_version(bench, tmp_path / "out", format="source", copy=True)
    assert list(list_files(tmp_path / "out" / "set")) == list(list_files(tmp_path / "set"))


def test_classes_that_differ_in_case_alone_stay_two_and_a_move_takes_no_place(tmp_path):
    put(tmp_path / "set", *each("<c>/<i>.png", c=("cat", "Cat", "dog"), i="123"))
    bench = assay.create(tmp_path / "bench")
    bench.add(tmp_path / "set", who="ann", progress=False)
    frame = bench.frame(split="train")
    moved = frame.index[frame.label == "dog"][0]
    name = frame.key[moved].split("/")[1]
    bench.edit(pd.DataFrame({"sample": [moved], "label": ["cat"]}), who="ann")
    export_version(bench, tmp_path / "out", format="source", copy=True)
    assert f"cat/{name.replace('.', '-2.')}" in list(list_files(tmp_path / "out" / "set"))
    assert (tmp_path / "out" / "set" / "dog").is_dir()


def test_links_out_of_the_folder_are_followed_and_said_to_be_images_alone(tmp_path):
    put(tmp_path / "far", "1.png")
    (tmp_path / "far" / "secret.txt").write_text("secret")
    put(tmp_path / "set", "cat/1.png", "dog/1.png")
    (tmp_path / "set" / "cow").symlink_to(tmp_path / "far")
    (tmp_path / "set" / "cow2").symlink_to(tmp_path / "nowhere")
    os.symlink(tmp_path / "set", tmp_path / "set" / "dog" / "round")
    source = read_source(tmp_path / "set")
    assert set(source.frame.key) == {"cat/1.png", "dog/1.png", "cow/1.png"}


def test_a_very_deep_folder_ends(tmp_path):
    put(tmp_path / "set", "cat/1.png", "dog/1.png")
    here = os.open(tmp_path / "set" / "dog", os.O_RDONLY)
    for _ in range(200):
        os.mkdir("d", dir_fd=here)
        deeper = os.open("d", os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = deeper
    os.close(here)
    with pytest.raises(UserError, match="at most 100 deep"):
        read_source(tmp_path / "set")


def test_empty_class_folders_are_kept_and_said(tmp_path):
    put(tmp_path / "set", *each("<c>/<i>.png", c=("ok", "bad"), i="0123456"))
    (tmp_path / "set" / "new").mkdir()
    (tmp_path / "set" / "bad" / "zero.png").write_bytes(b"")
    assert any("new" in note for note in read_source(tmp_path / "set").notes)
    bench = assay.create(tmp_path / "bench")
    with pytest.raises(UserError, match="zero.png"):
        bench.add(tmp_path / "set", who="ann", progress=False)
    bench.add(tmp_path / "set", who="ann", progress=False, skip_bad=True)
    assert len(bench.state()) == 14
    export_version(bench, tmp_path / "out", format="source", copy=True)
    assert (tmp_path / "out" / "set" / "new").is_dir()
    assert (tmp_path / "out" / "set" / "bad" / "zero.png").read_bytes() == b""


def test_a_source_that_changed_since_is_not_patched(tmp_path):
    for p in make_pictures(12):
        (tmp_path / "set" / p.label).mkdir(parents=True, exist_ok=True)
        (tmp_path / "set" / p.label / f"{p.name}.png").write_bytes(p.png)
    bench = assay.create(tmp_path / "bench")
    bench.add(tmp_path / "set", who="ann", progress=False)
    first = bench.frame(split="train").iloc[0]
    other = next(c for c in CLASSES if c != first.label)
    bench.edit(pd.DataFrame({"sample": [first.name], "label": [other]}), who="ann")
    (tmp_path / "set" / first.given_label).rename(tmp_path / "set" / "else")
    with pytest.raises(UserError, match="import it again"):
        export_version(bench, tmp_path / "out", format="source", copy=True)
    assert not (tmp_path / "out").exists()


def test_few_tags_are_asked_by_the_name_of_their_column(tmp_path):
    put(tmp_path, *each("train/t_<i>.jpg", i="0123"))
    rows = [f"t_{i},{'haze' if i % 2 else 'clear'} primary" for i in range(4)]
    text(tmp_path / "train.csv", "image_name,tags", *rows)
    assert asked(tmp_path) == {"--label-column tags", "--pictures-only"}


def test_archives_in_a_folder_are_imported_one_by_one(tmp_path):
    for name in ("cats.tar", "dogs.tar"):
        text(tmp_path / name, "any")
    with pytest.raises(UserError) as caught:
        read_source(tmp_path)
    assert "cats.tar" in caught.value.hint


def test_several_xmls_of_cvat_are_imported_one_by_one(tmp_path):
    put(tmp_path, *each("images/<i>.jpg", i="01"))
    for i in "01":
        image = f'<image id="{i}" name="{i}.jpg"><tag label="a"></tag></image>'
        text(tmp_path / f"job_{i}.xml", f"<annotations>{image}</annotations>")
    with pytest.raises(UserError, match="job_0.xml"):
        read_source(tmp_path)
    assert len(read_source(tmp_path / "job_0.xml", ImportOptions(pictures_only=True)).frame) == 1


def test_one_class_that_is_left_names_the_row_that_is_lost(tmp_path):
    put(tmp_path, "0.jpg", "1.jpg")
    text(tmp_path / "l.csv", "path,label", "0.jpg,a", "1.jpg,a", "gone.jpg,b")
    with pytest.raises(UserError, match="gone.jpg"):
        read_source(tmp_path / "l.csv")


def test_a_search_for_a_missing_image_ends(tmp_path, monkeypatch):
    from assay.curation.media import image_index, locations

    monkeypatch.setattr(locations, "MOST_FILES", 3)
    put(tmp_path, *each("<i>.jpg", i="012345"))
    text(tmp_path / "l.csv", "path,label", "0.jpg,a", "x/y.jpg,b", "2.jpg,b")
    source = read_source(tmp_path / "l.csv", ImportOptions(skip_bad=True))
    assert "first 3 files" in str(source.left_out)
    assert image_index.MOST_FILES <= 500_000
