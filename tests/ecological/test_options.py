"""Options of ecological inference: one line for each fault, and kept as JSON."""

import inspect
import json

import numpy as np
import pytest

import electjax
from electjax.data.errors import ElectionDataError
from electjax.data.options import as_json, made
from electjax.ecological.options import EstimateOptions


def options_of(given: dict[str, object]) -> EstimateOptions:
    """What `ecological.estimate` makes of its keywords."""
    return made(EstimateOptions, given, where="ecological.estimate")


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"contxt": 0.5}, r"\(contxt=\): found 0.5; expected one of the options; did you mean context"),
        ({"method": "kings"}, r"\(method=\): found 'kings'; expected one of context, em, goodman"),
        ({"context": 2.5}, r"\(context=\): found 2.5; expected an exponent between 0"),
        ({"context": "much"}, r"\(context=\): found 'much'"),
        ({"context": float("nan")}, r"\(context=\): found nan"),
        ({"contexts": (0.3, -1.0)}, r"\(contexts=\): found"),
        ({"contexts": "all"}, r"\(contexts=\): found"),
        ({"context_sd": -0.1}, r"\(context_sd=\): found -0.1"),
        ({"tau": (0.1, 0.2)}, r"\(tau=\): found .* expected 3 numbers above 0: own party, cross, other"),
        ({"tau": ("a", "b", "c")}, r"\(tau=\): found"),
        ({"tau": (0.1, 0.0, 0.3)}, r"\(tau=\): found"),
        ({"pair_sd": 0}, r"\(pair_sd=\): found 0"),
        ({"inflation": None}, r"\(inflation=\): found None"),
        ({"draws": -1}, r"\(draws=\): found -1"),
        ({"draws": 10.5}, r"\(draws=\): found 10.5"),
        ({"draws": True}, r"\(draws=\): found True"),
        ({"max_steps": 0}, r"\(max_steps=\): found 0"),
        ({"pooled": "no"}, r"\(pooled=\): found 'no'; expected true or false"),
        ({"seed": "x"}, r"\(seed=\): found 'x'"),
    ],
)
def test_options_that_are_wrong_are_refused_in_one_line(options: dict[str, object], says: str) -> None:
    with pytest.raises(ElectionDataError, match=says) as caught:
        options_of(options)
    assert "\n" not in str(caught.value)


def test_options_are_kept_as_json() -> None:
    given = options_of({"tau": np.array([1, 2, 3]), "contexts": 0.5, "draws": np.int32(7), "context": np.float32(0.5)})
    assert given == EstimateOptions(tau=(1.0, 2.0, 3.0), contexts=(0.5,), draws=7, context=0.5)
    assert options_of(json.loads(as_json(given))) == given
    assert options_of({"tau": 0.2}).tau == (0.2, 0.2, 0.2)


def test_options_that_are_misspelt_are_told_from_those_of_the_reader() -> None:
    with pytest.raises(ElectionDataError, match=r"estimate\(rwos=\): found.*did you mean rows"):
        electjax.ecological.estimate("units.csv", rwos=["a"])


@pytest.mark.parametrize(
    ("verb", "given", "says"),
    [
        ("simulate", {"contests": 0}, r"simulate\(contests=\): found 0; expected a whole number of at least 1"),
        ("simulate", {"tau": (0.1, 0.2)}, r"simulate\(tau=\): found .* expected 3 numbers"),
        ("simulate", {"kind": "people"}, r"simulate\(kind=\): found 'people'; expected one of votes, groups"),
        ("read", {"merge_below": 1.0}, r"read\(merge_below=\): found 1.0"),
        ("calibrate_context", {"contexts": (0.5, 0.2, 0.8)}, r"contexts=\): found .* at least three .*ascending"),
        ("calibrate_context", {"draws": 20}, r"calibrate_context\(draws=\): found 20; expected one of"),
    ],
)
def test_every_verb_refuses_what_makes_no_sense(verb: str, given: dict[str, object], says: str) -> None:
    units = () if verb == "simulate" else ("units.csv",)
    with pytest.raises(ElectionDataError, match=says):
        getattr(electjax.ecological, verb)(*units, **given)


@pytest.mark.parametrize("verb", ["estimate", "calibrate_context", "read", "simulate", "coverage", "dataset"])
def test_every_option_is_visible(verb: str) -> None:
    function = getattr(electjax.ecological, verb)
    shown = inspect.signature(function).parameters
    assert all(each.kind is not each.VAR_KEYWORD for each in shown.values())
    options = [name for name, each in shown.items() if each.kind is each.KEYWORD_ONLY and name != "progress"]
    assert len(options) > 1
    assert all(f" {name}: " in function.__doc__ for name in options)
