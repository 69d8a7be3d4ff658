"""`electjax.districts.read`: election returns from a file."""

import os
from collections.abc import Sequence
from pathlib import Path

import xarray as xr

from electjax.data.errors import data_error
from electjax.data.options import with_options
from electjax.data.returns_table import open_bytes
from electjax.districts.builders import pool_parties
from electjax.districts.options import ReadOptions
from electjax.districts.readers import READERS
from electjax.districts.readers.base import Source


@with_options
def read(
    path: str | os.PathLike[str],
    *,
    top_parties: int | str | Sequence[str] | None = None,
    name: str | None = None,
    asked: ReadOptions,
) -> xr.Dataset:
    r"""Read election returns into an election Dataset.

    Formats: tidy CSV (district, party, votes), wide CSV (district, votes_<party>, ...), the 47- and 24-column
    TCPD Lok Dhaba files, MIT Election Lab CSV, and netCDF by `districts.save`. Text may be separated by
    commas, semicolons or tabs, and gzipped. Candidate-level files are summed per party; the seat goes to the
    candidate with most votes, never to a pool of independents and never to NOTA. In a party-level file a
    second row for a district and party is an error.

    Args:
        path: the file.
        top_parties: how many parties to keep, or their labels; the rest is folded into "others". Default: all.
        name: name of the election; default: the file's.

    Returns:
        The election Dataset; see `districts.validate`. Bye-polls that were left out are counted in the attribute
        `left_out`.

    Raises:
        ElectionDataError: one line that names file, row (line of the file, the header is 1) and column, what
            was expected and how to mend it. Votes above electors or a tie at the top are warnings
            (`ElectionDataWarning`).

    Examples:
        >>> import electjax, pathlib, tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     file = pathlib.Path(folder, "returns.csv")
        ...     _ = file.write_text("district,party,votes\nX,A,60\nX,B,40\nY,A,30\nY,B,70\n")
        ...     election = electjax.districts.read(file)
        >>> election["votes"].sel(district="Y").values.tolist(), election["winner"].values.tolist()
        ([70, 30], ['A', 'B'])
    """
    source = Source(Path(path), open_bytes(Path(path)), asked.encoding)
    reader = next((reader for reader in READERS if reader.matches(source.header)), None)
    if reader is None:
        raise data_error(
            f"unknown columns: {', '.join(source.table.columns[:12])}",
            where=source.path.name,
            row=1,
            expected=" | ".join(f"{r.name} ({r.layout})" for r in READERS),
            mend="rename the columns to district, party, votes",
        )
    election = reader.read(source, asked)
    if name is not None:
        election.attrs["name"] = name
    return election if top_parties is None else pool_parties(election, top_parties)
