"""Ballots of known types: drawn from a fit, and those of a county that never was.

That county has the shape of a real one (section 4.1 of the voter types document and its erratum): sixteen offices of
which a voter's precinct has ten on its ballot, several of them with a candidate of one party only.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr
from scipy.special import softmax

from electjax.data.errors import data_error
from electjax.data.labels import strings
from electjax.data.options import with_options
from electjax.numerics.host import double_precision
from electjax.voter_types.ballots import MISSING, TICKET, ticket_menus
from electjax.voter_types.em.mixture import LOG_ZERO, Types
from electjax.voter_types.em.rows import NOTHING, contexts_of
from electjax.voter_types.em.simulate import simulate_choices
from electjax.voter_types.fitted import Given, known_fit, types_of
from electjax.voter_types.options import SimulateOptions, YumaOptions
from electjax.voter_types.schema import checked
from electjax.voter_types.verbs.predict import align_ballots, encode_fitted, given_ballots

VOTERS = 1 << 20  # voters whose votes are drawn at a time


@with_options
def simulate(fit: Given, ballots: Given | None = None, *, options: SimulateOptions) -> xr.Dataset:
    """Draw every voter's type and votes from a fit, at given menus and covariates.

    A voter's votes do not depend on how many voters there are.

    Args:
        fit: what `voter_types.fit` returned, or its path.
        ballots: whose menus, covariates and missing votes are kept. By default those of the ballots that the types
            were fitted to, from the rows that the fit holds, each as often as its weight says.

    Returns:
        A ballots Dataset, with the types drawn in `true_type(voter)`.

    Raises:
        ElectionDataError: as `voter_types.predict`, or the fit does not hold its rows or menus.

    Example:
        >>> from electjax import voter_types
        >>> ballots = voter_types.yuma_like(voters=200).isel(office=[0, 3, 11])
        >>> fit = voter_types.fit(ballots, types=1, restarts=1, covariates=False)
        >>> voter_types.simulate(fit, voters=50)["choice"].shape
        (50, 3)
    """
    fit = known_fit(fit)
    voters, seed = options.voters, options.seed
    rng = np.random.default_rng(seed)
    if ballots is None:
        number = round(float(fit.attrs["voters"])) if voters is None else voters
        ballots = _of_rows(fit, number, rng)
    else:
        ballots = align_ballots(fit, given_ballots(ballots))
        if voters is not None:
            drawn = rng.integers(ballots.sizes["voter"], size=voters)
            ballots = ballots.isel(voter=drawn).drop_vars(["voter", "row"], errors="ignore")
    fit = fit.sel(office=ballots["office"].values)
    number = ballots.sizes["voter"]
    choice = np.full(ballots["choice"].shape, MISSING, ballots["choice"].dtype)
    member = np.empty(number, np.int64)
    key = jax.random.key(seed)
    with double_precision():
        for start in range(0, number, VOTERS):
            part = slice(start, min(start + VOTERS, number))
            encoded = encode_fitted(fit, ballots.isel(voter=part), unique=False)
            data = encoded.profiles
            given: dict[str, Any] = {"x": data.x, "design": data.design, "group": data.group, "first": start}
            types = types_of(fit, encoded)
            choice[part], member[part] = simulate_choices(key, types, contexts_of(data), data.mask, **given)
    name = str(fit.attrs.get("name", "")) or "a fit"
    attrs = {"name": f"simulated from {name}", "title": f"Ballots simulated from {name}", "seed": seed}
    kept = {key: ballots.attrs[key] for key in ("scheme", "top") if key in ballots.attrs}
    new = ballots.drop_vars([name for name in ballots if str(name).startswith("true_")])
    new = new.drop_vars([dim for dim in ("type", "true_term") if dim in new.coords and dim not in new.dims])
    new["choice"] = (("voter", "office"), choice)
    new["true_type"] = ("voter", fit["type"].values[member])
    new.attrs = kept | attrs
    return checked(new)


def _of_rows(fit: xr.Dataset, voters: int, rng: np.random.Generator) -> xr.Dataset:
    """Voters with the menus, missing votes and covariates of a fit's rows."""
    if "profile_choice" not in fit:
        raise _cannot("the fit does not hold its rows", "pass the ballots, or fit with profiles=True")
    choice, menu = (fit[name].transpose("profile", "office").values for name in ("profile_choice", "profile_menu"))
    restricted = bool(menu[choice >= 0].any())
    if "feature" in fit.coords or (restricted and fit.attrs.get("scheme") != "ticket"):
        raise _cannot("the fit does not hold what its menus were", "pass the ballots")
    weight = fit["profile_weight"].values
    drawn = rng.choice(len(weight), size=voters, p=weight / weight.sum())
    found = xr.Dataset(
        {"choice": (("voter", "office"), choice[drawn])},
        coords={name: fit[name] for name in ("office", "option", "option_label") if name in fit.coords},
        attrs={"scheme": fit.attrs.get("scheme", "options"), "name": "the rows of the fit"},
    )
    if restricted:
        found["menu"] = (("voter", "office"), np.maximum(menu[drawn], 0))
    if "profile_covariate" in fit:
        terms = fit["term"].values[1:]
        values = fit["profile_covariate"].transpose("profile", "term").values[drawn, 1:]
        found = found.assign(covariate=(("voter", "term"), values)).assign_coords(term=strings(terms))
    return align_ballots(fit, found)


def _cannot(problem: str, mend: str) -> Exception:
    return data_error(problem, where="voter_types.simulate", expected="the menus and covariates of voters", mend=mend)


# ------------------------------------------------------------------------------------ a county that never was

PRECINCTS = 44
REPUBLICAN = 0.56  # share of the votes at the top of the ticket
UNREADABLE = 0.01  # share of the votes cast that were not recorded
TERMS = ("intercept", "rural", "by mail")
NAMES = ("loyal", "local", "early leaver", "independent")
GAMMA = np.array([[0.0, -0.8, -0.5, -1.6], [0.0, 0.8, 0.2, -0.5], [0.0, -0.2, -0.7, 0.4]])  # term, type


class Office(NamedTuple):
    """An office: the share of the precincts that vote on it comes in `seats` equal parts, of which it is one."""

    name: str
    parties: str  # that have a candidate
    seats: int = 1
    seat: int = 0
    local: float = 0.0  # 0 national, 1 the last of the county's offices


OFFICES = (
    Office("US Senate", "DR"),
    Office("US House, west", "DR", 2, 0, 0.1),
    Office("US House, east", "DR", 2, 1, 0.1),
    Office("State Senate, north", "DR", 2, 0, 0.3),
    Office("State Senate, south", "R", 2, 1, 0.3),
    *(Office(f"Board of Supervisors, seat {i + 1}", ("R", "D", "DR", "R", "D")[i], 5, i, 0.6) for i in range(5)),
    Office("Assessor", "R", local=0.7),
    Office("County Attorney", "DR", local=0.7),
    Office("Recorder", "D", local=0.8),
    Office("Superintendent of Schools", "DR", local=0.9),
    Office("Sheriff", "DR", local=0.8),
    Office("Treasurer", "R", local=1.0),
)


@with_options
def yuma_like(*, options: YumaOptions) -> xr.Dataset:
    """Generate cast ballots of a county with four known types of voters.

    The types are loyal (the party of the top of the ticket everywhere), local (loyal above, with an eye for persons
    in the county), early leaver (stops voting on the way down) and independent (splits everywhere). Membership
    depends on two covariates: whether the precinct is rural, and whether the voter votes by mail.

    Returns:
        A ballots Dataset in the "ticket" scheme, with the truth in `true_type(voter)`, `true_pi(type)` (average over
        these voters), `true_mu(type, office, option)` with the full menu, and `true_gamma(true_term, type)`.

    Example:
        >>> from electjax import voter_types
        >>> ballots = voter_types.yuma_like(voters=200)
        >>> dict(ballots["choice"].sizes), ballots["type_name"].values.tolist()
        ({'voter': 200, 'office': 16}, ['loyal', 'local', 'early leaver', 'independent'])
    """
    voters, seed = options.voters, options.seed
    rng = np.random.default_rng(seed)
    precinct = rng.integers(PRECINCTS, size=voters)
    republican = rng.random(voters) < REPUBLICAN
    rural = (precinct % 3 == 0).astype(float)
    covariates = np.column_stack([rural, rng.random(voters) < 0.6])
    mu, menu = _propensities(), _menus(precinct, republican)
    mask = np.tile(ticket_menus(len(TICKET)), (len(OFFICES), 1, 1))
    log_mu = np.maximum(np.log(mu), LOG_ZERO)
    design = np.column_stack([np.ones(voters), covariates])
    with double_precision():
        truth = Types(jnp.asarray(GAMMA), jnp.asarray(log_mu), jnp.zeros((len(NAMES), 0)))
        context = np.where(menu == 0, NOTHING, menu)
        drawn, own = simulate_choices(jax.random.key(seed), truth, context, mask, design=design)
    choice = np.where((rng.random(menu.shape) < UNREADABLE) | (menu == 0), NOTHING, drawn)
    shares = softmax(design @ GAMMA, axis=1).mean(axis=0)
    return checked(
        xr.Dataset(
            {
                "choice": (("voter", "office"), choice.astype(np.int8)),
                "menu": (("voter", "office"), menu),
                "covariate": (("voter", "term"), covariates),
                "true_type": ("voter", own + 1),
                "true_pi": ("type", shares),
                "true_mu": (("type", "office", "option"), mu),
                "true_gamma": (("true_term", "type"), GAMMA),
            },
            coords={
                "office": strings(office.name for office in OFFICES),
                "option": np.arange(len(TICKET)),
                "option_label": ("option", strings(TICKET)),
                "term": strings(TERMS[1:]),
                "true_term": strings(TERMS),
                "type": np.arange(1, len(NAMES) + 1),
                "type_name": ("type", strings(NAMES)),
                "precinct": ("voter", strings(f"precinct {number + 1:02d}" for number in precinct)),
                "top": ("voter", np.where(republican, "R", "D")),
            },
            attrs={
                "name": "yuma_like",
                "title": "A generated county, with known types of voters",
                "source": f"generated by electjax.voter_types.yuma_like(voters={voters}, seed={seed})",
                "scheme": "ticket",
                "top": "President",
            },
        )
    )


def _propensities() -> np.ndarray:
    """mu of the types, [type, office, option]: abstain, split, straight on the full menu."""
    local = np.array([office.local for office in OFFICES])
    fame = 0.08 * np.sin(3.0 * np.arange(len(OFFICES)))  # candidates differ
    # per type: how many abstain and how many of the rest split, at the top of the ballot and added on the way down
    abstain = np.stack([0.01 + 0.03 * local, 0.02 + 0.06 * local, 0.05 + 0.75 * local, 0.04 + 0.16 * local])
    split = np.stack([0.015 + 0.02 * local, 0.03 + (0.57 + fame) * local, 0.08 + 0.1 * local, 0.7 + fame - 0.3 * local])
    return np.stack([abstain, (1 - abstain) * split, (1 - abstain) * (1 - split)], axis=-1)


def _menus(precinct: np.ndarray, republican: np.ndarray) -> np.ndarray:
    """Menus [voter, office] from where a voter lives and whose candidates stand."""
    menu = np.zeros((len(precinct), len(OFFICES)), np.int8)
    for column, office in zip(menu.T, OFFICES, strict=True):
        own, other = np.where(republican, "R", "D"), np.where(republican, "D", "R")
        offered = 2 * np.isin(own, list(office.parties)) + np.isin(other, list(office.parties))
        column[:] = np.where(precinct % office.seats == office.seat, offered, 0)
    return menu
