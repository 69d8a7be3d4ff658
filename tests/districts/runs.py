"""Running a district model on arrays, and closed forms of its urn in float64, for the tests of the engines."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from electjax.districts.kernels.polling import largest_remainder
from electjax.districts.models import get_simulator
from electjax.districts.models.base import Contest, Outcome, check_options, make_plan, simulate_runs

STANDARD_ERRORS = 5.0  # tolerance of every comparison of means; by chance about one in a million fails


def contest(electors: Any, theta: Any, totals: Any = None) -> Contest:
    """An election of districts with these electors; party totals in proportion to theta unless given."""
    electors, theta = np.asarray(electors), np.asarray(theta, np.float64)
    totals = largest_remainder(theta, int(electors.sum())) if totals is None else np.asarray(totals)
    return Contest(jnp.asarray(electors, jnp.int32), jnp.asarray(theta, jnp.float32), jnp.asarray(totals, jnp.int32))


def outcomes(
    model: str,
    election: Contest,
    *,
    runs: int | np.ndarray,
    params: dict[str, Any] | None = None,
    options: dict[str, Any] | None = None,
    engine: str = "leap",
    batch: int | None = None,
    largest: int | None = None,
    may_win: Any = None,
    seed: int = 0,
    varying: bool = False,
) -> Outcome:
    """Simulated runs as numpy arrays; `largest` plans for bigger districts, so that elections share a program."""
    simulator = get_simulator(model)
    chosen = check_options(simulator, options)
    parties = election.popularity.shape[0]
    plan = make_plan(simulator, election, options=chosen, engine=engine)
    if largest is not None:
        schedule = simulator.schedule(election._replace(electors=np.array([largest])), options=chosen)
        plan = plan._replace(schedule=schedule, largest=largest)
    plan = plan._replace(batch=batch or plan.batch)
    values = simulator.defaults | (params or {})
    result = simulate_runs(
        jax.random.key(seed),
        jnp.arange(runs) if isinstance(runs, int) else jnp.asarray(runs),
        election,
        jnp.ones(parties, bool) if may_win is None else jnp.asarray(may_win),
        {name: jnp.asarray(value, jnp.float32) for name, value in values.items()},
        simulator=simulator,
        options=chosen,
        plan=plan,
        varying=varying,
    )
    return jax.tree.map(np.asarray, result)


def urn_variance(electors: int, gamma: float, prior_mass: float) -> float:
    """q with Cov(S_n) = q (diag b - b b') after n electors of the fraction urn from scratch.

    The deviations S_m - m b have drift gamma / (m + c0) and unit increments of covariance diag b - b b', so
    q_{m+1} = q_m (1 + 2 gamma / (m + c0)) + 1, q_0 = 0: the exact moment recursion, also for prior mass.
    """
    q = 0.0
    for m in range(electors):
        q = q * (1.0 + 2.0 * gamma / (m + prior_mass) if m else 1.0) + 1.0
    return q


def moments_agree(draws: np.ndarray, mean: np.ndarray, covariance: np.ndarray) -> bool:
    """Draws[N, K] have this mean and covariance, each entry within `STANDARD_ERRORS` of its own noise."""
    centred = draws.astype(np.float64) - mean
    products = centred[:, :, None] * centred[:, None, :]
    for values, expected in ((centred, 0.0), (products, covariance)):
        noise = values.std(axis=0) / np.sqrt(len(draws))
        if np.any(np.abs(values.mean(axis=0) - expected) > STANDARD_ERRORS * noise + 1e-9):
            return False
    return True


def is_consistent(result: Outcome, election: Contest, bound: bool) -> bool:
    """Everybody votes once, nothing is negative and, where bound, every party polls its total."""
    votes = result.votes
    return bool(
        np.all(votes.sum(axis=-1) == np.asarray(election.electors))
        and (not bound or np.all(votes.sum(axis=-2) == np.asarray(election.totals)))
        and votes.min() >= 0
    )


# Elections that the tests share, so that each engine compiles once for all of them.
TINY_RUNS, TINY_BATCH = 2**15, 2**12


def tiny(model: str, engine: str, bookkeeping: str, options: dict[str, Any] | None = None, **more: Any) -> Outcome:
    """Two districts of three electors, three parties; parameters are given per district."""
    params = {name: np.broadcast_to(value, (2,)) for name, value in more.pop("params", {}).items()}
    if "prior_mass" in params:
        params["prior_mass"] = params["prior_mass"][0]
    settings: dict[str, Any] = {"runs": TINY_RUNS, "batch": TINY_BATCH, "seed": 7, "params": params} | more
    election = settings.pop("election", contest((3, 3), (0.2, 0.3, 0.5), (1, 2, 3)))
    options = {"bookkeeping": bookkeeping} | (options or {})
    return outcomes(model, election, options=options, engine=engine, largest=3, **settings)


MIDDLE_SIZE, MIDDLE_DISTRICTS, MIDDLE_RUNS = 3000, 10, 512
MIDDLE_TOTAL = MIDDLE_SIZE * MIDDLE_DISTRICTS
GAMMAS = np.tile([0.6, 0.8, 0.9, 0.99], MIDDLE_RUNS // 4)


def unequal(total: int, districts: int, ratio: float) -> np.ndarray:
    """Electorates in geometric steps, the largest `ratio` times the smallest, like those of the US states."""
    return largest_remainder(np.geomspace(ratio, 1.0, districts), total)


def middle(bookkeeping: str, election: Contest, engine: str = "leap", gamma: Any = GAMMAS, **more: Any) -> Outcome:
    """DPM in ten districts of 30,000 electors together and four parties; gamma and c0 differ by run."""
    params = {"gamma": gamma, "prior_mass": more.pop("prior_mass", np.full(len(gamma), 2.5))}
    return outcomes(
        "dpm",
        election,
        **({"runs": len(gamma), "batch": 128, "varying": True} | more),
        params=params,
        options={"bookkeeping": bookkeeping},
        engine=engine,
        largest=12_000,
    )
