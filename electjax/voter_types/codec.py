"""Ballots to arrays and back: unique rows, the contexts of the offices, and the labels that stay outside."""

from collections.abc import Hashable, Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import xarray as xr

from electjax.data.errors import data_error, suggest
from electjax.data.labels import strings
from electjax.voter_types.ballots import TICKET, menu_mask, place
from electjax.voter_types.em.rows import NOTHING, Profiles, collapse, combine, contexts_of, met_contexts
from electjax.voter_types.schema import check_dataset, checked

INTERCEPT = "intercept"
PARTS = 32  # chunks collapsed before they are combined


class Labels(NamedTuple):
    """What the axes of the arrays are called."""

    offices: tuple[str, ...]
    options: np.ndarray  # [J, O] text, "" where an office has no such option
    terms: tuple[str, ...]  # the intercept first
    features: tuple[str, ...]  # of psi

    def option(self, office: int, option: int) -> str:
        """One option in words."""
        return str(self.options[office, option]) or str(option)


class Encoded(NamedTuple):
    """Ballots as arrays."""

    profiles: Profiles
    labels: Labels
    menus: np.ndarray  # [J, S] menu (or number of the context) behind each context, -1 for none
    inverse: np.ndarray | None  # [N] row of each voter; None where the ballots came in chunks
    attrs: dict[str, Any]


def decode_rows(encoded: Encoded) -> dict[str, Any]:
    """The unique rows as variables: their votes, menus and weights."""
    data = encoded.profiles
    context = contexts_of(data)
    menu = np.where(context == NOTHING, -1, encoded.menus[np.arange(len(encoded.menus)), context])
    choice = np.where(data.code == NOTHING, -1, data.code % data.mask.shape[2])
    cells = ("profile", "office")
    return {
        "profile_choice": (cells, choice.astype(np.int16)),
        "profile_menu": (cells, menu.astype(np.int32), {"long_name": "menu, -1 for no vote"}),
        "profile_weight": ("profile", data.weight, {"long_name": "weight of the voters with this row"}),
    }


def encode_ballots(
    ballots: xr.Dataset, covariates: Sequence[str] | bool | None = None, *, unique: bool = True
) -> Encoded:
    """Check and collapse ballots.

    Args:
        ballots: a ballots Dataset.
        covariates: terms of `covariate`, or names of variables or coordinates of the voters (text becomes dummies
            against its first level) or of one such dummy, "county[b]"; all of `covariate` by default, none with
            False.
        unique: False keeps every voter as a row of its own.

    Raises:
        ElectionDataError: ballots that do not fit the schema, an unknown covariate.
    """
    ballots = checked(ballots)
    profiles, inverse, labels = _collapsed(ballots, covariates, unique=unique)
    profiles, menus = met_contexts(profiles)
    return Encoded(profiles, labels, menus, inverse, dict(ballots.attrs))


def _collapsed(
    ballots: xr.Dataset, covariates: Sequence[str] | bool | None, *, unique: bool = True
) -> tuple[Profiles, np.ndarray, Labels]:
    """Rows of checked ballots with all their menus, the row of each voter, and what the axes are called."""
    labels = ballot_labels(ballots)
    terms, values = voter_covariates(ballots, covariates)
    context, mask, x, features = _contexts(ballots, labels)
    choice, weight = ballots["choice"].values, ballots["weight"].values if "weight" in ballots else None
    profiles, inverse = collapse(choice, context, mask, x=x, weight=weight, covariates=values, unique=unique)
    return profiles, inverse, labels._replace(terms=(INTERCEPT, *terms), features=features)


def encode_stream(chunks: Iterable[xr.Dataset], covariates: Sequence[str] | bool | None = None) -> Encoded:
    """The same for ballots that come in chunks of voters, in one pass; only unique rows are held.

    Chunks share their offices, options and menus. Covariates of candidates and menus given voter by voter need all
    ballots at once.
    """
    if not isinstance(chunks, Iterable):
        check_dataset(chunks)
    parts: list[Profiles] = []
    first: xr.Dataset | None = None
    for chunk in chunks:
        ballots = checked(chunk)
        _one_scheme(ballots, ballots if first is None else first)
        first = ballots.isel(voter=slice(0, 1)) if first is None else first
        profiles, _, labels = _collapsed(ballots, covariates)
        parts.append(profiles)
        if len(parts) == PARTS:
            parts = [combine(parts)]
    if first is None:
        raise data_error("no voter", where="ballots in chunks", expected="at least one chunk", mend="check the source")
    profiles, menus = met_contexts(combine(parts))
    return Encoded(profiles, labels, menus, None, dict(first.attrs))


def ballot_labels(ballots: xr.Dataset) -> Labels:
    """Offices and options of checked ballots."""
    offices = tuple(str(office) for office in ballots["office"].values)
    options = ballots.sizes["option"]
    if "option_label" in ballots.coords:
        found = ballots["option_label"]
        full = found.transpose("office", "option").values if "office" in found.dims else found.values
    else:
        full = np.array(TICKET if ballots.attrs.get("scheme") == "ticket" and options == 3 else range(options))
    text = np.broadcast_to(strings(np.ravel(full)).reshape(np.shape(full)), (len(offices), options))
    return Labels(offices, text, (INTERCEPT,), ())


def voter_covariates(
    ballots: xr.Dataset, covariates: Sequence[str] | bool | None
) -> tuple[tuple[str, ...], np.ndarray | None]:
    """Terms and their values [N, P - 1], without the intercept."""
    if covariates is False or ((covariates is None or covariates is True) and "covariate" not in ballots):
        return (), None
    known = [str(term) for term in ballots["term"].values] if "covariate" in ballots else []
    others = [str(name) for name in ballots.variables if ballots[name].dims == ("voter",) and name != "voter"]
    wanted = known if covariates is None or covariates is True else _names(covariates)
    terms: list[str] = []
    columns: list[np.ndarray] = []
    for name in wanted:
        if name in known:
            terms.append(name)
            columns.append(ballots["covariate"].values[:, known.index(name)])
        elif name in others:
            own, values = _columns(ballots, name)
            terms += own
            columns += values
        elif dummy := dummy_of(ballots, name):
            terms.append(name)
            columns.append(dummy_column(ballots, *dummy, wanted))
        else:
            raise data_error(
                f"no covariate {name!r}",
                where=place(ballots),
                expected="a term of covariate(voter, term), or a variable of the voters",
                mend=suggest(name, [*known, *others] or ["none"]),
            )
    return tuple(terms), np.column_stack(columns) if columns else None


def dummy_of(ballots: xr.Dataset, term: str) -> tuple[str, str] | None:
    """The voters' variable and the level behind a term name[level]; either may hold brackets of its own."""
    for name in map(str, ballots.variables):
        if ballots[name].dims == ("voter",) and term.startswith(f"{name}[") and term.endswith("]"):
            return name, term[len(name) + 1 : -1]
    return None


def dummy_column(ballots: xr.Dataset, name: str, level: str, terms: Sequence[str]) -> np.ndarray:
    """1 for the voters of a level; all levels but one, the baseline, must be among the terms."""
    found = strings(ballots[name].values)
    unknown = [each for each in np.unique(found).tolist() if f"{name}[{each}]" not in terms]
    if len(unknown) > 1:
        raise data_error(
            f"{name} is {' or '.join(map(repr, unknown))}",
            where=place(ballots),
            expected=f"besides the baseline only what has a term: {', '.join(terms)}",
            mend="leave the other voters out",
        )
    return (found == level).astype(float)


def _names(covariates: object) -> list[str]:
    """Names of covariates as text."""
    given = [covariates] if isinstance(covariates, str) or not isinstance(covariates, Iterable) else list(covariates)
    odd = [each for each in given if not isinstance(each, str | int)]
    if odd:
        raise data_error(
            f"found a {type(odd[0]).__name__}",
            where="covariates=",
            expected="names of terms or of the voters' variables",
            mend="put the values into the ballots as covariate(voter, term), or as coordinates of the voters",
        )
    return [str(each) for each in given]


def _columns(ballots: xr.Dataset, name: Hashable) -> tuple[list[str], list[np.ndarray]]:
    """A variable of the voters as it is, or one dummy per level of a text but the first."""
    values = ballots[name].values
    missing = int(pd.isna(values).sum() + (np.isinf(values).sum() if values.dtype.kind == "f" else 0))
    if missing:
        raise data_error(
            f"{name} is missing for {missing} voter(s)",
            where=place(ballots),
            expected="a value for every voter",
            mend="fill them in, or leave these voters out",
        )
    if values.dtype.kind in "biuf":
        return [str(name)], [values.astype(float)]
    codes, levels = pd.factorize(values, sort=True)
    return [f"{name}[{level}]" for level in levels[1:]], [(codes == i).astype(float) for i in range(1, len(levels))]


def _contexts(ballots: xr.Dataset, labels: Labels) -> tuple[np.ndarray, np.ndarray, np.ndarray | None, tuple[str, ...]]:
    """Context of each vote [N, J], the options of the contexts [J, S, O], their covariates, and those's names."""
    offices, options = labels.options.shape
    voters = ballots.sizes["voter"]
    own = labels.options != ""
    if "menu" in ballots:
        kinds = menu_mask(ballots)
        mask = kinds[None] & own[:, None, :]
        context = ballots["menu"].values.astype(np.int32)
    elif "available" in ballots:
        offered = ballots["available"].transpose("voter", "office", "option").values & own
        kinds, found = np.unique(offered.reshape(-1, options), axis=0, return_inverse=True)
        mask = np.broadcast_to(kinds, (offices, *kinds.shape))
        context = found.reshape(voters, offices).astype(np.int32)
    else:
        mask = own[:, None, :]
        context = np.zeros((voters, offices), np.int32)
    context = np.where(mask.any(-1)[np.arange(offices), context], context, -1)
    x: np.ndarray | None = None
    features: tuple[str, ...] = ()
    if "candidate_covariate" in ballots:
        candidate = ballots["candidate_covariate"]
        features = tuple(str(name) for name in candidate["feature"].values)
        if "voter" in candidate.dims:
            context, mask, x = _split_contexts(
                context, mask, candidate.transpose("voter", "office", "option", "feature").values
            )
        else:
            values = candidate.transpose("office", "option", "feature").values
            x = np.broadcast_to(values[:, None], (*mask.shape, len(features)))
    if "office_covariate" in ballots:
        z = ballots["office_covariate"].transpose("office", "feature").values
        names = [str(name) for name in ballots["office_covariate"]["feature"].values]
        cross = np.einsum("jf,op->jofp", z, np.eye(options)[:, 1:]).reshape(offices, 1, options, -1)
        cross = np.broadcast_to(cross, (*mask.shape, cross.shape[-1]))
        word = TICKET if options == 3 else tuple(str(option) for option in range(options))
        features = (*features, *(f"{name}:{word[option]}" for name in names for option in range(1, options)))
        x = cross if x is None else np.concatenate([x, cross], axis=-1)
    return context, mask, x, features


def _split_contexts(
    context: np.ndarray, mask: np.ndarray, values: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Contexts by menu and by the candidates' covariates [N, J, O, Q], which differ between voters."""
    _, offices, options, columns = values.shape
    found = []
    for j in range(offices):
        on = context[:, j] >= 0
        # covariates of options that are not on the menu make no difference
        own = np.where(mask[j, np.maximum(context[:, j], 0)][..., None], values[:, j], 0.0).reshape(len(values), -1)
        rows, number = np.unique(np.column_stack([context[:, j], own])[on], axis=0, return_inverse=True)
        split = np.full(len(context), -1)
        split[on] = number.reshape(-1)
        found.append((split, mask[j, rows[:, 0].astype(int)], rows[:, 1:].reshape(-1, options, columns)))
    most = max(1, *(len(part[1]) for part in found))
    new_mask = np.zeros((offices, most, options), bool)
    x = np.zeros((offices, most, options, columns))
    for j, (_, own_mask, own_x) in enumerate(found):
        new_mask[j, : len(own_mask)] = own_mask
        x[j, : len(own_x)] = own_x
    return np.column_stack([part[0] for part in found]), new_mask, x


def _one_scheme(ballots: xr.Dataset, first: xr.Dataset) -> None:
    """Chunks must agree, and their contexts must not depend on the chunk."""
    by_voter = "candidate_covariate" in ballots and "voter" in ballots["candidate_covariate"].dims
    if by_voter or ("available" in ballots and "menu" not in ballots):
        raise data_error(
            "menus or candidates' covariates are given voter by voter",
            where=place(ballots),
            expected="menu(voter, office) and available(menu_kind, option), for ballots in chunks",
            mend="number the menus, or pass the ballots whole",
        )
    same = np.array_equal(ballots["office"], first["office"]) and np.array_equal(menu_mask(ballots), menu_mask(first))
    if not same or ballots.sizes["option"] != first.sizes["option"]:
        raise data_error(
            "offices, options or menus differ between chunks",
            where=place(ballots),
            expected="the same in every chunk",
            mend="label the options of the whole source first",
        )
