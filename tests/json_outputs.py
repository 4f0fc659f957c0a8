"""Check what --json prints against its documented schema."""

import json

from assay.pipelines.cli.schemas.catalog import find_model


def check_json(text):
    """The one object of an output; AssertionError where a field is missing, of another type, or not documented."""
    assert text.strip(), "no object"
    told = json.loads(text, parse_constant=refuse)
    model = find_model(told["schema"])
    loose = model.model_config.get("extra") == "allow"
    model.model_validate(told, strict=False, extra="allow" if loose else "forbid")
    return told


def refuse(constant):
    raise AssertionError(f"{constant} is no JSON")
