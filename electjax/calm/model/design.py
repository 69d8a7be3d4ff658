"""Which terms a CALM model has (static), how strongly they are held (traced), and its parameters."""

from dataclasses import dataclass
from typing import Literal, NamedTuple

from jaxtyping import Array, Float

Affinity = Literal["none", "shared", "party", "hierarchical"]


@dataclass(frozen=True)
class Design:
    """The terms of a model; a change means another program.

    Attributes:
        affinity: eta'g with eta none, shared by the parties, one per party, or per constituency around a shared one.
        tower: rank r of the two-tower term x' U z with U = P Q'; 0 for none.
        mobilisation: xi m_ic in the turnout with the weights w_ik none, of the previous election, or of the model's own
            shares frozen from the epoch before.
        booth_effects: b_i^(T) and b_ik^(P).
        constituency_effects: the same per constituency.
        overdispersed: beta-binomial turnout and Dirichlet-multinomial choice instead of binomial and multinomial.
        context: a contextual exponent: people vote more like their surroundings than their cell.
        weighting: g is standardised over (i, c, k), each counting once as in the source, or by the size of the cell.
        identification: party coefficients add up to zero, or are relative to the first party.
        project: project g off the cell features.
        raw_mobilisation: m_ic takes g as it is instead of standardised.
        cache: keep the gathered g of every booth instead of gathering it chunk by chunk.
    """

    affinity: Affinity = "shared"
    tower: int = 0
    mobilisation: Literal["none", "previous", "model"] = "none"
    booth_effects: bool = True
    constituency_effects: bool = False
    overdispersed: bool = False
    context: bool = False
    weighting: Literal["plain", "size"] = "plain"
    identification: Literal["sum_to_zero", "reference"] = "sum_to_zero"
    project: bool = False
    raw_mobilisation: bool = False
    cache: Literal["none", "booth"] = "none"


class Hyper(NamedTuple):
    """What is chosen, not estimated: traced, so that a sweep compiles once (calm.md sections 2, 4, 5).

    Attributes:
        rho: proximity of adjacent categories of each axis, [d].
        axis_weight: w_A..w_I of the mobilisation, [d]; they add up to 1.
        epsilon: added to shares under a logarithm.
        lambda_T, lambda_P: weights of the two losses.
        lambda_beta, lambda_b, lambda_eta: L2 of the coefficients, booth effects and eta.
        lambda_party: L2 of party-specific eta_k.
        lambda_tau: L2 of a constituency's eta around the shared one, 1 / (2 tau^2).
        lambda_tower: L2 of the entries of P and Q.
        lambda_constituency: L2 of constituency effects.
        exponent: of the context.
    """

    rho: Float[Array, " d"]
    axis_weight: Float[Array, " d"]
    epsilon: Float[Array, ""] | float = 1e-12
    lambda_T: Float[Array, ""] | float = 1.0
    lambda_P: Float[Array, ""] | float = 1.0
    lambda_beta: Float[Array, ""] | float = 0.1
    lambda_b: Float[Array, ""] | float = 2.0
    lambda_eta: Float[Array, ""] | float = 0.01
    lambda_party: Float[Array, ""] | float = 1.0
    lambda_tau: Float[Array, ""] | float = 10.0
    lambda_tower: Float[Array, ""] | float = 1.0
    lambda_constituency: Float[Array, ""] | float = 0.1
    exponent: Float[Array, ""] | float = 0.0


class Shared(NamedTuple):
    """Free parameters that all booths share; None where the design has no such term.

    Party coefficients stand in H = K - 1 free directions; `heads.spread` turns them into K (calm.md sections 0, 3, 4).

    Attributes:
        alpha: alpha_0, intercept of the turnout.
        beta_T: coefficients of cell features and booth covariates in the turnout, [f+q].
        gamma: party intercepts, [h].
        beta_P: coefficients in the party head, [f+q, h].
        eta: [d], or [k, d] per party.
        eta_constituency: deviations of a constituency's eta, [a, d].
        left, right: P [f, r] and Q [z, r] of the two-tower term.
        xi: mobilisation.
        effect_T, effect_P: constituency effects, [a] and [a, h].
        dispersion: logits of rho_T and rho_P, [2]: correlation of two electors' choices within a booth.
    """

    alpha: Float[Array, ""]
    beta_T: Float[Array, " fq"]
    gamma: Float[Array, " h"]
    beta_P: Float[Array, "fq h"]
    eta: Float[Array, "..."] | None = None
    eta_constituency: Float[Array, "a d"] | None = None
    left: Float[Array, "f r"] | None = None
    right: Float[Array, "z r"] | None = None
    xi: Float[Array, ""] | None = None
    effect_T: Float[Array, " a"] | None = None
    effect_P: Float[Array, "a h"] | None = None
    dispersion: Float[Array, " 2"] | None = None


class Local(NamedTuple):
    """Booth effects: b_T [i] and b_P [i, h]."""

    b_T: Float[Array, " i"]
    b_P: Float[Array, "i h"]
