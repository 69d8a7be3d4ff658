"""Prediction, other candidates, bootstrap and chains from a CALM fit, on generated booths."""

import json
import warnings
from dataclasses import replace

import jax
import numpy as np
import pandas as pd
import pytest
import xarray as xr

import electjax
from electjax.calm.basis import basis_of, free_spread
from electjax.calm.model.bootstrap import draw_weights
from electjax.calm.model.estimate import information, newton
from electjax.calm.model.heads import contrast
from electjax.calm.model.integrate import integrated
from electjax.calm.model.problem import value
from electjax.calm.model.uncertainty import laplace, laplace_covariance, reported
from electjax.calm.options import read_options
from electjax.calm.verbs import nuts as mcmc
from electjax.calm.verbs.fit import fit_arrays
from electjax.calm.verbs.predict import predict
from electjax.data.errors import ElectionDataError
from electjax.numerics.arrow import begin
from electjax.numerics.host import double_precision
from electjax.numerics.laplace import draw
from tests.calm.by_hand import options_of

AXES = {
    "age": {"categories": ["Young", "Middle", "Old"], "kernel": "ordinal"},
    "religion": {"categories": ["Hindu", "Muslim"]},
    "caste": {"categories": ["General", "OBC"], "within": {"religion": "Hindu"}},
}
OPTIONS = {"coding": "reference", "lambda_beta": 1.0, "lambda_eta": 1.0, "mobilisation": "previous"}
DRAWS = 40


@pytest.fixture(scope="module")
def booths():
    return electjax.calm.simulate(
        "tiny", constituencies=4, booths=5, parties=["A", "B", "C"], axes=AXES, xi=0.3, seed=3
    )


@pytest.fixture(scope="module")
def fit(booths):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        return electjax.calm.fit(booths, **OPTIONS)


@pytest.fixture(scope="module")
def drawn(fit, booths):
    return predict(fit, booths, draws=DRAWS)


def other(booths, place, party, axis):
    """A category of the axis that the candidate does not have."""
    own = booths["candidate_category"].sel(constituency=place, party=party, axis=axis).item()
    return next(label for label in AXES[axis]["categories"] if label != own)


def test_booths_of_the_fit_come_out_as_fitted(fit, booths, drawn):
    np.testing.assert_allclose(drawn["turnout"], fit["fitted_turnout"], rtol=1e-12)
    np.testing.assert_allclose(drawn["share"], fit["fitted_share"].transpose("booth", "party"), rtol=1e-12)
    np.testing.assert_allclose(drawn["votes"].sum("party"), booths["electors"] * drawn["turnout"])
    totals = drawn["votes"].groupby("booth_constituency").sum()
    np.testing.assert_allclose(drawn["constituency_votes"], totals.rename(booth_constituency="constituency"))
    assert drawn["known"].all()
    assert drawn.attrs["jointly_drawn_booths"] == booths.sizes["booth"]


def test_intervals_hold_the_estimate_and_are_as_wide_as_the_scatter_of_a_well_known_booth(fit, booths, drawn):
    for name in ("turnout", "share", "votes", "constituency_votes"):
        inside = (drawn[f"{name}_low"] <= drawn[name]) & (drawn[name] <= drawn[f"{name}_high"])
        assert inside.mean() > 0.95
    # booth effects follow the totals: the share is not known better than the votes say, and not much worse
    share, polled = drawn["share"], booths["polled"]
    chance = np.sqrt(share * (1 - share) / polled)
    width = (drawn["share_high"] - drawn["share_low"]) / (2 * 1.96 * chance)
    assert 0.5 < width.median() < 1.1


def test_votes_do_not_matter_at_the_estimate_but_do_for_the_width(fit, booths, drawn):
    fewer = booths.assign(votes=booths["votes"] * 0, polled=booths["polled"] * 0)
    found = predict(fit, fewer, draws=DRAWS)
    np.testing.assert_allclose(found["share"], drawn["share"], rtol=1e-12)
    assert found.attrs["jointly_drawn_booths"] == 0
    wide, narrow = (x["share_high"] - x["share_low"] for x in (found, drawn))
    assert wide.mean() > 1.2 * narrow.mean()


def test_unseen_booths_have_the_mean_effects_of_their_constituency(fit, booths, drawn):
    label = booths["booth"].values[0]
    strange = booths.assign_coords(booth=["new", *booths["booth"].values[1:]])
    found = predict(fit, strange, draws=DRAWS)
    assert found["known"].values.tolist() == [False] + [True] * (booths.sizes["booth"] - 1)
    assert found.attrs["unseen_booths"] == 1
    mean = predict(fit, booths, booth_effects="mean")
    np.testing.assert_allclose(found["turnout"][0], mean["turnout"].sel(booth=label))
    np.testing.assert_allclose(found["share"][0], mean["share"].sel(booth=label))
    np.testing.assert_allclose(found["share"][1:], drawn["share"][1:], rtol=1e-12)
    # what booths of a constituency differ by is in the interval
    wide, narrow = ((x["share_high"] - x["share_low"])[0].mean() for x in (found, drawn))
    assert wide > 1.5 * narrow


def test_unseen_constituencies_have_no_effects(fit, booths):
    names = booths["constituency"].values.tolist()
    renamed = booths.assign_coords(
        constituency=["elsewhere", *names[1:]],
        booth=[f"x{i}" for i in range(booths.sizes["booth"])],
        booth_constituency=(
            "booth",
            [("elsewhere" if name == names[0] else str(name)) for name in booths["booth_constituency"].values],
        ),
    )
    found, zero = (predict(fit, renamed, booth_effects=rule) for rule in ("known", "zero"))
    first = (renamed["booth_constituency"] == "elsewhere").values
    np.testing.assert_allclose(found["share"][first], zero["share"][first])
    assert np.abs(found["share"] - zero["share"])[~first].max() > 1e-3
    assert json.loads(found.attrs["unseen_constituencies"]) == ["elsewhere"]
    assert "has not seen elsewhere" in found.attrs["verdict_reasons"]


def test_prediction_by_hand(fit, booths):
    """Without booth effects, a booth of one cell has the turnout and the shares of calm.md sections 0, 3 and 4."""
    sizes = booths["cell_size"].values * 0
    sizes[0, 4], sizes[1:, 0] = 100, 50
    one = booths.assign(
        cell_size=(("booth", "cell"), sizes), votes=booths["votes"] * 0, polled=booths["polled"] * 0
    ).drop_vars("electors")
    found = predict(fit, one, booth_effects="zero")
    place, axes, parties = booths["booth_constituency"].values[0], booths["axis"].values.tolist(), "ABC"
    here = dict(zip(axes, booths["cell_category"].values[4].tolist(), strict=True))
    x = np.isin(fit["feature"].values, [f"{axis}[{label}]" for axis, label in here.items()]).astype(float)
    g, ages = np.zeros((3, 3)), AXES["age"]["categories"]
    for k, party in enumerate(parties):
        own = dict(zip(axes, booths["candidate_category"].sel(constituency=place, party=party).values, strict=True))
        apart = abs(ages.index(own["age"]) - ages.index(here["age"]))
        hindus = own["religion"] == here["religion"] == "Hindu"
        g[k] = [1 - apart / 2, own["religion"] == here["religion"], hindus and own["caste"] == here["caste"]]
    order = [axes.index(name) for name in ("age", "religion", "caste")]
    mean, sd = fit["g_mean"].values[order], fit["g_sd"].values[order]
    g = (g - mean) / sd
    covariates = (booths["covariate_value"].values[0] - fit["covariate_mean"].values) / fit["covariate_sd"].values
    x[-len(covariates) :] = covariates
    utility = fit["gamma"].values + x @ fit["beta_P"].values + g @ fit["eta"].values[order]
    share = np.exp(utility) / np.exp(utility).sum()
    np.testing.assert_allclose(found["share"].values[0], share, rtol=1e-10)
    weight = booths["previous"].values[0]
    m = (weight / weight.sum()) @ g.mean(axis=1)
    logit = fit["alpha"].item() + x @ fit["beta_T"].values + fit["xi"].item() * m
    np.testing.assert_allclose(found["turnout"].values[0], 1 / (1 + np.exp(-logit)), rtol=1e-10)


def test_prediction_refuses_booths_of_another_kind(fit, booths):
    with pytest.raises(ElectionDataError, match="party 'C' is only in the fit"):
        predict(fit, booths.assign_coords(party=["A", "B", "X"]).isel(party=[0, 1]).pipe(_refit_votes))
    gone = electjax.calm.simulate(
        "tiny", constituencies=2, booths=2, parties=["A", "B", "C"], axes={"age": AXES["age"]}
    )
    with pytest.raises(ElectionDataError, match="the axes differ from the fit's in caste"):
        predict(fit, gone)
    odd = booths.copy(deep=True)
    odd["candidate_category"] = odd["candidate_category"].astype("U9")
    odd["candidate_category"][0, 0, 0] = "Ancient"
    with pytest.raises(ElectionDataError, match="unknown category 'Ancient'"):
        predict(fit, odd)
    with pytest.raises(ElectionDataError, match="no CALM fit"):
        predict(booths, booths)
    with pytest.raises(ElectionDataError, match=r"predict\(booth_effects=\).*'some'"):
        predict(fit, booths, booth_effects="some")
    with pytest.raises(ElectionDataError, match="without standard errors"):
        predict(fit.drop_vars("theta_covariance"), booths, draws=5)


def _refit_votes(booths):
    """Votes that add up again once a party is gone."""
    return booths.assign(polled=booths["votes"].sum("party"))


def test_the_same_candidates_change_exactly_nothing(fit, booths):
    place, party = "C02", "B"
    own = booths["candidate_category"].sel(constituency=place, party=party)
    same = {place: {party: {str(axis): str(own.sel(axis=axis).item()) for axis in booths["axis"].values}}}
    found = electjax.calm.counterfactual(fit, booths, candidates=same, draws=DRAWS)
    for name in ("votes", "seats", "constituency_votes", "constituency_share"):
        for end in ("", "_low", "_high"):
            assert (found[f"{name}_change{end}"] == 0).all()
    assert found["changed"].sum() == 1


def test_another_candidate_changes_what_prediction_of_changed_booths_says(fit, booths, drawn):
    place, party = "C02", "B"
    label = other(booths, place, party, "religion")
    found = electjax.calm.counterfactual(fit, booths, candidates={place: {party: {"religion": label}}}, draws=DRAWS)
    changed = booths.copy(deep=True)
    changed["candidate_category"].loc[{"constituency": place, "party": party, "axis": "religion"}] = label
    after = predict(fit, changed)["constituency_votes"]
    np.testing.assert_allclose(found["constituency_votes"].sel(scenario="after"), after, rtol=1e-9)
    np.testing.assert_allclose(found["constituency_votes"].sel(scenario="before"), drawn["constituency_votes"])
    gain = found["constituency_votes_change"]
    assert (gain.sel(constituency=["C01", "C03", "C04"]) == 0).all()
    assert (np.abs(gain.sel(constituency=place)) > 1e-3).all()
    np.testing.assert_allclose(found["votes_change"], gain.sum("constituency"))
    low, high = found["votes_change_low"], found["votes_change_high"]
    assert ((low <= found["votes_change"]) & (found["votes_change"] <= high)).all()
    # before and after share their draws: the difference is known better than either
    assert (high - low).sel(party="C") < (found["votes_high"] - found["votes_low"]).sel(party="C").min()
    assert (found["seats"].sum("party") == 4).all()
    np.testing.assert_allclose(found["p_win"].sum("party"), 1.0)


def test_a_candidate_who_withdraws_gets_no_votes(fit, booths):
    found = electjax.calm.counterfactual(fit, booths, candidates={"C01": {"A": None}}, draws=DRAWS)
    here = {"constituency": "C01", "party": "A", "scenario": "after"}
    for name in ("constituency_votes", "constituency_votes_low", "constituency_votes_high", "p_win"):
        assert found[name].sel(here) == 0
    assert (found["constituency_votes_change"].sel(constituency="C01", party=["B", "C"]) > 0).all()
    np.testing.assert_allclose(found["constituency_share"].sum("party"), 1.0)


def test_candidates_as_rows_or_a_file(fit, booths, tmp_path):
    named = {"C01": {"A": {"religion": "Muslim", "caste": None}}, "C03": {"C": {"religion": "Hindu", "caste": "OBC"}}}
    rows = pd.DataFrame(
        [("C01", "A", "Muslim", ""), ("C03", "C", "Hindu", "OBC")],
        columns=["constituency", "party", "religion", "caste"],
    )
    rows.to_csv(tmp_path / "candidates.csv", index=False)
    wanted = electjax.calm.counterfactual(fit, booths, candidates=named, draws=0)
    for given in (rows, tmp_path / "candidates.csv"):
        found = electjax.calm.counterfactual(fit, booths, candidates=given, draws=0)
        xr.testing.assert_equal(found, wanted)


@pytest.mark.parametrize(
    ("candidates", "message"),
    [
        ({"C9": {"A": None}}, "no constituency 'C9'"),
        ({"C01": {"AA": None}}, "no party 'AA'.*did you mean A"),
        ({"C01": {"A": {"cast": "OBC"}}}, "no axis 'cast'.*did you mean caste"),
        ({"C01": {"A": {"caste": "OBD"}}}, "unknown category 'OBD' of caste.*did you mean OBC"),
        ({"C01": dict.fromkeys("ABC")}, "nobody stands in 'C01'"),
        ({"C01": "A"}, "traits by party"),
        ({}, "traits by constituency and party"),
        ("nowhere.csv", "no file 'nowhere.csv'"),
        (pd.DataFrame({"constituency": ["C01"]}), "no column 'party'"),
        (pd.DataFrame({"constituency": ["C01"] * 2, "party": ["A"] * 2}), "'A' is there twice"),
    ],
)
def test_impossible_candidates_are_refused(fit, booths, candidates, message):
    with pytest.raises(ElectionDataError, match=message) as caught:
        electjax.calm.counterfactual(fit, booths, candidates=candidates, draws=0)
    assert "\n" not in str(caught.value)


def test_public_verbs_know_what_they_are_given(fit, booths, drawn):
    xr.testing.assert_equal(electjax.calm.predict(fit, booths, draws=DRAWS), drawn)
    with pytest.raises(ElectionDataError, match=r"calm\.predict\(runs=\): found 10; expected one of its options"):
        electjax.calm.predict(fit, booths, runs=10)
    with pytest.raises(ElectionDataError, match="no CALM fit"):
        electjax.calm.predict(booths, booths, draws=10)


@pytest.mark.parametrize("identification", ["sum_to_zero", "reference"])
@pytest.mark.parametrize("parties", [2, 3, 5])
def test_free_effects_have_the_standard_errors_of_the_parties(parties, identification):
    with double_precision():
        form = np.asarray(contrast(parties, identification))
    free = np.eye(parties - 1)
    same = np.sqrt(np.diag(form @ free @ form.T))
    mixed = np.sqrt(np.diag(form @ np.diag(np.linspace(1.0, 1.5, parties - 1)) @ form.T))
    root = free_spread(np.stack([same, mixed]), form)
    np.testing.assert_allclose(root[0] @ root[0].T, free, atol=1e-9)
    np.testing.assert_allclose(np.sqrt(np.diag(form @ root[1] @ root[1].T @ form.T)), mixed, rtol=1e-9)


@pytest.mark.ci
def test_replicates_are_integrated_where_the_fit_is(fit, booths):
    attrs = fit.attrs | {"options": replace(read_options(fit.attrs["options"]), integrate=True).json()}
    found, joint = (electjax.calm.bootstrap(x, booths, replicates=2, seed=1) for x in (fit.assign_attrs(attrs), fit))
    assert found.attrs["integrated"] == 1
    assert joint.attrs["integrated"] == 0
    with double_precision():
        basis = basis_of(fit, booths)
        area, weight = (np.asarray(x).ravel() for x in (basis.problem.booths.constituency, basis.problem.booths.weight))
        drawn = draw_weights(jax.random.fold_in(jax.random.key(1), 0), area, weight > 0)
        rows = jax.numpy.asarray(drawn.reshape(basis.problem.booths.weight.shape))
        own = basis.problem._replace(booths=basis.problem.booths._replace(weight=rows))
        at = newton(own, begin(basis.point), basis.design, 1e-8, 200).point
        moved = integrated(at, own, basis.design, information(at, own, basis.design))
        before, after = (reported(x.shared, own, basis.design) for x in (at, moved))
    np.testing.assert_allclose(joint["beta_T"][0], before.beta_T, atol=1e-6)
    np.testing.assert_allclose(found["beta_T"][0], after.beta_T, atol=1e-6)
    assert np.abs(found["beta_T"] - joint["beta_T"]).max() > 1e-4


def test_bootstrap_of_booths(fit, booths):
    found = electjax.calm.bootstrap(fit, booths, replicates=12, seed=1)
    assert found["converged"].all()
    assert found["eta"].dims == ("replicate", "axis")
    np.testing.assert_allclose(found["eta_se"], found["eta"].std("replicate", ddof=1))
    # as wide as the other errors, which include what the penalties leave open
    ratio = (found["eta_se"] / fit["eta_se"]).mean().item()
    assert 0.2 < ratio < 1.5
    fewer = electjax.calm.bootstrap(fit, booths, replicates=3, seed=1)
    np.testing.assert_allclose(fewer["eta"], found["eta"][:3], rtol=1e-12)
    with pytest.raises(ElectionDataError, match="is only in the fit"):
        electjax.calm.bootstrap(fit, booths.isel(booth=slice(1, None)))
    with pytest.raises(ElectionDataError, match=r"replicates=\).*at least 2"):
        electjax.calm.bootstrap(fit, booths, replicates=1)


def test_chains_need_blackjax_and_a_proper_posterior(booths, monkeypatch):
    with pytest.raises(ElectionDataError, match=r"tower=\): found 2"):
        mcmc.nuts(booths, tower=2)
    with pytest.raises(ElectionDataError, match=r"chains=\): found 0"):
        mcmc.nuts(booths, chains=0)
    monkeypatch.setattr(mcmc, "find_spec", lambda name: None)
    with pytest.raises(ElectionDataError, match=r"blackjax is not installed.*electjax\[mcmc\]"):
        mcmc.nuts(booths)


@pytest.mark.slow
def test_chains_have_the_moments_of_the_posterior():
    """Against importance sampling from the normal approximation, which is exact but for Monte Carlo error."""
    booths = electjax.calm.simulate(
        "tiny",
        constituencies=5,
        booths=4,
        parties=["A", "B", "C"],
        axes=AXES,
        correlation_T=0.0,
        correlation_P=0.0,
        seed=4,
    )
    options = {"coding": "reference", "lambda_beta": 2.0, "lambda_eta": 1.0, "booth_effects": False}
    tree = mcmc.nuts(booths, draws=1000, chains=2, warmup=300, **options)
    posterior, told = tree["posterior"], tree["diagnostics"]
    assert posterior.attrs["r_hat"] < 1.02
    assert posterior.attrs["diverging"] == 0
    assert set(tree.children) == {"posterior", "sample_stats", "diagnostics", "observed_data", "constant_data"}

    fitted, number = fit_arrays(booths, options_of(options)), 8000
    with double_precision():
        found, design = fitted.found, fitted.options.design
        normal = laplace(found.point, fitted.information, laplace_covariance(fitted.information))
        drawn = jax.vmap(lambda key: draw(key, normal))(jax.random.split(jax.random.key(1), number))
        height = jax.lax.map(lambda at: -value(at, found.problem, design), drawn, batch_size=100)
        steps = np.linalg.solve(normal.root, np.asarray(drawn.shared - found.point.shared).T)
        log_weight = np.asarray(height) + 0.5 * (steps**2).sum(axis=0)
        values = jax.vmap(lambda vector: reported(vector, found.problem, design))(drawn.shared)
    weight = np.exp(log_weight - log_weight.max())
    weight /= weight.sum()
    assert 1 / (weight**2).sum() > 0.1 * number  # the approximation is good enough to be corrected
    for name in ("alpha", "beta_T", "gamma", "beta_P", "eta"):
        exact = np.asarray(getattr(values, name))
        mean = np.tensordot(weight, exact, axes=1)
        error = np.sqrt(np.tensordot(weight**2, (exact - mean) ** 2, axes=1))
        spread = np.sqrt(np.tensordot(weight, (exact - mean) ** 2, axes=1))
        mcse = spread / np.sqrt(told[f"{name}_ess"].values)
        gap = posterior[name].mean(("chain", "draw")).values - mean
        assert np.abs(gap / np.sqrt(error**2 + mcse**2)).max() < 4.5
        # with 20 booths the posterior is skewed a little: Laplace errors are right to a third
        ratio = posterior[name].std(("chain", "draw")).values / exact.std(axis=0)
        assert 0.75 < ratio.min() <= ratio.max() < 4 / 3
