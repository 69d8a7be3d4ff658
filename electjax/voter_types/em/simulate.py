"""Votes drawn from a mixture, at given menus and covariates: the model of sections 1 to 5 run forwards.

Voter i's draws depend on the key and on i alone, whatever the size of the chunks.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Int

from electjax.numerics.random import random_bits, threefry_key
from electjax.voter_types.em.mixture import Types, log_choice, log_shares
from electjax.voter_types.em.profiles import NOTHING, Profiles, are_counts, combine, contexts_of

CHUNK = 1 << 16  # voters drawn at a time


class Voters(NamedTuple):
    """What is given of every voter before they vote."""

    group: np.ndarray  # [N] row of the covariates
    context: np.ndarray  # [N, J] context of each office, NOTHING where no vote is drawn
    weight: np.ndarray  # [N]


def simulate_choices(
    key: Array,
    types: Types,
    context: Any,
    mask: Any,
    *,
    x: Any = None,
    design: Any = None,
    group: Any = None,
    first: int = 0,
) -> tuple[Int[np.ndarray, "N J"], Int[np.ndarray, " N"]]:
    """Draw every voter's type (eq. 5.1) and votes (section 4.2). Call it under `jax.enable_x64`.

    Args:
        key: every voter takes draws of their own from it.
        types: the mixture.
        context: [N, J] context of each office (a menu), negative where the office is not on the ballot.
        mask: [J, S, O] options of each context.
        x: [J, S, O, Q] covariates of the options.
        design: [N, P] covariates of the voters, the intercept first; or [G, P], of which `group` [N] takes rows.
        group: [N] row of `design`; all voters share one row, or have one each, without it.
        first: number of the first voter, for voters that come in parts.

    Returns:
        Options chosen, [N, J], -1 where the office is not on the ballot; the voters' types, [N].
    """
    context = np.asarray(context)
    number, offices = context.shape
    design = np.ones((1, 1)) if design is None else np.asarray(design, float)
    if group is None:
        group = np.arange(number) if len(design) == number else np.zeros(number)
    x = np.zeros((*np.shape(mask), 0)) if x is None else x
    key, tables = threefry_key(key), vote_tables(types, jnp.asarray(design), jnp.asarray(mask), jnp.asarray(x))
    choice = np.empty((number, offices), _codes(np.shape(mask)[2]))
    member = np.empty(number, _codes(len(tables.choice)))
    size = min(CHUNK, number)
    lane, group = np.arange(size, dtype=np.int32), np.asarray(group, np.int32)
    for start in range(0, number, size):
        part = slice(start, min(start + size, number))
        short = start + size - part.stop
        own = np.pad(context[part], ((0, short), (0, 0)), constant_values=NOTHING)
        drawn = draw_votes(key, tables, lane + np.int32(first + start), np.pad(group[part], (0, short)), own)
        choice[part], member[part] = (np.asarray(each)[: size - short] for each in drawn)
    return choice, member


class VoteTables(NamedTuple):
    """Cumulative probabilities to draw from."""

    shares: Array  # [G, K]
    choice: Array  # [K, J, S, O]


@jax.jit
def vote_tables(types: Types, design: Array, mask: Array, x: Array) -> VoteTables:
    """Cumulative pi per covariate row and mu per context; an option off the menu adds nothing."""
    chance = jnp.where(mask, jnp.exp(log_choice(types, mask, x)), 0.0)
    return VoteTables(_cumulate(jnp.exp(log_shares(types, design))), _cumulate(chance))


@jax.jit
def draw_votes(key: Array, tables: VoteTables, voter: Array, group: Array, context: Array) -> tuple[Array, Array]:
    """Votes [N, J] and types [N] of the voters with these numbers, by inversion with one uniform each."""
    offices, contexts, options = tables.choice.shape[1:]
    bits = random_bits(key, voter, offices + 1)
    uniform = (bits.astype(float) + 0.5) * 2.0**-32
    member = (uniform[0][:, None] >= tables.shares[group]).sum(1)
    cell = (member[:, None] * offices + jnp.arange(offices)) * contexts + context
    bounds = tables.choice.reshape(-1, options)
    # the last bound is 1: nobody is beyond it
    chosen = sum((bounds[:, option][cell] <= uniform[1:].T).astype(int) for option in range(options - 1))
    return jnp.where(context >= 0, chosen, NOTHING), member


def _cumulate(chance: Array) -> Array:
    total = jnp.cumsum(chance, axis=-1)
    return total / jnp.where(total[..., -1:] > 0, total[..., -1:], 1.0)


def _codes(number: int) -> type[np.signedinteger]:
    return np.int8 if number <= 127 else np.int16


def expand(profiles: Profiles) -> Voters:
    """The voters behind collapsed rows.

    Weights that are whole numbers are counts: a row stands for so many voters of weight 1. Otherwise every voter
    of a row keeps the row's average weight. A vote that is missing stays so.
    """
    whole = are_counts(profiles)
    times = (profiles.weight if whole else profiles.voters).astype(np.int64)
    each = np.ones(len(times)) if whole else profiles.weight / np.maximum(profiles.voters, 1)
    return Voters(*(np.repeat(part, times, axis=0) for part in (profiles.group, contexts_of(profiles), each)))


def simulate_profiles(key: Array, types: Types, profiles: Profiles, voters: Voters) -> Profiles:
    """Profiles of new votes of the same voters (`expand(profiles)`): a replicate of the parametric bootstrap."""
    choice, _ = simulate_choices(
        key, types, voters.context, profiles.mask, x=profiles.x, design=profiles.design, group=voters.group
    )
    options = profiles.mask.shape[2]
    code = np.where(voters.context >= 0, voters.context * options + choice, NOTHING).astype(profiles.code.dtype)
    one = np.ones(len(code), profiles.voters.dtype)
    new = profiles._replace(code=code, weight=voters.weight, square=voters.weight**2, voters=one, group=voters.group)
    return combine([new])
