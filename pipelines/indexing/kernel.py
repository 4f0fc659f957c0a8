"""Add kernel columns for the probe, where they pay."""

from __future__ import annotations

from typing import TYPE_CHECKING

from assay.curation.label_quality.kernel_columns import LANDMARKS, store_columns
from assay.curation.media.base import media_of
from assay.curation.storage.interface import Bench, Progress, Tell
from assay.curation.text import format_count
from assay.pipelines.indexing.scan_progress import begin_step

if TYPE_CHECKING:
    import pandas as pd

# train images: of fewer the kernel still finds more of what people get wrong (solar cells, 300: average precision .25
# to .32), but fewer uniform errors (digits, 300: .97 to .94)
LEAST = 500
# of more images the columns would cost 8 GB at a million, and an edit seconds. For texts they are worth less (average
# precision on news labelled by people .639 to .633, on package descriptions with 10 % planted errors .762 to .779,
# .686 to .693), and of 100,000 they would take half the scan
# landmarks of rows: with 2,000 the probe learns planted errors too (adult income, 32,561 rows, 10 % planted: average
# precision .709, with 500 .729, with none .687; boosted trees .759)
FEWER = dict(row=500)
MOST = dict(image=200_000, text=50_000, row=200_000)


def add_kernel(
    bench: Bench, state: pd.DataFrame, asked: dict, say: Tell, progress: Progress | None
) -> str | None:
    """Add kernel columns for the probe; name their folder.

    asked: the scan's settings. None where there are too few images to train on, or too many images.
    """
    drawn = state.content_hash[(state.split == "train") & state.keep]
    media = media_of(bench).name
    most = MOST.get(media, MOST["image"])
    if len(state) > most or (bench.stages and bench.stages.large):
        say(
            f"kernel      left out: over {format_count(most, media)} the probe is linear, as at --effort 0"
        )
        return None
    if len(drawn) < LEAST:
        return None
    begin_step(progress, "measuring distances to landmarks")
    return store_columns(bench, asked, state.content_hash, drawn, FEWER.get(media, LANDMARKS))
