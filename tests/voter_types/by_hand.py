"""The mixture of voter types once more, voter by voter from the source's equations: loops, plain numbers, no logs.

Slow and small on purpose: nothing is collapsed, nothing is reduced to counts, and every M-step is solved to the end.
"""

import math
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Float

from electjax.voter_types.em.diagnose import Names, diagnose
from electjax.voter_types.em.mixture import LOG_ZERO, Free, Types
from electjax.voter_types.em.rows import Profiles, collapse


class Ballots(NamedTuple):
    """Votes of N voters in J offices: S contexts of O options, P columns (intercept first), Q covariates in psi."""

    choice: np.ndarray  # [N, J], -1 where the vote is missing
    context: np.ndarray  # [N, J], -1 where the office is not on the ballot
    mask: np.ndarray  # [J, S, O]
    x: np.ndarray  # [J, S, O, Q]
    weight: np.ndarray  # [N]
    design: np.ndarray  # [N, P]


class Parameters(NamedTuple):
    """gamma [P, K], psi [K, J, O] and delta [K, Q]; psi up to a constant."""

    gamma: np.ndarray
    psi: np.ndarray
    delta: np.ndarray


def draw_ballots(
    seed: int,
    voters: int = 40,
    *,
    offices: int = 4,
    menus: bool = False,
    missing: float = 0.0,
    weighted: bool = False,
    columns: int = 1,
    features: int = 0,
    levels: int | None = None,
) -> Ballots:
    """Random ballots of three options; `levels` makes the covariates discrete, so that voters collapse."""
    rng = np.random.default_rng(seed)
    kinds = [[0, 0, 0], [1, 1, 0], [1, 0, 1], [1, 1, 1]] if menus else [[1, 1, 1]]
    mask = np.tile(np.array(kinds, bool), (offices, 1, 1))
    context = rng.integers(0, len(kinds), (voters, offices))
    taste = rng.gumbel(size=(voters, offices, 3)) + rng.normal(size=(voters, 1, 3))
    taste = np.where(mask[np.arange(offices), context], taste, -np.inf)
    choice = np.where(rng.random((voters, offices)) < missing, -1, taste.argmax(-1))
    if menus:
        choice = np.where(context == 0, -1, choice)
        context = np.where(context == 0, -1, context)
    slopes = rng.normal(size=(voters, columns - 1))
    if levels:
        slopes = np.round(slopes * levels) / levels
    return Ballots(
        choice=choice,
        context=context,
        mask=mask,
        x=rng.normal(size=(offices, len(kinds), 3, features)),
        weight=rng.integers(0, 4, voters) / 2 + 0.25 if weighted else np.ones(voters),
        design=np.column_stack([np.ones(voters), slopes]),
    )


def draw_parameters(seed: int, ballots: Ballots, types: int = 3) -> Parameters:
    """Random parameters; with an intercept alone gamma is log pi, otherwise the first type is the baseline."""
    rng = np.random.default_rng(seed)
    columns = ballots.design.shape[1]
    offices, _, options, features = ballots.x.shape
    gamma = np.log(rng.dirichlet(np.full(types, 5.0), columns)) if columns == 1 else rng.normal(size=(columns, types))
    if columns > 1:
        gamma[:, 0] = 0.0
    return Parameters(gamma, rng.normal(size=(types, offices, options)), rng.normal(size=(types, features)))


def as_profiles(ballots: Ballots, *, unique: bool) -> Profiles:
    """The same ballots as the engine takes them."""
    return collapse(
        ballots.choice,
        ballots.context,
        ballots.mask,
        x=ballots.x,
        weight=ballots.weight,
        covariates=ballots.design[:, 1:],
        unique=unique,
    )[0]


def as_types(parameters: Parameters) -> Types:
    """The same parameters as the engine takes them."""
    return Types(parameters.gamma, np.log(full_menu(parameters)), parameters.delta)


def full_menu(parameters: Parameters) -> np.ndarray:
    """mu with every option on the menu and no covariates (eq. 4.3)."""
    odds = np.exp(parameters.psi)
    return odds / odds.sum(-1, keepdims=True)


def shares(parameters: Parameters, ballots: Ballots, i: int) -> np.ndarray:
    """pi_ik of a voter (eq. 5.1, the denominator as corrected)."""
    odds = np.exp(ballots.design[i] @ parameters.gamma)
    return odds / odds.sum()


def seen(ballots: Ballots, i: int) -> list[int]:
    """Offices in which the voter's choice is known."""
    return [j for j in range(ballots.choice.shape[1]) if ballots.choice[i, j] >= 0 and ballots.context[i, j] >= 0]


def chances(parameters: Parameters, ballots: Ballots, k: int, j: int, s: int) -> dict[int, float]:
    """Probabilities of the options on a menu for type k (eq. 4.1's terms)."""
    menu = [int(option) for option in np.flatnonzero(ballots.mask[j, s])]
    odds = [math.exp(parameters.psi[k, j, o] + float(ballots.x[j, s, o] @ parameters.delta[k])) for o in menu]
    return {o: odd / math.fsum(odds) for o, odd in zip(menu, odds, strict=True)}


def vote_chance(parameters: Parameters, ballots: Ballots, i: int, k: int) -> float:
    """Pr(Y_i | Z_i = k), missing votes left out (eqs. 1.1, B.2)."""
    return math.prod(
        chances(parameters, ballots, k, j, ballots.context[i, j])[int(ballots.choice[i, j])] for j in seen(ballots, i)
    )


def joint(parameters: Parameters, ballots: Ballots) -> np.ndarray:
    """Pr(Z_i = k, Y_i) of all voters [N, K]."""
    types = parameters.gamma.shape[1]
    return np.array(
        [
            [share * vote_chance(parameters, ballots, i, k) for k, share in enumerate(shares(parameters, ballots, i))]
            for i in range(len(ballots.choice))
        ]
    ).reshape(-1, types)


def log_likelihood(parameters: Parameters, ballots: Ballots) -> float:
    """Observed log-likelihood (eqs. 2.7, 4.6), weighted."""
    return math.fsum(
        weight * math.log(math.fsum(row))
        for weight, row in zip(ballots.weight, joint(parameters, ballots), strict=True)
    )


def memberships(parameters: Parameters, ballots: Ballots) -> np.ndarray:
    """E-step: zeta [N, K] (eqs. 2.4, 5.4, B.3)."""
    together = joint(parameters, ballots)
    return together / together.sum(1, keepdims=True)


def maximise(zeta: np.ndarray, ballots: Ballots, *, ridge: float = 0.0) -> Parameters:
    """M-step: eqs. 2.5 and 2.6 where they hold, otherwise logits voter by voter (eqs. 4.2 to 4.5, 5.2)."""
    voters, types = zeta.shape
    offices, contexts, options, features = ballots.x.shape
    weighted = zeta * ballots.weight[:, None]
    if ballots.design.shape[1] == 1:
        gamma = np.log(weighted.sum(0) / ballots.weight.sum())[None]
    else:
        gamma = _share_logit(weighted, ballots, ridge)
    psi, delta = np.zeros((types, offices, options)), np.zeros((types, features))
    for k in range(types):
        if contexts == 1 and features == 0:
            for j in range(offices):
                there = [i for i in range(voters) if j in seen(ballots, i)]
                total = math.fsum(weighted[i, k] for i in there)
                for o in range(options):
                    psi[k, j, o] = math.log(
                        math.fsum(weighted[i, k] for i in there if ballots.choice[i, j] == o) / total
                    )
        else:
            psi[k], delta[k] = _choice_logit(weighted[:, k], ballots)
    return Parameters(gamma, psi, delta)


def em_step(parameters: Parameters, ballots: Ballots, *, ridge: float = 0.0) -> Parameters:
    """One EM step."""
    return maximise(memberships(parameters, ballots), ballots, ridge=ridge)


def _share_logit(weighted: np.ndarray, ballots: Ballots, ridge: float) -> np.ndarray:
    types, columns = weighted.shape[1], ballots.design.shape[1]
    terms = [
        (np.vstack([np.zeros((1, (types - 1) * columns)), np.kron(np.eye(types - 1), row)]), weighted[i])
        for i, row in enumerate(ballots.design)
    ]
    shrink = np.full((types - 1, columns), ridge)
    shrink[:, 0] = 0.0
    found = _logit(terms, shrink.reshape(-1)).reshape(types - 1, columns).T
    return np.column_stack([np.zeros(columns), found])


def _choice_logit(weight: np.ndarray, ballots: Ballots) -> tuple[np.ndarray, np.ndarray]:
    """psi, option 0 as the baseline, and delta of one type: a logit over all the votes cast (eq. 4.5)."""
    offices, _, options, features = ballots.x.shape
    intercepts = np.zeros((offices, options, offices * (options - 1)))
    for j in range(offices):
        for o in range(1, options):
            intercepts[j, o, j * (options - 1) + o - 1] = 1.0
    terms = []
    for i in range(len(ballots.choice)):
        for j in seen(ballots, i):
            s = ballots.context[i, j]
            menu = np.flatnonzero(ballots.mask[j, s])
            terms.append(
                (np.hstack([intercepts[j, menu], ballots.x[j, s, menu]]), weight[i] * (menu == ballots.choice[i, j]))
            )
    found = _logit(terms, np.zeros(offices * (options - 1) + features))
    psi = np.pad(found[: len(found) - features].reshape(offices, options - 1), ((0, 0), (1, 0)))
    return psi, found[len(found) - features :]


def _logit(terms: list[tuple[np.ndarray, np.ndarray]], shrink: np.ndarray) -> np.ndarray:
    """The theta that maximises sum_t votes_t' log softmax(X_t theta) - theta' diag(shrink) theta / 2, by Newton."""
    theta = np.zeros(len(shrink))

    def value(theta: np.ndarray) -> float:
        total = -0.5 * float(shrink @ theta**2)
        for matrix, votes in terms:
            utility = matrix @ theta
            total += float(votes @ (utility - math.log(np.exp(utility).sum())))
        return total

    for _ in range(200):
        slope, curve = -shrink * theta, np.diag(shrink)
        for matrix, votes in terms:
            chance = np.exp(matrix @ theta)
            chance /= chance.sum()
            slope = slope + matrix.T @ (votes - votes.sum() * chance)
            curve = curve + votes.sum() * matrix.T @ (np.diag(chance) - np.outer(chance, chance)) @ matrix
        step = np.linalg.solve(curve, slope)
        if np.abs(step).max() < 1e-13:
            break
        before = value(theta)
        while value(theta + step) < before - 1e-9 * abs(before):
            step = step / 2
        theta = theta + step
    return theta


def pack(types: Types, free: Free) -> Float[Array, "d"]:
    """The free parameters: gamma against the baseline, psi against the reference, delta, in this order."""
    psi = types.log_mu - jnp.take_along_axis(types.log_mu, jnp.asarray(free.reference)[..., None], axis=-1)
    gamma = types.gamma - types.gamma[:, free.baseline, None]
    return jnp.concatenate([gamma[free.gamma], psi[free.log_mu], types.delta[free.delta]])


def unpack(theta: Float[Array, "d"], types: Types, free: Free) -> Types:
    """The types with these free parameters; what is not free is zero, or stays at zero probability."""
    first, second = int(free.gamma.sum()), int(free.log_mu.sum())
    gamma = jnp.zeros(types.gamma.shape, theta.dtype).at[np.nonzero(free.gamma)].set(theta[:first])
    if gamma.shape[0] == 1:
        gamma = jax.nn.log_softmax(jnp.where(jnp.asarray(free.empty), LOG_ZERO, gamma))
    reference = np.arange(types.log_mu.shape[2]) == free.reference[..., None]
    psi = jnp.where(jnp.asarray(reference), 0.0, jnp.full(types.log_mu.shape, LOG_ZERO, theta.dtype))
    psi = psi.at[np.nonzero(free.log_mu)].set(theta[first : first + second])
    # a type without voters keeps what it has
    psi = jnp.where(jnp.asarray(free.empty)[:, None, None], types.log_mu, psi)
    delta = jnp.zeros(types.delta.shape, theta.dtype).at[np.nonzero(free.delta)].set(theta[first + second :])
    return Types(gamma, jax.nn.log_softmax(psi, axis=-1), delta)


def plain_names(types: int, profiles: Profiles) -> Names:
    """Names by number, for want of better ones."""
    return Names(
        types=[str(k + 1) for k in range(types)],
        offices=[str(j + 1) for j in range(profiles.mask.shape[0])],
        options=lambda _, option: str(option),
        terms=["intercept", *(str(p + 1) for p in range(profiles.design.shape[1] - 1))],
        features=[str(q + 1) for q in range(profiles.x.shape[-1])],
    )


def diagnose_by_number(types: Types, profiles: Profiles, **known: Any) -> list[str]:
    """What is wrong with a fit, its types and offices called by their numbers."""
    found = diagnose(types, profiles, names=plain_names(types.gamma.shape[1], profiles), **known)
    return [each.sentence for each in found]
