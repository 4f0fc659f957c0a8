"""Check what a person configured against a pydantic model.

A field of such a model says what it must be in its description, and has an example.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ValidationError

from assay.curation.errors import UnknownName, UserError, shorten

TYPES = {str: "text", list: "a list", dict: "a table", bool: "true or false"}


def check_config(model: type[BaseModel], values: object, where: str, least: str) -> dict[str, Any]:
    """Check values, and fill in defaults.

    where: what the values are of, as in "plan.toml"; least: the least that the model takes. Returns
    all fields but those that are None. Raises UserError, which names the first that is wrong.
    """
    try:
        return model.model_validate(values).model_dump(exclude_none=True)
    except ValidationError as e:
        # a mistyped key comes first: what it was for is missing for that reason alone
        errors = sorted(e.errors(), key=lambda error: error["type"] != "extra_forbidden")
        problem, hint = describe_error(model, errors[0], where, least)
        if errors[0]["type"] == "extra_forbidden":
            raise UnknownName(problem, hint, errors[0]["loc"][0], model.model_fields) from None
        raise UserError(problem, hint) from None


def says(description: str, example: str) -> dict[str, Any]:
    """Describe a field, with an example in TOML, for pydantic's Field."""
    return dict(description=description, examples=[example])


def describe_error(
    model: type[BaseModel], error: Mapping[str, Any], where: str, least: str
) -> tuple[str, str]:
    """Say what was expected and found, and what to do."""
    value, fields = error["input"], model.model_fields
    found = f"{TYPES.get(type(value), 'a number')}: {shorten(str(value), 200)}"
    if not error["loc"]:  # of no field alone
        wrong = error["ctx"]["error"] if error["type"] == "value_error" else found
        return f"expected {where} to have {model.__doc__}, found {wrong}", f"the least:\n{least}"
    key = error["loc"][0]
    if key not in fields:
        problem = f"expected known keys in {where}, found {key}, which is no key"
        return problem, f"keys: {', '.join(fields)}"
    hint = f"write {key} = {fields[key].examples[0]}"
    if error["type"] == "missing" or not value and isinstance(value, str | list | dict):
        return f"expected {key} in {where}, found no {key}", hint
    return f"expected {key} in {where} to be {fields[key].description}, found {found}", hint
