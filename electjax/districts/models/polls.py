"""What models built on urns share: the urn as a `Poll`, running it under either engine, electors choosing parties."""

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
from jaxtyping import Array, Float, Int, Key

from electjax.districts.kernels import agent, polling, urn
from electjax.districts.kernels.polling import Poll, Tally
from electjax.districts.models.base import DISTRICTS, PARTIES, Contest, Params, Plan, Polled
from electjax.numerics import random


def urn_poll(
    base: Float[Array, " C"], prior_mass: Array, *, fraction: bool, first: Callable[..., tuple[Array, Array]]
) -> Poll:
    """The reinforced urn of `kernels.urn` in either reading; `local` is gamma[lane].

    base: sums to one under the fraction reading; under the count reading its scale matters. first: how the first few
    of every lane choose one by one, `urn.first_electors` or `urn.first_settlers`.
    """

    def weights(counts: Array, active: Array, gamma: Array) -> Array:
        own = base[:, None]
        return urn.ball_weights(counts, active, gamma=gamma, base=own, prior_mass=prior_mass, fraction=fraction)

    def block(key: Array, tally: Tally, size: Array, active: Array | None, gamma: Array) -> Array:
        if fraction:
            return urn.leap(key, *tally, size, active, gamma=gamma, base=base, prior_mass=prior_mass)
        return urn.polya_block(key, *tally, size, active, gamma=gamma, base=base)

    def start(u: Array, counts: Array, sizes: Array, active: Array | None, gamma: Array) -> tuple[Array, Array]:
        return first(u, counts, sizes, active, gamma=gamma, base=base, prior_mass=prior_mass)

    return Poll(weights, block, start if fraction else None)


def capacities(electors: Int[Array, " S"], capacity: Array, total: int) -> Int[Array, " S"]:
    """Electors that each district takes, the whole part of L n_s and at most `total`; exactly n_s at L = 1."""
    room = jnp.maximum(capacity - 1.0, 0.0) * electors.astype(jnp.float32)
    room = jnp.minimum(room, (total - electors).astype(jnp.float32)).astype(jnp.int32)
    return electors + jnp.clip(room, 0, total - electors)


def run_poll(
    key: Key[Array, ""],
    poll: Poll,
    sizes: Int[Array, " L"],
    limits: Int[Array, " C"],
    local: Any,
    *,
    rule: str,
    plan: Plan,
) -> Int[Array, "C L"]:
    """Counts of every category in every lane, under the engine of the plan.

    sizes: how many choose in each lane. limits: how many may choose each category, over all lanes. rule: a
    book-keeping of `polling`, where "none" leaves the limits out, or "shuffled": all in one random order.
    """
    lane = jnp.arange(sizes.shape[0], dtype=jnp.int32)
    categories = limits.shape[0]
    if plan.engine == "agent" and rule == "none":
        return agent.electors_open(key, sizes, categories, local, poll=poll, largest=plan.largest)
    if plan.engine == "agent":
        return agent.electors_bound(key, sizes, limits, local, poll=poll, total=plan.total, order=rule)
    if rule == "none":
        return polling.poll_open(key, lane, sizes, categories, local, poll=poll, schedule=plan.schedule)
    bound = polling.poll_by_district if rule == "by_district" else polling.poll_interleaved
    return bound(key, lane, sizes, limits, local, poll=poll, schedule=plan.schedule)


def poll_parties(
    key: Key[Array, ""],
    contest: Contest,
    params: Params,
    *,
    make_poll: Callable[..., tuple[Poll, Any, Array | None]],
    options: Any,
    plan: Plan,
) -> Polled:
    """One election in which the electors of a district choose among the parties.

    make_poll(key, popularity[K], districts, params, *, options) -> (poll, local, strength | None). Parties are put in
    ascending order of popularity inside, so that the last of a chain of binomials, which takes the rest, is a
    large one.
    """
    order = jnp.argsort(contest.popularity, stable=True)
    back = jnp.argsort(order)
    key_poll, key_local = random.subkey(key, jnp.arange(2))
    districts = contest.electors.shape[0]
    poll, local, strength = make_poll(key_local, contest.popularity[order], districts, params, options=options)
    votes = run_poll(
        key_poll, poll, contest.electors, contest.totals[order], local, rule=options.bookkeeping, plan=plan
    )
    return Polled(votes[back].T, None if strength is None else strength[back].T)


def holds(options: Any) -> frozenset[str]:
    """Electors vote where they live; parties poll their totals if there is a book-keeping."""
    return frozenset({DISTRICTS} if options.bookkeeping == "none" else {DISTRICTS, PARTIES})


def one_by_one(options: Any) -> bool:
    """Totals bind all districts together, so the reference engine takes the nation's electors in one sequence."""
    return bool(options.bookkeeping != "none")
