"""Kernels, g, its standardisation, and what of it changes the model."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize
from scipy.special import expit, log_softmax, softmax

from electjax.calm.model import affinity as af
from electjax.calm.model.design import Design
from electjax.data import axes as ax
from electjax.data.errors import ElectionDataError
from electjax.numerics.host import double_precision
from tests.calm.frames import CANDIDATES, RHO, SMALL, build, by_hand, drawn, frame_of, raw, standard_of, standardise


@pytest.fixture(autouse=True, scope="module")
def double():
    with double_precision():
        yield


@pytest.fixture(scope="module")
def frame():
    return drawn()


@pytest.fixture(scope="module")
def g(frame):
    return np.asarray(raw(frame, RHO))


# 1, 2, 4: kernels and g


@given(n=st.integers(1, 7), rho=st.floats(0, 1), kind=st.sampled_from(["ordinal", "match"]), more=st.integers(1, 4))
@settings(max_examples=40, deadline=None)
def test_kernels_are_symmetric_and_bounded(n, rho, kind, more):
    spec = {"a": {"categories": [f"c{i}" for i in range(n)], "kernel": kind}, "b": {"categories": list("wxyz")[:more]}}
    axes = ax.axes_of(spec)
    kernels = ax.kernel_arrays(axes)
    near = ax.proximity_of(axes, {"a": rho} if kind == "ordinal" else None)
    A = (kernels.fixed + near[:, None, None] * kernels.band)[0, :n, :n]
    assert (A == A.T).all()
    assert ((A >= 0) & (A <= 1)).all()
    assert (np.diag(A) == 1).all()
    gap = np.abs(np.subtract.outer(np.arange(n), np.arange(n)))
    assert (A[gap == 1] == (rho if kind == "ordinal" else 0)).all()
    assert (A[gap > 1] == 0).all()
    assert ((kernels.band[0] != 0).sum(axis=0)[[0, n - 1]] <= 1).all()  # an end has one neighbour at most


def test_a_hard_match_is_rho_0():
    hard = SMALL | {"age": {**SMALL["age"], "kernel": "match"}}
    soft = raw(frame_of(CANDIDATES), np.zeros(4))
    np.testing.assert_array_equal(soft, raw(frame_of(CANDIDATES, hard), RHO))  # where there is no band for rho


@pytest.mark.parametrize("rho", [-0.1, 1.1, float("nan"), "near", True])
def test_rho_outside_0_to_1_is_an_error(rho):
    with pytest.raises(ElectionDataError, match=r"axes\.age\.proximity: found .*; expected a number in \[0, 1\]"):
        ax.axes_of(SMALL | {"age": {**SMALL["age"], "proximity": rho}})
    with pytest.raises(ElectionDataError, match=r"proximity\.age: found"):
        ax.proximity_of(ax.axes_of(SMALL), {"age": rho})


def test_g_is_its_definition(frame, g):
    np.testing.assert_array_equal(g, by_hand(frame, ax.axes_of(SMALL), 0.5))
    np.testing.assert_array_equal(jax.jit(af.raw)(frame, RHO), g)


def test_a_given_proximity_counts_from_cell_to_candidate():
    spec = {
        "school": {
            "categories": ["no", "some", "all"],
            "kernel": "proximity",
            "proximity": [[1, 0.5, 0.1], [0.4, 1, 0.3], [0, 0.2, 0.9]],
        }
    }
    found = raw(frame_of([[["some"], ["all"]]], spec), np.zeros(1))
    np.testing.assert_array_equal(found[0, :, :, 0], [[0.5, 0.1], [1, 0.3], [0.2, 0.9]])


def test_caste_is_0_outside_its_religion():
    """On either side, and whatever is written there."""
    spec = SMALL | {"religion": {"categories": ["Hindu", "Muslim", "Sikh"]}}
    cells = [["18-25", religion, "OBC", "Low"] for religion in ("Hindu", "Muslim", "Sikh", "")]
    people = [["18-25", religion, "OBC", "Low"] for religion in ("Hindu", "Muslim", "Sikh", "")]
    caste = np.asarray(raw(frame_of([people], spec, cells), RHO))[0, :, :, 2]
    expected = np.zeros((4, 4))
    expected[0, 0] = 1.0
    np.testing.assert_array_equal(caste, expected)


# 3, 5: what standardising does


def test_the_boost_of_a_full_match(frame, g):
    """sum_d eta_d (1 - mu_d) / sigma_d, and the raw scale gives the same difference to a full mismatch."""
    eta = np.array([0.2, 0.25, 0.3, 0.1])
    standard = standard_of(g, frame)
    full, none = standardise(np.ones(4), standard), standardise(np.zeros(4), standard)
    assert full @ eta == pytest.approx(sum(eta * (1 - standard.mean) / standard.sd))
    assert abs(full @ eta - eta.sum()) > 0.3  # the two readings differ
    assert (full - none) @ eta == pytest.approx(sum(eta / standard.sd))


def test_an_unknown_trait_is_a_mismatch():
    known = CANDIDATES[:1].copy()
    known[0, 1, 3], known[0, 2, 3] = "High", "High"
    unknown = known.copy()
    unknown[0, 1, 3] = ""
    found = np.asarray(raw(frame_of(unknown), RHO))
    assert (found[0, :, 1, 3] == 0).all()
    standard = standard_of(found, frame_of(unknown))
    z = np.asarray(standardise(found, standard))
    np.testing.assert_allclose(z[0, :, 1, 3], -standard.mean[3] / standard.sd[3])
    mismatch = frame_of(unknown).cell_codes[:, 3] != 2
    assert (z[0, :, 1, 3] == z[0, mismatch, 2, 3][0]).all()


def test_all_unknown_is_no_nan_and_no_gradient():
    blank = CANDIDATES.copy()
    blank[..., 2] = ""
    frame = frame_of(blank)
    target = softmax(np.arange(3.0))

    def loss(eta, rho):
        built = build(frame, rho, Design())
        return -(jax.nn.log_softmax(built.g @ eta) @ target).sum()

    built = build(frame, RHO, Design())
    of_eta, of_rho = jax.jit(jax.grad(loss, (0, 1)))(jnp.full(4, 0.3), jnp.asarray(RHO))
    assert built.standard.sd[2] == 0
    assert (np.asarray(built.g)[..., 2] == 0).all()
    assert np.isfinite(of_eta).all()
    assert np.isfinite(of_rho).all()
    assert of_eta[2] == 0
    assert (np.asarray(of_eta)[[0, 1, 3]] != 0).all()
    assert of_rho[0] != 0


@pytest.mark.parametrize("value", [0.1, 1 / 3, 1e6 / 7])
def test_a_constant_has_no_spread_in_spite_of_rounding(value):
    frame = frame_of(CANDIDATES, electors=np.random.default_rng(0).uniform(0, 1e4, (2, 72)))
    standard = standard_of(np.full((2, 72, 3, 1), value), frame, weighting="size")
    assert standard.sd[0] == 0


# 6: booths, padding, more axes


def test_booth_by_booth_is_the_same_as_by_constituency(frame, g):
    """Gathered per booth, in its own order of cells, the statistics are those of all (i, c, k) that there are."""
    rng = np.random.default_rng(1)
    rows = []
    for a in range(4):
        has = np.zeros((3, 72), bool)
        for c in range(72):
            has[rng.choice(3, size=int(frame.presence[a, c]), replace=False), c] = True
        rows += [g[a, booth][:, frame.fielded[a]].reshape(-1, 4) for booth in has]
    every = np.concatenate(rows)
    standard = standard_of(g, frame)
    np.testing.assert_allclose(standard.mean, every.mean(axis=0), atol=1e-12)
    np.testing.assert_allclose(standard.sd, every.std(axis=0), atol=1e-12)


def test_padding_never_enters_the_statistics(frame, g):
    padded = np.concatenate([g, np.full((4, 5, 3, 4), np.nan)], axis=1)
    padded[0, :, 2] = np.inf  # nobody stands
    wide = frame._replace(presence=np.pad(frame.presence, ((0, 0), (0, 5))))
    for found, expected in zip(standard_of(padded, wide)[:2], standard_of(g, frame)[:2], strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-12)
    nothing = standard_of(g, frame._replace(presence=np.zeros((4, 72))))
    assert (np.asarray(nothing.sd) == 0).all()
    assert (np.asarray(nothing.mean) == 0).all()


def test_a_fifth_and_a_sixth_axis_by_configuration():
    spec = SMALL | {"gender": {"categories": ["F", "M"]}, "tenure": {"kernel": "scalar"}}
    people = np.concatenate([CANDIDATES, np.full((2, 3, 2), "")], axis=-1)
    people[..., 4] = [["F", "M", "M"], ["M", "F", ""]]
    values = np.zeros(people.shape)
    values[..., 5] = [[0, 2, 1], [3, 0, 0]]
    frame = frame_of(people, spec, values=values)
    found = np.asarray(raw(frame, np.append(RHO, [0, 0])))
    twice = np.asarray(raw(frame_of(CANDIDATES), RHO)).repeat(2, axis=1)
    np.testing.assert_array_equal(found[..., :4], twice)
    np.testing.assert_array_equal(found[1, :2, :, 4], [[0, 1, 0], [1, 0, 0]])
    np.testing.assert_array_equal(found[..., 5], np.broadcast_to(values[:, None, :, 5], found.shape[:3]))


# 7: moments


@pytest.mark.parametrize("weighting", ["plain", "size"])
def test_training_mean_is_0_and_variance_1(frame, weighting):
    built = build(frame, RHO, Design(weighting=weighting))
    weight = np.asarray(af.weights_of(frame, weighting))
    z = np.asarray(built.g)
    mean = np.average(z.reshape(-1, 4), axis=0, weights=weight.ravel())
    variance = np.average(z.reshape(-1, 4) ** 2, axis=0, weights=weight.ravel())
    np.testing.assert_allclose(mean, 0, atol=1e-12)
    np.testing.assert_allclose(variance, 1, atol=1e-12)
    assert (z[0, :, 2] == 0).all()  # nobody stands there


def test_prediction_takes_the_saved_statistics(frame):
    for design in (Design(), Design(project=True)):
        trained = build(frame, RHO, design)
        part = frame._replace(presence=np.eye(4)[:, [0]] * frame.presence, electors=0 * frame.electors)
        again = build(part, RHO, design, trained.standard)
        np.testing.assert_allclose(again.g, trained.g, atol=1e-14)
        own = build(part, RHO, design)
        assert np.abs(own.g - trained.g).max() > 0.1


# 8, 9, 10: what does not change the model


def test_shared_eta_is_free_of_the_mean_and_scales_with_sigma(frame, g):
    eta = np.array([0.2, 0.25, 0.3, 0.1])
    standard = standard_of(g, frame)
    z = np.asarray(standardise(g, standard))
    gamma = np.array([0.3, 0.0, -0.4])
    theta = softmax(gamma + z @ eta, axis=-1)
    np.testing.assert_allclose(softmax(gamma + (g / standard.sd) @ eta, axis=-1), theta, atol=1e-14)
    np.testing.assert_allclose(softmax(gamma + g @ (eta / standard.sd), axis=-1), theta, atol=1e-14)


def test_equal_penalised_fits_need_another_penalty(frame, g):
    """lambda |eta_std|^2 is (lambda sigma^2) |eta_raw|^2."""
    weight = frame.presence
    standard = standard_of(g, frame)
    z, sd = np.asarray(standardise(g, standard)), np.asarray(standard.sd)
    rng = np.random.default_rng(2)
    target = softmax(z @ np.array([0.4, -0.2, 0.5, 0.3]) + rng.normal(0, 0.2, z.shape[:3]), axis=-1)

    def fit(g, penalty):
        def loss(v):
            nu = np.append(v[:2], 0.0) + g @ v[2:]
            off = weight[..., None] * (softmax(nu, axis=-1) - target)
            slope = np.append(off.sum(axis=(0, 1))[:2], np.einsum("ack,ackd->d", off, g) + 2 * penalty * v[2:])
            return -(weight * (target * log_softmax(nu, axis=-1)).sum(-1)).sum() + penalty @ v[2:] ** 2, slope

        return minimize(loss, np.zeros(6), jac=True, tol=1e-12, options={"gtol": 1e-8}).x[2:]

    strength = np.full(4, 20.0)
    standardised = fit(z, strength)
    np.testing.assert_allclose(fit(g, strength * sd**2) * sd, standardised, atol=1e-6)
    assert np.abs(fit(g, strength) * sd - standardised).max() > 1e-2


def test_party_specific_eta_moves_the_party_intercepts(frame, g):
    standard = standard_of(g, frame)
    eta = np.random.default_rng(3).normal(size=(3, 4))
    gamma = np.array([0.3, 0.0, -0.4])
    z = np.asarray(standardise(g, standard))
    shifted = gamma - eta @ np.asarray(standard.mean / standard.sd)
    around = softmax(gamma + np.einsum("ackd,kd->ack", z, eta), axis=-1)
    plain = softmax(shifted + np.einsum("ackd,kd->ack", g / np.asarray(standard.sd), eta), axis=-1)
    np.testing.assert_allclose(around, plain, atol=1e-13)


def test_the_mean_of_mobilisation_goes_to_alpha_only_if_weights_add_up_to_a_constant(frame, g):
    standard = standard_of(g, frame)
    z = np.asarray(standardise(g, standard)) @ np.full(4, 0.25)
    plain = (g / np.asarray(standard.sd)) @ np.full(4, 0.25)
    offset = float(np.mean(standard.mean / standard.sd))
    rng = np.random.default_rng(4)
    shares = rng.dirichlet(np.ones(3), size=4)
    for weights, constant in ((shares, True), (shares * rng.uniform(0.5, 1.5, (4, 1)), False)):
        of_z, of_plain = (expit(0.2 + 0.5 * np.einsum("ack,ak->ac", s, weights)) for s in (z, plain - offset))
        np.testing.assert_allclose(of_z, of_plain, atol=1e-13)
        moved = expit(0.2 - 0.5 * offset + 0.5 * np.einsum("ack,ak->ac", plain, weights))
        assert (np.abs(moved - of_z).max() < 1e-13) == constant


def test_what_all_parties_share_changes_mobilisation_only(frame, g):
    rng = np.random.default_rng(5)
    same = rng.normal(size=(4, 72, 1, 4))
    eta, weights = rng.normal(size=4), rng.dirichlet(np.ones(3), size=4)
    np.testing.assert_allclose(softmax((g + same) @ eta, axis=-1), softmax(g @ eta, axis=-1), atol=1e-14)
    m = [np.einsum("ackd,ak->ac", part, weights) for part in (g, g + same)]
    assert np.abs(m[1] - m[0]).max() > 1


# 17, 18: two towers and projection


def test_two_towers_with_a_block_matrix_are_linear_affinity():
    spec = SMALL | {"tenure": {"kernel": "scalar"}}
    values = np.zeros((2, 3, 5))
    values[..., 4] = [[0, 2, 1], [3, 0.5, 0]]
    people = np.concatenate([CANDIDATES, np.full((2, 3, 1), "")], axis=-1)
    people[1, 0, 3] = ""
    frame, rho = frame_of(people, spec, values=values), np.append(RHO, 0)
    eta = np.array([0.2, 0.25, 0.3, 0.1, -0.4])
    of_frame = jax.jit(lambda f: (af.combined_kernel(f, rho), af.cell_features(f), af.candidate_features(f)))
    kernel, x, z = (np.array(part) for part in of_frame(frame))
    kernel[4, 0, 0] = 1.0  # a scalar is the candidate's number times one
    size = kernel.shape[1]
    U = np.zeros((5 * size, 5 * size))
    for d in range(5):
        U[d * size : (d + 1) * size, d * size : (d + 1) * size] = eta[d] * kernel[d]
    found = np.einsum("cx,xz,akz->ack", x, U, z)
    np.testing.assert_allclose(found, np.asarray(raw(frame, rho)) @ eta, atol=1e-14)
    columns, names = ax.trait_labels(ax.axes_of(spec))
    assert names[:2] + names[-2:] == ["age[18-25]", "age[26-35]", "income[High]", "tenure"]
    rest = np.delete(np.asarray(z), columns, axis=-1)
    assert rest.size
    assert not rest.any()


@pytest.mark.parametrize("weighting", ["plain", "size"])
def test_projection_leaves_what_x_times_party_can_say(frame, g, weighting):
    """Least squares of utilities on [x times party, g]: the same fit, the same eta, another beta."""
    off = np.asarray(jax.jit(lambda g, frame: af._off(g, frame, af.projection_of(g, frame, weighting)))(g, frame))
    weight = np.asarray(af.weights_of(frame, weighting))
    x = np.concatenate([np.ones((72, 1)), frame.features], axis=1)
    assert np.abs(np.einsum("ack,ackd,cf->kfd", weight, off, x)).max() < 1e-9 * weight.sum()
    assert np.abs(off - g).max() > 0.1
    seen = weight.ravel() > 0
    party = np.einsum("cf,kj->ckjf", x, np.eye(3)).reshape(72 * 3, -1)
    free = np.tile(party, (4, 1))[seen]
    utility = np.random.default_rng(6).normal(size=seen.sum())
    fits = []
    for own in (g, off):
        design = np.concatenate([free, own.reshape(-1, 4)[seen]], axis=1)
        root = np.sqrt(weight.ravel()[seen])
        solved = np.linalg.lstsq(root[:, None] * design, root * utility, rcond=1e-10)[0]
        theta = np.zeros(seen.shape)
        theta[seen] = np.exp(design @ solved)
        theta = theta.reshape(-1, 3)
        fits.append((theta / np.maximum(theta.sum(axis=1, keepdims=True), 1e-300), solved[-4:]))
    np.testing.assert_allclose(fits[0][0], fits[1][0], atol=1e-9)
    np.testing.assert_allclose(fits[0][1], fits[1][1], atol=1e-9)
