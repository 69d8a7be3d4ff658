"""Generated booths: whole numbers, real totals, closed-form scatter, and a truth that loops by hand confirm."""

import json
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import xarray as xr
from scipy import stats
from scipy.special import expit, logit

import electjax
from benchmarks.calm.tile import tile
from electjax.calm.codec import encode_booths
from electjax.calm.electorate import _candidates, draw_electors
from electjax.calm.model.affinity import build
from electjax.calm.model.design import Design
from electjax.calm.model.estimate import first_weights
from electjax.calm.model.generate import Expected, draw_cell_votes, draw_totals, expect
from electjax.calm.model.problem import fitted, pose
from electjax.calm.model.sums import blocks
from electjax.data.axes import axes_of, proximity_of
from electjax.data.errors import ElectionDataError
from electjax.numerics.arrow import Point
from electjax.numerics.host import double_precision
from tests.calm.by_hand import hyper_of
from tests.calm.truth import parameters, truth_of

EVERYTHING = {
    "xi": 0.4,
    "eta_sd": 0.1,
    "unknown": 0.15,
    "absent": 0.2,
    "context": 0.3,
    "axis_weight": {"age": 2.0, "income": 0.5},
    "proximity": {"age": 0.3},
}


@pytest.fixture(scope="module")
def delhi():
    return electjax.calm.simulate("delhi", seed=3)


@pytest.fixture(scope="module")
def odd():
    """Few booths with every term of the model."""
    return electjax.calm.simulate("tiny", seed=5, **EVERYTHING)


@pytest.fixture(scope="module")
def plain():
    """Few booths that scatter no more than they must, drawn cell by cell."""
    return electjax.calm.simulate("tiny", seed=8, cells=True, correlation_T=0.0, correlation_P=0.0)


def arrays(booths, *, weighting="plain", design=None):
    """Arrays, hyperparameters and standardised affinity of generated booths."""
    encoded, scalars = encode_booths(booths), json.loads(booths.attrs["truth"])
    axes = axes_of(booths.attrs["axes"])
    weight = [scalars["axis_weight"][axis.name] for axis in axes]
    rho = proximity_of(axes, {name: value for name, value in scalars["proximity"].items() if value})
    with double_precision():
        hyper = hyper_of(rho=jnp.asarray(rho), axis_weight=jnp.asarray(weight), exponent=scalars["context"])
        g = np.asarray(build(encoded.frame, hyper.rho, design or Design(weighting=weighting)).g)
    return encoded.booths, encoded.frame, hyper, g


def test_delhi_is_as_large_as_delhi(delhi):
    election = electjax.districts.load("delhi2020")
    of = delhi["booth_constituency"].values
    electors = delhi["electors"].groupby(delhi["booth_constituency"]).sum()
    assert dict(delhi.sizes) | {"booth": 0} == dict(delhi.sizes) | {
        "booth": 0,
        "constituency": 70,
        "cell": 180,
        "party": 4,
    }
    assert abs(delhi.sizes["booth"] - 13_700) < 100
    np.testing.assert_array_equal(electors.sel(booth_constituency=election["district"].values), election["electors"])
    assert (delhi["cell_size"].sum("booth") > 0).all()
    assert delhi["electors"].min() >= 300
    assert delhi["electors"].max() <= 1700
    assert abs(delhi["electors"].mean() - 1080) < 5
    assert set(of) == set(election["district"].values)


def test_everything_is_whole_and_adds_up(delhi, odd):
    for booths in (delhi, odd):
        assert {booths[name].dtype.kind for name in ("cell_size", "electors", "polled", "votes")} == {"i"}
        np.testing.assert_array_equal(booths["cell_size"].sum("cell"), booths["electors"])
        np.testing.assert_array_equal(booths["votes"].sum("party"), booths["polled"])
        assert (booths["polled"] <= booths["electors"]).all()
        stands = booths["fielded"].sel(constituency=booths["booth_constituency"])
        assert (booths["votes"].where(~stands, 0) == 0).all()
        assert (booths["true_share"].where(~stands, 0) == 0).all()
        np.testing.assert_allclose(booths["true_share"].sum("party"), 1.0, atol=1e-12)
        np.testing.assert_allclose(booths["true_choice"].sum("party"), 1.0, atol=1e-12)
        np.testing.assert_allclose(booths["previous"].sum("party"), 1.0, atol=1e-12)
        xr.testing.assert_identical(electjax.calm.validate(booths), booths)
    assert not odd["fielded"].all()
    assert (odd["fielded"].sum("party") >= 2).all()


def test_real_totals_are_expected_and_drawn(delhi):
    """Constituency effects give the real totals in expectation; the draws scatter around them as they should."""
    election = electjax.districts.load("delhi2020").rename(district="constituency")
    area = delhi["booth_constituency"]
    electors, rate, share = delhi["electors"].astype(float), delhi["true_rate"], delhi["true_share"]

    def by_area(values):
        return (
            values.groupby(area).sum().rename(booth_constituency="constituency").sel(constituency=election.constituency)
        )

    real = election["votes"]
    np.testing.assert_allclose(by_area(electors * rate), real.sum("party"), rtol=1e-9)
    np.testing.assert_allclose(by_area(electors * rate * share), real, rtol=1e-8, atol=1e-6)

    truth = truth_of(delhi)
    of_polled = electors * rate * (1 - rate) * (1 + (electors - 1) * truth.rho_T)
    second = of_polled + (electors * rate) ** 2  # E T^2
    chosen = electors * rate + truth.rho_P * (second - electors * rate)  # E T (1 + (T - 1) rho)
    of_votes = chosen * share * (1 - share) + share**2 * of_polled
    z_polled = (by_area(delhi["polled"]) - real.sum("party")) / np.sqrt(by_area(of_polled))
    z_votes = ((by_area(delhi["votes"]) - real) / np.sqrt(by_area(of_votes))).values[real.values > 0]
    for z in (z_polled.values, z_votes):
        assert np.abs(z).max() < stats.norm.isf(
            0.5e-3 / z.size
        )  # none of so many beyond what 1 in 1,000 sets would have
    assert abs((z_polled**2).mean() - 1) < 4 * math.sqrt(2 / z_polled.size)
    whole = float(by_area(delhi["polled"]).sum() - real.sum()) / float(np.sqrt(of_polled.sum()))
    assert abs(whole) < 4
    np.testing.assert_array_equal(delhi["fielded"].values, real.values > 0)


def test_composition_varies_between_constituencies_and_booths(delhi):
    muslim = delhi["cell_category"].sel(axis="religion") == "Muslim"
    share = delhi["cell_size"].where(muslim, 0).sum("cell") / delhi["electors"]
    of_area = share.groupby(delhi["booth_constituency"]).mean()
    between, within = float(of_area.std()), float(share.groupby(delhi["booth_constituency"]).std().mean())
    assert 0.05 < float(share.mean()) < 0.25  # Delhi's rolls: 0.10 between constituencies, 0.16 within
    assert 0.05 < between < 0.2
    assert 0.08 < within < 0.25


def test_candidates_follow_the_composition():
    """A category that is three times as frequent in a constituency has more candidates there than anywhere else."""
    axes = axes_of({"religion": {"categories": ["Hindu", "Muslim"]}, "age": None})
    people, many = np.array([0.8, 0.2]), 4000
    local = np.array([[0.5, 3.0], [1.2, 0.2]])
    labels, values = _candidates(jax.random.key(2), axes, [people], [local], np.ones((2, many), bool), 0.0)
    rate = (labels[..., 0] == "Muslim").mean(axis=1)
    error = math.sqrt((rate * (1 - rate)).sum() / many)
    assert rate[0] - rate[1] > 4 * error
    assert np.isnan(values).all()


@pytest.mark.parametrize(("rho_T", "rho_P"), [(0.0, 0.0), (0.01, 0.03)])
def test_draws_have_the_moments_of_the_likelihood(rho_T, rho_P):
    """Beta-binomial: n t (1-t) (1 + (n-1) rho); Dirichlet-multinomial: the same and its covariances, given turnout."""
    number, draws = 400, 200_000
    turnout, shares = 0.6, np.array([0.5, 0.3, 0.2, 0.0])
    expected = Expected(np.full(draws, turnout), np.tile(shares, (draws, 1)))
    drawn = draw_totals(jax.random.key(4), np.full(draws, number), expected, rho_T, rho_P)

    def z_of_variance(values, variance):
        square = (values - values.mean()) ** 2
        return (square.mean() - variance) / (square.std() / math.sqrt(len(values)))

    variance = number * turnout * (1 - turnout) * (1 + (number - 1) * rho_T)
    assert abs(drawn.polled.mean() - number * turnout) < 4 * math.sqrt(variance / draws)
    assert abs(z_of_variance(drawn.polled, variance)) < 4
    assert (drawn.votes.sum(axis=1) == drawn.polled).all()
    assert (drawn.votes[:, 3] == 0).all()

    polled = drawn.polled
    residual = drawn.votes - polled[:, None] * shares
    scale = polled * (1 + (polled - 1) * rho_P)
    for k in range(3):
        for other in range(k + 1):
            each = residual[:, k] * residual[:, other] / scale
            wanted = shares[k] * ((k == other) - shares[other])
            assert abs(each.mean() - wanted) < 4 * each.std() / math.sqrt(draws)


def test_votes_drawn_cell_by_cell(plain):
    """Sums over cells have the mean that is expected, and the variance of electors who decide for themselves."""
    booths = plain
    by_cell = booths["true_cell_votes"]
    np.testing.assert_array_equal(by_cell.sum("cell"), booths["votes"])
    assert (by_cell.sum("party") <= booths["cell_size"]).all()

    data, frame, _, g = arrays(booths)
    truth, draws = truth_of(booths), 200
    many = np.stack([draw_cell_votes(jax.random.key(i), data, frame, g, truth).sum(axis=1) for i in range(draws)])
    mean = booths["electors"] * booths["true_rate"] * booths["true_share"]
    z = (many.mean(axis=0) - mean.values) / np.maximum(many.std(axis=0), 1e-9) * math.sqrt(draws)
    assert np.abs(z).max() < stats.norm.isf(0.5e-3 / z.size)
    # a booth's turnout: the sum of n pi (1 - pi), smaller than N t (1 - t) by N times the variance of pi
    turnout = _by_hand(booths)[2]
    variance = (data.sizes * turnout * (1 - turnout)).sum(axis=1)
    ratio = many.sum(axis=2).var(axis=0, ddof=1) / variance
    assert abs(ratio.mean() - 1) < 4 * math.sqrt(2 / (draws - 1) / len(ratio))


def test_overdispersed_cells_keep_the_mean_and_gain_the_scatter():
    """Variance of a booth's turnout: N^2 t (1-t) rho of the booth, and the electors' own (law of total variance)."""
    booths = electjax.calm.simulate("tiny", seed=8, correlation_T=0.02, correlation_P=0.03)
    data, frame, _, g = arrays(booths)
    truth, draws = truth_of(booths), 200
    many = np.stack([draw_cell_votes(jax.random.key(i), data, frame, g, truth).sum(axis=1) for i in range(draws)])
    rate, share = booths["true_rate"].values, booths["true_share"].values
    electors = booths["electors"].values
    turnout = many.sum(axis=2)
    error = turnout.std(axis=0) / math.sqrt(draws)
    assert np.abs((turnout.mean(axis=0) - electors * rate) / error).max() < 4.5
    of_booth = electors**2 * rate * (1 - rate) * truth.rho_T
    differ = (data.sizes * (_by_hand(booths)[2] - rate[:, None]) ** 2).sum(axis=1)  # between cells, no chance
    of_electors = electors * rate * (1 - rate) * (1 - truth.rho_T) - differ
    ratio = turnout.var(axis=0, ddof=1) / (of_booth + of_electors)
    assert abs(ratio.mean() - 1) < 4 * math.sqrt(2 / (draws - 1) / len(ratio))
    observed = many / turnout[:, :, None]
    assert np.abs((observed.mean(axis=0) - share) / (observed.std(axis=0) / math.sqrt(draws))).max() < 4.5


def test_same_seed_same_data(odd):
    xr.testing.assert_identical(electjax.calm.simulate("tiny", seed=5, **EVERYTHING), odd)
    assert not (electjax.calm.simulate("tiny", seed=6, **EVERYTHING)["votes"] == odd["votes"]).all()


def _by_hand(booths):
    """Rates, shares and turnout of cells by loops over booths, cells and parties, from labels and the truth alone."""
    scalars, axes = json.loads(booths.attrs["truth"]), json.loads(booths.attrs["axes"])
    names, parties = booths["axis"].values.tolist(), booths["party"].values.tolist()
    sizes, features = booths["cell_size"].values, booths["feature"].values.tolist()
    areas = booths["constituency"].values.tolist()
    area = [areas.index(label) for label in booths["booth_constituency"].values]

    def near(a, c, k, d):
        axis, name = axes[names[d]], names[d]
        cell = str(booths["cell_category"].values[c, d])
        candidate = str(booths["candidate_category"].values[a, k, d])
        for parent, wanted in axis.get("within", {}).items():
            p = names.index(parent)
            if str(booths["candidate_category"].values[a, k, p]) != wanted:
                return 0.0
        if not cell or not candidate:
            return 0.0
        gap = abs(axis["categories"].index(cell) - axis["categories"].index(candidate))
        return 1.0 if gap == 0 else scalars["proximity"][name] if gap == 1 and axis["kernel"] == "ordinal" else 0.0

    stands = booths["fielded"].values
    raw = np.array(
        [
            [
                [[near(a, c, k, d) * stands[a, k] for d in range(len(names))] for k in range(len(parties))]
                for c in range(sizes.shape[1])
            ]
            for a in range(len(areas))
        ]
    )
    seen = [
        raw[area[i], c, k]
        for i, c in np.argwhere(sizes > 0).tolist()
        for k in range(len(parties))
        if stands[area[i], k]
    ]
    g = np.where(stands[:, None, :, None], (raw - np.mean(seen, axis=0)) / np.std(seen, axis=0), 0.0)

    number = sum("[" in name for name in features)
    x = np.array(
        [
            [float(f"{names[d]}[{label}]" == name) for name in features[:number] for d, label in _of(name, row, names)]
            for row in booths["cell_category"].values.tolist()
        ]
    )
    q = booths["covariate_value"].values
    q = (q - q.mean(axis=0)) / q.std(axis=0)
    truth = truth_of(booths)
    weights = booths["previous"].values * stands[area]
    weights = weights / weights.sum(axis=1, keepdims=True)

    def softmax(utility, keep):
        top = [math.exp(u) if yes else 0.0 for u, yes in zip(utility, keep, strict=True)]
        return np.array(top) / sum(top)

    rate, share, turnout = np.zeros(len(area)), np.zeros((len(area), len(parties))), np.zeros(sizes.shape)
    base = truth.gamma + x @ truth.beta_P[:number]
    for a in range(len(areas)):
        common = base + truth.effect_P[a] + g[a] @ truth.eta[a]
        plain = np.array([softmax(row, stands[a]) for row in common])
        mine = [i for i in range(len(area)) if area[i] == a]
        whole = sizes[mine].sum(axis=0) @ plain / sizes[mine].sum()
        for i in mine:
            context = truth.exponent * np.log((sizes[i] @ plain / sizes[i].sum() + 1e-4) / (whole + 1e-4))
            votes = np.zeros(len(parties))
            for c in range(sizes.shape[1]):
                met = sum(weights[i, k] * (truth.axis_weight @ g[a, c, k]) for k in range(len(parties)))
                u = truth.alpha + truth.effect_T[a] + truth.b_T[i] + truth.xi * met
                u += x[c] @ truth.beta_T[:number] + q[i] @ truth.beta_T[number:]
                turnout[i, c] = 1 / (1 + math.exp(-u))
                shift = truth.b_P[i] + q[i] @ truth.beta_P[number:] + context
                votes += sizes[i, c] * turnout[i, c] * softmax(common[c] + shift, stands[a])
            rate[i], share[i] = votes.sum() / sizes[i].sum(), votes / votes.sum()
    return rate, share, turnout


def _of(feature, row, names):
    """The axis of a feature and the category that a cell has on it."""
    d = names.index(feature.split("[")[0])
    return [(d, row[d])]


def test_truth_gives_what_is_expected_by_hand(odd):
    rate, share, turnout = _by_hand(odd)
    np.testing.assert_allclose(odd["true_rate"], rate, rtol=1e-12)
    # a constituency's cells are those of a booth with its mean effects, covariates and weights
    mean = np.stack([logit(rows).mean(axis=0) for rows in np.split(turnout, 4)])
    np.testing.assert_allclose(odd["true_turnout"], expit(mean), rtol=1e-12)
    np.testing.assert_allclose(odd["true_share"], share, rtol=1e-11, atol=1e-14)


@pytest.mark.parametrize("everything", [True, False])
def test_truth_gives_what_the_model_expects(odd, plain, everything):
    """The heads of the model, at the truth in its own coordinates, give the same rates and shares."""
    if everything:
        booths, own = odd, {"affinity": "hierarchical", "mobilisation": "previous", "context": True}
        design = Design(constituency_effects=True, identification="sum_to_zero", **own)
    else:  # what the constituency does is left to the booth effects
        booths, design = plain, Design(constituency_effects=False, identification="reference")
    data, frame, hyper, g = arrays(booths, design=design)
    truth = truth_of(booths)
    np.testing.assert_allclose(expect(data, frame, g, truth).turnout, booths["true_rate"], rtol=1e-12)
    with double_precision():
        problem = pose(data, frame, hyper, design, weights=first_weights(data, frame), chunk=8)
        found = jax.jit(fitted, static_argnames="design")(_point(truth, design, data), problem, design)
        np.testing.assert_allclose(found.turnout, booths["true_rate"], rtol=1e-11)
        np.testing.assert_allclose(found.shares, booths["true_share"], rtol=1e-10, atol=1e-14)


def _point(truth, design, data):
    shared, local = parameters(truth, design, data.constituency)
    flat = jax.flatten_util.ravel_pytree(shared)[0]
    return Point(flat, jnp.concatenate([local.b_T[:, None], local.b_P], axis=1))


def test_draws_are_those_of_the_objective():
    """At the truth the slope of the likelihood has mean 0 and the Fisher information as variance: a chi-square."""
    booths = electjax.calm.simulate("tiny", seed=11, correlation_T=0.0, correlation_P=0.0, booths=30)
    design = Design(affinity="shared", booth_effects=True)
    data, frame, hyper, _ = arrays(booths)
    hyper = hyper._replace(lambda_beta=0.0, lambda_eta=0.0, lambda_b=0.0)
    with double_precision():
        problem = pose(data, frame, hyper, design, weights=first_weights(data, frame), chunk=40)
        arrow, _ = jax.jit(blocks, static_argnames="design")(_point(truth_of(booths), design, data), problem, design)
        slope, information = np.asarray(arrow.gradient), np.asarray(arrow.shared)
    values, vectors = np.linalg.eigh(information)
    kept = values > 1e-8 * values.max()  # one-hot blocks and the intercept are collinear
    square = float((((vectors.T @ slope)[kept]) ** 2 / values[kept]).sum())
    assert 1e-3 < stats.chi2.sf(square, int(kept.sum())) < 1 - 1e-3


def test_eta_sd_unknown_traits_and_covariates_are_told(odd):
    scalars = json.loads(odd.attrs["truth"])
    assert scalars["xi"] == odd["true_xi"] == 0.4
    assert scalars["proximity"]["age"] == 0.3
    assert sum(scalars["axis_weight"].values()) == pytest.approx(1.0)
    assert (odd["true_eta_constituency"].std("constituency") > 0).all()
    traits = odd["candidate_category"].sel(axis="religion").where(odd["fielded"])
    assert (traits == "").any()
    np.testing.assert_allclose(odd["true_beta_P"].sum("party"), 0.0, atol=1e-12)
    np.testing.assert_allclose(odd["true_gamma"].sum(), 0.0, atol=1e-12)
    axis = odd["true_beta_T"].sel(feature=[name for name in odd["feature"].values if name.startswith("caste")])
    assert abs(float(axis.sum())) < 1e-12


def test_other_axes_and_parties():
    """Axes are configuration: a scalar one and a user's proximity matrix."""
    axes = {
        "gender": {"categories": ["Female", "Male"]},
        "education": {"categories": ["School", "College"], "kernel": "proximity", "proximity": [[1, 0.5], [0.5, 1]]},
        "valence": {"kernel": "scalar"},
    }
    booths = electjax.calm.simulate(
        "tiny", axes=axes, parties=["A", "B", "C"], eta=[0.1, 0.2, 0.3], shares=[2, 1, 1], booths=5, seed=1
    )
    assert booths.sizes["cell"] == 4
    assert booths["party"].values.tolist() == ["A", "B", "C"]
    assert booths["true_eta"].values.tolist() == [0.1, 0.2, 0.3]
    assert np.isfinite(booths["candidate_value"].sel(axis="valence")).all()


def test_electors_add_up():
    assert draw_electors(jax.random.key(0), 37, total=41_234).sum() == 41_234


def test_tiled_booths_look_like_booths(odd):
    """Copies have constituencies of their own, with the candidates of the original."""
    data, frame, *_ = arrays(odd)
    for number in (25, 40, 93):
        some, own = tile(jax.random.key(1), data, frame, number)
        assert some.sizes.shape == (number, data.sizes.shape[1])
        assert len(own.fielded) == 4 * math.ceil(number / 40)
        assert some.constituency.max() < len(own.fielded)
        rows = [np.flatnonzero((data.sizes == size).all(axis=1))[0] for size in some.sizes]
        np.testing.assert_array_equal(some.votes, data.votes[rows])
        np.testing.assert_array_equal(
            own.candidate_codes[some.constituency], frame.candidate_codes[data.constituency[rows]]
        )


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"scale": "dehli"}, "did you mean delhi"),
        ({"scale": "delhi", "constituencies": 71}, "at most 70"),
        ({"booths": 0}, "at least 1"),
        ({"eta": {"cast": 0.1}}, "did you mean caste"),
        ({"eta": [0.1, 0.2]}, "one for each of age, religion, caste, income"),
        ({"shares": [1, 0, 1, 1]}, "4 positive numbers"),
        ({"correlation_T": 1.0}, "a number of at least 0 and below 1"),
        ({"weighting": "cells"}, "one of plain, size"),
    ],
)
def test_errors_say_which_argument(arguments, said):
    with pytest.raises(ElectionDataError, match=said):
        electjax.calm.simulate(**{"scale": "tiny", **arguments})
