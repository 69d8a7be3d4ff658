"""Inputs that were once read or treated wrongly, each with what is right."""

from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest
import xarray as xr

import electjax
from electjax import ElectionDataError, ElectionDataWarning
from tests.command_line import run

CASES = Path(__file__).parents[1] / "cases"


def read(case, **options):
    """An election without any warning."""
    return electjax.districts.read(CASES / case, **options)


def warned(case, match, **options):
    """An election with one warning that says so."""
    with pytest.warns(electjax.ElectionDataWarning, match=match) as caught:
        election = electjax.districts.read(CASES / case, **options)
    assert len(caught) == 1
    return election


def refused(case, *parts, **options):
    """The error in one line that holds these parts."""
    with pytest.raises(electjax.ElectionDataError) as caught:
        electjax.districts.read(CASES / case, **options)
    message = str(caught.value)
    assert "\n" not in message
    assert [part for part in parts if part not in message] == []


def seats(election):
    return {str(party): int(n) for party, n in election["seats"].to_series().items() if n}


def winners(election):
    return dict(zip(election["district"].values.tolist(), election["winner"].values.tolist(), strict=True))


@pytest.mark.parametrize("layout", ["tidy", "wide"])
def test_a_total_row_is_no_district(layout):
    case = f"01_total_row/{layout}.csv"
    election = warned(case, r"total rows left out, the first is 'Total' \(row \d\)")
    assert winners(election) == {"D1": "A", "D2": "B"}
    assert int(election["votes"].sum()) == 25
    assert "total rows left out" in election.attrs["notes"]
    assert read(case, totals="keep").sizes["district"] == 3
    refused(case, "'Total' is a total", totals="refuse")


@pytest.mark.parametrize("layout", ["long", "wide"])
def test_a_district_that_adds_up_the_others_is_refused_whatever_its_name(tmp_path, layout):
    text = {
        "long": "district,party,votes\nD1,A,10\nD1,B,5\nD2,A,3\nD2,B,7\nAll,A,13\nAll,B,12\n",
        "wide": "district,votes_A,votes_B\nD1,10,5\nD2,3,7\nAll,13,12\n",
    }
    path = tmp_path / "sum.csv"
    path.write_text(text[layout], "utf-8")
    with pytest.raises(electjax.ElectionDataError, match=r"'All' adds up the districts above it.*totals='drop'"):
        electjax.districts.read(path)
    with pytest.warns(electjax.ElectionDataWarning, match="'All' adds up"):
        election = electjax.districts.read(path, totals="drop")
    assert election["district"].values.tolist() == ["D1", "D2"]


def test_a_missing_candidate_is_nobody_and_a_missing_party_none():
    election = read("03_na_candidate_wins/na.csv")
    assert winners(election) == {"OHIO 001": "DEMOCRAT"}
    assert seats(election) == {"DEMOCRAT": 1}
    assert election["votes"].sum("district").to_series().to_dict() == {"DEMOCRAT": 100, "REPUBLICAN": 90, "others": 130}
    detailed = read("03_na_candidate_wins/na.csv", party_column="party_detailed")
    assert detailed["votes"].sel(party=["GREEN", "others"]).values.tolist() == [[60, 70]]
    assert seats(detailed) == {"DEMOCRAT": 1}


@pytest.mark.parametrize("file", ["precinct", "renamed"])
def test_precinct_returns(file):
    case = f"06_medsl_precinct/{file}.csv"
    refused(case, "several elections: STATE HOUSE, ATTORNEY GENERAL", "where={'office': 'STATE HOUSE'}")
    house = read(case, where={"office": "STATE HOUSE"})
    assert winners(house) == {"DELAWARE 001": "REPUBLICAN", "DELAWARE 002": "DEMOCRAT"}
    assert house["votes"].sel(district="DELAWARE 001", party=["REPUBLICAN", "DEMOCRAT"]).values.tolist() == [65, 60]
    assert "votes by mode are summed" in house.attrs["notes"]
    on_the_day = read(case, where={"office": "STATE HOUSE", "mode": "IN-PERSON"})
    assert on_the_day["votes"].sel(district="DELAWARE 001", party=["REPUBLICAN", "DEMOCRAT"]).values.tolist() == [
        40,
        55,
    ]
    general = {"where": {"office": "ATTORNEY GENERAL"}}
    assert read(case, **general)["district"].values.tolist() == ["DELAWARE"]
    assert read(case, **general, district="county_name")["district"].values.tolist() == ["KENT"]
    assert read(case, **general, district="precinct")["district"].values.tolist() == ["P1"]


def test_several_elections_are_not_added_up():
    case = "08_offices_summed/two_offices.csv"
    refused(case, "several elections: State Senate, State House", "where={'office': 'State Senate'}")
    assert seats(read(case, where={"office": "State Senate"})) == {"DEM": 1}
    assert seats(read(case, where={"office": ["State House"]})) == {"REP": 1}
    refused("08_offices_summed/two_years.csv", "several elections: 2015, 2020")
    assert read("08_offices_summed/two_years.csv", year=2020)["votes"].values.tolist() == [[95, 40]]


@pytest.mark.parametrize("file", ["title", "comment", "sep"])
def test_what_stands_above_the_header_is_left_out(file):
    assert read(f"09_preamble/{file}.csv")["votes"].values.tolist() == [[10, 5]]


def test_blank_cells_at_the_end_of_a_row_count_for_nothing():
    assert read("12_ragged_trailing_commas/returns.csv")["votes"].values.tolist() == [[10, 5]]


def test_blank_numbers_of_indian_returns():
    assert winners(read("14_tcpd_blanks/poll_blank.csv")) == {"ONE": "P1", "TWO": "P2"}
    lacking = warned("14_tcpd_blanks/electors_blank.csv", "no electors for 1 districts, such as 'THREE'")
    assert lacking.sizes["district"] == 3
    assert "electors" not in lacking
    assert winners(read("14_tcpd_blanks/position_blank.csv")) == {"ONE": "P1", "TWO": "P2"}


@pytest.mark.parametrize("file", ["uncontested", "uncontested_blank"])
def test_uncontested_seats(file):
    refused(f"14_tcpd_blanks/{file}.csv", "'THREE' has no votes", "uncontested='drop'")
    left = warned(f"14_tcpd_blanks/{file}.csv", "1 districts without votes left out: THREE", uncontested="drop")
    assert winners(left) == {"ONE": "P1", "TWO": "P2"}


def test_identical_rows_count_once():
    case = "17_duplicate_rows/returns.csv"
    assert seats(warned(case, "row 4: the row repeats row 2 word for word")) == {"B": 1}
    assert seats(read(case, repeated="keep")) == {"A": 1}
    refused(case, "row 4", "repeats row 2", repeated="refuse")


def test_rows_that_differ_in_their_votes_alone_are_refused(tmp_path):
    path = tmp_path / "again.csv"
    path.write_text("district,party,candidate,votes\nD1,A,x,10\nD1,B,y,15\nD1,A,x,11\n", "utf-8")
    with pytest.raises(electjax.ElectionDataError, match="party 'A' is in district 'D1' again, as in row 2"):
        electjax.districts.read(path)


def test_a_district_of_two_seats_is_refused():
    refused("21_magnitude_ignored/mag.csv", "row 2, column 'magnitude'", "2 seats", "districts of one seat")


def test_simulations_whose_statistics_are_not_finite_are_rejected():
    election = read("19_stat_nan/e.csv")
    how = {"model": "dm", "budget": 2000, "accept": 100}
    fit = electjax.districts.calibrate(election, **how, statistics=lambda v, w: jnp.log(v.min(0) * 1.0))
    assert "not finite in 53.5% of the prior's simulations" in fit.attrs["verdict_reasons"]
    assert 0.5 < fit.attrs["not_finite"] < 0.6
    assert np.isfinite(fit["distance"]).all()
    with pytest.raises(ValueError, match="finite in none of"):
        electjax.districts.calibrate(
            election, **how, pilot=500, statistics=lambda v, w: jnp.log(jnp.where(v[0, :1] == 500, 1.0, -1.0))
        )


@pytest.mark.parametrize("file", ["dollar", "dollar2"])
def test_names_with_dollars_are_drawn(tmp_path, file):
    elections = electjax.districts.simulate(read(f"30_report_names/{file}.csv"), "dm", runs=5)
    for kind in ("seats", "geography"):
        np.ravel(electjax.districts.plot(elections, kind))[0].figure.savefig(tmp_path / f"{kind}.png")


@pytest.mark.ci
def test_a_report_of_names_with_dollars_is_written(tmp_path, monkeypatch):
    file = CASES / "30_report_names" / "dollar.csv"
    monkeypatch.chdir(tmp_path)
    how = ["data=csv", f"data.path={file}", "model=dm", "budget=300", "runs=20", "optimal_runs=10"]
    assert run(monkeypatch, *how, f"hydra.run.dir={tmp_path}/out") == 0
    assert "\\frac{$" in (tmp_path / "out" / "report.html").read_text("utf-8")


def test_where_a_party_stood_is_kept(tmp_path):
    path = tmp_path / "wide.csv"
    path.write_text("district,votes_A,votes_B,votes_C\nX,9,0,\nY,5,6,1\n", "utf-8")
    election = electjax.districts.read(path)
    stood = {"A": [True, True], "B": [True, True], "C": [False, True]}
    assert {party: election["stood"].sel(party=party).values.tolist() for party in stood} == stood
    assert election["votes"].sel(party="C").values.tolist() == [0, 1]
    for name in ("e.nc", "e.zarr"):
        back = electjax.districts.load(electjax.districts.save(election, tmp_path / name))
        xr.testing.assert_identical(back["stood"], election["stood"])
    assert electjax.districts.pool_parties(election, 1)["stood"].values.tolist() == [[True, True], [True, True]]
    wrong = election.assign(stood=election["stood"] & (election["party"] != "A"))
    with pytest.raises(electjax.ElectionDataError, match=r"stood\(district='X', party='A'\)"):
        electjax.districts.validate(wrong)


def test_seats_won_by_parties_are_one_to_a_district(tmp_path):
    path = tmp_path / "mandate.csv"
    path.write_text("Wahlkreis,Partei,Stimmen,Mandate\nA,X,100,1\nA,Y,90,0\nB,X,200,1\nB,Y,180,1\n", "utf-8")
    with pytest.raises(ElectionDataError, match=r"row 4, column 'Mandate': 'B' has 2 seats"):
        electjax.districts.read(path)


def test_percentages_are_no_votes(tmp_path):
    path = tmp_path / "share.csv"
    path.write_text("district,party,votes\nA,X,45.123\nA,Y,54.877\nB,X,60.001\nB,Y,39.999\n", "utf-8")
    with pytest.raises(ElectionDataError, match="may be thousands or a decimal"):
        electjax.districts.read(path)
    path.write_text("district,party,votes,total_votes\nA,X,60,900\nA,Y,40,900\nB,X,55,800\nB,Y,45,800\n", "utf-8")
    with pytest.raises(ElectionDataError, match=r"add up to 100.*pass total='total_votes'"):
        electjax.districts.read(path)
    election = electjax.districts.read(path, total="total_votes")
    assert election["votes"].sel(district="A", party=["X", "Y"]).values.tolist() == [540, 360]
    path.write_text("district,party,votes\nA,X,60\nA,Y,40\nB,X,55\nB,Y,45\n", "utf-8")
    with pytest.warns(ElectionDataWarning, match="pass total="):
        electjax.districts.read(path)


def test_totals_of_modes_are_told_whatever_other_columns_say(tmp_path):
    path = tmp_path / "modes.csv"
    rows = [
        "precinct,office,party_detailed,party_simplified,mode,votes,county_name,candidate,district,year,stage,state"
    ]
    rows[0] += ",special,writein,state_po,percent"
    for candidate, party, early, late in (("ADA", "DEMOCRAT", 30, 34), ("BO", "REPUBLICAN", 20, 42)):
        for mode, votes in (("EARLY", early), ("ELECTION DAY", late), ("TOTAL", early + late)):
            place = f"KENT,{candidate},001,2022,GEN,DELAWARE,FALSE,FALSE,DE"
            rows.append(f"P1,HOUSE,{party},{party},{mode},{votes},{place},{votes / 2}")
    path.write_text("\n".join(rows) + "\n", "utf-8")
    assert electjax.districts.read(path)["votes"].values.tolist() == [[64, 62]]
