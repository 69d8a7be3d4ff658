"""Priors: every calibrated parameter as coordinates of the unit cube, on which the prior is uniform.

interval  uniform, or log-uniform, between two bounds: one coordinate per component
simplex   Dirichlet over the last dimension, by stick-breaking: one coordinate less than components
levels    one of a few values, all equally likely: one coordinate per component, cut into as many cells

Samplers never see the parameters themselves. They move a continuous coordinate on the probit scale, where the prior
is standard normal and has no walls, and a discrete one from cell to cell.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from scipy.special import betaincinv, ndtr, ndtri

from electjax.districts.models.base import POPULARITY, Parameter, Simulator

PriorSpec = Sequence[float] | Mapping[str, Any]
EDGE = 1e-12  # coordinates keep this far from 0 and 1


class Axis(NamedTuple):
    """One calibrated parameter: its prior and its shape."""

    name: str
    low: float = 0.0
    high: float = 1.0
    log: bool = False
    shape: tuple[int, ...] = ()
    kind: Literal["interval", "simplex", "levels"] = "interval"
    values: tuple[float, ...] = ()  # of levels; of a simplex, its Dirichlet parameters

    @property
    def size(self) -> int:
        """Number of coordinates of the unit cube that the parameter takes."""
        size = int(np.prod(self.shape, dtype=int))
        return size // self.shape[-1] * (self.shape[-1] - 1) if self.kind == "simplex" else size

    def __str__(self) -> str:
        if self.kind == "simplex":
            return f"Dirichlet({', '.join(f'{value:g}' for value in self.values)})"
        if self.kind == "levels":
            return f"one of {', '.join(f'{value:g}' for value in self.values)}"
        return f"{'log-uniform' if self.log else 'uniform'}({self.low:g}, {self.high:g})"


class Space(NamedTuple):
    """The prior: an axis per calibrated parameter."""

    axes: tuple[Axis, ...]

    @property
    def size(self) -> int:
        """Dimension of the unit cube."""
        return sum(axis.size for axis in self.axes)

    @property
    def levels(self) -> np.ndarray:
        """int[D]: number of cells of every coordinate, 0 where it is continuous."""
        cells = [len(axis.values) if axis.kind == "levels" else 0 for axis in self.axes]
        return np.repeat(np.array(cells, int), [axis.size for axis in self.axes])


def make_space(
    simulator: Simulator,
    priors: Mapping[str, PriorSpec] | None = None,
    shapes: Mapping[str, tuple[int, ...]] | None = None,
    popularity: np.ndarray | None = None,
) -> Space:
    """The prior of a model: its own ranges unless `priors` names other parameters or ranges.

    priors: parameter -> prior; given, only these parameters are calibrated. (low, high) is an interval, log-uniform
    with low above 0 for a log-scaled parameter. {"dirichlet": a} is a simplex over the last dimension, with one number
    for all components or one each; {"around": n} is Dirichlet(n x the observed popularity), for `popularity` alone.
    {"levels": [...]} are equally likely values. `popularity` may be calibrated in every model that takes it.
    shapes: shape of vector parameters. popularity: the observed shares of the parties.

    Raises:
        ValueError: an unknown parameter, or a prior that makes no sense or leaves the parameter's support.
    """
    known = {p.name: p for p in simulator.parameters}
    if simulator.takes_popularity and popularity is not None:
        known[POPULARITY.name] = POPULARITY
        shapes = dict(shapes or {}) | {POPULARITY.name: (len(popularity),)}
    if not priors:
        priors = {p.name: p.prior for p in simulator.parameters if p.prior is not None}
    axes = []
    for name, spec in priors.items():
        if name not in known:
            raise ValueError(f"model {simulator.name}: prior for unknown parameter '{name}'; it has {', '.join(known)}")
        shape = tuple((shapes or {}).get(name, ()))
        where = f"model {simulator.name}: prior of {name}"
        axes.append(_axis(where, known[name], spec, shape, popularity))
    return Space(tuple(axes))


def _axis(where: str, parameter: Parameter, spec: PriorSpec, shape: tuple[int, ...], popularity: Any) -> Axis:
    """One axis from what the user wrote."""
    least, most = parameter.support
    if not isinstance(spec, Mapping | Sequence | np.ndarray) or isinstance(spec, str):
        raise ValueError(
            f"{where} is {spec!r}; expected [low, high], or one of dirichlet, around and levels with a value"
        )
    if isinstance(spec, Mapping):
        kind, value = next(iter(spec.items())) if len(spec) == 1 else ("", None)
        if kind == "levels" and not isinstance(value, Sequence | np.ndarray):
            raise ValueError(f"{where} is {dict(spec)}; expected a list of levels")
        if kind == "levels" and value is not None:
            values = tuple(sorted({float(v) for v in value}))
            if len(values) < 2 or values[0] < least or values[-1] > most:
                raise ValueError(f"{where} is {dict(spec)}; expected two levels or more within [{least:g}, {most:g}]")
            return Axis(parameter.name, values[0], values[-1], False, shape, "levels", values)
        if kind in ("dirichlet", "around"):
            if not shape or shape[-1] < 2:
                raise ValueError(f"{where} is {dict(spec)}; it has no components to share")
            if kind == "around" and parameter.name != POPULARITY.name:
                raise ValueError(f"{where} is {dict(spec)}; 'around' is for the popularity, which was observed")
            if kind == "around" and not np.all(popularity):
                raise ValueError(f"{where} is {dict(spec)}; a party without votes has nothing around it: use dirichlet")
            weight = np.asarray(value, float) * (popularity if kind == "around" else 1.0)
            weight = np.broadcast_to(weight, shape[-1]) if weight.ndim == 0 else weight
            if weight.shape != shape[-1:] or not (np.isfinite(weight) & (weight > 0)).all():
                raise ValueError(f"{where} is {dict(spec)}; expected one positive number, or {shape[-1]} of them")
            return Axis(parameter.name, 0.0, 1.0, False, shape, "simplex", tuple(map(float, weight)))
        raise ValueError(
            f"{where} is {dict(spec)}; expected [low, high], {{dirichlet: a}}, {{around: n}} or {{levels: [...]}}"
        )
    if parameter.name == POPULARITY.name:
        raise ValueError(f"{where} is {spec}; expected {{dirichlet: a}} or {{around: n}}")
    low, high = (float(bound) for bound in spec) if len(spec) == 2 else (np.nan, np.nan)
    if not (least <= low < high <= most and np.isfinite([low, high]).all()):
        raise ValueError(
            f"{where} is ({low:g}, {high:g}); expected low < high, both finite and within [{least:g}, {most:g}]"
        )
    return Axis(parameter.name, low, high, parameter.scale == "log" and low > 0, shape)


def unit_to_params(space: Space, unit: Float[Array, "*R D"] | Float[np.ndarray, "*R D"]) -> dict[str, Any]:
    """Parameters of points of the unit cube, each with the leading shape of `unit`; simplexes on the host only."""
    xp: Any = np if isinstance(unit, np.ndarray) else jnp
    params: dict[str, Any] = {}
    start = 0
    for axis in space.axes:
        u = unit[..., start : start + axis.size]
        start += axis.size
        if axis.kind == "simplex":
            params[axis.name] = _break_stick(np.asarray(u), axis).reshape((*unit.shape[:-1], *axis.shape))
            continue
        u = u.reshape((*unit.shape[:-1], *axis.shape))
        if axis.kind == "levels":
            cell = xp.minimum((u * len(axis.values)).astype(int), len(axis.values) - 1)
            params[axis.name] = xp.asarray(axis.values)[cell]
        elif axis.log:
            params[axis.name] = axis.low * xp.exp(u * np.log(axis.high / axis.low))
        else:
            params[axis.name] = axis.low + u * (axis.high - axis.low)
    return params


def _break_stick(u: np.ndarray, axis: Axis) -> np.ndarray:
    """Dirichlet shares whose successive fractions of what is left are the Beta quantiles at u."""
    weight = np.asarray(axis.values)
    rest = np.cumsum(weight[::-1])[::-1][1:]
    u = u.reshape((*u.shape[:-1], -1, len(weight) - 1)).astype(float)
    fraction = betaincinv(weight[:-1], rest, u)
    left = np.cumprod(1.0 - fraction, axis=-1)
    before = np.concatenate([np.ones_like(left[..., :1]), left[..., :-1]], axis=-1)
    return np.concatenate([before * fraction, left[..., -1:]], axis=-1)


def to_probit(unit: Float[np.ndarray, "N D"]) -> Float[np.ndarray, "N D"]:
    """The scale on which the prior of a continuous coordinate is standard normal."""
    return ndtri(np.clip(np.asarray(unit, float), EDGE, 1.0 - EDGE))


def from_probit(x: Float[np.ndarray, "N D"]) -> Float[np.ndarray, "N D"]:
    """Back to the unit cube."""
    return np.clip(ndtr(x), EDGE, 1.0 - EDGE)


def reflect(unit: Float[Array, "*R D"]) -> Float[Array, "*R D"]:
    """Fold points that left the unit cube back into it, as often as needed."""
    return 1.0 - jnp.abs(jnp.mod(unit, 2.0) - 1.0)
