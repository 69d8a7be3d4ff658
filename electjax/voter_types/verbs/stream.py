"""Ballots in chunks of voters, for files that do not fit into memory."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import xarray as xr

from electjax.data.errors import data_error
from electjax.data.records import Records
from electjax.data.store import is_netcdf, is_zarr
from electjax.voter_types.readers.cvr_csv import stream_cvr_csv
from electjax.voter_types.readers.options import ReadOptions
from electjax.voter_types.readers.wide import stream_wide
from electjax.voter_types.store import dataset_slices, slices
from electjax.voter_types.verbs.read import text_kind


def stream(
    source: str | os.PathLike[str] | xr.Dataset, *, chunk: int = 1 << 18, encoding: str = "utf-8-sig", **options: Any
) -> Iterator[xr.Dataset]:
    """Yield ballots as small Datasets of at most `chunk` voters, each checked; never all of them in memory.

    All chunks have the same offices, options and labels: a wide CSV of labels is therefore read twice. To recode
    chunks, name the parties, as each chunk alone could differ in its two largest:
    `(voter_types.recode(part, parties=("DEM", "REP")) for part in voter_types.stream(path))`.

    Args:
        source: a Dataset (also one that is read lazily), a Zarr folder or netCDF file by `save`, a wide CSV,
            or cast-vote records in Dominion's CSV.
        chunk: most voters per Dataset.
        encoding: codec of a text file.
        options: for text, as in `read`: offices, weight, cluster, covariates, invalid, incomplete, overvote,
            and a scheme the codes of the file already have.

    Raises:
        ElectionDataError: as `voter_types.read`, and for a format whose voters cannot be read in turn.
    """
    if chunk < 1:
        raise data_error(
            f"found {chunk}", where="voter_types.stream(chunk=)", expected="at least 1", mend="pass a count"
        )
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
        mend="save it once: voter_types.save(voter_types.read(path), 'ballots.zarr')",
    )
