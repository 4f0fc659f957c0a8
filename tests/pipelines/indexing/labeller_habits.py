"""Labellers of every habit, good and bad: functions that `assay label --with` imports."""

import os
import time

import numpy as np


def classify(images):
    """By the ink alone, and sure of it; abstains on the darkest."""
    ink = [np.asarray(image).mean() for image in images]
    return [None if x < 60 else str(int(x) % 10) for x in ink], [0.5] * len(images)


def one_short(images):
    return ["1"] * (len(images) - 1)


def unknown(images):
    return ["1"] * (len(images) - 1) + ["cat"]


def nan_label(images):
    return [float("nan")] * len(images)


def nan_probability(images):
    return ["1"] * len(images), [0.5] * (len(images) - 1) + [float("nan")]


def too_sure(images):
    return ["1"] * len(images), [1.5] * len(images)


def a_word(images):
    return "1"


def nothing(images):
    return None


def is_fatal(images):
    """Whether the image that the test marked, white alone, is among these."""
    return any(np.asarray(image).min() == 255 for image in images)


def raises(images):
    if is_fatal(images):
        raise ValueError("I do not like it")
    return ["1"] * len(images)


def crashes(images):
    if is_fatal(images):
        os.abort()
    return ["1"] * len(images)


def hangs(images):
    if is_fatal(images):
        time.sleep(60)
    return ["1"] * len(images)


def sees_two(images):
    return tuple(["1"] * len(images))


def by_a_word(texts):
    """Of texts: sport where a word of it is there."""
    return [
        "sport"
        if {"goal", "match", "team", "league", "striker", "keeper"} & set(text.split())
        else "money"
        for text in texts
    ]


def by_income(rows):
    """Of rows: who earns much; abstains where nobody knows."""
    return [
        None if row.get("income") is None else ("no", "yes")[row["income"] > 3_000] for row in rows
    ]
