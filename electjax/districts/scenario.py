"""Scenarios: an election changed in its popularity, its parameters or its number of districts.

All of it happens on the host and before anything is simulated, so that a wrong scenario is refused at once.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Int

from electjax.data.errors import suggest
from electjax.districts.codec import Encoded, dim_labels
from electjax.districts.kernels.polling import largest_remainder
from electjax.districts.models.base import Contest, Parameter, Simulator

BASELINE = "baseline"
KEYS = ("popularity", "swing", "parameters", "districts")
_RELATIVE = {"add": np.add, "times": np.multiply}
_ROUNDING = 1e-9  # shares that sum to one, as written by hand


class Basis(NamedTuple):
    """What is simulated: an election as arrays, and a set of parameter values for every run."""

    simulator: Simulator
    options: Any
    engine: str
    encoded: Encoded
    popularity: Float[np.ndarray, "N K"]  # one row, or one per run
    values: dict[str, np.ndarray]  # [R, ...] of every parameter of the model

    @property
    def labels(self) -> dict[str, list[str]]:
        """Labels of every dimension that a parameter may have."""
        return dim_labels(self.simulator, self.options, self.encoded)


def change(basis: Basis, name: str, scenario: Mapping[str, Any], *, relative: bool = True) -> Basis:
    """The basis under a scenario; its random numbers are the caller's affair.

    scenario: changes as of `districts.counterfactual`, called `name` in messages. relative: whether "add" and "times"
    must end inside the parameter's support.

    Raises:
        ValueError: one line that names the scenario and what is wrong with it.
    """
    where = f"scenario {name!r}"
    if not isinstance(scenario, Mapping) or not scenario:
        raise ValueError(f"{where} changes nothing: found {scenario!r}; expected one or more of {', '.join(KEYS)}")
    for key in scenario:
        if key not in KEYS:
            raise ValueError(f"{where}: no such change {key!r}; {suggest(str(key), KEYS)}")
    for key in ("popularity", "swing", "parameters"):
        if key in scenario and (not isinstance(scenario[key], Mapping) or not scenario[key]):
            raise ValueError(f"{where}: {key} is {scenario[key]!r}; expected a mapping such as {_EXAMPLES[key]}")
    if "popularity" in scenario and "swing" in scenario:
        raise ValueError(f"{where}: popularity and swing both set the shares of the votes; expected one of them")
    for key in ("popularity", "swing"):
        if key in scenario:
            basis = _with_popularity(basis, scenario[key], where=f"{where}, {key}", swing=key == "swing")
    basis = change_parameters(basis, scenario.get("parameters", {}), where=where, relative=relative)
    return _with_districts(basis, scenario["districts"], where=where) if "districts" in scenario else basis


_EXAMPLES = {"popularity": "{A: 0.4}", "swing": "{A: 0.03}", "parameters": "{eta: {A: 0.9}}"}


def _number(value: object) -> bool:
    return isinstance(value, int | float | np.number) and not isinstance(value, bool) and bool(np.isfinite(value))


def _with_popularity(basis: Basis, shares: Mapping[str, float], *, where: str, swing: bool) -> Basis:
    model = basis.simulator
    if not model.takes_popularity:
        raise ValueError(
            f"{where}: in model {model.name} the popularity of parties comes out of the simulation; expected a change"
            " of its parameters"
        )
    new = move_popularity(basis.popularity, basis.encoded.parties, shares, swing=swing, where=where)
    return basis._replace(popularity=new, encoded=_with_contest(basis.encoded, basis.encoded.electors, new))


def move_popularity(
    popularity: Float[np.ndarray, "*R K"],
    parties: Sequence[str],
    shares: Mapping[str, float],
    *,
    swing: bool = False,
    where: str = "popularity",
) -> Float[np.ndarray, "*R K"]:
    """Shares of the votes with those of some parties set, or moved by a swing; the others keep their proportions.

    Raises:
        ValueError: an unknown party, a share outside [0, 1], shares that do not sum to one.
    """
    new = np.array(popularity, dtype=np.float64)
    for party, share in shares.items():
        if party not in parties:
            raise ValueError(f"{where}: no party {party!r}; {suggest(str(party), parties)}")
        if not _number(share):
            raise ValueError(f"{where}: {party} is {share!r}; expected a share of the votes, such as 0.4")
        k = parties.index(party)
        new[..., k] = new[..., k] + share if swing else share
        if new[..., k].min() < -_ROUNDING or new[..., k].max() > 1 + _ROUNDING:
            extreme = new[..., k].min() if new[..., k].min() < 0 else new[..., k].max()
            raise ValueError(f"{where}: {party} would have a share of {extreme:.6g}; expected 0 to 1")
    named = np.isin(parties, list(shares))
    taken, rest = new[..., named].sum(axis=-1), new[..., ~named].sum(axis=-1)
    if taken.max() > 1 + _ROUNDING:
        raise ValueError(f"{where}: {_listed(shares)} would share {taken.max():.6g} of the votes; expected at most 1")
    if (rest <= 0).any() and np.abs(taken - 1).max() > 1e-6:
        raise ValueError(
            f"{where}: {_listed(shares)} would share {taken.min():.6g} of the votes and no other party has any;"
            " expected 1"
        )
    factor = np.divide(1.0 - taken, rest, out=np.zeros_like(rest), where=rest > 0)
    new[..., ~named] *= _exactly_one(factor)[..., None]
    new = np.clip(new, 0.0, 1.0)
    return new / _exactly_one(new.sum(axis=-1, keepdims=True))


def _exactly_one(factor: np.ndarray) -> np.ndarray:
    """Factors without the rounding of those that are one, so that no change leaves every bit."""
    return np.where(np.abs(factor - 1.0) < 1e-12, 1.0, factor)


def _listed(names: Mapping[str, Any]) -> str:
    return ", ".join(map(str, names))


def totals(popularity: Float[np.ndarray, "*R K"], votes: int) -> Int[np.ndarray, "*R K"]:
    """The parties' national totals, by largest remainder."""
    return largest_remainder(popularity, votes).astype(np.int32)


def _with_contest(encoded: Encoded, electors: np.ndarray, popularity: np.ndarray) -> Encoded:
    """The election with these districts and shares; where shares differ by run, those here are their mean."""
    shares = popularity.mean(axis=0)
    contest = Contest(
        electors=jnp.asarray(electors, jnp.int32),
        popularity=jnp.asarray(shares, jnp.float32),
        totals=jnp.asarray(totals(shares, int(electors.sum(dtype=np.int64)))),
    )
    return encoded._replace(contest=contest, electors=electors)


def resize(electors: Int[np.ndarray, " S"], districts: int) -> Int[np.ndarray, " D"]:
    """The same electors in another number of districts, whose sizes follow the quantiles of the old ones.

    District i of D has the old sizes' quantile at (i + 1/2) / D, in proportion, and the sizes sum to the same total:
    the spread of the sizes relative to their mean stays, and equal districts stay equal (by largest remainder).
    """
    old = np.asarray(electors, dtype=np.int64)
    if districts == old.size:
        return old
    levels = (np.arange(districts) + 0.5) / districts
    return largest_remainder(np.quantile(old, levels, method="hazen"), int(old.sum()))


def _with_districts(basis: Basis, districts: object, *, where: str) -> Basis:
    total, old = int(basis.encoded.electors.sum(dtype=np.int64)), len(basis.encoded.districts)
    if not isinstance(districts, int | np.integer) or isinstance(districts, bool) or not 1 <= districts <= total:
        expected = f"a whole number from 1 to the {total:,} electors"
        raise ValueError(f"{where}: districts is {districts!r}; expected {expected}")
    if districts == old:
        return basis
    electors = resize(basis.encoded.electors, int(districts))
    if electors.min() < 1:
        raise ValueError(f"{where}: districts is {districts}, which leaves a district empty; expected fewer")
    labels = basis.labels
    for parameter in basis.simulator.parameters:
        value = basis.values[parameter.name]
        if "district" in _dims(parameter, value.shape[1:], labels):
            raise ValueError(
                f"{where}: parameter {parameter.name} has a value for each of {old} districts, which new districts"
                " do not have; expected one number for all"
            )
    encoded = _with_contest(basis.encoded, electors, basis.popularity)
    return basis._replace(encoded=encoded._replace(districts=[f"district {s + 1}" for s in range(int(districts))]))


def _dims(parameter: Parameter, shape: tuple[int, ...], labels: Mapping[str, Sequence[str]]) -> tuple[str, ...]:
    """The dimensions of a value of this shape."""
    for dims in (parameter.each, *parameter.per):
        found = tuple(dims.split())
        if len(found) == len(shape) and all(
            len(labels.get(d, ())) in (0, n) for d, n in zip(found, shape, strict=True)
        ):
            return found
    return tuple(f"axis {i}" for i in range(len(shape)))


def change_parameters(
    basis: Basis, changes: Mapping[str, Any], *, where: str = "params", relative: bool = True
) -> Basis:
    """The basis with other parameter values; see `change`."""
    model, labels, values = basis.simulator, basis.labels, dict(basis.values)
    for name, wanted in changes.items():
        if name not in model.defaults:
            hint = suggest(str(name), list(model.defaults))
            raise ValueError(f"{where}: model {model.name} has no parameter {name!r}; {hint}")
        parameter = model.parameter(name)
        low, high = parameter.support
        value = _reshaped(parameter, values[name], wanted, labels)
        dims = _dims(parameter, value.shape[1:], labels)
        value, moved = _changed(value, dims, wanted, labels, where=f"{where}, parameter {name}")
        outside = (value < low) | (value > high)
        if outside.any() and (relative or not moved):
            far = value[outside].flat[0]
            runs = outside.reshape(len(value), -1).any(axis=1).sum()
            some = f" in {runs:,} of {len(value):,} runs" if moved else ""
            raise ValueError(f"{where}: parameter {name} would be {far:.6g}{some}; expected {low:g} to {high:g}")
        values[name] = value
    new = basis._replace(values=values)
    if changes and relative:
        _check_together(new, where=where)
    return new


def _check_together(basis: Basis, *, where: str) -> None:
    """What the model itself asks of its values, of every set of them."""
    number = len(next(iter(basis.values.values())))
    rows = np.concatenate([value.reshape(number, -1) for value in basis.values.values()], axis=1)
    for row in np.unique(rows, axis=0, return_index=True)[1]:
        try:
            basis.simulator.check({name: jnp.asarray(v[row]) for name, v in basis.values.items()}, basis.options)
        except ValueError as error:
            raise ValueError(f"{where}: {error}") from None


def _reshaped(parameter: Parameter, value: np.ndarray, wanted: Any, labels: Mapping[str, Sequence[str]]) -> np.ndarray:
    """One number in place of many, and many where the change speaks of one of them and the model allows it."""
    if _number(wanted):
        sizes = tuple(len(labels[dim]) for dim in parameter.each.split())
        return np.zeros((len(value), *sizes), np.float32)
    if value.ndim > 1 or _is_leaf(wanted):
        return value
    for dims in parameter.per:
        sizes = tuple(len(labels.get(dim, ())) for dim in dims.split())
        known = {label for dim in dims.split() for label in labels.get(dim, ())}
        if all(sizes) and (set(wanted) <= known if isinstance(wanted, Mapping) else np.shape(wanted) == sizes):
            return np.broadcast_to(value.reshape(-1, *[1] * len(sizes)), (len(value), *sizes))
    return value


def _is_leaf(wanted: Any) -> bool:
    """A number, or one "add" or "times"."""
    return np.ndim(wanted) == 0 and (not isinstance(wanted, Mapping) or set(wanted) <= set(_RELATIVE))


def _changed(
    value: np.ndarray, dims: tuple[str, ...], wanted: Any, labels: Mapping[str, Sequence[str]], *, where: str
) -> tuple[np.ndarray, bool]:
    """The values [R, ...] after a change, and whether some of them depend on what they were."""
    if isinstance(wanted, Mapping) and len(wanted) == 1 and (how := next(iter(wanted))) in _RELATIVE:
        if not _number(wanted[how]):
            raise ValueError(f"{where}: {how} is {wanted[how]!r}; expected a number")
        return _RELATIVE[how](value, np.float32(wanted[how])), True
    if isinstance(wanted, Mapping) and wanted:
        new, moved = np.array(value), False
        for label, inner in wanted.items():
            axis = next((i for i, dim in enumerate(dims) if label in labels.get(dim, ())), None)
            if axis is None:
                known = [label for dim in dims for label in labels.get(dim, ())]
                expected = suggest(str(label), known) if known else "it has one value, expected a number"
                raise ValueError(f"{where}: no value for {label!r}; {expected}")
            at = (slice(None),) * (axis + 1) + (labels[dims[axis]].index(label),)
            rest = dims[:axis] + dims[axis + 1 :]
            new[at], relative = _changed(new[at], rest, inner, labels, where=f"{where}, {label}")
            moved |= relative
        return new, moved
    array = (
        np.asarray(wanted) if not isinstance(wanted, str | bool | Mapping) and wanted is not None else np.asarray("")
    )
    if not np.issubdtype(array.dtype, np.number) or not np.isfinite(array).all():
        expected = "a number, {'add': x}, {'times': x}, or a mapping from labels to these"
        raise ValueError(f"{where}: found {wanted!r}; expected {expected}")
    if array.ndim and array.shape != value.shape[1:]:
        raise ValueError(f"{where}: found an array of shape {array.shape}; expected {value.shape[1:]} or one number")
    return np.broadcast_to(array, value.shape).astype(np.float32), False
