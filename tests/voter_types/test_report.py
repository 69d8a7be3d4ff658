"""Tables and figures of voter types, from one small fit."""

import numpy as np
import pytest
import xarray as xr

import electjax
from electjax.data.errors import ElectionDataError


@pytest.fixture(scope="module")
def fit():
    """The truth of generated ballots as a fit, with errors and memberships made up."""
    ballots = electjax.voter_types.yuma_like(voters=50)
    rng = np.random.default_rng(0)
    mu, share = ballots["true_mu"].copy(), ballots["true_pi"]
    mu[:, 3, 1] = np.nan  # on no ballot
    return xr.Dataset(
        {
            "pi": share,
            "pi_low": share - 0.1,
            "pi_high": share + 0.1,
            "mu": mu,
            "mu_se": mu / 10,
            "at_boundary": mu < 0.05,
            "zeta": (("profile", "type"), rng.dirichlet(np.ones(share.size) / 4, 40)),
            "profile_weight": ("profile", rng.integers(1, 9, 40)),
            "maxima_log_likelihood": ("maximum", [-10.0, -13.5]),
            "maxima_starts": ("maximum", [7, 2]),
        },
        coords={"option_label": ballots["option_label"]},
        attrs={"level": 0.95},
    )


def test_a_summary_has_every_probability_under_its_label(fit):
    table = electjax.voter_types.summary(fit)
    assert table.index.names == ["type", "office", "option"]
    assert len(table) == int(fit["mu"].notnull().sum())
    sheriff = fit.isel(type=1).sel(office="Sheriff")
    for code, label in enumerate(("abstain", "split", "straight")):
        row = table.loc[(sheriff["type"].item(), "Sheriff", label)]
        assert row["probability"] == float(sheriff["mu"][code])
        assert row["se"] == float(sheriff["mu_se"][code])
        assert row["share_high"] == float(sheriff["pi_high"])
        assert row["share"] == float(sheriff["pi"])
        assert row["at_boundary"] == bool(sheriff["at_boundary"][code])
    plain = electjax.voter_types.summary(fit[["mu", "pi"]].drop_vars("option_label"))
    assert list(plain.columns) == ["probability", "share"]
    assert plain.index.get_level_values("option").unique().tolist() == ["0", "1", "2"]


@pytest.mark.parametrize("kind", ["propensities", "shares", "sharpness", "maxima"])
def test_figures_of_a_fit_have_names(fit, kind):
    assert electjax.voter_types.plot(fit, kind).axes


def test_figures_of_other_results_are_found_by_what_they_hold():
    count = {name: ("types", [3.0, 1.0, 2.0]) for name in ("bic", "aic")}
    figure = electjax.voter_types.plot(xr.Dataset(count, coords={"types": [1, 2, 3]}))
    assert figure.axes[0].get_xlabel() == "number of types"
    offices = {"office": ["a", "b"], "office_": ["a", "b"]}
    values = xr.Dataset({"bivariate": (("office", "office_"), [[np.nan, 2.0], [2.0, np.nan]])}, coords=offices)
    assert [text.get_text() for text in electjax.voter_types.plot(values).axes[0].texts] == ["2.0", "2.0"]


def test_what_is_no_fit_is_one_line(fit):
    with pytest.raises(ElectionDataError, match=r"voter_types.summary: found something else; expected the result of"):
        electjax.voter_types.summary(fit[["pi"]])
    with pytest.raises(ElectionDataError, match=r"found 'share'; expected one of .* did you mean shares"):
        electjax.voter_types.plot(fit, "share")
