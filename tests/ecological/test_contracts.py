"""What a reader of units and a baseline promise; each is one file, found in its folder."""

import inspect
import io
import json

import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest

import electjax
from electjax.ecological import readers as readers_folder
from electjax.ecological.model import baselines as baselines_folder
from electjax.ecological.model.baselines import baselines, table_of
from electjax.ecological.options import BASELINES, METHODS
from electjax.ecological.readers import readers
from electjax.ecological.verbs.table import method_name
from electjax.numerics.host import double_precision
from tests.ecological.by_hand import drawn_units

READER = """
import numpy as np
from electjax.ecological.readers import Reader
from electjax.ecological.readers.draft import Draft, Side

def lacks(table, given):
    return "" if table.has("ayes") else "no column 'ayes'"

def read(table, given):
    votes = np.stack([table.counts(table.need(name)) for name in ("ayes", "noes")], axis=1)
    names = [str(line) for line in table.lines]
    of = np.zeros(len(names), int)
    return Draft("votes", ["all"], [("all",)], of, names, Side([["a", "b"]], [["", ""]], votes),
                 Side([["ayes", "noes"]], [["", ""]], votes), "groups", table.lines)

READER = Reader("house", "ayes and noes", lacks, read, ("ayes,noes\\n3,4\\n5,1\\n", {}))
"""
BASELINE = """
import jax.numpy as jnp
TITLE = "even shares"

def shares(rows, columns, row_here, column_here):
    here = jnp.asarray(row_here)[:, :, None] & jnp.asarray(column_here)[:, None, :]
    return here / jnp.maximum(here.sum(axis=2, keepdims=True), 1)
"""


@pytest.fixture(autouse=True)
def _double():
    with double_precision():
        yield


@pytest.fixture
def added(tmp_path, monkeypatch):
    """A folder whose files stand beside those of the package."""
    monkeypatch.setattr(readers_folder, "__path__", [*readers_folder.__path__, str(tmp_path / "readers")])
    monkeypatch.setattr(baselines_folder, "__path__", [*baselines_folder.__path__, str(tmp_path / "baselines")])
    for name, text in (("readers/house.py", READER), ("baselines/even.py", BASELINE)):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).write_text(text)
    readers.cache_clear()
    baselines.cache_clear()
    yield
    readers.cache_clear()
    baselines.cache_clear()


def check_reader(reader, tmp_path):
    text, options = reader.example
    path = tmp_path / "example.csv"
    path.write_text(text)
    units = electjax.ecological.read(path, **options)
    assert reader.name
    assert reader.needs
    assert electjax.ecological.validate(units).identical(units)
    assert units.attrs["source"] in ("example.csv", "votes")
    assert json.loads(units.attrs["notes"]) is not None
    assert units["row_margin"].values.sum() == units["column_margin"].values.sum() > 0
    frame = electjax.ecological.read(pd.read_csv(io.StringIO(text), dtype=str, keep_default_na=False), **options)
    assert frame["row_margin"].values.tolist() == units["row_margin"].values.tolist()
    with pytest.raises(electjax.ElectionDataError) as caught:
        electjax.ecological.read(pd.DataFrame({"nothing": [1]}))
    assert reader.needs in str(caught.value)


def check_baseline(method):
    assert method.title
    assert list(inspect.signature(method.shares).parameters)[:4] == ["rows", "columns", "row_here", "column_here"]
    drawn = drawn_units(5, contests=3, units=20, rows=3, parties=3, fielded=0.5)
    plain = np.asarray(method.shares(drawn.rows, drawn.columns, drawn.row_here, drawn.column_here))
    assert plain.shape == (3, 3, drawn.columns.shape[2])
    np.testing.assert_allclose(plain.sum(axis=2), 1.0, atol=1e-9)
    assert (plain[~np.broadcast_to(drawn.column_here[:, None], plain.shape)] == 0).all()
    rows, columns = (jnp.pad(x, ((0, 0), (0, 2), (0, 1))) for x in (drawn.rows, drawn.columns))
    here = [np.pad(x, ((0, 0), (0, 1))) for x in (drawn.row_here, drawn.column_here)]
    padded = np.asarray(method.shares(np.asarray(rows), np.asarray(columns), *here))
    np.testing.assert_allclose(padded[:, :-1, :-1], plain, atol=2e-3)
    for shown in (padded, np.asarray(table_of(padded, np.asarray(rows), np.asarray(columns)))):
        assert (shown[:, -1] == 0).all()
        assert (shown[:, :, -1] == 0).all()


@pytest.mark.parametrize("reader", readers(), ids=lambda reader: reader.name)
def test_a_reader_reads_its_example(reader, tmp_path):
    check_reader(reader, tmp_path)


@pytest.mark.parametrize("name", BASELINES)
def test_a_baseline_gives_shares_and_leaves_padding_alone(name):
    check_baseline(baselines()[name])


@pytest.mark.parametrize("name", BASELINES)
def test_a_baseline_is_a_method_of_estimate(name):
    units = electjax.ecological.simulate(contests=2, units=6, rows=3, parties=3, seed=1)
    found = electjax.ecological.estimate(units, method=name)
    assert method_name(found) == baselines()[name].title
    np.testing.assert_allclose(found["cells"].sum("column"), units["truth"].sum("column"), rtol=1e-9)
    np.testing.assert_allclose(found["cells"].sum("row"), units["truth"].sum("row"), rtol=1e-9)


def test_one_file_adds_a_reader(added, tmp_path):
    (reader,) = (reader for reader in readers() if reader.name == "house")
    check_reader(reader, tmp_path)


def test_one_file_adds_a_baseline(added):
    assert set(baselines()) == {*BASELINES, "even"}
    check_baseline(baselines()["even"])


def test_methods_are_the_context_and_the_baselines():
    assert ("context", *baselines()) == METHODS
