"""The verdict on a result, and the few lines that a result shows of itself."""

import pickle

import numpy as np
import pytest
import xarray as xr

from electjax.data.finished import Finished, as_finished, finished
from electjax.data.verdict import Doubt, Verdict, attrs_of, metrics_of, together, verdict, verdict_of

CARE, BAD = Doubt("with care", "Few draws."), Doubt("not usable", "It did not converge.")


def test_the_gravest_doubt_decides_and_leads():
    assert verdict([]) == Verdict("good")
    assert verdict([CARE, CARE]) == Verdict("with care", ("Few draws.",))
    found = verdict([CARE, BAD])
    assert found == Verdict("not usable", ("It did not converge.", "Few draws."))
    assert found.lines == ["NOT USABLE: It did not converge.", "WITH CARE: Few draws."]
    assert verdict_of(attrs_of(found)).doubts == [BAD, CARE]
    assert str(found) == "not usable: It did not converge. Few draws."


def test_a_verdict_passes_through_attributes():
    for found in (verdict([]), verdict([BAD, CARE])):
        assert verdict_of(attrs_of(found)) == found
    assert verdict_of({}) is None
    assert metrics_of(verdict([CARE])) == {"level": "with care", "reasons": ["Few draws."], "levels": ["with care"]}


def test_several_results_are_named_in_the_reasons_where_they_are_several():
    one = verdict([CARE])
    assert together({"DPM": one}) == one
    both = together({"DPM": one, "ECM": verdict([BAD]), "DM": verdict([])})
    assert both == Verdict("not usable", ("ECM: It did not converge.", "DPM: Few draws."))


@pytest.fixture
def plain() -> xr.Dataset:
    return xr.Dataset({"a": ("x", np.arange(3.0))}, {"x": list("abc")}, {"conventions": "electjax thing"})


def test_a_result_shows_its_verdict_first_and_no_variables(plain):
    doubtful = finished(plain, about="3 <things> fitted", verdict=verdict([BAD]))
    lines = repr(doubtful).splitlines()
    assert lines[:3] == ["<electjax thing>", "NOT USABLE: It did not converge.", "3 <things> fitted"]
    assert len(lines) == 4
    assert "3 &lt;things&gt; fitted" in doubtful._repr_html_()
    good = repr(finished(plain, about="3 things", verdict=verdict([])))
    assert good.splitlines()[1:3] == ["3 things", "verdict: good"]


def test_a_result_is_a_dataset_in_all_else(plain):
    result = finished(plain, about="it", verdict=verdict([]))
    assert isinstance(result, xr.Dataset)
    assert result.drop_attrs().identical(Finished(plain.data_vars, plain.coords))
    for made in (result.isel(x=[0]), result.copy(), result.assign(b=1), pickle.loads(pickle.dumps(result))):
        assert type(made) is Finished
    assert as_finished(plain) is plain
    assert type(as_finished(plain.assign_attrs(about="it"))) is Finished
