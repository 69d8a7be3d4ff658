"""The contract that every district model keeps, under both engines and every book-keeping."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from electjax.districts.kernels.polling import BOOKKEEPING, largest_remainder
from electjax.districts.models import SIMULATORS, get_simulator, list_models
from electjax.districts.models.base import DISTRICTS, ENGINES, PARTIES, Outcome, check_options, make_plan, simulate_runs
from tests.districts.runs import (
    GAMMAS,
    MIDDLE_DISTRICTS,
    MIDDLE_RUNS,
    MIDDLE_SIZE,
    MIDDLE_TOTAL,
    TINY_RUNS,
    contest,
    is_consistent,
    middle,
    outcomes,
    tiny,
    unequal,
)

ELECTION = contest((3, 3), (0.2, 0.3, 0.5), (1, 2, 3))
CALL: dict[str, Any] = {"runs": 2**11, "batch": 2**8}
THETA = np.array([0.54, 0.385, 0.043, 0.032])


def same(first: Outcome, second: Outcome) -> bool:
    """Bit by bit."""
    pairs = zip(jax.tree.leaves(first), jax.tree.leaves(second), strict=True)
    return all(np.array_equal(a, b, equal_nan=np.issubdtype(a.dtype, np.floating)) for a, b in pairs)


def at_runs(result: Outcome, runs: np.ndarray) -> Outcome:
    return jax.tree.map(lambda leaf: leaf[runs], result)


# ---------------------------------------------------------------- every model, engine and book-keeping


VARIANTS: list[tuple[str, dict[str, Any]]] = [
    *((model, {"bookkeeping": rule}) for model in ("dm", "dpm", "ecm") for rule in BOOKKEEPING),
    ("ecm", {"overflow": "exceed"}),
    ("pcm", {}),
    ("pcm", {"districts": "open", "bookkeeping": "none"}),
    ("sim", {}),
    ("sim", {"placement": "capped", "influence": "district"}),
]


SWEEPS: dict[str, dict[str, Any]] = {
    "dm": {"concentration": np.linspace(0.5, 20.0, 8)},
    "dpm": {"gamma": np.linspace(0.0, 1.0, 8), "prior_mass": np.linspace(0.0, 3.0, 8)},
    "ecm": {"alpha": np.linspace(0.5, 20.0, 8), "beta": np.linspace(0.0, 1.0, 8)},
    "pcm": {"eta": np.linspace(0.0, 1.0, 24).reshape(8, 3), "capacity": np.linspace(1.0, 3.0, 8)},
    "sim": {"concentration": np.linspace(0.1, 5.0, 8), "sigma": np.linspace(0.5, 2.0, 24).reshape(8, 3)},
}


def values(model: str, index: int) -> dict[str, Any]:
    """One set of parameters; all are of the same shapes, so that one program serves them."""
    return {name: swept[index] for name, swept in SWEEPS[model].items()}


def test_every_model_keeps_the_contract() -> None:
    assert {model for model, _ in VARIANTS} == set(SIMULATORS)


def quick(model: str, options: dict[str, Any]) -> Any:
    """The first variant of a model always runs; others run in CI, or on demand where the code is the same.

    DPM shows how ballots are kept for DM too, and `test_ecm.py` has invariants of its own under every book-keeping.
    """
    rule = options.get("bookkeeping")
    late = rule == "by_district" or (model, rule) == ("dm", "interleaved") or options == {"overflow": "exceed"}
    first = options == next(given for name, given in VARIANTS if name == model)
    return pytest.param(model, options, marks=pytest.mark.slow if late else [] if first else pytest.mark.ci)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(("model", "options"), [quick(*variant) for variant in VARIANTS])
def test_contract(model: str, options: dict[str, Any], engine: str) -> None:
    """Shapes, types, sums that hold, winners and margins of the votes, and runs that depend on nothing else."""
    election, runs = ELECTION, CALL["runs"]
    shared = CALL | {"options": options, "engine": engine, "params": values(model, 4)}
    result = outcomes(model, election, seed=7, **shared)
    assert result.votes.shape == (runs, 2, 3)
    assert result.winner.shape == result.margin.shape == (runs, 2)
    assert result.summary.seats.shape == result.summary.vote_fraction.shape == (runs, 3)
    assert result.summary.mwm.shape == result.summary.swm.shape == (runs,)
    integers = (result.votes, result.winner, result.summary.seats)
    assert all(np.issubdtype(x.dtype, np.signedinteger) for x in integers)
    assert result.margin.dtype == result.summary.mwm.dtype == np.float32
    simulator = get_simulator(model)
    exact = simulator.holds(check_options(simulator, options))
    assert exact <= {DISTRICTS, PARTIES}
    assert np.all(result.votes.sum(axis=(1, 2)) == 6)
    assert result.votes.min() >= 0
    assert np.all(result.votes.sum(axis=2) == 3) or DISTRICTS not in exact
    assert np.all(result.votes.sum(axis=1) == np.asarray(election.totals)) or PARTIES not in exact
    assert np.all(result.summary.seats.sum(axis=1) == 2)
    won = np.take_along_axis(result.votes, result.winner[..., None], axis=2)[..., 0]
    assert np.all(won == result.votes.max(axis=2))
    cast = result.votes.sum(axis=2)
    assert np.allclose(result.margin[cast > 0], (won / np.maximum(cast, 1))[cast > 0])
    assert np.all(np.isnan(result.margin[cast == 0]))
    # another seed and another run give other votes
    other = outcomes(model, election, seed=8, **shared)
    assert np.any(other.votes != result.votes)
    assert len(np.unique(result.votes, axis=0)) > 2
    # the same seed repeats, and run r is the same wherever it stands among the others
    turned = np.roll(np.arange(runs), 1234)
    moved = outcomes(model, election, seed=7, **(shared | {"runs": turned}))
    assert same(moved, at_runs(result, turned))


@pytest.mark.parametrize("model", SIMULATORS)
def test_a_sweep_compiles_once(model: str) -> None:
    """Values are traced: eight sets of them, and a program for the first."""
    options = next(options for name, options in VARIANTS if name == model)

    def run(index: int) -> np.ndarray:
        return outcomes(model, ELECTION, **CALL, params=values(model, index), options=options, seed=index).votes

    run(0)
    before = simulate_runs._cache_size()
    votes = [run(index) for index in range(1, 8)]
    assert simulate_runs._cache_size() == before
    assert len(np.unique(np.concatenate(votes), axis=0)) > 8


@pytest.mark.parametrize("bookkeeping", ["interleaved", pytest.param("by_district", marks=pytest.mark.ci)])
def test_blocks_do_not_depend_on_the_chunk(bookkeeping: str) -> None:
    """Runs of the fast engine, among other runs and in another order: bit by bit the same."""
    election = contest(unequal(MIDDLE_TOTAL, MIDDLE_DISTRICTS, 50.0), THETA)
    runs = np.roll(np.arange(MIDDLE_RUNS), 77)[::-1]
    first = middle(bookkeeping, election, seed=11)
    assert same(middle(bookkeeping, election, gamma=GAMMAS[runs], seed=11, runs=runs), at_runs(first, runs))


@pytest.mark.slow
def test_two_calls_equal_one() -> None:
    """Sixteen runs in batches of eight, or eight and eight in batches of four, or one set of values per run."""
    election = contest(unequal(MIDDLE_TOTAL, MIDDLE_DISTRICTS, 50.0), THETA)

    def free(runs: np.ndarray, batch: int) -> Outcome:
        options = {"bookkeeping": "none"}
        params = {"gamma": 0.9}
        return outcomes("dpm", election, runs=runs, params=params, options=options, batch=batch, seed=12)

    whole = free(np.arange(16), 8)
    assert same(free(np.arange(8), 4), at_runs(whole, np.arange(8)))
    assert same(free(np.arange(8, 16), 4), at_runs(whole, np.arange(8, 16)))
    gamma = np.where(np.arange(16) % 2, 0.9, 0.5)
    varying = middle("none", election, gamma=gamma, batch=8, seed=12)
    odd = np.arange(1, 16, 2)
    assert same(at_runs(varying, odd), at_runs(whole, odd))


# ---------------------------------------------------------------- parameters and options


@pytest.mark.ci
def test_gamma_may_differ_by_district() -> None:
    """A district with full copying and little prior mass is nearly unanimous, one without copying is not."""
    gamma = np.repeat([0.0, 1.0], 5)
    election = contest(np.full(10, 3000), THETA)
    params = {"gamma": gamma, "prior_mass": 0.01}
    options = {"bookkeeping": "none"}
    votes = outcomes("dpm", election, runs=64, params=params, options=options, batch=64).votes
    top = votes.max(axis=2) / 3000
    assert abs(top[:, :5].mean() - 0.54) < 0.01
    assert top[:, 5:].mean() > 0.97


def test_dm_concentration_may_differ_by_district() -> None:
    """Without concentration a district is unanimous, with much of it electors are independent."""
    votes = tiny("dm", "leap", "none", params={"concentration": [1e-4, 1e6]}).votes
    unanimous = (votes.max(axis=2) == 3).mean(axis=0)
    assert unanimous[0] > 0.999
    independent = 0.2**3 + 0.3**3 + 0.5**3
    assert abs(unanimous[1] - independent) <= 5 * np.sqrt(independent * (1 - independent) / TINY_RUNS)


def test_mode_decides_a_dm_district_by_its_popularity() -> None:
    """A party that is likelier than the others wins even where few electors vote otherwise."""
    election = contest(np.full(16, 1), (0.4, 0.6))
    result = outcomes("dm", election, runs=256, options={"winner": "mode"}, params={"concentration": 50.0})
    first = result.votes[..., 0].mean()
    assert abs(first - 0.4) <= 5 * np.sqrt(0.24 / 4096)
    # theta_s ~ Beta(20, 30): the first party is ahead in one district of thirteen, not in 40 %
    assert (result.winner == 0).mean() < 0.12
    assert np.any(np.take_along_axis(result.votes, result.winner[..., None], axis=2) == 0)


def test_barred_party_never_wins() -> None:
    free = tiny("dpm", "leap", "none", params={"gamma": 0.5, "prior_mass": 2.5})
    barred = tiny("dpm", "leap", "none", params={"gamma": 0.5, "prior_mass": 2.5}, may_win=[True, True, False])
    assert np.array_equal(free.votes, barred.votes)
    assert np.all(barred.summary.seats[:, 2] == 0)
    assert np.all(barred.summary.seats.sum(axis=1) == 2)
    assert free.summary.seats[:, 2].mean() > 0.5


def test_unknown_names_are_refused() -> None:
    with pytest.raises(ValueError, match=r"unknown model 'dmp'.*dm, dpm, ecm, pcm, sim"):
        get_simulator("dmp")
    dpm = get_simulator("dpm")
    with pytest.raises(ValueError, match=r"unknown option 'readng'.*reading"):
        check_options(dpm, {"readng": "count"})
    with pytest.raises(ValueError, match=r"reading='counts' is not one of fraction \| count"):
        check_options(dpm, {"reading": "counts"})
    with pytest.raises(ValueError, match=r"engine='fast' is not one of leap \| agent"):
        make_plan(dpm, contest([5, 5], [0.5, 0.5]), options=dpm.options(), engine="fast")
    with pytest.raises(ValueError, match="32 bits"):
        make_plan(dpm, contest(np.full(100, 30_000_000), [0.5, 0.5], [0, 0]), options=dpm.options())
    assert list_models() == ["dm", "dpm", "ecm", "pcm", "sim"]
    assert dpm.parameter("gamma").default == 0.99


# ---------------------------------------------------------------- invariants


@st.composite
def contests(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """electors[10], theta[4] and totals[4]: empty districts, two electors, parties without support or totals."""
    parts = draw(st.lists(st.integers(0, 50), min_size=MIDDLE_DISTRICTS, max_size=MIDDLE_DISTRICTS).filter(any))
    electors = largest_remainder(np.array(parts), MIDDLE_TOTAL)
    if draw(st.booleans()):  # districts of one or two electors
        small, big = np.argmin(electors), np.argmax(electors)
        electors[big] += electors[small] - 2
        electors[small] = 2
    theta = draw(st.lists(st.integers(0, 20), min_size=4, max_size=4).filter(any))
    totals = draw(st.lists(st.integers(0, 20), min_size=4, max_size=4).filter(any))
    if draw(st.booleans()):
        totals = theta
    return electors, np.array(theta) / sum(theta), largest_remainder(np.array(totals), MIDDLE_TOTAL)


SWEEP = np.resize([0.0, 0.3, 0.5, 0.9, 0.99, 1.0], MIDDLE_RUNS)
PRIOR_MASS = np.repeat([0.0, 2.5], MIDDLE_RUNS // 2)


@pytest.mark.parametrize("bookkeeping", ["interleaved", pytest.param("by_district", marks=pytest.mark.ci)])
@given(made=contests(), seed=st.integers(0, 2**31 - 1))
@settings(max_examples=12, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
def test_bound_invariants(bookkeeping: str, made: tuple[np.ndarray, np.ndarray, np.ndarray], seed: int) -> None:
    """Everybody votes, every party polls exactly its total, whatever the sizes, gamma and c0."""
    election = contest(*made)
    result = middle(bookkeeping, election, gamma=SWEEP, prior_mass=PRIOR_MASS, seed=seed)
    assert is_consistent(result, election, bound=True)


@pytest.mark.ci
@given(made=contests(), seed=st.integers(0, 2**31 - 1))
@settings(max_examples=12, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
def test_free_invariants(made: tuple[np.ndarray, np.ndarray, np.ndarray], seed: int) -> None:
    """Everybody votes, and nobody for a party without support."""
    electors, theta, _ = made
    election = contest(electors, theta)
    for engine in ENGINES:
        result = middle("none", election, engine, gamma=SWEEP[:16], prior_mass=PRIOR_MASS[::32], batch=8, seed=seed)
        assert is_consistent(result, election, bound=False)
        assert np.all(result.votes[..., theta == 0] == 0)


@pytest.mark.slow
@pytest.mark.parametrize(("model", "options"), VARIANTS)
def test_smallest_elections(model: str, options: dict[str, Any]) -> None:
    """One district and one party, of one elector and of many."""
    for electors in (1, 2, 5000):
        election = contest([electors], [1.0])
        result = outcomes(model, election, runs=4, options=options, batch=4)
        assert np.all(result.votes == electors)
        assert np.all(result.summary.seats == 1)
        assert np.all(result.summary.mwm == 1.0)


@pytest.mark.parametrize("bookkeeping", ["none", *(pytest.param(b, marks=pytest.mark.slow) for b in BOOKKEEPING[1:])])
def test_huge_districts_keep_their_electors(bookkeeping: str) -> None:
    """Above 2^24 electors float32 has no odd numbers; the votes still add up, also to the parties' totals."""
    election = contest([2**24 + 1, 10_000_019, 30_000_001], (0.5, 0.3, 0.2))
    result = outcomes("dpm", election, runs=8, options={"bookkeeping": bookkeeping}, batch=8)
    assert is_consistent(result, election, bound=bookkeeping != "none")
    assert np.all(np.isfinite(result.margin))


@pytest.mark.parametrize(
    ("engine", "bookkeeping"),
    [
        ("leap", "none"),
        *(pytest.param(e, b, marks=pytest.mark.slow) for e in ENGINES for b in BOOKKEEPING[1:]),
        pytest.param("agent", "none", marks=pytest.mark.slow),
    ],
)
def test_engines_run_where_the_user_has_turned_on_64_bits(engine: str, bookkeeping: str) -> None:
    election = contest([300, 500], (0.2, 0.3, 0.5))
    before = jax.config.jax_enable_x64
    jax.config.update("jax_enable_x64", True)
    try:
        result = outcomes("dpm", election, runs=4, options={"bookkeeping": bookkeeping}, engine=engine, batch=4)
    finally:
        jax.config.update("jax_enable_x64", before)
    assert is_consistent(result, election, bound=bookkeeping != "none")
    assert result.votes.dtype == np.int32


@pytest.mark.ci
def test_other_key_implementations_keep_the_contract() -> None:
    """rbg keys draw differently under vmap in jax itself; here a run still depends on key and number alone."""
    election = contest(np.full(MIDDLE_DISTRICTS, MIDDLE_SIZE), THETA)
    dpm = get_simulator("dpm")
    options = check_options(dpm, {"bookkeeping": "none"})
    plan = make_plan(dpm, election, options=options)._replace(batch=4)
    params = {name: jnp.float32(value) for name, value in dpm.defaults.items()}

    def votes(runs: list[int]) -> np.ndarray:
        result = simulate_runs(
            jax.random.key(13, impl="rbg"),
            jnp.array(runs),
            election,
            jnp.ones(4, bool),
            params,
            simulator=dpm,
            options=options,
            plan=plan,
        )
        return np.asarray(result.votes)

    assert np.array_equal(votes([0, 1, 2, 3])[[2, 0]], votes([2, 7, 9, 0])[[0, 3]])
