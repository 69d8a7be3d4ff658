"""Between labelled Datasets and the arrays of the simulators; labels never enter compiled code."""

import json
from collections.abc import Collection, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr
from jaxtyping import Array

import electjax
from electjax.data.errors import data_error
from electjax.districts.builders import winning_margin
from electjax.districts.kernels.outcome import vote_fractions
from electjax.districts.kernels.polling import largest_remainder
from electjax.districts.models.base import Contest, Simulator
from electjax.districts.schema import may_win, validate, where_of


class Encoded(NamedTuple):
    """An election as arrays, with the labels that come back in the results."""

    contest: Contest
    may_win: np.ndarray
    parties: list[str]
    districts: list[str]
    electors: np.ndarray


def encode(election: xr.Dataset) -> Encoded:
    """Arrays of an election: electors per district are the votes polled there.

    An election known by its summary only gets `attrs["districts"]` districts of equal size, from
    `attrs["votes_total"]`.

    Raises:
        ElectionDataError: an invalid election, or a summary without `votes_total`.
    """
    validate(election)
    parties = [str(party) for party in election["party"].values]
    if "votes" in election:
        votes = election["votes"].transpose("district", "party").values
        electors, totals = votes.sum(axis=1), votes.sum(axis=0)
        districts = [str(district) for district in election["district"].values]
    else:
        number = int(election.attrs["districts"])
        if "votes_total" not in election.attrs:
            raise data_error(
                "no votes, only a summary",
                where=f"{where_of(election)}, attribute 'votes_total'",
                expected="the number of votes polled, which the districts share equally",
                mend="election.attrs['votes_total'] = ...",
            )
        electors = largest_remainder(np.ones(number), int(election.attrs["votes_total"]))
        totals = largest_remainder(election["popularity"].values, int(electors.sum()))
        districts = [f"district {index + 1}" for index in range(number)]
    contest = Contest(
        electors=jnp.asarray(electors, jnp.int32),
        popularity=jnp.asarray(election["popularity"].values, jnp.float32),
        totals=jnp.asarray(totals, jnp.int32),
    )
    return Encoded(contest, may_win(election), parties, districts, electors)


def seed_key(seed: int) -> Array:
    """The random key of a seed; ValueError outside 0 .. 2^32 - 1, where JAX would take another seed's key."""
    if not 0 <= seed < 2**32:
        raise ValueError(f"seed={seed}: expected a whole number from 0 to 2^32 - 1")
    return jax.random.key(seed)


def dim_labels(simulator: Simulator, options: Any, encoded: Encoded) -> dict[str, list[str]]:
    """Labels of every dimension that a parameter of the model may have."""
    own = {dim: [f"{dim} {index + 1}" for index in range(size)] for dim, size in simulator.dims(options).items()}
    return {"district": encoded.districts, "party": encoded.parties} | own


def _fits(shape: tuple[int, ...], sizes: tuple[int | str, ...]) -> bool:
    """Whether an array has these sizes, of which "any" may be any."""
    return len(shape) == len(sizes) and all(size in ("any", n) for n, size in zip(shape, sizes, strict=True))


def encode_params(
    simulator: Simulator,
    params: Mapping[str, Any] | None,
    options: Any,
    encoded: Encoded,
    searched: Collection[str] = (),
) -> dict[str, Array]:
    """Every parameter of a model as a float32 array: a number, or an array over the dimensions that it allows.

    One number for a parameter that calibration searches as an array becomes that array: both share a program.
    searched: parameters whose values are only placeholders here, which the model need not check.

    Raises:
        ValueError: an unknown parameter, a value outside its support, or an array of the wrong shape.
    """
    given = dict(params or {})
    lengths = {dim: len(labels) for dim, labels in dim_labels(simulator, options, encoded).items()}
    unknown = [name for name in given if name not in simulator.defaults]
    if unknown:
        names = ", ".join(simulator.defaults)
        raise ValueError(f"model {simulator.name}: unknown parameter '{unknown[0]}'; it has {names}")
    values = {}
    for parameter in simulator.parameters:
        raw = given.get(parameter.name, parameter.default)
        where = f"model {simulator.name}: parameter {parameter.name}"
        try:
            value = np.asarray(raw)
        except ValueError:
            raise ValueError(f"{where}={raw!r}: rows of different lengths") from None
        if not np.issubdtype(value.dtype, np.number) or not np.isfinite(value).all():
            raise ValueError(f"{where}={raw!r} is not a finite number")
        allowed = {dims: tuple(lengths.get(dim, "any") for dim in dims.split()) for dims in parameter.per}
        # a default goes with the default options; the model itself refuses it where it does not fit
        if value.ndim and parameter.name in given and not any(_fits(value.shape, sizes) for sizes in allowed.values()):
            sizes = {dims: " x ".join(map(str, shape)) for dims, shape in allowed.items()}
            kinds = [f"{size} values, one per {dims.replace(' ', ' and ')}" for dims, size in sizes.items()]
            expected = " or ".join(["one number", *kinds])
            raise ValueError(f"{where} has shape {value.shape}; expected {expected}")
        low, high = parameter.support
        if (value < low).any() or (value > high).any():
            raise ValueError(f"{where}={value.tolist()} lies outside its range [{low:g}, {high:g}]")
        if parameter.each and not value.ndim:
            value = np.full([lengths[dim] for dim in parameter.each.split()], value)
        values[parameter.name] = jnp.asarray(value, jnp.float32)
    if not searched:
        simulator.check(values, options)
    return values


def observed_statistics(election: xr.Dataset) -> dict[str, np.ndarray]:
    """The summary statistics of the returns; NaN for margins of an election known by its summary only."""
    seats = election["seats"].values.astype(np.float64)
    if "votes" not in election:
        fraction = election["popularity"].values
        mwm, swm = (float(election[name]) if name in election else np.nan for name in ("paper_mwm", "paper_swm"))
    else:
        margin = winning_margin(election).values
        fraction = np.asarray(vote_fractions(election["votes"].values), np.float64)
        mwm, swm = margin.mean(), margin.std()
    return {"seats": seats, "vote_fraction": fraction, "mwm": np.asarray(mwm), "swm": np.asarray(swm)}


def provenance(election: xr.Dataset, simulator: Simulator, options: Any, seed: int) -> dict[str, Any]:
    """Attributes that say how a result came about."""
    return {
        "election": str(election.attrs.get("name", "")),
        "model": simulator.name,
        "model_source": simulator.source,
        "options": json.dumps(vars(options)),
        "seed": seed,
        "electjax_version": electjax.__version__,
    }


def plain_params(params: Mapping[str, Any]) -> str:
    """Parameters as JSON."""
    return json.dumps({name: np.asarray(value).tolist() for name, value in params.items()})
