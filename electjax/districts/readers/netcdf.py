"""netCDF as `districts.save` writes it: an election Dataset, read back identically."""

import io

import xarray as xr

from electjax.data.errors import ElectionDataError, data_error
from electjax.data.store import loaded
from electjax.districts.builders import award_seats
from electjax.districts.options import ReadOptions
from electjax.districts.readers.base import BINARY, Reader, Source
from electjax.districts.schema import validate


def _read(source: Source, options: ReadOptions) -> xr.Dataset:
    asked = options.selection() | ({} if options.poll_no is None else {"poll_no": options.poll_no})
    if asked:
        raise data_error(
            f"a netCDF election has no columns to select {', '.join(asked)} by",
            where=source.path.name,
            expected="one election",
            mend="leave the selection out",
        )
    try:
        with xr.open_dataset(io.BytesIO(source.raw), engine="h5netcdf") as opened:
            election = loaded(opened)
    except Exception as error:  # a damaged file makes the libraries below raise whatever they like
        raise data_error(
            f"cannot be opened ({error})",
            where=source.path.name,
            expected="netCDF 4 as districts.save writes it",
            mend="save the election again, or convert the file to netCDF 4",
        ) from None
    try:
        election = validate(election)
    except ElectionDataError as error:
        raise ElectionDataError(f"{source.path.name}: {error}") from None
    if election.attrs.get("others_may_win", 1) and not options.others_may_win:
        election = award_seats(election, others_may_win=False)
    return election


READER = Reader("netCDF", "an election saved by electjax", lambda header: header.magic.startswith(BINARY), _read)
