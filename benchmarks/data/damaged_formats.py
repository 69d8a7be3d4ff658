"""A small right file of every format and container that is read, and what reads it; the tests' own fixtures, mostly."""

import bz2
import gzip
import json
import lzma
import zipfile
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import xarray as xr

import electjax
from electjax import ElectionDataError
from electjax.districts.checkpoint import Checkpoint

Make, Read = Callable[[Path], Path], Callable[[Path], Any]


def _of(fixture: str) -> Any:
    """A fixture of the tests, as in "districts.test_formats:KERG"; one module of them is imported, not all."""
    module, name = fixture.split(":")
    return getattr(import_module(f"tests.{module}"), name)


class Format(NamedTuple):
    """Files of a format that are right, and what reads them.

    Attributes:
        make: writes one into a folder.
        read: reads it.
        sealed: whether a damaged one that is read must be the same text from `read` as the right one.
    """

    make: Make
    read: Read
    sealed: bool = False


# ------------------------------------------------------------------------------------ makers


def _template(kind: str, name: str) -> Make:
    return lambda folder: electjax.template(kind, folder / kind) / name


def _text(content: str, name: str = "table.csv") -> Make:
    def make(folder: Path) -> Path:
        (folder / name).write_text(content, "utf-8")
        return folder / name

    return make


def _fixture(fixture: str) -> Make:
    def make(folder: Path) -> Path:
        return _text(_of(fixture))(folder)

    return make


def _nist(suffix: str) -> Make:
    def make(folder: Path) -> Path:
        report = _of("voter_types.test_records:REPORT")
        as_xml = _of("voter_types.test_records:as_xml")
        text = json.dumps(report) if suffix == ".json" else as_xml("CastVoteRecordReport", report)
        return _text(text, f"report{suffix}")(folder)

    return make


def _frame(make: Make, suffix: str) -> Make:
    """The CSV of a maker as a workbook or Parquet."""

    def write(folder: Path) -> Path:
        table, path = pd.read_csv(make(folder)), folder / f"table{suffix}"
        if suffix == ".xlsx":
            table.to_excel(path, index=False)
        else:
            table.to_parquet(path, index=False)
        return path

    return write


def _packed(name: str, pack: Callable[[bytes], bytes]) -> Make:
    def make(folder: Path) -> Path:
        (folder / name).write_bytes(pack(_template("returns", "returns.csv")(folder).read_bytes()))
        return folder / name

    return make


def _zipped(folder: Path, files: dict[str, str]) -> Path:
    with zipfile.ZipFile(folder / "packed.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return folder / "packed.zip"


def _returns_zip(folder: Path) -> Path:
    return _zipped(folder, {"returns.csv": _csv(folder).read_text("utf-8"), "readme.pdf": "x"})


def _tcpd(kind: str) -> Make:
    """The two files of TCPD: columns and rows of the tests, which fill in two constituencies."""

    def make(folder: Path) -> Path:
        tests = import_module("tests.districts.test_readers")
        if kind == "LOKDHABA":
            named = ((1, "Nerela", "AAP", 90, 1), (1, "Nerela", "BJP", 80, 2), (2, "Burari", "AAP", 60, 2))
            rows = tests.lokdhaba_rows(*named, (2, "Burari", "BJP", 70, 1))
        else:
            named = (("NERELA", "GEN", "AAP", 90, 1), ("NERELA", "GEN", "BJP", 80, 2), ("BAWANA", "SC", "AAP", 60, 2))
            rows = tests.tcpd_rows(*named, ("BAWANA", "SC", "BJP", 70, 1))
        path: Path = tests.write(folder / "table.csv", getattr(tests, kind), rows)
        return path

    return make


def _dominion_json(folder: Path) -> Path:
    (folder / "export").mkdir()
    _of("voter_types.test_ballots:export")(folder / "export")
    return folder / "export"


def _hive(folder: Path) -> Path:
    tests = import_module("tests.voter_types.test_database")
    for rows, state, county in ((tests.APACHE, "AZ", "APACHE"), (tests.PIMA, "AZ", "PIMA")):
        tests.put(folder / "release", rows, state, county)
    tests.put(folder / "release", tests.YORK, "PA", "NEW%20YORK")
    return folder / "release"


def _india(kind: str) -> Make:
    def make(folder: Path) -> Path:
        tests = import_module("tests.calm.india")
        path: Path = getattr(tests, f"as_{kind}")(tests.tables(), folder / f"up.{kind}")
        return path

    return make


def _matrices(folder: Path) -> Path:
    (folder / "matrices").mkdir()
    (folder / "matrices" / "groups.csv").write_text("precinct,old,young\na,30,20\nb,10,40\nc,25,35\n")
    (folder / "matrices" / "votes.csv").write_text("precinct,blue,red\na,25,25\nb,20,30\nc,40,20\n")
    return folder / "matrices"


def _saved(suffix: str) -> Make:
    return lambda folder: electjax.save(electjax.calm.simulate("tiny"), folder / f"booths{suffix}")


def _foreign(suffix: str) -> Make:
    """Units as xarray writes them."""

    def make(folder: Path) -> Path:
        units = _units(_template("units", "units.csv")(folder))
        if suffix == ".zarr":
            units.to_zarr(folder / "units.zarr", mode="w", zarr_format=2, consolidated=True)
        else:
            units.to_netcdf(folder / "units.nc", engine="h5netcdf")
        return folder / f"units{suffix}"

    return make


_STATE = {"unit": np.arange(60.0).reshape(30, 2), "number": np.array([1, 2, 3]), "stopped": np.array("no gain")}


def _checkpoint(folder: Path) -> Path:
    Checkpoint(folder / "smc", "who").save(_STATE)
    return folder / "smc"


# ------------------------------------------------------------------------------------ readers


def _with(read: Callable[..., Any], **options: Any) -> Read:
    return lambda path: read(path, **options)


def _units(path: Path) -> xr.Dataset:
    return electjax.ecological.read(path, rows=["old", "young"], columns=["blue", "red"])


def _shares(path: Path) -> Any:
    return electjax.ecological.read(path, rows=["old", "young"], columns=["blue", "red"], total="total")


def _pair(path: Path) -> Any:
    return electjax.ecological.read((path / "groups.csv", path / "votes.csv"))


def _database(path: Path) -> Any:
    return electjax.calm.read(path, year=2012)


def _described(path: Path) -> None:
    said = electjax.describe(path)
    if said.error:
        raise ElectionDataError(said.error)


def _loaded(path: Path) -> str:
    return json.dumps(electjax.load(path).to_dict(), default=str, sort_keys=True)


def _state(path: Path) -> str:
    state = Checkpoint(path, "who").latest() or {}
    return json.dumps({name: array.tolist() for name, array in state.items()}, sort_keys=True)


# ------------------------------------------------------------------------------------ formats

_GERMAN = """Amtliches Ergebnis;;;
Wahlkreis;Partei;Stimmen;Wahlberechtigte
Nord;Blau;1.346;5.020
Nord;Rot;998;5.020
S\u00fcd;Blau;2.051;6.100
S\u00fcd;Rot;2.200;6.100
"""
_COMMONS_LONG = """Constituency name,Party name,Party abbreviation,Candidate first name,Candidate surname,Votes,Share
Aberavon,Labour,Lab,Ann,Moss,17008,.6
Aberavon,Independent,Ind,Bob,Reed,5000,.2
Angus,Labour,Lab,Ann,Moss,10,.9
Angus,Independent,Ind,Cy,Reed,1,.1
"""
_LONG_BALLOTS = """voter,office,choice,party
1,President,Ada,Blue
1,Governor,Cy,Blue
2,President,Bo,Red
2,Governor,undervote,
3,President,Ada,Blue
3,Governor,Di,Red
"""
_LONG_UNITS = """contest,unit,side,option,votes
A,1,group,old,30
A,1,group,young,20
A,1,party,blue,25
A,1,party,red,25
A,2,group,old,10
A,2,group,young,40
A,2,party,blue,20
A,2,party,red,30
"""
_ESS = """Cast Vote Record,Precinct,Ballot Style,Governor,Council,Council ,Judge
101,N,1,Ann (DEM),Gus,Hal,write-in:
102,N,1,overvote,Hal,undervote,
103,S,2,undervote,,,Write-In: Zoe
104,S,2,Bob (REP),Gus,undervote,Ida
"""
_SHARES = "precinct,total,old,young,blue,red\na,50,.6,.4,.5,.5\nb,50,.2,.8,.4,.6\nc,80,.25,.75,.55,.45\n"
_COUNTIES = {"nota": "drop", "district": "county_name"}
_HOUSE = {"where": {"office": "State House"}, "suppressed": 3, "totals": "drop"}
_WIDE = "district,electors,votes_A,votes_B,votes_C\nD1,900,100,200,\nD2,800,250,150,30\nD3,700,90,80,70\n"
_POLCA = "A,B,C,count\n1,2,1,40\n2,NA,1,3\n1,1,2,7\n10,1,1,1\n"

_districts, _voters = electjax.districts.read, electjax.voter_types.read
_csv = _template("returns", "returns.csv")

FORMATS: dict[str, Format] = {
    "returns": Format(_csv, _districts),
    "returns_wide": Format(_text(_WIDE), _districts),
    "returns_german": Format(_text(_GERMAN), _districts),
    "returns_kerg2": Format(_fixture("districts.test_formats:KERG"), _with(_districts, ballot="1")),
    "returns_tcpd_47": Format(_tcpd("LOKDHABA"), _districts),
    "returns_tcpd_24": Format(_tcpd("TCPD"), _districts),
    "returns_mit": Format(_fixture("districts.test_formats:SENATE"), _districts),
    "returns_mit_precincts": Format(
        _fixture("districts.test_formats:PRECINCTS"), _with(_districts, nota="drop", district="county_name")
    ),
    "returns_openelections": Format(_fixture("districts.test_formats:OPEN"), _with(_districts, **_HOUSE)),
    "returns_commons_wide": Format(_fixture("districts.test_formats:WIDE"), _districts),
    "returns_commons_long": Format(_text(_COMMONS_LONG), _districts),
    "returns_canada": Format(_fixture("districts.test_formats:CANADA"), _districts),
    "returns_gz": Format(_packed("r.csv.gz", gzip.compress), _districts),
    "returns_xz": Format(_packed("r.csv.xz", lzma.compress), _districts),
    "returns_bz2": Format(_packed("r.csv.bz2", bz2.compress), _districts),
    "returns_zip": Format(_returns_zip, _districts),
    "returns_xlsx": Format(_frame(_csv, ".xlsx"), _districts),
    "returns_parquet": Format(_frame(_csv, ".parquet"), _districts),
    "ballots": Format(_template("ballots", "ballots.csv"), _voters),
    "ballots_coded": Format(_fixture("voter_types.test_ballots:CODED"), _voters),
    "ballots_long": Format(_text(_LONG_BALLOTS), _voters),
    "ballots_polca": Format(_text(_POLCA), _voters),
    "ballots_dominion": Format(_fixture("voter_types.test_ballots:CVR"), _voters),
    "ballots_dominion_json": Format(_dominion_json, _voters),
    "ballots_clear_ballot": Format(_fixture("voter_types.test_cases:CLEAR"), _voters),
    "ballots_ess": Format(_text(_ESS), _voters),
    "ballots_ess_xlsx": Format(_frame(_text(_ESS), ".xlsx"), _voters),
    "ballots_hart": Format(lambda folder: _zipped(folder, _of("voter_types.test_records:BALLOTS")), _voters),
    "ballots_nist_json": Format(_nist(".json"), _voters),
    "ballots_nist_xml": Format(_nist(".xml"), _voters),
    "ballots_database": Format(_hive, _voters),
    "booths": Format(_template("booths", ""), electjax.calm.read),
    "booths_india_sqlite": Format(_india("sqlite"), _database),
    "booths_india_csv": Format(_india("csv"), _database),
    "units": Format(_template("units", "units.csv"), _units),
    "units_shares": Format(_text(_SHARES), _shares),
    "units_long": Format(_text(_LONG_UNITS), electjax.ecological.read),
    "units_matrices": Format(_matrices, _pair),
    "netcdf": Format(_saved(".nc"), _loaded, sealed=True),
    "netcdf_of_others": Format(_foreign(".nc"), electjax.load),
    "zarr": Format(_saved(".zarr"), _loaded, sealed=True),
    "zarr_of_others": Format(_foreign(".zarr"), electjax.load),
    "checkpoint": Format(_checkpoint, _state, sealed=True),
    "describe": Format(_csv, _described),
}
