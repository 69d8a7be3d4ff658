"""Social Identity Model (SIM): communities with attitudes to parties (Mitra, section 4.5, eq. 6).

Electors belong to communities, which settle unevenly over the districts. Elector i of community c values party k at
lambda_ik ~ N(phi_ck, sigma_k), may be swayed by the mean valuation of a group,

    hat_ik = kappa lambda_ik + (1 - kappa) mean_k,    X_i = argmax_k hat_ik,

and votes. Popularity is an outcome, not an input: of the election only the electors are used. Readings:

placement   dirichlet  a community's law over districts is Dirichlet(a per district), the paper's CRP(C_i, alpha) with
                       weight (1 - alpha) / alpha = a; districts are as large as it makes them (the default, which is
                       what Table 4 supports)
            capped     the same urn, all electors arriving in random order, a district closing at L times its electors;
                       at L = 1 all districts keep their electors
base        uniform | electorate: a for every district, or in proportion to its electors
influence   whose mean sways an elector: none | district | community | national, or network, his neighbours in given
            pairs (elector by elector only). kappa: fixed, or Beta(a, b) for every elector
attitudes   given, or drawn for every party from {-1, 0, 1}^C such that it is good with at most half of the electorate:
            gross (section 4.5) or net (section 5)
shares      given, or drawn by stick-breaking; spread: sigma given, or drawn from a gamma law with that mean
"""

from functools import partial
from typing import Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, Key

from electjax.districts.kernels import urn, valuation, valuation_agent
from electjax.districts.kernels.settling import Settling, dirichlet_settlement, settle, settling_plan
from electjax.districts.models.base import Contest, Parameter, Params, Plan, Polled, Simulator, option, options
from electjax.districts.models.polls import capacities, run_poll, urn_poll
from electjax.numerics import random

MOST_NETWORK = 2**24  # numbers of electors that float32 can tell apart


@options
class SIMOptions:
    """Readings of SIM; see the module."""

    communities: int = option(3, "how many communities there are", low=1)
    placement: Literal["dirichlet", "capped"] = option("dirichlet", "how large districts become")
    base: Literal["uniform", "electorate"] = option("uniform", "districts weigh alike, or by their electors")
    influence: Literal["none", "district", "community", "national", "network"] = option(
        "none", "whose mean opinion sways an elector; network: engine agent only"
    )
    kappa: Literal["fixed", "beta"] = option("fixed", "what electors keep of their own: one number, or drawn for each")
    attitudes: Literal["given", "drawn"] = option("drawn", "phi as given, or drawn under the constraint")
    constraint: Literal["gross", "net"] = option(
        "gross", "a party is good with at most half of the electors, rivals counted off (net) or not"
    )
    shares: Literal["given", "drawn"] = option("given", "the communities' shares: given, or by stick-breaking")
    spread: Literal["given", "drawn"] = option("given", "sigma as given, or drawn from a gamma law with that mean")


class Society(NamedTuple):
    """The communities of a run: their shares of the electors, attitudes phi and the parties' sigma."""

    shares: Float[Array, " C"]
    phi: Float[Array, "C K"]
    sigma: Float[Array, " K"]


def _filled(params: Params, name: str, shape: tuple[int, ...], what: str) -> Array:
    """The parameter in this shape, from one number or an array of it."""
    value = params[name]
    if value.ndim and value.shape != shape:
        expected = " x ".join(map(str, shape))
        raise ValueError(f"model sim: parameter {name} has shape {value.shape}; expected {expected} values, {what}")
    return jnp.broadcast_to(value, shape)


def draw_society(key: Key[Array, ""], params: Params, *, parties: int, options: SIMOptions) -> Society:
    """The communities of one run, as given or drawn; both engines share them.

    Raises:
        ValueError: a parameter whose shape does not go with the number of communities or parties.
    """
    key_shares, key_phi, key_sigma = random.subkey(key, jnp.arange(3))
    communities = options.communities
    if options.shares == "drawn":
        u = random.open_uniform(random.random_bits(key_shares, jnp.arange(communities - 1), 1)[0])
        left = jnp.cumprod(jnp.append(1.0, u ** (1.0 / params["stick"])))  # 1 - Beta(1, stick) of what was left
        shares = left - jnp.append(left[1:], 0.0)
    else:
        shares = _filled(params, "shares", (communities,), "one per community (option communities)")
        shares = shares / jnp.sum(shares)
    if options.attitudes == "drawn":
        fresh = random.open_uniform(random.random_bits(key_phi, jnp.arange(parties), 1)[0])
        rank = _filled(params, "phi_rank", (parties,), "one per party")
        rank = jnp.where(rank < 0, fresh, rank)
        phi = valuation.attitudes_at(rank, shares, gross=options.constraint == "gross")
    else:
        phi = _filled(params, "phi", (communities, parties), "one per community and party")
    sigma = _filled(params, "sigma", (parties,), "one per party")
    if options.spread == "drawn":
        shape = params["sigma_shape"]
        draws = jax.random.gamma(key_sigma, shape, (parties,))
        sigma = jnp.maximum(sigma * draws / shape, 1e-6)
    return Society(shares, phi, sigma)


def _district_base(contest: Contest, options: SIMOptions) -> Float[Array, " S"]:
    """Base weights of the districts at a = 1, one on average."""
    electors = contest.electors.astype(jnp.float32)
    return jnp.ones_like(electors) if options.base == "uniform" else electors / jnp.mean(electors)


def _choices(
    key: Array, members: Array, society: Society, params: Params, options: SIMOptions
) -> Float[Array, "K C ..."]:
    """Choice probabilities by community and, under the influence of the district, by district; see `valuation`."""
    phi, sigma = society.phi.T[:, :, None], society.sigma[:, None, None]
    if options.influence == "none":
        return valuation.choice_probabilities(phi, jnp.broadcast_to(sigma, phi.shape))
    weights = members.astype(jnp.float32)  # [C, S]
    if options.influence != "district":
        weights = jnp.sum(weights, axis=1, keepdims=True)
    one_group = options.influence != "community"
    electors = jnp.maximum(jnp.sum(weights, axis=0, keepdims=True) if one_group else weights, 1.0)  # [C or 1, S or 1]
    mean = phi
    if one_group:
        mean = jnp.sum(phi * (weights / electors), axis=1, keepdims=True)
    groups = electors.size
    bits = random.random_bits(key, jnp.arange(groups), sigma.shape[0])
    error = random.normal_quantile(random.open_uniform(bits)).reshape(-1, *electors.shape)
    error = error * sigma * jax.lax.rsqrt(electors)
    if options.kappa == "fixed":
        return valuation.swayed_choices(phi, mean, error, sigma, params["kappa"])
    kappa = valuation.kappa_nodes(params["kappa_a"], params["kappa_b"])
    return valuation.choices_of_many_minds(phi, mean, error, sigma, weights, electors, kappa, one_group=one_group)


def _votes(
    key: Array, members: Int[Array, "C S"], society: Society, params: Params, *, options: SIMOptions
) -> Int[Array, "S K"]:
    """Votes of communities that are counts: one multinomial per community and district."""
    key_errors, key_votes = random.subkey(key, jnp.arange(2))
    q = _choices(key_errors, members, society, params, options)
    parties = society.sigma.shape[0]
    bits = random.random_bits(key_votes, jnp.arange(members.size), parties).reshape(parties, *members.shape)
    votes = random.multinomial(bits, members, jnp.broadcast_to(q, bits.shape))
    return jnp.sum(votes, axis=1, dtype=jnp.int32).T


def poll_batch(keys: Key[Array, " B"], contest: Contest, params: Params, *, options: SIMOptions, plan: Plan) -> Polled:
    """Elections side by side, by counts; params carry a leading run axis.

    Raises:
        ValueError: influence of a network, which needs electors; a parameter of the wrong shape.
    """
    if options.influence == "network":
        raise ValueError("model sim: influence=network needs engine=agent: neighbours are electors, not counts")
    key_society, key_sizes, key_homes, key_votes = random.subkey(keys, jnp.arange(4)[:, None])

    def found(key: Array, key_sizes: Array, own: Params) -> tuple[Society, Array]:
        society = draw_society(key, own, parties=contest.popularity.shape[0], options=options)
        bits = random.random_bits(key_sizes, jnp.zeros(1, jnp.int32), options.communities)
        everyone = jnp.full(1, plan.total, jnp.int32)
        return society, random.multinomial(bits, everyone, society.shares[:, None])[:, 0]

    society, sizes = jax.vmap(found)(key_society, key_sizes, params)
    base = _district_base(contest, options)
    if options.placement == "capped":
        room = jax.vmap(lambda capacity: capacities(contest.electors, capacity, plan.total), out_axes=1)
        copied = 1.0 / (1.0 + params["concentration"])  # (1 - gamma) / gamma = a
        members = settle(
            key_homes,
            sizes.T,
            room(params["capacity"]),
            gamma=jnp.broadcast_to(copied, sizes.T.shape),
            base=base,
            prior_mass=jnp.zeros_like(copied),
            fraction=False,
            plan=plan.schedule,
        )
        members = jnp.moveaxis(members, (0, 1, 2), (2, 1, 0))
    else:
        law = params["concentration"][:, None] * base
        members = jnp.swapaxes(jax.vmap(dirichlet_settlement)(key_homes, sizes, law), 1, 2)
    return Polled(jax.vmap(partial(_votes, options=options))(key_votes, members, society, params))


def poll(key: Key[Array, ""], contest: Contest, params: Params, *, options: SIMOptions, plan: Plan) -> Polled:
    """One election, the reference: every elector has a community, a district, valuations and a vote.

    Raises:
        ValueError: influence of a network without its pairs or with too many electors; a parameter of the wrong shape.
    """
    network = options.influence == "network"
    if network and (params["network"].ndim != 2 or params["network"].shape[1] != 2):
        raise ValueError("model sim: influence=network needs parameter network, pairs of elector numbers")
    if network and plan.total > MOST_NETWORK:
        raise ValueError(f"model sim: influence=network: {plan.total:,} electors; at most {MOST_NETWORK:,}")
    key_society, key_kinds, key_law, key_homes, key_votes = random.subkey(key, jnp.arange(5))
    society = draw_society(key_society, params, parties=contest.popularity.shape[0], options=options)
    communities, districts = options.communities, contest.electors.shape[0]
    if network:
        community = valuation_agent.communities_in_order(society.shares, plan.total)
    else:
        community = valuation_agent.communities(key_kinds, society.shares, plan.total)
    base = params["concentration"] * _district_base(contest, options)
    if options.placement == "capped":
        sizes = jnp.sum(community == jnp.arange(communities)[:, None], axis=1, dtype=jnp.int32)
        urns = urn_poll(base, jnp.float32(0.0), fraction=False, first=urn.first_settlers)
        limits = capacities(contest.electors, params["capacity"], plan.total)
        even = jnp.full(communities, 0.5)  # copy probability 1/2: the base counts as it is
        members = run_poll(key_law, urns, sizes, limits, even, rule="shuffled", plan=plan)
        community, district = valuation_agent.homes_of_counts(key_homes, community, members.T)
    else:
        law = random.dirichlet(key_law, jnp.broadcast_to(base[:, None], (districts, communities))).T
        district = valuation_agent.homes(key_homes, community, law)

    def kappa(key: Array, shape: tuple[int, ...]) -> Array:
        if options.kappa == "fixed":
            return jnp.broadcast_to(params["kappa"], shape)
        return jax.random.beta(key, params["kappa_a"], params["kappa_b"], shape)

    votes = valuation_agent.cast_votes(
        key_votes,
        community,
        district,
        society.phi,
        society.sigma,
        districts=districts,
        influence=options.influence,
        kappa=kappa,
        edges=params["network"].astype(jnp.int32) if network else None,
    )
    return Polled(votes)


def schedule(contest: Contest, *, options: SIMOptions) -> Settling:
    """Blocks where districts close. ValueError for a number of communities that cannot be simulated."""
    if options.communities < 1:
        raise ValueError(f"model sim: option communities={options.communities}: expected at least 1")
    if options.attitudes == "drawn":
        valuation.party_attitudes(options.communities)
    electors = np.asarray(contest.electors)
    return settling_plan(
        int(electors.sum(dtype=np.int64)),
        options.communities,
        int(electors.min()),
        fraction=False,
        growth=1.0,
        closing=options.placement == "capped",
    )


def check(params: Params, options: SIMOptions) -> None:
    """Raises ValueError where the shares do not sum to one."""
    shares = np.asarray(params["shares"])
    if options.shares == "given" and shares.ndim and abs(shares.sum() - 1.0) > 1e-4:
        raise ValueError(
            f"model sim: parameter shares={shares.round(6).tolist()} sums to {shares.sum():.6g}; expected 1"
        )


def permits(params: dict[str, np.ndarray], options: SIMOptions) -> np.ndarray:
    """Where attitudes are given: whether no party is good with more than half of the electors, by the constraint."""
    shares, phi = np.asarray(params["shares"], float), np.asarray(params["phi"], float)
    good = (phi > 0) if options.constraint == "gross" else phi
    load = np.sum((shares / shares.sum(axis=-1, keepdims=True))[..., None] * good, axis=-2)
    return (load <= 0.5 + 1e-6).all(axis=-1) | (options.attitudes != "given")


SIM = Simulator(
    name="sim",
    title="Social Identity Model",
    source="Mitra, section 4.5, eq. 6",
    parameters=(
        Parameter(
            name="concentration",
            symbol="a",
            default=0.5,
            support=(1e-3, 1e6),
            meaning="how evenly communities settle: base weight of a district in a community's urn",
            prior=(0.05, 50.0),
            scale="log",
        ),
        Parameter(
            name="shares",
            symbol="η",
            default=(0.5, 0.3, 0.2),
            support=(0.0, 1.0),
            meaning="shares of the communities, which sum to one; one number: all alike (shares=given)",
            per=("community",),
            each="community",
        ),
        Parameter(
            name="phi",
            symbol="φ",
            default=0.0,
            support=(-1.0, 1.0),
            meaning="attitude of a community to a party (attitudes=given)",
            per=("community party",),
            each="community party",
        ),
        Parameter(
            name="phi_rank",
            symbol="ρ",
            default=-1.0,
            support=(-1.0, 1.0),
            meaning="rank of the communities' attitudes to a party among the permitted ones, from 0 to 1; "
            "below 0: another in every run (attitudes=drawn)",
            prior=(0.0, 1.0),
            per=("party",),
            each="party",
        ),
        Parameter(
            name="sigma",
            symbol="σ",
            default=1.0,
            support=(1e-3, 100.0),
            meaning="standard deviation of the electors' valuations of a party; its mean where it is drawn",
            prior=(0.1, 4.0),
            scale="log",
            per=("party",),
            each="party",
        ),
        Parameter("sigma_shape", "c", 4.0, (0.01, 1e6), "shape of the gamma law of sigma (spread=drawn)"),
        Parameter(
            "kappa", "κ", 0.5, (0.0, 1.0), "what electors keep of their own valuation under influence (kappa=fixed)"
        ),
        Parameter("kappa_a", "a", 2.0, (0.5, 200.0), "first parameter of the beta law of kappa (kappa=beta)"),
        Parameter("kappa_b", "b", 2.0, (0.5, 200.0), "second parameter of the beta law of kappa (kappa=beta)"),
        Parameter(
            name="stick",
            symbol="γ",
            default=1.0,
            support=(1e-2, 1e3),
            meaning="concentration of the stick-breaking that draws the shares; the last community takes the rest",
        ),
        Parameter(
            name="capacity",
            symbol="L",
            default=1.0,
            support=(1.0, np.inf),
            meaning="electors that a district takes, as a multiple of its own (placement=capped)",
        ),
        Parameter(
            name="network",
            symbol="G",
            default=0.0,
            support=(0.0, MOST_NETWORK - 1.0),
            meaning="pairs of neighbours by number from 0, community by community, whose sizes are the shares of the "
            "electors by largest remainder (influence=network)",
            per=("edge end",),
        ),
    ),
    options=SIMOptions,
    poll=poll,
    poll_batch=poll_batch,
    schedule=schedule,
    holds=lambda options: frozenset(),  # districts take what comes, and parties poll what the attitudes give
    dims=lambda options: {"community": options.communities, "end": 2},  # a pair of a network has two ends
    check=check,
    permits=permits,
    permits_of=("phi", "shares"),
    takes_popularity=False,
)
