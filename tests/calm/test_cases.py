"""Tables of booths that were once read or treated wrongly, each with what is right; and tables of any kind."""

import gzip
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import xarray as xr

import electjax
from electjax.data.errors import ElectionDataError, ElectionDataWarning
from tests.calm.test_booths import AXES, FILES, MARGINS, fault, folder
from tests.command_line import run


@pytest.fixture
def booths(tmp_path: Path) -> xr.Dataset:
    return electjax.calm.read(folder(tmp_path / "plain"), axes=AXES)


def read(path: Path, **options: object) -> xr.Dataset:
    return electjax.calm.read(path, **{"axes": AXES, **options})


def frames() -> dict[str, pd.DataFrame]:
    return {
        name: pd.DataFrame(
            [line.split(",") for line in text.splitlines()[1:]], columns=text.splitlines()[0].split(",")
        ).replace("", None)
        for name, text in FILES.items()
    }


# ------------------------------------------------------------------------------------ kinds of tables


@pytest.mark.parametrize("kind", ["pandas", "polars", "arrow", "mixed"])
def test_frames_by_name(tmp_path, booths, kind):
    make = {
        "pandas": lambda frame: frame,
        "polars": pl.from_pandas,
        "arrow": pa.Table.from_pandas,
        "mixed": lambda frame: frame,
    }
    given: dict[str, object] = {name: make[kind](frame) for name, frame in frames().items()}
    if kind == "mixed":
        given["cells"] = folder(tmp_path / "a") / "cells.csv"
    found = electjax.calm.read(given, axes=AXES)
    xr.testing.assert_equal(found, booths)
    assert found.attrs["name"] == "booths"
    with pytest.raises(ElectionDataError, match=r"no table 'cell'; .*did you mean cells"):
        electjax.calm.read({"cell": given["cells"]})
    with pytest.raises(ElectionDataError, match=r"tables: no votes.csv, only booths, candidates, cells"):
        electjax.calm.read({name: table for name, table in given.items() if name != "votes"}, axes=AXES)
    changed = frames() | {"votes": frames()["votes"].replace("7", "x1")}
    with pytest.raises(ElectionDataError, match=r"^votes, row 2, column 'votes': 'x1' is not a number"):
        electjax.calm.read(changed, axes=AXES)


def test_files_of_any_kind_are_found_by_their_stems(tmp_path, booths):
    path = tmp_path / "kinds"
    path.mkdir()
    every = frames()
    every["booths"].to_excel(path / "Booths.xlsx", index=False)
    every["cells"].to_parquet(path / "cells.parquet")
    (path / "votes.txt.gz").write_bytes(gzip.compress(FILES["votes"].replace(",", ";").encode("utf-16")))
    (path / "candidates.tsv").write_text(FILES["candidates"].replace(",", "\t"))
    (path / "axes.yaml").write_text(
        "age: {categories: ['18-35', '36-60', '61+'], kernel: ordinal}\nreligion: {categories: [Hindu, Muslim]}\n"
        "caste: {categories: [OBC, SC], within: {religion: Hindu}}\ntenure: {kernel: scalar}\n"
    )
    xr.testing.assert_equal(electjax.calm.read(path), booths)
    xr.testing.assert_equal(electjax.calm.read(folder(tmp_path / "b"), axes=str(path / "axes.yaml")), booths)
    assert "no such file" in fault(path, axes="axes.yml")
    (path / "bad.yaml").write_text("a: [1")
    assert "bad.yaml: cannot be read" in fault(path, axes=path / "bad.yaml")
    (path / "votes.csv").write_text(FILES["votes"])
    assert "votes.csv and votes.txt.gz; expected one table of votes" in fault(path)


def test_columns_and_rows_are_chosen_where_they_are(tmp_path, booths):
    """Names of columns as people have them; `columns` and `where` concern the tables that have the column."""
    votes = FILES["votes"].replace("booth,party,votes", "polling station,Partei,stimmen,year")
    votes = "".join(f"{line},2012\n" for line in votes.splitlines()[1:])
    votes = "polling station,Liste,stimmen,year\n" + votes + "1,AAP,99,2007\n"
    path = folder(tmp_path / "a", votes=votes)
    found = read(path, columns={"party": "Liste"}, where={"year": 2012})
    xr.testing.assert_equal(found, booths)
    assert "votes.csv: 'Liste' is party" in found.attrs["notes"]
    assert "'polling station' is booth" in found.attrs["notes"]
    assert "1 rows with another year left out" in found.attrs["notes"]
    assert "several elections: 2012, 2007" in fault(path, columns={"party": "Liste"})
    assert "where: no table has a column 'yeer'" in fault(path, where={"yeer": 1})
    assert "columns: no table has a column 'List'" in fault(path, columns={"party": "List"})


def test_booths_are_chosen_for_all_tables(tmp_path, booths):
    found = read(folder(tmp_path / "a"), where={"constituency": "Madipur"})
    xr.testing.assert_equal(found["votes"], booths["votes"].isel(booth=[0, 1]))
    assert found["constituency"].values.tolist() == ["Madipur"]
    assert "cells.csv: 2 rows of booths not chosen left out" in found.attrs["notes"]
    one = read(folder(tmp_path / "b"), where={"booth": [2]})
    assert one["booth"].values.tolist() == ["2"]


def test_booths_that_constituencies_call_alike_are_chosen_as_pairs(tmp_path):
    tables = {
        "booths": pd.DataFrame(
            [["1", "A", 10, 9, "n"], ["2", "A", 10, 9, "s"], ["1", "B", 10, 9, "s"], ["2", "B", 10, 9, "n"]],
            columns=["booth", "constituency", "electors", "polled", "side"],
        ),
        "cells": pd.DataFrame(
            [[b, a, "x", 10] for a in "AB" for b in "12"], columns=["booth", "constituency", "age", "n"]
        ),
        "votes": pd.DataFrame(
            [[b, a, "P", 9] for a in "AB" for b in "12"], columns=["booth", "constituency", "party", "votes"]
        ),
        "candidates": pd.DataFrame([["A", "P", "x"], ["B", "P", "x"]], columns=["constituency", "party", "age"]),
    }
    found = read(tables, where={"side": "s"}, axes={"age": {"categories": ["x"]}})
    assert found["booth"].values.tolist() == ["2", "1"]
    assert "votes: 2 rows of booths not chosen left out" in found.attrs["notes"]


def test_columns_and_axes_on_the_command_line(tmp_path, monkeypatch):
    path = folder(tmp_path / "a", {"votes": ("party", "Liste")})
    (tmp_path / "axes.yaml").write_text("age: {categories: [a]}")
    shown = ["--cfg", "job", "task=calm", "data=booths", f"data.path={path}", "data.columns={party: Liste}"]
    assert run(monkeypatch, *shown, f"data.axes={tmp_path}/axes.yaml") == 0
    assert run(monkeypatch, *shown, "data.axes={religion: {categories: [Hindu, Muslim]}}", "data.totals=keep") == 0
    assert run(monkeypatch, *shown, "data.colums={}") != 0


# ------------------------------------------------------------------------------------ cases 01, 09, 12, 17


def test_total_rows_are_no_booths(tmp_path, booths):
    totals = {
        "booths": FILES["booths"] + "Total,Madipur,22,13,,,1,\n",
        "cells": FILES["cells"] + "Total,61+,Muslim,,22\n",
        "votes": FILES["votes"] + "Total,AAP,9\nTotal,BJP,4\n",
    }
    with pytest.warns(ElectionDataWarning) as caught:
        found = read(folder(tmp_path / "a", **totals))
    xr.testing.assert_equal(found, booths)
    assert [str(each.message).split(";")[0] for each in caught] == [
        "booths.csv, row 5: 1 total rows left out, the first is 'Total' (row 5)",
        "votes.csv, row 5: 2 total rows left out, the first is 'Total' (row 5)",
        "cells.csv, row 9: 1 total rows left out, the first is 'Total' (row 9)",
    ]
    assert "booth 'Total' is a total" in fault(tmp_path / "a", totals="refuse")
    party = folder(tmp_path / "b", {"votes": ("2,AAP,7", "2,AAP,7\n1,Total,6")})
    with pytest.warns(ElectionDataWarning, match=r"votes.csv, row 5: 1 total rows left out"):
        xr.testing.assert_equal(read(party), booths)
    silent = {name: text.replace("Total", "9999") for name, text in totals.items()}
    assert "booths.csv, row 5, column 'booth': booth '9999' adds up the rows above it" in fault(
        folder(tmp_path / "c", **silent)
    )
    head, *rows, total = silent["booths"].splitlines()
    silent["booths"] = "\n".join([head, total, *rows, ""])
    said = fault(folder(tmp_path / "c", **silent))
    assert "row 2, column 'booth': booth '9999' adds up the rows below it" in said
    silent["booths"] = "\n".join([head, rows[0], total, *rows[1:], ""])
    said = fault(folder(tmp_path / "c", **silent))
    assert "row 3, column 'booth': the electors and votes of booth '9999' are those of the other booths" in said
    kept = read(folder(tmp_path / "c", **silent), totals="keep")
    assert "9999" in kept["booth"].values


def test_lines_above_the_header_and_below_the_table(tmp_path, booths):
    files = {
        "booths": "Booths of two constituencies\n\n" + FILES["booths"] + "Source: the rolls\n",
        "cells": "sep=,\n" + FILES["cells"],
        "votes": "# counted twice\n" + FILES["votes"],
    }
    found = read(folder(tmp_path / "a", **files))
    xr.testing.assert_equal(found, booths)
    assert "booths.csv: row 7 below the table left out" in found.attrs["notes"]
    xr.testing.assert_equal(read(folder(tmp_path / "b", booths=files["booths"])), booths)
    bad = folder(tmp_path / "c", {"booths": ("10,6", "10,x6")}, booths=files["booths"])
    assert "booths.csv, row 4, column 'polled': 'x6' is not a number" in fault(bad)


def test_blank_cells_at_the_ends_of_rows(tmp_path, booths):
    files = {
        "votes": "booth,party,votes,,\n1,BJP,4,,\n1,AAP,2\n2,AAP,7,,,\n",
        "cells": FILES["cells"].replace("\n1,36-60,Hindu,OBC,5", "\n1,36-60,Hindu,OBC,5,,"),
    }
    xr.testing.assert_equal(read(folder(tmp_path / "a", **files)), booths)


def test_rows_that_repeat_another_count_once(tmp_path, booths):
    path = folder(tmp_path / "a", {"votes": ("2,AAP,7", "2,AAP,7\n1,AAP,2")})
    with pytest.warns(ElectionDataWarning, match=r"votes.csv, row 5: the row repeats row 3 word for word"):
        xr.testing.assert_equal(read(path), booths)
    assert "votes.csv, row 5: the row repeats row 3" in fault(path, repeated="refuse")
    assert "votes.csv, row 5, column 'party': party 'AAP' in booth '1' again" in fault(path, repeated="keep")
    line = FILES["booths"].splitlines()[1]
    path = folder(tmp_path / "b", booths=FILES["booths"] + line + "\n")
    with pytest.warns(ElectionDataWarning, match=r"booths.csv, row 5: the row repeats row 2"):
        xr.testing.assert_equal(read(path), booths)


# ------------------------------------------------------------------------------------ meaning


def test_previous_shares_that_were_rounded(tmp_path):
    path = folder(tmp_path / "a", {"booths": ("0.5,0.25", "0.505,0.496")})
    found = read(path)
    np.testing.assert_allclose(found["previous"].values[0], np.array([0.505, 0.496]) / 1.001)
    np.testing.assert_array_equal(found["previous"].values[2], [0.1, 0.2])
    assert "previous shares of 1 booths add up to at most 1.001 and are divided by that" in found.attrs["notes"]
    assert "previous shares add up to 1.01" in fault(folder(tmp_path / "b", {"booths": ("0.5,0.25", "0.514,0.496")}))


def test_sizes_with_fractions(tmp_path, booths):
    """A frame for poststratification: sizes are rounded to the electors of each booth."""
    path = folder(tmp_path / "a", {"cells": ("Hindu,SC,3", "Hindu,SC,2.6")})
    (path / "cells.csv").write_text((path / "cells.csv").read_text().replace("Muslim,,2", "Muslim,,2.4"))
    found = read(path)
    assert found["cell_size"].values.sum(axis=1).tolist() == [10, 7, 5]
    xr.testing.assert_equal(found["cell_size"], booths["cell_size"])
    assert "cells.csv: sizes of cells are rounded to whole electors" in found.attrs["notes"]
    off = folder(tmp_path / "b", {"cells": ("Hindu,SC,3", "Hindu,SC,1.5")})
    assert "booth '1' has 10 electors, its cells add up to 8.5 (rows 3 to 5 of cells.csv)" in fault(off)
    scaled = read(off, rescale=True)
    assert scaled["cell_size"].values.sum(axis=1).tolist() == [10, 7, 5]
    assert "those of 1 booths first scaled" in scaled.attrs["notes"]
    bad = folder(tmp_path / "c", {"cells": ("Hindu,SC,3", "Hindu,SC,-3.5")})
    assert "cells.csv, row 3, column 'n': '-3.5' is negative" in fault(bad)
    halves = MARGINS.replace("1,age,18-35,4", "1,age,18-35,3.7").replace("1,age,36-60,4", "1,age,36-60,4.3")
    with pytest.warns(ElectionDataWarning, match="margins only"):
        margins = read(folder(tmp_path / "d", cells=None, margins=halves))
    assert margins["cell_size"].values.sum(axis=1).tolist() == [10, 7, 5]


def test_ages_fall_into_ranges(tmp_path, booths):
    """Ages of cells add up within their range; those of candidates are of theirs."""
    cells = FILES["cells"].replace("1,36-60,Hindu,OBC,5", "1,36,Hindu,OBC,2\n1,60,Hindu,OBC,3").replace("61+", "99")
    candidates = FILES["candidates"].replace("Madipur,AAP,36-60", "Madipur,AAP,47.5")
    found = read(folder(tmp_path / "a", cells=cells, candidates=candidates))
    xr.testing.assert_equal(found, booths)
    young = folder(tmp_path / "b", {"candidates": ("AAP,36-60", "AAP,17")})
    said = fault(young)
    assert "candidates.csv, row 2, column 'age': 17 is in no range of age; expected one of 18-35, 36-60, 61+" in said
    twice = folder(tmp_path / "c", cells=cells.replace("1,60,Hindu,OBC,3", "1,36,Hindu,OBC,3"))
    assert "cells.csv, row 5, column 'booth': cell '36-60 Hindu OBC' again, as in row 4" in fault(twice)


def test_one_candidate_of_a_party(tmp_path):
    said = fault(folder(tmp_path / "a", {"candidates": ("Madipur,BJP", "Madipur,AAP")}))
    assert "a party has one candidate in a constituency: keep its main one, give independents labels of their" in said


def test_booths_with_more_votes_than_electors_are_named(tmp_path):
    said = fault(folder(tmp_path / "a", {"booths": ("7,7", "7,8")}))
    assert "booths.csv, row 3, column 'polled': 8 votes polled by 7 electors in booth '2'" in said


def test_numbers_as_people_write_them(tmp_path):
    text = FILES["booths"].replace("10,6,", '"1,010",6,')
    cells = FILES["cells"].replace("1,36-60,Hindu,OBC,5", '1,36-60,Hindu,OBC,"1,005"')
    found = read(folder(tmp_path / "a", booths=text, cells=cells))
    assert found["electors"].values[0] == 1010
    hidden = folder(tmp_path / "b", {"votes": ("1,AAP,2", "1,AAP,<10")})
    assert "votes.csv, row 3, column 'votes': '<10' is a suppressed number" in fault(hidden)
    assert read(hidden, suppressed=2)["votes"].values[0].tolist() == [2, 4]
