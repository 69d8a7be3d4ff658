"""Tables as CSV: tidy, in any script, and without a cell that a spreadsheet would take for a formula."""

import pandas as pd

from electjax.report.csv import safe_table, write_tables
from electjax.report.said import said


def test_no_text_begins_a_formula_and_numbers_stay_numbers(tmp_path):
    names = ['=HYPERLINK("x")', "+1", "-1", "@a", "\tb", "অসম", 'a,b"c']
    table = pd.DataFrame({"=party": names, "change": [-1.5, 2, 3, 4, 5, 6, None]}, index=pd.Index(range(7), name="row"))
    write_tables(tmp_path, {"it": table, "none": table[:0]})
    assert [path.name for path in (tmp_path / "tables").iterdir()] == ["it.csv"]
    back = pd.read_csv(tmp_path / "tables" / "it.csv")
    assert list(back) == ["row", "'=party", "change"]
    assert back["'=party"].tolist() == [f"'{name}" for name in names[:5]] + names[5:]
    assert back["change"][0] == -1.5
    assert back["change"].isna().tolist() == [False] * 6 + [True]


def test_an_index_without_a_name_is_left_out_and_equal_columns_stay():
    table = pd.DataFrame([[1, "=a"], [2, "b"]], columns=["x", "x"])
    assert safe_table(table).to_csv(index=False).splitlines() == ["x,x", "1,'=a", "2,b"]


def test_summary_prints_the_verdict_before_the_table_and_gives_all_of_it(capsys):
    table = pd.DataFrame({"value": range(100)})
    attrs = {"about": "a fit", "verdict": "not usable", "verdict_reasons": '["It did not converge."]'}
    assert said(table, attrs, show=False) is table
    assert capsys.readouterr().out == ""
    assert said(table, attrs, show=True, note="a note") is table
    lines = capsys.readouterr().out.splitlines()
    assert lines[:2] == ["NOT USABLE: It did not converge.", "a fit"]
    assert lines[-2:] == ["... 60 rows more, in the table that summary returns", "a note"]
