"""Newton's method on an arrow of groups that share parameters, against dense algebra."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from electjax.numerics.arrow import Arrow, Point, begin, eliminate, host_loop, newton_arrow, solve_arrow, steepness
from electjax.numerics.host import double_precision

P, G, Q = 3, 4, 2
solve = jax.jit(solve_arrow)


@pytest.fixture(autouse=True, scope="module")
def double():
    with double_precision():
        yield


def drawn(groups=G, width=Q, seed=0):
    """A random arrow, its matrix in full, and its gradient."""
    rng = np.random.default_rng(seed)
    size = P + groups * width
    full = np.zeros((size, size))
    for g in range(groups):  # each group with the shared parameters, and so nothing between two groups
        root = rng.normal(size=(8, P + width))
        at = [*range(P), *range(P + g * width, P + (g + 1) * width)]
        full[np.ix_(at, at)] += root.T @ root
    gradient = rng.normal(size=size)
    own = [slice(P + g * width, P + (g + 1) * width) for g in range(groups)]
    arrow = Arrow(
        value=jnp.zeros(()),
        gradient=jnp.asarray(gradient[:P]),
        group_gradient=jnp.asarray(gradient[P:].reshape(groups, width)),
        shared=jnp.asarray(full[:P, :P]),
        border=jnp.asarray(np.array([full[s, :P] for s in own]).reshape(groups, width, P)),
        groups=jnp.asarray(np.array([full[s, s] for s in own]).reshape(groups, width, width)),
    )
    return arrow, full, gradient


@pytest.mark.parametrize("width", [Q, 0])
@pytest.mark.parametrize("damping", [0.0, 0.3])
def test_a_step_solves_the_whole_matrix(width, damping):
    arrow, full, gradient = drawn(width=width)
    step, promised = solve(arrow, damping)
    expected = -np.linalg.solve(full + damping * np.diag(np.diag(full)), gradient)
    np.testing.assert_allclose(step.shared, expected[:P], rtol=1e-8)
    np.testing.assert_allclose(step.groups.reshape(-1), expected[P:], rtol=1e-8)
    assert float(promised) == pytest.approx(-0.5 * gradient @ expected, rel=1e-8)


@pytest.mark.parametrize("width", [Q, 0])
def test_eliminating_the_groups_leaves_the_schur_complement(width):
    arrow, full, gradient = drawn(width=width, seed=1)
    schur, right, border, own = eliminate(arrow)
    inner = np.linalg.inv(full[P:, P:]) if width else np.zeros((0, 0))
    np.testing.assert_allclose(schur, full[:P, :P] - full[:P, P:] @ inner @ full[P:, :P], rtol=1e-9)
    np.testing.assert_allclose(np.linalg.inv(schur), np.linalg.inv(full)[:P, :P], rtol=1e-9)  # the marginal covariance
    np.testing.assert_allclose(right, gradient[:P] - full[:P, P:] @ inner @ gradient[P:], rtol=1e-9)
    if width:
        np.testing.assert_allclose(border.reshape(-1, P), inner @ full[P:, :P], rtol=1e-8)
        np.testing.assert_allclose(own.reshape(-1), inner @ gradient[P:], rtol=1e-8)


@pytest.mark.parametrize("width", [Q, 0])
def test_steepness_is_the_largest_slope_over_the_root_of_its_curvature(width):
    arrow, full, gradient = drawn(width=width, seed=3)
    assert float(steepness(arrow)) == pytest.approx((np.abs(gradient) / np.sqrt(np.diag(full))).max(), rel=1e-12)
    if width:  # a group's slope counts like a shared one
        steep = arrow._replace(group_gradient=arrow.group_gradient.at[2, 1].set(100.0))
        assert float(steepness(steep)) == pytest.approx(100.0 / np.sqrt(arrow.groups[2, 1, 1]), rel=1e-12)


def test_directions_without_information_stand_still():
    arrow, *_ = drawn()
    arrow = arrow._replace(
        shared=arrow.shared.at[0].set(0.0).at[:, 0].set(0.0),
        border=arrow.border.at[:, :, 0].set(0.0),
        gradient=arrow.gradient.at[0].set(0.0),
    )
    step, promised = solve(arrow, 0.0)
    assert float(step.shared[0]) == 0
    assert np.isfinite(np.concatenate([step.shared, step.groups.reshape(-1), promised[None]])).all()


def quadratic(width):
    """x'Hx / 2 + g'x around 0, and where it is least."""
    arrow, full, gradient = drawn(width=width, seed=2)

    def flat(point):
        return jnp.concatenate([point.shared, point.groups.reshape(-1)])

    def value(point):
        x = flat(point)
        return 0.5 * x @ full @ x + gradient @ x

    def blocks(point):
        slope = full @ flat(point) + gradient
        return arrow._replace(value=value(point), gradient=slope[:P], group_gradient=slope[P:].reshape(G, width))

    return value, blocks, -np.linalg.solve(full, gradient)


@pytest.mark.parametrize("width", [Q, 0])
def test_a_quadratic_takes_one_step(width):
    value, blocks, least = quadratic(width)
    start = begin(Point(jnp.ones(P), jnp.ones((G, width))))
    one = newton_arrow(blocks, value, start, until=1)
    np.testing.assert_allclose(one.point.shared, least[:P], rtol=1e-7)
    np.testing.assert_allclose(one.point.groups.reshape(-1), least[P:], rtol=1e-7)
    assert int(one.steps) == 1
    assert not bool(one.done)  # it has yet to see that there is nothing left to gain
    two = newton_arrow(blocks, value, one)
    assert bool(two.done)
    assert int(two.steps) == 2
    assert float(two.gradient) < 1e-6


def bent():
    """Convex, nearly straight far from its least point at 0: a full step from beyond 1 overshoots, x to -x^3."""

    def loss(x):
        shared, own = x[:P], x[P:]
        return jnp.sqrt(1 + shared**2).sum() + jnp.sqrt(1 + (own - shared.mean()) ** 2).sum()

    def flat(point):
        return jnp.concatenate([point.shared, point.groups[:, 0]])

    def blocks(point):
        x = flat(point)
        full, slope = jax.hessian(loss)(x), jax.grad(loss)(x)
        inner = jnp.diagonal(full[P:, P:])[:, None, None]
        return Arrow(loss(x), slope[:P], slope[P:, None], full[:P, :P], full[P:, :P][:, None], inner)

    return lambda point: loss(flat(point)), blocks


def test_steps_that_do_not_go_down_are_damped_and_none_goes_up():
    value, blocks = bent()
    search, values = begin(Point(jnp.array([-3.0, 2.0, -2.0]), jnp.full((G, 1), -5.0))), []
    step = jax.jit(lambda search, until: newton_arrow(blocks, value, search, until=until, tolerance=1e-12))
    damped = False
    while not bool(search.done) and len(values) < 100:
        search = step(search, search.steps + 1)
        damped |= float(search.damping) > 0
        values.append(float(search.value))
    assert bool(search.done)
    assert damped
    assert (np.diff(values) <= 1e-12).all()
    np.testing.assert_allclose(search.point.shared, 0, atol=1e-4)
    np.testing.assert_allclose(search.point.groups, 0, atol=1e-4)
    assert values[-1] == pytest.approx(P + G, abs=1e-8)
    at_once = step(begin(Point(jnp.array([-3.0, 2.0, -2.0]), jnp.full((G, 1), -5.0))), 100)
    np.testing.assert_allclose(at_once.point.shared, search.point.shared, rtol=1e-12)
    assert int(at_once.steps) == int(search.steps) == len(values)


def test_a_search_that_cannot_go_down_says_so_and_stays():
    value, blocks = bent()

    def uphill(point):
        arrow = blocks(point)
        return arrow._replace(gradient=-arrow.gradient, group_gradient=-arrow.group_gradient)

    point = Point(jnp.array([0.5, 0.2, 0.9]), jnp.full((G, 1), 0.3))
    search = newton_arrow(uphill, value, begin(point), until=50)
    assert bool(search.stuck)
    assert not bool(search.done)
    assert int(search.steps) == 1
    np.testing.assert_array_equal(search.point.shared, point.shared)
    assert float(search.value) == pytest.approx(float(value(point)), rel=1e-14)


def test_a_value_that_is_no_number_is_not_taken():
    value, blocks = bent()

    def fenced(point):  # the full step from here ends at -0.5^3, where there is no value
        return jnp.where(point.shared.min() < 0.0, jnp.nan, value(point))

    start = Point(jnp.full(P, 0.5), jnp.full((G, 1), 0.5))
    search = newton_arrow(blocks, fenced, begin(start), until=1)
    assert np.isfinite(float(search.value))
    assert float(search.value) < float(fenced(start))
    assert float(search.damping) > 0


def test_a_loop_on_the_host_takes_the_same_steps():
    with jax.enable_x64(True):
        target = jnp.asarray([1.0, -2.0])
        group = jnp.asarray([[0.5], [3.0]])

        def blocks(point):
            gap, own = point.shared - target, point.groups - group
            least = (jnp.cosh(gap).sum() + (own**2).sum() / 2) - 2.0
            border = jnp.zeros((2, 1, 2))
            return Arrow(least, jnp.sinh(gap), own, jnp.diag(jnp.cosh(gap)), border, jnp.ones((2, 1, 1)))

        start = begin(Point(jnp.zeros(2), jnp.zeros((2, 1))))
        value = jax.jit(lambda at: blocks(at).value)
        one = newton_arrow(blocks, value, start, tolerance=1e-12)
        other = newton_arrow(jax.jit(blocks), value, start, tolerance=1e-12, loop=host_loop)
        assert bool(one.done)
        assert int(other.steps) == int(one.steps) > 2
        np.testing.assert_allclose(other.point.shared, target, atol=1e-6)
        np.testing.assert_allclose(other.value, one.value, atol=1e-12)
