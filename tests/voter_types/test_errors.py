"""Standard errors, bootstrap and diagnostics of voter types: closed forms, finite differences, simulation."""

import itertools
from functools import cache

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.flatten_util import ravel_pytree
from scipy.special import ndtri

from electjax.numerics.covariance import interval, unidentified
from electjax.voter_types.em.bootstrap import draw_weights, nonparametric_bootstrap, parametric_bootstrap, spread
from electjax.voter_types.em.diagnose import check_design
from electjax.voter_types.em.em_map import begin, em_cycle, penalty, score
from electjax.voter_types.em.mixture import LOG_ZERO, Types, find_free, log_likelihood, row_log_likelihood
from electjax.voter_types.em.rows import Profiles, collapse, lay_out
from electjax.voter_types.em.simulate import simulate_choices
from electjax.voter_types.em.uncertainty import (
    averages,
    cluster_pairs,
    covariance,
    delta_method,
    information,
    meat,
    places,
    quantities,
    row_scores,
    standard_errors,
)
from tests.voter_types.by_hand import diagnose_by_number, pack, unpack

OFFICES, VOTERS = 6, 2000
RIDGE = 0.3


@pytest.fixture(autouse=True)
def _double():
    with jax.enable_x64(True):
        yield


def binary(chance, shares):
    """Types that choose option 1 with these chances, [K, J]."""
    mu = np.stack([1 - np.asarray(chance), chance], axis=-1)
    with np.errstate(divide="ignore"):
        logs = [np.maximum(np.log(part), LOG_ZERO) for part in (np.asarray(shares)[None], mu)]
    return Types(*logs, np.zeros((len(mu), 0)))


def table(weight=None, offices=OFFICES):
    """Every pattern of two options as a row."""
    choice = np.array(list(itertools.product([0, 1], repeat=offices)))
    return collapse(choice, np.zeros_like(choice), np.ones((offices, 1, 2), bool), weight=weight)[0]


def two_types():
    return binary(np.array([[0.9] * OFFICES, [0.2, 0.15, 0.3, 0.2, 0.1, 0.2]]), [0.6, 0.4])


def drawn(types, seed, voters=VOTERS):
    """Counts of the patterns among voters of this mixture."""
    everything = table()
    chance = np.exp(jax.jit(row_log_likelihood)(types, lay_out(everything)))
    counts = np.random.default_rng(seed).multinomial(voters, chance / chance.sum()).astype(float)
    return everything._replace(weight=counts, square=counts, voters=counts.astype(int))


@jax.jit
def converge(types, rows):
    return jax.lax.fori_loop(0, 2000, lambda _, walk: em_cycle(walk, rows, jnp.zeros(())), begin(types)).types


@cache
def mixed():
    """Voters with menus, covariates of their own, covariates of the options, missing offices and weights."""
    rng = np.random.default_rng(0)
    voters, offices, options, types, features = 400, 5, 3, 3, 2
    mask = np.tile(np.array([[1, 1, 0], [1, 0, 1], [1, 1, 1], [1, 1, 1]], bool), (offices, 1, 1))
    x = rng.normal(size=(*mask.shape, features))
    v, weight = rng.integers(0, 2, (voters, 2)).astype(float), rng.uniform(0.5, 2.0, voters)
    context = rng.integers(-1, 4, (voters, offices))
    truth = Types(
        np.array([[0.0, 0.2, -0.3], [0.0, 1.0, -0.5], [0.0, 0.3, 0.4]]),
        np.log(rng.dirichlet(np.full(options, 2.0), (types, offices))),
        0.5 * rng.normal(size=(types, features)),
    )
    design = np.column_stack([np.ones(voters), v])
    choice, _ = simulate_choices(jax.random.key(1), truth, context, mask, x=x, design=design)
    profiles, inverse = collapse(choice, context, mask, x=x, weight=weight, covariates=v)
    return truth, profiles, inverse, weight


def test_gradient_and_hessian_agree_with_finite_differences():
    types, profiles, _, _ = mixed()
    rows, free = lay_out(profiles), find_free(types, profiles)
    theta = pack(types, free)

    @jax.jit
    def value(theta):
        own = unpack(theta, types, free)
        return log_likelihood(own, rows) - penalty(own.gamma, jnp.asarray(RIDGE))

    @jax.jit
    def slope(theta):
        return ravel_pytree(score(unpack(theta, types, free), rows, RIDGE))[0][places(free)]

    step = 1e-5 * np.eye(theta.size)
    first = [(value(theta + h) - value(theta - h)) / 2e-5 for h in step]
    second = np.stack([(slope(theta + h) - slope(theta - h)) / 2e-5 for h in step])
    curve = information(types, rows, free, ridge=RIDGE)
    scale = np.abs(curve).max()
    np.testing.assert_allclose(slope(theta), first, atol=1e-8 * scale)
    np.testing.assert_allclose(curve, -second, atol=1e-8 * scale)
    chunks = lay_out(profiles, layout="blocks", chunk=64)
    np.testing.assert_allclose(information(types, chunks, free, ridge=RIDGE), curve, atol=1e-12 * scale)


def test_scores_of_rows_and_their_sums_over_clusters():
    types, profiles, inverse, weight = mixed()
    free, voters = find_free(types, profiles), len(inverse)
    theta = pack(types, free)
    scores = np.concatenate([part for _, part in row_scores(types, profiles, free)])
    rows = lay_out(profiles)
    jacobian = jax.jit(jax.jacfwd(lambda theta: row_log_likelihood(unpack(theta, types, free), rows)))(theta)
    np.testing.assert_allclose(scores, jacobian, atol=1e-12)
    total = ravel_pytree(jax.jit(score)(types, rows))[0][places(free)]
    np.testing.assert_allclose(profiles.weight @ scores, total, atol=1e-10)
    each = weight[:, None] * scores[inverse]
    independent = meat(types, profiles, free)
    np.testing.assert_allclose(independent, each.T @ each * voters / (voters - 1), rtol=1e-9, atol=1e-9)
    alone = meat(types, profiles, free, cluster_pairs(np.arange(voters), inverse, weight))
    np.testing.assert_allclose(alone, independent, rtol=1e-9, atol=1e-9)
    cluster = np.random.default_rng(1).integers(0, 20, voters)
    sums = np.zeros((20, theta.size))
    np.add.at(sums, cluster, each)
    together = meat(types, profiles, free, cluster_pairs(cluster, inverse, weight))
    np.testing.assert_allclose(together, sums.T @ sums * 20 / 19, rtol=1e-9, atol=1e-9)


def test_one_type_is_a_multinomial():
    counts = np.array([30.0, 50.0, 20.0])
    choice = np.arange(3)[:, None]
    profiles = collapse(choice, np.zeros_like(choice), np.ones((1, 1, 3), bool), weight=counts)[0]
    share = counts / counts.sum()
    types = Types(np.zeros((1, 1)), np.log(share)[None, None], np.zeros((1, 0)))
    rows, free = lay_out(profiles), find_free(types, profiles)
    error = standard_errors(types, rows, free, covariance(types, rows, profiles, free))
    np.testing.assert_allclose(error.mu[0, 0], np.sqrt(share * (1 - share) / 100), rtol=1e-10)
    np.testing.assert_allclose(error.psi[0, 0, 1:], np.sqrt(1 / counts[1:] + 1 / counts[0]), rtol=1e-10)
    assert np.isnan(error.psi[0, 0, 0])
    assert np.isnan(error.pi).all()
    # the sandwich with weights: the linearised variance of a weighted share
    rng = np.random.default_rng(0)
    vote, weight = rng.integers(0, 3, 200), rng.uniform(0.2, 3.0, 200)
    profiles = collapse(vote[:, None], np.zeros((200, 1), int), np.ones((1, 1, 3), bool), weight=weight)[0]
    share = profiles.weight / weight.sum()
    types = types._replace(log_mu=np.log(share)[None, None])
    rows = lay_out(profiles)
    found = covariance(types, rows, profiles, free, kind="sandwich")
    off = (vote[:, None] == np.arange(3)) - share
    expected = np.sqrt((weight[:, None] ** 2 * off**2).sum(0) * 200 / 199) / weight.sum()
    np.testing.assert_allclose(standard_errors(types, rows, free, found).mu[0, 0], expected, rtol=1e-10)


def test_one_type_with_menus_is_a_conditional_logit():
    mask = np.array([[[1, 1, 0], [1, 0, 1], [1, 1, 1]]], bool)
    choice, context = np.array([0, 1, 0, 2, 0, 1, 2])[:, None], np.array([0, 0, 1, 1, 2, 2, 2])[:, None]
    counts = np.array([40.0, 25, 30, 80, 20, 12, 55])
    profiles = collapse(choice, context, mask, weight=counts)[0]
    rows = lay_out(profiles)
    types = converge(Types(np.zeros((1, 1)), np.full((1, 1, 3), -np.log(3)), np.zeros((1, 0))), rows)
    over = averages(types, rows)
    value, free = quantities(types, over), find_free(types, profiles)
    error = standard_errors(types, rows, free, covariance(types, rows, profiles, free))
    curve = np.zeros((2, 2))
    for menu, size in zip(mask[0], [65.0, 110.0, 87.0], strict=True):
        p = np.exp(value.psi[0, 0]) * menu
        p = (p / p.sum())[1:]
        curve += size * (np.diag(p) - np.outer(p, p))
    np.testing.assert_allclose(error.psi[0, 0, 1:], np.sqrt(np.diag(np.linalg.inv(curve))), rtol=1e-8)
    # at the maximum the average over the menus met is the share of the votes cast (eq. 4.1)
    votes = np.bincount(choice[:, 0], counts)
    np.testing.assert_allclose(value.mu_met[0, 0], votes / votes.sum(), rtol=1e-8)


@pytest.mark.ci
def test_types_without_doubt_leave_a_logit_of_the_covariate():
    """Two types at the boundary in every office: only gamma is free, and its information is that of a logit."""
    rng = np.random.default_rng(3)
    v = rng.normal(size=300)
    member = rng.uniform(size=300) < 1 / (1 + np.exp(-(0.3 + 0.8 * v)))
    choice = np.repeat(member[:, None].astype(int), 3, axis=1)
    profiles = collapse(choice, np.zeros_like(choice), np.ones((3, 1, 2), bool), covariates=v[:, None])[0]
    start = binary([[0.0] * 3, [1.0] * 3], [0.5, 0.5])
    rows = lay_out(profiles)
    types = converge(start._replace(gamma=np.zeros((2, 2))), rows)
    free = find_free(types, profiles)
    found = covariance(types, rows, profiles, free)
    error = standard_errors(types, rows, free, found)
    design = np.column_stack([np.ones(300), v])
    p = 1 / (1 + np.exp(-design @ np.asarray(types.gamma[:, 1])))
    expected = np.linalg.inv((design * (p * (1 - p))[:, None]).T @ design)
    assert pack(types, free).size == 2
    np.testing.assert_allclose(error.gamma[:, 1], np.sqrt(np.diag(expected)), rtol=1e-6)
    assert np.isnan(error.gamma[:, 0]).all()
    assert np.isnan(error.mu).all()
    slope = (p * (1 - p)) @ design / 300
    np.testing.assert_allclose(error.pi, np.sqrt(slope @ expected @ slope), rtol=1e-6)
    said = diagnose_by_number(types, profiles, covariance=found, free=free)
    assert len(said) == 1
    assert "6 probabilities are 0" in said[0]


def test_information_equals_the_variance_of_the_score_where_the_model_holds():
    """Exactly so when every pattern has its expected weight."""
    types, everything = two_types(), table()
    chance = np.exp(jax.jit(row_log_likelihood)(types, lay_out(everything)))
    weight = 1e4 * chance / chance.sum()
    profiles = everything._replace(weight=weight, square=weight, voters=np.full(len(weight), 10**6))
    free = find_free(types, profiles)
    curve = np.asarray(information(types, lay_out(profiles), free))
    np.testing.assert_allclose(meat(types, profiles, free), curve, rtol=1e-6, atol=1e-6 * np.abs(curve).max())


def test_voters_counted_twice_do_not_fool_clusters():
    types = two_types()
    profiles = drawn(types, 4)
    rows = lay_out(profiles)
    types = converge(types, rows)
    free, number = find_free(types, profiles), int(profiles.weight.sum())
    inverse = np.repeat(np.arange(len(profiles.weight)), 2 * profiles.weight.astype(int))
    twice = profiles._replace(weight=2 * profiles.weight, square=2 * profiles.weight)
    clusters = cluster_pairs(np.arange(2 * number) // 2, inverse)
    single = covariance(types, rows, profiles, free, kind="sandwich").matrix
    double = covariance(types, lay_out(twice), twice, free, kind="cluster", clusters=clusters).matrix
    np.testing.assert_allclose(double, single, rtol=1e-8)
    naive = covariance(types, lay_out(twice), twice, free, kind="sandwich").matrix
    np.testing.assert_allclose(naive, single / 2, rtol=1e-3)


def test_what_the_data_do_not_identify_has_no_standard_error():
    """Two types over two offices of two options: 5 parameters for 3 free frequencies."""
    profiles = table(np.array([30.0, 20.0, 15.0, 35.0]), offices=2)
    rows = lay_out(profiles)
    types = converge(binary([[0.8, 0.7], [0.2, 0.4]], [0.5, 0.5]), rows)
    free = find_free(types, profiles)
    found = covariance(types, rows, profiles, free)
    assert found.flat.shape == (5, 2)
    assert unidentified(found).all()
    error = standard_errors(types, rows, free, found)
    assert np.isnan(error.mu).all()
    assert np.isnan(error.pi).all()

    def marginal(own):
        return jnp.exp(own.gamma[0]) @ jnp.exp(own.log_mu[:, 0, 1])

    # of what the data do tell, the standard error is right
    np.testing.assert_allclose(delta_method(marginal, types, free, found), np.sqrt(0.5 * 0.5 / 100), rtol=1e-6)
    said = diagnose_by_number(types, profiles, covariance=found, free=free, parameters=5)
    assert any("2 flat directions" in sentence for sentence in said)
    assert any("5 parameters but only 4 distinct rows" in sentence for sentence in said)


def relative(replicates, expected):
    """Standard deviations of replicates over expected ones, and the Monte Carlo error of that, pi and mu."""
    sd, _, _ = spread(replicates)
    ratio = np.concatenate([sd.pi / expected.pi, (sd.mu / expected.mu)[:, :, 0].ravel()])
    return ratio, 1 / np.sqrt(2 * np.asarray(replicates.converged).sum())


@pytest.mark.slow
def test_standard_errors_are_those_of_repeated_samples():
    types = two_types()
    profiles = drawn(types, 5)
    rows = lay_out(profiles)
    types = converge(types, rows)
    free = find_free(types, profiles)
    expected = standard_errors(types, rows, free, covariance(types, rows, profiles, free))
    # the largest of 14 ratios: 3.5 Monte Carlo errors, and a part of order K J / N for the normal approximation
    for bootstrap in (parametric_bootstrap, nonparametric_bootstrap):
        found = bootstrap(jax.random.key(0), types, profiles, replicates=400)
        assert np.asarray(found.converged).all()
        ratio, noise = relative(found, expected)
        assert np.abs(ratio - 1).max() < 3.5 * noise + 0.02
        assert np.abs(ratio.mean() - 1) < 3.5 * noise / np.sqrt(7) + 0.02
        again = bootstrap(jax.random.key(0), types, profiles, replicates=70)
        np.testing.assert_allclose(again.types.gamma, found.types.gamma[:70], atol=1e-9)


def test_resampled_weights():
    rng = np.random.default_rng(6)
    vote, weight = rng.integers(0, 2, (50, 2)), rng.uniform(0.5, 2.0, 50)
    profiles, inverse = collapse(vote, np.zeros_like(vote), np.ones((2, 1, 2), bool), weight=weight)
    with pytest.raises(ValueError, match="units=cluster_pairs"):
        draw_weights(jax.random.key(0), profiles)
    units = cluster_pairs(np.arange(50) // 5, inverse, weight)
    key, draws = jax.random.key(1), 2000
    found = np.stack([draw_weights(jax.random.fold_in(key, i), profiles, units) for i in range(draws)])
    own = units.toarray()
    variance = own.var(0) * 10  # ten clusters drawn independently
    assert np.all(np.abs(found.mean(0) - profiles.weight) < 4 * np.sqrt(variance / draws))
    assert np.all(np.abs(found.var(0) / variance - 1) < 0.2)
    equal = collapse(vote, np.zeros_like(vote), np.ones((2, 1, 2), bool), weight=np.full(50, 0.7))[0]
    np.testing.assert_allclose(draw_weights(key, equal).sum(), 35.0)


def test_replicates_can_leave_the_boundary():
    """From an estimate with a zero that the voters contradict, EM alone would never leave the zero."""
    profiles = drawn(two_types(), 5)
    chance = np.exp(np.asarray(two_types().log_mu))[:, :, 1]
    chance[0, 0] = 1.0
    found = nonparametric_bootstrap(jax.random.key(2), binary(chance, [0.6, 0.4]), profiles, replicates=400)
    assert np.abs(np.exp(np.asarray(found.types.log_mu))[:, 0, 0, 0] - 0.1).max() < 0.06


def test_intervals():
    value, error = np.array([0.02, 0.5, 0.99, 1.0]), np.array([0.015, 0.05, 0.02, np.nan])
    low, high = interval(value, error, scale="logit", level=0.9)
    assert np.all((low[:3] > 0) & (low[:3] < value[:3]) & (value[:3] < high[:3]) & (high[:3] < 1))
    assert np.isnan(low[3])
    assert np.isnan(high[3])
    np.testing.assert_allclose(np.log(high[1] / (1 - high[1])), ndtri(0.95) * 0.05 / 0.25)
    low, high = interval(1.0, 2.0)
    np.testing.assert_allclose([low, high], [1 - 2 * 1.959964, 1 + 2 * 1.959964], rtol=1e-6)


def test_what_is_wrong_is_said():
    everything = drawn(two_types(), 8)
    choice = np.array(list(itertools.product([0, 1], repeat=OFFICES)))
    choice[:, 4], choice[:, 5] = -1, 0  # nobody voted in the fifth office, all alike in the sixth
    v = np.column_stack([choice[:, 0], np.ones(len(choice))])
    profiles, _ = collapse(
        choice, np.zeros_like(choice), np.ones((OFFICES, 1, 2), bool), weight=everything.weight, covariates=v
    )
    start = binary([[0.9] * OFFICES, [0.9] * OFFICES, [1.0] * OFFICES, [0.3] * OFFICES], [0.25] * 4)
    gamma = np.array([[0.0, 0.0, 0.0, -40.0], [0.0, 25.0, 0.0, 0.0], [0.0, 0.0, 0.0, 0.0]])
    said = diagnose_by_number(start._replace(gamma=gamma), profiles, parameters=99, clusters=9)
    for sentence in (
        "Nobody voted in 5:",
        "Nobody chose 6 1:",
        "Type 4 is empty",
        "Types 1 and 2 vote alike",
        "4 probabilities are 0",
        "separated by 1 ",
        "the same value of 2:",
        "only 16 distinct rows",
        "9 clusters for 99 parameters",
    ):
        assert any(sentence in each for each in said), sentence
    # few voters make no type empty, unless it has next to none of them
    few = everything._replace(weight=np.r_[1.0, 1.0, 1.0, np.zeros(len(everything.weight) - 3)])
    assert not any("empty" in each or "less than one" in each for each in diagnose_by_number(two_types(), few))
    thin = binary([[0.9] * OFFICES, [0.2] * OFFICES], [0.9999, 1e-4])
    assert any("Type 2 holds less than one voter (share 0.0001)" in each for each in diagnose_by_number(thin, few))
    fine = two_types()
    assert diagnose_by_number(fine, everything, parameters=13) == []


def test_covariates_of_options_must_be_told_from_the_intercepts():
    mask = np.tile(np.array([[1, 1, 0], [1, 0, 1], [1, 1, 1]], bool), (4, 1, 1))
    rng = np.random.default_rng(9)
    x = rng.normal(size=(*mask.shape, 2))
    assert check_design(mask, x) == []
    office = (np.arange(4.0)[:, None, None] * np.array([0.0, 0.0, 1.0])) * np.ones((1, 3, 1))
    ((_, said),) = check_design(mask, office[..., None], features=["level"])
    assert said.startswith("level is not identified beside the intercepts of the offices")
    assert check_design(mask, office[..., None], common=True) == []
    ((_, said),) = check_design(mask, np.ones((*mask.shape, 1)) * np.arange(3)[:, None, None])
    assert "never differs between the options" in said
    ((_, said),) = check_design(
        mask, np.concatenate([x, x.sum(-1, keepdims=True) + office[..., None]], -1), features="abc"
    )
    assert said.startswith("a, b, c are collinear")


@pytest.mark.slow
def test_intervals_cover_the_truth():
    truth = two_types()
    exact = quantities(truth, averages(truth, lay_out(table())))
    expected = np.concatenate([exact.pi[:1], np.asarray(exact.mu)[:, :, 1].ravel()])
    inside = []
    for seed in range(600):
        profiles: Profiles = drawn(truth, 1000 + seed)
        rows = lay_out(profiles)
        types = converge(truth, rows)
        free = find_free(types, profiles)
        error = standard_errors(types, rows, free, covariance(types, rows, profiles, free))
        value = quantities(types, averages(types, rows))
        own, se = (np.concatenate([q.pi[:1], np.asarray(q.mu)[:, :, 1].ravel()]) for q in (value, error))
        low, high = interval(own, se, scale="logit")
        inside.append((low < expected) & (expected < high))
    covered = np.mean(inside, axis=0)
    # 600 replicates: 0.9 points of Monte Carlo error for one parameter
    assert np.all(np.abs(covered - 0.95) < 4 * np.sqrt(0.95 * 0.05 / 600))
    assert 0.93 < covered.mean() < 0.97
