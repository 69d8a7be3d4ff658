"""Four files as a newcomer has them, each from file to result in two commands, without an edit of the file."""

import json
from pathlib import Path

import pytest

import electjax
from tests.command_line import run

RETURNS = """State Assembly 2021: official results;;;
;;;
Constituency;Party;Votes obtained;Registered voters
Ashford;Blue;12,346;30,120
Ashford;Green;9,870;30,120
Ashford;Red;1,204;30,120
Brook;Blue;8,455;28,433
Brook;Green;11,020;28,433
Brook;Red;2,001;28,433
Cove;Blue;10,500;27,904
Cove;Green;7,310;27,904
Cove;Red;3,050;27,904
Total;Blue;31,301;86,457
Total;Green;28,200;86,457
Total;Red;6,255;86,457
Source: the election office;;;
"""
CVR = """Cast Vote Record,Precinct,Ballot Style,Governor,Sheriff,Clerk
{rows}
"""
SHARES = """precinct,total_votes,pct_white,pct_black,Adams,Burr
{rows}
"""


def results(folder: Path, name: str) -> dict:
    (found,) = (folder / "outputs" / name).glob("*/metrics.json")
    return json.loads(found.read_text("utf-8"))


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.ci
def test_returns_with_a_title_thousands_and_totals(here, monkeypatch, capsys):
    (here / "returns.csv").write_text(RETURNS, "cp1252")
    assert run(monkeypatch, "task=validate", "data=file", "data.path=returns.csv") == 0
    told = capsys.readouterr().out
    assert "districts: 3" in told
    assert "votes: 65,756" in told
    assert "'Total'" in told
    command = ["data=csv", "data.path=returns.csv", "model=dpm", "budget=200", "runs=20", "optimal_runs=20"]
    with pytest.warns(electjax.ElectionDataWarning, match="total rows left out"):
        assert run(monkeypatch, *command, "report=false") == 0
    assert results(here, "returns")["observed"]["seats"] == {"Blue": 2, "Green": 1, "Red": 0}


def test_cast_vote_records_of_a_vendor(here, monkeypatch, capsys):
    votes = [("Ada", "Eve", "Gus"), ("Bo", "Finn", "Hal"), ("Ada", "Eve", ""), ("Bo", "undervote", "Hal")]
    votes += [("Ada", "Finn", "Gus"), ("overvote", "Finn", "Hal")]
    rows = [f"{v},P{v % 3},style,{','.join(votes[v % 6])}" for v in range(1, 61)]
    (here / "cvr.csv").write_text(CVR.format(rows="\n".join(rows)), "utf-8")
    assert run(monkeypatch, "task=validate", "data=file", "data.path=cvr.csv") == 0
    told = capsys.readouterr().out
    assert "voters: 60" in told
    assert "offices: 3 (Governor, Sheriff, Clerk)" in told
    command = ["task=voter_types", "data=ballots", "data.path=cvr.csv", "voter_types.types=2", "report=false"]
    assert run(monkeypatch, *command, "voter_types.restarts=3") == 0
    assert results(here, "cvr")["voters"] == 60


def test_a_folder_of_booths(here, monkeypatch, capsys):
    electjax.template("booths", "mine")
    assert run(monkeypatch, "task=validate", "data=file", "data.path=mine") == 0
    assert "booths: 40" in capsys.readouterr().out
    command = ["task=calm", "data=booths", "data.path=mine", "calm.diagnostics=[]", "report=false"]
    assert run(monkeypatch, *command) == 0
    assert results(here, "mine")


@pytest.mark.ci
def test_shares_of_groups_and_candidates_with_totals(here, monkeypatch, capsys):
    rows = []
    for unit in range(24):
        white, total = 0.1 + 0.8 * unit / 23, 400 + 10 * unit
        adams = 0.2 + 0.5 * white
        rows.append(f"p{unit},{total},{white:.4f},{1 - white:.4f},{adams:.4f},{1 - adams:.4f}")
    (here / "shares.csv").write_text(SHARES.format(rows="\n".join(rows)), "utf-8")
    said = ["data=units", "data.path=shares.csv", "data.rows=[pct_white,pct_black]", "data.columns=[Adams,Burr]"]
    assert run(monkeypatch, "task=validate", *said) == 1
    assert "total=" in capsys.readouterr().out
    assert run(monkeypatch, "task=ecological", *said, "data.total=total_votes", "report=false") == 0
    assert results(here, "shares")
