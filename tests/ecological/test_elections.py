"""`ecological.estimate` on elections whose cross-tables were counted, with one default for all."""

import numpy as np
import pytest
import xarray as xr

import electjax
from tests.data_paths import shared
from tests.ecological.by_hand import assert_consistent


def new_zealand(year: int) -> tuple[str, str]:
    files = (f"data/ecological/nz_{year}_{what}.csv.gz" for what in ("units_long", "truth_cross"))
    return tuple(str(shared(file)) for file in files)  # type: ignore[return-value]


@pytest.fixture(scope="module")
def nz_2014() -> xr.Dataset:
    return electjax.ecological.estimate(*new_zealand(2014))


@pytest.mark.slow
def test_new_zealand_2014_is_accurate_and_calibrated(nz_2014: xr.Dataset) -> None:
    of = nz_2014.attrs
    assert of["converged"] == 1
    assert of["mean_ei"] <= 4.2
    assert 0.92 <= of["coverage_95"] <= 0.98
    assert 0.75 <= of["coverage_80"] <= 0.86
    assert of["width_95"] <= 0.20


@pytest.mark.slow
def test_new_zealand_2014_is_consistent(nz_2014: xr.Dataset) -> None:
    assert_consistent(nz_2014, nz_2014)
    shares = np.nansum(nz_2014["truth"], axis=(1, 2))
    votes = nz_2014["row_margin"].sum("row").groupby(nz_2014["unit_contest"]).sum().sel(unit_contest=nz_2014["contest"])
    np.testing.assert_allclose(shares, votes, rtol=0.01)
    assert nz_2014["error_by_context"].sel(context=0.6) < nz_2014["error_by_context"].sel(context=[0.3, 0.8]).min()


@pytest.mark.slow
def test_new_zealand_2002_is_accurate_and_calibrated() -> None:
    of = electjax.ecological.estimate(*new_zealand(2002)).attrs
    assert of["mean_ei"] <= 5.9
    assert 0.92 <= of["coverage_95"] <= 0.98
    assert 0.75 <= of["coverage_80"] <= 0.86
    assert of["width_95"] <= 0.20


@pytest.mark.slow
def test_north_carolina_has_groups_and_tables_of_units() -> None:
    rows, columns = {"white": "wh", "black": "bl", "natam": "natam"}, ("dem", "rep", "oth")
    truth = {(row, column): start + column for row, start in rows.items() for column in columns}
    found = electjax.ecological.estimate(
        str(shared("data/ecological/senc.csv")), truth, rows=list(rows), columns=list(columns)
    )
    assert found.attrs["rows"] == "groups"
    assert found.attrs["mean_ei"] <= 1.0
    assert_consistent(found, found)
