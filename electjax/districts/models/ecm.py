"""Elector Community Model (ECM): electors form communities, communities choose parties (Mitra, section 4.3, eqs. 3-4).

The electors of district s form communities by a Chinese restaurant process of concentration alpha_s (eq. 3). All
members of a community vote for the party that the community draws from an urn over the communities before it:

fraction  prob(D_c = k) = beta (c_k + c0 theta_k) / (c + c0) + (1 - beta) theta_k, with c_k of the c balls so far
          for party k (the default; c0 = 2.5 is what Table 2 supports). beta is the probability of copying.
literal   prob(D_c = k) proportional to c_k + beta theta_k, eq. 4 as printed: a Polya urn of concentration beta.

A community is one ball in the urn, or one per member; the urn is one for the nation, or a fresh one in every district.
The book-keeping switches a party off once its votes reach its total. A community larger than what its party has left is
split (so many of its members vote for the party as it has left, the rest chooses again as a new ball), or all of it
votes and the party exceeds its total by less than that community; the parties last switched off then poll less.

The paper derives the model from a hierarchical Dirichlet process. In the form "hdp" it is that:

    G0 ~ Dirichlet(beta theta),    Q_s ~ Dirichlet(alpha_s G0),    V_s ~ Multinomial(n_s, Q_s)

which is the law of the literal reading without book-keeping, one national urn, a community one ball. The other readings
play no part in it, and it keeps no totals: of the book-keepings it takes "none" and the default, which it ignores.
"""

from typing import Literal

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, Key

from electjax.districts.kernels import communities
from electjax.districts.kernels.communities import Habits, Rule
from electjax.districts.models.base import (
    DISTRICTS,
    PARTIES,
    Bookkeeping,
    Contest,
    Parameter,
    Params,
    Plan,
    Polled,
    Simulator,
    option,
    options,
)
from electjax.numerics import random


@options
class ECMOptions:
    """Readings of ECM; see the module."""

    reading: Literal["fraction", "literal"] = option("fraction", "how the urn weighs earlier communities")
    ball: Literal["community", "elector"] = option("community", "what counts as one in the urn")
    urn: Literal["national", "district"] = option("national", "who can be copied")
    bookkeeping: Bookkeeping = option("by_district", "how party totals are held fixed")
    overflow: Literal["split", "exceed"] = option("split", "a community larger than what its party has left")
    form: Literal["franchise", "hdp"] = option(
        "franchise", "communities, or their limit as a hierarchical Dirichlet process"
    )


def _rule(options: ECMOptions) -> Rule:
    if options.form == "hdp":
        return Rule(fraction=False, by_elector=False, national=True, bound=False, split=False)
    return Rule(
        fraction=options.reading == "fraction",
        by_elector=options.ball == "elector",
        national=options.urn == "national",
        bound=options.bookkeeping != "none",
        split=options.overflow == "split",
    )


def _hierarchical(
    key: Array, electors: Int[Array, " S"], popularity: Array, alpha: Float[Array, " S"], beta: Array
) -> Int[Array, "S K"]:
    """The hierarchical Dirichlet process, collapsed to the parties."""
    if beta.ndim:
        raise ValueError("model ecm: parameter beta: form=hdp has one for all districts, not one per district")
    # the likeliest party last: it takes the rest of a chain of binomials
    order = jnp.argsort(popularity, stable=True)
    key_nation, key_districts, key_votes = random.subkey(key, jnp.arange(3))
    nation = random.dirichlet(key_nation, beta * popularity[order])
    shares = random.dirichlet(key_districts, alpha * nation[:, None])
    bits = random.random_bits(key_votes, jnp.arange(electors.shape[0]), popularity.shape[0])
    return random.multinomial(bits, electors, shares)[jnp.argsort(order)].T


def poll(key: Key[Array, ""], contest: Contest, params: Params, *, options: ECMOptions, plan: Plan) -> Polled:
    """One election; the agent engine simulates the form "hdp" by its communities."""
    districts = contest.electors.shape
    alpha = jnp.broadcast_to(params["alpha"], districts)
    beta = params["beta"]
    if options.form == "hdp" and plan.engine != "agent":
        return Polled(_hierarchical(key, contest.electors, contest.popularity, alpha, beta))
    rule = _rule(options)
    # c_k + beta theta_k is the count urn of copy probability 1 / (1 + beta)
    gamma = jnp.broadcast_to(beta if rule.fraction else 1.0 / (1.0 + beta), districts)
    habits = Habits(gamma, contest.popularity, params["prior_mass"], contest.totals)
    rounds = options.bookkeeping == "interleaved"
    if plan.engine == "agent":
        by_elector = communities.electors_one_by_one
        return Polled(by_elector(key, contest.electors, alpha, habits, rule=rule, total=plan.total, rounds=rounds))
    vote = communities.vote_interleaved if rounds else communities.vote_by_district
    return Polled(vote(key, contest.electors, alpha, habits, rule=rule))


def schedule(contest: Contest, *, options: ECMOptions) -> None:
    """Nothing to plan; a book-keeping asked of the form that has none is refused."""
    if options.form == "hdp" and options.bookkeeping == "interleaved":
        raise ValueError("model ecm: option bookkeeping=interleaved: form=hdp keeps no totals; take bookkeeping=none")


def holds(options: ECMOptions) -> frozenset[str]:
    """Electors vote where they live; parties poll their totals if there is a book-keeping that splits communities."""
    exact = options.form == "franchise" and options.bookkeeping != "none" and options.overflow == "split"
    return frozenset({DISTRICTS, PARTIES} if exact else {DISTRICTS})


def check(params: Params, options: ECMOptions) -> None:
    """A copy probability is at most one; the concentration of the literal reading may be more."""
    if options.form == "franchise" and options.reading == "fraction" and np.any(np.asarray(params["beta"]) > 1):
        beta = np.asarray(params["beta"]).tolist()
        raise ValueError(
            f"model ecm: parameter beta={beta} lies outside its range [0, 1]: under reading=fraction it is the "
            "probability of copying; as a concentration (eq. 4) it belongs to reading=literal"
        )


ECM = Simulator(
    name="ecm",
    title="Elector Community Model",
    source="Mitra, section 4.3, eqs. 3-4",
    parameters=(
        Parameter(
            name="alpha",
            symbol="α",
            default=20.0,
            support=(1e-3, 1e5),
            meaning="concentration of the communities: a district of n electors has about alpha log(1 + n / alpha)",
            prior=(1.0, 100.0),
            scale="log",
            per=("district",),
        ),
        Parameter(
            name="beta",
            symbol="β",
            default=0.5,
            support=(0.0, 1e6),
            meaning="probability that a community copies an earlier one; a concentration in the literal reading",
            prior=(0.0, 1.0),
            per=("district",),
        ),
        Parameter(
            name="prior_mass",
            symbol="c₀",
            default=2.5,
            support=(0.0, np.inf),
            meaning="pseudo-communities that stand for the national popularity (fraction reading)",
        ),
    ),
    options=ECMOptions,
    poll=poll,
    schedule=schedule,
    holds=holds,
    check=check,
    width=2**17,
)
