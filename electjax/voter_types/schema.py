"""The ballots Dataset: what each voter chose in each office, and what the ballot had to choose from.

| variable | dims | meaning |
|---|---|---|
| `choice` | voter, office | code of the option chosen, 0..L; -1 where missing or not on the ballot |
| `menu` | voter, office | which options the ballot offered, as an index; optional |
| `available` | menu_kind, option | the options of each menu; without it the menus are those of the document, below |
| `weight` | voter | survey weight or count, optional |
| `cluster` | voter | label of the sampling cluster, optional |
| `covariate` | voter, term | numbers without an intercept, optional |
| `candidate_covariate` | [voter,] office, option, feature | optional |
| `office_covariate` | office, feature | optional |

Relative to the top of the ticket (section 1.1 of the voter types document) the codes are 0 abstain, 1 split and 2
straight, and the menus (section 4.1) are 0 office not on this ballot, 1 only the other party {0, 1}, 2 only the own
party {0, 2}, 3 contested {0, 1, 2}. An office that is not on the ballot says nothing of the voter; a vote that is
missing (-1 under any other menu) was cast and is not known. A general mask `available(voter, office, option)` can
take the place of `menu`.

Coordinates: `office` (labels), `option` (0..L), `option_label(office, option)` or `option_label(option)`,
`option_party(office, option)` where candidates have parties, `row(voter)` the line of the file, and what else is
known of voters. Attributes: `name`, `source`, `scheme` (`"ticket"` as above, `"split"` 0 straight and 1 split,
`"options"` as they come, or `"mixed"`, by `office_scheme(office)`), `top` (the office at the top of the ticket).
"""

from collections import Counter
from collections.abc import Sequence
from typing import Any, Literal, get_args

import numpy as np
import xarray as xr

import electjax
from electjax.data.checks import check_choice
from electjax.data.errors import ElectionDataError, data_error, data_warning
from electjax.data.labels import strings, unique_names

Scheme = Literal["ticket", "split", "options"]
Invalid = Literal["error", "missing"]

TICKET = ("abstain", "split", "straight")
SPLIT = ("straight", "split")
MISSING = -1
VARIABLES = (
    "choice",
    "menu",
    "available",
    "weight",
    "cluster",
    "covariate",
    "candidate_covariate",
    "office_covariate",
)
_MENU_NAMES = ("not on this ballot", "only the other party", "only the own party", "contested")
_ATTRS: dict[str, dict[str, str]] = {
    "choice": {"long_name": "option chosen, -1 missing or not on the ballot", "units": "option code"},
    "menu": {"long_name": "options on the ballot", "units": "menu code"},
    "available": {"long_name": "whether the option can be chosen", "units": "1"},
    "weight": {"long_name": "weight of the voter", "units": "voters"},
    "cluster": {"long_name": "sampling cluster", "units": "cluster label"},
    "covariate": {"long_name": "covariate of the voter", "units": "of the term"},
}


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


def validate(ballots: xr.Dataset, *, invalid: Invalid = "error") -> xr.Dataset:
    """Check ballots against the schema and return them with the schema's dims order and dtypes.

    Labels that are not given are added (offices are numbered); the argument itself stays as it is.

    Args:
        ballots: a Dataset with at least `choice(voter, office)`; NaN in it counts as missing, False and True as 0
            and 1.
        invalid: a vote for an option that was not on the ballot is an "error", or becomes "missing" (an office that
            was not on the ballot stays so) with one warning that counts such votes.

    Raises:
        ElectionDataError: one line that names the voter (row of the file where that is known), the office, what was
            found, what was expected and how to mend it.
    """
    where = place(check_dataset(ballots))
    check_choice("voter_types.validate(invalid=)", invalid, get_args(Invalid))
    ds = ballots.copy()
    _check_dims(ds, where)
    ds["choice"] = _whole_numbers(ds, "choice", where)
    ds = _with_labels(ds, where)
    options = ds.sizes["option"]
    _refuse(ds, (ds["choice"].values < MISSING) | (ds["choice"].values >= options), "choice", _codes_expected(ds))
    if "option_label" in ds.coords and "office" in ds["option_label"].dims:
        nameless = ds["option_label"].transpose("office", "option").values == ""
        chosen = np.take_along_axis(nameless.T, np.maximum(ds["choice"].values, 0).astype(np.intp), axis=0)
        _refuse(ds, chosen & (ds["choice"].values >= 0), "choice", "an option of this office, as in option_label")
    ds["choice"] = ds["choice"].astype(_smallest(options))
    if "menu" in ds:
        ds = _check_menu(ds, where)
    elif "available" in ds:
        ds["available"] = ds["available"].astype(bool)
    _check_voters(ds, where)
    for name in ("covariate", "candidate_covariate", "office_covariate"):
        if name in ds:
            _check_numbers(ds, name, where)
    for name, attrs in _ATTRS.items():
        if name in ds.variables:
            ds[name].attrs |= attrs
    ds.attrs["electjax_version"] = electjax.__version__
    ds.attrs.setdefault("scheme", "ticket" if "menu" in ds and "available" not in ds and options == 3 else "options")
    return _check_votes(ds, invalid)


def check_dataset(ballots: Any) -> xr.Dataset:
    """What is a Dataset, as it is; anything else is refused in one line."""
    if isinstance(ballots, xr.Dataset):
        return ballots
    raise data_error(
        f"found {type(ballots).__name__}",
        where="ballots",
        expected="an xarray Dataset with choice(voter, office)",
        mend="read a file with voter_types.read; of codes make xr.Dataset({'choice': (('voter', 'office'), codes)})",
    )


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


def _check_dims(ds: xr.Dataset, where: str) -> None:
    wanted: dict[str, tuple[str, ...]] = {"choice": ("voter", "office"), "menu": ("voter", "office")}
    wanted |= {"weight": ("voter",), "cluster": ("voter",), "covariate": ("voter", "term")}
    wanted |= {"office_covariate": ("office", "feature")}
    if "available" in ds:
        wanted["available"] = ("menu_kind", "option") if "menu" in ds else ("voter", "office", "option")
    if "candidate_covariate" in ds:
        by_voter = ("voter",) if "voter" in ds["candidate_covariate"].dims else ()
        wanted["candidate_covariate"] = (*by_voter, "office", "option", "feature")
    if "choice" not in ds:
        raise data_error(
            "no variable 'choice'", where=where, expected="choice(voter, office)", mend="use voter_types.read"
        )
    for name, dims in wanted.items():
        if name in ds and set(ds[name].dims) != set(dims):
            raise data_error(
                f"{name} has dims {ds[name].dims}", where=where, expected=f"{dims}", mend="rename or drop dims"
            )
        if name in ds:
            ds[name] = ds[name].transpose(*dims)
    for dim in ("voter", "office"):
        if not ds.sizes[dim]:
            raise data_error(f"no {dim}", where=where, expected=f"at least one {dim}", mend="check the selection")


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
    if "available" in ds:
        ds["available"] = ds["available"].astype(bool)
    ds["menu"] = _whole_numbers(ds, "menu", where)
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
    if "cluster" in ds and ds["cluster"].dtype.kind in "OU":
        ds["cluster"] = ds["cluster"].copy(data=strings(ds["cluster"].values))


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


def _codes_expected(ds: xr.Dataset) -> str:
    return f"-1 (missing) or an option code 0 to {ds.sizes['option'] - 1}"


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


__all__ = [
    "MISSING",
    "SPLIT",
    "TICKET",
    "VARIABLES",
    "ElectionDataError",
    "Invalid",
    "Scheme",
    "check_choice",
    "check_dataset",
    "menu_kinds",
    "menu_mask",
    "offered",
    "place",
    "strings",
    "ticket_menus",
    "unique_names",
    "validate",
    "voter_place",
]
