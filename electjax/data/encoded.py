"""Arrow columns as the numbers of their texts."""

from collections.abc import Sequence
from datetime import datetime, time
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as arrow

from electjax.data.numbers import AS_ONE
from electjax.data.text import spaced


def one_dictionary(parts: Sequence[pa.Array]) -> pa.DictionaryArray:
    """Parts of a column as one, with one dictionary."""
    if not parts:
        return pa.array([], pa.string()).dictionary_encode()
    if not pa.types.is_dictionary(parts[0].type):  # in one piece, as codes of pieces would have to be made one again
        return pa.concat_arrays(parts).dictionary_encode()
    return pa.concat_arrays(pa.chunked_array(parts).unify_dictionaries().chunks)


def codes_and_texts(column: pa.DictionaryArray) -> tuple[np.ndarray, Sequence[str]]:
    """A column of texts, none of them missing, as the numbers of its texts, and the texts."""
    return column.indices.to_numpy(zero_copy_only=False), column.dictionary.to_pylist()


def encoded(column: pa.ChunkedArray) -> tuple[np.ndarray, list[str]]:
    """Codes and texts of a column of any type; what is missing is the last text, ""."""
    kind = column.type
    if pa.types.is_float16(kind):
        column = column.cast(pa.float32())
    elif pa.types.is_null(kind) or pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
        column = column.cast(pa.string())
    whole = one_dictionary(column.chunks)
    texts = [cell_text(value) for value in whole.dictionary.to_pylist()]
    codes = arrow.fill_null(whole.indices, len(texts)).to_numpy(zero_copy_only=False)
    return codes.astype(np.int32), [*texts, ""]


def cell_text(cell: Any) -> str:
    """A cell as text; a whole number that is kept as a decimal one has no decimals, a day no time.

    A number with three decimals gets a fourth, as it is a number already, and no text that may mean 1.346 thousands.
    """
    if cell is None:
        return ""
    if isinstance(cell, float) and cell.is_integer() and abs(cell) < 1e15:
        return str(int(cell))
    if isinstance(cell, datetime) and cell.time() == time():
        return str(cell.date())
    text = spaced(str(cell))
    return f"{text}0" if not isinstance(cell, str) and AS_ONE.fullmatch(text) else text
