"""Generalised inverse, delta method and intervals."""

import numpy as np
import pytest
from scipy.special import logit, ndtri

from electjax.numerics.covariance import (
    FLAT,
    delta_errors,
    interval,
    inverse_covariance,
    sandwich,
    spread,
    unidentified,
)


def singular(seed=0, size=5, flat=2):
    """A curvature with some flat directions, in units that differ by many orders of magnitude."""
    rng = np.random.default_rng(seed)
    half = rng.normal(size=(size, size - flat))
    units = 10.0 ** np.arange(-3, size - 3)
    return half @ half.T * units * units[:, None]


def test_the_inverse_is_right_where_the_curvature_is_not_flat():
    curve = singular(flat=0)
    found = inverse_covariance(curve)
    np.testing.assert_allclose(found.matrix @ curve, np.eye(5), atol=1e-7)
    np.testing.assert_allclose(found.root @ found.root.T, found.matrix)
    assert found.flat.shape == (5, 0)
    assert not unidentified(found).any()


def test_a_generalised_inverse_and_its_flat_directions():
    curve = singular()
    found = inverse_covariance(curve)
    assert found.flat.shape == (5, 2)
    scaled = curve / found.scale / found.scale[:, None]
    np.testing.assert_allclose(scaled @ found.flat, 0.0, atol=1e-12)
    np.testing.assert_allclose(curve @ found.matrix @ curve, curve, rtol=1e-6, atol=1e-12 * np.abs(curve).max())
    # what flat directions do not change has the standard error of any inverse; what moves along them has none
    told = curve[:1]
    np.testing.assert_allclose(delta_errors(told, found), np.sqrt(curve[0, 0]), rtol=1e-8)
    loose = (found.flat[:, 0] * found.scale)[None]
    assert np.isnan(delta_errors(loose, found)).all()
    assert delta_errors(np.zeros((1, 5)), found) == 0.0


@pytest.mark.parametrize(("penalty", "identified"), [(1e-2, True), (1e-5, False)])
def test_a_weak_penalty_beside_many_votes_counts(penalty, identified):
    """lambda = .01 along a direction that 1e8 electors do not tell of is no rounding; less than FLAT of it is."""
    votes = 1e8
    curve = votes * np.array([[1.0, 1.0], [1.0, 1.0]]) / 2 + penalty * np.eye(2)
    found = inverse_covariance(curve)
    assert (found.flat.shape[1] == 0) == identified
    assert (found.eigenvalues.min() > FLAT) == identified


def test_the_sandwich_of_its_own_bread_is_the_inverse():
    curve = singular(flat=0)
    bread = inverse_covariance(curve)
    found = sandwich(bread, curve)
    np.testing.assert_allclose(found.matrix, bread.matrix, rtol=1e-6)
    np.testing.assert_allclose(found.root @ found.root.T, found.matrix, rtol=1e-6)


def test_intervals_and_draws():
    low, high = interval(0.3, 0.05, level=0.9, scale="logit")
    np.testing.assert_allclose(logit([low, high]), logit(0.3) + np.array([-1, 1]) * ndtri(0.95) * 0.05 / 0.21)
    draws = np.random.default_rng(0).normal(size=(4000, 2)) * [1.0, 2.0]
    error, low, high = spread(draws, level=0.9)
    np.testing.assert_allclose(error, [1.0, 2.0], rtol=0.05)
    np.testing.assert_allclose([low, high], ndtri([0.05, 0.95])[:, None] * [1.0, 2.0], rtol=0.08)
