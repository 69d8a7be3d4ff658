"""The exact posterior, where a model has a likelihood: on a grid in one or two dimensions, by NUTS in more.

All of it runs in 64 bits, inside a context that leaves the caller's precision alone. The grid's cells are refined
where the posterior is, however narrow, until it covers thousands of them. NUTS works on the logits of the unit cube's
coordinates (of the broken stick's fractions, for a simplex), centred and scaled by the curvature at the mode.

The draws are then simulated like any other method's, so that a sample comes with its posterior predictive.
"""

import warnings
from functools import partial
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, Key
from scipy import optimize, special

from electjax.districts.abc.grid import CELLS, adaptive_grid, grid_draws
from electjax.districts.abc.prior import EDGE, Axis, Space, unit_to_params
from electjax.districts.abc.problem import Method, Problem, Progress, Sample, closest, evaluate
from electjax.districts.models.base import Contest, Params, Simulator, filled, option
from electjax.districts.models.base import options as options_group
from electjax.numerics.host import double_precision, host_generator

LARGEST_R_HAT = 1.01
FEWEST_PER_CHAIN = 1000
THINNING = 4  # transitions per draw, which are correlated
IMPORTANCE_DRAWS = 4096  # for the evidence beside NUTS
IMPOSSIBLE = "method exact: the observed votes have probability zero under all parameters of the prior"
HOW = "dm with bookkeeping=none; dpm with reading=count, bookkeeping=none; pcm with reading=count, districts=open"


@options_group
class ExactOptions:
    """How the exact posterior is drawn from."""

    sampler: Literal["auto", "grid", "nuts"] = option("auto", "auto: a grid up to two coordinates, else NUTS")
    chains: int = option(4, "chains of NUTS", low=2)
    warmup: int = option(500, "steps of NUTS that adapt each chain", low=1)


class Posterior(NamedTuple):
    """Draws from the exact posterior, the log marginal likelihood (NaN where unknown), and how the sampler did."""

    unit: Float[np.ndarray, "N D"]
    log_evidence: float
    diagnostics: dict[str, np.ndarray]


def exact(
    key: Key[Array, ""],
    problem: Problem,
    *,
    votes: Int[np.ndarray, "S K"] | None = None,
    accept: int,
    budget: int = 0,
    tolerance: float | None = None,
    options: ExactOptions | None = None,
    progress: Progress | None = None,
) -> Sample:
    """`accept` draws from the exact posterior given the observed votes, each with an election simulated there.

    budget and tolerance play no part. Beside what other samples have, trace holds log_evidence, the logarithm of the
    probability of the votes given the model; from NUTS also divergences and the largest r_hat.

    Raises:
        ValueError: no votes, a model or options without a likelihood, a prior that the sampler cannot handle, or votes
            that are impossible under all parameters.
    """
    chosen = options or filled(ExactOptions)
    _check(problem, votes, chosen.sampler)
    if accept < 1:
        raise ValueError(f"accept={accept}: expected at least 1")
    key_sample, key_runs = jax.random.split(key)
    grid = chosen.sampler == "grid" or (chosen.sampler == "auto" and problem.space.size <= max(CELLS))
    with double_precision():
        model = _Model(problem.space, problem.setting.simulator, problem.setting.options)
        data = _Data(jnp.asarray(votes), problem.contest, {k: jnp.asarray(v, float) for k, v in problem.fixed.items()})
        found = (
            _grid(key_sample, model, data, accept=accept)
            if grid
            else _nuts(key_sample, model, data, accept=accept, chains=chosen.chains, warmup=chosen.warmup)
        )
    draws = evaluate(key_runs, np.arange(accept), np.clip(found.unit, EDGE, 1.0 - EDGE), problem)
    if progress:
        progress(accept, accept, f"log evidence {found.log_evidence:.2f}")
    order = np.argsort(draws.distance, kind="stable")
    none = {name: np.zeros(0) for name in ("tolerance", "acceptance_rate", "ess", "simulations")}
    none |= {name: np.zeros((0, 0)) for name in ("distance", "log_weight")}
    return Sample(
        draws=draws.take(order),
        weight=np.full(accept, 1.0 / accept),
        number=order,
        closest=closest(draws, problem),
        simulations=accept,
        acceptance_rate=1.0,
        tolerance=0.0,
        stopped="exact",
        trace=none | {"log_evidence": np.asarray(found.log_evidence)} | found.diagnostics,
        measure=problem.measure,
    )


def _check(problem: Problem, votes: np.ndarray | None, sampler: str) -> None:
    """Raise where there is no likelihood, or where a sampler would not see what it needs."""
    simulator, options = problem.setting.simulator, problem.setting.options
    names = {axis.name for axis in problem.space.axes}
    if votes is None:
        raise ValueError("method exact: needs the votes of every district, and the election has only a summary")
    if simulator.log_likelihood is None or not simulator.has_likelihood(options):
        chosen = ", ".join(f"{name}={value}" for name, value in vars(options).items())
        raise ValueError(
            f"method exact: model {simulator.name} with {chosen} has no likelihood; there is one for {HOW}"
        )
    if problem.permits is not None or any(axis.kind == "levels" for axis in problem.space.axes):
        raise ValueError("method exact: expected priors on intervals and simplexes, unrestricted; use method smc")
    if "popularity" in names and "parties" in simulator.holds(options):
        raise ValueError("method exact: the parties' totals are fixed, so the popularity cannot be calibrated")
    if sampler == "grid" and problem.space.size not in CELLS:
        raise ValueError(
            f"method exact: a grid takes one or two coordinates, not {problem.space.size}; use sampler=nuts"
        )


class _Model(NamedTuple):
    """The static part: what a compiled likelihood depends on besides shapes."""

    space: Space
    simulator: Simulator
    options: Any


class _Data(NamedTuple):
    votes: Int[Array, "S K"]
    contest: Contest
    fixed: Params


def _log_likelihood(own: Params, model: _Model, data: _Data) -> Float[Array, ""]:
    own = data.fixed | own
    contest = data.contest
    if "popularity" in own:
        contest = contest._replace(popularity=own.pop("popularity"))
    likelihood = model.simulator.log_likelihood
    assert likelihood is not None
    return likelihood(data.votes, contest, own, model.options)


@partial(jax.jit, static_argnames="model")
def _log_likelihoods(params: Params, data: _Data, *, model: _Model) -> Float[Array, " N"]:
    return jax.lax.map(lambda own: _log_likelihood(own, model, data), params, batch_size=64)


def _grid(key: Array, model: _Model, data: _Data, *, accept: int) -> Posterior:
    block = 1024

    def log_density(unit: np.ndarray) -> np.ndarray:
        padded = np.resize(unit, (-(-len(unit) // block) * block, unit.shape[1]))  # few lengths: few programs
        params = {name: jnp.asarray(value) for name, value in unit_to_params(model.space, padded).items()}
        return np.asarray(_log_likelihoods(params, data, model=model))[: len(unit)]

    grid = adaptive_grid(log_density, model.space.size)
    if grid.log_evidence == -np.inf:
        raise ValueError(IMPOSSIBLE)
    rng = host_generator(key)
    return Posterior(grid_draws(grid, rng, accept), grid.log_evidence, {})


class Frame(NamedTuple):
    """Coordinates in which the posterior is roughly a standard normal: logits = centre + scale @ y."""

    centre: Float[Array, " D"]
    scale: Float[Array, "D D"]


def _sticks(axis: Axis) -> tuple[np.ndarray, np.ndarray]:
    """Beta parameters of a simplex's broken fractions, one pair per coordinate."""
    weight = np.asarray(axis.values)
    rest = np.cumsum(weight[::-1])[::-1][1:]
    copies = axis.size // len(rest)
    return np.tile(weight[:-1], copies), np.tile(rest, copies)


def _log_prior_and_params(logits: Float[Array, " D"], space: Space) -> tuple[Array, Params]:
    """Log prior density of the logits, and the parameters there; differentiable, which Beta quantiles are not."""
    params: Params = {}
    log_prior, start = jnp.zeros(()), 0
    for axis in space.axes:
        z = logits[start : start + axis.size]
        start += axis.size
        log_in, log_out = jax.nn.log_sigmoid(z), jax.nn.log_sigmoid(-z)
        if axis.kind == "simplex":
            a, b = _sticks(axis)
            log_prior += jnp.sum(a * log_in + b * log_out - special.betaln(a, b))
            log_in, log_out = (v.reshape(*axis.shape[:-1], -1) for v in (log_in, log_out))
            left = jnp.pad(jnp.cumsum(log_out, axis=-1), [(0, 0)] * (len(axis.shape) - 1) + [(1, 0)])
            params[axis.name] = jnp.exp(left + jnp.pad(log_in, [(0, 0)] * (len(axis.shape) - 1) + [(0, 1)]))
            continue
        log_prior += jnp.sum(log_in + log_out)
        u = jnp.exp(log_in).reshape(axis.shape)
        if axis.log:
            params[axis.name] = axis.low * jnp.exp(u * np.log(axis.high / axis.low))
        else:
            params[axis.name] = axis.low + u * (axis.high - axis.low)
    return log_prior, params


def _to_unit(logits: Float[np.ndarray, "N D"], space: Space) -> Float[np.ndarray, "N D"]:
    """Points of the unit cube from logits."""
    unit, start = special.expit(logits), 0
    for axis in space.axes:
        if axis.kind == "simplex":
            a, b = _sticks(axis)
            part = slice(start, start + axis.size)
            unit[..., part] = special.betainc(a, b, unit[..., part])
        start += axis.size
    return unit


@partial(jax.jit, static_argnames="model")
def _log_posterior(y: Float[Array, " D"], frame: Frame, data: _Data, model: _Model) -> Float[Array, ""]:
    """Log density in the frame, whose integral is the evidence over the frame's volume."""
    log_prior, params = _log_prior_and_params(frame.centre + frame.scale @ y, model.space)
    return log_prior + _log_likelihood(params, model, data)


_value_and_gradient = jax.jit(jax.value_and_grad(_log_posterior), static_argnums=3)
_log_posteriors = jax.jit(jax.vmap(_log_posterior, in_axes=(0, None, None, None)), static_argnums=3)


@partial(jax.jit, static_argnames=("model", "warmup", "samples"))
def _run_chains(
    key: Array, start: Float[Array, "C D"], frame: Frame, data: _Data, *, model: _Model, warmup: int, samples: int
) -> tuple[Float[Array, "C N D"], Array]:
    """Positions of the chains after window adaptation, and which transitions diverged."""
    import blackjax

    def log_density(y: Array) -> Array:
        return _log_posterior(y, frame, data, model)

    adaptation = blackjax.window_adaptation(blackjax.nuts, log_density)

    def chain(key: Array, position: Array) -> tuple[Array, Array]:
        key_warm, key_run = jax.random.split(key)
        (state, tuned), _ = adaptation.run(key_warm, position, num_steps=warmup)
        kernel = blackjax.nuts(log_density, **tuned)

        def step(state: Any, key: Array) -> tuple[Any, tuple[Array, Array]]:
            state, info = kernel.step(key, state)
            return state, (state.position, info.is_divergent)

        return jax.lax.scan(step, state, jax.random.split(key_run, samples))[1]

    return jax.vmap(chain)(jax.random.split(key, start.shape[0]), start)


def _nuts(key: Array, model: _Model, data: _Data, *, accept: int, chains: int, warmup: int) -> Posterior:
    try:
        import blackjax  # noqa: F401
    except ImportError:
        raise ValueError("method exact: chains need blackjax: pip install 'electjax[mcmc]'") from None
    size = model.space.size
    key_chains, key_host = jax.random.split(key)
    rng = host_generator(key_host)
    modes = _modes(rng.logistic(size=(chains, size)), model, data)
    frame = _frame(modes[0], model, data)
    # wider than the posterior, so that chains that have not mixed look different
    start = np.linalg.solve(frame.scale, (modes - frame.centre).T).T + 1.5 * rng.normal(size=(chains, size))
    samples = max(FEWEST_PER_CHAIN, THINNING * -(-accept // chains))
    y, diverged = (
        np.asarray(value)
        for value in _run_chains(
            key_chains, jnp.asarray(start), frame, data, model=model, warmup=warmup, samples=samples
        )
    )
    divergences, spread = int(diverged.sum()), r_hat(y)
    if divergences or not (spread < LARGEST_R_HAT).all():
        warnings.warn(
            f"method exact: {divergences} of {diverged.size} transitions diverged, largest R-hat {spread.max():.3f};"
            f" try a longer warmup than {warmup}",
            stacklevel=4,
        )
    pooled = y.swapaxes(0, 1).reshape(-1, size)
    thinned = pooled[np.linspace(0, len(pooled) - 1, accept).round().astype(int)]
    log_evidence = _importance_evidence(rng, pooled, frame, model, data)
    logits = thinned @ np.asarray(frame.scale).T + np.asarray(frame.centre)
    diagnostics = {"divergences": np.asarray(divergences), "r_hat": spread.max()}
    return Posterior(_to_unit(logits, model.space), log_evidence, diagnostics)


def _modes(starts: Float[np.ndarray, "C D"], model: _Model, data: _Data) -> Float[np.ndarray, "C D"]:
    """The local modes that lie uphill from the starts, the highest first."""
    plain = Frame(jnp.zeros(starts.shape[1]), jnp.eye(starts.shape[1]))

    def downhill(logits: np.ndarray) -> tuple[float, np.ndarray]:
        value, slope = _value_and_gradient(jnp.asarray(logits), plain, data, model)
        return -float(value), -np.asarray(slope)

    found = [optimize.minimize(downhill, start, jac=True, method="L-BFGS-B") for start in starts]
    best = min(found, key=lambda result: float(result.fun))
    if not np.isfinite(best.fun):
        raise ValueError(IMPOSSIBLE)
    found.sort(key=lambda result: float(result.fun) if np.isfinite(result.fun) else np.inf)
    return np.stack([result.x if np.isfinite(result.fun) else best.x for result in found])


def _frame(mode: Float[np.ndarray, " D"], model: _Model, data: _Data) -> Frame:
    """The frame of the curvature at the mode, taken from the gradient and held above that of the flattest prior."""
    plain = Frame(jnp.zeros(len(mode)), jnp.eye(len(mode)))

    def slope(logits: np.ndarray) -> np.ndarray:
        return np.asarray(_value_and_gradient(jnp.asarray(logits), plain, data, model)[1])

    steps = 1e-5 * np.eye(len(mode))
    curvature = -np.stack([slope(mode + step) - slope(mode - step) for step in steps]) / 2e-5
    values, vectors = np.linalg.eigh(0.5 * (curvature + curvature.T))
    return Frame(jnp.asarray(mode), jnp.asarray(vectors / np.sqrt(np.maximum(values, 0.05))))


def r_hat(chains: Float[np.ndarray, "C N D"]) -> Float[np.ndarray, " D"]:
    """Split R-hat: how much wider all half-chains together are than each of them (Gelman et al., BDA3, 11.4)."""
    number = chains.shape[1] // 2
    halves = np.concatenate([chains[:, :number], chains[:, -number:]])
    within = halves.var(axis=1, ddof=1).mean(axis=0)
    between = halves.mean(axis=1).var(axis=0, ddof=1)
    return np.sqrt((number - 1) / number + between / within)


def _importance_evidence(
    rng: np.random.Generator, draws: Float[np.ndarray, "N D"], frame: Frame, model: _Model, data: _Data
) -> float:
    """Log marginal likelihood by importance sampling from a heavy-tailed fit to the draws; NaN where it fails."""
    from scipy import stats  # slow to import, and needed here only

    fit = stats.multivariate_t(draws.mean(axis=0), np.cov(draws.T).reshape(draws.shape[1], -1), df=5, seed=rng)
    points = fit.rvs(IMPORTANCE_DRAWS).reshape(IMPORTANCE_DRAWS, -1)
    log_ratio = np.asarray(_log_posteriors(jnp.asarray(points), frame, data, model)) - fit.logpdf(points)
    ratio = np.exp(log_ratio - log_ratio.max())
    if not ratio.sum() ** 2 > 0.05 * len(ratio) * (ratio**2).sum():
        return float("nan")
    volume = np.linalg.slogdet(np.asarray(frame.scale))[1]
    return float(special.logsumexp(log_ratio) - np.log(len(ratio)) + volume)


METHOD = Method(
    name="exact",
    title="Exact posterior of a model with a known likelihood (DM; DPM and PCM by counts)",
    options=ExactOptions,
    search=exact,
    weighting=lambda options: "equal; draws come from the exact posterior",
    accept=2000,
    needs_votes=True,
    likelihood_free=False,
)
