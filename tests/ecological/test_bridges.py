"""Booths of CALM as units of ecological inference."""

import pytest

import electjax
from electjax.bridges import units_of_booths
from electjax.data.errors import ElectionDataError
from electjax.data.notes import notes_of
from electjax.ecological.schema import contest_index


def test_booths_as_units():
    booths = electjax.calm.simulate(booths=12, constituencies=3, cells=True, seed=1)
    axis = "religion"
    units = units_of_booths(booths, axis)
    assert (units["row_margin"].sum("row").values == booths["electors"].values).all()
    stayed = units["column_margin"].values[units["column_name"].values[contest_index(units)] == "did not vote"]
    assert (stayed == (booths["electors"] - booths["polled"]).values).all()
    muslim = booths["cell_category"].sel(axis=axis).values == "Muslim"
    at = units["row_name"].values[0].tolist().index("Muslim")
    assert (units["row_margin"].values[:, at] == booths["cell_size"].values[:, muslim].sum(axis=1)).all()
    drawn = booths["true_cell_votes"].values[:, muslim].sum(axis=(0, 1))
    party = units["column_name"].values[0].tolist().index(booths["party"].values[0])
    assert units["truth"].values[:, at, party].sum() == drawn[0]
    assert units["row_category"].values[0, at, 0] == "Muslim"
    own = booths["candidate_category"].sel(axis=axis).values[0, 0]
    assert units["column_category"].values[0, party, 0] == own
    caste = units_of_booths(booths, "caste")
    assert "not applicable" in caste["row_name"].values[0]
    with pytest.raises(ElectionDataError, match="no axis 'tribe'"):
        units_of_booths(booths, "tribe")


def test_booths_without_votes_are_left_out():
    booths = electjax.calm.simulate(booths=12, constituencies=3, cells=True, seed=1)
    silent = booths.copy(deep=True)
    for name in ("votes", "polled", "true_cell_votes", "cell_votes"):
        if name in silent:
            silent[name].loc[{"booth": silent["booth"].values[:2]}] = 0
    units = units_of_booths(silent, "religion")
    kept = units_of_booths(booths.isel(booth=slice(2, None)), "religion")
    assert units["row_margin"].equals(kept["row_margin"])
    assert "2 of 36 booths polled no votes and are left out" in " | ".join(notes_of(units))
    with pytest.raises(ElectionDataError, match=r"no axis=; expected an axis of categories.*name one of .*religion"):
        units_of_booths(booths)


def test_a_file_of_booths_is_taken(tmp_path):
    booths = electjax.calm.simulate(booths=12, constituencies=3, seed=1)
    path = electjax.calm.save(booths, tmp_path / "booths.nc")
    assert units_of_booths(path, "religion").equals(units_of_booths(booths, "religion"))
