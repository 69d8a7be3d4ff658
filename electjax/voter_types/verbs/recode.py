"""Recode votes for candidates relative to the top of the ticket, with the menus that follow from who stood.

A voter's own party is that of the vote at the top. In every other office a vote for a candidate of the own party is 2
straight, for another candidate 1 split, and no valid vote 0 abstain (section 1.1 of the voter types document); the
menu says which of the own and the other party stood there on that voter's ballot (section 4.1).
"""

import os
import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import xarray as xr

from electjax.data.errors import data_error, data_warning, suggest
from electjax.data.labels import strings
from electjax.data.options import with_options
from electjax.voter_types.ballots import MISSING, SPLIT, TICKET, menu_mask, place, ticket_menus
from electjax.voter_types.options import Others, RecodeOptions, Scheme
from electjax.voter_types.schema import checked
from electjax.voter_types.store import load

_WRITE_IN = re.compile(r"write.?in", re.IGNORECASE)
_PARTY = re.compile(r"\(([^()]+)\)\s*$")  # "Smith (REP)"
_TOP = re.compile(r"president|prime minister|governor", re.IGNORECASE)
_NONE, _FIRST, _SECOND, _THIRD, _WRITTEN = range(5)  # what an option is: no vote, a party of the two, another, write-in


class _Office(NamedTuple):
    """One recoded office: codes and menus of voters, the masks of its menus, and labels of its codes."""

    code: np.ndarray
    menu: np.ndarray
    masks: np.ndarray
    labels: tuple[str, ...]


@with_options
def recode(ballots: xr.Dataset | str | os.PathLike[str], *, options: RecodeOptions) -> xr.Dataset:
    """Recode options into the document's scheme relative to the top of the ticket.

    "ticket" is 0 abstain, 1 split, 2 straight, with the menus of section 4.1. "split" is 0 straight, 1 split (L = 1):
    there is no code for abstention, which is missing; where only one of the two parties stood there was nothing to
    split, and the office counts as not on the ballot. "options" are as they come. A write-in is an abstention.

    Args:
        ballots: options with labels, as `voter_types.read` returns them (scheme "options"), or the path of such
            ballots; or ballots already in the scheme "ticket", which can become "split".

    Returns:
        Ballots with the party of the top in the coordinate `top`. Attributes: `parties`; `dropped_voters`, those
        without such a vote; `left_out`, offices in which neither party stood. Candidate covariates stay behind, as an
        option no longer is a candidate.

    Raises:
        ElectionDataError: no such office, no labels, or fewer than two parties.

    Example:
        >>> from electjax import voter_types
        >>> ballots = voter_types.dataset(
        ...     [[0, 0], [1, 0], [1, 1]], offices=["Governor", "Sheriff"], options=["DEM", "REP"], scheme="options"
        ... )
        >>> coded = voter_types.recode(ballots)
        >>> coded["option_label"].values[coded["choice"].sel(office="Sheriff").values].tolist()
        ['straight', 'split', 'straight']
    """
    if isinstance(ballots, str | os.PathLike):
        ballots = load(ballots)
    where, scheme, others = place(ballots), options.scheme, options.others
    wanted = _schemes(ballots, scheme, where)
    ds = checked(ballots.load())
    if set(wanted.values()) == {"options"}:
        return ds.assign_attrs(scheme="options")
    if ds.attrs["scheme"] != "options":
        return _from_ticket(ds, wanted, where)
    if "option_label" not in ds.coords:
        raise data_error("no option_label", where=where, expected="the labels of options", mend="add the coordinate")
    labels, kinds = _options(ds, options.party_of or {}, options.abstain)
    voter_party, top_office = _top_party(ds, labels, kinds, options.top, where)
    two = _two_parties(voter_party, options.parties, where)
    own = np.select([voter_party == two[0], voter_party == two[1]], [0, 1], MISSING)
    aligned = own >= 0
    if not aligned.any():
        raise data_error(
            f"no voter voted {two[0]!r} or {two[1]!r} at the top", where=where, expected="votes", mend="pass parties="
        )
    if not options.keep_unaligned:
        ds, own, voter_party = ds.isel(voter=aligned), own[aligned], voter_party[aligned]
    recoded: dict[str, _Office] = {}
    left_out = [text for text in str(ds.attrs.get("left_out", "")).split("; ") if text]
    for j, name in enumerate(str(label) for label in ds["office"].values):
        if name == top_office:
            continue
        kind = _classes(kinds[j], two)
        if wanted[name] == "options":
            recoded[name] = _as_it_is(ds, j, tuple(labels[j]))
        elif not {_FIRST, _SECOND} & set(kind.tolist()):
            if isinstance(scheme, Mapping) and name in scheme:
                raise data_error(
                    f"no candidate of {two[0]!r} or {two[1]!r}",
                    where=where,
                    column=name,
                    expected="an office that one of the two parties contests",
                    mend="use the scheme 'options' for it, or give parties in option_party or party_of",
                )
            left_out.append(name)
        else:
            recoded[name] = _relative(ds, j, kind, own, others, wanted[name])
    if not recoded:
        raise data_error(
            f"no office has a candidate of {two[0]!r} or {two[1]!r}",
            where=where,
            expected="parties of the options",
            mend="give them in option_party, party_of, or at the end of labels: 'Smith (REP)'",
        )
    attrs = {"parties": ", ".join(two), "dropped_voters": 0 if options.keep_unaligned else int((~aligned).sum())}
    attrs |= {"top": top_office or str(options.top or ds.attrs.get("top"))} | (
        {"left_out": "; ".join(left_out)} if left_out else {}
    )
    if "candidate_covariate" in ds:
        data_warning("candidate_covariate is left out: options are no longer candidates", where=where)
    return _assembled(ds, recoded, wanted, attrs).assign_coords(top=("voter", strings(voter_party)))


def _schemes(ballots: xr.Dataset, scheme: Scheme | Mapping[str, Scheme], where: str) -> dict[str, Scheme]:
    """The scheme of each office."""
    names = [str(label) for label in ballots["office"].values]
    given: Mapping[str, Any] = scheme if isinstance(scheme, Mapping) else dict.fromkeys(names, scheme)
    for name in given:
        if name not in names:
            raise data_error(f"no office {name!r}", where=where, expected="offices", mend=suggest(name, names))
    return {name: given.get(name, "ticket") for name in names}


def _options(
    ds: xr.Dataset, party_of: Mapping[str, str], abstain: Collection[str]
) -> tuple[list[list[str]], list[list[str | int]]]:
    """Labels of each office's options, and for each its party, or that it is no vote or a write-in."""
    shape = (ds.sizes["office"], ds.sizes["option"])
    labels = np.broadcast_to(ds["option_label"].transpose(..., "option").values, shape)
    parties = ds["option_party"].transpose("office", "option").values if "option_party" in ds.coords else None
    blank = {label.casefold() for label in abstain}

    def what(j: int, k: int) -> str | int:
        label = str(labels[j, k])
        if label.casefold() in blank:
            return _NONE
        if label in party_of:
            return party_of[label]
        if parties is not None and str(parties[j, k]):
            return str(parties[j, k])
        if _WRITE_IN.search(label):
            return _WRITTEN
        if parties is not None:
            return ""
        bracket = _PARTY.search(label)
        return bracket[1] if bracket else label

    found = [[what(j, k) for k in range(shape[1])] for j in range(shape[0])]
    return [[str(label) for label in row] for row in labels], found


def _top_party(
    ds: xr.Dataset, labels: list[list[str]], kinds: list[list[str | int]], top: str | None, where: str
) -> tuple[np.ndarray, str | None]:
    """The party each voter chose at the top ("" where none), and the office this is, unless it is a coordinate."""
    names = [str(label) for label in ds["office"].values]
    top = top or ds.attrs.get("top")
    if top is None:
        top = next((name for name in names if _TOP.search(name)), None)
    if top is None and "top" in ds.coords:
        top = "top"
    if top in names:
        j = names.index(top)
        party = np.array([kind if isinstance(kind, str) else "" for kind in kinds[j]] + [""], dtype=np.str_)
        return party[ds["choice"].values[:, j]], top  # -1 is the blank at the end
    if top is not None and top in ds.coords and ds[top].dims == ("voter",):
        return strings(ds[top].values), None
    raise data_error(
        "which office is at the top of the ticket is not known" if top is None else f"no office {top!r}",
        where=where,
        expected="an office, or a coordinate of voters that holds their party",
        mend=f"pass top=; {suggest(top or 'President', names)}",
    )


def _two_parties(votes: np.ndarray, parties: Sequence[str] | None, where: str) -> tuple[str, str]:
    if parties is None:
        found, counts = np.unique(votes[votes != ""], return_counts=True)
        parties = [str(found[k]) for k in np.argsort(-counts, kind="stable")[:2]]
    if isinstance(parties, str) or len(set(parties)) != 2 or len(parties) != 2:
        raise data_error(
            f"found {list(parties)}", where=where, expected="two parties at the top of the ticket", mend="pass parties="
        )
    return str(parties[0]), str(parties[1])


def _classes(kinds: Sequence[str | int], two: tuple[str, str]) -> np.ndarray:
    """What each option of an office is to the two parties."""
    place_of = {two[0]: _FIRST, two[1]: _SECOND}
    return np.array([kind if isinstance(kind, int) else place_of.get(kind, _THIRD) for kind in kinds])


def _mask(ds: xr.Dataset, j: int) -> tuple[np.ndarray, np.ndarray]:
    """The menus of an office as masks (menus, options), and which of them each voter has."""
    real = np.broadcast_to(ds["option_label"].transpose(..., "option").values, (ds.sizes["office"], ds.sizes["option"]))
    if "menu" in ds:
        return menu_mask(ds), ds["menu"].values[:, j]
    if "available" in ds:
        masks, index = np.unique(ds["available"].values[:, j], axis=0, return_inverse=True)
        return masks, index.reshape(-1)
    return (real[j] != "")[None, :], np.zeros(ds.sizes["voter"], dtype=np.intp)


def _relative(ds: xr.Dataset, j: int, kind: np.ndarray, own: np.ndarray, others: Others, scheme: Scheme) -> _Office:
    """Votes in an office relative to the voter's own party (0 or 1; -1 none)."""
    masks, index = _mask(ds, j)
    stood = np.stack([(masks & (kind == what)).any(axis=1) for what in (_FIRST, _SECOND, _THIRD)], axis=1)[index]
    first = own == 0
    own_stood = np.where(first, stood[:, 0], stood[:, 1])
    other_stood = np.where(first, stood[:, 1], stood[:, 0]) | (stood[:, 2] & (others == "split"))
    menu = np.where(own >= 0, 2 * own_stood + other_stood, 0)
    choice = ds["choice"].values[:, j]
    what = np.where(choice >= 0, kind[choice], MISSING)
    third = {"split": 1, "abstain": 0, "missing": MISSING}[others]
    code = np.select(
        [what < 0, (what == _NONE) | (what == _WRITTEN), what == _THIRD, what == own + _FIRST],
        [MISSING, 0, third, 2],
        1,
    )
    code = np.where(menu == 0, MISSING, code)
    return _Office(code, menu, ticket_menus(3), TICKET) if scheme == "ticket" else _split(code, menu)


def _split(code: np.ndarray, menu: np.ndarray) -> _Office:
    """Codes of the scheme "ticket" as an indicator of a split ticket."""
    contested = (menu == 3).astype(np.int8)
    split = np.select([code == 1, code == 2], [1, 0], MISSING)
    return _Office(np.where(contested == 1, split, MISSING), contested, ticket_menus(2)[:2], SPLIT)


def _as_it_is(ds: xr.Dataset, j: int, labels: tuple[str, ...]) -> _Office:
    masks, index = _mask(ds, j)
    width = max((k + 1 for k, label in enumerate(labels) if label), default=len(labels))
    return _Office(ds["choice"].values[:, j], index, masks[:, :width], labels[:width])


def _from_ticket(ds: xr.Dataset, wanted: Mapping[str, Scheme], where: str) -> xr.Dataset:
    """Offices of ballots in the scheme "ticket" as they are, or as indicators of a split ticket."""
    if ds.attrs["scheme"] != "ticket" or "available" in ds or "options" in wanted.values():
        raise data_error(
            f"the ballots have the scheme {ds.attrs['scheme']!r}",
            where=where,
            expected="scheme 'options', or 'ticket' to make splits of",
            mend="recode the ballots as they were read",
        )
    code = ds["choice"].values
    menu = ds["menu"].values if "menu" in ds else np.full(code.shape, 3)
    recoded = {
        name: _Office(code[:, j], menu[:, j], ticket_menus(3), TICKET)
        if kind == "ticket"
        else _split(code[:, j], menu[:, j])
        for j, (name, kind) in enumerate(wanted.items())
    }
    return _assembled(ds, recoded, wanted, {})


def _assembled(
    ds: xr.Dataset, recoded: Mapping[str, _Office], wanted: Mapping[str, Scheme], attrs: Mapping[str, Any]
) -> xr.Dataset:
    """Ballots of the recoded offices, with all that was known of voters and offices."""
    names = list(recoded)
    kept = ds.sel(office=names).drop_vars(["choice", "menu", "available", "option_party"], errors="ignore")
    kept = kept.drop_dims("option", errors="ignore")
    wide = max(office.masks.shape[1] for office in recoded.values())
    schemes = {wanted[name] for name in names}
    masks: dict[tuple[bool, ...], int] = {(False,) * wide: 0}
    menus = []
    for office in recoded.values():
        padded = np.zeros((len(office.masks), wide), dtype=bool)
        padded[:, : office.masks.shape[1]] = office.masks
        number = np.array([masks.setdefault(tuple(mask.tolist()), len(masks)) for mask in padded])
        menus.append(office.menu if schemes == {"ticket"} else number[office.menu])
    dims = ("voter", "office")
    kept["choice"] = (dims, np.stack([office.code for office in recoded.values()], axis=1))
    kept["menu"] = (dims, np.stack(menus, axis=1))
    if schemes != {"ticket"}:
        kept["available"] = (("menu_kind", "option"), np.array(list(masks)))
    kept = kept.assign_coords(option=np.arange(wide))
    if len({office.labels for office in recoded.values()}) == 1:
        kept = kept.assign_coords(option_label=("option", strings(next(iter(recoded.values())).labels)))
    else:
        rows = [[*office.labels, *[""] * (wide - len(office.labels))] for office in recoded.values()]
        kept = kept.assign_coords(option_label=(("office", "option"), np.array(rows, dtype=np.str_)))
    scheme = next(iter(schemes)) if len(schemes) == 1 else "mixed"
    if scheme == "mixed":
        kept = kept.assign_coords(office_scheme=("office", strings(wanted[name] for name in names)))
    return checked(kept.assign_attrs({**attrs, "scheme": scheme}))
