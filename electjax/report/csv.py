"""Tables of a result as tidy CSV files that a spreadsheet opens safely."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

_FORMULA = ("=", "+", "-", "@", "\t", "\r")  # what a spreadsheet takes for the beginning of a formula


def write_tables(folder: Path, tables: Mapping[str, pd.DataFrame]) -> None:
    """Write each table as `tables/<name>.csv`, its index as columns where it has names; empty tables are left out.

    Text that a spreadsheet would take for a formula gets an apostrophe before it; all else is as it is, in UTF-8.
    """
    for name, table in tables.items():
        if len(table):
            path = folder / "tables" / f"{name}.csv"
            path.parent.mkdir(exist_ok=True)
            safe_table(table).to_csv(path, index=False, lineterminator="\n")


def safe_table(table: pd.DataFrame) -> pd.DataFrame:
    """The table with its named index as columns, and no text that begins a formula."""
    flat = table.reset_index() if any(name is not None for name in table.index.names) else table
    columns = [flat.iloc[:, k] for k in range(flat.shape[1])]
    safe = [column if column.dtype.kind in "iufbM" else column.map(_safe) for column in columns]
    return pd.concat(safe, axis=1, keys=[_safe(str(name)) for name in flat.columns])


def _safe(value: Any) -> Any:
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value
