"""The report of a run, by the wing that made it."""

from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import xarray as xr

from electjax.calm.report.page import report as calm
from electjax.districts.report.page import report as districts
from electjax.ecological.report.page import report as ecological
from electjax.report import report as floor
from electjax.report.metrics import Metrics
from electjax.voter_types.report.page import report as voter_types


def report_of(tree: xr.DataTree, metrics: Metrics) -> floor.Report:
    """What the wing of this run says of it."""
    of = districts
    if "fit" in tree.children:
        of = calm if "coefficients" in metrics else voter_types if "fit" in metrics else ecological
    return of(SimpleNamespace(tree=tree, metrics=metrics))


def write_report(
    folder: Path,
    tree: xr.DataTree,
    metrics: Metrics,
    *,
    config_yaml: str,
    meta: Mapping[str, Any] | None = None,
) -> None:
    """Write figures and page into the folder of a run."""
    floor.write_report(folder, report_of(tree, metrics), config=config_yaml, **(meta or {}))
