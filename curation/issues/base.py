"""What an issue is."""

COLUMNS = ("kind", "sample", "score", "suggestion", "why")
