"""What rows mean: totals, repeats, several elections in one file."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from electjax.data.errors import ElectionDataError, ElectionDataWarning
from electjax.data.rows import is_total, one_election, sums_above, without_repeats, without_totals
from electjax.data.sources import read_table
from electjax.data.table import joined
from electjax.data.vocabulary import find_columns, ignored


@pytest.mark.parametrize("label", ["Total", "TOTALS", "Grand total", "Statewide", "Gesamt", "Kent total", "Total: all"])
def test_a_label_says_that_it_is_a_total(label):
    assert is_total(label)


@pytest.mark.parametrize("label", ["Totality", "Summerset", "D1", "", "Totalen"])
def test_a_name_is_no_total(label):
    assert not is_total(label)


def test_a_row_is_the_sum_of_those_above():
    amounts = np.array([[1, 2], [3, 5], [4, 7], [8, 14]])
    assert sums_above(amounts).tolist() == [False, False, True, True]
    assert not sums_above(np.array([[1, 2], [1, 2]])).any()
    assert not sums_above(np.array([[1, 0], [2, 0], [3, 0]])).any()


def table(rows, names):
    return read_table(pd.DataFrame(rows, columns=names))


def test_totals_are_left_out_refused_or_kept():
    said = table([["D1", 1, 4], ["D2", 2, 5], ["Total", 3, 9]], ["district", "a", "b"])
    with pytest.warns(ElectionDataWarning, match=r"row 2: 1 total rows left out, the first is 'Total'"):
        assert len(without_totals(said, [0], [1, 2], None)) == 2
    with pytest.raises(ElectionDataError, match="'Total' is a total"):
        without_totals(said, [0], [1, 2], "refuse")
    assert without_totals(said, [0], [1, 2], "keep") is said
    silent = table([["D1", 1, 4], ["D2", 2, 5], ["Delhi", 3, 9]], ["district", "a", "b"])
    with pytest.raises(ElectionDataError, match=r"'Delhi' adds up the rows above it.*totals="):
        without_totals(silent, [0], [1, 2], None)


def test_repeated_rows_name_both_rows():
    repeated = table([["D1", "A", 10], ["D1", "B", 15], ["D1", "A", 10]], ["district", "party", "votes"])
    with pytest.warns(ElectionDataWarning, match="row 2: the row repeats row 0 word for word"):
        assert without_repeats(repeated, "drop").lines.tolist() == [0, 1]
    with pytest.raises(ElectionDataError, match="repeats row 0"):
        without_repeats(repeated, "refuse")
    assert len(without_repeats(repeated, "keep")) == 3


def test_several_elections_in_a_file_are_refused_with_their_values():
    several = table([["Senate", 1], ["House", 2]], ["office", "votes"])
    with pytest.raises(ElectionDataError, match=r"several elections: Senate, House.*where=\{'office': 'Senate'\}"):
        one_election(several)


def test_columns_are_found_by_their_usual_names():
    known = table(
        [["x", "y", 1, "n"]], ["Nom de circonscription/Riding", "Political Affiliation", "Votes obtained", "Notes"]
    )
    found = find_columns(known, ["party", "votes"])
    assert (found["party"], found["votes"]) == (1, 2)
    assert "column 'Votes obtained' is the votes" in found.notes
    assert ignored(known, [1, 2]) == ("columns not used: Nom de circonscription/Riding, Notes",)
    with pytest.raises(ElectionDataError, match="no column for the winner"):
        find_columns(known, ["winner"])


def test_rows_of_several_files_are_named_by_their_own(tmp_path):
    for name, rows in (("a.csv", "D1,5\nD2,6\n"), ("b.csv", "D3,7\nD1,y\n")):
        (tmp_path / name).write_text(f"district,votes\n{rows}")
    both = joined([read_table(tmp_path / "a.csv"), read_table(tmp_path / "b.csv")])
    with pytest.raises(ElectionDataError, match=r"^b.csv, row 3, column 'votes': 'y' is not a number"):
        both.counts(1)
    with pytest.raises(ElectionDataError, match=r"^b.csv, row 3, column 'district': D1 again, as in row 2 of a.csv; "):
        both.no_repeats(both.columns[0].codes, 0, both.columns[0].at, "remove one")
    assert both.take(np.array([False, True, True, False])).file_of(1) == "b.csv"


def test_a_part_of_a_table_knows_the_elections_of_the_whole():
    several = table([["Senate", 1], ["House", 2]], ["office", "votes"])
    part = replace(several.take(np.array([0])), of=2)
    with pytest.raises(ElectionDataError, match="several elections: Senate, House"):
        one_election(part)
