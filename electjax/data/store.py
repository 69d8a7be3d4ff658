"""Datasets in netCDF files and Zarr folders: written whole or not at all, checked when they are read."""

import importlib.util
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from electjax.data.errors import ElectionDataError, data_error
from electjax.data.files import atomic_path, in_a_folder
from electjax.data.finished import as_finished
from electjax.data.schema import Schema, conform, schema_of, unknown_kind
from electjax.data.seal import seal, seal_holds

_MAGIC = (b"\x89HDF\r\n\x1a\n", b"CDF\x01", b"CDF\x02", b"CDF\x05")


def save(dataset: xr.Dataset, path: str | os.PathLike[str], schemas: Sequence[Schema]) -> Path:
    """Write data or a result of one of these kinds to a netCDF file, or a Zarr folder where the name ends in ".zarr".

    It is written beside the target and renamed, so the target is either as it was or wholly new. `load` gives the same
    Dataset back.

    Raises:
        ElectionDataError: a Dataset of no such kind or one that breaks its schema, no such parent folder, or a Zarr
            folder without zarr.
    """
    target = in_a_folder(path)
    checked = checked_kind(dataset, "the Dataset", schemas)
    if target.suffix == ".zarr":
        need_zarr(target)
    with atomic_path(target) as partial:
        if target.suffix == ".zarr":
            checked.to_zarr(partial, mode="w", zarr_format=2, consolidated=True)
        else:
            checked.to_netcdf(partial, engine="h5netcdf")
        seal(partial)
    return target


def load(path: str | os.PathLike[str], schemas: Sequence[Schema]) -> xr.Dataset:
    """What `save` wrote: data or a result of one of these kinds, checked against its schema.

    Raises:
        ElectionDataError: no such file, a file that cannot be opened or is damaged, another kind, or content that
            breaks the schema.
    """
    file = _of_run(Path(path))
    kinds = ", ".join(schema.name for schema in schemas)
    if not file.exists():
        raise data_error("no such file", where=str(path), expected=f"a file of {kinds}", mend="check the path")
    if not is_netcdf(file) and not is_zarr(file):
        raise data_error("neither netCDF nor Zarr", where=str(path), expected=f"a file of {kinds}", mend="read it")
    dataset = read_netcdf(file, expected=f"{kinds}, as `save` writes them", mend="save it again", where=str(path))
    source = dataset.attrs.get("source")
    checked = checked_kind(dataset.assign_attrs(source=str(path)), str(path), schemas)  # faults are of this file
    if source is None:
        del checked.attrs["source"]
        return as_finished(checked)
    return as_finished(checked.assign_attrs(source=source))


def checked_kind(dataset: xr.Dataset, where: str, schemas: Sequence[Schema]) -> xr.Dataset:
    """The Dataset, checked by the schema it belongs to.

    Raises:
        ElectionDataError: it belongs to none of them, or breaks its schema.
    """
    if not isinstance(dataset, xr.Dataset):
        kinds = ", ".join(schema.name for schema in schemas)
        raise data_error(
            f"found {type(dataset).__name__}", where=where, expected=f"a Dataset of {kinds}", mend="pass it"
        )
    schema = schema_of(dataset, schemas)
    if schema is None:
        unknown_kind(dataset, where, schemas)
    return conform(dataset, schema)


def _of_run(path: Path) -> Path:
    """The fit in the folder of a run that has one; else the path as it is.

    Raises:
        ElectionDataError: the folder of a run that has several fits, or none.
    """
    if not (path / "metrics.json").is_file():
        return path
    fits = sorted(path.glob("fit*.nc"))
    if len(fits) != 1:
        found = ", ".join(fit.name for fit in fits) or "no fit"
        mend = f"give the file, as in {fits[0]}" if fits else "give the run of a task that fits something"
        raise data_error(f"a run with {found}", where=str(path), expected="a run with one fit", mend=mend)
    return fits[0]


def is_netcdf(path: Path) -> bool:
    """Whether the file begins as netCDF does."""
    if not path.is_file():
        return False
    with open(path, "rb") as file:
        return file.read(8).startswith(_MAGIC)


def is_zarr(path: Path) -> bool:
    """Whether the folder is a Zarr store."""
    return path.is_dir() and any((path / name).exists() for name in ("zarr.json", ".zgroup", ".zmetadata"))


@contextmanager
def opened(path: Path, *, expected: str, mend: str, where: str | None = None) -> Iterator[xr.Dataset]:
    """Open a netCDF file or Zarr folder; variables are read when they are used.

    Args:
        expected, mend: for the error of a file that cannot be opened.
        where: what that error calls the file; its name by default.
    """
    try:
        holds = seal_holds(path)
        if holds is False:
            problem = "damaged, or changed by another program since `save` wrote it"
            raise data_error(problem, where=where or path.name, expected=expected, mend=mend)
        if is_zarr(path):
            from electjax.data.guarded import size_of, too_large

            need_zarr(path)
            ds = xr.open_zarr(path, chunks=None)
            if too_large(ds.nbytes, size_of(path)):
                raise ValueError(f"arrays of {ds.nbytes:,} bytes in a folder of {size_of(path):,}")
        else:
            if not holds:  # one that is as it was written cannot harm, and opens sooner
                from electjax.data.guarded import guarded

                guarded("netcdf", path, expected=expected, mend=mend, where=where)
            ds = xr.open_dataset(path, engine="h5netcdf")
    except ElectionDataError:
        raise
    except Exception as error:  # a damaged file makes the libraries below raise whatever they like
        raise _unopened(error, where or path.name, expected, mend) from None
    with ds:
        ds.attrs = plain_attrs(ds.attrs)
        yield ds


def read_netcdf(path: Path, *, expected: str, mend: str, where: str | None = None) -> xr.Dataset:
    """A whole netCDF file or Zarr folder in memory, as the Dataset was that it was written from; as `opened`."""
    with opened(path, expected=expected, mend=mend, where=where) as ds:
        try:
            return loaded(ds)
        except Exception as error:
            raise _unopened(error, where or path.name, expected, mend) from None


def loaded(ds: xr.Dataset) -> xr.Dataset:
    """This Dataset in memory, text and numbers as they were, without what the file says of its storage."""
    ds = ds.load().copy()
    ds.attrs = plain_attrs(ds.attrs)
    for name, variable in ds.variables.items():
        if variable.dtype.kind in "OTSU":  # variable-length strings come back as objects
            ds[name] = variable.copy(data=np.array(variable.values.tolist(), dtype=np.str_))
        ds[name].encoding = {}
    ds.encoding = {}
    return ds


def plain_attrs(attrs: Mapping[Any, Any]) -> dict[Any, Any]:
    """Attributes with the numbers and lists of Python, which files give back as numpy's."""
    return {key: v.tolist() if isinstance(v, np.generic | np.ndarray) else v for key, v in attrs.items()}


def need_zarr(path: Path) -> None:
    """Refuse a Zarr folder where zarr is not installed."""
    if importlib.util.find_spec("zarr") is None:
        raise data_error(
            "this is a Zarr folder and zarr is not installed",
            where=path.name,
            expected="the package zarr",
            mend="pip install 'electjax[zarr]', or use netCDF",
        )


def _unopened(error: Exception, where: str, expected: str, mend: str) -> ElectionDataError:
    return data_error(f"cannot be opened ({error})", where=where, expected=expected, mend=mend)
