"""Task `ecological`: cross-tables of contests from the margins of their units, other methods beside, and the truth."""

import json
import time
import warnings

import xarray as xr

import electjax
from electjax.data.progress import Stages, silent
from electjax.ecological.task.metrics import cells_metrics, method_metrics
from electjax.run.result import Result
from electjax.run.settings import Settings


def ecological(units: xr.Dataset, settings: Settings, stage: Stages = silent) -> Result:
    """Estimate the tables by the method of the settings, and by those they compare it with.

    The tree has `/units`, `/fit`, and a node per other method by its name.
    """
    started = time.perf_counter()
    own, seed = settings.ecological, settings.seed
    method = str(own.options.get("method", "context"))
    nodes, seconds = {"/units": units}, {}
    for name in (method, *(other for other in own.baselines if other != method)):
        begun, said = time.perf_counter(), stage("estimate" if name == method else name)
        if name == method:
            found = electjax.ecological.estimate(units, seed=seed, progress=said, **own.options)
        else:
            found = electjax.ecological.estimate(units, method=name)
            said(1, 1, "")
        nodes["/fit" if name == method else f"/{name}"] = found
        seconds[name] = time.perf_counter() - begun
    fit = nodes["/fit"]
    metrics = cells_metrics(fit, units)
    others = {name: nodes["/fit" if name == method else f"/{name}"] for name in seconds}
    metrics["methods"] = {name: method_metrics(found) | {"seconds": seconds[name]} for name, found in others.items()}
    notes = [] if fit.attrs.get("converged", 1) else [f"The fit did not converge in {fit.attrs['steps']} steps."]
    for note in notes:
        warnings.warn(note, stacklevel=1)
    metrics |= {"notes": json.loads(fit.attrs["notes"]), "warnings": notes, "seconds": time.perf_counter() - started}
    return Result(xr.DataTree.from_dict(nodes), metrics)
