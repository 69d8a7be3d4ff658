"""Diagnostics of CALM: held-out booths, placebo, rho curve, mobilisation, stability, collinearity, penalties."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.stats import chi2, kstest, norm

import electjax
from electjax.calm.diagnosis import choose_penalties, eta_of, setting_of
from electjax.calm.diagnostics.placebo import REFITS
from electjax.calm.model import diagnose as dg
from electjax.calm.model import placebo as pl
from electjax.calm.model.diagnose import eta_place
from electjax.calm.model.estimate import information, names
from electjax.calm.model.generate import Truth, expect
from electjax.calm.model.penalties import LEAST, search_penalties
from electjax.calm.model.problem import fitted, unpack
from electjax.calm.model.unseen import folds_of, unseen_losses
from electjax.data.errors import ElectionDataError
from electjax.numerics.host import double_precision
from tests.calm.by_hand import options_of

AGE, CASTE = 0, 2
NONE = {"age": 0.0, "religion": 0.0, "caste": 0.0, "income": 0.0}
PLANTED = {"age": 0.3, "religion": 0.4, "caste": 0.5, "income": 0.2}
OPTIONS = {"lambda_beta": 8.0}  # of the size of the coefficients that are drawn; 48 booths tell little about them
SIZE = {"constituencies": 6, "booths": 8, "constituency_sd": (0.0, 0.0), "correlation_T": 0.0, "correlation_P": 0.0}


@pytest.fixture(autouse=True, scope="module")
def double():
    with double_precision():
        yield


def simulated(**options):
    """The same 48 booths of 24 cells, with other parameters; draws without overdispersion."""
    return electjax.calm.simulate("tiny", **({"seed": 3} | SIZE | {"eta": PLANTED} | options))


@pytest.fixture(scope="module")
def null():
    return simulated(eta=NONE)


@pytest.fixture(scope="module")
def planted():
    return simulated()


class Redraw:
    """Votes of the same booths drawn again, coefficients and booth effects as large as their penalties expect."""

    def __init__(self, booths, eta):
        self.data, self.setting = booths, setting_of(booths, options_of(OPTIONS))
        arrays, self.frame = jax.tree.map(np.asarray, (self.setting.booths, self.setting.frame))
        self.arrays, self.eta = arrays, np.broadcast_to(eta, (len(self.frame.fielded), 4))
        self.g = np.asarray(self.setting.posed().traits.g)
        self.sd, self.beta_sd = ((2 * float(x)) ** -0.5 for x in (self.setting.hyper.lambda_b, OPTIONS["lambda_beta"]))

    def __call__(self, rng):
        parties = self.arrays.votes.shape[1]
        effects = rng.normal(0.0, self.sd, self.arrays.votes.shape)
        beta = rng.normal(0.0, self.beta_sd, self.data["true_beta_P"].shape)
        none = np.zeros(len(self.frame.fielded))
        truth = Truth(
            alpha=float(self.data["true_alpha"]),
            beta_T=rng.normal(0.0, self.beta_sd, len(beta)),
            gamma=self.data["true_gamma"].values,
            beta_P=beta - beta.mean(axis=1, keepdims=True),
            eta=self.eta,
            xi=0.0,
            effect_T=none,
            effect_P=np.zeros((len(none), parties)),
            b_T=rng.normal(0.0, self.sd, len(effects)),
            b_P=effects - effects.mean(axis=1, keepdims=True),
            axis_weight=np.full(4, 0.25),
        )
        expected = expect(self.arrays, self.frame, self.g, truth)
        polled = rng.binomial(self.arrays.sizes.sum(axis=1).astype(int), expected.turnout)
        votes = rng.multinomial(polled, expected.shares)
        booths = self.setting.booths._replace(polled=jnp.asarray(polled, float), votes=jnp.asarray(votes, float))
        object.__setattr__(self.setting, "booths", booths)
        return self.setting


# ------------------------------------------------------------------------------------ placebo


@pytest.fixture(scope="module")
def without_caste(planted):
    """Setting, problem, and the fit without caste."""
    setting = setting_of(planted, options_of(OPTIONS | {"tolerance": 1e-14}))
    problem = setting.posed()
    return setting, problem, setting.solve(pl.without_axis(problem, CASTE))


def test_entries_of_traits_make_up_the_affinity(without_caste):
    setting, problem, _ = without_caste
    for axis in range(4):
        z, h = pl.traits_of(setting.frame, axis), pl.nearness(setting.frame, setting.hyper.rho, axis)
        np.testing.assert_allclose(jnp.einsum("cl,akl->ack", h, z), problem.affinity.raw[..., axis], atol=1e-12)
        again = pl.with_traits(problem, z, axis, setting.design).traits.g
        np.testing.assert_allclose(again, problem.traits.g, atol=1e-12)


def test_statistics_of_shuffled_candidates_are_the_step_that_the_whole_model_would_take(without_caste):
    """Sums over entries of z against the score and the information of the model with the shuffled g in it."""
    setting, problem, fit = without_caste
    z = pl.traits_of(setting.frame, CASTE)
    order = pl.shuffles(np.zeros(24, int), np.ones(24, bool), 2, np.random.default_rng(0))
    candidates = jnp.concatenate([z[None], z.reshape(24, -1)[order].reshape(2, *z.shape)])
    found = pl.scored(pl.prepare(fit.point, fit.problem, setting.design, CASTE), candidates)
    place = eta_place(problem, setting.design, CASTE)
    assert names(unpack(fit.point, problem, setting.design)[0])[place] == "eta[2]"
    for n, one in enumerate(candidates):
        own = pl.with_traits(problem, one, CASTE, setting.design)
        known = information(fit.point, own, setting.design)
        variance = np.linalg.inv(known.shared)[place, place]
        # eta is 0 and everything else is fitted: no other slope, and none of a penalty
        np.testing.assert_allclose(found.eta[n], -variance * known.scores.sum(axis=0)[place], rtol=1e-4)
        np.testing.assert_allclose(found.se[n], np.sqrt(variance), rtol=1e-6)
        held = 2 * float(setting.hyper.lambda_eta) * found.se[n] ** 2  # part of the information that the penalty is
        np.testing.assert_allclose(found.z[n], found.eta[n] / found.se[n] / np.sqrt(1 - held), rtol=1e-6)


def test_shuffles_stay_within_their_groups():
    groups = np.array([0, 0, 0, 1, 1, 2, 0, 1])
    moving = np.array([1, 1, 1, 1, 1, 1, 0, 1], bool)
    found = pl.shuffles(groups, moving, 600, np.random.default_rng(1))
    assert (np.sort(found, axis=1) == np.arange(8)).all()
    assert (groups[found] == groups).all()
    assert (found[:, [5, 6]] == [5, 6]).all()
    counts = np.bincount(found[:, 0], minlength=8)[:3]  # each of three in turn, 200 times give or take
    assert abs(counts - 200).max() < 4 * np.sqrt(600 * 2 / 9)


def test_p_value_counts_the_real_candidates():
    assert pl.p_value(-2.0, np.array([1.0, -3.0, 2.0, 0.0])) == pytest.approx(3 / 5)
    assert pl.p_value(5.0, np.zeros(99)) == pytest.approx(0.01)


def test_null_p_values_are_uniform_and_refits_agree(null):
    """The candidates stay as they are, parties' leanings and all; votes and booth effects are drawn anew."""
    draw, rng = Redraw(null, np.zeros(4)), np.random.default_rng(5)
    setting = draw.setting
    religion = np.asarray(setting.frame.candidate_codes)[..., 1].ravel()
    moving = np.asarray(setting.frame.candidate_gate)[..., CASTE].ravel()
    z = np.asarray(pl.traits_of(setting.frame, CASTE))
    order = np.concatenate([np.arange(24)[None], pl.shuffles(religion, moving, 99, rng)])
    candidates = jnp.asarray(z.reshape(24, -1)[order].reshape(-1, *z.shape))
    p, scores, limits, start = [], [], {"tolerance": 1e-6, "max_steps": 200}, None
    batch = REFITS // 48  # the shape of the refits of `calm.placebo`
    for n in range(120):
        fit = draw(rng).solve(pl.without_axis(setting.posed(), CASTE), start)
        start = fit.point
        found = pl.scored(pl.prepare(fit.point, fit.problem, setting.design, CASTE), candidates)
        p.append(pl.p_value(found.z[0], found.z[1:]))
        scores.append(float(found.z[0]))
        if n < 2:
            again = pl.refitted(
                fit.problem, fit.point, candidates[:batch], setting.design, CASTE, batch=batch, **limits
            )
            assert np.corrcoef(again.z, found.z[:batch])[0, 1] > 0.95
            one_step = pl.p_value(found.z[0], found.z[1:batch])
            assert abs(pl.p_value(again.z[0], again.z[1:]) - one_step) <= 0.1
    # multiples of 1 / 100 are as good as continuous for 120 of them
    assert kstest(np.array(p) - 0.005, "uniform").pvalue > 0.01
    assert kstest(scores, norm.cdf).pvalue > 0.01


def test_planted_effect_is_far_from_that_of_shuffled_candidates(planted, null):
    found = electjax.calm.placebo(planted, **OPTIONS, permutations=199, seed=1)
    assert found["p_value"] == pytest.approx(1 / 200)
    assert abs(found["permuted_mean"]) < 0.5 * found["permuted_sd"]
    assert found["z"] > abs(found["permuted_z"]).max()
    assert found["eta_fit"] == pytest.approx(PLANTED["caste"], abs=3 * float(found["eta_fit_se"]))
    again = electjax.calm.placebo(planted, **OPTIONS, permutations=19, seed=1, refit=True)
    assert again["p_value"] == pytest.approx(1 / 20)
    assert again["eta"] == pytest.approx(float(found["eta_fit"]), abs=1e-6)
    assert "more than chance" in found.attrs["finding"]
    assert "more than chance" in again.attrs["finding"]
    assert electjax.calm.placebo(null, **OPTIONS, permutations=99, seed=1)["p_value"] > 0.05


def test_placebo_says_what_cannot_be_shuffled(planted):
    alike = planted.copy(deep=True)
    alike["candidate_category"].loc[{"axis": "income"}] = "Low"
    with pytest.raises(ElectionDataError, match="all have the same income"):
        electjax.calm.placebo(alike, **OPTIONS, axis="income")
    with pytest.raises(ElectionDataError, match=r"calm.placebo\(axis=\).*did you mean caste"):
        electjax.calm.placebo(planted, **OPTIONS, axis="cast")
    with pytest.raises(ElectionDataError, match=r"calm.placebo\(within=\)"):
        electjax.calm.placebo(planted, **OPTIONS, within="caste")
    with pytest.raises(ElectionDataError, match="no candidate affinity"):
        electjax.calm.placebo(planted, **OPTIONS, use_candidate_affinity=False)


# ------------------------------------------------------------------------------------ held-out booths


def test_paired_difference_is_that_of_a_ratio_of_sums():
    rng = np.random.default_rng(0)
    without, with_it, cluster = rng.gamma(2.0, size=40), rng.gamma(2.0, size=40), np.repeat(np.arange(8), 5)
    found = dg.paired(without, with_it, np.full(40, 2.0), cluster)
    means = (without - with_it).reshape(8, 5).mean(axis=1) / 2  # of equal sizes: the mean of the clusters' means
    assert found.gain == pytest.approx(means.mean()) == pytest.approx(found.without - found.with_it)
    assert found.se == pytest.approx(means.std(ddof=1) / np.sqrt(8))
    alone = dg.paired(without, with_it, np.full(40, 2.0), np.zeros(40, int))
    assert alone.se == pytest.approx((without - with_it).std(ddof=1) / 2 / np.sqrt(40))


def test_folds_hold_every_booth_out_once():
    area = np.array([0] * 7 + [1] * 4 + [2])
    fold = folds_of(area, 3, jax.random.key(0))
    assert (fold[area < 2] >= 0).all()
    assert fold[-1] == -1
    counts = [np.bincount(fold[area == a], minlength=3) for a in (0, 1)]
    assert all(c.max() - c.min() <= 1 for c in counts)


def test_unseen_booths_get_the_mean_effect_of_their_constituency(planted):
    setting = setting_of(planted, options_of(OPTIONS))
    out = np.arange(48) % 8 == 0
    fit = setting.solve(setting.posed(out))
    assert np.abs(np.asarray(fit.point.groups)[out]).max() < 1e-8  # nothing but the penalty holds them
    effects = np.array(fit.point.groups)
    for a in range(6):
        own = setting.area == a
        effects[own & out] = effects[own & ~out].mean(axis=0)
    lost = unseen_losses(fit.point, fit.problem, setting.design)
    by_hand = fitted(fit.point._replace(groups=jnp.asarray(effects)), fit.problem, setting.design)
    votes, shares = np.asarray(setting.booths.votes), np.asarray(by_hand.shares)
    np.testing.assert_allclose(lost.party, (votes * np.log(votes / setting.votes[:, None] / shares)).sum(1), rtol=1e-6)
    observed, t = np.asarray(setting.booths.polled) / setting.electors, np.asarray(by_hand.turnout)
    bce = -(observed * np.log(t / observed) + (1 - observed) * np.log((1 - t) / (1 - observed)))
    np.testing.assert_allclose(lost.turnout, setting.electors * bce, rtol=1e-6, atol=1e-7)


def test_held_out_booths_gain_by_planted_affinity_only(planted, null):
    found = electjax.calm.holdout(planted, **OPTIONS, folds=4)
    assert found["gain_z"].sel(measure="KL") > 3
    assert found["held_out"].all()
    assert found.attrs["fits"] == 9
    assert "better" in found.attrs["finding"]
    np.testing.assert_allclose(
        found["loss"].sel(model="without") - found["loss"].sel(model="with"), found["gain"], atol=1e-12
    )
    size = planted["votes"].sum("party").values
    np.testing.assert_allclose(
        np.average(found["booth_gain"].sel(measure="KL"), weights=size), found["gain"].sel(measure="KL")
    )
    nothing = electjax.calm.holdout(null, **OPTIONS, folds=4)
    assert nothing["gain_z"].sel(measure="KL") < 2
    assert nothing["gain"].sel(measure="KL") < 0.1 * found["gain"].sel(measure="KL")
    once = electjax.calm.holdout(planted, **OPTIONS, share=0.25, seed=2)
    assert once["held_out"].groupby(planted["booth_constituency"]).sum().values.tolist() == [2] * 6
    assert np.isnan(once["booth_gain"].where(~once["held_out"], drop=True)).all()


@pytest.mark.ci
def test_held_out_booths_gain_by_planted_mobilisation_only(null):
    found = electjax.calm.mobilisation(simulated(xi=2.5), **OPTIONS, folds=4)
    assert found["gain_z"].sel(measure="BCE") > 2
    assert "better" in found.attrs["finding"]
    assert found["xi"] == pytest.approx(2.5, abs=3 * float(found["xi_se"]))
    nothing = electjax.calm.mobilisation(null, **OPTIONS, folds=4)
    assert nothing["gain_z"].sel(measure="BCE") < 2
    assert nothing["xi"] == pytest.approx(0.0, abs=3 * float(nothing["xi_se"]))


def test_splits_that_make_no_sense_are_refused(planted):
    for wrong in ({"share": 0.0}, {"share": 1.0}, {"folds": 1}):
        with pytest.raises(ElectionDataError, match=next(iter(wrong))):
            electjax.calm.holdout(planted, **OPTIONS, **wrong)
    with pytest.raises(ElectionDataError, match="no constituency has two booths"):
        electjax.calm.holdout(planted.isel(booth=slice(None, None, 8)), **OPTIONS)


# ------------------------------------------------------------------------------------ rho


def test_planted_rho_is_recovered():
    """Estimates from one set of booths scatter by about 0.1 around 0.2, and by about 0.04 around 0.7."""
    for rho, sets, error in ((0.2, 3, 0.1), (0.7, 1, 0.04)):
        planted = [simulated(eta=PLANTED | {"age": 1.5}, proximity={"age": rho}, seed=seed) for seed in range(sets)]
        found = [
            electjax.calm.rho_curve(booths, **OPTIONS, values=(0.0, 0.2, 0.45, 0.7, 0.95), folds=2)
            for booths in planted
        ]
        refined = np.mean([float(one["refined"]) for one in found])
        assert refined == pytest.approx(rho, abs=3 * error / np.sqrt(sets))
        assert np.median([float(one["best_objective"]) for one in found]) == pytest.approx(rho)
        assert np.mean([float(one["best"]) for one in found]) == pytest.approx(rho, abs=0.2)
        assert found[0]["excess"].sel(proximity=found[0]["best"]) == 0
        assert f"{float(found[0]['best']):g} for age" in found[0].attrs["finding"]


def test_rho_is_of_ordinal_axes(planted):
    with pytest.raises(ElectionDataError, match="kernel of 'religion' is match"):
        electjax.calm.rho_curve(planted, **OPTIONS, axis="religion")
    with pytest.raises(ElectionDataError, match=r"numbers in \[0, 1\]"):
        electjax.calm.rho_curve(planted, **OPTIONS, values=(0.5, 1.5))


# ------------------------------------------------------------------------------------ stability


def test_spread_of_groups_is_judged_rightly(planted):
    """The same eta everywhere: Q is chi-squared, and the estimates of groups scatter as their errors say."""
    draw, rng = Redraw(planted, np.array(list(PLANTED.values()))), np.random.default_rng(2)
    setting, group = draw.setting, np.array([0, 0, 1, 1, 2, 2])[draw.setting.area]
    q, z, start = [], [], None
    for _ in range(60):
        fit = draw(rng).solve(setting.posed(), start)
        start = fit.point
        parts = dg.group_etas(fit.point, fit.problem, setting.design, group, 3)
        assert (parts.degrees == 2).all()
        q.append(parts.q)
        z.append((parts.eta - draw.eta[0]) / parts.se)
    q, z = np.array(q), np.array(z)
    # 60 replicates of mean 2 and variance 4, and of mean square 1 and variance 2
    assert (abs(q.mean(axis=0) - 2) < 4 * np.sqrt(4 / 60)).all()
    assert (abs((z**2).mean(axis=0) - 1) < 4 * np.sqrt(2 / 60)).all()
    assert kstest(chi2.sf(q, 2).ravel(), "uniform").pvalue > 0.01


@pytest.mark.ci
def test_leaving_groups_out_in_one_step_is_near_to_refits(planted):
    pairs = planted.assign_coords(pair=("booth", np.arange(48) // 2))  # small parts of the whole
    found, quick = (electjax.calm.stability(pairs, **OPTIONS, by="pair", refit=refit) for refit in (True, False))
    assert dict(found.sizes) == {"axis": 4, "group": 24}
    assert found.attrs["fits"] == 25
    moved, guessed = (d["without"] - d["eta"] for d in (found, quick))
    assert np.corrcoef(moved.values.ravel(), guessed.values.ravel())[0, 1] > 0.95
    assert 0.7 < float(guessed.std() / moved.std()) < 1.05  # errs on the small side, as 57 parameters lean on 48 booths
    np.testing.assert_array_equal(found["group_eta"], quick["group_eta"])
    label = dict(
        zip(planted["constituency"].values.tolist(), ["2013", "2013", "2013", "2015", "2015", "2015"], strict=True)
    )
    halves = electjax.calm.stability(planted, **OPTIONS, by=label)
    assert halves["group"].values.tolist() == ["2013", "2015"]
    # of two halves, leaving one out is fitting the other alone
    np.testing.assert_allclose(halves["alone"].values, halves["without"].values[::-1], atol=1e-6)
    coordinate = planted.assign_coords(election=("constituency", list(label.values())))
    np.testing.assert_array_equal(
        electjax.calm.stability(coordinate, **OPTIONS, by="election")["alone"], halves["alone"]
    )


def test_groups_that_differ_are_found():
    booths = simulated(eta_sd=0.4)
    found = electjax.calm.stability(booths, **OPTIONS, refit=False)
    assert found["Q_p_value"].min() < 1e-3
    assert found["I2"].max() > 0.5
    assert "differs between groups by more" in found.attrs["finding"]
    with pytest.raises(ElectionDataError, match="no grouping 'electon'"):
        electjax.calm.stability(booths, **OPTIONS, by="electon")
    with pytest.raises(ElectionDataError, match="found 1 group"):
        electjax.calm.stability(booths, **OPTIONS, by=dict.fromkeys(booths["constituency"].values.tolist(), "all"))


# ------------------------------------------------------------------------------------ collinearity, penalties


@pytest.mark.ci
def test_collinearity_is_told_in_words(planted):
    found = electjax.calm.collinearity(planted)
    assert found["rank_with"] - found["rank_without"] == 4
    assert found["identified"].all()
    assert (found["variance_inflation_booths"] >= 1).all()
    assert "tell every component" in found.attrs["finding"]
    one = planted.isel(booth=planted["booth_constituency"].values == planted["constituency"].values[0])
    alone = electjax.calm.collinearity(one.sel(constituency=planted["constituency"].values[:1]))
    assert alone["rank_with"] == alone["rank_without"]
    assert not alone["identified"].any()
    assert np.isinf(alone["variance_inflation"]).all()
    assert "the penalty chooses alone" in alone.attrs["finding"]
    assert electjax.calm.collinearity(planted, affinity="party")["identified"].dims == ("party", "axis")


@pytest.mark.ci
def test_penalties_are_chosen_on_held_out_booths(planted):
    given = options_of({"lambda_beta": 1000.0, "lambda_eta": 50.0, "holdout": 0.125})
    chosen = choose_penalties(planted, given)
    assert chosen.penalties == "given"
    assert chosen.lambda_T == 1.0
    assert chosen.lambda_beta < 1000.0
    asked = [{n: getattr(o, n) for n in ("lambda_eta", "lambda_beta", "lambda_b")} for o in (given, chosen)]
    before, after = (
        electjax.calm.holdout(planted, **penalties, folds=4)["loss"].sel(model="with") for penalties in asked
    )
    assert after.sel(measure="KL") < before.sel(measure="KL")
    with pytest.raises(ElectionDataError, match="no constituency has a booth to spare"):
        choose_penalties(planted.isel(booth=slice(None, None, 8)), given)


@pytest.mark.ci
def test_penalties_move_while_the_loss_falls(planted):
    setting = setting_of(planted, options_of({"lambda_beta": 0.5}))
    out = (np.arange(48) % 8 < 2)[None]
    found = search_penalties(setting.booths, setting.frame, setting.hyper, setting.design, out, chunk=48)
    assert found.names == ("lambda_eta", "lambda_beta", "lambda_b")
    np.testing.assert_allclose(found.tried[0], [0.01, 0.5, setting.options.lambda_b])
    values = [float(getattr(found.hyper, name)) for name in found.names]
    chosen = found.loss[np.isclose(found.tried, values).all(axis=1)]
    assert chosen.size == 1  # nothing is fitted twice
    assert chosen[0] <= found.loss[0]
    steps = np.log10(np.array(values) / found.tried[0])
    np.testing.assert_allclose(steps * 2, np.round(steps * 2), atol=1e-9)
    # in each direction the last half step gained less than what is worth a move
    near = (np.abs(np.log10(found.tried / np.array(values))).sum(axis=1) < 0.6) & (found.loss < chosen[0] - LEAST)
    assert not near.any()
    held = setting.posed(out[0])
    fit = setting.solve(held)
    lost = unseen_losses(fit.point, fit.problem, setting.design)
    assert found.loss[0] == pytest.approx(float(np.asarray(lost.turnout + lost.party)[:48][out[0]].sum()), rel=1e-4)


def test_fit_and_diagnostics_agree_on_eta(planted):
    """The errors of `eta_of` are those of the inverse information."""
    setting = setting_of(planted, options_of(OPTIONS))
    fit = setting.solve(setting.posed())
    eta, error = eta_of(fit, setting)
    inverse = np.linalg.inv(information(fit.point, fit.problem, setting.design).shared)
    place = eta_place(fit.problem, setting.design)
    np.testing.assert_allclose(error, np.sqrt(np.diag(inverse))[place : place + 4], rtol=1e-6)
    assert (abs(eta - list(PLANTED.values())) < 4 * error).all()
