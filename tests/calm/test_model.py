"""The heads, the objective and its minimisation against the definition, one booth, cell and party at a time."""

from dataclasses import replace
from functools import cache, cached_property, partial
from itertools import pairwise
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats
from scipy.special import expit, logit

from electjax.calm.model import estimate as es
from electjax.calm.model import problem as pb
from electjax.calm.model.affinity import Standard
from electjax.calm.model.design import Booths, Design, Frame, Hyper, Local
from electjax.calm.model.heads import CellShares, Totals, contrast, mobilisation_weights, totals, traits
from electjax.calm.model.objective import booth_losses, penalty
from electjax.calm.model.sums import blocks
from electjax.calm.model.unseen import held_out, with_mean_effects
from electjax.numerics.arrow import Point, begin
from electjax.numerics.host import double_precision
from tests.calm import by_hand
from tests.calm.by_hand import HYPER, LIKELIHOOD, hyper_of

# Together they have every term; each is compiled once, and hyperparameters and data are traced.
CASES = {
    "literal": Design(identification="reference"),
    "baseline": Design(affinity="none", identification="reference"),
    "towers": Design(
        affinity="party",
        tower=2,
        mobilisation="model",
        raw_mobilisation=True,
        project=True,
        weighting="size",
        cache="booth",
    ),
    "recommended": Design(
        affinity="hierarchical", booth_effects=False, constituency_effects=True, context=True, overdispersed=True
    ),
    "everything": Design(
        affinity="hierarchical",
        tower=1,
        mobilisation="previous",
        constituency_effects=True,
        context=True,
        overdispersed=True,
    ),
}
WEIGHTS = np.array([1.0, 2, 1, 1, 0, 1, 1, 0.5, 1, 1, 1, 3])  # held out, or counted more than once
CHUNK = 5  # 12 booths, so that three rows fill the last chunk

gradient = jax.jit(jax.grad(pb.value), static_argnums=2)
first_weights = jax.jit(es.first_weights)


@pytest.fixture(autouse=True, scope="module")
def double():
    with double_precision():
        yield


@partial(jax.jit, static_argnums=2)
def everything(point, problem, design):
    """The objective by itself, and its blocks."""
    return pb.value(point, problem, design), *blocks(point, problem, design)


def value(point, problem, design):
    return float(everything(point, problem, design)[0])


def pose(booths, frame, hyper, design, *, chunk=CHUNK, standard=None):
    return pb.pose(booths, frame, hyper, design, weights=first_weights(booths, frame), chunk=chunk, standard=standard)


def shared_at(point, problem, design):
    """The shared parameters of a point, cut out in numpy: what is not compiled takes no time."""
    blank = jax.eval_shape(partial(pb.blank, design=design), problem)
    leaves, tree = jax.tree.flatten(blank)
    parts = np.split(np.asarray(point.shared), np.cumsum([leaf.size for leaf in leaves])[:-1])
    return jax.tree.unflatten(tree, [part.reshape(leaf.shape) for part, leaf in zip(parts, leaves, strict=True)])


def flat(shared):
    return jnp.asarray(np.concatenate([np.ravel(leaf) for leaf in jax.tree.leaves(shared)]))


@partial(jax.jit, static_argnums=2)
def slope_of_penalty(vector, problem, design):
    """Gradient and Hessian of the penalties of the shared parameters."""
    unravel = jax.flatten_util.ravel_pytree(pb.blank(problem, design))[1]
    parties = problem.frame.fielded.shape[1]
    held = partial(penalty, hyper=problem.hyper, design=design, parties=parties)
    return jax.grad(lambda v: held(unravel(v)))(vector), jax.hessian(lambda v: held(unravel(v)))(vector)


def scattered(problem, design, seed=0):
    """A point at which nothing is 0."""
    rng = np.random.default_rng(seed)
    size = flat(
        jax.tree.map(lambda x: np.zeros(x.shape), jax.eval_shape(partial(pb.blank, design=design), problem))
    ).size
    width = problem.frame.fielded.shape[1] if design.booth_effects else 0
    groups = rng.normal(size=(problem.booths.weight.size, width)) * 0.2
    groups[len(WEIGHTS) :] = 0
    shared = rng.normal(size=size) * 0.3
    if design.overdispersed:
        shared[-2:] += (-4.5, -4.0)  # the dispersion comes last
    return Point(jnp.asarray(shared), jnp.asarray(groups))


def spelled(point, problem, booths, design):
    """The parameters of a point with all parties."""
    basis = np.asarray(contrast(booths.votes.shape[1], design.identification))
    groups = np.asarray(point.groups)[: len(booths.polled)]
    local = Local(groups[:, 0], groups[:, 1:]) if design.booth_effects else None
    return by_hand.spell(shared_at(point, problem, design), local, basis, booths)


class Case:
    """Booths, and what the library and the definition say of them; each part is compiled when a test asks for it."""

    def __init__(self, name):
        self.design = design = CASES[name]
        self.booths, self.frame = booths, frame = by_hand.draw(weights=WEIGHTS)
        with double_precision():
            self.problem = pose(booths, frame, HYPER, design)
            self.point = scattered(self.problem, design)
        self.p = spelled(self.point, self.problem, booths, design)
        self.known = by_hand.affinity(booths, frame, HYPER, design)
        self.weights = by_hand.first_weights(booths, frame)
        self.rates = by_hand.forward(self.p, booths, frame, HYPER, design, self.weights, self.known)

    def at_point(self, function):
        with double_precision():
            return function(self.point, self.problem, self.design)

    blocks = cached_property(lambda self: self.at_point(everything))
    value = property(lambda self: float(self.blocks[0]))
    arrow = property(lambda self: self.blocks[1])
    scores = property(lambda self: self.blocks[2])
    cells = cached_property(lambda self: self.at_point(pb.cells))
    sums = cached_property(lambda self: self.at_point(pb.fitted))
    losses = cached_property(lambda self: self.at_point(pb.losses))


case = cache(Case)
QUICK = ("literal", "everything")  # the others repeat what these show
each_case = pytest.mark.parametrize(
    "name", [name if name in QUICK else pytest.param(name, marks=pytest.mark.ci) for name in CASES]
)


# ------------------------------------------------------------------------------------ by hand


def test_two_booths_three_cells_and_two_parties_worked_out_on_paper():
    """One axis of three categories, rho 1/2; the second booth lacks the first cell. g has mean .6 and variance .14."""
    booths = Booths(
        sizes=np.array([[100.0, 60, 40], [0, 80, 120]]),
        polled=np.array([120.0, 110]),
        votes=np.array([[70.0, 50], [66, 44]]),
        constituency=np.array([0, 1]),
        covariates=np.zeros((2, 0)),
        previous=np.zeros((2, 2)),
        weight=np.ones(2),
    )
    frame = Frame(
        features=np.eye(3),
        cell_codes=np.arange(3)[:, None],
        candidate_codes=np.array([[[0], [2]], [[1], [1]]]),
        candidate_values=np.zeros((2, 2, 1)),
        scalar=np.array([False]),
        fixed=np.eye(3)[None],
        band=(np.eye(3, k=1) + np.eye(3, k=-1))[None],
        cell_gate=np.ones((3, 1), bool),
        candidate_gate=np.ones((2, 2, 1), bool),
        fielded=np.ones((2, 2), bool),
        presence=np.array([[1.0, 1, 1], [0, 1, 1]]),
        electors=np.array([[100.0, 60, 40], [0, 80, 120]]),
    )
    strengths = {"lambda_beta": 0.1, "lambda_b": 2.0, "lambda_eta": 0.01}
    hyper = hyper_of(rho=np.array([0.5]), axis_weight=np.ones(1), **strengths)
    design = CASES["literal"]
    problem = pose(booths, frame, hyper, design, chunk=2)
    # alpha, beta_T, gamma, beta_P and eta; beta_P and b_P are the second party's, the first has none
    shared = jnp.array([0.2, 0.1, -0.2, 0.3, 0.4, 0.5, 0.0, -0.5, 0.3])
    point = Point(shared, jnp.array([[0.1, 0.2], [-0.1, -0.3]]))
    near, close = (
        partial(np.testing.assert_allclose, atol=6e-9, rtol=0),
        partial(np.testing.assert_allclose, atol=6e-7, rtol=0),
    )
    near(problem.affinity.standard.mean, [0.6])
    near(problem.affinity.standard.sd, [0.14**0.5])
    near(problem.affinity.g[0, :, :, 0], [[1.06904497, -1.60356745], [-0.26726124] * 2, [-1.60356745, 1.06904497]])
    near(problem.affinity.g[1, 1:, :, 0], [[1.06904497] * 2, [-0.26726124] * 2])
    cells = pb.cells(point, problem, design)
    near(cells.pi[0], [0.59868766, 0.52497919, 0.64565631])  # of logits .4, .1, .6
    near(cells.pi[1, 1:], [0.47502081, 0.59868766])  # of -.1, .4
    near(cells.theta[0, :, 0], [0.42599359, 0.35434369, 0.28868408])  # .3207 against .6189, ...
    near(cells.theta[1, 1:, 0], [0.47502081, 0.59868766])
    sums = pb.fitted(point, problem, design)
    close(sums.polled, [117.193770, 109.844184])
    close(sums.polled[:, None] * sums.shares, [[44.120722, 73.073047], [61.062812, 48.781373]])
    near(sums.turnout, [0.58596885, 0.54922092])
    near(sums.shares, [[0.37647669, 0.62352331], [0.55590391, 0.44409609]])
    lost = pb.losses(point, problem, design)
    close(lost.turnout, [134.683763, 137.628008])
    close(lost.party, [10.498205, 0.436695])
    # beta: .1 (.01 + .04 + .09 + .25 + .25); b: 2 (.01 + .01 + .04 + .09); eta: .01 x .09
    total = 134.683763 + 137.628008 + 10.498205 + 0.436695 + 0.064 + 0.3 + 0.0009
    assert value(point, problem, design) == pytest.approx(total, abs=2e-6)
    doubled = problem._replace(hyper=problem.hyper._replace(lambda_T=jnp.float64(2.0), lambda_P=jnp.float64(3.0)))
    more = value(point, doubled, design) - value(point, problem, design)
    assert more == pytest.approx(134.683763 + 137.628008 + 2 * (10.498205 + 0.436695), abs=4e-6)


@each_case
def test_cells_and_totals_are_their_definition(name):
    it = case(name)
    rows, there = len(WEIGHTS), it.booths.sizes > 0
    np.testing.assert_allclose(np.asarray(it.cells.pi)[:rows][there], it.rates.pi[there], rtol=1e-10)
    np.testing.assert_allclose(np.asarray(it.cells.theta)[:rows][there], it.rates.theta[there], rtol=1e-10)
    np.testing.assert_allclose(it.sums.polled[:rows], it.rates.T, rtol=1e-10)
    np.testing.assert_allclose(it.sums.turnout[:rows], it.rates.t, rtol=1e-10)
    np.testing.assert_allclose(it.sums.shares[:rows], it.rates.p, rtol=1e-10)
    standard = it.problem.affinity.standard
    np.testing.assert_allclose(standard.mean, it.known[2], atol=1e-12)
    np.testing.assert_allclose(standard.sd, it.known[3], rtol=1e-10)


@each_case
def test_the_objective_is_its_definition(name):
    it = case(name)
    turnout, party = by_hand.losses(it.rates, it.p, it.booths)
    np.testing.assert_allclose(it.losses.turnout[: len(WEIGHTS)], turnout, rtol=1e-9)
    np.testing.assert_allclose(it.losses.party[: len(WEIGHTS)], party, rtol=1e-8, atol=1e-8)
    held = sum(by_hand.penalties(it.p, it.booths, HYPER, it.design).values())
    assert it.value == pytest.approx(WEIGHTS @ (1.3 * turnout + 0.7 * party) + held, rel=1e-10)
    assert float(it.arrow.value) == pytest.approx(it.value, rel=1e-13)


@each_case
def test_every_penalty_stands_alone(name):
    it = case(name)
    alone = by_hand.penalties(it.p, it.booths, HYPER, it.design)
    strengths = {
        "beta": "lambda_beta",
        "eta": "lambda_party" if it.design.affinity == "party" else "lambda_eta",
        "tau": "lambda_tau",
        "tower": "lambda_tower",
        "constituency": "lambda_constituency",
        "b": "lambda_b",
    }
    for term, strength in strengths.items():
        off = it.problem._replace(hyper=it.problem.hyper._replace(**{strength: jnp.float64(0.0)}))
        assert it.value - value(it.point, off, it.design) == pytest.approx(alone.get(term, 0.0), abs=1e-8)
    held, _ = slope_of_penalty(it.point.shared, it.problem, it.design)
    free = ("alpha", "gamma", "xi")
    for part, where in zip(shared_at(it.point, it.problem, it.design)._fields, where_of(it), strict=True):
        assert where is None or (np.asarray(held)[where] == 0).all() == (part in free)


def where_of(it):
    """Where each of the shared parameters stands in the flat vector; None for those that there are not."""
    shared = shared_at(it.point, it.problem, it.design)
    ends = np.cumsum([0 if leaf is None else leaf.size for leaf in shared])
    return [None if leaf is None else slice(end - leaf.size, end) for leaf, end in zip(shared, ends, strict=True)]


# ------------------------------------------------------------------------------------ slopes and information


@each_case
def test_the_gradient_is_that_of_the_definition(name):
    it = case(name)
    rng = np.random.default_rng(3)
    rows, step = len(WEIGHTS), 1e-5
    for _ in range(3):
        way = Point(rng.normal(size=it.point.shared.shape), rng.normal(size=it.point.groups.shape))
        way.groups[rows:] = 0  # the definition knows of no filling rows

        def along(length, way=way):
            point = jax.tree.map(lambda x, w: x + length * w, it.point, way)
            p = spelled(point, it.problem, it.booths, it.design)
            return by_hand.objective(p, it.booths, it.frame, HYPER, it.design, it.weights, it.known)

        slope = (along(step) - along(-step)) / (2 * step)
        found = it.arrow.gradient @ way.shared + (it.arrow.group_gradient * way.groups).sum()
        size = np.abs(np.asarray(it.arrow.gradient) * way.shared).sum()
        assert float(found) == pytest.approx(slope, abs=1e-7 * size)


@pytest.mark.parametrize("name", ["literal", pytest.param("recommended", marks=pytest.mark.ci)])
def test_the_blocks_have_the_gradient_of_the_value(name):
    it = case(name)
    slope = gradient(it.point, it.problem, it.design)
    np.testing.assert_allclose(it.arrow.gradient, slope.shared, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(it.arrow.group_gradient, slope.groups, rtol=1e-9, atol=1e-9)


@each_case
def test_each_booth_has_its_own_score(name):
    it = case(name)
    counts = np.append(WEIGHTS, np.zeros(3)) > 0
    assert (np.asarray(it.scores)[~counts] == 0).all()
    held, _ = slope_of_penalty(it.point.shared, it.problem, it.design)
    np.testing.assert_allclose(np.asarray(it.scores).sum(axis=0) + held, it.arrow.gradient, rtol=1e-8, atol=1e-8)


@each_case
def test_the_information_is_the_sum_of_squares_of_slopes(name):
    """J'WJ with W = N / (t (1 - t)) and T / p, over the variance's inflation, plus twice the penalties."""
    it = case(name)
    rows, p, q = len(WEIGHTS), it.point.shared.size, it.point.groups.shape[1]
    step = 1e-6

    def rates(point):
        sums = pb.fitted(point, it.problem, it.design)
        return np.concatenate([np.asarray(sums.turnout)[:rows, None], np.asarray(sums.shares)[:rows]], axis=1)

    def slope(way):
        up, down = (rates(jax.tree.map(lambda x, w, s=s: x + s * step * w, it.point, way)) for s in (1, -1))
        return (up - down) / (2 * step)

    none = Point(np.zeros(p), np.zeros(it.point.groups.shape))
    shared = np.stack([slope(none._replace(shared=row)) for row in np.eye(p)], axis=-1)  # [i, 1 + k, p]
    own = []
    for j in range(q):  # a booth moves nothing but itself, so that all may move together
        way = np.zeros(none.groups.shape)
        way[:, j] = 1
        own.append(slope(none._replace(groups=way)))
    own = np.stack(own, axis=-1) if q else np.zeros((rows, shared.shape[1], 0))
    electors, cast = it.booths.sizes.sum(axis=1), it.booths.votes.sum(axis=1)
    inflation = np.ones((2, rows))
    if it.design.overdispersed:
        inflation = 1 + (np.array([electors, cast]) - 1) * expit(it.p.dispersion)[:, None]
    t, shares = it.rates.t, it.rates.p
    inverse = np.where(shares > 0, 1 / np.where(shares > 0, shares, 1.0), 0.0)
    of_T, of_P = 1.3 * electors / (t * (1 - t)) / inflation[0], 0.7 * (cast / inflation[1])[:, None] * inverse
    W = WEIGHTS[:, None] * np.concatenate([of_T[:, None], of_P], axis=1)
    square = np.einsum("imp,im,imr->pr", shared, W, shared)
    border, inner = np.einsum("imq,im,imp->iqp", own, W, shared), np.einsum("imq,im,imr->iqr", own, W, own)
    square += np.asarray(slope_of_penalty(it.point.shared, it.problem, it.design)[1])
    inner = inner + np.where(WEIGHTS > 0, WEIGHTS, 1.0)[:, None, None] * 2 * HYPER.lambda_b * np.eye(q)
    keep = np.ones(p, bool)
    keep[p - 2 :] = not it.design.overdispersed  # the dispersion has an information of its own
    found = np.asarray(it.arrow.shared)
    close = partial(np.testing.assert_allclose, rtol=1e-6, atol=1e-6 * np.abs(square).max())
    close(found[np.ix_(keep, keep)], square[np.ix_(keep, keep)])
    close(np.asarray(it.arrow.border)[:rows], border)
    close(np.asarray(it.arrow.groups)[:rows], inner)
    assert (found[np.ix_(keep, ~keep)] == 0).all()
    if it.design.overdispersed:
        assert (np.linalg.eigvalsh(found[-2:, -2:]) > 0).all()


@pytest.mark.parametrize("name", [pytest.param("recommended", marks=pytest.mark.ci), "everything"])
def test_the_information_about_the_dispersion_is_its_second_slope(name):
    it = case(name)
    step = 1e-3

    def along(one, other):
        moved = SimpleNamespace(**vars(it.p) | {"dispersion": it.p.dispersion + step * np.array([one, other])})
        turnout, party = by_hand.losses(it.rates, moved, it.booths)
        return WEIGHTS @ (1.3 * turnout + 0.7 * party)

    middle = along(0, 0)
    second = [(along(*way) + along(*(-np.array(way))) - 2 * middle) / step**2 for way in ((1, 0), (0, 1))]
    found = np.diag(np.asarray(it.arrow.shared)[-2:, -2:]) - 1 / 9  # the prior's part
    np.testing.assert_allclose(found, np.abs(second), rtol=1e-4)


# ------------------------------------------------------------------------------------ the likelihood (11, 12)


@each_case
def test_votes_add_up(name):
    it = case(name)
    rows = len(WEIGHTS)
    np.testing.assert_allclose(np.asarray(it.sums.shares)[:rows].sum(axis=1), 1, rtol=1e-14)
    assert (np.asarray(it.sums.polled)[:rows] < it.booths.sizes.sum(axis=1)).all()
    absent = ~it.frame.fielded[it.booths.constituency]
    assert absent.any()
    assert (np.asarray(it.sums.shares)[:rows][absent] == 0).all()


def test_a_booth_of_one_cell_is_that_cell():
    cells = CellShares(jnp.array([0.3, 0.6, 0.9]), jnp.array([[0.2, 0.8], [0.7, 0.3], [0.5, 0.5]]))
    one = totals(jnp.array([0.0, 250, 0]), cells)
    np.testing.assert_allclose(one.turnout, 0.6, rtol=1e-15)
    np.testing.assert_allclose(one.shares, [0.7, 0.3], rtol=1e-15)
    nobody = totals(jnp.zeros(3), cells)
    assert np.isfinite(np.concatenate([nobody.shares, [nobody.turnout, nobody.polled]])).all()


@pytest.mark.parametrize("name", ["literal", "everything"])
@pytest.mark.parametrize("size", [1e4, -1e4])
@pytest.mark.parametrize("part", ["alpha", "gamma", "eta"])
def test_finite_at_logits_of_ten_thousand(name, part, size):
    it = case(name)
    shared = shared_at(it.point, it.problem, it.design)
    shared = shared._replace(**{part: jnp.full_like(getattr(shared, part), size)})
    point = it.point._replace(shared=flat(shared))
    reached, arrow, scores = everything(point, it.problem, it.design)
    assert np.isfinite(float(reached))
    for leaf in jax.tree.leaves((gradient(point, it.problem, it.design), arrow, scores)):
        assert np.isfinite(leaf).all()
    lost = pb.losses(point, it.problem, it.design)
    assert np.isfinite(np.asarray([lost.turnout, lost.party])).all()


def log_probability(rates, booths):
    """Binomial turnout and multinomial votes of each booth."""
    turnout = stats.binom.logpmf(booths.polled, booths.sizes.sum(axis=1), rates.t)
    party = [
        stats.multinomial.logpmf(v[q > 0], v.sum(), q[q > 0] / q.sum())
        for v, q in zip(booths.votes, rates.p, strict=True)
    ]
    return turnout, np.array(party)


def test_the_losses_are_minus_the_log_likelihood_up_to_a_constant():
    it = case("literal")
    other = scattered(it.problem, it.design, seed=9)
    rates = by_hand.forward(
        spelled(other, it.problem, it.booths, it.design), it.booths, it.frame, HYPER, it.design, it.weights, it.known
    )
    lost = pb.losses(other, it.problem, it.design)
    here, there = log_probability(it.rates, it.booths), log_probability(rates, it.booths)
    for k, part in enumerate(("turnout", "party")):
        change = np.asarray(getattr(lost, part) - getattr(it.losses, part))[: len(WEIGHTS)]
        np.testing.assert_allclose(change, here[k] - there[k], rtol=1e-7, atol=1e-7)
        assert np.abs(change).max() > 1


@pytest.mark.parametrize("name", ["literal", pytest.param("baseline", marks=pytest.mark.ci)])
def test_they_have_the_same_gradient(name):
    it = case(name)
    bare = LIKELIHOOD._replace(**{key: np.float64(0) for key in Hyper._fields if key[:8] in ("lambda_b", "lambda_e")})
    problem = it.problem._replace(hyper=jax.tree.map(jnp.asarray, bare))
    slope = everything(it.point, problem, it.design)[1].gradient
    rng = np.random.default_rng(4)
    way = rng.normal(size=it.point.shared.shape)

    def along(length):
        p = spelled(it.point._replace(shared=it.point.shared + length * way), problem, it.booths, it.design)
        rates = by_hand.forward(p, it.booths, it.frame, bare, it.design, it.weights, it.known)
        return -WEIGHTS @ sum(log_probability(rates, it.booths))

    step = 1e-5
    assert float(slope @ way) == pytest.approx((along(step) - along(-step)) / (2 * step), rel=1e-7)


@pytest.mark.parametrize("dispersion", [None, (-4.0, -3.0)])
@pytest.mark.parametrize("epsilon", [1e-12, 0.0])
def test_a_party_without_votes_and_a_booth_without_turnout_add_nothing(dispersion, epsilon):
    known = None if dispersion is None else jnp.array(dispersion)
    sums = Totals(jnp.float64(60.0), jnp.float64(0.6), jnp.array([0.7, 0.3, 0.0]))

    def lost(sums, polled, votes):
        booth = Booths(jnp.array([100.0]), jnp.float64(polled), jnp.array(votes), 0, jnp.zeros(0), jnp.zeros(3), 1.0)
        both = booth_losses(sums, booth, known, epsilon)
        return both.turnout + both.party

    all_one = Totals(jnp.float64(100.0), jnp.float64(1.0), jnp.array([1.0, 0.0, 0.0]))
    assert float(lost(all_one, 100.0, [100.0, 0.0, 0.0])) == pytest.approx(0, abs=1e-9)
    for polled, votes in ((60.0, [60.0, 0, 0]), (0.0, [0.0, 0, 0]), (100.0, [60.0, 40, 0])):
        found, slope = jax.value_and_grad(lost)(sums, polled, votes)
        assert np.isfinite(float(found))
        assert np.isfinite(np.concatenate([slope.shares, slope.turnout[None]])).all()
        assert float(slope.shares[2]) == pytest.approx(0, abs=1e-9) or dispersion is not None
    nobody = float(lost(sums, 0.0, [0.0, 0, 0]))
    if dispersion is None:
        assert nobody == pytest.approx(-100 * np.log(0.4))  # the turnout alone
        first = float(lost(sums, 60.0, [60.0, 0, 0]))
        assert first == pytest.approx(-60 * np.log(0.6) - 40 * np.log(0.4) - 60 * np.log(0.7))


def test_overdispersed_losses_tend_to_the_literal_ones():
    it = case("recommended")
    literal = by_hand.losses(it.rates, SimpleNamespace(dispersion=None), it.booths)
    gaps = []
    for size in (-12.0, -15.0, -18.0):
        shared = it.point.shared.at[-2:].set(size)
        lost = pb.losses(it.point._replace(shared=shared), it.problem, it.design)
        gaps.append(
            [
                np.abs(np.asarray(getattr(lost, n))[: len(WEIGHTS)] - literal[i]).max()
                for i, n in enumerate(lost._fields)
            ]
        )
    gaps = np.array(gaps)
    assert (gaps[0] > 1e-3).all()
    np.testing.assert_allclose(gaps[:-1] / gaps[1:], np.exp(3), rtol=0.1)  # in proportion to rho
    assert (gaps[-1] < 2e-3).all()


def test_without_an_exponent_there_is_no_context():
    it = case("recommended")
    none = HYPER._replace(exponent=np.float64(0.0))
    problem = it.problem._replace(hyper=jax.tree.map(jnp.asarray, none))
    rates = by_hand.forward(it.p, it.booths, it.frame, none, replace(it.design, context=False), it.weights, it.known)
    np.testing.assert_allclose(pb.fitted(it.point, problem, it.design).shares[: len(WEIGHTS)], rates.p, rtol=1e-10)
    assert np.abs(rates.p - it.rates.p).max() > 0.005  # which the exponent of the others does change


# ------------------------------------------------------------------------------------ g and eta (6, 8, 9, 10, 13, 15)


def moved(problem, design, g):
    """The problem with another standardised g."""
    known = traits(problem.frame, problem.affinity._replace(g=g), problem.hyper, design)
    cached = None if problem.cached is None else known.g[problem.booths.constituency]
    return problem._replace(traits=known, cached=cached)


def with_shared(it, **parts):
    shared = shared_at(it.point, it.problem, it.design)
    shared = shared._replace(**parts)
    return it.point._replace(shared=flat(shared))


def test_the_flag_off_is_an_eta_of_0_bit_by_bit():
    it, plain = case("literal"), case("baseline")
    shared = shared_at(it.point, it.problem, it.design)
    zero = with_shared(it, eta=jnp.zeros_like(shared.eta))
    same = it.point._replace(shared=flat(shared._replace(eta=None)))
    on, off = pb.cells(zero, it.problem, it.design), pb.cells(same, plain.problem, plain.design)
    np.testing.assert_array_equal(on.pi, off.pi)
    np.testing.assert_array_equal(on.theta, off.theta)
    np.testing.assert_array_equal(
        pb.losses(zero, it.problem, it.design).party, pb.losses(same, plain.problem, plain.design).party
    )
    assert np.abs(np.asarray(on.theta - it.cells.theta)).max() > 0.01


@pytest.mark.parametrize(
    "name", ["literal", *(pytest.param(n, marks=pytest.mark.ci) for n in ("towers", "recommended"))]
)
def test_eta_starts_at_0(name):
    it = case(name)
    start = es.first_point(it.problem, it.design)
    shared = shared_at(start, it.problem, it.design)
    assert (np.asarray(shared.eta) == 0).all()
    assert shared.eta_constituency is None or (np.asarray(shared.eta_constituency) == 0).all()
    assert (np.asarray(start.groups) == 0).all()
    assert (shared.left is None) or (np.abs(shared.left).min() > 0)  # the product of two zeros has no slope


@pytest.mark.parametrize("party", [0, 1, 2])
def test_one_standard_deviation_shifts_the_logit_by_eta(party):
    it = case("literal")
    eta = shared_at(it.point, it.problem, it.design).eta
    for d in range(4):
        g = it.problem.affinity.g.at[:, :, party, d].add(1.0)
        theta = pb.cells(it.point, moved(it.problem, it.design, g), it.design).theta
        stands = np.broadcast_to(it.frame.fielded[it.booths.constituency][:, None, party], it.booths.sizes.shape)
        after, before = (np.asarray(x)[: len(WEIGHTS), :, party][stands] for x in (theta, it.cells.theta))
        np.testing.assert_allclose(logit(after) - logit(before), float(eta[d]), rtol=1e-9)


@pytest.mark.parametrize("parties", [2, 3, 5])
def test_a_quarter_of_log_odds_in_percentage_points(parties):
    for before, after in ((0.5, 0.5622), (0.1, 0.1249)):
        rest = np.full(parties - 1, (1 - before) / (parties - 1))
        utility = np.log(np.append(before, rest)) + 0.25 * (np.arange(parties) == 0)
        assert by_hand.softmax(utility, np.ones(parties, bool))[0] == pytest.approx(after, abs=5e-5)


def test_a_shared_eta_does_not_see_the_mean_of_g():
    it = case("literal")
    shifted = moved(it.problem, it.design, it.problem.affinity.g + jnp.array([5.0, -2.0, 0.7, 11.0]))
    found = pb.cells(it.point, shifted, it.design)
    np.testing.assert_allclose(found.theta, it.cells.theta, rtol=1e-12, atol=1e-15)
    h = np.random.default_rng(0).normal(size=it.problem.affinity.g.shape[:2])  # of the cell, the same for every party
    shifted = moved(it.problem, it.design, it.problem.affinity.g + h[:, :, None, None])
    np.testing.assert_allclose(pb.cells(it.point, shifted, it.design).theta, it.cells.theta, rtol=1e-12, atol=1e-15)


def test_with_an_eta_of_each_party_the_intercepts_take_the_mean_up():
    it = case("towers")
    shift = jnp.array([0.8, -0.3, 0.5, 0.1])
    shifted = moved(it.problem, it.design, it.problem.affinity.g + shift)
    eta = shared_at(it.point, it.problem, it.design).eta
    raised = pb.cells(it.point, shifted, it.design).theta
    assert np.abs(np.asarray(raised - it.cells.theta)).max() > 0.01
    basis = contrast(3, it.design.identification)
    gamma = shared_at(it.point, it.problem, it.design).gamma
    absorbed = with_shared(it, gamma=gamma - basis.T @ (eta @ shift))
    np.testing.assert_allclose(pb.cells(absorbed, shifted, it.design).theta, it.cells.theta, rtol=1e-11, atol=1e-15)


def test_mobilisation_takes_the_mean_up_in_alpha_as_its_weights_add_up_to_one():
    it = case("everything")
    shared = shared_at(it.point, it.problem, it.design)
    shift = jnp.array([0.8, -0.3, 0.5, 0.1])
    stands = jnp.asarray(it.frame.fielded)[:, None, :, None]
    shifted = moved(it.problem, it.design, it.problem.affinity.g + jnp.where(stands, shift, 0.0))
    assert np.abs(np.asarray(pb.cells(it.point, shifted, it.design).pi - it.cells.pi)).max() > 1e-3
    absorbed = with_shared(it, alpha=shared.alpha - shared.xi * (it.problem.hyper.axis_weight @ shift))
    found = pb.cells(absorbed, shifted, it.design).pi[: len(WEIGHTS)]
    np.testing.assert_allclose(found, it.cells.pi[: len(WEIGHTS)], rtol=1e-12)


def test_what_all_parties_share_changes_who_votes_but_not_for_whom():
    it = case("everything")
    h = np.random.default_rng(0).normal(size=it.problem.affinity.g.shape[:2])
    found = pb.cells(it.point, moved(it.problem, it.design, it.problem.affinity.g + h[:, :, None, None]), it.design)
    np.testing.assert_allclose(found.theta, it.cells.theta, rtol=1e-11, atol=1e-15)
    assert np.abs(np.asarray(found.pi - it.cells.pi)).max() > 0.01


def test_g_kept_for_every_booth_is_g_gathered():
    it = case("towers")
    design = replace(it.design, cache="none")
    problem = pose(it.booths, it.frame, HYPER, design)
    assert problem.cached is None
    assert it.problem.cached.shape == (3, CHUNK, 9, 3, 4)
    found = pb.cells(it.point, problem, design)
    np.testing.assert_allclose(found.theta, it.cells.theta, rtol=1e-13)
    np.testing.assert_allclose(found.pi, it.cells.pi, rtol=1e-13)


def test_filling_rows_and_booths_of_weight_0_change_nothing():
    it = case("literal")
    whole = pose(it.booths, it.frame, HYPER, it.design, chunk=12)  # without filling rows
    point = it.point._replace(groups=it.point.groups[:12])
    found = pb.losses(point, whole, it.design)
    for one, other in zip(found, it.losses, strict=True):
        np.testing.assert_allclose(one, other[:12], rtol=1e-13)
    filled = np.asarray(it.arrow.group_gradient)[12:]
    assert (filled == 0).all()
    rng = np.random.default_rng(1)
    strange = jax.tree.map(np.array, it.booths)
    strange.sizes[4] = rng.uniform(0, 9, strange.sizes.shape[1])
    strange.votes[4], strange.polled[4], strange.previous[4] = (1.0, 2.0, 3.0), 6.0, (0.2, 0.2, 0.6)
    again = pose(strange, by_hand.counted(strange, it.frame), HYPER, it.design)
    for before, after in zip(jax.tree.leaves(it.problem.affinity), jax.tree.leaves(again.affinity), strict=True):
        np.testing.assert_array_equal(before, after)
    reached, arrow, scores = everything(it.point, again, it.design)
    assert float(reached) == it.value
    np.testing.assert_array_equal(arrow.gradient, it.arrow.gradient)
    np.testing.assert_array_equal(scores, it.scores)


# ------------------------------------------------------------------------------------ mobilisation (16)


def test_weights_are_shares_of_those_who_stand():
    shares = jnp.array([[0.5, 0.3, 0.2], [0.5, 0.3, 0.2], [0.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, 0.0, 0.0]])
    stands = jnp.array([[True] * 3, [True, True, False], [True] * 3, [True, True, False], [True, True, False]])
    otherwise = jnp.array([[0.1, 0.8, 0.1]] * 4 + [[0.0, 0.0, 0.0]])
    found = mobilisation_weights(shares, stands, otherwise)
    expected = [[0.5, 0.3, 0.2], [0.625, 0.375, 0], [0.1, 0.8, 0.1], [1 / 9, 8 / 9, 0], [0.5, 0.5, 0]]
    np.testing.assert_allclose(found, expected, rtol=1e-14)
    it = case("everything")
    np.testing.assert_allclose(es.first_weights(it.booths, it.frame), it.weights, rtol=1e-14)
    np.testing.assert_allclose(it.weights.sum(axis=1), 1, rtol=1e-14)


def test_without_xi_there_is_no_mobilisation_and_its_scale_is_that_of_the_weights():
    it = case("everything")
    xi = shared_at(it.point, it.problem, it.design).xi
    none = pb.cells(with_shared(it, xi=jnp.zeros(())), it.problem, it.design)
    still = by_hand.forward(
        SimpleNamespace(**vars(it.p) | {"xi": None}), it.booths, it.frame, HYPER, it.design, it.weights, it.known
    )
    there = it.booths.sizes > 0
    np.testing.assert_allclose(np.asarray(none.pi)[: len(WEIGHTS)][there], still.pi[there], rtol=1e-11)
    heavier = HYPER._replace(axis_weight=4 * HYPER.axis_weight)
    problem = pose(it.booths, it.frame, heavier, it.design)
    found = pb.cells(with_shared(it, xi=xi / 4), problem, it.design)
    np.testing.assert_allclose(found.pi, it.cells.pi, rtol=1e-13)


EPOCHS = Design(mobilisation="model", booth_effects=False)


@pytest.mark.ci
def test_the_weights_of_an_epoch_are_the_shares_of_the_one_before(monkeypatch):
    booths, frame = by_hand.draw(weights=WEIGHTS, seed=2)
    known = by_hand.affinity(booths, frame, HYPER, EPOCHS)

    def shares(found, weights):
        p = spelled(found.point, found.problem, booths, EPOCHS)
        return by_hand.forward(p, booths, frame, HYPER, EPOCHS, weights, known).p

    searched, steps = [], es.newton

    def watched(problem, search, *more):
        searched.append(np.asarray(problem.weights).reshape(-1, 3)[: len(WEIGHTS)])
        return steps(problem, search, *more)

    monkeypatch.setattr(es, "newton", watched)
    found = es.estimate(booths, frame, HYPER, EPOCHS, chunk=CHUNK, tolerance=1e-13)
    np.testing.assert_allclose(searched[0], by_hand.first_weights(booths, frame), rtol=1e-13)
    epochs = [searched[0]] + [b for a, b in pairwise(searched) if (a != b).any()]
    assert len(epochs) > 2
    monkeypatch.setattr(es, "EPOCHS", 1)
    one = es.estimate(booths, frame, HYPER, EPOCHS, chunk=CHUNK, tolerance=1e-13)
    np.testing.assert_allclose(shares(one, epochs[0]), epochs[1], rtol=1e-9)
    assert not one.converged  # the weights have not settled
    assert found.converged
    np.testing.assert_allclose(shares(found, np.asarray(found.weights)), found.weights, atol=1e-5)
    np.testing.assert_allclose(np.asarray(found.weights).sum(axis=1), 1, rtol=1e-12)
    assert (np.asarray(found.weights)[~frame.fielded[booths.constituency]] == 0).all()


# ------------------------------------------------------------------------------------ variants (17, 18)


def test_two_towers_can_say_what_affinity_says():
    """U = diag(eta_age A, eta_faith I, eta_caste I, eta_valence) over the sd, x holding caste within a faith."""
    it = case("literal")
    shared = shared_at(it.point, it.problem, it.design)
    slope = np.asarray(shared.eta) / np.asarray(it.problem.affinity.standard.sd)
    A = np.eye(3) + HYPER.rho[0] * (np.eye(3, k=1) + np.eye(3, k=-1))
    U = np.zeros((7, 12))
    U[:3, :3], U[3:5, 3:5], U[5:7, 6:8] = slope[0] * A, slope[1] * np.eye(2), slope[2] * np.eye(2)
    U[:3, 9] = slope[3]  # every cell has an age
    design = Design(affinity="none", tower=7, identification="reference")
    gauge = np.random.default_rng(0).normal(size=(7, 7))
    for left in (np.eye(7), gauge):  # U = P Q' does not say which P and Q
        towers = shared._replace(eta=None, left=jnp.asarray(left), right=jnp.asarray(np.linalg.solve(left, U).T))
        point = it.point._replace(shared=flat(towers))
        found = pb.cells(point, it.problem, design)
        np.testing.assert_allclose(found.theta, it.cells.theta, rtol=1e-10, atol=1e-15)


@pytest.mark.parametrize("identification", ["sum_to_zero", "reference"])
@pytest.mark.parametrize("parties", [2, 3, 6])
def test_party_coefficients_are_identified(identification, parties):
    basis = np.asarray(contrast(parties, identification))
    assert basis.shape == (parties, parties - 1)
    assert np.linalg.matrix_rank(np.column_stack([basis, np.ones(parties)])) == parties
    if identification == "reference":
        np.testing.assert_array_equal(basis, np.eye(parties)[:, 1:])
    else:
        np.testing.assert_allclose(basis.sum(axis=0), 0, atol=1e-15)
        np.testing.assert_allclose(basis.T @ basis, np.eye(parties - 1), atol=1e-15)  # so that |b|^2 is |free b|^2


def test_what_the_features_explain_altogether_is_gone():
    """No party's candidates differ in faith or caste here: what is left of these is rounding, and no axis."""
    booths, frame = by_hand.draw(seed=0)
    design = Design(project=True)
    found = pose(booths, frame, HYPER, design).affinity
    standard, _, _, sd = by_hand.affinity(booths, frame, HYPER, design)
    assert (sd == 0).any()
    np.testing.assert_allclose(found.standard.sd, sd, atol=1e-12)
    np.testing.assert_array_equal(np.asarray(found.standard.sd) == 0, sd == 0)
    there = (frame.presence > 0)[:, :, None, None] & frame.fielded[:, None, :, None]
    np.testing.assert_allclose(np.where(there, found.g, 0.0), np.where(there, standard, 0.0), atol=1e-9)


# ------------------------------------------------------------------------------------ fits


@cache
def sample():
    """Booths with candidate affinity, whose votes are drawn from the model."""
    booths, frame = by_hand.draw(electors=900)
    design, hyper = CASES["literal"], LIKELIHOOD
    with double_precision():
        problem = pose(booths, frame, hyper, design)
        rng = np.random.default_rng(5)
        beta_T, beta_P = rng.normal(size=9) * 0.2, rng.normal(size=18) * 0.2
        shared = np.concatenate([[0.4], beta_T, [0.3, -0.4], beta_P, [0.3, 0.5, 0.2, 0.3]])  # the last four are eta
        sums = pb.fitted(Point(jnp.asarray(shared), jnp.asarray(rng.normal(size=(15, 3)) * 0.2)), problem, design)
    rates, shares = np.asarray(sums.turnout)[:12], np.asarray(sums.shares)[:12]
    polled = rng.binomial(booths.sizes.sum(axis=1).astype(int), rates)
    votes = np.array([rng.multinomial(t, p / p.sum()) for t, p in zip(polled, shares, strict=True)])
    return booths._replace(polled=polled * 1.0, votes=votes * 1.0), frame


def fit(design=CASES["literal"], hyper=LIKELIHOOD, **options):
    booths, frame = sample()
    with double_precision():
        return es.estimate(booths, frame, hyper, design, chunk=CHUNK, **{"tolerance": 1e-10} | options)


@cache
def best():
    return fit()


def gradient_at(found, design=CASES["literal"], problem=None):
    """Largest slope of the objective at what a fit found."""
    with double_precision():
        slope = gradient(found.point, problem or found.problem, design)
    return max(float(jnp.abs(x).max()) for x in slope)


def test_newton_finds_the_least_value():
    found = best()
    assert found.converged
    assert found.steps < 20
    assert (np.diff(found.trace) <= 1e-9).all()
    assert found.trace[-1] == found.value
    booths, frame = sample()
    p = spelled(found.point, found.problem, booths, CASES["literal"])
    weights = by_hand.first_weights(booths, frame)
    least = by_hand.objective(p, booths, frame, LIKELIHOOD, CASES["literal"], weights)
    assert least == pytest.approx(found.value, rel=1e-10)
    assert gradient_at(found) < 1e-4 * np.sqrt(booths.polled.sum())
    again = fit(start=found.shared, effects=found.local)
    assert again.steps <= 2
    assert again.value == pytest.approx(found.value, rel=1e-12)


def test_the_gradient_is_told_in_units_of_its_curvature():
    calls = []
    found = fit(max_steps=2, progress=lambda *at: calls.append(at))
    assert calls == [(1, 2), (2, 2)]
    assert not found.converged
    for one in (best(), found):
        assert one.gradient == pytest.approx(steepness(one), rel=1e-6, abs=1e-9)


def steepness(found):
    """Largest slope over sqrt(curvature) of the shared parameters and the booths' effects, where a fit ended."""
    with double_precision():
        arrow = everything(found.point, found.problem, CASES["literal"])[1]
    bends = np.diagonal(arrow.shared), np.diagonal(arrow.groups, axis1=1, axis2=2)
    return max(
        (np.abs(slope) / np.sqrt(bend)).max(initial=0.0)
        for slope, bend in zip((arrow.gradient, arrow.group_gradient), bends, strict=True)
    )


def test_epsilon_does_not_matter():
    loose, tight = fit(hyper=LIKELIHOOD._replace(epsilon=np.float64(1e-8))), best()
    for one, other in zip(jax.tree.leaves(loose.shared), jax.tree.leaves(tight.shared), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-6)


def test_a_strong_penalty_of_eta_is_the_baseline():
    found = fit(hyper=LIKELIHOOD._replace(lambda_eta=np.float64(1e12)))
    np.testing.assert_allclose(found.shared.eta, 0, atol=1e-8)
    plain = CASES["baseline"]
    problem = found.problem
    at = found._replace(
        point=found.point._replace(shared=jax.flatten_util.ravel_pytree(found.shared._replace(eta=None))[0])
    )
    assert gradient_at(at, plain, problem) < 1e-3
    assert value(at.point, problem, plain) == pytest.approx(found.value, rel=1e-10)
    assert found.value > best().value + 5


def test_eta_per_standard_deviation_is_the_raw_one_times_it_if_the_penalty_is_rescaled():
    mean, sd = np.array([0.4, 0.5, 0.2, 0.1]), 0.37
    one = fit(standard=Standard(mean, np.full(4, sd)), hyper=LIKELIHOOD._replace(lambda_eta=np.float64(2.0)))
    raw = fit(standard=Standard(np.zeros(4), np.ones(4)), hyper=LIKELIHOOD._replace(lambda_eta=np.float64(2.0 * sd**2)))
    np.testing.assert_allclose(one.shared.eta, sd * raw.shared.eta, rtol=1e-6)
    assert one.value == pytest.approx(raw.value, rel=1e-12)
    other = fit(standard=Standard(np.zeros(4), np.ones(4)), hyper=LIKELIHOOD._replace(lambda_eta=np.float64(2.0)))
    assert np.abs(np.asarray(one.shared.eta - sd * other.shared.eta)).max() > 1e-3


@pytest.mark.ci
def test_many_values_of_rho_at_once():
    booths, frame = sample()
    values = np.array([0.2, 0.5])
    rho = np.outer(values, [1.0, 0, 0, 0])
    design, weights = CASES["literal"], es.first_weights(booths, frame)

    def run(rho):
        problem = pb.pose(booths, frame, LIKELIHOOD._replace(rho=rho), design, weights=weights, chunk=CHUNK)
        search = es.newton(problem, begin(es.first_point(problem, design)), design, 1e-13, 50)
        return search.point.shared, search.value, search.done

    shared, reached, done = jax.jit(jax.vmap(run))(jnp.asarray(rho))
    assert np.asarray(done).all()
    for i, near in enumerate(rho):
        alone = fit(hyper=LIKELIHOOD._replace(rho=near))
        assert float(reached[i]) == pytest.approx(alone.value, rel=1e-11)
        np.testing.assert_allclose(shared[i], alone.point.shared, atol=1e-5)
    assert abs(float(reached[0] - reached[1])) > 1e-3


@pytest.mark.ci
def test_projection_leaves_the_unpenalised_fit_as_it_is():
    bare = LIKELIHOOD._replace(lambda_beta=np.float64(0), lambda_eta=np.float64(0))
    design = CASES["literal"]
    plain = fit(hyper=bare)
    booths, frame = sample()
    problem = pose(booths, frame, bare, replace(design, project=True))
    assert np.abs(np.asarray(problem.affinity.g - plain.problem.affinity.g)).max() > 0.1
    search = es.newton(problem, begin(es.first_point(problem, design)), design, 1e-13, 100)
    assert float(search.value) == pytest.approx(plain.value, rel=1e-9)
    theta = [
        np.asarray(pb.cells(point, of, design).theta)[:12][booths.sizes > 0]
        for point, of in ((search.point, problem), (plain.point, plain.problem))
    ]
    np.testing.assert_allclose(*theta, atol=1e-5)


@pytest.mark.ci
def test_constituencies_share_eta_as_much_as_tau_says():
    design = replace(CASES["literal"], affinity="hierarchical")
    shared = fit(design, LIKELIHOOD._replace(lambda_tau=np.float64(1e10)))
    np.testing.assert_allclose(shared.shared.eta_constituency, 0, atol=1e-7)
    np.testing.assert_allclose(shared.shared.eta, best().shared.eta, atol=1e-5)
    assert shared.value == pytest.approx(best().value, rel=1e-8)
    middle = fit(design)
    apart = fit(design, LIKELIHOOD._replace(lambda_tau=np.float64(1e-7)))
    np.testing.assert_allclose(apart.shared.eta, 0, atol=1e-4)  # nothing holds it but its own penalty
    assert apart.value < middle.value < shared.value
    # each constituency's eta is where its own booths want it
    booths, frame = sample()
    known, weights = by_hand.affinity(booths, frame, LIKELIHOOD, design), by_hand.first_weights(booths, frame)
    p = spelled(apart.point, apart.problem, booths, design)

    def along(a, way, length):
        own = np.array(p.eta_constituency)
        own[a] += length * way
        moved = SimpleNamespace(**vars(p) | {"eta_constituency": own})
        _, party = by_hand.losses(by_hand.forward(moved, booths, frame, LIKELIHOOD, design, weights, known), p, booths)
        return party.sum()

    rng = np.random.default_rng(0)
    for a in (1, 2):
        way = rng.normal(size=4)
        up, down = along(a, way, 1e-4), along(a, way, -1e-4)
        assert abs(up - down) / 2e-4 < 0.02
        assert up > along(a, way, 0.0) - 1e-6


# ------------------------------------------------------------------------------------ booths kept out


def test_some_of_every_constituency_are_held_out():
    area = np.repeat(np.arange(5), [10, 10, 4, 1, 2])
    out = held_out(area, 0.3, jax.random.key(0))
    assert [int(out[area == a].sum()) for a in range(5)] == [3, 3, 1, 0, 1]
    np.testing.assert_array_equal(out, held_out(area, 0.3, jax.random.key(0)))
    assert (out != held_out(area, 0.3, jax.random.key(1))).any()
    assert not held_out(area, 0.0, jax.random.key(0)).any()
    most = held_out(area, 1.0, jax.random.key(0))
    assert [int((~most)[area == a].sum()) for a in range(5)] == [1] * 5


def test_a_booth_that_was_not_seen_gets_the_mean_of_its_constituency():
    it = case("literal")
    found = np.asarray(with_mean_effects(it.point, it.problem).groups)[: len(WEIGHTS)]
    before = np.asarray(it.point.groups)[: len(WEIGHTS)]
    seen = WEIGHTS > 0
    np.testing.assert_array_equal(found[seen], before[seen])
    same = (it.booths.constituency == it.booths.constituency[4]) & seen
    np.testing.assert_allclose(found[4], np.average(before[same], axis=0, weights=WEIGHTS[same]), rtol=1e-12)
