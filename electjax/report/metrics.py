"""Numbers of a run as metrics.json has them."""

import math
from typing import Any

import numpy as np
import xarray as xr

Metrics = dict[str, Any]


def plain(value: Any) -> Any:
    """A JSON value: scalars and arrays become numbers and lists, NaN and infinities None."""
    array = np.asarray(value)
    if array.ndim:
        return [plain(item) for item in array]
    item = array.item()
    return None if isinstance(item, float) and not math.isfinite(item) else item


def single_numbers(dataset: xr.Dataset) -> Metrics:
    """The variables of a Dataset that have one value."""
    return {str(name): plain(value) for name, value in dataset.data_vars.items() if not value.ndim}
