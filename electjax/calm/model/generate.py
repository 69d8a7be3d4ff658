"""Votes drawn from CALM itself, with a known truth, and constituency effects that give totals wanted.

The utilities are those of `calm.model.heads` (calm.md sections 0, 3 and 4), here with all K coefficients of the
parties instead of K - 1 free ones. Everything runs on the host, one constituency at a time. A booth's party utilities
are a cell's plus the booth's own, so exp(utility) is a product, and only votes drawn cell by cell need an array over
booth, cell and party.
"""

from collections.abc import Iterator
from typing import NamedTuple

import jax
import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.special import expit

from electjax.calm.model.design import Booths, Frame
from electjax.numerics.choice import CONTEXT_FLOOR
from electjax.numerics.host import host_generator

CONVERGED = 1e-10  # largest relative error of a total that is solved for
STEPS = 100


class Truth(NamedTuple):
    """Parameters that the votes are drawn with. Party coefficients add up to zero over the parties.

    Attributes:
        alpha, beta_T, gamma, beta_P, xi: as in calm.md; the last rows of the betas belong to booth covariates.
        eta: of each constituency; equal rows where it is shared.
        effect_T, effect_P: constituency effects.
        b_T, b_P: booth effects.
        axis_weight: w_A..w_I of the mobilisation.
        exponent: of the context.
        rho_T, rho_P: correlation of two electors' turnout, and two voters' choices, within a booth.
    """

    alpha: float
    beta_T: Float[np.ndarray, " fq"]
    gamma: Float[np.ndarray, " k"]
    beta_P: Float[np.ndarray, "fq k"]
    eta: Float[np.ndarray, "a d"]
    xi: float
    effect_T: Float[np.ndarray, " a"]
    effect_P: Float[np.ndarray, "a k"]
    b_T: Float[np.ndarray, " i"]
    b_P: Float[np.ndarray, "i k"]
    axis_weight: Float[np.ndarray, " d"]
    exponent: float = 0.0
    rho_T: float = 0.0
    rho_P: float = 0.0


class Expected(NamedTuple):
    """Probability that an elector of a booth votes, and of each party among those who do."""

    turnout: Float[np.ndarray, " i"]
    shares: Float[np.ndarray, "i k"]


class Drawn(NamedTuple):
    """Votes polled and votes of the parties."""

    polled: Int[np.ndarray, " i"]
    votes: Int[np.ndarray, "i k"]


class Place(NamedTuple):
    """A constituency: its booths, and the utilities that do not depend on its constituency effects.

    A cell's turnout utility is `turnout` + effect_T. A cell's party utility is `cell` + effect_P, to which a booth adds
    `booth`, and the context.
    """

    rows: Int[np.ndarray, " i"]
    sizes: Float[np.ndarray, "i c"]
    turnout: Float[np.ndarray, "i c"]
    cell: Float[np.ndarray, "c k"]
    booth: Float[np.ndarray, "i k"]
    mix: Float[np.ndarray, " c"]
    fielded: Bool[np.ndarray, " k"]
    exponent: float


def places(booths: Booths, frame: Frame, g: Float[np.ndarray, "a c k d"], truth: Truth) -> Iterator[Place]:
    """The constituencies one after the other, those without booths too."""
    order = np.argsort(booths.constituency, kind="stable")
    ends = np.cumsum(np.bincount(booths.constituency, minlength=len(frame.fielded)))
    number = frame.features.shape[1]
    features, covariates, sizes = (np.asarray(each) for each in (frame.features, booths.covariates, booths.sizes))
    for a, rows in enumerate(np.split(order, ends[:-1])):
        fielded = np.asarray(frame.fielded[a])
        weights = np.where(fielded, booths.previous[rows], 0.0)
        total = weights.sum(axis=1, keepdims=True)
        weights = np.where(total > 0, weights / np.where(total > 0, total, 1.0), fielded / max(fielded.sum(), 1))
        of_cell = truth.alpha + features @ truth.beta_T[:number]
        of_booth = truth.b_T[rows] + covariates[rows] @ truth.beta_T[number:]
        met = truth.xi * weights @ (g[a] @ truth.axis_weight).T
        electors = np.asarray(frame.electors[a])
        yield Place(
            rows,
            np.asarray(sizes[rows], float),
            of_cell + of_booth[:, None] + met,
            truth.gamma + features @ truth.beta_P[:number] + g[a] @ truth.eta[a],
            truth.b_P[rows] + covariates[rows] @ truth.beta_P[number:],
            electors / max(electors.sum(), 1.0),
            fielded,
            truth.exponent,
        )


def expect(booths: Booths, frame: Frame, g: Float[np.ndarray, "a c k d"], truth: Truth) -> Expected:
    """Expected turnout and shares of every booth: t_hat and p_hat of calm.md section 0."""
    turnout, shares = np.zeros(len(booths.constituency)), np.zeros(truth.b_P.shape)
    for a, place in enumerate(places(booths, frame, g, truth)):
        voters = place.sizes * expit(place.turnout + truth.effect_T[a])
        turnout[place.rows] = voters.sum(axis=1) / np.maximum(place.sizes.sum(axis=1), 1.0)
        parts = _parts(place, truth.effect_P[a])
        shares[place.rows] = parts.shares(voters)
    return Expected(turnout, shares)


def cells_of(
    booths: Booths, frame: Frame, g: Float[np.ndarray, "a c k d"], truth: Truth
) -> tuple[Float[np.ndarray, "a c"], Float[np.ndarray, "a c k"]]:
    """pi and theta of each constituency's cells in a booth that has the mean effects, covariates and weights."""
    turnout, choice = np.zeros(g.shape[:2]), np.zeros(g.shape[:3])
    for a, place in enumerate(places(booths, frame, g, truth)):
        if len(place.rows):
            turnout[a] = expit(place.turnout.mean(axis=0) + truth.effect_T[a])
            utility = place.cell + truth.effect_P[a] + place.booth.mean(axis=0)
            choice[a] = _softmax(utility, place.fielded)
    return turnout, choice


def solve_effects(
    booths: Booths,
    frame: Frame,
    g: Float[np.ndarray, "a c k d"],
    truth: Truth,
    polled: Float[np.ndarray, " a"],
    votes: Float[np.ndarray, "a k"],
) -> Truth:
    """The truth with alpha_0, gamma and constituency effects such that the expected totals are these.

    Constituency effects are then what alpha_0 and gamma leave: they add up to zero over the constituencies and, where a
    party has no candidate, are 0. A party without votes must have none.
    """
    effect_T, effect_P = np.zeros(len(polled)), np.zeros(votes.shape)
    for a, place in enumerate(places(booths, frame, g, truth)):
        effect_T[a] = _solve_turnout(place, float(polled[a]))
        voters = place.sizes * expit(place.turnout + effect_T[a])
        effect_P[a] = _solve_shares(place, voters, votes[a] / votes[a].sum())
    fielded = np.asarray(frame.fielded)
    level, gamma = _two_way(effect_P, fielded)
    return truth._replace(
        alpha=truth.alpha + float(effect_T.mean()),
        gamma=truth.gamma + gamma,
        effect_T=effect_T - effect_T.mean(),
        effect_P=np.where(fielded, effect_P - level[:, None] - gamma, 0.0),
    )


def draw_totals(
    key: jax.Array, electors: Int[np.ndarray, " i"], expected: Expected, rho_T: float = 0.0, rho_P: float = 0.0
) -> Drawn:
    """Booth totals as the likelihood has them: binomial and multinomial, or beta-binomial and Dirichlet-multinomial.

    With correlation rho a count out of n varies 1 + (n - 1) rho times as much as without.
    """
    rng = host_generator(key)
    turnout, shares = _disperse(rng, expected, rho_T, rho_P)
    polled = rng.binomial(electors, turnout)
    return Drawn(polled, rng.multinomial(polled, shares))


def draw_cell_votes(
    key: jax.Array, booths: Booths, frame: Frame, g: Float[np.ndarray, "a c k d"], truth: Truth
) -> Int[np.ndarray, "i c k"]:
    """Votes drawn cell by cell, each elector for themselves.

    Where booths are overdispersed, the turnout and shares of a booth are drawn first, and its effects move so that all
    its cells together expect these. Given them, the sum over the cells of a booth scatters a little less than a
    binomial and a multinomial, because what differs between cells is no chance.
    """
    rng = host_generator(key)
    aim = _disperse(rng, expect(booths, frame, g, truth), truth.rho_T, truth.rho_P)
    found = np.zeros((*np.shape(booths.sizes), truth.gamma.shape[0]), np.int32)
    for a, place in enumerate(places(booths, frame, g, truth)):
        if not len(place.rows):
            continue
        utility = place.turnout + truth.effect_T[a]
        parts = _parts(place, truth.effect_P[a])
        if truth.rho_T:
            utility = utility + _shift(utility, place.sizes, aim.turnout[place.rows])[:, None]
        chance = expit(utility)
        if truth.rho_P:
            parts = _rake(parts, place.sizes * chance, aim.shares[place.rows])
        left = rng.binomial(place.sizes.astype(np.int64), chance)
        theta, rest = parts.choice(), np.ones(left.shape)
        for k in range(theta.shape[-1]):
            # a party's share among the parties that are left; the last one takes who is left
            share = np.clip(theta[..., k] / np.maximum(rest, 1e-300), 0.0, 1.0)
            some = rng.binomial(left, share) if theta[..., k + 1 :].any() else left
            found[place.rows, :, k] = some
            left, rest = left - some, rest - theta[..., k]
    return found


class _Parts(NamedTuple):
    """theta_ick = booth_ik cell_ck / sum_l booth_il cell_cl."""

    cell: Float[np.ndarray, "c k"]
    booth: Float[np.ndarray, "i k"]

    def shares(self, voters: Float[np.ndarray, "i c"]) -> Float[np.ndarray, "i k"]:
        """p_hat of booths whose cells have so many voters."""
        total = np.maximum(voters.sum(axis=1, keepdims=True), 1e-300)
        return self.booth * ((voters / (self.booth @ self.cell.T)) @ self.cell) / total

    def choice(self) -> Float[np.ndarray, "i c k"]:
        """theta."""
        return self.booth[:, None] * self.cell / (self.booth @ self.cell.T)[:, :, None]


def _parts(place: Place, effect: Float[np.ndarray, " k"]) -> _Parts:
    """exp of the utilities of cells and of booths, each relative to its largest."""
    utility, booth = np.where(place.fielded, place.cell + effect, -np.inf), place.booth
    if place.exponent:
        own = _softmax(utility, place.fielded)
        mean = place.sizes @ own / np.maximum(place.sizes.sum(axis=1, keepdims=True), 1.0)
        booth = booth + place.exponent * np.log((mean + CONTEXT_FLOOR) / (place.mix @ own + CONTEXT_FLOOR))
    return _Parts(_exp(utility), _exp(np.where(place.fielded, booth, -np.inf)))


def _solve_turnout(place: Place, polled: float) -> float:
    """effect_T at which `polled` electors are expected to vote, by Newton's method."""
    effect = 0.0
    for _ in range(STEPS):
        chance = expit(place.turnout + effect)
        gap = polled - (place.sizes * chance).sum()
        if abs(gap) < CONVERGED * polled:
            return effect
        # a long step may leave the region where it is right
        effect += float(np.clip(gap / (place.sizes * chance * (1.0 - chance)).sum(), -1.0, 1.0))
    raise RuntimeError(f"no turnout effect gives {polled:g} votes polled")


def _solve_shares(
    place: Place, voters: Float[np.ndarray, "i c"], shares: Float[np.ndarray, " k"]
) -> Float[np.ndarray, " k"]:
    """effect_P, 0 for parties without a candidate, at which these shares are expected, by Newton's method.

    The context is left out of the derivative: it compares a booth with the mean, so it adds up to little.
    """
    effect, total, parties = np.zeros(len(shares)), voters.sum(), len(shares)
    stands = shares > 0
    if (stands != place.fielded).any():
        raise ValueError("a party has votes just where it has a candidate")
    for step in range(STEPS):
        parts = _parts(place, effect)
        weight = voters / (parts.booth @ parts.cell.T)
        mean = (parts.booth * (weight @ parts.cell)).sum(axis=0) / total
        gap = shares - mean
        if np.abs(gap[stands] / shares[stands]).max() < CONVERGED:
            return effect
        if step < 3:  # from afar: a party that is expected twice its share loses log 2
            effect[stands] += np.log(shares[stands] / mean[stands])
            continue
        pairs = (parts.cell[:, :, None] * parts.cell[:, None, :]).reshape(-1, parties**2)
        square = ((weight / (parts.booth @ parts.cell.T)) @ pairs).reshape(-1, parties, parties)
        slope = np.diag(mean) - np.einsum("ik,ikl,il->kl", parts.booth, square, parts.booth) / total
        inner = np.ix_(stands, stands)
        effect[stands] += np.clip(np.linalg.pinv(slope[inner], hermitian=True) @ gap[stands], -1.0, 1.0)
    raise RuntimeError("no party effects give these shares")


def _two_way(
    effects: Float[np.ndarray, "a k"], fielded: Bool[np.ndarray, "a k"]
) -> tuple[Float[np.ndarray, " a"], Float[np.ndarray, " k"]]:
    """Least squares of the effects of parties that stand on constituency and party; party effects add up to zero."""
    a, k = np.nonzero(fielded)
    number, parties = fielded.shape
    design = np.zeros((len(a) + 1, number + parties))
    design[np.arange(len(a)), a] = 1.0
    design[np.arange(len(a)), number + k] = 1.0
    design[-1, number:] = 1.0
    found = np.linalg.lstsq(design, np.append(effects[fielded], 0.0), rcond=None)[0]
    return found[:number], found[number:]


def _disperse(rng: np.random.Generator, expected: Expected, rho_T: float, rho_P: float) -> Expected:
    """Turnout and shares of each booth around what is expected: beta and Dirichlet with this intraclass correlation."""
    turnout, shares = expected
    if rho_T:
        size = 1.0 / rho_T - 1.0
        turnout = rng.beta(np.maximum(turnout * size, 1e-12), np.maximum((1.0 - turnout) * size, 1e-12))
    if rho_P:
        gamma = rng.standard_gamma(shares * (1.0 / rho_P - 1.0))
        shares = gamma / gamma.sum(axis=1, keepdims=True)
    return Expected(turnout, shares)


def _shift(
    utility: Float[np.ndarray, "i c"], sizes: Float[np.ndarray, "i c"], turnout: Float[np.ndarray, " i"]
) -> Float[np.ndarray, " i"]:
    """What to add to a booth's turnout utilities so that this turnout is expected, by Newton's method."""
    shift, aim = np.zeros(len(turnout)), np.clip(turnout, 1e-6, 1.0 - 1e-6) * sizes.sum(axis=1)
    for _ in range(STEPS):
        chance = expit(utility + shift[:, None])
        gap = aim - (sizes * chance).sum(axis=1)
        if (np.abs(gap) <= CONVERGED * np.maximum(aim, 1.0)).all():
            break
        slope = (sizes * chance * (1.0 - chance)).sum(axis=1)
        shift += np.clip(gap / np.maximum(slope, 1e-12), -1.0, 1.0)
    return shift


def _rake(parts: _Parts, voters: Float[np.ndarray, "i c"], shares: Float[np.ndarray, "i k"]) -> _Parts:
    """The same with booth effects at which these shares are expected, by iterative proportional fitting."""
    for _ in range(STEPS):
        mean = parts.shares(voters)
        if (np.abs(mean - shares) < 1e-9).all():
            break
        booth = parts.booth * np.where(mean > 0, shares / np.where(mean > 0, mean, 1.0), 0.0)
        parts = parts._replace(booth=booth / booth.max(axis=1, keepdims=True))
    return parts


def _exp(utility: Float[np.ndarray, "n k"]) -> Float[np.ndarray, "n k"]:
    return np.exp(utility - utility.max(axis=1, keepdims=True))


def _softmax(utility: Float[np.ndarray, "c k"], fielded: Bool[np.ndarray, " k"]) -> Float[np.ndarray, "c k"]:
    share = _exp(np.where(fielded, utility, -np.inf))
    return share / share.sum(axis=1, keepdims=True)
