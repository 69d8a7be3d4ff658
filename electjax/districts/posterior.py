"""The posterior as a Dataset: draws, weights, statistics and the trace of the search, with labels."""

from collections.abc import Mapping

import numpy as np
import xarray as xr
from jaxtyping import Array

from electjax.districts.abc.adjust import Adjusted
from electjax.districts.abc.generation import permitted_draws
from electjax.districts.abc.prior import Axis, unit_to_params
from electjax.districts.abc.problem import Problem, Sample
from electjax.districts.codec import Encoded, dim_labels

PRIOR_DRAWS = 1000


def decode_posterior(
    sample: Sample,
    moved: Adjusted,
    problem: Problem,
    encoded: Encoded,
    best: np.ndarray,
    key: Array,
    observed: Mapping[str, np.ndarray],
) -> xr.Dataset:
    """Accepted draws, their statistics, the observed ones, psi_opt, the prior and the trace; see `calibrate`."""
    simulator, space = problem.setting.simulator, problem.space
    labels = dim_labels(simulator, problem.setting.options, encoded)
    used = {dim for axis in space.axes for dim in simulator.parameter(axis.name).each.split()} | {"party"}
    number = len(sample.weight)
    coords = {"draw": np.arange(number)} | {dim: labels[dim] for dim in labels if dim in used}
    dataset = xr.Dataset(coords=coords)
    prior_unit = permitted_draws(key, 0, PRIOR_DRAWS, problem)
    values, raw = unit_to_params(space, moved.unit), unit_to_params(space, sample.draws.unit)
    prior, optimum = unit_to_params(space, prior_unit), unit_to_params(space, best)
    start = 0
    for axis in space.axes:
        parameter = simulator.parameter(axis.name)
        dims = parameter.each.split()
        attrs = {"long_name": parameter.meaning, "symbol": parameter.symbol, "prior": str(axis), "units": "1"}
        dataset[axis.name] = (["draw", *dims], values[axis.name], attrs)
        if moved.done:
            said = {**attrs, "long_name": f"{parameter.meaning}, as simulated, without regression adjustment"}
            dataset[f"unadjusted_{axis.name}"] = (["draw", *dims], raw[axis.name], said)
        dataset[f"optimal_{axis.name}"] = (dims, np.asarray(optimum[axis.name]))
        dataset[f"prior_{axis.name}"] = (["prior_draw", *dims], prior[axis.name])
        place = slice(start, start + axis.size)
        start += axis.size
        free = problem.permits is None or axis.kind != "interval"
        base = 1.0 / 12.0 if free else prior_unit[:, place].var(axis=0).reshape(axis.shape)
        shrunk = contraction(axis, moved.unit[:, place], values[axis.name], moved.weight, prior[axis.name], base)
        said = {"long_name": f"1 - posterior over prior variance of {axis.name}", "units": "1"}
        dataset[f"contraction_{axis.name}"] = (dims, shrunk, said)
    dataset["weight"] = ("draw", moved.weight)
    dataset["distance"] = ("draw", sample.draws.distance)
    dataset["accepted_at"] = ("draw", sample.number)
    parties, stats = len(encoded.parties), sample.draws.statistics
    dataset["seats"] = (("draw", "party"), stats[:, :parties].astype(np.int32))
    dataset["vote_fraction"] = (("draw", "party"), stats[:, parties : 2 * parties])
    dataset["mwm"] = ("draw", stats[:, -2])
    dataset["swm"] = ("draw", stats[:, -1])
    if problem.setting.statistic is not None:
        dataset["statistics"] = (("draw", "statistic"), sample.draws.features)
        if problem.measure.project is None:
            dataset["observed_statistics"] = ("statistic", np.asarray(problem.measure.goal.observed))
    for name, value in observed.items():
        dataset[f"observed_{name}"] = (("party",) if value.ndim else (), value)
    for name, value in sample.trace.items():
        dataset[f"trace_{name}"] = (["generation", "trace_draw"][: np.ndim(value)], value)
    return dataset


def contraction(
    axis: Axis, unit: np.ndarray, values: np.ndarray, weight: np.ndarray, prior: np.ndarray, base: np.ndarray | float
) -> np.ndarray:
    """1 - posterior over prior variance: of the prior's quantiles for an interval, else of the values themselves.

    base: variance of these quantiles under the prior, 1/12 unless it permits less than its interval.
    """
    if axis.kind == "interval":
        points = unit.reshape((len(unit), *axis.shape))
    else:
        points, base = np.asarray(values), np.var(np.asarray(prior, float), axis=0)
    mean = np.tensordot(weight, points, axes=1)
    variance = np.tensordot(weight, (points - mean) ** 2, axes=1)
    # an unbiased variance under weights, so that few draws do not look like knowledge
    variance = variance / max(1.0 - float(np.sum(weight**2)), 1e-9)
    return 1.0 - variance / np.maximum(base, 1e-300)
