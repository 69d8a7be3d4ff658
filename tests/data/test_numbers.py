"""Numbers as people write them: every way of writing is read back, and what two ways read differently is refused."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from electjax.data.numbers import looks_numeric, parse_numbers

COUNTS = st.lists(st.integers(0, 10**12), min_size=1, max_size=8)


def grouped(value: int, mark: str) -> str:
    return f"{value:,}".replace(",", mark)


@given(COUNTS, st.sampled_from([",", ".", " ", "'", "\u00a0", "\u202f", "\u2019"]))
def test_counts_in_thousands_are_read_back(values, mark):
    found = parse_numbers([grouped(value, mark) for value in values], whole=True)
    assert found.values.tolist() == values
    assert found.faults == [None] * len(values)


@given(COUNTS)
def test_plain_and_scientific_counts_are_read_back(values):
    for form in ("{}", "{}.0", "{}."):
        assert parse_numbers([form.format(value) for value in values], whole=True).values.tolist() == values
    assert parse_numbers(["3.00E+03", "12"], whole=True).values.tolist() == [3000, 12]


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=8))
def test_decimals_are_read_back_with_a_point_and_with_a_comma(values):
    texts = [f"{value:.4f}" for value in values]
    expected = [float(text) for text in texts]
    assert parse_numbers(texts).values.tolist() == expected
    assert parse_numbers([text.replace(".", ",") for text in texts]).values.tolist() == expected


def test_groups_of_india_and_commas_without_groups():
    assert parse_numbers(["1,20,345", "12,345", "998"], whole=True).values.tolist() == [120345, 12345, 998]
    assert parse_numbers(["43800,0", "1,199"]).values.tolist() == [43800, 1.199]
    assert looks_numeric("43800,0")


def test_percentages_with_three_decimals_are_no_thousands():
    faults = parse_numbers(["45.123", "54.877", "60.001", "39.999"], whole=True).faults
    assert all(fault is not None and "thousands" in fault.problem for fault in faults)
    assert parse_numbers(["1.346", "2.051", "2.200"], whole=True).values.tolist() == [1346, 2051, 2200]


def test_a_point_and_three_digits_is_thousands_of_counts_and_asked_of_other_numbers():
    assert parse_numbers(["1.346", "998"], whole=True).values.tolist() == [1346, 998]
    fault = parse_numbers(["1.346", "998"]).faults[0]
    assert fault is not None
    assert "thousands or a decimal" in fault.problem
    assert "thousands=" in fault.mend
    assert parse_numbers(["1.346"], thousands=".").values.tolist() == [1346]
    assert parse_numbers(["1.346"], thousands="none").values.tolist() == [1.346]
    assert parse_numbers(["0.375", "0.625"]).values.tolist() == [0.375, 0.625]


@pytest.mark.parametrize(("texts", "bad"), [(["1,346", "1.346"], 1), (["1,346", "2 500"], 1), (["1,346", "x"], 1)])
def test_a_column_has_one_way_of_writing(texts, bad):
    assert parse_numbers(texts, whole=True).faults[bad] is not None


@pytest.mark.parametrize("text", ["X", "x", "*", "***", "<10", "(X)", "\u226410"])
def test_suppressed_cells_are_named_unless_a_number_is_given_for_them(text):
    fault = parse_numbers([text, "12"]).faults[0]
    assert fault is not None
    assert "suppressed" in fault.problem
    assert "suppressed=" in fault.mend
    assert parse_numbers([text, "12"], suppressed=5).values.tolist() == [5, 12]
    assert np.isnan(parse_numbers([text, "12"], suppressed="missing").values[0])


@pytest.mark.parametrize("text", ["", "NA", "N/A", "null", "NaN", "-", "\u2013"])
def test_missing_is_missing(text):
    found = parse_numbers([text, "1"])
    assert np.isnan(found.values[0])
    assert found.faults == [None, None]


@pytest.mark.parametrize(
    ("text", "said"), [("-3", "negative"), ("2.5", "whole"), ("1e17", "electorate"), ("abc", "no")]
)
def test_what_is_no_count_is_named(text, said):
    fault = parse_numbers([text], whole=True).faults[0]
    assert fault is not None
    assert said in fault.problem


def test_percentages_are_fractions():
    assert parse_numbers(["12%", "3.5 %"]).values == pytest.approx([0.12, 0.035])
    assert looks_numeric("12%")
    assert not looks_numeric("Not a number")
    assert not looks_numeric("1_000")


def test_percentages_among_numbers_are_refused():
    mixed = parse_numbers(["12.5%", "30%", "3", "0", ""])
    assert [fault is not None for fault in mixed.faults] == [False, False, True, False, False]
    assert mixed.faults[2] is not None
    assert mixed.faults[2].problem == "'3' has no percent sign, unlike the other numbers"
    assert mixed.values[[0, 1, 3]] == pytest.approx([0.125, 0.3, 0])
    few = parse_numbers(["12.5", "30", "3%"]).faults
    assert few[2] is not None
    assert "'3%' has a percent sign" in few[2].problem
    count = parse_numbers(["100%", "30"], whole=True).faults[0]
    assert count is not None
    assert count.problem == "'100%' is a percentage, not a whole number"
