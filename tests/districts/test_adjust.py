"""Regression adjustment on problems with known answers."""

import numpy as np
import pytest
from scipy import stats

from electjax.districts.abc.adjust import adjust, weighted_quantile
from electjax.districts.abc.prior import Axis, Space, from_probit, to_probit, unit_to_params

N = 4000


def gaussian(rng, noise=0.3):
    """x standard normal, s = x + noise: the posterior at s = 1 is known."""
    x = rng.standard_normal(N)
    return x, x + noise * rng.standard_normal(N)


def accepted(x, s, tolerance):
    far = np.abs(s - 1.0)
    keep = far <= tolerance
    return from_probit(x[keep, None]), s[keep, None], far[keep]


def test_linear_adjustment_gives_the_gaussian_posterior_at_a_wide_tolerance():
    unit, features, far = accepted(*gaussian(np.random.default_rng(0)), 1.0)
    weight = np.full(len(unit), 1 / len(unit))
    found = adjust(unit, features, weight, np.array([1.0]), distance=far, tolerance=1.0)
    x = to_probit(found.unit)[:, 0]
    mean, sd = 1 / 1.09, np.sqrt(0.09 / 1.09)
    ess = 1 / np.sum(found.weight**2)
    assert abs(found.weight @ x - mean) < 3 * sd / np.sqrt(ess)
    assert abs(np.sqrt(found.weight @ (x - found.weight @ x) ** 2) - sd) < 3 * sd / np.sqrt(2 * ess)
    raw = to_probit(unit)[:, 0]
    assert raw.std() > 1.5 * sd  # unadjusted it is far wider
    assert found.done
    assert found.beyond == 0


def test_unequal_variances_are_brought_to_that_of_the_observed():
    rng = np.random.default_rng(1)
    s = rng.uniform(-1, 1, N)
    x = 0.5 * s + np.exp(s) * 0.2 * rng.standard_normal(N)
    common = {"distance": np.abs(s), "tolerance": 1.2}
    weight, zero = np.full(N, 1 / N), np.zeros(1)
    plain = adjust(from_probit(x[:, None]), s[:, None], weight, zero, **common)
    scaled = adjust(from_probit(x[:, None]), s[:, None], weight, zero, heteroscedastic=True, **common)
    sd = [np.sqrt(found.weight @ to_probit(found.unit)[:, 0] ** 2) for found in (plain, scaled)]
    assert abs(sd[1] - 0.2) < 4 * 0.2 / np.sqrt(2 * N / 2)
    assert sd[0] > 1.1 * sd[1]


def test_what_no_draw_reaches_is_not_extrapolated_to():
    rng = np.random.default_rng(2)
    x, s = gaussian(rng)
    stuck = 0.01 * rng.standard_normal(N)  # observed at 1, a hundred sd away, and related to x by chance alone
    unit, weight = from_probit(x[:, None]), np.full(N, 1 / N)
    shared = {"distance": np.abs(s - 1.0), "tolerance": 3.0}
    alone = adjust(unit, s[:, None], weight, np.array([1.0]), **shared)
    both = adjust(unit, np.column_stack([s, stuck]), weight, np.array([1.0, 1.0]), **shared)
    assert both.beyond == 1
    np.testing.assert_allclose(to_probit(both.unit), to_probit(alone.unit), atol=0.05)


def test_constant_and_unknown_statistics_and_discrete_coordinates_play_no_part():
    rng = np.random.default_rng(3)
    x, s = gaussian(rng)
    unit = np.column_stack([from_probit(x), (rng.integers(0, 3, N) + 0.5) / 3])
    weight, shared = np.full(N, 1 / N), {"distance": np.abs(s - 1.0), "tolerance": 3.0, "levels": np.array([0, 3])}
    alone = adjust(unit, s[:, None], weight, np.array([1.0]), **shared)
    more = np.column_stack([s, np.full(N, 7.0), rng.random(N)])
    found = adjust(unit, more, weight, np.array([1.0, 7.0, np.nan]), **shared)
    np.testing.assert_allclose(found.unit, alone.unit, rtol=1e-9)
    np.testing.assert_array_equal(found.unit[:, 1], unit[:, 1])


def test_collinear_statistics_do_no_harm():
    rng = np.random.default_rng(4)
    x, s = gaussian(rng)
    unit, weight = from_probit(x[:, None]), np.full(N, 1 / N)
    shared = {"distance": np.abs(s - 1.0), "tolerance": 3.0}
    alone = adjust(unit, s[:, None], weight, np.array([1.0]), **shared)
    twice = adjust(unit, np.column_stack([s, 60 - s]), weight, np.array([1.0, 59.0]), **shared)
    np.testing.assert_allclose(twice.unit, alone.unit, atol=1e-6)


def test_too_few_draws_are_left_as_they_are():
    rng = np.random.default_rng(5)
    unit, features = rng.random((12, 2)), rng.random((12, 6))
    found = adjust(unit, features, np.full(12, 1 / 12), np.full(6, 0.5), distance=rng.random(12), tolerance=1.0)
    assert not found.done
    np.testing.assert_array_equal(found.unit, unit)


def test_weighted_quantiles_of_equal_weights_are_order_statistics():
    values = np.random.default_rng(6).random((100, 3))
    found = weighted_quantile(values, np.full(100, 0.01), 0.245)
    np.testing.assert_array_equal(found, np.sort(values, axis=0)[24])


@pytest.mark.parametrize("weight", [(1.0, 1.0, 1.0), (5.0, 0.5, 2.0)])
def test_broken_sticks_are_dirichlet(weight):
    axis = Axis("theta", shape=(3,), kind="simplex", values=weight)
    unit = np.random.default_rng(7).random((200_000, axis.size))
    theta = unit_to_params(Space((axis,)), unit)["theta"]
    np.testing.assert_allclose(theta.sum(axis=1), 1.0)
    for place, own in enumerate(weight):
        law = stats.beta(own, sum(weight) - own)
        assert stats.kstest(theta[:, place], law.cdf).pvalue > 1e-3


def test_levels_are_equally_likely_and_round_to_their_cells():
    axis = Axis("phi", shape=(2,), kind="levels", values=(-1.0, 0.0, 1.0))
    phi = unit_to_params(Space((axis,)), np.array([[0.0, 0.34], [0.5, 0.999999], [1.0, 0.3333]]))["phi"]
    np.testing.assert_array_equal(phi, [[-1, 0], [0, 1], [1, -1]])
