"""Files of data that other programs wrote or changed."""

import numpy as np
import pytest
import xarray as xr

import electjax
from electjax.data.errors import ElectionDataError


def election():
    return electjax.districts.dataset(np.array([[5, 3], [2, 9]]), districts=["north", "south"], parties=["blue", "red"])


def put(folder, **attrs):
    election().assign_attrs(**attrs).to_netcdf(folder / "e.nc", engine="h5netcdf")
    return folder / "e.nc"


def test_a_file_of_another_program_has_no_seal(tmp_path):
    xr.testing.assert_identical(electjax.load(put(tmp_path)), election())


def test_attributes_may_be_lists(tmp_path):
    assert electjax.load(put(tmp_path, valid_range=[0, 9])).attrs["valid_range"] == [0, 9]
    with pytest.raises(ElectionDataError, match=r"conventions \[1, 2\]"):
        electjax.load(put(tmp_path, conventions=[1, 2]))
