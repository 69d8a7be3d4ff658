"""Booths: a folder read as it stands, every fault named by file, row and column, and cells made of margins."""

import gzip
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

import electjax
from electjax.calm.readers.cells import rake, round_to_totals
from electjax.data.axes import axes_json, axes_of, every_cell
from electjax.data.errors import ElectionDataError, ElectionDataWarning
from tests.data_paths import shared

AXES = {
    "age": {"categories": ["18-35", "36-60", "61+"], "kernel": "ordinal"},
    "religion": {"categories": ["Hindu", "Muslim"], "kernel": "match"},
    "caste": {"categories": ["OBC", "SC"], "kernel": "match", "within": {"religion": "Hindu"}},
    "tenure": {"kernel": "scalar"},
}
FILES = {
    "booths": """booth,constituency,electors,polled,previous_AAP,previous_BJP,land_rate,village
1,Madipur,10,6,0.5,0.25,1.5,Paschim
2,Madipur,7,7,,,2,Jwala
3,Moti Nagar,5,0,0.1,0.2,-3e-1,
""",
    "cells": """booth,age,religion,caste,n
2,61+,Muslim,,4
1,18-35,Hindu,SC,3
1,36-60,Hindu,OBC,5
1,18-35,Muslim,,2
2,18-35,Hindu,OBC,3
3,36-60,Hindu,OBC,5
3,36-60,Hindu,SC,0
""",
    "votes": """booth,party,votes
1,BJP,4
1,AAP,2
2,AAP,7
""",
    "candidates": """constituency,party,age,religion,caste,tenure
Madipur,AAP,36-60,Hindu,SC,5
Madipur,BJP,36-60,Hindu,OBC,
Moti Nagar,AAP,,Muslim,OBC,0
""",
}
MARGINS = """booth,axis,category,n
1,age,18-35,4
1,age,36-60,4
1,age,61+,2
1,religion,Hindu,8
1,religion,Muslim,2
1,caste,OBC,6
1,caste,SC,2
2,age,18-35,7
2,religion,Hindu,4
2,religion,Muslim,3
2,caste,OBC,1
2,caste,SC,3
3,age,61+,5
3,religion,Muslim,5
"""


def folder(path: Path, changes: dict[str, tuple[str, str]] | None = None, **files: str | None) -> Path:
    """The example's files, with texts exchanged in some and other files instead of or beside them."""
    path.mkdir(exist_ok=True)
    for name, text in ({**FILES, **files}).items():
        if text is not None:
            old, new = (changes or {}).get(name, ("", ""))
            assert old in text
            (path / f"{name}.csv").write_text(text.replace(old, new, 1), encoding="utf-8")
    return path


def fault(path: Path, **options: object) -> str:
    with pytest.raises(ElectionDataError) as caught:
        electjax.calm.read(path, **{"axes": AXES, **options})  # type: ignore[arg-type]
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.fixture
def booths(tmp_path: Path) -> xr.Dataset:
    return electjax.calm.read(folder(tmp_path / "delhi"), axes=AXES)


def test_a_folder(booths):
    assert booths["booth"].values.tolist() == ["1", "2", "3"]
    assert booths["booth_constituency"].values.tolist() == ["Madipur", "Madipur", "Moti Nagar"]
    assert booths["constituency"].values.tolist() == ["Madipur", "Moti Nagar"]
    # Cells in order of their categories, whatever the order of the rows.
    assert booths["cell"].values.tolist() == [
        "18-35 Hindu OBC",
        "18-35 Hindu SC",
        "18-35 Muslim",
        "36-60 Hindu OBC",
        "36-60 Hindu SC",
        "61+ Muslim",
    ]
    sizes = booths["cell_size"].to_series()
    assert sizes[sizes > 0].to_dict() == {
        ("1", "18-35 Hindu SC"): 3,
        ("1", "18-35 Muslim"): 2,
        ("1", "36-60 Hindu OBC"): 5,
        ("2", "18-35 Hindu OBC"): 3,
        ("2", "61+ Muslim"): 4,
        ("3", "36-60 Hindu OBC"): 5,
    }
    assert booths["party"].values.tolist() == ["AAP", "BJP"]
    assert booths["votes"].values.tolist() == [[2, 4], [7, 0], [0, 0]]
    assert booths["fielded"].values.tolist() == [[True, True], [True, False]]
    assert booths["candidate_category"].sel(constituency="Madipur", party="BJP").values.tolist() == [
        "36-60",
        "Hindu",
        "OBC",
        "",
    ]
    # Unknown traits are blank; what is not applicable is kept as given, since its kernel is 0 anyway.
    other = booths["candidate_category"].sel(constituency="Moti Nagar")
    assert other.values.tolist() == [["", "Muslim", "OBC", ""], ["", "", "", ""]]
    tenure = booths["candidate_value"].sel(axis="tenure").values
    assert tenure[~np.isnan(tenure)].tolist() == [5, 0]
    assert np.isnan(booths["candidate_value"].drop_sel(axis="tenure").values).all()
    assert booths["covariate_value"].values.tolist() == [[1.5], [2.0], [-0.3]]
    assert booths["village"].values.tolist() == ["Paschim", "Jwala", ""]
    np.testing.assert_array_equal(booths["previous"].values, [[0.5, 0.25], [np.nan] * 2, [0.1, 0.2]])
    assert booths["cell_size"].dtype == np.int32
    assert booths["votes"].dtype == booths["electors"].dtype == booths["polled"].dtype == np.int64
    assert axes_of(booths.attrs["axes"]) == axes_of(AXES)
    assert booths.attrs["name"] == "delhi"


def test_netcdf_and_csv_bring_everything_back(booths, tmp_path):
    booths["true_eta"] = ("axis", np.arange(4.0))
    xr.testing.assert_identical(
        electjax.calm.read(electjax.calm.save(booths, tmp_path / "b.nc")).drop_attrs(), booths.drop_attrs()
    )
    assert electjax.calm.read(tmp_path / "b.nc").attrs == booths.attrs | {"source": "b.nc"}
    written = electjax.calm.write(booths, tmp_path / "again")
    assert sorted(p.name for p in written.iterdir()) == sorted([*(f"{n}.csv" for n in FILES), "axes.json"])
    xr.testing.assert_identical(
        electjax.calm.read(written), booths.drop_vars("true_eta").assign_attrs(name="again", source="again")
    )
    # A folder of booths is replaced; one with anything else in it is left alone.
    electjax.calm.write(booths.isel(booth=[0]), written)
    assert electjax.calm.read(written).sizes["booth"] == 1
    (written / "notes.txt").write_text("mine")
    with pytest.raises(ElectionDataError, match=r"notes.txt already"):
        electjax.calm.write(booths, written)
    assert (written / "notes.txt").read_text() == "mine"
    with pytest.raises(ElectionDataError, match="neither a folder nor netCDF"):
        electjax.calm.read(written / "notes.txt")
    with pytest.raises(ElectionDataError, match="create it first"):
        electjax.calm.save(booths, tmp_path / "x" / "b.nc")


def test_spelling_and_packing(booths, tmp_path):
    """Dashes, capitals and spaces of categories, tabs, quotes, gzip, other orders of columns."""
    path = folder(
        tmp_path / "other",
        cells=FILES["cells"].replace("18-35", "18 – 35").replace("Hindu", "HINDU").replace(",", "\t"),
        votes='"booth",candidate,party,votes\r\n"1","A, B",BJP,4.0\r\n\r\n1,C,AAP,2\r\n2,"D\nE",AAP,7\r\n',
        candidates=None,
    )
    (path / "candidates.csv.gz").write_bytes(gzip.compress(FILES["candidates"].encode()))
    xr.testing.assert_equal(electjax.calm.read(path, axes=AXES), booths)
    (path / "axes.json").write_text(axes_json(axes_of(AXES)))
    xr.testing.assert_equal(electjax.calm.read(path), booths)


def test_labels_that_constituencies_share(tmp_path):
    both = {
        "booths": FILES["booths"].replace("3,Moti", "1,Moti"),
        "cells": FILES["cells"]
        .replace("booth", "constituency,booth")
        .replace("\n3", "\nMoti Nagar,1")
        .replace("\n1", "\nMadipur,1")
        .replace("\n2", "\nMadipur,2"),
    }
    votes = FILES["votes"].replace("booth", "constituency,booth").replace("\n1", "\nMadipur,1")
    votes = votes.replace("\n2", "\nMadipur,2")
    booths = electjax.calm.read(folder(tmp_path / "a", **both, votes=votes), axes=AXES)
    assert booths["booth"].values.tolist() == ["Madipur/1", "Madipur/2", "Moti Nagar/1"]
    assert booths["cell_size"].values.sum(axis=1).tolist() == [10, 7, 5]
    said = fault(folder(tmp_path / "b", **both))
    assert "votes.csv, row 1: no column 'constituency'" in said
    said = fault(folder(tmp_path / "a", **both, votes=votes.replace("Madipur,2", "Moti Nagar,2")))
    assert "votes.csv, row 4, column 'booth': unknown booth '2' in constituency 'Moti Nagar'" in said


def test_what_becomes_of_the_rest(tmp_path):
    path = folder(tmp_path / "a", {"booths": ("10,6", "10,9")})
    booths = electjax.calm.read(path, axes=AXES)
    assert booths["party"].values.tolist() == ["AAP", "BJP", "others"]
    assert booths["votes"].values.tolist() == [[2, 4, 3], [7, 0, 0], [0, 0, 0]]
    assert booths["fielded"].values.tolist() == [[True, True, True], [True, False, False]]
    assert booths.attrs["rest"] == 3
    assert electjax.calm.read(path, axes=AXES, rest="drop")["polled"].values.tolist() == [6, 7, 0]
    said = fault(path, rest="error")
    assert "booths.csv, row 2, column 'polled': 9 votes polled in booth '1'" in said
    assert "add up to 6" in said
    # NOTA and "others" need no candidate row, and are on the ballot where they have votes.
    pooled = folder(tmp_path / "b", {"votes": ("2,AAP,7", "2,AAP,4\n2,Nota,2\n2,Others,1\n3,NOTA,0")})
    booths = electjax.calm.read(pooled, axes=AXES)
    assert booths["party"].values.tolist() == ["AAP", "BJP", "NOTA", "others"]
    assert booths["votes"].values[1].tolist() == [4, 0, 2, 1]
    assert booths["fielded"].values.tolist() == [[True] * 4, [True, False, False, False]]


def test_booths_before_the_poll(tmp_path):
    booths = electjax.calm.read(folder(tmp_path / "a", votes=None), axes=AXES, votes=False)
    assert booths["polled"].values.tolist() == [0, 0, 0]
    assert booths["party"].values.tolist() == ["AAP", "BJP"]
    assert "no votes.csv, only" in fault(tmp_path / "a")


@pytest.mark.parametrize(
    ("file", "change", "said"),
    [
        ("booths", ("10,6", "11,6"), "booths.csv, row 2, column 'electors': booth '1' has 11 electors, its cells add up"
         " to 10 (rows 3 to 5 of cells.csv)"),
        ("booths", ("7,7", "7,8"), "booths.csv, row 3, column 'polled': 8 votes polled by 7 electors"),
        ("booths", ("10,6", "10,5"), "booths.csv, row 2, column 'polled': 5 votes polled in booth '1', its votes in"
         " votes.csv add up to 6"),
        ("booths", (",5,0", ",5,1"), "booths.csv, row 4, column 'polled': 1 votes polled in booth '3', it has no row"
         " in"),
        ("booths", (",5,0", ",0,0"), "booths.csv, row 4, column 'electors': no electors"),
        ("booths", ("2,Madipur", "1,Madipur"), "booths.csv, row 3, column 'booth': booth '1' of 'Madipur' again, as in"
         " row 2"),
        ("booths", ("polled", "voted"), "booths.csv, row 1, column 'polled': the header has no column 'polled'"),
        ("booths", ("10,6", "-10,6"), "booths.csv, row 2, column 'electors': '-10' is negative"),
        ("booths", ("10,6", "10.5,6"), "booths.csv, row 2, column 'electors': '10.5' is not a whole number"),
        ("booths", ("10,6", "1e9999,6"), "booths.csv, row 2, column 'electors': '1e9999' is too large"),
        ("booths", ("10,6", "9999999999,6"), "'9999999999' is larger than any electorate"),
        ("booths", ("0.5,0.25", "50,25"), "booths.csv, row 2, column 'previous_AAP': found 50; expected a share"),
        ("booths", ("0.5,0.25", "0.5,0.75"), "booths.csv, row 2, column 'previous_AAP': previous shares add up to"
         " 1.25"),
        ("booths", ("previous_BJP", "previous_BJJP"), "column 'previous_BJJP': unknown party 'BJJP'"),
        ("booths", ("1.5", ""), "booths.csv, row 2, column 'land_rate': blank in 1 row(s)"),
        ("booths", ("1.5", "1,5"), "booths.csv, row 2: 9 cells; expected 8, as in the header"),
        ("booths", ("2,Jwala", "two,Jwala"), "booths.csv, row 3, column 'land_rate': 'two' is not a number"),
        ("cells", ("61+,Muslim", "61+,Mulsim"), "cells.csv, row 2, column 'religion': unknown category 'Mulsim' of"
         " religion; expected one of Hindu, Muslim; did you mean Muslim?"),
        ("cells", ("\n2,61+", "\n4,61+"), "cells.csv, row 2, column 'booth': unknown booth '4'; expected a booth of"
         " booths.csv; known: 1, 2, 3"),
        ("cells", ("\n1,36-60,Hindu,OBC,5", "\n1,18-35,Hindu,SC,5"), "cells.csv, row 4, column 'booth': cell '18-35"
         " Hindu SC' again, as in row 3"),
        ("cells", ("Hindu,SC,3", "Hindu,,3"), "cells.csv, row 3, column 'caste': the cell is blank, where religion is"
         " Hindu; expected one of OBC, SC"),
        ("cells", ("18-35,Hindu,SC,3", ",Hindu,SC,3"), "cells.csv, row 3, column 'age': the cell is blank; expected"),
        ("cells", ("caste,n", "caste"), "cells.csv, row 2: 5 cells; expected 4, as in the header"),
        ("cells", (",SC,3", ",SC"), "cells.csv, row 3: 4 cells; expected 5, as in the header"),
        ("cells", (",caste,n", ",cast,n"), "cells.csv, row 1, column 'caste': the header has no column 'caste'"),
        ("cells", ("Hindu,SC,3", "Hindu,SC,y"), "cells.csv, row 3, column 'n': 'y' is not a number"),
        ("cells", ("Hindu,SC,3", "Hindu,SC,"), "cells.csv, row 3, column 'n': the cell is blank"),
        ("votes", ("1,AAP,2", "1,AAAP,2"), "votes.csv, row 3, column 'party': party 'AAAP' has no candidate anywhere;"
         " expected a party of candidates.csv; did you mean AAP?"),
        ("votes", ("2,AAP,7", "2,AAP,7\n3,BJP,1"), "votes.csv, row 5, column 'party': 1 votes for 'BJP', which has no"
         " candidate row in 'Moti Nagar'"),
        ("votes", ("1,AAP,2", "1,BJP,2"), "votes.csv, row 3, column 'party': party 'BJP' in booth '1' again, as in row"
         " 2"),
        ("votes", ("1,AAP,2", "1,AAP,-2"), "votes.csv, row 3, column 'votes': '-2' is negative"),
        ("votes", ("1,AAP,2", '1,"AAP,2'), "votes.csv, row 3: cannot be split into cells"),
        ("candidates", ("Madipur,BJP", "Madipur,AAP"), "candidates.csv, row 3, column 'party': party 'AAP' in 'Madipur'"
         " again, as in row 2"),
        ("candidates", ("\nMadipur,BJP", "\nMadpur,BJP"), "candidates.csv, row 3, column 'constituency': unknown"
         " constituency 'Madpur'; expected a constituency of booths.csv; did you mean Madipur?"),
        ("candidates", ("Hindu,SC", "Hindu,ST"), "candidates.csv, row 2, column 'caste': unknown category 'ST' of"
         " caste"),
        ("candidates", ("SC,5", "SC,five"), "candidates.csv, row 2, column 'tenure': 'five' is not a number"),
        ("candidates", ("\nMoti Nagar,AAP", "\nMadipur,INC"), "no candidate in 'Moti Nagar'"),
        ("candidates", ("tenure", "years"), "candidates.csv, row 1, column 'tenure': the header has no column"
         " 'tenure'"),
    ],
)  # fmt: skip
def test_faults_name_file_row_and_column(tmp_path, file, change, said):
    assert said in fault(folder(tmp_path / "a", {file: change}))


def test_faults_of_a_folder(tmp_path):
    assert "no such file" in fault(tmp_path / "b")
    (tmp_path / "c").mkdir()
    assert "no booths.csv, only nothing; expected booths.csv (booth, constituency, electors, polled)" in fault(
        tmp_path / "c"
    )
    assert "cells.csv and margins.csv" in fault(folder(tmp_path / "a", margins=MARGINS))
    scalar = FILES["cells"].replace(",n", ",n,tenure").replace("\n", ",1\n").replace("tenure,1", "tenure")
    assert "column 'tenure': axis 'tenure' is scalar" in fault(folder(tmp_path / "d", cells=scalar))
    extra = scalar.replace("tenure", "sex")
    assert "column 'sex': a column 'sex' that is no axis" in fault(folder(tmp_path / "e", cells=extra))
    assert "found 'all'; expected one of others, drop, error" in fault(tmp_path / "a", rest="all")
    files = folder(tmp_path / "f")
    for content, said in (
        (b"", "empty"),
        (b"booth,party,votes\n", "no rows"),
        (b"booth,party,votes\n1,\xe9,2\n", "party '\u00e9' has no candidate"),
    ):
        (files / "votes.csv").write_bytes(content)
        assert "votes.csv" in fault(files)
        assert said in fault(files)


def test_a_category_where_its_axis_does_not_apply(tmp_path):
    """Muslims by caste: caste is of Hindus here, so that the rows are one cell."""
    path = folder(tmp_path / "a", {"cells": ("1,18-35,Muslim,,2", "1,18-35,Muslim,OBC,1\n1,18-35,Muslim,SC,1")})
    with pytest.warns(ElectionDataWarning, match=r"cells.csv, column 'caste': .* religion Hindu in 2 row.* is row 5"):
        booths = electjax.calm.read(path, axes=AXES)
    assert booths["cell_size"].sel(booth="1", cell="18-35 Muslim") == 2
    assert booths["cell_category"].sel(cell="18-35 Muslim", axis="caste").item() == ""
    free = {name: {k: v for k, v in axis.items() if k != "within"} for name, axis in AXES.items()}
    assert "column 'caste': the cell is blank; expected" in fault(path, axes=free)


def broken(booths: xr.Dataset, name: str, value: object, **at: int) -> xr.Dataset:
    booths = booths.copy(deep=True)
    values = booths[name].values.astype(np.result_type(booths[name].dtype, np.asarray(value)))
    values[tuple(at.get(str(dim), slice(None)) for dim in booths[name].dims)] = value
    return booths.assign({name: (booths[name].dims, values)})


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda b: b.drop_vars("votes"), "no 'votes'; expected votes(booth, party)"),
        (lambda b: b.isel(cell=0), "cell_size has dims ('booth',)"),
        (lambda b: b.isel(booth=[]), "no booth; expected at least one"),
        (lambda b: b.assign_coords(party=["AAP", "AAP"]), "coordinate 'party': 'AAP' is there twice"),
        (lambda b: b.assign_coords(booth=["1", "", "3"]), "coordinate 'booth': '' is blank"),
        (lambda b: b.drop_sel(axis="age"), "coordinate 'axis': axes religion, caste, tenure; expected age, "),
        (lambda b: broken(b, "booth_constituency", "Madpur", booth=1), "unknown constituency 'Madpur' of booth '2'"),
        (lambda b: broken(b, "cell_size", 4, booth=0, cell=0), "booth '1': cells add up to"),
        (lambda b: broken(b, "cell_size", -1, booth=0, cell=0), "cell_size(booth='1', cell='18-35 Hindu OBC'): found"),
        (lambda b: broken(b, "polled", 6.5, booth=0), "polled(booth='1'): found 6.5"),
        (lambda b: broken(b, "polled", np.nan, booth=0), "polled(booth='1'): found nan"),
        (lambda b: broken(b, "polled", 5, booth=0), "booth '1': votes add up to 6, 5 are polled"),
        (lambda b: broken(b, "polled", 11, booth=0), "booth '1': 11 votes polled by 10 electors"),
        (lambda b: broken(b, "fielded", False, constituency=0, party=1), "4 votes for 'BJP' in booth '1', without"),
        (lambda b: broken(b, "fielded", False, constituency=1), "no candidate in 'Moti Nagar'"),
        (lambda b: broken(b, "cell_category", "OBC", cell=2, axis=2), "caste is 'OBC' in the cell '18-35 Muslim'"),
        (lambda b: broken(b, "cell_category", "", cell=0, axis=2), "caste is '' in the cell '18-35 Hindu OBC'"),
        (lambda b: broken(b, "cell_category", "SC", cell=0, axis=2), "two cells have the categories of"),
        (lambda b: broken(b, "cell_category", "Jain", cell=0, axis=1), "unknown category 'Jain' of religion"),
        (lambda b: broken(b, "candidate_value", 1.0, constituency=0, party=0, axis=0), "found 1;"),
        (lambda b: broken(b, "candidate_value", np.inf, constituency=0, party=0, axis=3), "found inf;"),
        (lambda b: broken(b, "covariate_value", np.nan, booth=1), "covariate_value(booth='2', covariate='land_rate'):"
         " found nan"),
        (lambda b: broken(b, "previous", 0.9, booth=0, party=0), "previous(booth='1', party='AAP'): shares"
         " 0.9"),
    ],
)  # fmt: skip
def test_faults_of_a_dataset(booths, change, said):
    with pytest.raises(ElectionDataError) as caught:
        electjax.calm.validate(change(booths))
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_what_validation_adds(booths):
    bare = booths[["cell_size", "votes", "cell_category", "candidate_category"]].drop_vars(["cell", "village"])
    bare["cell_size"] = bare["cell_size"].T.astype(float)
    bare = bare.isel(axis=[2, 0, 3, 1])
    before = bare.copy(deep=True)
    added = electjax.calm.validate(bare)
    xr.testing.assert_identical(bare, before)
    for name in (
        "cell_size",
        "electors",
        "polled",
        "votes",
        "cell_category",
        "candidate_category",
        "booth_constituency",
    ):
        xr.testing.assert_equal(added[name], booths[name].drop_vars("village", errors="ignore"))
    # Nothing is known of who is fielded where, nor of numbers.
    assert added["fielded"].values.all()
    assert np.isnan(added["candidate_value"].values).all()
    assert added["cell_size"].attrs["units"] == "electors"
    with pytest.raises(ElectionDataError, match="found dict; expected an xarray Dataset"):
        electjax.calm.validate({})


def test_cells_of_margins(tmp_path):
    """Independence by hand: booth 1 has 4:4:2 by age and 6:2:2 by OBC, SC, Muslim."""
    path = folder(tmp_path / "a", cells=None, margins=MARGINS)
    with pytest.warns(ElectionDataWarning) as caught:
        booths = electjax.calm.read(path, axes=AXES)
    assert len(caught) == 1
    assert "margins.csv: the file has margins only: the cells of 3 booth(s)" in str(caught[0].message)
    assert "age, religion, caste independent of each other within a booth" in str(caught[0].message)
    assert booths["cell_size"].values.sum(axis=1).tolist() == [10, 7, 5]
    expected = np.outer([4, 4, 2], [6, 2, 2]).ravel() / 10
    assert (np.abs(booths["cell_size"].values[0] - expected) < 1).all()
    assert booths["cell"].values[:3].tolist() == ["18-35 Hindu OBC", "18-35 Hindu SC", "18-35 Muslim"]
    # These booths leave no choice but among whom to round.
    assert booths["cell_size"].values[1].tolist() == [1, 3, 3, *[0] * 6]
    assert booths["cell_size"].values[2].tolist() == [*[0] * 8, 5]
    ends = {
        "a": (",age,18-35,4", ",age,18-35,5"),
        "b": (",caste,SC,2", ",caste,SC,1"),
        "c": (",age,61+,5", ",age,61+,0"),
    }
    wanted = {
        "a": "margins.csv, row 2, column 'n': age of booth '1' adds up to 11, the electors are 10",
        "b": "margins.csv, row 7, column 'n': caste of booth '1' adds up to 7, those with religion Hindu are 8",
        "c": "margins.csv, row 14, column 'n': age of booth '3' adds up to 0, the electors are 5",
    }
    for name, change in ends.items():
        other = folder(tmp_path / name, {"margins": change}, cells=None, margins=MARGINS)
        assert wanted[name] in fault(other)
        if name == "c":
            assert wanted[name] in fault(other, rescale=True)
        else:
            with pytest.warns(ElectionDataWarning, match="margins only"):
                scaled = electjax.calm.read(other, axes=AXES, rescale=True)
            assert scaled["cell_size"].values.sum(axis=1).tolist() == [10, 7, 5]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("1,age,61+", "1,age,62+"), "row 4, column 'category': unknown category '62+' of age"),
        (("1,age,61+", "1,tenure,61+"), "row 4, column 'axis': unknown axis 'tenure'"),
        (("1,age,61+", "1,age,18-35"), "row 4, column 'category': age '18-35' of booth '1' again, as in row 2"),
        (("1,age,61+", "1,age,"), "row 4, column 'category': the cell is blank"),
        (("1,age,61+", "9,age,61+"), "row 4, column 'booth': unknown booth '9'"),
        (("1,age,61+,2", "1,age,61+,-2"), "row 4, column 'n': '-2' is negative"),
    ],
)
def test_faults_of_margins(tmp_path, change, said):
    assert f"margins.csv, {said}" in fault(folder(tmp_path / "a", {"margins": change}, cells=None, margins=MARGINS))


def test_joint_of_margins(tmp_path):
    """With a joint table its zeros hold, and an axis without margins goes with the others as there."""
    no_caste = "".join(line for line in MARGINS.splitlines(keepends=True) if "caste" not in line)
    assert "no margins of caste" in fault(folder(tmp_path / "a", cells=None, margins=no_caste))
    rows = ["age,religion,caste,n"]
    rows += [f"{a},Hindu,{c},{3 if c == 'OBC' else 1}" for a in AXES["age"]["categories"] for c in ("OBC", "SC")]
    rows += ["36-60,Muslim,,0.5", "61+,Muslim,,0.5", "18-35,Muslim,,0.5"]
    path = folder(tmp_path / "a", cells=None, margins=no_caste, joint="\n".join(rows))
    with pytest.warns(ElectionDataWarning, match=r"age, religion their odds ratios as in joint.csv"):
        booths = electjax.calm.read(path, axes=AXES)
    expected = np.outer([4, 4, 2], [6, 2, 2]).ravel() / 10  # Hindus are three to one
    assert (np.abs(booths["cell_size"].values[0] - expected) < 1).all()
    young = folder(tmp_path / "b", cells=None, margins=no_caste, joint="\n".join(rows[:-1]))
    said = fault(young)  # the seven of booth 2 are young, three of them Muslim
    assert "margins.csv, row 7: no cells have the margins of booth '2': 3 electors are left over" in said
    assert "joint.csv" in said
    bad = folder(tmp_path / "c", cells=None, margins=no_caste, joint="\n".join(rows).replace("0.5", "-1"))
    assert "joint.csv, row 8, column 'n': found -1; expected weights of at least 0" in fault(bad)


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 2**32 - 1), st.integers(1, 5))
def test_raking(seed, booths):
    """Margins are met, and odds ratios are the seed's; the nested axis too, whose last category is "not applicable"."""
    rng = np.random.default_rng(seed)
    axes = axes_of({name: axis for name, axis in AXES.items() if name != "tenure"})
    cells = every_cell(axes)
    codes = np.array(
        [[[*axis.categories, ""].index(label) for label, axis in zip(row, axes, strict=True)] for row in cells]
    )
    truth = rng.gamma(1.0, 50.0, (booths, len(cells))) + 1
    weights = rng.gamma(2.0, 1.0, len(cells)) + 0.1
    targets = [truth @ np.eye(len(axis.categories) + 1)[codes[:, d]] for d, axis in enumerate(axes)]
    raked = rake(targets, codes, seed=weights, tolerance=1e-9, chunk=2)
    assert (raked.gap <= 1e-9).all()
    for d, target in enumerate(targets):
        np.testing.assert_allclose(raked.table @ np.eye(target.shape[1])[codes[:, d]], target, rtol=1e-8)
    ratio = np.log(raked.table / weights).reshape(booths, 3, 3)  # age x (OBC, SC, Muslim): additive
    interaction = (
        ratio - ratio.mean(1, keepdims=True) - ratio.mean(2, keepdims=True) + ratio.mean((1, 2), keepdims=True)
    )
    np.testing.assert_allclose(interaction, 0, atol=1e-7)
    independent = rake(targets, codes).table
    share = independent.reshape(booths, 3, 3) / independent.sum(1)[:, None, None]
    np.testing.assert_allclose(share, share.sum(2, keepdims=True) * share.sum(1, keepdims=True), atol=1e-9)


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 2**32 - 1), st.integers(1, 30))
def test_rounding(seed, cells):
    rng = np.random.default_rng(seed)
    totals = rng.integers(0, 40, 20)
    table = rng.dirichlet(np.full(cells, 0.3), 20) * totals[:, None]
    table[:, rng.random(cells) < 0.2] = 0
    sums = table.sum(1, keepdims=True)
    totals = np.where(sums[:, 0] > 0, totals, 0)
    table *= np.divide(totals[:, None], sums, out=np.zeros_like(sums), where=sums > 0)
    rounded = round_to_totals(table, totals)
    assert (rounded.sum(1) == totals).all()
    assert (np.abs(rounded - table) < 1 + 1e-9).all()
    assert (rounded[table == 0] == 0).all()
    one = round_to_totals(table[:1], totals[:1])[0]  # of one booth: the largest remainders
    up, remainder = one > np.floor(table[0]), table[0] - np.floor(table[0])
    if up.any() and not up.all():
        assert remainder[up].min() >= remainder[~up].max() - 1e-12


def test_rounding_forgets_no_small_group():
    """A group of 0.36 electors in 18 cells of every booth, as Christians are: each has its electors in the end."""
    table = np.concatenate([np.full(18, 0.36), [1000 - 18 * 0.36]])
    total = round_to_totals(np.tile(table, (500, 1)), np.full(500, 1000)).sum(0)
    assert np.abs(total[:18] - 180).max() <= 1
    alone = np.array([round_to_totals(table[None], np.array([1000]))[0] for _ in range(3)])
    assert alone[:, :18].sum() == 3 * 6  # largest remainders alone: the same six cells in every booth
    assert (alone == alone[0]).all()


def test_rolls_of_delhi(tmp_path):
    """Religion and sex of real booths: percentages to margins, margins to cells, nobody lost."""
    rolls = pd.read_csv(shared("data/india/delhi_rolls_2021.csv")).query("electors_21 > 100")
    rolls = rolls.drop_duplicates(["ac_id_09", "booth_id_21"]).head(300)
    names = ["hindu", "muslim", "sikh", "christian"]
    shares = rolls[[f"{name}_percent_21" for name in names]].to_numpy() / 100
    shares = np.column_stack([shares, np.clip(1 - shares.sum(1), 0, None)])
    electors = rolls["electors_21"].to_numpy()
    religion = round_to_totals(shares / shares.sum(1, keepdims=True) * electors[:, None], electors)
    women = np.rint(rolls["women_percent_21"].to_numpy() / 100 * electors).astype(int)
    label = [f"{a}-{b}" for a, b in zip(rolls["ac_id_09"], rolls["booth_id_21"], strict=True)]
    margins = {
        ("religion", name): religion[:, k] for k, name in enumerate(["Hindu", "Muslim", "Sikh", "Christian", "Other"])
    }
    margins |= {("gender", "Woman"): women, ("gender", "Man"): electors - women}
    rows = [
        pd.DataFrame({"booth": label, "axis": axis, "category": category, "n": n})
        for (axis, category), n in margins.items()
    ]
    booths = pd.DataFrame({"booth": label, "constituency": rolls["ac_id_09"], "electors": electors, "polled": 0})
    candidates = pd.DataFrame(
        {"constituency": rolls["ac_id_09"].unique(), "party": "AAP", "religion": "Hindu", "gender": ""}
    )
    for name, table in {"booths": booths, "margins": pd.concat(rows), "candidates": candidates}.items():
        table.to_csv(tmp_path / f"{name}.csv", index=False)
    axes = {
        "religion": {"categories": ["Hindu", "Muslim", "Sikh", "Christian", "Other"]},
        "gender": {"categories": ["Woman", "Man"]},
    }
    with pytest.warns(ElectionDataWarning, match="the cells of 300 booth"):
        found = electjax.calm.read(tmp_path, axes=axes, votes=False)
    sizes = found["cell_size"].values.reshape(300, 5, 2)
    assert (sizes.sum((1, 2)) == electors).all()
    expected = religion[:, :, None] * np.stack([women, electors - women], -1)[:, None] / electors[:, None, None]
    assert (np.abs(sizes - expected) < 1).all()
    # Over all booths a group is as large as its margin, up to what is still carried along: below one of each cell.
    assert np.abs(sizes.sum((0, 2)) - religion.sum(0)).max() <= 2 * 2


def test_half_read_is_not_read(tmp_path):
    """A file broken in its last row gives nothing but the error."""
    path = folder(tmp_path / "a", {"votes": ("2,AAP,7\n", "2,AAP,seven\n")})
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        said = fault(path)
    assert "votes.csv, row 4, column 'votes': 'seven' is not a number" in said


@pytest.mark.slow
def test_millions_of_rows(tmp_path):
    """Delhi's size, 13,700 booths of 180 cells, in seconds, and a fault in the last row is found."""
    rng = np.random.default_rng(0)
    cells = every_cell(axes_of())
    count = 13_700
    sizes = rng.poisson(6, (count, len(cells)))
    labels = np.char.add("AC-", np.arange(count).astype(str))
    table = pd.DataFrame(np.tile(cells, (count, 1)), columns=["age", "religion", "caste", "income"])
    table.insert(0, "booth", np.repeat(labels, len(cells)))
    table["n"] = sizes.ravel()
    table.to_csv(tmp_path / "cells.csv", index=False)
    booths = pd.DataFrame({"booth": labels, "constituency": np.arange(count) % 70, "electors": sizes.sum(1)})
    booths.assign(polled=500).to_csv(tmp_path / "booths.csv", index=False)
    pd.DataFrame({"booth": labels, "party": "A", "votes": 500}).to_csv(tmp_path / "votes.csv", index=False)
    traits = {"party": "A", "age": "76+", "religion": "Hindu", "caste": "", "income": "Low"}
    pd.DataFrame({"constituency": range(70), **traits}).to_csv(tmp_path / "candidates.csv", index=False)
    found = electjax.calm.read(tmp_path)
    assert (found["cell_size"].values == sizes).all()
    text = (tmp_path / "cells.csv").read_text().rstrip()
    (tmp_path / "cells.csv").write_text(text[: text.rindex(",")] + ",-1\n")
    assert f"cells.csv, row {count * len(cells) + 1}, column 'n': '-1' is negative" in fault(tmp_path, axes=None)
