"""`electjax.calibrate`: parameters of a district model from an observed election, labelled."""

import warnings
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr

from electjax.calibration import (
    METHODS,
    NORMS,
    SEAT_TOLERANCE,
    SHARE_TOLERANCE,
    Draws,
    Problem,
    Space,
    best_on_average,
    make_space,
    target,
    unit_to_params,
)
from electjax.calibration.problem import Setting, select
from electjax.labelled.codec import (
    dim_labels,
    encode,
    encode_params,
    observed_statistics,
    plain_params,
    provenance,
    seed_key,
    with_units,
)
from electjax.simulators import get_simulator
from electjax.simulators.base import Simulator, check_options, make_plan

PRIOR_DRAWS = 1000


def calibrate(
    election: xr.Dataset,
    model: str = "dpm",
    *,
    method: str = "explore_exploit",
    seed: int = 0,
    budget: int = 20_000,
    priors: Mapping[str, tuple[float, float]] | None = None,
    params: Mapping[str, Any] | None = None,
    options: Mapping[str, Any] | None = None,
    tolerance: float = 1.0,
    accept: int = 500,
    distance: str = "rms",
    seat_tolerance: float = SEAT_TOLERANCE,
    share_tolerance: float = SHARE_TOLERANCE,
    engine: str = "leap",
    progress: Callable[[int, int, str], None] | None = None,
    **method_options: Any,
) -> xr.Dataset:
    """Find the parameters under which a model gives the observed result, by ABC (Mitra, section 6).

    The summary statistics are seats and mean vote fraction per party and the mean and sd of the winning margin;
    the distance is in tolerances (2 seats and .02 for the rest, unless set).

    Args:
        election: the observed election.
        model: name of the model.
        method: "explore_exploit" (the paper's; finds good parameters fast, unweighted) or "rejection" (a sample of
            the ABC posterior).
        budget: most simulations to use, those that choose psi_opt apart.
        priors: parameter -> (low, high) of the calibrated parameters; default: the model's own.
        params: values of the parameters that are held fixed.
        options: readings of the model.
        tolerance: largest accepted distance.
        accept: stop at so many accepted simulations.
        distance: "rms" or "max" over the statistics.
        seat_tolerance, share_tolerance: the gap in seats, and in vote fractions and margins, that counts as one.
        method_options: explore, seeds_kept, exploit, exploit_sd of explore-exploit.

    Returns:
        Dataset over `draw` (accepted, closest first): a variable per calibrated parameter, weight, distance,
        accepted_at (number of the simulation), the simulated summaries; observed_* summaries; optimal_<parameter>
        (psi_opt) and prior_<parameter>(prior_draw). attrs: simulations, acceptance_rate, tolerance and how the
        result came about. If fewer than 10 simulations come within the tolerance the closest 10 are kept, with a
        warning, and attrs["tolerance"] is what they reach.

    Raises:
        ValueError: unknown model, method, parameter or option, or a value out of range.
        ElectionDataError: an invalid election.
    """
    for name, value, known in (("method", method, METHODS), ("distance", distance, NORMS)):
        if value not in known:
            raise ValueError(f"{name}={value!r} is not one of {' | '.join(known)}")
    for name, number in (
        ("budget", budget),
        ("accept", accept),
        ("tolerance", tolerance),
        ("seat_tolerance", seat_tolerance),
        ("share_tolerance", share_tolerance),
    ):
        if not number > 0:
            raise ValueError(f"{name}={number}: expected more than 0")
    simulator = get_simulator(model)
    settings = check_options(simulator, dict(options or {}))
    encoded = encode(election)
    labels = dim_labels(simulator, settings, encoded)
    shapes = {p.name: tuple(len(labels[dim]) for dim in p.each.split()) for p in simulator.parameters}
    space = make_space(simulator, priors, shapes)
    values = encode_params(simulator, params, settings, encoded)
    fixed = {name: value for name, value in values.items() if name not in {axis.name for axis in space.axes}}
    observed = observed_statistics(election)
    plan = make_plan(simulator, encoded.contest, options=settings, engine=engine)
    problem = Problem(
        setting=Setting(simulator, settings, plan, distance),
        space=space,
        contest=encoded.contest,
        may_win=jnp.asarray(encoded.may_win),
        fixed=fixed,
        goal=target(
            observed["seats"],
            observed["vote_fraction"],
            observed["mwm"],
            observed["swm"],
            seat_tolerance=seat_tolerance,
            share_tolerance=share_tolerance,
        ),
    )
    key_search, key_best, key_prior = jax.random.split(seed_key(seed), 3)
    search = METHODS[method]
    try:
        draws = search(
            key_search,
            problem,
            budget=budget,
            accept=accept,
            tolerance=tolerance,
            progress=progress,
            **method_options,
        )
    except TypeError as error:
        if method_options and "unexpected keyword" in str(error):
            raise ValueError(f"method {method}: {str(error).split('()')[-1].strip()}") from None
        raise
    kept, reached = select(draws, tolerance=tolerance)
    if reached > tolerance:
        warnings.warn(
            f"model {model}: only {int(np.sum(draws.distance <= tolerance))} of {len(draws.distance)} simulations"
            f" within tolerance {tolerance:g}; kept the closest {len(kept)}, within {reached:.2f}",
            stacklevel=2,
        )
    best, best_distance, extra = best_on_average(key_best, draws, problem)
    dataset = _decode(draws.take(kept), kept, space, simulator, labels, observed)
    prior = unit_to_params(space, np.asarray(jax.random.uniform(key_prior, (PRIOR_DRAWS, space.size))))
    for name, optimum in unit_to_params(space, best).items():
        dims = simulator.parameter(name).each.split()
        dataset[f"optimal_{name}"] = (dims, np.asarray(optimum))
        dataset[f"prior_{name}"] = (["prior_draw", *dims], np.asarray(prior[name]))
    dataset.attrs = provenance(election, simulator, settings, seed) | {
        "engine": engine,
        "method": method,
        "method_options": plain_params(method_options),
        "fixed_parameters": plain_params(fixed),
        "distance": distance,
        "simulations": len(draws.distance) + extra,
        "acceptance_rate": float(np.mean(draws.distance <= tolerance)),
        "tolerance": reached,
        "tolerance_asked": float(tolerance),
        "seat_tolerance": float(seat_tolerance),
        "share_tolerance": float(share_tolerance),
        "optimal_distance": best_distance,
        "weighting": "equal; exploit draws are not drawn from the prior and not corrected for it"
        if method == "explore_exploit"
        else "equal; draws come from the prior",
    }
    return with_units(dataset)


def _decode(
    draws: Draws,
    numbers: np.ndarray,
    space: Space,
    simulator: Simulator,
    labels: Mapping[str, list[str]],
    observed: Mapping[str, np.ndarray],
) -> xr.Dataset:
    """Accepted draws, their statistics and the observed ones, with labels."""
    parties = len(labels["party"])
    used = {dim for axis in space.axes for dim in simulator.parameter(axis.name).each.split()} | {"party"}
    coords = {dim: labels[dim] for dim in labels if dim in used}
    dataset = xr.Dataset(coords={"draw": np.arange(len(numbers))} | coords)
    values = unit_to_params(space, draws.unit)
    for axis in space.axes:
        parameter = simulator.parameter(axis.name)
        attrs = {"long_name": parameter.meaning, "symbol": parameter.symbol, "prior": str(axis), "units": "1"}
        dataset[axis.name] = (["draw", *parameter.each.split()], np.asarray(values[axis.name]), attrs)
    weight = np.full(len(numbers), 1.0 / len(numbers))
    dataset["weight"] = ("draw", weight, {"long_name": "weight of the draw", "units": "1"})
    far = {"long_name": "distance from the observed statistics", "units": "tolerances"}
    dataset["distance"] = ("draw", draws.distance, far)
    dataset["accepted_at"] = ("draw", numbers, {"long_name": "number of the simulation", "units": "1"})
    stats = draws.statistics
    dataset["seats"] = (("draw", "party"), stats[:, :parties].astype(np.int32))
    dataset["vote_fraction"] = (("draw", "party"), stats[:, parties : 2 * parties])
    dataset["mwm"] = ("draw", stats[:, -2])
    dataset["swm"] = ("draw", stats[:, -1])
    for name, value in observed.items():
        dataset[f"observed_{name}"] = (("party",) if value.ndim else (), value)
    return dataset
