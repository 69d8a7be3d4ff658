"""What every reader, result and public verb of voter types keeps to."""

import inspect
import subprocess
import sys
from functools import cache

import numpy as np
import pytest
import xarray as xr

import electjax
from electjax import ElectionDataError, voter_types
from electjax.voter_types.options import ReadOptions, StreamOptions
from electjax.voter_types.readers.common import Source, known_readers
from electjax.voter_types.schema import BALLOTS, FIT, SCHEMAS

ELECTION = ["2020 Test", "5.10", "", ""]
CONTESTS = ["", "", "", "Mayor (Vote For=1)", "Mayor (Vote For=1)", "Clerk (Vote For=1)", "Clerk (Vote For=1)"]
CANDIDATES = ["", "", "", "Ann", "Bob", "Cy", "Di"]
COLUMNS = ["CvrNumber", "TabulatorNum", "RecordId", "DEM", "REP", "DEM", "REP"]
CARDS = [[*map(str, (i, 1, i)), *"10"[:: 1 - 2 * (i % 2)], *"10"[:: 1 - 2 * (i % 3 == 0)]] for i in range(1, 7)]
SOURCES = {
    "wide": "voter,Mayor,Clerk\n" + "".join(f"{i},{'AB'[i % 2]},{'CD'[i % 3 == 0]}\n" for i in range(1, 7)),
    "long": "voter,office,choice\n"
    + "".join(f"{i},Mayor,{'AB'[i % 2]}\n{i},Clerk,{'CD'[i % 3 == 0]}\n" for i in range(1, 7)),
    "poLCA": "q1,q2,count\n" + "".join(f"{1 + i % 2},{1 + i % 3 if i else 'NA'},{i + 1}\n" for i in range(6)),
    "ES&S": "Cast Vote Record,Precinct,Ballot Style,Mayor,Clerk\n"
    + "".join(
        f"{i},P{i % 2},A,{('Ann', 'Bob', 'undervote')[i % 3]},{('Cy', 'Di', '')[i // 2 % 3]}\n" for i in range(6)
    ),
    "Clear Ballot CSV": "BallotID,PrecinctID,Choice_1_1:Mayor:Vote For 1:Ann:DEM,Choice_2_1:Mayor:Vote For 1:Bob:REP\n"
    + "".join(f"A-{i},P{i % 2},{i % 2},{(i + 1) % 2}\n" for i in range(6)),
    "Dominion CSV": "\n".join(",".join(row) for row in (ELECTION, CONTESTS, CANDIDATES, COLUMNS, *CARDS)) + "\n",
    "Dominion JSON": {
        "ContestManifest": {"List": [{"Id": 1, "Description": "Mayor", "VoteFor": 1}]},
        "CandidateManifest": {"List": [{"Id": k, "Description": "AB"[k], "ContestId": 1} for k in range(2)]},
        "CvrExport": {
            "Sessions": [
                {"Original": {"IsCurrent": True, "Contests": [{"Id": 1, "Marks": [{"CandidateId": i % 2}]}]}}
                for i in range(6)
            ]
        },
    },
    "Hart XML": {
        f"{i}.xml": f"<Cvr><Contests><Contest><Name>Mayor</Name><Options><Option><Name>{'AB'[i % 2]}</Name></Option>"
        "</Options></Contest></Contests></Cvr>"
        for i in range(6)
    },
    "NIST 1500-103": {
        "report": {
            "Election": [
                {"Contest": [{"@id": "c", "Name": "Mayor", "ContestSelection": [{"@id": "A"}, {"@id": "B"}]}]}
            ],
            "CVR": [
                {
                    "CurrentSnapshotId": "s",
                    "CVRSnapshot": [{"@id": "s", "CVRContest": [{"ContestId": "c", "CVRContestSelection": [chosen]}]}],
                }
                for i in range(6)
                for chosen in [{"ContestSelectionId": "AB"[i % 2], "SelectionPosition": [{"NumberVotes": 1}]}]
            ],
        }
    },
    "cast-vote-record database": {
        "state=AZ/county_name=PIMA/part.parquet": {
            "cvr_id": [i // 2 for i in range(12)],
            "office": ["US PRESIDENT", "US HOUSE"] * 6,
            "candidate": [name for top in ("A", "B") for vote in ("A", "B", "UNDERVOTE") for name in (top, vote)],
            "party": [side for top in ("DEM", "REP") for vote in ("DEM", "REP", None) for side in (top, vote)],
        }
    },
}
READERS = {reader.name: reader for reader in known_readers()}
VERBS = [verb for name in sorted(voter_types.__all__) if callable(verb := getattr(voter_types, name))]


def written(name, folder):
    """A source of the reader, six ballots."""
    import json

    import pyarrow as pa
    from pyarrow import parquet

    content = SOURCES[name]
    if isinstance(content, str):
        path = folder / "ballots.csv"
        path.write_text(content)
        return path
    for file, found in content.items():
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        if file.endswith(".parquet"):
            parquet.write_table(pa.table(found), folder / file)
        elif isinstance(found, str):
            (folder / file).write_text(found)
        else:
            (folder / f"{file}.json").write_text(json.dumps(found))
    return folder


@cache
def ballots():
    return voter_types.yuma_like(voters=200).isel(office=[0, 3, 11])


@cache
def fit():
    return voter_types.fit(ballots(), types=2, restarts=2, covariates=False)


@cache
def result(name):
    """A Dataset of each kind."""
    made = {
        "ballots": ballots,
        "voter types": fit,
        "voter types selection": lambda: voter_types.select(ballots(), [1, 2], restarts=2, covariates=False),
        "voter types residuals": lambda: voter_types.residuals(fit(), ballots()),
        "voter types bootstrap": lambda: voter_types.bootstrap(fit(), ballots(), replicates=3),
        "voter types prediction": lambda: voter_types.predict(fit(), ballots()),
    }
    return made[name]()


@pytest.mark.parametrize("name", READERS)
def test_a_reader_is_found_reads_and_streams(name, tmp_path):
    assert name in SOURCES, f"add a source of {name!r} to SOURCES"
    path = written(name, tmp_path)
    source = Source(path, ReadOptions())
    first = next(reader for reader in known_readers() if reader.recognises(source))
    assert first.name == name
    read = voter_types.read(path)
    assert read.sizes["voter"] == 6
    assert read.attrs["reader"] == name
    xr.testing.assert_identical(read, voter_types.validate(read))
    if READERS[name].stream is None:
        with pytest.raises(ElectionDataError, match=r"use voter_types.read; to stream from then on"):
            voter_types.stream(path)
        return
    parts = list(voter_types.stream(path, chunk=4))
    assert [part.sizes["voter"] for part in parts] == [4, 2]
    streamed = np.concatenate([part["choice"].values for part in parts]).tolist()
    if "weight" in read and "weight" not in parts[0]:  # unique ballots, in an order of their own
        assert sorted(streamed) == sorted(read["choice"].values.tolist())
    else:
        assert streamed == read["choice"].values.tolist()


def test_read_and_stream_share_their_options():
    assert set(StreamOptions.__dataclass_fields__) - {"chunk"} < set(ReadOptions.__dataclass_fields__)


@pytest.mark.parametrize("schema", SCHEMAS, ids=lambda schema: schema.name)
@pytest.mark.parametrize("suffix", [".nc", ".zarr"])
def test_what_is_saved_is_loaded(schema, suffix, tmp_path):
    if suffix == ".zarr":
        pytest.importorskip("zarr")
    found = result(schema.name)
    assert found.attrs["conventions"] == schema.conventions
    path = voter_types.save(found, tmp_path / f"it{suffix}")
    again = voter_types.load(path)
    xr.testing.assert_identical(again.drop_attrs(), found.drop_attrs())
    assert again.attrs == found.attrs


@pytest.mark.parametrize("schema", SCHEMAS, ids=lambda schema: schema.name)
def test_a_file_without_what_is_required_is_refused(schema, tmp_path):
    name = next(name for name, variable in schema.variables.items() if variable.required)
    result(schema.name).drop_vars(name).to_netcdf(tmp_path / "it.nc", engine="h5netcdf")
    with pytest.raises(ElectionDataError, match=f"it.nc: no '{name}'; expected {name}\\(.*{schema.build}"):
        voter_types.load(tmp_path / "it.nc")


def test_a_fit_with_parameters_that_are_no_numbers_is_refused(tmp_path):
    for name in ("pi", "mu", "gamma"):
        broken = fit().copy(deep=True)
        broken[name].values[(0,) * broken[name].ndim] = np.nan
        broken.to_netcdf(tmp_path / "it.nc", engine="h5netcdf")
        with pytest.raises(ElectionDataError, match=rf"it.nc, {name}\(.*found nan; expected a") as error:
            voter_types.predict(tmp_path / "it.nc", ballots())
        assert "\n" not in str(error.value)


def test_a_damaged_file_is_refused(tmp_path):
    path = voter_types.save(fit(), tmp_path / "it.nc")
    whole = path.read_bytes()
    for damaged in (whole[: len(whole) // 2], whole[:100], b"", b"text", whole[:9] + bytes(200) + whole[209:]):
        path.write_bytes(damaged)
        with pytest.raises(ElectionDataError) as error:
            voter_types.load(path)
        assert "\n" not in str(error.value)
        assert "it.nc" in str(error.value)


@pytest.mark.ci
def test_a_path_stands_for_ballots_and_for_a_fit(tmp_path):
    file, saved = tmp_path / "ballots.nc", tmp_path / "fit.nc"
    voter_types.save(ballots(), file)
    voter_types.save(fit(), saved)
    for verb, options in (
        (voter_types.predict, {}),
        (voter_types.residuals, {}),
        (voter_types.simulate, {"voters": 5}),
        (voter_types.bootstrap, {"replicates": 3}),
    ):
        one, other = verb(saved, file, **options), verb(fit(), ballots(), **options)
        xr.testing.assert_allclose(one.drop_attrs(), other.drop_attrs())
    again = voter_types.fit(file, types=2, initial=saved, reference=str(saved), covariates=False, errors="none")
    np.testing.assert_allclose(again["mu"].values, fit()["mu"].values, atol=1e-6)
    np.testing.assert_array_equal(voter_types.recode(file, scheme="split")["option_label"], ["straight", "split"])


def test_what_is_no_fit_is_refused():
    for wrong, said in ((ballots(), "no 'pi'"), (7, "found int")):
        with pytest.raises(ElectionDataError, match=said):
            voter_types.predict(wrong, ballots())


def test_ballots_of_plain_arrays():
    built = voter_types.dataset(
        [[2, 1], [0, np.nan], [1, 2]],
        offices=["Senate", "Sheriff"],
        options=["abstain", "split", "straight"],
        menu=[[3, 3], [3, 0], [1, 2]],
        weight=[1, 2, 3],
        cluster=["a", "a", "b"],
        covariates=[[0.5], [1.0], [2.0]],
        terms=["age"],
        voters="xyz",
        scheme="ticket",
        name="three",
    )
    xr.testing.assert_identical(built, voter_types.validate(built))
    assert built["choice"].values.tolist() == [[2, 1], [0, -1], [1, 2]]
    assert built["covariate"].sel(term="age", voter="y").item() == 1.0
    for wrong, said in (
        ({"weight": [1, 2]}, r"weight of shape \(2,\); expected \[voter 3\]"),
        ({"menu": [3, 3]}, r"menu of shape \(2,\); expected \[voter 3, office 2\]"),
        ({"offices": ["a", "a"]}, "blank or repeated"),
        ({"available": [[1, 1], [1, 0]]}, "available"),
    ):
        with pytest.raises(ElectionDataError, match=said):
            voter_types.dataset([[0, 1], [1, 1], [0, 0]], **wrong)


@pytest.mark.parametrize("verb", VERBS, ids=lambda verb: verb.__name__)
def test_options_are_keyword_only_and_none_is_hidden(verb):
    parameters = list(inspect.signature(verb).parameters.values())
    assert not any(p.kind in (p.VAR_KEYWORD, p.VAR_POSITIONAL) for p in parameters)
    assert "Example:" in verb.__doc__
    first = [p.name for p in parameters if p.kind is not p.KEYWORD_ONLY][:1]
    assert first in ([], ["fit"], ["ballots"], ["choice"], ["data"], ["path"], ["source"], ["found"], ["selection"]), (
        first
    )


def test_the_schema_declares_every_variable_of_its_datasets():
    for schema in SCHEMAS:
        known = {*schema.variables, "voter", "type", "option", "office_", "option_", "term"}
        if schema is BALLOTS:
            continue  # a file's other columns stay with the voters
        extra = {str(name) for name in result(schema.name).variables} - known
        assert schema.name == "voter types prediction" or not extra, extra
    assert all(variable.meaning for schema in SCHEMAS for variable in schema.variables.values())
    assert FIT.variables["mu"].required


@pytest.mark.ci
def test_the_path_from_a_file_to_a_fit_loads_few_modules(tmp_path):
    path = written("long", tmp_path)
    program = f"""
import sys
from electjax import voter_types
fit = voter_types.fit(voter_types.read({str(path)!r}), types=1, restarts=1)
print("loaded", *(name for name, module in sys.modules.items() if name.startswith("electjax")
    and getattr(module, "__file__", None) and not module.__file__.endswith("__init__.py")))
"""
    shown = subprocess.run([sys.executable, "-W", "ignore", "-c", program], capture_output=True, text=True, check=True)
    loaded = shown.stdout.split("loaded", 1)[1].split()
    own = [name for name in loaded if name.startswith("electjax.voter_types")]
    assert len([name for name in own if ".em." in name]) <= 10, own
    assert len([name for name in own if ".readers." not in name]) <= 16, own  # and a file for each format
    assert len([name for name in loaded if ".readers." not in name]) <= 45, loaded
    assert electjax.__version__
