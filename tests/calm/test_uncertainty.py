"""Covariances, the delta method, draws, and what integrating booth effects out changes: against dense and slow ways."""

import itertools
import runpy
from functools import partial
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.flatten_util import ravel_pytree
from scipy.special import expit

from electjax.calm.model import uncertainty as un
from electjax.calm.model.bootstrap import draw_weights
from electjax.calm.model.design import Booths, Design, Frame
from electjax.calm.model.estimate import Information, information
from electjax.calm.model.integrate import _slopes, integrated
from electjax.calm.model.problem import blank, fitted, pose, value
from electjax.calm.model.sums import blocks
from electjax.calm.model.unseen import constituencies
from electjax.numerics.arrow import Point
from electjax.numerics.host import double_precision
from electjax.numerics.laplace import draw
from tests.calm.by_hand import hyper_of

EXPERIMENT = Path(__file__).parents[2] / "experiments" / "calm" / "run.py"
DESIGN = Design()
AREAS, EACH, PARTIES, SIZES = 4, 3, 3, (3, 2)


@pytest.fixture(autouse=True, scope="module")
def double():
    with double_precision():
        yield


@pytest.fixture(scope="module")
def world():
    """Booths whose totals are exactly what is expected at a point, that point, and its information."""
    rng = np.random.default_rng(0)
    cells = np.array(list(itertools.product(*map(range, SIZES))))
    features = np.concatenate([np.eye(n)[cells[:, d]][:, 1:] for d, n in enumerate(SIZES)], axis=1)
    fixed = np.zeros((2, 3, 3))
    for d, n in enumerate(SIZES):
        fixed[d, :n, :n] = np.eye(n)
    rows = AREAS * EACH
    area = np.repeat(np.arange(AREAS), EACH).astype(np.int32)
    sizes = rng.integers(20, 200, (rows, len(cells))).astype(float)
    summed = np.stack([sizes[area == a].sum(axis=0) for a in range(AREAS)])
    codes = np.stack([rng.integers(0, n, (AREAS, PARTIES)) for n in SIZES], axis=-1).astype(np.int32)
    frame = Frame(
        features=features,
        cell_codes=cells.astype(np.int32),
        candidate_codes=codes,
        candidate_values=np.zeros(codes.shape),
        scalar=np.zeros(2, bool),
        fixed=fixed,
        band=np.zeros_like(fixed),
        cell_gate=np.ones(cells.shape, bool),
        candidate_gate=np.ones(codes.shape, bool),
        fielded=np.ones((AREAS, PARTIES), bool),
        presence=np.full(summed.shape, float(EACH)),
        electors=summed,
    )
    polled, votes = np.zeros(rows), np.zeros((rows, PARTIES))
    for _ in range(2):  # the second time with the totals that the first expects
        booths = Booths(sizes, polled, votes, area, np.zeros((rows, 0)), np.zeros((rows, PARTIES)), np.ones(rows))
        hyper = hyper_of(np.zeros(2), np.full(2, 0.5), lambda_beta=1.0, lambda_b=4.0, lambda_eta=1.0)
        problem = pose(booths, frame, hyper, DESIGN, weights=np.ones((rows, PARTIES)), chunk=rows)
        flat, unravel = ravel_pytree(blank(problem, DESIGN))
        point = Point(
            jnp.asarray(np.random.default_rng(1).normal(0, 0.4, flat.shape)),
            jnp.asarray(np.random.default_rng(2).normal(0, 0.3, (rows, PARTIES))),
        )
        expected = fitted(point, problem, DESIGN)
        polled = np.asarray(expected.polled)
        votes = polled[:, None] * np.asarray(expected.shares)
    return problem, point, information(point, problem, DESIGN), area, unravel


def dense(problem, point):
    """The whole information matrix, shared parameters first."""
    arrow, _ = blocks(point, problem, DESIGN)
    (number, width), p = point.groups.shape, point.shared.size
    full = np.zeros((p + number * width,) * 2)
    full[:p, :p] = arrow.shared
    for i in range(number):
        own = slice(p + i * width, p + (i + 1) * width)
        full[own, :p], full[:p, own] = arrow.border[i], np.asarray(arrow.border[i]).T
        full[own, own] = arrow.groups[i]
    return full


def test_laplace_covariance_is_the_inverse_of_the_whole_hessian(world):
    problem, point, known, *_ = world
    flat, unravel = ravel_pytree(point)
    hessian = np.asarray(jax.jit(jax.hessian(lambda v: value(unravel(v), problem, DESIGN)))(flat))
    # where the totals are what is expected, the information is the Hessian itself
    np.testing.assert_allclose(dense(problem, point), hessian, rtol=1e-6, atol=1e-6 * np.abs(hessian).max())
    inverse, p = np.linalg.inv(hessian), point.shared.size
    covariance = un.laplace_covariance(known)
    assert covariance.flat.shape == (p, 0)
    scale = np.sqrt(np.diag(inverse))
    np.testing.assert_allclose(covariance.matrix / np.outer(scale[:p], scale[:p]), _unit(inverse)[:p, :p], atol=1e-6)
    np.testing.assert_allclose(covariance.root @ covariance.root.T, covariance.matrix, rtol=1e-9, atol=1e-12)
    own = np.asarray(un.booth_covariance(known, covariance))
    width = point.groups.shape[1]
    for i in range(len(own)):
        at = slice(p + i * width, p + (i + 1) * width)
        np.testing.assert_allclose(own[i], inverse[at, at], rtol=1e-5, atol=1e-9)
    of_T, of_P = un.booth_errors(known, covariance, DESIGN, PARTIES)
    np.testing.assert_allclose(of_T, np.sqrt(own[:, 0, 0]), rtol=1e-12)
    # effects add up to zero over the parties: the variances of K effects are those of K - 1 free ones, turned
    np.testing.assert_allclose((np.asarray(of_P) ** 2).sum(axis=1), own[:, 1, 1] + own[:, 2, 2], rtol=1e-9)


def _unit(matrix):
    scale = np.sqrt(np.diag(matrix))
    return matrix / np.outer(scale, scale)


def test_sandwich_sums_scores_by_constituency(world):
    problem, point, known, area, _ = world
    moved = point._replace(groups=0.0 * point.groups)  # where scores are not 0
    known = information(moved, problem, DESIGN)
    found = un.sandwich_covariance(known, area)
    bread, meat = np.linalg.inv(np.asarray(known.shared)), np.zeros_like(found.matrix)
    for a in range(AREAS):
        total = sum(np.asarray(known.scores[i]) for i in np.flatnonzero(area == a))
        meat += np.outer(total, total)
    wanted = bread @ meat @ bread * AREAS / (AREAS - 1)
    np.testing.assert_allclose(found.matrix, wanted, rtol=1e-6, atol=1e-9 * np.abs(wanted).max())
    np.testing.assert_allclose(found.root @ found.root.T, found.matrix, rtol=1e-6, atol=1e-9 * np.abs(wanted).max())


def test_sandwich_of_what_belongs_to_one_cluster():
    """Effects u_a around an intercept: the mean of many is as sure as they scatter, a level as sure as its data."""
    rng = np.random.default_rng(5)
    number, own, hold = 400, 50.0, 4.0  # own: information of a cluster's data; hold: of its prior, variance 1/4
    kept = own / (own + hold)  # what is left of a cluster's mean after its prior has drawn it in
    effect = kept * rng.normal(0.0, np.sqrt(1 / own + 1 / hold), number)
    effect -= effect.mean()
    curve = np.zeros((number + 1,) * 2)  # the intercept first
    curve[0, 0], curve[0, 1:], curve[1:, 0] = number * own, own, own
    curve[1:, 1:] = (own + hold) * np.eye(number)
    # two booths each; at the minimum the score of a cluster's data is what its prior takes back
    area, part = np.repeat(np.arange(number), 2), rng.normal(size=number)
    scores = np.zeros((2 * number, number + 1))
    scores[::2, 0], scores[1::2, 0] = part, -hold * effect - part
    scores[np.arange(2 * number), 1 + area] = scores[:, 0]
    known = Information(curve, np.zeros((2 * number, 0, number + 1)), np.zeros((2 * number, 0, 0)), scores)
    found, normal = un.sandwich_covariance(known, area), un.laplace_covariance(known)
    np.testing.assert_allclose(found.root @ found.root.T, found.matrix, rtol=1e-9, atol=1e-12)
    scatter = (effect**2).sum() / (number - 1)
    assert found.matrix[0, 0] == pytest.approx(scatter / kept**2 / number, rel=1e-6)  # of a mean of cluster means
    wanted = 1 / (own + hold) + kept**2 * found.matrix[0, 0]
    np.testing.assert_allclose(np.diag(found.matrix)[1:], wanted, rtol=1e-6)
    # effects scatter as their prior says, so both agree, to the error of a standard deviation of 400 draws
    ratio = np.sqrt(np.diag(found.matrix) / np.diag(normal.matrix))
    assert np.abs(ratio - 1).max() < 4 / np.sqrt(2 * number)
    level = np.concatenate([np.ones((number, 1)), np.eye(number)], axis=1)
    one, other = (np.sqrt(np.einsum("ap,pq,aq->a", level, x.matrix, level)) for x in (found, normal))
    np.testing.assert_allclose(one, other, rtol=0.01)


def test_sandwich_wants_clusters(world):
    _, _, known, area, _ = world
    with pytest.raises(ValueError, match="1 constituency with votes; expected at least 2"):
        un.sandwich_covariance(known, np.zeros(len(area), int))


def delta_method(function, vector, covariance):
    return un.errors_of(*jax.jit(partial(un.with_jacobian, function))(vector), covariance)


def test_delta_method_equals_differences(world):
    problem, point, known, _, unravel = world
    covariance = un.laplace_covariance(known)
    middle = constituencies(point, problem, DESIGN)

    def function(vector):
        return un.reported(vector, problem, DESIGN, middle)

    errors = ravel_pytree(delta_method(function, point.shared, covariance))[0]
    flat = jax.jit(lambda v: ravel_pytree(function(v))[0])
    step = 1e-5
    columns = [
        (np.asarray(flat(point.shared + step * e)) - np.asarray(flat(point.shared - step * e))) / (2 * step)
        for e in np.eye(point.shared.size)
    ]
    jacobian = np.stack(columns, axis=1)
    wanted = np.sqrt(np.einsum("mp,pq,mq->m", jacobian, covariance.matrix, jacobian))
    np.testing.assert_allclose(errors, wanted, rtol=1e-5, atol=1e-9)
    found = function(point.shared)
    np.testing.assert_allclose(found.gamma.sum(), 0.0, atol=1e-12)
    sd, mean = (np.asarray(x) for x in (problem.affinity.standard.sd, problem.affinity.standard.mean))
    np.testing.assert_allclose(found.eta_raw, unravel(point.shared).eta / sd)
    np.testing.assert_allclose(found.boost, unravel(point.shared).eta * (1 - mean) / sd)


def test_boost_is_of_a_full_match_or_of_nothing(world):
    problem, point, _, _, unravel = world
    sd, mean = (np.asarray(x) for x in (problem.affinity.standard.sd, problem.affinity.standard.mean))
    eta, frame, affinity = unravel(point.shared).eta, problem.frame, problem.affinity
    near = problem._replace(frame=frame._replace(fixed=frame.fixed * 0.8, scalar=jnp.asarray([False, True])))
    found = un.reported(point.shared, near, DESIGN)
    np.testing.assert_allclose(found.boost, [eta[0] * (0.8 - mean[0]) / sd[0], np.nan])
    projected = affinity.standard._replace(projection=jnp.zeros((PARTIES, frame.features.shape[1] + 1, 2)))
    other = problem._replace(affinity=affinity._replace(standard=projected))
    assert np.isnan(un.reported(point.shared, other, DESIGN).boost).all()


def test_what_moves_along_a_flat_direction_has_no_error():
    """Two parameters of which only the sum is told: it has an error, they have none."""
    curve = np.array([[4.0, 4.0, 0.0], [4.0, 4.0, 0.0], [0.0, 0.0, 1.0]])
    known = Information(curve, np.zeros((2, 0, 3)), np.zeros((2, 0, 0)), np.zeros((2, 3)))
    covariance = un.laplace_covariance(known)
    assert covariance.flat.shape == (3, 1)

    def function(vector):
        return {"sum": vector[0] + vector[1], "one": vector[0], "own": vector[2], "constant": jnp.ones(())}

    errors = delta_method(function, jnp.zeros(3), covariance)
    np.testing.assert_allclose([errors["sum"], errors["own"], errors["constant"]], [0.5, 1.0, 0.0], atol=1e-12)
    assert np.isnan(errors["one"])


@pytest.mark.parametrize(("share", "eta", "gain"), [(0.5, 0.25, 6.22), (0.1, 0.25, 2.49)])
def test_percentage_points_of_a_standard_deviation(share, eta, gain):
    """Section 8: +0.25 in log odds are about 6 points at one half, and less away from it; for any number of parties."""
    rest = (1 - share) / 3
    choice = jnp.asarray([[[share, rest, rest, rest]]])
    _, each = un.average_effect(jnp.full((1, 4, 1), eta), choice, jnp.ones((1, 1)))
    assert float(each[0, 0]) == pytest.approx(gain, abs=0.005)
    assert float(each[0, 0]) == pytest.approx(100 * (expit(np.log(share / (1 - share)) + eta) - share))


def test_percentage_points_leave_absent_parties_out():
    choice = jnp.asarray([[[0.5, 0.5, 0.0]], [[0.25, 0.25, 0.5]]])
    eta, voters = jnp.full((2, 3, 1), 0.2), jnp.asarray([[10.0], [30.0]])
    mean, each = un.average_effect(eta, choice, voters)
    gain = {share: 100 * (expit(np.log(share / (1 - share)) + 0.2) - share) for share in (0.25, 0.5)}
    assert float(mean[0]) == pytest.approx((20 * gain[0.5] + 60 * gain[0.25] + 30 * gain[0.5]) / 110)
    np.testing.assert_allclose(each[:, 0], [(gain[0.5] + 3 * gain[0.25]) / 4] * 2 + [gain[0.5]])


def test_draws_have_the_covariance_of_the_posterior(world):
    problem, point, known, *_ = world
    posterior = un.laplace(point, known, un.laplace_covariance(known))
    number = 4000
    keys = jax.random.split(jax.random.key(3), number)
    drawn = jax.jit(jax.vmap(lambda key: draw(key, posterior)))(keys)
    flat = np.concatenate([drawn.shared, np.asarray(drawn.groups).reshape(number, -1)], axis=1)
    wanted = np.linalg.inv(dense(problem, point))
    scale = np.sqrt(np.diag(wanted))
    centre = np.concatenate([point.shared, np.asarray(point.groups).ravel()])
    assert np.abs((flat.mean(axis=0) - centre) / scale).max() < 4.5 / np.sqrt(number)
    correlation = np.cov(flat.T) / np.outer(scale, scale)
    error = np.sqrt((1 + _unit(wanted) ** 2) / number)
    assert (np.abs(correlation - _unit(wanted)) / error).max() < 5


def test_slope_of_the_integral_equals_differences_of_the_determinant(world):
    problem, point, known, *_ = world
    direct, through = _slopes(point, problem, design=DESIGN)
    ties, _ = un.given_shared(known.border, known.groups)
    slope = np.asarray(direct - jnp.einsum("iqp,iq->p", ties, through))

    @jax.jit
    def half(vector):
        along = Point(vector, point.groups - ties @ (vector - point.shared))
        return 0.5 * jnp.linalg.slogdet(blocks(along, problem, DESIGN)[0].groups)[1].sum()

    step = 1e-4
    wanted = [(half(point.shared + step * e) - half(point.shared - step * e)) / (2 * step) for e in np.eye(len(slope))]
    np.testing.assert_allclose(slope, wanted, rtol=1e-4, atol=1e-6)
    found = integrated(point, problem, DESIGN, known)
    np.testing.assert_allclose(np.asarray(known.shared) @ (found.shared - point.shared), -slope, atol=1e-6)
    assert integrated(point, problem, Design(booth_effects=False), known) is point


def test_bootstrap_draws_within_constituencies():
    area, counts = np.array([0, 1, 0, 1, 1, 2]), np.array([True, True, True, True, False, True])
    drawn = np.stack([draw_weights(jax.random.key(r), area, counts) for r in range(400)])
    assert (drawn[:, 4] == 0).all()
    for a in range(3):
        assert (drawn[:, area == a].sum(axis=1) == counts[area == a].sum()).all()
    # a booth of two is drawn Binomial(2, 1/2) times: variance 1/2, whose Monte Carlo error is about 0.5 / sqrt(400)
    np.testing.assert_allclose(drawn[:, 0].var(), 0.5, atol=4 * 0.5 / np.sqrt(400))


@pytest.mark.slow
@pytest.mark.parametrize("model", ["literal", "recommended"])
def test_intervals_cover(model):
    """Over 200 replicates a coverage of 95 % has a Monte Carlo standard error of 1.54 %: 92 to 98 % is within two."""
    study = runpy.run_path(str(EXPERIMENT))
    world = study["World"](model=model)
    z, done = study["coverage"](world, 200)
    assert done.all()
    found = study["summary"](world, z, done)
    rates = [row["integrated"]["coverage"] for row in found["parameters"].values()]
    assert 0.92 <= min(rates) <= max(rates) <= 0.98
    # z is standard normal: its mean has an error of 1 / sqrt(200)
    assert np.abs(z[:, 1].mean(axis=0)).max() < 3.5 / np.sqrt(200)
