"""Rows of several arrays beside those of one."""

import numpy as np

from assay.curation.storage.stacked_rows import StackedRows


def test_rows_of_many_files_read_as_of_one(tmp_path):
    whole = np.random.default_rng(0).normal(size=(50, 3)).astype("f2")
    for i, part in enumerate(np.split(whole, [0, 1, 20, 20])):
        np.save(tmp_path / f"{i}.npy", part)
    files = [np.load(tmp_path / f"{i}.npy", mmap_mode="r") for i in range(5)]
    stacked = StackedRows(files)
    assert len(stacked) == 50 and stacked.shape == (50, 3)
    for ids in ([0], [49], [0, 1, 19, 20, 49], [], [5, 5, 30]):
        read = stacked[np.array(ids, int)]
        assert np.array_equal(read, whole[ids]) and read.dtype == np.dtype("f2")
