"""The documents of which FiftyOne's exports are made."""

from __future__ import annotations

from hashlib import sha256
from typing import Any

# of the documents' form: FiftyOne brings what is older up to its own
VERSION = "1.0.0"
WHEN = {"$date": "2024-01-01T00:00:00Z"}  # FiftyOne sets its own on loading
FIELDS = {  # name: (type, type of an embedded document, type of a list's elements)
    "id": ("ObjectIdField", None, None),
    "filepath": ("StringField", None, None),
    "tags": ("ListField", None, "StringField"),
    "metadata": ("EmbeddedDocumentField", "fiftyone.core.metadata.ImageMetadata", None),
    "created_at": ("DateTimeField", None, None),
    "last_modified_at": ("DateTimeField", None, None),
    "ground_truth": ("EmbeddedDocumentField", "fiftyone.core.labels.Classification", None),
    "assay_id": ("StringField", None, None),
    "source": ("StringField", None, None),
    "source_id": ("StringField", None, None),
}
CLASSIFICATION = {
    "id": ("ObjectIdField", None, None),
    "tags": ("ListField", None, "StringField"),
    "label": ("StringField", None, None),
    "confidence": ("FloatField", None, None),
    "logits": ("VectorField", None, None),
}
METADATA = {
    "size_bytes": ("IntField", None, None),
    "mime_type": ("StringField", None, None),
    "width": ("IntField", None, None),
    "height": ("IntField", None, None),
    "num_channels": ("IntField", None, None),
}
INNER = {"ground_truth": CLASSIFICATION, "metadata": METADATA}


def make_metadata(name: str, classes: list[str]) -> dict[str, Any]:
    """Make metadata.json of images with one field of labels."""
    return dict(
        _id=make_id(name),
        name=name,
        version=VERSION,
        created_at=WHEN,
        media_type="image",
        tags=[],
        info={},
        app_config={},
        classes={},
        default_classes=classes,
        mask_targets={},
        default_mask_targets={},
        skeletons={},
        sample_fields=make_fields(FIELDS),
        frame_fields=[],
        saved_views=[],
        annotation_runs={},
        brain_methods={},
        evaluations={},
        runs={},
    )


def make_fields(fields: dict[str, tuple]) -> list[dict]:
    """Make the descriptions of fields."""
    return [
        dict(
            name=name,
            ftype=f"fiftyone.core.fields.{kind}",
            embedded_doc_type=embedded,
            subfield=element and f"fiftyone.core.fields.{element}",
            fields=make_fields(INNER.get(name, {})),
            db_field="_id" if name == "id" else name,
            description=None,
            info=None,
            read_only=name in ("created_at", "last_modified_at"),
            created_at=WHEN,
        )
        for name, (kind, embedded, element) in fields.items()
    ]


def make_sample(row: Any, file: str) -> dict[str, Any]:
    """Make a sample's document of a row of an export."""
    digest = sha256(row.sample_id.encode()).digest()
    sample = dict(
        _id=make_id(row.sample_id),
        filepath=file,
        tags=[row.split, *(tag for tag in row.tags if tag != row.split)],
        _media_type="image",
        _rand=int.from_bytes(digest[:6], "big") / 2**48,
        assay_id=row.sample_id,
        source=row.source,
        source_id=row.key,
        created_at=WHEN,
        last_modified_at=WHEN,
    )
    if row.label is not None and row.label == row.label:
        sample["ground_truth"] = make_classification(row.label, row.sample_id)
    return sample


def make_classification(label: str, made_of: str) -> dict[str, Any]:
    return {
        "_id": make_id(f"label {made_of}"),
        "_cls": "Classification",
        "tags": [],
        "label": label,
    }


def make_id(made_of: str) -> dict[str, str]:
    """Make an id of a document, the same for the same."""
    return {"$oid": sha256(made_of.encode()).hexdigest()[:24]}
