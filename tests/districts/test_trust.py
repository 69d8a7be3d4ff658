"""Trust checks: exact posteriors pass, wrong ones are found out; one posterior's checks; recovery."""

import numpy as np
import pytest
import xarray as xr
from scipy import stats

import electjax
from electjax import ElectionDataError
from electjax.districts.abc import trust
from electjax.districts.report.posterior import coverage_curve, rank_histogram, tarp_curve
from electjax.districts.results import scalars
from electjax.districts.verbs.sbc import coverage, sbc, tarp
from electjax.districts.verbs.trust import identifiability

REPLICATES, DRAWS = 600, 99
RHO = 0.8  # of the two dimensions of the posterior


def conjugate(*, shift=0.0, spread=1.0, rho=RHO, replicates=REPLICATES, draws=DRAWS, seed=0, weighted=False):
    """A recovery with normal prior and normal data: the exact posterior, or one shifted, stretched or decorrelated.

    Truth theta ~ N(0, C), data y = theta + noise of the same law: theta | y ~ N(y / 2, C / 2).
    """
    rng = np.random.default_rng(seed)
    root = np.linalg.cholesky([[1, RHO], [RHO, 1]])
    truth = rng.standard_normal((replicates, 2)) @ root.T
    mean = (truth + rng.standard_normal((replicates, 2)) @ root.T) / 2
    own = np.linalg.cholesky([[1, rho], [rho, 1]])
    scale = 1.5 if weighted else 1.0  # a wider proposal, and importance weights back to the posterior
    z = scale * rng.standard_normal((replicates, draws, 2))
    weight = np.exp(-0.5 * (z**2 * (1 - 1 / scale**2)).sum(axis=2))
    values = mean[:, None] + np.sqrt(0.5) * (shift + spread * z @ own.T)
    return xr.Dataset(
        {
            "a": (("replicate", "draw"), values[..., 0]),
            "b": (("replicate", "draw", "party"), values[..., 1:]),
            "truth_a": ("replicate", truth[:, 0]),
            "truth_b": (("replicate", "party"), truth[:, 1:]),
            "weight": (("replicate", "draw"), weight / weight.sum(axis=1, keepdims=True)),
        },
        coords={"party": ["X"]},
        attrs={"model": "conjugate"},
    )


# ------------------------------------------------------------------------------------------- pure checks


def test_ranks_of_the_exact_posterior_are_uniform_whatever_the_number_of_draws():
    rng = np.random.default_rng(1)
    for draws in (1, 2, 10):
        everything = rng.standard_normal((20_000, draws + 1))
        rank = trust.fractional_ranks(everything[:, 1:], np.ones((20_000, draws)), everything[:, 0], rng)
        assert stats.kstest(rank, "uniform").pvalue > 1e-3


def test_ranks_of_discrete_values_are_uniform_by_random_ties():
    rng = np.random.default_rng(2)
    everything = rng.integers(0, 3, (20_000, 6)).astype(float)
    rank = trust.fractional_ranks(everything[:, 1:], np.ones((20_000, 5)), everything[:, 0], rng)
    assert stats.kstest(rank, "uniform").pvalue > 1e-3


def test_ranks_by_hand():
    draws, weight = np.array([[1.0, 2.0, 3.0, np.nan]]), np.array([[0.5, 0.25, 0.25, 0.0]])
    rng = np.random.default_rng(3)
    rank = trust.fractional_ranks(draws, weight, np.array([2.5]), rng)
    own = 0.25 + 2 * 0.0625
    assert 0.75 / (1 + own) <= rank[0] <= (0.75 + own) / (1 + own)


@pytest.mark.parametrize(("number", "level"), [(50, 0.9), (500, 0.95)])
def test_bands_hold_uniform_values_as_often_as_they_say(number, level):
    rng = np.random.default_rng(4)
    points = np.arange(1, 40) / 40
    band, bars = trust.ecdf_band(number, points, level), trust.histogram_band(number, 10, level)
    sample = rng.random((4000, number))
    cdf = (
        (np.sort(sample)[:, :, None] <= points).sum(axis=1)
        if number < 100
        else np.stack([np.searchsorted(np.sort(row), points, side="right") for row in sample])
    )
    counts = np.stack([np.histogram(row, 10, (0, 1))[0] for row in sample])
    for held, edge in ((cdf, band), (counts, bars)):
        share = ((held >= edge.low) & (held <= edge.high)).all(axis=1).mean()
        # counts are whole: bands may hold a little more than asked for
        assert level - 4 * np.sqrt(level * (1 - level) / 4000) <= share <= level + 0.04


def test_quantiles_are_those_of_repeated_draws_and_hold_the_next_draw_as_often_as_they_say():
    values, weight = np.array([3.0, 1.0, 2.0]), np.ones(3) / 3
    np.testing.assert_allclose(trust.weighted_quantiles(values, weight, np.array([0.25, 0.5, 0.75])), [1, 2, 3])
    rng = np.random.default_rng(5)
    sample = rng.exponential(size=(4000, 20))
    low, high = trust.central_intervals(sample[:, 1:, None], np.ones((4000, 19)), np.array([0.9]))
    held = ((low[:, 0, 0] <= sample[:, 0]) & (sample[:, 0] <= high[:, 0, 0])).mean()
    assert abs(held - 0.9) < 3 * np.sqrt(0.09 / 4000)


def test_weighted_quantiles_agree_with_the_law_behind_the_weights():
    rng = np.random.default_rng(6)
    values = 2 * rng.standard_normal(50_000)
    weight = np.exp(-0.5 * values**2 * (1 - 1 / 4))
    found = trust.weighted_quantiles(values, weight, np.array([0.05, 0.5, 0.95]))
    ess = weight.sum() ** 2 / (weight**2).sum()
    expected = stats.norm.ppf([0.05, 0.5, 0.95])
    error = np.sqrt([0.0475, 0.25, 0.0475]) / stats.norm.pdf(expected) / np.sqrt(ess)
    assert (np.abs(found - expected) < 4 * error).all()


def test_contraction_of_known_laws():
    rng = np.random.default_rng(7)
    prior, flat = np.exp(rng.random(5000)), np.ones(5000)
    assert abs(trust.contraction(np.exp(rng.random(5000)), flat, prior)) < 4 * np.sqrt(0.8 * 2 / 5000)
    # a fifth of the prior's range on the prior's scale, whatever the scale of the parameter
    assert trust.contraction(np.exp(0.4 + 0.2 * rng.random(5000)), flat, prior) == pytest.approx(0.96, abs=0.005)
    ends = np.exp(np.repeat([0.001, 0.999], 2500))
    assert trust.contraction(ends, flat, prior) == pytest.approx(-2.0, abs=0.05)


# ----------------------------------------------------------------------------- checks of whole recoveries


@pytest.mark.parametrize("weighted", [False, True])
def test_the_exact_posterior_passes_every_check(weighted):
    recovery = conjugate(weighted=weighted)
    ranks, intervals, balls = sbc(recovery), coverage(recovery), tarp(recovery)
    assert list(ranks["parameter"].values) == ["a", "b X"]
    assert (ranks["p_chi2"] > 0.01).all()
    assert (ranks["p_ks"] > 0.01).all()
    assert ((ranks["ecdf"] >= ranks["ecdf_low"]) & (ranks["ecdf"] <= ranks["ecdf_high"])).all()
    assert ((ranks["count"] >= ranks["count_low"]) & (ranks["count"] <= ranks["count_high"])).all()
    level = intervals["level"]
    error = np.sqrt(level * (1 - level) / REPLICATES)
    assert (abs(intervals["coverage"] - level) < 3 * error).all()
    # posterior sd is sqrt(1/2) of the prior's
    np.testing.assert_allclose(intervals["width"].sel(level=[0.5, 0.8, 0.9]), np.sqrt(0.5), rtol=0.12)
    assert float(balls["p_ks"]) > 0.01
    assert float(balls["p_chi2"]) > 0.01
    assert ((balls["coverage"] >= balls["low"]) & (balls["coverage"] <= balls["high"])).all()


@pytest.mark.parametrize("wrong", [{"spread": 0.7}, {"spread": 1.4}, {"shift": 0.35}])
def test_wrong_posteriors_are_found_out(wrong):
    recovery = conjugate(**wrong)
    ranks, intervals = sbc(recovery), coverage(recovery)
    p = np.minimum(ranks["p_chi2"], ranks["p_ks"])
    assert (p < 1e-4).all()
    assert ((ranks["ecdf"] < ranks["ecdf_low"]) | (ranks["ecdf"] > ranks["ecdf_high"])).any("point").all()
    held = intervals["coverage"].sel(level=0.8)
    if wrong.get("spread", 1.0) < 1:
        assert (held < intervals["low"].sel(level=0.8)).all()
    elif "spread" in wrong:
        assert (held > intervals["high"].sel(level=0.8)).all()


@pytest.mark.parametrize("wrong", [{"spread": 0.7}, {"spread": 1.4}, {"rho": -RHO}])
def test_tarp_sees_width_and_the_dependence_that_ranks_miss(wrong):
    recovery = conjugate(**wrong)
    balls = tarp(recovery)
    assert min(float(balls["p_ks"]), float(balls["p_chi2"])) < 1e-3
    if "rho" in wrong:
        assert (sbc(recovery)["p_ks"] > 0.01).all()
    elif wrong["spread"] < 1:  # too narrow: balls of high credibility hold the truth too seldom
        high = balls["coverage"].sel(credibility=0.9, method="nearest")
        assert float(high) < float(balls["low"].sel(credibility=0.9, method="nearest"))


def test_checks_keep_their_level():
    """Of 200 right methods about 1 in 100 has a p-value below .01."""
    p = [[*(float(v) for v in trust.uniformity(np.random.default_rng(seed).random(400)))] for seed in range(200)]
    assert stats.kstest(np.array(p)[:, 1], "uniform").pvalue > 1e-3
    assert stats.kstest(np.array(p)[:, 0], "uniform").pvalue > 1e-3


def test_few_replicates_have_no_chi_square_test_and_padding_changes_nothing():
    recovery = conjugate(replicates=30)
    assert np.isnan(sbc(recovery)["p_chi2"]).all()
    padded = recovery.pad(draw=(0, 7), constant_values={"weight": 0.0, "a": np.nan, "b": np.nan})
    xr.testing.assert_allclose(sbc(padded)["fractional_rank"], sbc(recovery)["fractional_rank"])
    xr.testing.assert_allclose(tarp(padded)["fractional_rank"], tarp(recovery)["fractional_rank"])
    xr.testing.assert_allclose(coverage(padded), coverage(recovery))


def test_what_is_no_recovery_is_said_to_be_none():
    recovery = conjugate(replicates=5)
    with pytest.raises(ElectionDataError, match=r"recovery '': no 'weight'; expected weight\(replicate, draw\)"):
        sbc(recovery.drop_vars("weight"))
    with pytest.raises(ElectionDataError, match="no truth_<parameter>"):
        sbc(recovery.drop_vars(["truth_a", "truth_b"]))
    with pytest.raises(ElectionDataError, match="'electjax election'; expected one of: recovery"):
        sbc(electjax.districts.load("us2020"))
    with pytest.raises(ElectionDataError, match=r"levels=\): found \[0.5, 1.0\]; expected numbers between 0 and 1"):
        coverage(recovery, levels=[0.5, 1.0])


def test_figures_show_what_the_checks_found():
    recovery = conjugate(replicates=100)
    figure = rank_histogram(sbc(recovery))
    assert [ax.get_title().split("\n")[0] for ax in figure.axes if ax.get_title()] == ["a", "b X"]
    line = coverage_curve(coverage(recovery)).axes[0].lines[-1]
    np.testing.assert_allclose(line.get_ydata(), coverage(recovery)["coverage"].values[-1])
    assert "KS p" in tarp_curve(tarp(recovery)).axes[0].get_title()


# ------------------------------------------------------------------------------------ one posterior's checks


def posterior(*, sd=0.1, slope=0.0, draws=400, seed=0):
    """Draws whose mean moves with the distance by `slope`, under a uniform prior; sigma of Y is not identified."""
    rng = np.random.default_rng(seed)
    far = np.sort(rng.random(draws))
    sigma = 5.0 + np.stack([0.5 + slope * far + sd * rng.standard_normal(draws), rng.random(draws)], axis=1)
    return xr.Dataset(
        {
            "sigma": (("draw", "party"), sigma),
            "optimal_sigma": ("party", [5.5, 5.5]),
            "prior_sigma": (("prior_draw", "party"), 5.0 + rng.random((2000, 2))),
            "weight": ("draw", np.full(draws, 1 / draws)),
            "distance": ("draw", far),
        },
        coords={"party": ["X", "Y"]},
        attrs={"model": "sim", "election": "made up", "options": "{}", "fixed_parameters": "{}"},
    )


def test_identifiability_names_what_was_not_learnt():
    found = identifiability(posterior())
    assert list(found["identified"].values) == [True, False]
    assert float(found["contraction"].sel(parameter="sigma X")) == pytest.approx(1 - 12 * 0.01, abs=0.03)
    assert abs(float(found["contraction"].sel(parameter="sigma Y"))) < 0.1
    assert str(found["said"].values[1]).startswith("sigma Y: not identified, contraction")
    given = posterior().assign(contraction_sigma=("party", [0.03, 0.5]))
    assert str(identifiability(given)["said"].values[0]) == "sigma X: not identified, contraction 3 %"


def test_tolerance_sensitivity_sees_a_posterior_that_still_moves():
    still, moving = electjax.districts.sensitivity(posterior()), electjax.districts.sensitivity(posterior(slope=1.0))
    assert (np.diff(still["epsilon"]) < 0).all()
    np.testing.assert_allclose(still["share"], [1.0, 0.75, 0.5, 0.35, 0.25, 0.15, 0.1], atol=0.005)
    tight = int(still["draws"][-1])
    assert abs(float(still["drift"].sel(parameter="sigma X"))) < 4 / np.sqrt(tight)
    # from 1/2 to 1/20 of the way on average
    gap = moving["mean"].sel(parameter="sigma X")
    assert float(gap[-1] - gap[0]) == pytest.approx(-0.45, abs=4 * 0.1 / np.sqrt(tight))
    assert float(moving["drift"].sel(parameter="sigma X")) < -3
    few = electjax.districts.sensitivity(posterior(draws=40))
    assert float(few["ess"].min()) >= 20


def test_tolerance_sensitivity_shows_both_sides_of_an_adjustment():
    raw = posterior(slope=1.0)
    adjusted = raw.assign(unadjusted_sigma=raw["sigma"], sigma=raw["sigma"] - raw["distance"])
    found = electjax.districts.sensitivity(adjusted)
    assert abs(float(found["drift"].sel(parameter="sigma X"))) < 1
    gap = found["unadjusted_mean"].sel(parameter="sigma X")
    assert float(gap[-1] - gap[0]) < -0.3


def test_scalars_are_labelled_by_their_coordinates():
    labels, values = scalars(posterior(), ["sigma"], ("draw",))
    assert labels == ["sigma X", "sigma Y"]
    assert values.shape == (400, 2)


# ------------------------------------------------------------------------------------ recovery, and elections

CONCENTRATION = {"concentration": (1.0, 20.0)}


@pytest.fixture(scope="module")
def base():
    return electjax.districts.uniform({"A": 0.5, "B": 0.3, "C": 0.2}, districts=30, electors=60_000)


@pytest.fixture(scope="module")
def table(base):
    """Rejection with regression adjustment on 300 elections of DM, all from one table of simulations."""
    return electjax.districts.recover(
        base, "dm", replicates=300, seed=1, method="rejection", budget=16_384, accept=300, priors=CONCENTRATION
    )


def test_adjusted_rejection_recovers_known_parameters(table):
    ranks = sbc(table)
    assert (ranks["p_chi2"] > 0.01).all()
    assert (ranks["p_ks"] > 0.01).all()
    assert float(tarp(table)["p_ks"]) > 0.01
    held = coverage(table, levels=[0.9])
    assert abs(held["coverage"].item() - 0.9) < 3 * np.sqrt(0.09 / 300)
    assert held["width"].item() < 0.5  # and something was learnt
    assert stats.kstest(table["truth_concentration"].values, _prior_cdf).pvalue > 1e-3
    assert (table["seats"].sum("party") == 30).all()
    np.testing.assert_allclose(table["weight"].sum("draw"), 1.0)
    assert int(table["simulations"].sum()) == table.attrs["simulations"] == 16_384


def _prior_cdf(values):
    """DM's concentration is searched on its logarithm."""
    return np.log(values) / np.log(20.0)


def test_a_wide_tolerance_without_adjustment_is_caught(base):
    settings = {"replicates": 300, "seed": 1, "method": "rejection", "budget": 8192, "priors": CONCENTRATION}
    loose = electjax.districts.recover(base, "dm", accept=4096, tolerance=50.0, adjust="none", **settings)
    assert (sbc(loose)["p_chi2"] < 1e-4).all()
    held = coverage(loose, levels=[0.5])
    assert held["coverage"].item() > held["high"].item()  # posteriors are too wide


def test_a_shared_table_gives_what_own_tables_give(base, table):
    """The same elections, a table of their own each: means differ by Monte Carlo error alone."""
    settings = {"seed": 1, "method": "rejection", "budget": 16_384, "accept": 300, "priors": CONCENTRATION}
    own = electjax.districts.recover(base, "dm", replicates=4, share_table=False, **settings)
    np.testing.assert_array_equal(own["truth_concentration"], table["truth_concentration"][:4])
    np.testing.assert_array_equal(own["seats"], table["seats"][:4])
    for r in range(4):
        (mean, sd), (other, _) = (
            trust.moments(np.nan_to_num(found["concentration"].values[r]), found["weight"].values[r])
            for found in (own, table)
        )
        few = min(float(found["ess"][r]) for found in (own, table))
        assert abs(mean - other) < 4 * sd * np.sqrt(2 / few)


def test_sequential_calibrations_are_run_one_by_one(base):
    found = electjax.districts.recover(
        base, "dm", replicates=3, seed=2, budget=4000, accept=100, tolerance=1.0, priors=CONCENTRATION
    )
    assert (found["simulations"] <= 4000).all()
    assert len(np.unique(found["simulations"])) > 1
    for r in range(3):
        mean, sd = trust.moments(np.nan_to_num(found["concentration"].values[r]), found["weight"].values[r])
        assert abs(float(found["truth_concentration"][r]) - mean) < 4 * sd


@pytest.mark.slow
def test_vectors_and_exact_posteriors_can_be_checked(base):
    pcm = electjax.districts.recover(
        base, "pcm", replicates=2, seed=2, budget=2000, accept=100, tolerance=4.0, params={"prior_mass": 30.0}
    )
    assert pcm["eta"].dims == ("replicate", "draw", "party")
    assert pcm["truth_eta"].dims == ("replicate", "party")
    assert list(sbc(pcm)["parameter"].values) == ["eta A", "eta B", "eta C"]
    exact = electjax.districts.recover(
        base, "dm", replicates=100, seed=3, method="exact", accept=100, priors=CONCENTRATION
    )
    assert (sbc(exact)["p_ks"] > 0.01).all()
    assert exact.sizes["draw"] == 100
    held = coverage(exact, levels=[0.9])
    assert abs(held["coverage"].item() - 0.9) < 3 * np.sqrt(0.09 / 100)
    # no method knows more than the likelihood
    rejected = electjax.districts.recover(
        base, "dm", replicates=100, seed=3, method="rejection", budget=16_384, accept=300, priors=CONCENTRATION
    )
    assert held["width"].item() < coverage(rejected, levels=[0.9])["width"].item()


@pytest.mark.slow
def test_a_statistic_of_ones_own_is_recovered_on(base):
    found = electjax.districts.recover(
        base, "dm", replicates=60, seed=4, method="rejection", budget=4096, accept=200, statistics="log_votes",
        pilot=1024, priors=CONCENTRATION,
    )  # fmt: skip
    assert (sbc(found)["p_ks"] > 0.01).all()
    assert found.attrs["statistics"] == "log_votes"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"method": "abc"}, "found 'abc'; expected one of exact, explore_exploit, rejection, smc"),
        ({"replicates": 1}, "found 1; expected a whole number of at least 2"),
        ({"adjust": "cubic"}, "found 'cubic'; expected one of linear, heteroscedastic, none"),
        ({"method": "rejection", "summaries": "learned"}, "share_table=False"),
        ({"method": "rejection", "quantile": 0.5}, r"recover\(quantile=\): found 0.5; expected one of the options"),
        ({"statistics": "seat"}, "found 'seat'; expected paper, log_votes, or a function"),
    ],
)
def test_bad_settings_of_a_recovery_are_named(base, change, said):
    with pytest.raises(ValueError, match=said):
        electjax.districts.recover(base, "dm", **change)


@pytest.mark.slow
def test_a_posterior_check_passes_the_right_model_and_fails_the_wrong_one(base):
    run = electjax.districts.simulate(base, "dm", {"concentration": 3.0}, runs=1, seed=3).isel(run=0)
    election = electjax.districts.dataset(
        run["votes"].values, districts=list(run["district"].values), parties=list("ABC"), attrs={"name": "known"}
    )
    posterior = electjax.districts.calibrate(election, "dm", method="rejection", budget=8192, accept=200, tolerance=1.5)
    right = electjax.districts.check(posterior, election, runs=400)
    assert (right["p_two_sided"] > 0.01).all()
    assert right["fitted"].sel(statistic="seats A")
    assert not right["fitted"].sel(statistic="gallagher")
    observed = electjax.districts.outcomes(election)
    assert float(right["observed"].sel(statistic="least margin")) == pytest.approx(float(observed["margin"].min()))
    assert float(right["observed"].sel(statistic="gallagher")) == pytest.approx(float(observed["gallagher"]))
    # a model that makes all districts alike
    alike = electjax.districts.simulate(election, "dm", {"concentration": 1000.0}, runs=400, seed=1)
    wrong = electjax.districts.check(posterior, election, prediction=alike)
    assert float(wrong["p_two_sided"].sel(statistic="swm")) < 0.01
    assert float(wrong["p"].sel(statistic="mwm")) == 0.0
    fields = identifiability(posterior)
    assert bool(fields["identified"].item())
