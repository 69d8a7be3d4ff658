"""Tables and figures of voter types, from one small fit."""

from typing import get_args

import numpy as np
import pytest
import xarray as xr

import electjax
from electjax.data.errors import ElectionDataError
from electjax.data.verdict import Verdict, attrs_of
from electjax.voter_types.describing import describe
from electjax.voter_types.report import page
from electjax.voter_types.verbs.plot import Kind


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
    table = electjax.voter_types.summary(fit, show=False)
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
    plain = electjax.voter_types.summary(fit[["mu", "pi"]].drop_vars("option_label"), show=False)
    assert list(plain.columns) == ["probability", "share"]
    assert plain.index.get_level_values("option").unique().tolist() == ["0", "1", "2"]


def test_what_is_printed_begins_with_the_verdict_and_describes_the_types(fit, capsys):
    doubtful = fit.assign_attrs(about="4 types", **attrs_of(Verdict("not usable", ("It stopped.",))))
    electjax.voter_types.summary(doubtful)
    lines = capsys.readouterr().out.splitlines()
    assert lines[:2] == ["NOT USABLE: It stopped.", "4 types"]
    assert lines[3].startswith(
        "Type 1 (44 % of the voters): mostly vote a straight ticket in all 16 offices (95 % on average)."
    )
    assert lines[-1] == "per cent of a type's voters, where all options are on the ballot"
    electjax.voter_types.summary(fit, show=False)
    assert capsys.readouterr().out == ""


def test_shares_and_membership_are_tables_of_their_own(fit):
    shares = electjax.voter_types.summary(fit, part="shares", show=False)
    assert list(shares.columns) == ["share", "low", "high", "voters", "does"]
    gamma = xr.DataArray([[0.0, 0, 0, 0], [0.0, 2.0, -1.0, 0.5]], dims=("term", "type"))
    terms = {"gamma": gamma, "gamma_se": xr.full_like(gamma, 0.5)}
    coefficients = electjax.voter_types.summary(
        fit.assign(terms).assign_coords(term=["intercept", "age"]), part="membership", show=False
    )
    row = coefficients.loc[(fit["type"].values[1], "age")]
    assert row["estimate"] == 2.0
    assert row["z"] == 4.0
    assert row["p"] == pytest.approx(6.33e-5, rel=1e-2)
    assert [row["low"], row["high"]] == pytest.approx([2 - 0.98, 2 + 0.98], abs=1e-4)
    with pytest.raises(ElectionDataError, match=r"summary\(part=\): found 'votes'; expected one of types, shares"):
        electjax.voter_types.summary(fit, part="votes")


@pytest.mark.parametrize("kind", ["propensities", "shares", "sharpness", "maxima"])
def test_figures_of_a_fit_have_names(fit, kind):
    assert all(ax.figure.axes for ax in np.ravel(electjax.voter_types.plot(fit, kind)))


def test_every_figure_of_the_report_is_a_kind_of_plot():
    assert set(page._FIGURES) == set(get_args(Kind))


def test_figures_of_other_results_are_found_by_what_they_hold():
    count = {name: ("types", [3.0, 1.0, 2.0]) for name in ("bic", "aic")}
    axes = electjax.voter_types.plot(xr.Dataset(count, coords={"types": [1, 2, 3]}))
    assert axes.get_xlabel() == "number of types"
    offices = {"office": ["a", "b"], "office_": ["a", "b"]}
    values = xr.Dataset({"bivariate": (("office", "office_"), [[np.nan, 2.0], [2.0, np.nan]])}, coords=offices)
    assert [text.get_text() for text in electjax.voter_types.plot(values).texts] == ["2.0", "2.0"]


def made(mu, labels, shares=(0.6, 0.4), **coords):
    """A fit of these probabilities, [type, office, option]."""
    mu = np.array(mu, float)
    return xr.Dataset(
        {"mu": (("type", "office", "option"), mu), "pi": ("type", list(shares))},
        coords={
            "type": np.arange(len(mu)) + 1,
            "office": [f"office {j + 1}" for j in range(mu.shape[1])],
            "option_label": (("office", "option"), np.array(labels)),
            **coords,
        },
    )


def test_types_are_described_by_what_they_do():
    parties = [["Blue", "Red", "no vote"]] * 4
    blue, red = [[0.9, 0.05, 0.05]], [[0.1, 0.7, 0.2]]
    first, second = describe(made([blue * 4, red * 3 + [[0.3, 0.1, 0.6]]], parties))
    assert str(first) == "Type 1 (60 % of the voters): mostly choose Blue in all 4 offices (90 % on average)."
    assert second.does == ("mostly choose Red in 3 of 4 offices (70 % on average); office 4: 60 % abstain (no vote)")
    names = [["Ann (D)", "Bob (R)"], ["Cy (D)", "Di (R)"]]
    first, second = describe(made([[[0.9, 0.1]] * 2, [[0.2, 0.8]] * 2], names))
    assert first.does == "mostly choose D in all 2 offices (90 % on average)"
    assert second.does == "mostly choose R in all 2 offices (80 % on average)"
    names = [["Ann", "Bob"], ["Cy", "Di"]]
    (first, second) = describe(made([[[0.9, 0.1], [0.5, 0.5]], [[0.2, 0.8], [0.5, 0.5]]], names))
    assert first.does == "office 1: 90 % choose Ann (of all voters 62 %)"
    assert second.does == "office 1: 80 % choose Bob (of all voters 38 %)"
    (alone,) = describe(made([[[0.9, 0.1], [0.5, 0.5]]], names, shares=(1.0,)))
    assert alone.does == "office 1: 90 % choose Ann; office 2: 50 % choose Cy"
    party = {"option_party": (("office", "option"), np.array([["D", "R"]] * 2))}
    assert describe(made([[[0.9, 0.1]] * 2, [[0.2, 0.8]] * 2], names, **party))[0].does.startswith("mostly choose D in")
    same = describe(made([[[0.9, 0.1], [0.5, 0.5]]] * 2, names))
    assert same[0].does == "like all voters: office 1: 90 % choose Ann; office 2: 50 % choose Cy"
    (one, _) = describe(made([[[0.9, 0.1]], [[0.2, 0.8]]], names[:1]))
    assert one.does == "90 % choose Ann; 10 % choose Bob"
    long = [["A" * 200, "B"], ["C" * 200, "D"]]
    assert f"choose {'A' * 59}… (of all voters" in describe(made([[[0.9, 0.1]] * 2, [[0.2, 0.8]] * 2], long))[0].does


def test_what_is_no_fit_is_one_line(fit):
    with pytest.raises(ElectionDataError, match=r"voter_types.summary: found something else; expected the result of"):
        electjax.voter_types.summary(fit[["pi"]])
    with pytest.raises(ElectionDataError, match=r"found 'share'; expected one of .* did you mean shares"):
        electjax.voter_types.plot(fit, "share")
