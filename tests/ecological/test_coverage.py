"""Estimates against counted tables: the error index, and how often intervals hold the truth."""

import numpy as np
import pytest
import xarray as xr

import electjax
from electjax.data.errors import ElectionDataError
from electjax.ecological.codec import error_index
from electjax.ecological.schema import TABLE


def test_the_error_index_is_half_the_votes_misplaced() -> None:
    truth = np.array([[[60.0, 40.0], [0.0, 100.0]]])
    cells = np.array([[[50.0, 50.0], [10.0, 90.0]]])
    np.testing.assert_allclose(error_index(cells, truth), [10.0])
    np.testing.assert_allclose(
        error_index(np.pad(cells, 1, constant_values=np.nan)[1:2], np.pad(truth, 1)[1:2]), [10.0]
    )


def with_draws(truth: np.ndarray, draws: np.ndarray) -> xr.Dataset:
    cells = draws.mean(axis=0)
    return xr.Dataset(
        {
            "truth": (TABLE, truth),
            "cells": (TABLE, cells),
            "share": (TABLE, cells / cells.sum(axis=2, keepdims=True)),
            "draws": (("draw", *TABLE), draws.astype(np.float32)),
        },
        coords={"contest": [f"d{d}" for d in range(len(truth))]},
    )


def test_coverage_counts_cells_of_large_rows() -> None:
    """The first row is held, of the second one cell of two; the third is too small to count; one truth is unknown."""
    draws = np.linspace(-1.0, 1.0, 101)[:, None, None, None]
    middle = np.array([[600.0, 200.0], [100.0, 90.0], [2.0, 8.0]])
    spread = np.array([[50.0, 50.0], [10.0, 10.0], [1.0, 1.0]])
    cells = np.stack([middle, middle]) + draws * spread * np.array([1.0, -1.0])
    off = np.array([[20.0, -20.0], [9.0, -9.0], [9.0, -9.0]])
    truth = np.stack([middle + off, np.full((3, 2), np.nan)])
    found = electjax.ecological.coverage(with_draws(truth, cells), levels=[0.5, 0.95])
    assert found["cells"] == 4
    np.testing.assert_allclose(found["coverage"], [0.5, 1.0])
    np.testing.assert_allclose(found["coverage_by_contest"], [[0.5, np.nan], [1.0, np.nan]])
    widths = np.array([50 / 800, 50 / 800, 10 / 190, 10 / 190]).mean()
    np.testing.assert_allclose(found["width"], np.array([1.0, 1.9]) * widths, rtol=1e-5)


def test_a_certain_cell_is_covered_whatever_rounding_says() -> None:
    truth = np.array([[[1 / 3, 2 / 3], [1e5 / 7, 1e5]]]) * 97.0
    found = electjax.ecological.coverage(with_draws(truth, np.repeat(truth[None], 20, axis=0)), large=0.0)
    np.testing.assert_array_equal(found["coverage"], [1.0, 1.0])


@pytest.mark.parametrize(
    ("levels", "missing", "says"),
    [([0.5, 1.0], (), "between 0 and 1"), ([0.5], "draws", "no draws"), ([0.5], "truth", "truth=")],
)
def test_coverage_says_what_it_lacks(levels: list[float], missing: str, says: str) -> None:
    known = with_draws(np.ones((1, 2, 2)), np.ones((3, 1, 2, 2)))
    with pytest.raises(ElectionDataError, match=says):
        electjax.ecological.coverage(known.drop_vars(missing), levels=levels)
