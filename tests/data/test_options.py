"""Options declared once: what a verb shows, takes and refuses."""

import inspect
from collections.abc import Mapping
from typing import Literal

import numpy as np
import pytest

from electjax import ElectionDataError
from electjax.data.options import as_json, made, option, options, rows_of, with_options


@options
class Search:
    """How a fit is searched."""

    strength: float = option(8.0, "L2 penalty", low=0)
    errors: Literal["laplace", "none"] = option("laplace", "how standard errors are found")
    seed: int = option(0, "the same seed gives the same fit", low=0)


@options
class Draws:
    """How it is drawn from."""

    level: float = option(0.95, "of the intervals", above=0, below=1)
    number: int | None = option(None, "how many draws", low=2)
    rho: Mapping[str, float] = option({}, "by axis")
    seed: int = option(0, "the same seed gives the same fit", low=0)

    def conflicts(self):
        """No draws without a number."""
        if self.rho and self.number is None:
            yield "number", None, "a number where rho is given", "give it"


@with_options
def verb(data: int, *, search: Search, draws: Draws, start: int | None = None) -> tuple:
    """Do something.

    Args:
        data: what it is done to.

    Returns:
        All that came in.
    """
    return data, search, draws, start


def test_the_signature_shows_every_option_once():
    shown = inspect.signature(verb).parameters
    assert list(shown) == ["data", "start", "strength", "errors", "seed", "level", "number", "rho"]
    assert all(shown[name].kind is inspect.Parameter.KEYWORD_ONLY for name in list(shown)[1:])
    assert shown["strength"].default == 8.0
    assert shown["number"].annotation == (int | None)
    section = inspect.getdoc(verb).split("Options:")[1].split("Returns:")[0]
    assert section.count("seed:") == 1
    assert "strength: L2 penalty (a number of at least 0; 8.0)" in section


def test_values_reach_every_group_that_declares_them():
    data, search, draws, start = verb(1, seed=3, strength=np.int64(2), start=4)
    assert (data, start, search.seed, draws.seed) == (1, 4, 3, 3)
    assert search.strength == 2.0
    assert isinstance(search.strength, float)
    assert verb(1, search=Search(errors="none"))[1].errors == "none"  # as code of the package passes a whole group


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"strength": -1}, "strength=): found -1; expected a number of at least 0"),
        ({"strength": float("nan")}, "strength=): found nan; expected a number"),
        ({"strength": True}, "strength=): found True"),
        ({"errors": "laplac"}, "expected one of laplace, none; did you mean laplace?"),
        ({"seed": 1.5}, "seed=): found 1.5; expected a whole number of at least 0"),
        ({"level": 1}, "level=): found 1; expected a number between 0 and 1"),
        ({"number": 1}, "number=): found 1; expected a whole number of at least 2"),
        ({"rho": 0.5}, "rho=): found 0.5; expected a value for each of some names"),
        ({"rho": {"age": 0.5}}, "number=): found None; expected a number where rho is given"),
        ({"strenght": 1}, "did you mean strength or start?"),
    ],
)
def test_what_makes_no_sense_ends_in_one_line(given, said):
    with pytest.raises(ElectionDataError) as caught:
        verb(1, **given)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_options_are_given_by_name():
    with pytest.raises(TypeError, match="takes data by position; options are given by name"):
        verb(1, Search())
    with pytest.raises(TypeError, match="got data twice"):
        verb(1, data=2)
    with pytest.raises(TypeError, match="data"):
        verb()


def test_json_reads_back():
    import json

    given = made(Draws, {"number": 5, "rho": {"age": np.float64(0.5)}}, where="here")
    assert made(Draws, json.loads(as_json(given)), where="here") == given


def test_rows_say_type_default_range_and_meaning():
    rows = {row.name: row for row in rows_of(Draws)}
    assert rows["level"] == ("level", "float", "0.95", "a number between 0 and 1", "of the intervals")
    assert rows["number"].default == "None"
