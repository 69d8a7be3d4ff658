"""Cast ballots from files, whole or in chunks of voters; every format told apart by its beginning."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any, TypeVar

import xarray as xr

from electjax.data.errors import data_error, data_warning, suggest
from electjax.data.notes import with_notes
from electjax.data.options import with_options
from electjax.data.reading import TableOptions
from electjax.data.store import is_netcdf, is_zarr, loaded
from electjax.voter_types.ballots import place
from electjax.voter_types.options import ReadOptions, StreamOptions, TextOptions
from electjax.voter_types.readers.common import Reader, Source, known_readers
from electjax.voter_types.readers.marks import refuse_unused
from electjax.voter_types.schema import checked

_OF_TABLES = (
    *(item.name for item in fields(TableOptions)),
    *("weight", "cluster", "covariates", "blank", "incomplete", "overvote", "absent"),
)
Options = TypeVar("Options", bound=TextOptions)


@with_options
def read(source: Any, *, options: ReadOptions) -> xr.Dataset:
    """Read cast ballots into a ballots Dataset.

    Formats, told apart by their beginning:

    - wide tables, one row per voter: columns `y_<office>` with the document's codes and `m_<office>` with the menus; or
      one column of labels per office, coded 0, 1, ... in sorted order (numeric where all labels are numbers), the
      labels kept in `option_label`. Columns of the voter and the weight are known by their usual names. A column with
      another value in every row, or with hundreds of values, is no office.
    - tables as poLCA and StepMix take them: whole numbers from 1, NA where missing, a column count, freq or weight.
    - long tables, one row per vote: voter, office, choice[, menu][, weight][, party of the choice][, covariates].
    - cast-vote records exported by Dominion systems (CSV, with its four rows of names or with two; JSON as a folder, a
      zip, or CvrExport.json beside its manifests), by Clear Ballot (CSV), ES&S (workbook or CSV) and Hart (XML, a file
      for each ballot, in a folder or zip); NIST 1500-103 (JSON and XML, one report or several).
    - the database of cast-vote records of 2020: Parquet in folders state=/county_name=, of which `where` on these two
      reads only what it names. Ballots are unique ones with a `weight`, relative to the vote for president unless
      `scheme` says "options"; menus are the parties with a vote in the voter's district; `cluster="county_name"`.
    - netCDF files and Zarr folders by `voter_types.save`; a Zarr folder is read when its values are used.

    A table is delimited text (packed or not), a workbook, Parquet, or a pandas, polars or Arrow table. NA, null and
    blanks are missing; what a blank of an office means is said by `blank`. Undervote, overvote and write-in are
    understood in every format. `row` of a voter is the line of the file. With `scheme` the ballots are coded relative
    to the top of the ticket (`voter_types.recode`); labels that are the codes of the scheme stay as they are. Contests
    in which a voter has several votes are listed in the attribute `left_out`; `notes` says how the table was read.
    Ballots that are alike all count, as they are secret; a voter's label that occurs twice is refused.

    Args:
        source: a path, a table, or a ballots Dataset.

    Returns:
        A checked ballots Dataset.

    Raises:
        ElectionDataError: one line that names the file, the row and the column, what was found, what was expected
            and how to mend it.

    Example:
        >>> import tempfile
        >>> from pathlib import Path
        >>> from electjax import voter_types
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     file = Path(folder, "votes.csv")
        ...     _ = file.write_text("voter,Mayor,Sheriff\\n1,Ann,Cy\\n2,Bob,Cy\\n3,Ann,Di\\n")
        ...     ballots = voter_types.read(file)
        >>> ballots["option_label"].sel(office="Mayor").values.tolist(), ballots["choice"].values.tolist()
        (['Ann', 'Bob'], [[0, 0], [1, 0], [0, 1]])
    """
    ballots = _read(source, _listed(options))
    if options.name is not None:
        ballots.attrs["name"] = options.name
    if options.scheme is not None and ballots.attrs["scheme"] != options.scheme:
        from electjax.voter_types.verbs.recode import recode  # only where it is asked for

        before = ballots
        ballots = recode(before, scheme=options.scheme, top=options.top, parties=options.parties)
        left = before.sizes["voter"] - ballots.sizes["voter"]
        if left:
            said = f"{left} voters without a vote at the top for one of the two parties are left out"
            ballots = with_notes(ballots.assign_attrs(notes=before.attrs.get("notes", "")), [said])
    if not _is_lazy(ballots) and ballots.attrs["scheme"] == "ticket" and not (ballots["choice"] == 0).any():
        data_warning(
            "nobody abstains, as no vote has the code 0; pass blank='abstain' if a blank is no vote",
            where=place(ballots),
        )
    return ballots


@with_options
def stream(source: Any, *, options: StreamOptions) -> Iterator[xr.Dataset]:
    """Yield ballots as small Datasets of at most `chunk` voters, each checked; never all of them in memory.

    All chunks have the same offices, options and labels: text is therefore read twice. The `scheme` of a table must be
    one that its codes already have. To recode chunks, name the parties, as each chunk alone could differ
    in its two largest: `(voter_types.recode(part, parties=("DEM", "REP")) for part in voter_types.stream(path))`.

    Args:
        source: a Dataset (also one that is read lazily), a Zarr folder or netCDF file by `voter_types.save`, a wide
            table, cast-vote records in CSV, or a database of them in Parquet, which is recoded, county by county.

    Returns:
        An iterator over Datasets of ballots, in the order of the file.

    Raises:
        ElectionDataError: as `voter_types.read`, and for a format whose voters cannot be read in turn.

    Example:
        >>> from electjax import voter_types
        >>> ballots = voter_types.yuma_like(voters=200)
        >>> [part.sizes["voter"] for part in voter_types.stream(ballots, chunk=80)]
        [80, 80, 40]
    """
    from electjax.voter_types.store import dataset_slices, slices  # only for what was saved

    if isinstance(source, xr.Dataset):
        return dataset_slices(source, options.chunk)
    if isinstance(source, str | os.PathLike) and _is_saved(_existing(Path(source))):
        return slices(Path(source), options.chunk)
    found = Source(source, _listed(options))
    reader = _reader(found)
    if reader.stream is None:
        raise data_error(
            f"{reader.name}: {reader.whole}",
            where=found.table_name,
            expected="a Zarr folder, netCDF, a wide table, cast-vote records in CSV or a database of them",
            mend="use voter_types.read; to stream from then on, save what it gives as 'ballots.zarr'",
        )
    return reader.stream(found, _listed(options), options.chunk)


def _read(given: Any, options: ReadOptions) -> xr.Dataset:
    if isinstance(given, xr.Dataset):
        refuse_unused(options, _OF_TABLES, place(given), "a Dataset")
        return _chosen(checked(given, options.invalid), options)
    if isinstance(given, str | os.PathLike) and _is_saved(_existing(Path(given))):
        return _stored(Path(given), options)
    source = Source(given, options)
    return _reader(source).read(source, options)


def _is_lazy(ballots: xr.Dataset) -> bool:
    return not ballots["choice"].variable._in_memory


def _is_saved(path: Path) -> bool:
    return is_netcdf(path) or is_zarr(path)


def _existing(path: Path) -> Path:
    if not path.exists():
        raise data_error("no such file", where=str(path), expected="an existing file or folder", mend="check the path")
    return path


def _reader(source: Source) -> Reader:
    """The first reader that recognises a source."""
    for reader in known_readers():
        if reader.recognises(source):
            return reader
    if not source.path.is_dir():
        raise source.table.fault("no columns", expected="a table of ballots", mend="pass one")  # or says what it is
    raise data_error(
        "this is a folder",
        where=str(source.path),
        expected="a file, a Zarr folder, or an export of cast-vote records",
        mend="name the file in it",
    )


def _listed(options: Options) -> Options:
    """Options as the readers take them: names in lists, and a scheme only where it is that of all offices."""

    def names(value: Sequence[str] | None) -> Sequence[str] | None:
        return [value] if isinstance(value, str) else value

    return replace(
        options,
        offices=names(options.offices),
        covariates=names(options.covariates) or None,
        scheme=options.scheme if isinstance(options.scheme, str) else None,
    )


def _stored(path: Path, options: ReadOptions) -> xr.Dataset:
    """Saved ballots: a netCDF file is loaded and checked, a Zarr folder is read when its values are used."""
    from electjax.voter_types.store import opened  # only for what was saved

    refuse_unused(options, _OF_TABLES, path.name, "saved ballots")
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
            ballots = checked(loaded(ds), options.invalid)
    ballots.attrs["source"] = path.name
    return _chosen(ballots, options)


def _chosen(ballots: xr.Dataset, options: ReadOptions) -> xr.Dataset:
    """The offices that are asked for."""
    if options.offices is None:
        return ballots
    known = [str(name) for name in ballots["office"].values]
    for name in options.offices:
        if name not in known:
            raise data_error(f"no office {name!r}", where=place(ballots), expected="offices", mend=suggest(name, known))
    return ballots.sel(office=list(options.offices))
