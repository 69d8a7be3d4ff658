"""What `describe`, `template` and `task=validate` say of files, and that what they propose works."""

import pandas as pd
import pytest

import electjax
from electjax import ElectionDataError
from electjax.data.store import save as store
from tests.command_line import run

UNITS = {"rows": ["old", "young"], "columns": ["blue", "red"]}
FILES = {"returns": "returns.csv", "ballots": "ballots.csv", "booths": "", "units": "units.csv"}


@pytest.mark.parametrize("kind", FILES)
def test_a_template_is_told_read_and_analysed_as_proposed(tmp_path, monkeypatch, kind):
    """The call that describe proposes is Python that runs; it reads the file that was described."""
    monkeypatch.chdir(tmp_path)
    electjax.template(kind, "mine")
    options = UNITS if kind == "units" else {}
    said = electjax.describe(f"mine/{FILES[kind]}", **options)
    assert (said.kind, said.error) == (kind, "")
    assert electjax.describe(f"mine/{FILES[kind]}", kind=kind, **options).facts == said.facts
    reading = said.call[said.call.index("(") + 1 :].split("), ")[0].rstrip(")") + ")"
    data = eval(reading, {"electjax": electjax})
    assert electjax.describe(data).facts == said.facts
    assert electjax.describe(electjax.save(data, "mine.nc")).kind == kind


def test_a_template_is_never_written_over(tmp_path):
    electjax.template("units", tmp_path / "mine")
    with pytest.raises(ElectionDataError, match="it is there already"):
        electjax.template("units", tmp_path / "mine")
    with pytest.raises(ElectionDataError, match=r"no kind 'unit'.*did you mean units"):
        electjax.template("unit", tmp_path / "other")


def test_a_table_that_cannot_be_read_says_why_and_what_it_holds(tmp_path):
    path = tmp_path / "two.csv"
    path.write_text("office,district,party,votes\nSenate,1,A,5\nHouse,1,A,7\nHouse,1,B,3\n", "utf-8")
    said = electjax.describe(path)
    assert said.kind == "returns"
    assert "several elections: Senate, House" in said.error
    assert said.facts["rows"] == 3
    assert said.facts["columns"] == "office, district (numbers), party, votes (numbers)"
    assert electjax.describe(path, where={"office": "House"}).facts["votes"] == 10
    assert "where={'office': 'House'}" in electjax.describe(path, where={"office": "House"}).call
    assert "'data.where={office: House}'" in electjax.describe(path, where={"office": "House"}).command


def test_what_is_of_no_kind_says_so(tmp_path):
    said = electjax.describe(pd.DataFrame({"x": [1.5], "y": [2.5]}))
    assert said.kind == ""
    assert "pass kind=" in said.error
    with pytest.raises(ElectionDataError, match="no such file"):
        electjax.describe(tmp_path / "none.csv")


def test_a_saved_result_is_named(tmp_path):
    booths = electjax.calm.simulate("tiny", seed=1)
    fit = electjax.calm.fit(booths, max_steps=30, errors="none")
    said = electjax.describe(electjax.save(fit, tmp_path / "fit.nc"))
    assert said.kind == "calm (a saved result)"
    assert "electjax.load" in said.call


def test_validate_prints_and_leaves_no_folder(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    electjax.template("returns", "mine")
    assert run(monkeypatch, "task=validate", "data=file", "data.path=mine/returns.csv") == 0
    told = capsys.readouterr().out
    assert "districts: 4" in told
    assert "python -m electjax.run data=csv data.path=mine/returns.csv" in told
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]
    electjax.template("units", "units")
    command = ["task=validate", "data=units", "data.path=units/units.csv", "data.rows=[old,young]"]
    assert run(monkeypatch, *command, "data.columns=[blue,red]") == 0
    assert "units: 8" in capsys.readouterr().out
    assert run(monkeypatch, *command, "data.columns=[blue,green]") == 1
    assert "no column 'green'" in capsys.readouterr().out


def test_kinds_do_not_share_a_file():
    """The schema of one kind is not that of another."""
    election = electjax.districts.load("delhi2020")
    assert electjax.describe(election).kind == "returns"
    with pytest.raises(ElectionDataError, match="booths"):
        store(election, "x.nc", [electjax.calm.schema.BOOTHS])


def test_a_large_text_is_read_once_after_its_beginning(tmp_path, monkeypatch):
    from electjax.data import text

    monkeypatch.setattr(text, "BLOCK", 300)
    path = tmp_path / "returns.csv"
    path.write_text("district,party,votes\n" + "".join(f"D{k},{p},{k + 5}\n" for k in range(200) for p in "AB"))
    given = []
    plain = text._regular

    def counted(path, layout):
        for columns in plain(path, layout):
            given.append(len(columns[0]))
            yield columns

    monkeypatch.setattr(text, "_regular", counted)
    assert electjax.describe(path).facts["votes"] == 2 * sum(range(5, 205))
    assert sum(given) - 400 == given[0]


def test_a_folder_of_parquet_is_told_by_its_columns(tmp_path):
    (tmp_path / "all" / "state=DE").mkdir(parents=True)
    table = pd.DataFrame({"Wahlkreis": ["X", "X"], "Partei": ["A", "B"], "Stimmen": [3, 2]})
    table.to_parquet(tmp_path / "all" / "state=DE" / "a.parquet")
    said = electjax.describe(tmp_path / "all")
    assert (said.kind, said.facts["votes"]) == ("returns", 5)
