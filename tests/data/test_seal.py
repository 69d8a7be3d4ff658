"""Saved files tell when they are no longer what was saved."""

import numpy as np
import pytest
import xarray as xr

import electjax
from electjax.data.errors import ElectionDataError
from electjax.data.seal import seal, seal_holds


def election():
    return electjax.districts.dataset(np.array([[5, 3], [2, 9]]), districts=["north", "south"], parties=["blue", "red"])


@pytest.mark.parametrize("content", [b"", b"a", bytes(1 << 20), bytes((1 << 20) + 1)])
def test_a_sealed_file_is_told_from_a_changed_one(tmp_path, content):
    path = tmp_path / "file"
    path.write_bytes(content)
    assert seal_holds(path) is None
    seal(path)
    assert seal_holds(path) is True
    path.write_bytes(b"x" + path.read_bytes())
    assert seal_holds(path) is False


def test_a_sealed_folder_knows_its_files_by_name(tmp_path):
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "one").write_text("1")
    (tmp_path / "two").write_text("2")
    seal(tmp_path)
    assert seal_holds(tmp_path) is True
    (tmp_path / "two").rename(tmp_path / "three")
    assert seal_holds(tmp_path) is False


@pytest.mark.parametrize("name", ["e.nc", "e.zarr"])
def test_no_saved_data_change_unseen(tmp_path, name):
    path = electjax.save(election(), tmp_path / name)
    xr.testing.assert_identical(electjax.load(path), election())
    files = [path] if path.is_file() else [file for file in sorted(path.rglob("*")) if file.is_file()]
    for file in files:
        whole = file.read_bytes()
        for at in {0, len(whole) // 2, len(whole) - 1}:
            file.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
            with pytest.raises(ElectionDataError, match=name) as refused:
                electjax.load(path)
            assert "\n" not in str(refused.value)
        file.write_bytes(whole)
    xr.testing.assert_identical(electjax.load(path), election())
