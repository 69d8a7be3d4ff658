"""SIM: both engines against enumeration and each other, Table 4, invariants and errors."""

from collections import defaultdict
from functools import cache
from itertools import product
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy import stats

from electjax.districts.codec import Encoded, encode_params
from electjax.districts.kernels import valuation_agent
from electjax.districts.kernels.polling import largest_remainder
from electjax.districts.models import get_simulator
from electjax.districts.models.base import ENGINES, Outcome, check_options, make_plan, simulate_runs
from electjax.districts.models.sim import draw_society
from electjax.numerics import random
from tests.data_paths import shared
from tests.districts.runs import STANDARD_ERRORS, contest, outcomes

PHI1 = np.array([(1, -1, 0), (-1, 1, 0), (-1, 1, 0)], float)
SIGMA1 = np.array([1.0, 1.0, 2.0])
GIVEN = {"attitudes": "given"}
POLARIZED = {"phi": PHI1, "sigma": SIGMA1}


# ---------------------------------------------------------------- three electors, exactly

Q = stats.norm.cdf(np.array([0.8, -0.5]) / np.hypot(1.0, 2.0))  # of voting for the first party, by community
SMALL = {"phi": np.array([[0.8, 0.0], [-0.5, 0.0]]), "sigma": np.array([1.0, 2.0]), "shares": np.array([0.6, 0.4])}
BASE = 0.7


def exact_law(limits: tuple[int, ...]) -> dict[tuple[int, ...], float]:
    """Votes of three electors in two districts: communities, the urn one by one, votes."""
    law: dict[tuple[int, ...], float] = defaultdict(float)
    for own in product((0, 1), repeat=3):
        for home in product((0, 1), repeat=3):
            probability = np.prod([0.6 if c == 0 else 0.4 for c in own])
            for i, (c, s) in enumerate(zip(own, home, strict=True)):
                weights = [
                    (BASE + sum(own[j] == c and home[j] == d for j in range(i))) * (home[:i].count(d) < limits[d])
                    for d in (0, 1)
                ]
                probability *= weights[s] / sum(weights)
            for vote in product((0, 1), repeat=3):
                votes = [0, 0, 0, 0]
                for s, k in zip(home, vote, strict=True):
                    votes[2 * s + k] += 1
                chance = np.prod([Q[c] if k == 0 else 1 - Q[c] for c, k in zip(own, vote, strict=True)])
                law[tuple(votes)] += probability * chance
    return law


@pytest.mark.parametrize(
    ("placement", "capacity", "limits"),
    [
        ("dirichlet", 1.0, (3, 3)),
        pytest.param("capped", 1.0, (2, 1), marks=pytest.mark.ci),
        pytest.param("capped", 2.0, (3, 2), marks=pytest.mark.slow),
    ],
)
@pytest.mark.parametrize("engine", ENGINES)
def test_three_electors(engine: str, placement: str, capacity: float, limits: tuple[int, ...]) -> None:
    runs = 2**15
    params = SMALL | {"concentration": BASE, "capacity": capacity}
    options = GIVEN | {"communities": 2, "placement": placement}
    election = contest([2, 1], (0.5, 0.5))
    result = outcomes("sim", election, runs=runs, params=params, options=options, engine=engine, batch=2**12)
    found, counts = np.unique(result.votes.reshape(runs, 4), axis=0, return_counts=True)
    observed = {tuple(row): n / runs for row, n in zip(found.tolist(), counts, strict=True)}
    expected = exact_law(limits)
    assert abs(sum(expected.values()) - 1) < 1e-12
    assert set(observed) <= {table for table, p in expected.items() if p > 0}
    for table, p in expected.items():
        assert abs(observed.get(table, 0.0) - p) <= STANDARD_ERRORS * np.sqrt(p * (1 - p) / runs) + 1e-5


# ---------------------------------------------------------------- the fast engine against the reference


def statistics(result: Outcome, centre: np.ndarray) -> np.ndarray:
    """Of every run: votes by district and party, their products, seats, vote fractions, MWM and SWM."""
    votes = result.votes.reshape(len(result.votes), -1).astype(float)
    products = (votes - centre)[:, :, None] * (votes - centre)[:, None, :]
    pairs = products[:, *np.triu_indices(votes.shape[1])]
    summary = result.summary
    single = np.nan_to_num(np.stack([summary.mwm, summary.swm], axis=1))
    return np.concatenate([votes, pairs, summary.seats, np.nan_to_num(summary.vote_fraction), single], axis=1)


def disagreement(total: int, runs: int, batch: int, params: dict[str, Any] | None = None, **options: str) -> float:
    """Largest difference between the engines' mean statistics, in standard errors, over some sixty of them."""
    election = contest(largest_remainder(np.ones(3), total), (0.4, 0.3, 0.3))
    values = POLARIZED | {"concentration": 2.0} | (params or {})
    chosen = {"params": values, "options": GIVEN | options, "batch": batch}
    agent = outcomes("sim", election, runs=runs, engine="agent", seed=1, **chosen)
    leap = outcomes("sim", election, runs=4 * runs, seed=2, **chosen)
    centre = agent.votes.reshape(runs, -1).mean(axis=0)
    a, b = statistics(agent, centre), statistics(leap, centre)
    noise = np.sqrt(a.var(axis=0) / len(a) + b.var(axis=0) / len(b))
    return float((np.abs(a.mean(axis=0) - b.mean(axis=0)) / np.maximum(noise, 1e-9)).max())


SWAYED = [(scope, kappa) for kappa in ("fixed", "beta") for scope in ("district", "community", "national")]
EVERY = pytest.mark.parametrize(
    ("influence", "kappa"), [pytest.param(*case, marks=pytest.mark.slow) for case in [("none", "fixed"), *SWAYED]]
)


@EVERY
def test_engines_agree_on_twenty_electors(influence: str, kappa: str) -> None:
    """Fixed kappa is exact; a beta law of it has standard deviations right to 1 % even here."""
    assert disagreement(20, 2**14, 2**11, influence=influence, kappa=kappa) < STANDARD_ERRORS


@pytest.mark.slow
@EVERY
def test_engines_agree_on_thousands(influence: str, kappa: str) -> None:
    assert disagreement(12_000, 2**11, 64, influence=influence, kappa=kappa) < STANDARD_ERRORS


@pytest.mark.slow
@pytest.mark.parametrize("capacity", [1.0, 1.3])
def test_engines_agree_where_districts_close(capacity: float) -> None:
    params = {"capacity": capacity}
    assert disagreement(300, 2**12, 2**9, params, placement="capped", influence="district") < STANDARD_ERRORS


@pytest.mark.slow
def test_engines_agree_on_drawn_societies() -> None:
    drawn = {"attitudes": "drawn", "shares": "drawn", "spread": "drawn", "constraint": "net", "base": "electorate"}
    assert disagreement(600, 2**13, 2**9, {"stick": 2.0}, **drawn) < STANDARD_ERRORS


@pytest.mark.parametrize("kappa", ["fixed", pytest.param("beta", marks=pytest.mark.slow)])
@pytest.mark.slow
def test_shared_noise_of_the_mean(kappa: str) -> None:
    """Electors swayed by one mean vary together: by a quarter more than a multinomial, as the reference does."""
    election = contest([2000], (0.5, 0.5))
    params = {"phi": 0.0, "sigma": np.array([1.0, 1.0])}
    options = GIVEN | {"communities": 1, "influence": "national", "kappa": kappa}
    params["shares"] = 1.0

    def spread(engine: str, runs: int) -> float:
        votes = outcomes("sim", election, runs=runs, params=params, options=options, engine=engine, batch=64).votes
        assert abs(votes[:, 0, 0].mean() - 1000) <= STANDARD_ERRORS * votes[:, 0, 0].std() / np.sqrt(runs)
        return float(votes[:, 0, 0].std())

    agent, leap = spread("agent", 2**11), spread("leap", 2**14)
    plain = np.sqrt(2000) / 2
    if kappa == "fixed":
        # n/4 + n (1 - kappa^2) D^2 2 sigma^2, where the density D of the difference is 1 / (kappa sigma sqrt(4 pi))
        assert abs(leap / plain - np.sqrt(1 + 4 * 0.75 / 0.25 * 2 / (4 * np.pi))) < 0.02
    assert agent > 1.2 * plain
    assert abs(leap / agent - 1) < STANDARD_ERRORS * np.sqrt(1 / 2**12 + 1 / 2**15)


# ---------------------------------------------------------------- Table 4


@cache
def table_4(influence: str) -> dict[str, Outcome]:
    """A thousand runs of both scenarios with three communities at the paper's size."""
    scenarios = {"phi1": POLARIZED, "phi2": {"phi": np.eye(3), "sigma": np.array([1.0, 2.0, 1.0])}}
    election = contest(np.full(100, 10_000), (0.4, 0.3, 0.3))
    options = GIVEN | {"influence": influence}
    return {
        name: outcomes("sim", election, runs=1000, batch=50, params=params, options=options)
        for name, params in scenarios.items()
    }


def national(result: Outcome) -> np.ndarray:
    return result.votes.sum(axis=1) / result.votes.sum(axis=(1, 2))[:, None]


@pytest.mark.slow
@pytest.mark.parametrize(("variant", "influence"), [("individual", "none"), ("local_influence", "district")])
def test_table_4(variant: str, influence: str) -> None:
    table = pd.read_csv(shared("paper/social_identity_table_4.csv"))
    rows = table[(table["communities"] == 3) & (table["variant"] == variant)].set_index("scenario")
    errors = []
    for name, result in table_4(influence).items():
        assert np.all(result.votes.sum(axis=(1, 2)) == 1_000_000)
        seats = rows.loc[name, ["seats1", "seats2", "seats3"]].to_numpy(float)
        theta = rows.loc[name, ["theta1", "theta2", "theta3"]].to_numpy(float)
        errors.append(np.abs(result.summary.seats.mean(axis=0) - seats))
        assert np.abs(national(result).mean(axis=0) - theta).max() < 0.02
        assert result.summary.seats.std(axis=0).max() < 4  # as section 8 says of SIM
    assert np.mean(errors) <= 1.0


@pytest.mark.slow  # the same claim through the verb is checked with the paper's other claims
def test_local_influence_hurts_the_centrist_party() -> None:
    alone, swayed = (national(table_4(influence)["phi1"])[:, 2] for influence in ("none", "district"))
    noise = np.sqrt((alone.var() + swayed.var()) / 1000)
    assert alone.mean() - swayed.mean() > 0.05 > STANDARD_ERRORS * noise
    assert table_4("district")["phi1"].summary.seats[:, 2].mean() < 1


# ---------------------------------------------------------------- drawn societies


@pytest.mark.slow
def test_ranks_fix_the_attitudes() -> None:
    """A rank stands for one permitted column in every run; a negative one is another in every run."""
    sim = get_simulator("sim")
    options = check_options(sim, {"shares": "drawn", "spread": "drawn"})
    params = {name: jnp.asarray(value, jnp.float32) for name, value in sim.defaults.items()}
    params["phi_rank"] = jnp.array([0.0, 1.0, -1.0])
    keys = random.subkey(jax.random.key(4), jnp.arange(4096))
    society = jax.vmap(lambda key: draw_society(key, params, parties=3, options=options))(keys)
    shares, phi, sigma = (np.asarray(x, np.float64) for x in society)
    assert np.allclose(shares.sum(axis=1), 1, atol=1e-6)
    assert np.all(shares >= 0)
    # stick-breaking with concentration 1 halves what is left, on average
    assert np.abs(shares.mean(axis=0) - [0.5, 0.25, 0.25]).max() < STANDARD_ERRORS * 0.3 / 64
    assert np.all((np.maximum(phi, 0) * shares[:, :, None]).sum(axis=1) <= 0.5 + 2e-5)
    assert np.all(phi[:, :, 0] == -1)  # the first of all columns
    assert len(np.unique(phi[:, :, 2], axis=0)) > 20
    assert np.abs(sigma.mean(axis=0) - 1).max() < STANDARD_ERRORS * 0.5 / 64
    assert np.abs(sigma.std(axis=0) - 0.5).max() < 0.05


# ---------------------------------------------------------------- a network


def test_neighbours_mean() -> None:
    values = jnp.array([[1.0], [3.0], [8.0], [5.0]])
    edges = jnp.array([[0, 1], [1, 2], [2, 2]])
    mean = valuation_agent._neighbours_mean(values, edges)
    assert np.allclose(mean[:, 0], [3.0, 4.5, 5.5, 5.0])  # nobody but himself for the last


@pytest.mark.slow
def test_a_complete_network_is_the_nation() -> None:
    """With everybody everybody's neighbour, and his own, electors are swayed by the national mean: the same votes."""
    total = 30
    pairs = np.array([(i, j) for i in range(total) for j in range(i, total)])
    numbered = np.asarray(valuation_agent.communities_in_order(jnp.array([0.5, 0.3, 0.2]), 33))
    assert np.array_equal(np.bincount(numbered), largest_remainder(np.array([0.5, 0.3, 0.2]), 33))
    assert np.all(np.diff(numbered) >= 0)
    community = valuation_agent.communities_in_order(jnp.array([0.5, 0.3, 0.2]), total)
    district = jnp.arange(total, dtype=jnp.int32) % 4

    def votes(influence: str, edges: Any = None) -> np.ndarray:
        cast = jax.vmap(
            lambda key: valuation_agent.cast_votes(
                key,
                community,
                district,
                jnp.asarray(PHI1, jnp.float32),
                jnp.asarray(SIGMA1, jnp.float32),
                districts=4,
                influence=influence,
                kappa=lambda key, shape: jnp.full(shape, 0.4),
                edges=edges,
            )
        )
        return np.asarray(cast(random.subkey(jax.random.key(6), jnp.arange(64))))

    whole = votes("network", jnp.asarray(pairs))
    assert np.array_equal(whole, votes("national"))
    assert not np.array_equal(whole, votes("none"))
    assert np.all(whole.sum(axis=2) == [8, 8, 7, 7])


def test_a_network_runs_with_the_reference_only() -> None:
    election = contest([10, 10], (0.4, 0.3, 0.3))
    options = {"influence": "network"}
    network = np.stack([np.arange(19), np.arange(1, 20)], axis=1)
    result = outcomes("sim", election, runs=8, engine="agent", batch=8, params={"network": network}, options=options)
    assert np.all(result.votes.sum(axis=(1, 2)) == 20)
    with pytest.raises(ValueError, match="influence=network needs engine=agent"):
        outcomes("sim", election, runs=8, batch=8, params={"network": network}, options=options)
    with pytest.raises(ValueError, match="influence=network needs parameter network, pairs"):
        outcomes("sim", election, runs=8, engine="agent", batch=8, options=options)


# ---------------------------------------------------------------- invariants

TOTAL, DISTRICTS, RUNS = 3000, 10, 16


def varied(params: dict[str, Any]) -> dict[str, np.ndarray]:
    """Every parameter with a leading run axis."""
    values = get_simulator("sim").defaults | params
    return {name: np.broadcast_to(value, (RUNS, *np.shape(value))) for name, value in values.items()}


@st.composite
def societies(draw: st.DrawFn) -> tuple[np.ndarray, dict[str, Any]]:
    """Electors of ten districts and parameters: empty districts, communities of nobody, attitudes and spreads."""
    parts = draw(st.lists(st.integers(0, 20), min_size=DISTRICTS, max_size=DISTRICTS).filter(any))
    shares = np.array(draw(st.lists(st.integers(0, 5), min_size=3, max_size=3).filter(any)), float)
    phi = draw(st.lists(st.sampled_from([-1.0, 0.0, 0.3, 1.0]), min_size=12, max_size=12))
    sigma = draw(st.lists(st.sampled_from([1e-3, 0.5, 1.0, 100.0]), min_size=4, max_size=4))
    params = {
        "shares": shares / shares.sum(),
        "phi": np.reshape(phi, (3, 4)),
        "sigma": np.array(sigma),
        "kappa": draw(st.sampled_from([0.0, 0.5, 1.0])),
    }
    return largest_remainder(np.array(parts), TOTAL), params


A = np.resize([1e-3, 0.05, 0.5, 1e6], RUNS)


@pytest.mark.parametrize(
    ("engine", "placement"),
    [
        ("leap", "dirichlet"),
        *(pytest.param(*case, marks=pytest.mark.slow) for case in (("leap", "capped"), ("agent", "dirichlet"))),
        pytest.param("agent", "capped", marks=pytest.mark.slow),
    ],
)
@given(made=societies(), seed=st.integers(0, 2**31 - 1))
@settings(max_examples=10, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
def test_invariants(engine: str, placement: str, made: tuple[np.ndarray, dict[str, Any]], seed: int) -> None:
    """Everybody votes once; closing districts at L = 1 keep their electors."""
    electors, params = made
    options = GIVEN | {"placement": placement, "base": "electorate", "influence": "district"}
    params = varied(params) | {"concentration": A}
    election = contest(electors, np.full(4, 0.25))
    chosen = {"params": params, "options": options, "engine": engine, "batch": RUNS, "seed": seed, "varying": True}
    votes = outcomes("sim", election, runs=RUNS, largest=TOTAL, **chosen).votes
    assert votes.min() >= 0
    assert np.all(votes.sum(axis=(1, 2)) == TOTAL)
    assert np.all(votes[:, electors == 0] == 0)
    if placement == "capped":
        assert np.all(votes.sum(axis=2) == electors)


@pytest.mark.slow
@pytest.mark.parametrize("influence", ["none", "district"])
@pytest.mark.parametrize("engine", ENGINES)
def test_smallest_elections(engine: str, influence: str) -> None:
    for electors, theta in (([2], (0.5, 0.5)), ([1, 1], (1.0,)), ([5000], (1.0,))):
        election = contest(electors, theta)
        result = outcomes("sim", election, runs=4, options={"influence": influence}, engine=engine, batch=4)
        assert np.all(result.votes.sum(axis=(1, 2)) == sum(electors))
        assert np.all(result.summary.seats.sum(axis=1) == len(electors))


@pytest.mark.parametrize("influence", ["none", pytest.param("district", marks=pytest.mark.slow)])
@pytest.mark.slow
def test_india(influence: str) -> None:
    """9.7e8 electors in 543 districts, some of them in communities and districts above 2^24."""
    total = 970_000_001
    election = contest(largest_remainder(np.ones(543), total), np.full(5, 0.2))
    params = {"concentration": 0.01, "phi": np.array([1.0, 0, 0, 0, -1]) * np.ones((3, 1))}
    result = outcomes("sim", election, runs=8, params=params, options=GIVEN | {"influence": influence}, batch=8)
    assert result.votes.max() > 2**24
    assert np.all(result.votes.sum(axis=(1, 2), dtype=np.int64) == total)
    assert result.votes.min() >= 0
    if influence == "none":
        # one law for all communities: national shares are known up to a multinomial's noise
        expected = outcomes("sim", contest([10**7], np.full(5, 0.2)), runs=8, params=params, options=GIVEN, batch=8)
        share = result.votes.sum(axis=(0, 1), dtype=np.int64) / (8 * total)
        other = expected.votes.sum(axis=(0, 1), dtype=np.int64) / 8e7
        assert np.abs(share - other).max() < STANDARD_ERRORS * np.sqrt(0.25 / 8e7)


# ---------------------------------------------------------------- batches, sweeps, errors


@pytest.mark.ci
def test_sweep_compiles_once_and_batches_do_not_matter() -> None:
    election = contest(np.full(5, 400), np.full(3, 1 / 3))
    options = GIVEN | {"influence": "district"}

    def votes(runs: np.ndarray, a: float, scale: float) -> np.ndarray:
        params = {"concentration": a, "phi": scale * PHI1, "sigma": SIGMA1 * (1 + scale), "kappa": scale}
        return outcomes("sim", election, runs=runs, params=params, options=options, batch=8, seed=3).votes

    numbers = np.arange(32)
    first = votes(numbers, 0.5, 0.5)
    before = simulate_runs._cache_size()
    moved = np.roll(numbers, 11)[::-1]
    assert np.array_equal(votes(moved, 0.5, 0.5), first[moved])
    for a in (0.05, 5.0):
        votes(numbers, a, 1.0 / (1 + a))
    assert simulate_runs._cache_size() == before


def test_bad_input_is_refused() -> None:
    sim = get_simulator("sim")
    election = contest([50, 50], np.full(3, 1 / 3))
    with pytest.raises(ValueError, match=r"parameter shares has shape \(3,\); expected 5 values"):
        outcomes("sim", election, runs=8, batch=8, options={"communities": 5})
    with pytest.raises(ValueError, match=r"parameter phi has shape \(2, 3\); expected 3 x 3 values"):
        outcomes("sim", election, runs=8, batch=8, options=GIVEN, params={"phi": np.zeros((2, 3))})
    with pytest.raises(ValueError, match="communities=8: attitudes are drawn for at most 7"):
        make_plan(sim, election, options=check_options(sim, {"communities": 8}))
    with pytest.raises(ValueError, match="communities=0: expected at least 1"):
        make_plan(sim, election, options=check_options(sim, {"communities": 0}))
    with pytest.raises(ValueError, match=r"parameter shares=.* sums to 0.9; expected 1"):
        sim.check({"shares": jnp.array([0.5, 0.2, 0.2])}, check_options(sim, {}))


def test_shapes_of_labelled_parameters() -> None:
    sim = get_simulator("sim")
    five = check_options(sim, {"communities": 5, "shares": "drawn"})
    election = contest([50, 50], np.full(3, 1 / 3))
    encoded = Encoded(election, np.ones(3, bool), ["a", "b", "c"], ["x", "y"], np.array([50, 50]))
    with pytest.raises(ValueError, match=r"shares has shape \(3,\); expected .*5 values, one per community"):
        encode_params(sim, {"shares": [0.5, 0.3, 0.2]}, five, encoded)
    with pytest.raises(ValueError, match=r"network has shape \(2, 3\); expected .*any x 2 values, one per edge"):
        encode_params(sim, {"network": np.zeros((2, 3))}, five, encoded)
    values = encode_params(sim, {"network": np.zeros((9, 2)), "phi": np.zeros((5, 3))}, five, encoded)
    assert values["network"].shape == (9, 2)
