"""A small right file of every format and container that is read, and what reads it; the tests' own fixtures, mostly."""

import bz2
import gzip
import json
import lzma
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import xarray as xr

import electjax
from electjax import ElectionDataError
from electjax.districts.checkpoint import Checkpoint
from tests.calm import india
from tests.districts import test_formats as returns
from tests.districts import test_readers as tcpd
from tests.voter_types import test_ballots as ballots
from tests.voter_types import test_cases as cases
from tests.voter_types import test_contracts as contracts
from tests.voter_types import test_database as database
from tests.voter_types import test_records as records

Make, Read = Callable[[Path], Path], Callable[[Path], Any]


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


def _zipped(files: dict[str, str]) -> Make:
    def make(folder: Path) -> Path:
        with zipfile.ZipFile(folder / "packed.zip", "w", zipfile.ZIP_DEFLATED) as archive:
            for name, text in files.items():
                archive.writestr(name, text)
        return folder / "packed.zip"

    return make


def _rows(header: list[str], rows: list[dict[str, Any]]) -> Make:
    return lambda folder: tcpd.write(folder / "table.csv", header, rows)


def _dominion_json(folder: Path) -> Path:
    (folder / "export").mkdir()
    ballots.export(folder / "export")
    return folder / "export"


def _hive(folder: Path) -> Path:
    for rows, state, county in ((database.APACHE, "AZ", "APACHE"), (database.PIMA, "AZ", "PIMA")):
        database.put(folder / "release", rows, state, county)
    database.put(folder / "release", database.YORK, "PA", "NEW%20YORK")
    return folder / "release"


def _ess(folder: Path) -> Path:
    (folder / "ess").mkdir()
    return contracts.written("ES&S", folder / "ess")


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


def _india(path: Path) -> Any:
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
_LOKDHABA = tcpd.lokdhaba_rows(
    (1, "Nerela", "AAP", 90, 1), (1, "Nerela", "BJP", 80, 2), (2, "Burari", "AAP", 60, 2), (2, "Burari", "BJP", 70, 1)
)
_TCPD = tcpd.tcpd_rows(
    *(("NERELA", "GEN", "AAP", 90, 1), ("NERELA", "GEN", "BJP", 80, 2)),
    *(("BAWANA", "SC", "AAP", 60, 2), ("BAWANA", "SC", "BJP", 70, 1)),
)
_SHARES = "precinct,total,old,young,blue,red\na,50,.6,.4,.5,.5\nb,50,.2,.8,.4,.6\nc,80,.25,.75,.55,.45\n"
_HOUSE = {"where": {"office": "State House"}, "suppressed": 3, "totals": "drop"}
_WIDE = "district,electors,votes_A,votes_B,votes_C\nD1,900,100,200,\nD2,800,250,150,30\nD3,700,90,80,70\n"
_POLCA = "A,B,C,count\n1,2,1,40\n2,NA,1,3\n1,1,2,7\n10,1,1,1\n"

_districts, _voters = electjax.districts.read, electjax.voter_types.read
_csv = _template("returns", "returns.csv")

FORMATS: dict[str, Format] = {
    "returns": Format(_csv, _districts),
    "returns_wide": Format(_text(_WIDE), _districts),
    "returns_german": Format(_text(_GERMAN), _districts),
    "returns_kerg2": Format(_text(returns.KERG), _with(_districts, ballot="1")),
    "returns_tcpd_47": Format(_rows(tcpd.LOKDHABA, _LOKDHABA), _districts),
    "returns_tcpd_24": Format(_rows(tcpd.TCPD, _TCPD), _districts),
    "returns_mit": Format(_text(returns.SENATE), _districts),
    "returns_mit_precincts": Format(_text(returns.PRECINCTS), _with(_districts, nota="drop", district="county_name")),
    "returns_openelections": Format(_text(returns.OPEN), _with(_districts, **_HOUSE)),
    "returns_commons_wide": Format(_text(returns.WIDE), _districts),
    "returns_commons_long": Format(_text(_COMMONS_LONG), _districts),
    "returns_canada": Format(_text(returns.CANADA), _districts),
    "returns_gz": Format(_packed("r.csv.gz", gzip.compress), _districts),
    "returns_xz": Format(_packed("r.csv.xz", lzma.compress), _districts),
    "returns_bz2": Format(_packed("r.csv.bz2", bz2.compress), _districts),
    "returns_zip": Format(_zipped({"returns.csv": returns.SENATE, "readme.pdf": "x"}), _districts),
    "returns_xlsx": Format(_frame(_csv, ".xlsx"), _districts),
    "returns_parquet": Format(_frame(_csv, ".parquet"), _districts),
    "ballots": Format(_template("ballots", "ballots.csv"), _voters),
    "ballots_coded": Format(_text(ballots.CODED), _voters),
    "ballots_long": Format(_text(_LONG_BALLOTS), _voters),
    "ballots_polca": Format(_text(_POLCA), _voters),
    "ballots_dominion": Format(_text(ballots.CVR), _voters),
    "ballots_dominion_json": Format(_dominion_json, _voters),
    "ballots_clear_ballot": Format(_text(cases.CLEAR), _voters),
    "ballots_ess": Format(_ess, _voters),
    "ballots_ess_xlsx": Format(_frame(_ess, ".xlsx"), _voters),
    "ballots_hart": Format(_zipped(records.BALLOTS), _voters),
    "ballots_nist_json": Format(_text(json.dumps(records.REPORT), "report.json"), _voters),
    "ballots_nist_xml": Format(_text(records.as_xml("CastVoteRecordReport", records.REPORT), "report.xml"), _voters),
    "ballots_database": Format(_hive, _voters),
    "booths": Format(_template("booths", ""), electjax.calm.read),
    "booths_india_sqlite": Format(lambda folder: india.as_sqlite(india.tables(), folder / "up.sqlite"), _india),
    "booths_india_csv": Format(lambda folder: india.as_csv(india.tables(), folder / "up"), _india),
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
