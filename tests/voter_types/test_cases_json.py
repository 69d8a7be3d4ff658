"""Exports in JSON that are not as they should be: one line that names the file and the place in it."""

import json
import shutil
import zipfile
from pathlib import Path

import pytest

from electjax import voter_types
from tests.voter_types.faults import fault
from tests.voter_types.test_ballots import export

CASES = Path(__file__).parents[1] / "cases" / "31_dominion_json"


@pytest.fixture
def folder(tmp_path):
    here = tmp_path / "export"
    here.mkdir()
    export(here)
    return here


@pytest.mark.parametrize(
    ("case", "said"),
    [
        (1, "CvrExport_2.json, $.Sessions[0].Modified.Cards[0].Contests[0].Id: found object; expected int"),
        (11, "PrecinctPortionManifest.json, $.List[0]: found null; expected object"),
        (12, "ContestManifest.json, $.List[2]: found int; expected object"),
    ],
)
def test_the_cases(case, said):
    assert said in fault(CASES / f"ballots_json_TRACE_{case}")


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("ContestManifest", "[1, 2]", "ContestManifest.json, $: found array; expected object"),
        ("ContestManifest", "{}", "ContestManifest.json, $: Object missing required field `List`"),
        ("ContestManifest", '{"List": [{"Description": "Mayor"}]}', "$.List[0]: Object missing required field `Id`"),
        ("ContestManifest", '{"List": [{"Id": 1, "VoteFor": "one"}]}', "$.List[0].VoteFor: found str"),
        ("ContestManifest", '{"List": [{"Id": 1}, {"Id": 1}]}', "ContestManifest.json: Id 1 occurs twice"),
        ("CandidateManifest", '{"List": []}', "no contests or no candidates"),
        ("CvrExport_1", '{"Sessions": null}', "CvrExport_1.json, $.Sessions: found null; expected array"),
        (
            "CvrExport_1",
            '{"Sessions": [{}]}',
            "CvrExport_1.json, $.Sessions[0]: no record; expected Original or Modified",
        ),
        ("CvrExport_1", '{"Sessions": [', "CvrExport_1.json: cannot be read (Input data was truncated)"),
        ("CvrExport_1", "", "CvrExport_1.json: cannot be read"),
        ("CvrExport_1", '{"Sessions": ' + "[" * 100_000, "CvrExport_1.json"),
        ("CvrExport_1", '{"other": ' + "[" * 100_000, "CvrExport_1.json: is nested too deeply"),
        ("CvrExport_1", '{"Sessions": [], "NaN": NaN}', "CvrExport_1.json: cannot be read"),
    ],
)
def test_other_faults(folder, name, text, said):
    (folder / f"{name}.json").write_text(text)
    assert said in fault(folder)


def test_bytes_that_are_no_text(folder):
    file = folder / "ContestManifest.json"
    whole = file.read_bytes()
    file.write_bytes(b"\xef\xbb\xbf" + whole)
    assert voter_types.read(folder).sizes["voter"] == 4
    file.write_bytes(whole.replace(b"Sheriff", b"Sh\xe9riff"))
    assert "ContestManifest.json: cannot be read" in fault(folder)
    file.write_bytes(whole.decode().encode("utf-16"))
    assert "ContestManifest.json: cannot be read" in fault(folder)


def test_marks_that_nobody_knows(folder):
    file = folder / "CvrExport_1.json"
    whole = file.read_text()
    file.write_text(whole.replace('"CandidateId": 11', '"CandidateId": 22', 1))
    assert "candidate 22 of contest 1, which is in no manifest" in fault(folder)
    file.write_text(whole.replace('"Contests": [{"Id": 1', '"Contests": [{"Id": 9', 1))
    assert "CvrExport_1.json, $.Sessions[0]: a mark for contest 9" in fault(folder)
    file.write_text(whole.replace('{"Id": 2, "Overvotes": 0, "Undervotes": 0, "Marks": []', '{"Id": 1, "Marks": []'))
    assert "column 'President': ballot 2 has it twice" in fault(folder)


def test_zips(folder, tmp_path):
    path = tmp_path / "all.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for file in folder.iterdir():
            archive.write(file, f"sub/{file.name}")
    assert voter_types.read(path).sizes["voter"] == 4
    whole = path.read_bytes()
    for cut in (len(whole) // 3, len(whole) - 30):
        path.write_bytes(whole[:cut])
        fault(path)
    path.write_bytes(whole[:200] + bytes(100) + whole[300:])
    fault(path)
    with zipfile.ZipFile(path, "w") as archive:
        for file in folder.iterdir():
            archive.write(file, f"a/{file.name}")
            archive.write(file, f"b/{file.name}")
    assert "two files are called CandidateManifest.json: a/CandidateManifest.json and b/" in fault(path)


def test_options_of_tables(folder):
    assert voter_types.read(folder, where={"PrecinctPortion": "North"})["row"].values.tolist() == [1, 2, 3]
    assert "no row has the value 'South'" in fault(folder, where={"PrecinctPortion": "South"})
    renamed = voter_types.read(folder, columns={"place": "PrecinctPortion"}, cluster="place")
    assert renamed["cluster"].values.tolist() == ["North", "North", "North", "8"]
    assert voter_types.read(folder, name="mine").attrs["name"] == "mine"
    for name, value in {"header": 2, "sheet": "a", "thousands": ".", "totals": "keep", "absent": "off_ballot"}.items():
        assert f"{name}={value!r} means nothing for Dominion's JSON" in fault(folder, **{name: value})


def test_a_party_of_a_candidate_comes_from_the_manifest_or_the_marks(folder):
    shutil.copy(folder / "CandidateManifest.json", folder / "kept")
    found = json.loads((folder / "CandidateManifest.json").read_text())
    found["List"][0]["PartyId"] = 2
    (folder / "CandidateManifest.json").write_text(json.dumps(found))
    parties = voter_types.read(folder)["option_party"].values.tolist()
    assert parties == [["", "REP", "REP"], ["", "DEM", ""]]
