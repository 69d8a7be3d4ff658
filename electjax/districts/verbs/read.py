"""`electjax.districts.read`: election returns from a file or a frame."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import xarray as xr

from electjax.data.errors import data_error
from electjax.data.options import with_options
from electjax.data.rows import select, without_repeats
from electjax.data.sources import read_table
from electjax.data.store import is_netcdf, is_zarr
from electjax.districts.builders import award_seats, pool_parties
from electjax.districts.options import ReadOptions
from electjax.districts.readers import READERS
from electjax.districts.store import election_of


@with_options
def read(
    source: Any, *, top_parties: int | str | Sequence[str] | None = None, name: str | None = None, asked: ReadOptions
) -> xr.Dataset:
    r"""Read election returns into an election Dataset.

    Formats: tidy tables (district, party, votes), of OpenElections, the House of Commons Library, Elections Canada and
    others under the names they give their columns; wide tables (district, and a column a party); the 47- and 24-column
    TCPD Lok Dhaba files; MIT Election Lab returns of constituencies and of precincts; kerg2 of the Bundeswahlleiterin;
    an election saved by `districts.save`. A table is delimited text (packed or not), a workbook, Parquet, or a pandas,
    polars or Arrow table. Candidate-level files are summed per party; the seat goes to the candidate with most votes,
    never to a pool of independents and never to NOTA. In a party-level file a second row for a district and party is
    an error. Total rows are left out where a label says so, rows that repeat another are counted once, each with a
    warning; several elections in one table, shares, and districts of several seats are refused.

    Args:
        source: a path, a table, or an election Dataset.
        top_parties: how many parties to keep, or their labels; the rest is folded into "others". Default: all.
        name: name of the election; default: the file's.

    Returns:
        The election Dataset; see `districts.validate`. The attribute `notes` says how the table was read, `left_out`
        how many rows of bye-polls were left out.

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
    saved = isinstance(source, str | os.PathLike) and (is_netcdf(Path(source)) or is_zarr(Path(source)))
    election = _saved(source, asked) if saved or isinstance(source, xr.Dataset) else _table(source, asked)
    if name is not None:
        election = election.assign_attrs(name=name)
    return election if top_parties is None else pool_parties(election, top_parties)


def _table(source: Any, asked: ReadOptions) -> xr.Dataset:
    table = select(read_table(source, asked, rows="returns"), asked.selection())
    reader = next((reader for reader in READERS if reader.matches(table)), None)
    if reader is None:
        raise data_error(
            f"unknown columns: {', '.join(table.names[:12])}{table.doubt}",
            where=table.file,
            row=table.header,
            expected=" | ".join(f"{r.name} ({r.layout})" for r in READERS),
            mend="rename the columns to district, party, votes, or pass columns={'district': ..., 'party': ...}",
        )
    return reader.read(without_repeats(table, asked.repeated), asked)


def _saved(source: Any, asked: ReadOptions) -> xr.Dataset:
    choices = {**asked.selection(), **asked.where} | ({} if asked.poll_no is None else {"poll_no": asked.poll_no})
    if choices:
        raise data_error(
            f"an election has no columns to select {', '.join(choices)} by",
            where="the Dataset" if isinstance(source, xr.Dataset) else str(source),
            expected="one election",
            mend="leave the selection out",
        )
    election = election_of(source)
    if election.attrs.get("others_may_win", 1) and not asked.others_may_win:
        return award_seats(election, others_may_win=False)
    return election
