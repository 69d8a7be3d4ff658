"""Tiny elections: both engines and all book-keepings against the exact law of the whole vote table.

Two districts of three electors: every path is enumerated in Python from the models' definitions, and
the simulated tables are compared by chi-square at a level of 1e-4 per case, with fixed seeds.
"""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from electjax.districts.kernels.polling import largest_remainder, leap_schedule, start_size
from tests.districts.enumeration import Table, fraction_urn, law, polling_orders, polya_urn
from tests.districts.runs import tiny

LEVEL = 1e-4
ELECTORS = (3, 3)
TOTALS = (1, 2, 3)
THETA = (0.2, 0.3, 0.5)
URNS = [(0.0, 2.5), (0.5, 0.0), (0.5, 2.5), (1.0, 0.0), (1.0, 2.5)]


def p_value(votes: np.ndarray, expected: dict[Table, float]) -> float:
    """Of the chi-square test that the simulated tables[R, S, K] follow the law; 0 if an impossible one occurs."""
    tables, counts = np.unique(votes, axis=0, return_counts=True)
    seen = {tuple(map(tuple, table.tolist())): n for table, n in zip(tables, counts, strict=True)}
    if not set(seen) <= set(expected):
        return 0.0
    observed = np.array([seen.get(table, 0) for table in expected], np.float64)
    mean = np.array(list(expected.values())) * len(votes)
    rare = mean < 5
    if rare.any():
        observed = np.append(observed[~rare], observed[rare].sum())
        mean = np.append(mean[~rare], mean[rare].sum())
    return stats.chisquare(observed, mean).pvalue if len(mean) > 1 else 1.0


def simulated(model: str, engine: str, bookkeeping: str, options: dict | None = None, **params: float) -> np.ndarray:
    result = tiny(model, engine, bookkeeping, options, params=params)
    assert np.all(result.votes.sum(axis=2) == ELECTORS)
    if bookkeeping != "none":
        assert np.all(result.votes.sum(axis=1) == TOTALS)
    return result.votes


@pytest.mark.parametrize("engine", ["agent", "leap"])
@pytest.mark.parametrize(
    "bookkeeping",
    [pytest.param("none", marks=pytest.mark.ci), "interleaved", pytest.param("by_district", marks=pytest.mark.ci)],
)
def test_fraction_urn_by_enumeration(engine: str, bookkeeping: str) -> None:
    for gamma, prior_mass in URNS:
        votes = simulated("dpm", engine, bookkeeping, gamma=gamma, prior_mass=prior_mass)
        rule = {"none": "by_district", "interleaved": "rounds"}.get(bookkeeping, bookkeeping)
        totals = None if bookkeeping == "none" else TOTALS
        assert p_value(votes, law(ELECTORS, THETA, fraction_urn(gamma, THETA, prior_mass), totals, rule)) > LEVEL


@pytest.mark.parametrize(
    ("model", "engine", "bookkeeping"),
    [
        ("dm", "leap", "interleaved"),
        pytest.param("dm", "leap", "by_district", marks=pytest.mark.slow),
        pytest.param("dm", "agent", "interleaved", marks=pytest.mark.slow),
        pytest.param("dm", "agent", "by_district", marks=pytest.mark.slow),
        pytest.param("dpm", "leap", "interleaved", marks=pytest.mark.slow),
        pytest.param("dpm", "leap", "by_district", marks=pytest.mark.slow),
        pytest.param("dpm", "agent", "interleaved", marks=pytest.mark.slow),
    ],
)
def test_polya_urn_by_enumeration(model: str, engine: str, bookkeeping: str) -> None:
    """The count reading, and DM, which is the same urn. Here the block draw and its cut are exact.

    Interleaved, `agent` polls in rounds while a single block is cut in a random order of all its votes.
    """
    concentration = 1.5
    if model == "dpm":
        params, options = {"gamma": 1 / (1 + concentration)}, {"reading": "count"}
    else:
        params, options = {"concentration": concentration}, {}
    votes = simulated(model, engine, bookkeeping, options, **params)
    interleaved = "rounds" if engine == "agent" else "shuffled"
    rule = {"none": "by_district", "interleaved": interleaved}.get(bookkeeping, bookkeeping)
    totals = None if bookkeeping == "none" else TOTALS
    assert p_value(votes, law(ELECTORS, THETA, polya_urn(concentration, THETA), totals, rule)) > LEVEL


def test_chi_square_has_power() -> None:
    """A neighbouring model is told apart: gamma .6 from gamma .5, rounds from one district after the other."""
    votes = simulated("dpm", "agent", "interleaved", gamma=0.6, prior_mass=2.5)
    assert p_value(votes, law(ELECTORS, THETA, fraction_urn(0.6, THETA, 2.5), TOTALS, "rounds")) > LEVEL
    assert p_value(votes, law(ELECTORS, THETA, fraction_urn(0.5, THETA, 2.5), TOTALS, "rounds")) < LEVEL
    assert p_value(votes, law(ELECTORS, THETA, fraction_urn(0.6, THETA, 2.5), TOTALS, "by_district")) < LEVEL


def test_polling_orders() -> None:
    assert polling_orders((2, 1), "by_district") == [(0, 0, 1)]
    assert sorted(polling_orders((1, 1), "rounds")) == [(0, 1), (1, 0)]
    assert len(polling_orders((3, 3), "rounds")) == 8
    assert len(polling_orders((3, 3), "shuffled")) == 20


@given(
    st.lists(st.floats(0, 1, allow_subnormal=False), min_size=1, max_size=8).filter(lambda x: sum(x) > 1e-3),
    st.integers(0, 2**40),
)
@settings(deadline=None)
def test_largest_remainder(shares: list[float], total: int) -> None:
    got = largest_remainder(np.array(shares), total)
    quota = np.array(shares) / sum(shares) * total
    assert got.sum() == total
    assert np.all(np.abs(got - quota) < 1 + 1e-9 * total)


def test_largest_remainder_gives_ties_to_the_first() -> None:
    assert largest_remainder(np.array([1.0, 1.0, 1.0]), 4).tolist() == [2, 1, 1]
    assert largest_remainder(np.array([0.536, 0.385, 0.079]), 10).tolist() == [5, 4, 1]
    # quotas 4.7, 1.6, 1.55, 1.3, 0.6, 0.25: the three seats left go to .7, .6 and .6
    assert largest_remainder(np.array([470, 160, 155, 130, 60, 25]), 10).tolist() == [5, 2, 1, 1, 1, 0]


@pytest.mark.parametrize("growth", [0.25, 0.5, 1.0, 3.0])
def test_schedule_keeps_its_promises(growth: float) -> None:
    for largest in (1, 63, 64, 100, 10_000, 133_000, 20_000_000):
        for parties in (1, 2, 5, 12):
            plan = leap_schedule(largest, growth=growth, start=start_size(parties, growth))
            assert plan.start >= 64
            assert plan.start * growth >= 10 * parties
            assert plan.start * (1 + growth) ** plan.blocks >= largest * (1 - 1e-9)
            if plan.blocks:
                assert plan.start * (1 + growth) ** (plan.blocks - 1) < largest
