"""Whether a fit, and what rests on one, can be relied on: every reason and every level, each from what causes it."""

import json

import numpy as np
import pytest
import xarray as xr

import electjax
from electjax.calm import verdict
from electjax.calm.diagnostics.holdout import unclear
from electjax.calm.model.diagnose import Paired
from electjax.data.verdict import Verdict, verdict_of
from tests.calm.made import made_fit

GOOD = {"model": "recommended", "integrate": True}


@pytest.fixture(scope="module")
def booths():
    return electjax.calm.simulate("tiny")


def told(booths, **given) -> Verdict:
    """The verdict on a fit made by hand."""
    return verdict_of(made_fit(booths, **(GOOD | given)).attrs)


def test_a_fit_without_a_fault_is_good(booths):
    fit = made_fit(booths, **GOOD)
    assert verdict_of(fit.attrs) == Verdict("good")
    lines = repr(fit).splitlines()
    assert (
        lines[1]
        == "CALM, recommended model, generated: 40 booths in 4 constituencies, 1 parameters; converged in 3 steps"
    )
    assert lines[2] == "verdict: good"


def test_what_did_not_converge_is_not_usable(booths):
    found = told(booths, attrs={"converged": 0})
    assert found.level == "not usable"
    assert "did not converge in 3 steps: raise max_steps" in found.reasons[0]
    assert repr(made_fit(booths, **GOOD, attrs={"converged": 0})).splitlines()[1].startswith("NOT USABLE: ")


def test_eta_that_the_penalty_chooses_is_named(booths):
    found = told(booths, values={"identified": ("axis", [True, False, True, True])}, attrs={"rank": 3})
    assert found.level == "with care"
    assert found.reasons[0].startswith("Not identified: eta[religion].")


def test_parameters_without_a_standard_error_are_named(booths):
    found = told(booths, values={"gamma_se": ("party", [0.1, np.nan, 0.1, 0.1])})
    assert found.reasons[0].startswith(
        "Not identified, and without a standard error: gamma[BJP]; give penalties above 0"
    )


def test_a_two_tower_term_takes_part_in_what_eta_does(booths):
    assert "leave tower out" in told(booths, tower=1).reasons[0]


def test_a_party_without_a_vote_is_separation(booths):
    share = (booths["votes"] / booths["polled"]).transpose("booth", "party").values.copy()
    share[:, 2] = 0.0
    (reason,) = told(booths, values={"observed_share": (("booth", "party"), share)}).reasons[:1]
    assert reason.startswith("Separation: not a vote for INC.")
    here = booths["booth_constituency"].values == "C02"
    share[~here, 2] = 0.1
    effects = {"effect_P": (("constituency", "party"), np.zeros((4, 4)))}
    (reason,) = told(booths, values={"observed_share": (("booth", "party"), share)} | effects).reasons[:1]
    assert "not a vote for INC in C02." in reason


def test_a_coefficient_that_runs_away_is_separation(booths):
    found = told(booths, values={"gamma": ("party", [0.1, -12.0, 0.1, 0.1])})
    assert found.reasons[0].startswith("Separation: gamma[BJP] = -12.0 log odds")
    assert found.level == "with care"


def test_a_dispersion_at_its_boundary_has_no_interval(booths):
    found = told(booths, values={"rho_T": 1e-9, "rho_P": 0.01})
    assert found.reasons == (
        "The dispersion of the turnout is at its boundary, 0 (rho_T = 1e-09): its interval says nothing;"
        " overdispersed=False leaves it out.",
    )


def test_booths_that_scatter_more_than_the_model_has_it(booths):
    seen = (booths["polled"] / booths["electors"]).values
    away = {"fitted_turnout": ("booth", seen + 0.05 * np.where(np.arange(40) % 2, 1, -1))}
    how = {"booth_effects": False, "overdispersed": False}
    (reason,) = told(booths, values=away, **how).reasons
    assert "as much in the turnout as the model has it" in reason
    assert "overdispersed=True, or errors='sandwich'" in reason
    assert not [r for r in told(booths, values=away, errors="sandwich", **how).reasons if "scatter" in r]
    wide = told(booths, values={"b_T": ("booth", np.tile([1.0, -1.0], 20))}, booth_effects=True)
    assert (
        "Booth effects on the turnout have a standard deviation of 1.00, and lambda_b = 8 assumes 0.25"
        in wide.reasons[0]
    )


def test_the_literal_model_says_how_to_integrate(booths):
    found = told(booths, model="literal", integrate=None)
    assert found == Verdict("with care", (verdict.JOINT,))
    assert "integrate=True" in verdict.JOINT
    assert told(booths, model="literal", integrate=True).level == "good"


def test_errors_that_cannot_be_believed(booths):
    few = told(booths, errors="sandwich")
    assert few.reasons[0].startswith("Sandwich errors from 4 constituencies are too small more often than not")
    assert told(booths, errors="none").reasons == (verdict.NO_ERRORS,)
    assert "no log-likelihood" in told(booths, lambda_T=2.0).reasons[0]


def test_booths_that_polled_nothing_are_counted(booths):
    seen = (booths["polled"] / booths["electors"]).values.copy()
    seen[:3] = 0
    found = told(booths, values={"observed_turnout": ("booth", seen)})
    assert found.reasons[-1].startswith("3 of 40 booths polled no votes and count as a turnout of 0")


def test_a_change_that_rests_on_what_is_not_identified_is_not_usable(booths):
    blind = made_fit(booths, **GOOD, values={"identified": ("axis", [True, False, True, True])}, attrs={"rank": 3})
    (doubt,) = verdict.of_changes(blind, {"C01": {"BJP": {"religion": "Muslim"}}})
    assert doubt.level == "not usable"
    assert "eta of religion, which is not identified" in doubt.reason
    assert verdict.of_changes(blind, {"C01": {"BJP": {"age": "18-25"}, "AAP": None}}) == []
    without = blind.drop_vars(["eta", "identified"])
    assert verdict.of_changes(without, {"C01": {"BJP": {"age": "18-25"}}})[0].level == "not usable"


def test_what_rests_on_a_fit_carries_its_verdict_on(booths):
    fit = made_fit(booths)
    found = verdict.on_a_fit(fit, verdict.of_places(["New", "Newer"]))
    assert found.level == "with care"
    assert found.reasons[0] == verdict.JOINT
    assert "has not seen New, Newer" in found.reasons[1]
    assert verdict.of_places([]) == []


def test_replicates_and_chains_that_do_not_come_to_an_end(booths):
    done = np.ones(200, bool)
    assert verdict.of_replicates(done) == []
    done[:20] = False
    assert "20 of 200 replicates did not converge" in verdict.of_replicates(done)[0].reason
    assert verdict.of_replicates(done[:21])[0].level == "not usable"
    assert "replicates=100" in verdict.of_replicates(done[150:])[0].reason
    fit = made_fit(booths)
    assert verdict.of_chains(fit, r_hat=1.0, ess=500.0, diverging=0) == Verdict("good")
    assert verdict.of_chains(fit, r_hat=1.02, ess=500.0, diverging=0).level == "with care"
    assert verdict.of_chains(fit, r_hat=1.2, ess=500.0, diverging=3).level == "not usable"
    assert "12 effective draws" in verdict.of_chains(fit, r_hat=1.0, ess=12.0, diverging=0).reasons[0]


def test_a_term_that_does_not_help_is_said():
    def said(z: float) -> str:
        return " ".join(doubt.reason for doubt in unclear("Held-out booths", "the candidates", "KL", paired(z)))

    def paired(z: float) -> Paired:
        return Paired(0.0, 0.0, z, 1.0)

    assert said(3.0) == ""
    assert "make no clear difference to the KL" in said(1.0)
    assert "leave them out" in said(-3.0)


def test_a_real_fit_that_is_stopped_says_so_and_keeps_it_in_its_file(booths, tmp_path):
    with pytest.warns(UserWarning, match="did not converge in 1 steps"):
        fit = electjax.calm.fit(booths, model="recommended", errors="none", max_steps=1)
    again = electjax.calm.load(electjax.calm.save(fit, tmp_path / "fit.nc"))
    assert repr(again) == repr(fit)
    assert verdict_of(again.attrs).level == "not usable"
    assert json.loads(again.attrs["verdict_reasons"])[-1] == verdict.NO_ERRORS
    assert isinstance(again, xr.Dataset)
