"""Layouts of units: counts, shares of a total, groups of electors, two matrices; files and frames of all kinds."""

import gzip
import io
import zipfile

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import parquet

import electjax
from electjax.data.errors import ElectionDataError, ElectionDataWarning
from electjax.data.notes import notes_of
from electjax.ecological.readers.totals import apportioned
from tests.ecological.units_by_hand import long_frame, written

COUNTS = pd.DataFrame(
    {
        "precinct": ["a", "b", "c", "d"],
        "white": [300, 120, 405, 280],
        "black": [200, 380, 95, 20],
        "X": [262, 301, 188, 110],
        "Y": [238, 199, 312, 190],
    }
)
SIDES = {"rows": ["white", "black"], "columns": ["X", "Y"], "kind": "groups"}
NAMES = [*SIDES["rows"], *SIDES["columns"]]


def read(source, **options):
    return electjax.ecological.read(source, **{**SIDES, **options})


def shares(of: float = 1.0, digits: int = 4) -> pd.DataFrame:
    total = COUNTS["white"] + COUNTS["black"]
    frame = COUNTS.assign(total=total)
    frame[NAMES] = (frame[NAMES].div(total, axis=0) * of).round(digits)
    return frame


def said(units) -> str:
    return " | ".join(notes_of(units))


def test_every_kind_of_table_is_the_same(tmp_path):
    text = COUNTS.to_csv(index=False)
    (tmp_path / "u.csv.gz").write_bytes(gzip.compress(text.encode()))
    with zipfile.ZipFile(tmp_path / "u.zip", "w") as archive:
        archive.writestr("u.csv", text)
    COUNTS.to_excel(tmp_path / "u.xlsx", index=False)
    parquet.write_table(pa.Table.from_pandas(COUNTS), tmp_path / "u.parquet")
    plain = read(COUNTS)
    sources = [*tmp_path.iterdir(), pa.Table.from_pandas(COUNTS), COUNTS.set_index("precinct"), COUNTS.astype(object)]
    sources += [
        written(tmp_path / "u.csv", text),
        str(tmp_path / "u.csv"),
        COUNTS.assign(X=COUNTS["X"].map("{:,}".format)),
    ]
    for source in sources:
        assert read(source, name="u").assign_attrs(source="").identical(plain.assign_attrs(name="u", source=""))
    polars = pytest.importorskip("polars")
    assert read(polars.from_pandas(COUNTS)).equals(plain)


def test_columns_are_renamed_and_rows_chosen():
    frame = long_frame().rename(columns={"option": "Wahlvorschlag"}).assign(year=2020)
    both = pd.concat([frame, frame.assign(year=2024)])
    given = {"columns": {"option": "Wahlvorschlag"}}
    units = electjax.ecological.read(both, **given, where={"year": 2024})
    assert (units["row_margin"].values == electjax.ecological.read(long_frame())["row_margin"].values).all()
    with pytest.raises(ElectionDataError, match=r"several elections: 2020, 2024; .*where={'year': '2020'}"):
        electjax.ecological.read(both, **given)
    two = pd.concat([COUNTS.assign(office="P"), COUNTS.assign(office="S")])
    with pytest.raises(ElectionDataError, match=r"several elections: P, S; .* contest='office'"):
        read(two)
    assert read(two, contest="office").sizes["contest"] == 2


@pytest.mark.parametrize(("of", "digits"), [(1.0, 4), (100.0, 2), (100.0, 0)])
def test_shares_are_multiplied_by_the_total(of, digits):
    units = read(shares(of, digits), total="total")
    off = 0.5 * 10.0**-digits / of * 2 * 500 + 1
    assert (np.abs(units["row_margin"].values - COUNTS[SIDES["rows"]].values) <= off).all()
    assert (np.abs(units["column_margin"].values - COUNTS[SIDES["columns"]].values) <= off).all()
    assert units["row_margin"].dtype == np.int64
    assert f"rows are {'shares' if of == 1 else 'percentages'} and multiplied by the total" in said(units)
    signs = shares(100.0, 2)
    signs[NAMES] = signs[NAMES].map("{}%".format)
    assert read(signs, total="total").equals(read(shares(), total="total"))


def test_what_shares_leave_is_told_from_their_rounding():
    rng = np.random.default_rng(2)
    whole = np.array([rng.dirichlet(np.full(8, 4.0)) for _ in range(40)])
    names = [f"c{k}" for k in range(8)]
    for kept, found in ((1.0, 8), (0.97, 9)):
        columns = pd.DataFrame((100 * kept * whole).round(), columns=names)
        frame = columns.assign(white=40, black=60, total=1000)
        units = read(frame, columns=names, total="total", merge_below=0)
        assert units.sizes["column"] == found
        assert ("columns miss the whole by up to" in said(units)) == (found == 8)
    assert abs(units["column_margin"].sum("unit").values[-1] / 40_000 - 0.03) < 0.005


def test_counts_that_leave_some_of_the_total():
    frame = COUNTS.assign(total=[510, 505, 500, 300])
    units = read(frame.assign(white=frame["white"] + [10, 5, 0, 0]), total="total")
    assert units["column_margin"].values[:, 2].tolist() == [10, 5, 0, 0]
    with pytest.raises(ElectionDataError, match="row 0, unit 'a' of 'all': rows add up to 500, the total to 400"):
        read(frame.assign(total=[400, 505, 500, 300]), total="total")


def test_a_side_of_shares_and_one_of_counts_and_a_part_that_has_no_column():
    frame = COUNTS.assign(total=COUNTS["white"] + COUNTS["black"])
    frame["black"] = shares()["black"]
    given = {"rows": ["black"], "columns": ["X"], "kind": "groups", "total": "total"}
    with pytest.warns(
        ElectionDataWarning, match="columns leave 53 % of the total of a unit on average; that is the op"
    ):
        units = electjax.ecological.read(frame, **given, merge_below=0)
    assert units["row"].values.tolist() == ["black", "others"]
    assert units["row_margin"].values.tolist() == COUNTS[["black", "white"]].values.tolist()
    assert units["column_margin"].values.tolist() == COUNTS[["X", "Y"]].values.tolist()
    with pytest.raises(ElectionDataError, match=r"rows are shares that add up to 1.2; expected at most 1"):
        read(shares().assign(black=lambda f: f["black"] + 0.2), total="total")


def test_groups_of_electors():
    roll = COUNTS.assign(white=COUNTS["white"] * 2, vap=COUNTS["white"] * 2 + COUNTS["black"])
    units = read(roll, electors="vap")
    assert units["column_margin"].values[:, 2].tolist() == COUNTS["white"].tolist()
    assert read(roll, electors="rows").equals(units)
    with pytest.raises(ElectionDataError, match="or pass electors='rows' if the others did not vote"):
        read(roll)
    # shares of the groups are of the electors, those of candidates of the votes
    votes = COUNTS["X"] + COUNTS["Y"]
    mixed = roll.assign(votes=votes, X=COUNTS["X"] / votes, Y=COUNTS["Y"] / votes)
    mixed[["white", "black"]] = roll[["white", "black"]].div(roll["vap"], axis=0)
    found = read(mixed, total="votes", electors="vap")
    assert found["row_margin"].values.tolist() == roll[["white", "black"]].values.tolist()
    assert found["column_margin"].values.tolist() == units["column_margin"].values.tolist()
    assert "rows are shares and multiplied by the electors" in said(found)
    with pytest.raises(ElectionDataError, match=r"read\(rest=\): found 'drop'; expected no electors="):
        read(mixed, total="votes", electors="vap", rest="drop")


def test_percentages_in_whole_numbers_are_told_by_their_sums():
    whole = shares(100.0, 0)
    off = whole.assign(X=whole["X"] + [1, 0, 0, 0], white=whole["white"] + [1, 0, 0, 0])  # as rounding has it
    less = whole.assign(Y=whole["Y"] - 3)
    refused = r"per cent: the rows of every unit add up to about 100.*total='total'"
    for frame, options in ((whole, {}), (off, {}), (less, {"rescale": True}), (whole[:2], {})):
        with pytest.raises(ElectionDataError, match=refused):
            read(frame, **options)
    assert read(whole, total="total").sizes["unit"] == 4
    # columns that are percentages beside rows that are counts, and the other way round
    for which, names in SIDES.items():
        if which != "kind":
            mixed = COUNTS.assign(**{name: whole[name] for name in names})
            with pytest.raises(ElectionDataError, match=f"per cent: the {which} of every .* pass total=, the column"):
                read(mixed, rescale=True)
    # counts that are 100 in every unit are read where the caller says so
    units = read(whole, total=100)
    assert units["row_margin"].values.tolist() == whole[["white", "black"]].values.astype(int).tolist()
    assert units.sizes["column"] == 2


def test_shares_that_are_rounded_to_nothing_or_all():
    ones = pd.DataFrame({"white": [1, 1, 0], "black": [0, 0, 1], "X": [1, 0, 1], "Y": [0, 1, 0]})
    with pytest.raises(ElectionDataError, match=r"shares: the rows of every unit add up to about 1; .*or total=1 if"):
        read(ones)
    assert read(ones, total=1)["row_margin"].values.tolist() == [[1, 0], [1, 0], [0, 1]]
    rough = shares(1.0, 1)
    with pytest.raises(ElectionDataError, match="shares: the rows of every unit add up to about 1"):
        read(rough)
    with pytest.raises(ElectionDataError, match=r"read\(total=\): found 0; expected a column, or a number above 0"):
        read(rough, total=0)


@given(seed=st.integers(0, 10_000), options=st.integers(2, 6))
@settings(max_examples=50, deadline=None)
def test_shares_of_whole_totals_add_up(seed, options):
    rng = np.random.default_rng(seed)
    share = rng.dirichlet(np.ones(options), 20)
    total = rng.integers(0, 1000, 20)
    found = apportioned(share, total)
    assert (found.sum(axis=1) == total).all()
    assert (np.abs(found - share * total[:, None]) < 1 + 1e-9).all()
    assert (found >= 0).all()
    counts = rng.integers(0, 300, (20, options))
    counts[:, 0] += 1
    sums = counts.sum(axis=1)
    assert (apportioned(np.round(counts / sums[:, None], 5), sums) == counts).all()
    few = np.tile([0.0015, 0.5, 0.4985], (1000, 1))  # a group with .3 voters in each of 1000 units
    assert abs(apportioned(few, np.full(1000, 200)).sum(axis=0) - few.sum(axis=0) * 200).max() < 3


def test_two_matrices_are_joined_by_name_or_by_order(tmp_path):
    groups, candidates = COUNTS[["precinct", *SIDES["rows"]]], COUNTS[["precinct", *SIDES["columns"]]]
    plain = read(COUNTS)
    shuffled = candidates.iloc[::-1]
    found = electjax.ecological.read((groups, shuffled), kind="groups")
    assert found.equals(plain)
    assert "units of the two tables are joined by name" in said(found)
    files = []
    for name, frame in (("groups", groups), ("candidates", shuffled)):
        files.append(tmp_path / f"{name}.csv")
        frame.to_csv(files[-1], index=False)
    assert read(tuple(files)).equals(plain)
    arrays = (groups[SIDES["rows"]].values, candidates[SIDES["columns"]].values)
    by_order = read(arrays)
    assert (by_order["row_margin"].values == plain["row_margin"].values).all()
    assert by_order["column"].values.tolist() == ["X", "Y"]
    assert "are joined by order, as not both name them" in said(by_order)
    assert electjax.ecological.read([*arrays]).sizes["row"] == 2
    assert read((groups, candidates), where={"precinct": ["a", "c"]}).sizes["unit"] == 2
    areas = groups.assign(district=["n", "n", "s", "s"], precinct=["a", "b", "a", "b"])
    more = candidates.assign(district=["n", "n", "s", "s"], precinct=["a", "b", "a", "b"]).iloc[::-1]
    assert electjax.ecological.read((areas, more), kind="groups")["unit"].values.tolist() == [
        "n/a",
        "n/b",
        "s/a",
        "s/b",
    ]
    totals = (shares()[["precinct", "total", *SIDES["rows"]]], shares()[["precinct", *SIDES["columns"]]])
    assert electjax.ecological.read(totals, total="total").equals(plain)


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (lambda g, c: (g,), "1 tables; expected two matrices"),
        (lambda g, c: (g, c[:3]), "DataFrame of rows, row 3: unit 'd' is not in DataFrame of columns"),
        (lambda g, c: (g, c[::-1].replace("a", "b")), "unit 'b' is there twice"),
        (lambda g, c: (g, c[:3].drop(columns="precinct")), "4 rows and 3 in DataFrame of columns"),
        (lambda g, c: (g, [["x"]]), "found an array of shape|an array of shape .* expected an array"),
        (lambda g, c: (np.ones((4, 3)), c), "2 names; expected a name for each of 3 columns of the array"),
        (lambda g, c: (g.drop(columns="black"), c), "rows or columns: no column 'black'"),
    ],
)
def test_matrices_that_do_not_belong_together_are_refused(change, match):
    groups, candidates = COUNTS[["precinct", *SIDES["rows"]]], COUNTS[["precinct", *SIDES["columns"]]]
    with pytest.raises(ElectionDataError, match=match) as caught:
        read(change(groups, candidates))
    assert "\n" not in str(caught.value)


def test_suppressed_cells_and_thousands(tmp_path):
    text = COUNTS.to_csv(index=False).replace("262", "<10").replace("238", "490")
    path = written(tmp_path / "u.csv", text)
    with pytest.raises(ElectionDataError, match="row 2, column 'X': '<10' is a suppressed number"):
        read(path)
    assert read(path, suppressed=10)["column_margin"].values[0].tolist() == [10, 490]
    with pytest.warns(ElectionDataWarning, match="row 2: 1 of 4 units with suppressed cells are left out"):
        assert read(path, suppressed="missing").sizes["unit"] == 3
    big = COUNTS.assign(**{name: COUNTS[name] * 11 for name in NAMES})
    dots = big.assign(**{name: big[name].map("{:,}".format).str.replace(",", ".") for name in NAMES})
    assert read(dots).equals(read(big))
    percent = pd.DataFrame({"white": ["12.345", "20.500"], "black": ["87.655", "79.500"], "X": 60, "Y": 40})
    with pytest.raises(ElectionDataError, match=r"may be thousands or a decimal; expected .* pass thousands="):
        read(percent)


def test_rows_of_a_long_table_that_are_there_twice():
    frame = long_frame()
    plain = electjax.ecological.read(frame)
    unit = frame[frame["unit"] == "n1"]
    with pytest.warns(ElectionDataWarning, match="row 24: the row repeats row 0 word for word and is counted once"):
        whole = electjax.ecological.read(pd.concat([frame, unit], ignore_index=True))
    assert whole.equals(plain)
    with pytest.warns(ElectionDataWarning, match="the row repeats row 0 word for word"):
        assert electjax.ecological.read(pd.concat([frame, unit[:1]], ignore_index=True)).equals(plain)
    # two candidates of one name may have as many votes
    same = frame.replace({"option": {"Ann (Red)": "Independent", "Bob (Blue (Old))": "Independent"}})
    same.loc[(same["unit"] == "n1") & (same["option"] == "Independent"), "votes"] = 30
    units = electjax.ecological.read(same)
    assert units["column_margin"].values[0].max() == 60
    totals = pd.concat([frame, frame.assign(unit="Total")])
    with pytest.warns(ElectionDataWarning, match="total rows left out, the first is"):
        assert electjax.ecological.read(totals).equals(plain)


def test_many_units_take_seconds():
    rng = np.random.default_rng(0)
    votes = rng.multinomial(500, [0.2, 0.1, 0.3, 0.4], 100_000)
    pairs = {"white": [0, 1], "black": [2, 3], "X": [0, 2], "Y": [1, 3]}
    frame = pd.DataFrame({name: votes[:, places].sum(axis=1) for name, places in pairs.items()})
    text = frame.assign(unit=[f"p{i}" for i in range(len(frame))], total=500).to_csv(index=False)
    units = read(pd.read_csv(io.StringIO(text)), total="total")
    assert (units["row_margin"].values == frame[["white", "black"]].values).all()


def test_a_total_of_shares_is_told_by_its_voters():
    frame = shares(digits=3)
    whole = frame[NAMES].mul(frame["total"], axis=0).sum() / frame["total"].sum()
    last = pd.DataFrame([{"precinct": "e", "total": frame["total"].sum(), **whole.round(3)}])
    with pytest.raises(ElectionDataError, match="row 4, unit 'e' of 'all': it adds up the units above it"):
        read(pd.concat([frame, last], ignore_index=True), total="total")


@pytest.mark.parametrize("total", [{}, {"total": "total"}])
def test_a_total_above_its_units_is_refused(total):
    frame = shares(digits=3)
    if not total:
        frame[NAMES] = frame[NAMES].mul(frame["total"], axis=0)
        frame[NAMES] = frame[NAMES].round(-1).astype(int)
        whole = frame[NAMES].sum()
    else:
        whole = (frame[NAMES].mul(frame["total"], axis=0).sum() / frame["total"].sum()).round(3)
    first = pd.DataFrame([{"precinct": "e", "total": frame["total"].sum(), **whole}])
    with pytest.raises(ElectionDataError, match="row 0, unit 'e' of 'all': it adds up the units below it"):
        read(pd.concat([first, frame], ignore_index=True), **total)
