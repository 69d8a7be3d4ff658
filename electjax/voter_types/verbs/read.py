"""Cast ballots from files, whole or in chunks of voters; every format told apart by its beginning."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import xarray as xr

from electjax.data.errors import data_error
from electjax.data.options import with_options
from electjax.data.store import is_netcdf, is_zarr, loaded
from electjax.voter_types.options import ReadOptions, StreamOptions, TextOptions
from electjax.voter_types.readers.common import Reader, Source, known_readers
from electjax.voter_types.schema import checked

Options = TypeVar("Options", bound=TextOptions)


@with_options
def read(path: str | os.PathLike[str], *, options: ReadOptions) -> xr.Dataset:
    """Read cast ballots into a ballots Dataset.

    Formats, told apart by their beginning:

    - wide CSV, one row per voter: columns `y_<office>` with the document's codes and `m_<office>` with the menus; or
      one column of labels per office, coded 0, 1, ... in sorted order (numeric where all labels are numbers), the
      labels kept in `option_label`. Columns "weight" and "voter" or "id" are known by name.
    - long CSV, one row per vote: voter, office, choice[, menu][, weight][, party of the choice][, covariates].
    - cast-vote records exported by Dominion systems, as CSV or as JSON (a folder, a zip, or CvrExport.json beside its
      manifests).
    - netCDF files and Zarr folders by `voter_types.save`; a Zarr folder is read when its values are used.

    Text may be separated by commas, semicolons or tabs, and gzipped or zipped. Blank, NA, NaN and "." are missing.
    `row` of a voter is the line of the file (the session, in JSON). With `scheme` the ballots are coded relative to
    the top of the ticket (`voter_types.recode`); labels that are the codes of the scheme stay as they are. Contests
    in which a voter has several votes are listed in the attribute `left_out`.

    Args:
        path: the file or folder.

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
    ballots = _read(Path(path), _listed(options))
    if options.name is not None:
        ballots.attrs["name"] = options.name
    if options.scheme is None or ballots.attrs["scheme"] == options.scheme:
        return ballots
    from electjax.voter_types.verbs.recode import recode  # only where it is asked for

    return recode(ballots, scheme=options.scheme, top=options.top, parties=options.parties)


@with_options
def stream(source: str | os.PathLike[str] | xr.Dataset, *, options: StreamOptions) -> Iterator[xr.Dataset]:
    """Yield ballots as small Datasets of at most `chunk` voters, each checked; never all of them in memory.

    All chunks have the same offices, options and labels: a wide CSV of labels is therefore read twice. The `scheme` of
    text must be one that its codes already have. To recode chunks, name the parties, as each chunk alone could differ
    in its two largest: `(voter_types.recode(part, parties=("DEM", "REP")) for part in voter_types.stream(path))`.

    Args:
        source: a Dataset (also one that is read lazily), a Zarr folder or netCDF file by `voter_types.save`, a wide
            CSV, or cast-vote records in Dominion's CSV.

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
    path = _existing(Path(source))
    if is_zarr(path) or is_netcdf(path):
        return slices(path, options.chunk)
    text = Source(path, options)
    reader = _reader(text)
    if reader.stream is None:
        raise data_error(
            "one voter's votes may lie far apart in this format",
            where=path.name,
            expected="a Zarr folder, netCDF, wide CSV or cast-vote records in CSV",
            mend="save it once: voter_types.save(voter_types.read(path), 'ballots.zarr')",
        )
    return reader.stream(text, _listed(options), options.chunk)


def _read(path: Path, options: ReadOptions) -> xr.Dataset:
    _existing(path)
    if is_netcdf(path) or is_zarr(path):
        return _stored(path, options)
    source = Source(path, options)
    return _reader(source).read(source, options)


def _existing(path: Path) -> Path:
    if not path.exists():
        raise data_error("no such file", where=str(path), expected="an existing file or folder", mend="check the path")
    return path


def _reader(source: Source) -> Reader:
    """The first reader that recognises a source."""
    for reader in known_readers():
        if reader.recognises(source):
            return reader
    raise data_error(
        "this is a folder",
        where=str(source.path),
        expected="a file, a Zarr folder, or an export with CvrExport*.json",
        mend="name the file in it",
    )


def _listed(options: Options) -> Options:
    """Options as the readers take them: names in lists, and a scheme only where it is that of all offices."""

    def names(value: Sequence[str] | None) -> Sequence[str] | None:
        return [value] if isinstance(value, str) else value

    return replace(
        options,
        offices=names(options.offices),
        covariates=names(options.covariates) or (),
        scheme=options.scheme if isinstance(options.scheme, str) else None,
    )


def _stored(path: Path, options: ReadOptions) -> xr.Dataset:
    """Saved ballots: a netCDF file is loaded and checked, a Zarr folder is read when its values are used."""
    from electjax.voter_types.store import opened  # only for what was saved

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
            ballots = checked(loaded(ds), options.invalid)
    ballots.attrs["source"] = path.name
    return ballots if options.offices is None else ballots.sel(office=list(options.offices))
