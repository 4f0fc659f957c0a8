"""What a cluster and its storage cost: a table that a person edits."""

from __future__ import annotations

import tomllib
from pathlib import Path

from pydantic import BaseModel, Field

from assay.curation.config import check_config, says
from assay.curation.errors import UserError, require_file

EXAMPLE = """\
# An example to be edited: the prices of no provider, and of no day.
currency = "USD"
node_hour = 1.00         # a node for an hour
storage_gb_month = 0.02  # a GB for a month
requests_1000 = 0.001    # 1,000 requests to object storage
egress_gb = 0.00         # a GB read from object storage; often 0 from nodes in its own region
"""


class Prices(BaseModel, extra="forbid", strict=True):
    """all five prices"""  # completes "expected prices.toml to have ..."

    currency: str = Field(min_length=1, max_length=10, **says("a word", '"USD"'))
    node_hour: float = Field(ge=0, allow_inf_nan=False, **says("a price of 0 or more", "1.00"))
    storage_gb_month: float = Field(
        ge=0, allow_inf_nan=False, **says("a price of 0 or more", "0.02")
    )
    requests_1000: float = Field(ge=0, allow_inf_nan=False, **says("a price of 0 or more", "0.001"))
    egress_gb: float = Field(ge=0, allow_inf_nan=False, **says("a price of 0 or more", "0.00"))


def read_prices(file: dict | str | Path | None) -> Prices:
    """Read a table of prices, a dict or a file of TOML; None: the example.

    UserError where it has other keys, lacks one, or has something other than a price.
    """
    if file is None:
        return Prices(**tomllib.loads(EXAMPLE))
    if isinstance(file, dict):
        return Prices(**check_config(Prices, file, "the prices", EXAMPLE))
    hint = "write an example to edit: assay estimate --write-prices FILE"
    require_file(file, "prices in TOML", hint)
    try:
        given = tomllib.loads(Path(file).read_text())
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as e:
        raise UserError(f"expected prices in TOML, found {file}: {e}", hint) from None
    return Prices(**check_config(Prices, given, str(file), EXAMPLE))


def write_example(file: str | Path) -> None:
    """Write the example to a new file; UserError where there is one."""
    try:
        with open(file, "x") as out:
            out.write(EXAMPLE)
    except FileExistsError:
        raise UserError(f"expected a new file, found {file}", "give another name") from None
