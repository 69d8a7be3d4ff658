"""What CALM minimises (calm.md section 5): losses of the booths' turnout and party shares, and penalties.

    L = sum_i lambda_T N_i BCE(t_hat_i, t_i) + sum_i lambda_P T_i KL(p_i || p_hat_i)
        + lambda_beta |beta|^2 + lambda_b |b|^2 + lambda_eta |eta|^2 + ...

With lambda_T = lambda_P = 1 this is, up to a constant, the negative log-likelihood of T_i ~ Binomial(N_i, t_hat_i) and
V_i ~ Multinomial(T_i, p_hat_i), and a penalty lambda |v|^2 is a normal prior of variance 1 / (2 lambda). Overdispersed,
the two are beta-binomial and Dirichlet-multinomial with the same means and a correlation rho_T, rho_P between electors
of a booth; as both tend to 0, the loss tends to the one above. alpha_0, gamma and xi are not penalised.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax.scipy.special import gammaln, xlogy
from jaxtyping import Array, Float

from electjax.calm.model.design import Booths, Design, Hyper, Local, Shared
from electjax.calm.model.heads import Totals, contrast

DISPERSION_PRIOR = (-6.0, 3.0)  # mean and standard deviation of logit rho: wide, so that an estimate of 0 stays finite


class Losses(NamedTuple):
    """N BCE and T KL of a booth, neither with its lambda, both at least 0 up to epsilon."""

    turnout: Float[Array, "*i"]
    party: Float[Array, "*i"]


def booth_losses(
    fitted: Totals, booth: Booths, dispersion: Float[Array, " 2"] | None, epsilon: Array | float
) -> Losses:
    """N_i BCE(t_hat, t) and T_i KL(p || p_hat) of a booth, or their overdispersed forms."""
    electors, polled = booth.sizes.sum(), booth.polled
    away = jnp.maximum(electors - polled, 0.0)
    if dispersion is None:
        turnout = -(_times_log(polled, fitted.turnout + epsilon) + _times_log(away, 1.0 - fitted.turnout + epsilon))
        party = -_times_log(booth.votes, fitted.shares + epsilon).sum()
    else:
        rho_T, rho_P = jax.nn.sigmoid(dispersion)
        both = jnp.stack([fitted.turnout, 1.0 - fitted.turnout])
        turnout = -_polya(jnp.stack([polled, away]), both + epsilon, rho_T)
        party = -_polya(booth.votes, fitted.shares + epsilon, rho_P)
    cast = booth.votes.sum()
    return Losses(turnout, party + (xlogy(booth.votes, booth.votes / jnp.maximum(cast, 1.0))).sum())


def weighted_loss(
    rates: Float[Array, " k1"], booth: Booths, dispersion: Float[Array, " 2"] | None, hyper: Hyper
) -> Float[Array, ""]:
    """What a booth with the turnout rates[0] and the shares rates[1:] adds to the objective."""
    lost = booth_losses(Totals(rates[0], rates[0], rates[1:]), booth, dispersion, hyper.epsilon)
    return booth.weight * (hyper.lambda_T * lost.turnout + hyper.lambda_P * lost.party)


def entropy(booth: Booths) -> Float[Array, ""]:
    """N BCE of a perfect fit, which cannot be 0: what the turnout's loss is measured from."""
    electors, polled = jnp.maximum(booth.sizes.sum(), 1.0), booth.polled
    away = jnp.maximum(electors - polled, 0.0)
    return -(xlogy(polled, polled / electors) + xlogy(away, away / electors))


def penalty(shared: Shared, hyper: Hyper, design: Design, parties: int) -> Float[Array, ""]:
    """All terms of the objective that only shared parameters enter."""
    basis = contrast(parties, design.identification)
    total = hyper.lambda_beta * (_square(shared.beta_T) + _square(shared.beta_P @ basis.T))
    if shared.eta is not None:
        total += (hyper.lambda_party if design.affinity == "party" else hyper.lambda_eta) * _square(shared.eta)
    if shared.eta_constituency is not None:
        total += hyper.lambda_tau * _square(shared.eta_constituency)
    if shared.left is not None and shared.right is not None:
        total += hyper.lambda_tower * (_square(shared.left) + _square(shared.right))
    if shared.effect_T is not None and shared.effect_P is not None:
        total += hyper.lambda_constituency * (_square(shared.effect_T) + _square(shared.effect_P @ basis.T))
    if shared.dispersion is not None:
        mean, deviation = DISPERSION_PRIOR
        total += 0.5 * _square((shared.dispersion - mean) / deviation)
    return total


def booth_penalty(
    effect: Local, weight: Float[Array, " i"], hyper: Hyper, basis: Float[Array, "k h"]
) -> Float[Array, ""]:
    """lambda_b |b|^2; a booth that counts twice has its effect penalised twice, one that is held out has none."""
    squares = effect.b_T**2 + ((effect.b_P @ basis.T) ** 2).sum(axis=1)
    return 0.5 * effect_curvature(weight, hyper) @ squares


def effect_curvature(weight: Float[Array, "*i"], hyper: Hyper) -> Float[Array, "*i"]:
    """Second derivative of a booth's penalty in each of its effects."""
    return 2.0 * hyper.lambda_b * jnp.where(weight > 0, weight, 1.0)


def curvature(
    rates: Float[Array, " k1"], booth: Booths, dispersion: Float[Array, " 2"] | None, hyper: Hyper
) -> Float[Array, " k1"]:
    """Fisher information of a booth about its turnout rates[0] and each share, as weights: N / t(1-t) and T / p.

    The weight of the booth is not in it.
    """
    turnout, shares = rates[0], rates[1:]
    electors, polled = booth.sizes.sum(), booth.votes.sum()
    of_T, of_P = hyper.lambda_T * electors, hyper.lambda_P * polled
    if dispersion is not None:  # the variance is 1 + (n - 1) rho times as large
        rho_T, rho_P = jax.nn.sigmoid(dispersion)
        of_T = of_T / (1.0 + jnp.maximum(electors - 1.0, 0.0) * rho_T)
        of_P = of_P / (1.0 + jnp.maximum(polled - 1.0, 0.0) * rho_P)
    floor = 1e-9  # an information that is not finite helps nobody
    variance = jnp.maximum(turnout * (1.0 - turnout), floor)
    return jnp.append(of_T / variance, of_P / jnp.maximum(shares, floor))


def _times_log(count: Array, share: Array) -> Array:
    """count log(share), 0 where nothing was counted, whatever the share; so are its slopes."""
    return jnp.where(count > 0, count * jnp.log(jnp.where(count > 0, share, 1.0)), 0.0)


def _polya(counts: Float[Array, " k"], shares: Float[Array, " k"], rho: Float[Array, ""]) -> Float[Array, ""]:
    """Log-probability of a Dirichlet-multinomial without its coefficient: mean `shares`, correlation rho."""
    size = 1.0 / rho - 1.0
    concentration = size * shares
    whole = concentration.sum()
    own = jnp.where(counts > 0, concentration, 1.0)  # what is not counted has no part in it, a share of 0 neither
    rising = jnp.where(counts > 0, gammaln(counts + own) - gammaln(own), 0.0)
    return rising.sum() - (gammaln(counts.sum() + whole) - gammaln(whole))


def _square(values: Array) -> Array:
    return (values**2).sum()
