"""What a file of media is, and its bytes' hash."""

from __future__ import annotations

import re
from hashlib import blake2b
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow as pa

MAX_PIXELS, MAX_BYTES = 100_000_000, 1 << 30
CHUNK = 64 << 20  # bytes read ahead, and bytes in a shard: what a killed import loses


class BadMedia(Exception):
    """Why a file cannot be used, in plain words."""


def content_hash(blob: bytes) -> str:
    """Hash a file's bytes: equal ones are one image."""
    return blake2b(blob, digest_size=16).hexdigest()


def image_column(schema: pa.Schema) -> str | None:
    """Guess which Parquet column holds image bytes.

    The only one that could, or the one named so; else None."""
    held = byte_columns(schema)
    named = [c for c in held if c.lower() in ("image", "img")]
    return held[0] if len(held) == 1 else named[0] if len(named) == 1 else None


def byte_columns(schema: pa.Schema) -> list[str]:
    """List the columns of bytes.

    Plain, or as Hugging Face has them: a struct with a field `bytes`."""
    binary = re.compile(r"(large_)?binary(_view)?|struct<(.*, )?bytes: (large_)?binary.*")
    return [field.name for field in schema if binary.fullmatch(str(field.type))]
