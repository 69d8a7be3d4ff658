"""A user's units on the command line: one file or two, with covariates and areas; what is wrong names its key."""

import json

import pandas as pd
import pytest

import electjax
from tests.command_line import run

GROUPS = pd.DataFrame(
    {
        "precinct": ["01", "02", "03", "04"],
        "county": ["East", "East", "West", "West"],
        "old": [300, 120, 405, 280],
        "young": [200, 380, 95, 20],
        "income": ["41,5", "38", "12,5", "9"],
    }
)
VOTES = pd.DataFrame({"precinct": ["04", "02", "03", "01"], "X": [110, 301, 188, 262], "Y": [190, 199, 312, 238]})
QUICK = ("ecological.method=independence", "ecological.baselines=[]", "report=false", "hydra.run.dir=out")
BOTH = ("data=units", "data.path=groups.csv", "data.column_table=my votes.csv")
ABOUT = ("data.covariates=[income]", "data.area=county")


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    GROUPS.to_csv("groups.csv", index=False, sep=";")
    VOTES.to_csv("my votes.csv", index=False)
    return tmp_path


def test_two_matrices_are_two_paths(here, monkeypatch, capsys):
    assert run(monkeypatch, "task=ecological", *BOTH, *ABOUT, *QUICK) == 0
    capsys.readouterr()
    units = electjax.load(here / "out" / "data.nc")
    assert units["column_margin"].values.tolist() == [[262, 238], [301, 199], [188, 312], [110, 190]]
    assert units["unit_name"].values.tolist() == ["01", "02", "03", "04"]
    assert units["unit_area"].values.tolist() == ["East", "East", "West", "West"]
    assert units["unit_covariate"].values[:, 0].tolist() == [41.5, 38, 12.5, 9]
    plain = electjax.ecological.read((GROUPS, VOTES), covariates=["income"], area="county")
    assert units["row_margin"].equals(plain["row_margin"])
    assert electjax.ecological.read(GROUPS, column_table=VOTES, covariates=["income"], area="county").equals(plain)
    notes = " | ".join(json.loads((here / "out" / "metrics.json").read_text("utf-8"))["notes"])
    assert "units of the two tables are joined by name" in notes
    assert "are kept; ecological.estimate does not use them yet" in notes


def test_validate_says_what_two_matrices_are(here, monkeypatch, capsys):
    assert run(monkeypatch, "task=validate", *BOTH, *ABOUT) == 0
    told = capsys.readouterr().out
    assert "units: 4" in told
    assert "covariates: income" in told
    line = next(line for line in told.splitlines() if "python -m" in line)
    assert "data.path=groups.csv" in line
    assert "'data.column_table=\"my votes.csv\"'" in line or "'data.column_table=my votes.csv'" in line


@pytest.mark.parametrize(
    ("overrides", "says"),
    [
        (("data.path=groups.csv", "data.column_table=none.csv"), "data.column_table: "),
        (("data.path=none.csv", "data.column_table=groups.csv"), "data.path: "),
        ((*BOTH[1:], "data.rows=[old,yung]"), "no column 'yung'"),
        ((*BOTH[1:], "data.area=state"), "data.area: groups.csv and my votes.csv: no column 'state'"),
        ((*BOTH[1:], "data.covariates=[county]"), "'East' is not a number"),
        ((*BOTH[1:], "data.total=0"), "data.total: expected a column, or a number above 0"),
    ],
)
def test_what_is_wrong_names_its_key(here, monkeypatch, capsys, overrides, says):
    assert run(monkeypatch, "task=ecological", "data=units", *overrides, *QUICK) in (1, 2)
    told = capsys.readouterr().err
    assert says in told
    assert len(told.splitlines()) == 1
    assert not (here / "out").exists()
