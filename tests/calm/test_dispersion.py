"""The dispersion with all other parameters integrated out (restricted likelihood)."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import electjax
from electjax.calm.codec import encode_booths
from electjax.calm.model.estimate import first_point, first_weights, information
from electjax.calm.model.integrate import integrated, slope_in_dispersion
from electjax.calm.model.problem import pose
from electjax.numerics.arrow import Point
from electjax.numerics.host import double_precision
from tests.calm.by_hand import options_of


@pytest.fixture(
    scope="module",
    params=[False, pytest.param(True, marks=pytest.mark.slow)],
    ids=["recommended", "with booth effects"],
)
def world(request):
    """Few booths in each constituency: a problem, its design, a point, and the information there."""
    booths = electjax.calm.simulate("tiny", constituencies=6, booths=5, seed=4, context=0.3, booth_sd=(0.0, 0.0))
    options = options_of({"model": "recommended", "booth_effects": request.param, "lambda_b": 20.0})
    data, design = encode_booths(booths), options.design
    with double_precision():
        weights = first_weights(data.booths, data.frame)
        problem = pose(data.booths, data.frame, options.hyper(data.axes), design, weights=weights, chunk=30)
        rng = np.random.default_rng(1)
        point = jax.tree.map(lambda x: x + 0.1 * rng.normal(size=x.shape), first_point(problem, design))
        return problem, design, point, information(point, problem, design)


def test_its_slope_is_that_of_the_determinant_of_the_rest(world):
    problem, design, point, known = world
    with double_precision():
        slope = np.asarray(slope_in_dispersion(point, problem, design, known))
        place = np.flatnonzero(slope)
        rest = np.setdiff1d(np.arange(slope.size), place)

        def half(move):
            shared = information(Point(point.shared + jnp.asarray(move), point.groups), problem, design).shared
            return np.linalg.slogdet(np.asarray(shared)[np.ix_(rest, rest)])[1] / 2

        step = 1e-3
        wanted = [(half(step * way) - half(-step * way)) / (2 * step) for way in np.eye(slope.size)[place]]
    assert place.tolist() == [slope.size - 2, slope.size - 1]
    assert (slope[place] < 0).all()  # more scatter says less of the rest, so that the dispersion grows
    np.testing.assert_allclose(slope[place], wanted, rtol=0.02)


@pytest.mark.slow
def test_its_slope_is_the_same_in_a_program(world):
    problem, design, point, known = world
    with double_precision():
        traced = jax.jit(lambda at, own: slope_in_dispersion(at, own, design, information(at, own, design)))
        slope = slope_in_dispersion(point, problem, design, known)
        np.testing.assert_allclose(traced(point, problem), slope, rtol=1e-6, atol=1e-9)


def test_only_the_dispersion_moves_without_booth_effects(world):
    problem, design, point, known = world
    with double_precision():
        moved = integrated(point, problem, design, known)
    step = np.asarray(moved.shared - point.shared)
    assert (np.abs(step[-2:]) > 1e-4).all()
    assert (np.abs(step[:-2]).max() > 1e-6) == design.booth_effects
    assert (np.asarray(moved.groups) == np.asarray(point.groups)).all() == (not design.booth_effects)
