"""Assay's nouns: what a dataset is, what may be wrong with it, and what a number about it may mean."""

from assay.curation.bench import Bench, create, open
from assay.curation.errors import UserError

__all__ = ["Bench", "UserError", "create", "open"]
