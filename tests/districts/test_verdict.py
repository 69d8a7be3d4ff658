"""What makes a calibration doubtful, and how grave it is; who carries the verdict on."""

import json

import numpy as np
import pytest
import xarray as xr

import electjax
from electjax.data.verdict import LEVELS, verdict_of
from electjax.districts.verdict import is_posterior, tied, verdict_on


def made(draws: int = 400, spread: float = 0.02, **attrs) -> xr.Dataset:
    """A calibration of one parameter, good unless the attributes say otherwise."""
    rng = np.random.default_rng(0)
    told = {"model": "dpm", "method": "smc", "stopped": "tolerance reached", "tolerance": 0.5, "tolerance_asked": 0.5}
    return xr.Dataset(
        {
            "gamma": ("draw", np.clip(rng.normal(0.5, spread, draws), 0, 1)),
            "optimal_gamma": 0.5,
            "prior_gamma": ("prior_draw", rng.uniform(size=1000)),
            "weight": ("draw", np.full(draws, 1 / draws)),
            "distance": ("draw", np.linspace(0, 0.5, draws)),
        },
        attrs=told | {"election": "here", "simulations": 900, "optimal_distance": 0.2} | attrs,
    )


SPENT = {"tolerance_asked": 0.5, "stopped": "budget spent"}
DOUBTS = [
    (made(), "good", ""),
    (made(**SPENT, tolerance=0.8), "with care", "budget was spent before .* within 0.8 .* asked for was 0.5.*budget="),
    (made(**SPENT, tolerance=1.2), "not usable", "best found, no posterior"),
    (made(tolerance=0.7, stopped="no gain"), "with care", "widen priors= or take another model"),
    (made(tolerance=0.7, stopped="generations"), "with care", "raise generations="),
    (made(tolerance=2.0, tolerance_asked=0.0, stopped="budget spent"), "with care", r"while the tolerance still fell"),
    (made(method="explore_exploit"), "with care", "method='smc' gives a posterior"),
    (made(not_finite=0.2), "with care", "not finite in 20.0% .* statistics="),
    (made(draws=80), "with care", "80 draws are worth 80 independent ones"),
    (made(draws=20), "not usable", "only the best parameters"),
    (made(beyond=2), "with care", "districts.check"),
    (made(spread=3.0), "with care", r"Not identified \(contraction below 25%\): gamma"),
    (made(optimal_distance=3.0), "with care", "3.0 tolerances from the election"),
    (made(ties=json.dumps(["North", "South"])), "with care", "Tied in the returns: North, South"),
    (made().assign(trace_r_hat=1.02, trace_divergences=0), "with care", "largest R-hat is 1.020"),
    (made().assign(trace_r_hat=1.2, trace_divergences=3), "not usable", "3 transitions diverged"),
    (made().isel(draw=slice(0)), "not usable", "Nothing was accepted"),
]


@pytest.mark.parametrize(("fit", "level", "says"), DOUBTS, ids=[says[:20] for _, _, says in DOUBTS])
def test_each_doubt_has_a_level_and_a_sentence(fit, level, says):
    found = verdict_on(fit)
    assert found.level == level
    assert len(found.reasons) == (level != "good")
    if says:
        with pytest.raises(ValueError, match=says):
            raise ValueError(found.reasons[0])


def test_all_levels_happen():
    assert {level for _, level, _ in DOUBTS} == set(LEVELS)


def test_the_best_found_is_no_posterior():
    assert is_posterior(made())
    assert not is_posterior(made(method="explore_exploit"))
    assert not is_posterior(made(**SPENT, tolerance=0.51))
    assert is_posterior(made(method="exact", tolerance=0.0, tolerance_asked=0.0, stopped="exact"))


def test_ties_are_those_of_the_two_strongest():
    parties = ["A", "B", "C"]
    votes = [[5, 5, 1], [7, 2, 2], [1, 4, 4]]
    with pytest.warns(electjax.ElectionDataWarning, match="tied"):
        election = electjax.districts.dataset(votes, districts=["X", "Y", "Z"], parties=parties)
    assert tied(election) == ["X", "Z"]
    assert tied(electjax.districts.load("odisha2019_loksabha")) == []


def test_what_rests_on_a_calibration_carries_its_verdict():
    election = electjax.districts.uniform({"A": 0.55, "B": 0.45}, districts=20, electors=20_000)
    how = {"method": "explore_exploit", "budget": 256, "accept": 50, "tolerance": 0.01, "seed": 1}
    with pytest.warns(electjax.ElectionDataWarning, match=r"calibrate\(model='dm'\): The budget was spent"):
        fit = electjax.districts.calibrate(election, "dm", **how)
    assert fit.attrs["simulations"] <= 256
    found = verdict_of(fit.attrs)
    assert found.level == "not usable"
    assert repr(fit).splitlines()[1].startswith("NOT USABLE: The budget was spent")
    assert "no posterior" in repr(fit).splitlines()[3]
    prediction = electjax.districts.predict(fit, election, runs=8)
    for result in (
        prediction,
        electjax.districts.counterfactual(fit, election, {"less": {"swing": {"A": -0.1}}}, runs=8),
        electjax.districts.check(fit, election, prediction=prediction),
        electjax.districts.identifiability(fit),
        electjax.districts.sensitivity(fit),
    ):
        assert verdict_of(result.attrs) == found
        assert len(repr(result).splitlines()) < 8
    assert "best draws of DM" in prediction.attrs["about"]
    plain = electjax.districts.simulate(election, "dm", runs=8)
    assert verdict_of(plain.attrs) is None
    assert "8 elections of uniform simulated with DM" in repr(plain)
    assert not repr(election).startswith("<electjax")
