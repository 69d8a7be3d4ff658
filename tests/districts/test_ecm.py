"""ECM: how communities form, how they choose, and the fast engine against the reference and against closed forms."""

import csv
from collections import Counter, defaultdict
from collections.abc import Iterator
from functools import cache
from itertools import permutations, product
from math import factorial, prod
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy import special, stats

from electjax.districts.kernels import communities
from electjax.districts.kernels.polling import BOOKKEEPING, largest_remainder
from electjax.districts.models import get_simulator
from electjax.districts.models.base import ENGINES, Contest, Outcome, check_options, make_plan, simulate_runs
from electjax.numerics import random
from tests.data_paths import shared
from tests.districts.enumeration import Table
from tests.districts.runs import STANDARD_ERRORS, contest, is_consistent, moments_agree, outcomes

LEVEL = 1e-6  # of every chi-square test

# ---------------------------------------------------------------- communities


@jax.jit
def leap_partition(key: jax.Array, electors: jax.Array, alpha: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array]:
    """How many communities, the sum of their squared sizes, and 8 sizes in order of appearance, of every lane."""
    lane = jnp.arange(electors.shape[0])

    def community(carry: tuple[jax.Array, ...]) -> tuple[jax.Array, ...]:
        turn, rest, number, squares, first = carry
        size = communities.community_size(random.open_uniform(random.random_bits(key, lane, 1, turn)[0]), rest, alpha)
        first = jnp.where(jnp.arange(8)[:, None] == turn, size, first)
        return turn + 1, rest - size, number + (size > 0), squares + size.astype(jnp.float32) ** 2, first

    zero = jnp.zeros_like(electors)
    start = (jnp.int32(0), electors, zero, zero.astype(jnp.float32), jnp.zeros((8, electors.shape[0]), jnp.int32))
    return jax.lax.while_loop(lambda carry: jnp.any(carry[1] > 0), community, start)[2:]


def agent_partition(seed: int, electors: int, lanes: int, alpha: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The same of the reference: every elector joins or founds a community."""
    zero = jnp.zeros(1, jnp.int32)

    def sizes(key: jax.Array) -> jax.Array:
        return communities.formed_one_by_one(key, jnp.repeat(zero, electors), zero, jnp.full(1, alpha, jnp.float32))

    by_founder = np.asarray(jax.jit(jax.vmap(sizes))(jax.random.split(jax.random.key(seed), lanes)))
    first = np.zeros((8, lanes), int)
    for lane, row in enumerate(by_founder):
        founded = row[row > 0][:8]
        first[: len(founded), lane] = founded
    return (by_founder > 0).sum(axis=1), (by_founder.astype(float) ** 2).sum(axis=1), first


def partitions(electors: int, lanes: int, alpha: float, engine: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    if engine == "agent":
        return agent_partition(3, electors, lanes, alpha)
    made = leap_partition(jax.random.key(3), jnp.full(lanes, electors, jnp.int32), jnp.full(lanes, alpha, jnp.float32))
    return tuple(np.asarray(x) for x in made)  # type: ignore[return-value]


def orders_of_appearance(electors: int, alpha: float) -> dict[tuple[int, ...], float]:
    """Law of the communities' sizes in order of appearance, elector by elector (eq. 3)."""
    law = {(): 1.0}
    for i in range(electors):
        after: dict[tuple[int, ...], float] = defaultdict(float)
        for sizes, probability in law.items():
            for c, n in enumerate(sizes):
                after[(*sizes[:c], n + 1, *sizes[c + 1 :])] += probability * n / (i + alpha)
            after[(*sizes, 1)] += probability * alpha / (i + alpha)
        law = dict(after)
    return law


def p_value(drawn: list[tuple[int, ...]], law: dict[tuple[int, ...], float]) -> float:
    """Of the chi-square test that the draws follow the law; 0 if an impossible one occurs."""
    if not {cell for cell, probability in law.items() if probability > 0} >= set(drawn):
        return 0.0
    seen = Counter(drawn)
    observed = np.array([seen[cell] for cell in law], np.float64)
    mean = np.array(list(law.values())) * len(drawn)
    rare = mean < 5
    if rare.any():
        observed = np.append(observed[~rare], observed[rare].sum())
        mean = np.append(mean[~rare], max(mean[rare].sum(), 1e-9))
    return float(stats.chisquare(observed, mean * len(drawn) / mean.sum()).pvalue) if len(mean) > 1 else 1.0


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(("electors", "alpha"), [(4, 0.4), (5, 1.0), (6, 3.0)])
def test_small_partitions_by_enumeration(engine: str, electors: int, alpha: float) -> None:
    """The order of appearance, and Ewens' sampling formula for the sizes without it."""
    *_, first = partitions(electors, 2**14, alpha, engine)
    law = orders_of_appearance(electors, alpha)
    drawn = [tuple(int(n) for n in column if n) for column in first.T]
    assert p_value(drawn, law) > LEVEL
    assert p_value(drawn, orders_of_appearance(electors, 1.15 * alpha)) < LEVEL
    ewens: dict[tuple[int, ...], float] = defaultdict(float)
    for sizes, probability in law.items():
        ewens[tuple(sorted(sizes))] += probability
    rising = prod(alpha + i for i in range(electors))
    for sizes, probability in ewens.items():
        times = [sizes.count(j) for j in range(1, electors + 1)]
        formula = factorial(electors) / rising * prod((alpha / j) ** m / factorial(m) for j, m in enumerate(times, 1))
        assert probability == pytest.approx(formula)


def tail(x: np.ndarray, others: int, alpha: float) -> np.ndarray:
    """P(X >= x) of the module's closed form, in float64."""

    def log_r(y: np.ndarray | int) -> np.ndarray:
        return special.gammaln(y + 1.0 + alpha) - special.gammaln(y + 1.0)

    return np.exp(log_r(others - x) - log_r(others))


@pytest.mark.parametrize("alpha", [1e-3, 0.05, 0.3, 1.0, 2.5, 20.0, 60.0, 1e3, 1e5])
def test_community_size_inverts_the_exact_law(alpha: float) -> None:
    """Distance of the inverted distribution function to the beta-binomial, on a grid of uniforms."""
    grid = 2**18
    u = jnp.asarray((np.arange(grid) + 0.5) / grid, jnp.float32)
    for others in (1, 2, 7, 60, 1000, 130_000, 3_000_000):
        sizes = communities.community_size(u, jnp.full(grid, others + 1), jnp.full(grid, alpha, jnp.float32))
        x = np.sort(np.asarray(sizes)) - 1
        assert 0 <= x[0] <= x[-1] <= others
        # the law is compared at the values that the grid meets
        values, first = np.unique(x, return_index=True)
        exact = 1 - tail(values, others, float(np.float32(alpha)))
        assert np.abs(exact - first / grid).max() < 6e-4 + 2 / grid
        if others <= 60:
            every = np.arange(others + 1)
            assert np.allclose(tail(every, others, alpha), stats.betabinom.sf(every - 1, others, 1, alpha))


@pytest.mark.parametrize("others", [2**24 + 1, 300_000_001, 970_000_000])
def test_community_size_beyond_float32(others: int) -> None:
    """Mean m / (1 + alpha) and variance of the beta-binomial, by the midpoint rule; no value is out of range."""
    grid = 2**20
    u = jnp.asarray((np.arange(grid) + 0.5) / grid, jnp.float32)
    for alpha in (0.5, 1.0, 20.0, 300.0):
        x = np.asarray(communities.community_size(u, jnp.full(grid, others + 1), jnp.full(grid, alpha))) - 1.0
        assert x.min() >= 0
        assert x.max() <= others
        assert x.mean() == pytest.approx(others / (1 + alpha), rel=2e-4)
        assert x.var() == pytest.approx(stats.betabinom.var(others, 1, alpha), rel=3e-3)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(("electors", "alpha"), [(500, 0.5), (500, 20.0), (500, 1000.0)])
def test_moments_of_the_partition(engine: str, electors: int, alpha: float) -> None:
    """Number of communities, sum of squares n + n (n - 1) / (1 + alpha), and the first community's size."""
    lanes = 4000 if engine == "leap" else 1000
    number, squares, first = partitions(electors, lanes, alpha, engine)
    chance = alpha / (alpha + np.arange(electors))
    error = STANDARD_ERRORS / np.sqrt(lanes)
    assert abs(number.mean() - chance.sum()) < error * np.sqrt((chance * (1 - chance)).sum())
    assert number.var() == pytest.approx((chance * (1 - chance)).sum(), rel=STANDARD_ERRORS * np.sqrt(2.2 / lanes))
    expected = electors + electors * (electors - 1) / (1 + alpha)
    assert abs(squares.mean() - expected) < error * squares.std() + 1e-6 * expected
    assert abs(first[0].mean() - 1 - (electors - 1) / (1 + alpha)) < error * first[0].std()


# ---------------------------------------------------------------- tiny elections by enumeration

ELECTORS, THETA, TOTALS = (3, 3), (0.2, 0.3, 0.5), (1, 2, 3)
ALPHA, BETA, PRIOR_MASS = 1.5, 0.7, 2.5
RUNS = 2**15


def community_orders(electors: tuple[int, ...], alpha: float, rounds: bool) -> Iterator[tuple[float, list]]:
    """(probability, [(district, size), ...]) of every sequence in which communities may come to choose."""
    laws = [orders_of_appearance(n, alpha).items() for n in electors]
    for made in product(*laws):
        probability = prod(p for _, p in made)
        sizes = [sizes for sizes, _ in made]
        if not rounds:
            yield probability, [(s, n) for s, own in enumerate(sizes) for n in own]
            continue
        turns = [
            list(permutations([(s, own[j]) for s, own in enumerate(sizes) if j < len(own)]))
            for j in range(max(map(len, sizes)))
        ]
        for order in product(*turns):
            yield probability / prod(map(len, turns)), [one for turn in order for one in turn]


def weights(balls: tuple[int, ...], reading: str) -> list[float]:
    if reading == "literal":
        return [n + BETA * b for n, b in zip(balls, THETA, strict=True)]
    mass = sum(balls) + PRIOR_MASS
    return [BETA * (n + PRIOR_MASS * b) / mass + (1 - BETA) * b for n, b in zip(balls, THETA, strict=True)]


def enumerated(reading: str, ball: str, urn: str, bookkeeping: str, overflow: str) -> dict[Table, float]:
    """Law of the vote table, from the definitions of the options and nothing else."""
    empty = tuple((0,) * len(THETA) for _ in ELECTORS)
    result: dict[Table, float] = defaultdict(float)

    def add(table: Table, s: int, k: int, n: int) -> Table:
        row = tuple(x + n * (j == k) for j, x in enumerate(table[s]))
        return (*table[:s], row, *table[s + 1 :])

    def vote(probability: float, queue: list, table: Table, balls: Table) -> None:
        if not queue:
            result[table] += probability
            return
        (s, size), rest = queue[0], queue[1:]
        left = [v - sum(row[k] for row in table) for k, v in enumerate(TOTALS)]
        own = tuple(map(sum, zip(*balls, strict=True))) if urn == "national" else balls[s]
        w = weights(own, reading)
        if bookkeeping != "none" and max(left) > 0:
            w = [x * (free > 0) for x, free in zip(w, left, strict=True)]
        for k, x in enumerate(w):
            cast = size
            if bookkeeping != "none" and overflow == "split" and left[k] > 0:
                cast = min(size, left[k])
            queue_after = rest if cast == size else [(s, size - cast), *rest]
            if x > 0:
                drawn = add(balls, s, k, cast if ball == "elector" else 1)
                vote(probability * x / sum(w), queue_after, add(table, s, k, cast), drawn)

    for probability, queue in community_orders(ELECTORS, ALPHA, bookkeeping == "interleaved"):
        vote(probability, queue, empty, empty)
    return dict(result)


OPTIONS = [
    dict(zip(("reading", "ball", "urn", "bookkeeping", "overflow"), chosen, strict=True))
    for chosen in product(
        ("fraction", "literal"), ("community", "elector"), ("national", "district"), BOOKKEEPING, ("split", "exceed")
    )
    if chosen[3:] != ("none", "exceed")  # the same as "split"
]
QUICK = [
    dict(zip(("reading", "ball", "urn", "bookkeeping", "overflow"), chosen.split(), strict=True))
    for chosen in ("fraction community national by_district split", "literal elector district interleaved exceed")
]


def readings(chosen: list[dict[str, str]], quick: list[dict[str, str]], marks: Any = ()) -> list:
    """Parameters of a test: the quick ones with these marks, the others slow."""
    return [
        pytest.param(options, marks=marks if options in quick else pytest.mark.slow, id="-".join(options.values()))
        for options in chosen
    ]


def tiny(engine: str, options: dict[str, str], **params: float) -> list[tuple[int, ...]]:
    values = {"alpha": ALPHA, "beta": BETA, "prior_mass": PRIOR_MASS} | params
    election = contest(ELECTORS, THETA, TOTALS)
    result = outcomes("ecm", election, runs=RUNS, batch=2**12, params=values, options=options, engine=engine, seed=21)
    return [tuple(row) for row in result.votes.reshape(RUNS, -1).tolist()]


def flat(law: dict[Table, float]) -> dict[tuple[int, ...], float]:
    return {tuple(n for row in table for n in row): probability for table, probability in law.items()}


@pytest.mark.parametrize("options", readings(OPTIONS, QUICK))
def test_tiny_elections_by_enumeration(options: dict[str, str]) -> None:
    law = flat(enumerated(**options))
    for engine in ENGINES:
        assert p_value(tiny(engine, options), law) > LEVEL


@pytest.mark.ci
def test_enumeration_has_power() -> None:
    """A neighbouring reading or value is told apart by the same test."""
    law = flat(enumerated("fraction", "community", "national", "none", "split"))
    free = {"bookkeeping": "none"}
    assert p_value(tiny("leap", free), law) > LEVEL
    assert p_value(tiny("leap", free, alpha=1.15 * ALPHA), law) < LEVEL
    assert p_value(tiny("leap", free, beta=BETA - 0.1), law) < LEVEL
    assert p_value(tiny("leap", free), flat(enumerated("fraction", "elector", "national", "none", "split"))) < LEVEL
    assert p_value(tiny("leap", free), flat(enumerated("fraction", "community", "district", "none", "split"))) < LEVEL


# ---------------------------------------------------------------- larger elections: leap against agent

MIDDLE = contest(np.geomspace(3000, 300, 10).round(), (0.05, 0.25, 0.3, 0.4))


@cache
def middle(engine: str, runs: int, alpha: float = 20.0, beta: float = 0.6, **options: str) -> Outcome:
    seed = ENGINES.index(engine)
    params = {"alpha": alpha, "beta": beta}
    return outcomes("ecm", MIDDLE, runs=runs, batch=256, params=params, options=options, engine=engine, seed=seed)


def features(result: Outcome) -> np.ndarray:
    """features[run, ...]: vote shares, their products within and between districts, seats, MWM, SWM and its square."""
    share = result.votes / result.votes.sum(axis=2, keepdims=True)
    centred = share - np.array([0.05, 0.25, 0.3, 0.4])
    between = np.einsum("rsk,rtk->rstk", centred, centred)
    summary = result.summary
    parts = (share, between, centred[:, :, :, None] * centred[:, :, None, :], summary.seats, summary.seats**2)
    parts = (*parts, summary.mwm, summary.swm, summary.swm**2)
    return np.concatenate([part.reshape(len(share), -1) for part in parts], axis=1).astype(np.float64)


def gap(first: Outcome, second: Outcome) -> float:
    """The largest difference of the means of `features`, in standard errors."""
    a, b = features(first), features(second)
    # pooled: a thousand runs alone can miss what a small party does once in a hundred
    noise = np.concatenate([a, b]).std(axis=0) * np.sqrt(1 / len(a) + 1 / len(b))
    return float((np.abs(a.mean(axis=0) - b.mean(axis=0)) / (noise + 1e-12)).max())


# every book-keeping of the default, and every other reading by itself
AGREEING = [options for options in OPTIONS if sum(options[key] != value for key, value in QUICK[0].items()) <= 1]
AGREEING.append(QUICK[1])


@pytest.mark.parametrize("options", readings(AGREEING, QUICK[:1], pytest.mark.ci))
def test_engines_agree(options: dict[str, str]) -> None:
    assert gap(middle("leap", 8192, **options), middle("agent", 1024, **options)) < STANDARD_ERRORS


@pytest.mark.slow
def test_comparison_of_engines_has_power() -> None:
    """Another alpha, another beta and another book-keeping are told apart."""
    agent = middle("agent", 1024, **QUICK[0])
    assert gap(middle("leap", 8192, alpha=24.0, **QUICK[0]), agent) > STANDARD_ERRORS
    assert gap(middle("leap", 8192, beta=0.75, **QUICK[0]), agent) > STANDARD_ERRORS
    assert gap(middle("leap", 8192, **(QUICK[0] | {"bookkeeping": "interleaved"})), agent) > STANDARD_ERRORS


FREE = {"reading": "literal", "bookkeeping": "none"}


@pytest.mark.slow
@pytest.mark.parametrize("engine", ENGINES)
def test_hdp_is_the_literal_franchise(engine: str) -> None:
    franchise = middle(engine, 8192 if engine == "leap" else 1024, beta=2.0, **FREE)
    hierarchy = middle("leap", 8192, beta=2.0, form="hdp")
    assert gap(franchise, hierarchy) < STANDARD_ERRORS
    assert gap(middle("leap", 8192, beta=2.4, form="hdp"), franchise) > STANDARD_ERRORS


@pytest.mark.slow
def test_hdp_agent_is_the_franchise() -> None:
    """The reference of the hierarchical form forms its communities."""
    for form in ({"form": "hdp", "bookkeeping": "none"}, {"form": "hdp"}):
        assert np.array_equal(tiny("agent", form, beta=2.0), tiny("agent", FREE, beta=2.0))


@pytest.mark.parametrize(
    "options", [pytest.param(FREE, id="franchise"), pytest.param({"form": "hdp"}, marks=pytest.mark.ci, id="hdp")]
)
def test_hierarchy_has_the_closed_form_moments(options: dict[str, str]) -> None:
    """Var G0 = diag(theta) - theta theta' over beta + 1, and Dirichlet-multinomial districts around G0."""
    alpha, beta, electors = 3.0, 2.0, 50
    theta = np.array([0.2, 0.3, 0.5])
    election = contest((electors, electors), theta)
    result = outcomes("ecm", election, runs=2**15, params={"alpha": alpha, "beta": beta}, options=options, batch=2**12)
    unit = np.diag(theta) - theta[:, None] * theta
    shared_part = unit / (beta + 1)
    left = unit * beta / (beta + 1)  # E[diag G0 - G0 G0']
    within = shared_part * electors**2 + left * electors * (electors + alpha) / (1 + alpha)
    covariance = np.block([[within, shared_part * electors**2], [shared_part * electors**2, within]])
    assert moments_agree(result.votes.reshape(2**15, 6), np.tile(electors * theta, 2), covariance)


@pytest.mark.parametrize("alpha", [1e-3, 1.0, 20.0, 1e5])
@pytest.mark.parametrize("engine", ["leap", pytest.param("agent", marks=pytest.mark.ci)])
def test_communities_that_copy_nobody_have_the_closed_form_moments(engine: str, alpha: float) -> None:
    """At beta = 0 a district's votes vary as the sum of squared sizes, n + n (n - 1) / (1 + alpha) on average."""
    theta, electors = np.array([0.2, 0.3, 0.5]), np.array([40, 90])
    options, params = {"bookkeeping": "none"}, {"alpha": alpha, "beta": 0.0}
    election = contest(electors, theta)
    result = outcomes("ecm", election, runs=2**14, params=params, options=options, engine=engine, batch=2**12)
    squares = electors + electors * (electors - 1) / (1 + alpha)
    covariance = np.kron(np.diag(squares), np.diag(theta) - theta[:, None] * theta)
    assert moments_agree(result.votes.reshape(2**14, 6), (electors[:, None] * theta).ravel(), covariance)


# ---------------------------------------------------------------- invariants

SWEEP_ALPHA = np.repeat([1e-3, 0.5, 20.0, 1e5], 8)
SWEEP_BETA = np.tile([0.0, 0.5, 0.99, 1.0], 8)
SWEEP_MASS = np.tile(np.repeat([0.0, 2.5], 4), 4)


@st.composite
def contests(draw: st.DrawFn) -> Contest:
    """Five districts and 600 electors: empty districts, two electors, parties without support or totals."""
    parts = draw(st.lists(st.integers(0, 50), min_size=5, max_size=5).filter(any))
    electors = largest_remainder(np.array(parts), 600)
    if draw(st.booleans()):
        small, big = np.argmin(electors), np.argmax(electors)
        electors[big] += electors[small] - 2
        electors[small] = 2
    theta = draw(st.lists(st.integers(0, 20), min_size=4, max_size=4).filter(any))
    totals = draw(st.lists(st.integers(0, 20), min_size=4, max_size=4).filter(any))
    if draw(st.booleans()):
        totals = theta
    return contest(electors, np.array(theta) / sum(theta), largest_remainder(np.array(totals), 600))


@pytest.mark.parametrize(
    ("bookkeeping", "overflow"),
    [
        *(pytest.param(rule, "split", marks=pytest.mark.ci) for rule in ("none", "by_district")),
        ("interleaved", "split"),
        ("by_district", "exceed"),
    ],
)
@given(election=contests(), seed=st.integers(0, 2**31 - 1))
@settings(max_examples=15, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
def test_invariants(bookkeeping: str, overflow: str, election: Contest, seed: int) -> None:
    """Everybody votes; totals hold where communities are split, and are exceeded by less than a community otherwise."""
    result = outcomes(
        "ecm",
        election,
        runs=32,
        batch=32,
        largest=600,
        seed=seed,
        varying=True,
        params={"alpha": SWEEP_ALPHA, "beta": SWEEP_BETA, "prior_mass": SWEEP_MASS},
        options={"bookkeeping": bookkeeping, "overflow": overflow},
    )
    assert is_consistent(result, election, bound=bookkeeping != "none" and overflow == "split")
    if bookkeeping == "none":
        assert np.all(result.votes[..., np.asarray(election.popularity) == 0] == 0)
    if overflow == "exceed":
        excess = result.votes.sum(axis=1) - np.asarray(election.totals)
        assert np.all((excess <= 0) | (excess < result.votes.max(axis=1)))


@pytest.mark.ci
def test_exceeding_happens_and_splitting_prevents_it() -> None:
    """With few large communities the last one of a party takes it over its total."""
    election = contest(np.full(20, 100), (0.3, 0.7))
    totals = np.asarray(election.totals)
    params = {"alpha": 1.0, "beta": 0.9}
    over = outcomes("ecm", election, runs=256, batch=256, params=params, options={"overflow": "exceed"})
    assert np.mean(np.any(over.votes.sum(axis=1) > totals, axis=1)) > 0.9
    split = outcomes("ecm", election, runs=256, batch=256, params=params)
    assert np.all(split.votes.sum(axis=1) == totals)


@pytest.mark.ci
def test_full_copying_without_prior_mass_is_unanimous() -> None:
    """beta = 1 and c0 = 0: the first community decides for all, by the popularity."""
    votes = outcomes(
        "ecm",
        contest((50, 70), (0.3, 0.7)),
        runs=4096,
        batch=4096,
        params={"beta": 1.0, "prior_mass": 0.0},
        options={"bookkeeping": "none"},
    ).votes
    assert np.all((votes == 0) | (votes == np.array([[50], [70]])))
    assert abs((votes[:, 1, 1] > 0).mean() - 0.7) < STANDARD_ERRORS * np.sqrt(0.21 / 4096)


@pytest.mark.parametrize(
    "bookkeeping", ["by_district", *(pytest.param(b, marks=pytest.mark.slow) for b in BOOKKEEPING[:2])]
)
@pytest.mark.parametrize("electors", [[17_000_001], [300_000_001, 300_000_000, 299_999_999]], ids=["state", "nation"])
def test_huge_districts_keep_their_electors(electors: list[int], bookkeeping: str) -> None:
    """Above 2^24 electors float32 has no odd numbers; the votes still add up, also to the parties' totals."""
    election = contest(electors, (0.5, 0.3, 0.2))
    result = outcomes("ecm", election, runs=64, options={"bookkeeping": bookkeeping}, batch=64)
    assert is_consistent(result, election, bound=bookkeeping != "none")
    share = result.votes.sum(axis=1) / sum(electors)
    assert np.all(np.abs(share.mean(axis=0) - [0.5, 0.3, 0.2]) <= STANDARD_ERRORS * share.std(axis=0) / 8 + 1e-7)


def test_alpha_may_differ_by_district() -> None:
    """With alpha near zero a district is one community, with a large one nobody is like the others."""
    params = {"alpha": np.repeat([1e-3, 1e4], 5), "beta": 0.0}
    votes = outcomes(
        "ecm", contest(np.full(10, 1000), (0.4, 0.6)), runs=64, batch=64, params=params, options={"bookkeeping": "none"}
    ).votes
    top = votes.max(axis=2) / 1000
    assert (top[:, :5] == 1).mean() > 0.97
    assert abs(top[:, 5:].mean() - 0.6) < 0.01


# ---------------------------------------------------------------- parameters and options


def test_a_sweep_compiles_once() -> None:
    tiny("leap", {})
    before = simulate_runs._cache_size()
    for alpha, beta in ((0.01, 0.0), (50.0, 0.3), (1e4, 1.0)):
        tiny("leap", {}, alpha=alpha, beta=beta, prior_mass=alpha)
    assert simulate_runs._cache_size() == before


def test_copying_more_than_always_is_refused() -> None:
    ecm = get_simulator("ecm")
    fraction, literal = check_options(ecm, {}), check_options(ecm, {"reading": "literal"})
    ecm.check({"beta": jnp.float32(1.0)}, fraction)
    ecm.check({"beta": jnp.float32(7.5)}, literal)
    ecm.check({"beta": jnp.float32(7.5)}, check_options(ecm, {"form": "hdp"}))
    with pytest.raises(ValueError, match=r"beta=7.5 lies outside its range \[0, 1\].*reading=literal"):
        ecm.check({"beta": jnp.float32(7.5)}, fraction)


def test_the_hierarchical_form_has_no_totals_and_one_beta() -> None:
    ecm = get_simulator("ecm")
    election = contest((30, 40), (0.4, 0.6))
    interleaved = check_options(ecm, {"form": "hdp", "bookkeeping": "interleaved"})
    with pytest.raises(ValueError, match="form=hdp keeps no totals"):
        make_plan(ecm, election, options=interleaved)
    with pytest.raises(ValueError, match="one per district"):
        outcomes("ecm", election, runs=4, batch=4, options={"form": "hdp"}, params={"beta": [0.5, 0.6]})
    for options, sums in (
        ({}, {"districts", "parties"}),
        ({"bookkeeping": "none"}, {"districts"}),
        ({"overflow": "exceed"}, {"districts"}),
        ({"form": "hdp"}, {"districts"}),
    ):
        assert ecm.holds(check_options(ecm, options)) == sums


@pytest.mark.parametrize("engine", [pytest.param("agent", marks=pytest.mark.slow), "leap"])
@pytest.mark.parametrize(
    "options",
    [{}, *(pytest.param(o, marks=pytest.mark.slow) for o in ({"bookkeeping": "interleaved"}, {"form": "hdp"}))],
)
def test_engines_run_where_the_user_has_turned_on_64_bits(engine: str, options: dict[str, str]) -> None:
    election = contest([300, 500], (0.2, 0.3, 0.5))
    before = jax.config.jax_enable_x64
    jax.config.update("jax_enable_x64", True)
    try:
        result = outcomes("ecm", election, runs=4, options=options, engine=engine, batch=4)
    finally:
        jax.config.update("jax_enable_x64", before)
    assert is_consistent(result, election, bound=options.get("form") != "hdp")
    assert result.votes.dtype == np.int32


# ---------------------------------------------------------------- the paper


@cache
def synthetic(theta: tuple[float, ...], alpha: float, beta: float, runs: int, overflow: str = "split") -> np.ndarray:
    """seats[run, party] in the paper's synthetic elections: 100 districts of 10,000 electors."""
    election = contest(np.full(100, 10_000), theta)
    params, options = {"alpha": alpha, "beta": beta}, {"overflow": overflow}
    return outcomes("ecm", election, runs=runs, batch=250, params=params, options=options).summary.seats


def test_directions_of_alpha_and_beta() -> None:
    """Section 5: small communities help the first party; copying moves the seats towards the popularity."""
    pairs = ((20.0, 0.5), (50.0, 0.5), (20.0, 0.8))
    base, small, copying = (synthetic((0.4, 0.35, 0.25), *pair, 1000) for pair in pairs)

    def more(first: np.ndarray, second: np.ndarray) -> float:
        """How much larger the first mean is, in standard errors."""
        return float((first.mean() - second.mean()) / np.sqrt((first.var() + second.var()) / 1000))

    assert more(small[:, 0], base[:, 0]) > STANDARD_ERRORS
    assert base[:, 0].mean() > copying[:, 0].mean() > 40
    assert base[:, 2].mean() < copying[:, 2].mean() < 25
    assert more(base[:, 0], copying[:, 0]) > 3
    assert more(copying[:, 2], base[:, 2]) > 3


@pytest.mark.slow
@pytest.mark.parametrize("overflow", ["split", "exceed"])
def test_table_2_is_reproduced_by_the_default_reading(overflow: str) -> None:
    """Mean absolute error of the seats, and the spread over runs that section 8 prints for the two largest parties."""
    errors, spread = [], []
    with shared("paper/synthetic_tables_1_2_3.csv").open() as file:
        for row in csv.DictReader(file):
            if row["table"] == "2":
                alpha, beta = (float(pair.split("=")[1]) for pair in row["setting"].split(";"))
                theta = tuple(float(row[f"theta{k}"]) for k in (1, 2, 3))
                seats = synthetic(theta, alpha, beta, 1000, overflow)
                errors.append(np.abs(seats.mean(axis=0) - [float(row[f"seats{k}"]) for k in (1, 2, 3)]))
                spread.append((beta, seats[:, :2].std(axis=0)))
    assert len(errors) == 16
    assert np.mean(errors) <= 3.3
    high = np.array([sd for beta, sd in spread if beta == 0.8])
    assert 8 <= high.min() <= high.max() <= 17
