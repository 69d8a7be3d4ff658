"""What makes a result of voter types doubtful: every reason and every level, from one small fit and its like."""

import json

import numpy as np
import pytest
import xarray as xr

from electjax import voter_types
from electjax.data.verdict import Verdict, verdict_of
from electjax.voter_types.em.diagnose import Finding
from electjax.voter_types.verdict import (
    judge,
    judge_bootstrap,
    judge_prediction,
    judge_residuals,
    judge_selection,
    verdict_on,
    verdict_on_run,
)
from tests.voter_types.test_contracts import ballots, fit, result

GOOD = Verdict("good")


def like_the_fit(**attrs):
    """A fit that nothing speaks against, with other attributes."""
    found = fit().assign(maxima_starts=("maximum", np.full(fit().sizes["maximum"], 2)))
    fine = {
        "converged": 1,
        "entropy": 0.9,
        "sample": 2000.0,
        "parameters_free": 13,
        "errors": "information",
        "ridge": 0,
    }
    return found.assign_attrs(fine | attrs)


def test_a_fit_that_nothing_speaks_against_is_good():
    assert judge(like_the_fit()) == GOOD
    assert judge(like_the_fit(), [Finding("remark", "Nobody chose it.")]) == GOOD


@pytest.mark.parametrize(
    ("attrs", "level", "says"),
    [
        ({"converged": 0}, "not usable", "The search stopped before it converged: raise max_maps=."),
        (
            {"entropy": 0.45},
            "with care",
            "not told apart well (relative entropy 0.45): use the probabilities of predict",
        ),
        ({"sample": 50.0, "parameters_free": 13}, "with care", "There are 3.8 ballots for each parameter"),
        ({"sample": 50.0}, "with care", "voters ("),
        ({"errors": "none"}, "with care", "There are no standard errors: fit with errors='auto'"),
        ({"ridge": 0.5}, "with care", "A ridge of 0.5 pulls the slopes"),
    ],
)
def test_every_reason_is_said_with_what_to_do(attrs, level, says):
    found = judge(like_the_fit(**attrs))
    assert found.level == level
    assert any(says in reason for reason in found.reasons), found.reasons


def test_a_maximum_that_was_found_once_is_doubtful():
    few = like_the_fit().assign(maxima_starts=("maximum", np.full(fit().sizes["maximum"], 1)))
    (reason,) = judge(few).reasons
    assert reason == "Only one of 2 starts reached the best maximum: there may be a better one; raise restarts=."
    (reason,) = judge(few.isel(start=[0])).reasons
    assert reason.startswith("There was one start: whether there is a better maximum is not known")
    assert judge(few.isel(type=[0])) == GOOD  # the likelihood of one type has one maximum


def test_findings_of_the_arrays_come_with_their_levels():
    findings = [Finding("with care", "Not identified: this."), Finding("not usable", "Type 2 is empty.")]
    assert judge(like_the_fit(), findings) == Verdict("not usable", ("Type 2 is empty.", "Not identified: this."))


def test_a_real_fit_carries_its_verdict_and_says_it_first():
    found = fit()
    judged = verdict_of(found.attrs)
    assert judged == verdict_on(found)
    assert judged is not None
    lines = repr(found).splitlines()
    assert lines[0] == "<electjax voter types>"
    assert lines[1] == (f"{judged.level.upper()}: {judged.reasons[0]}" if judged.reasons else found.attrs["about"])
    assert found.attrs["about"].startswith("2 types of voters (")
    assert "in 200 ballots (yuma_like) with 3 offices; converged, best maximum of 2 starts reached by" in repr(found)
    for name in ("residuals", "bootstrap", "prediction"):
        other = verdict_of(result(f"voter types {name}").attrs)
        assert other is not None
        assert set(judged.reasons) <= set(other.reasons), name
    assert any("rest on 3 replicates" in reason for reason in verdict_of(result("voter types bootstrap").attrs).reasons)


@pytest.mark.ci
def test_a_real_fit_that_is_not_usable_warns():
    with pytest.warns(UserWarning, match="voter_types.fit, 6 types: not usable: "):
        found = voter_types.fit(ballots().isel(voter=slice(0, 6)), types=6, restarts=2, covariates=False)
    assert found.attrs["verdict"] == "not usable"


def test_a_comparison_says_where_it_ends():
    numbers = {"bic": [30.0, 20.0, 10.0], "converged": [True, True, True], "starts_at_best": [1.0, 1.0, 1.0]}
    rows = xr.Dataset(
        {name: ("types", values) for name, values in numbers.items()},
        coords={"types": [1, 2, 3]},
        attrs={"restarts": 4},
    )
    assert judge_selection(rows).reasons == ("BIC prefers 3 types, the largest number that was tried: try more.",)
    inside = rows.assign(bic=("types", [30.0, 10.0, 20.0]))
    assert judge_selection(inside) == GOOD
    stopped = judge_selection(inside.assign(converged=("types", [True, False, True])))
    assert stopped == Verdict("not usable", ("The search did not converge for 2 types: raise max_maps=.",))
    assert judge_selection(inside.assign(converged=("types", [True, True, False]))).level == "with care"
    (reason,) = judge_selection(inside.assign(starts_at_best=("types", [1.0, 0.25, 1.0]))).reasons
    assert reason == "At most one start reached the best maximum of 2 types, which BIC prefers: raise restarts=."


def test_what_rests_on_a_fit_adds_to_its_verdict():
    offices = {"office": ["Mayor", "Clerk"], "office_": ["Mayor", "Clerk"]}
    pairs = xr.Dataset({"bivariate": (("office", "office_"), [[np.nan, 25.0], [25.0, np.nan]])}, coords=offices)
    judged = judge_residuals(pairs, Verdict("not usable", ("Stopped.",)))
    assert judged.level == "not usable"
    assert "Mayor with Clerk (25)" in judged.reasons[1]
    assert judge_residuals(pairs / 25, GOOD) == GOOD
    draws = xr.Dataset({"converged": ("replicate", np.arange(200) % 4 > 0)})
    assert judge_bootstrap(draws, GOOD).reasons[0].startswith("25 % of the replicates did not converge")
    assert judge_bootstrap(draws.isel(replicate=draws["converged"].values), GOOD) == GOOD
    blurred = xr.Dataset({"zeta": (("voter", "type"), [[0.5, 0.5], [0.6, 0.4]])})
    assert "are not told apart well" in judge_prediction(blurred, GOOD).reasons[0]
    assert judge_prediction(blurred.isel(type=[0]) / blurred.isel(type=[0]), GOOD) == GOOD


def test_a_run_says_each_reason_once():
    told = {"verdict": "with care", "verdict_reasons": json.dumps(["One start."])}
    more = {"verdict": "with care", "verdict_reasons": json.dumps(["One start.", "Try more."])}
    tree = xr.DataTree.from_dict({"/fit": xr.Dataset(attrs=told), "/selection": xr.Dataset(attrs=more)})
    assert verdict_on_run(tree) == Verdict("with care", ("One start.", "Try more."))
