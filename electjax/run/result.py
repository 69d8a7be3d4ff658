"""What a task hands back, and the folder it becomes."""

import json
from pathlib import Path
from typing import NamedTuple

import xarray as xr

import electjax
from electjax.report.metrics import Metrics

_LONG = ("unit", "draw")  # dims of estimates of tables that only cells.nc has
SMALL = 2_000_000  # votes of more values than this are left out of result.nc


class Result(NamedTuple):
    """Labelled arrays and the table's numbers.

    The tree has `/observed`, `/<model>/default`, `/<model>/optimal`, each with a node `geography`, and
    `/<model>/posterior`, perhaps with `/<model>/prediction` (elections simulated from it). Those of the tasks types,
    calm and ecological have `/fit` and what else was asked for.
    """

    tree: xr.DataTree
    metrics: Metrics


def write_result(folder: Path, result: Result, *, config: str) -> None:
    """Write config.yaml (the text `config`), metrics.json, result.nc and posterior_<model>.nc for ArviZ.

    Of ecological inference, units.nc and cells.nc are for `ecological.read` and `ecological.load`; what has draws or
    units is there, and not in result.nc.
    """
    (folder / "config.yaml").write_text(config, "utf-8")
    write_json(folder / "metrics.json", result.metrics)
    tree = result.tree
    if "units" in tree.children:
        electjax.ecological.save(tree["units"].to_dataset(), folder / "units.nc")
        electjax.ecological.save_estimate(tree["fit"].to_dataset(), folder / "cells.nc")
        methods = {name: node.to_dataset() for name, node in tree.children.items() if name != "units"}
        tree = xr.DataTree.from_dict({name: found.drop_dims(_LONG, errors="ignore") for name, found in methods.items()})
    _write_tree(folder / "result.nc", tree)
    if "observed" not in result.tree.children:
        return
    election = result.tree["observed"].to_dataset()
    for model, node in result.tree.children.items():
        if "posterior" in node.children and node["posterior"].sizes["draw"]:
            prediction = node["prediction"].to_dataset() if "prediction" in node.children else None
            inference = electjax.districts.to_inference_data(node["posterior"].to_dataset(), prediction, election)
            _write_tree(folder / f"posterior_{model}.nc", inference)


def _write_tree(path: Path, tree: xr.DataTree) -> None:
    packed = {"zlib": True, "complevel": 4}
    numbers = {
        node.path: {name: packed for name, array in node.data_vars.items() if array.ndim and array.dtype.kind in "iuf"}
        for node in tree.subtree
    }
    tree.to_netcdf(path, engine="h5netcdf", encoding=numbers)


def write_json(path: Path, content: object) -> None:
    """Write strict, readable JSON."""
    path.write_text(json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n", "utf-8")


def nodes_of(path: str, elections: xr.Dataset) -> dict[str, xr.Dataset]:
    """Returns or a simulation in the tree, and below it the histogram of its votes over the districts.

    The votes of a simulation are left out unless they are small.
    """
    if "votes" not in elections:
        return {path: elections}
    small = "run" not in elections.dims or elections["votes"].size <= SMALL
    return {
        path: elections if small else elections.drop_vars("votes"),
        f"{path}/geography": electjax.districts.geography(elections),
    }
