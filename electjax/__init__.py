"""electjax: a JAX research toolkit for elections.

Public names load on first use, so that the array core can be imported without xarray, pandas or Hydra.
"""

from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

try:
    __version__ = version("electjax")
except PackageNotFoundError:  # a source tree that was never installed
    __version__ = "0+unknown"

_HOME = {
    "load_election": "electjax.labelled.catalogue",
    "list_elections": "electjax.labelled.catalogue",
    "describe_elections": "electjax.labelled.catalogue",
    "read_returns": "electjax.labelled.readers",
    "save_election": "electjax.labelled.schema",
    "validate_election": "electjax.labelled.schema",
    "pool_parties": "electjax.labelled.schema",
    "winning_margin": "electjax.labelled.schema",
    "uniform_election": "electjax.labelled.hypothetical",
    "ElectionDataError": "electjax.labelled.schema",
    "outcomes": "electjax.labelled.outcomes",
    "swing_curve": "electjax.labelled.outcomes",
    "geography": "electjax.labelled.outcomes",
    "simulate": "electjax.labelled.simulate",
    "calibrate": "electjax.labelled.calibrate",
    "predict": "electjax.labelled.predict",
    "counterfactual": "electjax.labelled.counterfactual",
    "to_inference_data": "electjax.labelled.inference_data",
    "recover": "electjax.labelled.recovery",
    "compare": "electjax.labelled.compare",
    "sbc": "electjax.labelled.trust",
    "coverage": "electjax.labelled.trust",
    "tarp": "electjax.labelled.trust",
    "posterior_check": "electjax.labelled.trust",
    "tolerance_sensitivity": "electjax.labelled.trust",
    "identifiability": "electjax.labelled.trust",
    "list_models": "electjax.simulators",
    "read_ballots": "electjax.labelled.ballots.read",
    "stream_ballots": "electjax.labelled.ballots.stream",
    "recode_ballots": "electjax.labelled.ballots.recode",
    "validate_ballots": "electjax.labelled.ballots.schema",
    "save_ballots": "electjax.labelled.ballots.store",
    "fit_types": "electjax.labelled.ballots.fit",
    "predict_types": "electjax.labelled.ballots.predict",
    "simulate_ballots": "electjax.labelled.ballots.simulate",
    "select_types": "electjax.labelled.ballots.select",
    "residuals_types": "electjax.labelled.ballots.residuals",
    "bootstrap_types": "electjax.labelled.ballots.bootstrap",
    "yuma_like": "electjax.labelled.ballots.generate",
    "read_booths": "electjax.labelled.booths.read",
    "validate_booths": "electjax.labelled.booths.schema",
    "save_booths": "electjax.labelled.booths.store",
    "write_booths": "electjax.labelled.booths.store",
    "simulate_booths": "electjax.labelled.booths.generate",
    "madipur": "electjax.labelled.booths.example",
    "fit_calm": "electjax.labelled.booths.fit",
    "save_calm": "electjax.labelled.booths.fit",
    "load_calm": "electjax.labelled.booths.fit",
    "bootstrap_calm": "electjax.labelled.booths.bootstrap",
    "nuts_calm": "electjax.labelled.booths.mcmc",
    "holdout_calm": "electjax.labelled.booths.holdout",
    "mobilisation_calm": "electjax.labelled.booths.holdout",
    "placebo_calm": "electjax.labelled.booths.placebo",
    "rho_curve_calm": "electjax.labelled.booths.curves",
    "stability_calm": "electjax.labelled.booths.stability",
    "collinearity_calm": "electjax.labelled.booths.collinearity",
    "madipur_table": "electjax.labelled.booths.example",
    "read_units": "electjax.labelled.units.read",
    "validate_units": "electjax.labelled.units.schema",
    "save_units": "electjax.labelled.units.store",
    "select_contests": "electjax.labelled.units.schema",
    "units_of_booths": "electjax.labelled.units.from_booths",
    "simulate_units": "electjax.labelled.units.generate",
    "estimate_cells": "electjax.labelled.units.estimate",
    "save_cells": "electjax.labelled.units.result",
    "load_cells": "electjax.labelled.units.result",
    "cells_table": "electjax.report.cells_tables",
    "calibrate_context": "electjax.labelled.units.context",
}

__all__ = ["__version__", *_HOME]  # noqa: PLE0604  (every key of _HOME is a string)

if TYPE_CHECKING:
    from electjax.labelled.ballots.bootstrap import bootstrap_types as bootstrap_types
    from electjax.labelled.ballots.fit import fit_types as fit_types
    from electjax.labelled.ballots.generate import yuma_like as yuma_like
    from electjax.labelled.ballots.predict import predict_types as predict_types
    from electjax.labelled.ballots.read import read_ballots as read_ballots
    from electjax.labelled.ballots.recode import recode_ballots as recode_ballots
    from electjax.labelled.ballots.residuals import residuals_types as residuals_types
    from electjax.labelled.ballots.schema import validate_ballots as validate_ballots
    from electjax.labelled.ballots.select import select_types as select_types
    from electjax.labelled.ballots.simulate import simulate_ballots as simulate_ballots
    from electjax.labelled.ballots.store import save_ballots as save_ballots
    from electjax.labelled.ballots.stream import stream_ballots as stream_ballots
    from electjax.labelled.booths.bootstrap import bootstrap_calm as bootstrap_calm
    from electjax.labelled.booths.collinearity import collinearity_calm as collinearity_calm
    from electjax.labelled.booths.curves import rho_curve_calm as rho_curve_calm
    from electjax.labelled.booths.example import madipur as madipur
    from electjax.labelled.booths.example import madipur_table as madipur_table
    from electjax.labelled.booths.fit import fit_calm as fit_calm
    from electjax.labelled.booths.fit import load_calm as load_calm
    from electjax.labelled.booths.fit import save_calm as save_calm
    from electjax.labelled.booths.generate import simulate_booths as simulate_booths
    from electjax.labelled.booths.holdout import holdout_calm as holdout_calm
    from electjax.labelled.booths.holdout import mobilisation_calm as mobilisation_calm
    from electjax.labelled.booths.mcmc import nuts_calm as nuts_calm
    from electjax.labelled.booths.placebo import placebo_calm as placebo_calm
    from electjax.labelled.booths.read import read_booths as read_booths
    from electjax.labelled.booths.schema import validate_booths as validate_booths
    from electjax.labelled.booths.stability import stability_calm as stability_calm
    from electjax.labelled.booths.store import save_booths as save_booths
    from electjax.labelled.booths.store import write_booths as write_booths
    from electjax.labelled.calibrate import calibrate as calibrate
    from electjax.labelled.catalogue import describe_elections as describe_elections
    from electjax.labelled.catalogue import list_elections as list_elections
    from electjax.labelled.catalogue import load_election as load_election
    from electjax.labelled.compare import compare as compare
    from electjax.labelled.counterfactual import counterfactual as counterfactual
    from electjax.labelled.hypothetical import uniform_election as uniform_election
    from electjax.labelled.inference_data import to_inference_data as to_inference_data
    from electjax.labelled.outcomes import geography as geography
    from electjax.labelled.outcomes import outcomes as outcomes
    from electjax.labelled.outcomes import swing_curve as swing_curve
    from electjax.labelled.predict import predict as predict
    from electjax.labelled.readers import read_returns as read_returns
    from electjax.labelled.recovery import recover as recover
    from electjax.labelled.schema import ElectionDataError as ElectionDataError
    from electjax.labelled.schema import pool_parties as pool_parties
    from electjax.labelled.schema import save_election as save_election
    from electjax.labelled.schema import validate_election as validate_election
    from electjax.labelled.schema import winning_margin as winning_margin
    from electjax.labelled.simulate import simulate as simulate
    from electjax.labelled.trust import coverage as coverage
    from electjax.labelled.trust import identifiability as identifiability
    from electjax.labelled.trust import posterior_check as posterior_check
    from electjax.labelled.trust import sbc as sbc
    from electjax.labelled.trust import tarp as tarp
    from electjax.labelled.trust import tolerance_sensitivity as tolerance_sensitivity
    from electjax.labelled.units.context import calibrate_context as calibrate_context
    from electjax.labelled.units.estimate import estimate_cells as estimate_cells
    from electjax.labelled.units.from_booths import units_of_booths as units_of_booths
    from electjax.labelled.units.generate import simulate_units as simulate_units
    from electjax.labelled.units.read import read_units as read_units
    from electjax.labelled.units.result import load_cells as load_cells
    from electjax.labelled.units.result import save_cells as save_cells
    from electjax.labelled.units.schema import select_contests as select_contests
    from electjax.labelled.units.schema import validate_units as validate_units
    from electjax.labelled.units.store import save_units as save_units
    from electjax.report.cells_tables import cells_table as cells_table
    from electjax.simulators import list_models as list_models


def __getattr__(name: str) -> Any:
    """Import the home of a public name on first use (PEP 562)."""
    if name in _HOME:
        return getattr(import_module(_HOME[name]), name)
    raise AttributeError(f"module 'electjax' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
