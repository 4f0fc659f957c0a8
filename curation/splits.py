"""The splits that a sample can be in."""

SPLITS = ("train", "val", "test", "pool", "guard")
LOCKED = (
    "test",
    "guard",
)  # no score, queue or reason reads their labels; guard holds the regression sets
