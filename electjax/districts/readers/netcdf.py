"""netCDF as `districts.save` writes it: an election Dataset, read back identically."""

import io

import numpy as np
import xarray as xr

from electjax.data.errors import ElectionDataError, data_error
from electjax.districts.readers.base import Header, Reader, ReadOptions, Source
from electjax.districts.schema import award_seats, validate

_HDF5 = b"\x89HDF\r\n\x1a\n"


def _matches(header: Header) -> bool:
    return header.magic.startswith((_HDF5, b"CDF"))


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
            election = opened.load()
    except (OSError, ValueError, KeyError) as error:
        raise data_error(
            f"cannot be opened ({error})",
            where=source.path.name,
            expected="netCDF 4 as districts.save writes it",
            mend="save the election again, or convert the file to netCDF 4",
        ) from None
    for name, variable in election.variables.items():
        if variable.dtype.kind in "OTSU":  # variable-length strings come back as objects
            election[name] = variable.copy(data=np.array(variable.values, dtype=np.str_))
        election[name].encoding = {}
    election.attrs = {k: v.item() if isinstance(v, np.generic) else v for k, v in election.attrs.items()}
    election.encoding = {}
    try:
        validate(election)
    except ElectionDataError as error:
        raise ElectionDataError(f"{source.path.name}: {error}") from None
    if election.attrs.get("others_may_win", 1) and not options.others_may_win:
        election = award_seats(election, others_may_win=False)
    return election


READER: Reader = Reader("netCDF", "an election saved by electjax", _matches, _read)
