"""What CALM computes with: booths and what they share, the terms of a model, their penalties, and its parameters.

Sizes: I booths, A constituencies, C cells, K parties, D axes, F cell features, Q booth covariates, L categories of the
axis with most, Z features of a candidate.
"""

from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from jaxtyping import Array, Bool, Float, Int

Tensor = Any  # an array of numpy, as it comes, or of jax, as it is computed with


class Booths(NamedTuple):
    """One row per booth. A row of weight 0 (padding, held out) counts nowhere; a cell that a booth lacks has size 0.

    Attributes:
        sizes: n_ic, electors of each cell.
        polled: T_i, votes polled.
        votes: V_ik, votes of each party; they add up to the votes polled, and are 0 where a party has no candidate.
        constituency: index of the booth's constituency.
        covariates: features of the booth, centred; they enter both heads beside the cell's.
        previous: shares of the parties at the previous election, 0 where unknown.
        weight: how often the booth counts.
    """

    sizes: Float[Tensor, "i c"]
    polled: Float[Tensor, " i"]
    votes: Float[Tensor, "i k"]
    constituency: Int[Tensor, " i"]
    covariates: Float[Tensor, "i q"]
    previous: Float[Tensor, "i k"]
    weight: Float[Tensor, " i"]


class Frame(NamedTuple):
    """What is known of cells, candidates and axes.

    Attributes:
        features: x_c, features of a cell (one-hot blocks of its axes, coded as the labelled layer chose).
        cell_codes: category of a cell on an axis; -1 not applicable (or a scalar axis).
        candidate_codes: category of a constituency's candidate of a party; -1 unknown, not applicable or scalar axis.
        candidate_values: value of the candidate on a scalar axis; 0 elsewhere and where unknown.
        scalar: whether the axis is scalar, so that its kernel is the candidate's value.
        fixed, band: the proximity matrix of an axis is fixed + rho * band (calm.md section 2: A(rho_A)).
        cell_gate, candidate_gate: whether an axis applies to a cell, to a candidate (nested axes).
        fielded: whether a party has a candidate in a constituency.
        presence: number of training booths of a constituency that have the cell.
        electors: electors of the cell over the training booths of a constituency.
    """

    features: Float[Tensor, "c f"]
    cell_codes: Int[Tensor, "c d"]
    candidate_codes: Int[Tensor, "a k d"]
    candidate_values: Float[Tensor, "a k d"]
    scalar: Bool[Tensor, " d"]
    fixed: Float[Tensor, "d l l"]
    band: Float[Tensor, "d l l"]
    cell_gate: Bool[Tensor, "c d"]
    candidate_gate: Bool[Tensor, "a k d"]
    fielded: Bool[Tensor, "a k"]
    presence: Float[Tensor, "a c"]
    electors: Float[Tensor, "a c"]


Affinity = Literal["none", "shared", "party", "hierarchical"]
Weighting = Literal["plain", "size"]
Effects = Literal["known", "mean", "zero"]  # which booth effects a prediction takes


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
    weighting: Weighting = "plain"
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

    rho: Float[Tensor, " d"]
    axis_weight: Float[Tensor, " d"]
    epsilon: Float[Tensor, ""]
    lambda_T: Float[Tensor, ""]
    lambda_P: Float[Tensor, ""]
    lambda_beta: Float[Tensor, ""]
    lambda_b: Float[Tensor, ""]
    lambda_eta: Float[Tensor, ""]
    lambda_party: Float[Tensor, ""]
    lambda_tau: Float[Tensor, ""]
    lambda_tower: Float[Tensor, ""]
    lambda_constituency: Float[Tensor, ""]
    exponent: Float[Tensor, ""]


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
