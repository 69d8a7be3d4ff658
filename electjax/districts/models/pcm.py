"""Party-wise Concentration Model (PCM): supporters of a party settle where it has some (Mitra, section 4.4, eq. 5).

The paper writes prob(Z_i = s | X_i = k) proportional to eta_k V_sk + (1 - eta_k) U(1, K), the U running over
districts. It is the urn of DPM with the roles exchanged: one urn per party, with districts for categories.

fraction  V_sk is the fraction of the party's supporters so far, with one pseudo-supporter per district (the default).
count     V_sk is their number, and U is 1 for each district.

A district closes when it has taken `capacity` times its electorate, whatever their parties. Capacity 1 is the literal
text: all districts end full. The paper's Table 3 supports 1.5, which lets districts grow and shrink; the votes of a
district then no longer add up to its electors, and margins are shares of the votes cast.
"""

from typing import Literal

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, Key

from electjax.districts.kernels import urn
from electjax.districts.kernels.dirichlet_multinomial import multinomial_log, urns_log
from electjax.districts.kernels.settling import Settling, settle, settling_plan
from electjax.districts.models.base import PARTIES, Contest, Parameter, Params, Plan, Polled, Simulator, option, options
from electjax.districts.models.polls import capacities, run_poll, urn_poll
from electjax.numerics import random


@options
class PCMOptions:
    """Readings of PCM, and how coarse its blocks are."""

    reading: Literal["fraction", "count"] = option("fraction", "how the urn weighs earlier supporters")
    base: Literal["uniform", "electorate"] = option("uniform", "where supporters go that follow nobody")
    districts: Literal["close", "open"] = option("close", "whether a full district takes no more")
    bookkeeping: Literal["interleaved", "none"] = option(
        "interleaved", "party totals fixed, or drawn from the popularity"
    )
    growth: float = option(0.5, "how much a block of supporters may grow the urn, as a share of it", above=0)


def _base(electors: Int[Array, " S"], options: PCMOptions) -> Float[Array, " S"]:
    if options.base == "uniform":
        return jnp.full(electors.shape, 1.0 / electors.shape[0])
    return electors / jnp.sum(electors.astype(jnp.float32))


def _supporters(key: Array, contest: Contest, options: PCMOptions, total: int) -> Int[Array, " K"]:
    """How many support each party: its total, or a multinomial draw from the popularity."""
    if options.bookkeeping == "interleaved":
        return contest.totals
    order = jnp.argsort(contest.popularity, stable=True)  # the largest takes the rest
    words = random.random_bits(key, jnp.zeros(1, jnp.int32), order.shape[0])
    drawn = random.multinomial(words, jnp.full(1, total, jnp.int32), contest.popularity[order][:, None])
    return jnp.zeros_like(contest.totals).at[order].set(drawn[:, 0])


def poll(key: Key[Array, ""], contest: Contest, params: Params, *, options: PCMOptions, plan: Plan) -> Polled:
    """One election, supporter by supporter, all parties' in one random order: the reference."""
    key_poll, key_totals = random.subkey(key, jnp.arange(2))
    parties, districts = contest.totals.shape[0], contest.electors.shape[0]
    fraction = options.reading == "fraction"
    base = _base(contest.electors, options) * (1.0 if fraction else districts)
    urns = urn_poll(base, params["prior_mass"] * districts, fraction=fraction, first=urn.first_settlers)
    limits = jnp.full(districts, plan.total, jnp.int32)
    if options.districts == "close":
        limits = capacities(contest.electors, params["capacity"], plan.total)
    supporters = _supporters(key_totals, contest, options, plan.total)
    eta = jnp.broadcast_to(params["eta"], (parties,))
    return Polled(run_poll(key_poll, urns, supporters, limits, eta, rule="shuffled", plan=plan))


def poll_batch(keys: Key[Array, " B"], contest: Contest, params: Params, *, options: PCMOptions, plan: Plan) -> Polled:
    """Elections side by side, in blocks of supporters; params carry a leading run axis."""
    key_poll, key_totals = random.subkey(keys, jnp.arange(2)[:, None])
    runs, parties, districts = keys.shape[0], contest.totals.shape[-1], contest.electors.shape[0]
    own = 0 if contest.totals.ndim == 2 else None
    each_run = jax.vmap(_supporters, in_axes=(0, Contest(None, own, own), None, None), out_axes=1)  # type: ignore[arg-type]
    supporters = each_run(key_totals, contest, options, plan.total)
    limits = None
    if options.districts == "close":
        each = jax.vmap(lambda capacity: capacities(contest.electors, capacity, plan.total), out_axes=1)
        limits = each(params["capacity"])
    eta = params["eta"]
    counts = settle(
        key_poll,
        supporters,
        limits,
        gamma=jnp.broadcast_to(eta if eta.ndim == 1 else eta.T, (parties, runs)),
        base=_base(contest.electors, options) * (1.0 if options.reading == "fraction" else districts),
        prior_mass=params["prior_mass"] * districts,
        fraction=options.reading == "fraction",
        plan=plan.schedule,
    )
    return Polled(jnp.moveaxis(counts, -1, 0))


def schedule(contest: Contest, *, options: PCMOptions) -> Settling:
    """Blocks that grow with the urns, and short ones where districts close."""
    if not options.growth > 0:
        raise ValueError(f"model pcm: option growth={options.growth}: expected more than 0")
    electors = np.asarray(contest.electors)
    return settling_plan(
        int(electors.sum(dtype=np.int64)),
        contest.popularity.size,
        int(electors.min()),
        fraction=options.reading == "fraction",
        growth=options.growth,
        closing=options.districts == "close",
    )


def holds(options: PCMOptions) -> frozenset[str]:
    """Parties poll their totals; districts take what comes, up to their capacity."""
    return frozenset({PARTIES} if options.bookkeeping == "interleaved" else ())


def log_likelihood(votes: Int[Array, "S K"], contest: Contest, params: Params, options: PCMOptions) -> Float[Array, ""]:
    """Every party is a Polya urn over the districts, given its total."""
    real = params["eta"].dtype
    cast = jnp.sum(votes, axis=0)
    electors = contest.electors.astype(real)
    base = electors / jnp.mean(electors) if options.base == "electorate" else jnp.ones_like(electors)
    shape = urn.polya_concentration(jnp.broadcast_to(params["eta"], cast.shape))[:, None] * base
    if options.bookkeeping == "interleaved":
        return urns_log(votes.T, contest.totals, shape)
    totals = multinomial_log(cast, contest.popularity.astype(real))
    totals = jnp.where(jnp.sum(cast) == jnp.sum(contest.electors), totals, -jnp.inf)
    return totals + urns_log(votes.T, cast, shape)


PCM = Simulator(
    name="pcm",
    title="Party-wise Concentration Model",
    source="Mitra, section 4.4, eq. 5",
    parameters=(
        Parameter(
            name="eta",
            symbol="η",
            default=0.99,
            support=(0.0, 1.0),
            meaning="concentration: the probability that a supporter settles where an earlier one of the party did",
            prior=(0.0, 1.0),
            per=("party",),
            each="party",
        ),
        Parameter(
            name="prior_mass",
            symbol="c₀",
            default=1.0,
            support=(0.0, np.inf),
            meaning="pseudo-supporters of each party in each district (fraction reading)",
        ),
        Parameter("capacity", "L", 1.5, (1.0, np.inf), "electors that a district takes, as a multiple of its own"),
    ),
    options=PCMOptions,
    poll=poll,
    poll_batch=poll_batch,
    schedule=schedule,
    holds=holds,
    width=2**16,
    log_likelihood=log_likelihood,
    has_likelihood=lambda options: options.reading == "count" and options.districts == "open",
)
