"""Independent uniform priors, on the parameter's own or on its logarithmic scale.

Samplers work in the unit cube, one coordinate per parameter component; here it is mapped to parameters.
"""

from collections.abc import Mapping
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from electjax.simulators.base import Params, Simulator


class Axis(NamedTuple):
    """One calibrated parameter: its range, scale and shape (static)."""

    name: str
    low: float
    high: float
    log: bool
    shape: tuple[int, ...] = ()

    @property
    def size(self) -> int:
        """Number of coordinates of the unit cube that the parameter takes."""
        return int(np.prod(self.shape, dtype=int))

    def __str__(self) -> str:
        return f"{'log-uniform' if self.log else 'uniform'}({self.low:g}, {self.high:g})"


class Space(NamedTuple):
    """The prior: an axis per calibrated parameter."""

    axes: tuple[Axis, ...]

    @property
    def size(self) -> int:
        """Dimension of the unit cube."""
        return sum(axis.size for axis in self.axes)


def make_space(
    simulator: Simulator,
    priors: Mapping[str, tuple[float, float]] | None = None,
    shapes: Mapping[str, tuple[int, ...]] | None = None,
) -> Space:
    """The prior of a model: its own ranges unless `priors` names other parameters or ranges.

    priors: parameter -> (low, high); given, only these parameters are calibrated. A range with low above 0 of a
    log-scaled parameter is log-uniform.
    shapes: shape of vector parameters.

    Raises:
        ValueError: an unknown parameter, low >= high, or a range outside the parameter's support.
    """
    known = {p.name: p for p in simulator.parameters}
    if not priors:
        priors = {p.name: p.prior for p in simulator.parameters if p.prior is not None}
    axes = []
    for name, bounds in priors.items():
        if name not in known:
            raise ValueError(f"model {simulator.name}: prior for unknown parameter '{name}'; it has {', '.join(known)}")
        low, high = float(bounds[0]), float(bounds[1])
        least, most = known[name].support
        if not (least <= low < high <= most and np.isfinite([low, high]).all()):
            raise ValueError(
                f"model {simulator.name}: prior of {name} is ({low:g}, {high:g}); expected low < high, both finite"
                f" and within [{least:g}, {most:g}]"
            )
        log = known[name].scale == "log" and low > 0
        axes.append(Axis(name, low, high, log, tuple((shapes or {}).get(name, ()))))
    return Space(tuple(axes))


def unit_to_params(space: Space, unit: Float[Array, "*R D"] | Float[np.ndarray, "*R D"]) -> Params:
    """Parameters of points of the unit cube, each with the leading shape of `unit`."""
    exp = np.exp if isinstance(unit, np.ndarray) else jnp.exp
    params, start = {}, 0
    for axis in space.axes:
        u = unit[..., start : start + axis.size].reshape((*unit.shape[:-1], *axis.shape))
        start += axis.size
        if axis.log:
            params[axis.name] = axis.low * exp(u * np.log(axis.high / axis.low))
        else:
            params[axis.name] = axis.low + u * (axis.high - axis.low)
    return params


def reflect(unit: Float[Array, "*R D"]) -> Float[Array, "*R D"]:
    """Fold points that left the unit cube back into it, as often as needed."""
    return 1.0 - jnp.abs(jnp.mod(unit, 2.0) - 1.0)
