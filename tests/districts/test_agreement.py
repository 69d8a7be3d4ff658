"""The fast engine against the reference that polls elector by elector.

Without book-keeping the districts are independent replicates: vote shares are compared party by party with the
two-sample Kolmogorov-Smirnov test, and both engines with the closed-form mean and covariance. With book-keeping
the runs are the replicates: statistics of a run are compared by their means. All seeds are fixed; thresholds are
critical values and multiples of the Monte Carlo standard error.
"""

from functools import cache
from typing import Any

import numpy as np
import pytest

from electjax.districts.kernels.polling import largest_remainder
from electjax.districts.models.base import Contest, Outcome
from tests.districts.runs import (
    GAMMAS,
    MIDDLE_DISTRICTS,
    MIDDLE_SIZE,
    MIDDLE_TOTAL,
    STANDARD_ERRORS,
    contest,
    is_consistent,
    middle,
    moments_agree,
    outcomes,
    unequal,
    urn_variance,
)

# ---------------------------------------------------------------- without book-keeping

THETA = np.array([0.54, 0.4, 0.045, 0.015])
PATTERN = np.array([0.6, 0.8, 0.9, 0.99, 0.99])  # twice the districts where the engines are hardest to agree
WIDTH = 1000  # districts simulated side by side
LEVEL = 1e-3  # of all comparisons of one test together


def free_votes(engine: str, electors: int, runs: int, seed: int, growth: float = 0.5) -> dict[float, np.ndarray]:
    """votes[replicate, party] of independent districts for every gamma."""
    result = outcomes(
        "dpm",
        contest(np.full(WIDTH, electors), THETA),
        runs=runs,
        params={"gamma": np.tile(PATTERN, WIDTH // len(PATTERN))},
        options={"bookkeeping": "none", "growth": growth},
        engine=engine,
        batch=1,
        seed=seed,
    )
    by_gamma = result.votes.reshape(-1, len(PATTERN), len(THETA))
    return {g: by_gamma[:, g == PATTERN].reshape(-1, len(THETA)) for g in np.unique(PATTERN)}


def distances(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Two-sample Kolmogorov-Smirnov distance of every party's votes."""
    result = []
    for a, b in zip(np.sort(first, axis=0).T, np.sort(second, axis=0).T, strict=True):
        points = np.concatenate([a, b])
        gap = np.searchsorted(a, points, "right") / len(a) - np.searchsorted(b, points, "right") / len(b)
        result.append(np.abs(gap).max())
    return np.array(result)


def critical(first: np.ndarray, second: np.ndarray) -> float:
    """Critical distance at LEVEL shared among all parties and gammas (Smirnov's limit; ties make it safe)."""
    comparisons = len(THETA) * len(np.unique(PATTERN))
    size = len(first) * len(second) / (len(first) + len(second))
    return np.sqrt(-0.5 * np.log(0.5 * LEVEL / comparisons) / size)


def free_disagreements(electors: int, runs: int, growth: float) -> list[tuple[float, int]]:
    """(gamma, party) where the Kolmogorov-Smirnov test tells the engines apart."""
    agent = free_agent(electors, runs)
    leap = free_votes("leap", electors, 8 * runs, seed=2, growth=growth)
    return [
        (gamma, k)
        for gamma, votes in leap.items()
        for k, distance in enumerate(distances(agent[gamma], votes))
        if distance > critical(agent[gamma], votes)
    ]


@cache
def free_agent(electors: int, runs: int) -> dict[float, np.ndarray]:
    return free_votes("agent", electors, runs, seed=1)


# electors of a district: 10,000, and as many as in Delhi; 41,000 districts of `agent`
SIZES = pytest.mark.parametrize("electors", [10_000, pytest.param(130_000, marks=pytest.mark.slow)])


@SIZES
@pytest.mark.slow
def test_free_engines_agree(electors: int) -> None:
    assert free_disagreements(electors, 41, growth=0.5) == []


@pytest.mark.slow
@SIZES
def test_free_comparison_has_power(electors: int) -> None:
    """Blocks of three times the electors so far are wrong for the smallest party, and are found out."""
    assert (0.99, 3) in free_disagreements(electors, 41, growth=3.0)


@pytest.mark.slow
@SIZES
def test_free_engines_have_the_closed_form_moments(electors: int) -> None:
    unit = np.diag(THETA) - np.outer(THETA, THETA)
    leap = free_votes("leap", electors, 8 * 41, seed=2)
    for gamma, votes in free_agent(electors, 41).items():
        variance = urn_variance(electors, float(np.float32(gamma)), 2.5)
        assert moments_agree(votes, electors * THETA, variance * unit)
        assert moments_agree(leap[gamma], electors * THETA, variance * unit)


# ---------------------------------------------------------------- with book-keeping

PARTIES = np.array([0.54, 0.385, 0.043, 0.032])
EARLY = np.array([0.25, 0.45, 0.15, 0.15])  # totals far from the popularity: the first party is soon used up

# One after the other is exact. Side by side, a block is cut in a random order of its votes and not at the steady
# pace of every district: this is how far means may be off, in seats, in vote shares and in margins.
EXACT = {"seats": 0.0, "share": 0.0, "margin": 0.0}
PACED = {"seats": 0.1, "share": 0.005, "margin": 0.003}
ALLOWED = {"by_district": EXACT, "interleaved": PACED}


def statistics(result: Outcome) -> dict[str, np.ndarray]:
    """What is compared, one value per run: seats, quantiles and spread of vote shares, margins."""
    shares = result.votes / result.votes.sum(axis=2, keepdims=True)
    values = {f"margin {name}": getattr(result.summary, name) for name in ("mwm", "swm")}
    for k in range(shares.shape[2]):
        values[f"seats of {k}"] = result.summary.seats[:, k]
        values[f"share of {k}, spread"] = shares[:, :, k].std(axis=1)
        for q in (0.1, 0.25, 0.5, 0.75, 0.9):
            values[f"share of {k}, quantile {q}"] = np.quantile(shares[:, :, k], q, axis=1)
    return {name: np.asarray(value, np.float64) for name, value in values.items()}


def disagreements(leap: Outcome, agent: Outcome, allowed: dict[str, float]) -> list[str]:
    """The statistics whose means differ by more than noise and what is allowed."""
    result, second = [], statistics(agent)
    for name, a in statistics(leap).items():
        b = second[name]
        noise = np.sqrt(a.var() / len(a) + b.var() / len(b))
        if abs(a.mean() - b.mean()) > STANDARD_ERRORS * noise + allowed[name.split()[0]]:
            result.append(f"{name}: leap {a.mean():.5f}, agent {b.mean():.5f}, noise {noise:.5f}")
    return result


def elections(total: int, districts: int) -> dict[str, Contest]:
    """Equal electorates, very unequal ones, and both with a total that binds early."""
    equal, us_like = np.full(districts, total // districts), unequal(total, districts, 50.0)
    early = largest_remainder(EARLY, total)
    return {
        "equal": contest(equal, PARTIES),
        "unequal": contest(us_like, PARTIES),
        "equal, early": contest(equal, PARTIES, early),
        "unequal, early": contest(us_like, PARTIES, early),
    }


@pytest.mark.parametrize(
    "case",
    [
        "unequal, early",
        pytest.param("equal", marks=pytest.mark.ci),
        *(pytest.param(each, marks=pytest.mark.slow) for each in ("unequal", "equal, early")),
    ],
)
@pytest.mark.parametrize("bookkeeping", ["interleaved", pytest.param("by_district", marks=pytest.mark.ci)])
def test_bound_engines_agree(bookkeeping: str, case: str) -> None:
    election = elections(MIDDLE_TOTAL, MIDDLE_DISTRICTS)[case]
    leap = middle(bookkeeping, election, "leap", seed=3)
    agent = middle(bookkeeping, election, "agent", seed=4)
    assert is_consistent(leap, election, bound=True)
    assert is_consistent(agent, election, bound=True)
    assert disagreements(leap, agent, ALLOWED[bookkeeping]) == []


def test_bound_comparison_has_power() -> None:
    """A slightly different gamma is told apart, and so is one book-keeping from the other."""
    election = elections(MIDDLE_TOTAL, MIDDLE_DISTRICTS)["equal"]
    leap = middle("by_district", election, "leap", seed=3)
    assert disagreements(leap, middle("by_district", election, "agent", GAMMAS - 0.05, seed=4), EXACT)
    assert disagreements(leap, middle("interleaved", election, "leap", seed=4), PACED)


@pytest.mark.slow
@pytest.mark.parametrize("gamma", [0.6, 0.8, 0.9, 0.99])
@pytest.mark.parametrize("case", ["equal", "unequal", "equal, early", "unequal, early"])
@pytest.mark.parametrize("bookkeeping", ["interleaved", "by_district"])
def test_bound_engines_agree_at_every_gamma(bookkeeping: str, case: str, gamma: float) -> None:
    election = elections(MIDDLE_TOTAL, MIDDLE_DISTRICTS)[case]
    values = np.full(2048, gamma)
    leap = middle(bookkeeping, election, "leap", values, seed=5)
    agent = middle(bookkeeping, election, "agent", values, seed=6)
    assert disagreements(leap, agent, ALLOWED[bookkeeping]) == []


@pytest.mark.slow
@pytest.mark.parametrize("case", ["equal", "unequal", "equal, early"])
@pytest.mark.parametrize("bookkeeping", ["interleaved", "by_district"])
@pytest.mark.parametrize(
    ("model", "params", "options"), [("dm", {"concentration": 3.0}, {}), ("dpm", {"gamma": 0.6}, {"reading": "count"})]
)
def test_bound_single_blocks_agree(
    model: str, params: dict[str, Any], options: dict[str, Any], bookkeeping: str, case: str
) -> None:
    """DM and the count reading, whose uncapped draws are exact."""
    election = elections(MIDDLE_TOTAL, MIDDLE_DISTRICTS)[case]
    shared = {"params": params, "options": {"bookkeeping": bookkeeping} | options, "runs": 2048, "batch": 256}
    leap = outcomes(model, election, engine="leap", seed=8, **shared)
    agent = outcomes(model, election, engine="agent", seed=9, **shared)
    assert is_consistent(leap, election, bound=True)
    assert disagreements(leap, agent, ALLOWED[bookkeeping]) == []


def test_single_party_total_of_everything() -> None:
    """A party that holds every total gets every vote."""
    totals = np.array([MIDDLE_TOTAL, 0, 0, 0])
    for bookkeeping in ("interleaved", "by_district"):
        election = contest(np.full(MIDDLE_DISTRICTS, MIDDLE_SIZE), PARTIES, totals)
        assert is_consistent(middle(bookkeeping, election, seed=10), election, bound=True)
