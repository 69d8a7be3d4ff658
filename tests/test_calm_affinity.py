"""Axes and affinity: kernels, g, its standardisation, and what of eta the data can tell."""

from itertools import product

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from omegaconf import OmegaConf
from scipy.optimize import minimize
from scipy.special import expit, log_softmax, softmax

from electjax.calm import affinity as af
from electjax.calm.data import Booths, Frame
from electjax.calm.design import Design, Hyper
from electjax.calm.rank import affinity_rank, rank_sentence, variance_inflation
from electjax.core.host import double_precision
from electjax.labelled.booths import axes as ax
from electjax.labelled.booths.example import madipur, madipur_table
from electjax.labelled.errors import ElectionDataError

SMALL = {  # 1 + 5 + 1 + 2 + 2 = 11 free features, and 2 free parties
    "age": {"categories": ["18-25", "26-35", "36-45", "46-60", "61-75", "76+"], "kernel": "ordinal"},
    "religion": {"categories": ["Hindu", "Muslim"]},
    "caste": {"categories": ["General", "OBC", "SC"], "within": {"religion": "Hindu"}},
    "income": {"categories": ["Low", "Middle", "High"]},
}
CANDIDATES = np.array(
    [
        [["46-60", "Hindu", "OBC", "Middle"], ["36-45", "Hindu", "SC", "Low"], ["61-75", "Muslim", "", "High"]],
        [["26-35", "Muslim", "", "Middle"], ["46-60", "Hindu", "General", "High"], ["36-45", "Hindu", "OBC", "Low"]],
    ]
)
RHO = np.array([0.5, 0.0, 0.0, 0.0])


@pytest.fixture(autouse=True, scope="module")
def double():
    with double_precision():
        yield


def frame_of(candidates, spec=SMALL, cells=None, values=None, fielded=None, presence=None, electors=None):
    """A frame of all cells with one-hot features."""
    axes = ax.axes_of(spec)
    cells = ax.every_cell(axes) if cells is None else np.array(cells)
    own, other = ax.codes_of(cells, axes), ax.codes_of(np.array(candidates), axes)
    ones = np.ones((len(other), len(cells)))
    presence = ones if presence is None else presence
    return Frame(
        features=np.concatenate([own[:, [d]] == np.arange(len(a.categories)) for d, a in enumerate(axes)], 1) * 1.0,
        cell_codes=own,
        candidate_codes=other,
        candidate_values=np.zeros(other.shape) if values is None else values,
        **ax.kernel_arrays(axes)._asdict(),
        cell_gate=ax.gate_of(own, axes),
        candidate_gate=ax.gate_of(other, axes),
        fielded=np.ones(other.shape[:2], bool) if fielded is None else fielded,
        presence=presence,
        electors=presence if electors is None else electors,
    )


def drawn(areas=4, parties=3, seed=0, gaps=True):
    """Random candidates, some unknown or missing, and cells that are not everywhere."""
    rng = np.random.default_rng(seed)
    cells = ax.every_cell(ax.axes_of(SMALL))
    people = cells[rng.integers(len(cells), size=(areas, parties))]
    fielded, presence = np.ones((areas, parties), bool), np.ones((areas, len(cells)))
    if gaps:
        people[rng.uniform(size=people.shape) < 0.1] = ""
        fielded[0, -1] = False
        presence = rng.integers(0, 4, size=presence.shape) * 1.0
    return frame_of(people, fielded=fielded, presence=presence, electors=presence * rng.uniform(1, 9, presence.shape))


@pytest.fixture(scope="module")
def frame():
    return drawn()


@pytest.fixture(scope="module")
def g(frame):
    return np.asarray(af.raw(frame, RHO))


def by_hand(frame, axes, rho):
    """g from its definition, one number at a time."""
    (areas, parties, _), cells = frame.candidate_codes.shape, len(frame.cell_codes)
    found = np.zeros((areas, cells, parties, len(axes)))
    for a, c, k, d in product(range(areas), range(cells), range(parties), range(len(axes))):
        own, other = frame.cell_codes[c], frame.candidate_codes[a, k]
        if own[d] < 0 or other[d] < 0 or not frame.fielded[a, k]:
            continue
        if axes[d].name == "caste" and not (own[1] == other[1] == 0):
            continue
        gap = abs(int(own[d]) - int(other[d]))
        found[a, c, k, d] = 1.0 if gap == 0 else rho if gap == 1 and axes[d].name == "age" else 0.0
    return found


# 1, 2, 4: kernels and g


@given(n=st.integers(1, 7), rho=st.floats(0, 1), kind=st.sampled_from(["ordinal", "match"]), more=st.integers(1, 4))
@settings(max_examples=40, deadline=None)
def test_kernels_are_symmetric_and_bounded(n, rho, kind, more):
    spec = {"a": {"categories": [f"c{i}" for i in range(n)], "kernel": kind}, "b": {"categories": list("wxyz")[:more]}}
    axes = ax.axes_of(spec)
    kernels = ax.kernel_arrays(axes)
    near = ax.rho_of(axes, {"a": rho} if kind == "ordinal" else None)
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
    soft = af.raw(frame_of(CANDIDATES), np.zeros(4))
    np.testing.assert_array_equal(soft, af.raw(frame_of(CANDIDATES, hard), RHO))  # where there is no band for rho


@pytest.mark.parametrize("rho", [-0.1, 1.1, float("nan"), "near", True])
def test_rho_outside_0_to_1_is_an_error(rho):
    with pytest.raises(ElectionDataError, match=r"axes\.age\.rho: found .*; expected a number in \[0, 1\]"):
        ax.axes_of(SMALL | {"age": {**SMALL["age"], "rho": rho}})
    with pytest.raises(ElectionDataError, match=r"rho\.age: found"):
        ax.rho_of(ax.axes_of(SMALL), {"age": rho})


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
    found = af.raw(frame_of([[["some"], ["all"]]], spec), np.zeros(1))
    np.testing.assert_array_equal(found[0, :, :, 0], [[0.5, 0.1], [1, 0.3], [0.2, 0.9]])


def test_madipur_is_exact():
    for rho in (0.0, 0.3, 0.5, 1.0):
        table = madipur_table(rho=rho)
        np.testing.assert_array_equal(
            table["raw"], [[1, 1, 1, 1], [rho, 1, 0, 1], [1, 0, 0, 1], [rho, 0, 0, 0], [0, 0, 0, 1]]
        )


def test_madipur_in_every_cell_that_is_not_hindu():
    booths = madipur(booths=2)
    axes = ax.axes_of(booths.attrs["axes"])
    candidates = booths["candidate_category"].values
    found = af.raw(frame_of(candidates, None, booths["cell_category"].values), RHO)[0, :, 1]
    near = {"36-45": 0.5, "46-60": 1.0, "61-75": 0.5}
    other = 0
    for (age, religion, _, income), row in zip(booths["cell_category"].values, np.asarray(found), strict=True):
        if religion != "Hindu":
            other += 1
            assert row.tolist() == [near.get(str(age), 0.0), 0.0, 0.0, float(income == "Middle")]
    assert (other, len(found)) == (5 * 18, 180)
    assert [axis.name for axis in axes] == ["age", "religion", "caste", "income"]


def test_caste_is_0_outside_its_religion():
    """On either side, and whatever is written there."""
    spec = SMALL | {"religion": {"categories": ["Hindu", "Muslim", "Sikh"]}}
    cells = [["18-25", religion, "OBC", "Low"] for religion in ("Hindu", "Muslim", "Sikh", "")]
    people = [["18-25", religion, "OBC", "Low"] for religion in ("Hindu", "Muslim", "Sikh", "")]
    caste = np.asarray(af.raw(frame_of([people], spec, cells), RHO))[0, :, :, 2]
    expected = np.zeros((4, 4))
    expected[0, 0] = 1.0
    np.testing.assert_array_equal(caste, expected)


def test_a_nest_within_a_nest():
    spec = {
        "religion": {"categories": ["Hindu", "Muslim"]},
        "caste": {"categories": ["SC", "OBC"], "within": {"religion": "Hindu"}},
        "jati": {"categories": ["a", "b"], "within": {"caste": "OBC"}},
    }
    axes = ax.axes_of(spec)
    labels = ax.every_cell(axes)
    assert labels.tolist() == [["Hindu", "SC", ""], ["Hindu", "OBC", "a"], ["Hindu", "OBC", "b"], ["Muslim", "", ""]]
    gate = ax.gate_of(ax.codes_of(np.array([["Muslim", "OBC", "a"], ["Hindu", "OBC", "a"]]), axes), axes)
    assert gate.tolist() == [[True, False, False], [True, True, True]]


# 3, 5: what standardising does


def test_the_boost_of_a_full_match(frame, g):
    """sum_d eta_d (1 - mu_d) / sigma_d, and the raw scale gives the same difference to a full mismatch."""
    eta = np.array([0.2, 0.25, 0.3, 0.1])
    standard = af.standard_of(g, frame)
    full, none = af.standardise(np.ones(4), standard), af.standardise(np.zeros(4), standard)
    assert full @ eta == pytest.approx(sum(eta * (1 - standard.mean) / standard.sd))
    assert abs(full @ eta - eta.sum()) > 0.3  # the two readings differ
    assert (full - none) @ eta == pytest.approx(sum(eta / standard.sd))
    np.testing.assert_allclose(af.full_match(standard), full)


def test_an_unknown_trait_is_a_mismatch():
    known = CANDIDATES[:1].copy()
    known[0, 1, 3], known[0, 2, 3] = "High", "High"
    unknown = known.copy()
    unknown[0, 1, 3] = ""
    raw = np.asarray(af.raw(frame_of(unknown), RHO))
    assert (raw[0, :, 1, 3] == 0).all()
    standard = af.standard_of(raw, frame_of(unknown))
    z = np.asarray(af.standardise(raw, standard))
    np.testing.assert_allclose(z[0, :, 1, 3], -standard.mean[3] / standard.sd[3])
    mismatch = frame_of(unknown).cell_codes[:, 3] != 2
    assert (z[0, :, 1, 3] == z[0, mismatch, 2, 3][0]).all()


def test_all_unknown_is_no_nan_and_no_gradient():
    blank = CANDIDATES.copy()
    blank[..., 2] = ""
    frame = frame_of(blank)
    hyper, target = Hyper(jnp.asarray(RHO), jnp.full(4, 0.25)), softmax(np.arange(3.0))

    def loss(eta, rho):
        built = af.build(frame, hyper._replace(rho=rho), Design())
        return -(jax.nn.log_softmax(built.g @ eta) @ target).sum()

    built = jax.jit(af.build, static_argnums=2)(frame, hyper, Design())
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
    standard = af.standard_of(np.full((2, 72, 3, 1), value), frame, "size")
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
    standard = af.standard_of(g, frame)
    np.testing.assert_allclose(standard.mean, every.mean(axis=0), atol=1e-12)
    np.testing.assert_allclose(standard.sd, every.std(axis=0), atol=1e-12)


def test_padding_never_enters_the_statistics(frame, g):
    padded = np.concatenate([g, np.full((4, 5, 3, 4), np.nan)], axis=1)
    padded[0, :, 2] = np.inf  # nobody stands
    wide = frame._replace(presence=np.pad(frame.presence, ((0, 0), (0, 5))))
    for found, expected in zip(af.standard_of(padded, wide)[:2], af.standard_of(g, frame)[:2], strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-12)
    nothing = af.standard_of(g, frame._replace(presence=np.zeros((4, 72))))
    assert (np.asarray(nothing.sd) == 0).all()
    assert (np.asarray(nothing.mean) == 0).all()


def test_a_fifth_and_a_sixth_axis_by_configuration():
    spec = SMALL | {"gender": {"categories": ["F", "M"]}, "tenure": {"kernel": "scalar"}}
    people = np.concatenate([CANDIDATES, np.full((2, 3, 2), "")], axis=-1)
    people[..., 4] = [["F", "M", "M"], ["M", "F", ""]]
    values = np.zeros(people.shape)
    values[..., 5] = [[0, 2, 1], [3, 0, 0]]
    frame = frame_of(people, spec, values=values)
    found = np.asarray(af.raw(frame, np.append(RHO, [0, 0])))
    twice = np.asarray(af.raw(frame_of(CANDIDATES), RHO)).repeat(2, axis=1)
    np.testing.assert_array_equal(found[..., :4], twice)
    np.testing.assert_array_equal(found[1, :2, :, 4], [[0, 1, 0], [1, 0, 0]])
    np.testing.assert_array_equal(found[..., 5], np.broadcast_to(values[:, None, :, 5], found.shape[:3]))


# 7: moments


@pytest.mark.parametrize("weighting", ["plain", "size"])
def test_training_mean_is_0_and_variance_1(frame, weighting):
    built = af.build(frame, Hyper(RHO, np.full(4, 0.25)), Design(weighting=weighting))
    weight = np.asarray(af.weights_of(frame, weighting))
    z = np.asarray(built.g)
    mean = np.average(z.reshape(-1, 4), axis=0, weights=weight.ravel())
    variance = np.average(z.reshape(-1, 4) ** 2, axis=0, weights=weight.ravel())
    np.testing.assert_allclose(mean, 0, atol=1e-12)
    np.testing.assert_allclose(variance, 1, atol=1e-12)
    assert (z[0, :, 2] == 0).all()  # nobody stands there


def test_prediction_takes_the_saved_statistics(frame):
    hyper = Hyper(RHO, np.full(4, 0.25))
    for design in (Design(), Design(project=True)):
        trained = af.build(frame, hyper, design)
        part = frame._replace(presence=np.eye(4)[:, [0]] * frame.presence, electors=0 * frame.electors)
        again = af.build(part, hyper, design, trained.standard)
        np.testing.assert_array_equal(again.g, trained.g)
        own = af.build(part, hyper, design)
        assert np.abs(own.g - trained.g).max() > 0.1


_ADD = jax.jit(af.add_moments)


@given(
    values=st.lists(st.tuples(st.floats(-10, 10), st.floats(-10, 10), st.integers(0, 3)), min_size=1, max_size=20),
    data=st.data(),
)
@settings(max_examples=40, deadline=None)
def test_streaming_equals_two_passes_in_any_order(values, data):
    with double_precision():
        order = data.draw(st.permutations(range(len(values))))
        cuts = sorted(data.draw(st.lists(st.integers(0, len(values)), max_size=4)))
        every = np.array(values)[order]
        moments = af.no_moments(2)
        for part in np.split(every, cuts):
            chunk = np.pad(part, ((0, 20 - len(part)), (0, 0)))  # padding weighs nothing
            moments = _ADD(moments, 1e3 + chunk[:, :2], chunk[:, 2])
        found = af.standard_from(moments)
        whole = np.repeat(1e3 + every[:, :2], every[:, 2].astype(int), axis=0)
        if len(whole):
            np.testing.assert_allclose(found.mean, whole.mean(axis=0), rtol=1e-12)
            np.testing.assert_allclose(found.sd, whole.std(axis=0), atol=1e-9)
        else:
            assert moments.weight == 0


def test_combining_is_symmetric():
    one, other = (af.moments_of(np.random.default_rng(seed).normal(seed, 1, (50, 2)), np.ones(50)) for seed in range(2))
    for left, right in zip(af.combine(one, other), af.combine(other, one), strict=True):
        np.testing.assert_allclose(left, right, rtol=1e-13)


# 8, 9, 10: what does not change the model


def test_shared_eta_is_free_of_the_mean_and_scales_with_sigma(frame, g):
    eta = np.array([0.2, 0.25, 0.3, 0.1])
    standard = af.standard_of(g, frame)
    z = np.asarray(af.standardise(g, standard))
    gamma = np.array([0.3, 0.0, -0.4])
    theta = softmax(gamma + z @ eta, axis=-1)
    np.testing.assert_allclose(softmax(gamma + (g / standard.sd) @ eta, axis=-1), theta, atol=1e-14)
    np.testing.assert_allclose(softmax(gamma + g @ (eta / standard.sd), axis=-1), theta, atol=1e-14)


def test_equal_penalised_fits_need_another_penalty(frame, g):
    """lambda |eta_std|^2 is (lambda sigma^2) |eta_raw|^2."""
    weight = frame.presence
    standard = af.standard_of(g, frame)
    z, sd = np.asarray(af.standardise(g, standard)), np.asarray(standard.sd)
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
    standard = af.standard_of(g, frame)
    eta = np.random.default_rng(3).normal(size=(3, 4))
    gamma = np.array([0.3, 0.0, -0.4])
    z = np.asarray(af.standardise(g, standard))
    shifted = gamma - eta @ np.asarray(standard.mean / standard.sd)
    around = softmax(gamma + np.einsum("ackd,kd->ack", z, eta), axis=-1)
    plain = softmax(shifted + np.einsum("ackd,kd->ack", g / np.asarray(standard.sd), eta), axis=-1)
    np.testing.assert_allclose(around, plain, atol=1e-13)


def test_the_mean_of_mobilisation_goes_to_alpha_only_if_weights_add_up_to_a_constant(frame, g):
    standard = af.standard_of(g, frame)
    z = np.asarray(af.standardise(g, standard)) @ np.full(4, 0.25)
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
    kernel = np.asarray(af.combined_kernel(frame, rho))
    kernel[4, 0, 0] = 1.0  # a scalar is the candidate's number times one
    size = kernel.shape[1]
    U = np.zeros((5 * size, 5 * size))
    for d in range(5):
        U[d * size : (d + 1) * size, d * size : (d + 1) * size] = eta[d] * kernel[d]
    x, z = af.cell_features(frame), af.candidate_features(frame)
    found = jnp.einsum("cx,xz,akz->ack", x, U, z)
    np.testing.assert_allclose(found, af.raw(frame, rho) @ eta, atol=1e-14)
    columns, names = ax.trait_labels(ax.axes_of(spec))
    assert names[:2] + names[-2:] == ["age[18-25]", "age[26-35]", "income[High]", "tenure"]
    rest = np.delete(np.asarray(z), columns, axis=-1)
    assert rest.size
    assert not rest.any()


@pytest.mark.parametrize("weighting", ["plain", "size"])
def test_projection_leaves_what_x_times_party_can_say(frame, g, weighting):
    """Least squares of utilities on [x times party, g]: the same fit, the same eta, another beta."""
    off = np.asarray(af.project(g, frame, weighting))
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


# identification, 19


def dense(frame, g, effects=False, mix=None):
    """The design as anyone would write it: rows of (constituency, cell, party), around the mean of those who stand."""
    areas, cells, parties, _ = g.shape
    rows, own, root = [], [], []
    groups = [(a, np.eye(cells)[c], frame.presence[a, c]) for a in range(areas) for c in range(cells)]
    for a, share, weight in groups if mix is None else mix:
        if weight == 0:
            continue
        x = np.append(1.0, share @ frame.features)
        block = np.kron(np.eye(parties), np.append(x, np.eye(areas)[a] if effects else []))
        stands = frame.fielded[a].astype(float)
        around = np.diag(stands) - np.outer(stands, stands) / stands.sum()
        rows.append(np.sqrt(weight) * around @ block)
        own.append(np.sqrt(weight) * around @ np.tensordot(share, g[a], axes=1))
        root.append(np.sqrt(weight) * around)
    return np.concatenate(rows), np.concatenate(own), np.concatenate(root)


def residual(of, on):
    return of - on @ np.linalg.lstsq(on, of, rcond=1e-10)[0]


@pytest.mark.parametrize("effects", [False, True])
@pytest.mark.parametrize("seed", [0, 1])
def test_rank_and_inflation_are_those_of_the_dense_design(effects, seed):
    frame = drawn(seed=seed)
    g = np.asarray(af.raw(frame, RHO))
    free, own, intercepts = dense(frame, g, effects)
    found = affinity_rank(frame, g, effects=effects)
    assert found.without == np.linalg.matrix_rank(free, tol=1e-8)
    assert found.with_g == np.linalg.matrix_rank(np.concatenate([free, own], axis=1), tol=1e-8)
    inflation = variance_inflation(frame, g, effects=effects)
    for d in range(4):
        others = np.concatenate([free, np.delete(own, d, axis=1)], axis=1)
        left = (residual(own[:, d], others) ** 2).sum()
        columns = free.reshape(len(free), 3, -1)[:, :, -4:].reshape(len(free), -1) if effects else intercepts
        varying = (residual(own[:, d], columns) ** 2).sum()
        assert found.identified[d] == (left > 1e-8)
        assert inflation[d] == pytest.approx(varying / left, rel=1e-6)


def test_booth_totals_tell_less_than_cells():
    """Two booths have two free comparisons of their mixes, whatever the number of cells."""
    frame = drawn(areas=2, gaps=False)
    g = np.asarray(af.raw(frame, RHO))
    rng = np.random.default_rng(7)
    for number, told in ((2, 0), (40, 4)):
        sizes = rng.integers(1, 20, size=(number, 72)) * 1.0
        area = np.arange(number) % 2
        nothing = np.zeros((number, 3))
        booths = Booths(sizes, nothing[:, 0], nothing, area, np.zeros((number, 0)), nothing, np.ones(number))
        found = affinity_rank(frame, g, booths=booths)
        mix = [(a, n / n.sum(), n.sum()) for a, n in zip(area, sizes, strict=True)]
        free, own, _ = dense(frame, g, mix=mix)
        assert found.without == np.linalg.matrix_rank(free, tol=1e-8)
        assert found.with_g - found.without == told
        assert found.with_g == np.linalg.matrix_rank(np.concatenate([free, own], axis=1), tol=1e-8)
        held_out = affinity_rank(frame, g, booths=booths._replace(weight=(np.arange(number) < 2) * 1.0))
        assert not held_out.identified.any()


def test_one_constituency_leaves_eta_to_the_penalty_and_two_do_not():
    """Three parties and 11 free features: 22 -> 22 with one constituency, 22 -> 26 with two."""
    ranks = []
    for areas in (1, 2):
        frame = frame_of(CANDIDATES[:areas])
        for g in (af.raw(frame, RHO), af.build(frame, Hyper(RHO, RHO), Design()).g):
            ranks.append(affinity_rank(frame, g))
            assert np.isinf(variance_inflation(frame, g)).all() == (areas == 1)
    assert [(rank.without, rank.with_g) for rank in ranks] == [(22, 22), (22, 22), (22, 26), (22, 26)]
    assert [rank.identified.all() for rank in ranks] == [False, False, True, True]
    said = rank_sentence(ranks[0], list(SMALL))
    assert said.startswith("eta[age], eta[religion], eta[caste], eta[income] are chosen by the penalty alone")
    assert rank_sentence(ranks[2], list(SMALL)) is None


def test_party_specific_eta_is_not_told_by_one_constituency():
    for areas, told in ((1, False), (12, True)):
        frame = drawn(areas=areas, gaps=False, seed=3)
        found = affinity_rank(frame, af.raw(frame, RHO), by_party=True)
        assert found.identified.shape == (3, 4)
        assert found.identified.all() == told
    said = rank_sentence(
        affinity_rank(frame_of(CANDIDATES[:1]), af.raw(frame_of(CANDIDATES[:1]), RHO), by_party=True),
        list(SMALL),
        "XYZ",
    )
    assert said.startswith("eta[X, age]")


@pytest.mark.parametrize("areas", [1, 2])
def test_valence_is_a_party_intercept_in_one_constituency(areas):
    spec = {"age": SMALL["age"], "valence": {"kernel": "scalar"}}
    people = np.concatenate([CANDIDATES[:areas, :, :1], np.full((areas, 3, 1), "")], axis=-1)
    values = np.zeros(people.shape)
    values[..., 1] = np.array([[0.2, 1.5, 0.9], [1.1, 0.3, 0.4]])[:areas]
    frame = frame_of(people, spec, values=values)
    found = affinity_rank(frame, af.raw(frame, RHO[:2]))
    assert found.identified[1] == (areas == 2)
    said = rank_sentence(found, ["age", "valence"])
    assert (said is None) == (areas == 2)
    own = affinity_rank(frame, af.raw(frame, RHO[:2]), effects=True)  # effects of constituencies say the same
    assert not own.identified[1]
    assert rank_sentence(own, ["age", "valence"]).count("eta[valence]") == 1


def test_rank_without_what_was_standing_for_all(frame, g):
    """A copy of a component: neither of the two is told, the others are."""
    twice = np.concatenate([g, g[..., :1]], axis=-1)
    found = affinity_rank(frame, twice)
    assert found.identified.tolist() == [False, True, True, True, False]
    assert np.isinf(variance_inflation(frame, twice)).tolist() == [True, False, False, False, True]


# axes as configuration


def test_default_axes():
    axes = ax.axes_of()
    cells = ax.every_cell(axes)
    assert len(cells) == 180
    assert len({tuple(row) for row in cells[:, 1:3]}) == 10
    assert {"36-45", "46-60"} <= set(axes[0].categories)
    assert ax.rho_of(axes).tolist() == [0.5, 0, 0, 0]
    assert len(set(ax.cell_labels(cells))) == 180


def test_axes_make_the_round_trip():
    spec = SMALL | {
        "age": {**SMALL["age"], "rho": 0.3},
        "school": {"categories": ["no", "yes"], "kernel": "proximity", "proximity": [[1, 0.1], [0.3, 1]]},
        "tenure": {"kernel": "scalar"},
        "absent": None,
    }
    axes = ax.axes_of(spec)
    assert ax.axis_names(axes) == ["age", "religion", "caste", "income", "school", "tenure"]
    assert ax.axes_of(ax.axes_json(axes)) == axes
    assert ax.axes_of(axes) == axes
    assert ax.axes_of(OmegaConf.create(spec)) == axes
    assert hash(axes) == hash(ax.axes_of(spec))
    assert ax.rho_of(axes).tolist() == [0.3, 0, 0, 0, 0, 0]
    assert ax.rho_of(axes, {"age": 0.6}).tolist() == [0.6, 0, 0, 0, 0, 0]


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"kernel": "ordnial"}, r"axes\.x\.kernel: no kernel 'ordnial'; expected match or .*; did you mean ordinal\?"),
        ({"categorys": ["a"]}, r"axes\.x\.categorys: no such setting .*did you mean categories\?"),
        ({"categories": []}, r"axes\.x\.categories: found \[\]"),
        ({"categories": "ab"}, r"axes\.x\.categories: found 'ab'"),
        ({"categories": ["a", "a"]}, r"axes\.x\.categories: .*expected different labels"),
        ({"categories": ["a", " "]}, r"axes\.x\.categories: .*not blank"),
        ({"categories": [True, False]}, r"axes\.x\.categories: found true or false.*in quotes"),
        ({"categories": ["a"], "kernel": "scalar"}, r"axes\.x\.categories: categories of a scalar axis"),
        ({"categories": ["a"], "rho": 0.5}, r"axes\.x\.rho: rho with the kernel match"),
        ({"categories": ["a"], "kernel": "proximity"}, r"axes\.x\.proximity: no matrix with the kernel proximity"),
        ({"categories": ["a"], "proximity": [[1]]}, r"axes\.x\.proximity: a matrix with the kernel match"),
        ({"categories": ["a", "b"], "kernel": "proximity", "proximity": [[1, 0]]}, r"proximity: found shape \(1, 2\)"),
        ({"categories": ["a", "b"], "kernel": "proximity", "proximity": [[1, 0], [1]]}, r"axes\.x\.proximity: found"),
        ({"categories": ["a", "b"], "kernel": "proximity", "proximity": [[1, 2], [0, 1]]}, r"proximity: found 2;"),
        ({"categories": ["a"], "within": {"religion": "Hindu"}}, r"axes\.x\.within: no axis 'religion' before x"),
        ({"categories": ["a"], "within": {"first": "bb"}}, r"axes\.x\.within: first has no category 'bb'.*b\?"),
        ({"categories": ["a"], "within": {"x": "a"}}, r"axes\.x\.within: no axis 'x' before x"),
        ({"categories": ["a"], "within": "first"}, r"axes\.x\.within: found 'first'"),
        (["a", "b"], r"axes\.x: found \['a', 'b'\]"),
    ],
)
def test_faults_of_axes_name_the_key(entry, message):
    with pytest.raises(ElectionDataError, match=message) as caught:
        ax.axes_of({"first": {"categories": ["a", "b"]}, "x": entry, "last": {"categories": ["c"]}})
    assert "\n" not in str(caught.value)


def test_faults_of_all_axes():
    for spec in ({}, {"x": None}, [], "no json", "[1]", "3", ["age"], 3):
        with pytest.raises(ElectionDataError, match=r"axes: "):
            ax.axes_of(spec)
    with pytest.raises(ElectionDataError, match=r"rho\.religion: no such ordinal axis"):
        ax.rho_of(ax.axes_of(SMALL), {"religion": 0.5})


def test_an_unknown_category_is_an_error():
    booths = madipur(booths=2)
    axes = ax.axes_of(booths.attrs["axes"])
    wrong = booths["candidate_category"].copy(data=booths["candidate_category"].values.astype("U20"))
    wrong.loc[{"party": "INC", "axis": "religion"}] = "Muslin"
    with pytest.raises(ElectionDataError, match=r"unknown category 'Muslin' of religion.*did you mean Muslim\?"):
        ax.candidate_codes(booths.assign(candidate_category=wrong), axes)
    with pytest.raises(ElectionDataError, match=r"cell_category: no axis 'income'"):
        ax.cell_codes(booths.isel(axis=slice(3)), axes)
    assert ax.cell_codes(booths, axes)[0].tolist() == [0, 0, 0, 0]


# the example


def test_madipur_is_a_booths_dataset_that_says_what_is_invented():
    booths, again = madipur(seed=3), madipur(seed=3)
    assert booths.identical(again)
    assert (booths["votes"].sum("party") == booths["polled"]).all()
    assert (booths["cell_size"].sum("cell") == booths["electors"]).all()
    assert (booths["polled"] <= booths["electors"]).all()
    assert not madipur(seed=4)["votes"].identical(booths["votes"])
    assert "invented" in booths.attrs["note"]
    expected = (booths["cell_size"] * booths["true_turnout"].isel(constituency=0)).sum("cell")
    z = (booths["polled"] - expected) / np.sqrt(booths["electors"] * 0.25 + (0.1 * 0.24 * booths["electors"]) ** 2)
    assert np.abs(z).max() < 4


def test_madipur_standardised_is_what_the_booths_say():
    booths = madipur()
    table = madipur_table(booths)
    axes = ax.axes_of(booths.attrs["axes"])
    presence = (booths["cell_size"].values > 0).sum(axis=0)[None] * 1.0
    frame = frame_of(booths["candidate_category"].values, None, booths["cell_category"].values, presence=presence)
    g = by_hand(frame, axes, 0.5)
    weight = np.repeat(presence[:, :, None], 3, axis=2).ravel()
    mean = np.average(g.reshape(-1, 4), axis=0, weights=weight)
    sd = np.sqrt(np.average((g.reshape(-1, 4) - mean) ** 2, axis=0, weights=weight))
    np.testing.assert_allclose(table["standardised"], (table["raw"] - mean) / sd, atol=1e-12)
    np.testing.assert_allclose(table["boost"], table["standardised"].values @ booths["true_eta"].values)
    fit = table[["g_mean", "g_sd", "eta"]].assign(rho=("axis", [0.25, 0, 0, 0])).assign_attrs(axes=booths.attrs["axes"])
    fitted = madipur_table(fit.isel(axis=[3, 2, 1, 0]))
    np.testing.assert_array_equal(fitted["g_sd"], table["g_sd"])
    assert fitted["raw"].values[1].tolist() == [0.25, 1, 0, 1]


def test_madipur_does_not_identify_eta():
    booths = madipur()
    frame = frame_of(booths["candidate_category"].values, None, booths["cell_category"].values)
    found = affinity_rank(frame, af.raw(frame, RHO))
    assert (found.without, found.with_g) == (34, 34)  # 17 free features, 2 free parties
    assert not found.identified.any()
