"""Which level of folders is the class: read where it is clear, asked where it is not."""

from collections import Counter

import pytest
from PIL import Image

from assay.curation.errors import AmbiguousSource, UserError
from assay.curation.formats.base import ImportOptions
from assay.curation.formats.read import read_source
from assay.curation.formats.split_words import guess_split, is_fold


def folder(root, *files):
    for file in files:
        (root / file).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (4, 4), "red").save(root / file)
    return root


def said(path, **options):
    frame = read_source(path, ImportOptions(**options)).frame
    return {row.key: (row.label, row.split) for row in frame.itertuples()}


def asked(path, **options):
    """{option: words} of the readings between which a source has to be decided."""
    with pytest.raises(AmbiguousSource) as caught:
        read_source(path, ImportOptions(**options))
    return {reading.option: reading.words for reading in caught.value.readings}


@pytest.mark.parametrize(
    "name, split",
    [
        *[(n, "train") for n in ("train", "Training", "training_set", "seg_train", "TRAIN-IMAGES")],
        *[
            (n, "train")
            for n in ("train2017", "train_data", "Training Set", "trn", "dataset_train")
        ],
        *[(n, "val") for n in ("valid", "eval", "dev", "val2017", "Validation_Set", "validate")],
        *[(n, "test") for n in ("test_set", "seg_test", "Testing", "test1", "holdout", "imgs-tst")],
        *[(n, "pool") for n in ("unlabeled", "pool", "Unlabelled_images")],
        *[
            (n, None)
            for n in ("training_shoe", "test_tube", "contest", "trainer", "cat", "2024", "")
        ],
        *[(n, None) for n in ("devil", "images", "train_test", "seg_pred", "fold1", "steam train")],
    ],
)
def test_words_for_splits(name, split):
    assert guess_split(name) == split


def test_words_for_folds():
    assert all(map(is_fold, ("fold1", "Fold_2", "fold-03", "cv 4", "kfold5", "part1", "cv_fold_1")))
    assert not any(map(is_fold, ("fold", "manifold", "2024-01", "unfold1", "cv", "apartment 3")))


def test_splits_in_other_words(tmp_path):
    folder(tmp_path, "training_set/cats/1.png", "training_set/dogs/2.png", "test_set/cats/3.png")
    source = read_source(tmp_path)
    assert dict(zip(source.frame.key, source.frame.split)) == {
        "training_set/cats/1.png": "train",
        "training_set/dogs/2.png": "train",
        "test_set/cats/3.png": "test",
    }
    assert set(source.frame.label) == {"cats", "dogs"}
    assert "training_set = train 2" in source.roles["split"] and source.notes == []


def test_splits_that_share_a_word(tmp_path):
    folder(tmp_path, "birds_train/owl/1.png", "birds_train/tit/2.png", "birds_test/owl/3.png")
    assert said(tmp_path)["birds_test/owl/3.png"] == ("owl", "test")
    folder(tmp_path / "toys", "toy_train/1.png", "toy_plane/2.png")
    assert said(tmp_path / "toys")["toy_train/1.png"] == ("toy_train", None)


def test_split_folders_that_are_doubled(tmp_path):
    folder(tmp_path, "seg_train/seg_train/sea/1.png", "seg_train/seg_train/ice/2.png")
    folder(tmp_path, "seg_test/seg_test/sea/3.png")
    assert said(tmp_path)["seg_test/seg_test/sea/3.png"] == ("sea", "test")
    folder(tmp_path, "seg_pred/seg_pred/4.png")
    assert "--split-map seg_pred=pool" in asked(tmp_path)
    read = said(tmp_path, split_map={"seg_pred": "pool"})
    assert read["seg_pred/seg_pred/4.png"] == (None, "pool")
    assert read["seg_train/seg_train/ice/2.png"] == ("ice", "train")


def test_folders_around_all_are_stepped_over(tmp_path):
    folder(tmp_path / "a", "archive/PetImages/Cat/1.png", "archive/PetImages/Dog/2.png")
    assert set(read_source(tmp_path / "a").frame.label) == {"Cat", "Dog"}
    folder(tmp_path / "b", "data/images/train/Cat/1.png", "data/images/val/Dog/2.png")
    assert said(tmp_path / "b")["data/images/val/Dog/2.png"] == ("Dog", "val")
    folder(tmp_path / "c", "train/images/Cat/1.png", "train/images/Dog/2.png", "test/Cat/3.png")
    assert said(tmp_path / "c") == {
        "train/images/Cat/1.png": ("Cat", "train"),
        "train/images/Dog/2.png": ("Dog", "train"),
        "test/Cat/3.png": ("Cat", "test"),
    }


def test_a_test_split_of_one_class_keeps_it(tmp_path):
    folder(tmp_path, "train/cat/1.png", "train/dog/2.png", "test/cat/3.png")
    assert said(tmp_path)["test/cat/3.png"] == ("cat", "test")


def test_splits_inside_classes(tmp_path):
    folder(tmp_path, "cats/train/1.png", "cats/test/2.png", "dogs/train/3.png", "dogs/test/4.png")
    source = read_source(tmp_path)
    assert said(tmp_path)["dogs/test/4.png"] == ("dogs", "test")
    assert "the second folder" in source.roles["split"] and "the top" in source.roles["label"]


def test_batches_above_classes_are_asked(tmp_path):
    folder(
        tmp_path, *(f"2024-0{m}/{c}/{i}.png" for m in (1, 2) for c in ("cat", "dog") for i in "ab")
    )
    readings = asked(tmp_path)
    assert "2024-01 (4)" in readings["--class-level 1"] and "cat (4)" in readings["--class-level 2"]
    source = read_source(tmp_path, ImportOptions(class_level=2))
    assert Counter(source.frame.label) == {"cat": 4, "dog": 4} and source.parents == {}
    assert "each is one class" in " ".join(source.notes)
    assert (
        source.frame.meta[0] == {"folder_1": "2024-01"} and "folder_1" in source.roles["metadata"]
    )
    assert set(read_source(tmp_path, ImportOptions(class_level=1)).frame.label) == {
        "2024-01",
        "2024-02",
    }
    with pytest.raises(UserError, match="from 1 to 2"):
        read_source(tmp_path, ImportOptions(class_level=9))


def test_a_taxonomy_becomes_parents(tmp_path):
    folder(tmp_path, "animal/cat/1.png", "animal/dog/2.png", "plant/tree/oak/3.png")
    folder(tmp_path, "plant/rose/4.png", "plant/tree/elm/5.png")
    assert {"--class-level 1", "--class-level 2", "--class-level -1"} <= set(asked(tmp_path))
    source = read_source(tmp_path, ImportOptions(class_level=-1))
    assert set(source.frame.label) == {"cat", "dog", "oak", "elm", "rose"}
    assert source.parents == {
        **dict(cat="animal", dog="animal", oak="tree", elm="tree", rose="plant", tree="plant")
    }


def test_a_taxonomy_inside_splits(tmp_path):
    for split in ("train", "test"):
        folder(tmp_path, f"{split}/animal/cat/1.png", f"{split}/plant/oak/2.png")
        folder(tmp_path, f"{split}/animal/dog/3.png")
    assert set(asked(tmp_path)) == {"--class-level 2", "--class-level 3"}
    source = read_source(tmp_path, ImportOptions(class_level=3))
    assert Counter(source.frame["split"]) == {"train": 3, "test": 3}
    assert source.parents == dict(cat="animal", dog="animal", oak="plant")


def test_folds_are_asked(tmp_path):
    folder(tmp_path, *(f"fold{k}/{c}/{k}.png" for k in (1, 2, 3) for c in ("cat", "dog")))
    readings = asked(tmp_path)
    mapped = "--split-map fold1=train,fold2=train,fold3=test"
    assert mapped in readings and "cat (3)" in readings["--class-level 2"]
    split_map = dict(fold1="train", fold2="train", fold3="test")
    assert said(tmp_path, split_map=split_map)["fold3/dog/3.png"] == ("dog", "test")
    assert said(tmp_path, class_level=2)["fold3/dog/3.png"] == ("dog", None)


def test_a_class_that_is_called_as_a_split_is_a_class(tmp_path):
    for name in ("pool", "test", "train", "validation"):
        root = folder(tmp_path / name, "lake/1.png", f"{name}/2.png", "river/3.png")
        source = read_source(root)
        assert said(root)[f"{name}/2.png"] == (name, None)
        assert f"taken for classes, though their names are splits': {name}" in source.notes


def test_one_level_that_says_the_one_above_again_is_no_question(tmp_path):
    folder(tmp_path, "cat/cat_images/1.png", "dog/dog_images/2.png")
    assert set(read_source(tmp_path).frame.label) == {"cat", "dog"}


def test_names_that_begin_with_the_class_are_asked(tmp_path):
    folder(tmp_path / "pets", *(f"train/{c}.{i}.jpg" for c in ("cat", "dog") for i in range(9)))
    folder(tmp_path / "pets", "test1/1.jpg", "test1/2.jpg")
    readings = asked(tmp_path / "pets")
    assert "cat (9), dog (9)" in readings["--format file-names"] and "--pictures-only" in readings
    read = said(tmp_path / "pets", format="file-names")
    assert read["train/dog.3.jpg"] == ("dog", "train") and read["test1/1.jpg"] == (None, "pool")
    assert set(said(tmp_path / "pets", pictures_only=True).values()) == {(None, "pool")}
    folder(tmp_path / "phone", *(f"{c}_{i}.jpg" for c in ("IMG", "DSC") for i in range(9)))
    assert set(said(tmp_path / "phone").values()) == {(None, "pool")}


def test_masks_beside_images_are_no_samples(tmp_path):
    for kind in ("benign", "normal"):
        folder(tmp_path, *(f"{kind}/{kind} ({i}){m}.png" for i in (1, 2) for m in ("", "_mask")))
    folder(tmp_path, "benign/benign (1)_mask_1.png", "benign/gas_mask.png")
    source = read_source(tmp_path)
    assert Counter(source.frame.label) == {"benign": 3, "normal": 2}
    (unread,) = source.unread
    assert (unread.count, unread.first) == (
        5,
        "benign/benign (1)_mask.png",
    ) and "masks" in unread.why
