"""Write the reference of --json: `python -m assay.pipelines.cli.schemas.page`.

With --schema it prints the same as JSON Schema.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from importlib import import_module
from typing import Any, Literal, get_args, get_origin

from pydantic import BaseModel, TypeAdapter

from assay.curation.errors import UserError
from assay.pipelines.cli.output import SCHEMA_VERSION
from assay.pipelines.cli.schemas.base import Error, Output
from assay.pipelines.cli.schemas.catalog import OUTPUTS

# where errors with a code of their own are, beside curation/errors.py
RAISERS = (
    "curation.system.extras curation.formats.table_labels pipelines.cli.main pipelines.cli.parser "
    "pipelines.experiments.run pipelines.indexing.sharding curation.versioning.proposals "
    "pipelines.explaining.sample pipelines.lessons.runs pipelines.lessons.sources"
)
HEAD = f"""# What `--json` prints

Every verb takes `--json`: standard output then carries one JSON object and nothing else, and lines for people go to
standard error. This is schema version {SCHEMA_VERSION}: it is raised where a field goes or means another thing;
fields may be added without that, so leave what you do not know. A number that is not there is `null`. Times are in ISO
8601 with their offset. `fiftyone` prints its object when the App is up, and another one if it fails later.

## From version 1 to 2

What went, or is called otherwise:

| version 1 | version 2 | where |
|---|---|---|
| `looks` | `sure_at_random` | review, of `status` and `report` |
| `unsure_looks` | `unsure_at_random` | the same |
| `looks` | `samples` | `log` |
| `looks` | `accesses` | the test set, of `report` |
| `ruler_corrected` | `validation_changed` | `report` |
| `cells` | `matrix` | `report` and its costs |
| `cells` | `runs` | a job, of `status` |
| schema `shadow` | schema `disagreements` | `disagreements`, which was the verb `shadow` |
| `code` `unknown_name` | also `unknown_version`, `unknown_class`, `unknown_column`, `unknown_sample` | `error` |
| the same | also `unknown_batch`, `unknown_run`, `unknown_embedder` | `error` |
| `code` `bad_input` or `bad_path` | also `no_file`, `ambiguous_source` | `error` |

What came, and asks nothing of whoever reads version 2: how a source was read (`import`, `status`), the previews of
`import --dry-run`, the sources of `export --patch` and `--in-place`, `made_of` and `upto` of `queue`, what `scan`
found, `already`, `newer`, `own_newer` and `reasons_left_out` of `edit`, the four effects of `demo`, `readings` of an
`error`.

## Making this page

`python -m assay.pipelines.cli.schemas.page` writes this page; with `--schema` it prints the same as JSON Schema.

## Every object

Beside its own fields every object has `schema` (what it is), `schema_version` ({SCHEMA_VERSION}) and `code`.

| exit status | `code` | meaning |
|---|---|---|
| 0 | `done` | done |
| 1 | `check_failed` | a check that was asked for failed: `gate`, `check` |
| 2 | one of those below | an object of the schema `error`: a person can do something about it |
| 130 | | stopped by Ctrl-C; no object |

"""


def write_page() -> str:
    """Write the reference as Markdown."""
    parts = [HEAD, "## error\n\n", describe_model(Error), "\n| `code` | meaning |\n|---|---|\n"]
    parts += [f"| `{code}` | {text} |\n" for code, text in list_codes().items()]
    for schema, (verb, model) in OUTPUTS.items():
        verbs = ", ".join(f"`assay {name}`" for name in verb.split(", "))
        text = f"{model.__doc__} Printed by {verbs}."
        parts.append(f"\n## {schema}\n\n{text}\n\n{describe_model(model)}")
        for part in list_parts(model):
            parts.append(f"\n**{part.__name__}**. {part.__doc__}\n\n{describe_model(part)}")
    return "".join(parts)


def list_codes() -> dict[str, str]:
    """List the codes of all errors: {code: meaning}."""
    for module in RAISERS.split():
        import_module(f"assay.{module}")
    found, kinds = {}, [UserError]
    while kinds:
        kind = kinds.pop(0)
        kinds += kind.__subclasses__()
        if kind.__module__.startswith("assay."):
            found[kind.code] = kind.__doc__.splitlines()[0]
    return dict(sorted(found.items()))


def describe_model(model: type[BaseModel]) -> str:
    """Describe the fields of a model as a Markdown table."""
    known = () if model in (Error, Output) else Output.model_fields
    rows = [
        f"| `{field.alias or name}` | {name_type(field.annotation)}{'' if field.is_required() else ', may be absent'} "
        f"| {field.description} |\n"
        for name, field in model.model_fields.items()
        if name not in known
    ]
    return (
        "| field | type | meaning |\n|---|---|---|\n" + "".join(rows)
        if rows
        else "No fixed fields.\n"
    )


def name_type(kind: Any) -> str:
    """Name a type in words of JSON."""
    words = {str: "text", int: "whole number", float: "number", bool: "true or false"}
    words |= {type(None): "null", Any: "any value"}
    if kind in words:
        return words[kind]
    if get_origin(kind) is Literal:
        return " or ".join(f"`{json.dumps(value)}`" for value in get_args(kind))
    inside = [name_type(k) for k in get_args(kind)]
    if get_origin(kind) is list:
        return f"list of {inside[0]}"
    if get_origin(kind) is dict:
        return f"object of {inside[1]}"
    if get_origin(kind) is tuple:
        return f"[{', '.join(inside)}]"
    return " or ".join(inside) or kind.__name__


def list_parts(model: type[BaseModel]) -> Iterator[type[BaseModel]]:
    """List the models inside a model's fields, each once."""
    seen, kinds = set(), [f.annotation for f in model.model_fields.values()]
    while kinds:
        kind = kinds.pop(0)
        kinds += get_args(kind)
        if isinstance(kind, type) and issubclass(kind, BaseModel) and kind not in seen:
            seen.add(kind)
            kinds += [f.annotation for f in kind.model_fields.values()]
            yield kind


def make_schema() -> dict:
    """Make the JSON Schema of every object: {schema: its JSON Schema}."""
    models = {schema: model for schema, (_, model) in OUTPUTS.items()} | dict(error=Error)
    return {schema: TypeAdapter(model).json_schema() for schema, model in models.items()}


if __name__ == "__main__":
    print(json.dumps(make_schema(), indent=1) if "--schema" in sys.argv else write_page(), end="")
