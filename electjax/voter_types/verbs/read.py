"""Read cast ballots: every format told apart by its first bytes and its header."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import xarray as xr

from electjax.data.errors import data_error
from electjax.data.records import Records
from electjax.data.store import is_netcdf, is_zarr, loaded
from electjax.voter_types.readers.cvr_csv import HEADER_ROWS, is_cvr, read_cvr_csv
from electjax.voter_types.readers.cvr_json import is_cvr_json, read_cvr_json
from electjax.voter_types.readers.long import is_long, read_long
from electjax.voter_types.readers.options import Absent, Overvote, ReadOptions
from electjax.voter_types.readers.voters import Incomplete
from electjax.voter_types.readers.wide import read_wide
from electjax.voter_types.schema import Invalid, Scheme, validate
from electjax.voter_types.store import opened
from electjax.voter_types.verbs.recode import recode


def read(
    path: str | os.PathLike[str],
    *,
    offices: Sequence[str] | None = None,
    top: str | None = None,
    scheme: Scheme | Mapping[str, Scheme] | None = None,
    parties: Sequence[str] | None = None,
    weight: str | None = None,
    cluster: str | None = None,
    covariates: Sequence[str] = (),
    invalid: Invalid = "error",
    incomplete: Incomplete = "error",
    absent: Absent = "missing",
    overvote: Overvote = "abstain",
    encoding: str = "utf-8-sig",
    name: str | None = None,
) -> xr.Dataset:
    """Read cast ballots into a ballots Dataset (see `electjax.voter_types.schema`).

    Formats, told apart by their beginning:

    - wide CSV, one row per voter: columns `y_<office>` with the document's codes and `m_<office>` with the menus; or
      one column of labels per office, coded 0, 1, ... in sorted order (numeric where all labels are numbers), the
      labels kept in `option_label`. Columns "weight" and "voter" or "id" are known by name.
    - long CSV, one row per vote: voter, office, choice[, menu][, weight][, party of the choice][, covariates].
    - cast-vote records exported by Dominion systems, as CSV or as JSON (a folder, a zip, or CvrExport.json beside its
      manifests).
    - netCDF files and Zarr folders by `voter_types.save`.

    Text may be separated by commas, semicolons or tabs, and gzipped or zipped. Blank, NA, NaN and "." are missing.
    `row` of a voter is the line of the file (the session, in JSON).

    Args:
        path: the file or folder.
        offices: which columns or contests are offices. Default: all that are not otherwise named; of cast-vote
            records, the contests in which a voter has one vote (the others are listed in the attribute `left_out`).
        top: name of the office at the top of the ticket, or of the voters' column with its party.
        scheme: code the ballots relative to the top of the ticket (`voter_types.recode`): "ticket", "split", or
            "options" as they come, also office by office. Labels that are the codes of the scheme stay as they are.
        parties: the two parties of the recoding. Default: those with most votes at the top.
        weight, cluster, covariates: columns of voters. A covariate of text becomes an indicator for each level but
            the first, term "party[R]".
        invalid: votes for an option that is not on the menu are an "error" or "missing", with a warning.
        incomplete: voters with a blank covariate are an "error", or left out ("drop") and counted in the attribute
            `incomplete_voters`.
        absent: in a long file without menus, an office without a row is "missing", or "off_ballot".
        overvote: a contest with too many marks is an abstention, as no vote is counted, or "missing".
        encoding: codec of a text file.
        name: name of the ballots; default: the file's.

    Raises:
        ElectionDataError: one line that names the file, the row and the column, what was found, what was expected
            and how to mend it.
    """
    source = Path(path)
    one = scheme if isinstance(scheme, str) else None
    options = ReadOptions(
        offices=offices,
        top=top,
        scheme=one,
        weight=weight,
        cluster=cluster,
        covariates=covariates,
        invalid=invalid,
        incomplete=incomplete,
        absent=absent,
        overvote=overvote,
    )
    ballots = _read(source, options, encoding)
    if name is not None:
        ballots.attrs["name"] = name
    if scheme is not None and ballots.attrs["scheme"] != scheme:
        return recode(ballots, scheme=scheme, top=top, parties=parties)
    return ballots


def _read(path: Path, options: ReadOptions, encoding: str) -> xr.Dataset:
    if not path.exists():
        raise data_error("no such file", where=str(path), expected="an existing file or folder", mend="check the path")
    if is_netcdf(path) or is_zarr(path):
        return _stored(path, options)
    if is_cvr_json(path):
        return read_cvr_json(path, options)
    if path.is_dir():
        raise data_error(
            "this is a folder",
            where=str(path),
            expected="a file, a Zarr folder, or an export with CvrExport*.json",
            mend="name the file in it",
        )
    records = Records(path, encoding)
    kind = text_kind(records)
    return {"cvr": read_cvr_csv, "long": read_long, "wide": read_wide}[kind](records, options)


def text_kind(records: Records) -> str:
    """ "cvr", "long" or "wide", by the header."""
    head = records.head(HEADER_ROWS)
    if is_cvr(head):
        return "cvr"
    return "long" if is_long(frozenset(cell.casefold() for cell in head[0])) else "wide"


def _stored(path: Path, options: ReadOptions) -> xr.Dataset:
    """Saved ballots: a netCDF file is loaded and checked, a Zarr folder is read when its values are used."""
    given = {"weight": options.weight, "cluster": options.cluster, "covariates": options.covariates or None}
    for what, value in given.items():
        if value:
            raise data_error(
                f"{what}={value!r} for saved ballots",
                where=path.name,
                expected="none",
                mend="name it when reading text",
            )
    with opened(path) as ds:
        if "choice" not in ds or "voter" not in ds["choice"].dims:
            raise data_error(
                "no ballots in it", where=path.name, expected="choice(voter, office)", mend="check the file"
            )
        if is_zarr(path) and options.scheme is None and options.invalid == "error":
            for name in (name for name in ds.variables if "voter" not in ds[name].dims):
                ds[name] = loaded(ds[[name]])[name]
            ballots = ds
        else:
            ballots = validate(loaded(ds), invalid=options.invalid)
    ballots.attrs["source"] = path.name
    return ballots if options.offices is None else ballots.sel(office=list(options.offices))
