"""Assay's nouns: datasets, what is wrong with them, what numbers mean."""

from assay.curation.bench import Bench, create, open
from assay.curation.errors import UserError

__all__ = ["Bench", "UserError", "create", "open"]
