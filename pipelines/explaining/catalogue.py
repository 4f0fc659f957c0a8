"""Every number that the product shows, by name.

A number that is shown and is not here fails tests/pipelines/explaining/test_catalogue.py.
"""

from __future__ import annotations

from assay.pipelines.explaining.bench_numbers import BENCH_NUMBERS
from assay.pipelines.explaining.experiment_numbers import EXPERIMENT_NUMBERS
from assay.pipelines.explaining.number import Number
from assay.pipelines.explaining.sample_numbers import SAMPLE_NUMBERS

NUMBERS: dict[str, Number] = {
    number.name: number for number in (*SAMPLE_NUMBERS, *BENCH_NUMBERS, *EXPERIMENT_NUMBERS)
}
