"""The public database on religion and politics in India: SQLite and CSV, what is left out and what is refused."""

import inspect
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

import electjax
from electjax.data.errors import ElectionDataError, ElectionDataWarning
from tests.calm import india
from tests.command_line import run


@pytest.fixture
def found():
    return india.tables()


def read(found: dict[str, india.Rows], path: Path, **options: object) -> xr.Dataset:
    return electjax.calm.read(india.as_sqlite(found, path / "up.sqlite"), **{"year": 2012, **options})


def refused(found: dict[str, india.Rows], path: Path, *parts: str, **options: object) -> None:
    with pytest.raises(ElectionDataError) as caught:
        read(found, path, **options)
    assert "\n" not in str(caught.value)
    assert [part for part in parts if part not in str(caught.value)] == []


def test_booths_of_a_database(found, tmp_path):
    booths = read(found, tmp_path)
    assert dict(booths.sizes) == {"booth": 36, "cell": 3, "party": 5, "axis": 1, "constituency": 3}
    assert booths["booth"].values[:2].tolist() == ["7/1", "7/2"]
    assert booths["party"].values.tolist() == ["sp", "bsp", "bjp", "IND", "others"]
    roll, result = found["uprolls2012"][0], found["upvidhansabha2012"][0]
    assert booths["electors"].values[0] == roll["electors_12"]
    share = np.array([roll["hindu_percent_12"], roll["muslim_percent_12"]])
    rest = roll["christian_percent_12"] + roll["sikh_percent_12"]
    expected = np.array([*share, rest]) / (share.sum() + rest) * roll["electors_12"]
    assert (np.abs(booths["cell_size"].values[0] - expected) < 1).all()
    assert booths["polled"].values[0] == result["turnout_12"]
    assert booths["votes"].values[0, :3].tolist() == [result[f"votes_{p}_12"] for p in ("sp", "bsp", "bjp")]
    # What is below a hundredth of the votes, and what went to no party, are the others'.
    assert booths["votes"].values.sum(axis=1).tolist() == booths["polled"].values.tolist()
    religion = booths["candidate_category"].sel(axis="religion")
    assert religion.sel(party="sp").values.tolist() == ["Muslim", "Muslim", "Hindu"]
    assert religion.sel(party="bsp").values.tolist() == ["", "", ""]
    assert "1 totals left out" in booths.attrs["notes"]
    assert "religion of 6 of 12 candidates is known" in booths.attrs["notes"]
    assert "36 blank percentages" in booths.attrs["notes"]
    tables = electjax.calm.read(india.as_csv(found, tmp_path / "csv"), year=2012)
    xr.testing.assert_equal(tables, booths)


def test_options_of_a_database(found, tmp_path):
    sure = read(found, tmp_path, certainty=1.0)
    assert sure["candidate_category"].sel(party="bjp", axis="religion").values.tolist() == ["", "Hindu", "Hindu"]
    few = read(found, tmp_path, parties=["SP", "bjp"], state="Uttar Pradesh", rest="drop")
    assert few["party"].values.tolist() == ["sp", "bjp", "others"]
    assert (few["polled"] <= read(found, tmp_path)["polled"]).all()
    assert "tiny" in read(found, tmp_path, parties=0.0)["party"].values
    one = read(found, tmp_path, where={"ac_id_09": 8}, covariates=["age_avg"])
    assert one["constituency"].values.tolist() == ["8"]
    assert one["covariate_value"].values.ravel().tolist() == [39.5] * 12
    axes = {"religion": {"categories": ["Muslim", "Sikh", "Others"]}}
    assert read(found, tmp_path, axes=axes)["cell"].values.tolist() == ["Muslim", "Sikh", "Others"]
    assert int(read(found, tmp_path, votes=False)["polled"].sum()) == 0


def test_shares_of_the_election_before(found, tmp_path):
    booths = read(found, tmp_path, year=2017, previous=2012)
    assert booths.attrs["name"] == "up2017"
    # Booth 4 was booth 3; the first two are joined to none.
    assert np.isnan(booths["previous"].sel(booth=["7/2", "7/3"]).values).all()
    before = found["upvidhansabha2012"][2]
    total = sum(before[f"votes_{party}_12"] for party in ("sp", "bsp", "bjp", "ind", "tiny"))
    assert booths["previous"].sel(booth="7/4", party="sp").item() == pytest.approx(before["votes_sp_12"] / total)
    assert "30 of 36 booths have shares of 2012" in booths.attrs["notes"]
    refused(found, tmp_path, "no table upvidhansabha2013", "previous=", previous=2013)


def test_a_lok_sabha_has_constituencies_of_several_others(found, tmp_path):
    booths = read(found, tmp_path, year=2014)
    assert booths["constituency"].values.tolist() == ["1", "2"]
    assert booths["booth_constituency"].values.tolist() == ["1"] * 24 + ["2"] * 12
    assert booths["candidate_category"].sel(party="bjp", axis="religion").values.tolist() == ["Other", ""]


def test_gujarat(found, tmp_path):
    tables = {
        name.replace("up", "guj"): rows for name, rows in found.items() if name.endswith("2014") or name == "upid"
    }
    booths = read(tables, tmp_path, year=None)
    assert booths.attrs["name"] == "guj2014"


def test_booths_that_cannot_be_used_are_counted(found, tmp_path):
    results, rolls = found["upvidhansabha2012"], found["uprolls2012"]
    results[0]["turnout_12"] = 10  # fewer than votes
    results[1]["turnout_12"] = rolls[1]["electors_12"] + 1
    results[3] |= {f"votes_{party}_12": None for party in ("sp", "bsp", "bjp", "ind", "tiny")}
    results[4]["turnout_12"] = None
    results.append(results[5] | {"votes_sp_12": 1})
    del rolls[2]
    rolls[10] |= {"electors_12": 0}
    said = (
        "7 of 37 booths cannot be used: 2 are there twice, 1 have no rolls, 1 have rolls without electors or religion,"
        " 1 have no votes of any party, 1 have more votes than turnout, 1 have a higher turnout than electors"
    )
    with pytest.warns(ElectionDataWarning, match=said):
        booths = read(found, tmp_path)
    assert booths.sizes["booth"] == 30
    assert "1 booths have no rolls (left out)" in booths.attrs["notes"]
    assert "turnout is blank in 1 booths" in booths.attrs["notes"]
    refused(found, tmp_path, said, "the first is 7/1", "faulty='drop'", faulty="refuse")


def test_rows_that_repeat_another_but_for_their_number(found, tmp_path):
    found["uprolls2012"].append(found["uprolls2012"][4] | {"id": 500})
    with pytest.warns(ElectionDataWarning, match="uprolls2012, row 37: the row repeats row 5 word for word"):
        assert read(found, tmp_path).sizes["booth"] == 36


@pytest.mark.parametrize(
    ("options", "parts"),
    [
        ({"year": None}, ["3 elections are meant", "upvidhansabha2012", "year=2014"]),
        ({"year": 2013}, ["no elections are meant, there are uploksabha2014, upvidhansabha2012, upvidhansabha2017"]),
        ({"state": "goa"}, ["no state 'goa'; expected up or guj"]),
        ({"rolls": 2011}, ["no table uprolls2011", "there is uprolls2012, uprolls2014, uprolls2017; pass rolls="]),
        ({"axes": {"age": {"categories": ["a"]}}}, ["axes: axes age; expected the one axis religion"]),
        ({"axes": {"religion": {"categories": ["Hindu"]}}}, ["axes.religion: no category for muslim"]),
        ({"parties": ["sq"]}, ["no party 'sq'", "did you mean sp"]),
        ({"parties": 1.5}, ["parties", "expected a number in [0, 1), or a list of parties"]),
        ({"columns": {"booth": "x"}}, ["columns= with a database"]),
        ({"covariates": ["height"]}, ["uprolls2012, covariates: no column 'height_12'"]),
        ({"where": {"ac_id_09": 77}}, ["no row has the value '77'"]),
    ],
)
def test_faults_of_options(found, tmp_path, options, parts):
    refused(found, tmp_path, *parts, **options)


def test_faults_of_a_database(found, tmp_path):
    path = india.as_sqlite(found, tmp_path / "up.sqlite")
    whole = path.read_bytes()
    for name, content in {"cut": whole[:5000], "bad": whole[:100] + b"\xff" * 4000 + whole[4100:], "none": b""}.items():
        bad = tmp_path / f"{name}.sqlite"
        bad.write_bytes(content)
        with pytest.raises(ElectionDataError, match=rf"^{name}.sqlite: ") as caught:
            electjax.calm.read(bad, year=2012)
        assert "\n" not in str(caught.value)
    refused({k: v for k, v in found.items() if k != "upcandidates2012"}, tmp_path, "no table upcandidates2012")
    found["upvidhansabha2012"][3]["votes_sp_12"] = "12a"
    refused(found, tmp_path, "upvidhansabha2012, row 4, column 'votes_sp_12': '12a' is not a number")


def test_parts_of_a_table_have_its_columns(found, tmp_path):
    folder = india.as_csv(found, tmp_path / "csv")
    part = folder / "upvidhansabha2012-b.csv"
    part.write_text(part.read_text().replace("votes_sp_12", "votes_sq_12"))
    with pytest.raises(
        ElectionDataError, match=r"2012-b.csv: columns are not those of .*-a.csv: votes_sp_12, votes_sq"
    ):
        electjax.calm.read(folder, year=2012)


def test_a_fault_in_a_part_names_the_part(found, tmp_path):
    folder = india.as_csv(found, tmp_path / "csv")
    part = folder / "upvidhansabha2012-b.csv"
    rows = part.read_text().splitlines()
    at = rows[0].split(",").index("votes_sp_12")
    cells = rows[2].split(",")
    part.write_text("\n".join([*rows[:2], ",".join([*cells[:at], "12a", *cells[at + 1 :]]), *rows[3:]]))
    with pytest.raises(ElectionDataError, match=r"^upvidhansabha2012-b.csv, row 3, column 'votes_sp_12': '12a'"):
        electjax.calm.read(folder, year=2012)


def test_damage_anywhere_ends_in_one_line(found, tmp_path):
    """Bytes of the file overwritten at many places: booths, or one line."""
    whole = india.as_sqlite({k: v for k, v in found.items() if "2012" in k}, tmp_path / "up.sqlite").read_bytes()
    rng = np.random.default_rng(0)
    bad = tmp_path / "bad.sqlite"
    for _ in range(40):
        start = int(rng.integers(16, len(whole) - 64))
        bad.write_bytes(whole[:start] + rng.bytes(64) + whole[start + 64 :])
        try:
            electjax.calm.read(bad)
        except ElectionDataError as error:
            assert "\n" not in str(error)  # noqa: PT017
        except ElectionDataWarning:
            pass


@pytest.mark.ci
def test_from_file_to_fit(found, tmp_path):
    fit = electjax.calm.fit(read(found, tmp_path), model="recommended", context=0)
    assert fit["eta"].sizes == {"axis": 1}
    assert fit["eta"].item() > 0


def test_how_to(found, tmp_path, monkeypatch):
    """The commands of the text are those that work; the fit is that of `test_from_file_to_fit`."""
    signature = inspect.signature(electjax.calm.fit)

    def fit(*given: object, **options: object) -> xr.Dataset:
        signature.bind(*given, **options)
        return xr.Dataset({"eta": ("axis", [0.1])})

    monkeypatch.setattr(electjax.calm, "fit", fit)
    text = Path("docs/how-to/uttar_pradesh.md").read_text(encoding="utf-8")
    blocks = [part.split("```")[0] for part in text.split("```python\n")[1:]]
    india.as_sqlite(found, tmp_path / "india.sqlite")
    scope: dict[str, object] = {"electjax": electjax}
    for block in blocks:
        lines = block.replace("india.sqlite", str(tmp_path / "india.sqlite")).replace('"ac_id_09": 86', '"ac_id_09": 8')
        exec(compile(lines, "uttar_pradesh.md", "exec"), scope)
    for command in (line for line in text.splitlines() if line.startswith("python -m")):
        words = command.replace("india.sqlite", str(tmp_path / "india.sqlite")).split()[3:]
        assert run(monkeypatch, *words, "--cfg", "job") == 0
    assert {"up2012", "up2017"} <= {str(value.attrs.get("name")) for value in scope.values() if hasattr(value, "attrs")}
