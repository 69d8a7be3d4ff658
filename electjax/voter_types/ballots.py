"""What ballots are, beyond the declarations of `schema.py`: codes, menus, labels, and votes that were possible.

Relative to the top of the ticket (section 1.1 of the voter types document) the codes are 0 abstain, 1 split and 2
straight, and the menus (section 4.1) are 0 office not on this ballot, 1 only the other party {0, 1}, 2 only the own
party {0, 2}, 3 contested {0, 1, 2}. An office that is not on the ballot says nothing of the voter; a vote that is
missing (-1 under any other menu) was cast and is not known. A general mask `available(voter, office, option)` can
take the place of `menu`.
"""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
import xarray as xr

from electjax.data.errors import data_error, data_warning
from electjax.data.labels import strings, strings_like
from electjax.voter_types.options import Invalid

TICKET = ("abstain", "split", "straight")
SPLIT = ("straight", "split")
MISSING = -1
_MENU_NAMES = ("not on this ballot", "only the other party", "only the own party", "contested")


def ticket_menus(options: int) -> np.ndarray:
    """The document's menus (section 4.1) as a mask, shape (4 menus, options), for at most three options."""
    return np.array([[0, 0, 0], [1, 1, 0], [1, 0, 1], [1, 1, 1]], dtype=bool)[:, :options]


def menu_kinds(counts: Sequence[int], options: int) -> tuple[np.ndarray, np.ndarray]:
    """Menus of offices that differ in their number of options: the menu of each office, and the mask of each menu.

    Menu 0 is for an office that is not on the ballot; the menus after it offer all options of an office.
    """
    sizes, kinds = np.unique(np.asarray(counts), return_inverse=True)
    return kinds + 1, np.arange(options) < np.concatenate([[0], sizes])[:, None]


def menu_mask(ballots: xr.Dataset) -> np.ndarray:
    """What each value of `menu` offers, shape (menus, options): `available`, or the document's menus."""
    if "available" in ballots:
        return ballots["available"].transpose("menu_kind", "option").values
    return ticket_menus(ballots.sizes["option"])


def offered(ballots: xr.Dataset) -> np.ndarray | None:
    """Whether each vote cast is for an option on the ballot, shape (voter, office); None without menus."""
    choice = ballots["choice"].values
    if "menu" in ballots:
        return menu_mask(ballots)[ballots["menu"].values, choice]
    if "available" in ballots:
        mask = ballots["available"].transpose("voter", "office", "option").values
        return np.take_along_axis(mask, np.maximum(choice, 0)[..., None].astype(np.intp), axis=2)[..., 0]
    return None


def place(ballots: xr.Dataset) -> str:
    """Where a fault in these ballots is: their file, else their name."""
    return str(ballots.attrs.get("source") or f"ballots {ballots.attrs.get('name', '')!r}")


def voter_place(ballots: xr.Dataset, voter: int) -> tuple[str, int | None]:
    """Place and row of a voter: the line of the file if it is known, else the voter's label in the place."""
    if "row" in ballots.coords:
        return place(ballots), int(ballots["row"].values[voter])
    label = ballots["voter"].values[voter].item() if "voter" in ballots.coords else voter
    return f"{place(ballots)}, voter {label!r}", None


def normalised(ds: xr.Dataset, where: str) -> xr.Dataset:
    """Ballots of integer votes and menus, and of text labels; NaN is a missing vote, an indicator its codes 0 and 1.

    Raises:
        ElectionDataError: no voters or offices, a vote or menu that is no whole number.
    """
    for dim in ("voter", "office"):
        if not ds.sizes[dim]:
            raise data_error(f"no {dim}", where=where, expected=f"at least one {dim}", mend="check the selection")
    wanted = ("menu_kind", "option") if "menu" in ds else ("voter", "office", "option")
    if "available" in ds and ds["available"].dims != wanted:
        found = f"available has dims {ds['available'].dims}"
        raise data_error(found, where=where, expected=f"{wanted}", mend="number the menus in menu(voter, office)")
    for name in ("choice", "menu"):
        if name in ds:
            ds[name] = _whole_numbers(ds, name, where)
    for name in ("covariate", "candidate_covariate", "office_covariate", "weight"):
        if name in ds and ds[name].dtype.kind == "b":
            ds[name] = ds[name].astype(np.float64)
    for name in ("office", "cluster", "option_label", "option_party"):
        text = "O" if name == "cluster" else "Oiufb"  # numbers of clusters stay numbers
        if name in ds.variables and ds[name].dtype.kind in text:
            ds[name] = ds[name].copy(data=strings_like(ds[name].values))
    return ds


def completed(ds: xr.Dataset, where: str, invalid: Invalid = "error") -> xr.Dataset:
    """Ballots with labels, the smallest dtypes and a scheme; every vote is for an option that was on the ballot."""
    ds = _with_labels(ds, where)
    options = ds.sizes["option"]
    codes = f"-1 (missing) or an option code 0 to {options - 1}"
    _refuse(ds, (ds["choice"].values < MISSING) | (ds["choice"].values >= options), "choice", codes)
    if "option_label" in ds.coords and "office" in ds["option_label"].dims:
        nameless = ds["option_label"].transpose("office", "option").values == ""
        chosen = np.take_along_axis(nameless.T, np.maximum(ds["choice"].values, 0).astype(np.intp), axis=0)
        _refuse(ds, chosen & (ds["choice"].values >= 0), "choice", "an option of this office, as in option_label")
    ds["choice"] = ds["choice"].astype(_smallest(options))
    if "available" in ds:
        ds["available"] = ds["available"].astype(bool)
    if "menu" in ds:
        ds = _check_menu(ds, where)
    _check_voters(ds, where)
    for name in ("covariate", "candidate_covariate", "office_covariate"):
        if name in ds:
            _check_numbers(ds, name, where)
    ds.attrs.setdefault("scheme", "ticket" if "menu" in ds and "available" not in ds and options == 3 else "options")
    return _check_votes(ds, invalid)


def _with_labels(ds: xr.Dataset, where: str) -> xr.Dataset:
    """Label offices and options where they are not, and check the labels."""
    if "office" not in ds.coords:
        ds = ds.assign_coords(office=strings(f"office {j + 1}" for j in range(ds.sizes["office"])))
    labels = strings(ds["office"].values)
    repeated = [label for label, n in Counter(labels.tolist()).items() if n > 1 or not label.strip()]
    if repeated:
        raise data_error(
            f"office {repeated[0]!r} is blank or repeated", where=where, expected="one label each", mend="rename it"
        )
    if "option" not in ds.dims:
        # Menus of the document are about three options, whether or not anybody chose the last.
        known = 3 if "menu" in ds else 2
        ds = ds.assign_coords(option=np.arange(max(known, int(ds["choice"].values.max()) + 1)))
    elif "option" not in ds.coords:
        ds = ds.assign_coords(option=np.arange(ds.sizes["option"]))
    if not np.array_equal(ds["option"].values, np.arange(ds.sizes["option"])):
        raise data_error(
            f"options {ds['option'].values.tolist()}",
            where=f"{where}, coordinate 'option'",
            expected="0, 1, ... as they are coded in choice",
            mend="recode choice, and keep the names in option_label",
        )
    return ds.assign_coords(office=labels)


def _check_menu(ds: xr.Dataset, where: str) -> xr.Dataset:
    if "available" not in ds and ds.sizes["option"] > len(TICKET):
        raise data_error(
            f"menus for {ds.sizes['option']} options",
            where=where,
            expected="available(menu_kind, option), for more options than abstain, split and straight",
            mend="add the mask, or recode the ballots with voter_types.recode",
        )
    kinds = len(menu_mask(ds))
    names = ", ".join(f"{i} {name}" for i, name in enumerate(_MENU_NAMES))
    expected = f"0 to {kinds - 1}, as in available(menu_kind, option)" if "available" in ds else names
    _refuse(ds, (ds["menu"].values < 0) | (ds["menu"].values >= kinds), "menu", expected)
    ds["menu"] = ds["menu"].astype(_smallest(kinds))
    return ds


def _check_votes(ds: xr.Dataset, invalid: Invalid) -> xr.Dataset:
    """Every vote is for an option that was on the ballot."""
    possible = offered(ds)
    if possible is None:
        return ds
    choice = ds["choice"].values
    bad = (choice != MISSING) & ~possible
    if not bad.any():
        return ds
    voter, office = (int(i) for i in np.argwhere(bad)[0])
    where, row = voter_place(ds, voter)
    column = str(ds["office"].values[office])
    problem = (
        f"a vote for {_option(ds, office, int(choice[voter, office]))}, which is not on {_menu(ds, voter, office)}"
    )
    if invalid == "missing":
        more = f"; {int(bad.sum())} such vote(s) are taken as missing"
        data_warning(problem + more, where=where, row=row, column=column)
        ds["choice"] = ds["choice"].copy(data=np.where(bad, choice.dtype.type(MISSING), choice))
        return ds
    raise data_error(
        problem + (f" ({int(bad.sum())} such votes)" if bad.sum() > 1 else ""),
        where=where,
        row=row,
        column=column,
        expected="an option of the ballot, or a blank",
        mend="correct the vote or the menu, or pass invalid='missing'",
    )


def _check_voters(ds: xr.Dataset, where: str) -> None:
    """Weights are numbers of at least 0, not all 0; clusters are labelled."""
    if "weight" in ds:
        ds["weight"] = ds["weight"].astype(np.float64)
        weight = ds["weight"].values
        bad = ~(np.isfinite(weight) & (weight >= 0))
        if bad.any():
            spot, row = voter_place(ds, int(bad.argmax()))
            raise data_error(
                f"found {weight[bad.argmax()]}",
                where=spot,
                row=row,
                column="weight",
                expected="a number of at least 0",
                mend="correct the weight or leave the voter out",
            )
        if not weight.sum() > 0:
            raise data_error("all weights are 0", where=where, expected="a positive weight", mend="check the column")


def _check_numbers(ds: xr.Dataset, name: str, where: str) -> None:
    ds[name] = ds[name].astype(np.float64)
    bad = ~np.isfinite(ds[name].values)
    if not bad.any():
        return
    at = np.argwhere(bad)[0]
    spot = dict(zip(ds[name].dims, (int(i) for i in at), strict=True))
    spoken = ", ".join(f"{d}={ds[d].values[i].item()!r}" if d in ds.coords else f"{d}={i}" for d, i in spot.items())
    raise data_error(
        f"{name}({spoken}) is {ds[name].values[tuple(at)]} ({int(bad.sum())} such values)",
        where=where,
        expected="finite numbers",
        mend="fill them in, or leave these voters out",
    )


def _whole_numbers(ds: xr.Dataset, name: str, where: str) -> xr.DataArray:
    """An integer variable; in `choice` NaN counts as missing, and an indicator as its codes 0 and 1."""
    values = ds[name].values
    if values.dtype.kind in "iu":
        return ds[name]
    if values.dtype.kind == "b" and name == "choice":
        return ds[name].astype(np.int8)
    if values.dtype.kind == "f":
        blank = np.isnan(values) if name == "choice" else np.zeros(values.shape, dtype=bool)
        _refuse(ds, ~blank & ~((values == np.floor(values)) & (np.abs(values) < 2**15)), name, "whole numbers")
        return ds[name].copy(data=np.where(blank, MISSING, values).astype(np.int16))
    raise data_error(
        f"{name} holds {values.dtype}",
        where=where,
        expected="integer codes",
        mend="code the labels, or voter_types.read",
    )


def _refuse(ds: xr.Dataset, bad: np.ndarray, name: str, expected: str) -> None:
    """Raise for the first voter and office that are marked as bad."""
    if not bad.any():
        return
    voter, office = (int(i) for i in np.argwhere(bad)[0])
    where, row = voter_place(ds, voter)
    raise data_error(
        f"{name} is {ds[name].values[voter, office].item()!r}" + (f" ({int(bad.sum())} such)" if bad.sum() > 1 else ""),
        where=where,
        row=row,
        column=str(ds["office"].values[office]) if "office" in ds.coords else f"office {office}",
        expected=expected,
        mend="correct the cell",
    )


def _smallest(count: int) -> Any:
    return np.int8 if count <= 127 else np.int16


def _option(ds: xr.Dataset, office: int, code: int) -> str:
    """An option in words: its code and, where known, its label."""
    if "option_label" in ds.coords:
        labels = ds["option_label"]
        label = str((labels.isel(office=office) if "office" in labels.dims else labels).values[code])
    else:
        label = TICKET[code] if ds.attrs.get("scheme") == "ticket" else ""
    return f"{code} ({label})" if label else f"{code}"


def _menu(ds: xr.Dataset, voter: int, office: int) -> str:
    if "menu" not in ds:
        return "this ballot"
    menu = int(ds["menu"].values[voter, office])
    return f"menu {menu}" + ("" if "available" in ds else f" ({_MENU_NAMES[menu]})")
