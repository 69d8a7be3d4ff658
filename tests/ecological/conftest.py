"""Three contests, the problem they pose and its mode: for the tests of the model."""

import pytest

from electjax.ecological.model.estimate import mode
from electjax.numerics.host import double_precision
from tests.ecological.three_contests import made_units, posed


@pytest.fixture(scope="module")
def made():
    """Units of three contests: one lacks a row and another a column, one unit has a voter, one lacks a row's voters."""
    return made_units()


@pytest.fixture(scope="module")
def problem(made):
    """What they pose."""
    with double_precision():
        return posed(made)


@pytest.fixture(scope="module")
def found(problem):
    """Its mode."""
    with double_precision():
        return mode(problem, tolerance=1e-12, max_steps=200)
