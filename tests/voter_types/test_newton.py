"""Newton's method of voter types beside automatic differentiation, and starts that cores share."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from electjax.voter_types.em import runs as queue
from electjax.voter_types.em.em_map import objective_of
from electjax.voter_types.em.mixture import Types
from electjax.voter_types.em.newton import Space, polish_all
from electjax.voter_types.em.rows import collapse, lay_out
from electjax.voter_types.em.runs import Way, random_starts, run_starts

TYPES, RIDGE = 3, 0.3


@pytest.fixture(autouse=True)
def _double():
    with jax.enable_x64(True):
        yield


def problem(columns, features, layout, *, shared=False, seed=0):
    """Rows of 200 voters with two menus, missing votes and offices that are not on the ballot; three solutions."""
    rng = np.random.default_rng(seed)
    voters, offices, options = 200, 4, 3
    mask = np.ones((offices, 2, options), bool)
    mask[:, 1, 0] = False
    context = rng.integers(-1, 2, (voters, offices))
    choice = rng.integers(0, options, (voters, offices))
    choice = np.where((context == 1) & (choice == 0), 1, choice)
    choice[rng.random((voters, offices)) < 0.1] = -1
    covariates = rng.normal(size=(voters, columns - 1)).round() if columns > 1 else None
    x = rng.normal(size=(offices, 2, options, features))
    rows = lay_out(collapse(choice, context, mask, x=x, covariates=covariates)[0], layout=layout, chunk=64)
    starts = jax.tree.map(
        np.array, random_starts(jax.random.key(seed), rows, types=TYPES, restarts=TYPES, shared=shared)
    )
    starts.delta[:] = rng.normal(size=starts.delta.shape)
    if columns > 1:
        starts.gamma[:] = rng.normal(size=starts.gamma.shape)
        starts.gamma[:, :, 0] = 0.0
    return starts, rows


@pytest.mark.parametrize(
    ("columns", "features", "layout", "shared"),
    [(1, 0, "dense", False), (3, 2, "blocks", False), (2, 1, "dense", True)],
)
def test_slope_and_curvature_are_those_of_automatic_differentiation(columns, features, layout, shared):
    starts, rows = problem(columns, features, layout, shared=shared)
    space = Space(rows, starts, RIDGE)
    theta = space.pack(starts)
    found = space.slopes(theta)

    def objective(theta):
        log_mu, delta, gamma = jnp.split(theta, [space.offices * space.options, space.choice], axis=1)
        return objective_of(Types(gamma.T, log_mu.reshape(TYPES, space.offices, -1), delta), rows, RIDGE)

    derivatives = jax.jit(lambda at: (objective(at), jax.grad(objective)(at), jax.hessian(objective)(at)))
    value, slope, curvature = (np.array(x) for x in jax.vmap(derivatives)(jnp.asarray(theta)))
    if columns > 1:  # the first type is the baseline
        slope[:, 0, space.choice :] = 0.0
        curvature[:, 0, space.choice :] = 0.0
        curvature[:, :, :, 0, space.choice :] = 0.0
    np.testing.assert_allclose(found.value, value, rtol=1e-13)
    np.testing.assert_allclose(space.value(theta), value, rtol=1e-13)
    np.testing.assert_allclose(found.slope, slope, atol=1e-11)
    np.testing.assert_allclose(found.curvature, curvature, atol=1e-11)


@pytest.mark.parametrize("layout", ["dense", pytest.param("blocks", marks=pytest.mark.slow)])
def test_newton_climbs_to_a_point_without_slope_one_solution_as_many(layout):
    starts, rows = problem(2, 0, layout)
    near = polish_all(starts, rows, RIDGE, steps=25)
    ended = polish_all(near.types, rows, RIDGE, steps=60)
    assert (near.objective > Space(rows, starts, RIDGE).value(Space(rows, starts, RIDGE).pack(starts))).all()
    assert (ended.objective >= near.objective).all()
    assert (ended.gradient < 1e-8).all()
    np.testing.assert_array_equal(ended.types.gamma[:, :, 0], 0.0)
    for one in range(TYPES):
        alone = polish_all(jax.tree.map(lambda leaf, own=one: leaf[own : own + 1], near.types), rows, RIDGE, steps=60)
        np.testing.assert_allclose(alone.objective, ended.objective[one], rtol=1e-12)


def test_the_number_of_cores_changes_nothing(monkeypatch):
    _, rows = problem(1, 0, "dense")
    starts = jax.tree.map(jnp.asarray, random_starts(jax.random.key(1), rows, types=2, restarts=70))
    monkeypatch.setattr(queue, "LANES", 16)
    found = []
    for cores in (1, 3):
        monkeypatch.setattr(queue, "host_workers", lambda own=cores: own)
        found.append(run_starts(starts, rows, Way(), number=61))
    one, three = found
    assert len(one.objective) == len(three.objective) == 61
    np.testing.assert_allclose(three.objective, one.objective, rtol=1e-12)
    np.testing.assert_array_equal(three.converged, one.converged)
