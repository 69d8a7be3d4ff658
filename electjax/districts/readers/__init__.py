"""Readers of election returns, one file per format, told apart by their headers.

Adding a format is one file with a `READER` and one line in `READERS`. The first reader that recognises a file
reads it.
"""

from electjax.districts.readers import lokdhaba, mit, netcdf, tcpd, tidy, wide
from electjax.districts.readers.base import Reader

READERS: tuple[Reader, ...] = (
    netcdf.READER,
    lokdhaba.READER,
    tcpd.READER,
    mit.READER,
    tidy.READER,
    wide.READER,
)
