"""What makes an estimate doubtful: every reason, from real fits and from results changed on purpose."""

import json

import numpy as np
import pytest

import electjax
from electjax.data.verdict import verdict_of
from electjax.ecological.verdict import judge


@pytest.fixture(scope="module")
def fit():
    units = electjax.ecological.simulate(contests=2, units=60, rows=2, parties=2, fielded=1.0, voters=900, seed=2)
    return electjax.ecological.estimate(units, draws=20, contexts=(0.6, 0.65))


def test_a_fit_that_rests_on_nothing_doubtful_is_good(fit):
    assert judge(fit).level == "good"
    assert verdict_of(fit.attrs) == judge(fit)
    lines = repr(fit).splitlines()
    assert lines[0] == "<electjax estimate>"
    assert lines[1].startswith("who voted for whom in 2 contests with 120 units (")
    assert lines[2] == "verdict: good"


def test_a_saved_estimate_keeps_its_verdict(fit, tmp_path):
    assert repr(electjax.load(electjax.save(fit, tmp_path / "fit.nc"))) == repr(fit)


def test_groups_of_people_rest_on_the_assumed_exponent(fit):
    found = judge(fit.assign_attrs(rows="groups"))
    assert found.level == "with care"
    assert found.reasons[0].startswith("Rows are groups of people: the context exponent (0.6) is assumed")


def test_votes_that_move_with_the_exponent_are_counted(fit):
    other = fit["cells_by_context"].copy()
    swapped = other.sel(context=0.65).isel(column=[1, 0]).values
    other.loc[{"context": 0.65}] = swapped
    moved = 0.5 * np.abs(swapped - fit["cells"].values).sum() / fit["cells"].values.sum()
    found = judge(fit.assign(cells_by_context=other))
    assert found.reasons == (
        f"At the context exponent 0.65 {moved:.0%} of the voters stand in another cell: the context exponent (0.6) is"
        " assumed, and margins cannot check it.",
    )


def test_a_fit_that_did_not_converge_is_not_usable(fit):
    found = judge(fit.assign_attrs(converged=0, steps=3, stopped=json.dumps([0.6, 0.65])))
    assert found.level == "not usable"
    assert "did not converge in 3 steps" in found.reasons[0]
    assert "at context exponent 0.65" in found.reasons[1]


def test_no_intervals_wide_ones_and_few_units(fit):
    bare = fit.drop_vars(["share_low", "share_high", "draws"])
    assert judge(bare).reasons == ("There are no draws, so there are no intervals: set draws.",)
    for width, level, words in ((0.5, "with care", "say little"), (0.9, "not usable", "next to nothing")):
        wide = fit.assign(share_low=fit["share_low"] * 0, share_high=fit["share_high"] * 0 + width)
        found = judge(wide)
        assert found.level == level
        assert f"are {100 * width:.0f} points wide on average: the margins" in found.reasons[0]
        assert words in found.reasons[0]
    few = fit.isel(contest=[0], unit=slice(9))
    assert judge(few).reasons[-1].startswith("One contest with 9 units")


def test_a_method_without_intervals_says_so():
    units = electjax.ecological.simulate(contests=2, units=8, rows=2, parties=2, seed=2)
    found = electjax.ecological.estimate(units, method="goodman")
    assert verdict_of(found.attrs) == judge(found)
    assert judge(found).reasons == (
        "The method goodman has no intervals: nothing says how far it may be off. method='context' has them.",
    )
