"""CALM's posterior by the No-U-Turn sampler, for small data (blackjax, extra `mcmc`).

The chains move in coordinates in which the normal approximation of the posterior is standard normal: booth effects
relative to what the shared parameters make of them. So ties do not slow them down, and where the approximation is good
they need few steps. The target is exp(-objective), whatever the approximation.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Bool, Float

from electjax.calm.model.design import Design
from electjax.calm.model.problem import Problem, value
from electjax.calm.model.uncertainty import Reported, reported
from electjax.calm.model.unseen import constituencies
from electjax.numerics.arrow import Point
from electjax.numerics.laplace import Laplace


class Samples(NamedTuple):
    """Draws of the chains; the leading axes are chain and draw.

    Attributes:
        point: parameters.
        reported: the shared ones as they are reported.
        log_density: minus the objective.
        diverging: whether the transition diverged.
        acceptance: mean acceptance of the transition.
    """

    point: Point
    reported: Reported
    log_density: Float[np.ndarray, "c n"]
    diverging: Bool[np.ndarray, "c n"]
    acceptance: Float[np.ndarray, "c n"]


def sample(
    key: Array,
    posterior: Laplace,
    problem: Problem,
    design: Design,
    *,
    draws: int,
    chains: int,
    warmup: int,
    progress: Callable[[int, int, str], None] | None = None,
) -> Samples:
    """Run chains from starts that are wider than the posterior; no direction of its approximation may be flat."""
    found = []
    for chain in range(chains):
        own = jax.random.fold_in(key, chain)
        found.append(
            jax.tree.map(np.asarray, _chain(own, posterior, problem, design=design, draws=draws, warmup=warmup))
        )
        if progress:
            progress(chain + 1, chains, "chains")
    return Samples(*jax.tree.map(lambda *each: np.stack(each), *found))


def diagnostics(samples: Any) -> tuple[Any, Any]:
    """Split R-hat with ranks, and the effective sample size, of arrays [chain, draw, ...] (arviz-stats)."""
    from arviz_stats.base import array_stats

    def of(function: Callable[..., Any], values: np.ndarray) -> np.ndarray:
        flat = np.asarray(values).reshape(*values.shape[:2], -1)
        return np.asarray(function(flat, chain_axis=0, draw_axis=1)).reshape(values.shape[2:])

    return jax.tree.map(partial(of, array_stats.rhat), samples), jax.tree.map(partial(of, array_stats.ess), samples)


@partial(jax.jit, static_argnames=("design", "draws", "warmup"))
def _chain(key: Array, posterior: Laplace, problem: Problem, *, design: Design, draws: int, warmup: int) -> Samples:
    import blackjax

    root, ties, spread = (jnp.asarray(x) for x in (posterior.root, posterior.ties, posterior.spread))

    def place(at: Point) -> Point:
        step = root @ at.shared
        own = jnp.einsum("iqr,ir->iq", spread, at.groups) - ties @ step
        return Point(posterior.mean.shared + step, posterior.mean.groups + own)

    def log_density(at: Point) -> Array:
        return -value(place(at), problem, design)

    of_start, of_warmup, of_run = jax.random.split(key, 3)
    first, second = jax.random.split(of_start)
    mean = posterior.mean
    start = Point(
        1.5 * jax.random.normal(first, mean.shared.shape, mean.shared.dtype),
        1.5 * jax.random.normal(second, mean.groups.shape, mean.groups.dtype),
    )
    adaptation = blackjax.window_adaptation(blackjax.nuts, log_density)
    (state, tuned), _ = adaptation.run(of_warmup, start, num_steps=warmup)
    kernel = blackjax.nuts(log_density, **tuned)

    def step(state: Any, key: Array) -> tuple[Any, Samples]:
        state, info = kernel.step(key, state)
        point = place(state.position)
        found = reported(point.shared, problem, design, constituencies(point, problem, design))
        return state, Samples(point, found, state.logdensity, info.is_divergent, info.acceptance_rate)

    return jax.lax.scan(step, state, jax.random.split(of_run, draws))[1]
