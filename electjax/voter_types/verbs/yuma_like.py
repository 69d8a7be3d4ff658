"""Ballots of a county that never was: four types of voters whose parameters are known.

The county has the shape of a real one (section 4.1 of the voter types document and its erratum): sixteen offices of
which a voter's precinct has ten on its ballot, several of them with a candidate of one party only.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr
from scipy.special import softmax

from electjax.data.labels import strings
from electjax.numerics.host import double_precision
from electjax.voter_types.em.mixture import LOG_ZERO, Types
from electjax.voter_types.em.profiles import NOTHING
from electjax.voter_types.em.simulate import simulate_choices
from electjax.voter_types.schema import TICKET, ticket_menus, validate

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


def yuma_like(voters: int = 5000, seed: int = 0) -> xr.Dataset:
    """Generate cast ballots of a county with four known types of voters.

    The types are loyal (the party of the top of the ticket everywhere), local (loyal above, with an eye for persons
    in the county), early leaver (stops voting on the way down) and independent (splits everywhere). Membership
    depends on two covariates: whether the precinct is rural, and whether the voter votes by mail.

    Args:
        voters: how many, at least 1.
        seed: the same seed gives the same ballots; fewer voters are no part of more.

    Returns:
        A ballots Dataset in the "ticket" scheme, with the truth in `true_type(voter)`, `true_pi(type)` (average over
        these voters), `true_mu(type, office, option)` with the full menu, and `true_gamma(true_term, type)`.
    """
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
    return validate(
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
