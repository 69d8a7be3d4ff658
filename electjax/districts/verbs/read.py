"""`electjax.districts.read`: election returns from a file."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import xarray as xr

from electjax.data.errors import data_error
from electjax.data.returns_table import open_bytes
from electjax.districts.readers import READERS, netcdf
from electjax.districts.readers.base import Fusion, Header, Policy, ReadOptions, Source
from electjax.districts.schema import pool_parties


def read(
    path: str | os.PathLike[str],
    *,
    top_parties: int | str | Sequence[str] | None = None,
    independents: Policy = "others",
    nota: Policy = "others",
    others_may_win: bool = True,
    year: int | None = None,
    assembly_no: int | None = None,
    poll_no: int | None = None,
    where: Mapping[str, object] | None = None,
    encoding: str = "utf-8-sig",
    party_column: str = "party_simplified",
    fusion: Fusion = "line",
    name: str | None = None,
) -> xr.Dataset:
    """Read election returns into an election Dataset (see `electjax.districts.schema`).

    Formats: tidy CSV (district, party, votes), wide CSV (district, votes_<party>, ...), the 47- and 24-column
    TCPD Lok Dhaba files, MIT Election Lab CSV, and netCDF by `districts.save`. Text may be separated by
    commas, semicolons or tabs, and gzipped. Candidate-level files are summed per party; the seat goes to the
    candidate with most votes, never to a pool of independents and never to NOTA. In a party-level file a
    second row for a district and party is an error.

    Args:
        path: the file.
        top_parties: how many parties to keep, or their labels; the rest is folded into "others". Default:
            all.
        independents: votes for independents go to "others", form the "party" `IND`, or are left out ("drop":
            as though they had not stood).
        nota: the same for none of the above (in MIT files: blank and void ballots too).
        others_may_win: whether "others" may hold seats; if not, the best named party of the district does.
        year, assembly_no: which election, in a file that holds several.
        poll_no: which poll of a TCPD file; default 0, the general poll, so bye-polls (1, 2, ...) are left out
            and counted in the attribute `left_out`.
        where: further conditions, column name to value, e.g. `{"office": "US SENATE"}`.
        encoding: codec of a text file.
        party_column: `party_simplified` or `party_detailed`, MIT files only.
        fusion: MIT files only: a candidate's votes on several ballot lines count for each "line"'s party, or
            all for the "candidate"'s main party.
        name: name of the election; default: the file's.

    Raises:
        ElectionDataError: one line that names file, row (line of the file, the header is 1) and column, what
            was expected and how to mend it. Votes above electors or a tie at the top are warnings
            (`ElectionDataWarning`).
    """
    options = ReadOptions(
        independents=independents,
        nota=nota,
        others_may_win=others_may_win,
        year=year,
        assembly_no=assembly_no,
        poll_no=poll_no,
        where=dict(where or {}),
        party_column=party_column,
        fusion=fusion,
    )
    source = Source(Path(path), open_bytes(Path(path)), encoding)
    magic = source.raw[:8]
    binary = netcdf.READER.matches(Header(magic, frozenset()))
    columns = () if binary else source.table.columns
    header = Header(magic, frozenset(c.casefold() for c in columns))
    reader = next((r for r in READERS if r.matches(header)), None)
    if reader is None:
        raise data_error(
            f"unknown columns: {', '.join(columns[:12])}",
            where=source.path.name,
            row=1,
            expected=" | ".join(f"{r.name} ({r.layout})" for r in READERS),
            mend="rename the columns to district, party, votes",
        )
    election = reader.read(source, options)
    if name is not None:
        election.attrs["name"] = name
    return election if top_parties is None else pool_parties(election, top_parties)
