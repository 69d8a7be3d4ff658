"""Tables as poLCA and StepMix take them: a column for each variable, whole numbers from 1, NA where not known.

A column called count, freq or weight says how many voters a row stands for. NA is a missing answer, and nothing else.
"""

from collections.abc import Iterator

import xarray as xr

from electjax.data.numbers import is_missing
from electjax.data.table import fold
from electjax.data.vocabulary import words_of
from electjax.voter_types.options import TextOptions
from electjax.voter_types.readers.common import Reader, Source, with_voters
from electjax.voter_types.readers.wide import build

_NAME = "poLCA"
_OPTIONS = frozenset(map(str, range(1, 51)))  # of a variable; "1²" is made of digits, too


def is_polca(source: Source) -> bool:
    """Whether all columns but those of voters begin with whole numbers from 1, and one of them is 1."""
    given = source.options
    if not source.header or any(name.casefold().startswith(("y_", "m_")) for name in source.header):
        return False
    named = (given.weight, given.cluster, given.top, *(given.covariates or ()), *given.where)
    voters = {fold(word) for word in (*words_of("weight"), *words_of("voter"), *filter(None, named))}
    offices = [p for p, name in enumerate(source.names) if name and name not in voters]
    texts = [{row[p] for row in source.sample if len(row) > p and not is_missing(row[p])} for p in offices]
    return bool(texts) and all("1" in own and all(text in _OPTIONS for text in own) for own in texts)


def read_polca(source: Source, options: TextOptions) -> xr.Dataset:
    """All rows of the table."""
    return build(source, source.table, options, _NAME, "missing")


def stream_polca(source: Source, options: TextOptions, size: int) -> Iterator[xr.Dataset]:
    """The rows of the table in chunks of `size`."""
    return with_voters(build(source, table, options, _NAME, "missing") for table in source.tables(size))


READERS = [Reader(_NAME, 8, is_polca, read_polca, stream_polca)]
