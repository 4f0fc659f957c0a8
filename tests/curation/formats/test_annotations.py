"""Boxes, masks and several labels: recognised and refused in one sentence, the images alone on demand."""

import json
import zipfile

import pytest
from PIL import Image

from assay.curation.errors import UserError
from assay.curation.formats.base import ImportOptions
from assay.curation.formats.read import find_format, read_source
from tests.helpers import DATA, run_assay
from tests.layouts.base import make_pictures

PICTURES = make_pictures(6)


def put(folder, *names):
    folder.mkdir(parents=True, exist_ok=True)
    for p, name in zip(PICTURES, names or [f"{p.name}.png" for p in PICTURES]):
        (folder / name).write_bytes(p.png)
    return folder


def coco(root):
    put(root / "train2017")
    images = [dict(id=i, file_name=f"{p.name}.png") for i, p in enumerate(PICTURES)]
    boxes = [dict(id=i, image_id=i, category_id=1, bbox=[1, 2, 3, 4]) for i in range(6)]
    text = json.dumps(dict(images=images, annotations=boxes, categories=[dict(id=1, name="ape")]))
    (root / "annotations").mkdir()
    (root / "annotations" / "instances_train2017.json").write_text(text)


def roboflow_coco(root):
    put(root / "train")
    made = dict(info={}, images=[dict(id=0)], annotations=[dict(image_id=0, bbox=[0, 0, 1, 1])])
    (root / "train" / "_annotations.coco.json").write_text(json.dumps(made))


def yolo(root):
    put(root / "images" / "train")
    (root / "labels" / "train").mkdir(parents=True)
    for p in PICTURES:
        (root / "labels" / "train" / f"{p.name}.txt").write_text("0 0.5 0.5 0.25 0.25\n")
    (root / "data.yaml").write_text("train: images/train\nnc: 1\nnames: [ape]\n")


def yolo_beside(root):
    put(root)
    for p in PICTURES:
        (root / f"{p.name}.txt").write_text("0 0.5 0.5 0.25 0.25\n1 0.1 0.1 0.2 0.2\n")


def voc(root):
    put(root / "JPEGImages")
    (root / "Annotations").mkdir()
    (root / "ImageSets" / "Main").mkdir(parents=True)
    names = "".join(f"{p.name}\n" for p in PICTURES)
    (root / "ImageSets" / "Main" / "train.txt").write_text(names)
    for p in PICTURES:
        (root / "Annotations" / f"{p.name}.xml").write_text(
            f"<annotation><filename>{p.name}.png</filename><object><name>ape</name>"
            "<bndbox><xmin>1</xmin></bndbox></object></annotation>"
        )


def cvat(root):
    put(root / "images")
    (root / "annotations.xml").write_text(
        '<?xml version="1.0" encoding="utf-8"?>\n<annotations><version>1.1</version>'
        '<image id="0" name="pic_000.png"><box label="ape" xtl="1"></box></image></annotations>'
    )


def masks(root):
    put(root / "images")
    put(root / "masks")


def mask_names(root):
    put(root / "train" / "images")
    put(root / "train" / "masks", *(f"{p.name}_mask.png" for p in PICTURES))


def labelme(root):
    put(root)
    for p in PICTURES:
        made = dict(version="5.0", shapes=[dict(label="ape", points=[])], imagePath=f"{p.name}.png")
        (root / f"{p.name}.json").write_text(json.dumps(made))


def via(root):
    put(root)
    shape = dict(shape_attributes=dict(name="rect"))
    made = dict(_via_settings={}, _via_img_metadata={"pic_000.png1": dict(regions=[shape])})
    (root / "via_project.json").write_text(json.dumps(made))


def datumaro(root):
    put(root / "images" / "train")
    (root / "annotations").mkdir()
    made = '{"dm_format_version":"1.0","items":[{"id":"pic_000","annotations":[{"id":0}]}]}'
    (root / "annotations" / "train.json").write_text(made)


def labelme_xml(root):
    put(root / "Images")
    (root / "Annotations").mkdir()
    made = "<annotation><filename>pic_000.png</filename><object><polygon></polygon></object></annotation>"
    (root / "Annotations" / "pic_000.xml").write_text(made)


def voc_lists(root):
    put(root / "JPEGImages")
    (root / "ImageSets" / "Main").mkdir(parents=True)
    lines = "".join(f"{p.name} {-1 + 2 * (i % 2)}\n" for i, p in enumerate(PICTURES))
    (root / "ImageSets" / "Main" / "ape_train.txt").write_text(lines)


LAYOUTS = {
    datumaro: "Datumaro",
    labelme_xml: "LabelMe",
    voc_lists: "Pascal VOC",
    coco: "COCO",
    roboflow_coco: "COCO",
    yolo: "YOLO",
    yolo_beside: "YOLO",
    voc: "Pascal VOC",
    cvat: "CVAT",
    masks: "masks",
    mask_names: "masks",
    labelme: "LabelMe",
    via: "VIA",
}


@pytest.mark.parametrize("write", LAYOUTS, ids=lambda w: w.__name__)
def test_it_is_refused_in_a_sentence_and_its_images_are_imported_alone(write, tmp_path):
    write(tmp_path)
    with pytest.raises(UserError) as caught:
        read_source(tmp_path)
    assert LAYOUTS[write] in caught.value.problem and "--pictures-only" in caught.value.hint
    source = read_source(tmp_path, ImportOptions(pictures_only=True))
    assert len(source.frame) == 6 and source.frame.label.isna().all()
    assert set(source.frame["split"]) == {"pool"} and source.classes == []
    assert LAYOUTS[write] in source.roles["label"]


def test_a_file_of_annotations_is_known_too(tmp_path):
    coco(tmp_path)
    file = tmp_path / "annotations" / "instances_train2017.json"
    with pytest.raises(UserError, match="COCO"):
        read_source(file)
    options = ImportOptions(pictures_only=True, images=tmp_path / "train2017")
    assert len(read_source(file, options).frame) == 6


def test_classes_that_look_like_annotations_are_classes(tmp_path):
    for name in ("masks", "gloves", "labels"):
        put(tmp_path / "shop" / name, *(f"{name}{i}.png" for i in range(3)))
    (tmp_path / "shop" / "data.yaml").write_text("train: train\nnames: [masks, gloves, labels]\n")
    (tmp_path / "shop" / "notes.txt").write_text("12 34 boxes")
    assert find_format(tmp_path / "shop").name == "folders"
    assert set(read_source(tmp_path / "shop").frame.label) == {"masks", "gloves", "labels"}


@pytest.mark.parametrize(
    "name, sign, n", [("coco256_yolo", "YOLO", 237), ("bccd205_voc", "VOC", 205)]
)
def test_real_zips(name, sign, n, tmp_path):
    packed = DATA / f"{name}.zip"
    if not packed.exists():
        pytest.skip("the data sets are not there")
    status, _, said = run_assay("import", packed, "--dry-run")
    assert status == 2 and sign in said and "--pictures-only" in said
    with zipfile.ZipFile(packed) as z:
        images = [m for m in z.namelist() if m.lower().endswith((".jpg", ".png"))]
    status, out, _ = run_assay("import", packed, "--dry-run", "--pictures-only", "--json")
    assert status == 0 and json.loads(out)["samples"] == len(images)
    assert json.loads(out)["classes"] == {}


def test_cvat_with_two_tags_is_several_labels(tmp_path):
    put(tmp_path / "images")
    tags = '<tag label="ape" source="manual"/><tag label="bee" source="manual"/>'
    (tmp_path / "annotations.xml").write_text(
        f'<annotations><version>1.1</version><image id="0" name="pic_000.png">{tags}</image></annotations>'
    )
    with pytest.raises(UserError, match="multi-label"):
        read_source(tmp_path)
    assert len(read_source(tmp_path, ImportOptions(pictures_only=True)).frame) == 1


def test_roboflow_with_two_ones_is_several_labels(tmp_path):
    put(tmp_path / "train")
    (tmp_path / "train" / "_classes.csv").write_text("filename, a, b\npic_000.png, 1, 1\n")
    with pytest.raises(UserError, match="multi-label"):
        read_source(tmp_path)


@pytest.mark.parametrize("columns", ["xmin,ymin,xmax,ymax", "XMin,XMax,YMin,YMax", "bbox", "x1,y1"])
def test_a_table_of_boxes_is_no_table_of_classes(columns, tmp_path):
    put(tmp_path / "train")
    rows = [
        f"{p.name}.png,{'ab'[i % 2]}" + ",1" * len(columns.split(","))
        for i, p in enumerate(PICTURES)
    ]
    text = "\n".join([f"filename,class,{columns}", *rows])
    (tmp_path / "_annotations.csv").write_text(text)
    with pytest.raises(UserError, match="boxes"):
        read_source(tmp_path)
    assert len(read_source(tmp_path, ImportOptions(pictures_only=True)).frame) == 6


def test_a_list_of_marks_is_several_labels(tmp_path):
    put(tmp_path)
    lines = "".join(f"{p.name}.png 1 0 1 0\n" for p in PICTURES)
    (tmp_path / "train.txt").write_text(lines)
    with pytest.raises(UserError, match="multi-label"):
        read_source(tmp_path)


def test_an_image_called_as_another_with_mask_is_no_mask_elsewhere(tmp_path):
    for kind in ("a", "b"):
        (tmp_path / kind).mkdir()
        Image.new("RGB", (4, 4), "red").save(tmp_path / kind / "face_mask.png")
    assert len(read_source(tmp_path).frame) == 2
