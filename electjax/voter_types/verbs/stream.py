"""Ballots in chunks of voters, for files that do not fit into memory."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import xarray as xr

from electjax.labelled.ballots.cvr_csv import stream_cvr_csv
from electjax.labelled.ballots.options import ReadOptions
from electjax.labelled.ballots.read import text_kind
from electjax.labelled.ballots.records import Records
from electjax.labelled.ballots.store import dataset_slices, is_netcdf, is_zarr, slices
from electjax.labelled.ballots.wide import stream_wide
from electjax.labelled.errors import data_error


def stream_ballots(
    source: str | os.PathLike[str] | xr.Dataset, *, chunk: int = 1 << 18, encoding: str = "utf-8-sig", **options: Any
) -> Iterator[xr.Dataset]:
    """Yield ballots as small Datasets of at most `chunk` voters, each checked; never all of them in memory.

    All chunks have the same offices, options and labels: a wide CSV of labels is therefore read twice. To recode
    chunks, name the parties, as each chunk alone could differ in its two largest:
    `(recode_ballots(part, parties=("DEM", "REP")) for part in stream_ballots(path))`.

    Args:
        source: a Dataset (also one that is read lazily), a Zarr folder or netCDF file by `save_ballots`, a wide CSV,
            or cast-vote records in Dominion's CSV.
        chunk: most voters per Dataset.
        encoding: codec of a text file.
        options: for text, as in `read_ballots`: offices, weight, cluster, covariates, invalid, incomplete, overvote,
            and a scheme the codes of the file already have.

    Raises:
        ElectionDataError: as `read_ballots`, and for a format whose voters cannot be read in turn.
    """
    if chunk < 1:
        raise data_error(f"found {chunk}", where="stream_ballots(chunk=)", expected="at least 1", mend="pass a count")
    if isinstance(source, xr.Dataset):
        return dataset_slices(source, chunk)
    path = Path(source)
    if not path.exists():
        raise data_error("no such file", where=str(path), expected="an existing file or folder", mend="check the path")
    if is_zarr(path) or is_netcdf(path):
        return slices(path, chunk)
    records = Records(path, encoding)
    kind = "folder" if path.is_dir() or path.suffix == ".json" else text_kind(records)
    if kind == "wide":
        return stream_wide(records, ReadOptions(**options), chunk)
    if kind == "cvr":
        return stream_cvr_csv(records, ReadOptions(**options), chunk)
    raise data_error(
        "one voter's votes may lie far apart in this format",
        where=path.name,
        expected="a Zarr folder, netCDF, wide CSV or cast-vote records in CSV",
        mend="save it once: save_ballots(read_ballots(path), 'ballots.zarr')",
    )
