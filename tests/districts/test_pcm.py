"""PCM: its blocks against supporter by supporter, capacities, totals, and its law on the smallest elections."""

from itertools import product
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy import stats

from electjax.districts.kernels import settling, urn
from electjax.districts.kernels.polling import largest_remainder
from electjax.districts.models import get_simulator
from electjax.districts.models.base import Contest, Outcome, check_options, make_plan
from electjax.districts.models.polls import capacities
from electjax.numerics import random
from tests.districts.runs import STANDARD_ERRORS, contest, moments_agree, outcomes, unequal, urn_variance

# ---------------------------------------------------------------- the whole law of three supporters


def exact_law(eta: tuple[float, float], prior_mass: float, limits: tuple[int, int], fraction: bool) -> dict[Any, float]:
    """Probability of every votes[district][party], for totals (1, 2), by following every order and choice."""
    law: dict[Any, float] = {}

    def follow(counts: np.ndarray, left: tuple[int, int], probability: float) -> None:
        if sum(left) == 0:
            law[counts.tobytes()] = law.get(counts.tobytes(), 0.0) + probability
            return
        for k in (0, 1):
            if left[k] == 0:
                continue
            own = counts[:, k]
            if fraction:
                mass = own.sum() + 2 * prior_mass
                weights = eta[k] * (own + prior_mass) / mass + (1 - eta[k]) / 2
            else:
                weights = eta[k] * own + (1 - eta[k])
            weights = np.where(counts.sum(axis=1) < limits, weights, 0.0)
            weights = weights / weights.sum()
            for s in np.flatnonzero(weights):
                after = counts.copy()
                after[s, k] += 1
                follow(after, (left[0] - (k == 0), left[1] - (k == 1)), probability * left[k] / sum(left) * weights[s])

    follow(np.zeros((2, 2), np.int64), (1, 2), 1.0)
    return law


@pytest.mark.parametrize("engine", ["leap", "agent"])
@pytest.mark.parametrize(
    ("reading", "capacity"),
    [
        ("fraction", 1.5),
        pytest.param("count", 1.0, marks=pytest.mark.ci),
        *(
            pytest.param(*case, marks=pytest.mark.slow)
            for case in [("fraction", 1.0), ("fraction", 9.0), ("count", 1.5), ("count", 9.0)]
        ),
    ],
)
def test_three_supporters(engine: str, reading: str, capacity: float) -> None:
    """Two districts of one and two electors: both engines give the exact law, closing districts included."""
    runs = 2**15
    election = contest((1, 2), (0.3, 0.7), (1, 2))
    eta = (0.5, 0.9)
    params = {"eta": eta, "capacity": capacity}
    result = outcomes(
        "pcm", election, runs=runs, params=params, options={"reading": reading}, engine=engine, batch=2**11, seed=3
    )
    limits = tuple(int(min(3, np.floor(capacity * n))) for n in (1, 2))
    expected = exact_law(eta, 1.0, limits, reading == "fraction")
    found, counts = np.unique(result.votes.reshape(runs, -1), axis=0, return_counts=True)
    tally = {row.astype(np.int64).tobytes(): n for row, n in zip(found, counts, strict=True)}
    assert set(tally) <= set(expected)
    for votes, p in expected.items():
        noise = np.sqrt(p * (1 - p) / runs)
        assert abs(tally.get(votes, 0) / runs - p) <= STANDARD_ERRORS * noise + 1e-6


# ---------------------------------------------------------------- without capacities


@pytest.mark.parametrize("engine", ["leap", pytest.param("agent", marks=pytest.mark.ci)])
def test_open_districts_have_the_closed_form_covariance(engine: str) -> None:
    """Mean v b and covariance q (diag b - b b') over districts, parties independent of each other."""
    districts, supporters, eta = 6, 600, 0.7
    election = contest(np.full(districts, 200), (0.5, 0.5))
    runs = 2048 if engine == "agent" else 8192
    params = {"eta": eta, "prior_mass": 0.5}
    result = outcomes("pcm", election, runs=runs, params=params, options={"districts": "open"}, engine=engine, seed=4)
    base = np.full(districts, 1 / districts)
    cover = urn_variance(supporters, eta, 0.5 * districts) * (np.diag(base) - np.outer(base, base))
    both = result.votes.astype(np.float64).transpose(0, 2, 1).reshape(runs, -1)
    covariance = np.kron(np.eye(2), cover)
    assert moments_agree(both, np.tile(supporters * base, 2), covariance)


@pytest.mark.parametrize(
    ("eta", "base"),
    [
        (0.9, "electorate"),
        *(
            pytest.param(*case, marks=pytest.mark.slow)
            for case in [(0.6, "uniform"), (0.6, "electorate"), (0.9, "uniform")]
        ),
    ],
)
def test_open_blocks_have_the_distribution_of_single_supporters(eta: float, base: str) -> None:
    """Votes of every district of unequal ones, party by party, by Kolmogorov-Smirnov tests."""
    electors = unequal(12_000, 8, 20.0)
    election = contest(electors, (0.75, 0.2, 0.05))
    shared = {"params": {"eta": eta}, "options": {"districts": "open", "base": base}}
    leap = outcomes("pcm", election, runs=6144, seed=5, **shared).votes
    agent = outcomes("pcm", election, runs=1536, engine="agent", seed=6, **shared).votes
    level = 1e-3 / (8 * 3)
    for s, k in product(range(8), range(3)):
        assert stats.ks_2samp(leap[:, s, k], agent[:, s, k]).pvalue > level, (s, k)


# ---------------------------------------------------------------- with capacities


def statistics(result: Outcome) -> dict[str, np.ndarray]:
    """What is compared, one value per run."""
    sizes = result.votes.sum(axis=2)
    shares = result.votes / np.maximum(sizes, 1)[..., None]
    values = {"mwm": result.summary.mwm, "swm": result.summary.swm, "spread of sizes": sizes.std(axis=1)}
    for k in range(shares.shape[2]):
        values[f"seats {k}"] = result.summary.seats[:, k]
        values[f"spread of {k}"] = shares[:, :, k].std(axis=1)
        values[f"largest of {k}"] = shares[:, :, k].max(axis=1)
        for q in (0.1, 0.5, 0.9):
            values[f"quantile {q} of {k}"] = np.quantile(shares[:, :, k], q, axis=1)
        for other in range(k):
            deviations = shares[:, :, [k, other]] - shares[:, :, [k, other]].mean(axis=1, keepdims=True)
            values[f"covariance of {k} and {other}"] = deviations.prod(axis=2).mean(axis=1)
    return {name: np.asarray(value, np.float64) for name, value in values.items()}


def largest_gap(first: Outcome, second: Outcome) -> tuple[float, str]:
    """The largest difference of means in standard errors, and of what."""
    a, b = statistics(first), statistics(second)
    gaps = {
        name: abs(a[name].mean() - b[name].mean())
        / max(np.sqrt(a[name].var() / len(a[name]) + b[name].var() / len(b[name])), 1e-12)
        for name in a
    }
    worst = max(gaps, key=lambda name: gaps[name])
    return gaps[worst], worst


MIXED = (0.5, 0.99, 0.8, 0.9)


def closing(election: Contest, engine: str, eta: Any, capacity: float, runs: int, seed: int, **options: Any) -> Outcome:
    params = {"eta": np.broadcast_to(eta, 4), "capacity": capacity}
    return outcomes("pcm", election, runs=runs, params=params, options=options, engine=engine, batch=128, seed=seed)


@pytest.mark.parametrize(
    ("capacity", "ratio"),
    [pytest.param(1.0, 20.0, marks=pytest.mark.ci), pytest.param(1.5, 1.0, marks=pytest.mark.slow)],
)
def test_closing_engines_agree(capacity: float, ratio: float) -> None:
    """Parties of unlike concentration, equal and very unequal districts of 500 electors on average."""
    election = contest(unequal(6000, 12, ratio), (0.45, 0.35, 0.15, 0.05))
    leap = closing(election, "leap", MIXED, capacity, 4096, 7)
    agent = closing(election, "agent", MIXED, capacity, 1024, 8)
    for result in (leap, agent):
        assert np.all(result.votes.sum(axis=1) == np.asarray(election.totals))
        assert np.all(result.votes.sum(axis=2) <= np.floor(capacity * np.asarray(election.electors)))
    gap, name = largest_gap(leap, agent)
    assert gap < STANDARD_ERRORS, (gap, name)


@pytest.mark.slow
def test_closing_comparison_has_power() -> None:
    """Another capacity, and another concentration of one party, are told apart."""
    election = contest(unequal(6000, 12, 1.0), (0.45, 0.35, 0.15, 0.05))
    leap = closing(election, "leap", MIXED, 1.5, 4096, 7)
    assert largest_gap(leap, closing(election, "leap", MIXED, 1.35, 1024, 9))[0] > STANDARD_ERRORS
    assert largest_gap(leap, closing(election, "leap", (0.5, 0.98, 0.8, 0.9), 1.5, 1024, 9))[0] > STANDARD_ERRORS


@pytest.mark.slow
@pytest.mark.parametrize("reading", ["fraction", "count"])
@pytest.mark.parametrize("capacity", [1.0, 1.2, 1.5])
@pytest.mark.parametrize("eta", [0.6, 0.99])
@pytest.mark.parametrize(("total", "ratio"), [(20_000, 1.0), (20_000, 20.0), (400, 1.0), (400, 10.0)])
def test_closing_engines_agree_everywhere(reading: str, capacity: float, eta: float, total: int, ratio: float) -> None:
    election = contest(unequal(total, 20, ratio), (0.45, 0.35, 0.15, 0.05))
    leap = closing(election, "leap", eta, capacity, 4096, 10, reading=reading)
    agent = closing(election, "agent", eta, capacity, 2048, 11, reading=reading)
    gap, name = largest_gap(leap, agent)
    assert gap < STANDARD_ERRORS, (gap, name)


# ---------------------------------------------------------------- invariants


@st.composite
def places(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    """electors[5] and totals[3]: empty districts, two electors, parties without support."""
    total = draw(st.sampled_from([2, 20, 600]))
    electors = draw(st.lists(st.integers(0, 20), min_size=5, max_size=5).filter(any))
    theta = draw(st.lists(st.integers(0, 20), min_size=3, max_size=3).filter(any))
    return largest_remainder(np.array(electors), total), np.array(theta) / sum(theta)


@pytest.mark.slow
@pytest.mark.parametrize("reading", ["fraction", "count"])
@given(made=places(), seed=st.integers(0, 2**31 - 1))
@settings(max_examples=3, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
def test_invariants(reading: str, made: tuple[np.ndarray, np.ndarray], seed: int) -> None:
    """Totals exact, capacities respected, for every concentration, prior mass and capacity."""
    electors, theta = made
    election = contest(electors, theta)
    runs = 64
    capacity = np.resize([1.0, 1.01, 1.5, 50.0], runs).astype(np.float32)
    params = {
        "eta": np.resize([0.0, 0.5, 0.99, 1.0, 0.3], (runs, 3)),
        "prior_mass": np.resize([1.0, 0.0], runs),
        "capacity": capacity,
    }
    for engine in ("leap", "agent"):
        votes = outcomes(
            "pcm", election, runs=runs, params=params, options={"reading": reading}, engine=engine, batch=runs,
            seed=seed, varying=True,
        ).votes  # fmt: skip
        assert votes.min() >= 0
        assert np.all(votes.sum(axis=1) == np.asarray(election.totals))
        limits = np.stack([capacities(election.electors, jnp.float32(c), int(electors.sum())) for c in capacity])
        assert np.all(votes.sum(axis=2) <= limits)
        assert np.all(limits <= np.floor(capacity[:, None] * electors + 1e-3))
        full = capacity == 1.0
        assert np.all(votes[full].sum(axis=2) == electors)


def test_capacities_are_exact_where_they_must_be() -> None:
    electors = jnp.array([0, 1, 2, 2**24 + 1, 900_000_001], jnp.int32)
    total = int(np.asarray(electors, np.int64).sum())
    assert capacities(electors, jnp.float32(1.0), total).tolist() == electors.tolist()
    for capacity in (1.5, 1e30):
        room = np.asarray(capacities(electors, jnp.float32(capacity), total), np.float64)
        expected = np.minimum(np.floor(capacity * np.asarray(electors, np.float64)), total)
        assert np.allclose(room, expected, rtol=2.0**-23)
        assert room.max() <= total


@pytest.mark.slow
def test_drawn_totals_are_multinomial() -> None:
    election = contest([400, 600], (0.2, 0.5, 0.3))
    votes = outcomes("pcm", election, runs=8192, options={"bookkeeping": "none"}, params={"eta": 0.5}, seed=12).votes
    totals, theta = votes.sum(axis=1), np.array([0.2, 0.5, 0.3])
    assert np.all(totals.sum(axis=1) == 1000)
    assert moments_agree(totals, 1000 * theta, 1000 * (np.diag(theta) - np.outer(theta, theta)))


@pytest.mark.slow
@pytest.mark.parametrize("districts", [56, 543])
def test_nations_keep_their_electors(districts: int) -> None:
    """Above 2^24 float32 has no odd numbers; votes still add up: the US with a district of 17e6, and India."""
    total = 160_000_001 if districts == 56 else 970_000_001
    electors = unequal(total, districts, 80.0)
    if districts == 56:
        electors[0], electors[1] = 17_000_003, electors[1] + electors[0] - 17_000_003
    election = contest(electors, (0.46, 0.31, 0.2, 0.02, 0.01))
    result = outcomes("pcm", election, runs=8, params={"eta": (0.99, 0.9, 0.5, 0.99, 0.8)}, batch=8, seed=13)
    assert np.all(result.votes.sum(axis=1) == np.asarray(election.totals))
    assert np.all(result.votes.sum(axis=2) <= np.floor(1.5 * electors) + 64)
    assert np.all(result.summary.seats.sum(axis=1) == districts)
    assert result.votes.dtype == np.int32


# ---------------------------------------------------------------- the parts


def test_plan_reaches_the_end_in_the_steps_promised() -> None:
    for total, fraction, closed in product((2, 60, 10_000, 10**9), (True, False), (True, False)):
        plan = settling.settling_plan(total, 4, 1000, fraction=fraction, growth=0.5, closing=closed)
        times = np.array([plan.start / total, *plan.times])
        assert plan.times[-1] == 1.0
        steps = np.diff(times)
        assert np.all(steps[:-1] > 0)
        if closed:
            assert steps.max() <= settling.STEP + 1e-9 or plan.start >= total
        if fraction and plan.start < total:
            assert np.all(steps <= 0.5 * times[:-1] + 1e-9)


def test_who_stays_is_a_random_subset() -> None:
    """Those turned away from a district are as likely of one group as of another: hypergeometric counts."""
    runs = 4096
    come = jnp.broadcast_to(jnp.array([[30, 10, 60], [5, 0, 4]])[..., None], (2, 3, runs))
    space = jnp.broadcast_to(jnp.array([40, 20])[:, None], (2, runs))
    bits = jax.random.bits(jax.random.key(14), come.shape, jnp.uint32)
    # more at once than are taken together
    stay = np.asarray(settling._turn_away(bits, come, space, jnp.sum(come, axis=1) > space))
    assert np.all(stay[1] == np.array([5, 0, 4])[:, None])
    assert np.all(stay[0].sum(axis=0) == 40)
    for group, number in enumerate((30, 10, 60)):
        law = stats.hypergeom(100, number, 40)
        noise = law.std() / np.sqrt(runs)
        assert abs(stay[0, group].mean() - law.mean()) <= STANDARD_ERRORS * noise
        assert abs(stay[0, group].std() / law.std() - 1) < 0.06


def test_growth_must_be_positive() -> None:
    pcm = get_simulator("pcm")
    options = check_options(pcm, {"growth": 0.0})
    with pytest.raises(ValueError, match=r"model pcm: option growth=0"):
        make_plan(pcm, contest([5, 5], [0.5, 0.5]), options=options)


def test_settlers_follow_the_urn() -> None:
    """The first supporters of an urn, by copying an earlier one: the closed-form covariance."""
    lanes, first, districts, gamma, prior_mass = 20_000, 40, 5, 0.8, 2.0

    base = np.array([0.1, 0.2, 0.3, 0.4, 0.0])
    u = random.open_uniform(random.random_bits(jax.random.key(15), jnp.arange(lanes), first))
    counts, choices = jax.jit(urn.first_settlers)(
        u, jnp.zeros((districts, lanes), jnp.int32), jnp.full(lanes, 30), None,
        gamma=jnp.full(lanes, gamma), base=jnp.asarray(base, jnp.float32), prior_mass=jnp.float32(prior_mass),
    )  # fmt: skip
    assert np.all(np.asarray(choices)[30:] == districts)
    expected = urn_variance(30, gamma, prior_mass) * (np.diag(base) - np.outer(base, base))
    assert moments_agree(np.asarray(counts).T, 30 * base, expected)
