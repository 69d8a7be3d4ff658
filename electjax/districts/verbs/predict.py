"""`electjax.districts.predict`: elections under the parameters that a calibration found, labelled."""

import json
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr
from jaxtyping import Array, Float, Int, Key

from electjax.data.errors import data_error
from electjax.data.finished import finished
from electjax.data.options import with_options
from electjax.data.progress import Progress
from electjax.data.schema import conform
from electjax.districts.codec import encode, encode_params, plain_params, provenance, seed_key
from electjax.districts.models import get_simulator
from electjax.districts.models.base import Outcome, check_options, make_plan, simulate_runs
from electjax.districts.options import PredictOptions
from electjax.districts.results import SIMULATION, parameter_names
from electjax.districts.scenario import Basis, change_parameters, totals
from electjax.districts.store import Stored, election_of, fit_of
from electjax.districts.verbs.simulate import decode_runs, in_chunks, runs_a_call
from electjax.districts.verdict import is_posterior, verdict_on


@with_options
def predict(
    fit: Stored,
    election: Stored,
    *,
    params: Mapping[str, Any] | None = None,
    progress: Progress | None = None,
    asked: PredictOptions,
) -> xr.Dataset:
    """Simulate elections with parameters drawn from a posterior: the posterior predictive distribution.

    Model, options, engine and fixed parameters are those of the calibration. A draw is used in proportion to its weight
    (systematic resampling), the draws in random order.

    Args:
        fit: what `districts.calibrate` returned, or the path where it was saved. Run r depends on the seed and its
            draw alone.
        election: the election to simulate: the one of the calibration, or another with the same parties; a Dataset,
            a name or a path.
        params: parameters that get another value: a number, {"add": x} or {"times": x}, an array, or a mapping from
            labels to these, such as {"eta": {"BJP": 0.9}}.
        progress: called as progress(done, runs, text).

    Returns:
        The Dataset of `districts.simulate`, the parameters of every run: <parameter>(run, ...), and the coordinate
        draw(run), the posterior's draw that they come from; attrs["verdict"] is the calibration's.

    Raises:
        ValueError: no draws, labels that differ from the election's, an unknown parameter or a value out of range.
        ElectionDataError: an invalid election or calibration, or an option out of range.

    Examples:
        >>> import electjax
        >>> election = electjax.districts.uniform({"A": 0.55, "B": 0.45}, districts=20, electors=20_000)
        >>> how = {"method": "rejection", "budget": 256, "accept": 50, "tolerance": 20.0, "seed": 1}
        >>> fit = electjax.districts.calibrate(election, "dm", **how)
        >>> predicted = electjax.districts.predict(fit, election, runs=8, seed=1)
        >>> predicted["seats"].sum("party").values.tolist(), predicted["concentration"].dims
        ([20, 20, 20, 20, 20, 20, 20, 20], ('run',))
    """
    fit, election = fit_of(fit), election_of(election)
    basis, draw = posterior_basis(election, fit, runs=asked.runs, seed=asked.seed)
    basis = change_parameters(basis, params or {})
    whole = simulate_basis(run_key(asked.seed), basis, runs=asked.runs, progress=progress)
    attrs = provenance(election, basis.simulator, basis.options, asked.seed)
    fixed = {name: value[0] for name, value in basis.values.items() if name not in fit or name in (params or {})}
    attrs |= {"engine": basis.engine, "parameters": plain_params(fixed)}
    dataset = decode_runs(whole, basis.encoded, attrs)
    dataset = dataset.assign_coords(draw=("run", draw, {"long_name": "draw of the posterior", "units": "1"}))
    for name in parameter_names(fit):
        values = basis.popularity if name == "popularity" else basis.values[name]
        dims = fit[name].transpose("draw", ...).dims[1:]
        if len(dims) == values.ndim - 1:
            dataset[name] = (("run", *dims), values, fit[name].attrs)
    what = "posterior" if is_posterior(fit) else "best draws"
    about = f"{asked.runs:,} elections of {attrs['election'] or 'an election'} predicted with the {what} of"
    about += f" {basis.simulator.name.upper()} calibrated to {fit.attrs.get('election') or 'an election'}"
    return finished(conform(dataset, SIMULATION), about=about, verdict=verdict_on(fit))


def run_key(seed: int) -> Key[Array, ""]:
    """The key of the simulations, another than that of `simulate`."""
    return jax.random.fold_in(seed_key(seed), 1)


def resample(weight: Float[np.ndarray, " N"], runs: int, *, seed: int) -> Int[np.ndarray, " R"]:
    """Positions of `runs` draws: each floor or ceil of runs x its weight times, in random order (Kitagawa 1996)."""
    rng = np.random.default_rng([seed, 2])
    cumulative = np.cumsum(np.asarray(weight, dtype=np.float64))
    points = (rng.uniform() + np.arange(runs)) / runs * cumulative[-1]
    index = np.searchsorted(cumulative, points, side="right")
    last = int(np.flatnonzero(weight)[-1])  # rounding must not step past the last draw that counts
    return rng.permutation(np.minimum(index, last))


def posterior_basis(election: xr.Dataset, posterior: xr.Dataset, *, runs: int, seed: int) -> tuple[Basis, np.ndarray]:
    """What a posterior has to be simulated, a draw for every run; and the numbers of the draws."""
    if not posterior.sizes["draw"]:
        raise data_error(
            "no accepted draws",
            where="calibration",
            expected="at least one",
            mend="calibrate with a larger budget or tolerance",
        )
    weight = posterior["weight"].values
    basis = set_basis(
        election,
        posterior.attrs["model"],
        params=json.loads(posterior.attrs["fixed_parameters"]),
        options=json.loads(posterior.attrs["options"]),
        engine=posterior.attrs.get("engine", "leap"),
    )
    draw = resample(weight, runs, seed=seed)
    values = {name: np.broadcast_to(value, (runs, *value.shape[1:])) for name, value in basis.values.items()}
    popularity = basis.popularity
    for name in parameter_names(posterior):
        variable = posterior[name].transpose("draw", ...)
        for dim in variable.dims[1:]:
            if dim in basis.labels and [str(label) for label in posterior[dim].values] != basis.labels[str(dim)]:
                raise ValueError(f"posterior: {name} has other labels along '{dim}' than the election")
        drawn = variable.values[draw]
        if name == "popularity":
            popularity = drawn / drawn.sum(axis=-1, keepdims=True, dtype=np.float64)
        else:
            values[name] = drawn.astype(np.float32)
    return basis._replace(values=values, popularity=popularity), posterior["draw"].values[draw]


def set_basis(
    election: xr.Dataset, model: str, *, params: Mapping[str, Any], options: Mapping[str, Any], engine: str = "leap"
) -> Basis:
    """An election at set parameter values, a single run of them."""
    simulator = get_simulator(model)
    settings, encoded = check_options(simulator, dict(options)), encode(election)
    # a default may be of another shape than the one a user has to give; left out, it is taken as it is
    given = {name: value for name, value in params.items() if not _is_default(value, simulator.defaults.get(name))}
    values = encode_params(simulator, given, settings, encoded)
    popularity = np.asarray(election["popularity"].values, dtype=np.float64)[None]
    rows = {name: np.asarray(value)[None] for name, value in values.items()}
    return Basis(simulator, settings, engine, encoded, popularity, rows)


def _is_default(value: Any, default: Any) -> bool:
    return default is not None and np.array_equal(np.asarray(value, np.float32), np.asarray(default, np.float32))


def simulate_basis(
    key: Key[Array, ""], basis: Basis, *, runs: int, keep_votes: bool = True, progress: Progress | None = None
) -> Outcome:
    """Simulate runs 0, 1, ..., each at its own parameter values; values and shares alone compile nothing new."""
    contest = basis.encoded.contest
    plan = make_plan(basis.simulator, contest, options=basis.options, engine=basis.engine)
    size = runs_a_call(basis.encoded, plan)
    values = {name: np.asarray(value, np.float32) for name, value in basis.values.items()}
    own = np.allclose(basis.popularity, contest.popularity, atol=1e-6)
    if not own or len(basis.popularity) > 1:
        values["popularity"] = basis.popularity.astype(np.float32)
        values["totals"] = totals(basis.popularity, plan.total)
    may_win = jnp.asarray(basis.encoded.may_win)

    def work(first: int) -> Outcome:
        index = np.minimum(np.arange(first, first + size), runs - 1)
        return simulate_runs(
            key,
            jnp.asarray(index, jnp.int32),
            contest,
            may_win,
            {name: jnp.asarray(value[index]) for name, value in values.items()},
            simulator=basis.simulator,
            options=basis.options,
            plan=plan,
            varying=True,
            keep_votes=keep_votes,
        )

    return in_chunks(work, runs, size, progress)
