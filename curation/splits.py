"""The splits that a sample can be in."""

SPLITS = ("train", "val", "test", "pool", "guard")
# no score, queue or reason reads their labels; guard holds the regression sets
LOCKED = ("test", "guard")
