"""`electjax.districts.list`: what is embedded."""

from electjax.districts.catalogue import names


def list() -> tuple[str, ...]:
    """Names of the embedded elections, in the order of the catalogue."""
    return tuple(names())
